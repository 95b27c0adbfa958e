//! Routes of evaluations.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::job::EvaluationJob;
use super::model::{
    EvaluationConfig, EvaluationListResponse, EvaluationQuery, EvaluationRecord, EvaluationStatus,
    StartEvaluationRequest, StartEvaluationResponse,
};
use super::store::NewEvaluation;
use super::{datasets, store};
use crate::App;
use crate::mixpeek::refusal::Refusals;
use crate::mixpeek::retrievers::store as retrievers;
use crate::mixpeek::scope::{Namespace, NamespaceHeader};
use crate::platform::auth::{Reader, Writer};
use crate::platform::error::ApiError;
use crate::platform::extract::{Json, Path, Query};

/// Returns the routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(discover)).routes(routes!(start, list)).routes(routes!(get))
}

/// Where evaluations are.
#[derive(Debug, Serialize, ToSchema)]
pub struct EvaluationEndpoints {
    /// In words.
    pub message: String,
    /// Method and path by what it does.
    pub endpoints: BTreeMap<String, String>,
}

/// Says where evaluations are: datasets belong to a namespace, evaluations to a retriever.
#[utoipa::path(
    get,
    path = "/v1/evaluations",
    operation_id = "discover_evaluations",
    security(("token" = ["read"])),
    responses((status = 200, description = "Where they are", body = EvaluationEndpoints), Refusals)
)]
async fn discover(_: Reader) -> axum::Json<EvaluationEndpoints> {
    let endpoints = [
        ("create_dataset", "POST /v1/retrievers/evaluations/datasets"),
        ("list_datasets", "GET /v1/retrievers/evaluations/datasets"),
        ("get_dataset", "GET /v1/retrievers/evaluations/datasets/{dataset_identifier}"),
        ("generate_dataset", "POST /v1/retrievers/{retriever_id}/evaluations/generate-from-interactions"),
        ("start_evaluation", "POST /v1/retrievers/{retriever_id}/evaluations"),
        ("list_evaluations", "GET /v1/retrievers/{retriever_id}/evaluations"),
        ("get_evaluation", "GET /v1/retrievers/{retriever_id}/evaluations/{evaluation_id}"),
        ("score_predictions", "POST /v1/evaluations/score"),
    ];
    axum::Json(EvaluationEndpoints {
        message: "datasets belong to a namespace, evaluations to a retriever".to_owned(),
        endpoints: endpoints.map(|(name, route)| (name.to_owned(), route.to_owned())).into(),
    })
}

/// Begins the evaluation of a retriever over a dataset, which runs when its turn comes.
#[utoipa::path(
    post,
    path = "/v1/retrievers/{retriever_id}/evaluations",
    operation_id = "start_evaluation_retrievers",
    security(("token" = ["write"])),
    params(NamespaceHeader, ("retriever_id" = String, Path, description = "The retriever")),
    request_body = StartEvaluationRequest,
    responses((status = 202, description = "It waits for its turn", body = StartEvaluationResponse), Refusals)
)]
async fn start(
    State(app): State<App>,
    Writer(principal): Writer,
    Namespace(namespace): Namespace,
    Path(id): Path<String>,
    Json(asked): Json<StartEvaluationRequest>,
) -> Result<(StatusCode, axum::Json<StartEvaluationResponse>), ApiError> {
    let organisation = &principal.organisation;
    let config = EvaluationConfig::filled(asked.evaluation_config)?;
    let retriever = retrievers::get(&app, organisation, &namespace, &id).await?;
    let dataset = datasets::get(&app, organisation, &namespace, &asked.dataset_name).await?;
    if let Some(baseline) = &asked.baseline_evaluation_id {
        let baseline = store::find(&app, organisation, &namespace, baseline).await?;
        check_baseline(&baseline, &dataset.dataset_id, &config)?;
    }
    let job = EvaluationJob {
        namespace,
        retriever: retriever.section,
        dataset: dataset.dataset_id,
        query_count: dataset.query_count,
        config,
        baseline: asked.baseline_evaluation_id,
    };
    let new = NewEvaluation { retriever: id, dataset_name: dataset.dataset_name, job };
    let begun = store::create(&app, organisation, new).await?;
    let response = StartEvaluationResponse {
        task_id: begun.evaluation_id.clone(),
        evaluation_id: begun.evaluation_id,
        task_type: "retriever.evaluation".to_owned(),
        status: "pending".to_owned(),
        created_at: begun.created_at,
    };
    Ok((StatusCode::ACCEPTED, axum::Json(response)))
}

/// Checks that the numbers of a baseline are about the same as those of an evaluation will be.
fn check_baseline(baseline: &EvaluationRecord, dataset: &str, config: &EvaluationConfig) -> Result<(), ApiError> {
    let id = &baseline.evaluation_id;
    let message = if baseline.dataset_id != dataset {
        format!("`{id}` is an evaluation over another dataset, which says nothing about this one")
    } else if baseline.status != EvaluationStatus::Completed {
        let status = baseline.status.name();
        format!("the baseline `{id}` is `{status}`, and only a completed evaluation has numbers to be held against")
    } else if baseline.config.k_values != config.k_values {
        let list = |config: &EvaluationConfig| {
            let cutoffs: Vec<String> = config.k_values.iter().flatten().map(ToString::to_string).collect();
            cutoffs.join(", ")
        };
        format!(
            "the baseline `{id}` was evaluated with the `k_values` {}, and this evaluation is asked for with {}; means at \
             different cutoffs cannot be compared: give the baseline's `k_values`",
            list(&baseline.config),
            list(config)
        )
    } else {
        return Ok(());
    };
    Err(ApiError::invalid(&["body", "baseline_evaluation_id"], "value_error", message))
}

/// Lists the evaluations of a retriever, oldest first.
#[utoipa::path(
    get,
    path = "/v1/retrievers/{retriever_id}/evaluations",
    operation_id = "list_evaluations_retrievers",
    security(("token" = ["read"])),
    params(NamespaceHeader, EvaluationQuery, ("retriever_id" = String, Path, description = "The retriever")),
    responses((status = 200, description = "A page of them", body = EvaluationListResponse), Refusals)
)]
async fn list(
    State(app): State<App>,
    Reader(principal): Reader,
    Namespace(namespace): Namespace,
    Path(id): Path<String>,
    Query(query): Query<EvaluationQuery>,
) -> Result<axum::Json<EvaluationListResponse>, ApiError> {
    retrievers::get(&app, &principal.organisation, &namespace, &id).await?;
    store::list(&app, &principal.organisation, &namespace, &id, &query).await.map(axum::Json)
}

/// Returns an evaluation: where it stands, and its metrics once it is completed.
#[utoipa::path(
    get,
    path = "/v1/retrievers/{retriever_id}/evaluations/{evaluation_id}",
    operation_id = "get_evaluation_retrievers",
    security(("token" = ["read"])),
    params(
        NamespaceHeader,
        ("retriever_id" = String, Path, description = "The retriever"),
        ("evaluation_id" = String, Path, description = "The evaluation")
    ),
    responses((status = 200, description = "The evaluation", body = EvaluationRecord), Refusals)
)]
async fn get(
    State(app): State<App>,
    Reader(principal): Reader,
    Namespace(namespace): Namespace,
    Path((retriever, id)): Path<(String, String)>,
) -> Result<axum::Json<EvaluationRecord>, ApiError> {
    store::get(&app, &principal.organisation, &namespace, (&retriever, &id)).await.map(axum::Json)
}
