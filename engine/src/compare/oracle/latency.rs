//! Latency of first attempts: percentiles, mean, and mean by stage.

use rematch_metrics::Proportion;
use rematch_metrics::stats::{QuantileMethod, TStatistic, Untestable, cluster_robust_t, paired_t, quantile_of_sorted};
use rematch_metrics::sum::mean;

use super::observations::{ArmObservations, Observations};
use crate::compare::outcome::{
    AtLeast, CensoredLatency, LatencyComparison, LatencyMetrics, LatencyQuantiles, PairedLatency,
};
use crate::schema::column;

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
        at_least: at_least(arm),
    }
}

/// Percentiles and mean with the sessions that timed out, each at its deadline, and ranked above all that were measured.
fn at_least(arm: &ArmObservations) -> Option<AtLeast> {
    let deadlines: Vec<f64> = arm.timed.iter().filter_map(|(_, deadline)| *deadline).collect();
    let all = [arm.latencies_ns.clone(), deadlines.clone()].concat();
    let largest = arm.latencies_ns.iter().copied().fold(0.0, f64::max);
    let mut ranked = arm.latencies_ns.clone();
    ranked.extend(deadlines.iter().map(|deadline| deadline.max(largest)));
    ranked.sort_by(f64::total_cmp);
    let at =
        |share| quantile_of_sorted(&ranked, share, QuantileMethod::Linear).map(|ns| ns / NANOSECONDS_PER_MILLISECOND);
    (!deadlines.is_empty()).then(|| AtLeast {
        p50_ms: at(0.5),
        p90_ms: at(0.9),
        p99_ms: at(0.99),
        mean_ms: mean(&all).map(|ns| ns / NANOSECONDS_PER_MILLISECOND),
        timed_out: deadlines.len() as u64,
        n: all.len() as u64,
    })
}

/// Returns the difference of the mean latencies, candidate - baseline, milliseconds.
pub(super) fn delta_ms(baseline: &ArmObservations, candidate: &ArmObservations) -> Option<f64> {
    Some((mean(&candidate.latencies_ns)? - mean(&baseline.latencies_ns)?) / NANOSECONDS_PER_MILLISECOND)
}

/// Compares the latencies of the arm at `candidate` with the baseline's.
pub(super) fn compare(observations: &Observations, candidate: usize) -> LatencyComparison {
    let (old, new) = (observations.arm(0), observations.arm(candidate));
    let quantiles = |arm: &ArmObservations| {
        let LatencyMetrics { p50_ms, p90_ms, p99_ms, mean_ms, .. } = summarise(arm);
        LatencyQuantiles { p50_ms, p90_ms, p99_ms, mean_ms, n: arm.latencies_ns.len() as u64 }
    };
    let (mut deltas, mut ratios, mut clusters, mut at_deadline) = (vec![], vec![], vec![], vec![]);
    let mut paired = PairedLatency::default();
    let mut censored = CensoredLatency::default();
    let (mut slower, mut known) = (0, 0);
    for (row, pair) in old.timed.iter().zip(&new.timed).enumerate() {
        let pair = (*pair.0, *pair.1);
        let milliseconds = |old: f64, new: f64| (new - old) / NANOSECONDS_PER_MILLISECOND;
        match pair {
            ((Some(old), _), (Some(new), _)) => {
                deltas.push(milliseconds(old, new));
                ratios.push((new.max(1.0) / old.max(1.0)).ln());
                clusters.push(observations.session(row).expect("a session").cluster);
                paired.slower += u64::from(new > old);
                paired.faster += u64::from(new < old);
                slower += u64::from(new > old);
                known += 1;
            }
            ((Some(old), _), (_, Some(new))) => {
                censored.candidate += 1;
                at_deadline.push(milliseconds(old, new));
                slower += u64::from(new > old);
                known += u64::from(new > old);
            }
            ((_, Some(old)), (Some(new), _)) => {
                censored.baseline += 1;
                at_deadline.push(milliseconds(old, new));
                known += u64::from(old > new);
            }
            ((_, Some(_)), (_, Some(_))) => censored.both += 1,
            _ => {}
        }
    }
    let mut distinct = clusters.clone();
    distinct.sort_unstable();
    distinct.dedup();
    let repeated = distinct.len() < deltas.len();
    let test = |values: &[f64]| -> Result<TStatistic, Untestable> {
        match repeated {
            true => cluster_robust_t(values, &clusters).map(|test| test.statistic),
            false => paired_t(values).map(|test| test.statistic),
        }
    };
    let interval = |test: &TStatistic| test.interval(Proportion::new(0.95).expect("a proportion"));
    let (difference, ratio) = (test(&deltas), test(&ratios));
    paired.delta_ms = mean(&deltas);
    paired.ci95_ms = difference.as_ref().ok().map(interval);
    paired.p = difference.as_ref().ok().map(TStatistic::p_two_sided);
    paired.test = match &difference {
        Ok(_) => if repeated { "cluster-robust t (CR1)" } else { "paired t" }.to_owned(),
        Err(reason) => format!("none: {reason}"),
    };
    paired.ratio = mean(&ratios).map(f64::exp);
    paired.ratio_ci95 = ratio.as_ref().ok().map(interval).map(|ends| ends.map(f64::exp));
    paired.ratio_ci95 = paired.ratio_ci95.filter(|ends| ends.iter().all(|end| end.is_finite()));
    paired.ratio_p = ratio.as_ref().ok().map(TStatistic::p_two_sided);
    paired.n = deltas.len() as u64;
    paired.clusters = distinct.len() as u64;
    paired.cluster_by = if repeated { observations.cluster_by() } else { column::SESSION_ID }.to_owned();
    paired.slower_share = (known > 0).then(|| slower as f64 / known as f64);
    if !at_deadline.is_empty() {
        let all: Vec<f64> = deltas.iter().chain(&at_deadline).copied().collect();
        censored.delta_at_deadline_ms = mean(&all);
    }
    LatencyComparison { baseline: quantiles(old), candidate: quantiles(new), paired, censored }
}
