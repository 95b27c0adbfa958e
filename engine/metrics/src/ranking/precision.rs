//! Precision.

use std::num::NonZeroUsize;

use super::explanation::{Weighing, one_if};
use super::graded::Grades;
use super::{RankedGrades, Relevance};
use crate::sum::count;

/// Returns the share of the first `cutoff` ranks that hold a relevant item, in [0, 1]: `P` of trec_eval.
///
/// Ranks that a short ranking leaves empty count as not relevant: the divisor is always the cutoff. Undefined where
/// nothing is relevant.
#[must_use]
pub fn precision(grades: &RankedGrades<'_>, relevance: Relevance, cutoff: NonZeroUsize) -> Option<f64> {
    value(grades, relevance, cutoff)
}

pub(crate) fn value(grades: &impl Grades, relevance: Relevance, cutoff: NonZeroUsize) -> Option<f64> {
    grades.relevant(relevance)?;
    Some(count(grades.relevant_found(relevance, cutoff)) / count(cutoff.get()))
}

pub(crate) fn weigh(grades: &RankedGrades<'_>, relevance: Relevance, cutoff: NonZeroUsize) -> Option<Weighing> {
    grades.relevant(relevance)?;
    let gain = |&grade: &Option<f64>| (one_if(relevance.holds_at(grade)), 1.0);
    Some(Weighing::new(count(cutoff.get()), grades.top(Some(cutoff)).iter().map(gain)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_rankings_are_divided_by_the_cutoff() {
        let grades = RankedGrades { ranked: &[Some(1.0), None, Some(2.0)], judged: &[1.0, 2.0] };
        assert_eq!(precision(&grades, Relevance::AboveZero, NonZeroUsize::new(5).unwrap()), Some(0.4));
        assert_eq!(precision(&grades, Relevance::AboveZero, NonZeroUsize::new(2).unwrap()), Some(0.5));
    }

    #[test]
    fn undefined_where_nothing_is_relevant() {
        let grades = RankedGrades { ranked: &[None], judged: &[] };
        assert_eq!(precision(&grades, Relevance::AboveZero, NonZeroUsize::MIN), None);
    }
}
