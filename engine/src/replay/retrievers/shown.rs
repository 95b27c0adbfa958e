//! Plays back the logged list.

use std::collections::HashSet;

use async_trait::async_trait;

use crate::replay::{RetrieveError, RetrieveErrorKind, Retrieved, Retriever};
use crate::session::{Hit, Session, ShownItem};

/// Answers each session with the list that it was shown when it was logged.
///
/// An item that was shown twice stays at its first rank. Logged scores are kept only where they explain the order: all
/// items have one, and none is above the one before it. A session without a logged list fails.
#[derive(Debug, Default)]
pub struct ShownRetriever;

#[async_trait]
impl Retriever for ShownRetriever {
    fn kind(&self) -> &'static str {
        "shown"
    }

    async fn retrieve(&self, session: &Session, depth: usize) -> Result<Retrieved, RetrieveError> {
        if session.shown.is_empty() {
            let message = "the session has no logged list, which `shown` plays back";
            return Err(RetrieveError::new(RetrieveErrorKind::NotShown, message));
        }
        let mut seen = HashSet::new();
        let mut items: Vec<&ShownItem> = session.shown.iter().collect();
        items.retain(|item| seen.insert(item.item_id.as_str()));
        let with_scores = scores_explain_order(&items);
        let hit = |item: &&ShownItem| Hit { item_id: item.item_id.clone(), score: item.score.filter(|_| with_scores) };
        Ok(Retrieved { hits: items.iter().take(depth).map(hit).collect(), ..Retrieved::default() })
    }
}

/// Looks at the whole list, so that an answer does not depend on its depth.
fn scores_explain_order(items: &[&ShownItem]) -> bool {
    let scores: Option<Vec<f64>> = items.iter().map(|item| item.score.filter(|score| score.is_finite())).collect();
    scores.is_some_and(|scores| scores.is_sorted_by(|before, after| before >= after))
}
