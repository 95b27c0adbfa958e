//! Routes of retrievers.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::{
    CloneRetrieverRequest, CloneRetrieverResponse, CreateRetrieverRequest, DeleteRetrieverResponse,
    ListRetrieversRequest, ListRetrieversResponse, PatchRetrieverRequest, PatchRetrieverResponse, RetrieverBody,
    RetrieverConfig,
};
use super::{stages, store};
use crate::App;
use crate::catalog::retrievers::{self as catalog, RetrieverRecord};
use crate::mixpeek::executions::search;
use crate::mixpeek::page::ListQuery;
use crate::mixpeek::refusal::Refusals;
use crate::mixpeek::scope::{MadeStatus, Namespace, NamespaceHeader};
use crate::platform::auth::{Reader, Writer};
use crate::platform::error::ApiError;
use crate::platform::extract::{Json, Path, Query};
use crate::platform::identifier::new_id;
use crate::platform::page::now_ms;

/// Returns the routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create, list_by_get))
        .routes(routes!(list))
        .routes(routes!(get, change, remove))
        .routes(routes!(copy))
}

/// Registers a retriever.
///
/// Its stages are checked first, so that one that cannot run is refused here.
#[utoipa::path(
    post,
    path = "/v1/retrievers",
    operation_id = "create_retriever",
    security(("token" = ["write"])),
    params(NamespaceHeader),
    request_body = CreateRetrieverRequest,
    responses((status = 200, description = "It is registered", body = RetrieverConfig), Refusals)
)]
async fn create(
    State(app): State<App>,
    Writer(principal): Writer,
    Namespace(namespace): Namespace,
    Json(asked): Json<CreateRetrieverRequest>,
) -> Result<axum::Json<RetrieverConfig>, ApiError> {
    let body = RetrieverBody {
        description: asked.description,
        collection_identifiers: asked.collection_identifiers.unwrap_or_default(),
        stages: asked.stages,
        input_schema: asked.input_schema,
        budget_limits: asked.budget_limits,
        tags: asked.tags.unwrap_or_default(),
        metadata: asked.metadata,
        display_config: asked.display_config,
        version: 1,
        created_by: Some(principal.token.clone()),
    };
    let made = New { id: new_id("ret"), namespace, name: asked.retriever_name, created_at: now_ms() };
    keep(&app, &principal.organisation, made, &body).await.map(axum::Json)
}

/// Lists the retrievers of the namespace, oldest first.
#[utoipa::path(
    get,
    path = "/v1/retrievers",
    operation_id = "list_retrievers_get",
    security(("token" = ["read"])),
    params(NamespaceHeader, ListQuery),
    responses((status = 200, description = "A page of them", body = ListRetrieversResponse), Refusals)
)]
async fn list_by_get(
    app: State<App>,
    reader: Reader,
    namespace: Namespace,
    query: Query<ListQuery>,
) -> Result<axum::Json<ListRetrieversResponse>, ApiError> {
    list(app, reader, namespace, query, Json(ListRetrieversRequest::default())).await
}

/// Lists the retrievers of the namespace: filtered, sorted.
#[utoipa::path(
    post,
    path = "/v1/retrievers/list",
    operation_id = "list_retrievers",
    security(("token" = ["read"])),
    params(NamespaceHeader, ListQuery),
    request_body = Option<ListRetrieversRequest>,
    responses((status = 200, description = "A page of them", body = ListRetrieversResponse), Refusals)
)]
async fn list(
    State(app): State<App>,
    Reader(principal): Reader,
    Namespace(namespace): Namespace,
    Query(query): Query<ListQuery>,
    Json(asked): Json<ListRetrieversRequest>,
) -> Result<axum::Json<ListRetrieversResponse>, ApiError> {
    let listed = store::list(&app, &principal.organisation, &namespace, &asked, &query).await?;
    let results: Vec<RetrieverConfig> = listed.entries.into_iter().map(RetrieverConfig::of).collect();
    let total = listed.pagination.total.unwrap_or(results.len() as u64);
    Ok(axum::Json(ListRetrieversResponse { results, total, pagination: listed.pagination }))
}

/// Returns a retriever.
#[utoipa::path(
    get,
    path = "/v1/retrievers/{retriever_id}",
    operation_id = "get_retriever",
    security(("token" = ["read"])),
    params(NamespaceHeader, ("retriever_id" = String, Path, description = "The retriever")),
    responses((status = 200, description = "The retriever", body = RetrieverConfig), Refusals)
)]
async fn get(
    State(app): State<App>,
    Reader(principal): Reader,
    Namespace(namespace): Namespace,
    Path(id): Path<String>,
) -> Result<axum::Json<RetrieverConfig>, ApiError> {
    store::get(&app, &principal.organisation, &namespace, &id).await.map(RetrieverConfig::of).map(axum::Json)
}

/// Changes a retriever. Benchmarks that were created before compare it as it was.
#[utoipa::path(
    patch,
    path = "/v1/retrievers/{retriever_id}",
    operation_id = "patch_retriever",
    security(("token" = ["write"])),
    params(NamespaceHeader, ("retriever_id" = String, Path, description = "The retriever")),
    request_body = PatchRetrieverRequest,
    responses((status = 200, description = "It is changed", body = PatchRetrieverResponse), Refusals)
)]
async fn change(
    State(app): State<App>,
    Writer(principal): Writer,
    Namespace(namespace): Namespace,
    Path(id): Path<String>,
    Json(patch): Json<PatchRetrieverRequest>,
) -> Result<axum::Json<PatchRetrieverResponse>, ApiError> {
    let record = store::get(&app, &principal.organisation, &namespace, &id).await?;
    let mut body: RetrieverBody = serde_json::from_value(record.body).unwrap_or_default();
    let name = patch.retriever_name.clone().unwrap_or(record.name);
    body.change(patch);
    body.version += 1;
    let changed = New { id, namespace, name, created_at: record.created_at };
    let retriever = keep(&app, &principal.organisation, changed, &body).await?;
    Ok(axum::Json(PatchRetrieverResponse { retriever }))
}

/// Removes a retriever. Its executions, interactions and benchmarks stay.
#[utoipa::path(
    delete,
    path = "/v1/retrievers/{retriever_id}",
    operation_id = "delete_retriever",
    security(("token" = ["write"])),
    params(NamespaceHeader, ("retriever_id" = String, Path, description = "The retriever")),
    responses((status = 200, description = "It is removed", body = DeleteRetrieverResponse), Refusals)
)]
async fn remove(
    State(app): State<App>,
    Writer(principal): Writer,
    Namespace(namespace): Namespace,
    Path(id): Path<String>,
) -> Result<axum::Json<DeleteRetrieverResponse>, ApiError> {
    store::remove(&app, &principal.organisation, &namespace, &id).await?;
    Ok(axum::Json(DeleteRetrieverResponse { success: true, retriever_id: id }))
}

/// Copies a retriever under a new name, with what the body changes.
#[utoipa::path(
    post,
    path = "/v1/retrievers/{retriever_id}/clone",
    operation_id = "clone_retriever",
    security(("token" = ["write"])),
    params(NamespaceHeader, ("retriever_id" = String, Path, description = "The original")),
    request_body = CloneRetrieverRequest,
    responses(
        (status = 200, description = "The copy", body = CloneRetrieverResponse),
        (status = 201, description = "The copy, for generated clients up to 1.3.782", body = CloneRetrieverResponse),
        Refusals
    )
)]
async fn copy(
    State(app): State<App>,
    Writer(principal): Writer,
    Namespace(namespace): Namespace,
    MadeStatus(status): MadeStatus,
    Path(id): Path<String>,
    Json(asked): Json<CloneRetrieverRequest>,
) -> Result<Response, ApiError> {
    let original = store::get(&app, &principal.organisation, &namespace, &id).await?;
    let mut body: RetrieverBody = serde_json::from_value(original.body).unwrap_or_default();
    let name = asked.retriever_name.clone();
    body.change(asked.into_patch());
    (body.version, body.created_by) = (1, Some(principal.token.clone()));
    let made = New { id: new_id("ret"), namespace, name, created_at: now_ms() };
    let retriever = keep(&app, &principal.organisation, made, &body).await?;
    Ok((status, axum::Json(CloneRetrieverResponse { retriever, source_retriever_id: id })).into_response())
}

/// What is known of a retriever before it is checked.
struct New {
    id: String,
    namespace: String,
    name: String,
    created_at: i64,
}

async fn keep(app: &App, organisation: &str, new: New, body: &RetrieverBody) -> Result<RetrieverConfig, ApiError> {
    if new.name.trim().is_empty() {
        return Err(ApiError::invalid(&["body", "retriever_name"], "too_short", "the name of the retriever is empty"));
    }
    let section = stages::section(app, organisation, (&new.id, &new.name), body).await?;
    search::check(app, organisation, &section).await?;
    let record = RetrieverRecord {
        id: new.id,
        namespace: new.namespace,
        name: new.name,
        body: serde_json::to_value(body).map_err(ApiError::internal)?,
        section,
        created_at: new.created_at,
        updated_at: now_ms(),
    };
    catalog::put(app, organisation, record.clone()).await?;
    Ok(RetrieverConfig::of(record))
}
