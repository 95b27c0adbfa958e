//! Python by componentize-py, which brings its own CPython and makes a component.

use std::path::Path;
use std::process::Command;

use super::download::{Installation, Method};
use super::tool::{Found, Tool, Wanted, capture, first_suitable, output, run};
use super::{Built, Workplace};
use crate::commands::plugin::project::Project;
use crate::exit::Failure;
use crate::plugin_arguments::Language;

const COMPONENTIZE_PY: &str = "componentize-py==0.25.1";

/// What the package's own command does; it has no module that `python3 -m` could run.
const CALL: &str = "import componentize_py; componentize_py.script()";

const WANTED: Wanted = Wanted {
    language: Language::Python,
    what: "componentize-py 0.25",
    // The names of what it generates change between its versions.
    suits: |version| version.major == 0 && version.minor == 25,
    otherwise: "`python3 -m pip install componentize-py==0.25.1`",
};

/// The module that binds the scorer to the exports of its component.
const ENTRY: &str = "rematch_component";

/// Makes a component of the main module, the SDK and an interpreter. What the interpreter asks of WASI is stubbed in
/// the component itself, so that it imports nothing of it.
pub(super) fn build(project: &Project, workplace: &Workplace<'_>) -> Result<Built, Failure> {
    let source = project.source("scorer.py")?;
    let on_path = Tool::new("componentize-py", "componentize-py", "on PATH").found(&["--version"]);
    let candidates = [on_path, of_setup(&workplace.toolchains.join("python"))];
    let found = first_suitable(candidates, &WANTED, workplace)?;
    let generated = workplace.scratch.join("python");
    std::fs::create_dir_all(&generated)?;
    let world = bind(project, source, &generated, workplace)?;
    let component = workplace.scratch.join("component.wasm");
    let mut command = found.command();
    command.current_dir(&project.folder);
    // Byte code would lie beside the sources, and the order of sets would differ from build to build.
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONHASHSEED", "0").env("RUST_BACKTRACE", "0");
    command.arg("-q").arg("-d").arg(workplace.wit()?).args(["-w", &world, "componentize", ENTRY, "--stub-wasi"]);
    let folder = source.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    command.arg("-p").arg(project.sdk()).arg("-p").arg(folder).arg("-p").arg(&generated).arg("-o").arg(&component);
    run(&mut command, workplace)?;
    Ok(Built { bytes: output(&component)?, tool: found.title() })
}

/// Imports the scorer in ordinary Python, so that its mistakes are told in ordinary words, writes the module that binds
/// it, and returns its world.
fn bind(project: &Project, source: &Path, generated: &Path, workplace: &Workplace<'_>) -> Result<String, Failure> {
    let mut command = Command::new("python3");
    command.current_dir(&project.folder).env("PYTHONPATH", project.sdk()).env("PYTHONDONTWRITEBYTECODE", "1");
    command.args(["-m", "rematch_scorer.entry"]).arg(source).arg(generated.join(format!("{ENTRY}.py")));
    let world = capture(&mut command, workplace)?;
    Ok(String::from_utf8_lossy(&world).trim().to_owned())
}

fn of_setup(folder: &Path) -> Option<Found> {
    if !folder.is_dir() {
        return None;
    }
    let tool = Tool::new("componentize-py", "python3", "of plugin setup").with(["-c", CALL]);
    tool.environment("PYTHONPATH", folder).found(&["--version"])
}

/// Returns how componentize-py is installed into `folder`.
pub(super) fn installation(folder: &Path) -> Installation {
    Installation {
        what: "componentize-py 0.25.1 of PyPI".to_owned(),
        download_megabytes: 17,
        disk_megabytes: 50,
        method: Method::Pip { package: COMPONENTIZE_PY },
        folder: folder.to_owned(),
    }
}

/// Returns the name of the componentize-py in `folder`.
pub(super) fn installed(folder: &Path) -> Option<String> {
    of_setup(folder).map(|found| found.title())
}
