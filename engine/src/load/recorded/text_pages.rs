//! The items of recorded rankings, and the sessions of their rows, read from Parquet pages without a look at every level.
//!
//! Items are nine tenths of what is read. The general reader makes two levels for each of them, then offsets and validity of the
//! levels, and copies every id by a call of its own; here levels are taken by their runs, from which follows where lists begin, and
//! short ids are copied by an instruction or two. Where each hit has a row, the same session stands in one after the other: pages say
//! so by runs of one place in their dictionary, and it is read as such runs. Pages come from the library's page reader, decompressed.
//!
//! For: a column of lists of text, or of text with one row per hit, in pages of either version, `PLAIN` or from a dictionary, and
//! rows from any on. [`TextPages::read`] says [`Stop::Unknown`] as soon as anything else turns up in a page, or something that
//! looks wrong: whoever asked then has the general reader read the same rows, which knows better, or says what is wrong. So there
//! is no message here, and never an answer that the general reader would not give.
//!
//! Not for: nulls, lists of structs, other encodings; those are left to the general reader.

mod hybrid;
mod lists;
mod runs;
#[cfg(test)]
mod tests;
mod values;

use std::sync::Arc;

use bytes::Bytes;
use datafusion::arrow::array::{ArrayRef, ListArray};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::parquet::basic::{ConvertedType, Encoding, Type};
use datafusion::parquet::column::page::{Page, PageReader as _};
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use datafusion::parquet::file::serialized_reader::SerializedPageReader;

use self::hybrid::Hybrid;
use self::lists::{Definition, Lists};
use self::values::{Dictionary, IdRuns, Ids, Values};
use super::columns::{Columns, Shape};
use crate::load::columnar;
use crate::storage::Blob;

/// Lists that are passed at once when rows are skipped.
const PASSED_LISTS: usize = 1 << 16;

/// Something that this reader does not know, or that looks wrong.
#[derive(Debug)]
pub(super) struct Unknown;

/// Why reading stops.
#[derive(Debug)]
pub(super) enum Stop {
    /// The general reader must read the rows.
    Unknown,
    /// The page reader failed, as it would for the general reader.
    Failed(ParquetError),
}

impl From<Unknown> for Stop {
    fn from(Unknown: Unknown) -> Self {
        Self::Unknown
    }
}

impl From<ParquetError> for Stop {
    fn from(error: ParquetError) -> Self {
        Self::Failed(error)
    }
}

/// The column of a table that can be read here.
#[derive(Debug, Clone)]
pub(super) struct TextColumn {
    /// Its place among the columns of the table.
    pub(super) place: usize,
    name: String,
    leaf: usize,
    nested: bool,
    /// The highest definition level.
    element: u32,
    filled: u32,
    /// Whether it is read as runs of equal ids.
    repeats: bool,
}

impl TextColumn {
    /// Returns the columns that can be read here; those that are missing only the general reader knows.
    pub(super) fn of(schema: &Schema, metadata: &ParquetMetaData, columns: &Columns) -> Vec<Self> {
        let (items, nested) = match &columns.shape {
            Shape::Flat { item, .. } => (item, false),
            Shape::Nested { hits, .. } => (hits, true),
        };
        if *items == columns.session {
            return Vec::new();
        }
        // Which rows are of another retriever is asked row by row.
        let repeats = !nested && columns.retriever.is_none() && !columns.has_original_row;
        let items = Self::named(items, nested, schema, metadata);
        let sessions = Self::named(&columns.session, false, schema, metadata).filter(|_| repeats);
        items.into_iter().chain(sessions.map(|sessions| Self { repeats, ..sessions })).collect()
    }

    fn named(name: &str, nested: bool, schema: &Schema, metadata: &ParquetMetaData) -> Option<Self> {
        let place = schema.index_of(name).ok()?;
        let text = match schema.field(place).data_type() {
            DataType::List(element) | DataType::LargeList(element) if nested => element.data_type(),
            found if !nested => found,
            _ => return None,
        };
        if !columnar::is_text(text) {
            return None;
        }
        let descriptions = metadata.file_metadata().schema_descr();
        let mut leaves =
            (0..descriptions.num_columns()).filter(|leaf| descriptions.get_column_root_idx(*leaf) == place);
        let (leaf, None) = (leaves.next()?, leaves.next()) else { return None };
        let description = descriptions.column(leaf);
        if (description.physical_type(), description.converted_type()) != (Type::BYTE_ARRAY, ConvertedType::UTF8)
            || description.max_rep_level() != i16::from(nested)
        {
            return None;
        }
        let element = u32::try_from(description.max_def_level()).ok()?;
        let filled = element - u32::from(description.self_type().is_optional()).min(element);
        let known = if nested { (1..=2).contains(&filled) } else { filled == 0 };
        known.then(|| Self { place, name: name.to_owned(), leaf, nested, element, filled, repeats: false })
    }

    /// Returns the reader of a row group's items, from its row `skipped` on; `None` where only the general reader knows all of its
    /// encodings.
    pub(super) fn pages(
        &self,
        blob: &Blob,
        metadata: &ParquetMetaData,
        group: usize,
        skipped: u64,
    ) -> Result<Option<TextPages>, ParquetError> {
        let Some(group) = metadata.row_groups().get(group) else { return Ok(None) };
        let Some(chunk) = group.columns().get(self.leaf).filter(|chunk| is_known(chunk)) else { return Ok(None) };
        let rows = usize::try_from(group.num_rows())?;
        let pages = SerializedPageReader::new(Arc::new(blob.clone()), chunk, rows, None)?;
        let (column, skipped) = (self.clone(), usize::try_from(skipped)?);
        let expected = Expected::of(chunk, rows);
        Ok(Some(TextPages { pages, column, skipped, dictionary: None, page: None, begins: Vec::new(), expected }))
    }
}

/// Returns whether the footer tells of no other encoding than those that are known here. It may lie.
fn is_known(chunk: &ColumnChunkMetaData) -> bool {
    use Encoding::{BYTE_STREAM_SPLIT, DELTA_BINARY_PACKED, DELTA_BYTE_ARRAY, DELTA_LENGTH_BYTE_ARRAY};
    chunk.encodings().all(|encoding| {
        !matches!(encoding, BYTE_STREAM_SPLIT | DELTA_BINARY_PACKED | DELTA_BYTE_ARRAY | DELTA_LENGTH_BYTE_ARRAY)
    })
}

/// The items of a row group. Holds a page and a dictionary in memory.
pub(super) struct TextPages {
    pages: SerializedPageReader<Blob>,
    column: TextColumn,
    /// Rows before the first that is read.
    skipped: usize,
    dictionary: Option<Arc<Dictionary>>,
    page: Option<OpenPage>,
    /// Where lists begin among the levels that are taken at once.
    begins: Vec<usize>,
    expected: Expected,
}

/// What rows need, as far as that is known.
struct Expected {
    rows: usize,
    items: usize,
    bytes: usize,
}

impl Expected {
    /// More is not made room for before it is there: footers may lie.
    const MOST_ITEMS: usize = 1 << 20;
    const MOST_BYTES: usize = 1 << 24;

    /// Returns what the footer says of a group of so many rows.
    fn of(chunk: &ColumnChunkMetaData, rows: usize) -> Self {
        let number = |number: i64| usize::try_from(number).unwrap_or(0);
        let items = number(chunk.num_values());
        // Most ids are stored with four bytes of length.
        let bytes = number(chunk.uncompressed_size()).saturating_sub(items.saturating_mul(size_of::<u32>()));
        Self { rows, items, bytes }
    }

    /// Returns room for the ids of rows.
    fn room(&self, rows: usize) -> Ids {
        let share = |all: usize| (all as u128 * rows as u128 / self.rows.max(1) as u128) as usize;
        Ids::with_capacity(share(self.items).min(Self::MOST_ITEMS), share(self.bytes).min(Self::MOST_BYTES))
    }

    /// Notes what rows needed.
    fn set(&mut self, rows: usize, ids: &Ids) {
        let (items, bytes) = ids.size();
        *self = Self { rows, items, bytes };
    }
}

/// What is left of a page.
struct OpenPage {
    repetitions: Option<Hybrid>,
    definitions: Option<Hybrid>,
    values: Values,
    levels: usize,
    /// Whether its last list does not go on in the next page.
    ends_list: bool,
}

/// What is made of the ids that are passed.
enum Passed<'a> {
    Read(&'a mut Ids),
    Runs(&'a mut IdRuns),
    Skipped,
}

impl TextPages {
    /// Returns the ids of the next rows, at least one: an array of text, of lists of text, or, where ids repeat, of runs of text,
    /// neighbours of which may be equal.
    ///
    /// # Errors
    ///
    /// Returns an error where that many cannot be read here; nothing can be read any more then.
    pub(super) fn read(&mut self, rows: usize) -> Result<ArrayRef, Stop> {
        self.skip()?;
        if self.column.repeats {
            let mut runs = IdRuns::default();
            self.pass(rows, &mut Lists::default(), Passed::Runs(&mut runs))?;
            return Ok(Arc::new(runs.finish()?));
        }
        let mut ids = self.expected.room(rows);
        let mut lists = Lists::default();
        self.pass(rows, &mut lists, Passed::Read(&mut ids))?;
        self.expected.set(rows, &ids);
        let ids: ArrayRef = Arc::new(ids.finish()?);
        if !self.column.nested {
            return Ok(ids);
        }
        let nulls = lists.nulls();
        let mut offsets = lists.starts;
        offsets.push(i32::try_from(ids.len()).map_err(|_| Unknown)?);
        let element = Arc::new(Field::new("item", DataType::Utf8, true));
        let lists = ListArray::try_new(element, OffsetBuffer::new(offsets.into()), ids, nulls);
        lists.map(|lists| Arc::new(lists) as ArrayRef).map_err(|_| Stop::Unknown)
    }

    /// Returns the column's place among those of the table.
    pub(super) fn place(&self) -> usize {
        self.column.place
    }

    /// Returns the column's name.
    pub(super) fn name(&self) -> &str {
        &self.column.name
    }

    /// Finds that there are no more rows.
    ///
    /// # Errors
    ///
    /// Returns an error where there are, or what follows cannot be read.
    pub(super) fn end(&mut self) -> Result<(), Stop> {
        self.skip()?;
        let left = self.page.as_ref().is_some_and(|page| page.levels > 0) || self.pages.peek_next_page()?.is_some();
        if left { Err(Stop::Unknown) } else { Ok(()) }
    }

    fn skip(&mut self) -> Result<(), Stop> {
        let skipped = std::mem::take(&mut self.skipped);
        self.pass(skipped, &mut Lists::default(), Passed::Skipped)
    }

    fn pass(&mut self, rows: usize, lists: &mut Lists, mut passed: Passed<'_>) -> Result<(), Stop> {
        let mut left = rows;
        let mut list_begins = true;
        loop {
            let (empty, list_ended) =
                self.page.as_ref().map_or((true, true), |page| (page.levels == 0, page.ends_list));
            if left == 0 && (list_ended || !empty) {
                return Ok(());
            }
            if empty && list_ended && matches!(passed, Passed::Skipped) {
                let rows = self.skip_page(left)?;
                left -= rows;
                if rows > 0 {
                    continue;
                }
            }
            if empty {
                list_begins |= list_ended;
                self.next_page()?;
            }
            left -= self.pass_levels(left, list_begins, lists, &mut passed)?;
            list_begins = false;
        }
    }

    /// Passes levels of the page at hand: those of at most `left` more rows, and before them what goes on from the page before,
    /// unless a list must begin. Returns how many rows begin.
    fn pass_levels(
        &mut self,
        left: usize,
        list_begins: bool,
        lists: &mut Lists,
        passed: &mut Passed<'_>,
    ) -> Result<usize, Stop> {
        let page = self.page.as_mut().ok_or(Unknown)?;
        self.begins.clear();
        let (levels, rows) = match &mut page.repetitions {
            Some(repetitions) => {
                let levels = lists::begins(repetitions, page.levels, left.min(PASSED_LISTS), &mut self.begins)?;
                if list_begins && self.begins.first() != Some(&0) {
                    return Err(Stop::Unknown);
                }
                (levels, self.begins.len())
            }
            None => (left.min(page.levels), left.min(page.levels)),
        };
        let before = match passed {
            Passed::Read(ids) => ids.size().0,
            Passed::Runs(_) | Passed::Skipped => 0,
        };
        let meaning = Definition { element: self.column.element, filled: self.column.filled };
        let items = match &mut page.definitions {
            Some(definitions) => lists.add(levels, &self.begins, before, definitions, meaning)?,
            None => levels,
        };
        match passed {
            Passed::Read(ids) => page.values.read(items, ids)?,
            Passed::Runs(runs) => page.values.read_runs(items, runs)?,
            Passed::Skipped => {
                page.values.skip(items)?;
                lists.clear();
            }
        }
        page.levels -= levels;
        Ok(rows)
    }

    /// Skips the next page unread where its header says that it has at most `left` rows, and returns how many it has.
    fn skip_page(&mut self, left: usize) -> Result<usize, Stop> {
        let Some(next) = self.pages.peek_next_page()? else { return Ok(0) };
        let rows = next.num_rows.or(next.num_levels.filter(|_| !self.column.nested));
        match rows.filter(|rows| *rows <= left && !next.is_dict) {
            Some(rows) => {
                self.pages.skip_next_page()?;
                self.page = None;
                Ok(rows)
            }
            None => Ok(0),
        }
    }

    /// Opens the next page of items, and the dictionary before it.
    fn next_page(&mut self) -> Result<(), Stop> {
        let page = loop {
            match self.pages.get_next_page()?.ok_or(Unknown)? {
                Page::DictionaryPage { buf, num_values, encoding, .. } => {
                    self.dictionary = Some(Arc::new(Dictionary::read(&buf, num_values, encoding)?));
                }
                page => break page,
            }
        };
        let (levels, encoding) = (page.num_values() as usize, page.encoding());
        if levels == 0 {
            return Err(Stop::Unknown);
        }
        let mut parts = Parts { bytes: page.buffer().clone() };
        let mut repetitions = None;
        let mut definitions = None;
        let mut ids = levels;
        let width = (u32::BITS - self.column.element.leading_zeros()) as u8;
        match page {
            Page::DataPageV2 { num_nulls, def_levels_byte_len, rep_levels_byte_len, .. } => {
                let (repetition_bytes, definition_bytes) = (rep_levels_byte_len as usize, def_levels_byte_len as usize);
                repetitions = Some(Hybrid::new(parts.take(repetition_bytes)?, 1)?);
                definitions = Some(Hybrid::new(parts.take(definition_bytes)?, width)?);
                ids = ids.checked_sub(num_nulls as usize).ok_or(Unknown)?;
            }
            Page::DataPage { def_level_encoding, rep_level_encoding, .. } => {
                if self.column.nested {
                    repetitions = Some(Hybrid::new(parts.take_levels(rep_level_encoding)?, 1)?);
                }
                if self.column.element > 0 {
                    definitions = Some(Hybrid::new(parts.take_levels(def_level_encoding)?, width)?);
                }
            }
            Page::DictionaryPage { .. } => return Err(Stop::Unknown),
        }
        let ends_list = !self.column.nested || self.pages.at_record_boundary()?;
        let values = Values::open(encoding, parts.bytes, ids, self.dictionary.as_ref())?;
        let repetitions = repetitions.filter(|_| self.column.nested);
        let definitions = definitions.filter(|_| self.column.element > 0);
        self.page = Some(OpenPage { repetitions, definitions, values, levels, ends_list });
        Ok(())
    }
}

/// What is left of the bytes of a page.
struct Parts {
    bytes: Bytes,
}

impl Parts {
    fn take(&mut self, length: usize) -> Result<Bytes, Unknown> {
        if length > self.bytes.len() { Err(Unknown) } else { Ok(self.bytes.split_to(length)) }
    }

    /// Takes levels with their length before them.
    fn take_levels(&mut self, encoding: Encoding) -> Result<Bytes, Unknown> {
        let length = self.bytes.first_chunk().filter(|_| encoding == Encoding::RLE).ok_or(Unknown)?;
        let length = u32::from_le_bytes(*length) as usize;
        self.take(size_of::<u32>())?;
        self.take(length)
    }
}
