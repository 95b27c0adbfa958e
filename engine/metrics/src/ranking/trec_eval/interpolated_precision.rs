//! Interpolated precision at recall levels.

use super::share_of;
use crate::bounded::RecallLevel;
use crate::ranking::explanation::{Weighing, one_if};
use crate::ranking::{RankedGrades, Relevance};
use crate::sum::count;

/// Weighs `iprec_at_recall` of trec_eval, averaged over the levels: at each the highest precision at any rank by which that
/// share of the relevant items, rounded to whole items, is found, 0 where it never is. (trec_eval before 2026, and
/// pytrec_eval, round up from a tenth on.) Source: Manning, Raghavan and Schütze 2008, section 8.4.
///
/// Undefined where nothing is relevant.
pub(super) fn weigh(grades: &RankedGrades<'_>, relevance: Relevance, levels: &[RecallLevel]) -> Option<Weighing> {
    let relevant = grades.relevant(relevance)?.get();
    let mut found = 0;
    // Each relevant item: its rank, and how many were found by then.
    let mut at: Vec<(usize, usize)> = Vec::new();
    for (index, &grade) in grades.ranked.iter().enumerate() {
        if relevance.holds_at(grade) {
            found += 1;
            at.push((index + 1, found));
        }
    }
    let mut weights = vec![0.0; grades.ranked.len()];
    for level in levels {
        let needed = share_of(level.get(), relevant, 0.5);
        let reached = at.iter().filter(|(_, found)| *found >= needed);
        let precision = |&&(rank, found): &&(usize, usize)| count(found) / count(rank);
        let best = reached.max_by(|a, b| precision(a).total_cmp(&precision(b)));
        if let Some(&(rank, _)) = best {
            weights.iter_mut().take(rank).for_each(|weight| *weight += 1.0 / count(rank));
        }
    }
    let gains = grades.ranked.iter().map(|&grade| one_if(relevance.holds_at(grade)));
    Some(Weighing::new(count(levels.len()), gains.zip(weights)))
}

#[cfg(test)]
mod tests {
    use super::super::TrecMeasure;
    use super::*;

    #[test]
    fn the_best_precision_from_a_recall_on_counts() {
        let grades = RankedGrades { ranked: &[None, Some(1.0), Some(1.0), None], judged: &[1.0, 1.0, 1.0, 1.0] };
        let at = |level: f64| {
            TrecMeasure::InterpolatedPrecision(RecallLevel::new(level).unwrap())
                .evaluate(&grades, Relevance::AboveZero)
                .unwrap()
        };
        assert!((at(0.0) - 2.0 / 3.0).abs() < 1e-15 && (at(0.5) - 2.0 / 3.0).abs() < 1e-15);
        assert!((at(0.6) - 2.0 / 3.0).abs() < 1e-15);
        assert_eq!(at(0.7), 0.0);
    }
}
