//! Jobs: all scenarios of a benchmark, answered by each of some retrievers, without a client that drives them.

use serde::{Deserialize, Serialize};

use super::Texts;

/// A job to begin.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::NewBenchmarkJob)]
pub struct NewBenchmarkJob {
    /// Its name; made from what it runs where it is not given.
    #[serde(default)]
    pub name: Option<String>,
    /// What it runs.
    #[serde(default)]
    pub spec: Option<NewJobSpec>,
}

/// What a job runs.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::NewJobSpec)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum NewJobSpec {
    /// The job of another harness; refused.
    Harbor {
        /// Its configuration.
        inline_yaml: String,
    },
    /// The scenarios of a benchmark.
    Benchmark {
        /// The benchmark.
        benchmark_id: String,
        /// Who answers; at least one.
        agent_configs: Vec<AgentConfig>,
        /// How it is driven.
        #[serde(default)]
        orchestrator_config: Option<OrchestratorConfig>,
    },
    /// Some scenarios.
    Scenarios {
        /// The scenarios; at least one.
        scenario_ids: Vec<String>,
        /// Who answers; at least one.
        agent_configs: Vec<AgentConfig>,
        /// How it is driven.
        #[serde(default)]
        orchestrator_config: Option<OrchestratorConfig>,
    },
}

/// The kind of an agent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::AgentKind)]
#[serde(rename_all = "snake_case")]
pub enum AgentKind {
    /// One that the job runs.
    #[default]
    JobAgent,
}

/// Who answers: a retriever.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::AgentConfig)]
pub struct AgentConfig {
    /// `job_agent`.
    #[serde(default, rename = "type")]
    pub kind: AgentKind,
    /// Its name; the retriever's identifier where `agent_id` is not given.
    pub name: String,
    /// The retriever's identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// The name of a model, for the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_name: Option<String>,
    /// How long its run may take, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<f64>,
    /// Further words, for the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kwargs: Option<Texts>,
    /// Its environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_environment: Option<AgentEnvironment>,
}

/// The environment of an agent.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::AgentEnvironment)]
pub struct AgentEnvironment {
    /// Environment variables, for scorers that are programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment_variables: Option<Texts>,
    /// Environment variables and the names of the secrets that they hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets: Option<Texts>,
}

/// How a job is driven.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::OrchestratorConfig)]
pub struct OrchestratorConfig {
    /// How often scenarios are tried again whose retriever or scorer failed, or that took too long; 0 where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 10)]
    pub n_attempts: Option<u32>,
    /// Kept and shown; the engine decides how much is done at once, and it changes no result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub n_concurrent_trials: Option<u32>,
    /// By what the limits of time are multiplied with each further attempt, above 0 and up to 100; 1 where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(exclusive_minimum = 0.0, maximum = 100.0)]
    pub timeout_multiplier: Option<f64>,
    /// Kept and shown; a job prints nothing in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet: Option<bool>,
}

/// What a job came from.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::JobSource)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum JobSource {
    /// A benchmark.
    Benchmark {
        /// The benchmark.
        benchmark_id: String,
        /// Its name then.
        benchmark_name: String,
    },
    /// Some scenarios.
    Scenarios {
        /// The scenarios.
        scenario_ids: Vec<String>,
    },
}

/// What a job runs, resolved.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::JobSpec)]
pub struct JobSpec {
    /// Who answers.
    pub agent_configs: Vec<AgentConfig>,
    /// The scenarios.
    pub scenario_ids: Vec<String>,
    /// How it is driven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orchestrator_config: Option<OrchestratorConfig>,
}

/// A job.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::BenchmarkJob)]
pub struct BenchmarkJobView {
    /// Its identifier.
    pub id: String,
    /// Its name.
    pub name: String,
    /// When it was made, milliseconds since 1970.
    pub create_time_ms: i64,
    /// `queued`, `initializing`, `running`, `completed`, `failed`, `cancelled` or `timeout`.
    pub state: String,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// What it came from.
    pub job_source: JobSource,
    /// What it runs.
    pub job_spec: JobSpec,
    /// Its runs that have not ended.
    pub in_progress_runs: Vec<RunInProgress>,
    /// Its runs that have ended.
    pub benchmark_outcomes: Vec<BenchmarkOutcome>,
}

/// A run of a job that has not ended.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::RunInProgress)]
pub struct RunInProgress {
    /// The run.
    pub benchmark_run_id: String,
    /// When it began, milliseconds since 1970.
    pub start_time_ms: i64,
    /// `running`.
    pub state: String,
    /// How long it has taken, milliseconds.
    pub duration_ms: i64,
    /// Who answers.
    pub agent_config: JobAgent,
}

/// Who answers, as runs show it.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::JobAgent)]
#[serde(transparent)]
pub struct JobAgent(pub AgentConfig);

/// What a run of a job came to.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::BenchmarkOutcome)]
pub struct BenchmarkOutcome {
    /// Who answered.
    pub agent_name: String,
    /// The model, as it was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_name: Option<String>,
    /// The run.
    pub benchmark_run_id: String,
    /// Scenarios with a score.
    pub n_completed: u64,
    /// Scenarios that failed.
    pub n_failed: u64,
    /// Scenarios that took too long.
    pub n_timeout: u64,
    /// The mean score of those with one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average_score: Option<f64>,
    /// How long it took, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<i64>,
    /// What each scenario came to.
    pub scenario_outcomes: Vec<ScenarioOutcome>,
}

/// What a scenario of a job came to.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::ScenarioOutcome)]
pub struct ScenarioOutcome {
    /// The scenario.
    pub scenario_definition_id: String,
    /// Its name.
    pub scenario_name: String,
    /// `COMPLETED`, `FAILED`, `TIMEOUT` or `CANCELED`.
    pub state: String,
    /// Its score, 0 to 1, where it is completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// How long it took, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<i64>,
    /// Its run.
    pub scenario_run_id: String,
    /// Why it has no score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<FailureReason>,
}

/// Why a scenario has no score.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::FailureReason)]
pub struct FailureReason {
    /// The kind of failure.
    pub exception_type: String,
    /// What went wrong.
    pub exception_message: String,
}

/// A page of jobs, the newest first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = runloop::BenchmarkJobList)]
pub struct BenchmarkJobList {
    /// The jobs.
    pub jobs: Vec<BenchmarkJobView>,
    /// Whether there are more after them.
    pub has_more: bool,
    /// All that match, on whatever page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_count: Option<u64>,
    /// Those after this page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining_count: Option<u64>,
}
