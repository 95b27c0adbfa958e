//! Benchmarks on the wire.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::platform::error::ApiError;
use crate::platform::instant;

/// Sessions that a benchmark may ask for.
const COUNTS: std::ops::RangeInclusive<u32> = 10..=10_000;

/// A benchmark to run.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateBenchmarkRequest {
    /// Its name.
    #[schema(min_length = 1, max_length = 255)]
    pub benchmark_name: String,
    /// The retriever that serves today.
    pub baseline_retriever_id: String,
    /// The retrievers that challenge it.
    #[schema(min_items = 1)]
    pub candidate_retriever_ids: Vec<String>,
    /// Which sessions are replayed; all, where nothing is said.
    pub session_filter: Option<SessionFilter>,
    /// How many sessions are replayed; all, where there are fewer.
    #[schema(minimum = 10, maximum = 10000, default = 1000)]
    pub session_count: Option<u32>,
}

/// Which sessions are replayed; every condition must hold.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionFilter {
    /// Sessions served by one of these retrievers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retriever_ids: Option<Vec<String>>,
    /// Sessions that carry one of these taxonomy nodes, or one below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taxonomy_node_ids: Option<Vec<String>>,
    /// Sessions in this time range.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_range: Option<TimeRange>,
    /// Sessions with at least this many interactions, each counted once however many types it has.
    #[schema(minimum = 1, default = 1)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_interactions: Option<u32>,
    /// Sessions with an interaction of one of these types.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interaction_types: Option<Vec<String>>,
    /// How they are drawn: `random` (seeded), `recent` (newest first) or `stratified` (by taxonomy node).
    #[schema(default = "random")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_strategy: Option<String>,
    /// What interactions are worth.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interaction_weights: Option<InteractionWeights>,
}

/// A time range, both ends included.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RetrieverBenchmarkTimeRange)]
pub struct TimeRange {
    /// Its first instant, RFC 3339; open where it is not given.
    #[schema(format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// Its last instant.
    #[schema(format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
}

/// What interactions are worth. A document's gain in a session is the sum of the weights of the types of interactions with it,
/// each type counted once.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InteractionWeights {
    /// By type. Those that are not given: `purchase` 5, `add_to_cart` 2, `bookmark`, `wishlist`, `share` and `save` 1.5,
    /// `impression`, `view`, `skip`, `negative_feedback`, `return_to_results`, `query_refinement`, `zero_results` and
    /// `filter_toggle` 0, any other 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<BTreeMap<String, f64>>,
}

/// The strategies by which sessions are drawn.
const STRATEGIES: [&str; 3] = ["random", "recent", "stratified"];

impl CreateBenchmarkRequest {
    /// Checks what the types do not.
    ///
    /// # Errors
    ///
    /// Returns 422 for what makes no sense.
    pub fn check(&self) -> Result<(), ApiError> {
        let wrong = |field: &str, kind: &str, message: String| Err(ApiError::invalid(&["body", field], kind, message));
        if !(1..=255).contains(&self.benchmark_name.chars().count()) {
            return wrong("benchmark_name", "string_length", "`benchmark_name` has not 1 to 255 characters".to_owned());
        }
        if self.candidate_retriever_ids.is_empty() {
            let message = "`candidate_retriever_ids` is empty; expected at least one".to_owned();
            return wrong("candidate_retriever_ids", "too_short", message);
        }
        for (index, id) in self.candidate_retriever_ids.iter().enumerate() {
            if *id == self.baseline_retriever_id {
                let message = format!("the baseline `{id}` is among the candidates; it is always replayed");
                return wrong("candidate_retriever_ids", "value_error", message);
            }
            if self.candidate_retriever_ids.iter().take(index).any(|earlier| earlier == id) {
                return wrong("candidate_retriever_ids", "value_error", format!("candidate `{id}` is given twice"));
            }
        }
        if let Some(count) = self.session_count.filter(|count| !COUNTS.contains(count)) {
            let message = format!("{count} sessions are asked for; expected {} to {}", COUNTS.start(), COUNTS.end());
            return wrong("session_count", "out_of_range", message);
        }
        self.session_filter.as_ref().map_or(Ok(()), SessionFilter::check)
    }
}

impl SessionFilter {
    /// Returns it with what holds where nothing is said.
    #[must_use]
    pub fn filled(self) -> Self {
        Self {
            min_interactions: self.min_interactions.or(Some(1)),
            sample_strategy: self.sample_strategy.or_else(|| Some("random".to_owned())),
            ..self
        }
    }

    fn check(&self) -> Result<(), ApiError> {
        let wrong = |field: &str, kind: &str, message: String| {
            Err(ApiError::invalid(&["body", "session_filter", field], kind, message))
        };
        if self.min_interactions == Some(0) {
            return wrong(
                "min_interactions",
                "greater_than_equal",
                "`min_interactions` is 0; expected 1 or more".to_owned(),
            );
        }
        if let Some(strategy) = self.sample_strategy.as_ref().filter(|known| !STRATEGIES.contains(&known.as_str())) {
            let message = format!("there is no strategy `{strategy}`; expected one of `{}`", STRATEGIES.join("`, `"));
            return wrong("sample_strategy", "value_error", message);
        }
        let range = self.time_range.iter();
        for time in range.flat_map(|range| [&range.start, &range.end]).flatten() {
            if instant::parse(time).is_none() {
                let message = format!("`{time}` is no time, such as `2026-01-01T00:00:00Z`");
                return wrong("time_range", "datetime_parsing", message);
            }
        }
        let weights = self.interaction_weights.iter().filter_map(|weights| weights.weights.as_ref()).flatten();
        for (kind, weight) in weights {
            if !(weight.is_finite() && *weight >= 0.0) {
                let message = format!("the weight {weight} of `{kind}` is not a number of 0 or more");
                return wrong("interaction_weights", "out_of_range", message);
            }
        }
        Ok(())
    }
}

/// Where a benchmark stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RetrieverBenchmarkStatus)]
pub enum BenchmarkStatus {
    /// It waits for its turn.
    Pending,
    /// Sessions are made and drawn.
    BuildingSessions,
    /// The retrievers are asked.
    Replaying,
    /// What they answered is measured and compared.
    ComputingMetrics,
    /// It is done.
    Completed,
    /// It ended without a result; `error_message` says why.
    Failed,
}

impl BenchmarkStatus {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::BuildingSessions, Self::Replaying, Self::ComputingMetrics, Self::Completed, Self::Failed];

    /// Returns its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::BuildingSessions => "building_sessions",
            Self::Replaying => "replaying",
            Self::ComputingMetrics => "computing_metrics",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }
}

/// A benchmark.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = RetrieverBenchmark)]
pub struct BenchmarkResponse {
    /// Its identifier.
    pub benchmark_id: String,
    /// Its name.
    pub benchmark_name: String,
    /// The retriever that serves today.
    pub baseline_retriever_id: String,
    /// The retrievers that challenge it.
    pub candidate_retriever_ids: Vec<String>,
    /// Which sessions are replayed.
    pub session_filter: Option<SessionFilter>,
    /// How many sessions were asked for.
    pub session_count: u32,
    /// Where it stands.
    pub status: BenchmarkStatus,
    /// What each retriever did, the baseline first; where it is completed.
    pub results: Option<Vec<BenchmarkResult>>,
    /// The candidates against the baseline; where it is completed.
    pub comparison: Option<BenchmarkComparison>,
    /// When it was created, RFC 3339.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it began.
    #[schema(format = DateTime)]
    pub started_at: Option<String>,
    /// When it ended.
    #[schema(format = DateTime)]
    pub completed_at: Option<String>,
    /// Why it failed.
    pub error_message: Option<String>,
    /// What was left out, by reason; where it is completed. Reasons that begin with `interaction_` count interactions, the others
    /// sessions.
    pub exclusions: Option<BTreeMap<String, u64>>,
}

/// Which benchmarks are listed.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct BenchmarkQuery {
    /// With this retriever as baseline or candidate.
    pub retriever_id: Option<String>,
    /// In this status.
    pub status: Option<BenchmarkStatus>,
    /// The page, from 1.
    #[param(minimum = 1, default = 1)]
    pub page: Option<u32>,
    /// Entries of a page.
    #[param(minimum = 1, maximum = 1000, default = 20)]
    pub page_size: Option<u32>,
}

/// Benchmarks.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RetrieverBenchmarkList)]
pub struct BenchmarkListResponse {
    /// A page of them, oldest first.
    pub benchmarks: Vec<BenchmarkResponse>,
    /// How many there are.
    pub total: u64,
    /// The page, from 1.
    pub page: u32,
    /// Most benchmarks of a page.
    pub page_size: u32,
}

/// What one retriever did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = RetrieverBenchmarkResult)]
pub struct BenchmarkResult {
    /// The retriever.
    pub retriever_id: String,
    /// Its name.
    pub retriever_name: String,
    /// SHA-256 of its stages and of the content that they use.
    pub pipeline_hash: String,
    /// How well its answers agree with what users wanted. One that answered no session has empty `ndcg_at_k` and `recall_at_k`.
    pub metrics: AlignmentMetrics,
    /// The same at every taxonomy node; not differences.
    pub taxonomy_deltas: Option<BTreeMap<String, AlignmentMetrics>>,
    /// How long it took.
    pub latency: LatencyMetrics,
    /// Sessions on which it failed; they are never scored as zero.
    pub failed_sessions: u64,
    /// Failures by kind.
    pub error_summary: BTreeMap<String, u64>,
}

/// How well answers agree with what users wanted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlignmentMetrics {
    /// Mean nDCG at 5, 10 and 20, over the sessions where it is defined.
    pub ndcg_at_k: BTreeMap<String, f64>,
    /// Mean recall of interacted items at 5, 10 and 20.
    pub recall_at_k: BTreeMap<String, f64>,
    /// Mean rank of clicked items, from 1; one that was not returned counts as the depth + 1, and so do all of a retriever that
    /// answered nothing. 0 without clicks.
    pub mean_rank_clicked: f64,
    /// The same of purchased items; `null` without purchases.
    pub mean_rank_purchased: Option<f64>,
    /// Mean change of rank of interacted items against the baseline, and of the baseline against what was shown; negative =
    /// moved up.
    pub avg_position_delta: f64,
    /// Interacted items that moved up.
    pub items_promoted: u64,
    /// Interacted items that moved down.
    pub items_demoted: u64,
    /// Sessions with a higher nDCG@10 than the baseline's.
    pub sessions_improved: u64,
    /// Sessions with a lower one.
    pub sessions_degraded: u64,
    /// Sessions with neither; all of them for the baseline.
    pub sessions_neutral: u64,
}

/// Latency of first attempts, milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LatencyMetrics {
    /// Median.
    #[schema(minimum = 0)]
    pub p50_ms: f64,
    /// 90th percentile.
    #[schema(minimum = 0)]
    pub p90_ms: f64,
    /// 99th percentile.
    #[schema(minimum = 0)]
    pub p99_ms: f64,
    /// Mean.
    #[schema(minimum = 0)]
    pub mean_ms: f64,
    /// Mean by stage.
    pub stage_latencies: BTreeMap<String, f64>,
}

/// The candidates against the baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = RetrieverBenchmarkComparison)]
pub struct BenchmarkComparison {
    /// The baseline.
    pub baseline_retriever_id: String,
    /// One per candidate, in the order of the request. One that answered nothing has empty `ndcg_delta` and `recall_delta`.
    pub comparisons: Vec<PipelineComparison>,
    /// Which retriever should serve, in words.
    pub recommendation: Option<String>,
}

/// One candidate against the baseline, paired by session.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PipelineComparison {
    /// The candidate.
    pub candidate_retriever_id: String,
    /// Mean difference of nDCG at 5, 10 and 20, candidate - baseline.
    pub ndcg_delta: BTreeMap<String, f64>,
    /// Mean difference of recall.
    pub recall_delta: BTreeMap<String, f64>,
    /// Difference of the mean latencies, milliseconds; positive = slower.
    pub latency_delta_ms: f64,
    /// p of the paired t-test of nDCG@10, cluster-robust where visits or users repeat, for this candidate alone; `null` where
    /// there is no test.
    pub p_value: Option<f64>,
    /// 95 % interval of the difference of nDCG@10.
    #[schema(min_items = 2, max_items = 2)]
    pub confidence_interval: Option<Vec<f64>>,
    /// Taxonomy nodes where the candidate is significantly better: whose test passes Benjamini-Hochberg at 0.05 over all nodes.
    pub taxonomy_wins: Vec<String>,
    /// Taxonomy nodes where it is significantly worse.
    pub taxonomy_losses: Vec<String>,
    /// The test behind `p_value`; `null` for a candidate that is compared with nothing.
    #[serde(default)]
    pub significance: Option<Significance>,
    /// The test of nDCG@10 at every taxonomy node.
    #[serde(default)]
    pub taxonomy_tests: BTreeMap<String, NodeTest>,
}

/// The test of the difference of nDCG@10, and what was made of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = RetrieverBenchmarkSignificance)]
pub struct Significance {
    /// Sessions in which both have a value.
    pub sessions: u64,
    /// Independent ones among them: users or visits, where these repeat.
    pub clusters: u64,
    /// What they are: `user_id`, `visit_id` or `session_id`.
    pub cluster_by: String,
    /// `paired t`, `cluster-robust t (CR1)`, or why there is none.
    pub test: String,
    /// `p_value` adjusted for the number of candidates.
    pub p_value_adjusted: Option<f64>,
    /// How it is adjusted.
    pub correction: String,
    /// `better`, `worse` or `inconclusive`.
    pub verdict: String,
    /// The same in words, with its numbers.
    pub reason: String,
}

/// The test of nDCG@10 at one taxonomy node.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = RetrieverBenchmarkNodeTest)]
pub struct NodeTest {
    /// Sessions under the node in which both have a value.
    pub sessions: u64,
    /// Independent ones among them.
    pub clusters: u64,
    /// Mean difference, candidate - baseline.
    pub ndcg_delta: Option<f64>,
    /// Its 95 % interval.
    pub confidence_interval: Option<Vec<f64>>,
    /// `paired t`, `cluster-robust t (CR1)`, or why there is none.
    pub test: String,
    /// Two-sided p; `null` where there is no test.
    pub p_value: Option<f64>,
    /// The same, adjusted over the nodes (Benjamini-Hochberg); `null` where the node has too few sessions to be tested.
    pub p_value_adjusted: Option<f64>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn refusal(more: Value) -> String {
        let mut body = json!({ "benchmark_name": "b", "baseline_retriever_id": "a", "candidate_retriever_ids": ["b"] });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        match serde_json::from_value::<CreateBenchmarkRequest>(body) {
            Ok(request) => request.check().unwrap_err().message,
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_what_would() {
        assert!(refusal(json!({ "benchmark_name": "" })).contains("1 to 255"));
        assert!(refusal(json!({ "candidate_retriever_ids": [] })).contains("at least one"));
        assert!(refusal(json!({ "candidate_retriever_ids": ["a"] })).contains("always replayed"));
        assert!(refusal(json!({ "candidate_retriever_ids": ["b", "b"] })).contains("twice"));
        assert!(refusal(json!({ "session_count": 9 })).contains("10 to 10000"));
        assert!(refusal(json!({ "session_filter": { "sample_strategy": "newest" } })).contains("`recent`"));
        assert!(refusal(json!({ "session_filter": { "time_range": { "start": "monday" } } })).contains("`monday`"));
        let weights = json!({ "session_filter": { "interaction_weights": { "weights": { "click": -1 } } } });
        assert!(refusal(weights).contains("0 or more"));
        assert!(refusal(json!({ "colour": 1 })).contains("unknown field `colour`, expected one of `benchmark_name`"));
        assert!(refusal(json!({ "session_filter": { "has_positive_feedback": true } })).contains("`retriever_ids`"));
    }

    #[test]
    fn a_filter_is_shown_with_its_defaults_and_without_nulls() {
        let shown = |filter: Value| json!(serde_json::from_value::<SessionFilter>(filter).unwrap().filled());
        assert_eq!(shown(json!({})), json!({ "min_interactions": 1, "sample_strategy": "random" }));
        let full = json!({
            "min_interactions": 2, "sample_strategy": "recent", "time_range": { "end": "2026-01-01T00:00:00Z" },
            "interaction_weights": { "weights": { "click": 1.0 } },
        });
        assert_eq!(shown(full.clone()), full);
    }

    #[test]
    fn statuses_have_the_names_of_the_wire() {
        for status in BenchmarkStatus::ALL {
            assert_eq!(serde_json::to_value(status).unwrap(), status.name());
        }
    }
}
