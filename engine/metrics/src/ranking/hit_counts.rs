//! How many items were returned, and how many there are to return.

use super::explanation::{Weighing, one_if};
use super::{RankedGrades, Relevance};
use crate::sum::count;

/// Returns the number of returned items, of the relevant ones among them where `relevance` says which those are: `NumRet`
/// and `NumRet(rel=1)` of ir_measures, `num_ret` and `num_rel_ret` of trec_eval; 0 or more, defined for every ranking.
///
/// ir_measures adds it up over the sessions; a mean per session times their number is that sum.
#[must_use]
pub fn returned(grades: &RankedGrades<'_>, relevance: Option<Relevance>) -> f64 {
    count(match relevance {
        None => grades.ranked.len(),
        Some(relevance) => grades.ranked.iter().filter(|&&grade| relevance.holds_at(grade)).count(),
    })
}

/// Returns the number of relevant items of the session, returned or not: `NumRel` of ir_measures, `num_rel` of trec_eval; 0
/// or more, defined for every session, and the same for every retriever.
#[must_use]
pub fn relevant(grades: &RankedGrades<'_>, relevance: Relevance) -> f64 {
    count(grades.judged.iter().filter(|&&grade| relevance.holds(grade)).count())
}

pub(crate) fn weigh_returned(grades: &RankedGrades<'_>, relevance: Option<Relevance>) -> Weighing {
    let counts = |grade| one_if(relevance.is_none_or(|relevance| relevance.holds_at(grade)));
    Weighing::new(1.0, grades.ranked.iter().map(|&grade| (counts(grade), 1.0)))
}

pub(crate) fn weigh_relevant(grades: &RankedGrades<'_>, relevance: Relevance) -> Weighing {
    let unranked = relevant(grades, relevance) - returned(grades, Some(relevance));
    Weighing { unranked, ..weigh_returned(grades, Some(relevance)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returned_relevant_and_relevant_ones_are_counted() {
        let grades = RankedGrades { ranked: &[Some(1.0), None, Some(0.0)], judged: &[1.0, 0.0, 2.0, -1.0] };
        assert_eq!(returned(&grades, None), 3.0);
        assert_eq!(returned(&grades, Some(Relevance::AboveZero)), 1.0);
        assert_eq!(relevant(&grades, Relevance::AboveZero), 2.0);
    }

    #[test]
    fn nothing_is_counted_as_zero() {
        let empty = RankedGrades { ranked: &[], judged: &[] };
        assert_eq!((returned(&empty, None), relevant(&empty, Relevance::AboveZero)), (0.0, 0.0));
    }
}
