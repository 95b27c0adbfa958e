//! Normalised discounted cumulative gain.

use std::num::NonZeroUsize;
use std::sync::LazyLock;

use super::RankedGrades;
use super::explanation::Weighing;
use crate::sum::{count, sum};

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
    let ideal = ideal_gain(grades, gain, cutoff)?;
    let gains = grades.top(cutoff).iter().map(|grade| grade.map_or(0.0, |grade| gain.gain(grade)));
    Some(discounted(gains) / ideal)
}

pub(crate) fn weigh(grades: &RankedGrades<'_>, gain: GainFunction, cutoff: Option<NonZeroUsize>) -> Option<Weighing> {
    let ideal = ideal_gain(grades, gain, cutoff)?;
    let ranks = grades.top(cutoff).iter().enumerate();
    let ranks = ranks.map(|(index, grade)| (grade.map_or(0.0, |grade| gain.gain(grade)), discount(index)));
    Some(Weighing::new(ideal, ranks))
}

/// Judgments of a session that are sorted on the stack.
const FEW: usize = 16;

fn ideal_gain(grades: &RankedGrades<'_>, gain: GainFunction, cutoff: Option<NonZeroUsize>) -> Option<f64> {
    // Most sessions have few judgments, and every session has its ideal found at every cutoff: those need no memory of their own.
    let (mut few, mut many) = ([0.0; FEW], Vec::new());
    let gains = match few.get_mut(..grades.judged.len()) {
        Some(few) => few,
        None => {
            many.resize(grades.judged.len(), 0.0);
            many.as_mut_slice()
        }
    };
    let mut positive = 0;
    let worthy = grades.judged.iter().map(|&grade| gain.gain(grade)).filter(|&gain| gain > 0.0);
    for (to, gain) in gains.iter_mut().zip(worthy) {
        *to = gain;
        positive += 1;
    }
    let gains = gains.get_mut(..positive).unwrap_or_default();
    gains.sort_unstable_by(|a, b| b.total_cmp(a));
    let ideal = discounted(gains.iter().copied().take(cutoff.map_or(usize::MAX, NonZeroUsize::get)));
    (ideal > 0.0 && ideal.is_finite()).then_some(ideal)
}

fn discounted(gains: impl IntoIterator<Item = f64>) -> f64 {
    // Most ranks bring nothing.
    let worthy = gains.into_iter().enumerate().filter(|(_, gain)| *gain != 0.0);
    sum(worthy.map(|(index, gain)| gain * discount(index)))
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
                let slow = Some(discounted(gains)).filter(|ideal| *ideal > 0.0);
                assert_eq!(ideal_gain(&grades, GainFunction::Linear, cutoff), slow, "{} judged", judged.len());
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
