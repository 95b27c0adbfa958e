//! Why a cluster did not do what it was asked for.

use std::path::PathBuf;
use std::time::Duration;

use crate::benchmark::ClusterAddress;
use crate::load::LoadError;
use crate::store::StoreError;
use crate::unit::UnitError;

/// Says that a process cannot listen at an address, which a flag sets.
#[cfg(feature = "cluster")]
pub(super) fn cannot_listen(address: std::net::SocketAddr, error: &std::io::Error, flag: &str) -> ClusterError {
    ClusterError::Setting(format!("cannot listen at {address}: {error}; `{flag}` sets another address"))
}

/// Why a cluster did not do what it was asked for. Parts that are written stay: the run can be resumed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// This build knows no clusters.
    #[error(
        "this build runs on one machine only; build it with `--features cluster` for `{0}`, or give `--cluster here`"
    )]
    NotBuilt(ClusterAddress),
    /// Nobody listens there, or nobody who can be reached.
    #[error(
        "the scheduler at `{address}` cannot be reached ({reason}); is `rematch scheduler` running there, and the port open from \
         this machine? (`--cluster here` does the work on this one.)"
    )]
    Unreachable {
        /// The scheduler.
        address: ClusterAddress,
        /// What the connection said.
        reason: String,
    },
    /// The scheduler was there and is not any more.
    #[error(
        "the scheduler at `{address}` has not answered for {} s ({reason}); what is done is kept: resume the run when it is back",
        waited.as_secs()
    )]
    Lost {
        /// The scheduler.
        address: ClusterAddress,
        /// For how long.
        waited: Duration,
        /// What the last call said.
        reason: String,
    },
    /// Whoever listens there did not take the job.
    #[error("the scheduler at `{address}` refuses the run: {reason}")]
    Refused {
        /// The scheduler.
        address: ClusterAddress,
        /// Its words.
        reason: String,
    },
    /// A unit failed on an executor, or no executor was left.
    #[error("the cluster at `{address}` gave up: {reason}")]
    Failed {
        /// The scheduler.
        address: ClusterAddress,
        /// The first failure, in the executor's words.
        reason: String,
    },
    /// The scheduler says that all is done, and it is not.
    #[error(
        "the cluster at `{address}` says that all units are done, but {missing} of their files are not in `{run}`; do the executors see the same \
         store, or another folder of that name?",
        run = run.display()
    )]
    PartsMissing {
        /// The scheduler.
        address: ClusterAddress,
        /// Parts, or sums, that are not there.
        missing: usize,
        /// The run directory.
        run: PathBuf,
    },
    /// An executor found something else than what the run was begun with.
    #[error("{0}")]
    Different(String),
    /// A setting of a process.
    #[error("{0}")]
    Setting(String),
    /// Ballista's own process ended.
    #[error("the {process} cannot go on: {reason}")]
    Process {
        /// `scheduler` or `executor`.
        process: &'static str,
        /// Ballista's words.
        reason: String,
    },
    /// An input cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The run directory cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A unit cannot be looked at.
    #[error(transparent)]
    Unit(#[from] UnitError),
    /// The plan of the work units cannot be made.
    #[error("the plan of the work units cannot be sent: {0}")]
    Plan(String),
    /// A worker of the engine died.
    #[error("a worker of the engine died")]
    Worker(#[from] tokio::task::JoinError),
}
