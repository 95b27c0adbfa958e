//! Count, mean and variance of deltas, from which the t-test follows.

use super::Untestable;
use crate::sum::{count, mean, sum};

/// Deltas that differ by less than this share of the largest are one and the same number, written with rounding errors.
const ROUNDING: f64 = 1e-12;

/// Count, mean, squared deviations and range of numbers.
///
/// Parts merge (Chan, Golub and LeVeque 1979); merged moments equal those of the whole up to the last digits, and to the
/// bit where parts merge in a fixed order.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Moments {
    count: usize,
    mean: f64,
    squared_deviations: f64,
    range: Option<(f64, f64)>,
}

impl Moments {
    /// Returns the moments of the values, in two compensated passes.
    #[must_use]
    pub fn of(values: &[f64]) -> Self {
        let mean = mean(values).unwrap_or_default();
        Self {
            count: values.len(),
            mean,
            squared_deviations: sum(values.iter().map(|value| (value - mean) * (value - mean))),
            range: values.iter().map(|&value| (value, value)).reduce(widest),
        }
    }

    /// Returns moments that were found elsewhere.
    pub(super) fn of_parts(count: usize, mean: f64, squared_deviations: f64, range: Option<(f64, f64)>) -> Self {
        Self { count, mean, squared_deviations, range }
    }

    /// Adds the values of other moments.
    pub fn merge(&mut self, other: Self) {
        let total = count(self.count + other.count);
        if total > 0.0 {
            let (ours, theirs) = (count(self.count), count(other.count));
            let apart = other.mean - self.mean;
            self.mean += apart * theirs / total;
            self.squared_deviations += other.squared_deviations + apart * apart * ours * theirs / total;
        }
        self.count += other.count;
        self.range = self.range.into_iter().chain(other.range).reduce(widest);
    }

    /// Returns the number of values.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Returns the mean, `None` without values.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then_some(self.mean)
    }

    /// Returns the sample standard deviation (divisor n - 1), `None` for fewer than two values.
    #[must_use]
    pub fn standard_deviation(&self) -> Option<f64> {
        (self.count > 1).then(|| (self.squared_deviations / (count(self.count) - 1.0)).sqrt())
    }

    /// Returns mean and standard deviation of deltas that a test can be made on.
    ///
    /// # Errors
    ///
    /// Where there are fewer than two deltas, one is not finite, or they do not vary.
    pub(super) fn testable(&self) -> Result<(f64, f64), Untestable> {
        let (Some(deviation), Some((least, greatest))) = (self.standard_deviation(), self.range) else {
            return Err(Untestable::TooFewPairs { found: self.count, needed: 2 });
        };
        if !(self.mean.is_finite() && deviation.is_finite()) {
            return Err(Untestable::NotFinite);
        }
        if least == 0.0 && greatest == 0.0 {
            return Err(Untestable::Identical { pairs: self.count });
        }
        if greatest - least <= ROUNDING * greatest.abs().max(least.abs()) || deviation == 0.0 {
            return Err(Untestable::Constant { pairs: self.count, delta: self.mean });
        }
        Ok((self.mean, deviation))
    }
}

fn widest(a: (f64, f64), b: (f64, f64)) -> (f64, f64) {
    (a.0.min(b.0), a.1.max(b.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn moments_by_hand() {
        let moments = Moments::of(&[2.0, 4.0, 9.0]);
        assert_eq!((moments.count(), moments.mean()), (3, Some(5.0)));
        assert!((moments.standard_deviation().unwrap() - 13.0_f64.sqrt()).abs() < 1e-15);
        assert_eq!(Moments::of(&[]).mean(), None);
        assert_eq!(Moments::of(&[1.0]).standard_deviation(), None);
    }

    #[test]
    fn deltas_that_no_test_can_be_made_on_are_told_apart() {
        assert_eq!(Moments::of(&[0.5]).testable(), Err(Untestable::TooFewPairs { found: 1, needed: 2 }));
        assert_eq!(Moments::of(&[0.0, -0.0, 0.0]).testable(), Err(Untestable::Identical { pairs: 3 }));
        assert_eq!(Moments::of(&[0.25; 4]).testable(), Err(Untestable::Constant { pairs: 4, delta: 0.25 }));
        let rounded = [0.3 - 0.2, 0.5 - 0.4, 0.7 - 0.6];
        assert!(matches!(Moments::of(&rounded).testable(), Err(Untestable::Constant { pairs: 3, .. })));
        for odd in [f64::NAN, f64::INFINITY, 1e300] {
            assert_eq!(Moments::of(&[odd, 1.0, -1e300]).testable(), Err(Untestable::NotFinite), "{odd}");
        }
        assert!(Moments::of(&[0.0, 1e-9]).testable().is_ok());
    }

    proptest! {
        #[test]
        fn merged_parts_equal_the_whole(values in prop::collection::vec(-1.0_f64..1.0, 0..80), at in 0_usize..80) {
            let (head, tail) = values.split_at(at.min(values.len()));
            let mut merged = Moments::of(head);
            merged.merge(Moments::of(tail));
            let whole = Moments::of(&values);
            prop_assert_eq!(merged.count(), whole.count());
            prop_assert!((merged.mean - whole.mean).abs() < 1e-14);
            prop_assert!((merged.squared_deviations - whole.squared_deviations).abs() < 1e-12);
            prop_assert_eq!(merged.range, whole.range);
        }
    }
}
