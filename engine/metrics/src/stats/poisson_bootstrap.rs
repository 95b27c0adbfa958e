//! The bootstrap of deltas that come in parts: memory grows with tests and resamples, not with sessions.
//!
//! Where n units are drawn with replacement, each is drawn about Poisson(1) times. So here every unit counts as often as a Poisson
//! number says that is a function of the seed, the resample and the unit alone: whoever meets a session of a user knows its weight
//! without having seen the others (Hanley and MacGibbon 2006, Creating non-parametric bootstrap samples using Poisson frequencies;
//! Chamandy, Muralidharan, Najmi and Naidu 2012, Estimating uncertainty for massive data streams). Resamples then differ in the number
//! of their pairs, so that each has its own mean; with few units they are no fair resamples, and [`super::bootstrap_means`] draws.
//! Sums are whole numbers of a quantum: neither the order of rows nor the cut into parts changes a bit.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::bootstrap::BootstrapInterval;
use super::counter_random::bits;
use super::streamed_randomisation::{Extent, quanta, scale};
use super::{Moments, QuantileMethod, Untestable, quantile_of_sorted};
use crate::bounded::Proportion;
use crate::sum::whole;

/// The largest weight: a Poisson(1) number is larger once in 10^17 times.
const MOST_WEIGHT: usize = 18;

/// The probabilities that a weight is at most 0, 1, 2, ...
const AT_MOST: [f64; MOST_WEIGHT] = at_most();

/// Means that differ by less than this share do not vary.
const ROUNDING: f64 = 1e-12;

/// Tells the weights from other random numbers of the same seed.
const STREAM: u64 = 0x706f_6973_736f_6e00;

const fn at_most() -> [f64; MOST_WEIGHT] {
    let mut table = [0.0; MOST_WEIGHT];
    let (mut term, mut total, mut weight) = (1.0 / std::f64::consts::E, 0.0, 0);
    while weight < MOST_WEIGHT {
        total += term;
        table[weight] = total;
        weight += 1;
        #[expect(clippy::cast_precision_loss, reason = "it is at most 18")]
        let next = weight as f64;
        term /= next;
    }
    table
}

/// Returns how often a unit counts in a resample: a Poisson(1) number.
fn weight(seed: u64, resample: u64, unit: u64) -> i64 {
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
    let uniform = (bits(seed ^ STREAM, resample, unit) >> 11) as f64 * 2.0_f64.powi(-53);
    // Most are 0 or 1: looking from there takes less time than halving.
    AT_MOST.iter().take_while(|at_most| uniform >= **at_most).map(|_| 1).sum()
}

/// The sums of several tests' deltas, weighted anew for every resample.
///
/// Parts that were made alike merge, in any order, into the same sums.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PoissonBootstrap {
    seed: u64,
    resamples: Range<u64>,
    /// Quanta per unit of a test's deltas; 0 where all are 0.
    scales: Vec<f64>,
    /// By test: the deltas as they are.
    observed: Vec<Weighted>,
    /// By resample, then by test.
    weighted: Vec<Weighted>,
}

/// Deltas, each as often as it counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Weighted {
    /// Quanta.
    sum: i64,
    pairs: u64,
}

impl Weighted {
    fn add(&mut self, weight: i64, quanta: i64) {
        self.sum = self.sum.saturating_add(weight * quanta);
        self.pairs += weight.cast_unsigned();
    }

    fn merge(&mut self, other: &Self) {
        self.sum = self.sum.saturating_add(other.sum);
        self.pairs += other.pairs;
    }

    fn mean(&self, scale: f64) -> Option<f64> {
        let sum = if scale > 0.0 { quanta(self.sum) / scale } else { 0.0 };
        (self.pairs > 0).then(|| sum / whole(self.pairs))
    }
}

impl PoissonBootstrap {
    /// Starts the sums of a range of resamples, without deltas; there is one extent per test.
    #[must_use]
    pub fn new(seed: u64, resamples: Range<u64>, tests: &[Extent]) -> Self {
        let weighted = |test: &Extent| Extent { deltas: test.deltas.saturating_mul(MOST_WEIGHT as u64), ..*test };
        let scales: Vec<f64> = tests.iter().map(|test| scale(&weighted(test))).collect();
        let rows = usize::try_from(resamples.end.saturating_sub(resamples.start)).unwrap_or_default();
        let (observed, weighted) =
            (vec![Weighted::default(); tests.len()], vec![Weighted::default(); rows * tests.len()]);
        Self { seed, resamples, scales, observed, weighted }
    }

    /// Returns the bytes of the sums of one test under that many resamples.
    #[must_use]
    pub fn bytes_per_test(resamples: u64) -> u64 {
        resamples * size_of::<Weighted>() as u64
    }

    /// Adds the deltas of one session, each with the number of its test, once each; one of 0 is a pair like any other. The key is
    /// that of what counts as a whole: a hash of the session's id, or of its cluster's key.
    pub fn add(&mut self, key: u64, deltas: &[(usize, f64)]) {
        #[expect(clippy::cast_possible_truncation, reason = "the scale keeps every delta far within 64 bits")]
        let quanta = |(test, delta): &(usize, f64)| {
            let scale = self.scales.get(*test)?;
            Some((*test, (delta * scale).round() as i64))
        };
        let deltas: Vec<(usize, i64)> = deltas.iter().filter_map(quanta).collect();
        for (test, quanta) in &deltas {
            self.observed.get_mut(*test).into_iter().for_each(|test| test.add(1, *quanta));
        }
        for (resample, sums) in self.resamples.clone().zip(self.weighted.chunks_mut(self.scales.len().max(1))) {
            let weight = weight(self.seed, resample, key);
            if weight > 0 {
                for (test, quanta) in &deltas {
                    sums.get_mut(*test).into_iter().for_each(|test| test.add(weight, *quanta));
                }
            }
        }
    }

    /// Adds the sums of another part of the deltas, over the same tests and resamples.
    pub fn merge(&mut self, other: &Self) {
        self.observed.iter_mut().zip(&other.observed).for_each(|(ours, theirs)| ours.merge(theirs));
        self.weighted.iter_mut().zip(&other.weighted).for_each(|(ours, theirs)| ours.merge(theirs));
    }

    /// Adds what this range of resamples says of a test to what others of the same deltas said.
    pub fn means(&self, test: usize, means: &mut PoissonMeans) {
        let scale = self.scales.get(test).copied().unwrap_or_default();
        if let Some(observed) = self.observed.get(test) {
            (means.observed, means.pairs) = (observed.mean(scale), observed.pairs);
        }
        let resampled = self.weighted.chunks(self.scales.len().max(1)).filter_map(|sums| sums.get(test)?.mean(scale));
        means.resampled.extend(resampled);
    }
}

/// The means of one test.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PoissonMeans {
    observed: Option<f64>,
    pairs: u64,
    /// Without resamples in which no pair counts.
    resampled: Vec<f64>,
}

impl PoissonMeans {
    /// Returns the percentile interval of the mean delta at a confidence level.
    ///
    /// # Errors
    ///
    /// Where there are no pairs or no resamples, or the resampled means do not vary.
    pub fn interval(mut self, level: Proportion) -> Result<BootstrapInterval, Untestable> {
        let pairs = usize::try_from(self.pairs).unwrap_or(usize::MAX);
        let mean = self.observed.ok_or(Untestable::TooFewPairs { found: pairs, needed: 1 })?;
        self.resampled.sort_unstable_by(f64::total_cmp);
        let (first, last) = self.resampled.first().zip(self.resampled.last()).ok_or(Untestable::NoResamples)?;
        // What is constant differs by the rounding of sums.
        if last - first <= ROUNDING * mean.abs() {
            return Err(Untestable::Constant { pairs, delta: mean });
        }
        let tail = (1.0 - level.get()) / 2.0;
        let at = |q: f64| quantile_of_sorted(&self.resampled, q, QuantileMethod::Linear).unwrap_or(mean);
        let standard_error = Moments::of(&self.resampled).standard_deviation().unwrap_or(0.0);
        Ok(BootstrapInterval {
            mean,
            low: at(tail),
            high: at(1.0 - tail),
            standard_error,
            resamples: self.resampled.len(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{ClusterSum, cluster_robust_t_of_sums, paired_t};
    use proptest::prelude::*;

    fn uniform(number: u64) -> f64 {
        bits(5, 0, number) as f64 / u64::MAX as f64
    }

    fn extent(deltas: impl Iterator<Item = f64> + Clone) -> Extent {
        Extent { deltas: deltas.clone().count() as u64, largest: deltas.map(f64::abs).fold(0.0, f64::max) }
    }

    fn interval(sums: &PoissonBootstrap) -> Result<BootstrapInterval, Untestable> {
        let mut means = PoissonMeans::default();
        sums.means(0, &mut means);
        means.interval(Proportion::NINETY_FIVE_PERCENT)
    }

    #[test]
    fn weights_are_poisson() {
        let draws = 200_000_u64;
        let mut found = [0_u32; 8];
        for unit in 0..draws {
            let weight = usize::try_from(weight(3, unit % 7, unit)).unwrap();
            found[weight.min(7)] += 1;
        }
        let mut probability = (-1.0_f64).exp();
        for (weight, found) in (0..6).zip(found) {
            let expected = draws as f64 * probability;
            assert!((f64::from(found) - expected).abs() < 5.0 * expected.sqrt(), "{weight}: {found} for {expected}");
            probability /= f64::from(weight + 1);
        }
        assert!((AT_MOST[MOST_WEIGHT - 1] - 1.0).abs() < 1e-15);
    }

    #[test]
    fn intervals_of_many_sessions_are_close_to_t() {
        let deltas: Vec<f64> = (0..4000).map(|unit| uniform(unit) - 0.4).collect();
        let mut sums = PoissonBootstrap::new(17, 0..2000, &[extent(deltas.iter().copied())]);
        (0..).zip(&deltas).for_each(|(key, delta)| sums.add(key, &[(0, *delta)]));
        let test = paired_t(&deltas).unwrap().statistic;
        let [low, high] = test.interval(Proportion::NINETY_FIVE_PERCENT);
        let found = interval(&sums).unwrap();
        assert!((found.mean - test.estimate).abs() < 1e-12, "{found:?} {test:?}");
        assert!((found.low - low).abs() < 0.15 * test.standard_error, "{found:?} {low}");
        assert!((found.high - high).abs() < 0.15 * test.standard_error, "{found:?} {high}");
        assert!((found.standard_error / test.standard_error - 1.0).abs() < 0.05);
    }

    #[test]
    fn sessions_of_a_cluster_count_together() {
        let units: Vec<f64> = (0..1000).map(|unit| uniform(unit) - 0.4).collect();
        let clusters: Vec<ClusterSum> = units.iter().map(|unit| ClusterSum { pairs: 6, sum: 6.0 * unit }).collect();
        let expected = cluster_robust_t_of_sums(&clusters).unwrap().statistic.standard_error;
        let extent = Extent { deltas: 6000, largest: 1.0 };
        let mut sums = PoissonBootstrap::new(17, 0..2000, &[extent]);
        for _ in 0..6 {
            (0..).zip(&units).for_each(|(key, delta)| sums.add(key, &[(0, *delta)]));
        }
        let found = interval(&sums).unwrap().standard_error;
        assert!((found / expected - 1.0).abs() < 0.06, "{found} {expected}");
    }

    #[test]
    fn what_does_not_vary_has_no_interval() {
        let none = PoissonBootstrap::new(1, 0..10, &[Extent::default()]);
        assert_eq!(interval(&none), Err(Untestable::TooFewPairs { found: 0, needed: 1 }));
        let mut zeros = PoissonBootstrap::new(1, 0..10, &[Extent { deltas: 30, largest: 0.0 }]);
        (0..30).for_each(|key| zeros.add(key, &[(0, 0.0)]));
        assert_eq!(interval(&zeros), Err(Untestable::Constant { pairs: 30, delta: 0.0 }));
        let mut constant = PoissonBootstrap::new(1, 0..10, &[Extent { deltas: 30, largest: 0.1 }]);
        (0..30).for_each(|key| constant.add(key, &[(0, 0.1)]));
        assert!(matches!(interval(&constant), Err(Untestable::Constant { pairs: 30, .. })));
        let mut never = PoissonBootstrap::new(1, 0..0, &[Extent { deltas: 1, largest: 0.5 }]);
        never.add(1, &[(0, 0.5)]);
        assert_eq!(interval(&never), Err(Untestable::NoResamples));
    }

    proptest! {
        #[test]
        fn parts_merge_in_any_order_into_the_same_sums(
            sessions in prop::collection::vec((0_u64..9, -1.0_f64..1.0, -1.0_f64..1.0), 1..60),
            at in 0_usize..60,
        ) {
            let extents = [
                extent(sessions.iter().map(|session| session.1)),
                extent(sessions.iter().map(|session| session.2)),
            ];
            let of = |sessions: &[(u64, f64, f64)]| {
                let mut sums = PoissonBootstrap::new(9, 5..50, &extents);
                sessions.iter().for_each(|(key, one, other)| sums.add(*key, &[(0, *one), (1, *other)]));
                sums
            };
            let (first, second) = sessions.split_at(at.min(sessions.len()));
            let mut merged = of(second);
            merged.merge(&of(first));
            let whole = of(&sessions);
            prop_assert_eq!(&merged, &whole);
            let text = serde_json::to_string(&whole).unwrap();
            prop_assert_eq!(&serde_json::from_str::<PoissonBootstrap>(&text).unwrap(), &whole);
            // By the definition, in floating point.
            for (place, resample) in (5..50).enumerate() {
                let weights = sessions.iter().map(|session| weight(9, resample, session.0) as f64);
                let (sum, pairs) = sessions.iter().zip(weights).fold((0.0, 0.0), |(sum, pairs), (session, weight)| {
                    (sum + weight * session.1, pairs + weight)
                });
                let found = whole.weighted[place * 2].mean(whole.scales[0]);
                prop_assert_eq!(found.is_some(), pairs > 0.0);
                prop_assert!(found.is_none_or(|found| (found - sum / pairs).abs() < 1e-9));
            }
        }
    }
}
