//! The randomisation test with every assignment of signs counted.

use super::Untestable;
use crate::sum::{count, sum, whole};

/// Beyond this many units a Monte Carlo test is the right one.
const MOST_UNITS: usize = 32;

/// Sums that differ by less than this share of the sum of absolute deltas are equal, written with rounding errors.
const ROUNDING: f64 = 1e-12;

/// The outcome of an exact randomisation test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExactSignFlip {
    /// The mean delta.
    pub mean: f64,
    /// Assignments of signs whose mean is at least as far from 0.
    pub at_least_as_far: u64,
    /// All assignments: 2^n.
    pub assignments: u64,
}

impl ExactSignFlip {
    /// Returns the share of assignments at least as far from 0, the observed one included.
    #[must_use]
    pub fn p_two_sided(&self) -> f64 {
        whole(self.at_least_as_far) / whole(self.assignments)
    }
}

/// Returns the exact test of whether deltas are as likely positive as negative (Fisher 1935), as
/// `scipy.stats.permutation_test` with `permutation_type="samples"` and all resamples.
///
/// For clusters, give their sums: the sign of a whole cluster is flipped then.
///
/// # Errors
///
/// Where there are no deltas or more than 32, one is not finite, or all are 0.
pub fn exact_sign_flip(deltas: &[f64]) -> Result<ExactSignFlip, Untestable> {
    if deltas.is_empty() {
        return Err(Untestable::TooFewPairs { found: 0, needed: 1 });
    }
    if deltas.len() > MOST_UNITS {
        return Err(Untestable::TooManyForExact { found: deltas.len(), limit: MOST_UNITS });
    }
    let total = sum(deltas.iter().copied());
    let scale = sum(deltas.iter().map(|delta| delta.abs()));
    if !scale.is_finite() {
        return Err(Untestable::NotFinite);
    }
    if scale == 0.0 {
        return Err(Untestable::Identical { pairs: deltas.len() });
    }
    // Every sum is one of the first half's plus one of the second's: 2 · 2^(n/2) sums to build instead of 2^n.
    let (first, second) = deltas.split_at(deltas.len() / 2);
    let mut second = signed_sums(second);
    second.sort_unstable_by(f64::total_cmp);
    let bound = total.abs() - ROUNDING * scale;
    let beyond = |start: f64| {
        let high = second.len() - second.partition_point(|end| start + end < bound);
        let low = second.partition_point(|end| start + end <= -bound);
        if bound <= 0.0 { second.len() } else { high + low }
    };
    let at_least_as_far = signed_sums(first).into_iter().map(|start| beyond(start) as u64).sum();
    Ok(ExactSignFlip { mean: total / count(deltas.len()), at_least_as_far, assignments: 1 << deltas.len() })
}

/// Returns the sums of the deltas under all assignments of signs.
fn signed_sums(deltas: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0];
    for delta in deltas {
        sums = sums.iter().flat_map(|sum| [sum + delta, sum - delta]).collect();
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn all_positive_deltas_have_two_extreme_assignments() {
        let test = exact_sign_flip(&[0.1, 0.2, 0.3, 0.4]).unwrap();
        assert_eq!((test.at_least_as_far, test.assignments), (2, 16));
        assert_eq!(test.p_two_sided(), 0.125);
        assert_eq!(exact_sign_flip(&[-2.0]).unwrap().p_two_sided(), 1.0);
    }

    #[test]
    fn sums_equal_but_for_rounding_are_ties() {
        // 0.1 + 0.2 - 0.3 is not 0 in floats, and neither order of adding may matter.
        let test = exact_sign_flip(&[0.1, 0.2, -0.3]).unwrap();
        assert_eq!(test.at_least_as_far, 8);
    }

    #[test]
    fn untestable_deltas_are_told_apart() {
        assert_eq!(exact_sign_flip(&[]), Err(Untestable::TooFewPairs { found: 0, needed: 1 }));
        assert_eq!(exact_sign_flip(&[0.0; 3]), Err(Untestable::Identical { pairs: 3 }));
        assert_eq!(exact_sign_flip(&[1.0; 33]), Err(Untestable::TooManyForExact { found: 33, limit: 32 }));
        assert_eq!(exact_sign_flip(&[f64::NAN]), Err(Untestable::NotFinite));
    }

    proptest! {
        #[test]
        fn equals_plain_enumeration(deltas in prop::collection::vec(-5_i32..6, 1..12)) {
            let values: Vec<f64> = deltas.iter().map(|&delta| f64::from(delta) / 10.0).collect();
            let total: i32 = deltas.iter().sum();
            let expected = (0_u32..1 << deltas.len())
                .filter(|signs| {
                    let flipped = deltas.iter().enumerate().map(|(index, delta)| if signs >> index & 1 == 1 { -delta } else { *delta });
                    flipped.sum::<i32>().abs() >= total.abs()
                })
                .count() as u64;
            match exact_sign_flip(&values) {
                Ok(test) => prop_assert_eq!(test.at_least_as_far, expected),
                Err(outcome) => prop_assert_eq!(outcome, Untestable::Identical { pairs: deltas.len() }),
            }
        }
    }
}
