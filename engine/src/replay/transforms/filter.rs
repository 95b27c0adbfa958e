//! The transform `filter`.

use std::collections::HashMap;

use async_trait::async_trait;
use datafusion::arrow::array::AsArray;

use super::TransformError;
use super::items::{Kind, Question};
use crate::benchmark::stages::{FilterHitsPlan, UnknownHits};
use crate::replay::{Reads, RetrieveError, Retrieved, Transform};
use crate::session::{Hit, Session};

/// Takes hits out by what a corpus says of them; what is left keeps its order and scores.
///
/// Memory: every item id of the corpus, with a flag.
#[derive(Debug)]
pub struct FilterHits {
    /// Whether the predicate is true of an item; null is not true.
    passes: HashMap<String, bool>,
    unknown: UnknownHits,
}

impl FilterHits {
    /// Evaluates the predicate over the corpus.
    ///
    /// # Errors
    ///
    /// Returns an error when the corpus cannot be read, or the predicate is not true or false of one document.
    pub fn build(plan: &FilterHitsPlan) -> Result<Self, TransformError> {
        let mut passes = HashMap::new();
        question(plan).answer(Kind::Truth, |ids, values| {
            let values = values.as_boolean();
            passes
                .extend(ids.iter().zip(values).filter_map(|(id, passes)| Some((id?.to_owned(), passes == Some(true)))));
            Ok(())
        })?;
        Ok(Self { passes, unknown: plan.unknown })
    }

    /// Looks at the predicate and at the corpus, which is not read through.
    ///
    /// # Errors
    ///
    /// Returns an error that [`FilterHits::build`] returns too.
    pub fn look(plan: &FilterHitsPlan) -> Result<(), TransformError> {
        question(plan).look(Kind::Truth)
    }

    fn goes_on(&self, hit: &Hit) -> bool {
        self.passes.get(&hit.item_id).copied().unwrap_or(self.unknown == UnknownHits::Keep)
    }
}

fn question(plan: &FilterHitsPlan) -> Question<'_> {
    Question { corpus: &plan.corpus, key: "where", text: &plan.predicate }
}

#[async_trait]
impl Transform for FilterHits {
    fn kind(&self) -> &'static str {
        "filter"
    }

    fn reads(&self) -> Reads {
        Reads::NOTHING
    }

    async fn transform(&self, _: &Session, mut hits: Vec<Hit>, _: usize) -> Result<Retrieved, RetrieveError> {
        hits.retain(|hit| self.goes_on(hit));
        Ok(hits.into())
    }
}
