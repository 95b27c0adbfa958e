//! The randomisation test of deltas that come in parts: memory grows with tests and resamples, not with sessions.
//!
//! The sum of deltas under random signs is a sum over sessions even where whole clusters flip, since sessions of one cluster have
//! the same sign. So all that is kept is one sum per test and resample. Sums are whole numbers of a quantum that follows from
//! each test's extent: they are exact, so that neither the order of rows nor the cut into parts nor the number of threads
//! changes a bit.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::counter_random::bits;
use super::randomisation::{LANES, ROUNDING, RandomisationCounts};
use crate::sum::whole;

/// Sums stay below 2 to this power, so that twice a sum is still a 64-bit number.
const SUM_BITS: i32 = 61;

/// How large the deltas of one test can add up: known before they are read a second time.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Extent {
    /// Number of deltas, or more.
    pub deltas: u64,
    /// The largest absolute delta, or more.
    pub largest: f64,
}

/// Some sessions' deltas, each with the key of what flips as a whole: a hash of the session's id, or of its cluster's key.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SignBatch {
    keys: Vec<u64>,
    /// Where each key's entries end.
    ends: Vec<usize>,
    entries: Vec<(u32, f64)>,
}

impl SignBatch {
    /// Starts a session.
    pub fn session(&mut self, key: u64) {
        self.keys.push(key);
        self.ends.push(self.entries.len());
    }

    /// Adds the session's delta in the test of that number; nothing before the first session.
    pub fn delta(&mut self, test: u32, delta: f64) {
        // A delta of 0 has no sign.
        if let (Some(end), true) = (self.ends.last_mut(), delta != 0.0) {
            self.entries.push((test, delta));
            *end = self.entries.len();
        }
    }
}

/// The sums of several tests' deltas under the random signs of [`super::Randomisation`].
///
/// Parts that were made alike merge, in any order, into the same sums.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StreamedRandomisation {
    seed: u64,
    resamples: Range<u64>,
    /// Quanta per unit of a test's deltas; 0 where it has nothing to test.
    scales: Vec<f64>,
    totals: Vec<Total>,
    /// By block of resamples, then by test: the sums of what has the other sign.
    #[serde(with = "lanes")]
    flipped: Vec<[i64; LANES]>,
}

/// Blocks of sums in a row: serde knows no arrays of that length.
mod lanes {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::LANES;

    pub(super) fn serialize<S: Serializer>(blocks: &[[i64; LANES]], serializer: S) -> Result<S::Ok, S::Error> {
        blocks.as_flattened().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<[i64; LANES]>, D::Error> {
        let sums = Vec::<i64>::deserialize(deserializer)?;
        match sums.as_chunks() {
            (blocks, []) => Ok(blocks.to_vec()),
            _ => Err(D::Error::invalid_length(sums.len(), &"whole blocks of sums")),
        }
    }
}

/// What a test's deltas add up to as they are, in quanta.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Total {
    sum: i64,
    absolute: i64,
    entries: u64,
}

/// The p-values of streamed tests, in their order; `None` where all deltas of a test are 0.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamedPValues {
    /// Each test's own p, as [`super::Randomisation::p_values`].
    pub p: Vec<Option<f64>>,
    /// Each test's p adjusted for all of them (step-down MaxT), as [`super::Randomisation::adjusted_p_values`].
    pub adjusted: Vec<Option<f64>>,
}

impl StreamedRandomisation {
    /// Starts the sums of a range of resamples, without deltas; there is one extent per test.
    ///
    /// A test with an extent of 0 or one that is no finite number is left out.
    #[must_use]
    pub fn new(seed: u64, resamples: Range<u64>, tests: &[Extent]) -> Self {
        let scales: Vec<f64> = tests.iter().map(scale).collect();
        let blocks = blocks(&resamples).count();
        let flipped = vec![[0; LANES]; blocks * scales.len()];
        Self { seed, resamples, totals: vec![Total::default(); scales.len()], scales, flipped }
    }

    /// Returns the bytes of the sums of one test under that many resamples.
    #[must_use]
    pub fn bytes_per_test(resamples: u64) -> u64 {
        resamples.div_ceil(LANES as u64) * size_of::<[i64; LANES]>() as u64
    }

    /// Returns the number of resamples in the sums.
    #[must_use]
    pub fn resamples(&self) -> u64 {
        self.resamples.end.saturating_sub(self.resamples.start)
    }

    /// Adds deltas. Those of numbers that no test has are left out.
    pub fn add(&mut self, batch: &SignBatch) {
        let tests = self.scales.len();
        let quanta = |(test, delta): &(u32, f64)| {
            let scale = self.scales.get(*test as usize).copied().unwrap_or_default();
            #[expect(clippy::cast_possible_truncation, reason = "the scale keeps every delta far within 64 bits")]
            let quanta = (delta * scale).round() as i64;
            (*test as usize, quanta)
        };
        let entries: Vec<(usize, i64)> = batch.entries.iter().map(quanta).collect();
        for (test, quanta) in &entries {
            if let Some(total) = self.totals.get_mut(*test) {
                total.sum = total.sum.saturating_add(*quanta);
                total.absolute = total.absolute.saturating_add(quanta.saturating_abs());
                total.entries += 1;
            }
        }
        // Blocks outside, so that the sums at work stay in the fastest memory.
        for (block, sums) in blocks(&self.resamples).zip(self.flipped.chunks_mut(tests.max(1))) {
            let mut start = 0;
            for (key, end) in batch.keys.iter().zip(&batch.ends) {
                let of_session = entries.get(start..*end).unwrap_or_default();
                start = *end;
                if of_session.is_empty() {
                    continue;
                }
                let masks = masks(bits(self.seed, block, *key));
                for (test, quanta) in of_session {
                    if let Some(sums) = sums.get_mut(*test) {
                        add_flipped(sums, *quanta, &masks);
                    }
                }
            }
        }
    }

    /// Adds the sums of another part of the deltas, over the same tests and resamples.
    pub fn merge(&mut self, other: &Self) {
        for (ours, theirs) in self.totals.iter_mut().zip(&other.totals) {
            ours.sum = ours.sum.saturating_add(theirs.sum);
            ours.absolute = ours.absolute.saturating_add(theirs.absolute);
            ours.entries += theirs.entries;
        }
        for (ours, theirs) in self.flipped.iter_mut().zip(&other.flipped) {
            ours.iter_mut().zip(theirs).for_each(|(ours, theirs)| *ours = ours.wrapping_add(*theirs));
        }
    }

    /// Counts the resamples that are at least as far as the deltas as they are.
    ///
    /// `squares` holds for each test the sum of the squared sums of what flips as a whole, which no flip changes: of the squared
    /// deltas where every session flips alone, else [`super::ClusterResiduals::squared_sums`].
    #[must_use]
    pub fn counts(&self, squares: &[f64]) -> RandomisationCounts {
        let (tests, order) = self.tests(squares);
        let mut counts = RandomisationCounts::none(tests.len());
        for (block, sums) in blocks(&self.resamples).zip(self.flipped.chunks(tests.len().max(1))) {
            let first = block * LANES as u64;
            for (lane, resample) in (first..first + LANES as u64).enumerate() {
                if self.resamples.contains(&resample) {
                    count_resample(&tests, &order, sums, lane, &mut counts);
                }
            }
        }
        counts
    }

    /// Returns the p-values of counts, of this range of resamples or merged from several.
    #[must_use]
    pub fn p_values(&self, squares: &[f64], counts: &RandomisationCounts) -> StreamedPValues {
        let (tests, order) = self.tests(squares);
        let testable: Vec<bool> = tests.iter().map(|test| test.norm > 0.0).collect();
        StreamedPValues { p: counts.p_values(&testable), adjusted: counts.adjusted_p_values(&testable, &order) }
    }

    /// Returns what each test's sums are compared with, and the tests' numbers with the most significant first.
    fn tests(&self, squares: &[f64]) -> (Vec<Observed>, Vec<usize>) {
        let observed = |((total, scale), squares): ((&Total, &f64), &f64)| {
            let norm = if total.absolute > 0 && squares.is_finite() { squares.max(0.0).sqrt() * scale } else { 0.0 };
            let slack = ROUNDING * quanta(total.absolute) + whole(total.entries);
            Observed { sum: total.sum, norm, bound: quanta(total.sum).abs() - slack }
        };
        let tests: Vec<Observed> = self.totals.iter().zip(&self.scales).zip(squares).map(observed).collect();
        let distance = |index: &usize| {
            let test = tests.get(*index).filter(|test| test.norm > 0.0);
            test.map_or(-1.0, |test| quanta(test.sum).abs() / test.norm)
        };
        let mut order: Vec<usize> = (0..tests.len()).collect();
        order.sort_by(|a, b| distance(b).total_cmp(&distance(a)));
        (tests, order)
    }
}

/// One test's observed sum, the root of its squares and the sum that is as far, all in quanta.
struct Observed {
    sum: i64,
    norm: f64,
    bound: f64,
}

/// Counts one resample, from the least significant test to the most, so that the largest sum so far is at hand.
fn count_resample(
    tests: &[Observed],
    order: &[usize],
    flipped: &[[i64; LANES]],
    lane: usize,
    counts: &mut RandomisationCounts,
) {
    counts.resamples += 1;
    let mut largest = 0.0_f64;
    for &index in order.iter().rev() {
        let flipped = flipped.get(index).and_then(|sums| sums.get(lane));
        let (Some(test), Some(flipped)) = (tests.get(index), flipped) else { continue };
        if test.norm == 0.0 {
            continue;
        }
        let sum = quanta(test.sum - 2 * flipped).abs();
        largest = largest.max(sum / test.norm);
        if let Some(far) = counts.at_least_as_far.get_mut(index) {
            *far += u64::from(sum >= test.bound);
        }
        if let Some(far) = counts.largest_at_least_as_far.get_mut(index) {
            *far += u64::from(largest >= test.bound.max(0.0) / test.norm);
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the last bits of a sum of 2^61 quanta are far below the slack of a comparison"
)]
pub(super) fn quanta(number: i64) -> f64 {
    number as f64
}

/// Returns the quanta per unit with which the deltas of a test can be added up, a power of two; 0 where there is nothing to add.
pub(super) fn scale(extent: &Extent) -> f64 {
    let most = whole(extent.deltas) * extent.largest;
    if !(most > 0.0 && most.is_finite()) {
        return 0.0;
    }
    #[expect(clippy::cast_possible_truncation, reason = "the logarithm of a number is below 1100")]
    let exponent = SUM_BITS - most.log2().ceil() as i32;
    2.0_f64.powi(exponent.min(1000))
}

fn blocks(resamples: &Range<u64>) -> Range<u64> {
    let lanes = LANES as u64;
    match resamples.is_empty() {
        true => 0..0,
        false => resamples.start / lanes..resamples.end.div_ceil(lanes),
    }
}

/// Returns for each resample of a block all ones where the sign is flipped.
fn masks(word: u64) -> [i64; LANES] {
    let mut masks = [0; LANES];
    for (lane, mask) in masks.iter_mut().enumerate() {
        *mask = ((word >> lane) & 1).cast_signed().wrapping_neg();
    }
    masks
}

fn add_flipped(sums: &mut [i64; LANES], quanta: i64, masks: &[i64; LANES]) {
    for (sum, mask) in sums.iter_mut().zip(masks) {
        *sum = sum.wrapping_add(quanta & mask);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{ClusterSum, Randomisation, cluster_sums};
    use proptest::prelude::*;

    /// Deltas of two tests by session and cluster, summed up in parts of a size.
    fn streamed(
        resamples: Range<u64>,
        sessions: &[(u64, [Option<f64>; 2])],
        parts: usize,
    ) -> (StreamedRandomisation, Vec<f64>) {
        let deltas = |test: usize| sessions.iter().filter_map(move |session| session.1[test]);
        let extents = [0, 1].map(|test| Extent {
            deltas: deltas(test).count() as u64,
            largest: deltas(test).fold(0.0, |largest, delta| largest.max(delta.abs())),
        });
        let mut whole = StreamedRandomisation::new(99, resamples.clone(), &extents);
        for part in sessions.chunks(parts) {
            let (mut batch, mut sums) =
                (SignBatch::default(), StreamedRandomisation::new(99, resamples.clone(), &extents));
            for (key, deltas) in part {
                batch.session(*key);
                (0..).zip(deltas).for_each(|(test, delta)| batch.delta(test, delta.unwrap_or(0.0)));
            }
            sums.add(&batch);
            whole.merge(&sums);
        }
        let squares = [0, 1].map(|test| sums_of(sessions, test).iter().map(|sum| sum.sum * sum.sum).sum());
        (whole, squares.into())
    }

    /// The sums of the clusters in one test, by key.
    fn sums_of(sessions: &[(u64, [Option<f64>; 2])], test: usize) -> Vec<ClusterSum> {
        let keys: Vec<usize> = sessions.iter().map(|session| session.0 as usize).collect();
        let deltas: Vec<f64> = sessions.iter().map(|session| session.1[test].unwrap_or(0.0)).collect();
        cluster_sums(&deltas, &keys).unwrap()
    }

    fn in_memory(sessions: &[(u64, [Option<f64>; 2])]) -> Randomisation {
        let mut keys: Vec<u64> = sessions.iter().map(|session| session.0).collect();
        keys.sort_unstable();
        keys.dedup();
        let column = |test| -> Vec<Option<f64>> { sums_of(sessions, test).iter().map(|sum| Some(sum.sum)).collect() };
        Randomisation::new(99, &keys, &[&column(0), &column(1)]).unwrap()
    }

    #[test]
    fn tests_without_differences_or_with_odd_extents_have_no_p() {
        let (test, squares) = streamed(0..500, &[(1, [Some(0.5), Some(0.0)]), (2, [Some(0.25), None])], 1);
        let found = test.p_values(&squares, &test.counts(&squares));
        assert!(found.p[0].is_some() && found.p[1].is_none() && found.adjusted[1].is_none());
        let odd = Extent { deltas: 1, largest: f64::INFINITY };
        let mut none = StreamedRandomisation::new(1, 0..10, &[odd, Extent::default()]);
        let mut batch = SignBatch::default();
        batch.delta(0, 1.0);
        batch.session(7);
        (0..3).for_each(|test| batch.delta(test, 1e300));
        none.add(&batch);
        assert_eq!(none.p_values(&[1.0, 0.0], &none.counts(&[1.0, 0.0])).p, [None, None]);
        let empty = StreamedRandomisation::new(1, 5..5, &[Extent { deltas: 1, largest: 1.0 }]);
        assert_eq!(empty.p_values(&[1.0], &empty.counts(&[1.0])).p, [None]);
        assert_eq!((empty.resamples(), StreamedRandomisation::bytes_per_test(65)), (0, 1024));
    }

    #[test]
    fn tiny_and_huge_deltas_are_tested_alike() {
        let deltas = [0.3, -0.1, 0.4, 0.2, -0.2, 0.5, 0.1, 0.05];
        let p = |unit: f64| {
            let sessions: Vec<_> = (0..).zip(deltas).map(|(key, delta)| (key, [Some(delta * unit), None])).collect();
            let (test, squares) = streamed(0..2000, &sessions, 3);
            test.p_values(&squares, &test.counts(&squares)).p[0]
        };
        assert!(p(1.0).is_some());
        assert_eq!(p(1.0), p(1e-120));
        assert_eq!(p(1.0), p(1e120));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn streamed_counts_are_those_of_the_test_in_memory(
            sessions in prop::collection::vec(
                // Tenths tie often, which rounding must not tell apart.
                (0_u64..12, -9_i32..10, prop::option::of(-1.0_f64..1.0)), 1..40),
            parts in 1_usize..40, at in 0_u64..300, rotation in 0_usize..40,
        ) {
            let sessions: Vec<(u64, [Option<f64>; 2])> =
                sessions.into_iter().map(|(key, tenths, other)| (key, [Some(f64::from(tenths) / 10.0), other])).collect();
            let memory = in_memory(&sessions);
            let expected = memory.count(0..300);
            let mut rotated = sessions.clone();
            rotated.rotate_left(rotation % sessions.len());
            let (first, squares) = streamed(0..at, &rotated, parts);
            let (second, _) = streamed(at..300, &sessions, parts);
            let mut counts = second.counts(&squares);
            counts.merge(&first.counts(&squares));
            prop_assert_eq!(&counts, &expected);
            let found = second.p_values(&squares, &counts);
            prop_assert_eq!(found.p, memory.p_values(&expected));
            prop_assert_eq!(found.adjusted, memory.adjusted_p_values(&expected));
            let (whole, _) = streamed(0..300, &sessions, 40);
            let (turned, _) = streamed(0..300, &rotated, parts);
            prop_assert_eq!(whole, turned);
        }
    }
}
