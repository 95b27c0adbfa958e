//! Reciprocal rank.

use std::num::NonZeroUsize;

use super::explanation::{Weighing, one_if};
use super::graded::Grades;
use super::{RankedGrades, Relevance};
use crate::sum::count;

/// Returns 1 / the rank of the first relevant item, 0 where none stands above the cutoff, so in [0, 1]: `recip_rank` of
/// trec_eval. Its mean over sessions is MRR. Source: Kantor and Voorhees 2000, The TREC-5 confusion track.
///
/// Undefined where nothing is relevant.
#[must_use]
pub fn reciprocal_rank(grades: &RankedGrades<'_>, relevance: Relevance, cutoff: Option<NonZeroUsize>) -> Option<f64> {
    value(grades, relevance, cutoff)
}

pub(crate) fn value(grades: &impl Grades, relevance: Relevance, cutoff: Option<NonZeroUsize>) -> Option<f64> {
    grades.relevant(relevance)?;
    let first = grades.found(cutoff).find(|(_, grade)| relevance.holds(*grade));
    Some(first.map_or(0.0, |(index, _)| count(index + 1).recip()))
}

pub(crate) fn weigh(grades: &RankedGrades<'_>, relevance: Relevance, cutoff: Option<NonZeroUsize>) -> Option<Weighing> {
    grades.relevant(relevance)?;
    let mut found = false;
    let ranks = grades.top(cutoff).iter().enumerate().map(|(index, &grade)| {
        let weight = if found { 0.0 } else { count(index + 1).recip() };
        found |= relevance.holds_at(grade);
        (one_if(relevance.holds_at(grade)), weight)
    });
    Some(Weighing::new(1.0, ranks))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounded::PositiveNumber;

    #[test]
    fn first_relevant_rank_decides() {
        let grades = RankedGrades { ranked: &[None, Some(1.0), Some(2.0)], judged: &[1.0, 2.0] };
        assert_eq!(reciprocal_rank(&grades, Relevance::AboveZero, None), Some(0.5));
        assert_eq!(reciprocal_rank(&grades, Relevance::AboveZero, NonZeroUsize::new(1)), Some(0.0));
        let at_least_two = Relevance::AtLeast(PositiveNumber::new(2.0).unwrap());
        assert_eq!(reciprocal_rank(&grades, at_least_two, None), Some(1.0 / 3.0));
    }

    #[test]
    fn undefined_where_nothing_is_relevant() {
        let grades = RankedGrades { ranked: &[Some(1.0)], judged: &[1.0] };
        let at_least_two = Relevance::AtLeast(PositiveNumber::new(2.0).unwrap());
        assert_eq!(reciprocal_rank(&grades, at_least_two, None), None);
    }
}
