//! Runs of benchmarks.

use serde::{Deserialize, Serialize};

use super::{RunProfile, ScoringContractResult, Texts};

/// A run of a benchmark to begin.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::StartBenchmarkRun)]
pub struct StartBenchmarkRun {
    /// The benchmark.
    pub benchmark_id: String,
    /// The run's name.
    #[serde(default)]
    pub run_name: Option<String>,
    /// Whatever the user wishes to keep with it; `retriever_id` names who answers.
    #[serde(default)]
    pub metadata: Option<Texts>,
    /// How it is run.
    #[serde(default, rename = "runProfile")]
    pub run_profile: Option<RunProfile>,
}

/// A run to begin, as command-line tools ask for it: with a list of one benchmark.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::UnofficialStart)]
pub struct UnofficialStart {
    /// The benchmark, in a list of one.
    #[serde(default)]
    pub benchmark_ids: Option<Vec<String>>,
    /// The benchmark, where there is no list.
    #[serde(default)]
    pub benchmark_id: Option<String>,
    /// The run's name.
    #[serde(default)]
    pub run_name: Option<String>,
    /// Whatever the user wishes to keep with it.
    #[serde(default)]
    pub metadata: Option<Texts>,
    /// How it is run.
    #[serde(default, rename = "runProfile")]
    pub run_profile: Option<RunProfile>,
}

/// A run of a benchmark.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::BenchmarkRun)]
pub struct BenchmarkRunView {
    /// Its identifier.
    pub id: String,
    /// The benchmark; none for the run of a job over scenarios of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub benchmark_id: Option<String>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When it began, milliseconds since 1970.
    pub start_time_ms: i64,
    /// How long it took, milliseconds, once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<i64>,
    /// `running`, `canceled`, `completed` or `failed`.
    pub state: String,
    /// The sum of the scores of its scenario runs over their number, once it has ended. A scenario run that came to no score
    /// (`failed`, `timeout`, `canceled`) is in neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// Whatever the user keeps with it.
    pub metadata: Texts,
    /// Environment variables of all its scenario runs.
    pub environment_variables: Texts,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// Environment variables and the names of the secrets that they hold.
    pub secrets_provided: Texts,
    /// Scenarios without a completed run.
    pub pending_scenarios: Vec<String>,
    /// Scenarios with a completed run.
    pub scenario_runs: Vec<FinishedScenario>,
}

/// A completed scenario of a run.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::FinishedScenario)]
pub struct FinishedScenario {
    /// The scenario.
    pub scenario_id: String,
    /// Its run.
    #[serde(rename = "scenarioRunId")]
    pub scenario_run_id: String,
    /// What it came to.
    #[serde(rename = "scoringResult")]
    pub scoring_result: ScoringContractResult,
}

/// A page of runs, the newest first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = runloop::BenchmarkRunList)]
pub struct BenchmarkRunList {
    /// The runs.
    pub runs: Vec<BenchmarkRunView>,
    /// Whether there are more after them.
    pub has_more: bool,
    /// All that match, on whatever page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_count: Option<u64>,
    /// Those after this page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining_count: Option<u64>,
}
