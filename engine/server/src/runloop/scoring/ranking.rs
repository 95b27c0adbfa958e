//! Who answers, or which ranking was brought along.

use std::collections::BTreeSet;

use rematch_engine::session::Hit;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::App;
use crate::catalog;
use crate::mixpeek::executions::search::corpora_for;
use crate::platform::error::ApiError;

/// A retriever, as a benchmark file has it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::runloop) struct Retriever {
    /// Its section.
    pub(in crate::runloop) section: Value,
    /// The corpora that the section names.
    pub(in crate::runloop) corpora: Map<String, Value>,
}

/// Returns a registered retriever.
///
/// # Errors
///
/// Returns 404 when there is no such retriever.
pub(in crate::runloop) async fn retriever(app: &App, organisation: &str, id: &str) -> Result<Retriever, ApiError> {
    let found = catalog::retrievers::get(app, organisation, id).await?;
    let section = found.ok_or_else(|| ApiError::not_found("retriever", id))?.section;
    let corpora = corpora_for(app, organisation, &section).await?;
    Ok(Retriever { section, corpora })
}

/// Returns a ranking that was brought along: a list of items, or of objects with `item_id` and, all or none, `score`; as JSON,
/// or as text that is such JSON.
///
/// # Errors
///
/// Returns 422 for anything else.
pub(in crate::runloop) fn hits_of(given: &Value) -> Result<Vec<Hit>, ApiError> {
    let wrong = |reason: &str| {
        let message =
            format!("`hits` is no ranking: {reason}; expected `[{{\"item_id\": \"a\", \"score\": 1.5}}]` or `[\"a\"]`");
        ApiError::invalid(&["body", "hits"], "type_error", message)
    };
    let parsed;
    let given = match given {
        Value::String(text) => {
            parsed = serde_json::from_str::<Value>(text).map_err(|_| wrong("it is text that is no JSON"))?;
            &parsed
        }
        given => given,
    };
    let mut hits = Vec::new();
    for hit in given.as_array().ok_or_else(|| wrong("it is no list"))? {
        let (item, score) = match hit {
            Value::String(item) => (Some(item.as_str()), None),
            hit => (hit.get("item_id").and_then(Value::as_str), hit.get("score").filter(|score| !score.is_null())),
        };
        let item = item.ok_or_else(|| wrong("a hit has no `item_id`"))?;
        let score = match score {
            Some(score) => Some(score.as_f64().ok_or_else(|| wrong("a score is no number"))?),
            None => None,
        };
        hits.push(Hit { item_id: item.to_owned(), score });
    }
    let mut seen = BTreeSet::new();
    if let Some(twice) = hits.iter().find(|hit| !seen.insert(hit.item_id.as_str())) {
        return Err(wrong(&format!("`{}` stands in it twice", twice.item_id)));
    }
    if hits.iter().any(|hit| hit.score.is_some()) && hits.iter().any(|hit| hit.score.is_none()) {
        return Err(wrong("some hits have a score and some have none"));
    }
    Ok(hits)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rankings_are_read_as_items_as_hits_and_as_text() {
        let plain = hits_of(&json!(["a", "b"])).unwrap();
        assert_eq!(plain, hits_of(&json!("[\"a\",\"b\"]")).unwrap());
        assert_eq!(plain, hits_of(&json!([{ "item_id": "a" }, { "item_id": "b", "score": null }])).unwrap());
        assert_eq!(hits_of(&json!([{ "item_id": "a", "score": 2 }])).unwrap().first().unwrap().score, Some(2.0));
        assert!(hits_of(&json!([])).unwrap().is_empty());
    }

    #[test]
    fn what_is_no_ranking_is_refused() {
        let scored = json!([{ "item_id": "a", "score": 1 }, "b"]);
        for given in [json!("a,b"), json!({}), json!([1]), json!(["a", "a"]), scored, json!([{ "score": 1 }])] {
            assert!(hits_of(&given).is_err(), "{given}");
        }
    }
}
