//! Native Parquet as batches of the session schema, with only the columns that are asked for.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{Schema, SchemaRef};

use super::normalise::normalise_to;
use super::tables::{TableFormat, TableReader};
use crate::load::LoadError;
use crate::schema::{self, column};

/// Some columns of the sessions of Parquet files, in the order of the files and their rows. Every value is checked as
/// [`super::normalise()`] does.
///
/// Statistics of the files are not used to leave out rows: one that lies would change the sample without a trace.
pub(crate) struct SessionBatches {
    files: VecDeque<PathBuf>,
    schema: SchemaRef,
    current: Option<(PathBuf, TableReader)>,
    rows_before: u64,
}

impl SessionBatches {
    /// Returns a reader of these columns of [`schema::SESSIONS`], and of the `session_id`, which always comes first.
    pub(crate) fn new(files: &[PathBuf], columns: &[&str]) -> Self {
        let wanted = |name: &str| name == column::SESSION_ID || columns.contains(&name);
        let fields: Vec<_> =
            schema::SESSIONS.fields().iter().filter(|field| wanted(field.name())).map(Arc::clone).collect();
        let schema = Arc::new(Schema::new(fields));
        Self { files: files.iter().cloned().collect(), schema, current: None, rows_before: 0 }
    }

    /// Returns the schema of the batches.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Returns the next batch, or `None` at the end.
    ///
    /// # Errors
    ///
    /// Returns [`LoadError::Io`] or [`LoadError::Damaged`] when a file cannot be read, and [`LoadError::Row`] for a value
    /// that no session may have.
    pub(crate) fn next_batch(&mut self) -> Result<Option<RecordBatch>, LoadError> {
        loop {
            if let Some((path, reader)) = &mut self.current {
                if let Some(batch) = reader.next_batch()? {
                    let rows = batch.num_rows() as u64;
                    let batch = normalise_to(&self.schema, &batch, path, self.rows_before)?;
                    self.rows_before += rows;
                    return Ok(Some(batch));
                }
                self.current = None;
            }
            let Some(path) = self.files.pop_front() else { return Ok(None) };
            let names: Vec<&str> = self.schema.fields().iter().map(|field| field.name().as_str()).collect();
            let reader = TableReader::open_columns(&path, TableFormat::Parquet, Some(&names))?;
            self.current = Some((path, reader));
            self.rows_before = 0;
        }
    }
}

/// What the footer of a file of sessions says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SessionCount {
    /// Number of rows.
    pub(crate) rows: u64,
    /// Rows that fit a batch, by their size in memory.
    pub(crate) batch_rows: usize,
}

/// Returns what the footer of a Parquet file says.
///
/// # Errors
///
/// Returns [`LoadError::Io`] or [`LoadError::Damaged`] when it cannot be read.
pub(crate) fn session_count(path: &Path) -> Result<SessionCount, LoadError> {
    let reader = TableReader::open_columns(path, TableFormat::Parquet, Some(&[column::SESSION_ID]))?;
    let batch_rows = reader.parquet_batch_rows().unwrap_or(1);
    Ok(SessionCount { rows: reader.parquet_rows().unwrap_or(0), batch_rows })
}
