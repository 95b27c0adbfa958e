//! Runs of benchmarks: listed, completed, canceled.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::extract::State;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::errors::{Failures, wrong_state};
use super::listing::{Listing, Page, Paging, Rows, page};
use super::model::{BenchmarkRunList, BenchmarkRunView, FinishedScenario, ScenarioRunList};
use super::once::{Caller, once};
use super::scenario_runs;
use super::scoring;
use crate::App;
use crate::database::QueryError;
use crate::platform::auth::Reader;
use crate::platform::error::ApiError;
use crate::platform::extract::Path;
use crate::platform::page::now_ms;

/// How long a client waits at most for scorings that are under way.
const PATIENCE: Duration = Duration::from_secs(10);

const COLUMNS: &str = "id, benchmark, name, started_at, shown_end, shown, score, metadata, environment, purpose, secrets, scenarios, unscored";

/// Reads a run, and its scenarios.
fn of_row(connection: &Connection, row: &Row<'_>) -> Result<BenchmarkRunView, QueryError> {
    let (id, state): (String, String) = (row.get(0)?, row.get(5)?);
    let (start_time_ms, ended): (i64, Option<i64>) = (row.get(3)?, row.get(4)?);
    let has_ended = state != "running";
    let ended_runs = ended_runs(connection, &id)?;
    let mut pending_scenarios = Vec::new();
    if !has_ended {
        let done: BTreeSet<&str> = ended_runs.iter().map(|run| run.scenario.as_str()).collect();
        pending_scenarios = scenario_runs::json_column::<Vec<String>>(row, 11)?;
        pending_scenarios.retain(|scenario| !done.contains(scenario.as_str()));
    }
    let is_shown = |run: &EndedRun| run.state == "completed" || (has_ended && run.state == "scored");
    let scenario_runs = ended_runs.into_iter().filter(is_shown).filter_map(EndedRun::finished);
    let scenario_runs = scenario_runs.collect::<Result<_, _>>()?;
    Ok(BenchmarkRunView {
        id,
        benchmark_id: row.get(1)?,
        name: row.get(2)?,
        start_time_ms,
        duration_ms: ended.filter(|_| has_ended).map(|ended| (ended - start_time_ms).max(0)),
        score: row.get::<_, Option<f64>>(6)?.filter(|_| has_ended),
        state,
        metadata: scenario_runs::json_column(row, 7)?,
        environment_variables: scenario_runs::json_column(row, 8)?,
        purpose: row.get(9)?,
        secrets_provided: scenario_runs::json_column(row, 10)?,
        unscored_scenario_runs: row.get(12)?,
        pending_scenarios,
        scenario_runs,
    })
}

/// A scenario run of which nothing more is to come, unless that a client completes it.
struct EndedRun {
    scenario: String,
    id: String,
    state: String,
    result: Option<String>,
}

impl EndedRun {
    /// Returns it as the first clients read it; `None` where it came to no result.
    fn finished(self) -> Option<Result<FinishedScenario, ApiError>> {
        let Self { scenario: scenario_id, id: scenario_run_id, result, .. } = self;
        let scoring_result = serde_json::from_str(&result?).map_err(ApiError::internal);
        Some(scoring_result.map(|scoring_result| FinishedScenario { scenario_id, scenario_run_id, scoring_result }))
    }
}

fn ended_runs(connection: &Connection, run: &str) -> Result<Vec<EndedRun>, QueryError> {
    let sql = "SELECT scenario, id, shown, result FROM scenario_runs_shown \
               WHERE benchmark_run = ?1 AND shown IN ('scored', 'completed', 'failed', 'timeout') ORDER BY id";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([run], |row| {
        Ok(EndedRun { scenario: row.get(0)?, id: row.get(1)?, state: row.get(2)?, result: row.get(3)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Returns a run of that organisation.
///
/// # Errors
///
/// Returns 404 when there is none.
pub(super) fn find(connection: &Connection, organisation: &str, id: &str) -> Result<BenchmarkRunView, QueryError> {
    let sql = format!("SELECT {COLUMNS} FROM scenario_benchmark_runs_shown WHERE id = ?1 AND organisation = ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([id, organisation])?;
    match rows.next()? {
        Some(row) => of_row(connection, row),
        None => Err(ApiError::not_found("benchmark run", id).into()),
    }
}

/// Returns the state of a run as it is written down, its scenarios, and the job that drives it.
///
/// # Errors
///
/// Returns an error when the database fails.
pub(super) fn open(connection: &Connection, id: &str) -> Result<(String, Vec<String>, Option<String>), QueryError> {
    let sql = "SELECT state, scenarios, job FROM scenario_benchmark_runs WHERE id = ?1";
    let found =
        connection.prepare_cached(sql)?.query_row([id], |row| Ok((row.get(0)?, row.get::<_, String>(1)?, row.get(2)?)));
    let (state, scenarios, job) = found.optional()?.ok_or_else(|| ApiError::not_found("benchmark run", id))?;
    Ok((state, serde_json::from_str(&scenarios).map_err(ApiError::internal)?, job))
}

/// Returns a page of runs.
///
/// # Errors
///
/// Returns an error when the database fails.
pub(super) async fn list(
    app: &App,
    organisation: &str,
    listing: &Listing,
) -> Result<axum::Json<BenchmarkRunList>, ApiError> {
    let rows = Rows::of("scenario_benchmark_runs_shown", organisation)
        .among("benchmark", &listing.list("benchmark_id"))
        .among("shown", &listing.list("state"))
        .named(listing);
    let Page { items, has_more, total_count, remaining_count } = page(app, rows, COLUMNS, listing, of_row).await?;
    Ok(axum::Json(BenchmarkRunList { runs: items, has_more, total_count, remaining_count }))
}

/// Returns a run.
///
/// # Errors
///
/// Returns 404 when there is none.
pub(super) async fn read(app: &App, organisation: &str, id: &str) -> Result<axum::Json<BenchmarkRunView>, ApiError> {
    let (organisation, id) = (organisation.to_owned(), id.to_owned());
    app.database().read(move |connection| find(connection, &organisation, &id)).await.map(axum::Json)
}

/// Completes a run.
///
/// # Errors
///
/// Returns 404 when there is none, and 400 when it was canceled or a job drives it.
pub(super) async fn complete(app: &App, caller: &Caller, id: String) -> Result<axum::Json<BenchmarkRunView>, ApiError> {
    // What is scored counts: a client that completes at once need not ask again for the score.
    scenario_runs::wait_for_scores(app, &caller.organisation, "benchmark_run", &id, PATIENCE).await?;
    let organisation = caller.organisation.clone();
    once(app, caller, move |connection| {
        let view = find(connection, &organisation, &id)?;
        let (state, _, job) = open(connection, &id)?;
        if state == "completed" {
            return Ok(view);
        }
        if view.state != "running" || job.is_some() {
            let found = if job.is_some() { "driven by a job" } else { &view.state };
            return Err(wrong_state("benchmark run", &id, found, "one that is `running` and driven by a client").into());
        }
        end(connection, &id, "completed", "('running')")?;
        find(connection, &organisation, &id)
    })
    .await
}

/// Ends a run, and cancels its scenario runs in those states.
fn end(connection: &Connection, id: &str, state: &str, canceled: &str) -> Result<(), QueryError> {
    let now = now_ms();
    let sql = format!(
        "UPDATE scenario_runs SET state = 'canceled', ended_at = ?2 WHERE benchmark_run = ?1 AND id IN \
         (SELECT id FROM scenario_runs_shown WHERE benchmark_run = ?1 AND shown IN {canceled})"
    );
    connection.prepare_cached(&sql)?.execute(params![id, now])?;
    let sql = "UPDATE scenario_benchmark_runs SET state = ?2, ended_at = ?3 WHERE id = ?1";
    connection.prepare_cached(sql)?.execute(params![id, state, now])?;
    Ok(())
}

/// Cancels a run: its scenario runs without a score are canceled, and its score is that of the others.
///
/// # Errors
///
/// Returns 404 when there is none, and 400 when it is complete.
pub(super) async fn cancel(app: &App, caller: &Caller, id: String) -> Result<axum::Json<BenchmarkRunView>, ApiError> {
    let (organisation, run) = (caller.organisation.clone(), id.clone());
    let jobs: Vec<String> = app
        .database()
        .read(move |connection| {
            find(connection, &organisation, &run)?;
            let sql = "SELECT job FROM scenario_runs_shown WHERE benchmark_run = ?1 AND shown IN ('running', 'scoring') \
                       AND job IS NOT NULL GROUP BY job";
            let mut statement = connection.prepare_cached(sql)?;
            let jobs = statement.query_map([run], |row| row.get(0))?.collect::<Result<_, _>>()?;
            Ok(jobs)
        })
        .await?;
    let organisation = caller.organisation.clone();
    let answer = once(app, caller, move |connection| {
        let view = find(connection, &organisation, &id)?;
        if view.state == "canceled" {
            return Ok(view);
        }
        if view.state != "running" {
            return Err(wrong_state("benchmark run", &id, &view.state, "`running`").into());
        }
        end(connection, &id, "canceled", "('running', 'scoring')")?;
        find(connection, &organisation, &id)
    })
    .await?;
    for job in jobs {
        if !drives_others(app, &job).await? {
            scoring::cancel(app, &caller.organisation, &job).await?;
        }
    }
    Ok(answer)
}

/// Returns whether some benchmark's run still waits for a job: a job answers with several agents, and each has a run.
async fn drives_others(app: &App, job: &str) -> Result<bool, ApiError> {
    let job = job.to_owned();
    let read = app.database().read(move |connection| {
        let sql = "SELECT EXISTS (SELECT 1 FROM scenario_benchmark_runs WHERE job = ?1 AND state = 'running')";
        Ok(connection.prepare_cached(sql)?.query_row([job], |row| row.get(0))?)
    });
    read.await
}

/// Returns a page of the scenario runs of a run.
///
/// # Errors
///
/// Returns 404 when there is no such run.
pub(super) async fn scenario_runs_of(
    app: &App,
    organisation: &str,
    id: &str,
    listing: &Listing,
) -> Result<axum::Json<ScenarioRunList>, ApiError> {
    let _ = read(app, organisation, id).await?;
    let rows = Rows::of("scenario_runs_shown", organisation)
        .with("benchmark_run = ?", Some(id))
        .among("shown", &listing.list("state"))
        .named(listing);
    scenario_runs::list(app, rows, listing).await
}

/// Lists runs of benchmarks, the newest first.
#[utoipa::path(get, path = "/v1/benchmark_runs",
    params(Paging,
        ("benchmark_id" = Option<Vec<String>>, Query, description = "Of these benchmarks only", explode = false),
        ("state" = Option<Vec<String>>, Query, description = "In these states only", explode = false),
        ("name" = Option<String>, Query, description = "Of this name only"),
        ("search" = Option<String>, Query, description = "Whose identifier or name contains this")),
    responses((status = 200, description = "A page", body = BenchmarkRunList), Failures),
    security(("token" = ["read"])))]
pub(super) async fn list_benchmark_runs(
    State(app): State<App>,
    Reader(principal): Reader,
    listing: Listing,
) -> Result<axum::Json<BenchmarkRunList>, ApiError> {
    list(&app, &principal.organisation, &listing).await
}

/// Returns a run of a benchmark; with its score, once it has ended.
#[utoipa::path(get, path = "/v1/benchmark_runs/{id}",
    params(("id" = String, Path, description = "The run")),
    responses((status = 200, description = "The run", body = BenchmarkRunView), Failures),
    security(("token" = ["read"])))]
pub(super) async fn get_benchmark_run(
    State(app): State<App>,
    Reader(principal): Reader,
    Path(id): Path<String>,
) -> Result<axum::Json<BenchmarkRunView>, ApiError> {
    read(&app, &principal.organisation, &id).await
}

/// Completes a run: scenario runs that nobody scored are canceled, and the score is that of the others, in which those that came
/// to no score weigh as the number that `unscored_scenario_runs` tells. One that is complete stays as it is.
#[utoipa::path(post, path = "/v1/benchmark_runs/{id}/complete",
    params(("id" = String, Path, description = "The run")),
    responses((status = 200, description = "The run", body = BenchmarkRunView), Failures),
    security(("token" = ["write"])))]
pub(super) async fn complete_benchmark_run(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<axum::Json<BenchmarkRunView>, ApiError> {
    complete(&app, &caller, id).await
}

/// Cancels a run: scenario runs without a score are canceled, and the score is that of the others. One that is canceled stays as
/// it is. The other runs of a job go on, and the job ends with its last one; what it has scored by then stays.
#[utoipa::path(post, path = "/v1/benchmark_runs/{id}/cancel",
    params(("id" = String, Path, description = "The run")),
    responses((status = 200, description = "The run", body = BenchmarkRunView), Failures),
    security(("token" = ["write"])))]
pub(super) async fn cancel_benchmark_run(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<axum::Json<BenchmarkRunView>, ApiError> {
    cancel(&app, &caller, id).await
}

/// Lists the scenario runs of a run, the newest first.
#[utoipa::path(get, path = "/v1/benchmark_runs/{id}/scenario_runs",
    params(Paging, ("id" = String, Path, description = "The run"),
        ("state" = Option<Vec<String>>, Query, description = "In these states only", explode = false),
        ("search" = Option<String>, Query, description = "Whose identifier or name contains this")),
    responses((status = 200, description = "A page", body = ScenarioRunList), Failures),
    security(("token" = ["read"])))]
pub(super) async fn list_runs_of_benchmark_run(
    State(app): State<App>,
    Reader(principal): Reader,
    Path(id): Path<String>,
    listing: Listing,
) -> Result<axum::Json<ScenarioRunList>, ApiError> {
    scenario_runs_of(&app, &principal.organisation, &id, &listing).await
}
