//! Success.

use std::num::NonZeroUsize;

use super::explanation::{Weighing, one_if};
use super::{RankedGrades, Relevance};

/// Returns 1 if a relevant item stands at the first `cutoff` ranks, else 0: `success` of trec_eval, also called hit rate.
///
/// Undefined where nothing is relevant.
#[must_use]
pub fn success(grades: &RankedGrades<'_>, relevance: Relevance, cutoff: NonZeroUsize) -> Option<f64> {
    grades.relevant(relevance)?;
    let found = grades.top(Some(cutoff)).iter().any(|&grade| relevance.holds_at(grade));
    Some(if found { 1.0 } else { 0.0 })
}

pub(crate) fn weigh(grades: &RankedGrades<'_>, relevance: Relevance, cutoff: NonZeroUsize) -> Option<Weighing> {
    grades.relevant(relevance)?;
    let mut found = false;
    let ranks = grades.top(Some(cutoff)).iter().map(|&grade| {
        let weight = one_if(!found);
        found |= relevance.holds_at(grade);
        (one_if(relevance.holds_at(grade)), weight)
    });
    Some(Weighing::new(1.0, ranks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_relevant_item_within_the_cutoff_is_enough() {
        let grades = RankedGrades { ranked: &[None, Some(1.0)], judged: &[1.0, 3.0] };
        assert_eq!(success(&grades, Relevance::AboveZero, NonZeroUsize::new(1).unwrap()), Some(0.0));
        assert_eq!(success(&grades, Relevance::AboveZero, NonZeroUsize::new(2).unwrap()), Some(1.0));
    }

    #[test]
    fn undefined_where_nothing_is_relevant() {
        let grades = RankedGrades { ranked: &[None, Some(0.0)], judged: &[0.0] };
        assert_eq!(success(&grades, Relevance::AboveZero, NonZeroUsize::MIN), None);
    }
}
