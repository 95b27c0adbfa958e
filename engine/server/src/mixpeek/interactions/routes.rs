//! Routes of interactions.

use axum::extract::State;
use axum::http::HeaderMap;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::{
    BulkInteractionItemResult, BulkInteractionsRequest, BulkInteractionsResponse, DeleteInteractionResponse,
    InteractionResponse, ListInteractionsRequest, ListInteractionsResponse, PublicInteractionBatchRequest,
    PublicInteractionRequest, SearchInteraction,
};
use super::store;
use crate::App;
use crate::mixpeek::page::ListQuery;
use crate::mixpeek::refusal::Refusals;
use crate::mixpeek::retrievers::store as retrievers;
use crate::mixpeek::scope::{Namespace, NamespaceHeader};
use crate::platform::auth::{Reader, Writer};
use crate::platform::error::ApiError;
use crate::platform::extract::{Json, Path, Query};

/// Most interactions of one request.
const MOST: usize = 1000;

/// Most interactions of one public request.
const MOST_PUBLIC: usize = 100;

/// Returns the routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create))
        .routes(routes!(create_several))
        .routes(routes!(list))
        .routes(routes!(get, remove))
        .routes(routes!(create_public))
        .routes(routes!(create_several_public))
}

/// Keeps an interaction.
///
/// One that repeats another of the last 24 hours (the same execution, document and types) is answered with `deduplicated` and
/// not kept again.
#[utoipa::path(
    post,
    path = "/v1/retrievers/interactions",
    operation_id = "create_interaction_retrievers",
    security(("token" = ["write"])),
    params(NamespaceHeader),
    request_body = SearchInteraction,
    responses((status = 200, description = "It is kept", body = InteractionResponse), Refusals)
)]
async fn create(
    State(app): State<App>,
    Writer(principal): Writer,
    Namespace(namespace): Namespace,
    Json(interaction): Json<SearchInteraction>,
) -> Result<axum::Json<InteractionResponse>, ApiError> {
    create_one(&app, &principal.organisation, &namespace, interaction).await
}

/// Keeps up to 1000 interactions. One that makes no sense is told in its place, and the others are kept.
#[utoipa::path(
    post,
    path = "/v1/retrievers/interactions/batch",
    operation_id = "create_interactions_bulk_retrievers_batch",
    security(("token" = ["write"])),
    params(NamespaceHeader),
    request_body = BulkInteractionsRequest,
    responses((status = 200, description = "What became of each", body = BulkInteractionsResponse), Refusals)
)]
async fn create_several(
    State(app): State<App>,
    Writer(principal): Writer,
    Namespace(namespace): Namespace,
    Json(asked): Json<BulkInteractionsRequest>,
) -> Result<axum::Json<BulkInteractionsResponse>, ApiError> {
    create_all(&app, &principal.organisation, &namespace, asked.interactions, MOST).await
}

/// Lists the interactions of the namespace, filtered and sorted; oldest first where nothing else is said.
#[utoipa::path(
    post,
    path = "/v1/retrievers/interactions/list",
    operation_id = "list_interactions_retrievers",
    security(("token" = ["read"])),
    params(NamespaceHeader, ListQuery),
    request_body = Option<ListInteractionsRequest>,
    responses((status = 200, description = "A page of them", body = ListInteractionsResponse), Refusals)
)]
async fn list(
    State(app): State<App>,
    Reader(principal): Reader,
    Namespace(namespace): Namespace,
    Query(query): Query<ListQuery>,
    Json(asked): Json<ListInteractionsRequest>,
) -> Result<axum::Json<ListInteractionsResponse>, ApiError> {
    store::list(&app, &principal.organisation, &namespace, &asked, &query).await.map(axum::Json)
}

/// Returns an interaction.
#[utoipa::path(
    get,
    path = "/v1/retrievers/interactions/{interaction_id}",
    operation_id = "get_interaction_retrievers",
    security(("token" = ["read"])),
    params(NamespaceHeader, ("interaction_id" = String, Path, description = "The interaction")),
    responses((status = 200, description = "The interaction", body = InteractionResponse), Refusals)
)]
async fn get(
    State(app): State<App>,
    Reader(principal): Reader,
    Namespace(namespace): Namespace,
    Path(id): Path<String>,
) -> Result<axum::Json<InteractionResponse>, ApiError> {
    store::get(&app, &principal.organisation, &namespace, &id).await.map(axum::Json)
}

/// Removes an interaction. Benchmarks that have read it stay as they are.
#[utoipa::path(
    delete,
    path = "/v1/retrievers/interactions/{interaction_id}",
    operation_id = "delete_interaction_retrievers",
    security(("token" = ["write"])),
    params(NamespaceHeader, ("interaction_id" = String, Path, description = "The interaction")),
    responses((status = 200, description = "It is removed", body = DeleteInteractionResponse), Refusals)
)]
async fn remove(
    State(app): State<App>,
    Writer(principal): Writer,
    Namespace(namespace): Namespace,
    Path(id): Path<String>,
) -> Result<axum::Json<DeleteInteractionResponse>, ApiError> {
    store::remove(&app, &principal.organisation, &namespace, &id).await?;
    Ok(axum::Json(DeleteInteractionResponse { success: true, interaction_id: id }))
}

/// Keeps an interaction with the documents of a retriever, which is named by its name or its identifier.
///
/// The token may come as `X-Public-API-Key` too.
#[utoipa::path(
    post,
    path = "/v1/public/retrievers/{public_name}/interactions",
    operation_id = "track_interaction_retrievers_name",
    security(("token" = ["write"])),
    params(
        ("public_name" = String, Path, description = "The retriever's name, or its identifier"),
        ("X-Session-ID" = Option<String>, Header, description = "The session, where the body names none")
    ),
    request_body = PublicInteractionRequest,
    responses((status = 200, description = "It is kept", body = InteractionResponse), Refusals)
)]
async fn create_public(
    State(app): State<App>,
    Writer(principal): Writer,
    Path(name): Path<String>,
    headers: HeaderMap,
    Json(asked): Json<PublicInteractionRequest>,
) -> Result<axum::Json<InteractionResponse>, ApiError> {
    let retriever = retrievers::published(&app, &principal.organisation, &name).await?;
    let interaction = asked.into_interaction(&retriever.id, session(&headers));
    create_one(&app, &principal.organisation, &retriever.namespace, interaction).await
}

/// Keeps up to 100 interactions with the documents of a retriever.
#[utoipa::path(
    post,
    path = "/v1/public/retrievers/{public_name}/interactions/batch",
    operation_id = "track_interaction_batch_retrievers_name",
    security(("token" = ["write"])),
    params(
        ("public_name" = String, Path, description = "The retriever's name, or its identifier"),
        ("X-Session-ID" = Option<String>, Header, description = "The session, where an interaction names none")
    ),
    request_body = PublicInteractionBatchRequest,
    responses((status = 200, description = "What became of each", body = BulkInteractionsResponse), Refusals)
)]
async fn create_several_public(
    State(app): State<App>,
    Writer(principal): Writer,
    Path(name): Path<String>,
    headers: HeaderMap,
    Json(asked): Json<PublicInteractionBatchRequest>,
) -> Result<axum::Json<BulkInteractionsResponse>, ApiError> {
    let retriever = retrievers::published(&app, &principal.organisation, &name).await?;
    let session = session(&headers);
    let interactions =
        asked.interactions.into_iter().map(|asked| asked.into_interaction(&retriever.id, session)).collect();
    create_all(&app, &principal.organisation, &retriever.namespace, interactions, MOST_PUBLIC).await
}

fn session(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-session-id")?.to_str().ok().filter(|session| !session.is_empty())
}

async fn create_one(
    app: &App,
    organisation: &str,
    namespace: &str,
    interaction: SearchInteraction,
) -> Result<axum::Json<InteractionResponse>, ApiError> {
    let kept = store::put(app, organisation, namespace, vec![interaction]).await?;
    let kept = kept.into_iter().next().ok_or_else(|| ApiError::internal("no interaction was kept"))?;
    Ok(axum::Json(kept?.shown))
}

async fn create_all(
    app: &App,
    organisation: &str,
    namespace: &str,
    interactions: Vec<SearchInteraction>,
    most: usize,
) -> Result<axum::Json<BulkInteractionsResponse>, ApiError> {
    if !(1..=most).contains(&interactions.len()) {
        let message = format!("{} interactions are given; expected 1 to {most}", interactions.len());
        return Err(ApiError::invalid(&["body", "interactions"], "list_length", message));
    }
    let mut response = BulkInteractionsResponse::default();
    for (index, kept) in (0..).zip(store::put(app, organisation, namespace, interactions).await?) {
        let (interaction_id, status, deduplicated) = match kept {
            Ok(kept) => {
                response.created += u32::from(!kept.shown.deduplicated);
                (kept.id, "created", kept.shown.deduplicated)
            }
            Err(error) => {
                response.failed += 1;
                response.errors.push(format!("{index}: {}", error.message));
                (String::new(), "failed", false)
            }
        };
        let status = status.to_owned();
        response.results.push(BulkInteractionItemResult { index, interaction_id, status, deduplicated });
    }
    Ok(axum::Json(response))
}
