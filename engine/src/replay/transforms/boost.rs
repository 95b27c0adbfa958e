//! The transform `boost`.

use std::cmp::Ordering;
use std::collections::HashMap;

use async_trait::async_trait;
use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::Float64Type;

use super::TransformError;
use super::items::{Kind, Question};
use crate::benchmark::stages::{BoostMode, BoostPlan};
use crate::replay::{Reads, RetrieveError, Retrieved, Transform};
use crate::session::{Hit, Session};

/// Largest size of a boost: a score that is multiplied must stay finite.
const LARGEST: f64 = 1e100;

/// Changes scores by what a corpus says of the hits, and sorts by them; equal scores keep their order.
///
/// A list in which every hit has a score begins with these. Where one has none, or one below 0 is to be multiplied (which
/// would turn the meaning of a boost round), every hit of the list begins with 1 / rank instead: scores of two kinds cannot
/// be compared. Hits without a value, and hits that do not stand in the corpus, keep what they begin with.
///
/// Memory: the id of every item that has a value, with the value.
#[derive(Debug)]
pub struct Boost {
    values: HashMap<String, f64>,
    mode: BoostMode,
}

impl Boost {
    /// Evaluates the expression over the corpus.
    ///
    /// # Errors
    ///
    /// Returns an error when the corpus cannot be read, or the expression is no finite number of a document, or one below
    /// 0 that is to be multiplied by.
    pub fn build(plan: &BoostPlan) -> Result<Self, TransformError> {
        let mut boosts = HashMap::new();
        let lowest = if plan.mode == BoostMode::Multiply { 0.0 } else { -LARGEST };
        question(plan).answer(Kind::Number, |ids, values| {
            for (id, value) in ids.iter().zip(values.as_primitive::<Float64Type>()) {
                let (Some(id), Some(value)) = (id, value) else { continue };
                if !(lowest..=LARGEST).contains(&value) {
                    return Err(format!(
                        "it is {value} for item `{id}`, expected a number from {lowest:e} to {LARGEST:e}"
                    ));
                }
                boosts.insert(id.to_owned(), value);
            }
            Ok(())
        })?;
        Ok(Self { values: boosts, mode: plan.mode })
    }

    /// Looks at the expression and at the corpus, which is not read through.
    ///
    /// # Errors
    ///
    /// Returns an error that [`Boost::build`] returns too.
    pub fn look(plan: &BoostPlan) -> Result<(), TransformError> {
        question(plan).look(Kind::Number)
    }

    fn boosted(&self, mut hits: Vec<Hit>) -> Vec<Hit> {
        let may_stand = |hit: &Hit| match self.mode {
            BoostMode::Multiply => hit.score.is_some_and(|score| score >= 0.0),
            BoostMode::Add => hit.score.is_some(),
        };
        let by_rank = !hits.iter().all(may_stand);
        for (rank, hit) in (1_u32..).zip(&mut hits) {
            let begins = hit.score.filter(|_| !by_rank).unwrap_or(1.0 / f64::from(rank));
            let boosted = match (self.values.get(&hit.item_id), self.mode) {
                (Some(factor), BoostMode::Multiply) => begins * factor,
                (Some(summand), BoostMode::Add) => begins + summand,
                (None, _) => begins,
            };
            // Finite unless the score was near the largest number already.
            hit.score = Some(boosted.clamp(f64::MIN, f64::MAX));
        }
        hits.sort_by(|left, right| right.score.partial_cmp(&left.score).unwrap_or(Ordering::Equal));
        hits
    }
}

fn question(plan: &BoostPlan) -> Question<'_> {
    Question { corpus: &plan.corpus, key: "by", text: &plan.by }
}

#[async_trait]
impl Transform for Boost {
    fn kind(&self) -> &'static str {
        "boost"
    }

    fn reads(&self) -> Reads {
        Reads::NOTHING
    }

    async fn transform(&self, _: &Session, hits: Vec<Hit>, _: usize) -> Result<Retrieved, RetrieveError> {
        Ok(self.boosted(hits).into())
    }
}
