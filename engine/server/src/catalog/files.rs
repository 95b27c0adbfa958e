//! Files: sessions, corpora, rankings, whatever a benchmark reads.

use std::path::PathBuf;

use rusqlite::{OptionalExtension, params};
use serde_json::Value;

use super::check_name;
use crate::App;
use crate::platform::error::ApiError;

/// A file of an organisation. A name is given once: other content takes another name, or a removal first.
#[derive(Debug, Clone)]
pub struct FileRecord {
    /// Its name.
    pub name: String,
    /// Its size, bytes.
    pub bytes: u64,
    /// The SHA-256 of its content, in hexadecimal digits.
    pub sha256: String,
    /// What a look into it found.
    pub found: Value,
    /// Milliseconds since 1970.
    pub created_at: i64,
}

/// Returns where a file of that name lies, whether or not it is there.
///
/// # Errors
///
/// Returns 422 for what is no name.
pub fn place(app: &App, organisation: &str, name: &str) -> Result<PathBuf, ApiError> {
    check_name("file", name)?;
    Ok(app.root_of(organisation).join("files").join(name))
}

/// Returns a file.
///
/// # Errors
///
/// Returns an error when the database fails.
pub async fn get(app: &App, organisation: &str, name: &str) -> Result<Option<FileRecord>, ApiError> {
    let (organisation, name) = (organisation.to_owned(), name.to_owned());
    app.database()
        .read(move |connection| {
            let sql = "SELECT name, bytes, sha256, found, created_at FROM files WHERE organisation = ?1 AND name = ?2";
            Ok(connection.prepare_cached(sql)?.query_row(params![organisation, name], record).optional()?)
        })
        .await
}

/// Returns the path of a file that is there.
///
/// # Errors
///
/// Returns 404 when there is no such file.
pub async fn path(app: &App, organisation: &str, name: &str) -> Result<PathBuf, ApiError> {
    let found = get(app, organisation, name).await?.ok_or_else(|| ApiError::not_found("file", name))?;
    place(app, organisation, &found.name)
}

pub(super) fn record(row: &rusqlite::Row<'_>) -> rusqlite::Result<FileRecord> {
    let found: String = row.get(3)?;
    Ok(FileRecord {
        name: row.get(0)?,
        bytes: row.get(1)?,
        sha256: row.get(2)?,
        found: serde_json::from_str(&found).unwrap_or_default(),
        created_at: row.get(4)?,
    })
}
