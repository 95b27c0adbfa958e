//! Compiled code on disk: in a folder that only we can write, because code is run as it lies there.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use wasmtime::{Cache, CacheConfig, Engine};

use super::load::ComponentFile;
use crate::benchmark::Limits;

/// A folder of compiled code.
///
/// The code lies in `code`, kept by wasmtime under the hash of the component's bytes, wasmtime's version and every
/// setting that changes code. `compiled` has an empty file per component that a limited process has compiled.
pub(crate) struct CodeCache {
    folder: PathBuf,
    wasmtime: Cache,
}

impl CodeCache {
    /// Opens the cache, and makes its folder where there is none.
    pub(crate) fn open(folder: &Path) -> Result<Self, String> {
        own(folder).map_err(|reason| {
            format!(
                "the folder `{}` for compiled plugins {reason}; code from it is run as it lies there, so name one that \
                 is yours alone",
                folder.display()
            )
        })?;
        let code = folder.join("code");
        let opened = private_folder(&code).map_err(wasmtime::Error::from).and_then(|()| {
            // Wasmtime wants to know the folder by its one true name.
            let mut config = CacheConfig::new();
            config.with_directory(code.canonicalize()?);
            Cache::new(config)
        });
        let wasmtime = opened.map_err(|error| format!("the cache `{}` cannot be used: {error:#}", code.display()))?;
        let compiled = folder.join("compiled");
        private_folder(&compiled)
            .map_err(|error| format!("the cache `{}` cannot be used: {error}", compiled.display()))?;
        Ok(Self { folder: folder.to_owned(), wasmtime })
    }

    /// Returns the cache for an engine's settings.
    pub(crate) fn wasmtime(&self) -> &Cache {
        &self.wasmtime
    }

    /// Returns the cache's folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns whether a limited process has compiled the component for such an engine within `limits`.
    pub(crate) fn has(&self, file: &ComponentFile, engine: &Engine, limits: &Limits) -> bool {
        let within = |text: String| {
            let mut numbers = text.split_whitespace().map(str::parse::<u64>);
            matches!((numbers.next(), numbers.next()), (Some(Ok(seconds)), Some(Ok(bytes)))
                if seconds <= limits.compile_seconds && bytes <= limits.compile_memory_bytes)
        };
        fs::read_to_string(self.marker(file, engine)).is_ok_and(within)
    }

    /// Notes that a limited process has compiled the component within `limits`.
    pub(crate) fn note(&self, file: &ComponentFile, engine: &Engine, limits: &Limits) -> io::Result<()> {
        let marker = self.marker(file, engine);
        let text = format!("{} {}\n", limits.compile_seconds, limits.compile_memory_bytes);
        let fresh = NamedTempFile::new_in(&self.folder)?;
        fs::write(fresh.path(), text)?;
        fresh.persist(marker).map_err(|error| error.error)?;
        Ok(())
    }

    fn marker(&self, file: &ComponentFile, engine: &Engine) -> PathBuf {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        self.folder.join("compiled").join(format!("{}-{:016x}", file.sha256, hasher.finish()))
    }
}

/// Makes the folder where there is none, and says in words what is wrong with it where it is not ours alone.
fn own(folder: &Path) -> Result<(), String> {
    private_folder(folder).map_err(|error| format!("cannot be made: {error}"))?;
    let found = fs::symlink_metadata(folder).map_err(|error| format!("cannot be read: {error}"))?;
    if found.is_symlink() {
        return Err("is a symbolic link".to_owned());
    }
    if !found.is_dir() {
        return Err("is a file".to_owned());
    }
    check_owner(folder, &found)
}

#[cfg(unix)]
fn private_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;

    if folder.symlink_metadata().is_ok() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent)?;
    }
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
fn private_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

#[cfg(unix)]
fn check_owner(folder: &Path, found: &fs::Metadata) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt as _;

    if found.mode() & 0o022 != 0 {
        return Err(format!("can be written by others (mode {:03o}, expected 700)", found.mode() & 0o777));
    }
    // Whoever owns a file that we make is who we are.
    let ours = tempfile::tempfile_in(folder)
        .and_then(|file| file.metadata())
        .map_err(|error| format!("cannot be written: {error}"))?;
    if found.uid() != ours.uid() {
        return Err(format!("belongs to user {}, expected {}", found.uid(), ours.uid()));
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_owner(_: &Path, _: &fs::Metadata) -> Result<(), String> {
    Ok(())
}
