//! Tests, intervals and power.

use rematch_metrics::Proportion;
use rematch_metrics::stats::{
    BootstrapMethod, Randomisation, TStatistic, bootstrap_interval, bootstrap_means, cluster_robust_t, cluster_sums,
    minimum_detectable_effect, paired_t,
};

use crate::Size;
use crate::rate::{Rate, counted};
use crate::world::World;

const ALPHA: Proportion = Proportion::FIVE_PERCENT;
const LEVEL: Proportion = Proportion::NINETY_FIVE_PERCENT;

/// Resamples of a randomisation test; with 1 more, 5 % of them are a whole number.
const RESAMPLES: u64 = 499;

/// Resamples of a bootstrap.
const BOOTSTRAPS: u64 = 1_999;

/// Metrics that are tested together: the first is the comparison's own, the others go with it more or less.
const METRICS: u64 = 5;

/// Tells how often tests see a difference that is none.
pub(crate) fn false_alarms(world: &World, size: Size) -> Vec<Rate> {
    let [naive, robust, randomised, together] = counted(size.comparisons, |seed| {
        let (deltas, visits) = world.comparison(seed, size.visits);
        let naive = paired_t(&deltas).is_ok_and(|test| rejects(&test.statistic));
        let robust = cluster_robust_t(&deltas, &visits).is_ok_and(|test| rejects(&test.statistic));
        let [alone, together] = randomised(world, seed, size.visits);
        [naive, robust, alone, together].map(u64::from)
    });
    let rate = |what, hits| Rate::new(world, what, hits, size.comparisons);
    let mut rates = Vec::new();
    if world.searches == 1 {
        rates.push(rate("paired t", naive).promised(0.04..=0.06));
    } else {
        rates.push(rate("paired t that takes searches for visits", naive));
        rates.push(rate("cluster-robust t (CR1)", robust).promised(0.04..=0.06));
    }
    // Random signs assume sums that are spread alike to both sides, which skewed deltas become only as visits grow many.
    rates.push(rate("randomisation by visit", randomised).promised(0.04..=0.06));
    rates.push(rate("any of 5 metrics, MaxT", together).promised(0.0..=0.06));
    rates
}

fn rejects(statistic: &TStatistic) -> bool {
    statistic.p_two_sided() < 0.05
}

/// Returns whether the randomisation test of one metric sees a difference, and whether that of several does in any of them.
fn randomised(world: &World, seed: u64, visits: u64) -> [bool; 2] {
    let keys: Vec<u64> = (0..visits).collect();
    let column = |metric: u64| -> Vec<Option<f64>> {
        let own = |visit| world.summed(seed, visit, 0.0).sum;
        // Half of the others' deltas are the first's.
        let other = |visit| world.summed(seed + metric * 1_000_000, visit, 0.0).sum;
        keys.iter().map(|&visit| Some(if metric == 0 || visit % 2 == 0 { own(visit) } else { other(visit) })).collect()
    };
    let columns: Vec<Vec<Option<f64>>> = (0..METRICS).map(column).collect();
    let metrics: Vec<&[Option<f64>]> = columns.iter().map(Vec::as_slice).collect();
    let Ok(test) = Randomisation::new(seed, &keys, &metrics) else { return [false; 2] };
    let counts = test.count(0..RESAMPLES);
    let below = |p: &Option<f64>| p.is_some_and(|p| p <= 0.05);
    [test.p_values(&counts).first().is_some_and(below), test.adjusted_p_values(&counts).iter().any(below)]
}

/// Tells how often intervals hold the true mean, which is 0.
pub(crate) fn coverage(world: &World, size: Size) -> Vec<Rate> {
    let holds = |[low, high]: [f64; 2]| u64::from(low <= 0.0 && 0.0 <= high);
    let [naive, robust] = counted(size.comparisons, |seed| {
        let (deltas, visits) = world.comparison(seed + 100_000_000, size.visits);
        let naive = paired_t(&deltas).map(|test| holds(test.statistic.interval(LEVEL)));
        let robust = cluster_robust_t(&deltas, &visits).map(|test| holds(test.statistic.interval(LEVEL)));
        [naive.unwrap_or_default(), robust.unwrap_or_default()]
    });
    let [bootstrapped] = counted(size.bootstraps, |seed| {
        let (deltas, visits) = world.comparison(seed + 100_000_000, size.visits);
        let units = cluster_sums(&deltas, &visits).unwrap_or_default();
        let means = bootstrap_means(&units, seed, 0..BOOTSTRAPS);
        let interval = bootstrap_interval(&units, means, BootstrapMethod::BiasCorrectedAccelerated, LEVEL);
        [interval.map_or(0, |interval| holds([interval.low, interval.high]))]
    });
    let rate = |what, hits, of| Rate::new(world, what, hits, of);
    let mut rates = Vec::new();
    if world.searches == 1 {
        rates.push(rate("t interval", naive, size.comparisons).promised(0.94..=0.96));
    } else {
        rates.push(rate("t interval that takes searches for visits", naive, size.comparisons));
        rates.push(rate("cluster-robust interval (CR1)", robust, size.comparisons).promised(0.94..=0.96));
    }
    rates.push(rate("BCa bootstrap over visits", bootstrapped, size.bootstraps).promised(0.94..=0.96));
    rates
}

/// Tells how often an effect of the size that is said to be detected in four of five comparisons is detected.
pub(crate) fn power(world: &World, size: Size) -> Vec<Rate> {
    let searches = (size.visits * world.searches) as f64;
    let worth = (searches / world.design_effect()).round() as u64;
    let Some(d_z) = minimum_detectable_effect(worth, ALPHA, Proportion::EIGHTY_PERCENT) else { return Vec::new() };
    let effect = d_z * world.deviation();
    let [detected] = counted(size.comparisons, |seed| {
        let (mut deltas, visits) = world.comparison(seed + 200_000_000, size.visits);
        // Skewed deltas show a gain more readily than a loss: half are the one, half the other.
        let effect = if seed.is_multiple_of(2) { effect } else { -effect };
        deltas.iter_mut().for_each(|delta| *delta += effect);
        [u64::from(cluster_robust_t(&deltas, &visits).is_ok_and(|test| rejects(&test.statistic)))]
    });
    let test = if world.searches == 1 { "paired t" } else { "cluster-robust t (CR1)" };
    let note = format!("d_z {d_z:.4}, {searches} searches worth {worth}");
    vec![Rate::new(world, test, detected, size.comparisons).promised(0.78..=0.82).note(note)]
}
