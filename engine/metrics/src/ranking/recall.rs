//! Recall.

use std::num::NonZeroUsize;

use super::explanation::{Weighing, one_if};
use super::graded::Grades;
use super::{RankedGrades, Relevance};
use crate::sum::count;

/// Returns the share of the session's relevant items that stand at the first `cutoff` ranks, in [0, 1]: `recall` of
/// trec_eval.
///
/// Undefined where nothing is relevant.
#[must_use]
pub fn recall(grades: &RankedGrades<'_>, relevance: Relevance, cutoff: NonZeroUsize) -> Option<f64> {
    value(grades, relevance, cutoff)
}

pub(crate) fn value(grades: &impl Grades, relevance: Relevance, cutoff: NonZeroUsize) -> Option<f64> {
    let relevant = grades.relevant(relevance)?.get();
    Some(count(grades.relevant_found(relevance, cutoff)) / count(relevant))
}

pub(crate) fn weigh(grades: &RankedGrades<'_>, relevance: Relevance, cutoff: NonZeroUsize) -> Option<Weighing> {
    let relevant = count(grades.relevant(relevance)?.get());
    let gain = |&grade: &Option<f64>| (one_if(relevance.holds_at(grade)), 1.0);
    Some(Weighing::new(relevant, grades.top(Some(cutoff)).iter().map(gain)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_relevant_items_that_were_not_returned() {
        let grades = RankedGrades { ranked: &[Some(1.0), None, Some(0.0), Some(2.0)], judged: &[1.0, 0.0, 2.0, 1.0] };
        let at = |cutoff| recall(&grades, Relevance::AboveZero, NonZeroUsize::new(cutoff).unwrap());
        assert_eq!(at(3), Some(1.0 / 3.0));
        assert_eq!(at(100), Some(2.0 / 3.0));
    }

    #[test]
    fn undefined_where_nothing_is_relevant() {
        let grades = RankedGrades { ranked: &[Some(0.0)], judged: &[0.0] };
        assert_eq!(recall(&grades, Relevance::AboveZero, NonZeroUsize::MIN), None);
    }
}
