//! What a component answered, checked and turned into hits.

use std::collections::{BTreeMap, HashSet};

use crate::sandbox::bindings::stages::rematch::scoring::stage_types::Answers;
use crate::session::Hit;

/// Longest reason of an error that is kept, characters.
const MAX_REASON: usize = 1_000;

/// What a session gets: hits, or the reason why there are none.
pub(super) type Answer = Result<Vec<Hit>, String>;

/// Turns a reply to `sessions` sessions into an answer for each, with at most `depth` hits. `item` returns the id of an
/// item by its number, where it may stand in the answer to the session at that index.
///
/// The error says in words what makes the reply as a whole meaningless: offsets or scores that do not fit, an index out of
/// range.
pub(super) fn answers<'a>(
    reply: &Answers,
    sessions: usize,
    depth: usize,
    item: impl Fn(usize, u32) -> Option<&'a str>,
) -> Result<Vec<Answer>, String> {
    check_columns(reply, sessions)?;
    let mut errors = BTreeMap::new();
    for error in &reply.errors {
        if error.index as usize >= sessions {
            return Err(format!("returned an error for session {} of a batch of {sessions}", error.index));
        }
        errors.entry(error.index as usize).or_insert(error.message.as_str());
    }
    let bounds = reply.offsets.iter().zip(reply.offsets.iter().skip(1));
    let answer = |(session, (start, end)): (usize, (&u32, &u32))| {
        if let Some(message) = errors.get(&session) {
            return Err(message.chars().take(MAX_REASON).collect());
        }
        let rows = *start as usize..*end as usize;
        let items = reply.items.get(rows.clone()).unwrap_or_default();
        hits(items, reply.scores.get(rows), depth, |number| item(session, number))
    };
    Ok(bounds.enumerate().map(answer).collect())
}

fn check_columns(reply: &Answers, sessions: usize) -> Result<(), String> {
    let Answers { offsets, items, scores, .. } = reply;
    let nothing = sessions == 0 && offsets.is_empty() && items.is_empty();
    if !nothing && (offsets.len() != sessions.saturating_add(1) || offsets.first() != Some(&0)) {
        return Err(format!(
            "returned {} offsets for {sessions} sessions, expected {} that begin with 0",
            offsets.len(),
            sessions.saturating_add(1)
        ));
    }
    if !offsets.is_sorted() || offsets.last().is_some_and(|last| *last as usize != items.len()) {
        return Err(format!("returned offsets that do not ascend to its {} items", items.len()));
    }
    if !scores.is_empty() && scores.len() != items.len() {
        return Err(format!(
            "returned {} scores for {} items, expected one for each or none",
            scores.len(),
            items.len()
        ));
    }
    Ok(())
}

/// The hits of one session, or why its rows are none. Without scores, `scores` is `None`.
fn hits<'a>(items: &[u32], scores: Option<&[f64]>, depth: usize, item: impl Fn(u32) -> Option<&'a str>) -> Answer {
    let mut hits = Vec::with_capacity(items.len());
    let mut seen = HashSet::with_capacity(items.len());
    for (row, number) in items.iter().enumerate() {
        let Some(item_id) = item(*number) else {
            return Err(format!("returned the item {number}, which it was not given"));
        };
        if !seen.insert(*number) {
            return Err(format!("returned the item {number} (`{item_id}`) twice"));
        }
        let score = scores.and_then(|scores| scores.get(row)).copied();
        if let Some(score) = score.filter(|score| !score.is_finite()) {
            return Err(format!("returned the score {score} for `{item_id}`, expected a finite number"));
        }
        hits.push(Hit { item_id: item_id.to_owned(), score });
    }
    // Stable, and without a word on hits that have no score. -0 and 0 are equal.
    hits.sort_by(|left, right| right.score.partial_cmp(&left.score).unwrap_or(std::cmp::Ordering::Equal));
    hits.truncate(depth);
    Ok(hits)
}
