//! The runs that lie in a folder.

use std::io::{self, Read as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::manifest::Manifest;
use super::run_directory::{RunDirectory, is_of_a_lock, part_of};
use super::{StoreError, layout};
use crate::storage::{Blob, Location, Remote, calls};

/// A run in a folder of runs.
#[derive(Debug, Clone)]
pub struct FoundRun {
    /// Its directory.
    pub location: Location,
    /// What it was made from; `None` where this version cannot read its manifest.
    pub manifest: Option<Manifest>,
    /// How far it is.
    pub state: FoundState,
    /// Bytes of all its files.
    pub bytes: u64,
    /// When a file of it was written last.
    pub modified: SystemTime,
}

/// How far a run in a folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundState {
    /// It has its report.
    Finished,
    /// It has no report yet.
    Unfinished {
        /// Work units that are done.
        parts_done: u64,
    },
}

/// Returns the runs in the folders of `folder`, sorted by name; `folder` itself where it is one. A folder that is not there
/// holds none.
///
/// # Errors
///
/// Returns an error when the folder cannot be listed, or a file of a run cannot be looked at.
pub fn find_runs(folder: &Location) -> Result<Vec<FoundRun>, StoreError> {
    let names = folders(folder).map_err(|source| StoreError::io(&folder.to_path(), source))?;
    let below = names.iter().map(|name| folder.join(name));
    let mut runs = Vec::new();
    for location in std::iter::once(folder.clone()).chain(below) {
        runs.extend(found(&location)?);
    }
    Ok(runs)
}

/// Removes a run with everything in its directory: its report first and its manifest last, so that what is left after a
/// failure is unfinished and still found.
///
/// # Errors
///
/// Returns an error when there is no run, another process works in it, or a file cannot be removed.
pub fn remove_run(location: &Location) -> Result<(), StoreError> {
    let path = location.to_path();
    let failed = |source| StoreError::io(&path, source);
    if !is_run(location).map_err(failed)? {
        return Err(StoreError::NoRun { path });
    }
    match Remote::at(location).map_err(failed)? {
        Some(remote) => {
            let taken = RunDirectory::taken(&path)?;
            let mut objects = remote.list().map_err(failed)?;
            objects.retain(|object| !is_of_a_lock(&object.name));
            let (report, rest): (Vec<_>, Vec<_>) =
                objects.into_iter().partition(|object| object.name == layout::REPORT_JSON);
            let (manifest, rest): (Vec<_>, Vec<_>) =
                rest.into_iter().partition(|object| object.name == layout::MANIFEST);
            let in_turn = [report, rest, manifest];
            in_turn.iter().try_for_each(|objects| remote.remove_all(objects)).map_err(failed)?;
            taken.remove_lock().map_err(failed)
        }
        None => {
            let _lock = RunDirectory::taken(&path)?;
            remove_run_folder(&path).map_err(failed)
        }
    }
}

fn remove_run_folder(path: &Path) -> io::Result<()> {
    // A run without its report is unfinished: nobody takes the rest for a result. Each step is durable before the next
    // begins, since a file system may otherwise do them in another order.
    match calls::remove(&path.join(layout::REPORT_JSON)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        removed => removed.and_then(|()| calls::sync_folder(path))?,
    }
    for (name, is_folder) in calls::list(path)? {
        let entry = path.join(&name);
        match is_folder {
            true => calls::remove_folder_with_content(&entry)?,
            false if name != layout::MANIFEST && name != layout::LOCK => calls::remove(&entry)?,
            false => {}
        }
    }
    calls::sync_folder(path)?;
    calls::remove(&path.join(layout::MANIFEST))?;
    calls::remove(&path.join(layout::LOCK))?;
    calls::remove_folder(path)
}

type Entry = (std::ffi::OsString, bool);

/// Returns whether there is a run, of whatever version: many programs call a file `manifest.json`, and what lies beside
/// theirs is not ours to remove.
fn is_run(location: &Location) -> io::Result<bool> {
    let manifest = location.join(layout::MANIFEST);
    let is_there = match Remote::at(&manifest)? {
        Some(remote) => remote.find()?.is_some(),
        None => match calls::inspect(&manifest.to_path()) {
            Ok(file) => file.is_file(),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => false,
            Err(error) => return Err(error),
        },
    };
    if !is_there {
        return Ok(false);
    }
    let mut text = Vec::new();
    Blob::at(&manifest)?.reader(0).take(MOST_OF_A_MANIFEST).read_to_end(&mut text)?;
    let manifest: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
    let has = |key: &str, is_so: fn(&serde_json::Value) -> bool| manifest.get(key).is_some_and(is_so);
    let is_text = serde_json::Value::is_string;
    Ok(has("layout_version", serde_json::Value::is_u64) && has("run_id", is_text) && has("engine_version", is_text))
}

/// Bytes of a manifest that are looked at: far more than any has.
const MOST_OF_A_MANIFEST: u64 = 16 << 20;

fn folders(folder: &Location) -> io::Result<Vec<String>> {
    if let Some(remote) = Remote::at(folder)? {
        return remote.folders();
    }
    let entries = match calls::list(&folder.to_path()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let visible = |(name, is_folder): Entry| name.into_string().ok().filter(|name| is_folder && !name.starts_with('.'));
    Ok(entries.into_iter().filter_map(visible).collect())
}

/// A file of a run.
struct RunFile {
    /// Its name below the run's directory.
    name: String,
    bytes: u64,
    modified: SystemTime,
}

fn found(location: &Location) -> Result<Option<FoundRun>, StoreError> {
    let path = location.to_path();
    let failed = |source| StoreError::io(&path, source);
    if !is_run(location).map_err(failed)? {
        return Ok(None);
    }
    let files = files(location).map_err(failed)?;
    let is_finished = files.iter().any(|file| file.name == layout::REPORT_JSON);
    let in_parts = |file: &&RunFile| {
        let (folder, name) = file.name.split_once('/').unwrap_or_default();
        folder == layout::PARTS && part_of(name).is_some()
    };
    let parts_done = files.iter().filter(in_parts).count() as u64;
    Ok(Some(FoundRun {
        location: location.clone(),
        manifest: RunDirectory::view(&path).ok().map(|(_, manifest, _)| manifest),
        state: if is_finished { FoundState::Finished } else { FoundState::Unfinished { parts_done } },
        bytes: files.iter().map(|file| file.bytes).sum(),
        modified: files.iter().map(|file| file.modified).max().unwrap_or(SystemTime::UNIX_EPOCH),
    }))
}

fn files(location: &Location) -> io::Result<Vec<RunFile>> {
    if let Some(remote) = Remote::at(location)? {
        let of_object = |listed: crate::storage::Listed| RunFile {
            modified: SystemTime::UNIX_EPOCH
                + Duration::from_millis(u64::try_from(listed.version.modified_ms).unwrap_or(0)),
            bytes: listed.version.length,
            name: listed.name,
        };
        return Ok(remote.list()?.into_iter().map(of_object).collect());
    }
    let mut files = Vec::new();
    collect(&location.to_path(), "", &mut files)?;
    Ok(files)
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<RunFile>) -> io::Result<()> {
    for (name, is_folder) in calls::list(folder)? {
        let (path, name) = (folder.join(&name), format!("{prefix}{}", name.to_string_lossy()));
        if is_folder {
            collect(&path, &format!("{name}/"), files)?;
            continue;
        }
        match calls::inspect(&path) {
            Ok(file) => files.push(RunFile { name, bytes: file.len(), modified: file.modified()? }),
            // A file under way may have got its name since the folder was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
