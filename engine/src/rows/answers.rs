//! A retriever's answers to a chunk of sessions as columns: hits are never copied one by one.

use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, ListArray, RecordBatch, StringArray, UInt32Array,
};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::Float64Type;
use datafusion::arrow::error::ArrowError;

use super::fields::{Text, column as named, field, list_of, list_range};
use super::{rankings_from_batch, rankings_to_batch};
use crate::schema::{self, column};
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

    /// Opens answers that a part holds, as those of `retriever_id`, with at most the first `depth` hits of each.
    ///
    /// # Errors
    ///
    /// Returns an error when a column is missing or has another type, and when an item id is null.
    pub fn borrowed(part: &RecordBatch, retriever_id: &str, depth: usize) -> Result<Self, ArrowError> {
        let columns = schema::RANKINGS.fields().iter().map(|field| {
            let column = named(part, field.name())?;
            Ok(match field.name().as_str() {
                column::RETRIEVER_ID => {
                    let names = std::iter::repeat_n(retriever_id, part.num_rows());
                    Arc::new(StringArray::from_iter_values(names)) as ArrayRef
                }
                column::HITS => first_hits(column, depth)?,
                _ => Arc::clone(column),
            })
        });
        let columns: Vec<ArrayRef> = columns.collect::<Result<_, ArrowError>>()?;
        Self::open(RecordBatch::try_new(Arc::clone(&schema::RANKINGS), columns)?)
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

    /// Returns the scores of a row's hits, best first, where two neighbours have the same one; `None` where no neighbours have,
    /// or a hit has no score.
    #[must_use]
    pub fn tied_scores(&self, row: usize) -> Option<&[f64]> {
        let range = self.range(row);
        if self.scores.null_count() > 0 && range.clone().any(|hit| self.scores.is_null(hit)) {
            return None;
        }
        let scores = self.scores.values().get(range)?;
        scores.iter().zip(scores.iter().skip(1)).any(|(one, next)| one == next).then_some(scores)
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

/// Returns the column of hits with at most the first `depth` of each row.
fn first_hits(hits: &ArrayRef, depth: usize) -> Result<ArrayRef, ArrowError> {
    let Some(lists) = hits.as_list_opt::<i32>() else {
        return Err(ArrowError::SchemaError(format!("column `{}` has an unexpected type", column::HITS)));
    };
    let ranges = || (0..lists.len()).map(|row| list_range(lists, row));
    if ranges().all(|range| range.len() <= depth) {
        return Ok(Arc::clone(hits));
    }
    // Arrow counts the hits of a list column in 31 bits.
    let kept = ranges().flat_map(|range| range.take(depth)).filter_map(|hit| u32::try_from(hit).ok());
    let elements = take(lists.values(), &UInt32Array::from_iter_values(kept), None)?;
    list_of(elements, ranges().map(|range| range.len().min(depth)), lists.nulls().cloned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Hit;

    fn ranking(session: usize, hits: Option<usize>) -> Ranking {
        let hit = |rank: usize| Hit { item_id: format!("i{rank}"), score: Some(1.0 / (1 + rank) as f64) };
        Ranking {
            session_id: format!("s{session}"),
            retriever_id: "old".into(),
            hits: (0..hits.unwrap_or(0)).map(hit).collect(),
            latency_ns: 7,
            error_kind: hits.is_none().then(|| "timeout".into()),
            ..Ranking::default()
        }
    }

    #[test]
    fn borrowed_answers_have_the_new_name_and_no_more_hits_than_asked_for() {
        let rankings = [ranking(0, Some(3)), ranking(1, None), ranking(2, Some(0)), ranking(3, Some(1))];
        let part = rankings_to_batch(&rankings).expect("a batch");
        let same = Answers::borrowed(&part, "new", 3).expect("answers").to_rankings().expect("rankings");
        for (before, after) in rankings.iter().zip(&same) {
            assert_eq!(*after, Ranking { retriever_id: "new".into(), ..before.clone() });
        }
        let cut = Answers::borrowed(&part, "new", 1).expect("answers");
        assert_eq!((0..4).map(|row| cut.hit_count(row)).collect::<Vec<usize>>(), [1, 0, 0, 1]);
        assert_eq!(cut.items(3).collect::<Vec<&str>>(), ["i0"]);
        assert_eq!((cut.failures(), cut.failed(1)), (1, true));
        // Rows of the middle of a part: offsets do not begin at 0.
        let cut = Answers::borrowed(&part.slice(2, 2), "new", 0).expect("answers");
        assert_eq!((cut.len(), cut.hit_count(1)), (2, 0));
    }

    #[test]
    fn a_table_that_is_no_part_is_refused() {
        let part = rankings_to_batch(&[ranking(0, Some(1))]).expect("a batch");
        let error = Answers::borrowed(&part.project(&[0, 1]).expect("columns"), "new", 1).expect_err("columns lack");
        assert!(error.to_string().contains("no column `hits`"), "{error}");
    }
}
