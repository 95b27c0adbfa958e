//! The binary under test: where it is, and what one call of it says.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::SystemTime;

/// What one call said.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// Asserts the exit code and returns the outcome.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Asserts that stderr holds every fragment.
    #[track_caller]
    pub(crate) fn complains(self, fragments: &[&str]) -> Self {
        for fragment in fragments {
            assert!(self.stderr.contains(fragment), "`{fragment}` is missing in:\n{}", self.stderr);
        }
        self
    }
}

/// Calls `rematch` with `arguments`.
pub(crate) fn rematch<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Outcome {
    call(command().args(arguments))
}

/// Calls a command that [`command`] made.
pub(crate) fn call(command: &mut Command) -> Outcome {
    let output = command.output().expect("the binary runs");
    Outcome {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("stderr is UTF-8"),
    }
}

/// Returns a call of the binary under test without arguments.
pub(crate) fn command() -> Command {
    let mut command = Command::new(&*BINARY);
    // Compiled plugins are kept between tests, apart from the user's own.
    command.env("NO_COLOR", "1").env("REMATCH_CACHE", concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"));
    // What a test measures must not depend on those before it.
    command.env("REMATCH_CACHE_LIMIT", "0");
    command
}

/// Returns the path of the binary under test.
pub(crate) fn binary() -> &'static Path {
    &BINARY
}

static BINARY: LazyLock<PathBuf> = LazyLock::new(|| {
    let binary = profile_folder().join(format!("rematch{}", std::env::consts::EXE_SUFFIX));
    if !is_current(&binary) {
        build();
    }
    assert!(is_current(&binary), "`{}` is missing or stale; run `cargo build --workspace`", binary.display());
    binary
});

/// The folder of this profile's artefacts: this test lies in its `deps`.
fn profile_folder() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    test.parent().and_then(Path::parent).expect("a profile's folder").to_owned()
}

/// Returns whether the binary is newer than everything that it is built from. `cargo test --workspace` sees to that; a
/// call for this package alone does not build another package's binary.
fn is_current(binary: &Path) -> bool {
    let Some(built) = modified(binary) else { return false };
    ["engine", "plugins/half-life-utility", "sdk-wit", "data/shop"]
        .iter()
        .all(|folder| all_older(&workspace().join(folder), built))
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|metadata| metadata.modified()).ok()
}

fn all_older(folder: &Path, built: SystemTime) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    let visible = entries.flatten().filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'));
    visible.map(|entry| entry.path()).all(|path| {
        let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
        if path.is_dir() {
            all_older(&path, built)
        } else {
            !SOURCES.contains(&extension) || modified(&path).is_some_and(|modified| modified <= built)
        }
    })
}

/// Endings of the files that are compiled in.
const SOURCES: [&str; 8] = ["rs", "toml", "jinja", "wit", "wasm", "parquet", "jsonl", "sql"];

/// Builds the binary as `cargo test --workspace` does.
fn build() {
    let Some(cargo) = std::env::var_os("CARGO") else { return };
    let mut command = Command::new(cargo);
    command.args(["build", "--workspace", "--bins"]).current_dir(workspace());
    // What cargo tells this test of its own package would make build scripts that read it run again, and with them
    // everything that stands on their crates.
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_of_a_package(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    if profile_folder().ends_with("release") {
        command.arg("--release");
    }
    let status = command.status().expect("cargo runs");
    assert!(status.success(), "`cargo build --workspace --bins` failed");
}

fn is_of_a_package(variable: &str) -> bool {
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"].iter().any(|start| variable.starts_with(start))
}

/// Returns the folder of the workspace.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace's folder").to_owned()
}
