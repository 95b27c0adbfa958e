//! Which sessions are replayed? Filters over the columns that they name, then a seeded sample, written as the run's
//! sessions table.
//!
//! DataFusion does the work, behind this folder: `engine` gives it memory and a folder to spill to, `source` makes a table
//! of the input, `filter` turns the filters into predicates, `sample` draws by the `threshold` of each stratum, `functions`
//! holds the SQL functions of our own, `batches` deals the sample of a run that stops early, `write` sorts and writes. The same data, predicate and seed give the same sessions
//! in the same order on any number of threads: a session's place in a draw is a keyed hash of its id.
//!
//! Memory does not grow with the number of sessions. Each question (are the ids unique and in order, what does each filter
//! remove, where does the draw end) is a pass over the few columns that it needs, which keeps counts, not rows; only
//! sessions whose ids do not come in order are sorted, and the sort spills.
//!
//! Not for: repairing what the readers reported.

mod batches;
mod engine;
mod error;
mod filter;
mod functions;
mod sample;
mod source;
mod threshold;
mod write;

use std::num::NonZeroUsize;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use error::SelectError;
pub use filter::check_predicate;

use crate::benchmark::Plan;
use crate::load::ImportSummary;
use crate::storage::calls;
use crate::store::{RunDirectory, StoreError, layout, sessions_per_chunk};
use batches::Batches;
pub(crate) use engine::{Engine, names_no_column};
use source::Input;

/// How the sample came about: every session that was loaded is sampled or counted under a reason.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Selection {
    /// Sessions in the input.
    pub loaded: u64,
    /// The filters in order, with what each removed of what the ones before it had left.
    pub filters: Vec<FilterCount>,
    /// Sessions that pass every filter.
    pub eligible: u64,
    /// Sessions drawn.
    pub sampled: u64,
    /// The strata of a stratified sample, in order of their names.
    pub strata: Vec<Stratum>,
    /// What was dirty in the input, by kind; empty for native Parquet, which is read as it is.
    pub dirt: std::collections::BTreeMap<String, u64>,
}

/// What one filter removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FilterCount {
    /// The filter's key in the benchmark file.
    pub filter: String,
    /// Sessions that it removed.
    pub removed: u64,
}

/// One stratum of a stratified sample.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stratum {
    /// The value of the column that stratifies; `(none)` for sessions without one.
    pub name: String,
    /// Eligible sessions in it.
    pub eligible: u64,
    /// Sessions drawn from it.
    pub sampled: u64,
}

/// Draws the plan's sample and writes it as the run's sessions table in chunks of `sessions_per_chunk`, or as many as suit its
/// size, sorted by session id; in random batches of whole users, each
/// sorted by session id, where the run stops when it is decided.
///
/// What is sorted or grouped on the way takes at most about `memory_bytes`; what does not fit is spilled to a hidden folder
/// of the run, which is removed at the end.
///
/// # Errors
///
/// Returns an error when the input cannot be read, a session id occurs twice, a predicate is wrong, nothing is left, or the
/// memory does not suffice ([`SelectError::Memory`]).
pub async fn select(
    plan: &Plan,
    run: &RunDirectory,
    memory_bytes: usize,
    sessions_per_chunk: Option<NonZeroUsize>,
) -> Result<Selection, SelectError> {
    let scratch = run.scratch()?;
    let loaded = scratch.join(layout::LOADED);
    let opened = Eligible::find(plan, &scratch, &loaded, memory_bytes).await;
    if let Err(SelectError::Nothing { .. }) = opened {
        clear(&loaded)?;
    }
    let Eligible { engine, input, filters, mut selection } = opened?;
    let drawn = match &plan.sample {
        Some(sample) => sample::draw(&engine, &input, &filters, sample, &mut selection).await?,
        None => None,
    };
    let at_most = drawn_at_most(plan, &selection);
    let batches =
        plan.statistics.stop_when_decided.then(|| Batches::of(plan.seed, plan.statistics.cluster_by, at_most));
    let out = write::Sample { engine: &engine, input: &input, filters: &filters, drawn, batches };
    let sessions_per_chunk = sessions_per_chunk.map_or_else(|| chunk_of(plan, at_most), NonZeroUsize::get);
    selection.sampled = out.write(&run.path(layout::SESSIONS), sessions_per_chunk).await?;
    run.write_json(layout::SELECTION, &selection)?;
    clear(&loaded)?;
    Ok(selection)
}

/// A sample that was counted and not drawn.
#[derive(Debug, Clone)]
pub struct Counted {
    /// How it would come about.
    pub selection: Selection,
    /// Sessions that a chunk would have.
    pub sessions_per_chunk: usize,
    /// Bytes of the input as Parquet; 0 where they are not known.
    pub input_bytes: u64,
}

/// Counts the plan's sample without drawing it: the same numbers as [`select`] gives. What is converted or spilled on the way
/// goes to `scratch`.
///
/// # Errors
///
/// Returns the errors of [`select`].
pub async fn count(plan: &Plan, scratch: &Path, memory_bytes: usize) -> Result<Counted, SelectError> {
    let loaded = scratch.join(layout::LOADED);
    let Eligible { engine, input, filters, mut selection } =
        Eligible::find(plan, scratch, &loaded, memory_bytes).await?;
    if let Some(sample) = &plan.sample {
        sample::count_strata(&engine, &input, &filters, sample, &mut selection).await?;
    }
    selection.sampled = drawn_at_most(plan, &selection);
    let sessions_per_chunk = chunk_of(plan, selection.sampled);
    Ok(Counted { selection, sessions_per_chunk, input_bytes: input.bytes() })
}

/// The sessions that pass the filters.
struct Eligible {
    engine: Engine,
    input: Input,
    filters: Vec<filter::Predicate>,
    selection: Selection,
}

impl Eligible {
    /// Opens the plan's sessions and counts those that pass.
    async fn find(plan: &Plan, scratch: &Path, loaded: &Path, memory_bytes: usize) -> Result<Self, SelectError> {
        let input = Input::open(plan, loaded, memory_bytes)?;
        let mut engine = Engine::new(scratch, memory_bytes)?;
        engine.set_batch_rows(input.batch_rows);
        engine.set_aside(input.held_bytes());
        let filters = filter::predicates(&plan.filter)?;
        let mut selection = filter::tally(&engine, &input, &filters).await?;
        selection.dirt = input.import.as_ref().map(dirt).unwrap_or_default();
        if selection.eligible == 0 {
            // A log of other retrievers, or a name misspelt.
            let is_of_others =
                |count: &FilterCount| count.filter == filter::RETRIEVER_IDS && count.removed == selection.loaded;
            let retrievers = match selection.filters.iter().any(is_of_others) {
                true => Some(filter::retrievers(&engine, &input).await?),
                false => None,
            };
            return Err(SelectError::Nothing { loaded: selection.loaded, filters: selection.filters, retrievers });
        }
        Ok(Self { engine, input, filters, selection })
    }
}

fn drawn_at_most(plan: &Plan, selection: &Selection) -> u64 {
    plan.sample.as_ref().map_or(selection.eligible, |sample| sample.count.min(selection.eligible))
}

fn chunk_of(plan: &Plan, at_most: u64) -> usize {
    sessions_per_chunk(at_most, plan.pipelines.iter().any(|pipeline| pipeline.policy().is_some()))
}

/// Removes what was converted, where something was.
fn clear(loaded: &Path) -> Result<(), StoreError> {
    match calls::remove(loaded) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(StoreError::io(loaded, source)),
        _ => Ok(()),
    }
}

fn dirt(summary: &ImportSummary) -> std::collections::BTreeMap<String, u64> {
    summary.dirt.iter().map(|(kind, count)| (kind.to_string(), count)).collect()
}
