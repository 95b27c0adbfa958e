//! `rematch scheduler` and `rematch executor`.

use crate::cluster_arguments::{ExecutorArguments, SchedulerArguments};
use crate::exit::{Exit, Failure};

/// Runs a scheduler until SIGINT or SIGTERM.
#[cfg(feature = "cluster")]
pub(crate) fn schedule(arguments: &SchedulerArguments) -> Result<Exit, Failure> {
    use rematch_engine::cluster::{SchedulerSettings, serve_scheduler};
    use tokio::signal::unix::{SignalKind, signal};

    let _log = start_log();
    let settings = SchedulerSettings {
        listen: arguments.listen,
        executor_timeout: std::time::Duration::from_secs(arguments.executor_timeout),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(async {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        tokio::select! {
            served = serve_scheduler(settings, |address| log::info!("listening at df://{address}")) => served?,
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        Ok::<(), Failure>(())
    });
    runtime.shutdown_background();
    served.map(|()| Exit::Done)
}

/// Runs an executor until SIGINT or SIGTERM; it then takes work until none is in flight.
#[cfg(feature = "cluster")]
pub(crate) fn execute(arguments: ExecutorArguments) -> Result<Exit, Failure> {
    use std::num::NonZeroUsize;

    use rematch_engine::cluster::{ExecutorSettings, serve_executor};
    use rematch_engine::replay::Workspace;

    use crate::plugin_host::{on_stderr, plugin_host};

    let temporary = match arguments.work_dir {
        Some(_) => None,
        None => Some(tempfile::Builder::new().prefix("rematch-executor-").tempdir()?),
    };
    let temporary_folder = temporary.as_ref().map(|folder| folder.path().to_owned());
    let work_folder = arguments.work_dir.or(temporary_folder).unwrap_or_default();
    // Before there are other threads.
    let only_in = arguments.server_data.map(|data| confine_to(&data, &work_folder)).transpose()?;
    let _log = start_log();
    let settings = ExecutorSettings {
        scheduler: arguments.scheduler,
        listen: arguments.listen,
        port: arguments.port,
        cores: arguments.cores.or_else(|| std::thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN),
        work_folder,
        only_in,
        connect_seconds: arguments.connect_timeout,
        workspace: Workspace {
            memory_bytes: arguments.memory_limit,
            secrets: crate::environment::secrets(),
            ..Workspace::default()
        },
        plugins: plugin_host(Some(on_stderr()))?,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(serve_executor(settings));
    runtime.shutdown_background();
    Ok(served.map(|()| Exit::Done)?)
}

/// Confines this process to the folder of a server's organisations, which it returns, and to folders of its own.
#[cfg(feature = "cluster")]
fn confine_to(data: &std::path::Path, work_folder: &std::path::Path) -> Result<std::path::PathBuf, Failure> {
    use std::os::unix::fs::DirBuilderExt as _;

    let organisations = data.join("organisations").canonicalize().map_err(|error| {
        let data = data.display();
        Failure::new(Exit::Usage, anyhow::anyhow!("`{data}` is no data directory of a server: {error}"))
    })?;
    let cache = crate::folders::compiled_plugins();
    let own: Vec<&std::path::Path> = cache.iter().map(std::path::PathBuf::as_path).chain([work_folder]).collect();
    for folder in &own {
        // What is not there cannot be allowed; and only we write into it.
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    rematch_server::worker::confine_executor(&organisations, &own).map_err(|error| Failure::new(Exit::Usage, error))?;
    Ok(organisations)
}

/// Ballista speaks through the `log` crate, which the server's log prints.
#[cfg(feature = "cluster")]
fn start_log() -> rematch_server::platform::log::Log {
    use std::io::IsTerminal;

    use rematch_server::platform::log::{Format, start};

    start(if std::io::stderr().is_terminal() { Format::Text } else { Format::Json })
}

#[cfg(not(feature = "cluster"))]
pub(crate) fn schedule(_: &SchedulerArguments) -> Result<Exit, Failure> {
    Err(not_built("scheduler"))
}

#[cfg(not(feature = "cluster"))]
pub(crate) fn execute(_: ExecutorArguments) -> Result<Exit, Failure> {
    Err(not_built("executor"))
}

#[cfg(not(feature = "cluster"))]
fn not_built(process: &str) -> Failure {
    let error = anyhow::anyhow!(
        "this build has no {process}; build it with `cargo install --path engine/cli --features cluster`"
    );
    Failure::new(Exit::Usage, error)
}
