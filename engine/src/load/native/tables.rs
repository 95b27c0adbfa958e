//! Batches of Parquet and Arrow IPC files. A decoder that fails, or panics on a damaged file, is an error, never a panic.

use std::any::Any;
use std::cell::Cell;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, RecordBatchReader};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::ipc::reader::{FileReader, StreamReader};
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::load::LoadError;

/// Rows per batch that the Parquet decoder is asked for: small enough that long lists stay in memory.
const BATCH_ROWS: usize = 1024;

const PARQUET_MAGIC: &[u8] = b"PAR1";
const ARROW_FILE_MAGIC: &[u8] = b"ARROW1";
/// A stream starts with the continuation marker of its schema message.
const ARROW_STREAM_MAGIC: &[u8] = &[0xff, 0xff, 0xff, 0xff];
/// What every writer puts after the last message of a stream.
const ARROW_STREAM_END: &[u8] = &[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];

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
    let mut head = Vec::new();
    File::open(path).map_err(io)?.take(8).read_to_end(&mut head).map_err(io)?;
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
    batches: Box<dyn RecordBatchReader + Send>,
    failed: bool,
}

impl TableReader {
    /// Opens the file.
    ///
    /// # Errors
    ///
    /// Returns [`LoadError::Io`] when the file cannot be opened and [`LoadError::Damaged`] when it is not of the format.
    pub(in crate::load) fn open(path: &Path, format: TableFormat) -> Result<Self, LoadError> {
        let file = File::open(path).map_err(|source| LoadError::Io { path: path.to_owned(), source })?;
        let batches = guarded(path, format, || open_batches(file, format))?;
        Ok(Self { path: path.to_owned(), format, schema: batches.schema(), batches, failed: false })
    }

    /// Returns the file's own schema.
    pub(in crate::load) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Returns the next batch, or `None` at the end and after an error.
    ///
    /// # Errors
    ///
    /// Returns [`LoadError::Damaged`] when the batch cannot be decoded.
    pub(in crate::load) fn next_batch(&mut self) -> Result<Option<RecordBatch>, LoadError> {
        if self.failed {
            return Ok(None);
        }
        let batches = &mut self.batches;
        let batch = guarded(&self.path, self.format, || Ok(batches.next().transpose()?));
        self.failed = batch.is_err();
        batch
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn open_batches(file: File, format: TableFormat) -> Result<Box<dyn RecordBatchReader + Send>, Failure> {
    Ok(match format {
        TableFormat::Parquet => {
            Box::new(ParquetRecordBatchReaderBuilder::try_new(file)?.with_batch_size(BATCH_ROWS).build()?)
        }
        TableFormat::ArrowFile => Box::new(FileReader::try_new(BufReader::new(file), None)?),
        TableFormat::ArrowStream => {
            let mut file = file;
            check_stream_end(&mut file)?;
            Box::new(StreamReader::try_new(BufReader::new(file), None)?)
        }
    })
}

/// The stream decoder takes a stream that is cut between two messages for a whole one, so the end is looked at here.
fn check_stream_end(file: &mut File) -> Result<(), Failure> {
    let mut tail = [0; ARROW_STREAM_END.len()];
    let whole = file.seek(SeekFrom::End(-8)).is_ok() && file.read_exact(&mut tail).is_ok() && tail == ARROW_STREAM_END;
    if !whole {
        return Err("the stream has no end marker, so it is cut off".into());
    }
    file.rewind()?;
    Ok(())
}

fn guarded<T>(path: &Path, format: TableFormat, decode: impl FnOnce() -> Result<T, Failure>) -> Result<T, LoadError> {
    let damaged = |source| LoadError::Damaged { path: path.to_owned(), format: format.name(), source };
    let outer = DECODING.replace(true);
    let decoded = catch_unwind(AssertUnwindSafe(decode));
    DECODING.set(outer);
    match decoded {
        Ok(decoded) => decoded.map_err(damaged),
        Err(panic) => Err(damaged(format!("the decoder gave up: {}", panic_text(panic.as_ref())).into())),
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no reason given")
}
