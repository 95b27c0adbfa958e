//! What would a run do, before it does it? Which sessions, how many requests, how long, how much disk, and what it could find.
//!
//! Sessions are counted as the run would ([`crate::select::count`]), so that a filter that leaves nothing and an id that
//! occurs twice are found here. No retriever is asked and nothing is written where runs lie. `requests` counts what servers
//! would be asked, `duration` and `disk` reckon from the settings and from an earlier run of the same benchmark (`earlier`),
//! `effect` says what so many sessions can find. Every number that is reckoned says what from (`basis`).
//!
//! Not for: promises. A server that slows down, or sessions unlike those before, make another run.

mod disk;
mod duration;
mod earlier;
mod effect;
mod model;
mod requests;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

pub use earlier::Earlier;
pub use model::{
    DetectableEffect, DiskForecast, DurationForecast, EarlierRun, Forecast, RetrieverForecast, SCHEMA_VERSION,
    StageRequests, UnitsForecast, json_schema,
};
pub use rematch_metrics::Proportion;

use crate::benchmark::Plan;
use crate::select::{self, SelectError};
use crate::store::StoreError;

/// Why a run cannot be forecast.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForecastError {
    /// No sample could be drawn.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// The earlier run cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The earlier run is not finished.
    #[error("run `{path}` is not finished, expected a finished one to reckon from", path = path.display())]
    Unfinished {
        /// Its directory.
        path: PathBuf,
    },
    /// There is no place for what is converted on the way.
    #[error("no temporary folder can be made")]
    Scratch(#[source] std::io::Error),
}

/// How a run would be made.
#[derive(Debug, Clone)]
pub struct Conditions {
    /// Memory that counting may take before it goes to disk, bytes.
    pub memory_bytes: usize,
    /// Units that would be done at once.
    pub threads: NonZeroUsize,
    /// The power at which the smallest detectable effect is stated.
    pub power: Proportion,
    /// The run to reckon from; the newest finished one of the same name in the plan's output directory where `None`.
    pub earlier: Option<PathBuf>,
}

/// Forecasts the run of `plan`. It reads the sessions and, where there is one, the report of an earlier run.
///
/// # Errors
///
/// Returns an error when the sessions cannot be read or none is left, or the earlier run that was named cannot be read.
pub async fn forecast(plan: &Plan, conditions: &Conditions) -> Result<Forecast, ForecastError> {
    let scratch = tempfile::Builder::new().prefix("rematch-plan-").tempdir().map_err(ForecastError::Scratch)?;
    let counted = select::count(plan, scratch.path(), conditions.memory_bytes).await?;
    let earlier = find_earlier(plan, conditions.earlier.as_deref())?;
    Ok(reckon(plan, conditions, &counted, earlier.as_ref()))
}

fn find_earlier(plan: &Plan, named: Option<&Path>) -> Result<Option<Earlier>, ForecastError> {
    match named {
        Some(directory) => Earlier::read(directory).map(Some),
        // What lies there besides is no reason not to say what the run would do.
        None => Ok(Earlier::newest(plan)),
    }
}

fn reckon(plan: &Plan, conditions: &Conditions, counted: &select::Counted, earlier: Option<&Earlier>) -> Forecast {
    let sampled = counted.selection.sampled;
    let retrievers = requests::of(plan, sampled, conditions.threads, earlier);
    let chunks = sampled.div_ceil(counted.sessions_per_chunk.max(1) as u64);
    let effect = effect::of(plan, sampled, conditions.power, earlier);
    Forecast {
        schema_version: SCHEMA_VERSION,
        name: plan.name.clone(),
        selection: counted.selection.clone(),
        units: UnitsForecast {
            sessions_per_unit: counted.sessions_per_chunk as u64,
            chunks,
            units: chunks * plan.pipelines.len() as u64,
        },
        requests: retrievers.iter().map(|retriever| retriever.requests).sum(),
        duration: duration::sum(&retrievers),
        disk: disk::of(plan, counted, earlier),
        stopping: effect::stopping(plan, &effect),
        effect,
        earlier_run: earlier.map(Earlier::named),
        retrievers,
    }
}
