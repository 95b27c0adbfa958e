//! The binary under test: where it is, and what one call of it says.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

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
    command.env("NO_COLOR", "1");
    command
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

/// Returns whether the binary was built from this workspace's sources as they are now, by the list of them that cargo
/// writes beside it. Cargo builds a package's binary for that package's own tests only; `cargo test --test integration`
/// selects none of them.
fn is_current(binary: &Path) -> bool {
    let modified = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
    let Some(built) = modified(binary) else { return false };
    let Ok(list) = std::fs::read_to_string(binary.with_extension("d")) else { return false };
    // As in a makefile: `target: source source`, a space inside a path behind a backslash.
    let list = list.replace("\\ ", "\0");
    let sources: Vec<PathBuf> = list.split_whitespace().skip(1).map(|path| path.replace('\0', " ").into()).collect();
    let own = workspace().join("engine/cli/src/main.rs");
    sources.contains(&own) && sources.iter().all(|source| modified(source).is_some_and(|modified| modified <= built))
}

/// Builds the binary as `cargo test --workspace` does.
fn build() {
    let Some(cargo) = std::env::var_os("CARGO") else { return };
    let mut command = Command::new(cargo);
    command.args(["build", "--workspace", "--bins"]).current_dir(workspace());
    if profile_folder().ends_with("release") {
        command.arg("--release");
    }
    let status = command.status().expect("cargo runs");
    assert!(status.success(), "`cargo build --workspace --bins` failed");
}

/// Returns the folder of the workspace.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace's folder").to_owned()
}
