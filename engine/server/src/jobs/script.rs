//! Workers of tests that are scripts.

use std::path::Path;
use std::process::Command;

/// Writes a program, by another process: what a test beside this one forks would hold a file of ours open for writing, and as
/// long as it does, the file cannot be started.
pub(super) fn write(path: &Path, text: &str) {
    let script = "printf %s \"$2\" >\"$1\" && chmod 700 \"$1\"";
    let made = Command::new("sh").args(["-c", script, "sh"]).arg(path).arg(text).status().unwrap();
    assert!(made.success(), "{}", path.display());
}
