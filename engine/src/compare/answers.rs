//! Does what a retriever answers look like answers at all? One that returns nothing, or whose items nobody knows, is most likely set
//! up wrong, and "worse" says too little of it.
//!
//! Only sums that are there anyway are looked at. Not for: what answers are worth.

use super::outcome::{BenchmarkResult, PipelineComparison};
use super::verdict::thousands;

/// From this share of empty answers on, they are said: few searches find nothing in a catalogue.
const MANY_EMPTY: f64 = 0.5;

/// Adds what is suspicious in the answers of a candidate or of its baseline, the first of `results`, to the verdict's cautions: before
/// all others, which are about numbers that are made of these answers.
pub(super) fn warn(results: &[BenchmarkResult], comparison: &mut PipelineComparison) {
    let mut cautions = cautions(results, comparison);
    cautions.append(&mut comparison.verdict.cautions);
    comparison.verdict.cautions = cautions;
}

fn cautions(results: &[BenchmarkResult], comparison: &PipelineComparison) -> Vec<String> {
    let candidate = results.iter().find(|result| result.retriever_id == comparison.candidate_retriever_id);
    let (Some(baseline), Some(candidate)) = (results.first(), candidate) else { return Vec::new() };
    let mut cautions: Vec<String> = [candidate, baseline].into_iter().filter_map(empty).collect();
    cautions.extend(strange(baseline, candidate, comparison));
    cautions
}

/// "`b` answered 30 of 30 sessions with no hit".
fn empty(result: &BenchmarkResult) -> Option<String> {
    let (empty, answered) = (result.empty_answers, result.answered_sessions);
    (empty > 0 && empty as f64 >= MANY_EMPTY * answered as f64).then(|| {
        let (id, empty, answered) = (&result.retriever_id, thousands(empty), thousands(answered));
        format!("`{id}` answered {empty} of {answered} sessions with no hit")
    })
}

/// Says that nobody knows the items of the candidate: none was judged, shown, acted on or returned by the baseline.
fn strange(baseline: &BenchmarkResult, candidate: &BenchmarkResult, comparison: &PipelineComparison) -> Option<String> {
    let has_hits = |result: &BenchmarkResult| result.empty_answers < result.answered_sessions;
    let (similarity, moves, exposure) = (&comparison.similarity, &comparison.moves, &comparison.exposure);
    let judged = candidate.judged.as_ref().filter(|judged| judged.sessions > 0);
    // Each says whether it could have met an item of the candidate, and whether it did.
    let witnesses = [
        (has_hits(baseline) && similarity.sessions > 0, similarity.mean_common_items.is_some_and(|mean| mean > 0.0)),
        (judged.is_some(), judged.is_some_and(|judged| judged.judged_at_k.mean.is_some_and(|mean| mean > 0.0))),
        (moves.items > 0, moves.up + moves.down + moves.same + moves.entered > 0),
        (exposure.logged_sessions > 0, exposure.candidate_support.is_some_and(|share| share > 0.0)),
    ];
    let could_tell = witnesses.iter().any(|(could, _)| *could);
    if !has_hits(candidate) || !could_tell || witnesses.iter().any(|(_, did)| *did) {
        return None;
    }
    Some(format!(
        "no hit of `{}` is known: none was judged or shown, or is returned by `{}`, in any session; do the ids have the same form? \
         `rematch doctor` shows some",
        candidate.retriever_id, baseline.retriever_id
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::fixture;
    use crate::compare::outcome::{Exposure, JudgedShare, ListSimilarity, MetricSummary, PositionMoves};

    fn result(id: &str, answered: u64, empty: u64, judged: Option<f64>) -> BenchmarkResult {
        let judged = judged.map(|mean| JudgedShare {
            sessions: answered,
            judged_at_k: MetricSummary { mean: Some(mean), n: answered, undefined: 0 },
            ..JudgedShare::default()
        });
        BenchmarkResult { empty_answers: empty, judged, ..fixture::result(id, answered, 0) }
    }

    fn comparison(common: f64) -> PipelineComparison {
        let similarity = ListSimilarity { sessions: 30, mean_common_items: Some(common), ..ListSimilarity::default() };
        PipelineComparison { candidate_retriever_id: "b".to_owned(), similarity, ..PipelineComparison::default() }
    }

    #[test]
    fn answers_without_hits_are_said_where_they_are_many() {
        let said = |empty| cautions(&[result("a", 30, 0, None), result("b", 30, empty, None)], &comparison(3.0));
        assert_eq!(said(30), ["`b` answered 30 of 30 sessions with no hit"]);
        assert_eq!(said(15), ["`b` answered 15 of 30 sessions with no hit"]);
        assert!(said(14).is_empty() && said(0).is_empty());
        // A baseline that finds nothing makes every candidate better.
        let of_baseline = cautions(&[result("a", 2_000, 1_999, None), result("b", 30, 0, None)], &comparison(3.0));
        assert_eq!(of_baseline, ["`a` answered 1,999 of 2,000 sessions with no hit"]);
    }

    #[test]
    fn items_that_nobody_knows_are_asked_about() {
        let said = |baseline, candidate, comparison: &PipelineComparison| cautions(&[baseline, candidate], comparison);
        let old = || result("a", 30, 0, None);
        let strange = said(old(), result("b", 30, 0, Some(0.0)), &comparison(0.0));
        assert_eq!(strange.len(), 1);
        assert!(strange[0].contains("do the ids have the same form? `rematch doctor` shows some"), "{strange:?}");
        // Whoever knows one of them speaks for the form of all.
        assert!(said(old(), result("b", 30, 0, Some(0.0)), &comparison(0.1)).is_empty());
        assert!(said(old(), result("b", 30, 0, Some(0.1)), &comparison(0.0)).is_empty());
        let acted_on = PositionMoves { items: 9, entered: 1, absent: 8, ..PositionMoves::default() };
        let acted_on = PipelineComparison { moves: acted_on, ..comparison(0.0) };
        assert!(said(old(), result("b", 30, 0, None), &acted_on).is_empty());
        let shown = Exposure { logged_sessions: 30, candidate_support: Some(0.01), ..Exposure::default() };
        let shown = PipelineComparison { exposure: shown, ..comparison(0.0) };
        assert!(said(old(), result("b", 30, 0, None), &shown).is_empty());
        // Of a candidate without hits there is nothing to ask; beside a baseline without hits, and with no judgments, nobody knows.
        assert_eq!(said(old(), result("b", 30, 30, None), &comparison(0.0)).len(), 1);
        let alone = said(result("a", 30, 30, None), result("b", 30, 0, None), &comparison(0.0));
        assert_eq!(alone, ["`a` answered 30 of 30 sessions with no hit"]);
    }
}
