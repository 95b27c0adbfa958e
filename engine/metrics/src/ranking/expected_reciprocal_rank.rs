//! Expected reciprocal rank.

use std::num::NonZeroUsize;

use super::RankedGrades;
use super::explanation::Weighing;
use crate::bounded::PositiveNumber;
use crate::sum::{CompensatedSum, count};

/// Returns the expected reciprocal rank at which a reader stops who reads from the top and is content with an item of
/// grade g with probability (2^g - 1) / 2^max_grade, in [0, 1). Source: Chapelle et al. 2009, Expected reciprocal rank for
/// graded relevance; with `max_grade` 4 the numbers of gdeval, which ir_measures calls.
///
/// A grade above `max_grade` counts as `max_grade` (gdeval refuses such a file). Undefined where no grade is positive.
#[must_use]
pub fn expected_reciprocal_rank(
    grades: &RankedGrades<'_>,
    max_grade: PositiveNumber,
    cutoff: Option<NonZeroUsize>,
) -> Option<f64> {
    grades.judged.iter().any(|&grade| grade > 0.0).then_some(())?;
    let mut stops = CompensatedSum::default();
    let mut still_reading = 1.0;
    for (index, grade) in grades.top(cutoff).iter().enumerate() {
        let content = grade.map_or(0.0, |grade| satisfaction(grade, max_grade.get()));
        stops.add(still_reading * content / count(index + 1));
        still_reading *= 1.0 - content;
    }
    Some(stops.total())
}

/// Returns (2^g - 1) / 2^max, written so that a large `max` does not overflow.
fn satisfaction(grade: f64, max: f64) -> f64 {
    if grade > 0.0 { (grade.min(max) - max).exp2() - (-max).exp2() } else { 0.0 }
}

pub(crate) fn weigh(
    grades: &RankedGrades<'_>,
    max_grade: PositiveNumber,
    cutoff: Option<NonZeroUsize>,
) -> Option<Weighing> {
    grades.judged.iter().any(|&grade| grade > 0.0).then_some(())?;
    let mut still_reading = 1.0;
    let ranks = grades.top(cutoff).iter().enumerate().map(|(index, grade)| {
        let content = grade.map_or(0.0, |grade| satisfaction(grade, max_grade.get()));
        let weight = still_reading / count(index + 1);
        still_reading *= 1.0 - content;
        (content, weight)
    });
    Some(Weighing::new(1.0, ranks))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn err(ranked: &[Option<f64>], max_grade: f64) -> Option<f64> {
        let judged: Vec<f64> = ranked.iter().flatten().copied().collect();
        expected_reciprocal_rank(
            &RankedGrades { ranked, judged: &judged },
            PositiveNumber::new(max_grade).unwrap(),
            None,
        )
    }

    #[test]
    fn cascade_by_hand() {
        let (first, third) = (3.0 / 16.0, 15.0 / 16.0);
        let expected = first + (1.0 - first) * third / 3.0;
        assert!((err(&[Some(2.0), None, Some(4.0)], 4.0).unwrap() - expected).abs() < 1e-15);
    }

    #[test]
    fn grades_above_the_maximum_count_as_the_maximum() {
        assert_eq!(err(&[Some(7.0)], 4.0), err(&[Some(4.0)], 4.0));
        assert_eq!(err(&[Some(4000.0)], 2000.0), Some(1.0));
    }

    #[test]
    fn undefined_without_a_positive_grade() {
        assert_eq!(err(&[Some(0.0), Some(-1.0)], 4.0), None);
    }
}
