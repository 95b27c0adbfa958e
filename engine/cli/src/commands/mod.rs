//! One file per subcommand.

mod cache;
mod cluster;
mod compare;
mod doctor;
mod explain;
mod gate;
mod import;
mod init;
mod inspect;
mod merge;
mod plan;
mod plugin;
mod probe;
mod rescore;
mod resume;
mod run;
mod runs;
mod schema;
mod search;
mod serve;
mod token;
mod validate;
mod verify;

use std::io::Write;

use crate::arguments::{Arguments, Command};
use crate::exit::{Exit, Failure};
use crate::terminal::visible_json;

/// Does what the command line asks for.
pub(crate) fn dispatch(arguments: Arguments) -> Result<Exit, Failure> {
    match arguments.command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Resume(arguments) => resume::resume(&arguments),
        Command::Merge(arguments) => merge::merge(&arguments),
        Command::Compare(arguments) => compare::compare(&arguments),
        Command::Rescore(arguments) => rescore::rescore(&arguments),
        Command::Explain(arguments) => explain::explain(&arguments),
        Command::Gate(arguments) => gate::gate(&arguments),
        Command::Runs(command) => runs::runs(&command),
        Command::Verify(arguments) => verify::verify(&arguments),
        Command::Plan(arguments) => plan::plan(&arguments),
        Command::Validate(arguments) => validate::validate(&arguments),
        Command::Doctor(arguments) => doctor::doctor(&arguments),
        Command::Probe(arguments) => probe::probe(&arguments),
        Command::Search(arguments) => search::search(&arguments),
        Command::Init(arguments) => init::init(&arguments),
        Command::Schema(arguments) => schema::schema(&arguments),
        Command::Import(arguments) => import::import(arguments),
        Command::Inspect(arguments) => inspect::inspect(&arguments),
        Command::Cache(command) => cache::cache(&command),
        Command::Plugin(command) => plugin::plugin(&command),
        Command::Serve(arguments) => serve::serve(arguments),
        Command::Scheduler(arguments) => cluster::schedule(&arguments),
        Command::Executor(arguments) => cluster::execute(arguments),
        Command::Token(command) => token::token(command),
        Command::Worker => serve::work(),
        Command::CompileComponent(arguments) => plugin::compile_component(&arguments),
    }
}

/// Prints data on stdout; a reader that has gone away (`| head`) is no error.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Prints a value as indented JSON on stdout.
pub(crate) fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    print(&(visible_json(&serde_json::to_string_pretty(value)?) + "\n"))
}
