//! `/v1/runs`: benchmarks that were posted, and what becomes of them.

use std::path::{Path as FilePath, PathBuf};

use axum::Json;
use axum::body::Body as AxumBody;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use rematch_engine::store::layout;
use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use utoipa::{IntoParams, ToSchema};

use super::artifacts::stream;
use super::kinds::{KINDS, REJUDGE, RUN, RunRequest};
use super::pages::{Page, limit};
use super::problem::Refusals;
use super::submission::{Benchmark, check};
use crate::App;
use crate::catalog::check_storage;
use crate::jobs::{Job, JobFilter, JobState, NewJob};
use crate::platform::auth::{Reader, Writer};
use crate::platform::error::ApiError;
use crate::platform::extract::{Json as Body, Path, Query};
use crate::platform::identifier::{is_id, new_id};
use crate::platform::page::{no_cursor, rfc3339};

/// A run: a benchmark that was posted, a comparison of finished runs, or a finished run judged by other settings.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Run {
    /// Its identifier.
    id: String,
    /// Its benchmark's name.
    name: String,
    /// `run`, `comparison` or `rescoring`.
    kind: String,
    /// Where it stands.
    state: JobState,
    /// How far it is: `pending`, `building_sessions`, `replaying`, `computing_metrics`, `completed`. Of one that failed or was
    /// cancelled, how far it came.
    phase: String,
    /// Whether somebody wishes that it ends.
    cancelling: bool,
    /// How often it was begun.
    attempts: u32,
    /// The retriever that serves today, the candidates, the metrics.
    #[schema(value_type = Object)]
    summary: Value,
    /// The runs that it judges; empty where it replays a benchmark.
    runs: Vec<String>,
    /// Once it is completed: `state` (`failed` where a retriever failed on every session, which `failed_retrievers` names with its
    /// failures by kind), the verdict on each candidate that was compared, and the recommendation.
    #[schema(value_type = Option<Object>)]
    outcome: Option<Value>,
    /// Why it failed.
    failure: Option<Failure>,
    /// When it was posted.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it was begun first.
    #[schema(format = DateTime)]
    started_at: Option<String>,
    /// When it ended.
    #[schema(format = DateTime)]
    ended_at: Option<String>,
}

/// Why a run failed.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct Failure {
    /// A stable identifier of the kind of failure.
    code: String,
    /// What is wrong.
    message: String,
}

impl From<Job> for Run {
    fn from(job: Job) -> Self {
        let text = |pointer: &str| job.request.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let runs: Vec<String> =
            job.request.get("runs").and_then(|runs| serde_json::from_value(runs.clone()).ok()).unwrap_or_default();
        let kind = match (job.kind.as_str(), runs.len()) {
            (REJUDGE, 1) => "rescoring",
            (REJUDGE, _) => "comparison",
            _ => "run",
        };
        Self {
            name: text("/summary/name"),
            kind: kind.to_owned(),
            summary: job.request.get("summary").cloned().unwrap_or_default(),
            runs,
            failure: job.failure.and_then(|failure| serde_json::from_value(failure).ok()),
            id: job.id,
            state: job.state,
            phase: job.phase,
            cancelling: job.cancelling && !job.state.has_ended(),
            attempts: job.attempts,
            outcome: job.outcome,
            created_at: rfc3339(job.created_at),
            started_at: job.started_at.map(rfc3339),
            ended_at: job.ended_at.map(rfc3339),
        }
    }
}

/// Post a run
///
/// Checks the benchmark, and queues it. A mistake in it is 422 with its key path. With an `Idempotency-Key`, the same request
/// again answers with the run that the first one made.
#[utoipa::path(
    post, path = "/v1/runs", operation_id = "create_run", tag = "runs", security(("token" = ["write"])),
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 characters; the same request with the same key makes one run")),
    request_body = Benchmark,
    responses(
        (status = 201, description = "It is queued", body = Run),
        (status = 200, description = "It was posted before, with the same key", body = Run),
        Refusals
    )
)]
pub(super) async fn create(
    State(app): State<App>,
    Writer(principal): Writer,
    headers: HeaderMap,
    Body(body): Body<Benchmark>,
) -> Result<(StatusCode, Json<Run>), ApiError> {
    let organisation = &principal.organisation;
    let key = Key::of(&headers, &json!(body))?;
    if let Some(known) = key.find(&app, organisation).await? {
        return Ok((StatusCode::OK, Json(known.into())));
    }
    check_storage(&app, organisation).await?;
    let checked = check(&app, organisation, &body, true, None).await?;
    let request =
        RunRequest { summary: checked.summary, posted: body, benchmark: checked.benchmark, retry_errors: false };
    submit(&app, organisation, RUN, json!(request), key).await
}

/// Queues a run, once for each key.
pub(super) async fn submit(
    app: &App,
    organisation: &str,
    kind: &'static str,
    request: Value,
    key: Key,
) -> Result<(StatusCode, Json<Run>), ApiError> {
    let job = NewJob { id: new_id("run"), kind, request };
    let (row, owner, id) = (key.clone(), organisation.to_owned(), job.id.clone());
    let submitted = app.jobs().submit_with(organisation, job, move |connection| {
        let Some(key) = &row.key else { return Ok(()) };
        let sql =
            "INSERT INTO submissions (organisation, key, sha256, job) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
        match connection.prepare_cached(sql)?.execute(params![owner, key, row.sha256, id])? {
            0 => Err(ApiError::conflict("a request with this `Idempotency-Key` was answered just now").into()),
            _ => Ok(()),
        }
    });
    match submitted.await {
        Ok(job) => Ok((StatusCode::CREATED, Json(job.into()))),
        // Of two requests with one key at the same time, the second answers as the first.
        Err(error) => match key.find(app, organisation).await? {
            Some(known) => Ok((StatusCode::OK, Json(known.into()))),
            None => Err(error),
        },
    }
}

/// By what a request is known again.
#[derive(Debug, Clone)]
pub(super) struct Key {
    key: Option<String>,
    sha256: String,
}

impl Key {
    /// Reads the header `Idempotency-Key` of a request with that body.
    pub(super) fn of(headers: &HeaderMap, body: &Value) -> Result<Self, ApiError> {
        let key = match headers.get("idempotency-key").map(|key| key.to_str()) {
            None => None,
            Some(Ok(key)) if (1..=255).contains(&key.len()) => Some(key.to_owned()),
            Some(_) => {
                let message = "expected 1 to 255 ASCII characters";
                return Err(ApiError::invalid(&["header", "Idempotency-Key"], "pattern", message));
            }
        };
        let hash = Sha256::digest(body.to_string().as_bytes());
        Ok(Self { key, sha256: crate::catalog::hexadecimal(&hash) })
    }

    /// Returns the run that was made by this key.
    pub(super) async fn find(&self, app: &App, organisation: &str) -> Result<Option<Job>, ApiError> {
        let Some(key) = self.key.clone() else { return Ok(None) };
        let owner = organisation.to_owned();
        let found: Option<(String, String)> = app
            .database()
            .read(move |connection| {
                let sql = "SELECT sha256, job FROM submissions WHERE organisation = ?1 AND key = ?2";
                let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
                Ok(connection.prepare_cached(sql)?.query_row(params![owner, key], row).optional()?)
            })
            .await?;
        let Some((sha256, job)) = found else { return Ok(None) };
        if sha256 != self.sha256 {
            let message = "this `Idempotency-Key` came with another request before; choose a new key for a new request";
            return Err(ApiError::conflict(message));
        }
        app.jobs().get(organisation, &job).await
    }
}

/// Which runs.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct RunsQuery {
    /// Runs of the page; 100 where it is not given.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Where the page begins: `next_cursor` of the one before.
    cursor: Option<String>,
    /// In this state only.
    state: Option<JobState>,
}

/// List runs
///
/// Newest first. Runs that are posted or removed meanwhile move no other run to another page.
#[utoipa::path(
    get, path = "/v1/runs", operation_id = "list_runs", tag = "runs", security(("token" = ["read"])),
    params(RunsQuery),
    responses((status = 200, description = "A page of them", body = Page<Run>), Refusals)
)]
pub(super) async fn list(
    State(app): State<App>,
    Reader(principal): Reader,
    Query(query): Query<RunsQuery>,
) -> Result<Json<Page<Run>>, ApiError> {
    let limit = limit(query.limit)?;
    let before = query.cursor.filter(|cursor| !cursor.is_empty());
    if before.as_ref().is_some_and(|cursor| !is_id("run", cursor)) {
        return Err(no_cursor());
    }
    let filter = JobFilter { kinds: KINDS.to_vec(), state: query.state, before, limit: limit.saturating_add(1) };
    let found = app.jobs().list(&principal.organisation, filter).await?;
    Ok(Json(Page::of(found, limit, |job| job.id.clone(), Run::from)))
}

/// Get a run
#[utoipa::path(
    get, path = "/v1/runs/{id}", operation_id = "get_run", tag = "runs", security(("token" = ["read"])),
    params(("id" = String, Path, description = "The run")),
    responses((status = 200, description = "The run", body = Run), Refusals)
)]
pub(super) async fn get(
    State(app): State<App>,
    Reader(principal): Reader,
    Path(id): Path<String>,
) -> Result<Json<Run>, ApiError> {
    Ok(Json(find(&app, &principal.organisation, &id).await?.into()))
}

/// Cancel a run
///
/// One that waits ends at once, one that runs within seconds; what it has done is kept, and `retry` goes on from there. One
/// that has ended stays as it is.
#[utoipa::path(
    post, path = "/v1/runs/{id}/cancel", operation_id = "cancel_run", tag = "runs", security(("token" = ["write"])),
    params(("id" = String, Path, description = "The run")),
    responses((status = 200, description = "The run", body = Run), Refusals)
)]
pub(super) async fn cancel(
    State(app): State<App>,
    Writer(principal): Writer,
    Path(id): Path<String>,
) -> Result<Json<Run>, ApiError> {
    find(&app, &principal.organisation, &id).await?;
    let job = app.jobs().cancel(&principal.organisation, &id).await?;
    Ok(Json(job.ok_or_else(|| ApiError::not_found("run", &id))?.into()))
}

/// How a run is tried again.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RetryRequest {
    /// Tries the sessions again whose retrievers failed; `false` where it is not given.
    #[serde(default)]
    retry_errors: bool,
}

/// Try a run again
///
/// Queues a run again that has ended. It goes on where it was; with `retry_errors`, the sessions whose retrievers failed are
/// tried again too, and the report is made anew.
#[utoipa::path(
    post, path = "/v1/runs/{id}/retry", operation_id = "retry_run", tag = "runs", security(("token" = ["write"])),
    params(("id" = String, Path, description = "The run")),
    request_body = Option<RetryRequest>,
    responses((status = 200, description = "It is queued", body = Run), Refusals)
)]
pub(super) async fn retry(
    State(app): State<App>,
    Writer(principal): Writer,
    Path(id): Path<String>,
    Body(body): Body<RetryRequest>,
) -> Result<Json<Run>, ApiError> {
    find(&app, &principal.organisation, &id).await?;
    check_storage(&app, &principal.organisation).await?;
    let job = app.jobs().retry(&principal.organisation, &id, move |job| {
        let mut request = job.request.clone();
        if let Value::Object(members) = &mut request
            && job.kind == RUN
        {
            members.insert("retry_errors".to_owned(), Value::from(body.retry_errors));
        }
        Ok(request)
    });
    Ok(Json(job.await?.into()))
}

/// Remove a run
///
/// With all its files. One that has not ended must be cancelled first.
#[utoipa::path(
    delete, path = "/v1/runs/{id}", operation_id = "delete_run", tag = "runs", security(("token" = ["write"])),
    params(("id" = String, Path, description = "The run")),
    responses((status = 204, description = "It is gone"), Refusals)
)]
pub(super) async fn delete(
    State(app): State<App>,
    Writer(principal): Writer,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    find(&app, &principal.organisation, &id).await?;
    app.jobs().remove(&principal.organisation, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Get a run's report
///
/// `report.json`: results of every retriever, comparisons, statistics, gates.
#[utoipa::path(
    get, path = "/v1/runs/{id}/report", operation_id = "get_report", tag = "runs", security(("token" = ["read"])),
    params(("id" = String, Path, description = "The run")),
    responses((status = 200, description = "The report", body = Object), Refusals)
)]
pub(super) async fn report(
    State(app): State<App>,
    Reader(principal): Reader,
    Path(id): Path<String>,
) -> Result<Response<AxumBody>, ApiError> {
    let run = directory(&app, &find_finished(&app, &principal.organisation, &id).await?);
    stream(&run.join(layout::REPORT_JSON), "application/json", &HeaderMap::new()).await
}

/// Returns a run of that organisation.
///
/// # Errors
///
/// Returns 404 when there is no such run.
pub(super) async fn find(app: &App, organisation: &str, id: &str) -> Result<Job, ApiError> {
    let job = app.jobs().get(organisation, id).await?;
    job.filter(|job| KINDS.contains(&job.kind.as_str())).ok_or_else(|| ApiError::not_found("run", id))
}

/// Returns a completed run of that organisation.
///
/// # Errors
///
/// Returns 404 when there is no such run, and 409 when it is not completed.
pub(super) async fn find_finished(app: &App, organisation: &str, id: &str) -> Result<Job, ApiError> {
    let job = find(app, organisation, id).await?;
    if job.state == JobState::Completed {
        return Ok(job);
    }
    Err(ApiError::conflict(format!("`{id}` is not completed; it is `{}`", job.state.name())))
}

/// Returns the run directory of a run.
pub(super) fn directory(app: &App, job: &Job) -> PathBuf {
    run_folder(&app.jobs().folder(&job.organisation, &job.id), &job.id)
}

/// Returns the run directory in a job's folder. It is called as the run, which is how a comparison names it.
pub(super) fn run_folder(folder: &FilePath, id: &str) -> PathBuf {
    folder.join(id)
}
