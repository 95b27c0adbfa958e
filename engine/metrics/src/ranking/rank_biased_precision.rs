//! Rank-biased precision.

use std::num::NonZeroUsize;

use super::explanation::Weighing;
use super::{RankedGrades, Relevance};
use crate::bounded::{PositiveNumber, Proportion};
use crate::sum::CompensatedSum;

/// What an item brings to rank-biased precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RbpGain {
    /// 1 for a relevant item, else 0 (Moffat and Zobel's first definition, `rel=` of ir_measures).
    Binary(Relevance),
    /// The grade over this highest grade, at most 1: `max_rel=`, as the TREC-COVID tables use it with 2.
    Graded(PositiveNumber),
}

impl RbpGain {
    fn gain(self, grade: f64) -> f64 {
        match self {
            Self::Binary(relevance) => f64::from(u8::from(relevance.holds(grade))),
            Self::Graded(max_grade) if grade > 0.0 => (grade / max_grade.get()).min(1.0),
            Self::Graded(_) => 0.0,
        }
    }
}

/// Returns (1 - p) Σ gain · p^(rank - 1), in [0, 1): the gain per item of a reader who goes on to the next rank with
/// probability p. Source: Moffat and Zobel 2008, Rank-biased precision for measurement of retrieval effectiveness.
///
/// Undefined where no item of the session has a gain.
#[must_use]
pub fn rank_biased_precision(
    grades: &RankedGrades<'_>,
    gain: RbpGain,
    persistence: Proportion,
    cutoff: Option<NonZeroUsize>,
) -> Option<f64> {
    grades.judged.iter().any(|&grade| gain.gain(grade) > 0.0).then_some(())?;
    let mut total = CompensatedSum::default();
    let mut weight = 1.0 - persistence.get();
    for grade in grades.top(cutoff) {
        total.add(weight * grade.map_or(0.0, |grade| gain.gain(grade)));
        weight *= persistence.get();
    }
    Some(total.total())
}

pub(crate) fn weigh(
    grades: &RankedGrades<'_>,
    gain: RbpGain,
    persistence: Proportion,
    cutoff: Option<NonZeroUsize>,
) -> Option<Weighing> {
    grades.judged.iter().any(|&grade| gain.gain(grade) > 0.0).then_some(())?;
    let mut next = 1.0 - persistence.get();
    let ranks = grades.top(cutoff).iter().map(|grade| {
        let weight = next;
        next *= persistence.get();
        (grade.map_or(0.0, |grade| gain.gain(grade)), weight)
    });
    Some(Weighing::new(1.0, ranks))
}

/// Returns by how much [`rank_biased_precision`] would be higher if every item that nobody judged were worth a gain of 1, and
/// so were all below the last rank looked at, in [0, 1]: `rbp_resid` of trec_eval. The value that full judgments would give
/// lies between the metric and the metric plus this. Source: Moffat and Zobel 2008, section 4.
///
/// A negative grade stands for an item that was pooled and not judged, as in trec_eval (which says 0 where all returned items
/// are judged, and forgets what lies below the last rank). Defined for every ranking; 1 for an empty one.
#[must_use]
pub fn rank_biased_precision_residual(
    grades: &RankedGrades<'_>,
    persistence: Proportion,
    cutoff: Option<NonZeroUsize>,
) -> f64 {
    let mut unknown = CompensatedSum::default();
    let mut reached = 1.0;
    for grade in grades.top(cutoff) {
        if grade.is_none_or(|grade| grade < 0.0) {
            unknown.add((1.0 - persistence.get()) * reached);
        }
        reached *= persistence.get();
    }
    unknown.add(reached);
    unknown.total()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRADES: RankedGrades<'_> = RankedGrades { ranked: &[Some(1.0), None, Some(2.0)], judged: &[1.0, 2.0] };

    #[test]
    fn binary_and_graded_by_hand() {
        let half = Proportion::new(0.5).unwrap();
        let two = PositiveNumber::new(2.0).unwrap();
        let value = |gain| rank_biased_precision(&GRADES, gain, half, None).unwrap();
        assert_eq!(value(RbpGain::Binary(Relevance::AboveZero)), 0.5 + 0.125);
        assert_eq!(value(RbpGain::Binary(Relevance::AtLeast(two))), 0.125);
        assert_eq!(value(RbpGain::Graded(two)), 0.25 + 0.125);
    }

    #[test]
    fn residual_is_the_weight_of_what_nobody_judged() {
        let half = Proportion::new(0.5).unwrap();
        let residual = |ranked, cutoff| {
            let grades = RankedGrades { ranked, judged: &[1.0] };
            rank_biased_precision_residual(&grades, half, NonZeroUsize::new(cutoff))
        };
        assert_eq!(residual(&[Some(1.0), None, Some(0.0)], 9), 0.25 + 0.125);
        assert_eq!(residual(&[Some(1.0), Some(-1.0), Some(0.0)], 9), 0.25 + 0.125);
        assert_eq!(residual(&[Some(1.0), None, Some(0.0)], 1), 0.5);
        assert_eq!(residual(&[Some(1.0), Some(0.0)], 9), 0.25);
        assert_eq!(residual(&[], 9), 1.0);
    }

    #[test]
    fn undefined_where_nothing_is_relevant() {
        let level = Relevance::AtLeast(PositiveNumber::new(3.0).unwrap());
        assert_eq!(rank_biased_precision(&GRADES, RbpGain::Binary(level), Proportion::EIGHTY_PERCENT, None), None);
    }
}
