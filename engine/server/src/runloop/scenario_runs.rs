//! Runs of scenarios: listed, scored, completed, canceled.

use std::time::Duration;

use axum::extract::State;
use rusqlite::{Connection, Row, params};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::errors::{Failures, wrong_state};
use super::listing::{Listing, Page, Paging, Rows, page};
use super::model::{ScenarioRunList, ScenarioRunView, ScenarioView, ScoringContractResult};
use super::once::{Caller, Wish, once, once_with_job};
use super::scenarios;
use super::scoring::{self, AgentWork, Function, How, ScenarioWork, Scoring, Work};
use crate::App;
use crate::database::QueryError;
use crate::jobs::NewJob;
use crate::platform::auth::Reader;
use crate::platform::error::ApiError;
use crate::platform::extract::Path;
use crate::platform::identifier::new_id;
use crate::platform::page::now_ms;

/// How long a client waits at most for a score that is under way.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the answer to a wish for a score is held back.
const BRIEFLY: Duration = Duration::from_secs(1);

const COLUMNS: &str = "id, devbox, scenario, shown, metadata, benchmark_run, name, started_at, shown_end, purpose, environment, \
                       secrets, result, failure";

/// Reads a column that holds JSON.
///
/// # Errors
///
/// Returns an error when it holds something else.
pub(super) fn json_column<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> Result<T, QueryError> {
    let text: String = row.get(column)?;
    Ok(serde_json::from_str(&text).map_err(ApiError::internal)?)
}

fn of_row(row: &Row<'_>) -> Result<ScenarioRunView, QueryError> {
    let state: String = row.get(3)?;
    let (start_time_ms, ended): (i64, Option<i64>) = (row.get(7)?, row.get(8)?);
    let result: Option<String> = row.get(12)?;
    let result = match result {
        Some(text) => Some(serde_json::from_str(&text).map_err(ApiError::internal)?),
        None if state == "failed" || state == "timeout" => of_failure(row.get(13)?),
        None => None,
    };
    Ok(ScenarioRunView {
        id: row.get(0)?,
        devbox_id: row.get(1)?,
        scenario_id: row.get(2)?,
        state,
        metadata: json_column(row, 4)?,
        benchmark_run_id: row.get(5)?,
        name: row.get(6)?,
        start_time_ms,
        duration_ms: ended.map(|ended| (ended - start_time_ms).max(0)),
        purpose: row.get(9)?,
        environment_variables: json_column(row, 10)?,
        secrets_provided: json_column(row, 11)?,
        scoring_contract_result: result,
    })
}

/// Returns why a job failed as a whole, as the result of its run.
fn of_failure(failure: Option<String>) -> Option<ScoringContractResult> {
    let failure: Value = serde_json::from_str(&failure?).ok()?;
    Some(scoring::failed(failure.get("message")?.as_str()?))
}

/// Returns a run of that organisation.
///
/// # Errors
///
/// Returns 404 when there is none.
pub(super) fn find(connection: &Connection, organisation: &str, id: &str) -> Result<ScenarioRunView, QueryError> {
    let sql = format!("SELECT {COLUMNS} FROM scenario_runs_shown WHERE id = ?1 AND organisation = ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([id, organisation])?;
    match rows.next()? {
        Some(row) => of_row(row),
        None => Err(ApiError::not_found("scenario run", id).into()),
    }
}

/// Returns a page of runs.
///
/// # Errors
///
/// Returns an error when the database fails.
pub(super) async fn list(app: &App, rows: Rows, listing: &Listing) -> Result<axum::Json<ScenarioRunList>, ApiError> {
    let Page { items, has_more, total_count, remaining_count } =
        page(app, rows, COLUMNS, listing, |_, row| of_row(row)).await?;
    Ok(axum::Json(ScenarioRunList { runs: items, has_more, total_count, remaining_count }))
}

/// Waits until none of the runs whose column has that value is being scored, for as long as that.
///
/// # Errors
///
/// Returns an error when the database fails.
pub(super) async fn wait_for_scores(
    app: &App,
    organisation: &str,
    column: &'static str,
    value: &str,
    patience: Duration,
) -> Result<(), ApiError> {
    let deadline = Instant::now() + patience;
    loop {
        let (organisation, value) = (organisation.to_owned(), value.to_owned());
        let scoring: bool = app
            .database()
            .read(move |connection| {
                let sql = format!(
                    "SELECT EXISTS (SELECT 1 FROM scenario_runs_shown \
                     WHERE {column} = ?1 AND organisation = ?2 AND shown = 'scoring')"
                );
                Ok(connection.prepare_cached(&sql)?.query_row([value, organisation], |row| row.get(0))?)
            })
            .await?;
        if !scoring || Instant::now() >= deadline {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Lists runs of scenarios, the newest first.
#[utoipa::path(get, path = "/v1/scenarios/runs",
    params(Paging,
        ("benchmark_run_id" = Option<String>, Query, description = "Of this run of a benchmark only"),
        ("scenario_id" = Option<String>, Query, description = "Of this scenario only"),
        ("state" = Option<Vec<String>>, Query, description = "In these states only", explode = false),
        ("name" = Option<String>, Query, description = "Of this name only"),
        ("search" = Option<String>, Query, description = "Whose identifier or name contains this")),
    responses((status = 200, description = "A page", body = ScenarioRunList), Failures),
    security(("token" = ["read"])))]
pub(super) async fn list_scenario_runs(
    State(app): State<App>,
    Reader(principal): Reader,
    listing: Listing,
) -> Result<axum::Json<ScenarioRunList>, ApiError> {
    let rows = Rows::of("scenario_runs_shown", &principal.organisation)
        .with("benchmark_run = ?", listing.text("benchmark_run_id"))
        .with("scenario = ?", listing.text("scenario_id"))
        .among("shown", &listing.list("state"))
        .named(&listing);
    list(&app, rows, &listing).await
}

/// Returns a run of a scenario.
#[utoipa::path(get, path = "/v1/scenarios/runs/{id}",
    params(("id" = String, Path, description = "The run")),
    responses((status = 200, description = "The run", body = ScenarioRunView), Failures),
    security(("token" = ["read"])))]
pub(super) async fn get_scenario_run(
    State(app): State<App>,
    Reader(principal): Reader,
    Path(id): Path<String>,
) -> Result<axum::Json<ScenarioRunView>, ApiError> {
    read(&app, &principal.organisation, &id).await.map(axum::Json)
}

async fn read(app: &App, organisation: &str, id: &str) -> Result<ScenarioRunView, ApiError> {
    let (organisation, id) = (organisation.to_owned(), id.to_owned());
    app.database().read(move |connection| find(connection, &organisation, &id)).await
}

/// Scores a run. The answer's state is `scoring`, and `scored` soon after. A run that is being scored, or is scored, stays as it
/// is.
#[utoipa::path(post, path = "/v1/scenarios/runs/{id}/score",
    params(("id" = String, Path, description = "The run")),
    responses((status = 200, description = "The run", body = ScenarioRunView), Failures),
    security(("token" = ["write"])))]
pub(super) async fn score_scenario_run(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<axum::Json<ScenarioRunView>, ApiError> {
    let run = read(&app, &caller.organisation, &id).await?;
    if is_under_way(&run) {
        return once(&app, &caller, move |_| Ok(run)).await;
    }
    check_running(&run)?;
    let work = work_of(&app, &caller.organisation, &run).await?;
    let job = NewJob { id: new_id("job"), kind: Scoring::NAME, request: json!(work) };
    let (organisation, run_id, job_id) = (caller.organisation.clone(), id.clone(), job.id.clone());
    let answer = once_with_job(&app, &caller, job, move |connection| {
        // Another request may have been faster since the run was read.
        let run = find(connection, &organisation, &run_id)?;
        if is_under_way(&run) {
            return Ok(Wish::Needless(run));
        }
        check_running(&run)?;
        let sql = "UPDATE scenario_runs SET state = 'scoring', job = ?2 WHERE id = ?1";
        connection.prepare_cached(sql)?.execute(params![run_id, job_id])?;
        find(connection, &organisation, &run_id).map(Wish::Queue)
    })
    .await?;
    // Clients look again at once and then after a second: most scores are there by then.
    wait_for_scores(&app, &caller.organisation, "id", &id, BRIEFLY).await?;
    Ok(answer)
}

/// Returns whether a run is being scored already, or is scored.
fn is_under_way(run: &ScenarioRunView) -> bool {
    matches!(run.state.as_str(), "scoring" | "scored")
}

fn check_running(run: &ScenarioRunView) -> Result<(), ApiError> {
    if run.state == "running" {
        return Ok(());
    }
    Err(wrong_state("scenario run", &run.id, &run.state, "`running`"))
}

/// Returns what is to be scored for a run: everything that it names, as it is now.
async fn work_of(app: &App, organisation: &str, run: &ScenarioRunView) -> Result<Work, ApiError> {
    let (owner, id) = (organisation.to_owned(), run.id.clone());
    let (retriever, hits, is_of_job): (Option<String>, Option<String>, bool) = app
        .database()
        .read(move |connection| {
            // One that runs with a job is a job's; a client's has a job from the wish for a score on, and is `scoring` then.
            let sql = "SELECT retriever, hits, job IS NOT NULL AND state = 'running' FROM scenario_runs \
                       WHERE id = ?1 AND organisation = ?2";
            let mut found = connection.prepare_cached(sql)?;
            Ok(found.query_row([id, owner], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?)
        })
        .await?;
    if is_of_job {
        return Err(wrong_state("scenario run", &run.id, "driven by a job", "one that a client drives"));
    }
    let scenario = scenarios::read(app, organisation, &run.scenario_id).await?;
    let mut scenario = scenario_work(app, organisation, scenario).await?;
    let retriever = match &retriever {
        Some(id) => Some(scoring::retriever(app, organisation, id).await?),
        None => None,
    };
    if retriever.is_none() {
        scenario.hits = hits.map(|hits| serde_json::from_str(&hits)).transpose().map_err(ApiError::internal)?;
        let is_program = |function: &Function| matches!(function.how, How::Program(_));
        if scenario.hits.is_none() && !scenario.functions.iter().all(is_program) {
            let message = "nobody answers: neither the run, its benchmark nor the scenario names a `retriever_id`, and there are \
                           no `hits`; begin a run with one of them in its metadata";
            return Err(ApiError::bad_request(message));
        }
    }
    let agent = AgentWork {
        retriever,
        runs: vec![run.id.clone()],
        benchmark_run: None,
        environment: run.environment_variables.clone(),
        seconds: f64::from(scenario.seconds),
        retries: 0,
        multiplier: 1.0,
    };
    Ok(Work { agents: vec![agent], scenarios: vec![scenario], completes: false })
}

/// Returns a scenario as a job scores it.
///
/// # Errors
///
/// Returns an error when a scorer is not there any more, or may not be used any more.
pub(super) async fn scenario_work(
    app: &App,
    organisation: &str,
    scenario: ScenarioView,
) -> Result<ScenarioWork, ApiError> {
    let functions = scoring::resolve(app, organisation, &scenario.scoring_contract).await?;
    let session = scoring::session_of(&scenario.id, &scenario.input_context)?;
    let files = scoring::files_of(&scenario.input_context)?;
    let context = json!({
        "scenario_id": scenario.id,
        "scenario_name": scenario.name,
        "input_context": scenario.input_context,
        "reference_output": scenario.reference_output,
    });
    let seconds = scenario.scorer_timeout_sec;
    Ok(ScenarioWork { id: scenario.id, session, hits: None, functions, files, context, seconds })
}

/// Completes a run, scored or not. A run that is being scored is waited for, for some seconds.
#[utoipa::path(post, path = "/v1/scenarios/runs/{id}/complete",
    params(("id" = String, Path, description = "The run")),
    responses((status = 200, description = "The run", body = ScenarioRunView), Failures),
    security(("token" = ["write"])))]
pub(super) async fn complete_scenario_run(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<axum::Json<ScenarioRunView>, ApiError> {
    wait_for_scores(&app, &caller.organisation, "id", &id, PATIENCE).await?;
    end(&app, &caller, id, "completed", &["running", "scored"]).await
}

/// Cancels a run that is not complete; its score, where it has one, does not count any more.
#[utoipa::path(post, path = "/v1/scenarios/runs/{id}/cancel",
    params(("id" = String, Path, description = "The run")),
    responses((status = 200, description = "The run", body = ScenarioRunView), Failures),
    security(("token" = ["write"])))]
pub(super) async fn cancel_scenario_run(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<axum::Json<ScenarioRunView>, ApiError> {
    let (organisation, run) = (caller.organisation.clone(), id.clone());
    let job: Option<String> = app
        .database()
        .read(move |connection| {
            find(connection, &organisation, &run)?;
            let sql = "SELECT job FROM scenario_runs WHERE id = ?1 AND state = 'scoring'";
            let mut statement = connection.prepare_cached(sql)?;
            let job = statement.query_map([run], |row| row.get(0))?.next().transpose()?;
            Ok(job)
        })
        .await?;
    let answer = end(&app, &caller, id, "canceled", &["running", "scoring", "scored"]).await?;
    if let Some(job) = job {
        scoring::cancel(&app, &caller.organisation, &job).await?;
    }
    Ok(answer)
}

/// Ends a run that is in one of those states; one that has ended so stays as it is.
async fn end(
    app: &App,
    caller: &Caller,
    id: String,
    state: &'static str,
    from: &'static [&'static str],
) -> Result<axum::Json<ScenarioRunView>, ApiError> {
    let organisation = caller.organisation.clone();
    once(app, caller, move |connection| {
        let run = find(connection, &organisation, &id)?;
        if run.state == state {
            return Ok(run);
        }
        if !from.contains(&run.state.as_str()) {
            let expected = from.iter().map(|state| format!("`{state}`")).collect::<Vec<_>>().join(" or ");
            return Err(wrong_state("scenario run", &id, &run.state, &expected).into());
        }
        let sql = "UPDATE scenario_runs SET state = ?2, ended_at = ?3 WHERE id = ?1";
        connection.prepare_cached(sql)?.execute(params![id, state, now_ms()])?;
        find(connection, &organisation, &id)
    })
    .await
}
