//! Bootstrap intervals of a mean delta.

use std::ops::Range;

use super::counter_random::{below, bits};
use super::normal::{normal_lower_tail, normal_quantile};
use super::{ClusterSum, Moments, QuantileMethod, Untestable, quantile_of_sorted};
use crate::bounded::Proportion;
use crate::sum::{CompensatedSum, count, mean, sum, whole};

/// How an interval is read off the resampled means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum BootstrapMethod {
    /// Quantiles of the resampled means.
    Percentile,
    /// Those quantiles mirrored at the observed mean.
    Basic,
    /// Quantiles corrected for bias and skewness (Efron 1987): the default of scipy, and ours.
    #[default]
    BiasCorrectedAccelerated,
}

/// A bootstrap interval of the mean delta.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BootstrapInterval {
    /// The observed mean delta.
    pub mean: f64,
    /// The low end.
    pub low: f64,
    /// The high end.
    pub high: f64,
    /// The standard deviation of the resampled means.
    pub standard_error: f64,
    /// Number of resamples.
    pub resamples: usize,
}

/// Returns the means of the resamples of a range: the unit in a place of a resample is a function of (seed, resample,
/// place), so that ranges can be computed apart and concatenated.
///
/// Units are resampled whole: sessions ([`ClusterSum::single`]), or clusters where sessions share a user. Give them in a
/// fixed order.
#[must_use]
pub fn bootstrap_means(units: &[ClusterSum], seed: u64, resamples: Range<u64>) -> Vec<f64> {
    let resampled_mean = |resample: u64| {
        let (mut pairs, mut total) = (0_u64, CompensatedSum::default());
        for drawn in resampled_units(units.len(), seed, resample) {
            if let Some(unit) = units.get(drawn) {
                pairs += unit.pairs;
                total.add(unit.sum);
            }
        }
        total.total() / whole(pairs)
    };
    resamples.map(resampled_mean).collect()
}

/// Returns the units of one resample, each as often as it is drawn: the draw of [`bootstrap_means`], for statistics that are
/// no mean. Nothing where there are no units.
pub fn resampled_units(units: usize, seed: u64, resample: u64) -> impl Iterator<Item = usize> {
    (0..units as u64).map(move |place| below(units, bits(seed, resample, place)))
}

/// Returns the interval of the mean delta that resampled means, in any order, give at a confidence level: as
/// `scipy.stats.bootstrap((deltas,), numpy.mean)` for units of one session.
///
/// # Errors
///
/// Where there are fewer than two units or no means, a sum is not finite, or the units' means do not vary.
pub fn bootstrap_interval(
    units: &[ClusterSum],
    mut means: Vec<f64>,
    method: BootstrapMethod,
    level: Proportion,
) -> Result<BootstrapInterval, Untestable> {
    check_units(units)?;
    means.sort_unstable_by(f64::total_cmp);
    let centre = mean(&means).ok_or(Untestable::NoResamples)?;
    let observed = pooled_mean(units);
    let tail = (1.0 - level.get()) / 2.0;
    let [low, high] = match method {
        BootstrapMethod::Percentile | BootstrapMethod::Basic => [tail, 1.0 - tail],
        BootstrapMethod::BiasCorrectedAccelerated => corrected_tails(units, &means, observed, tail),
    };
    let at = |q: f64| quantile_of_sorted(&means, q.clamp(0.0, 1.0), QuantileMethod::Linear).unwrap_or(centre);
    let (low, high) = match method {
        BootstrapMethod::Basic => (2.0 * observed - at(high), 2.0 * observed - at(low)),
        _ => (at(low), at(high)),
    };
    let standard_error = Moments::of(&means).standard_deviation().unwrap_or(0.0);
    Ok(BootstrapInterval { mean: observed, low, high, standard_error, resamples: means.len() })
}

fn check_units(units: &[ClusterSum]) -> Result<(), Untestable> {
    if units.iter().any(|unit| unit.pairs == 0) {
        return Err(Untestable::TooFewPairs { found: 0, needed: 1 });
    }
    let means: Vec<f64> = units.iter().map(|unit| unit.sum / whole(unit.pairs)).collect();
    Moments::of(&means).testable().map(|_| ())
}

/// Returns the tails at which BCa reads its ends.
fn corrected_tails(units: &[ClusterSum], sorted_means: &[f64], observed: f64, tail: f64) -> [f64; 2] {
    let resamples = count(sorted_means.len());
    let below = count(sorted_means.partition_point(|&mean| mean < observed));
    let up_to = count(sorted_means.partition_point(|&mean| mean <= observed));
    // With all means on one side the bias would be infinite; half a resample is the least that can be told.
    let share = ((below + up_to) / (2.0 * resamples)).clamp(0.5 / resamples, 1.0 - 0.5 / resamples);
    let bias = normal_quantile(share);
    let acceleration = acceleration(units);
    [tail, 1.0 - tail].map(|tail| {
        let z = bias + normal_quantile(tail);
        let slope = 1.0 - acceleration * z;
        if slope > 0.0 { normal_lower_tail(bias + z / slope) } else { f64::from(u8::from(z > 0.0)) }
    })
}

/// Returns a sixth of the skewness of the jackknifed means.
fn acceleration(units: &[ClusterSum]) -> f64 {
    let pairs: u64 = units.iter().map(|unit| unit.pairs).sum();
    let total = sum(units.iter().map(|unit| unit.sum));
    let without = |unit: &ClusterSum| (total - unit.sum) / whole(pairs - unit.pairs);
    let jackknifed: Vec<f64> = units.iter().map(without).collect();
    let centre = mean(&jackknifed).unwrap_or_default();
    let squares = sum(jackknifed.iter().map(|mean| (centre - mean).powi(2)));
    let cubes = sum(jackknifed.iter().map(|mean| (centre - mean).powi(3)));
    if squares > 0.0 { cubes / (6.0 * squares.powf(1.5)) } else { 0.0 }
}

fn pooled_mean(units: &[ClusterSum]) -> f64 {
    sum(units.iter().map(|unit| unit.sum)) / whole(units.iter().map(|unit| unit.pairs).sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{cluster_robust_t_of_sums, paired_t};

    const METHODS: [BootstrapMethod; 3] =
        [BootstrapMethod::Percentile, BootstrapMethod::Basic, BootstrapMethod::BiasCorrectedAccelerated];

    fn interval(
        units: &[ClusterSum],
        method: BootstrapMethod,
        resamples: u64,
    ) -> Result<BootstrapInterval, Untestable> {
        bootstrap_interval(units, bootstrap_means(units, 17, 0..resamples), method, Proportion::NINETY_FIVE_PERCENT)
    }

    fn deltas(number: u64) -> Vec<f64> {
        (0..number).map(|unit| bits(5, 0, unit) as f64 / u64::MAX as f64 - 0.4).collect()
    }

    #[test]
    fn intervals_of_many_sessions_are_close_to_t() {
        let deltas = deltas(400);
        let units: Vec<ClusterSum> = deltas.iter().copied().map(ClusterSum::single).collect();
        let test = paired_t(&deltas).unwrap().statistic;
        let [low, high] = test.interval(Proportion::NINETY_FIVE_PERCENT);
        for method in METHODS {
            let found = interval(&units, method, 4000).unwrap();
            assert!((found.low - low).abs() < 0.15 * test.standard_error, "{method:?} {found:?}");
            assert!((found.high - high).abs() < 0.15 * test.standard_error, "{method:?} {found:?}");
            assert!((found.standard_error / test.standard_error - 1.0).abs() < 0.05);
        }
    }

    #[test]
    fn clusters_are_resampled_whole() {
        let deltas = deltas(300);
        let units: Vec<ClusterSum> =
            deltas.chunks(3).map(|cluster| ClusterSum { pairs: 6, sum: 6.0 * cluster[0] }).collect();
        let expected = cluster_robust_t_of_sums(&units).unwrap().statistic.standard_error;
        let found = interval(&units, BootstrapMethod::Percentile, 2000).unwrap().standard_error;
        assert!((found / expected - 1.0).abs() < 0.06, "{found} {expected}");
    }

    #[test]
    fn means_of_ranges_concatenate() {
        let units: Vec<ClusterSum> = deltas(20).into_iter().map(ClusterSum::single).collect();
        let mut parts = bootstrap_means(&units, 3, 0..7);
        parts.extend(bootstrap_means(&units, 3, 7..20));
        assert_eq!(parts, bootstrap_means(&units, 3, 0..20));
        assert_ne!(parts, bootstrap_means(&units, 4, 0..20));
    }

    #[test]
    fn basic_mirrors_percentile() {
        let units: Vec<ClusterSum> = deltas(30).into_iter().map(ClusterSum::single).collect();
        let percentile = interval(&units, BootstrapMethod::Percentile, 500).unwrap();
        let basic = interval(&units, BootstrapMethod::Basic, 500).unwrap();
        assert!((basic.low + percentile.high - 2.0 * basic.mean).abs() < 1e-15);
    }

    #[test]
    fn untestable_units_are_told_apart() {
        let constant = [ClusterSum::single(0.5); 4];
        for method in METHODS {
            assert_eq!(interval(&constant, method, 10), Err(Untestable::Constant { pairs: 4, delta: 0.5 }));
            assert_eq!(interval(&[], method, 10), Err(Untestable::TooFewPairs { found: 0, needed: 2 }));
        }
        let two = [ClusterSum::single(0.5), ClusterSum::single(1.0)];
        assert_eq!(interval(&two, BootstrapMethod::Basic, 0), Err(Untestable::NoResamples));
        let found = interval(&two, BootstrapMethod::BiasCorrectedAccelerated, 1).unwrap();
        assert!(found.low.is_finite() && found.high.is_finite());
        let empty = [ClusterSum::default(), ClusterSum::single(1.0)];
        assert!(interval(&empty, BootstrapMethod::Basic, 5).is_err());
    }
}
