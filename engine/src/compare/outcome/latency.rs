//! How long a candidate takes against the baseline.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One candidate's latency against the baseline's. Latencies are of first attempts; a clock says them, so that they differ
/// between two runs of one benchmark.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LatencyComparison {
    /// The baseline's latencies, over all its sessions.
    pub baseline: LatencyQuantiles,
    /// The candidate's latencies, over all its sessions.
    pub candidate: LatencyQuantiles,
    /// The sessions in which both were measured.
    pub paired: PairedLatency,
    /// Time-outs: the session took at least until the deadline, nobody knows how much longer.
    pub censored: CensoredLatency,
}

/// Quantiles of one retriever's latencies, milliseconds, as in its result's `latency`; `null` where nothing was measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LatencyQuantiles {
    /// Median.
    pub p50_ms: Option<f64>,
    /// 90th percentile.
    pub p90_ms: Option<f64>,
    /// 99th percentile.
    pub p99_ms: Option<f64>,
    /// Mean.
    pub mean_ms: Option<f64>,
    /// Sessions that were measured.
    pub n: u64,
}

/// Percentiles and mean of first attempts with those that timed out, each taken to have ended right at its deadline, milliseconds: the
/// true ones are at least these.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AtLeast {
    /// Median.
    pub p50_ms: Option<f64>,
    /// 90th percentile.
    pub p90_ms: Option<f64>,
    /// 99th percentile.
    pub p99_ms: Option<f64>,
    /// Mean.
    pub mean_ms: Option<f64>,
    /// Sessions that timed out.
    pub timed_out: u64,
    /// Sessions that were measured or timed out.
    pub n: u64,
}

impl AtLeast {
    /// Returns whether a percentile (a share of 1) is among the time-outs, which rank above all that was measured, so that it is a
    /// bound and no measurement. A mean is as soon as one timed out.
    #[must_use]
    pub fn bounds(&self, share: f64) -> bool {
        (share * self.n.saturating_sub(1) as f64).ceil() >= self.n.saturating_sub(self.timed_out) as f64
    }
}

/// The latencies of the same sessions, candidate - baseline; positive = slower.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PairedLatency {
    /// Mean difference, milliseconds.
    pub delta_ms: Option<f64>,
    /// Its 95 % interval, milliseconds.
    pub ci95_ms: Option<[f64; 2]>,
    /// Two-sided p of the mean difference.
    pub p: Option<f64>,
    /// The test of difference and ratio: `paired t`, `cluster-robust t (CR1)`, or why there is none.
    pub test: String,
    /// Geometric mean of candidate / baseline, from the mean difference of the logarithms: a few slow sessions weigh less
    /// in it than in the difference.
    pub ratio: Option<f64>,
    /// Its 95 % interval.
    pub ratio_ci95: Option<[f64; 2]>,
    /// Two-sided p of the ratio being 1.
    pub ratio_p: Option<f64>,
    /// Pairs: sessions in which both answered at the first attempt.
    pub n: u64,
    /// Independent clusters among them.
    pub clusters: u64,
    /// What the clusters are: `user_id`, `visit_id` or `session_id`.
    pub cluster_by: String,
    /// Pairs in which the candidate was slower.
    pub slower: u64,
    /// Pairs in which it was faster.
    pub faster: u64,
    /// Share of the pairs in which it was slower, those that are known in spite of a time-out included.
    pub slower_share: Option<f64>,
}

/// Time-outs as censored observations: what is known of them is that they took at least their deadline.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CensoredLatency {
    /// Sessions in which only the baseline ran into its deadline.
    pub baseline: u64,
    /// Sessions in which only the candidate did.
    pub candidate: u64,
    /// Sessions in which both did: which was slower is not known.
    pub both: u64,
    /// Mean difference over the pairs and the sessions in which one side timed out, that side taken to have ended right at its
    /// deadline, milliseconds. Where only one side ever times out, the true mean difference is at least as far on that side.
    pub delta_at_deadline_ms: Option<f64>,
}
