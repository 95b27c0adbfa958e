//! How much an organisation keeps here, and may.

use axum::http::StatusCode;
use rusqlite::{Connection, params};
use serde::Serialize;

use crate::App;
use crate::database::QueryError;
use crate::platform::error::ApiError;

/// What an organisation keeps here.
#[derive(Debug, Clone, Copy, Serialize, utoipa::ToSchema)]
pub struct Storage {
    /// Files, components and the folders of jobs that have ended, bytes.
    pub used_bytes: u64,
    /// The most that may be kept, bytes.
    pub limit_bytes: u64,
}

/// Returns how much an organisation keeps here.
///
/// # Errors
///
/// Returns an error when the database fails.
pub async fn storage(app: &App, organisation: &str) -> Result<Storage, ApiError> {
    let owner = organisation.to_owned();
    let used_bytes = app.database().read(move |connection| used(connection, &owner)).await?;
    Ok(Storage { used_bytes, limit_bytes: app.settings().storage_bytes })
}

/// Returns how many bytes an organisation may still bring.
///
/// # Errors
///
/// Returns 413 when there is no room at all.
pub async fn check_storage(app: &App, organisation: &str) -> Result<u64, ApiError> {
    let Storage { used_bytes, limit_bytes } = storage(app, organisation).await?;
    match limit_bytes.checked_sub(used_bytes).filter(|room| *room > 0) {
        Some(room) => Ok(room),
        None => Err(exceeded(used_bytes, 0, limit_bytes)),
    }
}

/// Refuses what would be too much, within the write that keeps it.
pub(super) fn check(connection: &Connection, organisation: &str, more: u64, limit: u64) -> Result<(), QueryError> {
    let used = used(connection, organisation)?;
    if used.saturating_add(more) > limit { Err(exceeded(used, more, limit).into()) } else { Ok(()) }
}

fn used(connection: &Connection, organisation: &str) -> Result<u64, QueryError> {
    let sql = "SELECT (SELECT coalesce(sum(bytes), 0) FROM files WHERE organisation = ?1) + \
               (SELECT coalesce(sum(bytes), 0) FROM components WHERE organisation = ?1) + \
               (SELECT coalesce(sum(bytes), 0) FROM jobs WHERE organisation = ?1)";
    Ok(connection.prepare_cached(sql)?.query_row(params![organisation], |row| row.get(0))?)
}

fn exceeded(used: u64, more: u64, limit: u64) -> ApiError {
    let message = format!(
        "this organisation keeps {used} bytes here, and {more} more are above its limit of {limit}; remove files or runs"
    );
    let mut error = ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "storage_quota", message);
    error.details = Some(serde_json::json!({ "used_bytes": used, "limit_bytes": limit }));
    error
}
