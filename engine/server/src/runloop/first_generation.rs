//! The routes of runs as the first clients know them. The same runs, and the same objects.

use axum::extract::State;

use super::benchmark_runs;
use super::errors::Failures;
use super::listing::{Listing, Paging};
use super::model::{BenchmarkRunList, BenchmarkRunView, ScenarioRunList};
use super::once::Caller;
use crate::App;
use crate::platform::auth::Reader;
use crate::platform::error::ApiError;
use crate::platform::extract::Path;

/// Lists runs of benchmarks, the newest first; as `/v1/benchmark_runs`.
#[utoipa::path(get, path = "/v1/benchmarks/runs",
    params(Paging,
        ("benchmark_id" = Option<Vec<String>>, Query, description = "Of these benchmarks only", explode = false),
        ("state" = Option<Vec<String>>, Query, description = "In these states only", explode = false)),
    responses((status = 200, description = "A page", body = BenchmarkRunList), Failures),
    security(("token" = ["read"])))]
pub(super) async fn list_old_runs(
    State(app): State<App>,
    Reader(principal): Reader,
    listing: Listing,
) -> Result<axum::Json<BenchmarkRunList>, ApiError> {
    benchmark_runs::list(&app, &principal.organisation, &listing).await
}

/// Returns a run of a benchmark; as `/v1/benchmark_runs/{id}`.
#[utoipa::path(get, path = "/v1/benchmarks/runs/{id}",
    params(("id" = String, Path, description = "The run")),
    responses((status = 200, description = "The run", body = BenchmarkRunView), Failures),
    security(("token" = ["read"])))]
pub(super) async fn get_old_run(
    State(app): State<App>,
    Reader(principal): Reader,
    Path(id): Path<String>,
) -> Result<axum::Json<BenchmarkRunView>, ApiError> {
    benchmark_runs::read(&app, &principal.organisation, &id).await
}

/// Completes a run; as `/v1/benchmark_runs/{id}/complete`.
#[utoipa::path(post, path = "/v1/benchmarks/runs/{id}/complete",
    params(("id" = String, Path, description = "The run")),
    responses((status = 200, description = "The run", body = BenchmarkRunView), Failures),
    security(("token" = ["write"])))]
pub(super) async fn complete_old_run(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<axum::Json<BenchmarkRunView>, ApiError> {
    benchmark_runs::complete(&app, &caller, id).await
}

/// Cancels a run; as `/v1/benchmark_runs/{id}/cancel`.
#[utoipa::path(post, path = "/v1/benchmarks/runs/{id}/cancel",
    params(("id" = String, Path, description = "The run")),
    responses((status = 200, description = "The run", body = BenchmarkRunView), Failures),
    security(("token" = ["write"])))]
pub(super) async fn cancel_old_run(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<axum::Json<BenchmarkRunView>, ApiError> {
    benchmark_runs::cancel(&app, &caller, id).await
}

/// Lists the scenario runs of a run, the newest first; as `/v1/benchmark_runs/{id}/scenario_runs`.
#[utoipa::path(get, path = "/v1/benchmarks/runs/{id}/scenario_runs",
    params(Paging, ("id" = String, Path, description = "The run"),
        ("state" = Option<Vec<String>>, Query, description = "In these states only", explode = false)),
    responses((status = 200, description = "A page", body = ScenarioRunList), Failures),
    security(("token" = ["read"])))]
pub(super) async fn list_scenario_runs_of_old_run(
    State(app): State<App>,
    Reader(principal): Reader,
    Path(id): Path<String>,
    listing: Listing,
) -> Result<axum::Json<ScenarioRunList>, ApiError> {
    benchmark_runs::scenario_runs_of(&app, &principal.organisation, &id, &listing).await
}
