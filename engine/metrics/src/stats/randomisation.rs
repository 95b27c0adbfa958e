//! The randomisation test by Monte Carlo, for one metric or for several at once (MaxT).

use std::ops::Range;

use super::Untestable;
use super::counter_random::bits;
use crate::sum::{sum, whole};

/// Resamples whose signs come from the bits of one hash.
pub(super) const LANES: usize = 64;

/// Sums that differ by less than this share of the sum of absolute deltas are equal, written with rounding errors.
pub(super) const ROUNDING: f64 = 1e-12;

/// A randomisation test: were the two sides exchangeable, each unit's deltas could have had the other sign.
///
/// The sign of a unit in a resample is a function of (seed, resample, key of the unit), so that a p is the same on any
/// number of threads and in any order of rows, and resamples can be counted in parts. One sign holds for all metrics of
/// the unit, which keeps their correlation; that is what MaxT needs.
///
/// A unit is a session, or a cluster of sessions with the sums of its deltas.
#[derive(Debug, Clone, PartialEq)]
pub struct Randomisation {
    seed: u64,
    keys: Vec<u64>,
    metrics: Vec<Column>,
    /// Indices into `metrics`, the most significant first.
    order: Vec<usize>,
}

/// The deltas of one metric, in the order of the keys.
#[derive(Debug, Clone, PartialEq)]
struct Column {
    deltas: Vec<f64>,
    /// The root of the sum of squares, which no flip of signs changes; 0 where all deltas are.
    norm: f64,
    /// A sum at least this far from 0 is at least as far as the observed one.
    bound: f64,
}

impl Column {
    /// Returns a sum in its standard deviations under random signs.
    fn standardised(&self, sum: f64) -> f64 {
        sum.abs() / self.norm
    }
}

/// How many resamples were at least as extreme as the data.
///
/// Counts of different ranges of resamples of one test merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RandomisationCounts {
    /// Resamples looked at.
    pub resamples: u64,
    /// Per metric: resamples in which its own sum is at least as far from 0 as observed.
    pub at_least_as_far: Vec<u64>,
    /// Per metric: resamples in which the largest standardised sum among it and all less significant metrics is.
    pub largest_at_least_as_far: Vec<u64>,
}

impl Randomisation {
    /// Returns the test of several metrics; `metrics` holds per metric one delta for each key, `None` where it is undefined.
    ///
    /// Keys identify units, say by a hash of the session id; units of one key share their signs.
    ///
    /// # Errors
    ///
    /// Where there are no units, a metric has not one value per key, or a delta is not finite.
    pub fn new(seed: u64, keys: &[u64], metrics: &[&[Option<f64>]]) -> Result<Self, Untestable> {
        if keys.is_empty() {
            return Err(Untestable::TooFewPairs { found: 0, needed: 1 });
        }
        let columns = metrics.iter().map(|deltas| column(keys, deltas)).collect::<Result<Vec<_>, _>>()?;
        let mut sorted = keys.to_vec();
        sorted.sort_unstable();

        let observed = |index: &usize| {
            columns
                .get(*index)
                .filter(|column| column.norm > 0.0)
                .map_or(-1.0, |column| column.standardised(sum(column.deltas.iter().copied())))
        };
        let mut order: Vec<usize> = (0..columns.len()).collect();
        order.sort_by(|a, b| observed(b).total_cmp(&observed(a)));
        Ok(Self { seed, keys: sorted, metrics: columns, order })
    }

    /// Counts the resamples of a range; resamples are numbered from 0.
    #[must_use]
    pub fn count(&self, resamples: Range<u64>) -> RandomisationCounts {
        let mut counts = RandomisationCounts::none(self.metrics.len());
        let lanes = LANES as u64;
        let mut words = vec![0_u64; self.keys.len()];
        let mut sums = vec![[0.0; LANES]; self.metrics.len()];
        for block in resamples.start / lanes..resamples.end.div_ceil(lanes) {
            for (word, &key) in words.iter_mut().zip(&self.keys) {
                *word = bits(self.seed, block, key);
            }
            for (sums, column) in sums.iter_mut().zip(&self.metrics) {
                *sums = signed_sums(&words, &column.deltas);
            }
            for (lane, resample) in (block * lanes..(block + 1) * lanes).enumerate() {
                if resamples.contains(&resample) {
                    self.count_resample(&sums, lane, &mut counts);
                }
            }
        }
        counts
    }

    /// Counts one resample, from the least significant metric to the most, so that the largest sum so far is at hand.
    fn count_resample(&self, sums: &[[f64; LANES]], lane: usize, counts: &mut RandomisationCounts) {
        counts.resamples += 1;
        let mut largest = 0.0_f64;
        for &index in self.order.iter().rev() {
            let (Some(column), Some(sum)) = (self.metrics.get(index), sums.get(index).and_then(|sums| sums.get(lane)))
            else {
                continue;
            };
            if column.norm == 0.0 {
                continue;
            }
            largest = largest.max(column.standardised(*sum));
            if let Some(far) = counts.at_least_as_far.get_mut(index) {
                *far += u64::from(sum.abs() >= column.bound);
            }
            if let Some(far) = counts.largest_at_least_as_far.get_mut(index) {
                *far += u64::from(largest >= column.bound.max(0.0) / column.norm);
            }
        }
    }

    /// Returns each metric's two-sided p, (1 + resamples at least as far) / (1 + resamples), in the order the metrics were
    /// given. `None` where all its deltas are 0, or no resample was counted.
    #[must_use]
    pub fn p_values(&self, counts: &RandomisationCounts) -> Vec<Option<f64>> {
        counts.p_values(&self.testable())
    }

    /// Returns each metric's p adjusted for all the metrics: the step-down MaxT of Westfall and Young 1993, which bounds
    /// the chance of even one false alarm.
    ///
    /// Unlike Holm's it does not overpay for metrics that go together. The statistic is the sum in its standard deviations
    /// under random signs, which orders resamples of one metric as t does. `None` as in [`Self::p_values`].
    #[must_use]
    pub fn adjusted_p_values(&self, counts: &RandomisationCounts) -> Vec<Option<f64>> {
        counts.adjusted_p_values(&self.testable(), &self.order)
    }

    fn testable(&self) -> Vec<bool> {
        self.metrics.iter().map(|column| column.norm > 0.0).collect()
    }
}

impl RandomisationCounts {
    pub(super) fn none(metrics: usize) -> Self {
        Self { resamples: 0, at_least_as_far: vec![0; metrics], largest_at_least_as_far: vec![0; metrics] }
    }

    /// Adds the counts of other resamples of the same test.
    pub fn merge(&mut self, other: &Self) {
        self.resamples += other.resamples;
        for (ours, theirs) in self.at_least_as_far.iter_mut().zip(&other.at_least_as_far) {
            *ours += theirs;
        }
        for (ours, theirs) in self.largest_at_least_as_far.iter_mut().zip(&other.largest_at_least_as_far) {
            *ours += theirs;
        }
    }

    /// Returns the p of every metric that is testable.
    pub(super) fn p_values(&self, testable: &[bool]) -> Vec<Option<f64>> {
        testable.iter().zip(&self.at_least_as_far).map(|(testable, far)| self.p_value(*testable, *far)).collect()
    }

    /// Returns the step-down p of every metric that is testable; `order` lists them with the most significant first.
    pub(super) fn adjusted_p_values(&self, testable: &[bool], order: &[usize]) -> Vec<Option<f64>> {
        let mut adjusted = vec![None; testable.len()];
        let mut highest = 0.0_f64;
        for &index in order {
            let p = testable.get(index).zip(self.largest_at_least_as_far.get(index));
            let p = p.and_then(|(testable, far)| self.p_value(*testable, *far));
            if let (Some(p), Some(slot)) = (p, adjusted.get_mut(index)) {
                highest = highest.max(p);
                *slot = Some(highest);
            }
        }
        adjusted
    }

    fn p_value(&self, testable: bool, far: u64) -> Option<f64> {
        (testable && self.resamples > 0).then(|| whole(far + 1) / whole(self.resamples + 1))
    }
}

fn column(keys: &[u64], deltas: &[Option<f64>]) -> Result<Column, Untestable> {
    if keys.len() != deltas.len() {
        return Err(Untestable::UnequalLengths { expected: keys.len(), found: deltas.len() });
    }
    let mut units: Vec<(u64, f64)> = keys.iter().zip(deltas).map(|(&key, delta)| (key, delta.unwrap_or(0.0))).collect();
    units.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let deltas: Vec<f64> = units.into_iter().map(|(_, delta)| delta).collect();
    let norm = sum(deltas.iter().map(|delta| delta * delta)).sqrt();
    let observed = sum(deltas.iter().copied()).abs();
    let bound = observed - ROUNDING * sum(deltas.iter().map(|delta| delta.abs()));
    if !(norm.is_finite() && bound.is_finite()) {
        return Err(Untestable::NotFinite);
    }
    Ok(Column { deltas, norm, bound })
}

/// Returns the sums of the deltas under the signs of 64 resamples; bit i of a unit's word is its sign in resample i.
fn signed_sums(words: &[u64], deltas: &[f64]) -> [f64; LANES] {
    let mut sums = [0.0; LANES];
    for (&word, &delta) in words.iter().zip(deltas) {
        let magnitude = delta.to_bits();
        for (lane, sum) in sums.iter_mut().enumerate() {
            *sum += f64::from_bits(magnitude ^ ((word >> lane) << 63));
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::exact_sign_flip;
    use proptest::prelude::*;

    fn defined(deltas: &[f64]) -> Vec<Option<f64>> {
        deltas.iter().copied().map(Some).collect()
    }

    fn p_of(seed: u64, deltas: &[f64], resamples: u64) -> f64 {
        let keys: Vec<u64> = (0..deltas.len() as u64).collect();
        let test = Randomisation::new(seed, &keys, &[&defined(deltas)]).unwrap();
        test.p_values(&test.count(0..resamples))[0].unwrap()
    }

    #[test]
    fn approaches_the_exact_p() {
        let deltas = [0.3, -0.1, 0.4, 0.2, -0.2, 0.5, 0.1, 0.05, -0.15, 0.25];
        let exact = exact_sign_flip(&deltas).unwrap().p_two_sided();
        let error = (exact * (1.0 - exact) / 20_000.0).sqrt();
        assert!((p_of(7, &deltas, 20_000) - exact).abs() < 4.0 * error);
    }

    #[test]
    fn one_metric_needs_no_adjustment() {
        let deltas = defined(&[0.3, -0.1, 0.4, 0.2]);
        let test = Randomisation::new(3, &[1, 2, 3, 4], &[&deltas]).unwrap();
        let counts = test.count(0..1000);
        assert_eq!(test.p_values(&counts), test.adjusted_p_values(&counts));
    }

    #[test]
    fn copies_of_a_metric_cost_nothing_and_independent_ones_do() {
        let keys: Vec<u64> = (0..40).collect();
        let first = defined(&keys.iter().map(|&key| 0.1 + ((key * 37 % 41) as f64 / 41.0 - 0.5)).collect::<Vec<_>>());
        let other = defined(&keys.iter().map(|&key| (key * 29 % 43) as f64 / 43.0 - 0.5).collect::<Vec<_>>());
        let same = Randomisation::new(5, &keys, &[&first, &first]).unwrap();
        let counts = same.count(0..2000);
        assert_eq!(same.p_values(&counts), same.adjusted_p_values(&counts));

        let both = Randomisation::new(5, &keys, &[&other, &first]).unwrap();
        let counts = both.count(0..2000);
        let (raw, adjusted) = (both.p_values(&counts), both.adjusted_p_values(&counts));
        assert!(adjusted[1] > raw[1] && adjusted[1] < raw[1].map(|p| 2.0 * p + 0.01), "{raw:?} {adjusted:?}");
        assert!(adjusted[0] >= adjusted[1]);
    }

    #[test]
    fn a_metric_without_differences_has_no_p_and_does_not_disturb_the_others() {
        let deltas = defined(&[0.3, -0.1, 0.4, 0.2]);
        let test = Randomisation::new(3, &[1, 2, 3, 4], &[&[None, Some(0.0), None, Some(0.0)], &deltas]).unwrap();
        let counts = test.count(0..500);
        assert_eq!(test.adjusted_p_values(&counts)[0], None);
        let alone = Randomisation::new(3, &[1, 2, 3, 4], &[&deltas]).unwrap();
        assert_eq!(test.p_values(&counts)[1], alone.p_values(&alone.count(0..500))[0]);
        assert_eq!(alone.p_values(&alone.count(5..5)), [None]);
    }

    #[test]
    fn constant_deltas_have_the_least_p() {
        let p = p_of(11, &[0.1; 30], 999);
        assert_eq!(p, 0.001);
    }

    #[test]
    fn untestable_inputs_are_refused() {
        assert_eq!(Randomisation::new(0, &[], &[]).unwrap_err(), Untestable::TooFewPairs { found: 0, needed: 1 });
        let uneven = Randomisation::new(0, &[1, 2], &[&[Some(1.0)]]).unwrap_err();
        assert_eq!(uneven, Untestable::UnequalLengths { expected: 2, found: 1 });
        for odd in [f64::NAN, f64::INFINITY, 1e200] {
            assert_eq!(Randomisation::new(0, &[1], &[&[Some(odd)]]).unwrap_err(), Untestable::NotFinite);
        }
    }

    #[test]
    fn false_alarms_come_at_the_nominal_rate() {
        let alarms = (0..200_u64)
            .filter(|&experiment| {
                let deltas: Vec<f64> =
                    (0..20).map(|unit| bits(experiment, 1, unit) as f64 / u64::MAX as f64 - 0.5).collect();
                p_of(experiment, &deltas, 199) <= 0.1
            })
            .count();
        // Binomial with mean 20 and standard deviation 4.2.
        assert!((4..=36).contains(&alarms), "{alarms}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn counts_do_not_depend_on_row_order_or_partition(
            units in prop::collection::vec((any::<u64>(), -1.0_f64..1.0, prop::option::of(-1.0_f64..1.0)), 1..30),
            rotation in 0_usize..30, at in 0_u64..300,
        ) {
            let test = |units: &[(u64, f64, Option<f64>)]| {
                let keys: Vec<u64> = units.iter().map(|unit| unit.0).collect();
                let first: Vec<Option<f64>> = units.iter().map(|unit| Some(unit.1)).collect();
                let second: Vec<Option<f64>> = units.iter().map(|unit| unit.2).collect();
                Randomisation::new(99, &keys, &[&first, &second]).unwrap()
            };
            let whole = test(&units).count(0..300);
            let mut rotated = units.clone();
            rotated.rotate_left(rotation % units.len());
            let rotated = test(&rotated);
            let mut parts = rotated.count(at..300);
            parts.merge(&rotated.count(0..at));
            prop_assert_eq!(parts, whole);
        }
    }
}
