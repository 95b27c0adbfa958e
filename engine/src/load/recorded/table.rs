//! Rankings in Parquet: one row per session with nested hits, or one row per hit.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, BooleanBufferBuilder, Int64Array, RecordBatch, StringArray, UInt64Array,
};
use datafusion::arrow::compute::{concat, filter, filter_record_batch};
use datafusion::arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema, UInt64Type};
use datafusion::parquet::arrow::ProjectionMask;
use datafusion::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection,
    RowSelector,
};
use datafusion::parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};

use super::block::{Block, Failures, LeftRanks, NarrowRanks, Ranks, Rows};
use super::columns::{self, Columns, ORIGINAL_ROW, RANK, Shape};
use super::group::{self, GroupRows};
use super::index::{self, Index};
use super::runs::Runs;
use super::text_pages::{TextColumn, TextPages};
use crate::load::native::{TableFormat, guarded};
use crate::load::{LoadError, columnar};
use crate::schema::column;
use crate::storage::Blob;

/// Hits per block.
const BLOCK_HITS: usize = 1 << 16;
/// Most hits of a block of lists that is read from the first row of a row group on.
const RUN_HITS: usize = 1 << 19;
/// Most rows of such a block, a power of two as the chunks of a sample are. It ends at a multiple of them, wherever row groups do: a
/// chunk of neighbours lies in one block then, and its hits need not be put together.
const RUN_ROWS: usize = 1 << 12;

/// A Parquet file of rankings.
#[derive(Debug)]
pub(super) struct Table {
    path: PathBuf,
    blob: Blob,
    metadata: ArrowReaderMetadata,
    columns: Columns,
    /// The first row of each row group, and the number of all rows.
    group_rows: Vec<u64>,
    block_rows: usize,
    /// The rows of a block where a row group is read from its first row on.
    run_rows: usize,
    /// Whether scores alone did not decide somewhere.
    reads_ranks: AtomicBool,
    /// Items and sessions, where they can be read from their pages.
    texts: Vec<TextColumn>,
    /// Whether there was a page of these that only the general reader knows.
    leaves_text_pages: AtomicBool,
}

impl Table {
    /// Opens a table whose columns `columns` finds. Messages call it `path`.
    pub(super) fn open(
        path: &Path,
        blob: Blob,
        columns: impl FnOnce(&Schema) -> Result<Columns, LoadError>,
    ) -> Result<Self, LoadError> {
        let options = || ArrowReaderOptions::new();
        let metadata = decoded(path, || Ok(ArrowReaderMetadata::load(&blob, options())?))?;
        let columns = columns(metadata.schema())?;
        let schema = hinted(metadata.schema(), metadata.metadata(), &columns);
        // A type that the decoder does not give is cast later.
        let hinted = decoded(path, || {
            let options = options().with_schema(Arc::new(schema));
            Ok(ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options).ok())
        })?;
        let metadata = hinted.unwrap_or(metadata);
        let mut group_rows = vec![0];
        let mut rows: u64 = 0;
        for group in metadata.metadata().row_groups() {
            let more = u64::try_from(group.num_rows()).ok().and_then(|more| rows.checked_add(more));
            rows = more.ok_or_else(|| columnar::damaged(path, "a row group with an impossible number of rows"))?;
            group_rows.push(rows);
        }
        let (block_rows, run_rows) = block_rows(metadata.metadata(), &columns, rows);
        let texts = TextColumn::of(metadata.schema(), metadata.metadata(), &columns);
        let (path, reads_ranks, leaves_text_pages) = (path.to_owned(), AtomicBool::new(false), AtomicBool::new(false));
        Ok(Self {
            path,
            blob,
            metadata,
            columns,
            group_rows,
            block_rows,
            run_rows,
            reads_ranks,
            texts,
            leaves_text_pages,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn columns(&self) -> &Columns {
        &self.columns
    }

    pub(super) fn block_rows(&self) -> u64 {
        self.block_rows as u64
    }

    /// Passes over the session ids.
    pub(super) fn scan(&self) -> Result<Index, LoadError> {
        index::scan_parts(self.group_rows.len() - 1, |group| self.scan_group(group))
    }

    fn scan_group(&self, group: usize) -> Result<Index, LoadError> {
        if let Some(index) = self.scan_pages(group)? {
            return Ok(index);
        }
        let wanted = self.columns.for_scanning(self.metadata.schema());
        let mut reader = self.group_reader(group, 0, &wanted, BLOCK_HITS)?;
        let first_row = self.group_rows.get(group).copied().unwrap_or_default();
        let mut index = Index::new();
        while let Some(batch) = decoded(&self.path, || Ok(reader.next().transpose()?))? {
            let mut sessions = Arc::clone(columnar::column(&self.path, &batch, &self.columns.session)?);
            let mut rows = Rows::From(index.rows);
            if let Some(retrievers) = self.retrievers(&batch)? {
                index.retrievers.extend(retrievers.ids.iter().flatten().map(str::to_owned));
                if let Some(mask) = self.mask(&retrievers, batch.num_rows()) {
                    sessions = filter(&sessions, &mask).map_err(|error| columnar::damaged(&self.path, error))?;
                    rows = Rows::OfHits(kept(&mask, index.rows));
                }
            }
            let row = |place: usize| match &rows {
                Rows::OfHits(rows) => rows.value(place),
                _ => index.rows + place as u64,
            };
            let runs = Runs::of(&self.path, &self.columns.session, &sessions, |place| first_row + row(place) + 1)?;
            let starts: Vec<u64> = runs.bounds.iter().map(|bounds| row(bounds.start)).collect();
            // A row of a nested table is a ranking of its own.
            let sessions = runs.ids.iter().flatten().zip(&runs.bounds);
            let mut repeats = sessions.filter(|(_, bounds)| bounds.len() > 1 && self.columns.is_nested());
            let repeat = repeats.next().map(|(id, bounds)| (row(bounds.start + 1), id));
            if let Some((row, id)) = repeat {
                index.repeat(row, id);
            }
            for (id, row) in runs.ids.iter().flatten().zip(starts) {
                index.note(id, row, row, self.block_rows as u64);
            }
            index.rows += batch.num_rows() as u64;
        }
        index.length = index.rows;
        Ok(index)
    }

    /// Passes over the session ids of a row group by their pages; `None` where the general reader must do it.
    fn scan_pages(&self, group: usize) -> Result<Option<Index>, LoadError> {
        let wanted = self.columns.for_scanning(self.metadata.schema());
        let mut texts = self.text_pages(group, 0, &wanted)?;
        let Some(mut pages) = texts.pop().filter(|_| wanted.len() == 1) else { return Ok(None) };
        let mut index = Index::new();
        let mut left = self.rows_of(group);
        while left > 0 {
            let here = usize::try_from(left).unwrap_or(usize::MAX).min(BLOCK_HITS);
            let Some(sessions) = group::known(self, || pages.read(here))? else {
                self.leave_text_pages();
                return Ok(None);
            };
            let runs = Runs::of(&self.path, &self.columns.session, &sessions, |_| 0)?;
            for (id, bounds) in runs.ids.iter().flatten().zip(&runs.bounds) {
                let row = index.rows + bounds.start as u64;
                index.note(id, row, row, self.block_rows as u64);
            }
            (index.rows, left) = (index.rows + here as u64, left - here as u64);
        }
        index.length = index.rows;
        let ended = group::known(self, || pages.end())?;
        Ok(ended.map(|()| index))
    }

    fn rows_of(&self, group: usize) -> u64 {
        self.group_rows.get(group + 1).zip(self.group_rows.get(group)).map_or(0, |(end, start)| end - start)
    }

    /// Returns a reader of some rows of a row group, from its row `skipped` on.
    fn group_reader(
        &self,
        group: usize,
        skipped: u64,
        wanted: &[usize],
        batch_rows: usize,
    ) -> Result<ParquetRecordBatchReader, LoadError> {
        let rows = self.rows_of(group);
        decoded(&self.path, || {
            let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(self.blob.clone(), self.metadata.clone());
            let mask = ProjectionMask::roots(builder.parquet_schema(), wanted.iter().copied());
            let builder = builder.with_row_groups(vec![group]).with_projection(mask).with_batch_size(batch_rows);
            if skipped == 0 {
                return Ok(builder.build()?);
            }
            let skip = RowSelector::skip(usize::try_from(skipped)?);
            let select = RowSelector::select(usize::try_from(rows.saturating_sub(skipped))?);
            Ok(builder.with_row_selection(RowSelection::from(vec![skip, select])).build()?)
        })
    }

    /// Returns a reader of some columns of a row group in blocks, from its row `skipped` on.
    pub(super) fn block_reader(
        &self,
        group: usize,
        skipped: u64,
        wanted: &[usize],
    ) -> Result<ParquetRecordBatchReader, LoadError> {
        let rows = if skipped == 0 { self.run_rows } else { self.block_rows };
        self.group_reader(group, skipped, wanted, rows)
    }

    /// Returns the rows of a block that begins at `row` of the table, where a row group is read from its row `skipped` on.
    pub(super) fn rows_from(&self, row: u64, skipped: u64) -> usize {
        match (skipped, self.columns.is_nested()) {
            (0, true) => self.run_rows - usize::try_from(row % self.run_rows as u64).unwrap_or_default(),
            (0, false) => self.run_rows,
            _ => self.block_rows,
        }
    }

    /// Reads a row group from its first row on, and keeps nothing. A page that holds fewer levels than it says is an error then; where
    /// rows are skipped the library would look for the rest for ever.
    pub(super) fn check_group(&self, group: usize, wanted: &[usize]) -> Result<(), LoadError> {
        let mut reader = self.block_reader(group, 0, wanted)?;
        while decoded(&self.path, || Ok(reader.next().transpose()?))?.is_some() {}
        Ok(())
    }

    /// Returns readers of those of the wanted columns of a row group that can be read from their pages; the others are left to
    /// the general reader.
    pub(super) fn text_pages(&self, group: usize, skipped: u64, wanted: &[usize]) -> Result<Vec<TextPages>, LoadError> {
        let metadata = self.metadata.metadata();
        let known = self.texts.iter().filter(|column| self.knows_text_pages() && wanted.contains(&column.place));
        let pages = known.map(|column| decoded(&self.path, || Ok(column.pages(&self.blob, metadata, group, skipped)?)));
        pages.filter_map(Result::transpose).collect()
    }

    /// Returns the table in blocks of so many rows.
    #[cfg(test)]
    pub(super) fn with_block_rows(self, block_rows: usize) -> Self {
        Self { block_rows, run_rows: block_rows, ..self }
    }

    /// Returns whether no page of theirs was met yet that only the general reader knows.
    pub(super) fn knows_text_pages(&self) -> bool {
        !self.leaves_text_pages.load(Ordering::Relaxed)
    }

    /// Has the general reader read all columns from here on.
    pub(super) fn leave_text_pages(&self) {
        self.leaves_text_pages.store(true, Ordering::Relaxed);
    }

    /// Groups a batch's rows by retriever; a null is the empty id.
    fn retrievers(&self, batch: &RecordBatch) -> Result<Option<Runs>, LoadError> {
        let Some(array) = batch.column_by_name(column::RETRIEVER_ID) else { return Ok(None) };
        let array: ArrayRef = if array.logical_nulls().is_some_and(|nulls| nulls.null_count() > 0) {
            let texts = columns::text(&self.path, column::RETRIEVER_ID, array)?;
            Arc::new(StringArray::from_iter_values(texts.iter().map(Option::unwrap_or_default)))
        } else {
            Arc::clone(array)
        };
        Runs::of(&self.path, column::RETRIEVER_ID, &array, |_| 0).map(Some)
    }

    /// Returns which rows are of the wanted retriever, or `None` where all are.
    fn mask(&self, retrievers: &Runs, rows: usize) -> Option<BooleanArray> {
        let wanted = self.columns.retriever.as_deref()?;
        if retrievers.ids.iter().flatten().all(|id| id == wanted) {
            return None;
        }
        let mut mask = BooleanBufferBuilder::new(rows);
        for (id, bounds) in retrievers.ids.iter().zip(&retrievers.bounds) {
            mask.append_n(bounds.len(), id == Some(wanted));
        }
        Some(BooleanArray::new(mask.finish(), None))
    }

    fn block(&self, batch: RecordBatch, first_row: u64) -> Result<Block, LoadError> {
        let mut batch = batch;
        let mut rows = None;
        if let Some(retrievers) = self.retrievers(&batch)?
            && let Some(mask) = self.mask(&retrievers, batch.num_rows())
        {
            batch = filter_record_batch(&batch, &mask).map_err(|error| columnar::damaged(&self.path, error))?;
            rows = Some(kept(&mask, first_row + 1));
        }
        if self.columns.has_original_row {
            rows = batch.column_by_name(ORIGINAL_ROW).and_then(|rows| rows.as_primitive_opt::<UInt64Type>()).cloned();
        }
        match &self.columns.shape {
            Shape::Flat { item, score, rank } => {
                let rows = rows.map_or(Rows::From(first_row + 1), Rows::OfHits);
                self.flat_block(&batch, item, score.as_deref(), rank, rows)
            }
            Shape::Nested { hits, item, score } => {
                let rows = match rows {
                    Some(rows) => rows.values().to_vec(),
                    None => (0..batch.num_rows() as u64).map(|row| first_row + row + 1).collect(),
                };
                self.nested_block(&batch, hits, item.as_deref(), score.as_deref(), rows)
            }
        }
    }

    fn flat_block(
        &self,
        batch: &RecordBatch,
        item: &str,
        score: Option<&str>,
        rank: &str,
        rows: Rows,
    ) -> Result<Block, LoadError> {
        let path = &self.path;
        let sessions = columnar::column(path, batch, &self.columns.session)?;
        let items = columns::required_text(path, batch, item)?;
        let scores = columns::optional_numbers(path, score, |name| batch.column_by_name(name))?;
        let ranks = |array: &ArrayRef| match array.as_primitive_opt::<Int32Type>() {
            Some(narrow) => Ok(Ranks::Narrow(NarrowRanks::new(narrow.clone()))),
            None => columns::whole_numbers(path, rank, array).map(Ranks::Read),
        };
        let ranks = batch.column_by_name(rank).map(ranks).transpose()?.unwrap_or(Ranks::OfOrder);
        let Runs { ids, bounds } = Runs::of(path, &self.columns.session, sessions, |hit| match &rows {
            Rows::OfHits(rows) => rows.value(hit),
            Rows::From(first) => first + hit as u64,
            Rows::OfRuns(_) => 0,
        })?;
        Ok(Block { ids, bounds, items, scores, ranks, rows, failures: None, latencies: None, faults: Vec::new() })
    }

    fn nested_block(
        &self,
        batch: &RecordBatch,
        hits: &str,
        item: Option<&str>,
        score: Option<&str>,
        rows: Vec<u64>,
    ) -> Result<Block, LoadError> {
        let path = &self.path;
        let ids = columns::required_text(path, batch, &self.columns.session)?;
        if let Some(null) = (0..ids.len()).find(|row| ids.is_null(*row)) {
            let row = rows.get(null).copied().unwrap_or_default();
            let reason = format!("`{}` is null", self.columns.session);
            return Err(LoadError::Row { path: path.clone(), row, reason });
        }
        let kinds = columns::optional_text(path, batch, column::ERROR_KIND)?;
        let messages = columns::optional_text(path, batch, column::ERROR)?;
        let latencies = |array| columns::whole_numbers(path, column::LATENCY_NS, array);
        let latencies = batch.column_by_name(column::LATENCY_NS).map(latencies).transpose()?;
        let list = columnar::column(path, batch, hits)?;
        let wrong_type = || columnar::type_error(path, hits, list.data_type(), "a list of `item_id` and `score`");
        columnar::element_type(list.data_type()).ok_or_else(wrong_type)?;
        let lists = columnar::as_list(path, list)?;
        let (items, scores) = match lists.values().as_struct_opt() {
            Some(elements) => {
                let field = |name: &str| elements.column_by_name(name);
                let items = columns::item_field(item, field).ok_or_else(wrong_type)?;
                let items = columns::text(path, self.columns.item_name(), items)?;
                (items, columns::optional_numbers(path, score, field)?)
            }
            None if columnar::is_text(lists.values().data_type()) || lists.values().data_type().is_integer() => {
                (columns::text(path, hits, lists.values())?, None)
            }
            None => return Err(wrong_type()),
        };
        let bounds = (0..lists.len()).map(|row| crate::rows::list_range(&lists, row)).collect();
        let failures = kinds.map(|kinds| Failures { kinds, messages });
        let rows = Rows::OfRuns(rows);
        Ok(Block { ids, bounds, items, scores, ranks: Ranks::OfOrder, rows, failures, latencies, faults: Vec::new() })
    }

    /// Returns whether scores may decide the order of hits and ranks are only asked where they do not: the footer says that none is
    /// null. Where it lies, a null is found when the ranks are read, and does no harm otherwise.
    pub(super) fn may_leave_ranks(&self) -> bool {
        let Columns { shape, retriever: None, has_original_row: false, .. } = &self.columns else { return false };
        let Shape::Flat { score: Some(score), rank, .. } = shape else { return false };
        let is_whole = |field: &Field| field.data_type().is_integer();
        if !self.metadata.schema().field_with_name(rank).is_ok_and(is_whole) {
            return false;
        }
        let metadata = self.metadata.metadata();
        let leaves = metadata.file_metadata().schema_descr().columns();
        let place = |name: &str| leaves.iter().position(|leaf| matches!(leaf.path().parts(), [only] if only == name));
        let (Some(_), Some(rank)) = (place(score), place(rank)) else { return false };
        let nulls = |group: &RowGroupMetaData| group.columns().get(rank)?.statistics()?.null_count_opt();
        !self.reads_ranks.load(Ordering::Relaxed) && metadata.row_groups().iter().all(|group| nulls(group) == Some(0))
    }

    /// Returns the ranks of consecutive rows, and has all blocks after this read them at once: what is asked for once is asked for
    /// again.
    pub(super) fn ranks(&self, first_row: u64, rows: usize) -> Result<Int64Array, LoadError> {
        self.reads_ranks.store(true, Ordering::Relaxed);
        let name = self.columns.rank().unwrap_or(RANK);
        let wanted: Vec<usize> = self.metadata.schema().index_of(name).into_iter().collect();
        let mut group = self.group_of(first_row);
        let (mut row, mut missing) = (first_row, rows);
        let mut pieces = Vec::new();
        while missing > 0
            && let Some(&[start, end, ..]) = self.group_rows.get(group..)
        {
            let here = usize::try_from(end.saturating_sub(row)).unwrap_or(usize::MAX).min(missing);
            if here > 0 {
                let mut reader = self.group_reader(group, row.saturating_sub(start), &wanted, here)?;
                if let Some(batch) = decoded(&self.path, || Ok(reader.next().transpose()?))? {
                    let ranks = columnar::column(&self.path, &batch, name)?;
                    pieces.push(columns::whole_numbers(&self.path, name, ranks)?);
                }
            }
            (row, missing, group) = (end, missing - here, group + 1);
        }
        let pieces: Vec<&dyn Array> = pieces.iter().map(|piece| piece as &dyn Array).collect();
        let ranks = concat(&pieces).map_err(|error| columnar::damaged(&self.path, error))?;
        if ranks.len() != rows {
            let reason =
                format!("{} values of column `{name}` from row {} on, expected {rows}", ranks.len(), first_row + 1);
            return Err(columnar::damaged(&self.path, reason));
        }
        Ok(ranks.as_primitive::<Int64Type>().clone())
    }

    /// Returns the row group that a row is in.
    fn group_of(&self, row: u64) -> usize {
        self.group_rows.partition_point(|first| *first <= row).saturating_sub(1)
    }
}

/// The blocks of a table from a row on.
pub(super) struct TableBlocks {
    table: Arc<Table>,
    group: usize,
    row: u64,
    reader: Option<Box<GroupRows>>,
    /// Whether ranks are read when they are needed, where the table allows it.
    leaves_ranks: bool,
    /// Whether the present reader leaves them.
    ranks_left: bool,
}

impl TableBlocks {
    pub(super) fn from_row(table: Arc<Table>, row: u64) -> Self {
        let group = table.group_of(row);
        Self { table, group, row, reader: None, leaves_ranks: false, ranks_left: false }
    }

    /// Returns the blocks with ranks that are read when they are needed, where the table allows it.
    pub(super) fn leaving_ranks(self) -> Self {
        Self { leaves_ranks: true, ..self }
    }

    /// Returns the first row of the next block.
    pub(super) fn position(&self) -> u64 {
        self.row
    }

    /// Returns the next block, or `None` at the end.
    pub(super) fn next_block(&mut self) -> Result<Option<Block>, LoadError> {
        let table = Arc::clone(&self.table);
        loop {
            let (start, end) = match table.group_rows.get(self.group..) {
                Some(&[start, end, ..]) => (start, end),
                _ => return Ok(None),
            };
            let reader = match &mut self.reader {
                Some(reader) => reader,
                empty => {
                    let skipped = self.row.saturating_sub(start);
                    self.ranks_left = self.leaves_ranks && table.may_leave_ranks();
                    let mut wanted = table.columns.for_reading(table.metadata.schema());
                    let rank = table.columns.rank().filter(|_| self.ranks_left);
                    let rank = rank.and_then(|rank| table.metadata.schema().index_of(rank).ok());
                    wanted.retain(|column| Some(*column) != rank);
                    empty.insert(Box::new(GroupRows::open(&table, self.group, skipped, wanted)?))
                }
            };
            if let Some(batch) = reader.next_batch(&table, self.row)? {
                let row = self.row;
                let rows = batch.num_rows();
                self.row += rows as u64;
                let mut block = table.block(batch, row)?;
                if self.ranks_left {
                    block.ranks = Ranks::Left(LeftRanks::new(table, row, rows));
                }
                return Ok(Some(block));
            }
            if self.row != end {
                let reason = format!("row group {} ends at row {}, expected row {end}", self.group, self.row);
                return Err(columnar::damaged(&table.path, reason));
            }
            self.reader = None;
            self.group += 1;
        }
    }
}

/// Runs a decoder; its failure or panic is a [`LoadError::Damaged`].
pub(super) fn decoded<T>(
    path: &Path,
    decode: impl FnOnce() -> Result<T, Box<dyn std::error::Error + Send + Sync>>,
) -> Result<T, LoadError> {
    guarded(path, TableFormat::Parquet, decode)
}

/// Returns the numbers of the rows that a mask keeps, the first row's being `first`.
fn kept(mask: &BooleanArray, first: u64) -> UInt64Array {
    mask.values().set_indices().map(|row| first + row as u64).collect::<Vec<_>>().into()
}

/// Returns the file's schema with the types that columns are wanted in: text with 32-bit offsets, and a dictionary where
/// ids repeat row by row and the file has one.
fn hinted(schema: &Schema, metadata: &ParquetMetaData, columns: &Columns) -> Schema {
    let text = |field: &Field| {
        let name = field.name().as_str();
        let repeats = match &columns.shape {
            Shape::Flat { item, .. } if name == item => Some(false),
            Shape::Flat { .. } if name == columns.session => Some(true),
            _ if name == column::RETRIEVER_ID => Some(true),
            _ => None,
        };
        let repeats = repeats.filter(|_| columnar::is_text(field.data_type()))?;
        let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        Some(if repeats && has_dictionary(metadata, name) { dictionary } else { DataType::Utf8 })
    };
    let fields = schema.fields().iter().map(|field| match text(field) {
        Some(data_type) => Arc::new(field.as_ref().clone().with_data_type(data_type)),
        None => Arc::clone(field),
    });
    Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone())
}

/// Returns whether every row group has a dictionary of the column.
fn has_dictionary(metadata: &ParquetMetaData, name: &str) -> bool {
    let columns = metadata.file_metadata().schema_descr().columns();
    let Some(leaf) = columns.iter().position(|column| matches!(column.path().parts(), [only] if only == name)) else {
        return false;
    };
    let chunk = |group: &datafusion::parquet::file::metadata::RowGroupMetaData| {
        group.columns().get(leaf).is_some_and(|chunk| chunk.dictionary_page_offset().is_some())
    };
    metadata.row_groups().iter().all(chunk)
}

/// Returns how many rows hold about [`BLOCK_HITS`] hits, and how many are read at once where nothing is skipped.
fn block_rows(metadata: &ParquetMetaData, columns: &Columns, rows: u64) -> (usize, usize) {
    let Shape::Nested { hits, .. } = &columns.shape else { return (BLOCK_HITS, BLOCK_HITS) };
    let leaves = metadata.file_metadata().schema_descr().columns();
    let leaf = leaves.iter().position(|leaf| leaf.path().parts().first() == Some(hits));
    let values = |leaf: usize| {
        let chunks = metadata.row_groups().iter().filter_map(|group| group.columns().get(leaf));
        chunks.filter_map(|chunk| u64::try_from(chunk.num_values()).ok()).fold(0, u64::saturating_add)
    };
    let per_row = leaf.map_or(0, values).div_ceil(rows.max(1)).max(1);
    let rows = |hits: usize| usize::try_from(hits as u64 / per_row).unwrap_or(1).max(1);
    (rows(BLOCK_HITS), 1 << rows(RUN_HITS).min(RUN_ROWS).ilog2())
}
