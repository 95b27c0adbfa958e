//! Deltas added up one by one: from the sums follow count, mean and variance, as exact as if all deltas were there.

use serde::{Deserialize, Serialize};

use super::Moments;
use crate::sum::{CompensatedSum, whole};

/// The sums of deltas and of their squares, in twice the precision of a number, and their range.
///
/// Parts merge, and the moments of merged parts equal [`Moments::of`] of all deltas to 1e-13 of the mean and the deviation: the
/// squares are summed with what rounding takes from each (Dekker 1971), so that subtracting the mean's share cancels nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct DeltaSums {
    count: u64,
    sum: CompensatedSum,
    squares: CompensatedSum,
    #[serde(with = "crate::every_float")]
    lost: f64,
    range: Option<Range>,
}

/// The least and the greatest delta.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Range {
    #[serde(with = "crate::every_float")]
    least: f64,
    #[serde(with = "crate::every_float")]
    greatest: f64,
}

impl Range {
    fn merge(self, other: Self) -> Self {
        Self { least: self.least.min(other.least), greatest: self.greatest.max(other.greatest) }
    }
}

impl DeltaSums {
    /// Adds one delta.
    pub fn add(&mut self, delta: f64) {
        let square = delta * delta;
        self.count += 1;
        self.sum.add(delta);
        self.squares.add(square);
        self.lost += delta.mul_add(delta, -square);
        let of_delta = Range { least: delta, greatest: delta };
        self.range = Some(self.range.map_or(of_delta, |range| range.merge(of_delta)));
    }

    /// Adds the deltas of another part.
    pub fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.sum.merge(other.sum);
        self.squares.merge(other.squares);
        self.lost += other.lost;
        self.range = self.range.into_iter().chain(other.range).reduce(Range::merge);
    }

    /// Returns the number of deltas.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Returns the mean delta, `None` without deltas.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum.total() / whole(self.count))
    }

    /// Returns the sum of the squared deltas; 0 without deltas.
    #[must_use]
    pub fn squares(&self) -> f64 {
        let (squares, rest) = self.squares.parts();
        squares + (rest + self.lost)
    }

    /// Returns the largest absolute delta, 0 without deltas.
    #[must_use]
    pub fn largest(&self) -> f64 {
        self.range.map_or(0.0, |range| range.least.abs().max(range.greatest.abs()))
    }

    /// Returns whether there are deltas and every one is 0.
    #[must_use]
    pub fn all_zero(&self) -> bool {
        self.range.is_some_and(|range| range.least == 0.0 && range.greatest == 0.0) && self.sum.total() == 0.0
    }

    /// Returns the moments of the deltas. Equal deltas have exactly no deviation.
    #[must_use]
    pub fn moments(&self) -> Moments {
        let squared_deviations = match self.range {
            Some(range) if range.least < range.greatest => self.squared_deviations(),
            // A number that is none must be seen, not taken for no deviation.
            Some(_) => self.sum.total() - self.sum.total(),
            None => 0.0,
        };
        let count = usize::try_from(self.count).unwrap_or(usize::MAX);
        let range = self.range.map(|range| (range.least, range.greatest));
        Moments::of_parts(count, self.mean().unwrap_or_default(), squared_deviations, range)
    }

    /// The sum of squares less sum² / n, each as a leading part and a rest.
    fn squared_deviations(&self) -> f64 {
        let n = whole(self.count);
        let (sum, rest) = self.sum.parts();
        let square = sum * sum;
        let square_rest = sum.mul_add(sum, -square) + 2.0 * sum * rest;
        let share = square / n;
        let share_rest = ((-share).mul_add(n, square) + square_rest) / n;
        let (squares, squares_rest) = self.squares.parts();
        let deviations = (squares - share) + ((squares_rest + self.lost) - share_rest);
        if deviations < 0.0 { 0.0 } else { deviations }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{Untestable, paired_t, paired_t_of_moments};
    use proptest::prelude::*;

    fn summed(deltas: &[f64]) -> DeltaSums {
        let mut sums = DeltaSums::default();
        deltas.iter().for_each(|delta| sums.add(*delta));
        sums
    }

    #[test]
    fn deltas_far_from_zero_keep_their_deviation() {
        let deltas: Vec<f64> = (0..1000).map(|index| 1e6 + f64::from(index % 7) * 1e-3).collect();
        let expected = paired_t(&deltas).unwrap();
        let found = paired_t_of_moments(&summed(&deltas).moments()).unwrap();
        assert!((found.standard_deviation / expected.standard_deviation - 1.0).abs() < 1e-12);
        assert!((found.statistic.t() / expected.statistic.t() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn what_cannot_be_tested_is_told_apart_as_with_all_deltas() {
        for deltas in [vec![], vec![0.5], vec![0.0, -0.0], vec![0.1; 1000], vec![f64::NAN; 2], vec![1e300, 1.0, -1e300]]
        {
            let expected = paired_t(&deltas).unwrap_err();
            let found = paired_t_of_moments(&summed(&deltas).moments()).unwrap_err();
            assert_eq!(std::mem::discriminant(&found), std::mem::discriminant(&expected), "{deltas:?}");
        }
        let constant = paired_t_of_moments(&summed(&[0.25; 4]).moments());
        assert_eq!(constant, Err(Untestable::Constant { pairs: 4, delta: 0.25 }));
        assert!(summed(&[0.0, -0.0]).all_zero() && !summed(&[]).all_zero() && !summed(&[0.0, f64::NAN]).all_zero());
    }

    #[test]
    fn sums_that_are_not_finite_are_stored_too() {
        for deltas in [&[1e200, -1.0][..], &[f64::MAX, f64::MAX], &[f64::INFINITY], &[f64::NAN], &[0.1, 0.2], &[]] {
            let sums = summed(deltas);
            let text = serde_json::to_string(&sums).unwrap();
            let read: DeltaSums = serde_json::from_str(&text).unwrap();
            // NaN equals nothing: its digits do.
            assert_eq!(serde_json::to_string(&read).unwrap(), text);
            assert_eq!(format!("{read:?}"), format!("{sums:?}"));
        }
    }

    proptest! {
        #[test]
        fn sums_of_parts_give_the_test_of_the_whole(
            deltas in prop::collection::vec(-1.0_f64..1.0, 2..200), shift in prop_oneof![Just(0.0), Just(1e3)], at in 0_usize..200
        ) {
            let deltas: Vec<f64> = deltas.iter().map(|delta| delta + shift).collect();
            let (head, tail) = deltas.split_at(at.min(deltas.len()));
            let mut sums = summed(head);
            sums.merge(summed(tail));
            let found = paired_t_of_moments(&sums.moments());
            let expected = paired_t(&deltas);
            prop_assert_eq!(found.is_ok(), expected.is_ok());
            if let (Ok(found), Ok(expected)) = (found, expected) {
                prop_assert!((found.standard_deviation / expected.standard_deviation - 1.0).abs() < 1e-12);
                prop_assert!((found.statistic.estimate - expected.statistic.estimate).abs() <= 1e-15 * shift.max(1.0));
            }
        }
    }
}
