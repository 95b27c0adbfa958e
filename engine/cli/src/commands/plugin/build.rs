//! `rematch plugin build`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use rematch_engine::replay::plugin::PluginError;
use rematch_engine::score::wasm;
use rematch_engine::store::{PendingFile, sha256_of_bytes};

use super::loading::{Loading, unusable_because_of_parameters};
use super::project::Project;
use super::toolchain::{self, Workplace};
use super::{inspect, print};
use crate::exit::{Exit, Failure};
use crate::folders;
use crate::plugin_arguments::{BuildArguments, LoadArguments, WasiName};
use crate::terminal::{bytes, paragraph, seconds, visible};

/// How a core module begins.
const CORE_MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// Builds a project into a component and loads it, so that a broken one is found now.
pub(super) fn build(arguments: &BuildArguments) -> Result<Exit, Failure> {
    let started = Instant::now();
    let project = Project::read(&arguments.directory)?;
    let scratch = tempfile::tempdir().context("cannot make a temporary folder")?;
    let toolchains = folders::toolchains()?;
    let workplace = Workplace { toolchains: &toolchains, scratch: scratch.path(), verbose: arguments.verbose };
    let out = arguments.out.clone().unwrap_or_else(|| project.component());
    // What an earlier build left must not pass for what this one failed to make.
    match std::fs::remove_file(&out) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            let error = anyhow::Error::from(error).context(format!("cannot replace `{}`", out.display()));
            return Err(Failure::new(Exit::Usage, error));
        }
        _ => {}
    }
    let built = toolchain::build(&project, &workplace)?;
    let component = if built.bytes.starts_with(CORE_MODULE) { wasm::pack(&built.bytes)? } else { built.bytes };
    let tried = try_out(&component, &scratch.path().join(project.component().file_name().unwrap_or_default()))?;
    write(&out, &component)?;
    print(&summary(
        &out,
        &component,
        &format!("{} in {}", built.tool, seconds(started.elapsed().as_secs_f64())),
        &tried,
    )?)?;
    Ok(Exit::Done)
}

/// What was found when the component was loaded.
struct Tried {
    imports: String,
    says: String,
}

/// Loads the component from `path`, where nobody else sees it yet.
fn try_out(component: &[u8], path: &Path) -> Result<Tried, Failure> {
    let inspection = wasm::inspect(component)?;
    let imports = inspect::imports_in_words(&inspection);
    std::fs::write(path, component)?;
    let load =
        LoadArguments::plain("{}", if inspect::imports_wasi(&inspection) { WasiName::Inert } else { WasiName::Refuse });
    let loading = Loading::with_made_up_items(&load)?.with_log()?;
    match loading.describe_stage(path, &inspection.exports) {
        Ok(Some(stage)) => return Ok(Tried { imports, says: inspect::stage_in_words(&stage.world) }),
        Ok(None) => {}
        // It runs, and wants parameters or items that only its author knows.
        Err(error @ PluginError::Failed { .. }) => {
            return Ok(Tried { imports, says: format!("without parameters: {error}") });
        }
        Err(error) => {
            let error = anyhow::Error::from(error).context("what was built cannot be used, and was not written");
            return Err(Failure::new(Exit::Plugin, error));
        }
    }
    let says = match loading.load(path) {
        Ok(scorer) => inspect::metrics_in_words(scorer.description()),
        // It runs, and wants parameters that only its author knows.
        Err(error) if unusable_because_of_parameters(&error) => format!("without parameters: {error}"),
        Err(error) => {
            let error = anyhow::Error::from(error).context("what was built cannot be used, and was not written");
            return Err(Failure::new(Exit::Plugin, error));
        }
    };
    Ok(Tried { imports, says })
}

fn summary(out: &Path, component: &[u8], how: &str, tried: &Tried) -> Result<String, std::fmt::Error> {
    let mut text = format!("{}: {}, {how}\n", out.display(), bytes(component.len() as u64));
    paragraph(&mut text, &format!("sha256 {}", sha256_of_bytes(component)), "  ")?;
    paragraph(&mut text, &tried.imports, "  ")?;
    paragraph(&mut text, &visible(&tried.says), "  ")?;
    Ok(text)
}

/// Writes a file whole or not at all.
pub(super) fn write(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let pending = PendingFile::create(path);
    let written = pending.and_then(|pending| {
        pending.writer().write_all(content)?;
        pending.publish()
    });
    let path: PathBuf = path.to_owned();
    written
        .with_context(|| format!("cannot write `{}`", path.display()))
        .map_err(|error| Failure::new(Exit::Usage, error))
}
