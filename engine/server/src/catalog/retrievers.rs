//! Retrievers that were registered, whatever API they were registered through.

use rusqlite::{OptionalExtension, Row, params};
use serde_json::Value;

use crate::App;
use crate::platform::error::ApiError;

/// A retriever of an organisation.
#[derive(Debug, Clone)]
pub struct RetrieverRecord {
    /// Its identifier.
    pub id: String,
    /// Its namespace; empty where none was said.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// As its API family wrote it.
    pub body: Value,
    /// Its section of a benchmark file: `{"id", "name", "stages": [...]}`; stages name corpora and components as
    /// [`super::corpora::section`] and [`super::components::path`] give them.
    pub section: Value,
    /// Milliseconds since 1970.
    pub created_at: i64,
    /// Milliseconds since 1970.
    pub updated_at: i64,
}

impl RetrieverRecord {
    /// The columns that [`Self::of`] reads, in order.
    pub const COLUMNS: &'static str = "id, namespace, name, body, section, created_at, updated_at";

    /// Reads a row.
    ///
    /// # Errors
    ///
    /// Returns an error when a column has another type.
    pub fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        let json = |text: String| serde_json::from_str(&text).unwrap_or_default();
        Ok(Self {
            id: row.get(0)?,
            namespace: row.get(1)?,
            name: row.get(2)?,
            body: json(row.get(3)?),
            section: json(row.get(4)?),
            created_at: row.get(5)?,
            updated_at: row.get(6)?,
        })
    }
}

/// Returns a retriever by its identifier.
///
/// # Errors
///
/// Returns an error when the database fails.
pub async fn get(app: &App, organisation: &str, id: &str) -> Result<Option<RetrieverRecord>, ApiError> {
    let (organisation, id) = (organisation.to_owned(), id.to_owned());
    app.database()
        .read(move |connection| {
            let sql =
                format!("SELECT {} FROM retrievers WHERE id = ?1 AND organisation = ?2", RetrieverRecord::COLUMNS);
            let found = connection.prepare_cached(&sql)?.query_row(params![id, organisation], RetrieverRecord::of);
            Ok(found.optional()?)
        })
        .await
}

/// Keeps a retriever, new or changed.
///
/// # Errors
///
/// Returns an error when the database fails.
pub async fn put(app: &App, organisation: &str, retriever: RetrieverRecord) -> Result<(), ApiError> {
    let organisation = organisation.to_owned();
    app.database()
        .write(move |connection| {
            let sql = "INSERT INTO retrievers (id, organisation, namespace, name, body, section, created_at, updated_at) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (id) DO UPDATE SET name = excluded.name, \
                       body = excluded.body, section = excluded.section, updated_at = excluded.updated_at \
                       WHERE organisation = excluded.organisation";
            let RetrieverRecord { id, namespace, name, body, section, created_at, updated_at } = retriever;
            connection.prepare_cached(sql)?.execute(params![
                id, organisation, namespace, name, body.to_string(), section.to_string(), created_at, updated_at
            ])?;
            Ok(())
        })
        .await
}

/// Returns the sections of those retrievers whose identifier stands in `text`.
///
/// # Errors
///
/// Returns an error when the database fails.
pub async fn named_in(app: &App, organisation: &str, text: &str) -> Result<Vec<Value>, ApiError> {
    let (organisation, text) = (organisation.to_owned(), text.to_owned());
    app.database()
        .read(move |connection| {
            let sql = "SELECT section FROM retrievers WHERE organisation = ?1 AND instr(?2, id) > 0 ORDER BY id";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map(params![organisation, text], |row| row.get::<_, String>(0))?;
            let sections: Vec<String> = rows.collect::<Result<_, _>>()?;
            Ok(sections.iter().filter_map(|section| serde_json::from_str(section).ok()).collect())
        })
        .await
}
