//! `/v1/corpora`: tables of documents that retrievers search.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::pages::{Page, PageQuery, limit};
use super::problem::Refusals;
use crate::App;
use crate::catalog::corpora::{self, CorpusRecord};
use crate::catalog::{Kept, files};
use crate::platform::auth::{Reader, Writer};
use crate::platform::error::ApiError;
use crate::platform::extract::{Json as Body, Path, Query};
use crate::platform::page::rfc3339;

/// A corpus, as a section of a benchmark file has it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewCorpus {
    /// The name of a file of documents: Parquet, JSON lines or CSV. `files/NAME` is the same.
    path: String,
    /// The column that holds the item's id.
    id: String,
}

/// A corpus.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Corpus {
    /// Its name, which stages of retrievers name.
    name: String,
    /// The name of its file.
    path: String,
    /// The column that holds the item's id.
    id: String,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
}

impl From<CorpusRecord> for Corpus {
    fn from(record: CorpusRecord) -> Self {
        let text = |key: &str| record.body.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self { path: text("path"), id: text("id"), name: record.name, created_at: rfc3339(record.created_at) }
    }
}

/// Make or change a corpus
///
/// Names a file and the column of its ids, so that benchmarks and retrievers can name the corpus. Runs that were posted before
/// go on with what it was then.
#[utoipa::path(
    put, path = "/v1/corpora/{name}", operation_id = "put_corpus", tag = "files", security(("token" = ["write"])),
    params(("name" = String, Path, description = "1 to 128 letters, digits, `.`, `-` and `_`, no `.` in front")),
    request_body = NewCorpus,
    responses(
        (status = 201, description = "It is new", body = Corpus),
        (status = 200, description = "It was there, and is as you say now", body = Corpus),
        Refusals
    )
)]
pub(super) async fn put(
    State(app): State<App>,
    Writer(principal): Writer,
    Path(name): Path<String>,
    Body(body): Body<NewCorpus>,
) -> Result<(StatusCode, Json<Corpus>), ApiError> {
    let file = body.path.strip_prefix("files/").unwrap_or(&body.path);
    if let Some(known) = files::get(&app, &principal.organisation, file).await? {
        check_column(&known.found, file, &body.id)?;
    }
    let (corpus, kept) = corpora::put(&app, &principal.organisation, &name, file, &body.id).await?;
    let status = if kept == Kept::Created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(corpus.into())))
}

fn check_column(found: &Value, file: &str, id: &str) -> Result<(), ApiError> {
    let columns = found.get("columns").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let names: Vec<&str> = columns.iter().filter_map(|column| column.get("name")?.as_str()).collect();
    if names.is_empty() || names.contains(&id) {
        return Ok(());
    }
    let message = format!("`{file}` has no column `{id}`; it has `{}`", names.join("`, `"));
    Err(ApiError::invalid(&["body", "id"], "not_found", message))
}

/// List corpora
///
/// By name.
#[utoipa::path(
    get, path = "/v1/corpora", operation_id = "list_corpora", tag = "files", security(("token" = ["read"])),
    params(PageQuery),
    responses((status = 200, description = "A page of them", body = Page<Corpus>), Refusals)
)]
pub(super) async fn list(
    State(app): State<App>,
    Reader(principal): Reader,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Corpus>>, ApiError> {
    let limit = limit(query.limit)?;
    let found = corpora::list(&app, &principal.organisation, query.cursor, limit + 1).await?;
    Ok(Json(Page::of(found, limit, |corpus| corpus.name.clone(), Corpus::from)))
}

/// Get a corpus
#[utoipa::path(
    get, path = "/v1/corpora/{name}", operation_id = "get_corpus", tag = "files", security(("token" = ["read"])),
    params(("name" = String, Path, description = "The corpus's name")),
    responses((status = 200, description = "The corpus", body = Corpus), Refusals)
)]
pub(super) async fn get(
    State(app): State<App>,
    Reader(principal): Reader,
    Path(name): Path<String>,
) -> Result<Json<Corpus>, ApiError> {
    Ok(Json(corpora::get(&app, &principal.organisation, &name).await?.into()))
}

/// Remove a corpus
///
/// Its file stays.
#[utoipa::path(
    delete, path = "/v1/corpora/{name}", operation_id = "delete_corpus", tag = "files", security(("token" = ["write"])),
    params(("name" = String, Path, description = "The corpus's name")),
    responses((status = 204, description = "It is gone"), Refusals)
)]
pub(super) async fn delete(
    State(app): State<App>,
    Writer(principal): Writer,
    Path(name): Path<String>,
) -> Result<StatusCode, ApiError> {
    corpora::remove(&app, &principal.organisation, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
