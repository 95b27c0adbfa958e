//! A run directory on this machine's file system.

use std::error::Error;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::error::ArrowError;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::manifest::Manifest;
use super::table::{TableReader, TableWriter};
use super::{PendingFile, layout};

/// Sessions per chunk: the size of a work unit, and of a row group of the sample.
pub const SESSIONS_PER_CHUNK: usize = 1024;

/// Why a run directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A file cannot be read or written.
    #[error("cannot read or write `{path}`", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A table of the run cannot be read or written.
    #[error("table `{path}` of the run cannot be read or written; if it is damaged, remove it and run again", path = path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// A JSON file of the run cannot be read or written.
    #[error("`{path}` is not what this version of rematch writes there; remove the run's directory and run again", path = path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The directory holds another run.
    #[error(
        "`{path}` holds run {found}, this benchmark with these inputs is run {expected}; choose another `--out`, or remove it",
        path = path.display()
    )]
    AnotherRun {
        /// The directory.
        path: PathBuf,
        /// The run in it.
        found: String,
        /// The run that was asked for.
        expected: String,
    },
    /// Another process works in the directory.
    #[error("another process works in `{path}`; wait for it, or choose another `--out`", path = path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// The directory holds something else.
    #[error("`{path}` is not empty and holds no run; choose another `--out`", path = path.display())]
    NotARun {
        /// The directory.
        path: PathBuf,
    },
}

impl StoreError {
    pub(crate) fn manifest(source: serde_json::Error) -> Self {
        Self::Json { path: PathBuf::from(layout::MANIFEST), source }
    }

    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }

    pub(crate) fn table(path: &Path, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Table { path: path.to_owned(), source: source.into() }
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

/// A run directory.
#[derive(Debug, Clone)]
pub struct RunDirectory {
    root: PathBuf,
    /// Held as long as any handle of the directory lives; the system gives it back when the process dies.
    _lock: Arc<File>,
}

impl RunDirectory {
    /// Opens the directory for the run of `manifest`, making it where it is missing.
    ///
    /// # Errors
    ///
    /// Returns an error when it holds another run, or something else, or cannot be written.
    pub fn open(root: &Path, manifest: &Manifest) -> Result<(Self, Opened), StoreError> {
        fs::create_dir_all(root).map_err(|source| StoreError::io(root, source))?;
        if !root.join(layout::MANIFEST).is_file() && is_occupied(root).map_err(|source| StoreError::io(root, source))? {
            return Err(StoreError::NotARun { path: root.to_owned() });
        }
        let directory = Self { root: root.to_owned(), _lock: Arc::new(lock(root)?) };
        let path = directory.path(layout::MANIFEST);
        if path.is_file() {
            let found: Manifest = directory.read_json(layout::MANIFEST)?;
            if found.run_id != manifest.run_id {
                let (found, expected) = (found.run_id, manifest.run_id.clone());
                return Err(StoreError::AnotherRun { path: root.to_owned(), found, expected });
            }
            let finished = directory.path(layout::REPORT_JSON).is_file();
            return Ok((directory, if finished { Opened::Finished } else { Opened::Unfinished }));
        }
        directory.write_json(layout::MANIFEST, manifest)?;
        Ok((directory, Opened::New))
    }

    /// Returns the directory's path.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the path of a file of the run.
    #[must_use]
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.root.join(name)
    }

    /// Returns whether a file of the run is there, and thus complete.
    #[must_use]
    pub fn has(&self, name: impl AsRef<Path>) -> bool {
        self.path(name).is_file()
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
        let path = self.path(name);
        let write = || {
            let pending = PendingFile::create(&path)?;
            pending.file()?.write_all(bytes)?;
            pending.publish()
        };
        write().map_err(|source| StoreError::io(&path, source))
    }

    /// Reads a JSON file.
    ///
    /// # Errors
    ///
    /// Returns an error when it cannot be read or has another shape.
    pub fn read_json<T: DeserializeOwned>(&self, name: impl AsRef<Path>) -> Result<T, StoreError> {
        let path = self.path(name);
        let text = fs::read(&path).map_err(|source| StoreError::io(&path, source))?;
        serde_json::from_slice(&text).map_err(|source| StoreError::Json { path, source })
    }

    /// Writes a table from batches.
    ///
    /// # Errors
    ///
    /// Returns an error when a batch is one, or when the table cannot be written.
    pub fn write_table(
        &self,
        name: impl AsRef<Path>,
        schema: SchemaRef,
        batches: impl Iterator<Item = Result<RecordBatch, StoreError>>,
    ) -> Result<(), StoreError> {
        let path = self.path(name);
        let mut writer = TableWriter::create(&path, schema, SESSIONS_PER_CHUNK)?;
        for batch in batches {
            writer.write(&batch?)?;
        }
        writer.finish()
    }

    /// Opens a table.
    ///
    /// # Errors
    ///
    /// Returns an error when it is missing or damaged.
    pub fn table(&self, name: impl AsRef<Path>) -> Result<TableReader, StoreError> {
        TableReader::open(&self.path(name))
    }

    /// Reads all rows of a table.
    ///
    /// # Errors
    ///
    /// Returns an error when the table is missing, damaged, or not of the rows' schema.
    pub fn rows<T>(
        &self,
        name: impl AsRef<Path>,
        from_batch: impl Fn(&RecordBatch) -> Result<Vec<T>, ArrowError>,
    ) -> Result<Vec<T>, StoreError> {
        let table = self.table(&name)?;
        let mut rows = Vec::new();
        for group in 0..table.groups() {
            let batch = table.group(group)?;
            rows.extend(from_batch(&batch).map_err(|error| StoreError::table(&self.path(&name), error))?);
        }
        Ok(rows)
    }

    /// Removes a file of the run, if it is there.
    ///
    /// # Errors
    ///
    /// Returns an error when it cannot be removed.
    pub fn remove(&self, name: impl AsRef<Path>) -> Result<(), StoreError> {
        let path = self.path(name);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(StoreError::io(&path, source)),
            _ => Ok(()),
        }
    }
}

/// Returns whether the folder holds anything but hidden files (the lock, files under way).
fn is_occupied(root: &Path) -> io::Result<bool> {
    let visible = |entry: fs::DirEntry| !entry.file_name().to_string_lossy().starts_with('.');
    Ok(fs::read_dir(root)?.any(|entry| entry.is_ok_and(visible)))
}

/// Takes the directory for this process.
fn lock(root: &Path) -> Result<File, StoreError> {
    let path = root.join(layout::LOCK);
    let file = File::create(&path).map_err(|source| StoreError::io(&path, source))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked { path: root.to_owned() }),
        Err(TryLockError::Error(source)) => Err(StoreError::io(&path, source)),
    }
}
