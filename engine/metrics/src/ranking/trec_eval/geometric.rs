//! Logarithms of values, of which geometric means are made.

use super::TrecMeasure;
use crate::ranking::explanation::Weighing;
use crate::sum::sum;

/// Weighs the natural logarithm of a value, of 1e-5 where that is less: the ranks bring what they bring to the value, and the rest is
/// what the logarithm makes of it. Source: Robertson 2006 (On GMAP: and other transformations); the least value is trec_eval's.
///
/// Undefined where the value is.
pub(super) fn weigh(weighing: Weighing) -> Weighing {
    let value = sum(weighing.ranks.iter().map(|(gain, weight)| gain * weight)) / weighing.normaliser;
    Weighing { unranked: value.max(TrecMeasure::LEAST).ln() - value, ..weighing }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ranking::{RankedGrades, Relevance};

    #[test]
    fn a_session_that_goes_wholly_wrong_weighs_and_one_without_relevant_items_does_not() {
        let value = |ranked: &[Option<f64>], judged: &[f64]| {
            TrecMeasure::GeometricAveragePrecision.evaluate(&RankedGrades { ranked, judged }, Relevance::AboveZero)
        };
        assert_eq!(value(&[Some(1.0)], &[1.0]), Some(0.0));
        assert!((value(&[None, Some(1.0)], &[1.0]).unwrap() - 0.5_f64.ln()).abs() < 1e-15);
        assert!((value(&[None], &[1.0]).unwrap() - 1e-5_f64.ln()).abs() < 1e-14);
        assert_eq!(value(&[None], &[0.0]), None);
    }
}
