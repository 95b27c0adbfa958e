//! Which sessions are replayed? Filters pushed down to Parquet, then a seeded sample, written as the run's sessions table.
//!
//! DataFusion does the work, behind this folder: `source` makes a table of the input, `filter` turns the filters into
//! predicates, `sample` draws, `functions` holds the SQL functions of our own. The same data, predicate and seed give
//! the same sessions in the same order on any number of threads: a session's place in a draw is a keyed hash of its id.
//!
//! Not for: repairing what the readers reported.

mod error;
mod filter;
mod functions;
mod sample;
mod source;

use std::path::Path;

use datafusion::arrow::record_batch::RecordBatch;
use datafusion::dataframe::DataFrame;
use datafusion::prelude::{SessionConfig, SessionContext, col};
use futures::StreamExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use error::SelectError;
pub use filter::check_predicate;

use crate::benchmark::Plan;
use crate::load::ImportSummary;
use crate::schema::{self, column};
use crate::store::{RunDirectory, SESSIONS_PER_CHUNK, TableWriter, layout};

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

/// Draws the plan's sample and writes it as the run's sessions table, sorted by session id.
///
/// # Errors
///
/// Returns an error when the input cannot be read, a predicate is wrong, or nothing is left.
pub async fn select(plan: &Plan, run: &RunDirectory) -> Result<Selection, SelectError> {
    let context = context();
    let loaded = run.path(layout::LOADED);
    let (table, import) = source::open(&context, plan, &loaded).await?;
    let filters = filter::predicates(&plan.filter)?;
    let mut selection = filter::tally(table.clone(), &filters).await?;
    selection.dirt = import.map(dirt).unwrap_or_default();
    if selection.eligible == 0 {
        run.remove(layout::LOADED)?;
        return Err(SelectError::Nothing { loaded: selection.loaded, filters: selection.filters });
    }
    let eligible = filter::apply(table, &filters)?;
    let drawn = match &plan.sample {
        Some(sample) => sample::draw(eligible, sample, &mut selection).await?,
        None => eligible,
    };
    selection.sampled = write_sample(drawn, &run.path(layout::SESSIONS)).await?;
    run.write_json(layout::SELECTION, &selection)?;
    run.remove(layout::LOADED)?;
    Ok(selection)
}

fn dirt(summary: ImportSummary) -> std::collections::BTreeMap<String, u64> {
    summary.dirt.iter().map(|(kind, count)| (kind.to_string(), count)).collect()
}

/// The one place that configures DataFusion.
fn context() -> SessionContext {
    let mut config = SessionConfig::new();
    config.options_mut().execution.parquet.pushdown_filters = true;
    config.options_mut().execution.parquet.schema_force_view_types = false;
    SessionContext::new_with_config(config)
}

async fn write_sample(drawn: DataFrame, path: &Path) -> Result<u64, SelectError> {
    let order = vec![col(column::SESSION_ID).sort(true, false)];
    let mut stream = drawn.sort(order)?.execute_stream().await?;
    let mut writer = TableWriter::create(path, schema::SESSIONS.clone(), SESSIONS_PER_CHUNK)?;
    let mut rows = 0;
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        rows += batch.num_rows() as u64;
        writer.write(&RecordBatch::try_new(schema::SESSIONS.clone(), batch.columns().to_vec())?)?;
    }
    writer.finish()?;
    Ok(rows)
}
