//! Benchmarks that were kept under a name.

use rusqlite::{OptionalExtension, Row, params};
use serde_json::Value;

use super::{Kept, check_name};
use crate::App;
use crate::platform::error::ApiError;
use crate::platform::page::now_ms;

/// A benchmark of an organisation.
#[derive(Debug, Clone)]
pub struct SpecRecord {
    /// Its name here, which need not be the one in it.
    pub name: String,
    /// What is posted to run it; `None` in a list.
    pub body: Option<Value>,
    /// Name, retrievers, metrics, as they were when it was kept.
    pub summary: Value,
    /// Milliseconds since 1970.
    pub created_at: i64,
    /// Milliseconds since 1970.
    pub updated_at: i64,
}

const COLUMNS: &str = "name, body, summary, created_at, updated_at";

/// The same for a list, of which each may have a megabyte.
const LISTED_COLUMNS: &str = "name, NULL, summary, created_at, updated_at";

impl SpecRecord {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        let json = |text: String| serde_json::from_str(&text).unwrap_or_default();
        Ok(Self {
            name: row.get(0)?,
            body: row.get::<_, Option<String>>(1)?.map(json),
            summary: json(row.get(2)?),
            created_at: row.get(3)?,
            updated_at: row.get(4)?,
        })
    }
}

/// Returns a benchmark.
///
/// # Errors
///
/// Returns 404 when there is no such benchmark.
pub async fn get(app: &App, organisation: &str, name: &str) -> Result<SpecRecord, ApiError> {
    let (owner, asked) = (organisation.to_owned(), name.to_owned());
    app.database()
        .read(move |connection| {
            let sql = format!("SELECT {COLUMNS} FROM specs WHERE organisation = ?1 AND name = ?2");
            let found = connection.prepare_cached(&sql)?.query_row(params![owner, asked], SpecRecord::of).optional()?;
            found.ok_or_else(|| ApiError::not_found("spec", &asked).into())
        })
        .await
}

/// Returns benchmarks by name, after that one, without their bodies.
///
/// # Errors
///
/// Returns an error when the database fails.
pub async fn list(
    app: &App,
    organisation: &str,
    after: Option<String>,
    limit: usize,
) -> Result<Vec<SpecRecord>, ApiError> {
    let owner = organisation.to_owned();
    app.database()
        .read(move |connection| {
            let sql = format!(
                "SELECT {LISTED_COLUMNS} FROM specs WHERE organisation = ?1 AND (?2 IS NULL OR name > ?2) ORDER BY name LIMIT ?3"
            );
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map(params![owner, after, limit], SpecRecord::of)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
}

/// Keeps a benchmark, new or changed.
///
/// # Errors
///
/// Returns 422 for what is no name.
pub async fn put(
    app: &App,
    organisation: &str,
    name: &str,
    body: Value,
    summary: Value,
) -> Result<(SpecRecord, Kept), ApiError> {
    check_name("spec", name)?;
    let (owner, name) = (organisation.to_owned(), name.to_owned());
    app.database()
        .write(move |connection| {
            let sql = "SELECT created_at FROM specs WHERE organisation = ?1 AND name = ?2";
            let known: Option<i64> =
                connection.prepare_cached(sql)?.query_row(params![owner, name], |row| row.get(0)).optional()?;
            let kept = if known.is_some() { Kept::Unchanged } else { Kept::Created };
            let updated_at = now_ms();
            let created_at = known.unwrap_or(updated_at);
            let sql = "INSERT INTO specs (organisation, name, body, summary, created_at, updated_at) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (organisation, name) DO UPDATE SET \
                       body = excluded.body, summary = excluded.summary, updated_at = excluded.updated_at";
            let row = params![owner, name, body.to_string(), summary.to_string(), created_at, updated_at];
            connection.prepare_cached(sql)?.execute(row)?;
            Ok((SpecRecord { name, body: Some(body), summary, created_at, updated_at }, kept))
        })
        .await
}

/// Removes a benchmark; its runs stay.
///
/// # Errors
///
/// Returns 404 when there is no such benchmark.
pub async fn remove(app: &App, organisation: &str, name: &str) -> Result<(), ApiError> {
    let (owner, asked) = (organisation.to_owned(), name.to_owned());
    app.database()
        .write(move |connection| {
            let sql = "DELETE FROM specs WHERE organisation = ?1 AND name = ?2";
            match connection.prepare_cached(sql)?.execute(params![owner, asked])? {
                0 => Err(ApiError::not_found("spec", &asked).into()),
                _ => Ok(()),
            }
        })
        .await
}
