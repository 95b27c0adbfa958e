//! A run directory on a file system or in an object store.

mod begun;
mod tables;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tempfile::TempDir;

use super::lease::{Guard, Lease};
use super::manifest::Manifest;
use super::part::HitsAtHand;
use super::{StoreError, layout};
use crate::storage::{Blob, Location, PendingFile, Put, Remote, TEMPORARY_ENDING, calls, folder_of};

/// Sessions per chunk: the size of a work unit, and of a row group of the sample.
pub const SESSIONS_PER_CHUNK: usize = 1024;

/// Sessions of a sample up to which chunks stay small, so that even a small run has units enough for every core.
const SMALL_SAMPLE: u64 = 65_536;

/// Returns the sessions per chunk of a run that samples at most `sampled` sessions: [`SESSIONS_PER_CHUNK`], four times as
/// many in a large run, where every part costs more than its rows, and a quarter where servers are asked, since a chunk is
/// what is asked again after an interruption.
#[must_use]
pub fn sessions_per_chunk(sampled: u64, asks_servers: bool) -> usize {
    match (asks_servers, sampled <= SMALL_SAMPLE) {
        (true, _) => SESSIONS_PER_CHUNK / 4,
        (false, true) => SESSIONS_PER_CHUNK,
        (false, false) => 4 * SESSIONS_PER_CHUNK,
    }
}

/// How a run directory was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// It was made.
    New,
    /// It holds this run, unfinished.
    Unfinished,
    /// It holds this run with its report.
    Finished,
}

/// A run directory at a path, or at the URL that the path spells.
///
/// One process works in it at a time. On a file system the lock is the system's, which takes it back from a process that
/// dies; in an object store it is a lease, which its holder renews ([`LeaseTime`](super::LeaseTime)). A process that lost its
/// lease publishes nothing any more, but on a machine that slept, whose clock may have stood still: there it may for up to half a
/// lease. Should two processes publish in one directory nevertheless, nothing is corrupt: a part is written under the condition
/// that it is not there, and who writes a file writes the same bytes.
#[derive(Debug, Clone)]
pub struct RunDirectory {
    root: PathBuf,
    location: Location,
    /// Held as long as any handle of the directory lives.
    lock: Option<Arc<Lock>>,
    /// Says whether the lease of the process, if it has one, still is its.
    guard: Option<Guard>,
    /// By whose order the process works here, where another one holds the directory.
    pub(super) order: Option<Arc<str>>,
    /// Where an object store cannot be sorted in.
    scratch: Arc<Mutex<Option<TempDir>>>,
    hits_at_hand: Arc<HitsAtHand>,
}

/// What keeps other processes out.
#[derive(Debug)]
enum Lock {
    File(#[expect(dead_code, reason = "it is held, not looked at")] File),
    Lease(Mutex<Option<Lease>>),
}

impl RunDirectory {
    /// Opens the directory for the run of `manifest`, making it where it is missing. A run that came to nothing there makes
    /// room: one that ended before its first unit was done, since a retriever could not be built, say.
    ///
    /// # Errors
    ///
    /// Returns an error when it holds another run, or something else, or another process works in it, or it cannot be
    /// written.
    pub fn open(root: &Path, manifest: &Manifest) -> Result<(Self, Opened), StoreError> {
        let directory = Self::at(root)?;
        if !directory.holds(layout::MANIFEST)? && directory.is_occupied()? {
            return Err(StoreError::NotARun { path: root.to_owned() });
        }
        let directory = directory.lock()?;
        if !directory.holds(layout::MANIFEST)? {
            directory.write_json(layout::MANIFEST, manifest)?;
            return Ok((directory, Opened::New));
        }
        let found: Manifest = directory.read_json(layout::MANIFEST)?;
        if found.run_id != manifest.run_id && directory.came_to_nothing()? {
            directory.begin_anew(manifest)?;
            return Ok((directory, Opened::New));
        }
        if (found.layout_version, &found.engine_version) != (manifest.layout_version, &manifest.engine_version) {
            return Err(StoreError::OtherVersion { path: root.to_owned(), version: found.engine_version });
        }
        if found.run_id != manifest.run_id {
            let (found, expected) = (found.run_id, manifest.run_id.clone());
            return Err(StoreError::AnotherRun { path: root.to_owned(), found, expected });
        }
        if found != *manifest {
            return Err(StoreError::ChangedManifest { path: directory.path(layout::MANIFEST) });
        }
        let opened = directory.opened()?;
        Ok((directory, opened))
    }

    /// Opens the directory of a run that is there, to work in it.
    ///
    /// # Errors
    ///
    /// Returns an error when it holds no run that this version can read, or another process works in it.
    pub fn attach(root: &Path) -> Result<(Self, Manifest, Opened), StoreError> {
        let directory = Self::at(root)?;
        if !directory.holds(layout::MANIFEST)? {
            return Err(StoreError::NoRun { path: root.to_owned() });
        }
        directory.lock()?.described()
    }

    /// Opens the directory of a run that is there, to look at it; another process may work in it meanwhile.
    ///
    /// # Errors
    ///
    /// Returns an error when it holds no run that this version can read.
    pub fn view(root: &Path) -> Result<(Self, Manifest, Opened), StoreError> {
        let directory = Self::at(root)?;
        if !directory.holds(layout::MANIFEST)? {
            return Err(StoreError::NoRun { path: root.to_owned() });
        }
        directory.described()
    }

    /// Takes the directory for this process, whatever is in it.
    pub(super) fn taken(root: &Path) -> Result<Self, StoreError> {
        Self::at(root)?.lock()
    }

    pub(super) fn at(root: &Path) -> Result<Self, StoreError> {
        let location = Location::of(root).map_err(|error| StoreError::io(root, error.into()))?;
        let remote = Remote::at(&location).map_err(|source| StoreError::io(root, source))?;
        if remote.is_some_and(|remote| !remote.is_a_store()) {
            let message =
                "a run cannot lie behind http; choose a folder of this machine or of an object store (`s3://...`)";
            return Err(StoreError::io(root, io::Error::new(io::ErrorKind::InvalidInput, message)));
        }
        let guard = Guard::of(&location);
        Ok(Self {
            root: location.to_path(),
            location,
            lock: None,
            guard,
            order: None,
            scratch: Arc::default(),
            hits_at_hand: Arc::default(),
        })
    }

    fn described(self) -> Result<(Self, Manifest, Opened), StoreError> {
        let manifest = self.read_json(layout::MANIFEST)?;
        let opened = self.opened()?;
        Ok((self, manifest, opened))
    }

    fn opened(&self) -> Result<Opened, StoreError> {
        Ok(if self.holds(layout::REPORT_JSON)? { Opened::Finished } else { Opened::Unfinished })
    }

    /// Takes the directory for this process, and clears away what a process that died left half-written.
    fn lock(mut self) -> Result<Self, StoreError> {
        let Some(root) = self.location.local() else {
            let lease = Lease::take(&self.location)?;
            self.guard = Some(lease.guard());
            self.lock = Some(Arc::new(Lock::Lease(Mutex::new(Some(lease)))));
            return Ok(self);
        };
        let lock = || {
            calls::create_folder_durably(root)?;
            // A process that was killed may have made the folder and not have come to that. Best effort: who may work in a
            // folder need not be allowed to open the one above it.
            let _ = calls::sync_folder(folder_of(root));
            let file = calls::create(&root.join(layout::LOCK))?;
            let is_ours = calls::lock(&file)?;
            Ok(is_ours.then_some(file))
        };
        let file = lock().map_err(|source| StoreError::io(root, source))?;
        let file = file.ok_or_else(|| StoreError::Locked { path: self.root.clone(), holder: None })?;
        for folder in [root.to_owned(), root.join(layout::PARTS)] {
            remove_leftovers(&folder);
        }
        // Best effort, as above: what was sorted there is of no use to anybody else.
        let _ = calls::remove_folder_with_content(&root.join(SCRATCH));
        self.lock = Some(Arc::new(Lock::File(file)));
        Ok(self)
    }

    /// Gives the directory back, and removes the lock with it where it is an object.
    pub(super) fn remove_lock(self) -> io::Result<()> {
        let Some(Lock::Lease(lease)) = self.lock.as_deref() else { return Ok(()) };
        let lease = lease.lock().unwrap_or_else(PoisonError::into_inner).take();
        lease.map_or(Ok(()), Lease::remove)
    }

    /// Returns what publishing came to. Of a process that was stopped for a while every request fails at first; what matters then
    /// is whether the directory still is its own.
    fn or_lost<T>(&self, published: Result<T, StoreError>) -> Result<T, StoreError> {
        published.map_err(|error| match self.check_lock() {
            Err(lost @ StoreError::LeaseLost { .. }) => lost,
            _ => error,
        })
    }

    /// Makes sure that nobody has taken the directory over, and that what is done here was ordered.
    fn check_lock(&self) -> Result<(), StoreError> {
        self.guard.as_ref().map_or(Ok(()), Guard::check)?;
        self.check_order()
    }

    /// Returns the directory's path, or its URL as a path.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns where the directory is.
    #[must_use]
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Returns the path of a file of the run, or its URL as a path.
    #[must_use]
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.location.join(name).to_path()
    }

    /// Returns whether a file of the run is there, and thus complete; where that cannot be told, it is not.
    #[must_use]
    pub fn has(&self, name: impl AsRef<Path>) -> bool {
        self.holds(name).unwrap_or(false)
    }

    /// Returns whether a file of the run is there, and thus complete.
    ///
    /// # Errors
    ///
    /// Returns an error when it cannot be told.
    pub fn holds(&self, name: impl AsRef<Path>) -> Result<bool, StoreError> {
        let path = self.path(&name);
        let holds = || match self.remote(&name)? {
            Some(remote) => Ok(remote.find()?.is_some()),
            None => match calls::inspect(&path) {
                Ok(metadata) => Ok(metadata.is_file()),
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                    Ok(false)
                }
                Err(error) => Err(error),
            },
        };
        holds().map_err(|source| StoreError::io(&path, source))
    }

    /// Returns the parts that are there, as pipeline and chunk, by one listing.
    ///
    /// # Errors
    ///
    /// Returns an error when they cannot be listed.
    pub fn parts(&self) -> Result<BTreeSet<(usize, usize)>, StoreError> {
        Ok(self.names_in(layout::PARTS)?.iter().filter_map(|name| part_of(name)).collect())
    }

    /// Returns the names of what lies in a folder; none where there is no such folder.
    ///
    /// # Errors
    ///
    /// Returns an error when it cannot be listed.
    pub fn names_in(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        Ok(listed(&self.location.join(folder))?.into_iter().filter_map(|name| name.into_string().ok()).collect())
    }

    /// Writes a JSON file, indented, with a final newline.
    ///
    /// # Errors
    ///
    /// Returns an error when it cannot be written.
    pub fn write_json(&self, name: impl AsRef<Path>, value: &impl Serialize) -> Result<(), StoreError> {
        let failed = |source| StoreError::Json { path: self.path(&name), source };
        let mut text = serde_json::to_vec_pretty(value).map_err(failed)?;
        text.push(b'\n');
        self.write_bytes(&name, &text)
    }

    /// Writes a file.
    ///
    /// # Errors
    ///
    /// Returns an error when it cannot be written.
    pub fn write_bytes(&self, name: impl AsRef<Path>, bytes: &[u8]) -> Result<(), StoreError> {
        self.check_lock()?;
        let path = self.path(&name);
        let failed = |source| StoreError::io(&path, source);
        if let Some(remote) = self.remote(&name).map_err(failed)? {
            let put = remote.put(Bytes::copy_from_slice(bytes), Put::Replace);
            return self.or_lost(put.map(|_| ()).map_err(failed));
        }
        let pending = PendingFile::create(&path).map_err(failed)?;
        let written = pending.writer().write_all(bytes);
        written.map_err(|error| StoreError::write(&path, &pending, 0, error))?;
        pending.publish().map_err(failed)
    }

    /// Reads a JSON file.
    ///
    /// # Errors
    ///
    /// Returns an error when it cannot be read or has another shape.
    pub fn read_json<T: DeserializeOwned>(&self, name: impl AsRef<Path>) -> Result<T, StoreError> {
        let text = self.read_bytes(&name)?;
        serde_json::from_slice(&text).map_err(|source| StoreError::Json { path: self.path(&name), source })
    }

    /// Reads a file as a whole.
    ///
    /// # Errors
    ///
    /// Returns an error when it cannot be read.
    pub fn read_bytes(&self, name: impl AsRef<Path>) -> Result<Vec<u8>, StoreError> {
        let mut bytes = Vec::new();
        let blob = Blob::at(&self.location.join(&name));
        let read = blob.and_then(|blob| blob.reader(0).read_to_end(&mut bytes));
        read.map_err(|source| StoreError::io(&self.path(&name), source))?;
        Ok(bytes)
    }

    /// Copies a file of another run directory, under the name that it has there.
    ///
    /// # Errors
    ///
    /// Returns an error when it cannot be read or written.
    pub fn copy_from(&self, other: &Self, name: impl AsRef<Path>) -> Result<(), StoreError> {
        let (from, to) = (other.path(&name), self.path(&name));
        let blob = Blob::at(&other.location.join(&name)).map_err(|source| StoreError::io(&from, source))?;
        let pending = PendingFile::create(&to).map_err(|source| StoreError::io(&to, source))?;
        let copied = io::copy(&mut blob.reader(0), &mut pending.writer());
        copied.map_err(|error| StoreError::write(&to, &pending, blob.length(), error))?;
        self.check_lock()?;
        pending.publish().map_err(|source| StoreError::io(&to, source))
    }

    /// Removes a file of the run, if it is there.
    ///
    /// # Errors
    ///
    /// Returns an error when it cannot be removed.
    pub fn remove(&self, name: impl AsRef<Path>) -> Result<(), StoreError> {
        self.check_lock()?;
        let path = self.path(&name);
        let remove = || match self.remote(&name)? {
            Some(remote) => remote.remove(),
            None => calls::remove(&path),
        };
        match remove() {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(StoreError::io(&path, source)),
            _ => Ok(()),
        }
    }

    /// Returns a folder of this machine for what is sorted or converted on the way: in the run directory, or, where that is
    /// in an object store, a temporary one that lives as long as the directory's handles.
    ///
    /// # Errors
    ///
    /// Returns an error when it cannot be made.
    pub fn scratch(&self) -> Result<PathBuf, StoreError> {
        if let Some(root) = self.location.local() {
            let folder = root.join(SCRATCH);
            calls::create_folder(&folder).map_err(|source| StoreError::io(&folder, source))?;
            return Ok(folder);
        }
        let mut scratch = self.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        if scratch.is_none() {
            let made = tempfile::Builder::new().prefix("rematch-scratch-").tempdir();
            *scratch = Some(made.map_err(|source| StoreError::io(&self.root, source))?);
        }
        Ok(scratch.as_ref().map(|folder| folder.path().to_owned()).unwrap_or_default())
    }

    /// Removes the folder that [`RunDirectory::scratch`] made, with everything in it.
    ///
    /// # Errors
    ///
    /// Returns an error when it cannot be removed.
    pub fn remove_scratch(&self) -> Result<(), StoreError> {
        *self.scratch.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let Some(root) = self.location.local() else { return Ok(()) };
        let folder = root.join(SCRATCH);
        match calls::remove_folder_with_content(&folder) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(StoreError::io(&folder, source)),
            _ => Ok(()),
        }
    }

    /// Removes a folder with everything in it; one that is not there is no error.
    ///
    /// # Errors
    ///
    /// Returns an error when it cannot be removed.
    pub fn remove_folder(&self, name: impl AsRef<Path>) -> Result<(), StoreError> {
        self.check_lock()?;
        let path = self.path(&name);
        let remove = || match self.remote(&name)? {
            Some(remote) => remote.remove_all(&remote.list()?),
            None => calls::remove_folder_with_content(&path),
        };
        match remove() {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(StoreError::io(&path, source)),
            _ => Ok(()),
        }
    }

    fn remote(&self, name: impl AsRef<Path>) -> io::Result<Option<Remote>> {
        Remote::at(&self.location.join(name))
    }

    /// Returns whether there is anything but hidden files (the lock, files under way).
    fn is_occupied(&self) -> Result<bool, StoreError> {
        Ok(!self.entries()?.is_empty())
    }

    /// Returns the names of the files and folders right below the directory, but for hidden ones and the lock.
    fn entries(&self) -> Result<BTreeSet<String>, StoreError> {
        let is_hidden = |name: &str| is_of_a_lock(name) || self.location.local().is_some() && name.starts_with('.');
        let first = |name: Cow<'_, str>| name.split('/').next().unwrap_or_default().to_owned();
        let listed = listed(&self.location)?;
        Ok(listed.iter().map(|name| name.to_string_lossy()).filter(|name| !is_hidden(name)).map(first).collect())
    }
}

/// Returns the names of what lies in a folder, or of the objects below a URL; none where there is no such folder.
fn listed(location: &Location) -> Result<Vec<OsString>, StoreError> {
    let path = location.to_path();
    let names = || -> io::Result<Vec<OsString>> {
        Ok(match Remote::at(location)? {
            Some(remote) => remote.list()?.into_iter().map(|listed| listed.name.into()).collect(),
            None => match calls::list(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
                entries => entries?.into_iter().map(|(name, _)| name).collect(),
            },
        })
    };
    names().map_err(|source| StoreError::io(&path, source))
}

/// Returns whether an object below a run directory's URL belongs to its lock.
pub(super) fn is_of_a_lock(name: &str) -> bool {
    name.split_once('/').is_some_and(|(folder, _)| folder == layout::LEASES)
}

/// Folder of what is sorted or converted on the way.
const SCRATCH: &str = ".scratch";

/// Returns pipeline and chunk of a part's file name.
pub(super) fn part_of(name: &str) -> Option<(usize, usize)> {
    let (pipeline, chunk) = name.strip_suffix(".parquet")?.split_once('-')?;
    let part = (pipeline.parse().ok()?, chunk.parse().ok()?);
    (layout::part(part.0, part.1).file_name()? == name).then_some(part)
}

/// Removes the files that a process did not give their names before it died. Best effort: they cost room and nothing else.
fn remove_leftovers(folder: &Path) {
    for (name, is_folder) in calls::list(folder).unwrap_or_default() {
        let text = name.to_string_lossy();
        if !is_folder && text.starts_with('.') && text.ends_with(TEMPORARY_ENDING) {
            let _ = calls::remove(&folder.join(&name));
        }
    }
}
