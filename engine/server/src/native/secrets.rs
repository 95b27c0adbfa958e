//! `/v1/secrets`: what retrievers need to get in elsewhere.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::pages::{Page, PageQuery, limit};
use super::problem::Refusals;
use crate::App;
use crate::catalog::Kept;
use crate::catalog::secrets::{self, SecretRecord};
use crate::platform::auth::{Administrator, Reader};
use crate::platform::error::ApiError;
use crate::platform::extract::{Json as Body, Path, Query};
use crate::platform::page::rfc3339;

/// A secret, without itself.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Secret {
    /// Its name, which a benchmark puts where it would name an environment variable: `bearer-env = "NAME"`.
    name: String,
    /// When it was kept first.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it was given last.
    #[schema(format = DateTime)]
    updated_at: String,
}

impl From<SecretRecord> for Secret {
    fn from(record: SecretRecord) -> Self {
        let SecretRecord { name, created_at, updated_at } = record;
        Self { name, created_at: rfc3339(created_at), updated_at: rfc3339(updated_at) }
    }
}

/// A secret that is given. It is not shown again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewSecret {
    /// A token, a password, a URL with one: at most 16 KiB.
    #[schema(write_only, format = Password, min_length = 1, max_length = 16384, pattern = "^[^\\x00]*[^\\s\\x00][^\\x00]*$")]
    value: String,
}

/// Keep a secret
///
/// What HTTP and Postgres retrievers need: a benchmark names it where the command line would name an environment variable. It
/// is kept encrypted, handed to the processes of this organisation's runs and searches, and never shown again.
#[utoipa::path(
    put, path = "/v1/secrets/{name}", operation_id = "put_secret", tag = "secrets", security(("token" = ["admin"])),
    params(("name" = String, Path, description = "1 to 128 letters, digits and `_`, no digit in front")),
    request_body = NewSecret,
    responses(
        (status = 201, description = "It is new", body = Secret),
        (status = 200, description = "It was there, and is as you say now", body = Secret),
        Refusals
    )
)]
pub(super) async fn put(
    State(app): State<App>,
    Administrator(principal): Administrator,
    Path(name): Path<String>,
    Body(body): Body<NewSecret>,
) -> Result<(StatusCode, Json<Secret>), ApiError> {
    let (secret, kept) = secrets::put(&app, &principal.organisation, &name, &body.value).await?;
    let status = if kept == Kept::Created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(secret.into())))
}

/// List secrets
///
/// Their names; what they are is never shown.
#[utoipa::path(
    get, path = "/v1/secrets", operation_id = "list_secrets", tag = "secrets", security(("token" = ["read"])),
    params(PageQuery),
    responses((status = 200, description = "A page of them", body = Page<Secret>), Refusals)
)]
pub(super) async fn list(
    State(app): State<App>,
    Reader(principal): Reader,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Secret>>, ApiError> {
    let limit = limit(query.limit)?;
    let found = secrets::list(&app, &principal.organisation, query.cursor, limit + 1).await?;
    Ok(Json(Page::of(found, limit, |secret| secret.name.clone(), Secret::from)))
}

/// Remove a secret
///
/// Runs that go on keep what they were handed.
#[utoipa::path(
    delete, path = "/v1/secrets/{name}", operation_id = "delete_secret", tag = "secrets", security(("token" = ["admin"])),
    params(("name" = String, Path, description = "The secret's name")),
    responses((status = 204, description = "It is gone"), Refusals)
)]
pub(super) async fn delete(
    State(app): State<App>,
    Administrator(principal): Administrator,
    Path(name): Path<String>,
) -> Result<StatusCode, ApiError> {
    secrets::remove(&app, &principal.organisation, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
