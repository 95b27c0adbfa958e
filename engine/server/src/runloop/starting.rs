//! Runs, begun: of benchmarks and of scenarios.

use axum::extract::State;
use rusqlite::{Connection, params};
use serde_json::{Value, json};

use super::errors::{Failures, wrong_state};
use super::model::{
    BenchmarkRunView, RunProfile, ScenarioRunView, ScenarioView, StartBenchmarkRun, StartScenarioRun, Texts,
    UnofficialStart,
};
use super::once::{Caller, once};
use super::profile::{check_required, distinct, keep_alive, merged};
use super::{benchmark_runs, benchmarks, scenario_runs, scenarios, scoring};
use crate::App;
use crate::catalog;
use crate::database::QueryError;
use crate::platform::error::ApiError;
use crate::platform::extract::Json;
use crate::platform::identifier::new_id;
use crate::platform::page::now_ms;

/// The metadata that names who answers.
const RETRIEVER: &str = "retriever_id";

/// The environment variable that does.
const RETRIEVER_VARIABLE: &str = "RETRIEVER_ID";

/// The metadata that holds a ranking.
const HITS: &str = "hits";

/// Begins a run of a benchmark, with the scenarios that it has now. Scenario runs join it by `benchmark_run_id`.
#[utoipa::path(post, path = "/v1/benchmarks/start_run", request_body = StartBenchmarkRun,
    responses((status = 200, description = "The run", body = BenchmarkRunView), Failures),
    security(("token" = ["write"])))]
pub(super) async fn start_benchmark_run(
    State(app): State<App>,
    caller: Caller,
    Json(start): Json<StartBenchmarkRun>,
) -> Result<axum::Json<BenchmarkRunView>, ApiError> {
    let StartBenchmarkRun { benchmark_id, run_name, metadata, run_profile } = start;
    begin_benchmark(&app, &caller, vec![benchmark_id], Wished { run_name, metadata, run_profile }).await
}

/// Begins a run of a benchmark, as command-line tools ask for it; of several, it is a run of all their scenarios, and of no benchmark.
#[utoipa::path(post, path = "/v1/benchmark_runs", request_body = UnofficialStart,
    responses((status = 200, description = "The run", body = BenchmarkRunView), Failures),
    security(("token" = ["write"])))]
pub(super) async fn start_unofficial_run(
    State(app): State<App>,
    caller: Caller,
    Json(start): Json<UnofficialStart>,
) -> Result<axum::Json<BenchmarkRunView>, ApiError> {
    let UnofficialStart { benchmark_ids, benchmark_id, run_name, metadata, run_profile } = start;
    let named = distinct(benchmark_ids.into_iter().flatten().chain(benchmark_id).collect());
    if named.is_empty() {
        let message = "`benchmark_ids` names no benchmark; a run is of one at least";
        return Err(ApiError::invalid(&["body", "benchmark_ids"], "value_error", message));
    }
    begin_benchmark(&app, &caller, named, Wished { run_name, metadata, run_profile }).await
}

/// What is wished of a run besides its benchmark.
struct Wished {
    run_name: Option<String>,
    metadata: Option<Texts>,
    run_profile: Option<RunProfile>,
}

async fn begin_benchmark(
    app: &App,
    caller: &Caller,
    named: Vec<String>,
    wished: Wished,
) -> Result<axum::Json<BenchmarkRunView>, ApiError> {
    let organisation = caller.organisation.clone();
    once(app, caller, move |connection| {
        let profile = wished.run_profile.unwrap_or_default();
        let environment = profile.env_vars.unwrap_or_default();
        let secrets = profile.secrets.unwrap_or_default();
        let mut scenarios = Vec::new();
        for id in &named {
            let benchmark = benchmarks::find(connection, &organisation, id)?;
            let (variables, names) = (&benchmark.required_environment_variables, &benchmark.required_secret_names);
            check_required("benchmark", variables, names, &environment, &secrets)?;
            scenarios.extend(benchmark.scenario_ids);
        }
        let run = NewBenchmarkRun {
            id: new_id("bmr"),
            benchmark: named.first().filter(|_| named.len() == 1).cloned(),
            name: wished.run_name,
            metadata: wished.metadata.unwrap_or_default(),
            environment,
            secrets,
            purpose: profile.purpose,
            scenarios: distinct(scenarios),
            job: None,
        };
        insert_benchmark_run(connection, &organisation, &run)?;
        benchmark_runs::find(connection, &organisation, &run.id)
    })
    .await
}

/// A run of a benchmark that begins.
pub(super) struct NewBenchmarkRun {
    pub(super) id: String,
    pub(super) benchmark: Option<String>,
    pub(super) name: Option<String>,
    pub(super) metadata: Texts,
    pub(super) environment: Texts,
    pub(super) secrets: Texts,
    pub(super) purpose: Option<String>,
    pub(super) scenarios: Vec<String>,
    pub(super) job: Option<String>,
}

/// Writes a run of a benchmark down.
///
/// # Errors
///
/// Returns an error when the database fails.
pub(super) fn insert_benchmark_run(
    connection: &Connection,
    organisation: &str,
    run: &NewBenchmarkRun,
) -> Result<(), QueryError> {
    let sql = "INSERT INTO scenario_benchmark_runs (id, organisation, benchmark, name, metadata, environment, secrets, \
               purpose, scenarios, state, job, started_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 'running', ?10, ?11)";
    connection.prepare_cached(sql)?.execute(params![
        run.id,
        organisation,
        run.benchmark,
        run.name,
        json!(run.metadata).to_string(),
        json!(run.environment).to_string(),
        json!(run.secrets).to_string(),
        run.purpose,
        json!(run.scenarios).to_string(),
        run.job,
        now_ms()
    ])?;
    Ok(())
}

/// Begins a run of a scenario.
///
/// Who answers is said by the run's metadata `retriever_id`, its environment variable `RETRIEVER_ID`, the same of the benchmark's
/// run, the benchmark's metadata, or the scenario's. Where nobody is named, the run's metadata `hits` (JSON text) or the
/// scenario's `additional_context.hits` is the answer.
#[utoipa::path(post, path = "/v1/scenarios/start_run", request_body = StartScenarioRun,
    responses((status = 200, description = "The run", body = ScenarioRunView), Failures),
    security(("token" = ["write"])))]
pub(super) async fn start_scenario_run(
    State(app): State<App>,
    caller: Caller,
    Json(start): Json<StartScenarioRun>,
) -> Result<axum::Json<ScenarioRunView>, ApiError> {
    let hits = match start.metadata.as_ref().and_then(|metadata| metadata.get(HITS)) {
        Some(hits) => Some(scoring::hits_of(&Value::from(hits.as_str()))?),
        None => None,
    };
    let organisation = caller.organisation.clone();
    let asked = Asked { hits: hits.map(|hits| json!(hits)), retriever: named(&app, &caller, &start).await?, start };
    once(&app, &caller, move |connection| asked.begin(connection, &organisation)).await
}

/// Returns who answers, where somebody is named; whoever it is must be there.
async fn named(app: &App, caller: &Caller, start: &StartScenarioRun) -> Result<Option<String>, ApiError> {
    let own = start.metadata.as_ref().and_then(|metadata| metadata.get(RETRIEVER)).cloned();
    let variables = start.run_profile.as_ref().and_then(|profile| profile.env_vars.as_ref());
    let own = own.or_else(|| variables.and_then(|variables| variables.get(RETRIEVER_VARIABLE)).cloned());
    let (organisation, scenario, run) =
        (caller.organisation.clone(), start.scenario_id.clone(), start.benchmark_run_id.clone());
    let named = app
        .database()
        .read(move |connection| {
            let scenario = scenarios::find(connection, &organisation, &scenario)?;
            let run = run.map(|run| benchmark_runs::find(connection, &organisation, &run)).transpose()?;
            let Some(run) = run else { return Ok(own.or_else(|| scenario.metadata.get(RETRIEVER).cloned())) };
            let of_run = run.metadata.get(RETRIEVER).or_else(|| run.environment_variables.get(RETRIEVER_VARIABLE));
            let of_benchmark = match &run.benchmark_id {
                Some(id) => benchmarks::find(connection, &organisation, id)?.metadata.get(RETRIEVER).cloned(),
                None => None,
            };
            Ok(own.or_else(|| of_run.cloned()).or(of_benchmark).or_else(|| scenario.metadata.get(RETRIEVER).cloned()))
        })
        .await?;
    if let Some(id) = &named
        && catalog::retrievers::get(app, &caller.organisation, id).await?.is_none()
    {
        return Err(ApiError::not_found("retriever", id));
    }
    Ok(named)
}

struct Asked {
    start: StartScenarioRun,
    retriever: Option<String>,
    hits: Option<Value>,
}

impl Asked {
    fn begin(self, connection: &Connection, organisation: &str) -> Result<ScenarioRunView, QueryError> {
        let Self { start, retriever, hits } = self;
        let scenario = scenarios::find_active(connection, organisation, &start.scenario_id)?;
        let profile = start.run_profile.unwrap_or_default();
        let (mut environment, mut secrets) =
            (profile.env_vars.clone().unwrap_or_default(), profile.secrets.clone().unwrap_or_default());
        if let Some(run) = &start.benchmark_run_id {
            let run = joined(connection, organisation, run, &scenario)?;
            environment = merged(&environment, &run.environment_variables);
            secrets = merged(&secrets, &run.secrets_provided);
        }
        let (variables, names) = (&scenario.required_environment_variables, &scenario.required_secret_names);
        check_required("scenario", variables, names, &environment, &secrets)?;
        let alive = kept_alive(&profile, &scenario)?;
        let hits = hits.or_else(|| own_hits(&scenario));
        let run = NewScenarioRun {
            id: new_id("scr"),
            scenario: scenario.id,
            benchmark_run: start.benchmark_run_id,
            name: start.run_name,
            metadata: start.metadata.unwrap_or_default(),
            environment,
            secrets,
            purpose: profile.purpose,
            retriever,
            hits,
            job: None,
            alive_seconds: alive,
        };
        insert_scenario_run(connection, organisation, &run)?;
        scenario_runs::find(connection, organisation, &run.id)
    }
}

fn joined(
    connection: &Connection,
    organisation: &str,
    id: &str,
    scenario: &ScenarioView,
) -> Result<BenchmarkRunView, QueryError> {
    let run = benchmark_runs::find(connection, organisation, id)?;
    let (state, scenarios, job) = benchmark_runs::open(connection, id)?;
    if state != "running" || job.is_some() {
        let expected = "one that is `running` and driven by a client";
        return Err(
            wrong_state("benchmark run", id, if job.is_some() { "driven by a job" } else { &state }, expected).into()
        );
    }
    if !scenarios.contains(&scenario.id) {
        let message = format!("scenario `{}` is none of benchmark run `{id}`", scenario.id);
        return Err(ApiError::bad_request(message).into());
    }
    Ok(run)
}

fn kept_alive(profile: &RunProfile, scenario: &ScenarioView) -> Result<u64, ApiError> {
    keep_alive(profile, scenario.environment.as_ref().and_then(|environment| environment.launch_parameters.as_ref()))
}

fn own_hits(scenario: &ScenarioView) -> Option<Value> {
    let hits = scenario.input_context.additional_context.as_ref()?.get(HITS)?;
    scoring::hits_of(hits).ok().map(|hits| json!(hits))
}

/// A run of a scenario that begins.
pub(super) struct NewScenarioRun {
    pub(super) id: String,
    pub(super) scenario: String,
    pub(super) benchmark_run: Option<String>,
    pub(super) name: Option<String>,
    pub(super) metadata: Texts,
    pub(super) environment: Texts,
    pub(super) secrets: Texts,
    pub(super) purpose: Option<String>,
    pub(super) retriever: Option<String>,
    pub(super) hits: Option<Value>,
    pub(super) job: Option<String>,
    pub(super) alive_seconds: u64,
}

/// Writes a run of a scenario down.
///
/// # Errors
///
/// Returns an error when the database fails.
pub(super) fn insert_scenario_run(
    connection: &Connection,
    organisation: &str,
    run: &NewScenarioRun,
) -> Result<(), QueryError> {
    let sql = "INSERT INTO scenario_runs (id, organisation, devbox, scenario, benchmark_run, name, metadata, environment, \
               secrets, purpose, retriever, hits, state, job, started_at, deadline_at) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 'running', ?13, ?14, ?15)";
    let now = now_ms();
    let deadline = now.saturating_add(i64::try_from(run.alive_seconds.saturating_mul(1000)).unwrap_or(i64::MAX));
    connection.prepare_cached(sql)?.execute(params![
        run.id,
        organisation,
        new_id("dbx"),
        run.scenario,
        run.benchmark_run,
        run.name,
        json!(run.metadata).to_string(),
        json!(run.environment).to_string(),
        json!(run.secrets).to_string(),
        run.purpose,
        run.retriever,
        run.hits.as_ref().map(Value::to_string),
        run.job,
        now,
        deadline
    ])?;
    Ok(())
}
