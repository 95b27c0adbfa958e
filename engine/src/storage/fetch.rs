//! Objects as local files, for formats that are read as files.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::calls;
use super::location::{Location, is_url};
use super::remote::{Put, Remote, Version};
use super::write::PendingFile;

const DAY: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);

/// What this process has fetched.
struct Fetched {
    /// The folder of fetched files, and its owner where nobody chose one.
    folder: Option<PathBuf>,
    own: Option<TempDir>,
    /// Files by the URL that they came from.
    files: BTreeMap<String, PathBuf>,
    /// URL and SHA-256 by file.
    origins: BTreeMap<PathBuf, (String, Option<String>)>,
}

static FETCHED: Mutex<Fetched> =
    Mutex::new(Fetched { folder: None, own: None, files: BTreeMap::new(), origins: BTreeMap::new() });

fn fetched() -> std::sync::MutexGuard<'static, Fetched> {
    FETCHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Chooses the folder in which fetched objects are kept from one process to the next. Without it they are fetched into a
/// temporary folder of this process, which the system cleans up.
pub fn keep_fetched_in(folder: PathBuf) {
    fetched().folder = Some(folder);
}

/// Returns a local file with the content of what a path or URL names: the path itself, or a copy of the object. A process
/// fetches an object once, so that what was hashed is what is read; a kept copy is used while size and tag (or time) of
/// the object are the same.
///
/// # Errors
///
/// Returns an error when the URL names no place, or the object cannot be read, or the copy cannot be written.
pub fn local(path: &Path) -> io::Result<PathBuf> {
    let location = Location::of(path)?;
    match location.local() {
        Some(path) => Ok(path.to_owned()),
        None => fetch(&location),
    }
}

/// Returns a local file with the content of an object; a local path is returned as it is.
///
/// # Errors
///
/// Returns an error when the object cannot be read or the copy cannot be written.
pub fn fetch(location: &Location) -> io::Result<PathBuf> {
    let Some(remote) = Remote::at(location)? else { return Ok(location.to_path()) };
    let url = location.to_string();
    if let Some(path) = fetched().files.get(&url) {
        return Ok(path.clone());
    }
    let version = remote.head()?;
    let folder = folder()?.join(short_hash(&url)).join(version_name(&version));
    let path = folder.join(file_name(&url));
    let is_kept = version.is_certain() && calls::inspect(&path).is_ok_and(|file| file.len() == version.length);
    let sha256 = if is_kept { None } else { Some(download(&remote, &version, &path)?) };
    if sha256.is_some() {
        remove_other_versions(&folder);
    }
    let mut fetched = fetched();
    fetched.origins.insert(path.clone(), (url.clone(), sha256));
    Ok(fetched.files.entry(url).or_insert(path).clone())
}

/// Has what is fetched from now on be of the version that is there then.
pub(super) fn look_again() {
    fetched().files.clear();
}

/// Returns the files that a URL or a glob over URLs names, sorted by URL and fetched; `None` for a path of this machine.
///
/// # Errors
///
/// Returns an error when the objects cannot be listed or fetched, or when a glob is not legal.
pub fn fetch_all(pattern: &str) -> io::Result<Option<Vec<PathBuf>>> {
    if !is_url(pattern) {
        return Ok(None);
    }
    let found = matching(&pattern.parse()?)?;
    found.iter().map(fetch).collect::<io::Result<Vec<PathBuf>>>().map(Some)
}

/// Returns the objects that a location names: itself, or what matches where it is a glob.
pub(super) fn matching(location: &Location) -> io::Result<Vec<Location>> {
    let key = location.object().map(|url| url.key.clone()).unwrap_or_default();
    let Some(wild) = key.find(['*', '[']) else { return Ok(vec![location.clone()]) };
    let pattern = glob::Pattern::new(&key).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let prefix = key.get(..wild).and_then(|plain| plain.rsplit_once('/')).map_or("", |(folder, _)| folder);
    let Some(prefix) = location.object().map(|url| url.with_prefix(prefix)) else { return Ok(Vec::new()) };
    let Some(remote) = Remote::at(&prefix.into_location())? else { return Ok(Vec::new()) };
    let options = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::new() };
    let is_meant = |found: &Location| found.object().is_some_and(|url| pattern.matches_with(&url.key, options));
    Ok(remote.list()?.into_iter().map(|listed| listed.location).filter(is_meant).collect())
}

/// Returns whether what a path, a URL or a glob over URLs names is there.
///
/// # Errors
///
/// Returns an error when it cannot be told: the store cannot be reached, say, or access is denied.
pub fn is_there(path: &Path) -> io::Result<bool> {
    let location = Location::of(path)?;
    let Some(found) = matching(&location)?.into_iter().next() else { return Ok(false) };
    match Remote::at(&found)? {
        None => Ok(found.to_path().exists()),
        Some(remote) => remote.head().map(|_| true),
    }
}

/// Returns whether there is an object where a URL says so; an object that is not there is no error.
///
/// # Errors
///
/// Returns an error when it cannot be told.
pub(crate) fn is_found(path: &Path) -> io::Result<bool> {
    match Remote::at(&Location::of(path)?)? {
        None => Ok(path.exists()),
        Some(remote) => Ok(remote.find()?.is_some()),
    }
}

/// Returns the names of the objects below a URL, without it and sorted; `None` where nothing can be listed, as behind HTTP.
///
/// # Errors
///
/// Returns an error when the URL names no place, or the store cannot be asked.
pub(crate) fn names_below(url: &str) -> io::Result<Option<Vec<String>>> {
    match Remote::at(&url.parse()?)?.filter(Remote::is_a_store) {
        None => Ok(None),
        Some(remote) => Ok(Some(remote.list()?.into_iter().map(|listed| listed.name).collect())),
    }
}

/// Returns the SHA-256 of a file that this process has fetched.
pub(crate) fn sha256_of_fetched(path: &Path) -> Option<String> {
    fetched().origins.get(path).and_then(|(_, sha256)| sha256.clone())
}

/// Prints a path as the user knows it: a fetched file by its URL.
pub(crate) struct Shown<'a>(pub(crate) &'a Path);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match fetched().origins.get(self.0) {
            Some((url, _)) => formatter.write_str(url),
            None => write!(formatter, "{}", self.0.display()),
        }
    }
}

fn folder() -> io::Result<PathBuf> {
    let mut fetched = fetched();
    if let Some(folder) = &fetched.folder {
        return Ok(folder.clone());
    }
    let own = tempfile::Builder::new().prefix("rematch-objects-").tempdir()?;
    let folder = own.path().to_owned();
    (fetched.own, fetched.folder) = (Some(own), Some(folder.clone()));
    Ok(folder)
}

/// Copies an object into a file and returns the SHA-256 of its content.
fn download(remote: &Remote, version: &Version, path: &Path) -> io::Result<String> {
    let pending = PendingFile::create(path)?;
    let (mut writer, mut sha) = (pending.writer(), Sha256::new());
    remote.read(version, &mut |bytes| {
        sha.update(bytes);
        io::Write::write_all(&mut writer, bytes)
    })?;
    drop(writer);
    pending.publish_as(Put::Replace)?;
    Ok(sha.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Removes what was fetched from the same URL a day ago, when it was another object; what is younger may be in use.
fn remove_other_versions(folder: &Path) {
    let Some(versions) = folder.parent() else { return };
    for (name, _) in calls::list(versions).unwrap_or_default() {
        let modified = calls::inspect(&versions.join(&name)).and_then(|version| version.modified());
        let is_old = modified.is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age > DAY));
        if is_old && Some(name.as_os_str()) != folder.file_name() {
            // Best effort: a leftover costs room and nothing else.
            let _ = calls::remove_folder_with_content(&versions.join(name));
        }
    }
}

fn version_name(version: &Version) -> String {
    match version.is_certain() {
        true => short_hash(&format!("{}\n{:?}\n{}", version.length, version.etag, version.modified_ms)),
        false => format!("process-{}", std::process::id()),
    }
}

fn short_hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the last part of a URL as the name of a local file: formats are told by its ending.
fn file_name(url: &str) -> String {
    let last = url.rsplit('/').next().unwrap_or_default();
    let kept: String =
        last.chars().map(|letter| if letter.is_control() || letter == '\\' { '_' } else { letter }).collect();
    // A name has at most 255 bytes, with room for what is put around it while it is written; its end tells the format.
    let mut start = kept.len().saturating_sub(160);
    while !kept.is_char_boundary(start) {
        start += 1;
    }
    match kept.get(start..) {
        None | Some("" | "." | "..") => "object".to_owned(),
        Some(name) => name.to_owned(),
    }
}

/// Returns a file without a name, for what is written here before it goes up.
pub(super) fn spool() -> io::Result<File> {
    tempfile::tempfile()
}
