//! `rematch plugin publish`.

use std::path::Path;

use anyhow::{Context, anyhow};
use rematch_engine::benchmark::PluginReference;
use rematch_engine::store::sha256_of_bytes;

use super::inspect::describe_to_publish;
use super::registry::{Entry, INDEX, Index, Registry};
use super::{build, print};
use crate::exit::{Exit, Failure};
use crate::plugin_arguments::PublishArguments;

/// Copies a component into a registry and lists it. A version that is there is never changed.
pub(super) fn publish(arguments: &PublishArguments) -> Result<Exit, Failure> {
    let usage = |error: anyhow::Error| Failure::new(Exit::Usage, error);
    let registry = Registry::at(arguments.registry.as_deref())?;
    let folder = registry.folder().ok_or_else(|| {
        usage(anyhow!("`{}` is a URL; a component is published into the folder that it serves", registry.shown()))
    })?;
    let (content, description) = describe_to_publish(&arguments.file, &arguments.params)?;
    let name = arguments.name.as_deref().unwrap_or(&description.name);
    let version = arguments.plugin_version.as_deref().unwrap_or(&description.version);
    let fix = "; `--name` and `--version` give others than the component says";
    let version = PluginReference::checked_version(version).map_err(|error| usage(anyhow!("{error}{fix}")))?;
    let reference = PluginReference::new(name, version).map_err(|error| usage(anyhow!("{error}{fix}")))?;
    let entry = Entry {
        name: reference.name().to_owned(),
        version: reference.version().clone(),
        file: reference.file_name(),
        sha256: sha256_of_bytes(&content),
        bytes: content.len() as u64,
        summary: description.summary,
    };
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display())).map_err(usage)?;
    let lock = lock(folder)?;
    let mut index = index_in(folder)?;
    if let Some(there) = index.plugins.iter().find(|there| there.name == entry.name && there.version == entry.version) {
        if there.sha256 == entry.sha256 {
            print(&format!("{reference} is there already, with the same content\n"))?;
            return Ok(Exit::Done);
        }
        let error = anyhow!(
            "`{reference}` is published with SHA-256 `{}`, and a published version never changes; this one has `{}`: \
             give it a new version",
            there.sha256,
            entry.sha256
        );
        return Err(usage(error));
    }
    // The file first: an index never names what is not there.
    build::write(&folder.join(&entry.file), &content)?;
    let shown = format!("{reference}: {} bytes, sha256 {}\n", entry.bytes, entry.sha256);
    index.plugins.push(entry);
    index.plugins.sort_by(|left, right| (&left.name, &left.version).cmp(&(&right.name, &right.version)));
    build::write(&folder.join(INDEX), (serde_json::to_string_pretty(&index)? + "\n").as_bytes())?;
    drop(lock);
    print(&shown)?;
    Ok(Exit::Done)
}

/// Keeps others from changing the index until the lock is dropped.
fn lock(folder: &Path) -> Result<std::fs::File, Failure> {
    let path = folder.join(".lock");
    let locked = std::fs::File::create(&path).and_then(|file| file.lock().map(|()| file));
    locked
        .with_context(|| format!("cannot lock `{}`", path.display()))
        .map_err(|error| Failure::new(Exit::Usage, error))
}

fn index_in(folder: &Path) -> Result<Index, Failure> {
    let path = folder.join(INDEX);
    let index = match std::fs::read(&path) {
        Ok(content) => Index::parse(&content),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Index::default()),
        Err(error) => Err(error.into()),
    };
    index.with_context(|| format!("cannot read `{}`", path.display())).map_err(|error| Failure::new(Exit::Input, error))
}
