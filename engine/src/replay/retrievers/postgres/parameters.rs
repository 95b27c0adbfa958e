//! Values of a session as parameters, sent as text that the server reads as whatever type the parameter has.

use std::error::Error;

use bytes::BytesMut;
use serde_json::json;
use tokio_postgres::types::{Format, IsNull, Kind, ToSql, Type, to_sql_checked};

use super::super::query_values::QueryValue;

/// A value in the text form of a parameter's type; `None` is null.
#[derive(Debug, PartialEq)]
pub(super) struct TextParameter(Option<String>);

impl TextParameter {
    /// Returns a value for a parameter of that type.
    pub(super) fn new(value: QueryValue, parameter: &Type) -> Self {
        let is_json = matches!(*parameter, Type::JSON | Type::JSONB);
        let is_array = matches!(parameter.kind(), Kind::Array(_));
        Self(match value {
            QueryValue::Null => None,
            QueryValue::Text(text) if is_json => Some(json!(text).to_string()),
            QueryValue::Text(text) => Some(text),
            QueryValue::Integer(number) => Some(number.to_string()),
            QueryValue::Float(number) => Some(number.to_string()),
            QueryValue::Boolean(truth) => Some(truth.to_string()),
            QueryValue::Texts(texts) if is_array => Some(array(texts.iter().map(|text| quoted(text)))),
            QueryValue::Texts(texts) => Some(json!(texts).to_string()),
            QueryValue::Numbers(numbers) => Some(numbers_as(is_array, numbers.iter().map(f64::to_string))),
            QueryValue::Vector(vector) => Some(numbers_as(is_array, vector.iter().map(f32::to_string))),
            QueryValue::Json(json) => Some(json.to_string()),
        })
    }
}

fn array(elements: impl Iterator<Item = String>) -> String {
    format!("{{{}}}", elements.collect::<Vec<_>>().join(","))
}

/// Returns numbers as an array, or else as JSON and pgvector write them.
fn numbers_as(is_array: bool, numbers: impl Iterator<Item = String>) -> String {
    if is_array { array(numbers) } else { format!("[{}]", numbers.collect::<Vec<_>>().join(",")) }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\""))
}

impl ToSql for TextParameter {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let Some(text) = &self.0 else { return Ok(IsNull::Yes) };
        out.extend_from_slice(text.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_the_parameter_reads_them() {
        let vector = Type::new("vector".into(), 16_385, Kind::Simple, "public".into());
        let texts = || QueryValue::Texts(vec!["a,b".into(), r#"q"\"#.into(), String::new()]);
        let cases = [
            (QueryValue::Null, Type::INT4, None),
            (QueryValue::Text("it's".into()), Type::TEXT, Some("it's")),
            (QueryValue::Text("a\"b".into()), Type::JSONB, Some(r#""a\"b""#)),
            (QueryValue::Integer(-7), Type::INT8, Some("-7")),
            (QueryValue::Float(0.1), Type::NUMERIC, Some("0.1")),
            (QueryValue::Boolean(true), Type::BOOL, Some("true")),
            (texts(), Type::TEXT_ARRAY, Some(r#"{"a,b","q\"\\",""}"#)),
            (texts(), Type::JSONB, Some(r#"["a,b","q\"\\",""]"#)),
            (QueryValue::Numbers(vec![1.0, -2.5]), Type::FLOAT8_ARRAY, Some("{1,-2.5}")),
            (QueryValue::Vector(vec![1.0, 1e-7]), vector, Some("[1,0.0000001]")),
            (QueryValue::Vector(vec![]), Type::FLOAT4_ARRAY, Some("{}")),
            (QueryValue::Json(json!({"a": null})), Type::JSON, Some(r#"{"a":null}"#)),
        ];
        for (value, parameter, expected) in cases {
            let told = format!("{value:?} as {parameter}");
            assert_eq!(TextParameter::new(value, &parameter).0.as_deref(), expected, "{told}");
        }
    }
}
