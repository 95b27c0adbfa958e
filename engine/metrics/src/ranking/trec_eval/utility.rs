//! Utility, and the count of what was returned, judged and not relevant.

use crate::ranking::explanation::{Weighing, one_if};
use crate::ranking::{RankedGrades, Relevance};

/// Weighs `utility` with trec_eval's usual coefficients 1, -1, 0, 0: relevant items returned minus all others returned.
/// Defined for every ranking, the empty one included.
pub(super) fn weigh(grades: &RankedGrades<'_>, relevance: Relevance) -> Weighing {
    let gain = |&grade: &Option<f64>| (if relevance.holds_at(grade) { 1.0 } else { -1.0 }, 1.0);
    Weighing::new(1.0, grades.ranked.iter().map(gain))
}

/// Weighs `num_nonrel_judged_ret`. A grade below 0 says that nobody judged, as in trec_eval.
pub(super) fn weigh_judged_non_relevant(grades: &RankedGrades<'_>, relevance: Relevance) -> Weighing {
    let counted = |grade: Option<f64>| grade.is_some_and(|grade| grade >= 0.0 && !relevance.holds(grade));
    Weighing::new(1.0, grades.ranked.iter().map(|&grade| (one_if(counted(grade)), 1.0)))
}

#[cfg(test)]
mod tests {
    use super::super::TrecMeasure;
    use super::*;

    #[test]
    fn what_is_not_relevant_costs_as_much_as_what_is_brings() {
        let grades = RankedGrades { ranked: &[Some(1.0), None, Some(0.0), Some(-1.0)], judged: &[1.0, 0.0] };
        let value = |measure: TrecMeasure| measure.evaluate(&grades, Relevance::AboveZero);
        assert_eq!(value(TrecMeasure::Utility), Some(-2.0));
        assert_eq!(value(TrecMeasure::JudgedNonRelevant), Some(1.0));
        let empty = RankedGrades { ranked: &[], judged: &[] };
        assert_eq!(TrecMeasure::Utility.evaluate(&empty, Relevance::AboveZero), Some(0.0));
    }
}
