//! Parquet tables of a run directory, written so that equal rows give equal bytes.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};
use datafusion::parquet::basic::Compression;
use datafusion::parquet::file::properties::WriterProperties;

use super::{PendingFile, StoreError};

/// Writes a table with row groups of exactly `rows_per_group` rows (the last may be shorter), however the rows come in.
pub struct TableWriter {
    path: PathBuf,
    pending_file: PendingFile,
    writer: ArrowWriter<File>,
    schema: SchemaRef,
    rows_per_group: usize,
    pending: Vec<RecordBatch>,
    pending_rows: usize,
}

impl TableWriter {
    /// Starts a table; `path` appears only when [`TableWriter::finish`] succeeds.
    ///
    /// # Errors
    ///
    /// Returns an error when the file cannot be made or the schema cannot be written as Parquet.
    pub fn create(path: &Path, schema: SchemaRef, rows_per_group: usize) -> Result<Self, StoreError> {
        let pending_file = PendingFile::create(path).map_err(|source| StoreError::io(path, source))?;
        let file = pending_file.file().map_err(|source| StoreError::io(path, source))?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_max_row_group_row_count(Some(rows_per_group))
            .set_created_by(concat!("rematch ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties));
        let writer = writer.map_err(|error| StoreError::table(path, error))?;
        Ok(Self {
            path: path.to_owned(),
            pending_file,
            writer,
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

    fn flush(&mut self) -> Result<(), StoreError> {
        let group =
            concat_batches(&self.schema, &self.pending).map_err(|error| StoreError::table(&self.path, error))?;
        self.pending.clear();
        self.pending_rows = 0;
        self.writer.write(&group).map_err(|error| StoreError::table(&self.path, error))?;
        self.writer.flush().map_err(|error| StoreError::table(&self.path, error))
    }

    /// Writes what is left and the footer, and gives the file its name.
    ///
    /// # Errors
    ///
    /// Returns an error when writing fails.
    pub fn finish(mut self) -> Result<(), StoreError> {
        if self.pending_rows > 0 {
            self.flush()?;
        }
        self.writer.close().map_err(|error| StoreError::table(&self.path, error))?;
        self.pending_file.publish().map_err(|source| StoreError::io(&self.path, source))
    }
}

/// Reads a table one row group at a time, in any order.
pub struct TableReader {
    path: PathBuf,
    file: File,
    metadata: ArrowReaderMetadata,
}

impl TableReader {
    /// Opens a table.
    ///
    /// # Errors
    ///
    /// Returns an error when the file is missing or no Parquet.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let file = File::open(path).map_err(|source| StoreError::io(path, source))?;
        let metadata =
            ArrowReaderMetadata::load(&file, Default::default()).map_err(|error| StoreError::table(path, error))?;
        Ok(Self { path: path.to_owned(), file, metadata })
    }

    /// Returns the number of row groups: of chunks, in a table with one row per session.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.metadata.metadata().num_row_groups()
    }

    /// Returns the number of rows.
    #[must_use]
    pub fn rows(&self) -> u64 {
        u64::try_from(self.metadata.metadata().file_metadata().num_rows()).unwrap_or(0)
    }

    /// Reads one row group as one batch.
    ///
    /// # Errors
    ///
    /// Returns an error when reading fails.
    pub fn group(&self, index: usize) -> Result<RecordBatch, StoreError> {
        let file = self.file.try_clone().map_err(|source| StoreError::io(&self.path, source))?;
        let schema = Arc::clone(self.metadata.schema());
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone())
            .with_row_groups(vec![index])
            .build()
            .map_err(|error| StoreError::table(&self.path, error))?;
        let batches = reader.collect::<Result<Vec<_>, _>>().map_err(|error| StoreError::table(&self.path, error))?;
        concat_batches(&schema, &batches).map_err(|error| StoreError::table(&self.path, error))
    }
}
