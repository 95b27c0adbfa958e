//! Filters as SQL over the tables of the metadata.

use rusqlite::types::Value as SqlValue;
use serde_json::Value;

use super::listing::Fields;
use crate::filters::{Condition, Does, Operator, Test, truth, wrong};
use crate::platform::error::ApiError;
use crate::platform::instant;

/// What a filter may speak of, and the values that it compares with, in their order.
#[derive(Debug)]
pub struct Bound<'a> {
    /// The fields.
    pub fields: &'static Fields,
    /// The values; those of the filter are added.
    pub values: &'a mut Vec<SqlValue>,
}

impl Bound<'_> {
    fn column(&self, field: &str) -> Result<String, ApiError> {
        let known = self.fields.column(field);
        known.ok_or_else(|| wrong(format!("there is no field `{field}`; expected one of {}", self.fields.names())))
    }

    /// Adds a text, number or truth that is compared with the column of `field`, and returns its place.
    fn value(&mut self, field: &str, value: &Value) -> Result<String, ApiError> {
        let is_time = self.fields.times.iter().any(|(name, _)| *name == field);
        let written = match value {
            Value::String(text) if is_time => SqlValue::Integer(
                instant::parse(text).ok_or_else(|| wrong(format!("`{text}` is no time, as `{field}` needs")))?,
            ),
            Value::String(text) => SqlValue::Text(text.clone()),
            Value::Bool(truth) => SqlValue::Integer(i64::from(*truth)),
            Value::Number(number) => match number.as_i64() {
                Some(whole) => SqlValue::Integer(whole),
                None => SqlValue::Real(number.as_f64().unwrap_or_default()),
            },
            _ => return Err(wrong(format!("the value for `{field}` is neither a text nor a number nor a truth"))),
        };
        self.values.push(written);
        // Numbered, because an expression may write it more than once.
        Ok(format!("?{}", self.values.len()))
    }
}

/// Returns a condition as an expression that is true or false, never null.
///
/// # Errors
///
/// Returns 422 for a field that there is not, a value that it cannot have, and an operator that is for documents only.
pub fn to_sql(condition: &Condition, bound: &mut Bound<'_>) -> Result<String, ApiError> {
    match &condition.does {
        Does::All(parts) => joined(parts, " AND ", "true", bound),
        Does::Any(parts) => joined(parts, " OR ", "false", bound),
        Does::Not(parts) => Ok(format!("(NOT {})", joined(parts, " OR ", "false", bound)?)),
        Does::Test(test) => {
            let tested = Tested { test, column: bound.column(&test.field)?, case_sensitive: condition.case_sensitive };
            Ok(format!("(({}) IS TRUE)", tested.to_sql(bound)?))
        }
    }
}

fn joined(parts: &[Condition], sign: &str, none: &str, bound: &mut Bound<'_>) -> Result<String, ApiError> {
    if parts.is_empty() {
        return Ok(none.to_owned());
    }
    let written: Result<Vec<String>, ApiError> = parts.iter().map(|part| to_sql(part, bound)).collect();
    Ok(format!("({})", written?.join(sign)))
}

/// A test, and the column that it is about.
struct Tested<'a> {
    test: &'a Test,
    column: String,
    case_sensitive: bool,
}

impl Tested<'_> {
    fn to_sql(&self, bound: &mut Bound<'_>) -> Result<String, ApiError> {
        let (column, value) = (&self.column, &self.test.value);
        let null = |holds: bool| format!("{column} IS {}NULL", if holds { "" } else { "NOT " });
        match self.test.operator {
            Operator::Equal if value.is_null() => Ok(null(true)),
            Operator::NotEqual if value.is_null() => Ok(null(false)),
            Operator::Equal => self.compared("=", value, bound),
            Operator::NotEqual => self.compared("<>", value, bound),
            Operator::Greater => self.compared(">", value, bound),
            Operator::Less => self.compared("<", value, bound),
            Operator::AtLeast => self.compared(">=", value, bound),
            Operator::AtMost => self.compared("<=", value, bound),
            Operator::In => self.one_of(bound),
            Operator::NotIn => Ok(format!("NOT {}", self.one_of(bound)?)),
            Operator::Contains | Operator::Text => {
                self.text(bound, |column, text| format!("instr({column}, {text}) > 0"))
            }
            Operator::StartsWith => {
                self.text(bound, |column, text| format!("substr({column}, 1, length({text})) = {text}"))
            }
            Operator::EndsWith => self.text(bound, |column, text| {
                let begin = format!("length({column}) - length({text})");
                format!("({begin} >= 0 AND substr({column}, {begin} + 1) = {text})")
            }),
            Operator::Exists => Ok(null(!truth(value)?)),
            Operator::IsNull => Ok(null(truth(value)?)),
            Operator::Regex
            | Operator::Phrase
            | Operator::Words
            | Operator::GeoRadius
            | Operator::GeoBoundingBox
            | Operator::GeoPolygon => {
                let name = self.test.operator.name();
                Err(wrong(format!("the operator `{name}` is for the documents of a search, and not for this list")))
            }
        }
    }

    fn compared(&self, sign: &str, value: &Value, bound: &mut Bound<'_>) -> Result<String, ApiError> {
        let (column, written) = (&self.column, bound.value(&self.test.field, value)?);
        if value.is_string() && !self.case_sensitive {
            return Ok(format!("lower({column}) {sign} lower({written})"));
        }
        Ok(format!("{column} {sign} {written}"))
    }

    fn one_of(&self, bound: &mut Bound<'_>) -> Result<String, ApiError> {
        let Some(values) = self.test.value.as_array() else {
            return Err(wrong(format!("the value for `{}` is no list, as `in` and `nin` need", self.test.field)));
        };
        let mut tests = vec!["false".to_owned()];
        for value in values {
            tests.push(self.compared("=", value, bound)?);
        }
        Ok(format!("(({}) IS TRUE)", tests.join(" OR ")))
    }

    fn text(&self, bound: &mut Bound<'_>, test: impl Fn(&str, &str) -> String) -> Result<String, ApiError> {
        let Test { field, value, .. } = self.test;
        if !value.is_string() {
            return Err(wrong(format!("the value for `{field}` is no text")));
        }
        let (column, written) = (&self.column, bound.value(field, value)?);
        if self.case_sensitive {
            return Ok(test(column, &written));
        }
        Ok(test(&format!("lower({column})"), &format!("lower({written})")))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const FIELDS: Fields = Fields {
        plain: &[("price", "price"), ("brand", "brand"), ("stars", "stars"), ("sold", "sold")],
        times: &[],
        objects: &[],
    };

    fn sql(filters: Value) -> Result<(String, Vec<SqlValue>), String> {
        let condition = Condition::parse(filters.as_object().unwrap()).map_err(|error| error.message)?;
        let mut values = Vec::new();
        let written = to_sql(&condition, &mut Bound { fields: &FIELDS, values: &mut values });
        written.map(|written| (written, values)).map_err(|error| error.message)
    }

    #[test]
    fn trees_become_one_expression_and_values_stand_apart() {
        let tree = json!({ "AND": [
            { "field": "price", "operator": "lt", "value": 100 },
            { "OR": [{ "field": "brand", "value": "'); DROP" }, { "field": "stars", "operator": "gte", "value": 4.5 }] },
            { "NOT": [{ "field": "sold", "operator": "is_null", "value": true }] },
        ] });
        let (written, values) = sql(tree).unwrap();
        assert_eq!(
            written,
            "(((price < ?1) IS TRUE) AND (((lower(brand) = lower(?2)) IS TRUE) OR \
             ((stars >= ?3) IS TRUE)) AND (NOT (((sold IS NULL) IS TRUE))))"
        );
        assert_eq!(values, [SqlValue::Integer(100), SqlValue::Text("'); DROP".to_owned()), SqlValue::Real(4.5)]);
    }

    #[test]
    fn an_empty_list_of_alternatives_holds_never_and_an_empty_filter_always() {
        assert_eq!(sql(json!({ "OR": [] })).unwrap().0, "false");
        assert_eq!(sql(json!({})).unwrap().0, "true");
        let none = json!({ "field": "price", "operator": "in", "value": [] });
        assert_eq!(sql(none).unwrap().0, "((((false) IS TRUE)) IS TRUE)");
    }

    #[test]
    fn what_a_list_cannot_be_filtered_by_is_said() {
        let refusal = |filters| sql(filters).unwrap_err();
        for operator in ["regex", "phrase", "words", "geo_radius", "geo_bounding_box", "geo_polygon"] {
            let told = refusal(json!({ "field": "brand", "operator": operator, "value": "a" }));
            assert!(told.contains(&format!("`{operator}` is for the documents")), "{told}");
        }
        assert!(refusal(json!({ "field": "nowhere", "value": 1 })).contains("expected one of `price`"));
        assert!(refusal(json!({ "field": "price", "value": { "type": "dynamic" } })).contains("neither a text"));
        assert!(refusal(json!({ "field": "price", "operator": "in", "value": 1 })).contains("no list"));
    }
}
