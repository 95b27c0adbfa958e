//! Binary preference.

use super::explanation::{Weighing, one_if};
use super::{RankedGrades, Relevance};
use crate::sum::{CompensatedSum, count};

/// Returns bpref, in [0, 1]: the mean over the relevant items of the session of 1 - (judged non-relevant items above it,
/// at most R) / min(R, N), for R relevant and N judged non-relevant items; 0 for an item that was not returned, 1 for a
/// returned one where no non-relevant item stands above it. Source: Buckley and Voorhees 2004, Retrieval evaluation with
/// incomplete information, in the form of trec_eval.
///
/// As in trec_eval, unjudged items are passed over, and so are those with a negative grade. Undefined where nothing is
/// relevant.
#[must_use]
pub fn binary_preference(grades: &RankedGrades<'_>, relevance: Relevance) -> Option<f64> {
    let relevant = grades.relevant(relevance)?.get();
    let non_relevant = grades.judged.iter().filter(|&&grade| is_non_relevant(grade, relevance)).count();
    let divisor = count(relevant.min(non_relevant));

    let mut preferences = CompensatedSum::default();
    let mut above = 0;
    for &grade in grades.ranked.iter().flatten() {
        if relevance.holds(grade) {
            let lost = if above == 0 { 0.0 } else { count(above.min(relevant)) / divisor };
            preferences.add(1.0 - lost.min(1.0));
        } else if is_non_relevant(grade, relevance) {
            above += 1;
        }
    }
    Some(preferences.total() / count(relevant))
}

fn is_non_relevant(grade: f64, relevance: Relevance) -> bool {
    grade >= 0.0 && !relevance.holds(grade)
}

pub(crate) fn weigh(grades: &RankedGrades<'_>, relevance: Relevance) -> Option<Weighing> {
    let relevant = grades.relevant(relevance)?.get();
    let non_relevant = grades.judged.iter().filter(|&&grade| is_non_relevant(grade, relevance)).count();
    let divisor = count(relevant.min(non_relevant));
    let mut above = 0;
    let ranks = grades.ranked.iter().map(|&grade| {
        let lost = if above == 0 { 0.0 } else { (count(above.min(relevant)) / divisor).min(1.0) };
        above += usize::from(grade.is_some_and(|grade| is_non_relevant(grade, relevance)));
        (one_if(relevance.holds_at(grade)), 1.0 - lost)
    });
    Some(Weighing::new(count(relevant), ranks))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bpref(ranked: &[Option<f64>], judged: &[f64]) -> Option<f64> {
        binary_preference(&RankedGrades { ranked, judged }, Relevance::AboveZero)
    }

    #[test]
    fn non_relevant_items_above_cost_unjudged_ones_do_not() {
        let judged = [1.0, 1.0, 0.0, 0.0, 0.0];
        assert_eq!(bpref(&[None, Some(1.0), Some(0.0), None, Some(1.0)], &judged), Some(0.75));
        assert_eq!(bpref(&[Some(0.0), Some(0.0), Some(0.0), Some(1.0)], &judged), Some(0.0));
    }

    #[test]
    fn each_relevant_item_counts_fully_where_no_non_relevant_one_is_known() {
        assert_eq!(bpref(&[None, Some(2.0)], &[2.0, 1.0]), Some(0.5));
    }

    #[test]
    fn negative_grades_are_passed_over() {
        assert_eq!(bpref(&[Some(-1.0), Some(1.0)], &[-1.0, 1.0, 0.0]), Some(1.0));
    }

    #[test]
    fn undefined_where_nothing_is_relevant() {
        assert_eq!(bpref(&[Some(0.0)], &[0.0]), None);
    }
}
