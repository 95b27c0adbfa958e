//! What clicks can tell of a candidate, and what they cannot.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::MetricComparison;

/// What click-derived relevance says of a candidate: items that were never shown could not be clicked, and those far down the
/// list hardly. All zero or `null` where relevance comes from judges.
///
/// Every comparison here is of one additive metric, the DCG of clicks: the sum over an arm's first `k` ranks of gain / log2(rank
/// + 1), as a mean over the logged sessions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Exposure {
    /// Sessions that both arms answered and whose relevance comes from interactions.
    pub click_derived_pairs: u64,
    /// Sessions that both arms answered, that no judge graded and in which something was shown or acted on: the estimates are
    /// means over them.
    #[serde(default)]
    pub logged_sessions: u64,
    /// Ranks looked at.
    pub k: u64,
    /// Coverage: share of the baseline's top k that was shown or acted on, in those sessions.
    pub baseline_support: Option<f64>,
    /// Share of the candidate's top k that was shown or acted on.
    pub candidate_support: Option<f64>,
    /// The probability that a user looked at a rank.
    #[serde(default)]
    pub propensity: Option<PropensityInfo>,
    /// What a naive replay says: a click counts 1, an item that was never shown counts nothing.
    #[serde(default)]
    pub naive: Option<MetricComparison>,
    /// The same with every click weighted by 1 / propensity; items that were never shown still count nothing.
    #[serde(default)]
    pub weighted: Option<MetricComparison>,
    /// What decides: clicks weighted by 1 / propensity, on items that were shown and that both arms have in their top k, each at
    /// its rank among these.
    pub common_support: Option<MetricComparison>,
    /// The change on common support as a share of the baseline's value, with a 95 % interval by the delta method.
    #[serde(default)]
    pub relative: Option<Estimate>,
    /// The same with the ranks of the whole lists: a candidate loses there for every good newcomer above an old item.
    #[serde(default)]
    pub uncondensed: Option<MetricComparison>,
    /// The self-normalised estimate on common support: the weighted mean, over clicks, of gain times the change of 1 / log2(rank +
    /// 1), with a 95 % interval by the delta method.
    #[serde(default)]
    pub self_normalised: Option<Estimate>,
    /// `relative` with weights that are not clipped (inverse propensities as they are): without bias by clipping, and carried by
    /// fewer clicks.
    #[serde(default)]
    pub unclipped: Option<Estimate>,
    /// `self_normalised` with weights that are not clipped.
    #[serde(default)]
    pub unclipped_self_normalised: Option<Estimate>,
    /// Why the estimates that are not clipped, and to a lesser degree the others, rest on few clicks; `null` where they do not.
    #[serde(default)]
    pub weight_warning: Option<String>,
    /// The least and the most that the difference over the whole top k can be, when an item that was never shown is worth between
    /// nothing and the mean of the shown ones.
    #[serde(default)]
    pub bounds: Option<[f64; 2]>,
    /// The clicks on common support and their weights.
    #[serde(default)]
    pub weights: Option<ClickWeights>,
    /// The difference on common support under other assumed curves, with weights that are not clipped; empty where the curve is
    /// not an assumption. A decision must hold under all of them.
    #[serde(default)]
    pub sensitivity: Vec<Sensitivity>,
    /// Why what is significant under the assumed curve does not decide: it does not hold under another one. `null` where it
    /// holds under all, where nothing is significant, or where the curve is not an assumption.
    #[serde(default)]
    pub depends_on_curve: Option<String>,
    /// Whether clicks decide: more than a few of the pairs owe their relevance to them.
    #[serde(default)]
    pub decides: bool,
    /// Why the estimate on common support must not decide; `null` where it may.
    #[serde(default)]
    pub too_little: Option<String>,
    /// All of this in two sentences; empty where relevance comes from judges.
    #[serde(default)]
    pub explanation: String,
}

/// An estimate with its interval.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Estimate {
    /// The estimate.
    pub estimate: f64,
    /// Its 95 % interval; `null` where there is no variance to estimate it from.
    pub ci95: Option<[f64; 2]>,
}

/// The probability that a user looked at a rank.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PropensityInfo {
    /// Where it comes from.
    pub source: PropensitySource,
    /// Probability by rank, from rank 1; empty where the log gives one for each item.
    pub by_rank: Vec<f64>,
    /// Exponent of the assumed curve 1 / rank^exponent; `null` where it is not an assumption.
    pub exponent: Option<f64>,
    /// Pairs of a query and an item that the log shows at more than one rank, by which a curve is fitted.
    pub interventions: u64,
    /// Smaller probabilities count as this one.
    pub clip: f64,
}

/// Where the probability comes from that a user looked at an item.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PropensitySource {
    /// The log gives it.
    Logged,
    /// A position-based model, fitted to the log by intervention harvesting.
    Fitted,
    /// An assumed curve.
    #[default]
    Assumed,
}

/// The clicks that an estimate is made of, and their weights.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClickWeights {
    /// Clicked items on common support.
    pub clicks: u64,
    /// (sum of weights)² / sum of squared weights: the number of equally weighted clicks that would be as precise.
    pub effective_sample: f64,
    /// Clicks whose weight was clipped.
    pub clipped: u64,
    /// The largest weight as a share of all.
    pub largest_share: f64,
    /// Clicks without a propensity or a logged rank, which are no evidence.
    pub unweighted: u64,
}

/// The difference on common support under another assumed curve.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sensitivity {
    /// The curve is 1 / rank^exponent.
    pub exponent: f64,
    /// The baseline's value.
    #[serde(default)]
    pub baseline_mean: Option<f64>,
    /// The difference as a share of the baseline's value; `null` where that is 0.
    pub relative: Option<f64>,
    /// The 95 % interval of the difference, as a share of the baseline's value.
    #[serde(default)]
    pub ci95: Option<[f64; 2]>,
    /// Two-sided p.
    #[serde(default)]
    pub p: Option<f64>,
    /// The p adjusted for the number of candidates.
    #[serde(default)]
    pub p_adjusted: Option<f64>,
}
