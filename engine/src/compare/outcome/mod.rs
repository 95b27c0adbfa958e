//! What the comparison found: plain data, serialisable, with the names of the retriever-benchmark API.
//!
//! An `Option` is `null` where the value is undefined; nothing here is ever NaN.

mod changes;
mod exposure;
mod gate;
mod inference;
mod latency;
mod lists;
mod segments;
mod stopping;

use std::collections::BTreeMap;

pub use changes::{LargestChanges, SessionChange};
pub use gate::{GateClicks, GateOutcome, GateState};
pub use inference::{
    BootstrapInterval, McNemarTest, NonInferiority, NonInferiorityOutcome, OtherTest, RandomisationTest,
    RelativeChange, Resampled, Resampling,
};
pub use latency::{AtLeast, CensoredLatency, LatencyComparison, LatencyQuantiles, PairedLatency};
use schemars::JsonSchema;
pub use segments::Segments;
use serde::{Deserialize, Serialize};

use crate::replay::remote::RemoteCounts;

pub use exposure::{ClickWeights, Estimate, Exposure, PropensityInfo, PropensitySource, Sensitivity};
pub use lists::{
    BeyondAccuracy, CoverageSummary, JudgedShare, JudgmentBounds, ListSimilarity, NoveltySummary, PaulScore,
    PositionMoves, TieRange, TieSummary,
};
pub use stopping::{CurveLook, SequenceLook, Stopping};

/// Everything that the comparison found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Sessions in the sample.
    pub sessions: u64,
    /// One result per retriever, the baseline first.
    pub results: Vec<BenchmarkResult>,
    /// The candidates against the baseline.
    pub comparison: BenchmarkComparison,
}

/// What one retriever did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BenchmarkResult {
    /// The retriever's id.
    pub retriever_id: String,
    /// The name shown to people.
    pub retriever_name: String,
    /// SHA-256 of the pipeline's config and of the BLAKE3 hashes of the files that it uses.
    pub pipeline_hash: String,
    /// `failed` when the retriever answered no session at all; then nothing is scored.
    pub state: ArmState,
    /// How well the answers agree with what users wanted; `null` for a failed arm.
    pub metrics: Option<AlignmentMetrics>,
    /// Every measure (metrics, scorers, sub-scores, the scenario score) over the sessions where it is defined; empty for a
    /// failed arm.
    pub scores: BTreeMap<String, MetricSummary>,
    /// The geometric mean of each metric whose values are logarithms (`gm_map`, `gm_bpref`): the exponential of its mean.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub geometric_means: BTreeMap<String, f64>,
    /// The scenario score: weighted mean of the scoring functions; `null` without scorers.
    pub scenario_score: Option<MetricSummary>,
    /// Each scoring function by name.
    pub scorers: BTreeMap<String, ScorerSummary>,
    /// Latency of first attempts.
    pub latency: LatencyMetrics,
    /// What each stage did, in the order in which they ran.
    #[serde(default)]
    pub stages: Vec<StageSummary>,
    /// Sessions that the retriever answered, empty answers included.
    pub answered_sessions: u64,
    /// Sessions that it answered with an empty list.
    pub empty_answers: u64,
    /// Sessions on which it failed; they are never scored as zero.
    pub failed_sessions: u64,
    /// How much of its top was judged; `null` where no session that it answered has judgments.
    #[serde(default)]
    pub judged: Option<JudgedShare>,
    /// What its lists are good for beyond relevance; `null` where the benchmark's table `lists` does not ask.
    #[serde(default)]
    pub beyond_accuracy: Option<BeyondAccuracy>,
    /// What hits with equal scores leave open; `null` where no two neighbours have the same score.
    #[serde(default)]
    pub ties: Option<TieSummary>,
    /// Failures by kind.
    pub error_summary: BTreeMap<String, u64>,
    /// The alignment metrics at every taxonomy node (metrics, not differences; the name is the API's).
    pub taxonomy_deltas: BTreeMap<String, AlignmentMetrics>,
}

/// What one stage of a retriever did over the sessions. Those that are neither skipped, failed, cached, shared nor batched
/// were answered for themselves.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StageSummary {
    /// The stage's name; a `/` leads to what is inside of a stage, or to a part of which the server told.
    pub name: String,
    /// The stage's kind.
    pub kind: String,
    /// Sessions that came to the stage.
    pub sessions: u64,
    /// Requests, or whatever the stage calls an attempt, that these sessions took; a look-up takes none.
    pub attempts: u64,
    /// Sessions that took more than one attempt; their latency is not counted.
    pub retried: u64,
    /// Sessions that went on without the stage, because it failed and may.
    pub skipped: u64,
    /// Sessions that failed here.
    pub failed: u64,
    /// Sessions whose answer was kept from an earlier run.
    pub cached: u64,
    /// Sessions whose answer was asked for once, for several retrievers that begin alike.
    pub shared: u64,
    /// Sessions that were answered many at once.
    pub batched: u64,
    /// Sessions for which the server told how long this part took.
    pub reported: u64,
    /// The first failure in words.
    pub first_error: Option<String>,
    /// Mean share of the exact answers' items that an approximate stage found; `null` for exact stages.
    pub recall: Option<f64>,
    /// Sessions that this share was looked at for.
    pub recall_sessions: u64,
    /// What its server was asked, over the processes that worked on the run; a stage that shares its answers with another
    /// retriever's was asked by the first. Absent where the stage asks none, or all answers were known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<RemoteCounts>,
}

/// Whether an arm can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ArmState {
    /// It answered at least one session.
    Completed,
    /// It answered none.
    Failed,
}

/// One metric over the sessions of one retriever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MetricSummary {
    /// Mean over the sessions where it is defined.
    pub mean: Option<f64>,
    /// Sessions where it is defined.
    pub n: u64,
    /// Answered sessions where it is undefined.
    pub undefined: u64,
}

/// One scoring function over the sessions of one retriever.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScorerSummary {
    /// Mean over the sessions with a value; one that counts as zero by the benchmark's `on-error` is a value.
    pub mean: Option<f64>,
    /// The run's score by the component's own `aggregate`; `null` where it has none, or where it is undefined.
    #[serde(default)]
    pub aggregate: Option<f64>,
    /// Sessions that were scored.
    pub complete: u64,
    /// Sessions on which the function failed.
    pub error: u64,
    /// Sessions where the score is undefined or the retriever failed.
    pub unknown: u64,
    /// The first failure in words.
    pub first_error: Option<String>,
}

/// How well a retriever's answers agree with what users wanted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AlignmentMetrics {
    /// Mean nDCG by cutoff.
    pub ndcg_at_k: BTreeMap<String, Option<f64>>,
    /// Mean recall by cutoff.
    pub recall_at_k: BTreeMap<String, Option<f64>>,
    /// Mean of every scorer, sub-score and of the scenario score.
    #[serde(default)]
    pub scorers: BTreeMap<String, Option<f64>>,
    /// Mean of the primary metric, whichever it is.
    pub primary_mean: Option<f64>,
    /// Pooled mean rank of clicked items; an item that was not returned counts as depth + 1.
    pub mean_rank_clicked: Option<f64>,
    /// Pooled mean rank of purchased items.
    pub mean_rank_purchased: Option<f64>,
    /// Clicked items that were not returned.
    pub clicked_not_retrieved: u64,
    /// Purchased items that were not returned.
    pub purchased_not_retrieved: u64,
    /// Pooled mean of new rank - reference rank over interacted items; negative = moved up. The reference is the
    /// baseline's replay for candidates and the logged position for the baseline.
    pub avg_position_delta: Option<f64>,
    /// Interacted items that moved up, those that entered included.
    pub items_promoted: u64,
    /// Interacted items that moved down, those that left included.
    pub items_demoted: u64,
    /// Sessions whose primary metric is above the baseline's by more than the noise threshold.
    pub sessions_improved: u64,
    /// Sessions whose primary metric is below it.
    pub sessions_degraded: u64,
    /// Sessions with no such difference; all of them for the baseline.
    pub sessions_neutral: u64,
    /// Sessions that these numbers are about.
    pub sessions: u64,
}

/// Latency of first attempts, milliseconds. Percentiles by linear interpolation (type 7) of a histogram, within 0.1 % of the
/// exact ones.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LatencyMetrics {
    /// Median.
    pub p50_ms: Option<f64>,
    /// 90th percentile.
    pub p90_ms: Option<f64>,
    /// 99th percentile.
    pub p99_ms: Option<f64>,
    /// Mean.
    pub mean_ms: Option<f64>,
    /// Mean by stage.
    pub stage_latencies: BTreeMap<String, f64>,
    /// The same with time-outs, which took at least until their deadline; `null` where no session timed out. Gates look at these.
    #[serde(default)]
    pub at_least: Option<AtLeast>,
}

/// The candidates against the baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BenchmarkComparison {
    /// The baseline.
    pub baseline_retriever_id: String,
    /// One per candidate that answered; none when the baseline failed.
    pub comparisons: Vec<PipelineComparison>,
    /// Which retriever should serve, in words.
    pub recommendation: String,
    /// How a run that stops when it is decided went; `null` for one that replays all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopping: Option<Stopping>,
}

/// One candidate against the baseline.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PipelineComparison {
    /// The candidate.
    pub candidate_retriever_id: String,
    /// Mean paired nDCG difference by cutoff, candidate - baseline.
    pub ndcg_delta: BTreeMap<String, Option<f64>>,
    /// Mean paired recall difference by cutoff.
    pub recall_delta: BTreeMap<String, Option<f64>>,
    /// Difference of the mean latencies, milliseconds; positive = slower.
    pub latency_delta_ms: Option<f64>,
    /// Latency of first attempts, quantiles and session by session.
    #[serde(default)]
    pub latency: LatencyComparison,
    /// p of the primary metric, unadjusted.
    pub p_value: Option<f64>,
    /// 95 % interval of the primary metric's difference.
    pub confidence_interval: Option<[f64; 2]>,
    /// Nodes where the candidate is significantly better.
    pub taxonomy_wins: Vec<String>,
    /// Nodes where it is significantly worse.
    pub taxonomy_losses: Vec<String>,
    /// Every node's test of the primary metric.
    pub taxonomy: BTreeMap<String, NodeComparison>,
    /// Sessions without a pair of the primary metric, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// Every scorer's test, and the scenario score's, at every node; the primary measure's stands in `taxonomy`.
    #[serde(default)]
    pub scorer_taxonomy: BTreeMap<String, BTreeMap<String, NodeComparison>>,
    /// The tests of nDCG, recall and the metrics that a gate looks at by node, at every node, by metric; the primary measure's stands in `taxonomy`.
    #[serde(default)]
    pub metric_taxonomy: BTreeMap<String, BTreeMap<String, NodeComparison>>,
    /// Where in the taxonomy the primary measure's difference comes from.
    #[serde(default)]
    pub segments: Segments,
    /// Every measure's paired comparison: metrics, scorers, sub-scores, the scenario score.
    pub metrics: BTreeMap<String, MetricComparison>,
    /// The candidates' and the baseline's run scores by the components' own `aggregate`, by scorer.
    #[serde(default)]
    pub aggregates: BTreeMap<String, AggregateComparison>,
    /// What was resampled, and what was not.
    #[serde(default)]
    pub resampling: Resampling,
    /// How alike its lists and the baseline's are.
    #[serde(default)]
    pub similarity: ListSimilarity,
    /// Where the items that users acted on went.
    #[serde(default)]
    pub moves: PositionMoves,
    /// What unjudged hits could change; `null` where no session has judgments.
    #[serde(default)]
    pub judgment_bounds: Option<JudgmentBounds>,
    /// The sessions in which the primary measure changed most.
    #[serde(default)]
    pub largest_changes: LargestChanges,
    /// Whether clicks could tell.
    pub exposure: Exposure,
    /// The decision.
    pub verdict: Verdict,
    /// Whether the candidate is at least not inferior; `null` where no margin is given.
    #[serde(default)]
    pub non_inferiority: Option<NonInferiority>,
    /// The gates.
    pub gates: Vec<GateOutcome>,
}

/// One scorer's run scores, summed up by the component itself, candidate - baseline.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AggregateComparison {
    /// The baseline's score.
    pub baseline: Option<f64>,
    /// The candidate's score.
    pub candidate: Option<f64>,
    /// Their difference.
    pub delta: Option<f64>,
    /// Its 95 % interval: percentiles over resamples of the clusters, both arms resampled alike (Efron 1979); `null` with
    /// fewer than ten clusters, or where the score is undefined in more than a few resamples.
    pub ci95: Option<[f64; 2]>,
    /// Two-sided p: twice the share of resamples on the other side of 0, (count + 1) / (resamples + 1); `null` as the
    /// interval.
    pub p: Option<f64>,
    /// Whether a lower score is a better one.
    pub lower_is_better: bool,
    /// Sessions that both arms were scored on, undefined ones included.
    pub sessions: u64,
    /// Clusters that were resampled.
    pub clusters: u64,
    /// Resamples in which both scores are defined.
    pub resamples: u64,
    /// Seed of the resamples.
    pub seed: u64,
}

/// One measure's paired comparison, candidate - baseline.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MetricComparison {
    /// The baseline's mean over the pairs.
    pub baseline_mean: Option<f64>,
    /// The candidate's mean over the pairs.
    pub candidate_mean: Option<f64>,
    /// Mean difference.
    pub delta: Option<f64>,
    /// Its 95 % interval; `null` where there is no variance to estimate it from.
    pub ci95: Option<[f64; 2]>,
    /// Its 95 % interval by bootstrap; `null` where that was not asked for and not cheap, or there are fewer than ten clusters.
    #[serde(default)]
    pub ci95_bootstrap: Option<BootstrapInterval>,
    /// The change relative to the baseline; `null` where the baseline's mean is within three standard errors of 0.
    #[serde(default)]
    pub relative: Option<RelativeChange>,
    /// The test: `paired t`, `cluster-robust t (CR1)`, or why there is none.
    pub test: String,
    /// The statistic.
    pub t: Option<f64>,
    /// Its degrees of freedom.
    pub df: Option<f64>,
    /// Two-sided p.
    pub p: Option<f64>,
    /// p adjusted for the number of candidates.
    pub p_adjusted: Option<f64>,
    /// The adjustment.
    pub correction: String,
    /// The randomisation test; `null` where that was not asked for and not cheap, or all differences are 0.
    #[serde(default)]
    pub randomisation: Option<RandomisationTest>,
    /// McNemar's test, for measures that are 0 or 1.
    #[serde(default)]
    pub mcnemar: Option<McNemarTest>,
    /// Tests of other hypotheses, where they were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_tests: Vec<OtherTest>,
    /// Effect size: mean / standard deviation of the differences.
    pub d_z: Option<f64>,
    /// Effect size without its small-sample bias: d_z (1 - 3 / (4 df - 1)) with df = n - 1 (Hedges 1981).
    #[serde(default)]
    pub g_z: Option<f64>,
    /// Pairs.
    pub n: u64,
    /// Independent clusters among them; equal to `n` where no user or visit repeats.
    pub clusters: u64,
    /// What the clusters are: `user_id`, `visit_id` or `session_id`.
    pub cluster_by: String,
    /// Whether a lower value is a better one.
    #[serde(default)]
    pub lower_is_better: bool,
    /// Pairs in which the candidate is better by more than the noise threshold.
    pub win: u64,
    /// Pairs without such a difference.
    pub tie: u64,
    /// Pairs in which it is worse.
    pub loss: u64,
    /// Whether every pair is equal.
    pub identical: bool,
    /// Sessions without a pair, by reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dropped: BTreeMap<String, u64>,
    /// Pairs in which a scorer's error counts as 0, because the benchmark says so.
    #[serde(default)]
    pub errors_as_zero: u64,
    /// The smallest difference that this many pairs would detect with the benchmark's `power`.
    pub detectable_delta: Option<f64>,
    /// Sessions that would detect the difference seen with that power.
    pub sessions_to_settle: Option<u64>,
    /// That power.
    #[serde(default)]
    pub power: Option<f64>,
}

/// One taxonomy node's test of one measure.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NodeComparison {
    /// The baseline's mean over the node's pairs.
    #[serde(default)]
    pub baseline_mean: Option<f64>,
    /// The candidate's mean over the node's pairs.
    #[serde(default)]
    pub candidate_mean: Option<f64>,
    /// Mean difference over the node's pairs.
    pub delta: Option<f64>,
    /// Its 95 % interval.
    pub ci95: Option<[f64; 2]>,
    /// The test: `paired t`, `cluster-robust t (CR1)`, or why there is none.
    #[serde(default)]
    pub test: String,
    /// Two-sided p.
    pub p: Option<f64>,
    /// p adjusted over the nodes (Benjamini-Hochberg); `null` where the node has too few pairs to be tested.
    pub p_adjusted: Option<f64>,
    /// The randomisation test; `null` as a measure's, at nodes with too few pairs, and for all but the primary measure.
    #[serde(default)]
    pub randomisation: Option<RandomisationTest>,
    /// Pairs.
    pub n: u64,
    /// Independent clusters among them.
    #[serde(default)]
    pub clusters: u64,
    /// Pairs in which the candidate is better by more than the noise threshold.
    #[serde(default)]
    pub win: u64,
    /// Pairs without such a difference.
    #[serde(default)]
    pub tie: u64,
    /// Pairs in which it is worse.
    #[serde(default)]
    pub loss: u64,
    /// Share of all pairs that lie under the node.
    #[serde(default)]
    pub share: Option<f64>,
    /// What the node contributes to the difference over all pairs: share x delta. Over nodes under which every session lies
    /// exactly once, contributions add up to that difference.
    #[serde(default)]
    pub contribution: Option<f64>,
    /// What it comes to.
    pub outcome: NodeOutcome,
}

/// What a node's test comes to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodeOutcome {
    /// Significantly better.
    Win,
    /// Significantly worse.
    Loss,
    /// Neither.
    #[default]
    Undecided,
    /// Fewer pairs than the least that is tested.
    TooFew,
}

impl NodeOutcome {
    /// Returns the outcome's name as it stands in tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Win => "win",
            Self::Loss => "loss",
            Self::Undecided => "undecided",
            Self::TooFew => "too_few",
        }
    }
}

/// The decision on one candidate.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// Better, worse, or not known.
    pub outcome: VerdictOutcome,
    /// The metric that decided.
    pub metric: String,
    /// The decision in words, with its numbers.
    pub sentence: String,
    /// What a reader must know before acting on it.
    pub cautions: Vec<String>,
}

/// The three values of a verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VerdictOutcome {
    /// Significantly better than the baseline.
    Better,
    /// Significantly worse.
    Worse,
    /// Neither could be shown.
    #[default]
    Inconclusive,
}
