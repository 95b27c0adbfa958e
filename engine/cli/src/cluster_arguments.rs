//! The command line of a cluster's processes.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use rematch_engine::benchmark::ClusterAddress;

use crate::arguments::bytes;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rematch scheduler
  rematch scheduler --listen 10.0.0.5:50050
  rematch run bench.toml --cluster df://10.0.0.5:50050 --out s3://bucket/runs/today")]
pub(crate) struct SchedulerArguments {
    /// Where it listens; whoever can connect may run jobs
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:50050")]
    pub(crate) listen: SocketAddr,
    /// Seconds after which an executor that was not heard of is lost, and its units are dealt out again. A busy one is heard of
    /// every five seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = clap::value_parser!(u64).range(10..))]
    pub(crate) executor_timeout: u64,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rematch executor --scheduler df://10.0.0.5:50050
  rematch executor --scheduler df://10.0.0.5:50050 --cores 8 --memory-limit 16GiB")]
pub(crate) struct ExecutorArguments {
    /// The scheduler that it asks for work
    #[arg(long, value_name = "ADDRESS", default_value = "df://127.0.0.1:50050")]
    pub(crate) scheduler: ClusterAddress,
    /// The address of this machine that the scheduler shows; nothing of a run goes over it
    #[arg(long, value_name = "HOST", default_value = "127.0.0.1")]
    pub(crate) listen: IpAddr,
    /// Its port; every executor of a machine has its own
    #[arg(long, value_name = "PORT", default_value = "50051")]
    pub(crate) port: u16,
    /// Work units at once [default: one per core]
    #[arg(long, value_name = "N")]
    pub(crate) cores: Option<NonZeroUsize>,
    /// Memory for sorting, such as 500MB or 2GiB; beyond it goes to disk
    #[arg(long, value_name = "SIZE", default_value = "512MiB", value_parser = bytes)]
    pub(crate) memory_limit: usize,
    /// Folder of what is sorted, converted and fetched [default: a temporary one]
    #[arg(long, value_name = "DIR")]
    pub(crate) work_dir: Option<PathBuf>,
    /// Do the runs of the server with that data directory and no others, and touch no file but those of its organisations, the work
    /// folder and the cache; it takes Landlock
    #[arg(long, value_name = "DIR")]
    pub(crate) server_data: Option<PathBuf>,
    /// Seconds for which the scheduler may be away at the start
    #[arg(long, value_name = "SECONDS", default_value = "30")]
    pub(crate) connect_timeout: u16,
}
