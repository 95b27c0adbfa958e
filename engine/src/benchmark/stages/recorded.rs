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
    /// The column of a Parquet table that holds the item, or the field of structs in a list; by default the first of
    /// `item_id`, `doc_id`, `docno` and `pid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item_column: Option<String>,
    /// The column of a Parquet table that holds the score, or the field of structs in a list; by default `score`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score_column: Option<String>,
    /// The column of a Parquet table of one row per hit that holds the rank; by default `rank`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank_column: Option<String>,
    /// What puts hits in order; `score`, as trec_eval does it, and `rank` where there are no scores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_by: Option<OrderBy>,
    /// What a session without a ranking means; `error`, or `empty` under `compatibility = "trec-eval"` and `"ranx"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Missing>,
}

/// What puts the hits of a recorded ranking in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OrderBy {
    /// Scores, descending; ranks decide between equal scores.
    Score,
    /// Ranks, ascending; a list is in order as it stands. Scores are not read, and the rankings of the run have none.
    Rank,
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
    /// What the table's columns are called, where they have other names than usual.
    #[serde(flatten)]
    pub columns: RecordedColumns,
    /// What a session without a ranking means.
    pub missing: Missing,
    /// In which order hits count.
    pub compatibility: HitOrder,
}

/// The columns of a table of rankings that have other names than usual.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RecordedColumns {
    /// Of session ids; by default the first of `session_id`, `query_id`, `q_id` and `qid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_column: Option<String>,
    /// Of hits, a list of items or of structs; by default `hits`. A table without one has a row per hit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hits_column: Option<String>,
    /// Of items, or the field of structs in a list; by default the first of `item_id`, `doc_id`, `docno` and `pid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item_column: Option<String>,
    /// Of scores, or the field of structs in a list; by default `score`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score_column: Option<String>,
    /// Of ranks, in a table of one row per hit; by default `rank`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank_column: Option<String>,
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
    /// By rank, ascending; a list as it stands. Scores are not read.
    Rank,
}

impl HitOrder {
    /// Returns whether scores count.
    #[must_use]
    pub fn takes_scores(self) -> bool {
        self != Self::Rank
    }

    /// Returns whether ranks count, if only between equal scores.
    #[must_use]
    pub fn takes_ranks(self) -> bool {
        self != Self::TrecEval
    }
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
    let compatibility = order_of_hits(context, spec, keys, order)?;
    Ok(RecordedPlan {
        path: context.path(&keys.key("path"), &spec.path)?,
        retriever_id: spec.retriever_id.clone(),
        columns: RecordedColumns {
            session_column: spec.session_column.clone(),
            hits_column: spec.hits_column.clone(),
            item_column: spec.item_column.clone(),
            score_column: spec.score_column.clone(),
            rank_column: spec.rank_column.clone(),
        },
        missing: spec.missing.unwrap_or(default_missing),
        compatibility,
    })
}

/// Returns the order that a stage asks for, where scores alone would give `by_score`.
fn order_of_hits(
    context: &Context<'_>,
    spec: &RecordedSpec,
    keys: &KeyPath,
    by_score: HitOrder,
) -> Result<HitOrder, Diagnostic> {
    if spec.order_by != Some(OrderBy::Rank) {
        return Ok(by_score);
    }
    if by_score == HitOrder::TrecEval {
        let message = "there are no ranks under `compatibility = \"trec-eval\"`: trec_eval orders hits by their scores";
        let help = "take out `order-by`, or `metrics.compatibility`";
        return Err(context.mistake(&keys.key("order-by"), message).with_help(help));
    }
    if spec.score_column.is_some() {
        let message = "scores are not read where `order-by` is \"rank\"";
        return Err(context.mistake(&keys.key("score-column"), message).with_help("take out one of the two"));
    }
    Ok(HitOrder::Rank)
}
