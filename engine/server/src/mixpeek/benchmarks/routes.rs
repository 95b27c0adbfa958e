//! Routes of benchmarks.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::job::BenchmarkJob;
use super::model::{BenchmarkListResponse, BenchmarkQuery, BenchmarkResponse, CreateBenchmarkRequest, SessionFilter};
use super::store;
use crate::App;
use crate::mixpeek::refusal::Refusals;
use crate::mixpeek::retrievers::store as retrievers;
use crate::mixpeek::scope::{MadeStatus, Namespace, NamespaceHeader};
use crate::platform::auth::{Reader, Writer};
use crate::platform::error::ApiError;
use crate::platform::extract::{Json, Path, Query};

/// Sessions that are replayed where nothing is said.
const SESSIONS: u32 = 1000;

/// Returns the routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create, list)).routes(routes!(get, remove)).routes(routes!(execute))
}

/// Creates a benchmark, which runs when its turn comes.
///
/// Sessions are made of the namespace's interactions: those that share a `session_id`, or else an `execution_id`. Their query
/// is what the execution was asked, or the `query_snapshot`. Retrievers are compared as they are now, whatever becomes of them
/// meanwhile.
#[utoipa::path(
    post,
    path = "/v1/retrievers/benchmarks",
    operation_id = "create_benchmark_retrievers",
    security(("token" = ["write"])),
    params(NamespaceHeader),
    request_body = CreateBenchmarkRequest,
    responses(
        (status = 200, description = "The benchmark", body = BenchmarkResponse),
        (status = 201, description = "The benchmark, for generated clients up to 1.3.782", body = BenchmarkResponse),
        Refusals
    )
)]
async fn create(
    State(app): State<App>,
    Writer(principal): Writer,
    Namespace(namespace): Namespace,
    MadeStatus(status): MadeStatus,
    Json(asked): Json<CreateBenchmarkRequest>,
) -> Result<Response, ApiError> {
    asked.check()?;
    let mut sections = Vec::with_capacity(1 + asked.candidate_retriever_ids.len());
    let mut retriever_ids = vec![asked.baseline_retriever_id];
    retriever_ids.extend(asked.candidate_retriever_ids);
    for id in &retriever_ids {
        sections.push(retrievers::get(&app, &principal.organisation, &namespace, id).await?.section);
    }
    let job = BenchmarkJob {
        namespace,
        name: asked.benchmark_name,
        retrievers: sections,
        retriever_ids,
        filter: asked.session_filter.map(SessionFilter::filled),
        session_count: asked.session_count.unwrap_or(SESSIONS),
    };
    let created = store::create(&app, &principal.organisation, job).await?;
    Ok((status, axum::Json(created)).into_response())
}

/// Lists the benchmarks of the namespace, oldest first.
#[utoipa::path(
    get,
    path = "/v1/retrievers/benchmarks",
    operation_id = "list_benchmarks_retrievers",
    security(("token" = ["read"])),
    params(NamespaceHeader, BenchmarkQuery),
    responses((status = 200, description = "A page of them", body = BenchmarkListResponse), Refusals)
)]
async fn list(
    State(app): State<App>,
    Reader(principal): Reader,
    Namespace(namespace): Namespace,
    Query(query): Query<BenchmarkQuery>,
) -> Result<axum::Json<BenchmarkListResponse>, ApiError> {
    store::list(&app, &principal.organisation, &namespace, &query).await.map(axum::Json)
}

/// Returns a benchmark: where it stands, and its results once it is completed.
#[utoipa::path(
    get,
    path = "/v1/retrievers/benchmarks/{benchmark_id}",
    operation_id = "get_benchmark_retrievers",
    security(("token" = ["read"])),
    params(NamespaceHeader, ("benchmark_id" = String, Path, description = "The benchmark")),
    responses((status = 200, description = "The benchmark", body = BenchmarkResponse), Refusals)
)]
async fn get(
    State(app): State<App>,
    Reader(principal): Reader,
    Namespace(namespace): Namespace,
    Path(id): Path<String>,
) -> Result<axum::Json<BenchmarkResponse>, ApiError> {
    store::get(&app, &principal.organisation, &namespace, &id).await.map(axum::Json)
}

/// Removes a benchmark and its results; one that runs is cancelled.
#[utoipa::path(
    delete,
    path = "/v1/retrievers/benchmarks/{benchmark_id}",
    operation_id = "delete_benchmark_retrievers",
    security(("token" = ["write"])),
    params(NamespaceHeader, ("benchmark_id" = String, Path, description = "The benchmark")),
    responses((status = 204, description = "It is removed"), Refusals)
)]
async fn remove(
    State(app): State<App>,
    Writer(principal): Writer,
    Namespace(namespace): Namespace,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    store::remove(&app, &principal.organisation, &namespace, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Returns a benchmark, for clients that start one after they have created it: it runs anyway.
#[utoipa::path(
    post,
    path = "/v1/retrievers/benchmarks/{benchmark_id}/execute",
    operation_id = "execute_benchmark_retrievers",
    security(("token" = ["write"])),
    params(NamespaceHeader, ("benchmark_id" = String, Path, description = "The benchmark")),
    responses((status = 200, description = "The benchmark", body = BenchmarkResponse), Refusals)
)]
async fn execute(
    State(app): State<App>,
    Writer(principal): Writer,
    Namespace(namespace): Namespace,
    Path(id): Path<String>,
) -> Result<axum::Json<BenchmarkResponse>, ApiError> {
    store::get(&app, &principal.organisation, &namespace, &id).await.map(axum::Json)
}
