//! Routes of datasets.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::{CreateDatasetRequest, DatasetListResponse, EvaluationDataset, GenerateFromInteractionsRequest};
use super::{datasets, generate};
use crate::App;
use crate::mixpeek::page::PageQuery;
use crate::mixpeek::refusal::Refusals;
use crate::mixpeek::retrievers::store as retrievers;
use crate::mixpeek::scope::{MadeStatus, Namespace, NamespaceHeader};
use crate::platform::auth::{Reader, Writer};
use crate::platform::error::ApiError;
use crate::platform::extract::{Json, Path, Query};

/// Returns the routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create, list)).routes(routes!(get)).routes(routes!(from_interactions))
}

/// Keeps a dataset: queries whose relevant documents are known.
#[utoipa::path(
    post,
    path = "/v1/retrievers/evaluations/datasets",
    operation_id = "create_dataset_retrievers_evaluations",
    security(("token" = ["write"])),
    params(NamespaceHeader),
    request_body = CreateDatasetRequest,
    responses(
        (status = 200, description = "It is kept", body = EvaluationDataset),
        (status = 201, description = "It is kept, for generated clients up to 1.3.782", body = EvaluationDataset),
        Refusals
    )
)]
async fn create(
    State(app): State<App>,
    Writer(principal): Writer,
    Namespace(namespace): Namespace,
    MadeStatus(status): MadeStatus,
    Json(asked): Json<CreateDatasetRequest>,
) -> Result<Response, ApiError> {
    let made = datasets::put(&app, &principal.organisation, &namespace, asked).await?;
    Ok((status, axum::Json(made)).into_response())
}

/// Lists the datasets of the namespace, oldest first.
#[utoipa::path(
    get,
    path = "/v1/retrievers/evaluations/datasets",
    operation_id = "list_datasets_retrievers_evaluations",
    security(("token" = ["read"])),
    params(NamespaceHeader, PageQuery),
    responses((status = 200, description = "A page of them", body = DatasetListResponse), Refusals)
)]
async fn list(
    State(app): State<App>,
    Reader(principal): Reader,
    Namespace(namespace): Namespace,
    Query(query): Query<PageQuery>,
) -> Result<axum::Json<DatasetListResponse>, ApiError> {
    datasets::list(&app, &principal.organisation, &namespace, query).await.map(axum::Json)
}

/// Returns a dataset.
#[utoipa::path(
    get,
    path = "/v1/retrievers/evaluations/datasets/{dataset_identifier}",
    operation_id = "get_dataset_retrievers_evaluations",
    security(("token" = ["read"])),
    params(NamespaceHeader, ("dataset_identifier" = String, Path, description = "Its identifier or its name")),
    responses((status = 200, description = "The dataset", body = EvaluationDataset), Refusals)
)]
async fn get(
    State(app): State<App>,
    Reader(principal): Reader,
    Namespace(namespace): Namespace,
    Path(wanted): Path<String>,
) -> Result<axum::Json<EvaluationDataset>, ApiError> {
    datasets::get(&app, &principal.organisation, &namespace, &wanted).await.map(axum::Json)
}

/// Makes a dataset of the interactions with a retriever.
///
/// Queries are the different inputs of its executions (or `query_snapshot`s); relevant is what positive interactions are about.
#[utoipa::path(
    post,
    path = "/v1/retrievers/{retriever_id}/evaluations/generate-from-interactions",
    operation_id = "generate_dataset_from_interactions_retrievers_id_evaluations",
    security(("token" = ["write"])),
    params(NamespaceHeader, ("retriever_id" = String, Path, description = "The retriever")),
    request_body = GenerateFromInteractionsRequest,
    responses(
        (status = 200, description = "The dataset", body = EvaluationDataset),
        (status = 201, description = "The dataset, for generated clients up to 1.3.782", body = EvaluationDataset),
        Refusals
    )
)]
async fn from_interactions(
    State(app): State<App>,
    Writer(principal): Writer,
    Namespace(namespace): Namespace,
    MadeStatus(status): MadeStatus,
    Path(id): Path<String>,
    Json(asked): Json<GenerateFromInteractionsRequest>,
) -> Result<Response, ApiError> {
    retrievers::get(&app, &principal.organisation, &namespace, &id).await?;
    let dataset = generate::generate(&app, &principal.organisation, &namespace, &id, asked).await?;
    let made = datasets::put(&app, &principal.organisation, &namespace, dataset).await?;
    Ok((status, axum::Json(made)).into_response())
}
