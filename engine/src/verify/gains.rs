//! Whole grades, which are all that the other programs read.

use rematch_metrics::{GainFunction, Relevance};

/// What stands in a file of judgments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Gains {
    /// nDCG's gains, times whatever makes whole numbers of a session's: nDCG does not see the difference.
    Gain(GainFunction),
    /// 1 for a relevant item, 0 for another, -1 for a negative grade.
    Binary(Relevance),
}

/// Factors that make whole numbers of grades such as 1.5, 0.25 and 0.1.
const FACTORS: [f64; 10] = [1.0, 2.0, 4.0, 5.0, 8.0, 10.0, 20.0, 25.0, 100.0, 1000.0];

/// The highest whole grade that is written: trec_eval counts the items of each grade in a table.
const HIGHEST: f64 = 1_000_000.0;

impl Gains {
    /// Returns the whole grades of a session, `None` where no factor makes whole numbers of its gains.
    pub(super) fn whole(self, grades: &[f64]) -> Option<Vec<i64>> {
        match self {
            Self::Binary(relevance) => Some(grades.iter().map(|&grade| binary(grade, relevance)).collect()),
            Self::Gain(gain) => FACTORS.iter().find_map(|factor| {
                grades.iter().map(|&grade| scaled(grade, gain.gain(grade), *factor)).collect::<Option<Vec<i64>>>()
            }),
        }
    }
}

fn binary(grade: f64, relevance: Relevance) -> i64 {
    if grade < 0.0 { -1 } else { i64::from(relevance.holds(grade)) }
}

#[expect(clippy::cast_possible_truncation, reason = "a whole number up to a million")]
fn scaled(grade: f64, gain: f64, factor: f64) -> Option<i64> {
    if grade < 0.0 {
        return Some(-1);
    }
    let scaled = gain * factor;
    (scaled.fract() == 0.0 && scaled <= HIGHEST).then_some(scaled as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_become_whole_by_one_factor_for_all() {
        let linear = Gains::Gain(GainFunction::Linear);
        assert_eq!(linear.whole(&[1.5, 2.0, 0.0, -1.0]), Some(vec![3, 4, 0, -1]));
        assert_eq!(linear.whole(&[std::f64::consts::PI]), None);
        assert_eq!(linear.whole(&[2e6]), None);
        assert_eq!(Gains::Gain(GainFunction::Exponential).whole(&[3.0, 1.0]), Some(vec![7, 1]));
    }

    #[test]
    fn levels_make_ones_and_zeros() {
        let gains = Gains::Binary(Relevance::AboveZero);
        assert_eq!(gains.whole(&[0.3, 0.0, -2.0, 5.0]), Some(vec![1, 0, -1, 1]));
    }
}
