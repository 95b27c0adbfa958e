//! The streaming reader: what it returns, what it refuses, and that it agrees with the reader that holds all in memory.

mod agreement;
mod cursors;
mod damage;
mod hostile;
mod speed;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use datafusion::arrow::datatypes::Float64Type;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::file::properties::WriterProperties;
use tempfile::TempDir;

use super::*;
use crate::schema;
use crate::session::{Hit, Ranking};

const STRICT: HitOrder = HitOrder::Strict;
const TREC_EVAL: HitOrder = HitOrder::TrecEval;
const BY_RANK: HitOrder = HitOrder::Rank;
/// Sorting spills beyond this, which is the least that it takes.
const MEMORY_BYTES: usize = 0;

fn settings(retriever_id: Option<&str>, order: HitOrder) -> RecordedSettings {
    RecordedSettings { retriever_id: retriever_id.map(str::to_owned), order, ..RecordedSettings::default() }
}

/// A file in a folder of its own, which is also the scratch folder.
struct Written {
    folder: TempDir,
}

impl Written {
    fn new(content: impl AsRef<[u8]>) -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("run"), content).unwrap();
        Self { folder }
    }

    fn open(&self, settings: &RecordedSettings) -> Result<Recording, LoadError> {
        Recording::open(&self.folder.path().join("run"), settings, self.folder.path(), MEMORY_BYTES)
    }
}

/// Returns what a cursor answers, as plain data; sessions that were not recorded are not in it.
fn answers(
    cursor: &mut RecordedCursor,
    session_ids: &[&str],
    depth: usize,
) -> Result<BTreeMap<String, RecordedRanking>, LoadError> {
    let answers = cursor.answers(&StringArray::from(session_ids.to_vec()), depth)?;
    let hits_type = schema::RANKINGS.field_with_name(schema::column::HITS).unwrap().data_type();
    assert_eq!(answers.hits.data_type(), hits_type);
    assert_eq!(answers.hits.len(), session_ids.len());
    assert_eq!(answers.states.len(), session_ids.len());
    assert_eq!(answers.hits.null_count(), 0);
    let mut rankings = BTreeMap::new();
    for (row, (id, state)) in session_ids.iter().zip(answers.states).enumerate() {
        let elements = answers.hits.value(row);
        let elements = elements.as_struct();
        let items = elements.column(0).as_string::<i32>();
        let scores = elements.column(1).as_primitive::<Float64Type>();
        let hits: Vec<Hit> =
            items.iter().zip(scores).map(|(item, score)| Hit { item_id: item.unwrap().to_owned(), score }).collect();
        let failure = match state {
            Recorded::Found => None,
            Recorded::Missing => {
                assert_eq!(hits, []);
                continue;
            }
            Recorded::Failed { kind, message } => Some(RecordedFailure { kind, message }),
        };
        rankings.insert((*id).to_owned(), RecordedRanking { hits, failure });
    }
    Ok(rankings)
}

/// Reads some sessions of a file from its start.
fn read_sessions(
    content: impl AsRef<[u8]>,
    settings: &RecordedSettings,
    session_ids: &[&str],
) -> Result<BTreeMap<String, RecordedRanking>, LoadError> {
    answers(&mut Written::new(content).open(settings)?.cursor(), session_ids, usize::MAX)
}

fn items(rankings: &BTreeMap<String, RecordedRanking>, session_id: &str) -> Vec<String> {
    rankings.get(session_id).unwrap().hits.iter().map(|hit| hit.item_id.clone()).collect()
}

fn message<T>(result: Result<T, LoadError>) -> String {
    result.err().unwrap().to_string()
}

fn hit(item_id: &str, score: Option<f64>) -> Hit {
    Hit { item_id: item_id.to_owned(), score }
}

fn ranking(session_id: &str, retriever_id: &str, hits: Vec<Hit>) -> Ranking {
    Ranking { session_id: session_id.into(), retriever_id: retriever_id.into(), hits, ..Ranking::default() }
}

fn parquet_in_groups(batch: &RecordBatch, group_rows: usize) -> Vec<u8> {
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(group_rows.max(1))).build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    bytes
}

fn parquet(batch: &RecordBatch) -> Vec<u8> {
    parquet_in_groups(batch, 1 << 20)
}

fn flat(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    parquet(&RecordBatch::try_from_iter_with_nullable(columns).unwrap())
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

/// Returns the files left in a folder besides the input.
fn left_over(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count() - 1
}
