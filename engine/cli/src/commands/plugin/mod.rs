//! `rematch plugin`: from an idea to a component in a registry, one file per subcommand.

mod add;
mod bench;
mod build;
mod compile_component;
mod inspect;
mod loading;
mod new;
mod pack;
mod project;
mod publish;
mod registry;
mod setup;
mod test;
mod toolchain;

use super::{print, print_json};
use crate::exit::{Exit, Failure};
use crate::plugin_arguments::PluginCommand;

pub(super) use compile_component::compile_component;

/// Works with scoring components.
pub(super) fn plugin(command: &PluginCommand) -> Result<Exit, Failure> {
    match command {
        PluginCommand::New(arguments) => new::new(arguments),
        PluginCommand::Build(arguments) => build::build(arguments),
        PluginCommand::Setup(arguments) => setup::setup(arguments),
        PluginCommand::Test(arguments) => test::test(arguments),
        PluginCommand::Inspect(arguments) => inspect::inspect(arguments),
        PluginCommand::Bench(arguments) => bench::bench(arguments),
        PluginCommand::Add(arguments) => add::add(arguments),
        PluginCommand::Publish(arguments) => publish::publish(arguments),
        PluginCommand::Pack(arguments) => pack::pack(arguments),
    }
}
