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

/// A run to begin, as command-line tools ask for it: with a list of benchmarks.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::UnofficialStart)]
pub struct UnofficialStart {
    /// The benchmarks.
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
    /// The sum of the scores of its scenario runs over the number of those that are not canceled, once it has ended; absent
    /// where none has a score. One that came to no score (`failed`, `timeout`) is in the number, as
    /// `unscored_scenario_runs` tells.
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
    /// How many of its scenario runs ended without a score: each of them lowers the run's score as a 0 would.
    pub unscored_scenario_runs: u64,
    /// Scenarios that still need a run before this one can be completed; none once it has ended.
    pub pending_scenarios: Vec<String>,
    /// Its completed scenario runs; once it has ended, those that were scored and not completed too.
    pub scenario_runs: Vec<FinishedScenario>,
}

/// A scenario of a run, with its result.
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
