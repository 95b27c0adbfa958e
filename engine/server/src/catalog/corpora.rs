//! Corpora: a file, and which of its columns are what.

use serde_json::{Map, Value};

use super::files;
use crate::App;
use crate::platform::error::ApiError;

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
