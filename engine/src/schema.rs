//! THE Arrow schemas, spelled once: every column name of every table stands here and nowhere else.
//!
//! Readers, writers, SQL and the generated documentation all take names from this file.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};

/// Column names, grouped by table; nested field names included.
#[allow(missing_docs, reason = "each constant is the column name it spells")]
pub mod column {
    pub const SESSION_ID: &str = "session_id";
    pub const VISIT_ID: &str = "visit_id";
    pub const USER_ID: &str = "user_id";
    pub const TIMESTAMP: &str = "timestamp";
    pub const RETRIEVER_ID: &str = "retriever_id";
    pub const QUERY: &str = "query";
    pub const QUERY_VECTOR: &str = "query_vector";
    pub const INPUTS: &str = "inputs";
    pub const TAXONOMY: &str = "taxonomy";
    pub const SHOWN: &str = "shown";
    pub const INTERACTIONS: &str = "interactions";
    pub const JUDGMENTS: &str = "judgments";
    pub const EXPECTED: &str = "expected";

    pub const ITEM_ID: &str = "item_id";
    pub const SCORE: &str = "score";
    pub const PROPENSITY: &str = "propensity";
    pub const KIND: &str = "kind";
    pub const POSITION: &str = "position";
    pub const VALUE: &str = "value";
    pub const GRADE: &str = "grade";

    pub const HITS: &str = "hits";
    pub const LATENCY_NS: &str = "latency_ns";
    pub const STAGES: &str = "stages";
    pub const ATTEMPTS: &str = "attempts";
    pub const RECALL: &str = "recall";
    pub const NAME: &str = "name";
    pub const ERROR_KIND: &str = "error_kind";
    pub const ERROR: &str = "error";

    pub const SCORERS: &str = "scorers";
    pub const OUTPUT: &str = "output";
    pub const STATE: &str = "state";
    pub const SCENARIO_SCORE: &str = "scenario_score";

    pub const HIT_COUNT: &str = "hit_count";
    pub const TOUCHED_RANKS: &str = "touched_ranks";
    pub const EXPOSED_RANKS: &str = "exposed_ranks";
    pub const TOP_JUDGED: &str = "top_judged";
    pub const TOP_ITEMS: &str = "top_items";
    pub const TIE_BOUNDS: &str = "tie_bounds";

    pub const BASELINE_ID: &str = "baseline_id";
    pub const CANDIDATE_ID: &str = "candidate_id";
    pub const METRIC: &str = "metric";
    pub const BASELINE_MEAN: &str = "baseline_mean";
    pub const CANDIDATE_MEAN: &str = "candidate_mean";
    pub const MEAN: &str = "mean";
    pub const DELTA: &str = "delta";
    pub const CI_LOW: &str = "ci95_low";
    pub const CI_HIGH: &str = "ci95_high";
    pub const T: &str = "t";
    pub const DEGREES_OF_FREEDOM: &str = "df";
    pub const P: &str = "p";
    pub const P_ADJUSTED: &str = "p_adjusted";
    pub const P_RANDOMISATION: &str = "p_randomisation";
    pub const P_MAX_T: &str = "p_max_t";
    pub const RESAMPLES: &str = "resamples";
    pub const CI_BOOTSTRAP_LOW: &str = "ci95_bootstrap_low";
    pub const CI_BOOTSTRAP_HIGH: &str = "ci95_bootstrap_high";
    pub const RELATIVE: &str = "relative_change";
    pub const RELATIVE_LOW: &str = "relative_ci95_low";
    pub const RELATIVE_HIGH: &str = "relative_ci95_high";
    pub const P_MCNEMAR: &str = "p_mcnemar";
    pub const DETECTABLE: &str = "detectable_delta";
    pub const TO_SETTLE: &str = "sessions_to_settle";
    pub const CLUSTER_BY: &str = "cluster_by";
    pub const SHARE: &str = "share";
    pub const CONTRIBUTION: &str = "contribution";
    pub const D_Z: &str = "d_z";
    pub const G_Z: &str = "g_z";
    pub const N: &str = "n";
    pub const CLUSTERS: &str = "clusters";
    pub const WIN: &str = "win";
    pub const TIE: &str = "tie";
    pub const LOSS: &str = "loss";
    pub const TEST: &str = "test";
    pub const BASELINE_RANK: &str = "baseline_rank";
    pub const CANDIDATE_RANK: &str = "candidate_rank";
    pub const SESSION_CHANGE: &str = "session_change";
    pub const MEAN_CHANGE: &str = "mean_change";
    pub const CORRECTION: &str = "correction";
    pub const NODE: &str = "node";
    pub const OUTCOME: &str = "outcome";
}

fn utf8(name: &str, nullable: bool) -> Field {
    Field::new(name, DataType::Utf8, nullable)
}

fn float64(name: &str) -> Field {
    Field::new(name, DataType::Float64, true)
}

fn int64(name: &str, nullable: bool) -> Field {
    Field::new(name, DataType::Int64, nullable)
}

fn uint32(name: &str) -> Field {
    Field::new(name, DataType::UInt32, false)
}

fn timestamp(name: &str) -> Field {
    Field::new(name, timestamp_type(), true)
}

fn list(name: &str, element: DataType) -> Field {
    Field::new(name, DataType::List(Arc::new(Field::new("item", element, true))), true)
}

/// Returns the type of every timestamp: milliseconds, UTC.
#[must_use]
pub fn timestamp_type() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
}

/// Returns the fields of one element of `shown`.
#[must_use]
pub fn shown_fields() -> Fields {
    Fields::from(vec![utf8(column::ITEM_ID, false), float64(column::SCORE), float64(column::PROPENSITY)])
}

/// Returns the fields of one element of `interactions`.
#[must_use]
pub fn interaction_fields() -> Fields {
    Fields::from(vec![
        utf8(column::ITEM_ID, false),
        utf8(column::KIND, false),
        Field::new(column::POSITION, DataType::UInt32, true),
        timestamp(column::TIMESTAMP),
        float64(column::VALUE),
    ])
}

/// Returns the fields of one element of `judgments`.
#[must_use]
pub fn judgment_fields() -> Fields {
    Fields::from(vec![utf8(column::ITEM_ID, false), Field::new(column::GRADE, DataType::Float32, false)])
}

/// Returns the fields of one element of `hits`.
#[must_use]
pub fn hit_fields() -> Fields {
    Fields::from(vec![utf8(column::ITEM_ID, false), float64(column::SCORE)])
}

/// Returns the fields of one element of `stages`.
#[must_use]
pub fn stage_fields() -> Fields {
    Fields::from(vec![
        utf8(column::NAME, false),
        utf8(column::KIND, false),
        int64(column::LATENCY_NS, false),
        int64(column::HITS, false),
        int64(column::ATTEMPTS, false),
        utf8(column::STATE, false),
        utf8(column::ERROR, true),
        float64(column::RECALL),
    ])
}

/// Returns the fields of one element of `scorers`.
#[must_use]
pub fn scorer_fields() -> Fields {
    Fields::from(vec![
        utf8(column::NAME, false),
        float64(column::VALUE),
        utf8(column::OUTPUT, false),
        utf8(column::STATE, false),
    ])
}

/// The `sessions` table: one row per replayable search.
pub static SESSIONS: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        utf8(column::SESSION_ID, false),
        utf8(column::VISIT_ID, true),
        utf8(column::USER_ID, true),
        timestamp(column::TIMESTAMP),
        utf8(column::RETRIEVER_ID, true),
        utf8(column::QUERY, true),
        list(column::QUERY_VECTOR, DataType::Float32),
        utf8(column::INPUTS, true),
        list(column::TAXONOMY, DataType::Utf8),
        list(column::SHOWN, DataType::Struct(shown_fields())),
        list(column::INTERACTIONS, DataType::Struct(interaction_fields())),
        list(column::JUDGMENTS, DataType::Struct(judgment_fields())),
        utf8(column::EXPECTED, true),
    ]))
});

/// The `rankings` table: one row per session and retriever.
pub static RANKINGS: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        utf8(column::SESSION_ID, false),
        utf8(column::RETRIEVER_ID, false),
        list(column::HITS, DataType::Struct(hit_fields())),
        int64(column::LATENCY_NS, true),
        list(column::STAGES, DataType::Struct(stage_fields())),
        utf8(column::ERROR_KIND, true),
        utf8(column::ERROR, true),
    ]))
});

/// Returns the table that one work unit writes: the columns of `rankings`, those of `scores`, and what the comparison needs
/// to know of a ranking besides its scores, so that it never reads a hit again:
///
/// - `hit_count`: number of hits (0 where the retriever failed);
/// - `touched_ranks`: the 1-based rank of each of [`crate::session::Session::touched_items`], in their order; 0 for an item that
///   was not returned. Empty where the retriever failed;
/// - `exposed_ranks`: the 1-based rank of each of [`crate::session::Session::exposed_items`], in their order; 0 for an item that is
///   not among the first [`crate::benchmark::Plan::support_depth`]. Empty where the retriever failed or the session has judgments.
/// - `top_judged`: hits among the first [`crate::benchmark::Plan::support_depth`] that a judge graded; null where the session has no judgments or the retriever
///   failed;
/// - `top_items`: the keys ([`crate::rows::item_key`]) of the hits of the first [`crate::benchmark::Plan::list_depth`] ranks, 8
///   bytes each, little-endian. Empty where the retriever failed;
/// - `tie_bounds`: the lowest and the highest value that each metric could have if hits with equal scores changed places, one pair
///   after the other, null where that is undefined or not known; empty where it matters to no metric, null where no neighbours have
///   equal scores.
#[must_use]
pub fn part(measures: &[String]) -> SchemaRef {
    let of_scores = scores(measures);
    let mut fields: Vec<FieldRef> = RANKINGS.fields().iter().cloned().collect();
    fields.extend(of_scores.fields().iter().filter(|field| RANKINGS.index_of(field.name()).is_err()).cloned());
    fields.push(Arc::new(uint32(column::HIT_COUNT)));
    let ranks = [column::TOUCHED_RANKS, column::EXPOSED_RANKS];
    fields.extend(ranks.map(|name| Arc::new(list(name, DataType::UInt32))));
    fields.push(Arc::new(Field::new(column::TOP_JUDGED, DataType::UInt32, true)));
    fields.push(Arc::new(Field::new(column::TOP_ITEMS, DataType::Binary, false)));
    fields.push(Arc::new(list(column::TIE_BOUNDS, DataType::Float64)));
    Arc::new(Schema::new(fields))
}

/// Returns the `scores` table of a run: one row per session and retriever, one nullable column per measure
/// (metrics, then each scorer's score and sub-scores).
#[must_use]
pub fn scores(measures: &[String]) -> SchemaRef {
    let mut fields = vec![utf8(column::SESSION_ID, false), utf8(column::RETRIEVER_ID, false)];
    fields.extend(measures.iter().map(|measure| float64(measure)));
    fields.push(list(column::SCORERS, DataType::Struct(scorer_fields())));
    fields.push(float64(column::SCENARIO_SCORE));
    Arc::new(Schema::new(fields))
}

/// The `comparisons` table: one row per candidate and metric.
pub static COMPARISONS: LazyLock<SchemaRef> = LazyLock::new(|| {
    let mut fields =
        vec![utf8(column::BASELINE_ID, false), utf8(column::CANDIDATE_ID, false), utf8(column::METRIC, false)];
    fields.extend(
        [column::BASELINE_MEAN, column::CANDIDATE_MEAN, column::DELTA, column::CI_LOW, column::CI_HIGH].map(float64),
    );
    fields.extend([column::CI_BOOTSTRAP_LOW, column::CI_BOOTSTRAP_HIGH].map(float64));
    fields.extend([column::RELATIVE, column::RELATIVE_LOW, column::RELATIVE_HIGH].map(float64));
    fields.extend([column::T, column::DEGREES_OF_FREEDOM, column::P, column::P_ADJUSTED].map(float64));
    fields.extend([column::P_RANDOMISATION, column::P_MAX_T].map(float64));
    fields.push(int64(column::RESAMPLES, true));
    fields.extend([column::P_MCNEMAR, column::D_Z, column::G_Z, column::DETECTABLE].map(float64));
    fields.push(int64(column::TO_SETTLE, true));
    fields.extend([column::N, column::CLUSTERS, column::WIN, column::TIE, column::LOSS].map(|name| int64(name, false)));
    fields.extend([column::CLUSTER_BY, column::TEST, column::CORRECTION].map(|name| utf8(name, false)));
    Arc::new(Schema::new(fields))
});

/// The `judge_next` table: one row per candidate and unjudged item of a session, the items that could change most first. The
/// changes are those of the difference candidate - baseline, in the session and on the mean, if the item had `grade`.
pub static JUDGE_NEXT: LazyLock<SchemaRef> = LazyLock::new(|| {
    let names = [column::BASELINE_ID, column::CANDIDATE_ID, column::METRIC, column::SESSION_ID];
    let mut fields: Vec<Field> = names.map(|name| utf8(name, false)).into();
    fields.extend([utf8(column::QUERY, true), utf8(column::ITEM_ID, false)]);
    fields.extend([column::BASELINE_RANK, column::CANDIDATE_RANK].map(|name| Field::new(name, DataType::UInt32, true)));
    fields.extend([column::GRADE, column::SESSION_CHANGE, column::MEAN_CHANGE].map(float64));
    Arc::new(Schema::new(fields))
});

/// The `taxonomy` table: one row per node, retriever and metric; the test columns are null for the baseline.
pub static TAXONOMY: LazyLock<SchemaRef> = LazyLock::new(|| {
    let mut fields = vec![utf8(column::NODE, false), utf8(column::RETRIEVER_ID, false), utf8(column::METRIC, false)];
    fields.push(float64(column::MEAN));
    fields.push(int64(column::N, false));
    fields.extend([column::DELTA, column::CI_LOW, column::CI_HIGH, column::P, column::P_ADJUSTED].map(float64));
    fields.extend([column::P_RANDOMISATION, column::P_MAX_T, column::SHARE, column::CONTRIBUTION].map(float64));
    fields.extend([column::CLUSTERS, column::WIN, column::TIE, column::LOSS].map(|name| int64(name, true)));
    fields.extend([column::TEST, column::OUTCOME].map(|name| utf8(name, true)));
    Arc::new(Schema::new(fields))
});
