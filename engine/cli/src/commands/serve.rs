//! `rematch serve`, and the workers that it starts.

use rematch_server::settings::{QueueLimits, Settings};
use tokio::signal::unix::{SignalKind, signal};

use crate::exit::{Exit, Failure};
use crate::plugin_host::compiler;
use crate::server_arguments::ServeArguments;

/// Serves until SIGINT or SIGTERM.
pub(crate) fn serve(arguments: ServeArguments) -> Result<Exit, Failure> {
    let program = std::env::current_exe()?;
    let mut settings = Settings::new(arguments.data.data, program);
    settings.address = arguments.listen;
    settings.outbound_allow = arguments.outbound_allow;
    settings.allow_native_scorers = arguments.allow_native_scorers;
    if let Some(workers) = arguments.workers {
        settings.queue = QueueLimits { workers, ..settings.queue };
    }
    rematch_server::platform::log::start();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let stop = async move {
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        };
        rematch_server::start(settings, stop).await.map_err(|error| Failure::new(Exit::Usage, error))
    })?;
    Ok(Exit::Done)
}

/// Does one task of the server.
pub(crate) fn work() -> Result<Exit, Failure> {
    rematch_server::worker::main(compiler()?);
    Ok(Exit::Done)
}
