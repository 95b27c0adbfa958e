//! What can be said of the lists themselves: how alike they are, where touched items went, and how much of them was judged.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::MetricSummary;

/// How alike a candidate's lists and the baseline's are, whatever is relevant. Over the sessions that both answered, an empty
/// list being an answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ListSimilarity {
    /// Ranks of each list that are compared: the largest cutoff of the metrics, at most 100.
    pub depth: u64,
    /// Sessions that both answered.
    pub sessions: u64,
    /// The probability with which rank-biased overlap reads on; 0.9.
    pub rbo_persistence: f64,
    /// Extrapolated rank-biased overlap (Webber, Moffat & Zobel 2010, equation 32); undefined where both lists are empty.
    pub rbo: MetricSummary,
    /// Items that both top k share over those that either holds, by cutoff; undefined where both are empty.
    pub jaccard_at_k: BTreeMap<String, MetricSummary>,
    /// Share of the sessions in which both top k hold the same items in the same order, by cutoff.
    pub identical_at_k: BTreeMap<String, Option<f64>>,
    /// Kendall's tau of the items that both lists hold; undefined for fewer than two of them.
    pub kendall_tau: MetricSummary,
    /// AP correlation (Yilmaz, Aslam & Robertson 2008) of the items that both lists hold, the mean of both directions; undefined
    /// as tau.
    pub tau_ap: MetricSummary,
    /// Mean number of items that both lists hold.
    pub mean_common_items: Option<f64>,
}

/// Where the items that users acted on went, from the baseline's ranking to a candidate's, pooled over the sessions that both
/// answered. Every item is in exactly one of the six categories. An item that a ranking does not return within the depth counts
/// as standing at depth + 1.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PositionMoves {
    /// Ranks kept of each ranking.
    pub depth: u64,
    /// Items that an act of positive weight is about.
    pub items: u64,
    /// Returned by both, nearer to the top by the candidate.
    pub up: u64,
    /// Returned by both, further from the top.
    pub down: u64,
    /// Returned by both, at the same rank.
    pub same: u64,
    /// Returned by the candidate only.
    pub entered: u64,
    /// Returned by the baseline only.
    pub left: u64,
    /// Returned by neither.
    pub absent: u64,
    /// Share of the items that at least one of the rankings does not return: how much of the mean is only known to be at least
    /// what is said.
    pub censored_share: Option<f64>,
    /// Mean of candidate's rank - baseline's rank; negative = nearer to the top.
    pub mean_delta: Option<f64>,
    /// Median of the same, which newcomers pull less.
    pub median_delta: Option<f64>,
}

/// How much of a retriever's top k judges have graded, over the judged sessions that it answered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JudgedShare {
    /// Ranks looked at: the primary metric's cutoff, 10 where it has none.
    pub k: u64,
    /// Answered sessions that have judgments.
    pub sessions: u64,
    /// Mean of judged hits / hits among the first k: `Judged@k` of ir_measures, whose denominator is min(k, hits returned).
    /// Undefined for an empty answer.
    pub judged_at_k: MetricSummary,
    /// Mean of unjudged hits / k: `unj_k` of trec_eval, whose denominator is k however few hits there are.
    pub unjudged_of_k: Option<f64>,
}

/// What unjudged hits could do to the primary metric's difference, candidate - baseline: every unjudged item of both top k is
/// either worth nothing or has the highest grade. Over the judged sessions in which the metric is defined for both.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JudgmentBounds {
    /// The primary metric.
    pub metric: String,
    /// Ranks looked at.
    pub k: u64,
    /// The highest grade that the sample's judgments give.
    pub max_grade: Option<f64>,
    /// Judged sessions in which the metric is defined for both.
    pub sessions: u64,
    /// Those of them with an unjudged item in a top k.
    pub sessions_with_unjudged: u64,
    /// Unjudged items in their top k, an item of both once.
    pub unjudged_items: u64,
    /// Mean difference as judged: unjudged items are worth nothing.
    pub delta: Option<f64>,
    /// Mean difference where every unjudged item has the highest grade.
    pub delta_if_all_relevant: Option<f64>,
    /// Mean of the sessions' lowest differences: exact for nDCG by our own or trec_eval's conventions, else the lowest of four cases (none of the unjudged
    /// items, all, those that stand higher in the candidate's list, those that do not).
    pub lowest_delta: Option<f64>,
    /// Mean of the sessions' highest differences, likewise.
    pub highest_delta: Option<f64>,
    /// Whether lowest and highest difference have the sign of `delta`: no judgment of these items could turn it. `null` where the
    /// difference is 0 or unknown.
    pub sign_survives: Option<bool>,
    /// Why there are no bounds.
    pub not_computed: Option<String>,
}

/// What the order of hits with equal scores could make of a retriever's means. The means themselves take the order in which the
/// retriever returned them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TieSummary {
    /// Answered sessions in which two neighbours have the same score.
    pub sessions: u64,
    /// Their share of the answered sessions.
    pub share: Option<f64>,
    /// Each metric; `infAP` is left out, because no order is known to be its best, and so are the metrics of other programs
    /// (`compatibility`).
    pub metrics: BTreeMap<String, TieRange>,
}

/// What the order of hits with equal scores could make of one metric's mean.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TieRange {
    /// Sessions in which the order changes the metric.
    pub sessions: u64,
    /// The mean where every session has the worst order.
    pub lowest_mean: Option<f64>,
    /// The mean where every session has the best order.
    pub highest_mean: Option<f64>,
}

/// What a retriever's lists are good for beyond relevance, over the sessions that it answered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BeyondAccuracy {
    /// Ranks looked at.
    pub k: u64,
    /// Sessions that it answered.
    pub sessions: u64,
    /// How much of the catalogue the tops of all sessions show together. It grows with the sessions: compare retrievers of one
    /// run only.
    pub coverage: CoverageSummary,
    /// Mean distance of two items of a top k by their labels (Jaccard distance; Smyth & McClave 2001), 0 to 1; undefined where
    /// fewer than two items have labels. `null` where the benchmark names no fields.
    pub diversity: Option<MetricSummary>,
    /// How little known the items are; `null` where the benchmark names no field that says it.
    pub novelty: Option<NoveltySummary>,
    /// The votes of visits; `null` where no session has a click.
    pub paul_score: Option<PaulScore>,
}

/// The distinct items of all tops.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CoverageSummary {
    /// Distinct items shown.
    pub shown: u64,
    /// Items of the catalogue; `null` where the benchmark names none.
    pub catalogue: Option<u64>,
    /// Their share (Ge, Delgado-Battenfeld & Jannach 2010); `null` where more items were shown than the catalogue has.
    pub share: Option<f64>,
}

/// How little known the items of the tops are.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NoveltySummary {
    /// Mean over sessions of the mean -log2(people who know an item / all) of the top k, bits (Zhou et al. 2010); undefined
    /// where nobody is known to know an item.
    pub bits: MetricSummary,
    /// The sum of the field over the catalogue.
    pub people: u64,
    /// Hits that nobody is known to know; they are in no mean.
    pub unknown_hits: u64,
}

/// PaulScore: F^position of every hit, from 0, that was clicked anywhere in the visit, summed up by search; the mean over the
/// searches of a visit, then over visits.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PaulScore {
    /// F.
    pub factor: f64,
    /// Visits with a click of which a search was answered; a session without a visit is one of its own.
    pub visits: u64,
    /// The score.
    pub score: Option<f64>,
    /// Why there is none.
    pub not_computed: Option<String>,
}
