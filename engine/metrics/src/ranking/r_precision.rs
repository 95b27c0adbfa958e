//! R-precision.

use std::num::NonZeroUsize;

use super::explanation::{Weighing, one_if};
use super::{RankedGrades, Relevance};
use crate::sum::count;

/// Returns the share of the first R ranks that hold a relevant item, for the session's R relevant items, in [0, 1]: `Rprec`
/// of trec_eval, precision and recall at R in one. Source: Buckley and Voorhees 2005, Retrieval system evaluation.
///
/// Ranks that a short ranking leaves empty count as not relevant. Undefined where nothing is relevant.
#[must_use]
pub fn r_precision(grades: &RankedGrades<'_>, relevance: Relevance) -> Option<f64> {
    let relevant = grades.relevant(relevance)?;
    let found = grades.top(Some(relevant)).iter().filter(|&&grade| relevance.holds_at(grade)).count();
    Some(count(found) / count(relevant.get()))
}

pub(crate) fn weigh(grades: &RankedGrades<'_>, relevance: Relevance) -> Option<Weighing> {
    let relevant: NonZeroUsize = grades.relevant(relevance)?;
    let gain = |&grade: &Option<f64>| (one_if(relevance.holds_at(grade)), 1.0);
    Some(Weighing::new(count(relevant.get()), grades.top(Some(relevant)).iter().map(gain)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_ranks_count_as_there_are_relevant_items() {
        let grades = RankedGrades { ranked: &[Some(1.0), None, Some(1.0), Some(1.0)], judged: &[1.0, 1.0, 1.0] };
        assert_eq!(r_precision(&grades, Relevance::AboveZero), Some(2.0 / 3.0));
        let short = RankedGrades { ranked: &[Some(1.0)], judged: &[1.0, 2.0] };
        assert_eq!(r_precision(&short, Relevance::AboveZero), Some(0.5));
    }

    #[test]
    fn undefined_where_nothing_is_relevant() {
        let grades = RankedGrades { ranked: &[None], judged: &[0.0] };
        assert_eq!(r_precision(&grades, Relevance::AboveZero), None);
    }
}
