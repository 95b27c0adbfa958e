//! A Parquet file whose footer is not believed: its counts must agree with each other before a row is read.

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::parquet::arrow::ProjectionMask;
use datafusion::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use datafusion::parquet::file::metadata::RowGroupMetaData;

use super::tables::Failure;
use crate::storage::Blob;

/// Bytes that a batch of rows should hold, by what the footer says: long lists must not pile up in memory.
const BATCH_BYTES: u64 = 2 << 20;
/// Fewest and most rows of a batch.
const BATCH_ROWS: std::ops::RangeInclusive<u64> = 16..=4096;

/// A Parquet file that is open.
#[derive(Debug, Clone)]
pub(super) struct ParquetFile {
    blob: Blob,
    metadata: ArrowReaderMetadata,
    rows: u64,
}

impl ParquetFile {
    /// Reads the footer and checks it.
    pub(super) fn open(blob: Blob) -> Result<Self, Failure> {
        let metadata = ArrowReaderMetadata::load(&blob, Default::default())?;
        let rows = check_counts(&metadata, blob.length())?;
        Ok(Self { blob, metadata, rows })
    }

    /// Returns the schema of the whole file.
    pub(super) fn schema(&self) -> &SchemaRef {
        self.metadata.schema()
    }

    /// Returns the number of rows, as all parts of the footer say.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Returns how many rows fit a batch.
    pub(super) fn batch_rows(&self) -> usize {
        let bytes: i64 = self.metadata.metadata().row_groups().iter().map(RowGroupMetaData::total_byte_size).sum();
        let row = (u64::try_from(bytes).unwrap_or(0) / self.rows.max(1)).max(1);
        usize::try_from((BATCH_BYTES / row).clamp(*BATCH_ROWS.start(), *BATCH_ROWS.end())).unwrap_or(1024)
    }

    /// Returns a reader of all rows of some top-level columns, of all of them for `None`.
    pub(super) fn batches(&self, columns: Option<&[&str]>) -> Result<ParquetRecordBatchReader, Failure> {
        self.reader(columns, None)
    }

    fn reader(
        &self,
        columns: Option<&[&str]>,
        groups: Option<Vec<usize>>,
    ) -> Result<ParquetRecordBatchReader, Failure> {
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(self.blob.clone(), self.metadata.clone())
            .with_batch_size(self.batch_rows());
        let builder = match columns {
            Some(columns) => {
                let fields = self.schema().fields().iter().enumerate();
                let wanted = fields.filter(|(_, field)| columns.contains(&field.name().as_str()));
                let mask = ProjectionMask::roots(builder.parquet_schema(), wanted.map(|(index, _)| index));
                builder.with_projection(mask)
            }
            None => builder,
        };
        let builder = match groups {
            Some(groups) => builder.with_row_groups(groups),
            None => builder,
        };
        Ok(builder.build()?)
    }

    /// Returns where reading after `rows_read` rows fails: the row group, and the first of its columns that cannot be read
    /// by itself.
    pub(super) fn fault_at(
        &self,
        rows_read: u64,
        columns: Option<&[&str]>,
        readable: impl Fn(Probe<'_>) -> bool,
    ) -> String {
        let mut start = 0;
        for (index, group) in self.metadata.metadata().row_groups().iter().enumerate() {
            let rows = u64::try_from(group.num_rows()).unwrap_or(0);
            let is_last = start + rows == self.rows;
            if rows_read < start + rows || is_last {
                let names = self.schema().fields().iter().map(|field| field.name().as_str());
                let mut wanted = names.filter(|name| columns.is_none_or(|columns| columns.contains(name)));
                let column = wanted.find(|name| !readable(Probe { file: self, group: index, column: name }));
                // A batch may hold rows of several groups.
                if column.is_none() && !is_last {
                    start += rows;
                    continue;
                }
                let column = column.map(|name| format!(", column `{name}`")).unwrap_or_default();
                return format!("row group {} (rows {} to {}){column}", index + 1, start + 1, start + rows);
            }
            start += rows;
        }
        "its rows".to_owned()
    }
}

/// One column of one row group, to be read by itself.
pub(super) struct Probe<'a> {
    file: &'a ParquetFile,
    group: usize,
    column: &'a str,
}

impl Probe<'_> {
    /// Reads all of it.
    pub(super) fn read(&self) -> Result<(), Failure> {
        let mut rows = 0;
        for batch in self.file.reader(Some(&[self.column]), Some(vec![self.group]))? {
            rows += batch?.num_rows() as i64;
        }
        let expected = self.file.metadata.metadata().row_group(self.group).num_rows();
        if rows == expected { Ok(()) } else { Err(format!("{rows} rows, the footer says {expected}").into()) }
    }
}

/// Returns the number of rows, refusing a footer whose counts contradict each other or the file's size: a decoder that
/// believes one of them would return other rows than were written.
fn check_counts(metadata: &ArrowReaderMetadata, file_bytes: u64) -> Result<u64, Failure> {
    let metadata = metadata.metadata();
    let mut rows = 0_u64;
    for (index, group) in metadata.row_groups().iter().enumerate() {
        let group_rows = u64::try_from(group.num_rows())
            .map_err(|_| format!("the footer says {} rows for row group {}", group.num_rows(), index + 1))?;
        rows = rows.checked_add(group_rows).ok_or("the footer's row counts overflow")?;
        for chunk in group.columns() {
            let values = u64::try_from(chunk.num_values()).unwrap_or(0);
            let flat = chunk.column_descr().max_rep_level() == 0;
            let column = chunk.column_path().string();
            if values < group_rows || (flat && values != group_rows) {
                let group = index + 1;
                let reason = format!("{values} values of column `{column}` in row group {group}, of {group_rows} rows");
                return Err(format!("the footer contradicts itself: {reason}").into());
            }
            let (start, length) = chunk_range(chunk);
            if start.checked_add(length).is_none_or(|end| end > file_bytes) {
                let reason = format!("column `{column}` of row group {} at byte {start}, {length} bytes", index + 1);
                return Err(format!("the footer points outside of the file: {reason}").into());
            }
        }
    }
    let said = metadata.file_metadata().num_rows();
    if u64::try_from(said) != Ok(rows) {
        return Err(format!("the footer says {said} rows, its row groups {rows}").into());
    }
    Ok(rows)
}

fn chunk_range(chunk: &datafusion::parquet::file::metadata::ColumnChunkMetaData) -> (u64, u64) {
    let start = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
    // A number below 0 becomes one that is beyond every file.
    (u64::try_from(start).unwrap_or(u64::MAX), u64::try_from(chunk.compressed_size()).unwrap_or(u64::MAX))
}
