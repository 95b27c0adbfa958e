//! `rematch plugin add`.

use std::path::Path;

use anyhow::Context;
use rematch_engine::benchmark::PluginReference;

use super::registry::Registry;
use super::{build, print};
use crate::exit::{Exit, Failure};
use crate::plugin_arguments::AddArguments;

/// Fetches a component from a registry and prints the lines that pin it.
pub(super) fn add(arguments: &AddArguments) -> Result<Exit, Failure> {
    let folder = match &arguments.benchmark {
        Some(benchmark) if !benchmark.is_file() => {
            let error = anyhow::anyhow!("`{}` is not there; `--benchmark` names a benchmark file", benchmark.display());
            return Err(Failure::new(Exit::Input, error));
        }
        Some(benchmark) => benchmark.parent().unwrap_or(Path::new("")),
        None => Path::new(""),
    };
    let registry = Registry::at(arguments.registry.as_deref())?;
    let of_registry = || format!("the registry `{}` cannot give `{}`", registry.shown(), arguments.plugin);
    let unreadable = |error: anyhow::Error| Failure::new(Exit::Input, error);
    let index = registry.index().with_context(of_registry).map_err(unreadable)?;
    let entry = index.find(&arguments.plugin).with_context(of_registry).map_err(unreadable)?;
    let reference =
        PluginReference::new(&entry.name, entry.version.clone()).with_context(of_registry).map_err(unreadable)?;
    let content = registry.component(entry).with_context(of_registry).map_err(unreadable)?;
    let path = reference.path_beside(folder);
    build::write(&path, &content)?;
    print(&format!(
        "wrote {} ({} bytes); in the benchmark:\n\n[[scorer]]\nname = \"{}\"\nplugin = \"{reference}\"\nsha256 = \
         \"{}\"\n",
        path.display(),
        content.len(),
        entry.name,
        entry.sha256.to_lowercase()
    ))?;
    Ok(Exit::Done)
}
