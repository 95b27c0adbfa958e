//! Components: scorers and retrieving stages, by name and version.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rematch_engine::benchmark::PluginReference;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::Value;

use super::uploads::Upload;
use super::{Kept, check_name, storage};
use crate::App;
use crate::database::QueryError;
use crate::platform::error::ApiError;
use crate::platform::page::now_ms;

/// A component of an organisation. A version is given once, as in any registry.
#[derive(Debug, Clone)]
pub struct ComponentRecord {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The SHA-256 of the file, in hexadecimal digits.
    pub sha256: String,
    /// Its size, bytes.
    pub bytes: u64,
    /// What stands in it, and what it says of itself.
    pub found: Value,
    /// Milliseconds since 1970.
    pub created_at: i64,
}

const COLUMNS: &str = "name, version, sha256, bytes, found, created_at";

impl ComponentRecord {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        let found: String = row.get(4)?;
        Ok(Self {
            name: row.get(0)?,
            version: row.get(1)?,
            sha256: row.get(2)?,
            bytes: row.get(3)?,
            found: serde_json::from_str(&found).unwrap_or_default(),
            created_at: row.get(5)?,
        })
    }
}

/// Returns where a component of that name and version lies, whether or not it is there.
///
/// # Errors
///
/// Returns 422 for what is no name or version.
pub fn place(app: &App, organisation: &str, name: &str, version: &str) -> Result<PathBuf, ApiError> {
    check_name("component", name)?;
    // Versions may have a `+`, which is safe in the name of a file too.
    check_name("version", &version.replace('+', "."))?;
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

/// Returns the version of each component that a name alone means: the one that was registered last.
///
/// # Errors
///
/// Returns an error when the database fails.
pub async fn latest(app: &App, organisation: &str) -> Result<BTreeMap<String, String>, ApiError> {
    let owner = organisation.to_owned();
    app.database()
        .read(move |connection| {
            let sql = "SELECT name, version FROM components WHERE organisation = ?1 ORDER BY created_at, version";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map([owner], |row| Ok((row.get(0)?, row.get(1)?)))?;
            // Of several entries of a name, the last one stays.
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
}

/// Returns a component.
///
/// # Errors
///
/// Returns 404 when there is no such component.
pub async fn get(app: &App, organisation: &str, name: &str, version: &str) -> Result<ComponentRecord, ApiError> {
    let (owner, name, version) = (organisation.to_owned(), name.to_owned(), version.to_owned());
    app.database()
        .read(move |connection| {
            let found = find(connection, &owner, &name, &version)?;
            found.ok_or_else(|| ApiError::not_found("component", &format!("{name}@{version}")).into())
        })
        .await
}

/// Returns components by name and version, after that one.
///
/// # Errors
///
/// Returns an error when the database fails.
pub async fn list(
    app: &App,
    organisation: &str,
    after: Option<(String, String)>,
    limit: usize,
) -> Result<Vec<ComponentRecord>, ApiError> {
    let owner = organisation.to_owned();
    app.database()
        .read(move |connection| {
            let sql = format!(
                "SELECT {COLUMNS} FROM components WHERE organisation = ?1 AND (?2 IS NULL OR (name, version) > (?2, ?3)) \
                 ORDER BY name, version LIMIT ?4"
            );
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let (name, version) = after.unzip();
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map(params![owner, name, version, limit], ComponentRecord::of)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
}

/// Checks what a component shall be called: a name and a version as registries list them.
///
/// # Errors
///
/// Returns 422 for what is neither.
pub fn check(name: &str, version: &str) -> Result<(), ApiError> {
    let wrong = |field, error: rematch_engine::benchmark::PluginReferenceError| {
        ApiError::invalid(&["path", field], "pattern", error.to_string())
    };
    PluginReference::checked_name(name).map_err(|error| wrong("name", error))?;
    PluginReference::checked_version(version).map_err(|error| wrong("version", error))?;
    check_name("component", name)?;
    check_name("version", &version.replace('+', "."))
}

/// Keeps an upload as that version of the component. `found` is what a look into it found.
///
/// # Errors
///
/// Returns 409 when another file is that version, and 413 when the organisation keeps too much.
pub async fn keep(
    app: &App,
    organisation: &str,
    (name, version): (&str, &str),
    upload: Upload,
    found: Value,
) -> Result<(ComponentRecord, Kept), ApiError> {
    let place = place(app, organisation, name, version)?;
    let (limit, ledger) = (app.settings().storage_bytes, app.ledger().clone());
    let owner = organisation.to_owned();
    let new = ComponentRecord {
        name: name.to_owned(),
        version: version.to_owned(),
        sha256: upload.sha256.clone(),
        bytes: upload.bytes,
        found,
        created_at: now_ms(),
    };
    app.database()
        .write(move |connection| {
            if let Some(known) = find(connection, &owner, &new.name, &new.version)? {
                return match known.sha256 == new.sha256 {
                    true => Ok((known, Kept::Unchanged)),
                    false => Err(taken(&new).into()),
                };
            }
            storage::check(connection, &owner, &ledger, limit)?;
            upload.publish(&place).map_err(ApiError::internal)?;
            let sql = "INSERT INTO components (organisation, name, version, sha256, bytes, found, created_at) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
            let ComponentRecord { name, version, sha256, bytes, found, created_at } = &new;
            let row = params![owner, name, version, sha256, bytes, found.to_string(), created_at];
            connection.prepare_cached(sql)?.execute(row)?;
            Ok((new, Kept::Created))
        })
        .await
}

/// Removes a component.
///
/// # Errors
///
/// Returns 404 when there is no such component.
pub async fn remove(app: &App, organisation: &str, name: &str, version: &str) -> Result<(), ApiError> {
    let unknown = ApiError::not_found("component", &format!("{name}@{version}"));
    let place = place(app, organisation, name, version).map_err(|_| unknown.clone())?;
    let key = (organisation.to_owned(), name.to_owned(), version.to_owned());
    let (owner, name, version) = key.clone();
    app.database()
        .write(move |connection| {
            let sql = "DELETE FROM components WHERE organisation = ?1 AND name = ?2 AND version = ?3";
            match connection.prepare_cached(sql)?.execute(params![owner, name, version])? {
                0 => Err(unknown.into()),
                _ => Ok(()),
            }
        })
        .await?;
    let (owner, name, version) = key;
    app.database()
        .write(move |connection| {
            if find(connection, &owner, &name, &version)?.is_none() {
                let _ = std::fs::remove_file(&place);
            }
            Ok(())
        })
        .await
}

fn taken(new: &ComponentRecord) -> ApiError {
    let ComponentRecord { name, version, .. } = new;
    ApiError::conflict(format!(
        "`{name}@{version}` is another file; give the new one another version, or remove that one first: \
         `DELETE /v1/components/{name}/{version}`"
    ))
}

fn find(
    connection: &Connection,
    organisation: &str,
    name: &str,
    version: &str,
) -> Result<Option<ComponentRecord>, QueryError> {
    let sql = format!("SELECT {COLUMNS} FROM components WHERE organisation = ?1 AND name = ?2 AND version = ?3");
    let mut statement = connection.prepare_cached(&sql)?;
    Ok(statement.query_row(params![organisation, name, version], ComponentRecord::of).optional()?)
}
