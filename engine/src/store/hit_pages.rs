//! The hits of a table as Parquet pages, written without a look at every hit.
//!
//! Hits are nine tenths of a run. The general writer makes levels for each of them and takes every id by itself; here levels are
//! runs, known from the lengths of the lists, and the ids of a page are copied at once. Readers see no difference: pages are of
//! version 1, ids are `DELTA_LENGTH_BYTE_ARRAY` as they are, scores `BYTE_STREAM_SPLIT` under LZ4, which is half as large as plain
//! scores under LZ4 and takes less time, since the bytes that are alike stand together.
//!
//! Not for: lists with nulls in them other than scores that are all null; those are left to the general writer.

mod lengths;
mod levels;
mod pieces;
mod streams;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float64Array, StringArray};
use datafusion::arrow::datatypes::Float64Type;
use datafusion::parquet::basic::{Compression, Encoding, PageType};
use datafusion::parquet::column::page::{CompressedPage, Page, PageWriter as _};
use datafusion::parquet::column::writer::ColumnCloseResult;
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::metadata::{ColumnChunkMetaData, PageEncodingStats};
use datafusion::parquet::file::reader::Length as _;
use datafusion::parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use datafusion::parquet::schema::types::ColumnDescPtr;

use self::levels::{definition_levels, entries, repetition_levels};
use self::pieces::Head;
pub(super) use self::pieces::Pieces;

/// How ids are encoded.
pub(super) const ITEM_ENCODING: Encoding = Encoding::DELTA_LENGTH_BYTE_ARRAY;
/// How scores are encoded.
pub(super) const SCORE_ENCODING: Encoding = Encoding::BYTE_STREAM_SPLIT;
/// How scores are compressed.
pub(super) const SCORE_COMPRESSION: Compression = Compression::LZ4_RAW;

/// Hits per page, where a list has not more: a page's scores stay in the cache while they are split and compressed.
const HITS_PER_PAGE: i32 = 1 << 14;
/// Lists per page, for lists that are short or empty.
const LISTS_PER_PAGE: usize = 1 << 14;

/// The level of an empty list; of an element, which cannot be null; of a score that is there.
const EMPTY: u8 = 1;
const ELEMENT: u8 = 3;
const SCORED: u8 = 4;

/// A column of a row group, as it stands in a file.
pub(super) struct EncodedColumn {
    pub(super) pieces: Pieces,
    pub(super) closed: ColumnCloseResult,
}

/// Returns the columns `item_id` and `score` of lists of hits, whose descriptions are `leaves`; `None` where the lists are not of
/// the type of hits, or hold nulls that this writer does not know.
///
/// # Errors
///
/// Returns an error when a page is too large for Parquet (2^31 bytes).
pub(super) fn encode(hits: &ArrayRef, leaves: &[ColumnDescPtr]) -> Result<Option<[EncodedColumn; 2]>, ParquetError> {
    let Some(columns) = Columns::of(hits, leaves) else { return Ok(None) };
    let [item, score] = leaves else { return Ok(None) };
    let mut items = Chunk::new(item, ITEM_ENCODING, Compression::UNCOMPRESSED);
    let mut scores = Chunk::new(score, SCORE_ENCODING, SCORE_COMPRESSION);
    for offsets in pages(columns.offsets) {
        let repetition = repetition_levels(offsets);
        let level = if columns.scores.is_some() { SCORED } else { ELEMENT };
        let mut page = leveled(&repetition, &definition_levels(offsets, EMPTY, ELEMENT), columns.item_bytes(offsets));
        columns.put_items(offsets, &mut page);
        items.add(page, offsets)?;
        let mut page = leveled(&repetition, &definition_levels(offsets, EMPTY, level), columns.score_bytes(offsets));
        columns.put_scores(offsets, &mut page);
        scores.add(page, offsets)?;
    }
    Ok(Some([items.finish(columns.lists())?, scores.finish(columns.lists())?]))
}

/// Lists of hits, opened.
struct Columns<'a> {
    offsets: &'a [i32],
    items: &'a StringArray,
    /// `None` where every score is null.
    scores: Option<&'a Float64Array>,
}

impl<'a> Columns<'a> {
    fn of(hits: &'a ArrayRef, leaves: &[ColumnDescPtr]) -> Option<Self> {
        let levels = leaves.iter().map(|leaf| (leaf.max_rep_level(), leaf.max_def_level()));
        if !levels.eq([(1, i16::from(ELEMENT)), (1, i16::from(SCORED))]) {
            return None;
        }
        let lists = hits.as_list_opt::<i32>()?;
        let elements = lists.values().as_struct_opt()?;
        let [items, scores] = elements.columns() else { return None };
        let (items, scores) = (items.as_string_opt::<i32>()?, scores.as_primitive_opt::<Float64Type>()?);
        let (first, end) = bounds(lists.value_offsets());
        // Of these lists alone: what else an array holds must not show in the bytes.
        let nulls = |array: &dyn Array| array.slice(first, end - first).null_count();
        if lists.is_empty() || lists.null_count() + nulls(elements) + nulls(items) > 0 {
            return None;
        }
        let scores = match nulls(scores) {
            0 => Some(scores),
            nulls if nulls == end - first => None,
            _ => return None,
        };
        Some(Self { offsets: lists.value_offsets(), items, scores })
    }

    /// Returns the bytes of the ids of lists, and a little for what stands beside them.
    fn item_bytes(&self, lists: &[i32]) -> usize {
        let (first, end) = bounds(lists);
        let (start, end) = bounds(self.items.value_offsets().get(first..=end).unwrap_or_default());
        (end - start) + (end - start) / 32
    }

    /// Returns the bytes of the scores of lists.
    fn score_bytes(&self, lists: &[i32]) -> usize {
        let (first, end) = bounds(lists);
        self.scores.map_or(0, |_| (end - first) * size_of::<f64>())
    }

    fn lists(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Adds the ids of a page: their lengths, and one after the other.
    fn put_items(&self, lists: &[i32], page: &mut Vec<u8>) {
        let (first, end) = bounds(lists);
        let offsets = self.items.value_offsets().get(first..=end).unwrap_or_default();
        lengths::put(offsets, page);
        let (first, end) = bounds(offsets);
        page.extend_from_slice(self.items.value_data().get(first..end).unwrap_or_default());
    }

    /// Adds the scores of a page.
    fn put_scores(&self, lists: &[i32], page: &mut Vec<u8>) {
        let (first, end) = bounds(lists);
        let scores = self.scores.and_then(|scores| scores.values().get(first..end)).unwrap_or_default();
        streams::put(scores, page);
    }
}

/// Returns the first and the last of ascending offsets.
fn bounds(offsets: &[i32]) -> (usize, usize) {
    let place = |offset: Option<&i32>| offset.and_then(|offset| usize::try_from(*offset).ok()).unwrap_or(0);
    (place(offsets.first()), place(offsets.last()))
}

/// Iterates over the pages of lists, each as the offsets of its lists and the end of the last.
fn pages(offsets: &[i32]) -> impl Iterator<Item = &[i32]> {
    let mut rest = offsets;
    std::iter::from_fn(move || {
        let (first, ends) = rest.split_first().filter(|(_, ends)| !ends.is_empty())?;
        let fitting = ends.partition_point(|end| end - first <= HITS_PER_PAGE).clamp(1, LISTS_PER_PAGE);
        let page = rest.get(..=fitting)?;
        rest = rest.get(fitting..)?;
        Some(page)
    })
}

/// Returns a page that begins with its levels, each kind with its length before it, and has room for about as many `bytes` more.
fn leveled(repetition: &[u8], definition: &[u8], bytes: usize) -> Vec<u8> {
    let mut page = Vec::with_capacity(2 * size_of::<u32>() + repetition.len() + definition.len() + bytes);
    for levels in [repetition, definition] {
        page.extend(u32::try_from(levels.len()).unwrap_or(u32::MAX).to_le_bytes());
        page.extend_from_slice(levels);
    }
    page
}

/// A column chunk under way.
struct Chunk {
    column: ColumnDescPtr,
    encoding: Encoding,
    compression: Compression,
    pieces: Pieces,
    /// Room for a compressed page.
    compressed: Vec<u8>,
    uncompressed: usize,
    entries: usize,
    pages: i32,
}

impl Chunk {
    fn new(column: &ColumnDescPtr, encoding: Encoding, compression: Compression) -> Self {
        let (column, pieces) = (ColumnDescPtr::clone(column), Pieces::default());
        Self { column, encoding, compression, pieces, compressed: Vec::new(), uncompressed: 0, entries: 0, pages: 0 }
    }

    fn add(&mut self, page: Vec<u8>, lists: &[i32]) -> Result<(), ParquetError> {
        let (size, entries) = (page.len(), entries(lists));
        let content = self.compressed(page)?;
        let page = Page::DataPage {
            buf: content.clone(),
            num_values: u32::try_from(entries)?,
            encoding: self.encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let mut sink = TrackedWrite::new(Head::default());
        let written = SerializedPageWriter::new(&mut sink).write_page(CompressedPage::new(page, size))?;
        self.pieces.push(sink.into_inner()?.before(content.len()).into());
        self.pieces.push(content);
        self.uncompressed += written.uncompressed_size;
        self.entries += entries;
        self.pages += 1;
        Ok(())
    }

    fn compressed(&mut self, page: Vec<u8>) -> Result<Bytes, ParquetError> {
        if self.compression == Compression::UNCOMPRESSED {
            return Ok(page.into());
        }
        let most = lz4_flex::block::get_maximum_output_size(page.len());
        if self.compressed.len() < most {
            self.compressed.resize(most, 0);
        }
        let length = lz4_flex::block::compress_into(&page, &mut self.compressed);
        let length = length.map_err(|error| ParquetError::External(Box::new(error)))?;
        Ok(Bytes::copy_from_slice(self.compressed.get(..length).unwrap_or_default()))
    }

    fn finish(self, lists: usize) -> Result<EncodedColumn, ParquetError> {
        let (page_type, encoding) = (PageType::DATA_PAGE, self.encoding);
        let metadata = ColumnChunkMetaData::builder(self.column)
            .set_compression(self.compression)
            .set_encodings(vec![Encoding::RLE, encoding])
            .set_page_encoding_stats(vec![PageEncodingStats { page_type, encoding, count: self.pages }])
            .set_total_compressed_size(i64::try_from(self.pieces.len())?)
            .set_total_uncompressed_size(i64::try_from(self.uncompressed)?)
            .set_num_values(i64::try_from(self.entries)?)
            .set_data_page_offset(0)
            .build()?;
        let closed = ColumnCloseResult {
            bytes_written: self.pieces.len(),
            rows_written: lists as u64,
            metadata,
            bloom_filter: None,
            column_index: None,
            offset_index: None,
        };
        Ok(EncodedColumn { pieces: self.pieces, closed })
    }
}
