//! Publishing a table that consists of parts: column chunks are copied byte for byte, never decoded.

use std::io::{self, Read as _, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::parquet::arrow::{ArrowSchemaConverter, add_encoded_arrow_schema_to_metadata};
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::metadata::{
    ColumnChunkMetaData, FileMetaData, ParquetMetaData, ParquetMetaDataWriter, RowGroupMetaData,
};
use datafusion::parquet::file::writer::SerializedFileWriter;

use super::table::properties;
use super::{StoreError, TableReader, UnnamedTable};
use crate::load::without_panic;
use crate::storage::{BlockWriter, PendingFile};

/// What a Parquet file begins with.
const MAGIC: &[u8] = b"PAR1";

/// A table that consists of parts, under way: it takes them one by one, in any order, byte for byte. Dropped, it is removed.
///
/// The bytes of parts lie in the file as they came, their row groups are listed by the places that they have: whoever writes a
/// table while its parts come need not wait for the first. Nothing of the table stays in the system's cache: the run does not
/// read it.
#[derive(Debug)]
pub struct TableCopy {
    path: PathBuf,
    pending: PendingFile,
    output: BlockWriter,
    footer: Footer,
}

impl TableCopy {
    /// Begins a table of `schema`.
    ///
    /// # Errors
    ///
    /// Returns an error when the table cannot be written.
    pub(super) fn begin(path: &Path, schema: &SchemaRef) -> Result<Self, StoreError> {
        let footer = Footer::of(schema).map_err(|error| StoreError::table(path, error))?;
        let pending = PendingFile::create(path).map_err(|source| StoreError::io(path, source))?;
        let mut output = pending.block_writer();
        output.past_the_cache(0..u64::MAX).map_err(|source| StoreError::io(path, source))?;
        output.write_all(MAGIC).map_err(|error| StoreError::write(path, &pending, 0, error))?;
        Ok(Self { path: path.to_owned(), pending, output, footer })
    }

    /// Adds the rows of a part; every row group of it becomes one, listed before those of larger places. A part may have more
    /// columns than the table, in any order; the table's must be in it, with the same types. Columns that stand beside one
    /// another in it are read and written at once.
    ///
    /// # Errors
    ///
    /// Returns an error when the part cannot be read or lacks a column, or when the table cannot be written.
    pub(super) fn add(&mut self, place: usize, part: &TableReader) -> Result<(), StoreError> {
        let Self { path, pending, output, footer } = self;
        let writing = |left, error: io::Error| StoreError::write(path, pending, left, error);
        for group in part.footer().row_groups() {
            let add = || Ok(footer.add(place, group)?);
            let pieces = without_panic(add).map_err(|error| StoreError::table(part.path(), error))?;
            for piece in pieces {
                copy(part, piece, output, writing)?;
            }
        }
        Ok(())
    }

    /// Ends the table, which has no name yet.
    ///
    /// # Errors
    ///
    /// Returns an error when it cannot be written.
    pub fn finish(self) -> Result<UnnamedTable, StoreError> {
        let Self { path, pending, mut output, footer } = self;
        let metadata = footer.finish().map_err(|error| StoreError::table(&path, error))?;
        let written = ParquetMetaDataWriter::new(&mut output, &metadata).finish();
        written.map_err(|error| StoreError::write(&path, &pending, 0, error))?;
        output.finish().map_err(|error| StoreError::write(&path, &pending, 0, error))?;
        Ok(UnnamedTable { path, pending_file: pending })
    }
}

/// Copies a piece of a part. `writing` says what became of the table where so many bytes are left to be written.
fn copy(
    part: &TableReader,
    piece: Range<u64>,
    output: &mut BlockWriter,
    writing: impl Fn(u64, io::Error) -> StoreError,
) -> Result<(), StoreError> {
    let reading = |error| StoreError::table(part.path(), error);
    let mut left = piece.end - piece.start;
    part.blob().check(piece.start, left).map_err(reading)?;
    // Of an object more is read than is asked for: what is asked for next lies near it, and costs no request then.
    let mut reader = part.blob().reader(piece.start);
    while left > 0 {
        let room = output.room();
        let taken = room.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        reader.read_exact(room.get_mut(..taken).unwrap_or_default()).map_err(reading)?;
        left -= taken as u64;
        output.take(taken).map_err(|error| writing(left, error))?;
    }
    Ok(())
}

/// The footer of the table under way.
#[derive(Debug)]
struct Footer {
    /// That of a table of the same schema without rows.
    of_none: FileMetaData,
    /// The row groups, with the places of their parts.
    groups: Vec<(usize, RowGroupMetaData)>,
    /// Where the next column begins.
    end: u64,
}

impl Footer {
    fn of(schema: &SchemaRef) -> Result<Self, ParquetError> {
        let mut properties = properties(schema)?.build();
        add_encoded_arrow_schema_to_metadata(schema, &mut properties);
        let parquet = ArrowSchemaConverter::new().convert(schema)?;
        let of_none =
            SerializedFileWriter::new(io::sink(), parquet.root_schema_ptr(), Arc::new(properties))?.close()?;
        let of_none = of_none.file_metadata().clone();
        Ok(Self { of_none, groups: Vec::new(), end: MAGIC.len() as u64 })
    }

    /// Adds a row group of a part, and returns the pieces of the part that it consists of.
    fn add(&mut self, place: usize, group: &RowGroupMetaData) -> Result<Vec<Range<u64>>, ParquetError> {
        let (start, mut size) = (i64::try_from(self.end)?, 0);
        let (mut columns, mut pieces): (_, Vec<Range<u64>>) = (Vec::new(), Vec::new());
        for wanted in self.of_none.schema_descr().columns() {
            let found = group.columns().iter().find(|chunk| chunk.column_path() == wanted.path());
            let name = || wanted.path().string();
            let chunk = found.ok_or_else(|| ParquetError::General(format!("it has no column `{}`", name())))?;
            if chunk.column_descr() != wanted.as_ref() {
                return Err(ParquetError::General(format!("its column `{}` is of another type", name())));
            }
            let (first, length) = chunk.byte_range();
            match pieces.last_mut().filter(|piece| piece.end == first) {
                Some(piece) => piece.end += length,
                None => pieces.push(first..first + length),
            }
            columns.push(moved(chunk, i64::try_from(self.end)? - i64::try_from(first)?)?);
            self.end += length;
            size += chunk.uncompressed_size();
        }
        if self.groups.len() == usize::from(i16::MAX.unsigned_abs()) {
            return Err(ParquetError::General(format!("a table has at most {} row groups", i16::MAX)));
        }
        let group_of_table = RowGroupMetaData::builder(self.of_none.schema_descr_ptr())
            .set_column_metadata(columns)
            .set_total_byte_size(size)
            .set_num_rows(group.num_rows())
            .set_file_offset(start);
        self.groups.push((place, group_of_table.build()?));
        Ok(pieces)
    }

    fn finish(mut self) -> Result<ParquetMetaData, ParquetError> {
        self.groups.sort_by_key(|(place, _)| *place);
        let numbered = self.groups.into_iter().enumerate();
        let numbered =
            numbered.map(|(number, (_, group))| group.into_builder().set_ordinal(number.try_into()?).build());
        let groups = numbered.collect::<Result<Vec<_>, _>>()?;
        let of_none = &self.of_none;
        let whole = FileMetaData::new(
            of_none.version(),
            groups.iter().map(RowGroupMetaData::num_rows).sum(),
            of_none.created_by().map(str::to_owned),
            of_none.key_value_metadata().cloned(),
            of_none.schema_descr_ptr(),
            of_none.column_orders().cloned(),
        );
        Ok(ParquetMetaData::new(whole, groups))
    }
}

/// Returns a column that stands so many bytes further on, without what is kept beside the columns of a file.
fn moved(chunk: &ColumnChunkMetaData, by: i64) -> Result<ColumnChunkMetaData, ParquetError> {
    let moved = chunk.clone().into_builder();
    moved
        .set_data_page_offset(chunk.data_page_offset() + by)
        .set_dictionary_page_offset(chunk.dictionary_page_offset().map(|offset| offset + by))
        .set_index_page_offset(None)
        .set_bloom_filter_offset(None)
        .set_bloom_filter_length(None)
        .set_offset_index_offset(None)
        .set_offset_index_length(None)
        .set_column_index_offset(None)
        .set_column_index_length(None)
        .build()
}
