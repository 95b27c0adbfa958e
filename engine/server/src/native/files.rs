//! `/v1/files`: sessions, documents, rankings, whatever a benchmark reads.

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::artifacts::stream;
use super::pages::{Page, PageQuery, limit};
use super::problem::Refusals;
use crate::App;
use crate::catalog::files::{self, FileRecord};
use crate::catalog::{self, Kept, Storage, Upload, check_file_name, check_storage};
use crate::jobs::{Worker, WorkerError};
use crate::platform::auth::{Reader, Writer};
use crate::platform::error::ApiError;
use crate::platform::extract::{Path, Query};
use crate::platform::page::rfc3339;
use crate::worker::{InspectOrder, Order};

/// A file that was brought.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct File {
    /// Its name; a benchmark names it `files/NAME`.
    name: String,
    /// Its size, bytes.
    bytes: u64,
    /// The SHA-256 of its content, in hexadecimal digits.
    sha256: String,
    /// What it is: `sessions`, `documents`, `trec_run`, ...
    kind: Option<String>,
    /// How it is written: `parquet`, `jsonl`, `csv`, ...
    format: Option<String>,
    /// Its rows.
    rows: Option<u64>,
    /// All that a look into it found: columns, counts, and what is dirty, worst first.
    #[schema(value_type = Object)]
    inspection: Value,
    /// When it was brought.
    #[schema(format = DateTime)]
    created_at: String,
}

impl From<FileRecord> for File {
    fn from(record: FileRecord) -> Self {
        let text = |key: &str| record.found.get(key).and_then(Value::as_str).map(ToOwned::to_owned);
        Self {
            kind: text("kind"),
            format: text("format"),
            rows: record.found.get("rows").and_then(Value::as_u64),
            name: record.name,
            bytes: record.bytes,
            sha256: record.sha256,
            inspection: record.found,
            created_at: rfc3339(record.created_at),
        }
    }
}

/// Bring a file
///
/// The body is the file as it is: Parquet, Arrow, JSON lines or CSV in the session schema, documents, TREC runs, judgments and
/// topics, UBI logs; text may be compressed with gzip. It is looked into before it is kept; one that cannot be read is refused
/// with what is wrong, and nothing of it stays. A name is given once: the same content again is 200, other content is 409. Names
/// may have folders, `scifact/queries.jsonl`; a benchmark names a folder where it names a BEIR directory.
#[utoipa::path(
    put, path = "/v1/files/{name}", operation_id = "put_file", tag = "files", security(("token" = ["write"])),
    params(("name" = String, Path, description = "1 to 128 letters, digits, `.`, `-` and `_`, no `.` in front; up to four folders before it, `/` written as `%2F` or as it is")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 201, description = "It is kept", body = File),
        (status = 200, description = "The same content was there", body = File),
        (status = 408, description = "The body stopped coming", body = super::problem::Problem, content_type = "application/problem+json"),
        Refusals
    )
)]
pub(super) async fn put(
    State(app): State<App>,
    Writer(principal): Writer,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    check_file_name(&name)?;
    let organisation = &principal.organisation;
    let most = room(&app, organisation, request.headers(), app.settings().limits.upload_bytes).await?;
    let upload = Upload::receive(&app, organisation, &name, request.into_body(), most).await?;
    let order = Order::Inspect(InspectOrder { path: upload.path() });
    let found = Worker::of_request(&app, organisation).answer(&order).await.map_err(unreadable)?;
    let (file, kept) = files::keep(&app, organisation, &name, upload, found).await?;
    let status = if kept == Kept::Created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(File::from(file))).into_response())
}

/// Returns how many bytes may be sent. A body that says that it is larger than that, or than the organisation's room, is
/// refused before a byte of it is read; of others the room is looked at while they come.
pub(super) async fn room(app: &App, organisation: &str, headers: &HeaderMap, most: u64) -> Result<u64, ApiError> {
    let room = check_storage(app, organisation).await?;
    let said = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    match said {
        Some(said) if said > most => {
            let message = format!("the body has {said} bytes, and at most {most} may be sent here");
            Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message))
        }
        Some(said) if said > room => {
            let message =
                format!("the body has {said} bytes, and this organisation may keep {room} more; remove files or runs");
            Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "storage_quota", message))
        }
        _ => Ok(most),
    }
}

/// What is wrong with a file is wrong with the request that brought it.
pub(super) fn unreadable(error: WorkerError) -> ApiError {
    let refused = |code, message| ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, code, message);
    match error {
        WorkerError::Failed { ref code, ref message } if code != "internal" => {
            refused("unreadable_file", message.clone())
        }
        WorkerError::TooLong { .. } | WorkerError::Died { .. } | WorkerError::Broke { .. } => {
            refused("unreadable_file", format!("it cannot be looked into: {error}"))
        }
        other => other.into(),
    }
}

/// List files
///
/// By name.
#[utoipa::path(
    get, path = "/v1/files", operation_id = "list_files", tag = "files", security(("token" = ["read"])),
    params(PageQuery),
    responses((status = 200, description = "A page of them", body = Page<File>), Refusals)
)]
pub(super) async fn list(
    State(app): State<App>,
    Reader(principal): Reader,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<File>>, ApiError> {
    let limit = limit(query.limit)?;
    let found = files::list(&app, &principal.organisation, query.cursor, limit + 1).await?;
    Ok(Json(Page::of(found, limit, |file| file.name.clone(), File::from)))
}

/// Get a file
///
/// What it is; its content is at `/content`.
#[utoipa::path(
    get, path = "/v1/files/{name}", operation_id = "get_file", tag = "files", security(("token" = ["read"])),
    params(("name" = String, Path, description = "The file's name")),
    responses((status = 200, description = "The file", body = File), Refusals)
)]
pub(super) async fn get(
    State(app): State<App>,
    Reader(principal): Reader,
    Path(name): Path<String>,
) -> Result<Json<File>, ApiError> {
    let found = files::get(&app, &principal.organisation, &name).await?;
    Ok(Json(found.ok_or_else(|| ApiError::not_found("file", &name))?.into()))
}

/// Get a file's content
///
/// A `Range` of bytes may be asked for.
#[utoipa::path(
    get, path = "/v1/files/{name}/content", operation_id = "get_file_content", tag = "files", security(("token" = ["read"])),
    params(("name" = String, Path, description = "The file's name")),
    responses(
        (status = 200, description = "The content", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 206, description = "The range that was asked for", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 416, description = "No such range", body = super::problem::Problem, content_type = "application/problem+json"),
        Refusals
    )
)]
pub(super) async fn content(
    State(app): State<App>,
    Reader(principal): Reader,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response<Body>, ApiError> {
    let path = files::path(&app, &principal.organisation, &name).await?;
    stream(&path, "application/octet-stream", &headers).await
}

/// Remove a file
///
/// Runs that have ended keep what they need of it; one that waits or runs fails.
#[utoipa::path(
    delete, path = "/v1/files/{name}", operation_id = "delete_file", tag = "files", security(("token" = ["write"])),
    params(("name" = String, Path, description = "The file's name")),
    responses((status = 204, description = "It is gone"), Refusals)
)]
pub(super) async fn delete(
    State(app): State<App>,
    Writer(principal): Writer,
    Path(name): Path<String>,
) -> Result<StatusCode, ApiError> {
    files::remove(&app, &principal.organisation, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Get the organisation's storage
///
/// How much is kept here, and may be.
#[utoipa::path(
    get, path = "/v1/storage", operation_id = "get_storage", tag = "files", security(("token" = ["read"])),
    responses((status = 200, description = "How much", body = Storage), Refusals)
)]
pub(super) async fn storage(State(app): State<App>, Reader(principal): Reader) -> Result<Json<Storage>, ApiError> {
    catalog::storage(&app, &principal.organisation).await.map(Json)
}
