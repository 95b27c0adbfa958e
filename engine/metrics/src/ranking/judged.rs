//! The judged share of a ranking.

use std::num::NonZeroUsize;

use super::RankedGrades;
use super::explanation::{Weighing, one_if};
use crate::sum::count;

/// Returns the share of the returned items, down to the cutoff, that somebody judged, in [0, 1]: `Judged@k` of
/// ir_measures, whose divisor is the number of returned items where that is below the cutoff.
///
/// Undefined for an empty ranking. It says how far the other metrics can be trusted, and is defined without relevant items.
#[must_use]
pub fn judged(grades: &RankedGrades<'_>, cutoff: Option<NonZeroUsize>) -> Option<f64> {
    let top = grades.top(cutoff);
    (!top.is_empty()).then(|| count(top.iter().flatten().count()) / count(top.len()))
}

pub(crate) fn weigh(grades: &RankedGrades<'_>, cutoff: Option<NonZeroUsize>) -> Option<Weighing> {
    let top = grades.top(cutoff);
    (!top.is_empty()).then(|| Weighing::new(count(top.len()), top.iter().map(|grade| (one_if(grade.is_some()), 1.0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_rankings_are_divided_by_their_length() {
        let grades = RankedGrades { ranked: &[Some(0.0), None, Some(-1.0), None], judged: &[0.0, -1.0] };
        assert_eq!(judged(&grades, NonZeroUsize::new(10)), Some(0.5));
        assert_eq!(judged(&grades, NonZeroUsize::new(3)), Some(2.0 / 3.0));
        assert_eq!(judged(&grades, None), Some(0.5));
    }

    #[test]
    fn undefined_for_an_empty_ranking() {
        assert_eq!(judged(&RankedGrades { ranked: &[], judged: &[1.0] }, None), None);
    }
}
