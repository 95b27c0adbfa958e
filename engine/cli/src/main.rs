//! `rematch`: replays the searches that real users made and says which retriever won.

mod arguments;
mod cluster_arguments;
mod commands;
mod dirt;
mod environment;
mod exit;
mod explain_arguments;
mod folders;
mod gate_arguments;
mod gatekeeper;
mod memory;
mod plan_arguments;
mod plugin_arguments;
mod plugin_host;
mod progress;
mod ranking_cache;
mod rejudge_arguments;
mod retriever_arguments;
mod runs_arguments;
mod server_arguments;
mod signals;
mod summary;
mod terminal;
mod worker;

use std::process::ExitCode;

fn main() -> ExitCode {
    exit::report_panics();
    memory::keep_what_is_freed();
    let arguments = <arguments::Arguments as clap::Parser>::parse();
    std::panic::catch_unwind(|| exit::report(environment::apply().and_then(|()| commands::dispatch(arguments))))
        .unwrap_or(exit::Exit::Internal.into())
}
