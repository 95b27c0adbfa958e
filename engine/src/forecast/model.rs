//! The shape of `rematch plan --json`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::benchmark::Arrival;
use crate::select::Selection;

/// Version of the forecast's schema; it grows when a reader must change.
pub const SCHEMA_VERSION: u32 = 1;

/// What a run would do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Forecast {
    /// Version of this schema.
    pub schema_version: u32,
    /// The benchmark's name.
    pub name: String,
    /// The sessions: loaded, removed by each filter, eligible, sampled, and the strata. These are counted, not reckoned.
    pub selection: Selection,
    /// The work units.
    pub units: UnitsForecast,
    /// Requests to servers by all retrievers, without retries.
    pub requests: u64,
    /// Each retriever, the baseline first.
    pub retrievers: Vec<RetrieverForecast>,
    /// How long the replay takes.
    pub duration: DurationForecast,
    /// How much the run's directory takes.
    pub disk: DiskForecast,
    /// The smallest difference of the primary measure that the run could find.
    pub effect: DetectableEffect,
    /// What stopping when it is decided makes of these numbers, in words; `null` where the run replays all in any case.
    #[serde(default)]
    pub stopping: Option<String>,
    /// The run that was reckoned from; `null` where there is none.
    pub earlier_run: Option<EarlierRun>,
}

/// Pieces of work, each of one retriever over one chunk of the sample: what is done at once, and anew after an interruption.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnitsForecast {
    /// Sessions of a chunk; the last may have fewer.
    pub sessions_per_unit: u64,
    /// Chunks of the sample.
    pub chunks: u64,
    /// Work units: chunks times retrievers.
    pub units: u64,
}

/// What one retriever would do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RetrieverForecast {
    /// Its id.
    pub id: String,
    /// Its stages that ask a server, in order; empty where it asks none.
    pub stages: Vec<StageRequests>,
    /// Requests of these stages, warm-up included, without retries.
    pub requests: u64,
    /// The most requests there can be with the retries that the budget allows.
    pub requests_at_most: u64,
    /// Whether answers of earlier runs are looked up first; those that are found are not asked for.
    pub cache: bool,
    /// Sessions in flight at once.
    pub concurrency: u64,
    /// Most requests per second; `null` for no limit.
    pub rate: Option<f64>,
    /// How requests arrive; `null` where no server is asked.
    pub arrival: Option<Arrival>,
    /// How long its replay takes.
    pub duration: DurationForecast,
}

/// The requests of one stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StageRequests {
    /// The stage; a `/` leads into a branch of a fusion.
    pub stage: String,
    /// Its kind.
    pub kind: String,
    /// Requests: one per session at most, since a stage that is handed no hits asks nothing.
    pub requests: u64,
    /// Requests before the first that counts; they end where one fails.
    pub warm_up: u64,
    /// The retriever whose answers it takes, because both begin with the same stages; then it asks nothing itself.
    pub shared_with: Option<String>,
}

/// How long something takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DurationForecast {
    /// Seconds to expect; `null` where nothing tells.
    pub seconds: Option<f64>,
    /// Seconds if every request took all the time that it may, without retries; `null` where no server is asked.
    pub seconds_at_most: Option<f64>,
    /// What the seconds are reckoned from, in words.
    pub basis: String,
}

/// How much disk the run takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DiskForecast {
    /// Bytes of the run's directory.
    pub bytes: u64,
    /// What they are reckoned from, in words.
    pub basis: String,
}

/// The smallest difference that a two-sided test finds with some power.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DetectableEffect {
    /// The primary measure.
    pub metric: String,
    /// The probability that a difference of this size is found.
    pub power: f64,
    /// The test's two-sided level.
    pub significance: f64,
    /// Pairs of sessions that are expected: those in which the measure is defined for both.
    pub sessions: u64,
    /// Independent clusters among them; `null` where it is not known whether users or visits repeat.
    pub clusters: Option<u64>,
    /// What the clusters are; `null` where that is not known.
    pub cluster_by: Option<String>,
    /// The difference in standard deviations of the paired differences (of cluster means, as many as there are clusters);
    /// `null` with fewer than two pairs.
    pub standard_deviations: Option<f64>,
    /// The difference in the measure's unit; `null` where no earlier run tells how much it varies.
    pub delta: Option<f64>,
    /// The difference as a share of the baseline's mean; `null` where that is not known, or 0.
    pub relative: Option<f64>,
    /// What it is reckoned from, in words.
    pub basis: String,
}

/// The run that was reckoned from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EarlierRun {
    /// Its directory.
    pub directory: PathBuf,
    /// Its id.
    pub run_id: String,
    /// When its report was written.
    pub completed_at: String,
    /// Its sampled sessions.
    pub sampled: u64,
}

/// Returns the JSON Schema of a forecast, generated from its types.
#[must_use]
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(Forecast).to_value()
}
