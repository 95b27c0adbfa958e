//! The input as a table of DataFusion: native Parquet as it lies, anything else converted once, in memory while it fits there.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::{RecordBatchReceiverStreamBuilder, RecordBatchStreamAdapter};
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::prelude::SessionContext;
use futures::StreamExt;

use super::SelectError;
use super::engine::Engine;
use crate::benchmark::Plan;
use crate::benchmark::spec::{SessionFormat, SessionsPath};
use crate::load::{self, ImportSummary, LoadError, SessionBatches, SessionReader};
use crate::schema;

/// Batches read ahead of what asks for them.
const READ_AHEAD: usize = 2;

/// The sessions of a plan in the session schema, every id of which occurs once.
pub(super) struct Input {
    rows: Rows,
    /// Number of sessions.
    pub(super) sessions: u64,
    /// Whether their ids ascend.
    pub(super) ascending: bool,
    /// Rows that are read at once.
    pub(super) batch_rows: usize,
    /// What was converted; `None` for native files.
    pub(super) import: Option<ImportSummary>,
    failure: Failure,
}

/// Where the sessions are.
#[derive(Clone)]
enum Rows {
    /// In Parquet files.
    Files(Vec<PathBuf>),
    /// Here, and so many bytes.
    Held(Arc<[RecordBatch]>, usize),
}

impl Rows {
    /// Returns how many rows are read at once.
    fn batch_rows(&self) -> Result<usize, SelectError> {
        match self {
            Self::Files(files) => {
                files.iter().try_fold(usize::MAX, |rows, file| Ok(rows.min(load::session_count(file)?.batch_rows)))
            }
            Self::Held(batches, _) => Ok(batches.iter().map(RecordBatch::num_rows).max().unwrap_or(1)),
        }
    }
}

/// What is converted may take this part of the memory before it goes to a file.
const HELD_PART: usize = 2;

impl Input {
    /// Opens the plan's sessions. Parquet whose columns have the schema's types is read in place; any other input is first
    /// imported to `loaded`.
    pub(super) fn open(plan: &Plan, loaded: &Path, memory_bytes: usize) -> Result<Self, SelectError> {
        let (rows, sessions, ascending, import) = match native_files(plan)? {
            Some(files) => {
                let order = load::check_session_ids(&files)?;
                (Rows::Files(files), order.sessions, order.ascending, None)
            }
            None => {
                let reader = SessionReader::open_within(&plan.sessions, plan.session_format, memory_bytes)?;
                let converted = load::convert(reader, loaded, memory_bytes / HELD_PART)?;
                let rows = match converted.kept {
                    Some(kept) => Rows::Held(kept.batches.into(), kept.bytes),
                    None => Rows::Files(vec![loaded.to_owned()]),
                };
                (rows, converted.summary.sessions, converted.ascending, Some(converted.summary))
            }
        };
        let batch_rows = rows.batch_rows()?;
        Ok(Self { rows, sessions, ascending, batch_rows, import, failure: Failure::default() })
    }

    /// Returns the bytes of its files that lie on this machine, or those that it holds.
    pub(super) fn bytes(&self) -> u64 {
        match &self.rows {
            Rows::Files(files) => files.iter().filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum(),
            Rows::Held(_, bytes) => *bytes as u64,
        }
    }

    /// Returns the bytes of memory that its sessions take.
    pub(super) fn held_bytes(&self) -> usize {
        match &self.rows {
            Rows::Files(_) => 0,
            Rows::Held(_, bytes) => *bytes,
        }
    }

    /// Returns the sessions with these columns (and their ids), in the order of the files and rows.
    pub(super) fn scan(&self, context: &SessionContext, columns: &BTreeSet<String>) -> Result<DataFrame, SelectError> {
        let names: Vec<&str> = columns.iter().map(String::as_str).collect();
        let schema = Arc::clone(SessionBatches::new(&[], &names).schema());
        let scan = Scan {
            rows: self.rows.clone(),
            columns: columns.iter().cloned().collect(),
            schema: Arc::clone(&schema),
            failure: self.failure.clone(),
        };
        Ok(context.read_table(Arc::new(StreamingTable::try_new(schema, vec![Arc::new(scan)])?))?)
    }

    /// Returns the error of a plan that failed: what reading met, where it is the cause.
    pub(super) fn failed(&self, engine: &Engine, error: DataFusionError) -> SelectError {
        self.failure.take().map_or_else(|| engine.failed(error), SelectError::Load)
    }
}

/// Carries what reading met around DataFusion, which would wrap it beyond recognition.
#[derive(Debug, Clone, Default)]
struct Failure(Arc<Mutex<Option<LoadError>>>);

impl Failure {
    fn put(&self, error: LoadError) -> DataFusionError {
        let message = error.to_string();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        DataFusionError::Execution(message)
    }

    fn take(&self) -> Option<LoadError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

struct Scan {
    rows: Rows,
    columns: Vec<String>,
    schema: SchemaRef,
    failure: Failure,
}

impl fmt::Debug for Scan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("sessions")
    }
}

impl PartitionStream for Scan {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let files = match &self.rows {
            Rows::Files(files) => files.clone(),
            Rows::Held(batches, _) => return held(Arc::clone(batches), &self.schema),
        };
        let mut builder = RecordBatchReceiverStreamBuilder::new(Arc::clone(&self.schema), READ_AHEAD);
        let (sender, failure) = (builder.tx(), self.failure.clone());
        let columns = self.columns.clone();
        builder.spawn_blocking(move || {
            let names: Vec<&str> = columns.iter().map(String::as_str).collect();
            let mut batches = SessionBatches::new(&files, &names);
            while let Some(batch) = batches.next_batch().map_err(|error| failure.put(error))? {
                if sender.blocking_send(Ok(batch)).is_err() {
                    break;
                }
            }
            Ok(())
        });
        builder.build()
    }
}

/// Returns the columns of a schema of batches that have them all.
fn held(batches: Arc<[RecordBatch]>, schema: &SchemaRef) -> SendableRecordBatchStream {
    let wanted = Arc::clone(schema);
    let stream = futures::stream::iter(0..batches.len()).map(move |index| {
        let Some(batch) = batches.get(index) else { return Ok(RecordBatch::new_empty(Arc::clone(&wanted))) };
        let places = wanted.fields().iter().map(|field| batch.schema().index_of(field.name()));
        Ok(batch.project(&places.collect::<Result<Vec<_>, _>>()?)?)
    });
    Box::pin(RecordBatchStreamAdapter::new(Arc::clone(schema), stream))
}

/// Returns the names of all columns of a session.
pub(super) fn all_columns() -> BTreeSet<String> {
    schema::SESSIONS.fields().iter().map(|field| field.name().clone()).collect()
}

/// Returns the input's files if all of them are Parquet whose columns have exactly the schema's types.
fn native_files(plan: &Plan) -> Result<Option<Vec<PathBuf>>, SelectError> {
    let SessionsPath::Files(patterns) = &plan.sessions else { return Ok(None) };
    if plan.session_format.is_some_and(|format| format != SessionFormat::Parquet) {
        return Ok(None);
    }
    let mut files = Vec::new();
    for pattern in patterns {
        for path in load::expand(pattern)? {
            let schema = match load::parquet_schema(&path)? {
                Some(schema) => schema,
                None => return Ok(None),
            };
            // A wrong type is an error with its column's name, whichever way the file is read.
            load::normalise(&RecordBatch::new_empty(Arc::clone(&schema)), &path)?;
            if !exact(&schema) {
                return Ok(None);
            }
            files.push(path);
        }
    }
    Ok(Some(files))
}

fn exact(found: &SchemaRef) -> bool {
    let same = |expected: &Arc<datafusion::arrow::datatypes::Field>| {
        found.field_with_name(expected.name()).map_or(true, |field| field.data_type() == expected.data_type())
    };
    schema::SESSIONS.fields().iter().all(same)
}
