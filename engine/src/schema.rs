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
    pub const TOP_COVERED: &str = "top_covered";
    pub const TOUCHED_RANKS: &str = "touched_ranks";

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
    pub const D_Z: &str = "d_z";
    pub const N: &str = "n";
    pub const CLUSTERS: &str = "clusters";
    pub const WIN: &str = "win";
    pub const TIE: &str = "tie";
    pub const LOSS: &str = "loss";
    pub const TEST: &str = "test";
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
/// - `top_covered`: hits among the first [`crate::benchmark::Plan::support_depth`] that the session's user was shown, acted on or that a
///   judge graded;
/// - `touched_ranks`: the 1-based rank of each of [`crate::session::Session::touched_items`], in their order; 0 for an item that
///   was not returned. Empty where the retriever failed.
#[must_use]
pub fn part(measures: &[String]) -> SchemaRef {
    let of_scores = scores(measures);
    let mut fields: Vec<FieldRef> = RANKINGS.fields().iter().cloned().collect();
    fields.extend(of_scores.fields().iter().filter(|field| RANKINGS.index_of(field.name()).is_err()).cloned());
    fields.extend([column::HIT_COUNT, column::TOP_COVERED].map(|name| Arc::new(uint32(name))));
    fields.push(Arc::new(list(column::TOUCHED_RANKS, DataType::UInt32)));
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
    fields.extend([column::T, column::DEGREES_OF_FREEDOM, column::P, column::P_ADJUSTED, column::D_Z].map(float64));
    fields.extend([column::N, column::CLUSTERS, column::WIN, column::TIE, column::LOSS].map(|name| int64(name, false)));
    fields.extend([utf8(column::TEST, false), utf8(column::CORRECTION, false)]);
    Arc::new(Schema::new(fields))
});

/// The `taxonomy` table: one row per node, retriever and metric; the test columns are null for the baseline.
pub static TAXONOMY: LazyLock<SchemaRef> = LazyLock::new(|| {
    let mut fields = vec![utf8(column::NODE, false), utf8(column::RETRIEVER_ID, false), utf8(column::METRIC, false)];
    fields.push(float64(column::MEAN));
    fields.push(int64(column::N, false));
    fields.extend([column::DELTA, column::CI_LOW, column::CI_HIGH, column::P, column::P_ADJUSTED].map(float64));
    fields.push(utf8(column::OUTCOME, true));
    Arc::new(Schema::new(fields))
});
