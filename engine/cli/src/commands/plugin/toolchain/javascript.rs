//! JavaScript on QuickJS, by componentize-qjs, which is also the back end of `jco componentize --backend quickjs`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use semver::Version;

use super::download::{Installation, Method};
use super::tool::{Found, Tool, Wanted, capture, first_suitable, missing, output, run};
use super::{Built, Workplace};
use crate::commands::plugin::project::Project;
use crate::exit::Failure;
use crate::plugin_arguments::Language;

/// The back end alone: jco brings ten times as much that is not needed here.
const COMPONENTIZE_QJS: &str = "componentize-qjs@0.4.5";

const WANTED: Wanted = Wanted {
    language: Language::Js,
    what: "componentize-qjs 0.4",
    suits: |version| version.major == 0 && version.minor == 4,
    otherwise: "`npm install componentize-qjs@0.4.5` in the project",
};

/// Makes a component of the main module, what it imports, and QuickJS. What QuickJS asks of WASI is stubbed in the
/// component itself, so that it imports nothing of it.
pub(super) fn build(project: &Project, workplace: &Workplace<'_>) -> Result<Built, Failure> {
    let source = project.source("scorer.js")?;
    let node = node().ok_or_else(no_node)?;
    let candidates = [
        installed_in(&project.folder.join("node_modules"), "of the project"),
        on_path(),
        installed_in(&workplace.toolchains.join("js/node_modules"), "of plugin setup"),
    ];
    let found = first_suitable(candidates, &WANTED, workplace)?;
    // Once where the sources are, so that mistakes in them are told with the names that their author knows.
    bind(&node, &project.folder, project.sdk(), source, &workplace.scratch.join("tried.js"), workplace)?;
    let stage = Stage::of(project, &workplace.scratch.join("modules"))?;
    let entry = stage.root.join("entry.js");
    let world = bind(&node, &stage.project, project.sdk(), source, &entry, workplace)?;
    let component = workplace.scratch.join("component.wasm");
    let mut command = found.command();
    command.current_dir(&stage.root).arg("--wit").arg(workplace.wit()?).args(["--world", &world]);
    command.args(["--js", "entry.js", "--module-root", ".", "--sync", "--stub-wasi", "-o"]).arg(&component);
    run(&mut command, workplace)?;
    Ok(Built { bytes: output(&component)?, tool: found.title() })
}

/// Imports the scorer in Node, writes the module that binds it, and returns its world.
fn bind(
    node: &Found,
    folder: &Path,
    sdk: &Path,
    source: &Path,
    entry: &Path,
    workplace: &Workplace<'_>,
) -> Result<String, Failure> {
    let mut command = node.command();
    command.current_dir(folder).arg(sdk.join("rematch-scorer/entry.js")).arg(source).arg(entry);
    let world = capture(&mut command, workplace)?;
    Ok(String::from_utf8_lossy(&world).trim().to_owned())
}

/// A copy of the modules of a project and its SDK. The component keeps the paths of its modules, as seen from here, so
/// that none of this machine gets into it.
struct Stage {
    root: PathBuf,
    /// The project in it.
    project: PathBuf,
}

impl Stage {
    fn of(project: &Project, root: &Path) -> anyhow::Result<Self> {
        let absolute = |path: &Path| path.canonicalize().with_context(|| format!("cannot find `{}`", path.display()));
        let folder = absolute(&project.folder)?;
        let sdk = absolute(&project.folder.join(project.sdk()))?;
        // The SDK may lie beside the project; imports keep their relative paths.
        let common = folder.ancestors().find(|ancestor| sdk.starts_with(ancestor)).unwrap_or(Path::new("/"));
        let staged = |path: &Path| root.join(path.strip_prefix(common).unwrap_or(path));
        copy_modules(&folder, &staged(&folder))?;
        if !sdk.starts_with(&folder) {
            copy_modules(&sdk, &staged(&sdk))?;
        }
        Ok(Self { root: root.to_owned(), project: staged(&folder) })
    }
}

/// Copies what can be imported, and the manifests that say what kind of module it is.
fn copy_modules(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to).with_context(|| format!("cannot make `{}`", to.display()))?;
    for entry in std::fs::read_dir(from).with_context(|| format!("cannot read `{}`", from.display()))? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        let hidden = name.to_string_lossy().starts_with('.');
        if path.is_dir() {
            if !hidden && !TOOLS.iter().any(|tool| name == *tool) {
                copy_modules(&path, &to.join(name))?;
            }
        } else if path.extension().is_some_and(|extension| MODULES.iter().any(|module| extension == *module)) {
            std::fs::copy(&path, to.join(name)).with_context(|| format!("cannot copy `{}`", path.display()))?;
        }
    }
    Ok(())
}

/// Endings of what can be imported.
const MODULES: [&str; 4] = ["js", "mjs", "cjs", "json"];

/// Packages that build and are not imported.
const TOOLS: [&str; 3] = ["componentize-qjs", "@andreiltd", "@bytecodealliance"];

/// Returns the package in a folder of npm's. The program names no version; its manifest does.
fn installed_in(modules: &Path, place: &'static str) -> Option<Found> {
    package(&modules.join("componentize-qjs"), place)
}

/// Returns the package whose program is on `PATH`, where npm puts a link to it.
fn on_path() -> Option<Found> {
    let folders = std::env::var_os("PATH")?;
    let mut programs = std::env::split_paths(&folders).map(|folder| folder.join("componentize-qjs"));
    let program = programs.find_map(|program| program.canonicalize().ok())?;
    package(program.parent()?.parent()?, "on PATH")
}

fn package(folder: &Path, place: &'static str) -> Option<Found> {
    let manifest = std::fs::read(folder.join("package.json")).ok()?;
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).ok()?;
    let version = Version::parse(manifest.get("version")?.as_str()?).ok()?;
    let script: PathBuf = folder.join("bin/componentize-qjs").canonicalize().ok()?;
    Some(Found { tool: Tool::new("componentize-qjs", "node", place).with([script]), version })
}

fn node() -> Option<Found> {
    Tool::new("node", "node", "on PATH").found(&["--version"])
}

fn no_node() -> Failure {
    missing(
        "no toolchain for js: `node` is not on PATH; install Node.js 20 or later (https://nodejs.org, or \
         `apt-get install nodejs npm`), then `rematch plugin setup js`",
    )
}

/// Returns how componentize-qjs is installed into `folder`.
///
/// # Errors
///
/// Returns an error where there is no Node to run it.
pub(super) fn installation(folder: &Path) -> Result<Installation, Failure> {
    node().ok_or_else(no_node)?;
    Ok(Installation {
        what: "componentize-qjs 0.4.5 of npm".to_owned(),
        download_megabytes: 14,
        disk_megabytes: 38,
        method: Method::Npm { package: COMPONENTIZE_QJS },
        folder: folder.to_owned(),
    })
}

/// Returns the name of the componentize-qjs in `folder`, if it runs.
pub(super) fn installed(folder: &Path) -> Option<String> {
    let found = installed_in(&folder.join("node_modules"), "of plugin setup")?;
    found.tool.says(&["--help"], Path::new(".")).map(|_| found.title())
}
