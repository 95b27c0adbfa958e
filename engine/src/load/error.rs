//! Why an input cannot be read: which file, which row, what was found and what was expected.

use std::path::PathBuf;

use crate::storage::Shown;

/// Why an input cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file cannot be opened or read.
    #[error("cannot read `{path}`", path = Shown(path))]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file that is made of the input cannot be written.
    #[error("cannot write `{path}`", path = Shown(path))]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// No file matches.
    #[error("no file matches `{pattern}`")]
    NoMatch {
        /// The path or glob.
        pattern: String,
    },
    /// The format cannot be told from the file, or is not one that can be read here.
    #[error("`{path}`: {reason}", path = Shown(path))]
    Format {
        /// The file.
        path: PathBuf,
        /// What was found and what was expected.
        reason: String,
    },
    /// The file is damaged or not of its format (a truncated Parquet file, say).
    #[error("`{path}` is damaged or not a {format} file", path = Shown(path))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The format that was expected.
        format: &'static str,
        /// What the decoder says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// There is no room for a copy of the file that must be made on the way: one that is sorted, or in another format.
    #[error(
        "`{}` needs a copy in `{}`, of about {needed} bytes{}{}; what was done before is kept, the run goes on from there when \
         it is resumed",
        crate::storage::Shown(path),
        folder.display(),
        free.map(|free| format!(", {free} are free")).unwrap_or_default(),
        crate::storage::advice(source).map(|advice| format!("; {advice}")).unwrap_or_default()
    )]
    NoRoom {
        /// The file.
        path: PathBuf,
        /// Where the copy is made.
        folder: PathBuf,
        /// What the copy takes, an estimate.
        needed: u64,
        /// Bytes that are free there, if the system says.
        free: Option<u64>,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A column has another type than the schema asks for.
    #[error("`{path}`: column `{column}` has type {found}, expected {expected}", path = Shown(path))]
    ColumnType {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// The type in the file.
        found: String,
        /// The type in the schema.
        expected: String,
    },
    /// A required column is not there.
    #[error("`{path}` has no column `{column}`; it has {available}", path = Shown(path))]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// The columns that are there.
        available: String,
    },
    /// One row cannot be understood.
    #[error("`{path}`, row {row}: {reason}", path = Shown(path))]
    Row {
        /// The file.
        path: PathBuf,
        /// 1-based line of a text file, 1-based row of a table.
        row: u64,
        /// What was found and what was expected.
        reason: String,
    },
    /// An id that must be unique occurs twice.
    #[error("`{path}`, row {row}: duplicate {what} `{id}`, first seen in row {first}", path = Shown(path))]
    Duplicate {
        /// The file.
        path: PathBuf,
        /// 1-based row of the second occurrence.
        row: u64,
        /// What is duplicated: `session_id`, `item id`.
        what: &'static str,
        /// The id.
        id: String,
        /// 1-based row of the first occurrence.
        first: u64,
    },
    /// Its rows must be grouped or joined in memory, and do not fit.
    #[error(
        "`{path}`: {what} in memory takes more than the {} MiB that may be used; raise the limit with `--memory-limit`, or \
         convert the file to Parquet in the session schema, which is streamed",
        limit_bytes >> 20,
        path = path.display()
    )]
    Memory {
        /// The file.
        path: PathBuf,
        /// What was done: `grouping the rows of each session`.
        what: &'static str,
        /// The limit.
        limit_bytes: usize,
    },
    /// There is nothing in it.
    #[error("`{path}` holds no {what}", path = Shown(path))]
    Empty {
        /// The file.
        path: PathBuf,
        /// What was expected: `sessions`, `documents`.
        what: &'static str,
    },
}

impl LoadError {
    /// Returns the error of a copy of `path` in `folder` that could not be written, where that is for want of room.
    pub(crate) fn of_room(
        path: &std::path::Path,
        folder: &std::path::Path,
        needed: u64,
        error: &(dyn std::error::Error + 'static),
    ) -> Option<Self> {
        use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        let found = crate::storage::io_error_of(error)?;
        let (kind, code) = (found.kind(), found.raw_os_error()?);
        [FileTooLarge, QuotaExceeded, StorageFull].contains(&kind).then(|| Self::NoRoom {
            path: path.to_owned(),
            folder: folder.to_owned(),
            needed,
            free: crate::storage::free_bytes(folder),
            source: std::io::Error::from_raw_os_error(code),
        })
    }
}
