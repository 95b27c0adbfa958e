//! The run's tables, some chunks of one retriever at a time.

use std::path::Path;

use datafusion::arrow::array::{Array, AsArray, Float64Array, RecordBatch, StringArray};
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::Float64Type;
use datafusion::arrow::error::ArrowError;

use super::VerifyError;
use super::files::{Files, Written};
use super::measure::Question;
use crate::benchmark::Plan;
use crate::rows::{Answers, sessions_from_batch};
use crate::schema::column;
use crate::score::Relevance;
use crate::store::{RunDirectory, StoreError, TableReader, layout};

/// Chunks that are compared at a time.
const CHUNKS: usize = 32;

/// Sessions of one retriever whose files are written.
pub(super) struct Batch {
    pub(super) retriever_id: String,
    pub(super) sessions: Vec<Case>,
}

/// What is to be compared of one session.
pub(super) struct Case {
    pub(super) session_id: String,
    /// Our value of each metric.
    pub(super) values: Vec<Option<f64>>,
    /// What the other program was given of it.
    pub(super) written: Written,
    pub(super) returned: bool,
}

pub(super) struct Reader<'a> {
    run: &'a RunDirectory,
    plan: &'a Plan,
    sample: TableReader,
    rankings: Groups,
    scores: Groups,
    /// Retriever and chunk to come.
    next: (usize, usize),
}

impl<'a> Reader<'a> {
    pub(super) fn open(run: &'a RunDirectory, plan: &'a Plan) -> Result<Self, StoreError> {
        let sample = run.sample()?;
        let rankings = Groups::of(run.table(layout::RANKINGS)?);
        let scores = Groups::of(run.table(layout::SCENARIO_SCORES)?);
        Ok(Self { run, plan, sample, rankings, scores, next: (0, 0) })
    }

    /// Writes the files of the next sessions; `None` at the end. Sessions on which the retriever failed have no values.
    pub(super) fn next(&mut self, folder: &Path, question: &Question) -> Result<Option<Batch>, VerifyError> {
        let Some(pipeline) = self.plan.pipelines.get(self.next.0) else { return Ok(None) };
        let mut batch = Batch { retriever_id: pipeline.id.clone(), sessions: Vec::new() };
        let mut files = Files::create(folder, &question.gains())?;
        let end = (self.next.1 + CHUNKS).min(self.sample.groups());
        for chunk in self.next.1..end {
            self.add(chunk, &mut batch, &mut files)?;
        }
        files.finish()?;
        self.next = if end == self.sample.groups() { (self.next.0 + 1, 0) } else { (self.next.0, end) };
        Ok(Some(batch))
    }

    fn add(&mut self, chunk: usize, batch: &mut Batch, files: &mut Files) -> Result<(), VerifyError> {
        let path = self.run.path(layout::SESSIONS);
        let damaged = |error: ArrowError| StoreError::table(&path, error);
        let sessions = sessions_from_batch(&self.sample.group(chunk)?).map_err(damaged)?;
        let answers = Answers::open(self.rankings.take(sessions.len())?).map_err(damaged)?;
        let scores = self.scores.take(sessions.len())?;
        let ids = [text(answers.batch(), column::SESSION_ID), text(&scores, column::SESSION_ID)];
        let [of_rankings, of_scores] = ids;
        let (of_rankings, of_scores) = (of_rankings.map_err(damaged)?, of_scores.map_err(damaged)?);
        let values = self.plan.metrics.iter().map(|metric| numbers(&scores, &metric.to_string()));
        let values: Vec<Float64Array> = values.collect::<Result<_, _>>().map_err(damaged)?;
        for (row, session) in sessions.iter().enumerate() {
            if of_rankings.value(row) != session.session_id || of_scores.value(row) != session.session_id {
                let reason = format!("row {row} of chunk {chunk} is not of session `{}`", session.session_id);
                return Err(damaged(ArrowError::InvalidArgumentError(reason)).into());
            }
            if answers.failed(row) {
                continue;
            }
            let relevance = Relevance::of(session, &self.plan.relevance);
            let written = files.add(batch.sessions.len(), &relevance, answers.items(row))?;
            batch.sessions.push(Case {
                session_id: session.session_id.clone(),
                values: values.iter().map(|column| column.is_valid(row).then(|| column.value(row))).collect(),
                written,
                returned: answers.hit_count(row) > 0,
            });
        }
        Ok(())
    }
}

/// A table that is read from its first row group to its last.
struct Groups {
    table: TableReader,
    group: usize,
}

impl Groups {
    fn of(table: TableReader) -> Self {
        Self { table, group: 0 }
    }

    /// Returns the next rows, which end where a group does.
    fn take(&mut self, rows: usize) -> Result<RecordBatch, StoreError> {
        let mut found: Vec<RecordBatch> = Vec::new();
        while found.iter().map(RecordBatch::num_rows).sum::<usize>() < rows && self.group < self.table.groups() {
            found.push(self.table.group(self.group)?);
            self.group += 1;
        }
        let path = self.table.path();
        let total: usize = found.iter().map(RecordBatch::num_rows).sum();
        if total != rows {
            let reason = format!("{total} rows answer a chunk of {rows} sessions");
            return Err(StoreError::table(path, ArrowError::InvalidArgumentError(reason)));
        }
        let schema = self.table.schema();
        concat_batches(schema, &found).map_err(|error| StoreError::table(path, error))
    }
}

fn text<'b>(batch: &'b RecordBatch, name: &str) -> Result<&'b StringArray, ArrowError> {
    let found = batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
    found.ok_or_else(|| ArrowError::SchemaError(format!("no text column `{name}`")))
}

fn numbers(batch: &RecordBatch, name: &str) -> Result<Float64Array, ArrowError> {
    let found = batch.column_by_name(name).and_then(|column| column.as_primitive_opt::<Float64Type>());
    found.cloned().ok_or_else(|| ArrowError::SchemaError(format!("no column of numbers `{name}`")))
}
