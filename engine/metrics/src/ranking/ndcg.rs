//! Normalised discounted cumulative gain.

use std::num::NonZeroUsize;
use std::sync::LazyLock;

use super::RankedGrades;
use super::explanation::Weighing;
use super::graded::{Discounted, Grades};
use crate::sum::{CompensatedSum, count};

/// How a grade becomes a gain in nDCG.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GainFunction {
    /// The grade itself (trec_eval).
    #[default]
    Linear,
    /// 2^grade - 1 (Burges et al. 2005).
    Exponential,
}

impl GainFunction {
    /// Returns the gain of a grade; 0 for one that is not positive.
    #[must_use]
    pub fn gain(self, grade: f64) -> f64 {
        if grade > 0.0 {
            match self {
                Self::Linear => grade,
                Self::Exponential => grade.exp2() - 1.0,
            }
        } else {
            0.0
        }
    }
}

/// Returns nDCG: the discounted gain of the ranking over that of the best ranking of all judged items, in [0, 1].
///
/// The discount is 1 / log2(rank + 1). The best ranking holds every item of the session with a positive gain, best
/// first, down to the same cutoff; without a cutoff this is `ndcg` of trec_eval, with one `ndcg_cut`. Source: Järvelin
/// and Kekäläinen 2002, Cumulated gain-based evaluation of IR techniques.
///
/// Undefined where no item has a positive gain (or gains so large that their sum is not a number any more).
#[must_use]
pub fn ndcg(grades: &RankedGrades<'_>, gain: GainFunction, cutoff: Option<NonZeroUsize>) -> Option<f64> {
    value(grades, gain, cutoff)
}

pub(crate) fn value(grades: &impl Grades, gain: GainFunction, cutoff: Option<NonZeroUsize>) -> Option<f64> {
    let Discounted { found, ideal } = grades.discounted(gain, cutoff);
    usable(ideal).map(|ideal| found / ideal)
}

pub(crate) fn weigh(grades: &RankedGrades<'_>, gain: GainFunction, cutoff: Option<NonZeroUsize>) -> Option<Weighing> {
    let ideal = usable(grades.discounted(gain, cutoff).ideal)?;
    let ranks = grades.top(cutoff).iter().enumerate();
    let ranks = ranks.map(|(index, grade)| (grade.map_or(0.0, |grade| gain.gain(grade)), discount(index)));
    Some(Weighing::new(ideal, ranks))
}

fn usable(ideal: f64) -> Option<f64> {
    (ideal > 0.0 && ideal.is_finite()).then_some(ideal)
}

/// Returns the sum of gains, each with its rank - 1 and over its discount.
pub(super) fn discounted(gains: impl Iterator<Item = (usize, f64)>) -> f64 {
    let mut sum = CompensatedSum::default();
    gains.for_each(|(index, gain)| add_discounted(&mut sum, index, gain));
    sum.total()
}

/// Adds the gain of a rank, given by its index, to the sum of those above.
pub(super) fn add_discounted(sum: &mut CompensatedSum, index: usize, gain: f64) {
    // Most ranks bring nothing.
    if gain != 0.0 {
        sum.add(gain * discount(index));
    }
}

/// The discounts of the first ranks: a logarithm is dear, and every session asks for the same ones.
static DISCOUNTS: LazyLock<[f64; 128]> = LazyLock::new(|| std::array::from_fn(computed_discount));

fn discount(index: usize) -> f64 {
    DISCOUNTS.get(index).copied().unwrap_or_else(|| computed_discount(index))
}

fn computed_discount(index: usize) -> f64 {
    count(index + 2).log2().recip()
}

#[cfg(test)]
mod tests {
    use super::super::graded::FEW;
    use super::*;

    const GRADES: RankedGrades<'_> =
        RankedGrades { ranked: &[Some(1.0), None, Some(3.0), Some(-1.0)], judged: &[-1.0, 3.0, 0.0, 1.0] };

    #[test]
    fn discounts_that_are_kept_have_the_bits_of_those_that_are_computed() {
        for index in 0..300 {
            assert_eq!(discount(index).to_bits(), computed_discount(index).to_bits(), "{index}");
        }
    }

    #[test]
    fn few_and_many_judgments_have_one_ideal() {
        for judged in [0, 1, FEW - 1, FEW, FEW + 1, 3 * FEW] {
            let judged: Vec<f64> = (0..judged).map(|item| f64::from(item as u32 * 7 % 5) - 1.0).collect();
            let grades = RankedGrades { ranked: &[], judged: &judged };
            for cutoff in [None, NonZeroUsize::new(1), NonZeroUsize::new(10)] {
                let mut gains: Vec<f64> = judged.iter().copied().filter(|gain| *gain > 0.0).collect();
                gains.sort_by(|a, b| b.total_cmp(a));
                gains.truncate(cutoff.map_or(gains.len(), NonZeroUsize::get));
                let slow = discounted(gains.into_iter().enumerate());
                assert_eq!(grades.discounted(GainFunction::Linear, cutoff).ideal, slow, "{} judged", judged.len());
            }
        }
    }

    #[test]
    fn linear_gain_by_hand() {
        let (log2_3, log2_4) = (3.0_f64.log2(), 2.0);
        let expected = (1.0 + 3.0 / log2_4) / (3.0 + 1.0 / log2_3);
        assert!((ndcg(&GRADES, GainFunction::Linear, None).unwrap() - expected).abs() < 1e-15);
        let cut = ndcg(&GRADES, GainFunction::Linear, NonZeroUsize::new(1)).unwrap();
        assert!((cut - 1.0 / 3.0).abs() < 1e-15);
    }

    #[test]
    fn exponential_gain_by_hand() {
        let expected = (1.0 + 7.0 / 2.0) / (7.0 + 1.0 / 3.0_f64.log2());
        assert!((ndcg(&GRADES, GainFunction::Exponential, None).unwrap() - expected).abs() < 1e-15);
    }

    #[test]
    fn undefined_without_a_positive_grade_and_zero_for_an_empty_ranking() {
        let nothing = RankedGrades { ranked: &[Some(0.0), None], judged: &[0.0, -2.0] };
        assert_eq!(ndcg(&nothing, GainFunction::Linear, None), None);
        let empty = RankedGrades { ranked: &[], judged: &[2.0] };
        assert_eq!(ndcg(&empty, GainFunction::Linear, None), Some(0.0));
    }

    #[test]
    fn overflowing_gains_are_undefined_not_nan() {
        let huge = RankedGrades { ranked: &[Some(5000.0)], judged: &[5000.0] };
        assert_eq!(ndcg(&huge, GainFunction::Exponential, None), None);
        let odd = RankedGrades { ranked: &[Some(f64::NAN)], judged: &[f64::NAN, 1.0] };
        assert_eq!(ndcg(&odd, GainFunction::Linear, None), Some(0.0));
    }
}
