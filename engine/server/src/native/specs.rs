//! `/v1/specs`: benchmarks that are kept, to be run again and again.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::pages::{Page, PageQuery, limit};
use super::problem::Refusals;
use super::submission::{Benchmark, check};
use crate::App;
use crate::catalog::specs::{self, SpecRecord};
use crate::catalog::{Kept, check_name};
use crate::platform::auth::{Reader, Writer};
use crate::platform::error::ApiError;
use crate::platform::extract::{Json as Body, Path, Query};
use crate::platform::page::rfc3339;

/// A benchmark that is kept.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Spec {
    /// Its name here, by which a run is posted: `{"spec": "NAME"}`.
    name: String,
    /// As it was sent; not in a list.
    #[schema(value_type = Option<Object>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    written: Option<Value>,
    /// The retriever that serves today, the candidates, the metrics.
    #[schema(value_type = Object)]
    summary: Value,
    /// When it was kept first.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it was changed last.
    #[schema(format = DateTime)]
    updated_at: String,
}

impl From<SpecRecord> for Spec {
    fn from(record: SpecRecord) -> Self {
        let SpecRecord { name, body, summary, created_at, updated_at } = record;
        Self { name, written: body, summary, created_at: rfc3339(created_at), updated_at: rfc3339(updated_at) }
    }
}

/// Keep a benchmark
///
/// Checks it as a run would be checked, and keeps it under a name, new or changed. Runs that were posted before go on with what
/// it was then.
#[utoipa::path(
    put, path = "/v1/specs/{name}", operation_id = "put_spec", tag = "runs", security(("token" = ["write"])),
    params(("name" = String, Path, description = "1 to 128 letters, digits, `.`, `-` and `_`, no `.` in front")),
    request_body = Benchmark,
    responses(
        (status = 201, description = "It is new", body = Spec),
        (status = 200, description = "It was there, and is as you say now", body = Spec),
        Refusals
    )
)]
pub(super) async fn put(
    State(app): State<App>,
    Writer(principal): Writer,
    Path(name): Path<String>,
    Body(body): Body<Benchmark>,
) -> Result<(StatusCode, Json<Spec>), ApiError> {
    check_name("spec", &name)?;
    let body = body.found(&app, &principal.organisation).await?;
    let checked = check(&app, &principal.organisation, &body, true, None).await?;
    let (spec, kept) = specs::put(&app, &principal.organisation, &name, json!(body), checked.summary).await?;
    let status = if kept == Kept::Created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(spec.into())))
}

/// List benchmarks
///
/// By name.
#[utoipa::path(
    get, path = "/v1/specs", operation_id = "list_specs", tag = "runs", security(("token" = ["read"])),
    params(PageQuery),
    responses((status = 200, description = "A page of them", body = Page<Spec>), Refusals)
)]
pub(super) async fn list(
    State(app): State<App>,
    Reader(principal): Reader,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Spec>>, ApiError> {
    let limit = limit(query.limit)?;
    let found = specs::list(&app, &principal.organisation, query.cursor, limit + 1).await?;
    Ok(Json(Page::of(found, limit, |spec| spec.name.clone(), Spec::from)))
}

/// Get a benchmark
#[utoipa::path(
    get, path = "/v1/specs/{name}", operation_id = "get_spec", tag = "runs", security(("token" = ["read"])),
    params(("name" = String, Path, description = "The benchmark's name")),
    responses((status = 200, description = "The benchmark", body = Spec), Refusals)
)]
pub(super) async fn get(
    State(app): State<App>,
    Reader(principal): Reader,
    Path(name): Path<String>,
) -> Result<Json<Spec>, ApiError> {
    Ok(Json(specs::get(&app, &principal.organisation, &name).await?.into()))
}

/// Remove a benchmark
///
/// Its runs stay.
#[utoipa::path(
    delete, path = "/v1/specs/{name}", operation_id = "delete_spec", tag = "runs", security(("token" = ["write"])),
    params(("name" = String, Path, description = "The benchmark's name")),
    responses((status = 204, description = "It is gone"), Refusals)
)]
pub(super) async fn delete(
    State(app): State<App>,
    Writer(principal): Writer,
    Path(name): Path<String>,
) -> Result<StatusCode, ApiError> {
    specs::remove(&app, &principal.organisation, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
