//! Corpora: a file, and which of its columns are what.

use rusqlite::{OptionalExtension, Row, params};
use serde_json::{Map, Value};

use super::{Kept, check_name, files};
use crate::App;
use crate::platform::error::ApiError;
use crate::platform::page::now_ms;

/// A corpus of an organisation.
#[derive(Debug, Clone)]
pub struct CorpusRecord {
    /// Its name.
    pub name: String,
    /// Its section of a benchmark file; `path` is the name of a file.
    pub body: Value,
    /// Milliseconds since 1970.
    pub created_at: i64,
}

impl CorpusRecord {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        let body: String = row.get(1)?;
        let body = serde_json::from_str(&body).unwrap_or_default();
        Ok(Self { name: row.get(0)?, body, created_at: row.get(2)? })
    }
}

/// Returns every corpus of an organisation as the section `corpus` of a benchmark file, with absolute paths.
///
/// # Errors
///
/// Returns an error when the database fails.
pub async fn section(app: &App, organisation: &str) -> Result<Map<String, Value>, ApiError> {
    let owner = organisation.to_owned();
    let rows: Vec<(String, String)> = app
        .database()
        .read(move |connection| {
            let mut statement =
                connection.prepare_cached("SELECT name, body FROM corpora WHERE organisation = ?1 ORDER BY name")?;
            let rows = statement.query_map([owner], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await?;
    let mut corpora = Map::new();
    for (name, body) in rows {
        let mut body: Map<String, Value> = serde_json::from_str(&body).map_err(ApiError::internal)?;
        let file = body.get("path").and_then(Value::as_str).unwrap_or_default();
        let path = files::place(app, organisation, file)?;
        body.insert("path".to_owned(), Value::from(path.to_string_lossy()));
        corpora.insert(name, Value::Object(body));
    }
    Ok(corpora)
}

/// Returns a corpus.
///
/// # Errors
///
/// Returns 404 when there is no such corpus.
pub async fn get(app: &App, organisation: &str, name: &str) -> Result<CorpusRecord, ApiError> {
    let (owner, asked) = (organisation.to_owned(), name.to_owned());
    app.database()
        .read(move |connection| {
            let sql = "SELECT name, body, created_at FROM corpora WHERE organisation = ?1 AND name = ?2";
            let found =
                connection.prepare_cached(sql)?.query_row(params![owner, asked], CorpusRecord::of).optional()?;
            found.ok_or_else(|| ApiError::not_found("corpus", &asked).into())
        })
        .await
}

/// Returns corpora by name, after that one.
///
/// # Errors
///
/// Returns an error when the database fails.
pub async fn list(
    app: &App,
    organisation: &str,
    after: Option<String>,
    limit: usize,
) -> Result<Vec<CorpusRecord>, ApiError> {
    let owner = organisation.to_owned();
    app.database()
        .read(move |connection| {
            let sql = "SELECT name, body, created_at FROM corpora \
                       WHERE organisation = ?1 AND (?2 IS NULL OR name > ?2) ORDER BY name LIMIT ?3";
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map(params![owner, after, limit], CorpusRecord::of)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
}

/// Keeps a corpus, new or changed. `file` and `id` are its file's name and the column of its ids.
///
/// # Errors
///
/// Returns 422 for what is no name, and when there is no such file.
pub async fn put(
    app: &App,
    organisation: &str,
    name: &str,
    file: &str,
    id: &str,
) -> Result<(CorpusRecord, Kept), ApiError> {
    check_name("corpus", name)?;
    let (owner, name, file) = (organisation.to_owned(), name.to_owned(), file.to_owned());
    let body = serde_json::json!({ "path": file, "id": id });
    app.database()
        .write(move |connection| {
            let sql = "SELECT 1 FROM files WHERE organisation = ?1 AND name = ?2";
            if !connection.prepare_cached(sql)?.exists(params![owner, file])? {
                let message = format!("there is no file `{file}`; `PUT /v1/files/{file}` brings it");
                return Err(ApiError::invalid(&["body", "path"], "not_found", message).into());
            }
            let sql = "SELECT name, body, created_at FROM corpora WHERE organisation = ?1 AND name = ?2";
            let known = connection.prepare_cached(sql)?.query_row(params![owner, name], CorpusRecord::of).optional()?;
            let kept = if known.is_some() { Kept::Unchanged } else { Kept::Created };
            let created_at = known.map_or_else(now_ms, |known| known.created_at);
            let sql = "INSERT INTO corpora (organisation, name, body, created_at) VALUES (?1, ?2, ?3, ?4) \
                       ON CONFLICT (organisation, name) DO UPDATE SET body = excluded.body";
            connection.prepare_cached(sql)?.execute(params![owner, name, body.to_string(), created_at])?;
            Ok((CorpusRecord { name, body, created_at }, kept))
        })
        .await
}

/// Removes a corpus; its file stays.
///
/// # Errors
///
/// Returns 404 when there is no such corpus.
pub async fn remove(app: &App, organisation: &str, name: &str) -> Result<(), ApiError> {
    let (owner, asked) = (organisation.to_owned(), name.to_owned());
    app.database()
        .write(move |connection| {
            let sql = "DELETE FROM corpora WHERE organisation = ?1 AND name = ?2";
            match connection.prepare_cached(sql)?.execute(params![owner, asked])? {
                0 => Err(ApiError::not_found("corpus", &asked).into()),
                _ => Ok(()),
            }
        })
        .await
}
