//! Datasets, made of what users liked.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rusqlite::params;
use serde_json::{Map, Value};

use super::model::{CreateDatasetRequest, GenerateFromInteractionsRequest, GroundTruthQuery};
use crate::App;
use crate::platform::error::ApiError;
use crate::platform::page::now_ms;

/// Types of interactions that speak for a document where nothing is said.
const POSITIVE: [&str; 5] = ["click", "purchase", "positive_feedback", "bookmark", "share"];

/// Milliseconds of a day.
const DAY: i64 = 24 * 3600 * 1000;

/// A query, and what speaks for which documents.
#[derive(Default)]
struct Liked {
    inputs: Map<String, Value>,
    interactions: u32,
    documents: BTreeSet<String>,
}

/// Returns the dataset that the interactions with a retriever make: a query for each different input, with the documents that
/// positive interactions are about.
///
/// # Errors
///
/// Returns 422 for a request that makes no sense, and where no query has enough interactions.
pub async fn generate(
    app: &App,
    organisation: &str,
    namespace: &str,
    retriever: &str,
    asked: GenerateFromInteractionsRequest,
) -> Result<CreateDatasetRequest, ApiError> {
    let wrong = |field: &str, message: String| ApiError::invalid(&["body", field], "out_of_range", message);
    let least = asked.min_interactions.unwrap_or(5);
    let days = asked.lookback_days.unwrap_or(30);
    if least == 0 {
        return Err(wrong("min_interactions", "`min_interactions` is 0; expected 1 or more".to_owned()));
    }
    if !(1..=365).contains(&days) {
        return Err(wrong("lookback_days", format!("{days} days are to be looked back at; expected 1 to 365")));
    }
    let positive = asked.positive_interaction_types.unwrap_or_else(|| POSITIVE.map(str::to_owned).into());
    let liked = liked(app, [organisation, namespace, retriever], now_ms() - i64::from(days) * DAY, positive).await?;
    let all = liked.len();
    let queries: Vec<GroundTruthQuery> = (1..)
        .zip(liked.into_values().filter(|liked| liked.interactions >= least))
        .map(|(number, liked): (u32, Liked)| GroundTruthQuery {
            query_id: format!("q{number}"),
            query_input: liked.inputs,
            relevant_documents: liked.documents.into_iter().collect(),
            relevance_scores: None,
        })
        .collect();
    if queries.is_empty() {
        let message = format!(
            "no query has {least} or more positive interactions in the last {days} days; {all} have any: lower \
             `min_interactions`, or look back further"
        );
        return Err(ApiError::invalid(&["body", "min_interactions"], "too_few_interactions", message));
    }
    let date = Timestamp::now().strftime("%Y%m%d");
    let dataset_name = asked.dataset_name.unwrap_or_else(|| format!("auto_{retriever}_{date}"));
    let description = Some(format!("made of interactions with the retriever `{retriever}`"));
    Ok(CreateDatasetRequest { dataset_name, description, queries, metadata: None })
}

/// Returns the queries by their inputs.
async fn liked(
    app: &App,
    keys: [&str; 3],
    since: i64,
    positive: Vec<String>,
) -> Result<BTreeMap<String, Liked>, ApiError> {
    let [organisation, namespace, retriever] = keys.map(ToOwned::to_owned);
    let positive = serde_json::to_string(&positive).map_err(ApiError::internal)?;
    app.database()
        .read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT i.feature, coalesce(e.inputs, json_extract(i.body, '$.query_snapshot')) AS asked, \
                 EXISTS (SELECT 1 FROM json_each(i.types) AS t WHERE t.value IN (SELECT value FROM json_each(?5))) AS liked \
                 FROM interactions AS i LEFT JOIN executions AS e \
                 ON e.id = i.execution AND e.organisation = i.organisation AND e.namespace = i.namespace \
                 WHERE i.organisation = ?1 AND i.namespace = ?2 AND i.retriever = ?3 AND i.occurred_at >= ?4 \
                 AND asked IS NOT NULL AND liked ORDER BY i.id",
            )?;
            let mut rows = statement.query(params![organisation, namespace, retriever, since, positive])?;
            let mut all: BTreeMap<String, Liked> = BTreeMap::new();
            while let Some(row) = rows.next()? {
                let asked: String = row.get(1)?;
                let inputs: Map<String, Value> = serde_json::from_str(&asked).map_err(ApiError::internal)?;
                let liked = all.entry(Value::Object(inputs.clone()).to_string()).or_default();
                liked.inputs = inputs;
                // An interaction of several types is one.
                liked.interactions += 1;
                liked.documents.insert(row.get(0)?);
            }
            Ok(all)
        })
        .await
}
