//! Values of a session for the parameters of a query.

use serde_json::{Map, Value as Json};

use crate::benchmark::stages::Parameter;
use crate::replay::{Reads, RetrieveError, RetrieveErrorKind};
use crate::session::Session;

/// The value of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum QueryValue {
    Null,
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Texts(Vec<String>),
    Numbers(Vec<f64>),
    Vector(Vec<f32>),
    /// An object, or a list of anything else.
    Json(Json),
}

/// Returns what of a session the parameters look at.
pub(super) fn reads(parameters: &[Parameter]) -> Reads {
    let one = |parameter: &Parameter| match parameter {
        Parameter::Query => Reads::QUERY,
        Parameter::Depth => Reads::NOTHING,
        Parameter::SessionId => Reads { session_id: true, ..Reads::NOTHING },
        Parameter::Taxonomy => Reads { taxonomy: true, ..Reads::NOTHING },
        Parameter::Vector => Reads { query_vector: true, ..Reads::NOTHING },
        Parameter::Inputs | Parameter::Input(_) => Reads { inputs: true, ..Reads::NOTHING },
    };
    parameters.iter().map(one).fold(Reads::NOTHING, Reads::and)
}

/// Returns the values of `parameters`, in their order, for a search of the stage `kind`.
pub(super) fn query_values(
    kind: &str,
    parameters: &[Parameter],
    session: &Session,
    depth: usize,
) -> Result<Vec<QueryValue>, RetrieveError> {
    let mut inputs = None;
    parameters.iter().map(|parameter| query_value(kind, parameter, session, depth, &mut inputs)).collect()
}

fn query_value(
    kind: &str,
    parameter: &Parameter,
    session: &Session,
    depth: usize,
    inputs: &mut Option<Map<String, Json>>,
) -> Result<QueryValue, RetrieveError> {
    let missing = |what: &str| {
        let message = format!("the session has no {what}, which `${parameter}` of the `{kind}` query needs");
        RetrieveError::new(RetrieveErrorKind::NoQuery, message)
    };
    Ok(match parameter {
        Parameter::Query => QueryValue::Text(session.query.clone().ok_or_else(|| missing("query text"))?),
        Parameter::Depth => QueryValue::Integer(i64::try_from(depth).unwrap_or(i64::MAX)),
        Parameter::SessionId => QueryValue::Text(session.session_id.clone()),
        Parameter::Taxonomy => QueryValue::Texts(session.taxonomy.clone()),
        Parameter::Vector => QueryValue::Vector(session.query_vector.clone().ok_or_else(|| missing("query vector"))?),
        Parameter::Inputs => QueryValue::Json(Json::Object(parsed(inputs, session)?.clone())),
        Parameter::Input(name) => {
            let value = parsed(inputs, session)?.get(name);
            let missing = || {
                let message =
                    format!("the session has no input `{name}`, which `${parameter}` of the `{kind}` query needs");
                RetrieveError::new(RetrieveErrorKind::Template, message)
            };
            of_json(value.cloned().ok_or_else(missing)?)
        }
    })
}

/// Returns the session's inputs, which are parsed once.
fn parsed<'a>(
    inputs: &'a mut Option<Map<String, Json>>,
    session: &Session,
) -> Result<&'a Map<String, Json>, RetrieveError> {
    if inputs.is_none() {
        let text = session.inputs.as_deref().unwrap_or("{}");
        let object = serde_json::from_str(text).map_err(|error| {
            let message = format!("the session's inputs are no JSON object: {error}");
            RetrieveError::new(RetrieveErrorKind::Template, message)
        })?;
        *inputs = Some(object);
    }
    Ok(inputs.get_or_insert_default())
}

fn of_json(value: Json) -> QueryValue {
    match value {
        Json::Null => QueryValue::Null,
        Json::Bool(truth) => QueryValue::Boolean(truth),
        Json::String(text) => QueryValue::Text(text),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => QueryValue::Integer(integer),
            (None, Some(float)) => QueryValue::Float(float),
            (None, None) => QueryValue::Text(number.to_string()),
        },
        Json::Array(elements) => {
            let texts: Option<Vec<String>> =
                elements.iter().map(|element| element.as_str().map(str::to_owned)).collect();
            let numbers: Option<Vec<f64>> = elements.iter().map(Json::as_f64).collect();
            match (texts, numbers) {
                (Some(texts), _) => QueryValue::Texts(texts),
                (None, Some(numbers)) => QueryValue::Numbers(numbers),
                (None, None) => QueryValue::Json(Json::Array(elements)),
            }
        }
        Json::Object(object) => QueryValue::Json(Json::Object(object)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        Session {
            session_id: "s".into(),
            query: Some("q'\"$1".into()),
            inputs: Some(r#"{"n": 1, "x": 1.5, "t": "a", "b": true, "o": null, "l": ["a"], "v": [1, 2], "m": [1, "a"], "e": {}}"#.into()),
            taxonomy: vec!["a/b".into()],
            ..Session::default()
        }
    }

    fn value(name: &str) -> Result<QueryValue, String> {
        let parameter = Parameter::of_name(name).unwrap();
        let values = query_values("sql", &[parameter], &session(), 7);
        values.map(|mut values| values.remove(0)).map_err(|error| format!("{}: {}", error.kind.as_str(), error.message))
    }

    #[test]
    fn values_keep_their_types() {
        assert_eq!(value("query"), Ok(QueryValue::Text("q'\"$1".into())));
        assert_eq!(value("depth"), Ok(QueryValue::Integer(7)));
        assert_eq!(value("taxonomy"), Ok(QueryValue::Texts(vec!["a/b".into()])));
        let expected = [
            ("n", QueryValue::Integer(1)),
            ("x", QueryValue::Float(1.5)),
            ("t", QueryValue::Text("a".into())),
            ("b", QueryValue::Boolean(true)),
            ("o", QueryValue::Null),
            ("l", QueryValue::Texts(vec!["a".into()])),
            ("v", QueryValue::Numbers(vec![1.0, 2.0])),
            ("m", QueryValue::Json(serde_json::json!([1, "a"]))),
            ("e", QueryValue::Json(serde_json::json!({}))),
        ];
        for (name, expected) in expected {
            assert_eq!(value(&format!("inputs_{name}")), Ok(expected), "{name}");
        }
        assert!(matches!(value("inputs"), Ok(QueryValue::Json(Json::Object(object))) if object.len() == 9));
    }

    #[test]
    fn only_what_is_named_is_looked_at() {
        let named = |names: &[&str]| {
            let parameters: Vec<Parameter> = names.iter().filter_map(|name| Parameter::of_name(name)).collect();
            reads(&parameters)
        };
        assert_eq!(named(&["depth"]), Reads::NOTHING);
        assert_eq!(named(&["query", "depth"]), Reads::QUERY);
        let all = named(&["query", "session_id", "taxonomy", "vector", "inputs_a"]);
        assert_eq!(all, Reads { timestamp: false, ..Reads::ALL });
    }

    #[test]
    fn what_is_missing_is_an_error() {
        let vector = "no_query: the session has no query vector, which `$vector` of the `sql` query needs";
        assert_eq!(value("vector"), Err(vector.to_owned()));
        let input = "template: the session has no input `z`, which `$inputs_z` of the `sql` query needs";
        assert_eq!(value("inputs_z"), Err(input.to_owned()));
        let broken = Session { inputs: Some("[1]".into()), ..Session::default() };
        let error = query_values("sql", &[Parameter::Inputs], &broken, 1).unwrap_err();
        assert!(error.message.starts_with("the session's inputs are no JSON object"), "{error}");
        assert_eq!(error.kind, RetrieveErrorKind::Template);
    }
}
