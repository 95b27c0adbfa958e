//! Debian's newest Rust compiler in a folder of its own, with the standard library for WebAssembly that Debian does not
//! package: it is built from Debian's source of that very compiler.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use super::download::call;
use super::rust::TARGET;
use super::tool::{Found, Tool, missing, say};
use crate::exit::Failure;

/// A compiler with a standard library for WebAssembly.
pub(super) struct DebianCompiler {
    pub(super) found: Found,
    /// The folder `usr` of what was unpacked.
    root: PathBuf,
    /// Where the compiler finds the shared libraries that it came with.
    libraries: OsString,
}

impl DebianCompiler {
    /// Returns the compiler that was installed into `folder`.
    pub(super) fn find(folder: &Path) -> Option<Self> {
        let compiler = Self::unpacked_in(folder)?;
        library(&compiler.root).is_dir().then_some(compiler)
    }

    fn unpacked_in(folder: &Path) -> Option<Self> {
        let root = folder.join("usr");
        let libraries = std::fs::read_dir(root.join("lib")).ok()?.flatten();
        let libraries = libraries.filter(|entry| entry.file_name().to_string_lossy().contains("-linux-gnu"));
        let mut path: Vec<PathBuf> = libraries.map(|entry| entry.path()).collect();
        path.sort();
        path.extend(std::env::var_os("LD_LIBRARY_PATH").iter().flat_map(std::env::split_paths));
        let libraries = std::env::join_paths(path).ok()?;
        let tool = Tool::new("rustc", root.join("bin/rustc"), "of plugin setup");
        let found = tool.environment("LD_LIBRARY_PATH", &libraries).found(&["--version"])?;
        Some(Self { found, root, libraries })
    }

    /// Lets cargo call this compiler, with the linker of the toolchain that is active in `folder`.
    ///
    /// # Errors
    ///
    /// Returns an error where there is no linker for WebAssembly.
    pub(super) fn prepare(&self, cargo: &mut Command, folder: &Path) -> Result<(), Failure> {
        let linker = linker(folder).ok_or_else(|| {
            missing(
                "no linker for WebAssembly: neither has the active toolchain of rustup a `rust-lld`, nor is `wasm-ld` \
                 on PATH; install Rust by https://rustup.rs, or `apt-get install lld`",
            )
        })?;
        cargo.env("RUSTC", self.root.join("bin/rustc")).env("LD_LIBRARY_PATH", &self.libraries);
        cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        Ok(())
    }
}

/// Returns where a compiler under `root` looks for its standard library.
fn library(root: &Path) -> PathBuf {
    root.join("lib/rustlib").join(TARGET).join("lib")
}

/// Returns the linker that rustup's toolchain ships, or LLVM's own.
fn linker(folder: &Path) -> Option<PathBuf> {
    let rustc = Tool::new("rustc", "rustc", "on PATH");
    let shipped = rustc.says(&["--print", "sysroot"], folder).and_then(|sysroot| {
        let hosts = std::fs::read_dir(Path::new(sysroot.trim()).join("lib/rustlib")).ok()?.flatten();
        hosts.map(|host| host.path().join("bin/rust-lld")).find(|linker| linker.is_file())
    });
    shipped.or_else(|| {
        let linker = Tool::new("wasm-ld", "wasm-ld", "on PATH");
        linker.says(&["--version"], Path::new(".")).map(|_| PathBuf::from("wasm-ld"))
    })
}

/// Builds the standard library for the compiler that was unpacked in `folder`, puts it where that compiler looks, and
/// removes the source, which is most of what was unpacked.
///
/// Cargo builds a standard library as an unstable feature. Compiler and source are of one version, so that nothing is
/// left to chance, and afterwards projects are built without it.
///
/// # Errors
///
/// Returns an error when the compiler does not run, there is no linker, or the build fails.
pub(super) fn add_library(folder: &Path, scratch: &Path) -> Result<(), Failure> {
    say("building the standard library for WebAssembly");
    let compiler = DebianCompiler::unpacked_in(folder)
        .ok_or_else(|| missing("the compiler of Debian does not run on this machine"))?;
    let (krate, target) = (scratch.join("library"), scratch.join("target"));
    std::fs::create_dir_all(krate.join("src"))?;
    std::fs::write(krate.join("src/lib.rs"), "#![no_std]\n")?;
    let manifest = "[package]\nname = \"nothing\"\nversion = \"0.0.0\"\nedition = \"2021\"\n[workspace]\n";
    std::fs::write(krate.join("Cargo.toml"), manifest)?;
    let mut cargo = Command::new("cargo");
    cargo.current_dir(&krate).args(["build", "--quiet", "--release", "--target", TARGET]);
    // No path of this machine stays in the library.
    cargo.args(["-Zbuild-std=std,panic_abort", "-Ztrim-paths", "--config", "profile.release.trim-paths=\"all\""]);
    compiler.prepare(&mut cargo, &krate)?;
    cargo.env("RUSTC_BOOTSTRAP", "1").env("CARGO_TARGET_DIR", &target);
    // So that projects can be optimised together with the library.
    cargo.env("CARGO_ENCODED_RUSTFLAGS", "-Cembed-bitcode=yes");
    call(&mut cargo).inspect_err(|_| {
        say("where cargo is too new for the compiler that apt knows, `apt-get update` as root finds a newer one; then do this again");
    })?;
    let library = library(&compiler.root);
    std::fs::create_dir_all(&library)?;
    let built = target.join(TARGET).join("release/deps");
    for entry in std::fs::read_dir(&built).with_context(|| format!("cannot read `{}`", built.display()))? {
        let path = entry?.path();
        let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else { continue };
        if name.ends_with(".rlib") && !name.starts_with("libnothing-") {
            std::fs::copy(&path, library.join(&name))?;
        }
    }
    for source in ["src", "lib/rustlib/src"] {
        let source = compiler.root.join(source);
        if source.exists() {
            std::fs::remove_dir_all(&source).with_context(|| format!("cannot remove `{}`", source.display()))?;
        }
    }
    Ok(())
}
