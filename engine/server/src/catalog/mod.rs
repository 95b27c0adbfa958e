//! What organisations bring, under the names by which every API family refers to it: files, corpora, components,
//! retrievers, benchmarks. A benchmark that the server writes names them by the absolute paths that are given here.
//!
//! The database says what there is; a file without a row is left over from a server that was killed, and is swept away when
//! the next one starts. A file gets its name within the write that makes its row, so that of two uploads under one name one
//! comes first.

pub mod components;
pub mod corpora;
pub mod files;
mod ledger;
mod regular;
pub mod retrievers;
pub mod secrets;
pub mod specs;
mod storage;
mod sweep;
mod uploads;

pub use ledger::{Entry, Ledger};
pub use regular::{is_regular, open_regular, read_report};
pub use storage::{Storage, check_rows, check_storage, storage};
pub(crate) use storage::{bytes_in, exceeded};
pub use sweep::sweep;
pub use uploads::Upload;
pub(crate) use uploads::hexadecimal;

use crate::platform::error::ApiError;

/// Whether something was made, or was there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It is new.
    Created,
    /// The same was there.
    Unchanged,
}

/// Checks a name that becomes a file's name: 1 to 128 letters, digits, `.`, `-` and `_`, and no dot in front.
///
/// # Errors
///
/// Returns 422 for any other name.
pub fn check_name(what: &str, name: &str) -> Result<(), ApiError> {
    if is_name(name) {
        return Ok(());
    }
    let message = format!(
        "`{name}` is no name of a {what}; expected 1 to 128 letters, digits, `.`, `-` and `_`, no `.` in front"
    );
    Err(ApiError::invalid(&[what], "pattern", message))
}

/// Returns whether a text is a name by the rule of [`check_name`].
#[must_use]
pub fn is_name(name: &str) -> bool {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
    plain && !name.starts_with('.') && (1..=128).contains(&name.len())
}

/// Folders in the name of a file, at most.
const MOST_FOLDERS: usize = 4;

/// Returns whether a text is the name of a file: one or, in folders, up to five names with `/` between them, 256 characters
/// in all.
#[must_use]
pub fn is_file_name(name: &str) -> bool {
    name.len() <= 256 && name.split('/').count() <= MOST_FOLDERS + 1 && name.split('/').all(is_name)
}

/// Checks the name of a file by the rule of [`is_file_name`].
///
/// # Errors
///
/// Returns 422 for any other name.
pub fn check_file_name(name: &str) -> Result<(), ApiError> {
    if is_file_name(name) {
        return Ok(());
    }
    let message = format!(
        "`{name}` is no name of a file; expected 1 to 128 letters, digits, `.`, `-` and `_`, no `.` in front, and such folders \
         before it, up to {MOST_FOLDERS}: `folder/name`"
    );
    Err(ApiError::invalid(&["file"], "pattern", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_have_folders_and_lead_nowhere_else() {
        for name in ["a", "a/b.jsonl", "scifact/qrels/test.tsv", "a/b/c/d/e"] {
            assert!(is_file_name(name), "{name}");
        }
        for name in
            ["", "/", "a/", "/a", "a//b", "../a", "a/../b", "a/./b", "a/.b", "a/b/c/d/e/f", "a\\b", &"x/".repeat(200)]
        {
            assert!(!is_file_name(name), "{name}");
        }
    }

    #[test]
    fn what_could_leave_the_folder_is_no_name() {
        for name in ["", ".", "..", ".hidden", "a/b", "../a", "/etc/passwd", "a\\b", "a b", "a\0b", "ä", "a*"] {
            assert!(!is_name(name), "{name:?}");
        }
        assert!(is_name("sessions-2026.parquet") && is_name(&"x".repeat(128)) && !is_name(&"x".repeat(129)));
    }
}
