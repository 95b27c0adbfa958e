//! Where the shared reference data lies.

use std::path::PathBuf;

/// Returns the path of a file or folder of the shared data; says that the test is skipped where there is none.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    match std::env::var_os("REMATCH_SHARED") {
        Some(root) => Some(PathBuf::from(root).join(path)),
        None => {
            eprintln!("skipped: REMATCH_SHARED is not set");
            None
        }
    }
}
