//! Publishing a table that consists of parts: column chunks are copied byte for byte, never decoded.

use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::parquet::arrow::{ArrowSchemaConverter, add_encoded_arrow_schema_to_metadata};
use datafusion::parquet::column::writer::ColumnCloseResult;
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use datafusion::parquet::file::reader::{ChunkReader, Length};
use datafusion::parquet::file::writer::SerializedFileWriter;
use datafusion::parquet::schema::types::ColumnDescriptor;

use super::table::{PendingOutput, output, properties, publish};
use super::{StoreError, TableReader};
use crate::load::without_panic;
use crate::storage::{PendingFile, Put};

/// Writes the table of `schema` from the rows of parts, in their order; every row group of a part becomes one. A part may
/// have more columns, in any order; those of `schema` must be in it, with the same types.
///
/// # Errors
///
/// Returns an error when a part cannot be read or lacks a column, or when the table cannot be written.
pub fn copy_tables(
    path: &Path,
    schema: &SchemaRef,
    parts: impl IntoIterator<Item = Result<TableReader, StoreError>>,
) -> Result<(), StoreError> {
    let failed = |error: ParquetError| StoreError::table(path, error);
    let mut properties = properties(schema).map_err(failed)?.build();
    add_encoded_arrow_schema_to_metadata(schema, &mut properties);
    let parquet = ArrowSchemaConverter::new().convert(schema).map_err(failed)?;
    let pending = PendingFile::create(path).map_err(|source| StoreError::io(path, source))?;
    let writing = |error: ParquetError| StoreError::write(path, &pending, 0, error);
    let writer = SerializedFileWriter::new(output(&pending), parquet.root_schema_ptr(), Arc::new(properties));
    let mut writer = writer.map_err(writing)?;
    for part in parts {
        let part = part?;
        for group in part.footer().row_groups() {
            let columns = Columns::read(&part, group, parquet.columns())?;
            columns.append(&mut writer, group.num_rows()).map_err(writing)?;
        }
    }
    writer.finish().map_err(writing)?;
    drop(writer);
    publish(path, pending, Put::Replace)
}

/// The column chunks of a row group that are copied.
struct Columns {
    chunks: Vec<(ColumnChunkMetaData, ChunkBytes)>,
}

impl Columns {
    /// Reads the chunks of `wanted` columns.
    fn read(
        part: &TableReader,
        group: &RowGroupMetaData,
        wanted: &[Arc<ColumnDescriptor>],
    ) -> Result<Self, StoreError> {
        let read = || {
            let mut chunks = Vec::with_capacity(wanted.len());
            for column in wanted {
                let found = group.columns().iter().find(|chunk| chunk.column_path() == column.path());
                let chunk = found.ok_or_else(|| format!("it has no column `{}`", column.path().string()))?;
                let (start, length) = chunk.byte_range();
                let length = usize::try_from(length)?;
                chunks.push((chunk.clone(), ChunkBytes { start, bytes: part.blob().bytes(start, length)? }));
            }
            Ok(Self { chunks })
        };
        without_panic(read).map_err(|error| StoreError::table(part.path(), error))
    }

    fn append(self, writer: &mut SerializedFileWriter<PendingOutput>, rows: i64) -> Result<(), ParquetError> {
        let mut group = writer.next_row_group()?;
        for (metadata, bytes) in self.chunks {
            let closed = ColumnCloseResult {
                bytes_written: bytes.bytes.len() as u64,
                rows_written: u64::try_from(rows).unwrap_or(0),
                metadata,
                bloom_filter: None,
                column_index: None,
                offset_index: None,
            };
            group.append_column(&bytes, closed)?;
        }
        group.close().map(|_| ())
    }
}

/// Bytes of a file from a place on, known by their places in the file.
struct ChunkBytes {
    start: u64,
    bytes: Bytes,
}

impl ChunkBytes {
    fn from(&self, place: u64) -> Result<Bytes, ParquetError> {
        let skipped = place.checked_sub(self.start).and_then(|skipped| usize::try_from(skipped).ok());
        let rest = skipped.filter(|skipped| *skipped <= self.bytes.len()).map(|skipped| self.bytes.slice(skipped..));
        rest.ok_or_else(|| ParquetError::EOF(format!("byte {place} lies outside of its column")))
    }
}

impl Length for ChunkBytes {
    fn len(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

impl ChunkReader for ChunkBytes {
    type T = Cursor<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(Cursor::new(self.from(start)?))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let mut bytes = self.from(start)?;
        if bytes.remaining() < length {
            return Err(ParquetError::EOF(format!("{length} bytes from byte {start} on lie outside of their column")));
        }
        Ok(bytes.split_to(length))
    }
}
