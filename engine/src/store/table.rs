//! Parquet tables of a run directory, written so that equal rows give equal bytes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::{Float64Type, SchemaRef};
use datafusion::parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};
use datafusion::parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowRowGroupWriterFactory, ArrowWriter, compute_leaves,
};
use datafusion::parquet::arrow::{ArrowSchemaConverter, ProjectionMask};
use datafusion::parquet::basic::{Compression, Type};
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use datafusion::parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use datafusion::parquet::file::statistics::Statistics;
use datafusion::parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use datafusion::parquet::schema::types::ColumnPath;

use super::StoreError;
use super::hit_pages::{self, EncodedColumn, Pieces};
use crate::load::without_panic;
use crate::schema::column;
use crate::storage::{Blob, BlockWriter, BytesAtHand, Location, PendingFile, Put};

/// Returns the settings of every table of a run: equal rows give equal bytes.
///
/// Hits are nine tenths of a run and are read as a whole: a dictionary of their ids would be given up on every page, and
/// nothing is skipped by their statistics. Ids are stored with their lengths apart and as they are: LZ4 takes a quarter off
/// them for a tenth of a run's time. Scores lose three quarters by it, their bytes put apart ([`hit_pages`]). Keys of items have
/// nothing that could be pressed out.
pub(super) fn properties(schema: &SchemaRef) -> Result<WriterPropertiesBuilder, ParquetError> {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .set_created_by(concat!("rematch ", env!("CARGO_PKG_VERSION")).to_owned());
    let of_sessions = schema.fields().first().is_some_and(|first| first.name() == column::SESSION_ID);
    for leaf in ArrowSchemaConverter::new().convert(schema)?.columns() {
        let root = leaf.path().parts().first().map_or("", String::as_str);
        let is_text = leaf.physical_type() == Type::BYTE_ARRAY;
        if of_sessions && leaf.path().parts() == [column::SESSION_ID] || root == column::JUDGMENTS && is_text {
            // No two rows of a group have the same session, and few have the same judged items.
            properties = properties.set_column_dictionary_enabled(leaf.path().clone(), false);
        } else if root == column::TOP_ITEMS {
            properties = properties
                .set_column_dictionary_enabled(leaf.path().clone(), false)
                .set_column_statistics_enabled(leaf.path().clone(), EnabledStatistics::None)
                .set_column_compression(leaf.path().clone(), Compression::UNCOMPRESSED);
        } else if root == column::HITS {
            properties = properties
                .set_column_dictionary_enabled(leaf.path().clone(), false)
                .set_column_statistics_enabled(leaf.path().clone(), EnabledStatistics::None);
            properties = if is_text {
                properties
                    .set_column_encoding(leaf.path().clone(), hit_pages::ITEM_ENCODING)
                    .set_column_compression(leaf.path().clone(), Compression::UNCOMPRESSED)
            } else {
                properties
                    .set_column_encoding(leaf.path().clone(), hit_pages::SCORE_ENCODING)
                    .set_column_compression(leaf.path().clone(), hit_pages::SCORE_COMPRESSION)
            };
        }
    }
    Ok(properties)
}

/// Writes a table with row groups of exactly `rows_per_group` rows (the last may be shorter, and one that is ended), however the
/// rows come in.
pub struct TableWriter {
    path: PathBuf,
    pending_file: PendingFile,
    writer: SerializedFileWriter<BlockWriter>,
    encoders: ArrowRowGroupWriterFactory,
    schema: SchemaRef,
    rows_per_group: usize,
    pending: Vec<RecordBatch>,
    pending_rows: usize,
}

impl TableWriter {
    /// Starts a table at a path or at the URL that the path spells; it appears only when [`TableWriter::finish`] succeeds.
    ///
    /// # Errors
    ///
    /// Returns an error when the file cannot be made or the schema cannot be written as Parquet.
    pub fn create(path: &Path, schema: SchemaRef, rows_per_group: usize) -> Result<Self, StoreError> {
        let properties = properties(&schema).map_err(|error| StoreError::table(path, error))?;
        Self::create_with(path, schema, rows_per_group, properties)
    }

    /// Starts a table of these rows alone, to be written as one row group.
    pub(super) fn create_for(path: &Path, rows: &RecordBatch) -> Result<Self, StoreError> {
        let properties = properties(&rows.schema()).map_err(|error| StoreError::table(path, error))?;
        let properties = of_rare_numbers(rows).fold(properties, |properties, name| {
            properties.set_column_dictionary_enabled(ColumnPath::from(name), false)
        });
        Self::create_with(path, rows.schema(), usize::MAX, properties)
    }

    fn create_with(
        path: &Path,
        schema: SchemaRef,
        rows_per_group: usize,
        properties: WriterPropertiesBuilder,
    ) -> Result<Self, StoreError> {
        let properties = properties.set_max_row_group_row_count(Some(rows_per_group)).build();
        let pending_file = PendingFile::create(path).map_err(|source| StoreError::io(path, source))?;
        let writer = ArrowWriter::try_new(pending_file.block_writer(), Arc::clone(&schema), Some(properties))
            .and_then(ArrowWriter::into_serialized_writer);
        let (writer, encoders) = writer.map_err(|error| StoreError::write(path, &pending_file, 0, error))?;
        Ok(Self {
            path: path.to_owned(),
            pending_file,
            writer,
            encoders,
            schema,
            rows_per_group,
            pending: Vec::new(),
            pending_rows: 0,
        })
    }

    /// Adds rows.
    ///
    /// # Errors
    ///
    /// Returns an error when writing fails.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        let mut offset = 0;
        while offset < batch.num_rows() {
            let taken = (self.rows_per_group - self.pending_rows).min(batch.num_rows() - offset);
            self.pending.push(batch.slice(offset, taken));
            self.pending_rows += taken;
            offset += taken;
            if self.pending_rows == self.rows_per_group {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Ends the row group here, where it has rows.
    ///
    /// # Errors
    ///
    /// Returns an error when writing fails.
    pub fn end_group(&mut self) -> Result<(), StoreError> {
        if self.pending_rows > 0 { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        // Pages end where batches end: pieces are put together, so that the bytes do not tell how the rows came in.
        let group = match self.pending.as_slice() {
            [one] => Ok(one.clone()),
            pieces => concat_batches(&self.schema, pieces),
        };
        let group = group.map_err(|error| StoreError::table(&self.path, error))?;
        self.pending.clear();
        self.pending_rows = 0;
        let columns = self.encode(&group)?;
        self.append(columns)
    }

    /// Returns the columns of a row group, in the order of the file.
    pub(super) fn encode(&self, group: &RecordBatch) -> Result<Vec<Encoded>, StoreError> {
        self.encoded(group).map_err(|error| StoreError::table(&self.path, error))
    }

    /// Writes a row group.
    pub(super) fn append(&mut self, columns: Vec<Encoded>) -> Result<(), StoreError> {
        let buffered = columns.iter().map(Encoded::length).sum();
        let append = |writer: &mut SerializedFileWriter<BlockWriter>| {
            let mut group = writer.next_row_group()?;
            columns.into_iter().try_for_each(|column| column.append(&mut group))?;
            group.close().map(|_| ())
        };
        let appended = append(&mut self.writer);
        appended.map_err(|error| StoreError::write(&self.path, &self.pending_file, buffered, error))
    }

    /// Has the bytes of these columns, which are not written yet, go past the system's cache: so many after the next `skipped`.
    pub(super) fn past_the_cache(&mut self, skipped: u64, bytes: u64) -> Result<(), StoreError> {
        let start = self.writer.bytes_written() as u64 + skipped;
        let asked = self.writer.inner_mut().past_the_cache(start..start + bytes);
        asked.map_err(|source| StoreError::io(&self.path, source))
    }

    /// Returns where the columns of the row group that was written last stand in the file.
    pub(super) fn places(&self) -> impl Iterator<Item = u64> {
        let columns = self.writer.flushed_row_groups().last().map(RowGroupMetaData::columns);
        columns.unwrap_or_default().iter().map(|column| column.byte_range().0)
    }

    fn encoded(&self, group: &RecordBatch) -> Result<Vec<Encoded>, ParquetError> {
        let mut writers = self.encoders.create_column_writers(self.writer.flushed_row_groups().len())?.into_iter();
        let leaves = self.writer.schema_descr().columns();
        let mut columns = Vec::with_capacity(leaves.len());
        for (field, array) in self.schema.fields().iter().zip(group.columns()) {
            let fast = match field.name() == column::HITS {
                true => leaves.get(columns.len()..columns.len() + 2).map(|leaves| hit_pages::encode(array, leaves)),
                false => None,
            };
            if let Some(hits) = fast.transpose()?.flatten() {
                columns.extend(hits.map(Encoded::Hits));
                writers.nth(1);
                continue;
            }
            for (leaf, mut writer) in compute_leaves(field, array)?.iter().zip(&mut writers) {
                writer.write(leaf)?;
                columns.push(Encoded::Column(writer.close()?));
            }
        }
        Ok(columns)
    }

    /// Writes what is left and the footer, and gives the file its name. What has the name is replaced.
    ///
    /// # Errors
    ///
    /// Returns an error when writing fails.
    pub fn finish(self) -> Result<(), StoreError> {
        self.finish_unnamed()?.publish(Put::Replace).map(|_| ())
    }

    /// Writes what is left and the footer.
    ///
    /// # Errors
    ///
    /// Returns an error when writing fails.
    pub fn finish_unnamed(mut self) -> Result<UnnamedTable, StoreError> {
        self.end_group()?;
        let finished = self.writer.finish();
        finished.map_err(|error| StoreError::write(&self.path, &self.pending_file, 0, error))?;
        let finished = self.writer.inner_mut().finish();
        finished.map_err(|error| StoreError::write(&self.path, &self.pending_file, 0, error))?;
        Ok(UnnamedTable { path: self.path, pending_file: self.pending_file })
    }
}

/// Rows by which a dictionary is judged.
const JUDGED_ROWS: usize = 512;

/// Returns the columns of fractions of which most rows have a value of their own, by the first of them: with a dictionary they would
/// be larger, and take several times as long. Of nDCG@20 that is most often so, of recall@5 never.
fn of_rare_numbers(rows: &RecordBatch) -> impl Iterator<Item = &str> {
    let is_rare = |array: &ArrayRef| {
        let Some(numbers) = array.as_primitive_opt::<Float64Type>() else { return false };
        let judged = numbers.slice(0, numbers.len().min(JUDGED_ROWS));
        let mut values: Vec<u64> = judged.iter().flatten().map(f64::to_bits).collect();
        values.sort_unstable();
        values.dedup();
        values.len() * 2 > judged.len()
    };
    let columns = rows.schema_ref().fields().iter().zip(rows.columns());
    columns.filter(move |(_, array)| is_rare(array)).map(|(field, _)| field.name().as_str())
}

/// A column of a row group, encoded.
pub(super) enum Encoded {
    Column(ArrowColumnChunk),
    Hits(EncodedColumn),
}

impl Encoded {
    /// Returns the bytes of a column of hits.
    pub(super) fn hits(&self) -> Option<Pieces> {
        match self {
            Self::Column(_) => None,
            Self::Hits(column) => Some(column.pieces.clone()),
        }
    }

    pub(super) fn length(&self) -> u64 {
        match self {
            Self::Column(chunk) => chunk.close().bytes_written,
            Self::Hits(column) => column.closed.bytes_written,
        }
    }

    fn append(self, group: &mut SerializedRowGroupWriter<'_, BlockWriter>) -> Result<(), ParquetError> {
        match self {
            Self::Column(chunk) => chunk.append_to_row_group(group),
            Self::Hits(EncodedColumn { pieces, closed }) => group.append_column(&pieces, closed),
        }
    }
}

/// A table that is written and does not have its name yet: to be safe on the disk it has to be waited for, and so has an object
/// store. Dropped unpublished, it is removed.
#[derive(Debug)]
#[must_use = "a table without its name goes with the handle"]
pub struct UnnamedTable {
    pub(super) path: PathBuf,
    pub(super) pending_file: PendingFile,
}

impl UnnamedTable {
    /// Has the disk take what is written, so that whoever publishes the table need not wait for that.
    ///
    /// # Errors
    ///
    /// Returns an error when the disk cannot.
    pub fn sync(&self) -> Result<(), StoreError> {
        self.pending_file.sync().map_err(|source| StoreError::io(&self.path, source))
    }

    /// Syncs the table, gives it its name, and returns whether it has it; [`Put::Once`] leaves what has the name as it is.
    ///
    /// # Errors
    ///
    /// Returns an error when it cannot be synced or named.
    pub(super) fn publish(self, put: Put) -> Result<bool, StoreError> {
        self.pending_file.publish_as(put).map_err(|source| StoreError::io(&self.path, source))
    }
}

/// Reads a table one row group at a time, in any order. Clones share the footer, which is read once; groups can be read on
/// many threads at once.
#[derive(Debug, Clone)]
pub struct TableReader {
    path: Arc<Path>,
    blob: Blob,
    metadata: ArrowReaderMetadata,
    groups: usize,
}

impl TableReader {
    /// Opens a table at a path or at the URL that the path spells.
    ///
    /// # Errors
    ///
    /// Returns an error when the file is missing or no Parquet.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let blob = Location::of(path).map_err(std::io::Error::from).and_then(|location| Blob::at(&location));
        let blob = blob.map_err(|source| StoreError::io(path, source))?;
        let metadata = without_panic(|| Ok(ArrowReaderMetadata::load(&blob, Default::default())?));
        let metadata = metadata.map_err(|error| StoreError::table(path, error))?;
        let groups = metadata.metadata().num_row_groups();
        Ok(Self { path: path.into(), blob, metadata, groups })
    }

    /// Returns where the table lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the table's schema.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        self.metadata.schema()
    }

    /// Returns the number of row groups: of chunks, in a table with one row per session.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.groups
    }

    /// Returns the number of rows.
    #[must_use]
    pub fn rows(&self) -> u64 {
        if self.groups < self.footer().num_row_groups() {
            return (0..self.groups).map(|group| self.group_rows(group)).sum();
        }
        u64::try_from(self.footer().file_metadata().num_rows()).unwrap_or(0)
    }

    /// Returns the table as if it ended after its first `groups` row groups.
    #[must_use]
    pub fn first_groups(self, groups: usize) -> Self {
        Self { groups: groups.min(self.groups), ..self }
    }

    /// Returns the table, of which the bytes at hand need not be read.
    pub(super) fn with(self, at_hand: Arc<BytesAtHand>) -> Self {
        Self { blob: self.blob.with(at_hand), ..self }
    }

    pub(super) fn blob(&self) -> &Blob {
        &self.blob
    }

    pub(super) fn footer(&self) -> &ParquetMetaData {
        self.metadata.metadata()
    }

    /// Returns the number of rows of one row group; 0 for one that is not there.
    #[must_use]
    pub fn group_rows(&self, index: usize) -> u64 {
        let group = self.footer().row_groups().get(index);
        group.and_then(|group| u64::try_from(group.num_rows()).ok()).unwrap_or(0)
    }

    /// Returns the largest number of a 32-bit float column of a row group, as its statistics say; `None` where they do not.
    /// `root` is the column of the schema, `leaf` the last name of the path in it.
    #[must_use]
    pub fn group_max(&self, index: usize, root: &str, leaf: &str) -> Option<f32> {
        let group = self.footer().row_groups().get(index)?;
        let is_meant = |parts: &[String]| {
            parts.first().is_some_and(|part| part == root) && parts.last().is_some_and(|part| part == leaf)
        };
        let column = group.columns().iter().find(|column| is_meant(column.column_path().parts()))?;
        match column.statistics()? {
            Statistics::Float(found) => found.max_opt().copied(),
            _ => None,
        }
    }

    /// Lets go of what the system's cache holds of a root column: it will not be read soon. What is not on the disk yet stays,
    /// and so does what the machine does not keep.
    pub fn forget(&self, root: &str) {
        for group in self.footer().row_groups() {
            let of_root =
                |chunk: &&ColumnChunkMetaData| chunk.column_path().parts().first().is_some_and(|part| part == root);
            for (start, length) in group.columns().iter().filter(of_root).map(ColumnChunkMetaData::byte_range) {
                self.blob.forget(start, length);
            }
        }
    }

    /// Reads one row group as one batch.
    ///
    /// # Errors
    ///
    /// Returns an error when reading fails.
    pub fn group(&self, index: usize) -> Result<RecordBatch, StoreError> {
        self.read(index, ProjectionMask::all())
    }

    /// Reads some root columns of one row group as one batch. The columns are in the table's order, whatever the order of
    /// `roots`; a name that the table has no column of is passed over.
    ///
    /// # Errors
    ///
    /// Returns an error when reading fails.
    pub fn group_columns(&self, index: usize, roots: &[&str]) -> Result<RecordBatch, StoreError> {
        let parquet = self.footer().file_metadata().schema_descr();
        let fields = parquet.root_schema().get_fields().iter().enumerate();
        let kept = fields.filter(|(_, field)| roots.contains(&field.name())).map(|(root, _)| root);
        self.read(index, ProjectionMask::roots(parquet, kept))
    }

    fn read(&self, index: usize, columns: ProjectionMask) -> Result<RecordBatch, StoreError> {
        let rows = self.footer().row_groups().get(index).map_or(0, |group| group.num_rows());
        // The footer may be damaged: rows are believed only as far as there can be bytes for them.
        let rows = usize::try_from(rows).unwrap_or(0).clamp(1, 1 << 20);
        let read = || {
            let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(self.blob.clone(), self.metadata.clone())
                .with_row_groups(vec![index])
                .with_projection(columns)
                .with_batch_size(rows)
                .build()?;
            let schema = datafusion::arrow::array::RecordBatchReader::schema(&reader);
            let mut batches = reader.collect::<Result<Vec<_>, _>>()?;
            match batches.len() {
                1 => Ok(batches.remove(0)),
                _ => Ok(concat_batches(&schema, &batches)?),
            }
        };
        without_panic(read).map_err(|error| StoreError::table(&self.path, error))
    }
}
