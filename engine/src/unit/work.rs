//! One unit, done.

use std::path::PathBuf;
use std::sync::Arc;

use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::arrow::error::ArrowError;

use super::answerer::Answerer;
use super::recent::Graded;
use super::{UnitContext, UnitDone, UnitError, WorkUnit};
use crate::rows::{Answers, part_to_batch, sessions_from_batch};
use crate::schema::column;
use crate::score::{ranking_facts, score_chunk};
use crate::session::Session;
use crate::store::{EncodedPart, RunDirectory, StoreError, layout};

/// A unit whose part is to be written.
pub(super) struct Scored {
    done: UnitDone,
    run: RunDirectory,
    part: EncodedPart,
}

impl Scored {
    /// Writes the part. Blocks, and hardly computes: the disk, or an object store, is waited for.
    pub(super) fn publish(self) -> Result<UnitDone, UnitError> {
        self.run.publish_part(self.part)?;
        Ok(self.done)
    }
}

/// Does a unit but for writing its part: reads the chunk, replays it, scores it.
pub(super) async fn do_unit(
    context: &Arc<UnitContext>,
    answerer: &Answerer,
    unit: WorkUnit,
) -> Result<Scored, UnitError> {
    let reading = Arc::clone(context);
    let read = move || {
        let read = || Ok(Graded::of(read_sessions(&reading, unit.chunk)?, &reading.plan.relevance));
        reading.recent.get(unit.chunk, reading.readers(), read)
    };
    let graded = tokio::task::spawn_blocking(read).await??;
    let answers = answerer.answers(context, unit, &graded.sessions).await?;
    let done = UnitDone { unit, sessions: graded.sessions.len() as u64, failed: answers.failures() as u64 };
    let context = Arc::clone(context);
    let score = move || {
        let part = layout::part(unit.pipeline, unit.chunk);
        let batch = part_batch(&context, &part, &graded, &answers)?;
        let (run, part) = (context.run.clone(), context.run.encode_part(&part, &batch)?);
        Ok::<_, UnitError>(Scored { done, run, part })
    };
    tokio::task::spawn_blocking(score).await?
}

/// Returns what a unit's part says of the unit; `None` where it is not there.
///
/// # Errors
///
/// Returns an error when the part cannot be read.
pub fn part_done(run: &RunDirectory, unit: WorkUnit) -> Result<Option<UnitDone>, UnitError> {
    let part = layout::part(unit.pipeline, unit.chunk);
    if !run.holds(&part)? {
        return Ok(None);
    }
    let kinds = run.table(&part)?.group_columns(0, &[column::ERROR_KIND])?;
    let failed = kinds.columns().first().map_or(0, |kinds| kinds.len() - kinds.null_count());
    Ok(Some(UnitDone { unit, sessions: kinds.num_rows() as u64, failed: failed as u64 }))
}

/// Reads a chunk of the sample.
pub(super) fn read_sessions(context: &UnitContext, chunk: usize) -> Result<Arc<[Session]>, UnitError> {
    let batch = context.sample.group(chunk)?;
    let sessions =
        sessions_from_batch(&batch).map_err(|error| StoreError::table(&PathBuf::from(layout::SESSIONS), error))?;
    Ok(sessions.into())
}

/// Scores a chunk's answers and puts everything side by side.
pub(super) fn part_batch(
    context: &UnitContext,
    part: &std::path::Path,
    graded: &Graded,
    answers: &Answers,
) -> Result<RecordBatch, UnitError> {
    let (plan, Graded { sessions, relevance }) = (&context.plan, graded);
    let scores = score_chunk(plan, &context.contract, sessions, relevance, answers)?;
    let facts = ranking_facts(sessions, &scores.top_graded, answers, plan.support_depth(), plan.list_depth());
    let failed = |error: ArrowError| StoreError::table(part, error);
    Ok(part_to_batch(answers, &scores, facts, &context.contract.columns()).map_err(failed)?)
}
