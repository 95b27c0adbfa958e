//! The rows of a row group, block by block: the items from their pages where that can be, the rest by the general reader.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, RecordBatch};
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::{Field, Schema};
use datafusion::arrow::error::ArrowError;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReader;

use super::item_pages::{ItemPages, Stop};
use super::table::{Table, decoded};
use crate::load::{LoadError, columnar};

/// The rows of a row group that were not read yet.
pub(super) struct GroupRows {
    group: usize,
    /// Rows before the first one.
    skipped: u64,
    /// The places of the columns to read.
    wanted: Vec<usize>,
    /// Reads these columns, without the items where `items` reads them.
    reader: ParquetRecordBatchReader,
    /// What it read beyond the last block.
    left: Option<RecordBatch>,
    items: Option<Items>,
    /// Rows of the blocks so far.
    passed: usize,
}

struct Items {
    name: String,
    pages: ItemPages,
}

impl GroupRows {
    /// Opens some columns of a row group, from its row `skipped` on.
    pub(super) fn open(table: &Table, group: usize, skipped: u64, wanted: Vec<usize>) -> Result<Self, LoadError> {
        let mut of_reader = wanted.clone();
        let items = table.item_pages(group, skipped)?.map(|(column, pages)| {
            of_reader.retain(|place| *place != column.place);
            Items { name: column.name.clone(), pages }
        });
        let reader = table.block_reader(group, skipped, &of_reader)?;
        Ok(Self { group, skipped, wanted, reader, left: None, items, passed: 0 })
    }

    /// Returns the rows of the next block, which begins at `row` of the table, or `None` at the end: as many as the table has in a
    /// block where the items are read from their pages, else as many as the general reader has at once.
    pub(super) fn next_batch(&mut self, table: &Table, row: u64) -> Result<Option<RecordBatch>, LoadError> {
        let batch = match &self.items {
            Some(_) => self.next_rows(table, table.rows_from(row, self.skipped))?,
            None => self.next_of_reader(table)?,
        };
        let Some(items) = &mut self.items else { return Ok(batch) };
        let read = decoded(table.path(), || {
            let read = match &batch {
                Some(batch) => items.pages.read(batch.num_rows()).map(Some),
                None => items.pages.end().map(|()| None),
            };
            match read {
                Ok(column) => Ok(Some(column)),
                Err(Stop::Unknown) => Ok(None),
                Err(Stop::Failed(error)) => Err(ArrowError::from(error).into()),
            }
        })?;
        let Some(column) = read else { return self.start_over(table) };
        self.passed += batch.as_ref().map_or(0, RecordBatch::num_rows);
        let complete = |(batch, column)| with_column(&batch, &items.name, column);
        batch.zip(column).map(complete).transpose().map_err(|error| columnar::damaged(table.path(), error))
    }

    /// Has the general reader read all columns, and passes what was read before: a page of the items is none of those that are
    /// known, or is damaged. Most likely others are like it.
    fn start_over(&mut self, table: &Table) -> Result<Option<RecordBatch>, LoadError> {
        table.leave_item_pages();
        (self.items, self.left) = (None, None);
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

fn with_column(batch: &RecordBatch, name: &str, column: ArrayRef) -> Result<RecordBatch, ArrowError> {
    let field = Arc::new(Field::new(name, column.data_type().clone(), true));
    let fields: Vec<_> = batch.schema().fields().iter().cloned().chain([field]).collect();
    let columns = batch.columns().iter().cloned().chain([column]).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}
