//! Rows of a database as hits, checked.

use std::collections::HashSet;

use crate::session::Hit;

/// The hits of an answer, row by row.
#[derive(Debug, Default)]
pub(super) struct HitRows {
    hits: Vec<Hit>,
    seen: HashSet<String>,
    /// The last score.
    before: Option<f64>,
}

impl HitRows {
    /// Adds a row.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with it: an id that is null or came before, a score that is not a number or rises.
    pub(super) fn push(&mut self, item_id: Option<&str>, score: Option<f64>) -> Result<(), String> {
        let row = self.hits.len() + 1;
        let item_id = item_id.ok_or_else(|| format!("the item id of row {row} is null"))?;
        if !self.seen.insert(item_id.to_owned()) {
            return Err(format!("item `{item_id}` is in row {row} for the second time"));
        }
        if let Some(score) = score {
            if score.is_nan() {
                return Err(format!("the score of row {row} is not a number"));
            }
            if let Some(before) = self.before.filter(|before| score > *before) {
                return Err(format!(
                    "score {score} in row {row} follows {before}, and a score never rises: order by it, descending; negate a \
                     distance; or leave the column out"
                ));
            }
            self.before = Some(score);
        }
        self.hits.push(Hit { item_id: item_id.to_owned(), score });
        Ok(())
    }

    /// Returns the number of rows so far.
    pub(super) fn len(&self) -> usize {
        self.hits.len()
    }

    /// Returns the hits.
    pub(super) fn into_hits(self) -> Vec<Hit> {
        self.hits
    }
}
