//! Normalised gain.

use super::{gain, ideal};
use crate::ranking::explanation::{Weighing, one_if};
use crate::ranking::{RankedGrades, Relevance};
use crate::sum::{count, sum};

/// Weighs `G` of trec_eval, and `binG` where gains are binary: each item's gain over `log2(2 + cost)`, where the cost is
/// what the ideal ranking has gained by this rank and this one has not, plus the ranks beyond the ideal's end; over the sum of
/// all gains. Binary, the cost is the number of items before it that are not relevant. Source: trec_eval 9 (2008), experimental.
///
/// Undefined where nothing is relevant.
pub(super) fn weigh(grades: &RankedGrades<'_>, relevance: Relevance, binary: bool) -> Option<Weighing> {
    let relevant = grades.relevant(relevance)?.get();
    let of = |grade: Option<f64>| if binary { one_if(relevance.holds_at(grade)) } else { gain(grade) };
    let ideal = if binary { vec![1.0; relevant] } else { ideal(grades.judged) };
    let (mut possible, mut gained) = (0.0, 0.0);
    let ranks = grades.ranked.iter().enumerate().map(|(index, &grade)| {
        possible += ideal.get(index).copied().unwrap_or(0.0);
        gained += of(grade);
        let beyond = count((index + 1).saturating_sub(ideal.len()));
        (of(grade), 1.0 / (2.0 + possible - gained + beyond).log2())
    });
    Some(Weighing::new(sum(ideal.iter().copied()), ranks.collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use super::super::TrecMeasure;
    use super::*;

    #[test]
    fn gains_count_less_for_what_was_missed_before() {
        let grades = RankedGrades { ranked: &[Some(1.0), None], judged: &[2.0, 1.0] };
        let value = |measure: TrecMeasure| measure.evaluate(&grades, Relevance::AboveZero).unwrap();
        // Found 1 where 2 could be: the cost is 1, and both together are worth 3.
        assert!((value(TrecMeasure::NormalisedGain) - 1.0 / 3.0_f64.log2() / 3.0).abs() < 1e-15);
        assert!((value(TrecMeasure::BinaryNormalisedGain) - 0.5).abs() < 1e-15);
    }
}
