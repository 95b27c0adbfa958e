//! The compilers behind `plugin build` and `plugin setup`, one file per language: where each is looked for, how it is
//! called, and how it is installed.

mod c;
mod download;
mod javascript;
mod python;
mod rust;
mod rust_debian;
mod rust_packages;
mod tool;

use std::path::{Path, PathBuf};

use rematch_engine::score::wasm::WIT;

use super::project::Project;
use crate::exit::Failure;
use crate::plugin_arguments::Language;

pub(super) use download::Installation;

/// What a build needs beside the project.
pub(super) struct Workplace<'a> {
    /// The folder of all toolchains that `plugin setup` installs.
    pub(super) toolchains: &'a Path,
    /// A folder for what is in between; it goes when the build has ended.
    pub(super) scratch: &'a Path,
    /// Whether to say which tool is called and how.
    pub(super) verbose: bool,
}

impl Workplace<'_> {
    /// Returns a folder with the WIT that this program speaks, whichever the project carries.
    fn wit(&self) -> anyhow::Result<PathBuf> {
        let folder = self.scratch.join("wit");
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("scoring.wit"), WIT)?;
        Ok(folder)
    }
}

/// What a compiler made.
pub(super) struct Built {
    /// A core module, or a component where the language's tool makes one.
    pub(super) bytes: Vec<u8>,
    /// The tool and its version, such as `zig 0.17.0`.
    pub(super) tool: String,
}

/// Builds the project with its language's toolchain.
///
/// # Errors
///
/// Returns an error when the toolchain is missing, which says how to get it, or when the compiler fails.
pub(super) fn build(project: &Project, workplace: &Workplace<'_>) -> Result<Built, Failure> {
    match project.file.language {
        Language::C => c::build(project, workplace),
        Language::Python => python::build(project, workplace),
        Language::Js => javascript::build(project, workplace),
        Language::Rust => rust::build(project, workplace),
    }
}

/// Returns how a language's toolchain is installed into `folder`, or why it need not or cannot be.
///
/// # Errors
///
/// Returns an error when this machine lacks what installs it.
pub(super) fn installation(language: Language, folder: &Path) -> Result<Installation, Failure> {
    match language {
        Language::C => Ok(c::installation(folder)),
        Language::Python => Ok(python::installation(folder)),
        Language::Js => javascript::installation(folder),
        Language::Rust => rust::installation(folder),
    }
}

/// Returns the name and version of the toolchain that `plugin setup` installed into `folder`, or `None` where there is
/// none that works.
pub(super) fn installed(language: Language, folder: &Path) -> Option<String> {
    match language {
        Language::C => c::installed(folder),
        Language::Python => python::installed(folder),
        Language::Js => javascript::installed(folder),
        Language::Rust => rust::installed(folder),
    }
}
