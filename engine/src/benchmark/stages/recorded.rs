//! The source `recorded`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::benchmark::diagnostic::{Diagnostic, KeyPath};
use crate::benchmark::resolve::Context;
use crate::benchmark::spec::Compatibility;

/// The keys of a `recorded` stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RecordedSpec {
    /// The file; gzip allowed for TREC runs.
    pub path: String,
    /// Which retriever's rows of a Parquet table to take, where it holds several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retriever_id: Option<String>,
    /// The column of a Parquet table that holds the session id; by default the first of `session_id`, `query_id`,
    /// `q_id` and `qid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_column: Option<String>,
    /// The column of a Parquet table that holds the list of hits: items, or structs with `item_id` and `score`; by
    /// default `hits`. A table without one has a row per hit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hits_column: Option<String>,
    /// What a session without a ranking means; `error`, or `empty` under `compatibility = "trec-eval"` and `"ranx"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Missing>,
}

/// What a session without a recorded ranking means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// The session fails with kind `not_recorded` and drops out of every pair.
    Error,
    /// The session has an empty ranking.
    Empty,
}

/// Rankings from a TREC run or a Parquet table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RecordedPlan {
    /// The file.
    pub path: PathBuf,
    /// Which retriever's rows to take; all rows where `None`.
    pub retriever_id: Option<String>,
    /// The table's column of session ids, where it has another name than usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_column: Option<String>,
    /// The table's column of hits, where it has another name than `hits`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hits_column: Option<String>,
    /// What a session without a ranking means.
    pub missing: Missing,
    /// Whose order of ties.
    pub compatibility: HitOrder,
}

/// In which order the hits of a recorded ranking count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HitOrder {
    /// By score descending, then rank, then item id ascending; by rank where there are no scores.
    #[default]
    Strict,
    /// trec_eval's: by score in single precision, descending, then item id descending.
    TrecEval,
}

pub(super) fn resolve(context: &Context<'_>, spec: &RecordedSpec, keys: &KeyPath) -> Result<RecordedPlan, Diagnostic> {
    let compatibility = context.spec.metrics.compatibility;
    let (order, default_missing) = match compatibility {
        Compatibility::TrecEval => (HitOrder::TrecEval, Missing::Empty),
        Compatibility::Ranx => (HitOrder::Strict, Missing::Empty),
        Compatibility::Strict | Compatibility::Elasticsearch | Compatibility::OpenSearch | Compatibility::Quepid => {
            (HitOrder::Strict, Missing::Error)
        }
    };
    Ok(RecordedPlan {
        path: context.path(&keys.key("path"), &spec.path)?,
        retriever_id: spec.retriever_id.clone(),
        session_column: spec.session_column.clone(),
        hits_column: spec.hits_column.clone(),
        missing: spec.missing.unwrap_or(default_missing),
        compatibility: order,
    })
}
