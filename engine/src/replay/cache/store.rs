//! The folder of all pipelines' answers, and how large it may grow.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use super::segment;
use crate::storage::{TEMPORARY_ENDING, calls};

/// Age at which a file that never got its name belongs to nobody.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

/// Rankings that are kept from run to run.
#[derive(Debug)]
pub struct RankingCache {
    folder: PathBuf,
    limit_bytes: u64,
    /// Bytes of all files, as far as this process knows.
    bytes: AtomicU64,
}

/// What a [`RankingCache`] holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct CacheSummary {
    /// Pipelines of which there are answers.
    pub pipelines: u64,
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A file of answers.
struct Found {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
    is_answer: bool,
}

impl RankingCache {
    /// Bytes that are kept where nothing else is said.
    pub const LIMIT_BYTES: u64 = 1 << 30;

    /// Opens the cache in `folder` for a run, and removes what is too much. The folder is made with the first answer that is
    /// kept.
    ///
    /// # Errors
    ///
    /// Returns an error when there is a folder that cannot be read.
    pub fn open(folder: &Path, limit_bytes: u64) -> io::Result<Self> {
        let cache = Self::view(folder, limit_bytes);
        cache.shrink()?;
        Ok(cache)
    }

    /// Returns the cache in `folder` as it lies, for looking at it or clearing it.
    #[must_use]
    pub fn view(folder: &Path, limit_bytes: u64) -> Self {
        Self { folder: folder.to_owned(), limit_bytes, bytes: AtomicU64::new(0) }
    }

    /// Returns what there is.
    ///
    /// # Errors
    ///
    /// Returns an error when the folder cannot be read.
    pub fn summary(&self) -> io::Result<CacheSummary> {
        let mut summary = CacheSummary::default();
        let found = self.found()?;
        let mut pipelines: Vec<&Path> = Vec::new();
        for file in found.iter().filter(|file| file.is_answer) {
            summary.files += 1;
            summary.bytes += file.bytes;
            pipelines.extend(file.path.parent());
        }
        pipelines.dedup();
        summary.pipelines = pipelines.len() as u64;
        Ok(summary)
    }

    /// Removes all answers.
    ///
    /// # Errors
    ///
    /// Returns an error when the folder cannot be read or a file cannot be removed.
    pub fn clear(&self) -> io::Result<()> {
        for file in self.found()? {
            gone(calls::remove(&file.path))?;
        }
        for folder in self.folders()? {
            // One that got a file meanwhile stays.
            let _ = calls::remove_folder(&folder);
        }
        self.bytes.store(0, Ordering::Relaxed);
        Ok(())
    }

    /// Returns the folder of a pipeline's answers.
    pub(super) fn folder_of(&self, identity: &str) -> PathBuf {
        self.folder.join(identity)
    }

    /// Returns whether so many more bytes may be kept at all.
    pub(super) fn takes(&self, bytes: u64) -> bool {
        bytes <= self.limit_bytes
    }

    /// Counts bytes that were written, and removes what is then too much.
    pub(super) fn grown(&self, bytes: u64) -> io::Result<()> {
        if self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes > self.limit_bytes { self.shrink() } else { Ok(()) }
    }

    /// Removes the files that were used longest ago until the rest is within the limit. Other processes may do the same.
    fn shrink(&self) -> io::Result<()> {
        let mut found = self.found()?;
        let now = SystemTime::now();
        for file in found.extract_if(.., |file| !file.is_answer) {
            if now.duration_since(file.used).is_ok_and(|age| age > ABANDONED) {
                gone(calls::remove(&file.path))?;
            }
        }
        let mut bytes: u64 = found.iter().map(|file| file.bytes).sum();
        found.sort_by(|one, other| (one.used, &one.path).cmp(&(other.used, &other.path)));
        for file in found {
            if bytes <= self.limit_bytes {
                break;
            }
            gone(calls::remove(&file.path))?;
            bytes = bytes.saturating_sub(file.bytes);
        }
        self.bytes.store(bytes, Ordering::Relaxed);
        Ok(())
    }

    fn folders(&self) -> io::Result<Vec<PathBuf>> {
        let entries = match calls::list(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            entries => entries?,
        };
        let entries = entries.into_iter();
        Ok(entries.filter(|(_, is_folder)| *is_folder).map(|(name, _)| self.folder.join(name)).collect())
    }

    /// Returns all files, folder by folder.
    fn found(&self) -> io::Result<Vec<Found>> {
        let mut found = Vec::new();
        for folder in self.folders()? {
            for (name, is_folder) in calls::list(&folder).unwrap_or_default() {
                let text = name.to_string_lossy();
                let is_answer = text.ends_with(segment::ENDING);
                let path = folder.join(&name);
                // A file that another process has removed meanwhile is none.
                let Ok(about) = calls::inspect(&path) else { continue };
                if !is_folder && (is_answer || text.ends_with(TEMPORARY_ENDING)) {
                    let used = about.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                    found.push(Found { path, bytes: about.len(), used, is_answer });
                }
            }
        }
        Ok(found)
    }
}

/// Notes that a file is used now: its time of change says so, since nothing else changes it.
pub(super) fn note_use(path: &Path) {
    // A file that cannot be marked only goes earlier.
    let _ = File::options().append(true).open(path).and_then(|file| file.set_modified(SystemTime::now()));
}

/// That a file is gone already is no error: others clean up too.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
