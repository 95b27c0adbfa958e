//! A scenario as a session of the engine.

use rematch_engine::session::Session;
use serde_json::{Map, Value};

use crate::platform::error::ApiError;
use crate::runloop::model::InputContext;

/// The fields of a session that a scenario may give as they are.
const FIELDS: [&str; 9] = [
    "visit_id",
    "user_id",
    "timestamp",
    "retriever_id",
    "query_vector",
    "taxonomy",
    "shown",
    "interactions",
    "judgments",
];

/// The fields that are any JSON to the scenario and text to the session.
const TEXTS: [&str; 2] = ["inputs", "expected"];

/// Returns the session of a scenario, as a line of a file of sessions.
///
/// # Errors
///
/// Returns 422 when a field is there and has another form than a session's.
pub(in crate::runloop) fn session_of(id: &str, context: &InputContext) -> Result<Value, ApiError> {
    let mut session = Map::new();
    session.insert("session_id".to_owned(), Value::from(id));
    session.insert("query".to_owned(), Value::from(context.problem_statement.as_str()));
    let given = context.additional_context.as_ref().and_then(Value::as_object);
    for field in FIELDS {
        let value = given.and_then(|given| given.get(field)).filter(|value| !value.is_null());
        if let Some(value) = value {
            session.insert(field.to_owned(), value.clone());
        }
    }
    for field in TEXTS {
        let value = given.and_then(|given| given.get(field)).filter(|value| !value.is_null());
        if let Some(value) = value {
            session.insert(field.to_owned(), Value::from(as_json_text(value)));
        }
    }
    let session = Value::Object(session);
    check(&session).map_err(|reason| wrong(&reason))?;
    Ok(session)
}

/// Text that is JSON already stays as it is.
fn as_json_text(value: &Value) -> String {
    match value {
        Value::String(text) if serde_json::from_str::<Value>(text).is_ok() => text.clone(),
        value => value.to_string(),
    }
}

fn check(session: &Value) -> Result<(), String> {
    let session: Session =
        serde::Deserialize::deserialize(session).map_err(|error: serde_json::Error| error.to_string())?;
    let finite =
        |name: &str, mut values: Box<dyn Iterator<Item = f64> + '_>| match values.find(|value| !value.is_finite()) {
            Some(value) => Err(format!("a number of `{name}` is {value} in the precision that it is kept in")),
            None => Ok(()),
        };
    finite("judgments", Box::new(session.judgments.iter().map(|judgment| f64::from(judgment.grade))))?;
    finite("query_vector", Box::new(session.query_vector.iter().flatten().map(|value| f64::from(*value))))?;
    let outside = |propensity: &f64| !(*propensity > 0.0 && *propensity <= 1.0);
    match session.shown.iter().filter_map(|shown| shown.propensity).find(outside) {
        Some(propensity) => Err(format!("a propensity is {propensity}, expected a probability above 0 and up to 1")),
        None => Ok(()),
    }
}

fn wrong(reason: &str) -> ApiError {
    let message = format!("`additional_context` cannot be read as the fields of a session: {reason}");
    ApiError::invalid(&["body", "input_context", "additional_context"], "type_error", message)
}

/// Returns the files that a scenario brings for scorers that are programs, by path.
///
/// # Errors
///
/// Returns 422 when they are no texts by path.
pub(in crate::runloop) fn files_of(context: &InputContext) -> Result<Vec<(String, String)>, ApiError> {
    let given = context.additional_context.as_ref().and_then(|context| context.get("files"));
    let Some(given) = given.filter(|given| !given.is_null()) else { return Ok(Vec::new()) };
    let wrong = || wrong("`files` is no object of texts by path");
    let files = given.as_object().ok_or_else(wrong)?.iter();
    files.map(|(path, text)| Ok((path.clone(), text.as_str().ok_or_else(wrong)?.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn context(additional: Value) -> InputContext {
        InputContext { problem_statement: "mug".to_owned(), additional_context: Some(additional) }
    }

    #[test]
    fn fields_of_a_session_are_taken_and_others_are_left() {
        let given =
            json!({ "judgments": [{ "item_id": "a", "grade": 2 }], "inputs": { "x": 1 }, "hits": ["a"], "note": 7 });
        let session = session_of("scn_1", &context(given)).unwrap();
        let expected = json!({
            "session_id": "scn_1", "query": "mug", "judgments": [{ "item_id": "a", "grade": 2 }], "inputs": "{\"x\":1}",
        });
        assert_eq!(session, expected);
    }

    #[test]
    fn context_that_is_no_object_tells_nothing_of_the_session() {
        for given in [json!("text"), json!([1]), json!(null), json!(3)] {
            assert!(session_of("scn_1", &context(given)).is_ok());
        }
    }

    #[test]
    fn fields_of_another_form_are_refused() {
        let hostile = [
            json!({ "judgments": "a" }),
            json!({ "judgments": [{ "item_id": "a", "grade": 1e300 }] }),
            json!({ "judgments": [{ "item": "a", "grade": 1 }] }),
            json!({ "shown": [{ "item_id": "a", "propensity": 0 }] }),
            json!({ "timestamp": "today" }),
            json!({ "interactions": [{ "item_id": "a" }] }),
        ];
        for given in hostile {
            assert!(session_of("scn_1", &context(given.clone())).is_err(), "{given}");
        }
    }
}
