//! Batches of Parquet and Arrow IPC files. A decoder that fails, or panics on a damaged file, is an error, never a panic.

use std::any::Any;
use std::cell::Cell;
use std::io::BufReader;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, RecordBatchReader};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::ipc::reader::{FileReader, StreamReader};

use super::arrow_ipc::{self, BlobFile};
use super::parquet_file::{ParquetFile, Probe};
use crate::load::LoadError;
use crate::storage::Blob;

const PARQUET_MAGIC: &[u8] = b"PAR1";
const ARROW_FILE_MAGIC: &[u8] = b"ARROW1";
/// A stream starts with the continuation marker of its schema message.
const ARROW_STREAM_MAGIC: &[u8] = &[0xff, 0xff, 0xff, 0xff];
/// The format of a file of record batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::load) enum TableFormat {
    Parquet,
    ArrowFile,
    ArrowStream,
}

impl TableFormat {
    /// Returns the format's name in messages.
    pub(in crate::load) fn name(self) -> &'static str {
        match self {
            Self::Parquet => "Parquet",
            Self::ArrowFile => "Arrow file",
            Self::ArrowStream => "Arrow stream",
        }
    }
}

/// Returns the table format that the file's first bytes tell, or `None` for a file of another kind.
///
/// # Errors
///
/// Returns [`LoadError::Io`] when the file cannot be read.
pub(in crate::load) fn table_format(path: &Path) -> Result<Option<TableFormat>, LoadError> {
    let io = |source| LoadError::Io { path: path.to_owned(), source };
    let mut head = [0; 8];
    let read = Blob::open(path).map_err(io)?.read_at(0, &mut head).map_err(io)?;
    let head = head.get(..read).unwrap_or_default();
    let formats = [
        (PARQUET_MAGIC, TableFormat::Parquet),
        (ARROW_FILE_MAGIC, TableFormat::ArrowFile),
        (ARROW_STREAM_MAGIC, TableFormat::ArrowStream),
    ];
    Ok(formats.into_iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, format)| format))
}

/// Returns the schema of a Parquet file, or `None` for a file of another kind.
///
/// # Errors
///
/// Returns [`LoadError::Io`] when the file cannot be read and [`LoadError::Damaged`] when its footer cannot.
pub fn parquet_schema(path: &Path) -> Result<Option<SchemaRef>, LoadError> {
    match table_format(path)? {
        Some(TableFormat::Parquet) => Ok(Some(Arc::clone(TableReader::open(path, TableFormat::Parquet)?.schema()))),
        _ => Ok(None),
    }
}

thread_local! {
    static DECODING: Cell<bool> = const { Cell::new(false) };
}

/// Returns whether this thread is in a decoder whose panic becomes a [`LoadError::Damaged`]: a panic hook need not report
/// it.
#[must_use]
pub fn decoder_panics_are_caught() -> bool {
    DECODING.get()
}

/// The record batches of one file.
pub(in crate::load) struct TableReader {
    path: PathBuf,
    format: TableFormat,
    schema: SchemaRef,
    columns: Option<Vec<String>>,
    parquet: Option<ParquetFile>,
    batches: Box<dyn RecordBatchReader + Send>,
    rows: u64,
    ended: bool,
}

impl TableReader {
    /// Opens the file.
    ///
    /// # Errors
    ///
    /// Returns [`LoadError::Io`] when the file cannot be opened and [`LoadError::Damaged`] when it is not of the format.
    pub(in crate::load) fn open(path: &Path, format: TableFormat) -> Result<Self, LoadError> {
        Self::open_columns(path, format, None)
    }

    /// Opens the file for reading the top-level columns of these names (those that it has).
    ///
    /// # Errors
    ///
    /// Returns [`LoadError::Io`] when the file cannot be opened and [`LoadError::Damaged`] when it is not of the format.
    pub(in crate::load) fn open_columns(
        path: &Path,
        format: TableFormat,
        columns: Option<&[&str]>,
    ) -> Result<Self, LoadError> {
        let blob = Blob::open(path).map_err(|source| LoadError::Io { path: path.to_owned(), source })?;
        let (parquet, schema, batches) = guarded(path, format, || open_batches(blob, format, columns))?;
        let columns = columns.map(|columns| columns.iter().map(|name| (*name).to_owned()).collect());
        Ok(Self { path: path.to_owned(), format, schema, columns, parquet, batches, rows: 0, ended: false })
    }

    /// Returns the schema of the whole file.
    pub(in crate::load) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Returns the number of rows that a Parquet file's footer says; reading fails where there are not as many.
    pub(in crate::load) fn parquet_rows(&self) -> Option<u64> {
        self.parquet.as_ref().map(ParquetFile::rows)
    }

    /// Returns how many rows of a Parquet file are read at once.
    pub(in crate::load) fn parquet_batch_rows(&self) -> Option<usize> {
        self.parquet.as_ref().map(ParquetFile::batch_rows)
    }

    /// Returns the next batch, or `None` at the end and after an error.
    ///
    /// # Errors
    ///
    /// Returns [`LoadError::Damaged`] when the batch cannot be decoded.
    pub(in crate::load) fn next_batch(&mut self) -> Result<Option<RecordBatch>, LoadError> {
        if self.ended {
            return Ok(None);
        }
        let batches = &mut self.batches;
        let batch = guarded(&self.path, self.format, || Ok(batches.next().transpose()?));
        let batch = batch.and_then(|batch| if batch.is_none() { self.check_end().map(|()| None) } else { Ok(batch) });
        match batch {
            Ok(Some(batch)) => {
                self.rows += batch.num_rows() as u64;
                Ok(Some(batch))
            }
            Ok(None) => {
                self.ended = true;
                Ok(None)
            }
            Err(error) => {
                self.ended = true;
                Err(self.at_its_place(error))
            }
        }
    }

    /// A page that lies about its values ends a column early.
    fn check_end(&self) -> Result<(), LoadError> {
        match self.parquet_rows() {
            Some(expected) if expected != self.rows => {
                let source = format!("{} rows could be read, the footer says {expected}", self.rows).into();
                Err(LoadError::Damaged { path: self.path.clone(), format: self.format.name(), source })
            }
            _ => Ok(()),
        }
    }

    fn at_its_place(&self, error: LoadError) -> LoadError {
        let LoadError::Damaged { path, format, source } = error else { return error };
        let place = match &self.parquet {
            Some(file) => {
                let columns: Option<Vec<&str>> =
                    self.columns.as_ref().map(|columns| columns.iter().map(String::as_str).collect());
                let readable = |probe: Probe<'_>| guarded(&path, self.format, || probe.read()).is_ok();
                file.fault_at(self.rows, columns.as_deref(), readable)
            }
            None => format!("after row {}", self.rows),
        };
        LoadError::Damaged { path, format, source: format!("{place}: {source}").into() }
    }
}

/// What a decoder says of a file that it cannot read.
pub(in crate::load) type Failure = Box<dyn std::error::Error + Send + Sync>;

type Opened = (Option<ParquetFile>, SchemaRef, Box<dyn RecordBatchReader + Send>);

fn open_batches(blob: Blob, format: TableFormat, columns: Option<&[&str]>) -> Result<Opened, Failure> {
    if format == TableFormat::Parquet {
        let file = ParquetFile::open(blob)?;
        let (schema, batches) = (Arc::clone(file.schema()), file.batches(columns)?);
        return Ok((Some(file), schema, Box::new(batches)));
    }
    let schema = match format {
        TableFormat::ArrowFile => arrow_ipc::check_file(&blob)?,
        _ => arrow_ipc::check_stream(&blob)?,
    };
    let wanted = |columns: &[&str]| {
        let fields = schema.fields().iter().enumerate();
        fields.filter(|(_, field)| columns.contains(&field.name().as_str())).map(|(index, _)| index).collect()
    };
    let projection: Option<Vec<usize>> = columns.map(wanted);
    let reader = BufReader::new(BlobFile::new(blob));
    let batches: Box<dyn RecordBatchReader + Send> = match format {
        TableFormat::ArrowFile => Box::new(FileReader::try_new(reader, projection)?),
        _ => Box::new(StreamReader::try_new(reader, projection)?),
    };
    Ok((None, schema, batches))
}

/// Runs a decoder; its failure or panic is a [`LoadError::Damaged`].
pub(in crate::load) fn guarded<T>(
    path: &Path,
    format: TableFormat,
    decode: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, LoadError> {
    let damaged = |source| LoadError::Damaged { path: path.to_owned(), format: format.name(), source };
    without_panic(decode).map_err(damaged)
}

/// Runs a decoder on bytes that may be damaged; its panic becomes an error.
pub(crate) fn without_panic<T>(decode: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    let outer = DECODING.replace(true);
    let decoded = catch_unwind(AssertUnwindSafe(decode));
    DECODING.set(outer);
    match decoded {
        Ok(decoded) => decoded,
        Err(panic) => Err(format!("the decoder gave up: {}", panic_text(panic.as_ref())).into()),
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no reason given")
}
