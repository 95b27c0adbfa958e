//! What a work unit writes: answers, their scores, and facts that the comparison needs, side by side.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Float64Array, Float64Builder, ListBuilder, RecordBatch, UInt32Array};
use datafusion::arrow::error::ArrowError;
use rematch_metrics::ties::TieInterval;

use super::Answers;
use super::fields::list_of;
use super::scores::scorers_column;
use super::top_items::TopItems;
use crate::schema;
use crate::session::ScorerResult;

/// What the order of hits with equal scores could make of a session's metrics ([`ScoreColumns::ties`]).
pub type SessionTies = Option<Vec<Option<TieInterval>>>;

/// The scores of a chunk, column by column.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ScoreColumns {
    /// One list per measure but the scenario score, with one value per session; `None` where it is undefined or the
    /// retriever failed.
    pub measures: Vec<Vec<Option<f64>>>,
    /// One element per session: nothing where no neighbours have equal scores; else the values that each metric could have if
    /// they changed places (`None` where it is undefined or not known), no values where that matters to none.
    pub ties: Vec<SessionTies>,
    /// Hits among the first ranks that have a grade, one element per session; `None` where the retriever failed.
    pub top_graded: Vec<Option<u32>>,
    /// One list per session, with one result per scorer of the contract.
    pub scorers: Vec<Vec<ScorerResult>>,
    /// The weighted mean of the scorers' values, one per session.
    pub scenario_score: Vec<Option<f64>>,
}

/// What there is to know of rankings besides hits and scores, one element per session ([`schema::part`]).
#[derive(Debug, Default)]
pub struct RankingFacts {
    /// The ranks of the items that the user touched.
    pub touched_ranks: Vec<Vec<u32>>,
    /// The ranks of the items that the user could act on; none where judges say what is relevant.
    pub exposed_ranks: Vec<Vec<u32>>,
    /// Hits among the first ranks that a judge graded; `None` where nobody judged anything, or the retriever failed.
    pub top_judged: Vec<Option<u32>>,
    /// Which items stand at the top.
    pub top_items: TopItems,
}

/// Returns a part's batch, in the schema [`schema::part`] of `measures`.
///
/// # Errors
///
/// Returns an error when the columns have different lengths.
pub fn part_to_batch(
    answers: &Answers,
    scores: &ScoreColumns,
    facts: RankingFacts,
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
    for lists in [&facts.touched_ranks, &facts.exposed_ranks] {
        let ranks = UInt32Array::from_iter_values(lists.iter().flatten().copied());
        columns.push(list_of(Arc::new(ranks), lists.iter().map(Vec::len), None)?);
    }
    columns.push(Arc::new(UInt32Array::from(facts.top_judged)));
    columns.push(Arc::new(facts.top_items.finish()));
    columns.push(tie_bounds(&scores.ties));
    RecordBatch::try_new(schema::part(measures), columns)
}

/// The column of the values that ties could make of the metrics: low and high of each.
fn tie_bounds(ties: &[SessionTies]) -> ArrayRef {
    let mut column = ListBuilder::new(Float64Builder::new());
    for intervals in ties {
        for interval in intervals.iter().flatten() {
            column.values().append_option(interval.map(|interval| interval.low));
            column.values().append_option(interval.map(|interval| interval.high));
        }
        column.append(intervals.is_some());
    }
    Arc::new(column.finish())
}
