//! What the comparison needs to know of a ranking besides its scores: where the items went that the user touched, and how
//! much of the top the user could see. Found here, while hits and session are at hand, so that nobody reads a hit again.

use super::Relevance;
use crate::rows::{Answers, RankingFacts};
use crate::session::Session;

/// Returns the facts of `answers`, which answer `sessions` one by one; the top is the first `depth` ranks.
#[must_use]
pub fn ranking_facts(sessions: &[Session], relevance: &[Relevance], answers: &Answers, depth: usize) -> RankingFacts {
    let mut facts = RankingFacts::default();
    for (row, (session, relevance)) in sessions.iter().zip(relevance).enumerate() {
        let touched = if answers.failed(row) { Vec::new() } else { session.touched_items() };
        facts.touched_ranks.push(touched.into_iter().map(|item| rank(answers, row, item)).collect());
        let covered = answers.items(row).take(depth).filter(|item| is_covered(session, relevance, item)).count();
        facts.top_covered.push(u32::try_from(covered).unwrap_or(u32::MAX));
    }
    facts
}

/// The 1-based rank of an item, 0 where it was not returned.
fn rank(answers: &Answers, row: usize, item: &str) -> u32 {
    let index = answers.items(row).position(|hit| hit == item);
    index.and_then(|index| u32::try_from(index + 1).ok()).unwrap_or(0)
}

/// Whether the user could see the item, or a judge graded it.
fn is_covered(session: &Session, relevance: &Relevance, item: &str) -> bool {
    relevance.grade(item).is_some() || session.shown.iter().any(|shown| shown.item_id == item)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::benchmark::RelevancePlan;
    use crate::benchmark::spec::{Combine, Compatibility};
    use crate::session::{Hit, Interaction, Ranking, ShownItem};

    #[test]
    fn touched_items_are_found_and_seen_hits_counted() {
        let touched = |item: &str| Interaction { item_id: item.into(), kind: "click".into(), ..Interaction::default() };
        let session = Session {
            interactions: ["c", "x", "c", "a"].map(touched).into(),
            shown: vec![ShownItem { item_id: "b".into(), ..ShownItem::default() }],
            ..Session::default()
        };
        let hits = ["a", "b", "d", "c"].map(|item| Hit { item_id: item.into(), score: None });
        let answered = Ranking { hits: hits.into(), ..Ranking::default() };
        let failed = Ranking { error_kind: Some("index".into()), ..Ranking::default() };
        let answers = Answers::of(&[answered, failed]).expect("answers");
        let plan = RelevancePlan {
            gain: rematch_metrics::GainFunction::Linear,
            combine: Combine::Max,
            weights: [].into(),
            compatibility: Compatibility::Strict,
        };
        let relevance = Relevance::of(&session, &plan);
        let facts = ranking_facts(&[session.clone(), session], &[relevance.clone(), relevance], &answers, 3);
        assert_eq!(facts.touched_ranks, [vec![4, 0, 1], vec![]]);
        assert_eq!(facts.top_covered, [2, 0]);
    }
}
