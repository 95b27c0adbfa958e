//! What a session gets.

use crate::bindings::rematch::scoring::stage_types::{Answers, SessionError};

use super::Item;

/// Items with their scores, higher is better. The host sorts by the scores; equal ones keep their order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ranking(Vec<(Item, f64)>);

impl Ranking {
    /// Returns the ranking of items that are in order already, best first: each gets the score 1 / rank.
    #[must_use]
    pub fn ordered(items: impl IntoIterator<Item = Item>) -> Self {
        let ranks = (1_u32..).map(|rank| 1.0 / f64::from(rank));
        Self(items.into_iter().zip(ranks).collect())
    }
}

impl FromIterator<(Item, f64)> for Ranking {
    fn from_iter<T: IntoIterator<Item = (Item, f64)>>(scored: T) -> Self {
        Self(scored.into_iter().collect())
    }
}

/// Returns the columns that the host takes.
pub(super) fn columns(rankings: Vec<Result<Ranking, String>>) -> Answers {
    let mut answers = Answers { offsets: vec![0], items: Vec::new(), scores: Vec::new(), errors: Vec::new() };
    for (index, ranking) in (0..).zip(rankings) {
        match ranking {
            Ok(Ranking(rows)) => {
                answers.items.extend(rows.iter().map(|(item, _)| item.number()));
                answers.scores.extend(rows.iter().map(|(_, score)| score));
            }
            Err(message) => answers.errors.push(SessionError { index, message }),
        }
        answers.offsets.push(u32::try_from(answers.items.len()).unwrap_or(u32::MAX));
    }
    answers
}
