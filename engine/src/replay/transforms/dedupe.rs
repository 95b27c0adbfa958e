//! The transform `dedupe`.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use datafusion::arrow::array::AsArray;

use super::TransformError;
use super::items::{Kind, Question};
use crate::benchmark::stages::DedupePlan;
use crate::replay::{Reads, RetrieveError, Retrieved, Transform};
use crate::session::{Hit, Session};

/// Leaves the best hit of all that have the same value of a field. Hits without a value, and hits that do not stand in the
/// corpus, are nobody's duplicates.
///
/// Memory: the id of every item that has a value, with a number, and every value once.
#[derive(Debug)]
pub struct Dedupe {
    /// A number for the value of each item.
    values: HashMap<String, u32>,
}

impl Dedupe {
    /// Reads the field of every document.
    ///
    /// # Errors
    ///
    /// Returns an error when the corpus cannot be read or has no such column of plain values.
    pub fn build(plan: &DedupePlan) -> Result<Self, TransformError> {
        let mut values = HashMap::new();
        let mut numbers: HashMap<String, u32> = HashMap::new();
        question(plan).answer(Kind::Text, |ids, texts| {
            for (id, text) in ids.iter().zip(texts.as_string::<i32>()) {
                let (Some(id), Some(text)) = (id, text) else { continue };
                let next = u32::try_from(numbers.len()).map_err(|_| "it has too many values".to_owned())?;
                let number = match numbers.get(text) {
                    Some(number) => *number,
                    None => *numbers.entry(text.to_owned()).or_insert(next),
                };
                values.insert(id.to_owned(), number);
            }
            Ok(())
        })?;
        Ok(Self { values })
    }

    /// Looks at the columns of the corpus, which is not read through.
    ///
    /// # Errors
    ///
    /// Returns an error that [`Dedupe::build`] returns too.
    pub fn look(plan: &DedupePlan) -> Result<(), TransformError> {
        question(plan).look(Kind::Text)
    }
}

fn question(plan: &DedupePlan) -> Question<'_> {
    Question { corpus: &plan.corpus, key: "field", text: &plan.field }
}

#[async_trait]
impl Transform for Dedupe {
    fn kind(&self) -> &'static str {
        "dedupe"
    }

    fn reads(&self) -> Reads {
        Reads::NOTHING
    }

    async fn transform(&self, _: &Session, mut hits: Vec<Hit>, _: usize) -> Result<Retrieved, RetrieveError> {
        let mut seen = HashSet::with_capacity(hits.len());
        hits.retain(|hit| self.values.get(&hit.item_id).is_none_or(|value| seen.insert(*value)));
        Ok(hits.into())
    }
}
