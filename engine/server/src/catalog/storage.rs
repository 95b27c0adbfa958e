//! How much an organisation keeps here, and may.

use std::path::Path;

use axum::http::StatusCode;
use rusqlite::{Connection, params};
use serde::Serialize;

use super::ledger::Ledger;
use crate::App;
use crate::database::QueryError;
use crate::platform::error::ApiError;

/// Bytes that a row of the database takes beside its long texts: short columns, indexes, the tree.
const ROW_BYTES: u64 = 256;

/// Tables, and the columns in them that are long. Their rows are counted by the length of those and [`ROW_BYTES`] each, which is
/// what the file grows by, give or take a third.
const ROWS: [(&str, &[&str]); 21] = [
    ("tokens", &["name"]),
    ("jobs", &["request", "outcome", "failure"]),
    ("files", &["found"]),
    ("corpora", &["body"]),
    ("specs", &["body", "summary"]),
    ("components", &["found"]),
    ("retrievers", &["body", "section"]),
    ("submissions", &["key"]),
    ("executions", &["inputs", "documents", "statistics", "filters", "error"]),
    ("interactions", &["body"]),
    ("retriever_benchmarks", &["retrievers"]),
    ("evaluation_datasets", &["queries", "metadata", "description"]),
    ("retriever_evaluations", &["dataset_name"]),
    ("scenarios", &["body"]),
    ("scenario_benchmarks", &["body"]),
    ("scenario_scorers", &["bash_script"]),
    ("scenario_benchmark_runs", &["metadata", "environment", "secrets", "scenarios"]),
    ("scenario_runs", &["metadata", "environment", "secrets", "result", "hits", "log"]),
    ("scenario_jobs", &["body"]),
    ("idempotency_keys", &["answer"]),
    ("secrets", &["sealed"]),
];

/// Folders of an organisation whose content no row speaks of: what workers are at, and what compilers made.
const FOLDERS: [&str; 2] = ["tmp", "cache"];

/// What an organisation keeps here.
#[derive(Debug, Clone, Copy, Serialize, utoipa::ToSchema)]
pub struct Storage {
    /// All of it, bytes: files, components, the folders of jobs, and what follows.
    pub used_bytes: u64,
    /// Of it, uploads that are on their way, and the folders of jobs that run, bytes.
    pub on_its_way_bytes: u64,
    /// Of it, rows of the database, by estimate, and working files of the server, bytes. At most ten seconds old.
    pub beside_bytes: u64,
    /// The most that may be kept, bytes.
    pub limit_bytes: u64,
}

impl Storage {
    /// Returns how much may still be brought, bytes.
    fn room(&self) -> u64 {
        self.limit_bytes.saturating_sub(self.used_bytes)
    }
}

/// Returns how much an organisation keeps here.
///
/// # Errors
///
/// Returns an error when the database fails.
pub async fn storage(app: &App, organisation: &str) -> Result<Storage, ApiError> {
    let beside_bytes = beside(app, organisation).await?;
    let kept = stored(app, organisation).await?;
    let on_its_way_bytes = app.ledger().on_their_way(organisation);
    let used_bytes = kept.saturating_add(beside_bytes).saturating_add(on_its_way_bytes);
    Ok(Storage { used_bytes, on_its_way_bytes, beside_bytes, limit_bytes: app.settings().storage_bytes })
}

/// Returns how many bytes an organisation may still bring.
///
/// # Errors
///
/// Returns 413 when there is no room at all.
pub async fn check_storage(app: &App, organisation: &str) -> Result<u64, ApiError> {
    let storage = storage(app, organisation).await?;
    match storage.room() {
        0 => {
            app.ledger().found_full(organisation);
            Err(exceeded(storage.used_bytes, 0, storage.limit_bytes))
        }
        room => Ok(room),
    }
}

/// As [`check_storage`], for requests that write rows only: who had room a moment ago is not looked at again.
///
/// # Errors
///
/// As [`check_storage`].
pub async fn check_rows(app: &App, organisation: &str) -> Result<(), ApiError> {
    if !app.ledger().is_roomy(organisation) {
        check_storage(app, organisation).await?;
        app.ledger().found_roomy(organisation);
    }
    Ok(())
}

/// Refuses what would be too much, within the write that keeps it. It is on its way already, and counted there.
pub(super) fn check(
    connection: &Connection,
    organisation: &str,
    ledger: &Ledger,
    limit: u64,
) -> Result<(), QueryError> {
    let on_its_way = ledger.on_their_way(organisation);
    let used = used(connection, organisation)?.saturating_add(ledger.last_beside(organisation));
    if used.saturating_add(on_its_way) > limit { Err(exceeded(used, on_its_way, limit).into()) } else { Ok(()) }
}

/// Returns what is kept under names, bytes: files, components, the folders of jobs that do not run.
pub(super) async fn stored(app: &App, organisation: &str) -> Result<u64, ApiError> {
    let owner = organisation.to_owned();
    app.database().read(move |connection| used(connection, &owner)).await
}

/// Returns what rows and working files take, bytes.
pub(super) async fn beside(app: &App, organisation: &str) -> Result<u64, ApiError> {
    if let Some(known) = app.ledger().beside(organisation) {
        return Ok(known);
    }
    let owner = organisation.to_owned();
    let rows = app.database().read(move |connection| rows(connection, &owner)).await?;
    let root = app.root_of(organisation);
    let folders =
        tokio::task::spawn_blocking(move || FOLDERS.map(|folder| bytes_in(&root.join(folder))).iter().sum::<u64>());
    let found = rows.saturating_add(folders.await.map_err(ApiError::internal)?);
    app.ledger().found_beside(organisation, found);
    Ok(found)
}

fn used(connection: &Connection, organisation: &str) -> Result<u64, QueryError> {
    let sql = "SELECT (SELECT coalesce(sum(bytes), 0) FROM files WHERE organisation = ?1) + \
               (SELECT coalesce(sum(bytes), 0) FROM components WHERE organisation = ?1) + \
               (SELECT coalesce(sum(bytes), 0) FROM jobs WHERE organisation = ?1 AND state <> 'running')";
    Ok(connection.prepare_cached(sql)?.query_row(params![organisation], |row| row.get(0))?)
}

fn rows(connection: &Connection, organisation: &str) -> Result<u64, QueryError> {
    let of_table = |(table, long): (&str, &[&str])| {
        let lengths: Vec<String> = long.iter().map(|column| format!("coalesce(octet_length({column}), 0)")).collect();
        let lengths = lengths.join(" + ");
        format!("(SELECT coalesce(sum({lengths} + {ROW_BYTES}), 0) FROM {table} WHERE organisation = ?1)")
    };
    let tables: Vec<String> = ROWS.into_iter().map(of_table).collect();
    let sql = format!(
        "SELECT {} + (SELECT coalesce(sum(octet_length(body) + 64), 0) FROM job_events \
         WHERE job IN (SELECT id FROM jobs WHERE organisation = ?1))",
        tables.join(" + ")
    );
    Ok(connection.prepare_cached(&sql)?.query_row(params![organisation], |row| row.get(0))?)
}

/// Returns what a tenant is told who brings more than it may keep.
pub(crate) fn exceeded(used: u64, more: u64, limit: u64) -> ApiError {
    let message = format!(
        "this organisation keeps {used} bytes here, and {more} more are above its limit of {limit}; remove files or runs"
    );
    let mut error = ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "storage_quota", message);
    error.details = Some(serde_json::json!({ "used_bytes": used, "limit_bytes": limit }));
    error
}

/// Returns what lies in a folder, bytes. What cannot be looked at counts nothing.
pub(crate) fn bytes_in(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => bytes_in(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    fn app(limit: u64) -> (App, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings::new(folder.path().join("data"), "rematch".into());
        settings.storage_bytes = limit;
        (App::open(settings).unwrap(), folder)
    }

    #[tokio::test]
    async fn rows_and_working_files_count_and_those_of_others_do_not() {
        let (app, _folder) = app(1 << 30);
        let sql = "INSERT INTO scenarios (id, organisation, name, validation_type, is_public, body) \
                   VALUES (?1, ?2, 'n', 't', 0, ?3)";
        for (id, owner) in [("s1", "acme"), ("s2", "other"), ("s3", "other")] {
            let row = (id, owner, "x".repeat(10_000));
            app.database().write(move |connection| Ok(connection.execute(sql, row)?)).await.unwrap();
        }
        let working = app.root_of("acme").join("tmp/worker");
        std::fs::create_dir_all(&working).unwrap();
        std::fs::write(working.join("file"), [0; 500]).unwrap();
        let found = storage(&app, "acme").await.unwrap();
        assert_eq!((found.used_bytes, found.beside_bytes), (10_000 + ROW_BYTES + 500, 10_000 + ROW_BYTES + 500));
        let mut entry = app.ledger().open("acme");
        entry.add(7);
        assert_eq!(storage(&app, "acme").await.unwrap().used_bytes, found.used_bytes + 7);
    }

    #[tokio::test]
    async fn every_table_of_organisations_is_counted() {
        let (app, _folder) = app(1 << 30);
        let sql = "SELECT tables.name FROM sqlite_master AS tables JOIN pragma_table_info(tables.name) AS columns \
                   WHERE tables.type = 'table' AND columns.name = 'organisation'";
        let tables = app.database().read(move |connection| {
            let mut statement = connection.prepare(sql)?;
            let names: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
            Ok(names)
        });
        let tables = tables.await.unwrap();
        assert_eq!(tables.len(), ROWS.len(), "{tables:?}");
        for table in tables {
            assert!(ROWS.iter().any(|(counted, _)| *counted == table), "`{table}` is not counted");
        }
    }

    #[tokio::test]
    async fn who_has_no_room_writes_no_rows_and_once_there_is_room_does() {
        let (app, _folder) = app(1000);
        let mut entry = app.ledger().open("acme");
        entry.set(1000);
        assert_eq!(check_rows(&app, "acme").await.unwrap_err().code, "storage_quota");
        check_rows(&app, "other").await.unwrap();
        drop(entry);
        check_rows(&app, "acme").await.unwrap();
    }
}
