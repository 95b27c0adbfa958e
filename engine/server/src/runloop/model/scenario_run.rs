//! Runs of scenarios, and what they came to.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Texts;

/// How a run is run.
#[derive(Debug, Clone, Default, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::RunProfile)]
#[serde(rename_all = "camelCase")]
pub struct RunProfile {
    /// Environment variables; `RETRIEVER_ID` names who answers where the metadata does not.
    #[serde(default)]
    pub env_vars: Option<Texts>,
    /// Parameters of the launch; `keep_alive_time_seconds` ends a run that nobody scored.
    #[serde(default)]
    pub launch_parameters: Option<Value>,
    /// Mounts; nothing is mounted.
    #[serde(default)]
    pub mounts: Option<Value>,
    /// What it is for.
    #[serde(default)]
    pub purpose: Option<String>,
    /// Environment variables and the names of the secrets that they hold. Names are kept; there are no values.
    #[serde(default)]
    pub secrets: Option<Texts>,
}

/// A run of a scenario to begin.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::StartScenarioRun)]
pub struct StartScenarioRun {
    /// The scenario.
    pub scenario_id: String,
    /// The run of a benchmark that it is part of.
    #[serde(default)]
    pub benchmark_run_id: Option<String>,
    /// The run's name.
    #[serde(default)]
    pub run_name: Option<String>,
    /// Whatever the user wishes to keep with it. `retriever_id` names who answers; `hits`, a ranking as JSON text, is the
    /// answer where nobody is named.
    #[serde(default)]
    pub metadata: Option<Texts>,
    /// How it is run.
    #[serde(default, rename = "runProfile")]
    pub run_profile: Option<RunProfile>,
}

/// A run of a scenario.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::ScenarioRun)]
pub struct ScenarioRunView {
    /// Its identifier.
    pub id: String,
    /// The machine that clients wait for; it is ready at once.
    pub devbox_id: String,
    /// The scenario.
    pub scenario_id: String,
    /// `running`, `scoring`, `scored`, `completed`, `canceled`, `timeout` or `failed`.
    pub state: String,
    /// Whatever the user keeps with it.
    pub metadata: Texts,
    /// The run of a benchmark that it is part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub benchmark_run_id: Option<String>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When it began, milliseconds since 1970.
    pub start_time_ms: i64,
    /// How long it took, milliseconds, once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<i64>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// Its environment variables.
    pub environment_variables: Texts,
    /// Environment variables and the names of the secrets that they hold.
    pub secrets_provided: Texts,
    /// What it came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scoring_contract_result: Option<ScoringContractResult>,
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::ScoringContractResult)]
pub struct ScoringContractResult {
    /// The weighted mean of the functions' scores, 0 to 1; 0 where one of them has none, and the run is then `failed`.
    pub score: f64,
    /// What each function came to, in the contract's order.
    pub scoring_function_results: Vec<ScoringFunctionResult>,
}

/// What a scoring function came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::ScoringFunctionResult)]
pub struct ScoringFunctionResult {
    /// The function.
    pub scoring_function_name: String,
    /// Its score, 0 to 1; 0 where the state is not `complete`.
    pub score: f64,
    /// What it said.
    pub output: String,
    /// `complete`; `error`: it failed; `unknown`: the score is undefined here.
    pub state: String,
}

/// A page of runs, the newest first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = runloop::ScenarioRunList)]
pub struct ScenarioRunList {
    /// The runs.
    pub runs: Vec<ScenarioRunView>,
    /// Whether there are more after them.
    pub has_more: bool,
    /// All that match, on whatever page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_count: Option<u64>,
    /// Those after this page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining_count: Option<u64>,
}
