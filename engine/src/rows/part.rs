//! What a work unit writes: answers, their scores, and facts that the comparison needs, side by side.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Float64Array, RecordBatch, UInt32Array};
use datafusion::arrow::error::ArrowError;

use super::Answers;
use super::fields::list_of;
use super::scores::scorers_column;
use crate::schema;
use crate::session::ScorerResult;

/// The scores of a chunk, column by column.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ScoreColumns {
    /// One list per measure but the scenario score, with one value per session; `None` where it is undefined or the
    /// retriever failed.
    pub measures: Vec<Vec<Option<f64>>>,
    /// One list per session, with one result per scorer of the contract.
    pub scorers: Vec<Vec<ScorerResult>>,
    /// The weighted mean of the scorers' values, one per session.
    pub scenario_score: Vec<Option<f64>>,
}

/// What there is to know of rankings besides hits and scores, one element per session ([`schema::part`]).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RankingFacts {
    /// Hits among the first ranks that the user could see, or that a judge graded.
    pub top_covered: Vec<u32>,
    /// The ranks of the items that the user touched.
    pub touched_ranks: Vec<Vec<u32>>,
}

/// Returns a part's batch, in the schema [`schema::part`] of `measures`.
///
/// # Errors
///
/// Returns an error when the columns have different lengths.
pub fn part_to_batch(
    answers: &Answers,
    scores: &ScoreColumns,
    facts: &RankingFacts,
    measures: &[String],
) -> Result<RecordBatch, ArrowError> {
    let mut columns: Vec<ArrayRef> = answers.batch().columns().to_vec();
    for values in &scores.measures {
        columns.push(Arc::new(values.iter().copied().collect::<Float64Array>()));
    }
    columns.push(scorers_column(scores.scorers.iter().map(Vec::as_slice))?);
    columns.push(Arc::new(scores.scenario_score.iter().copied().collect::<Float64Array>()));
    let hit_counts = (0..answers.len()).map(|row| u32::try_from(answers.hit_count(row)).unwrap_or(u32::MAX));
    columns.push(Arc::new(UInt32Array::from_iter_values(hit_counts)));
    columns.push(Arc::new(UInt32Array::from(facts.top_covered.clone())));
    let touched = UInt32Array::from_iter(facts.touched_ranks.iter().flatten().copied().map(Some));
    columns.push(list_of(Arc::new(touched), facts.touched_ranks.iter().map(Vec::len), None)?);
    RecordBatch::try_new(schema::part(measures), columns)
}
