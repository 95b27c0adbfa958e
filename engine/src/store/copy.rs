//! Publishing a table that consists of parts: column chunks are copied byte for byte, never decoded.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::parquet::arrow::{ArrowSchemaConverter, add_encoded_arrow_schema_to_metadata};
use datafusion::parquet::column::writer::ColumnCloseResult;
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use datafusion::parquet::file::reader::{ChunkReader, Length};
use datafusion::parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use datafusion::parquet::schema::types::ColumnDescriptor;

use super::table::{PendingOutput, output, properties};
use super::{StoreError, TableReader, UnnamedTable};
use crate::load::without_panic;
use crate::storage::PendingFile;

/// Writes the table of `schema` from the rows of parts, in their order; every row group of a part becomes one. A part may
/// have more columns, in any order; those of `schema` must be in it, with the same types. The table has no name yet.
///
/// # Errors
///
/// Returns an error when a part cannot be read or lacks a column, or when the table cannot be written.
pub fn copy_tables(
    path: &Path,
    schema: &SchemaRef,
    parts: impl IntoIterator<Item = Result<TableReader, StoreError>>,
) -> Result<UnnamedTable, StoreError> {
    let failed = |error: ParquetError| StoreError::table(path, error);
    let mut properties = properties(schema).map_err(failed)?.build();
    add_encoded_arrow_schema_to_metadata(schema, &mut properties);
    let parquet = ArrowSchemaConverter::new().convert(schema).map_err(failed)?;
    let pending = PendingFile::create(path).map_err(|source| StoreError::io(path, source))?;
    let writing = |error: ParquetError| StoreError::write(path, &pending, 0, error);
    let writer = SerializedFileWriter::new(output(&pending), parquet.root_schema_ptr(), Arc::new(properties));
    let mut writer = writer.map_err(writing)?;
    let mut buffer = Vec::new();
    for part in parts {
        let part = part?;
        for group in part.footer().row_groups() {
            let mut copied = writer.next_row_group().map_err(writing)?;
            for column in parquet.columns() {
                let chunk = read(&part, group, column, &mut buffer)?;
                chunk.append(&mut copied, group.num_rows()).map_err(writing)?;
            }
            copied.close().map_err(writing)?;
        }
    }
    writer.finish().map_err(writing)?;
    drop(writer);
    Ok(UnnamedTable { path: path.to_owned(), pending_file: pending })
}

/// Reads a column of a row group into the buffer, which is as large as the largest column so far.
fn read<'a>(
    part: &TableReader,
    group: &'a RowGroupMetaData,
    wanted: &ColumnDescriptor,
    buffer: &'a mut Vec<u8>,
) -> Result<ColumnChunk<'a>, StoreError> {
    let read = without_panic(move || {
        let found = group.columns().iter().find(|chunk| chunk.column_path() == wanted.path());
        let metadata = found.ok_or_else(|| format!("it has no column `{}`", wanted.path().string()))?;
        let (start, length) = metadata.byte_range();
        let bytes = part.blob().read_into(start, usize::try_from(length)?, buffer)?;
        Ok(ColumnChunk { metadata, start, bytes })
    });
    read.map_err(|error| StoreError::table(part.path(), error))
}

/// A column of a row group as it stands in a file, known by its place there.
struct ColumnChunk<'a> {
    metadata: &'a ColumnChunkMetaData,
    start: u64,
    bytes: &'a [u8],
}

impl<'a> ColumnChunk<'a> {
    fn append(self, group: &mut SerializedRowGroupWriter<'_, PendingOutput>, rows: i64) -> Result<(), ParquetError> {
        let closed = ColumnCloseResult {
            bytes_written: self.bytes.len() as u64,
            rows_written: u64::try_from(rows).unwrap_or(0),
            metadata: self.metadata.clone(),
            bloom_filter: None,
            column_index: None,
            offset_index: None,
        };
        group.append_column(&self, closed)
    }

    fn from(&self, place: u64) -> Result<&'a [u8], ParquetError> {
        let skipped = place.checked_sub(self.start).and_then(|skipped| usize::try_from(skipped).ok());
        let rest = skipped.and_then(|skipped| self.bytes.get(skipped..));
        rest.ok_or_else(|| ParquetError::EOF(format!("byte {place} lies outside of its column")))
    }
}

impl Length for ColumnChunk<'_> {
    fn len(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

impl<'a> ChunkReader for ColumnChunk<'a> {
    type T = &'a [u8];

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        self.from(start)
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let bytes = self.from(start)?.get(..length).map(Bytes::copy_from_slice);
        let missing = || format!("{length} bytes from byte {start} on lie outside of their column");
        bytes.ok_or_else(|| ParquetError::EOF(missing()))
    }
}
