//! C by zig, which is a compiler with a libc for WebAssembly.

use std::path::{Path, PathBuf};

use super::download::{Installation, Method};
use super::tool::{Found, Tool, Wanted, first_suitable, output, run};
use super::{Built, Workplace};
use crate::commands::plugin::project::Project;
use crate::exit::Failure;
use crate::plugin_arguments::Language;

/// The version that `plugin setup` installs; another one gives other bytes.
const ZIGLANG: &str = "ziglang==0.17.0";

const WANTED: Wanted = Wanted {
    language: Language::C,
    what: "zig 0.14 or later",
    suits: |version| version.major > 0 || version.minor >= 14,
    otherwise: "`python3 -m pip install ziglang==0.17.0`",
};

/// Compiles the main file and the sources of the SDK into a core module.
///
/// Paths are relative to the project, and debug information is left out, so that no path of this machine gets into
/// the module.
pub(super) fn build(project: &Project, workplace: &Workplace<'_>) -> Result<Built, Failure> {
    let source = project.source("scorer.c")?;
    let found = first_suitable(candidates(workplace.toolchains), &WANTED, workplace)?;
    let core = workplace.scratch.join("core.wasm");
    let mut command = found.command();
    command.current_dir(&project.folder).env("ZIG_LOCAL_CACHE_DIR", workplace.scratch.join("zig"));
    command.args(["cc", "-target", "wasm32-wasi", "-mexec-model=reactor", "-O2", "-s"]);
    command.args(["-Wall", "-Wextra", "-I"]).arg(project.sdk());
    command.arg(source).args(sources(project)?).arg("-o").arg(&core);
    run(&mut command, workplace)?;
    Ok(Built { bytes: output(&core)?, tool: found.title() })
}

/// Returns the C files of the SDK, relative to the project, in order of their names.
fn sources(project: &Project) -> anyhow::Result<Vec<PathBuf>> {
    let mut sources = Vec::new();
    let folder = project.folder.join(project.sdk());
    let entries = std::fs::read_dir(&folder)
        .map_err(|error| anyhow::anyhow!("the folder of the SDK `{}` cannot be read: {error}", folder.display()))?;
    for entry in entries {
        let name = PathBuf::from(entry?.file_name());
        if name.extension().is_some_and(|extension| extension == "c") {
            sources.push(project.sdk().join(name));
        }
    }
    sources.sort();
    Ok(sources)
}

fn candidates(toolchains: &Path) -> impl Iterator<Item = Option<Found>> {
    let on_path = || Tool::new("zig", "zig", "on PATH").found(&["version"]);
    let of_python = || Tool::new("zig", "python3", "python3 -m ziglang").with(["-m", "ziglang"]).found(&["version"]);
    let folder = toolchains.join("c");
    [true, false]
        .into_iter()
        .map(move |path| if path { on_path() } else { of_python() })
        .chain(std::iter::once_with(move || of_setup(&folder)))
}

/// The program lies in the package as it is, so that no Python is needed to call it.
fn of_setup(folder: &Path) -> Option<Found> {
    let zig = folder.join("ziglang").join("zig");
    let tool = Tool::new("zig", zig, "of plugin setup");
    tool.environment("ZIG_GLOBAL_CACHE_DIR", folder.join("cache")).found(&["version"])
}

/// Returns how zig is installed into `folder`.
pub(super) fn installation(folder: &Path) -> Installation {
    Installation {
        what: "zig 0.17.0 (ziglang of PyPI)".to_owned(),
        download_megabytes: 101,
        disk_megabytes: 440,
        method: Method::Pip { package: ZIGLANG },
        folder: folder.to_owned(),
    }
}

/// Returns the name of the zig in `folder`.
pub(super) fn installed(folder: &Path) -> Option<String> {
    of_setup(folder).map(|found| found.title())
}
