//! The run's own parts, some chunks of one retriever at a time: they are there whatever the run was to write.

use std::path::Path;

use datafusion::arrow::array::{Array, AsArray, Float64Array, RecordBatch, StringArray};
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
    /// The columns of a part that are read.
    columns: Vec<String>,
    /// Retriever and chunk to come.
    next: (usize, usize),
}

impl<'a> Reader<'a> {
    pub(super) fn open(run: &'a RunDirectory, plan: &'a Plan) -> Result<Self, StoreError> {
        let of_rankings = [column::SESSION_ID, column::HITS, column::ERROR_KIND].map(str::to_owned);
        let columns = of_rankings.into_iter().chain(plan.metrics.iter().map(ToString::to_string)).collect();
        Ok(Self { run, plan, sample: run.sample()?, columns, next: (0, 0) })
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
        let damaged_sample = |error: ArrowError| StoreError::table(self.sample.path(), error);
        let sessions = sessions_from_batch(&self.sample.group(chunk)?).map_err(damaged_sample)?;
        let part = layout::part(self.next.0, chunk);
        let path = self.run.path(&part);
        let damaged = |error: ArrowError| StoreError::table(&path, error);
        let columns: Vec<&str> = self.columns.iter().map(String::as_str).collect();
        let rows = self.run.table(&part)?.group_columns(0, &columns)?;
        if rows.num_rows() != sessions.len() {
            let reason = format!("{} rows answer a chunk of {} sessions", rows.num_rows(), sessions.len());
            return Err(damaged(ArrowError::InvalidArgumentError(reason)).into());
        }
        let answers = Answers::open(rows).map_err(damaged)?;
        let ids = text(answers.batch(), column::SESSION_ID).map_err(damaged)?;
        let values = self.plan.metrics.iter().map(|metric| numbers(answers.batch(), &metric.to_string()));
        let values: Vec<Float64Array> = values.collect::<Result<_, _>>().map_err(damaged)?;
        for (row, session) in sessions.iter().enumerate() {
            if ids.value(row) != session.session_id {
                let reason = format!("row {row} is not of session `{}`", session.session_id);
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

fn text<'b>(batch: &'b RecordBatch, name: &str) -> Result<&'b StringArray, ArrowError> {
    let found = batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
    found.ok_or_else(|| ArrowError::SchemaError(format!("no text column `{name}`")))
}

fn numbers(batch: &RecordBatch, name: &str) -> Result<Float64Array, ArrowError> {
    let found = batch.column_by_name(name).and_then(|column| column.as_primitive_opt::<Float64Type>());
    found.cloned().ok_or_else(|| ArrowError::SchemaError(format!("no column of numbers `{name}`")))
}
