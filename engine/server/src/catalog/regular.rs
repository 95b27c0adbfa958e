//! Files that workers wrote, opened by the server.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use axum::http::StatusCode;
use rematch_engine::store::layout;
use rustix::fs::{Mode, OFlags};
use serde::de::DeserializeOwned;

use crate::platform::error::ApiError;

/// Bytes of a report that is read into memory.
const REPORT_BYTES: u64 = 64 << 20;

/// Returns whether a regular file lies there: no link to one, whatever it leads to.
#[must_use]
pub fn is_regular(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|found| found.is_file())
}

/// Opens a regular file for reading. Links are not followed, and nothing is waited for: a worker that was taken over may have
/// put anything in its place.
///
/// # Errors
///
/// Returns an error when there is no such file, or it is another thing than a file.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let how = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = File::from(rustix::fs::open(path, how, Mode::empty())?);
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("`{}` is not a regular file", path.display())))
}

/// Reads a regular file of at most so many bytes.
///
/// # Errors
///
/// Returns 422 when it has more, and 500 when it cannot be read.
fn read_regular(path: &Path, most: u64) -> Result<Vec<u8>, ApiError> {
    let file = open_regular(path).map_err(ApiError::internal)?;
    let mut read = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut read).map_err(ApiError::internal)?;
    if read.len() as u64 <= most {
        return Ok(read);
    }
    let name = path.file_name().unwrap_or_default().display();
    let message = format!(
        "`{name}` of this run has more than {} MiB, the most that is read here; take fewer retrievers, metrics or taxonomy \
         nodes",
        most >> 20
    );
    Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "report_too_large", message))
}

/// Reads the report of a finished run from its directory, on a thread that may block.
///
/// # Errors
///
/// Returns 422 when it is larger than is read here, and 500 when it cannot be read or was written by another version.
pub fn read_report<T: DeserializeOwned>(run: &Path) -> Result<T, ApiError> {
    let report = read_regular(&run.join(layout::REPORT_JSON), REPORT_BYTES)?;
    serde_json::from_slice(&report).map_err(ApiError::internal)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_is_no_regular_file_is_not_opened_and_holds_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("file"), "12345").unwrap();
        symlink(at("file"), at("link")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, at("pipe"), rustix::fs::FileType::Fifo, Mode::RUSR, 0).unwrap();
        for name in ["link", "pipe", "nothing", "."] {
            assert!(open_regular(&at(name)).is_err() && !is_regular(&at(name)), "{name}");
        }
        assert!(is_regular(&at("file")));
        assert_eq!(read_regular(&at("file"), 5).unwrap(), b"12345");
        assert_eq!(read_regular(&at("file"), 4).unwrap_err().code, "report_too_large");
    }
}
