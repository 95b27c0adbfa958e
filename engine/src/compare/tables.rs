//! Where the columns lie of sessions that are looked at together.

use std::path::PathBuf;

use datafusion::arrow::array::RecordBatch;

use super::columns::Damaged;
use crate::store::{RunDirectory, StoreError, TableReader, layout};

/// Sessions, and what every arm made of them, row by row.
pub(super) trait Tables {
    /// Reads columns of the sessions.
    fn sessions(&self, columns: &[&str]) -> Result<RecordBatch, StoreError>;

    /// Returns where the sessions lie, for errors.
    fn sessions_path(&self) -> PathBuf;

    /// Reads columns of what an arm made of the sessions, of which there are that many.
    fn arm(&self, arm: usize, columns: &[&str], rows: usize) -> Result<RecordBatch, StoreError>;

    /// Returns where these lie, for errors.
    fn arm_path(&self, arm: usize) -> PathBuf;
}

/// A chunk of a run: a row group of its sample, and the parts of its units.
#[derive(Clone, Copy)]
pub(super) struct OfChunk<'a> {
    pub(super) run: &'a RunDirectory,
    pub(super) sample: &'a TableReader,
    pub(super) chunk: usize,
}

impl Tables for OfChunk<'_> {
    fn sessions(&self, columns: &[&str]) -> Result<RecordBatch, StoreError> {
        self.sample.group_columns(self.chunk, columns)
    }

    fn sessions_path(&self) -> PathBuf {
        self.run.path(layout::SESSIONS)
    }

    fn arm(&self, arm: usize, columns: &[&str], rows: usize) -> Result<RecordBatch, StoreError> {
        part(self.run, arm, self.chunk, columns, rows)
    }

    fn arm_path(&self, arm: usize) -> PathBuf {
        self.run.path(layout::part(arm, self.chunk))
    }
}

/// Reads columns of the part of a work unit, which answers `rows` sessions.
pub(super) fn part(
    run: &RunDirectory,
    arm: usize,
    chunk: usize,
    columns: &[&str],
    rows: usize,
) -> Result<RecordBatch, StoreError> {
    let name = layout::part(arm, chunk);
    let table = run.table(&name)?;
    let damaged = |error: Damaged| StoreError::table(&run.path(&name), error);
    if table.groups() != 1 {
        return Err(damaged(format!("it has {} row groups, a part has one", table.groups()).into()));
    }
    let batch = table.group_columns(0, columns)?;
    if batch.num_rows() != rows {
        let reason = format!("it answers {} sessions, its chunk of the sample has {rows}", batch.num_rows());
        return Err(damaged(reason.into()));
    }
    Ok(batch)
}
