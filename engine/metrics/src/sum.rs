//! Sums whose rounding error does not grow with the number of terms.

use serde::{Deserialize, Serialize};

/// Adds numbers with Neumaier's compensation, so that the error stays at a few units in the last place of the total.
///
/// The total depends on the order of the terms only in its last digits; where equal bits matter, terms and merges must
/// come in a fixed order. Source: Neumaier 1974, Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct CompensatedSum {
    #[serde(with = "crate::every_float")]
    total: f64,
    #[serde(with = "crate::every_float")]
    lost: f64,
}

impl CompensatedSum {
    /// Adds one finite number.
    pub fn add(&mut self, term: f64) {
        let next = self.total + term;
        self.lost +=
            if self.total.abs() >= term.abs() { (self.total - next) + term } else { (term - next) + self.total };
        self.total = next;
    }

    /// Adds the terms of another sum.
    pub fn merge(&mut self, other: Self) {
        self.add(other.total);
        self.add(other.lost);
    }

    /// Returns the total as a leading part and what rounding took from it.
    pub(crate) fn parts(self) -> (f64, f64) {
        (self.total, self.lost)
    }

    /// Returns the total; 0 where nothing was added.
    #[must_use]
    pub fn total(self) -> f64 {
        self.total + self.lost
    }
}

impl FromIterator<f64> for CompensatedSum {
    fn from_iter<I: IntoIterator<Item = f64>>(terms: I) -> Self {
        let mut sum = Self::default();
        for term in terms {
            sum.add(term);
        }
        sum
    }
}

/// Returns the compensated sum of the terms in their order; 0 for none.
pub fn sum(terms: impl IntoIterator<Item = f64>) -> f64 {
    terms.into_iter().collect::<CompensatedSum>().total()
}

/// Returns the arithmetic mean, `None` for no values.
#[must_use]
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| sum(values.iter().copied()) / count(values.len()))
}

/// Returns a count as a float; exact up to 2^53, beyond any number of sessions.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
pub(crate) fn count(items: usize) -> f64 {
    items as f64
}

/// Returns a 64-bit count as a float; exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
pub(crate) fn whole(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn small_terms_survive_beside_large_ones() {
        assert_eq!(sum([1.0, 1e100, 1.0, -1e100]), 2.0);
        assert_eq!(sum(std::iter::repeat_n(0.1, 10)), 1.0);
        assert_eq!(sum([]), 0.0);
    }

    #[test]
    fn mean_of_nothing_is_undefined() {
        assert_eq!(mean(&[]), None);
        assert_eq!(mean(&[1.0, 2.0, 6.0]), Some(3.0));
    }

    proptest! {
        #[test]
        fn integers_add_exactly_in_any_split(terms in prop::collection::vec(-1_000_000_i32..1_000_000, 0..200), at in 0_usize..200) {
            let at = at.min(terms.len());
            let mut left: CompensatedSum = terms[..at].iter().map(|&term| f64::from(term)).collect();
            left.merge(terms[at..].iter().map(|&term| f64::from(term)).collect());
            let exact: i64 = terms.iter().map(|&term| i64::from(term)).sum();
            prop_assert_eq!(left.total(), exact as f64);
        }
    }
}
