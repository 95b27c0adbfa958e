//! Writing a file so that it is complete or absent, whatever kills the process.

use std::fs::File;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use super::blocks::BlockWriter;
use super::calls;
use super::location::Location;
use super::remote::{Put, Remote};

static CREATED: AtomicU64 = AtomicU64::new(0);

/// A random number that this process has, and no other.
static PROCESS: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(std::process::id()));

/// How the name of a file under way ends; it begins with a dot.
pub(crate) const TEMPORARY_ENDING: &str = ".tmp";

/// A file that does not have its name yet: it is written beside it (an object: into a temporary file), and gets it by
/// [`PendingFile::publish`]. Dropped unpublished, it is removed.
#[derive(Debug)]
pub struct PendingFile {
    path: PathBuf,
    target: Target,
    file: Arc<File>,
    progress: Arc<Progress>,
    published: bool,
}

#[derive(Debug)]
enum Target {
    Local { folder: PathBuf, temporary: PathBuf },
    Object(Remote),
}

/// How far a file is.
#[derive(Debug, Default)]
struct Progress {
    written: AtomicU64,
    needed: AtomicU64,
}

/// Writes to a [`PendingFile`].
#[derive(Debug)]
pub struct PendingWriter {
    file: Arc<File>,
    progress: Arc<Progress>,
}

impl PendingFile {
    /// Starts a file at a path or at the URL that the path spells, making its folder where it is missing.
    ///
    /// # Errors
    ///
    /// Returns an error when the folder or the file cannot be made.
    pub fn create(path: &Path) -> io::Result<Self> {
        let location = Location::of(path)?;
        let (target, file) = match Remote::at(&location)? {
            Some(remote) => (Target::Object(remote), super::fetch::spool()?),
            None => Self::create_beside(&location.to_path())?,
        };
        let path = location.to_path();
        Ok(Self { path, target, file: Arc::new(file), progress: Arc::default(), published: false })
    }

    fn create_beside(path: &Path) -> io::Result<(Target, File)> {
        let folder = folder_of(path).to_owned();
        calls::create_folder_durably(&folder)?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        // No two writers share a temporary file, whatever process and machine they are in: containers have the same numbers.
        let number = CREATED.fetch_add(1, Ordering::Relaxed);
        let temporary = folder.join(format!(".{name}.{:x}-{number}{TEMPORARY_ENDING}", *PROCESS));
        let file = calls::create(&temporary)?;
        Ok((Target::Local { folder, temporary }, file))
    }

    /// Returns a writer of the file.
    #[must_use]
    pub fn writer(&self) -> PendingWriter {
        PendingWriter { file: Arc::clone(&self.file), progress: Arc::clone(&self.progress) }
    }

    /// Returns a writer of the file, which is empty, that hands over large blocks.
    pub(crate) fn block_writer(&self) -> BlockWriter {
        let path = match &self.target {
            Target::Local { temporary, .. } => Some(temporary.clone()),
            Target::Object(_) => None,
        };
        BlockWriter::new(path, self.writer())
    }

    /// Returns the bytes that are written.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.progress.written.load(Ordering::Relaxed)
    }

    /// Returns the bytes that the file would have with all that was to be written so far.
    #[must_use]
    pub fn needed(&self) -> u64 {
        self.progress.needed.load(Ordering::Relaxed)
    }

    /// Returns the folder on this machine that takes the bytes first.
    #[must_use]
    pub fn room(&self) -> PathBuf {
        match &self.target {
            Target::Local { folder, .. } => folder.clone(),
            Target::Object(_) => std::env::temp_dir(),
        }
    }

    /// Syncs what is written so far; an object is sent when it is published.
    ///
    /// # Errors
    ///
    /// Returns an I/O error.
    pub fn sync(&self) -> io::Result<()> {
        match &self.target {
            Target::Local { .. } => calls::sync(&self.file),
            Target::Object(_) => Ok(()),
        }
    }

    /// Syncs the content, gives the file its name, and syncs the folder. What has the name is replaced.
    ///
    /// # Errors
    ///
    /// Returns the first I/O error; the name is then untouched, or, where only the folder could not be synced, names the
    /// new content.
    pub fn publish(self) -> io::Result<()> {
        self.publish_as(Put::Replace).map(|_| ())
    }

    /// Publishes the file, and returns whether it has the name; [`Put::Once`] leaves what has it as it is.
    ///
    /// # Errors
    ///
    /// Returns the first error, as [`PendingFile::publish`] does.
    pub fn publish_as(mut self, put: Put) -> io::Result<bool> {
        self.sync()?;
        match &self.target {
            Target::Local { folder, temporary } => {
                self.published = match put {
                    Put::Replace => calls::rename(temporary, &self.path).map(|()| true)?,
                    Put::Once => calls::rename_new(temporary, &self.path)?,
                };
                calls::sync_folder(folder)?;
                Ok(self.published)
            }
            Target::Object(remote) => {
                self.published = true;
                remote.upload(&self.file, self.progress.written.load(Ordering::Relaxed), put)
            }
        }
    }
}

/// Returns the folder of a path; the present one where it names none.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

impl Drop for PendingFile {
    fn drop(&mut self) {
        if let Target::Local { temporary, .. } = &self.target
            && !self.published
        {
            // Best effort: a leftover is removed when the run goes on.
            let _ = calls::remove(temporary);
        }
    }
}

impl PendingWriter {
    /// Returns the bytes that are written.
    pub(super) fn written(&self) -> u64 {
        self.progress.written.load(Ordering::Relaxed)
    }

    /// Writes on by another handle of the file.
    pub(super) fn write_by(&self, file: &File, bytes: &[u8]) -> io::Result<usize> {
        let written = self.written();
        self.progress.needed.fetch_max(written + bytes.len() as u64, Ordering::Relaxed);
        let more = calls::write(file, bytes, written)?;
        self.progress.written.fetch_add(more as u64, Ordering::Relaxed);
        Ok(more)
    }
}

impl Write for PendingWriter {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.write_by(&self.file, buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn an_unpublished_file_leaves_the_old_content_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.json");
        let pending = PendingFile::create(&path).expect("created");
        pending.writer().write_all(b"old").expect("written");
        pending.publish().expect("published");
        let pending = PendingFile::create(&path).expect("created");
        pending.writer().write_all(b"half").expect("written");
        assert_eq!((pending.written(), pending.needed()), (4, 4));
        drop(pending);
        assert_eq!(fs::read(&path).expect("content"), b"old");
        assert_eq!(fs::read_dir(folder.path()).expect("entries").count(), 1);
    }

    #[test]
    fn what_is_written_once_is_not_replaced_by_whoever_comes_later() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.json");
        for (content, is_first) in [("first", true), ("second", false)] {
            let pending = PendingFile::create(&path).expect("created");
            pending.writer().write_all(content.as_bytes()).expect("written");
            assert_eq!(pending.publish_as(Put::Once).expect("published"), is_first);
        }
        assert_eq!(fs::read(&path).expect("content"), b"first");
        assert_eq!(fs::read_dir(folder.path()).expect("entries").count(), 1, "nothing is left of the second");
    }
}
