//! Is this machine fit for runs?

use std::path::{Path, PathBuf};

use rematch_engine::replay::diagnosis::Check;
use rustix::process::{Resource, getrlimit};

use crate::folders;
use crate::plugin_host::plugin_host;
use crate::terminal::bytes;

/// Fewer are soon used up: each session on its way may hold a connection.
const LEAST_FILES: u64 = 1024;
/// Less room is soon used up.
const LEAST_ROOM: u64 = 1_000_000_000;

/// Returns the checks of this machine.
pub(super) fn checks() -> Vec<Check> {
    let mut checks = vec![version(), cores(), open_files()];
    let temporary = std::env::temp_dir();
    checks.push(writable("temporary files", &temporary, "set `TMPDIR` to a folder that can be written"));
    let fix = format!("set `{}` to a folder that can be written", folders::CACHE);
    for (name, folder) in
        [("compiled plugins", folders::compiled_plugins()), ("fetched objects", folders::fetched_objects())]
    {
        checks.push(match folder {
            Some(folder) => writable(name, &folder, &fix),
            None => Check::failed(name, "this user has no cache folder", fix.as_str()),
        });
    }
    checks.push(plugins());
    checks
}

fn version() -> Check {
    let (os, processor) = (std::env::consts::OS, std::env::consts::ARCH);
    Check::ok("version", format!("rematch {} on {os}, {processor}", env!("CARGO_PKG_VERSION")))
}

fn cores() -> Check {
    match std::thread::available_parallelism() {
        Ok(cores) => Check::ok("cores", cores.to_string()),
        Err(error) => Check::warning("cores", error.to_string(), "say `--threads` at each run"),
    }
}

fn open_files() -> Check {
    match getrlimit(Resource::Nofile).current {
        Some(limit) if limit < LEAST_FILES => Check::warning(
            "open files",
            format!("at most {limit}"),
            format!("allow more before the call: `ulimit -n {LEAST_FILES}`"),
        ),
        Some(limit) => Check::ok("open files", format!("at most {limit}")),
        None => Check::ok("open files", "without limit"),
    }
}

fn plugins() -> Check {
    match plugin_host(None) {
        Ok(_) => Check::ok("plugins", "WebAssembly components can be run"),
        Err(error) => {
            Check::failed("plugins", error.to_string(), "scorers of your own need an x86-64 or ARM64 machine")
        }
    }
}

/// Looks whether a folder, or the one that it would be made in, can be written, and how much room there is.
pub(super) fn writable(name: &str, folder: &Path, fix: &str) -> Check {
    if folder.to_string_lossy().contains("://") {
        return Check::ok(name, format!("{} (an object store, not tried)", folder.display()));
    }
    let there = existing(folder);
    let shown = folder.display();
    if folder.exists() && !folder.is_dir() {
        return Check::failed(name, format!("{shown} is no folder"), fix);
    }
    if let Err(error) = tempfile::tempfile_in(&there) {
        return Check::failed(name, format!("{shown} cannot be written: {error}"), fix);
    }
    let Ok(system) = rustix::fs::statvfs(&there) else { return Check::ok(name, shown.to_string()) };
    let room = system.f_bavail.saturating_mul(system.f_frsize);
    let found = format!("{shown} has room for {}", bytes(room));
    match room < LEAST_ROOM {
        true => Check::warning(name, found, fix),
        false => Check::ok(name, found),
    }
}

/// The folder itself, or the nearest one above it that is there.
fn existing(folder: &Path) -> PathBuf {
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    absolute.ancestors().find(|path| path.is_dir()).map_or_else(|| PathBuf::from("/"), Path::to_owned)
}

#[cfg(test)]
mod tests {
    use rematch_engine::replay::diagnosis::CheckState;

    use super::*;

    #[test]
    fn a_folder_that_is_not_there_yet_is_looked_at_where_it_would_be_made() {
        let folder = tempfile::tempdir().expect("a folder");
        let check = writable("runs", &folder.path().join("a/b/c"), "choose another");
        assert_ne!(check.state, CheckState::Failed, "{check:?}");
        assert!(!folder.path().join("a").exists(), "nothing is made");
    }

    #[test]
    fn a_file_in_the_way_of_a_folder_is_no_place() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("runs"), "").expect("written");
        // The file cannot become a folder, but the folder around it can be written.
        let check = writable("runs", &folder.path().join("runs"), "choose another");
        assert_eq!(check.state, CheckState::Failed, "{check:?}");
    }
}
