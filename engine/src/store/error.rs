//! Why a run directory cannot be used.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::layout;
use crate::storage::{PendingFile, advice, free_bytes, io_error_of};

/// Why a run directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A file cannot be read or written.
    #[error("cannot read or write `{path}`{advice}", path = path.display(), advice = Advice(source))]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file cannot be written to its end.
    #[error(
        "cannot write `{path}`: it needs at least {needed} bytes, {written} are written{free}{advice}; what was done \
         before is kept, the run goes on from there when it is resumed",
        path = path.display(),
        free = Free(*free),
        advice = Advice(source)
    )]
    Write {
        /// The file.
        path: PathBuf,
        /// Bytes that it would have with all that was to be written so far.
        needed: u64,
        /// Bytes of it that were written.
        written: u64,
        /// Bytes that are free where it lies, if the system says.
        free: Option<u64>,
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
    /// Sums of a run that machines hand to one another take too many bytes.
    #[error(
        "the sums in `{path}` take more than {most} bytes unpacked, the most that processes of a cluster hand to one another; \
         compare fewer retrievers, metrics or taxonomy nodes, or remove the folder of that file and resume the run with \
         `--cluster here`, which hands on none",
        path = path.display()
    )]
    SumsTooLarge {
        /// The file that has them, or would.
        path: PathBuf,
        /// Bytes that they may take.
        most: u64,
    },
    /// The manifest was changed after it was written: its run id is not that of what it says.
    #[error(
        "`{path}` does not say what this run is made from, though it has the run's id: it is damaged; remove the run's \
         directory and run again",
        path = path.display()
    )]
    ChangedManifest {
        /// The manifest.
        path: PathBuf,
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
    /// Another version of the engine made the run.
    #[error(
        "the run in `{path}` was made by rematch {version}, which may find other numbers; finish it with that version, or \
         choose another `--out`",
        path = path.display()
    )]
    OtherVersion {
        /// The directory.
        path: PathBuf,
        /// The version.
        version: String,
    },
    /// Another process works in the directory.
    #[error(
        "another process works in `{path}`{holder}; wait for it, or choose another `--out`",
        path = path.display(), holder = Colon(holder.as_deref())
    )]
    Locked {
        /// The directory.
        path: PathBuf,
        /// Who, where the lock says so.
        holder: Option<String>,
    },
    /// Whoever ordered work in the directory is gone, or ordered it anew.
    #[error("run `{path}` cannot be worked on here: whoever ordered it is gone, or ordered it anew", path = path.display())]
    OrderGone {
        /// The directory.
        path: PathBuf,
    },
    /// Another process took the directory over.
    #[error(
        "`{path}` was taken over by {by}, since this process was not heard of for too long; nothing more is published here, \
         and what is done is kept: once the other has ended, `rematch resume` goes on",
        path = path.display()
    )]
    LeaseLost {
        /// The directory.
        path: PathBuf,
        /// Who has it now.
        by: String,
    },
    /// The directory holds something else.
    #[error("`{path}` is not empty and holds no run; choose another `--out`", path = path.display())]
    NotARun {
        /// The directory.
        path: PathBuf,
    },
    /// There is no run in the directory.
    #[error("`{path}` holds no run: there is no `{manifest}` in it", path = path.display(), manifest = layout::MANIFEST)]
    NoRun {
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
        let source = source.into();
        // What the system says about a file is no damage of the table.
        match io_error_of(source.as_ref()).and_then(io::Error::raw_os_error) {
            Some(code) => Self::io(path, io::Error::from_raw_os_error(code)),
            None => Self::Table { path: path.to_owned(), source },
        }
    }

    /// Returns why a file that was being written cannot be; `buffered` bytes were still to follow what was tried.
    pub(super) fn write(
        path: &Path,
        pending: &PendingFile,
        buffered: u64,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        let source = source.into();
        let Some(code) = io_error_of(source.as_ref()).and_then(io::Error::raw_os_error) else {
            return match source.downcast::<io::Error>() {
                Ok(source) => Self::io(path, *source),
                Err(source) => Self::table(path, source),
            };
        };
        Self::Write {
            path: path.to_owned(),
            needed: pending.needed() + buffered,
            written: pending.written(),
            free: free_bytes(&pending.room()),
            source: io::Error::from_raw_os_error(code),
        }
    }
}

/// Prints what is known, after a colon.
struct Colon<'a>(Option<&'a str>);

impl fmt::Display for Colon<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |words| write!(formatter, ": {words}"))
    }
}

/// Prints what can be done, after a semicolon.
struct Advice<'a>(&'a io::Error);

impl fmt::Display for Advice<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        advice(self.0).map_or(Ok(()), |advice| write!(formatter, "; {advice}"))
    }
}

/// Prints how much room there is.
struct Free(Option<u64>);

impl fmt::Display for Free {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |free| write!(formatter, ", {free} are free"))
    }
}
