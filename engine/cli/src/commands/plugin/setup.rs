//! `rematch plugin setup`.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;

use anyhow::Context;

use super::{print, toolchain};
use crate::exit::{Exit, Failure};
use crate::folders;
use crate::plugin_arguments::{Language, SetupArguments};

/// Installs the toolchains that `plugin build` needs.
pub(super) fn setup(arguments: &SetupArguments) -> Result<Exit, Failure> {
    let toolchains = match &arguments.directory {
        Some(folder) => std::path::absolute(folder)?,
        None => folders::toolchains()?,
    };
    let lock = lock(&toolchains)?;
    let languages: BTreeSet<Language> = arguments.languages.iter().copied().collect();
    for language in languages {
        set_up(language, &toolchains)?;
    }
    drop(lock);
    if arguments.directory.is_some() {
        print(&format!("`plugin build` finds it with\n  export REMATCH_TOOLCHAINS={}\n", toolchains.display()))?;
    }
    Ok(Exit::Done)
}

/// Keeps another setup out of the folder until the lock is dropped.
fn lock(toolchains: &Path) -> Result<File, Failure> {
    let path = toolchains.join(".lock");
    let locked = std::fs::create_dir_all(toolchains).and_then(|()| File::create(&path)).and_then(|file| {
        file.lock()?;
        Ok(file)
    });
    locked
        .with_context(|| format!("cannot lock `{}`", path.display()))
        .map_err(|error| Failure::new(Exit::Usage, error))
}

fn set_up(language: Language, toolchains: &Path) -> Result<(), Failure> {
    let name = language.name();
    let folder = toolchains.join(name);
    let installation = toolchain::installation(language, &folder)?;
    if !installation.is_needed() {
        print(&format!("{name}: {}\n", installation.describe()))?;
        return Ok(());
    }
    if installation.is_there()
        && let Some(tool) = toolchain::installed(language, &folder)
    {
        print(&format!("{name}: {tool} is there already, in {}\n", folder.display()))?;
        return Ok(());
    }
    // Before the wait, not after it.
    print(&format!("{name}: {}\n", installation.describe()))?;
    installation.install()?;
    let Some(tool) = toolchain::installed(language, &folder) else {
        let error = anyhow::anyhow!(
            "what was installed in `{}` does not run on this machine; try its program by hand to see why",
            folder.display()
        );
        return Err(Failure::new(Exit::Usage, error));
    };
    print(&format!("{name}: {tool} is ready\n"))?;
    Ok(())
}
