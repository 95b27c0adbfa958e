//! Writing a file so that it is complete or absent, whatever kills the process.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

static CREATED: AtomicU64 = AtomicU64::new(0);

/// A file that does not have its name yet: it is written beside it, and gets it by [`PendingFile::publish`]. Dropped
/// unpublished, it is removed.
#[derive(Debug)]
pub struct PendingFile {
    path: PathBuf,
    folder: PathBuf,
    temporary: PathBuf,
    file: File,
    published: bool,
}

impl PendingFile {
    /// Starts a file, making its folder where it is missing.
    ///
    /// # Errors
    ///
    /// Returns an error when the folder or the file cannot be made.
    pub fn create(path: &Path) -> io::Result<Self> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
        fs::create_dir_all(&folder)?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        // No two writers share a temporary file, whatever process they are in.
        let number = CREATED.fetch_add(1, Ordering::Relaxed);
        let temporary = folder.join(format!(".{name}.{}-{number}.tmp", std::process::id()));
        let file = File::create(&temporary)?;
        Ok(Self { path: path.to_owned(), folder, temporary, file, published: false })
    }

    /// Returns a handle to write through.
    ///
    /// # Errors
    ///
    /// Returns an error when the process has no file handle left.
    pub fn file(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// Syncs the content, gives the file its name, and syncs the folder.
    ///
    /// # Errors
    ///
    /// Returns the first I/O error; the name is then untouched.
    pub fn publish(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.temporary, &self.path)?;
        self.published = true;
        File::open(&self.folder)?.sync_all()
    }
}

impl Drop for PendingFile {
    fn drop(&mut self) {
        if !self.published {
            // Best effort: the next attempt overwrites a leftover.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn an_unpublished_file_leaves_the_old_content_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.json");
        let pending = PendingFile::create(&path).expect("created");
        pending.file().expect("a handle").write_all(b"old").expect("written");
        pending.publish().expect("published");
        let pending = PendingFile::create(&path).expect("created");
        pending.file().expect("a handle").write_all(b"half").expect("written");
        drop(pending);
        assert_eq!(fs::read(&path).expect("content"), b"old");
        assert_eq!(fs::read_dir(folder.path()).expect("entries").count(), 1);
    }
}
