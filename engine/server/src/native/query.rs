//! `/v1/runs/{id}/query`: SQL over the tables of a run.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::pages::limit;
use super::problem::Refusals;
use super::runs::{directory, find_finished};
use crate::App;
use crate::jobs::{Worker, WorkerError};
use crate::platform::auth::Reader;
use crate::platform::error::ApiError;
use crate::platform::extract::{Json as Body, Path};
use crate::worker::{Order, QueryOrder};

/// A query.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct QueryRequest {
    /// One `SELECT` over `sessions`, `rankings`, `scenario_scores`, `comparisons`, `taxonomy` and `judge_next`.
    sql: String,
    /// Rows of the answer; 1000 where it is not given.
    #[schema(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// A column of an answer.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct Column {
    /// Its name.
    name: String,
    /// Its type, as Arrow names it.
    #[serde(rename = "type")]
    kind: String,
}

/// The answer to a query.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct QueryAnswer {
    /// The columns, in order.
    columns: Vec<Column>,
    /// An object per row.
    #[schema(value_type = Vec<Object>)]
    rows: Vec<Value>,
    /// Whether there are more rows than these.
    truncated: bool,
    /// The most rows that the answer may have.
    limit: u32,
}

/// Query a run by SQL
///
/// One `SELECT` over the tables of a completed run. It runs in a process of its own, with limits of time and memory, reads
/// those tables and nothing else, and writes nothing; its answer has at most 1000 rows, and says whether there are more.
#[utoipa::path(
    post, path = "/v1/runs/{id}/query", operation_id = "query_run", tag = "runs", security(("token" = ["read"])),
    params(("id" = String, Path, description = "The run")),
    request_body = QueryRequest,
    responses((status = 200, description = "The answer", body = QueryAnswer), Refusals)
)]
pub(super) async fn query(
    State(app): State<App>,
    Reader(principal): Reader,
    Path(id): Path<String>,
    Body(body): Body<QueryRequest>,
) -> Result<Json<QueryAnswer>, ApiError> {
    let limit = limit(Some(body.limit.unwrap_or(1000)))?;
    let run = directory(&app, &find_finished(&app, &principal.organisation, &id).await?);
    // Shorter than the worker lives, so that the query and not the process is what takes too long.
    let time = app.settings().worker.request_time.mul_f64(0.8);
    let order = Order::Query(QueryOrder { run, sql: body.sql, limit, time });
    let answer = Worker::of_request(&app, &principal.organisation).answer(&order).await.map_err(refused)?;
    serde_json::from_value(answer).map(Json).map_err(ApiError::internal)
}

fn refused(error: WorkerError) -> ApiError {
    const KNOWN: [&str; 4] = ["invalid_query", "query_timeout", "query_memory", "answer_too_large"];
    match error {
        WorkerError::Failed { code, message } => match KNOWN.into_iter().find(|known| *known == code) {
            Some(code) => {
                let mut refused = ApiError::invalid(&["body", "sql"], code, message);
                refused.code = code;
                refused
            }
            None => ApiError::internal(message),
        },
        WorkerError::Died { .. } | WorkerError::Broke { .. } => {
            ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "query_died", error.to_string())
        }
        WorkerError::TooLong { .. } => {
            ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "query_timeout", error.to_string())
        }
        other => other.into(),
    }
}
