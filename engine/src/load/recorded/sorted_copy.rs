//! Sorts a file of rankings by session, in bounded memory.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::arrow::array::{
    Array, ArrayRef, Float64Array, ListArray, RecordBatch, StringArray, StringBuilder, StructArray, UInt32Array,
    UInt64Array,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::{SortOptions, take};
use datafusion::arrow::datatypes::{DataType, Field, Fields, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::common::DataFusionError;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::Compression;
use datafusion::parquet::file::properties::WriterProperties;
use datafusion::parquet::schema::types::ColumnPath;
use datafusion::physical_expr::expressions::col;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::prelude::SessionConfig;
use futures::StreamExt;
use tempfile::TempPath;

use super::block::{Block, Rows};
use super::columns::{Columns, ORIGINAL_ROW, RANK, Shape};
use super::second_ranking;
use super::source::{Blocks, Source};
use crate::load::{LoadError, columnar};
use crate::schema::column;
use crate::storage::Blob;

/// With less memory than this the sort could not merge what it spilled.
const MIN_MEMORY_BYTES: usize = 32 << 20;
/// Rows per batch while sorting, of one hit each.
const SORT_ROWS: usize = 8192;
/// Hits per row group of the copy.
const GROUP_HITS: usize = 1 << 18;

/// Writes a copy of the file into `scratch`, sorted by session id and then by row, which says of each row where it stood.
///
/// # Errors
///
/// Returns the error of the first row that cannot be read, names the row of a second ranking of a session, and returns
/// [`LoadError::Format`] when sorting or writing fails.
pub(super) fn sort(
    path: &Path,
    source: &Source,
    scratch: &Path,
    memory_bytes: usize,
) -> Result<(TempPath, Columns), LoadError> {
    let failed = |error: &(dyn std::error::Error + 'static)| {
        let needed = Blob::open(path).map_or(0, |blob| blob.length());
        LoadError::of_room(path, scratch, needed, error).unwrap_or_else(|| LoadError::Format {
            path: path.to_owned(),
            reason: format!("cannot be sorted by session in `{}`: {error}", scratch.display()),
        })
    };
    let shape = if source.is_nested() {
        Shape::Nested { hits: column::HITS.into(), item: None, score: Some(column::SCORE.into()) }
    } else {
        Shape::Flat { item: column::ITEM_ID.into(), score: Some(column::SCORE.into()), rank: RANK.into() }
    };
    let mut batches = Batches {
        path: path.to_owned(),
        blocks: source.blocks(0, 0),
        nested: source.is_nested(),
        refusal: Arc::new(Mutex::new(None)),
    };
    let refusal = Arc::clone(&batches.refusal);
    let taken = || refusal.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(first) = batches.next().transpose().map_err(|error| taken().unwrap_or_else(|| failed(&error)))? else {
        return Err(LoadError::Empty { path: path.to_owned(), what: "rankings" });
    };
    let hits_per_row = hits_of(&first).div_ceil(first.num_rows().max(1)).max(1);
    let rows =
        Input { schema: first.schema(), batches: Mutex::new(Some(Box::new([Ok(first)].into_iter().chain(batches)))) };
    let file = tempfile::Builder::new().prefix("sorted-").suffix(".parquet").tempfile_in(scratch);
    let file = file.map_err(|error| failed(&error))?;
    let mut repeats = Repeats { nested: source.is_nested(), ..Repeats::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| failed(&error))?;
    let sorted = runtime.block_on(async {
        let mut writer = writer(file.as_file(), &rows.schema, hits_per_row)?;
        let mut sorted = sorted(rows, scratch, memory_bytes, hits_per_row)?;
        while let Some(batch) = sorted.next().await.transpose()? {
            repeats.note(&batch);
            writer.write(&batch)?;
        }
        writer.close()?;
        Ok::<_, DataFusionError>(())
    });
    sorted.map_err(|error| taken().unwrap_or_else(|| failed(&error)))?;
    if let Some((row, id)) = repeats.earliest {
        return Err(second_ranking(path, row, &id));
    }
    let session = column::SESSION_ID.to_owned();
    let columns = Columns { session, shape, retriever: None, has_retriever: false, has_original_row: true };
    Ok((file.into_temp_path(), columns))
}

fn sorted(
    input: Input,
    scratch: &Path,
    memory_bytes: usize,
    hits_per_row: usize,
) -> Result<SendableRecordBatchStream, DataFusionError> {
    let memory_bytes = memory_bytes.max(MIN_MEMORY_BYTES);
    let disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Directories(vec![scratch.to_owned()]));
    let environment = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(memory_bytes)))
        .with_disk_manager_builder(disk)
        .build_arc()?;
    let config = SessionConfig::new()
        .with_batch_size((SORT_ROWS / hits_per_row).max(1))
        .with_sort_spill_reservation_bytes(memory_bytes / 4);
    let context = TaskContext::default().with_session_config(config).with_runtime(environment);
    let schema = Arc::clone(&input.schema);
    let by = |name| Ok::<_, DataFusionError>(PhysicalSortExpr::new(col(name, &schema)?, SortOptions::default()));
    let order = LexOrdering::new([by(column::SESSION_ID)?, by(ORIGINAL_ROW)?]);
    let order = order.ok_or_else(|| DataFusionError::Internal("an order of no columns".into()))?;
    let input: Arc<dyn PartitionStream> = Arc::new(input);
    let input = StreamingTableExec::try_new(Arc::clone(&schema), vec![input], None, [], false, None)?;
    SortExec::new(order, Arc::new(input)).execute(0, Arc::new(context))
}

fn writer<'a>(
    file: &'a std::fs::File,
    schema: &SchemaRef,
    hits_per_row: usize,
) -> Result<ArrowWriter<&'a std::fs::File>, DataFusionError> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::LZ4_RAW)
        .set_dictionary_enabled(false)
        .set_column_dictionary_enabled(ColumnPath::from(column::SESSION_ID), true)
        .set_max_row_group_row_count(Some((GROUP_HITS / hits_per_row).max(1)))
        .build();
    Ok(ArrowWriter::try_new(file, Arc::clone(schema), Some(properties))?)
}

/// Finds sessions that have two rows.
#[derive(Default)]
struct Repeats {
    nested: bool,
    last: Option<String>,
    /// The 1-based row of the file and the session.
    earliest: Option<(u64, String)>,
}

impl Repeats {
    fn note(&mut self, sorted: &RecordBatch) {
        let ids = sorted.column_by_name(column::SESSION_ID).and_then(|ids| ids.as_any().downcast_ref::<StringArray>());
        let rows = sorted.column_by_name(ORIGINAL_ROW).and_then(|rows| rows.as_any().downcast_ref::<UInt64Array>());
        let Some((ids, rows)) = ids.zip(rows).filter(|_| self.nested) else { return };
        for (id, row) in ids.iter().flatten().zip(rows.values()) {
            if self.last.as_deref() == Some(id) && self.earliest.as_ref().is_none_or(|(earliest, _)| row < earliest) {
                self.earliest = Some((*row, id.to_owned()));
            }
            let last = self.last.get_or_insert_default();
            last.clear();
            last.push_str(id);
        }
    }
}

/// The rows of a file, for sorting.
struct Batches {
    path: std::path::PathBuf,
    blocks: Blocks,
    nested: bool,
    /// Why reading ended early.
    refusal: Arc<Mutex<Option<LoadError>>>,
}

impl Iterator for Batches {
    type Item = Result<RecordBatch, DataFusionError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.next_batch();
        batch.transpose().map(|batch| {
            batch.map_err(|error| {
                let text = error.to_string();
                *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                DataFusionError::Execution(text)
            })
        })
    }
}

impl Batches {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>, LoadError> {
        loop {
            let Some(mut block) = self.blocks.next_block()? else { return Ok(None) };
            if !block.faults.is_empty() {
                let fault = block.faults.swap_remove(0);
                return Err(LoadError::Row { path: self.path.clone(), row: fault.row, reason: fault.reason });
            }
            if block.bounds.is_empty() {
                continue;
            }
            let batch = if self.nested { nested_batch(&block) } else { flat_batch(block) };
            return batch.map(Some).map_err(|error| columnar::damaged(&self.path, error));
        }
    }
}

fn flat_batch(block: Block) -> Result<RecordBatch, ArrowError> {
    let mut sessions = StringBuilder::new();
    for (id, hits) in block.ids.iter().flatten().zip(&block.bounds) {
        for _ in hits.clone() {
            sessions.append_value(id);
        }
    }
    let rows: UInt64Array = match block.rows {
        Rows::From(first) => (first..).take(block.items.len()).collect(),
        Rows::OfHits(rows) => rows,
        Rows::OfRuns(rows) => rows.into(),
    };
    let mut columns: Vec<(&str, ArrayRef, bool)> = vec![
        (column::SESSION_ID, Arc::new(sessions.finish()), false),
        (column::ITEM_ID, Arc::new(block.items), true),
        (ORIGINAL_ROW, Arc::new(rows), false),
    ];
    columns.extend(block.scores.map(|scores| (column::SCORE, Arc::new(scores) as ArrayRef, true)));
    if let Some(ranks) = block.ranks.read() {
        columns.push((RANK, Arc::new(ranks.clone()), true));
    }
    RecordBatch::try_from_iter_with_nullable(columns)
}

fn nested_batch(block: &Block) -> Result<RecordBatch, ArrowError> {
    #[expect(clippy::cast_possible_truncation, reason = "arrays of text have fewer than 2^31 elements")]
    let places: UInt32Array = block.bounds.iter().flat_map(|hits| hits.clone().map(|hit| hit as u32)).collect();
    let items = take(&block.items, &places, None)?;
    let scores = match &block.scores {
        Some(scores) => take(scores, &places, None)?,
        None => Arc::new(Float64Array::new_null(places.len())),
    };
    let fields = Fields::from(vec![
        Field::new(column::ITEM_ID, DataType::Utf8, true),
        Field::new(column::SCORE, DataType::Float64, true),
    ]);
    let element = Arc::new(Field::new("item", DataType::Struct(fields.clone()), true));
    let hits = StructArray::try_new(fields, vec![items, scores], None)?;
    let offsets = OffsetBuffer::from_lengths(block.bounds.iter().map(ExactSizeIterator::len));
    let hits = ListArray::try_new(element, offsets, Arc::new(hits), None)?;
    let rows: UInt64Array = (0..block.bounds.len()).map(|run| block.row(run, 0)).collect::<Vec<_>>().into();
    let mut columns: Vec<(&str, ArrayRef, bool)> = vec![
        (column::SESSION_ID, Arc::new(block.ids.clone()), false),
        (column::HITS, Arc::new(hits), false),
        (ORIGINAL_ROW, Arc::new(rows), false),
    ];
    if let Some(failures) = &block.failures {
        columns.push((column::ERROR_KIND, Arc::new(failures.kinds.clone()), true));
        columns.extend(failures.messages.clone().map(|texts| (column::ERROR, Arc::new(texts) as ArrayRef, true)));
    }
    columns.extend(block.latencies.clone().map(|array| (column::LATENCY_NS, Arc::new(array) as ArrayRef, true)));
    RecordBatch::try_from_iter_with_nullable(columns)
}

fn hits_of(batch: &RecordBatch) -> usize {
    let hits = batch.column_by_name(column::HITS).and_then(|hits| hits.as_any().downcast_ref::<ListArray>());
    hits.map_or(batch.num_rows(), |hits| hits.values().len())
}

type Stream = Box<dyn Iterator<Item = Result<RecordBatch, DataFusionError>> + Send>;

/// What is sorted: batches that are read once.
struct Input {
    schema: SchemaRef,
    batches: Mutex<Option<Stream>>,
}

impl fmt::Debug for Input {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Input").finish_non_exhaustive()
    }
}

impl PartitionStream for Input {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner).take();
        let batches = futures::stream::iter(batches.into_iter().flatten());
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches))
    }
}
