//! `rematch serve`, and the workers that it starts.

use std::io::IsTerminal;

use rematch_server::platform::log::{self, Format};
use tokio::signal::unix::{SignalKind, signal};

use crate::exit::{Exit, Failure};
use crate::plugin_host::compiler;
use crate::server_arguments::{LogFormat, ServeArguments};

/// Serves until SIGINT or SIGTERM.
pub(crate) fn serve(arguments: ServeArguments) -> Result<Exit, Failure> {
    let format = match arguments.log {
        Some(LogFormat::Json) => Format::Json,
        Some(LogFormat::Text) => Format::Text,
        None if std::io::stderr().is_terminal() => Format::Text,
        None => Format::Json,
    };
    let settings = arguments.settings(std::env::current_exe()?);
    let _log = log::start(format);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(async {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let stop = async move {
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        };
        rematch_server::start(settings, stop).await.map_err(|error| Failure::new(Exit::Usage, error))
    });
    // Whatever still blocks a thread is cut off: its request was, too.
    runtime.shutdown_background();
    served.map(|()| Exit::Done)
}

/// Does one task of the server.
pub(crate) fn work() -> Result<Exit, Failure> {
    rematch_server::worker::main(compiler()?);
    Ok(Exit::Done)
}
