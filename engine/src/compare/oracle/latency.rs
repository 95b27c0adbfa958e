//! Latency of first attempts: percentiles, mean, and mean by stage.

use rematch_metrics::stats::{QuantileMethod, quantile_of_sorted};
use rematch_metrics::sum::mean;

use super::observations::ArmObservations;
use crate::compare::outcome::LatencyMetrics;

const NANOSECONDS_PER_MILLISECOND: f64 = 1e6;

/// Sums up an arm's latencies; failed sessions have none.
pub(super) fn summarise(arm: &ArmObservations) -> LatencyMetrics {
    let mut sorted = arm.latencies_ns.clone();
    sorted.sort_by(f64::total_cmp);
    let at =
        |share| quantile_of_sorted(&sorted, share, QuantileMethod::Linear).map(|ns| ns / NANOSECONDS_PER_MILLISECOND);
    let stages = arm.stages.iter().filter(|(_, stage)| stage.sessions > 0);
    LatencyMetrics {
        p50_ms: at(0.5),
        p90_ms: at(0.9),
        p99_ms: at(0.99),
        mean_ms: mean(&sorted).map(|ns| ns / NANOSECONDS_PER_MILLISECOND),
        stage_latencies: stages
            .map(|(name, stage)| (name.clone(), stage.total_ns / stage.sessions as f64 / NANOSECONDS_PER_MILLISECOND))
            .collect(),
    }
}

/// Returns the difference of the mean latencies, candidate - baseline, milliseconds.
pub(super) fn delta_ms(baseline: &ArmObservations, candidate: &ArmObservations) -> Option<f64> {
    Some((mean(&candidate.latencies_ns)? - mean(&baseline.latencies_ns)?) / NANOSECONDS_PER_MILLISECOND)
}
