//! Sessions that failed, tried again. What a part says of a session stays until the session has fared better.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::compute::interleave_record_batch;
use datafusion::arrow::error::ArrowError;

use super::answerer::Answerer;
use super::recent::Graded;
use super::work::{part_batch, read_sessions};
use super::{UnitContext, UnitDone, UnitError, WorkUnit};
use crate::rows::list_range;
use crate::schema::column;
use crate::session::{ScoreState, Session, StageState};
use crate::store::{StoreError, layout};

/// How a session fared; a smaller one is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fared {
    Well,
    StageSkipped,
    ScorerFailed,
    RetrieverFailed,
}

/// Replays and scores the sessions of a unit that failed, and writes its part anew with those that fared better.
pub(super) async fn retry_unit(
    context: &Arc<UnitContext>,
    answerer: &Answerer,
    unit: WorkUnit,
) -> Result<UnitDone, UnitError> {
    let part = layout::part(unit.pipeline, unit.chunk);
    let failed = |error: ArrowError| StoreError::table(&part, error);
    let (reading, name) = (Arc::clone(context), part.clone());
    let look = move || {
        let table = reading.run.table(name)?;
        // Most parts have nothing to try again, and their hits need not be read to know that.
        let states = table.group_columns(0, &[column::STAGES, column::ERROR_KIND, column::SCORERS])?;
        Ok::<_, UnitError>((table, states))
    };
    let (table, states) = tokio::task::spawn_blocking(look).await??;
    let before = fared(&states).map_err(failed)?;
    let tried: Vec<usize> = (0..before.len()).filter(|row| before.get(*row) > Some(&Fared::Well)).collect();
    let mut after = before.clone();
    if !tried.is_empty() {
        let (reading, rows) = (Arc::clone(context), tried.clone());
        let read = move || {
            let sessions = read_sessions(&reading, unit.chunk)?;
            let again: Arc<[Session]> = rows.iter().filter_map(|row| sessions.get(*row).cloned()).collect();
            Ok::<_, UnitError>(Graded::of(again, &reading.plan.relevance))
        };
        let again = tokio::task::spawn_blocking(read).await??;
        let answers = answerer.answers(context, unit, &again.sessions).await?;
        let (scorer, name) = (Arc::clone(context), part.clone());
        let score = move || part_batch(&scorer, &name, &again, &answers);
        let new = tokio::task::spawn_blocking(score).await??;
        let old = tokio::task::spawn_blocking(move || table.group(0)).await??;
        let mut picked: Vec<(usize, usize)> = (0..old.num_rows()).map(|row| (0, row)).collect();
        for ((place, row), now) in tried.iter().enumerate().zip(fared(&new).map_err(failed)?) {
            if let (Some(slot), Some(state)) = (picked.get_mut(*row), after.get_mut(*row))
                && now < *state
            {
                (*slot, *state) = ((1, place), now);
            }
        }
        if after != before {
            let merged = interleave_record_batch(&[&old, &new], &picked).map_err(failed)?;
            let writing = Arc::clone(context);
            tokio::task::spawn_blocking(move || writing.run.replace_part(&part, &merged)).await??;
        }
    }
    let failed = after.iter().filter(|state| **state == Fared::RetrieverFailed).count();
    Ok(UnitDone { unit, sessions: after.len() as u64, failed: failed as u64 })
}

/// How each session of a part fared.
fn fared(part: &RecordBatch) -> Result<Vec<Fared>, ArrowError> {
    let kinds = part.column_by_name(column::ERROR_KIND).and_then(|array| array.as_string_opt::<i32>());
    let scorers = part.column_by_name(column::SCORERS).and_then(|array| array.as_list_opt::<i32>());
    let results = scorers.and_then(|list| list.values().as_struct_opt()?.column_by_name(column::STATE));
    let states = results.and_then(|states| states.as_string_opt::<i32>());
    let (Some(kinds), Some(scorers), Some(states)) = (kinds, scorers, states) else {
        return Err(ArrowError::SchemaError("a part has columns of unexpected types".to_owned()));
    };
    let stages = part.column_by_name(column::STAGES).and_then(|array| array.as_list_opt::<i32>());
    let how = stages.and_then(|list| list.values().as_struct_opt()?.column_by_name(column::STATE));
    let (Some(stages), Some(how)) = (stages, how.and_then(|how| how.as_string_opt::<i32>())) else {
        return Err(ArrowError::SchemaError("a part has columns of unexpected types".to_owned()));
    };
    let stage_skipped = |row: usize| {
        list_range(stages, row).any(|place| how.is_valid(place) && how.value(place) == StageState::Skipped.as_str())
    };
    let scorer_failed = |row: usize| {
        list_range(scorers, row)
            .any(|place| states.is_valid(place) && states.value(place) == ScoreState::Error.as_str())
    };
    let state = |row: usize| match (kinds.is_valid(row), scorer_failed(row), stage_skipped(row)) {
        (true, ..) => Fared::RetrieverFailed,
        (false, true, _) => Fared::ScorerFailed,
        (false, false, true) => Fared::StageSkipped,
        (false, false, false) => Fared::Well,
    };
    Ok((0..part.num_rows()).map(state).collect())
}
