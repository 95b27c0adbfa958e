//! Evaluations and datasets on the wire.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::verdict::GateVerdict;
use crate::platform::error::ApiError;
use crate::worker::Measure;

/// The highest cutoff.
const DEEPEST: u32 = 1000;

/// Most queries of a dataset.
const MOST_QUERIES: usize = 100_000;

/// A query whose relevant documents are known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GroundTruthQuery {
    /// Its identifier, once in a dataset.
    #[schema(min_length = 1)]
    pub query_id: String,
    /// The inputs of the search.
    pub query_input: Map<String, Value>,
    /// The documents that should be found.
    pub relevant_documents: Vec<String>,
    /// How relevant documents are, 0 to 5; 1 where nothing is said. One above 0 is relevant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relevance_scores: Option<BTreeMap<String, u8>>,
}

/// A dataset to keep.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[schema(as = CreateEvaluationDatasetRequest)]
pub struct CreateDatasetRequest {
    /// Its name, once in a namespace.
    #[schema(min_length = 1, max_length = 200)]
    pub dataset_name: String,
    /// What it is, in words.
    pub description: Option<String>,
    /// Its queries.
    #[schema(min_items = 1)]
    pub queries: Vec<GroundTruthQuery>,
    /// Anything that is to be kept with it.
    pub metadata: Option<Map<String, Value>>,
}

impl CreateDatasetRequest {
    /// Checks what the types do not.
    ///
    /// # Errors
    ///
    /// Returns 422 for what makes no sense.
    pub fn check(&self) -> Result<(), ApiError> {
        let wrong = |field: &str, kind: &str, message: String| Err(ApiError::invalid(&["body", field], kind, message));
        if !(1..=200).contains(&self.dataset_name.chars().count()) {
            return wrong("dataset_name", "string_length", "`dataset_name` has not 1 to 200 characters".to_owned());
        }
        if !(1..=MOST_QUERIES).contains(&self.queries.len()) {
            let message = format!("{} queries are given; expected 1 to {MOST_QUERIES}", self.queries.len());
            return wrong("queries", "list_length", message);
        }
        let mut seen = BTreeSet::new();
        for query in &self.queries {
            if query.query_id.is_empty() {
                return wrong("queries", "string_length", "a `query_id` is empty".to_owned());
            }
            if !seen.insert(&query.query_id) {
                return wrong("queries", "value_error", format!("the query `{}` is given twice", query.query_id));
            }
            let scores = query.relevance_scores.iter().flatten();
            if let Some((document, score)) = scores.into_iter().find(|(_, score)| **score > 5) {
                let message = format!("the relevance {score} of `{document}` is not 0 to 5");
                return wrong("queries", "out_of_range", message);
            }
        }
        Ok(())
    }
}

/// A dataset.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EvaluationDataset {
    /// Its identifier.
    pub dataset_id: String,
    /// Its name.
    pub dataset_name: String,
    /// What it is, in words.
    pub description: Option<String>,
    /// Its queries.
    pub queries: Vec<GroundTruthQuery>,
    /// When it was made, RFC 3339.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// The same: datasets do not change.
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// The namespace.
    pub namespace_id: String,
    /// The organisation.
    pub internal_id: String,
    /// How many queries it has.
    pub query_count: u64,
    /// What is kept with it.
    pub metadata: Option<Map<String, Value>>,
}

/// Datasets.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EvaluationDatasetList)]
pub struct DatasetListResponse {
    /// A page of them, oldest first.
    pub datasets: Vec<EvaluationDataset>,
    /// How many there are.
    pub total: u64,
    /// The page, from 1.
    pub page: u32,
    /// Most datasets of a page.
    pub page_size: u32,
}

/// A dataset to make of interactions.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
pub struct GenerateFromInteractionsRequest {
    /// Its name; `auto_{retriever_id}_{date}` where it is not given.
    pub dataset_name: Option<String>,
    /// The least number of positive interactions of a query, each counted once however many types it has; 5 where it is not
    /// given.
    #[schema(minimum = 1)]
    pub min_interactions: Option<u32>,
    /// For how many days interactions are looked back at; 30 where it is not given.
    #[schema(minimum = 1, maximum = 365)]
    pub lookback_days: Option<u32>,
    /// Types of interactions that speak for a document; `click`, `purchase`, `positive_feedback`, `bookmark` and `share` where
    /// they are not given.
    pub positive_interaction_types: Option<Vec<String>>,
}

/// How a retriever is evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EvaluationConfig {
    /// Cutoffs, 1 to 1000; 1, 5, 10 and 20 where they are not given.
    #[serde(default)]
    pub k_values: Option<Vec<u32>>,
    /// What is measured: `precision`, `recall`, `f1`, `f2`, `map`, `ndcg` and `mrr`; all but `f2` where nothing is said.
    #[serde(default)]
    pub metrics: Option<Vec<String>>,
}

impl EvaluationConfig {
    /// Returns it with everything said.
    ///
    /// # Errors
    ///
    /// Returns 422 for a cutoff or a measure that there is not.
    pub fn filled(config: Option<Self>) -> Result<Self, ApiError> {
        let Self { k_values, metrics } = config.unwrap_or(Self { k_values: None, metrics: None });
        let mut cutoffs = k_values.unwrap_or_else(|| vec![1, 5, 10, 20]);
        let mut names =
            metrics.unwrap_or_else(|| ["precision", "recall", "f1", "map", "ndcg", "mrr"].map(str::to_owned).into());
        let wrong = |field: &str, message: String| {
            Err(ApiError::invalid(&["body", "evaluation_config", field], "value_error", message))
        };
        if let Some(cutoff) = cutoffs.iter().find(|cutoff| !(1..=DEEPEST).contains(cutoff)) {
            return wrong("k_values", format!("the cutoff {cutoff} is not 1 to {DEEPEST}"));
        }
        if let Some(name) = names.iter().find(|name| measure(name).is_none()) {
            let known: Vec<&str> = Measure::ALL.iter().map(|measure| measure.name()).collect();
            return wrong("metrics", format!("there is no metric `{name}`; expected one of `{}`", known.join("`, `")));
        }
        if cutoffs.is_empty() || names.is_empty() {
            return wrong(
                "metrics",
                "nothing is to be measured; expected at least one cutoff and one metric".to_owned(),
            );
        }
        cutoffs.sort_unstable();
        cutoffs.dedup();
        let mut seen = BTreeSet::new();
        names.retain(|name| seen.insert(name.clone()));
        Ok(Self { k_values: Some(cutoffs), metrics: Some(names) })
    }

    /// Returns the cutoffs, ascending.
    #[must_use]
    pub fn cutoffs(&self) -> Vec<NonZeroUsize> {
        self.k_values.iter().flatten().filter_map(|cutoff| NonZeroUsize::new(*cutoff as usize)).collect()
    }

    /// Returns what is measured.
    #[must_use]
    pub fn measures(&self) -> Vec<Measure> {
        self.metrics.iter().flatten().filter_map(|name| measure(name)).collect()
    }
}

fn measure(name: &str) -> Option<Measure> {
    Measure::ALL.into_iter().find(|measure| measure.name() == name)
}

/// An evaluation to run.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct StartEvaluationRequest {
    /// The dataset, by name or identifier.
    #[schema(min_length = 1)]
    pub dataset_name: String,
    /// How.
    pub evaluation_config: Option<EvaluationConfig>,
    /// A completed evaluation over the same dataset and with the same `k_values` that this one is held against: the `verdict`
    /// says whether nothing is worse.
    pub baseline_evaluation_id: Option<String>,
}

/// An evaluation that was begun.
#[derive(Debug, Serialize, ToSchema)]
pub struct StartEvaluationResponse {
    /// The task; it has the identifier of the evaluation.
    pub task_id: String,
    /// The evaluation.
    pub evaluation_id: String,
    /// Always `retriever.evaluation`.
    pub task_type: String,
    /// Always `pending`.
    pub status: String,
    /// When, RFC 3339.
    pub created_at: String,
}

/// Where an evaluation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EvaluationStatus {
    /// It waits for its turn.
    Pending,
    /// It runs.
    InProgress,
    /// It is done.
    Completed,
    /// It ended without a result; `error_message` says why.
    Failed,
}

impl EvaluationStatus {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Pending, Self::InProgress, Self::Completed, Self::Failed];

    /// Returns its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }
}

/// An evaluation.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EvaluationRecord {
    /// Its identifier.
    pub evaluation_id: String,
    /// The retriever.
    pub retriever_id: String,
    /// The dataset.
    pub dataset_id: String,
    /// Its name.
    pub dataset_name: String,
    /// How.
    pub config: EvaluationConfig,
    /// Where it stands.
    pub status: EvaluationStatus,
    /// When it was asked for, RFC 3339.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When its status last changed.
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// When it ended.
    #[schema(format = DateTime)]
    pub completed_at: Option<String>,
    /// The namespace.
    pub namespace_id: String,
    /// The organisation.
    pub internal_id: String,
    /// Queries of the dataset.
    pub query_count: u64,
    /// Means at the largest cutoff, over the queries that were evaluated; empty where none was.
    pub overall_metrics: Option<BTreeMap<String, f64>>,
    /// Means by cutoff.
    pub metrics_by_k: Option<BTreeMap<String, BTreeMap<String, f64>>>,
    /// Queries of the dataset.
    pub total_queries: Option<u64>,
    /// Queries that count.
    pub evaluated_queries: Option<u64>,
    /// Queries that do not, because the search failed or no document is relevant.
    pub skipped_queries: Option<u64>,
    /// Why it failed.
    pub error_message: Option<String>,
    /// What became of each query.
    pub query_results: Option<Vec<QueryOutcome>>,
    /// The evaluation that this one is held against.
    pub baseline_evaluation_id: Option<String>,
    /// Always `null`: nothing is trained here.
    pub weight_set_id: Option<String>,
    /// How it compares.
    pub verdict: Option<GateVerdict>,
}

/// What became of a query.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct QueryOutcome {
    /// Which one.
    pub query_id: String,
    /// `evaluated` or `skipped`.
    pub status: String,
    /// Why it was skipped.
    pub error: Option<String>,
    /// Documents that came back.
    pub retrieved_count: Option<u64>,
}

/// Which evaluations are listed.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EvaluationQuery {
    /// In this status.
    pub status: Option<EvaluationStatus>,
    /// Over the dataset of this name.
    pub dataset_name: Option<String>,
    /// The page, from 1.
    #[param(minimum = 1, default = 1)]
    pub page: Option<u32>,
    /// Entries of a page.
    #[param(minimum = 1, maximum = 1000, default = 20)]
    pub page_size: Option<u32>,
}

/// Evaluations.
#[derive(Debug, Serialize, ToSchema)]
pub struct EvaluationListResponse {
    /// A page of them, oldest first.
    pub evaluations: Vec<EvaluationRecord>,
    /// How many there are.
    pub total: u64,
    /// The page, from 1.
    pub page: u32,
    /// Most evaluations of a page.
    pub page_size: u32,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_configuration_is_filled_in_sorted_and_checked() {
        let filled = |config: Value| EvaluationConfig::filled(Some(serde_json::from_value(config).unwrap()));
        let config = filled(json!({ "k_values": [10, 3, 10] })).unwrap();
        assert_eq!(config.k_values, Some(vec![3, 10]));
        assert_eq!(config.measures().len(), 6);
        assert!(filled(json!({ "k_values": [0] })).unwrap_err().message.contains("cutoff 0"));
        assert!(filled(json!({ "metrics": ["bleu"] })).unwrap_err().message.contains("`precision`"));
        assert!(filled(json!({ "metrics": [] })).unwrap_err().message.contains("at least one"));
    }

    #[test]
    fn a_dataset_has_each_query_once() {
        let query = json!({ "query_id": "q", "query_input": {}, "relevant_documents": ["a"] });
        let read = |queries: Value| -> CreateDatasetRequest {
            serde_json::from_value(json!({ "dataset_name": "d", "queries": queries })).unwrap()
        };
        assert!(read(json!([query])).check().is_ok());
        assert!(read(json!([query, query])).check().unwrap_err().message.contains("`q` is given twice"));
        assert!(read(json!([])).check().is_err());
        let graded =
            json!({ "query_id": "q", "query_input": {}, "relevant_documents": [], "relevance_scores": { "a": 6 } });
        assert!(read(json!([graded])).check().unwrap_err().message.contains("0 to 5"));
    }
}
