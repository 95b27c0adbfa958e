//! Components: scorers and retrieving stages, by name and version.

use std::path::PathBuf;

use rusqlite::{OptionalExtension, params};

use super::check_name;
use crate::App;
use crate::platform::error::ApiError;

/// Returns where a component of that name and version lies, whether or not it is there.
///
/// # Errors
///
/// Returns 422 for what is no name or version.
pub fn place(app: &App, organisation: &str, name: &str, version: &str) -> Result<PathBuf, ApiError> {
    check_name("component", name)?;
    check_name("version", version)?;
    Ok(app.root_of(organisation).join("components").join(format!("{name}@{version}.wasm")))
}

/// Returns the path of a component by `name@version`, or by `name`: the one that was registered last.
///
/// # Errors
///
/// Returns 404 when there is no such component.
pub async fn path(app: &App, organisation: &str, reference: &str) -> Result<PathBuf, ApiError> {
    let (name, version) = match reference.split_once('@') {
        Some((name, version)) => (name.to_owned(), Some(version.to_owned())),
        None => (reference.to_owned(), None),
    };
    let (owner, asked) = (organisation.to_owned(), name.clone());
    let version: Option<String> = app
        .database()
        .read(move |connection| {
            let sql = "SELECT version FROM components WHERE organisation = ?1 AND name = ?2 \
                       AND (?3 IS NULL OR version = ?3) ORDER BY created_at DESC, version DESC LIMIT 1";
            let found = connection.prepare_cached(sql)?.query_row(params![owner, asked, version], |row| row.get(0));
            Ok(found.optional()?)
        })
        .await?;
    let version = version.ok_or_else(|| ApiError::not_found("component", reference))?;
    place(app, organisation, &name, &version)
}
