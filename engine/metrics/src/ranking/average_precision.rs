//! Average precision.

use std::num::NonZeroUsize;

use super::explanation::{Weighing, one_if};
use super::graded::Grades;
use super::{RankedGrades, Relevance};
use crate::sum::{count, sum};

/// Returns the mean, over all relevant items of the session, of the precision at the rank of each; 0 for an item that was
/// not returned (above the cutoff), so in [0, 1]: `map` of trec_eval, with a cutoff its `map_cut`.
///
/// Undefined where nothing is relevant.
#[must_use]
pub fn average_precision(grades: &RankedGrades<'_>, relevance: Relevance, cutoff: Option<NonZeroUsize>) -> Option<f64> {
    value(grades, relevance, cutoff)
}

pub(crate) fn value(grades: &impl Grades, relevance: Relevance, cutoff: Option<NonZeroUsize>) -> Option<f64> {
    let relevant = grades.relevant(relevance)?.get();
    let ranks = grades.found(cutoff).filter(|(_, grade)| relevance.holds(*grade));
    let precisions = ranks.zip(1..).map(|((index, _), found)| count(found) / count(index + 1));
    Some(sum(precisions) / count(relevant))
}

pub(crate) fn weigh(grades: &RankedGrades<'_>, relevance: Relevance, cutoff: Option<NonZeroUsize>) -> Option<Weighing> {
    let relevant = count(grades.relevant(relevance)?.get());
    let mut found = 0;
    let ranks = grades.top(cutoff).iter().enumerate().map(|(index, &grade)| {
        found += usize::from(relevance.holds_at(grade));
        (one_if(relevance.holds_at(grade)), count(found) / count(index + 1))
    });
    Some(Weighing::new(relevant, ranks))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRADES: RankedGrades<'_> =
        RankedGrades { ranked: &[Some(1.0), None, Some(1.0), Some(0.0)], judged: &[1.0, 1.0, 0.0, 1.0] };

    #[test]
    fn missing_items_count_as_zero() {
        let expected = (1.0 + 2.0 / 3.0) / 3.0;
        assert!((average_precision(&GRADES, Relevance::AboveZero, None).unwrap() - expected).abs() < 1e-15);
    }

    #[test]
    fn the_cutoff_does_not_shrink_the_divisor() {
        let cut = average_precision(&GRADES, Relevance::AboveZero, NonZeroUsize::new(2)).unwrap();
        assert!((cut - 1.0 / 3.0).abs() < 1e-15);
    }

    #[test]
    fn undefined_where_nothing_is_relevant() {
        let grades = RankedGrades { ranked: &[], judged: &[0.0] };
        assert_eq!(average_precision(&grades, Relevance::AboveZero, None), None);
    }
}
