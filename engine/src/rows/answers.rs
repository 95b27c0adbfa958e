//! A retriever's answers to a chunk of sessions as columns: hits are never copied one by one.

use std::ops::Range;

use datafusion::arrow::array::{Array, AsArray, Float64Array, ListArray, RecordBatch, StringArray};
use datafusion::arrow::datatypes::Float64Type;
use datafusion::arrow::error::ArrowError;

use super::fields::{Text, column as named, field, list_range};
use super::{rankings_from_batch, rankings_to_batch};
use crate::schema::column;
use crate::session::Ranking;

/// One retriever's answers to a chunk: a batch that has the columns of [`crate::schema::RANKINGS`], opened.
#[derive(Debug, Clone)]
pub struct Answers {
    batch: RecordBatch,
    hits: ListArray,
    items: StringArray,
    scores: Float64Array,
    error_kinds: StringArray,
}

impl Answers {
    /// Opens a batch.
    ///
    /// # Errors
    ///
    /// Returns an error when a column is missing or has another type, and when an item id is null.
    pub fn open(batch: RecordBatch) -> Result<Self, ArrowError> {
        let unexpected = |name: &str| ArrowError::SchemaError(format!("column `{name}` has an unexpected type"));
        let hits = named(&batch, column::HITS)?.as_list_opt::<i32>().ok_or_else(|| unexpected(column::HITS))?.clone();
        let elements = hits.values().as_struct_opt().ok_or_else(|| unexpected(column::HITS))?;
        let items = Text::of(field(elements, column::ITEM_ID)?, column::ITEM_ID)?.array().clone();
        let scores = field(elements, column::SCORE)?.as_primitive_opt::<Float64Type>();
        let scores = scores.ok_or_else(|| unexpected(column::SCORE))?.clone();
        let error_kinds = Text::of(named(&batch, column::ERROR_KIND)?, column::ERROR_KIND)?.array().clone();
        if items.null_count() > 0 {
            return Err(ArrowError::InvalidArgumentError(format!(
                "a null `{}` in `{}`",
                column::ITEM_ID,
                column::HITS
            )));
        }
        Ok(Self { batch, hits, items, scores, error_kinds })
    }

    /// Returns rankings as columns.
    ///
    /// # Errors
    ///
    /// Returns an error when there are more hits than Arrow can count (2^31).
    pub fn of(rankings: &[Ranking]) -> Result<Self, ArrowError> {
        Self::open(rankings_to_batch(rankings)?)
    }

    /// Returns the batch.
    #[must_use]
    pub fn batch(&self) -> &RecordBatch {
        &self.batch
    }

    /// Returns the number of answers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.batch.num_rows()
    }

    /// Returns whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns whether the retriever failed on the session of that row.
    #[must_use]
    pub fn failed(&self, row: usize) -> bool {
        self.error_kinds.is_valid(row)
    }

    /// Returns the number of rows on which the retriever failed.
    #[must_use]
    pub fn failures(&self) -> usize {
        self.len() - self.error_kinds.null_count()
    }

    /// Returns the range of a row's hits among all.
    fn range(&self, row: usize) -> Range<usize> {
        list_range(&self.hits, row)
    }

    /// Returns the number of hits of a row.
    #[must_use]
    pub fn hit_count(&self, row: usize) -> usize {
        self.range(row).len()
    }

    /// Iterates over a row's items, best first.
    pub fn items(&self, row: usize) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.range(row).map(|hit| self.items.value(hit))
    }

    /// Iterates over the scores of a row's hits, best first.
    pub fn scores(&self, row: usize) -> impl ExactSizeIterator<Item = Option<f64>> {
        self.range(row).map(|hit| self.scores.is_valid(hit).then(|| self.scores.value(hit)))
    }

    /// Returns the answers as rows.
    ///
    /// # Errors
    ///
    /// Returns an error when a column is missing, has another type, or is null where the schema forbids it.
    pub fn to_rankings(&self) -> Result<Vec<Ranking>, ArrowError> {
        rankings_from_batch(&self.batch)
    }
}
