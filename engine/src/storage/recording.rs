//! What file systems are told, in order, so that tests can ask what would be left of it after a power cut.

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What the system knows a file by: its device, and its number there. It stays, whatever the file's name; when the file is
/// gone, another may get it.
pub(crate) type FileNumber = (u64, u64);

/// A change of a file system, once it is made.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// A folder is made, with those above it.
    CreateFolder(PathBuf),
    /// A file is made, or emptied; its number stands for its content from then on.
    Create(PathBuf, FileNumber),
    /// Bytes are written to the end of a file.
    Write(FileNumber, Vec<u8>),
    /// The bytes of a file are durable.
    Sync(FileNumber),
    /// The names in a folder are durable.
    SyncFolder(PathBuf),
    /// A file has another name.
    Rename(PathBuf, PathBuf),
    /// A name is gone.
    Remove(PathBuf),
}

/// Records the changes below a folder for as long as it lives.
#[derive(Debug)]
pub(crate) struct Recording {
    root: PathBuf,
}

struct Recorded {
    root: PathBuf,
    /// The root without links.
    place: PathBuf,
    changes: Vec<Change>,
}

static RECORDED: Mutex<Vec<Recorded>> = Mutex::new(Vec::new());

impl Recording {
    /// Starts recording. No two recordings are of one folder.
    pub(crate) fn of(root: &Path) -> Self {
        let place = root.canonicalize().unwrap_or_default();
        let recorded = Recorded { root: root.to_owned(), place, changes: Vec::new() };
        RECORDED.lock().unwrap_or_else(PoisonError::into_inner).push(recorded);
        Self { root: root.to_owned() }
    }

    /// Ends recording, and returns what was done.
    pub(crate) fn end(self) -> Vec<Change> {
        let mut all = RECORDED.lock().unwrap_or_else(PoisonError::into_inner);
        let found = all.iter().position(|recorded| recorded.root == self.root);
        found.map(|place| all.swap_remove(place).changes).unwrap_or_default()
    }
}

/// Notes a change of a name.
pub(super) fn note(path: &Path, change: impl FnOnce() -> Change) {
    let mut all = RECORDED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(recorded) = all.iter_mut().find(|recorded| path.starts_with(&recorded.root)) {
        recorded.changes.push(change());
    }
}

/// Notes that a file is there, empty.
pub(super) fn created(path: &Path, file: &File) {
    note(path, || Change::Create(path.to_owned(), number_of(file)));
}

/// Notes a change of a file's content.
pub(super) fn changed(file: &File, change: impl FnOnce(FileNumber) -> Change) {
    let mut all = RECORDED.lock().unwrap_or_else(PoisonError::into_inner);
    if all.is_empty() {
        return;
    }
    // Numbers are given again, so that only its place tells whose the file is.
    let place = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap_or_default();
    if let Some(recorded) = all.iter_mut().find(|recorded| place.starts_with(&recorded.place)) {
        recorded.changes.push(change(number_of(file)));
    }
}

fn number_of(file: &File) -> FileNumber {
    file.metadata().map(|metadata| (metadata.dev(), metadata.ino())).unwrap_or_default()
}
