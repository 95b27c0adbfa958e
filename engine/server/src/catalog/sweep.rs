//! What servers left lying that were killed.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use super::uploads::uploads;
use crate::App;
use crate::platform::error::ApiError;

/// Removes what no row of the database speaks of: uploads that broke off, files and folders whose row was never written or
/// is gone. Called before the first request.
///
/// # Errors
///
/// Returns an error when the database fails. What cannot be removed stays.
pub async fn sweep(app: &App) -> Result<(), ApiError> {
    let known: HashSet<(String, String)> = app
        .database()
        .read(|connection| {
            let sql = "SELECT organisation, 'files/' || name FROM files UNION ALL \
                       SELECT organisation, 'components/' || name || '@' || version || '.wasm' FROM components UNION ALL \
                       SELECT organisation, 'jobs/' || id FROM jobs";
            let mut statement = connection.prepare(sql)?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
            Ok(rows)
        })
        .await?;
    let organisations = app.root_of("");
    tokio::task::spawn_blocking(move || {
        for organisation in names(&organisations) {
            let root = organisations.join(&organisation);
            let _ = fs::remove_dir_all(uploads(&root));
            sweep_files(&root, &organisation, "files", &known);
            for kind in ["components", "jobs"] {
                for name in names(&root.join(kind)) {
                    let place = format!("{kind}/{name}");
                    if !known.contains(&(organisation.clone(), place.clone())) {
                        tracing::info!(organisation, place, "left over from a server that was killed; removed");
                        remove(&root.join(place));
                    }
                }
            }
        }
    })
    .await
    .map_err(ApiError::internal)
}

/// Removes files without a row, and folders that are empty then.
fn sweep_files(root: &Path, organisation: &str, folder: &str, known: &HashSet<(String, String)>) {
    for name in names(&root.join(folder)) {
        let place = format!("{folder}/{name}");
        let is_folder = fs::symlink_metadata(root.join(&place)).is_ok_and(|found| found.is_dir());
        if is_folder {
            sweep_files(root, organisation, &place, known);
            let _ = fs::remove_dir(root.join(&place));
        } else if !known.contains(&(organisation.to_owned(), place.clone())) {
            tracing::info!(organisation, place, "left over from a server that was killed; removed");
            remove(&root.join(place));
        }
    }
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

fn remove(path: &Path) {
    let _ = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        _ => fs::remove_file(path),
    };
}
