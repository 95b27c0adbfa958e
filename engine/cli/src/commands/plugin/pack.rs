//! `rematch plugin pack`.

use anyhow::Context;
use rematch_engine::score::wasm;

use super::build::write;
use super::print;
use crate::exit::{Exit, Failure};
use crate::plugin_arguments::PackArguments;

/// Packs a core module into a component.
pub(super) fn pack(arguments: &PackArguments) -> Result<Exit, Failure> {
    let core = std::fs::read(&arguments.core)
        .with_context(|| format!("cannot read `{}`", arguments.core.display()))
        .map_err(|error| Failure::new(Exit::Input, error))?;
    let component = wasm::pack(&core)?;
    write(&arguments.out, &component)?;
    print(&format!("{}: {} bytes\n", arguments.out.display(), component.len()))?;
    Ok(Exit::Done)
}
