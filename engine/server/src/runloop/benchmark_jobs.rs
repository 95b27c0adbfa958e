//! Jobs: scenarios answered by retrievers, without a client that drives them.

use std::collections::BTreeMap;

use axum::extract::State;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::benchmarks;
use super::errors::Failures;
use super::listing::{Listing, Page, Paging, Rows, page};
use super::model::{
    AgentConfig, BenchmarkJobList, BenchmarkJobView, BenchmarkOutcome, FailureReason, JobAgent, JobSource, JobSpec,
    NewBenchmarkJob, NewJobSpec, OrchestratorConfig, RunInProgress, ScenarioOutcome, ScenarioView,
    ScoringContractResult, Texts,
};
use super::once::{Caller, Wish, once_with_job};
use super::profile::{check_name, check_required, distinct};
use super::scenario_runs::scenario_work;
use super::scenarios;
use super::scoring::{self, AgentWork, ScenarioWork, Scoring, Work};
use super::starting::{NewBenchmarkRun, NewScenarioRun, insert_benchmark_run, insert_scenario_run};
use crate::App;
use crate::database::QueryError;
use crate::jobs::NewJob;
use crate::platform::auth::Reader;
use crate::platform::error::ApiError;
use crate::platform::extract::{Json, Path};
use crate::platform::identifier::new_id;
use crate::platform::page::now_ms;

/// Most scenarios times agents of a job.
const MAX_RUNS: usize = 20_000;

/// Most attempts beyond the first.
const MAX_ATTEMPTS: u32 = 10;

/// By what an attempt may take longer than the one before, at most.
const MAX_MULTIPLIER: f64 = 100.0;

const COLUMNS: &str = "id, name, body, created_at";

/// What is kept of a job besides its row in the queue.
#[derive(Debug, Serialize, Deserialize)]
struct Body {
    source: JobSource,
    spec: JobSpec,
    /// The run of each agent.
    runs: Vec<String>,
}

/// Begins a job: the scenarios of a benchmark, or some scenarios, answered by each agent. An agent is a retriever, by its identifier
/// in `agent_id`, or else in `name`.
#[utoipa::path(post, path = "/v1/benchmark_jobs", request_body = NewBenchmarkJob,
    responses((status = 200, description = "The job", body = BenchmarkJobView), Failures),
    security(("token" = ["write"])))]
pub(super) async fn create_benchmark_job(
    State(app): State<App>,
    caller: Caller,
    Json(new): Json<NewBenchmarkJob>,
) -> Result<axum::Json<BenchmarkJobView>, ApiError> {
    let spec =
        new.spec.ok_or_else(|| wrong("spec", "`spec` is missing; expected a `benchmark` or some `scenarios`"))?;
    let asked = resolve(&app, &caller.organisation, spec).await?;
    check_agents(&asked.spec)?;
    let name = new.name.unwrap_or_else(|| asked.default_name.clone());
    check_name("benchmark job", &name)?;
    let id = new_id("bmj");
    let (work, begun) = prepare(&app, &caller.organisation, &id, &name, &asked).await?;
    let body =
        Body { source: asked.source, spec: asked.spec, runs: begun.iter().map(|(run, _)| run.id.clone()).collect() };
    let job = NewJob { id: id.clone(), kind: Scoring::NAME, request: json!(work) };
    let organisation = caller.organisation.clone();
    once_with_job(&app, &caller, job, move |connection| {
        for (run, scenario_runs) in &begun {
            insert_benchmark_run(connection, &organisation, run)?;
            for scenario_run in scenario_runs {
                insert_scenario_run(connection, &organisation, scenario_run)?;
            }
        }
        let sql = "INSERT INTO scenario_jobs (id, organisation, name, body, created_at) VALUES (?1, ?2, ?3, ?4, ?5)";
        let body = json!(body).to_string();
        connection.prepare_cached(sql)?.execute(params![id, organisation, name, body, now_ms()])?;
        find(connection, &organisation, &id).map(Wish::Queue)
    })
    .await
}

fn wrong(field: &str, message: impl Into<String>) -> ApiError {
    ApiError::invalid(&["body", "spec", field], "value_error", message)
}

/// A job, as it is asked for.
struct Asked {
    source: JobSource,
    spec: JobSpec,
    scenarios: Vec<ScenarioView>,
    /// What the benchmark requires.
    required: (Vec<String>, Vec<String>),
    default_name: String,
}

async fn resolve(app: &App, organisation: &str, spec: NewJobSpec) -> Result<Asked, ApiError> {
    let owner = organisation.to_owned();
    let (source, ids, required, default_name, agent_configs, orchestrator_config) = match spec {
        NewJobSpec::Harbor { .. } => {
            let message = "jobs of type `harbor` need another harness, which this server does not have; \
                           expected the type `benchmark` or `scenarios`";
            return Err(wrong("type", message));
        }
        NewJobSpec::Benchmark { benchmark_id, agent_configs, orchestrator_config } => {
            let found =
                app.database().read(move |connection| benchmarks::find(connection, &owner, &benchmark_id)).await?;
            let name = format!("{} job", found.name);
            let source = JobSource::Benchmark { benchmark_id: found.id, benchmark_name: found.name };
            let required = (found.required_environment_variables, found.required_secret_names);
            (source, found.scenario_ids, required, name, agent_configs, orchestrator_config)
        }
        NewJobSpec::Scenarios { scenario_ids, agent_configs, orchestrator_config } => {
            let ids = distinct(scenario_ids);
            let name = format!("{} scenarios job", ids.len());
            let source = JobSource::Scenarios { scenario_ids: ids.clone() };
            (source, ids, Default::default(), name, agent_configs, orchestrator_config)
        }
    };
    let (owner, wanted) = (organisation.to_owned(), ids.clone());
    let scenarios = app
        .database()
        .read(move |connection| wanted.iter().map(|id| scenarios::find_active(connection, &owner, id)).collect())
        .await?;
    let spec = JobSpec { agent_configs, scenario_ids: ids, orchestrator_config };
    Ok(Asked { source, spec, scenarios, required, default_name })
}

fn check_agents(spec: &JobSpec) -> Result<(), ApiError> {
    let (agents, scenarios) = (spec.agent_configs.len(), spec.scenario_ids.len());
    if agents == 0 || scenarios == 0 || agents.saturating_mul(scenarios) > MAX_RUNS {
        let message = format!(
            "{scenarios} scenarios and {agents} agents; expected at least one of each, and at most {MAX_RUNS} pairs of them"
        );
        return Err(wrong("agent_configs", message));
    }
    for agent in &spec.agent_configs {
        if let Some(seconds) = agent.timeout_seconds.filter(|seconds| !(*seconds > 0.0 && *seconds <= 1e6)) {
            let message = format!("`timeout_seconds` of `{}` is {seconds}; expected a number above 0", agent.name);
            return Err(wrong("agent_configs", message));
        }
    }
    spec.orchestrator_config.as_ref().map_or(Ok(()), check_orchestrator)
}

fn check_orchestrator(config: &OrchestratorConfig) -> Result<(), ApiError> {
    let wrong = |message| Err(wrong("orchestrator_config", message));
    match (config.n_attempts, config.n_concurrent_trials, config.timeout_multiplier) {
        (Some(attempts), ..) if attempts > MAX_ATTEMPTS => {
            wrong(format!("`n_attempts` is {attempts}; expected 0 to {MAX_ATTEMPTS}"))
        }
        (_, Some(0), _) => wrong("`n_concurrent_trials` is 0; expected 1 at least".to_owned()),
        (.., Some(multiplier)) if !(multiplier > 0.0 && multiplier <= MAX_MULTIPLIER) => {
            wrong(format!("`timeout_multiplier` is {multiplier}; expected a number above 0 and up to {MAX_MULTIPLIER}"))
        }
        _ => Ok(()),
    }
}

type Begun = Vec<(NewBenchmarkRun, Vec<NewScenarioRun>)>;

/// Returns what the queue shall do, and the runs that begin with it.
async fn prepare(
    app: &App,
    organisation: &str,
    job: &str,
    name: &str,
    asked: &Asked,
) -> Result<(Work, Begun), ApiError> {
    let mut scenarios: Vec<ScenarioWork> = Vec::with_capacity(asked.scenarios.len());
    for scenario in &asked.scenarios {
        scenarios.push(scenario_work(app, organisation, scenario.clone()).await?);
    }
    let seconds: f64 = scenarios.iter().map(|scenario| f64::from(scenario.seconds)).sum();
    let driven = asked.spec.orchestrator_config.as_ref();
    let retries = driven.and_then(|config| config.n_attempts).unwrap_or(0);
    let multiplier = driven.and_then(|config| config.timeout_multiplier).unwrap_or(1.0);
    let benchmark = match &asked.source {
        JobSource::Benchmark { benchmark_id, .. } => Some(benchmark_id.clone()),
        JobSource::Scenarios { .. } => None,
    };
    let (mut agents, mut begun) = (Vec::new(), Vec::new());
    for agent in &asked.spec.agent_configs {
        let retriever_id = agent.agent_id.as_ref().unwrap_or(&agent.name);
        let retriever = scoring::retriever(app, organisation, retriever_id).await?;
        let given = agent.agent_environment.clone().unwrap_or_default();
        let (environment, secrets) =
            (given.environment_variables.unwrap_or_default(), given.secrets.unwrap_or_default());
        check_required("benchmark", &asked.required.0, &asked.required.1, &environment, &secrets)?;
        for scenario in &asked.scenarios {
            let (variables, names) = (&scenario.required_environment_variables, &scenario.required_secret_names);
            check_required("scenario", variables, names, &environment, &secrets)?;
        }
        let run = NewBenchmarkRun {
            id: new_id("bmr"),
            benchmark: benchmark.clone(),
            name: Some(format!("{name}: {}", agent.name)),
            metadata: Texts::from([("retriever_id".to_owned(), retriever_id.clone())]),
            environment: environment.clone(),
            secrets: secrets.clone(),
            purpose: None,
            scenarios: asked.spec.scenario_ids.clone(),
            job: Some(job.to_owned()),
        };
        let runs: Vec<NewScenarioRun> =
            asked.spec.scenario_ids.iter().map(|scenario| scenario_run(scenario, &run, retriever_id)).collect();
        agents.push(AgentWork {
            retriever: Some(retriever),
            runs: runs.iter().map(|run| run.id.clone()).collect(),
            benchmark_run: Some(run.id.clone()),
            environment,
            seconds: agent.timeout_seconds.unwrap_or(seconds),
            retries,
            multiplier,
        });
        begun.push((run, runs));
    }
    Ok((Work { agents, scenarios, completes: true }, begun))
}

fn scenario_run(scenario: &str, run: &NewBenchmarkRun, retriever: &str) -> NewScenarioRun {
    NewScenarioRun {
        id: new_id("scr"),
        scenario: scenario.to_owned(),
        benchmark_run: Some(run.id.clone()),
        name: None,
        metadata: Texts::new(),
        environment: run.environment.clone(),
        secrets: run.secrets.clone(),
        purpose: None,
        retriever: Some(retriever.to_owned()),
        hits: None,
        job: run.job.clone(),
        alive_seconds: 0,
    }
}

/// Lists jobs, the newest first.
#[utoipa::path(get, path = "/v1/benchmark_jobs",
    params(Paging,
        ("name" = Option<String>, Query, description = "Of this name only"),
        ("search" = Option<String>, Query, description = "Whose identifier or name contains this")),
    responses((status = 200, description = "A page", body = BenchmarkJobList), Failures),
    security(("token" = ["read"])))]
pub(super) async fn list_benchmark_jobs(
    State(app): State<App>,
    Reader(principal): Reader,
    listing: Listing,
) -> Result<axum::Json<BenchmarkJobList>, ApiError> {
    let rows = Rows::of("scenario_jobs", &principal.organisation).named(&listing);
    let Page { items, has_more, total_count, remaining_count } = page(&app, rows, COLUMNS, &listing, of_row).await?;
    Ok(axum::Json(BenchmarkJobList { jobs: items, has_more, total_count, remaining_count }))
}

/// Returns a job, and what its runs came to.
#[utoipa::path(get, path = "/v1/benchmark_jobs/{id}",
    params(("id" = String, Path, description = "The job")),
    responses((status = 200, description = "The job", body = BenchmarkJobView), Failures),
    security(("token" = ["read"])))]
pub(super) async fn get_benchmark_job(
    State(app): State<App>,
    Reader(principal): Reader,
    Path(id): Path<String>,
) -> Result<axum::Json<BenchmarkJobView>, ApiError> {
    app.database().read(move |connection| find(connection, &principal.organisation, &id)).await.map(axum::Json)
}

fn find(connection: &Connection, organisation: &str, id: &str) -> Result<BenchmarkJobView, QueryError> {
    let sql = format!("SELECT {COLUMNS} FROM scenario_jobs WHERE id = ?1 AND organisation = ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([id, organisation])?;
    match rows.next()? {
        Some(row) => of_row(connection, row),
        None => Err(ApiError::not_found("benchmark job", id).into()),
    }
}

fn of_row(connection: &Connection, row: &Row<'_>) -> Result<BenchmarkJobView, QueryError> {
    let (id, body): (String, String) = (row.get(0)?, row.get(2)?);
    let Body { source, spec, runs } = serde_json::from_str(&body).map_err(ApiError::internal)?;
    let sql = "SELECT state, phase, failure FROM jobs WHERE id = ?1";
    let found = connection.prepare_cached(sql)?.query_row([&id], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, Option<String>>(2)?))
    });
    // Whoever administers the queue may have removed it; what its runs came to stays.
    let (state, phase, failure) = found.optional()?.unwrap_or_else(|| ("completed".to_owned(), String::new(), None));
    let failure: Option<Value> = failure.and_then(|failure| serde_json::from_str(&failure).ok());
    let (mut in_progress_runs, mut benchmark_outcomes) = (Vec::new(), Vec::new());
    for (agent, run) in spec.agent_configs.iter().zip(&runs) {
        match of_run(connection, agent, run)? {
            Run::Open(run) => in_progress_runs.push(run),
            Run::Ended(outcome) => benchmark_outcomes.push(outcome),
        }
    }
    Ok(BenchmarkJobView {
        id,
        name: row.get(1)?,
        create_time_ms: row.get(3)?,
        state: shown_state(&state, &phase, failure.as_ref()).to_owned(),
        failure_reason: failure.as_ref().and_then(|failure| Some(failure.get("message")?.as_str()?.to_owned())),
        job_source: source,
        job_spec: spec,
        in_progress_runs,
        benchmark_outcomes,
    })
}

fn shown_state(state: &str, phase: &str, failure: Option<&Value>) -> &'static str {
    match state {
        "queued" => "queued",
        "running" if phase == "pending" => "initializing",
        "running" => "running",
        "completed" => "completed",
        "cancelled" => "cancelled",
        _ if failure.and_then(|failure| failure.get("code")).is_some_and(|code| code == "timeout") => "timeout",
        _ => "failed",
    }
}

enum Run {
    Open(RunInProgress),
    Ended(BenchmarkOutcome),
}

fn of_run(connection: &Connection, agent: &AgentConfig, run: &str) -> Result<Run, QueryError> {
    let sql = "SELECT shown, started_at, shown_end, mean FROM scenario_benchmark_runs_shown WHERE id = ?1";
    let (state, started, ended, mean): (String, i64, Option<i64>, Option<f64>) = connection
        .prepare_cached(sql)?
        .query_row([run], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    if state == "running" {
        return Ok(Run::Open(RunInProgress {
            benchmark_run_id: run.to_owned(),
            start_time_ms: started,
            state,
            duration_ms: (now_ms() - started).max(0),
            agent_config: JobAgent(agent.clone()),
        }));
    }
    let scenario_outcomes = outcomes(connection, run)?;
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for outcome in &scenario_outcomes {
        *counts.entry(outcome.state.as_str()).or_default() += 1;
    }
    let count = |state: &str| counts.get(state).copied().unwrap_or(0);
    Ok(Run::Ended(BenchmarkOutcome {
        agent_name: agent.name.clone(),
        model_name: agent.model_name.clone(),
        benchmark_run_id: run.to_owned(),
        n_completed: count("COMPLETED"),
        n_failed: count("FAILED"),
        n_timeout: count("TIMEOUT"),
        average_score: mean,
        duration_ms: ended.map(|ended| (ended - started).max(0)),
        scenario_outcomes,
    }))
}

fn outcomes(connection: &Connection, run: &str) -> Result<Vec<ScenarioOutcome>, QueryError> {
    let sql = "SELECT run.scenario, scenario.name, run.shown, run.score, run.started_at, run.shown_end, run.id, run.result, \
               run.failure FROM scenario_runs_shown AS run JOIN scenarios AS scenario ON scenario.id = run.scenario \
               WHERE run.benchmark_run = ?1 ORDER BY run.id";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([run], |row| {
        let (state, started, ended): (String, i64, Option<i64>) = (row.get(2)?, row.get(4)?, row.get(5)?);
        let state = match state.as_str() {
            "completed" | "scored" => "COMPLETED",
            "timeout" => "TIMEOUT",
            "canceled" => "CANCELED",
            _ => "FAILED",
        };
        let reason = || reason(state, row.get(7).ok().flatten(), row.get(8).ok().flatten());
        Ok(ScenarioOutcome {
            scenario_definition_id: row.get(0)?,
            scenario_name: row.get(1)?,
            state: state.to_owned(),
            score: row.get(3)?,
            duration_ms: ended.map(|ended| (ended - started).max(0)),
            scenario_run_id: row.get(6)?,
            failure_reason: if matches!(state, "FAILED" | "TIMEOUT") { Some(reason()) } else { None },
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn reason(state: &str, result: Option<String>, failure: Option<String>) -> FailureReason {
    let failure: Option<Value> = failure.and_then(|failure| serde_json::from_str(&failure).ok());
    let result: Option<ScoringContractResult> = result.and_then(|result| serde_json::from_str(&result).ok());
    let said = result.iter().flat_map(|result| &result.scoring_function_results).find(|one| one.state != "complete");
    let exception_type = match (state, said.map(|said| said.state.as_str())) {
        ("TIMEOUT", _) => "Timeout",
        (_, Some("unknown")) => "UndefinedScore",
        _ => "ScoringFailed",
    };
    let told = failure.as_ref().and_then(|failure| failure.get("message")?.as_str());
    let message = said.map(|said| said.output.as_str()).or(told).unwrap_or("no score came of it");
    FailureReason { exception_type: exception_type.to_owned(), exception_message: message.to_owned() }
}
