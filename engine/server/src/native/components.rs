//! `/v1/components`: scorers and stages of retrievers, as WebAssembly.

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use rematch_engine::benchmark::Limits;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::artifacts::stream;
use super::files::{room, unreadable};
use super::pages::{Page, PageQuery, limit};
use super::problem::Refusals;
use crate::App;
use crate::catalog::components::{self, ComponentRecord};
use crate::catalog::{Kept, Upload};
use crate::jobs::Worker;
use crate::platform::auth::{Reader, Writer};
use crate::platform::error::ApiError;
use crate::platform::extract::{Path, Query};
use crate::platform::page::{no_cursor, rfc3339};
use crate::worker::{ComponentOrder, Order};

/// A component that was brought.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Component {
    /// Its name; a benchmark names it `NAME@VERSION`.
    name: String,
    /// Its version.
    version: String,
    /// The SHA-256 of the file, in hexadecimal digits.
    sha256: String,
    /// Its size, bytes.
    bytes: u64,
    /// What it imports and exports, and what made it.
    #[schema(value_type = Object)]
    inspection: Value,
    /// What it says of itself: its world, metrics and needs; null where it wants parameters before it says anything.
    #[schema(value_type = Option<Object>)]
    description: Value,
    /// When it was brought.
    #[schema(format = DateTime)]
    created_at: String,
}

impl From<ComponentRecord> for Component {
    fn from(mut record: ComponentRecord) -> Self {
        let mut take = |key: &str| record.found.get_mut(key).map(Value::take).unwrap_or_default();
        Self {
            inspection: take("inspection"),
            description: take("description"),
            name: record.name,
            version: record.version,
            sha256: record.sha256,
            bytes: record.bytes,
            created_at: rfc3339(record.created_at),
        }
    }
}

/// Bring a component
///
/// The body is a WebAssembly component that exports a scorer, a retriever or a re-ranker of `rematch:scoring`. It is checked,
/// compiled within limits, and asked what it is, in a process of its own; one that fails at that is refused with what is wrong.
/// A version is given once: the same file again is 200, another is 409.
#[utoipa::path(
    put, path = "/v1/components/{name}/{version}", operation_id = "put_component", tag = "components",
    security(("token" = ["write"])),
    params(
        ("name" = String, Path, description = "At most 64 lower-case letters, digits and `-_.`, with a letter or a digit first"),
        ("version" = String, Path, description = "Three numbers such as `1.2.0`")
    ),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 201, description = "It is kept", body = Component),
        (status = 200, description = "The same file was there", body = Component),
        (status = 408, description = "The body stopped coming", body = super::problem::Problem, content_type = "application/problem+json"),
        Refusals
    )
)]
pub(super) async fn put(
    State(app): State<App>,
    Writer(principal): Writer,
    Path((name, version)): Path<(String, String)>,
    request: Request,
) -> Result<Response, ApiError> {
    components::check(&name, &version)?;
    let organisation = &principal.organisation;
    let most = Limits::default().component_bytes.min(app.settings().limits.upload_bytes);
    let most = room(&app, organisation, request.headers(), most).await?;
    let upload = Upload::receive(&app, organisation, "component.wasm", request.into_body(), most).await?;
    let order = Order::Component(ComponentOrder { path: upload.path() });
    let found = Worker::of_request(&app, organisation).answer(&order).await;
    let found = found.map_err(|error| {
        let mut refused = unreadable(error);
        if refused.code == "unreadable_file" {
            refused.code = "unusable_component";
        }
        refused
    })?;
    let (component, kept) = components::keep(&app, organisation, (&name, &version), upload, found).await?;
    let status = if kept == Kept::Created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(Component::from(component))).into_response())
}

/// List components
///
/// By name and version.
#[utoipa::path(
    get, path = "/v1/components", operation_id = "list_components", tag = "components", security(("token" = ["read"])),
    params(PageQuery),
    responses((status = 200, description = "A page of them", body = Page<Component>), Refusals)
)]
pub(super) async fn list(
    State(app): State<App>,
    Reader(principal): Reader,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Component>>, ApiError> {
    let limit = limit(query.limit)?;
    let after = query.cursor.filter(|cursor| !cursor.is_empty()).map(|cursor| {
        let (name, version) = cursor.split_once('@').ok_or_else(no_cursor)?;
        Ok::<_, ApiError>((name.to_owned(), version.to_owned()))
    });
    let after = after.transpose()?;
    let found = components::list(&app, &principal.organisation, after, limit + 1).await?;
    let cursor = |component: &ComponentRecord| format!("{}@{}", component.name, component.version);
    Ok(Json(Page::of(found, limit, cursor, Component::from)))
}

/// Get a component
///
/// What it is; the file is at `/content`.
#[utoipa::path(
    get, path = "/v1/components/{name}/{version}", operation_id = "get_component", tag = "components",
    security(("token" = ["read"])),
    params(("name" = String, Path, description = "Its name"), ("version" = String, Path, description = "Its version")),
    responses((status = 200, description = "The component", body = Component), Refusals)
)]
pub(super) async fn get(
    State(app): State<App>,
    Reader(principal): Reader,
    Path((name, version)): Path<(String, String)>,
) -> Result<Json<Component>, ApiError> {
    Ok(Json(components::get(&app, &principal.organisation, &name, &version).await?.into()))
}

/// Get a component's file
///
/// A `Range` of bytes may be asked for.
#[utoipa::path(
    get, path = "/v1/components/{name}/{version}/content", operation_id = "get_component_content", tag = "components",
    security(("token" = ["read"])),
    params(("name" = String, Path, description = "Its name"), ("version" = String, Path, description = "Its version")),
    responses(
        (status = 200, description = "The file", body = Vec<u8>, content_type = "application/wasm"),
        (status = 206, description = "The range that was asked for", body = Vec<u8>, content_type = "application/wasm"),
        (status = 416, description = "No such range", body = super::problem::Problem, content_type = "application/problem+json"),
        Refusals
    )
)]
pub(super) async fn content(
    State(app): State<App>,
    Reader(principal): Reader,
    Path((name, version)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response<Body>, ApiError> {
    let found = components::get(&app, &principal.organisation, &name, &version).await?;
    let path = components::place(&app, &principal.organisation, &found.name, &found.version)?;
    stream(&path, "application/wasm", &headers).await
}

/// Remove a component
///
/// Runs that have ended are not touched; one that waits or runs with it fails.
#[utoipa::path(
    delete, path = "/v1/components/{name}/{version}", operation_id = "delete_component", tag = "components",
    security(("token" = ["write"])),
    params(("name" = String, Path, description = "Its name"), ("version" = String, Path, description = "Its version")),
    responses((status = 204, description = "It is gone"), Refusals)
)]
pub(super) async fn delete(
    State(app): State<App>,
    Writer(principal): Writer,
    Path((name, version)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    components::remove(&app, &principal.organisation, &name, &version).await?;
    Ok(StatusCode::NO_CONTENT)
}
