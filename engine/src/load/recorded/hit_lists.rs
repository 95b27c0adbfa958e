//! Puts the column `hits` of [`crate::schema::RANKINGS`] together from pieces of blocks.

use std::ops::Range;
use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, ListArray, StringArray, StructArray, UInt32Array,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::{concat, take};
use datafusion::arrow::datatypes::{DataType, Field, Float64Type};
use datafusion::arrow::error::ArrowError;

use super::block::Block;
use super::order::single;
use crate::benchmark::HitOrder;
use crate::schema::hit_fields;

/// Lists of hits, one per session, whose hits are slices of blocks until [`Self::finish`].
#[derive(Default)]
pub(super) struct HitLists {
    items: Vec<ArrayRef>,
    /// As many as `items`; `None` for a piece without scores.
    scores: Vec<Option<ArrayRef>>,
    lengths: Vec<usize>,
    /// Hits of the block at hand that follow each other and are not yet in `items`.
    open: Range<usize>,
    /// Pieces in `items` of earlier blocks.
    settled: usize,
    /// Hits of the block at hand, in `items` or `open`.
    taken: usize,
}

impl HitLists {
    /// Adds a session without hits.
    pub(super) fn push_empty(&mut self) {
        self.lengths.push(0);
    }

    /// Adds a session whose hits are these of the block.
    pub(super) fn push_range(&mut self, block: &Block, hits: Range<usize>) {
        self.lengths.push(hits.len());
        self.taken += hits.len();
        if self.open.end == hits.start && !self.open.is_empty() {
            self.open.end = hits.end;
            return;
        }
        self.close(block);
        self.open = hits;
    }

    /// Adds a session whose hits are at these places of the block.
    pub(super) fn push_places(&mut self, block: &Block, places: Vec<u32>) -> Result<(), ArrowError> {
        self.close(block);
        self.lengths.push(places.len());
        self.taken += places.len();
        let places = UInt32Array::from(places);
        self.items.push(take(&block.items, &places, None)?);
        self.scores.push(block.scores.as_ref().map(|scores| take(scores, &places, None)).transpose()?);
        Ok(())
    }

    /// Ends the pieces of a block. Where they are a small part of it they are copied, so that the rest can go.
    pub(super) fn leave(&mut self, block: &Block) -> Result<(), ArrowError> {
        self.close(block);
        if self.items.len() > self.settled && self.taken * 2 < block.items.len() {
            let items = self.items.split_off(self.settled);
            let scores = concatenated_scores(&items, &self.scores.split_off(self.settled))?;
            self.items.push(concatenated(&items)?);
            self.scores.push(scores);
        }
        self.settled = self.items.len();
        self.taken = 0;
        Ok(())
    }

    fn close(&mut self, block: &Block) {
        let hits = std::mem::take(&mut self.open);
        if hits.is_empty() {
            return;
        }
        self.items.push(Arc::new(block.items.slice(hits.start, hits.len())));
        let scores = block.scores.as_ref().map(|scores| Arc::new(scores.slice(hits.start, hits.len())) as ArrayRef);
        self.scores.push(scores);
    }

    /// Returns the lists. Every block must have been left.
    pub(super) fn finish(self, compatibility: HitOrder) -> Result<ListArray, ArrowError> {
        let hits: usize = self.lengths.iter().sum();
        if i32::try_from(hits).is_err() {
            return Err(ArrowError::OffsetOverflowError(hits));
        }
        let items = match self.items.is_empty() {
            true => Arc::new(StringArray::new_null(0)),
            false => concatenated(&self.items)?,
        };
        let scores = concatenated_scores(&self.items, &self.scores)?.unwrap_or_else(|| no_scores(hits));
        let scores = match compatibility {
            HitOrder::Strict | HitOrder::Rank => scores,
            HitOrder::TrecEval => {
                let single = |score| f64::from(single(score));
                Arc::new(scores.as_primitive::<Float64Type>().unary::<_, Float64Type>(single))
            }
        };
        let hits = StructArray::try_new(hit_fields(), vec![unmasked(items)?, scores], None)?;
        let field = Arc::new(Field::new("item", DataType::Struct(hit_fields()), true));
        ListArray::try_new(field, OffsetBuffer::from_lengths(self.lengths), Arc::new(hits), None)
    }
}

/// Takes off the null mask of items that were checked to hold no null: their block has one for the sake of others.
fn unmasked(items: ArrayRef) -> Result<ArrayRef, ArrowError> {
    if items.nulls().is_none() {
        return Ok(items);
    }
    let (offsets, values, _) = items.as_string::<i32>().clone().into_parts();
    Ok(Arc::new(StringArray::try_new(offsets, values, None)?))
}

/// Returns the scores of pieces of items, `None` where no piece has any.
fn concatenated_scores(items: &[ArrayRef], pieces: &[Option<ArrayRef>]) -> Result<Option<ArrayRef>, ArrowError> {
    if pieces.iter().all(Option::is_none) {
        return Ok(None);
    }
    let pieces = items.iter().zip(pieces);
    let pieces: Vec<ArrayRef> =
        pieces.map(|(items, scores)| scores.clone().unwrap_or_else(|| no_scores(items.len()))).collect();
    concatenated(&pieces).map(Some)
}

/// Hits that have their missing scores in common.
const SHARED_HITS: usize = 1 << 20;

/// Returns scores of hits that have none. Nobody looks at the numbers below: one array does for all, and the system need not even
/// find it room.
fn no_scores(hits: usize) -> ArrayRef {
    static SHARED: LazyLock<Float64Array> = LazyLock::new(|| Float64Array::new_null(SHARED_HITS));
    match hits {
        0..=SHARED_HITS => Arc::new(SHARED.slice(0, hits)),
        _ => Arc::new(Float64Array::new_null(hits)),
    }
}

fn concatenated(pieces: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    match pieces {
        [piece] => Ok(piece.clone()),
        _ => concat(&pieces.iter().map(AsRef::as_ref).collect::<Vec<&dyn Array>>()),
    }
}
