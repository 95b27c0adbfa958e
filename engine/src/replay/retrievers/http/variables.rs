//! What a template may speak of: the session's own data, and the stage's parameters.

use std::collections::{BTreeMap, HashSet};

use minijinja::Value;
use minijinja::value::Serde;

use crate::session::{Hit, Session};

/// Names that templates may use. `hits` is there for re-ranking only.
pub(super) const NAMES: [&str; 9] =
    ["query", "depth", "session_id", "inputs", "taxonomy", "vector", "filters", "parameters", "hits"];

/// What one request is made for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) session: &'a Session,
    pub(super) depth: usize,
    /// The hits to re-rank; `None` for a source.
    pub(super) hits: Option<&'a [Hit]>,
}

/// Returns the values of the variables in `used`. A query or a vector that the session does not have is not defined.
///
/// # Errors
///
/// Returns in words why the session's inputs cannot be read.
pub(super) fn variables(subject: &Subject<'_>, parameters: &Value, used: &HashSet<String>) -> Result<Value, String> {
    let session = subject.session;
    let mut variables: BTreeMap<&'static str, Value> = BTreeMap::new();
    for name in NAMES.into_iter().filter(|name| used.contains(*name)) {
        let value = match name {
            "query" => session.query.as_deref().map(Value::from),
            "depth" => Some(Value::from(subject.depth)),
            "session_id" => Some(Value::from(session.session_id.as_str())),
            "inputs" => Some(inputs(session)?),
            "taxonomy" => Some(Value::from(Serde(&session.taxonomy))),
            "vector" => session.query_vector.as_deref().map(vector),
            "filters" => Some(filters(session)?),
            "parameters" => Some(parameters.clone()),
            _ => subject.hits.map(hits),
        };
        variables.extend(value.map(|value| (name, value)));
    }
    Ok(Value::from_pairs(variables))
}

fn inputs(session: &Session) -> Result<Value, String> {
    let Some(text) = &session.inputs else { return Ok(Value::from(BTreeMap::<String, Value>::new())) };
    let inputs: serde_json::Value =
        serde_json::from_str(text).map_err(|error| format!("the inputs of the session are not JSON: {error}"))?;
    Ok(Value::from(Serde(inputs)))
}

/// `inputs.filters`, or an empty list.
fn filters(session: &Session) -> Result<Value, String> {
    let inputs = inputs(session)?;
    let filters = inputs.get_attr("filters").ok().filter(|filters| !filters.is_undefined() && !filters.is_none());
    Ok(filters.unwrap_or_else(|| Value::from(Vec::<Value>::new())))
}

/// As 64-bit numbers that print as short as the 32-bit ones do.
fn vector(vector: &[f32]) -> Value {
    let widened = |number: &f32| number.to_string().parse::<f64>().unwrap_or_else(|_| f64::from(*number));
    vector.iter().map(|number| Value::from(widened(number))).collect()
}

fn hits(hits: &[Hit]) -> Value {
    let hit = |hit: &Hit| {
        Value::from_pairs([("item_id", Value::from(hit.item_id.as_str())), ("score", Value::from(Serde(hit.score)))])
    };
    hits.iter().map(hit).collect()
}
