//! The rows of a row group, block by block: items and sessions from their pages where that can be, the rest by the general reader.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, RecordBatch};
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::{Field, Schema};
use datafusion::arrow::error::ArrowError;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReader;

use super::table::{Table, decoded};
use super::text_pages::{Stop, TextPages};
use crate::load::{LoadError, columnar};

/// The rows of a row group that were not read yet.
pub(super) struct GroupRows {
    group: usize,
    /// Rows before the first one.
    skipped: u64,
    /// The places of the columns to read.
    wanted: Vec<usize>,
    /// Reads these columns but for those of `texts`.
    reader: ParquetRecordBatchReader,
    /// What it read beyond the last block.
    left: Option<RecordBatch>,
    /// Columns that are read from their pages.
    texts: Vec<TextPages>,
    /// Rows of the blocks so far.
    passed: usize,
}

impl GroupRows {
    /// Opens some columns of a row group, from its row `skipped` on.
    pub(super) fn open(table: &Table, group: usize, skipped: u64, wanted: Vec<usize>) -> Result<Self, LoadError> {
        let mut of_reader = wanted.clone();
        let texts = table.text_pages(group, skipped, &wanted)?;
        of_reader.retain(|place| texts.iter().all(|pages| pages.place() != *place));
        let reader = table.block_reader(group, skipped, &of_reader)?;
        Ok(Self { group, skipped, wanted, reader, left: None, texts, passed: 0 })
    }

    /// Returns the rows of the next block, which begins at `row` of the table, or `None` at the end: as many as the table has in a
    /// block where columns are read from their pages, else as many as the general reader has at once.
    pub(super) fn next_batch(&mut self, table: &Table, row: u64) -> Result<Option<RecordBatch>, LoadError> {
        if self.texts.is_empty() {
            return self.next_of_reader(table);
        }
        let batch = self.next_rows(table, table.rows_from(row, self.skipped))?;
        let mut columns = Vec::new();
        for pages in &mut self.texts {
            let read = known(table, || match &batch {
                Some(batch) => pages.read(batch.num_rows()).map(Some),
                None => pages.end().map(|()| None),
            })?;
            let Some(column) = read else { return self.start_over(table) };
            columns.extend(column.map(|column| (pages.name().to_owned(), column)));
        }
        self.passed += batch.as_ref().map_or(0, RecordBatch::num_rows);
        let complete = |batch: RecordBatch| columns.iter().try_fold(batch, with_column);
        batch.map(complete).transpose().map_err(|error| columnar::damaged(table.path(), error))
    }

    /// Has the general reader read all columns, and passes what was read before: a page is none of those that are known, or is
    /// damaged. Most likely others are like it.
    fn start_over(&mut self, table: &Table) -> Result<Option<RecordBatch>, LoadError> {
        table.leave_text_pages();
        (self.texts, self.left) = (Vec::new(), None);
        if self.skipped > 0 {
            table.check_group(self.group, &self.wanted)?;
        }
        self.reader = table.block_reader(self.group, self.skipped, &self.wanted)?;
        let mut passed = self.passed;
        while let Some(batch) = self.next_of_reader(table)? {
            if batch.num_rows() > passed {
                return Ok(Some(batch.slice(passed, batch.num_rows() - passed)));
            }
            passed -= batch.num_rows();
        }
        Ok(None)
    }

    /// Returns the next rows of the general reader, of which few columns are left: `rows` where there are as many.
    fn next_rows(&mut self, table: &Table, rows: usize) -> Result<Option<RecordBatch>, LoadError> {
        let mut found = self.left.take();
        while found.as_ref().is_none_or(|found| found.num_rows() < rows) {
            let Some(next) = self.next_of_reader(table)? else { break };
            found = Some(match found {
                Some(before) => concat_batches(&next.schema(), [&before, &next])
                    .map_err(|error| columnar::damaged(table.path(), error))?,
                None => next,
            });
        }
        let Some(found) = found else { return Ok(None) };
        let beyond = found.num_rows().saturating_sub(rows);
        self.left = (beyond > 0).then(|| found.slice(rows, beyond));
        Ok(Some(found.slice(0, found.num_rows() - beyond)))
    }

    fn next_of_reader(&mut self, table: &Table) -> Result<Option<RecordBatch>, LoadError> {
        decoded(table.path(), || Ok(self.reader.next().transpose()?))
    }
}

/// Reads from pages; `None` where the general reader must read the rows.
pub(super) fn known<T>(table: &Table, read: impl FnOnce() -> Result<T, Stop>) -> Result<Option<T>, LoadError> {
    decoded(table.path(), || match read() {
        Ok(read) => Ok(Some(read)),
        Err(Stop::Unknown) => Ok(None),
        Err(Stop::Failed(error)) => Err(ArrowError::from(error).into()),
    })
}

fn with_column(batch: RecordBatch, (name, column): &(String, ArrayRef)) -> Result<RecordBatch, ArrowError> {
    let field = Arc::new(Field::new(name, column.data_type().clone(), true));
    let fields: Vec<_> = batch.schema().fields().iter().cloned().chain([field]).collect();
    let columns = batch.columns().iter().cloned().chain([Arc::clone(column)]).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}
