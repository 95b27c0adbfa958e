//! Inferred average precision.

use super::explanation::{Weighing, one_if};
use super::{RankedGrades, Relevance};
use crate::sum::{count, sum};

/// Keeps the share of relevant items defined where nothing judged stands above; trec_eval's value.
const EPSILON: f64 = 1e-5;

/// Returns the mean, over the relevant items of the session, of the precision that the judged sample lets one expect at the
/// rank of each; 0 for an item that was not returned, so in [0, 1]: `infAP` of trec_eval. Source: Yilmaz and Aslam 2006,
/// Estimating average precision with incomplete and imperfect judgments.
///
/// An item with a negative grade was pooled and not judged: it is taken to be relevant as often as the judged items above.
/// An item without any grade was not pooled and counts as not relevant. The expected precision at rank j is
/// 1/j + (j - 1)/j · pooled/(j - 1) · (relevant + ε)/(judged + 2ε), counted over the ranks above; ε = 0.00001 makes it differ
/// from [`average_precision`](super::average_precision) by about 0.000001 even where everything is judged.
///
/// Undefined where nothing is relevant.
#[must_use]
pub fn inferred_average_precision(grades: &RankedGrades<'_>, relevance: Relevance) -> Option<f64> {
    let relevant = count(grades.relevant(relevance)?.get());
    let expected = expected_precisions(grades.ranked, relevance);
    Some(sum(expected.map(|(gain, weight)| gain * weight)) / relevant)
}

pub(crate) fn weigh(grades: &RankedGrades<'_>, relevance: Relevance) -> Option<Weighing> {
    let relevant = count(grades.relevant(relevance)?.get());
    Some(Weighing::new(relevant, expected_precisions(grades.ranked, relevance)))
}

/// Returns, for each rank, whether its item is relevant, and the precision to be expected there if it is.
fn expected_precisions(ranked: &[Option<f64>], relevance: Relevance) -> impl Iterator<Item = (f64, f64)> {
    let (mut relevant, mut not_relevant, mut not_judged) = (0, 0, 0);
    ranked.iter().enumerate().map(move |(above, grade)| {
        let (judged, pooled) = (count(relevant + not_relevant), count(relevant + not_relevant + not_judged));
        let share = (count(relevant) + EPSILON) / (judged + 2.0 * EPSILON);
        let rank = count(above + 1);
        let expected = if above == 0 { 1.0 } else { (1.0 + pooled * share) / rank };
        match *grade {
            Some(grade) if relevance.holds(grade) => relevant += 1,
            Some(grade) if grade < 0.0 => not_judged += 1,
            Some(_) => not_relevant += 1,
            None => {}
        }
        (one_if(relevance.holds_at(*grade)), expected)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ranking::average_precision;

    fn infap(ranked: &[Option<f64>], judged: &[f64]) -> Option<f64> {
        inferred_average_precision(&RankedGrades { ranked, judged }, Relevance::AboveZero)
    }

    #[test]
    fn smoothing_moves_it_by_a_millionth_from_average_precision() {
        let (ranked, judged) = ([Some(0.0), Some(1.0), Some(1.0)], [0.0, 1.0, 1.0, 0.0]);
        let plain = average_precision(&RankedGrades { ranked: &ranked, judged: &judged }, Relevance::AboveZero, None);
        let difference = (infap(&ranked, &judged).unwrap() - plain.unwrap()).abs();
        assert!(difference > 1e-7 && difference < 1e-5, "{difference}");
    }

    #[test]
    fn pooled_items_count_like_the_judged_ones_and_unpooled_ones_as_not_relevant() {
        let judged = [1.0, 1.0, -1.0];
        let pooled = infap(&[Some(1.0), Some(-1.0), Some(1.0)], &judged).unwrap();
        let unpooled = infap(&[Some(1.0), None, Some(1.0)], &judged).unwrap();
        assert!((pooled - 1.0).abs() < 1e-4, "{pooled}");
        assert!((unpooled - (1.0 + 2.0 / 3.0) / 2.0).abs() < 1e-4, "{unpooled}");
    }

    #[test]
    fn undefined_where_nothing_is_relevant() {
        assert_eq!(infap(&[Some(0.0), Some(-1.0)], &[0.0, -1.0]), None);
    }
}
