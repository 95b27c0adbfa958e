//! What a search is about, out of the inputs that a client gave.

use serde_json::{Map, Value};

use crate::worker::SearchInputs;

/// The names that clients give the text of a query, the usual one first.
const TEXTS: [&str; 4] = ["query", "text", "q", "query_text"];

/// The names that clients give the vector of a query.
const VECTORS: [&str; 4] = ["query_vector", "vector", "embedding", "query_embedding"];

/// Returns the query of some inputs: its text is `query`, `text`, `q` or `query_text`, or else the only text among them; its
/// vector is `query_vector`, `vector`, `embedding` or `query_embedding`.
#[must_use]
pub fn search_inputs(inputs: &Map<String, Value>) -> SearchInputs {
    SearchInputs {
        query: query_text(inputs).map(ToOwned::to_owned),
        query_vector: VECTORS.iter().find_map(|name| vector(inputs.get(*name)?)),
        inputs: (!inputs.is_empty()).then(|| Value::Object(inputs.clone()).to_string()),
    }
}

/// Returns the text of a query, as [`search_inputs`] finds it.
#[must_use]
pub fn query_text(inputs: &Map<String, Value>) -> Option<&str> {
    let text = |value: &'_ Value| value.as_str().is_some_and(|text| !text.trim().is_empty());
    let named = TEXTS.iter().find_map(|name| inputs.get(*name).filter(|value| text(value)));
    let found = named.or_else(|| {
        let mut texts = inputs.values().filter(|value| text(value));
        texts.next().filter(|_| texts.next().is_none())
    });
    found.and_then(Value::as_str)
}

fn vector(value: &Value) -> Option<Vec<f32>> {
    let numbers: Option<Vec<f32>> = value.as_array()?.iter().map(|number| Some(number.as_f64()? as f32)).collect();
    numbers.filter(|numbers| !numbers.is_empty() && numbers.iter().all(|number| number.is_finite()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(inputs: Value) -> SearchInputs {
        search_inputs(inputs.as_object().unwrap())
    }

    #[test]
    fn a_query_is_known_by_its_name_or_by_being_the_only_text() {
        assert_eq!(found(json!({ "query": "red car", "language": "en" })).query.as_deref(), Some("red car"));
        assert_eq!(found(json!({ "query": " ", "text": "red car" })).query.as_deref(), Some("red car"));
        assert_eq!(found(json!({ "search_term": "red car", "limit": 5 })).query.as_deref(), Some("red car"));
        assert_eq!(found(json!({ "a": "red", "b": "car" })).query, None);
    }

    #[test]
    fn a_vector_is_a_list_of_finite_numbers() {
        assert_eq!(found(json!({ "vector": [1, 0.5] })).query_vector, Some(vec![1.0, 0.5]));
        assert_eq!(found(json!({ "vector": [1, "x"] })).query_vector, None);
        assert_eq!(found(json!({ "vector": [1e300] })).query_vector, None);
    }
}
