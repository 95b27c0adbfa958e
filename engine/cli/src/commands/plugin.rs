//! `rematch plugin`.

use anyhow::Context;
use rematch_engine::score::wasm;

use super::print;
use crate::arguments::{PackArguments, PluginCommand};
use crate::exit::{Exit, Failure};

/// Works with scoring components.
pub(crate) fn plugin(command: &PluginCommand) -> Result<Exit, Failure> {
    match command {
        PluginCommand::Pack(arguments) => pack(arguments),
    }
}

fn pack(arguments: &PackArguments) -> Result<Exit, Failure> {
    let core = std::fs::read(&arguments.core)
        .with_context(|| format!("cannot read `{}`", arguments.core.display()))
        .map_err(|error| Failure::new(Exit::Input, error))?;
    let component = wasm::pack(&core).map_err(|error| Failure::new(Exit::Plugin, error))?;
    std::fs::write(&arguments.out, &component)
        .with_context(|| format!("cannot write `{}`", arguments.out.display()))?;
    print(&format!("{}: {} bytes\n", arguments.out.display(), component.len()))?;
    Ok(Exit::Done)
}
