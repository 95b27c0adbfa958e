//! What was returned as a set: precision, recall, F, and their relatives whose cutoff is the session's own.

use std::num::NonZeroUsize;

use super::share_of;
use crate::ranking::explanation::{Weighing, one_if};
use crate::ranking::{RankedGrades, Relevance};
use crate::sum::count;

/// A ranking of which `share` is what each relevant item brings.
fn equally(grades: &RankedGrades<'_>, relevance: Relevance, cutoff: usize, weight: f64, normaliser: f64) -> Weighing {
    let top = grades.ranked.iter().take(cutoff);
    Weighing::new(normaliser, top.map(|&grade| (one_if(relevance.holds_at(grade)), weight)))
}

fn returned(grades: &RankedGrades<'_>) -> usize {
    // An empty ranking has found nothing of anything.
    grades.ranked.len().max(1)
}

/// Weighs `set_P`. Undefined, as all of this file, where nothing is relevant.
pub(super) fn weigh_precision(grades: &RankedGrades<'_>, relevance: Relevance) -> Option<Weighing> {
    grades.relevant(relevance)?;
    Some(equally(grades, relevance, usize::MAX, 1.0, count(returned(grades))))
}

/// Weighs `relative_P` at a cutoff, `set_relative_P` without one.
pub(super) fn weigh_relative_precision(
    grades: &RankedGrades<'_>,
    relevance: Relevance,
    cutoff: Option<NonZeroUsize>,
) -> Option<Weighing> {
    let relevant = grades.relevant(relevance)?.get();
    let cutoff = cutoff.map_or(returned(grades), NonZeroUsize::get);
    Some(equally(grades, relevance, cutoff, 1.0, count(cutoff.min(relevant))))
}

/// Weighs `set_recall`.
pub(super) fn weigh_recall(grades: &RankedGrades<'_>, relevance: Relevance) -> Option<Weighing> {
    let relevant = grades.relevant(relevance)?.get();
    Some(equally(grades, relevance, usize::MAX, 1.0, count(relevant)))
}

/// Weighs `set_F`: `(x + 1) P R / (R + x P)`. Source: van Rijsbergen 1979, chapter 7.
pub(super) fn weigh_f(grades: &RankedGrades<'_>, relevance: Relevance, x: f64) -> Option<Weighing> {
    let relevant = grades.relevant(relevance)?.get();
    let normaliser = count(returned(grades)) + x * count(relevant);
    Some(equally(grades, relevance, usize::MAX, 1.0 + x, normaliser))
}

/// Weighs `set_map`.
pub(super) fn weigh_average_precision(grades: &RankedGrades<'_>, relevance: Relevance) -> Option<Weighing> {
    let relevant = grades.relevant(relevance)?.get();
    let found = grades.ranked.iter().filter(|&&grade| relevance.holds_at(grade)).count();
    let precision = count(found) / count(returned(grades));
    Some(equally(grades, relevance, usize::MAX, precision, count(relevant)))
}

/// Weighs `Rprec_mult`: precision at that multiple of the number of relevant items, rounded up from a tenth on.
pub(super) fn weigh_r_precision(grades: &RankedGrades<'_>, relevance: Relevance, multiple: f64) -> Option<Weighing> {
    let cutoff = share_of(multiple, grades.relevant(relevance)?.get(), 0.9).max(1);
    Some(equally(grades, relevance, cutoff, 1.0, count(cutoff)))
}

#[cfg(test)]
mod tests {
    use super::super::TrecMeasure;
    use super::*;
    use crate::bounded::PositiveNumber;

    fn value(measure: TrecMeasure) -> f64 {
        let grades = RankedGrades { ranked: &[Some(1.0), None, Some(1.0), None, None], judged: &[1.0, 1.0, 1.0] };
        measure.evaluate(&grades, Relevance::AboveZero).unwrap()
    }

    #[test]
    fn sets_are_worth_what_their_counts_say() {
        assert!((value(TrecMeasure::SetPrecision) - 0.4).abs() < 1e-15);
        assert!((value(TrecMeasure::SetRecall) - 2.0 / 3.0).abs() < 1e-15);
        assert!((value(TrecMeasure::SetRelativePrecision) - 2.0 / 3.0).abs() < 1e-15);
        assert!((value(TrecMeasure::SetAveragePrecision) - 0.4 * 2.0 / 3.0).abs() < 1e-15);
        let f = value(TrecMeasure::SetF(PositiveNumber::ONE));
        assert!((f - 2.0 * 0.4 * (2.0 / 3.0) / (0.4 + 2.0 / 3.0)).abs() < 1e-15);
        assert!((value(TrecMeasure::RelativePrecision(NonZeroUsize::MIN)) - 1.0).abs() < 1e-15);
        assert!((value(TrecMeasure::RPrecisionMultiple(PositiveNumber::new(2.0).unwrap())) - 2.0 / 6.0).abs() < 1e-15);
    }

    #[test]
    fn an_empty_answer_found_nothing() {
        let grades = RankedGrades { ranked: &[], judged: &[1.0] };
        for measure in
            [TrecMeasure::SetPrecision, TrecMeasure::SetF(PositiveNumber::ONE), TrecMeasure::SetAveragePrecision]
        {
            assert_eq!(measure.evaluate(&grades, Relevance::AboveZero), Some(0.0));
        }
    }
}
