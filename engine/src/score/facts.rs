//! What the comparison needs to know of a ranking besides its scores: where the items went that the user touched or could see, how
//! many of the top a judge graded, and which items stand there. Found here, while hits and session are at hand, so that nobody reads
//! a hit again.

use crate::rows::{Answers, RankingFacts, TopItems};
use crate::session::Session;

/// Returns the facts of `answers`, which answer `sessions` one by one and have so many `graded` hits among the first `depth` ranks
/// (`None` where the retriever failed), with the items of the first `listed`.
#[must_use]
pub fn ranking_facts(
    sessions: &[Session],
    graded: &[Option<u32>],
    answers: &Answers,
    depth: usize,
    listed: usize,
) -> RankingFacts {
    let top_items = TopItems::with_capacity(answers.len(), listed);
    let mut facts = RankingFacts { top_items, ..RankingFacts::default() };
    for (row, (session, graded)) in sessions.iter().zip(graded).enumerate() {
        let touched = if answers.failed(row) { Vec::new() } else { session.touched_items() };
        facts.touched_ranks.push(touched.into_iter().map(|item| rank(answers, row, item)).collect());
        facts.exposed_ranks.push(exposed_ranks(session, answers, row, depth));
        // Without judgments, what has a grade was acted on.
        facts.top_judged.push(graded.filter(|_| !session.judgments.is_empty()));
        facts.top_items.push(answers.items(row).take(listed));
    }
    facts
}

/// The ranks of the items that the user could act on; none where nobody asks, because judges say what is relevant.
fn exposed_ranks(session: &Session, answers: &Answers, row: usize, depth: usize) -> Vec<u32> {
    if answers.failed(row) || !session.judgments.is_empty() {
        return Vec::new();
    }
    session.exposed_items().into_iter().map(|item| rank_within(answers, row, item, depth)).collect()
}

/// The 1-based rank of an item, 0 where it was not returned.
fn rank(answers: &Answers, row: usize, item: &str) -> u32 {
    rank_within(answers, row, item, usize::MAX)
}

/// The 1-based rank of an item among the first `depth`, 0 where it is not there.
fn rank_within(answers: &Answers, row: usize, item: &str, depth: usize) -> u32 {
    let index = answers.items(row).take(depth).position(|hit| hit == item);
    index.and_then(|index| u32::try_from(index + 1).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::{item_key, top_keys};
    use crate::session::{Hit, Interaction, Judgment, Ranking, ShownItem};

    #[test]
    fn touched_and_exposed_items_are_found() {
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
        let facts = ranking_facts(&[session.clone(), session.clone()], &[Some(2), None], &answers, 3, 2);
        assert_eq!(facts.touched_ranks, [vec![4, 0, 1], vec![]]);
        assert_eq!(facts.exposed_ranks, [vec![2, 0, 0, 1], vec![]], "b is shown; c is beyond the depth, x nowhere");
        assert_eq!(facts.top_judged, [None, None]);
        let tops = facts.top_items.finish();
        assert_eq!(top_keys(tops.value(0)).collect::<Vec<_>>(), ["a", "b"].map(item_key));
        assert!(tops.value(1).is_empty());

        let judgments = ["b", "c"].map(|item| Judgment { item_id: item.into(), grade: 0.0 });
        let judged = Session { judgments: judgments.into(), ..session };
        let facts = ranking_facts(&[judged.clone(), judged], &[Some(1), None], &answers, 3, 2);
        assert_eq!((facts.exposed_ranks, facts.top_judged), (vec![vec![], vec![]], vec![Some(1), None]));
    }
}
