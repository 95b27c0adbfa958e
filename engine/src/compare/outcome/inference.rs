//! What stands beside the headline test of a measure: other intervals, other tests, other questions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The change relative to the baseline: mean difference / |baseline's mean|, over the pairs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RelativeChange {
    /// The change; 0.05 is 5 %.
    pub change: f64,
    /// Its 95 % interval by the delta method, which lets the baseline's mean vary too, cluster-robust where clusters repeat;
    /// `null` where there is no variance to estimate it from.
    pub ci95: Option<[f64; 2]>,
}

/// A bootstrap interval of the mean difference.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BootstrapInterval {
    /// The 95 % interval.
    pub ci95: [f64; 2],
    /// How it is read off the resampled means: `BCa` (bias-corrected and accelerated, Efron 1987), or `Poisson percentile` where the
    /// clusters' sums would not fit in memory and every cluster counts as often as a Poisson number says.
    pub method: String,
    /// Standard deviation of the resampled means.
    pub standard_error: f64,
    /// Resamples, each of as many whole clusters as there are, or about as many where they are weighted.
    pub resamples: u64,
    /// Clusters that were resampled.
    pub clusters: u64,
    /// Seed of the resamples.
    pub seed: u64,
}

/// The randomisation test of one measure, or of one taxonomy node by the primary measure: had both retrievers been exchangeable,
/// each cluster's differences could have had the other sign.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RandomisationTest {
    /// Two-sided p, (1 + resamples at least as far from 0) / (1 + resamples).
    pub p_randomisation: f64,
    /// p adjusted for all measures and taxonomy nodes of the candidate at once (step-down MaxT, Westfall & Young 1993): it
    /// bounds the chance of even one false alarm among them.
    pub p_max_t: f64,
    /// Tests among which `p_max_t` is adjusted.
    pub tests: u64,
    /// Resamples.
    pub resamples: u64,
    /// Seed of the signs, which depend on it, on the resample and on the cluster alone.
    pub seed: u64,
}

/// McNemar's exact test of a measure that is 0 or 1. It takes sessions for independent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct McNemarTest {
    /// Sessions in which only the baseline succeeds.
    pub only_baseline: u64,
    /// Sessions in which only the candidate does.
    pub only_candidate: u64,
    /// Two-sided p; `null` where no session tells the two apart.
    pub p: Option<f64>,
}

/// A test that was asked for beside the test of the mean, of another hypothesis.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OtherTest {
    /// The test: `Wilcoxon signed-rank` or `sign`.
    pub test: String,
    /// What it tests, and what it takes for granted.
    pub hypothesis: String,
    /// Its statistic: the smaller sum of ranks, or the wins.
    pub statistic: Option<f64>,
    /// Two-sided p, not adjusted; `null` where there is no test.
    pub p: Option<f64>,
    /// Differences that count; those of 0 are left out.
    pub n: u64,
    /// Why there is no test, or which approximation gives p.
    pub note: String,
}

/// Whether the candidate loses at most the margin of the primary measure (`statistics.non-inferiority-margin`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NonInferiority {
    /// The measure.
    pub metric: String,
    /// The largest loss that is accepted, in its unit.
    pub margin: f64,
    /// The end of the 95 % interval on the side of a loss, as a loss or gain in the direction that is better: above -margin
    /// the candidate is not inferior, at one-sided level 0.025. `null` without an interval.
    pub worst_case: Option<f64>,
    /// The decision.
    pub outcome: NonInferiorityOutcome,
    /// The decision in words, with its numbers.
    pub sentence: String,
}

/// The values of a non-inferiority verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NonInferiorityOutcome {
    /// The whole interval is above -margin.
    NonInferior,
    /// The whole interval is below -margin.
    Inferior,
    /// Neither is shown.
    #[default]
    Inconclusive,
}

/// What was resampled for a candidate, and what was not.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Resampling {
    /// The randomisation test.
    pub randomisation: Resampled,
    /// The bootstrap intervals.
    pub bootstrap: Resampled,
}

/// How often something was resampled.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Resampled {
    /// Resamples; 0 where there were none.
    pub resamples: u64,
    /// Their seed.
    pub seed: u64,
    /// Why there are that many, and how to ask for others.
    pub note: String,
}
