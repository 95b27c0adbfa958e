//! PaulScore.

use crate::bounded::Proportion;
use crate::sum::{CompensatedSum, mean};

/// Returns Σ F^position over the ranks whose item the user clicked anywhere in the visit, with positions from 0: 0 where none
/// is, at most 1 / (1 - F).
///
/// The clicks of a visit are votes: an item that was clicked for one search of it counts wherever another search of the same
/// visit shows it. A high F (0.9) weighs lower ranks more than a low one (0.1). Source: Paul Nelson's engine scoring, as
/// Wikimedia Discovery uses it (Search glossary, PaulScore). Like all that counts clicks, it favours the ranking that was
/// logged.
#[must_use]
pub fn query_score(clicked: impl IntoIterator<Item = bool>, factor: Proportion) -> f64 {
    let mut total = CompensatedSum::default();
    let mut weight = 1.0;
    for clicked in clicked {
        if clicked {
            total.add(weight);
        }
        weight *= factor.get();
    }
    total.total()
}

/// Returns the mean over visits of the mean score of a visit's searches, so that a visit of many searches counts once: 0 or
/// more, at most 1 / (1 - F). A visit without searches is left out; undefined where none has any.
#[must_use]
pub fn paul_score<'a>(visits: impl IntoIterator<Item = &'a [f64]>) -> Option<f64> {
    let means: Vec<f64> = visits.into_iter().filter_map(mean).collect();
    mean(&means)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn positions_start_at_zero() {
        let half = Proportion::new(0.5).unwrap();
        assert_eq!(query_score([true, false, true], half), 1.25);
        assert_eq!(query_score([false, false], half), 0.0);
        assert_eq!(query_score([], half), 0.0);
    }

    #[test]
    fn each_visit_counts_once() {
        let visits: [&[f64]; 3] = [&[1.0, 0.0], &[0.25], &[]];
        assert_eq!(paul_score(visits), Some(0.375));
        assert_eq!(paul_score([] as [&[f64]; 0]), None);
    }

    proptest! {
        #[test]
        fn scores_stay_in_range(clicks in prop::collection::vec(any::<bool>(), 0..40), factor in 0.01_f64..0.99) {
            let score = query_score(clicks, Proportion::new(factor).unwrap());
            prop_assert!((0.0..=1.0 / (1.0 - factor) + 1e-9).contains(&score));
        }
    }
}
