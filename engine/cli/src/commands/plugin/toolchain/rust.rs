//! Rust by cargo: with the target of rustup's toolchain, or with Debian's compiler and a standard library of its own.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use serde::Deserialize;

use super::download::{Installation, Method};
use super::rust_debian::DebianCompiler;
use super::tool::{Tool, capture, missing, output, say};
use super::{Built, Workplace, rust_packages};
use crate::commands::plugin::project::Project;
use crate::exit::{Exit, Failure};

/// WebAssembly without an operating system, so that a component imports nothing of WASI.
pub(super) const TARGET: &str = "wasm32-unknown-unknown";

/// Compiles the project's crate into a core module. Paths of the machine that get into it, by panics, are replaced.
pub(super) fn build(project: &Project, workplace: &Workplace<'_>) -> Result<Built, Failure> {
    let folder = &project.folder;
    let cargo = Tool::new("cargo", "cargo", "on PATH").found(&["--version"]).ok_or_else(no_cargo)?;
    let setup = workplace.toolchains.join("rust");
    let mut command = cargo.command();
    command.current_dir(folder).args(["build", "--release", "--target", TARGET]);
    command.arg("--message-format=json-render-diagnostics");
    let compiler = if has_target(folder) {
        Tool::new("rustc", "rustc", "on PATH").found(&["--version"]).ok_or_else(no_cargo)?
    } else {
        let compiler = DebianCompiler::find(&setup).ok_or_else(|| no_target(&setup))?;
        compiler.prepare(&mut command, folder)?;
        compiler.found
    };
    let own = folder.canonicalize().with_context(|| format!("cannot find `{}`", folder.display()))?;
    let sdk = own.join(project.sdk()).canonicalize().ok();
    let replaced = [(cargo_home(), "/cargo"), (sdk, "/sdk"), (Some(own), "/plugin")];
    command.env("CARGO_ENCODED_RUSTFLAGS", flags(&replaced));
    if workplace.verbose {
        say(&format!("using {} with {}", compiler.title(), cargo.title()));
    }
    let messages = capture(&mut command, workplace)?;
    let module = module(&messages, folder)?;
    Ok(Built { bytes: output(&module)?, tool: compiler.title() })
}

fn no_cargo() -> Failure {
    missing(
        "no toolchain for rust: `cargo` is not on PATH; install Rust (https://rustup.rs), then `rustup target add \
         wasm32-unknown-unknown`",
    )
}

fn no_target(setup: &Path) -> Failure {
    missing(&format!(
        "no toolchain for rust: the active toolchain has no target {TARGET}, and there is none in `{}`; `rustup target \
         add {TARGET}`, or `rematch plugin setup rust`",
        setup.display()
    ))
}

/// Returns whether the compiler that is active in `folder` has a standard library for WebAssembly.
fn has_target(folder: &Path) -> bool {
    let rustc = Tool::new("rustc", "rustc", "on PATH");
    let Some(libraries) = rustc.says(&["--print", "target-libdir", "--target", TARGET], folder) else { return false };
    let Ok(entries) = std::fs::read_dir(libraries.trim()) else { return false };
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))
}

fn cargo_home() -> Option<PathBuf> {
    let set = std::env::var_os("CARGO_HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    set.or_else(|| dirs::home_dir().map(|home| home.join(".cargo")))
}

/// Returns the flags that the user sets, and those that replace paths, as cargo takes them from the environment. Of
/// the paths that fit, the compiler takes the last one.
fn flags(replaced: &[(Option<PathBuf>, &str)]) -> OsString {
    let mut flags = match std::env::var_os("CARGO_ENCODED_RUSTFLAGS") {
        Some(encoded) => encoded,
        None => {
            let written = std::env::var("RUSTFLAGS").unwrap_or_default();
            written.split_whitespace().collect::<Vec<_>>().join("\u{1f}").into()
        }
    };
    for (path, name) in replaced {
        let Some(path) = path else { continue };
        if !flags.is_empty() {
            flags.push("\u{1f}");
        }
        flags.push("--remap-path-prefix=");
        flags.push(path);
        flags.push(format!("={name}"));
    }
    flags
}

/// One line of what cargo says to programs.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    manifest_path: PathBuf,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

/// Returns the module of the crate in `folder` among all that cargo built.
fn module(messages: &[u8], folder: &Path) -> Result<PathBuf, Failure> {
    let manifest = folder.join("Cargo.toml").canonicalize().context("the project has no `Cargo.toml`")?;
    let lines = messages.split(|byte| *byte == b'\n');
    let messages = lines.filter_map(|line| serde_json::from_slice::<Message>(line).ok());
    let own = messages.filter(|message| message.reason == "compiler-artifact" && message.manifest_path == manifest);
    let is_module = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "wasm");
    own.flat_map(|message| message.filenames).find(is_module).ok_or_else(|| {
        let error = anyhow!(
            "the crate gave no WebAssembly module, expected `crate-type = [\"cdylib\"]` under `[lib]` in `{}`",
            manifest.display()
        );
        Failure::new(Exit::Plugin, error)
    })
}

/// Returns how Debian's compiler is installed into `folder`.
pub(super) fn installation(folder: &Path) -> Result<Installation, Failure> {
    if Tool::new("cargo", "cargo", "on PATH").found(&["--version"]).is_none() {
        return Err(no_cargo());
    }
    if has_target(Path::new(".")) {
        return Ok(Installation {
            what: format!("nothing to install: the active Rust toolchain has the target {TARGET}"),
            download_megabytes: 0,
            disk_megabytes: 0,
            method: Method::Nothing,
            folder: folder.to_owned(),
        });
    }
    let packages = rust_packages::needed()?;
    let megabytes = |bytes: u64| bytes.div_ceil(1_000_000);
    Ok(Installation {
        what: format!("Rust of Debian ({})", rust_packages::title(&packages)),
        download_megabytes: megabytes(packages.iter().map(|package| package.download_bytes).sum()),
        disk_megabytes: megabytes(packages.iter().map(|package| package.installed_bytes).sum()),
        method: Method::Debian { packages: packages.into_iter().map(|package| package.name).collect() },
        folder: folder.to_owned(),
    })
}

/// Returns the name of the compiler in `folder`.
pub(super) fn installed(folder: &Path) -> Option<String> {
    DebianCompiler::find(folder).map(|compiler| compiler.found.title())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_is_the_one_of_the_project_and_not_of_what_it_depends_on() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("Cargo.toml"), "").unwrap();
        let manifest = folder.path().join("Cargo.toml").canonicalize().unwrap();
        let artifact = |manifest: &Path, file: &str| serde_json::json!({ "reason": "compiler-artifact", "manifest_path": manifest, "filenames": [file] });
        let messages = format!(
            "{}\nnot JSON\n{}\n{}\n{}\n",
            artifact(Path::new("/sdk/Cargo.toml"), "/target/sdk.wasm"),
            artifact(&manifest, "/target/build-script"),
            artifact(&manifest, "/target/own.wasm"),
            serde_json::json!({ "reason": "build-finished", "success": true }),
        );
        assert_eq!(module(messages.as_bytes(), folder.path()).unwrap(), Path::new("/target/own.wasm"));
        let failure = module(b"", folder.path()).unwrap_err();
        assert!(failure.to_string().contains("cdylib"), "{failure}");
    }
}
