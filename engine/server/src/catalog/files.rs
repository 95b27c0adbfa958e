//! Files: sessions, corpora, rankings, whatever a benchmark reads.

use std::path::PathBuf;

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::uploads::Upload;
use super::{Kept, check_file_name, storage};
use crate::App;
use crate::database::QueryError;
use crate::platform::error::ApiError;
use crate::platform::page::now_ms;

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
    check_file_name(name)?;
    Ok(app.root_of(organisation).join("files").join(name))
}

/// Returns a file.
///
/// # Errors
///
/// Returns an error when the database fails.
pub async fn get(app: &App, organisation: &str, name: &str) -> Result<Option<FileRecord>, ApiError> {
    let (organisation, name) = (organisation.to_owned(), name.to_owned());
    app.database().read(move |connection| find(connection, &organisation, &name)).await
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

/// Returns files by name, after that one: what comes and goes meanwhile moves no other to another page.
///
/// # Errors
///
/// Returns an error when the database fails.
pub async fn list(
    app: &App,
    organisation: &str,
    after: Option<String>,
    limit: usize,
) -> Result<Vec<FileRecord>, ApiError> {
    let organisation = organisation.to_owned();
    app.database()
        .read(move |connection| {
            let sql = "SELECT name, bytes, sha256, found, created_at FROM files \
                       WHERE organisation = ?1 AND (?2 IS NULL OR name > ?2) ORDER BY name LIMIT ?3";
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map(params![organisation, after, limit], record)?.collect::<Result<_, _>>()?;
            Ok(rows)
        })
        .await
}

/// Keeps an upload as the file of that name. `found` is what a look into it found.
///
/// # Errors
///
/// Returns 409 when other content has the name, and 413 when the organisation keeps too much.
pub async fn keep(
    app: &App,
    organisation: &str,
    name: &str,
    upload: Upload,
    found: Value,
) -> Result<(FileRecord, Kept), ApiError> {
    let place = place(app, organisation, name)?;
    let (limit, ledger) = (app.settings().storage_bytes, app.ledger().clone());
    let owner = organisation.to_owned();
    let Upload { bytes, ref sha256, .. } = upload;
    let new = FileRecord { name: name.to_owned(), bytes, sha256: sha256.clone(), found, created_at: now_ms() };
    app.database()
        .write(move |connection| {
            if let Some(known) = find(connection, &owner, &new.name)? {
                return match known.sha256 == new.sha256 {
                    true => Ok((known, Kept::Unchanged)),
                    false => Err(taken(&new.name).into()),
                };
            }
            check_folders(connection, &owner, &new.name)?;
            storage::check(connection, &owner, &ledger, limit)?;
            upload.publish(&place).map_err(ApiError::internal)?;
            let sql = "INSERT INTO files (organisation, name, bytes, sha256, found, created_at) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            let found = new.found.to_string();
            connection.prepare_cached(sql)?.execute(params![
                owner,
                new.name,
                new.bytes,
                new.sha256,
                found,
                new.created_at
            ])?;
            Ok((new, Kept::Created))
        })
        .await
}

/// Removes a file.
///
/// # Errors
///
/// Returns 404 when there is no such file, and 409 when a corpus is made of it.
pub async fn remove(app: &App, organisation: &str, name: &str) -> Result<(), ApiError> {
    let place = place(app, organisation, name).map_err(|_| ApiError::not_found("file", name))?;
    let (owner, asked) = (organisation.to_owned(), name.to_owned());
    app.database()
        .write(move |connection| {
            let sql = "SELECT name FROM corpora WHERE organisation = ?1 AND json_extract(body, '$.path') = ?2";
            let corpus: Option<String> =
                connection.prepare_cached(sql)?.query_row(params![owner, asked], |row| row.get(0)).optional()?;
            if let Some(corpus) = corpus {
                return Err(
                    ApiError::conflict(format!("corpus `{corpus}` is made of `{asked}`; remove it first")).into()
                );
            }
            let sql = "DELETE FROM files WHERE organisation = ?1 AND name = ?2";
            match connection.prepare_cached(sql)?.execute(params![owner, asked])? {
                0 => Err(ApiError::not_found("file", &asked).into()),
                _ => Ok(()),
            }
        })
        .await?;
    let (owner, asked) = (organisation.to_owned(), name.to_owned());
    // The row is gone for good by now. Looked at again on the thread that writes: somebody may have brought a new file.
    app.database()
        .write(move |connection| {
            if find(connection, &owner, &asked)?.is_none() {
                let _ = std::fs::remove_file(&place);
                // Folders go with the last of their files; one that is not empty stays.
                for folder in place.ancestors().skip(1).take(asked.matches('/').count()) {
                    let _ = std::fs::remove_dir(folder);
                }
            }
            Ok(())
        })
        .await
}

/// Refuses a name that would make a folder of a file, or a file of a folder.
fn check_folders(connection: &Connection, organisation: &str, name: &str) -> Result<(), QueryError> {
    let refused = |message: String| Err(ApiError::conflict(message).into());
    for (end, _) in name.match_indices('/') {
        let folder = name.get(..end).unwrap_or_default();
        if find(connection, organisation, folder)?.is_some() {
            return refused(format!(
                "`{folder}` is a file, and no folder in which `{name}` could lie; choose another name"
            ));
        }
    }
    let sql = "SELECT name FROM files WHERE organisation = ?1 AND name > ?2 || '/' AND name < ?2 || '0' LIMIT 1";
    let within: Option<String> =
        connection.prepare_cached(sql)?.query_row(params![organisation, name], |row| row.get(0)).optional()?;
    match within {
        Some(within) => refused(format!("`{name}` is a folder: `{within}` lies in it; choose another name")),
        None => Ok(()),
    }
}

fn taken(name: &str) -> ApiError {
    ApiError::conflict(format!(
        "there is a file `{name}` with other content; choose another name, or remove that one first: `DELETE /v1/files/{name}`"
    ))
}

fn find(connection: &Connection, organisation: &str, name: &str) -> Result<Option<FileRecord>, QueryError> {
    let sql = "SELECT name, bytes, sha256, found, created_at FROM files WHERE organisation = ?1 AND name = ?2";
    Ok(connection.prepare_cached(sql)?.query_row(params![organisation, name], record).optional()?)
}

fn record(row: &rusqlite::Row<'_>) -> rusqlite::Result<FileRecord> {
    let found: String = row.get(3)?;
    Ok(FileRecord {
        name: row.get(0)?,
        bytes: row.get(1)?,
        sha256: row.get(2)?,
        found: serde_json::from_str(&found).unwrap_or_default(),
        created_at: row.get(4)?,
    })
}
