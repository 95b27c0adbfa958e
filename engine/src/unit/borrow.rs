//! Rankings of finished runs: what a unit judges where nothing is replayed.
//!
//! A session is found by its id. Samples are sorted by it, so that a chunk of one sample lies in a few neighbouring chunks of
//! another; where the samples are the same, in exactly one. Memory holds one part of the lender and the chunk's own answers.

use datafusion::arrow::array::{Array, AsArray, RecordBatch, StringArray, UInt32Array};
use datafusion::arrow::compute::{concat_batches, take_record_batch};
use datafusion::arrow::error::ArrowError;

use super::UnitError;
use crate::benchmark::{BorrowedPipeline, Plan};
use crate::rows::Answers;
use crate::schema::{RANKINGS, column};
use crate::session::Session;
use crate::store::{RunDirectory, StoreError, TableReader, layout};

/// The rankings that a run borrows, opened.
#[derive(Debug)]
pub struct BorrowedRankings {
    lenders: Vec<Lender>,
    /// Whose rankings each pipeline of the plan judges, and the pipeline's own id.
    pipelines: Vec<(BorrowedPipeline, String)>,
    /// Whether chunks are random batches, which overlap in their ids: then a chunk is found by its number.
    in_batches: bool,
}

/// A finished run.
#[derive(Debug)]
struct Lender {
    run: RunDirectory,
    sample: TableReader,
    /// The first id of each chunk.
    starts: Vec<String>,
}

impl BorrowedRankings {
    /// Opens the runs that lend `plan` its rankings; `None` where it replays its pipelines.
    ///
    /// # Errors
    ///
    /// Returns an error when a run is not there any more, or cannot be read.
    pub fn open(plan: &Plan) -> Result<Option<Self>, UnitError> {
        let Some(borrowed) = &plan.borrowed else { return Ok(None) };
        let lenders = borrowed.runs.iter().map(|run| Lender::open(RunDirectory::view(&run.path)?.0));
        let ids = plan.pipelines.iter().map(|pipeline| pipeline.id.clone());
        Ok(Some(Self {
            lenders: lenders.collect::<Result<_, StoreError>>()?,
            pipelines: borrowed.pipelines.iter().cloned().zip(ids).collect(),
            in_batches: plan.statistics.stop_when_decided,
        }))
    }

    /// Returns what the pipeline answered to the sessions, which are neighbours of chunk `chunk` in ascending order of their
    /// ids, with at most the first `depth` hits of each.
    ///
    /// # Errors
    ///
    /// Returns an error when the lender cannot be read, or has no ranking of a session.
    pub fn answers(
        &self,
        pipeline: usize,
        chunk: usize,
        sessions: &[Session],
        depth: usize,
    ) -> Result<Answers, UnitError> {
        let unknown = || UnitError::Unknown { pipeline };
        let (borrowed, id) = self.pipelines.get(pipeline).ok_or_else(unknown)?;
        let lender = self.lenders.get(borrowed.run).ok_or_else(unknown)?;
        let chunks = if self.in_batches { chunk..chunk + 1 } else { lender.overlapping(sessions) };
        let mut found = Vec::new();
        let mut next = 0;
        for chunk in chunks {
            if next == sessions.len() {
                break;
            }
            let part = layout::part(borrowed.pipeline, chunk);
            let table = lender.run.table(&part)?;
            let failed = |error: ArrowError| StoreError::table(&lender.run.path(&part), error);
            let ids = table.group_columns(0, &[column::SESSION_ID])?;
            let rows = rows_of(ids_of(&ids).map_err(failed)?, sessions, &mut next);
            if rows.is_empty() {
                continue;
            }
            let names: Vec<&str> = RANKINGS.fields().iter().map(|field| field.name().as_str()).collect();
            let mut batch = table.group_columns(0, &names)?;
            if rows.len() < batch.num_rows() {
                batch = take_record_batch(&batch, &UInt32Array::from(rows)).map_err(failed)?;
            }
            found.push(Answers::borrowed(&batch, id, depth).map_err(failed)?.batch().clone());
        }
        if let Some(session) = sessions.get(next) {
            let (run, session) = (lender.run.root().to_owned(), session.session_id.clone());
            return Err(UnitError::NotLent { run, session });
        }
        let failed = |error: ArrowError| StoreError::table(lender.run.root(), error);
        let answers = concat_batches(&RANKINGS, &found).and_then(Answers::open);
        Ok(answers.map_err(failed)?)
    }
}

impl Lender {
    fn open(run: RunDirectory) -> Result<Self, StoreError> {
        let sample = run.table(layout::SESSIONS)?;
        let start = |chunk: usize| {
            let batch = sample.group_columns(chunk, &[column::SESSION_ID])?;
            let ids = ids_of(&batch).map_err(|error| StoreError::table(sample.path(), error))?;
            Ok(if Array::is_empty(ids) { String::new() } else { ids.value(0).to_owned() })
        };
        let starts = (0..sample.groups()).map(start).collect::<Result<_, StoreError>>()?;
        Ok(Self { run, sample, starts })
    }

    /// Returns the chunks that the sessions' ids can lie in.
    fn overlapping(&self, sessions: &[Session]) -> std::ops::Range<usize> {
        let (Some(first), Some(last)) = (sessions.first(), sessions.last()) else { return 0..0 };
        let begun = |id: &str| self.starts.partition_point(|start| start.as_str() <= id);
        begun(&first.session_id).saturating_sub(1)..begun(&last.session_id).min(self.sample.groups())
    }
}

fn ids_of(batch: &RecordBatch) -> Result<&StringArray, ArrowError> {
    let ids = batch.column_by_name(column::SESSION_ID).and_then(|array| array.as_string_opt::<i32>());
    ids.ok_or_else(|| ArrowError::SchemaError(format!("no text column `{}`", column::SESSION_ID)))
}

/// Returns the rows of the sessions from `next` on, as far as they are there, and moves `next` behind them. Both ascend.
fn rows_of(ids: &StringArray, sessions: &[Session], next: &mut usize) -> Vec<u32> {
    let mut rows = Vec::new();
    for (row, id) in (0_u32..).zip(ids.iter().flatten()) {
        if sessions.get(*next).is_some_and(|session| session.session_id == id) {
            rows.push(row);
            *next += 1;
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions(ids: &[&str]) -> Vec<Session> {
        ids.iter().map(|id| Session { session_id: (*id).to_owned(), ..Session::default() }).collect()
    }

    #[test]
    fn rows_are_found_over_the_borders_of_parts() {
        let wanted = sessions(&["b", "d", "e", "h"]);
        let mut next = 0;
        let parts = [["a", "b", "c"], ["d", "e", "f"], ["g", "h", "i"]];
        let found = parts.map(|part| rows_of(&StringArray::from_iter_values(part), &wanted, &mut next));
        assert_eq!((found, next), ([vec![1], vec![0, 1], vec![1]], 4));
    }

    #[test]
    fn a_session_that_is_not_there_is_where_the_search_ends() {
        let wanted = sessions(&["a", "b", "c"]);
        let mut next = 0;
        assert_eq!(rows_of(&StringArray::from_iter_values(["a", "c"]), &wanted, &mut next), [0]);
        assert_eq!(wanted[next].session_id, "b");
    }
}
