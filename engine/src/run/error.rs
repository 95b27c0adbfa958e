//! Why a run did not finish.

use std::path::PathBuf;

use super::rejudge::RejudgeError;
use crate::cluster::ClusterError;
use crate::compare::CompareError;
use crate::load::LoadError;
use crate::replay::ReplayError;
use crate::score::ScoreError;
use crate::select::SelectError;
use crate::store::StoreError;
use crate::unit::UnitError;

/// Why a run did not finish.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// An input cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// No sample could be drawn.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// A retriever cannot be built.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// A scorer cannot be used.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// A scorer failed on every session that it was given.
    #[error("scorer `{scorer}` failed on every session that it was given ({sessions}); the first failure: {first}")]
    ScorerFailed {
        /// The scorer.
        scorer: String,
        /// Sessions that it was given.
        sessions: u64,
        /// The first failure in words.
        first: String,
    },
    /// The run directory cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The runs that lend rankings cannot be used.
    #[error(transparent)]
    Rejudge(#[from] RejudgeError),
    /// A unit cannot be done.
    #[error(transparent)]
    Unit(#[from] UnitError),
    /// The scores cannot be compared.
    #[error(transparent)]
    Compare(#[from] CompareError),
    /// A run that stops when it is decided, in shards.
    #[error(
        "a run that stops when it is decided cannot be sharded: no shard sees enough to decide; leave out `--shard` or `stop-when-decided`"
    )]
    ShardedStop,
    /// A run that stops when it is decided, on a cluster.
    #[error(
        "a run that stops when it is decided is looked at after every chunk, which a cluster does out of order; leave out `cluster` or \
         `stop-when-decided`"
    )]
    ClusterStop,
    /// The cluster did not do the units.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The run was asked to stop; what is done is kept.
    #[error("interrupted; what is done is kept in `{directory}`", directory = directory.display())]
    Interrupted {
        /// The run's directory.
        directory: PathBuf,
        /// The shard that was worked on, if it was one.
        shard: Option<super::Shard>,
    },
    /// A retriever is beyond hope; what is done is kept.
    #[error("retriever `{retriever}` is not asked any more: {message}; what is done is kept in `{directory}`", directory = directory.display())]
    RetrieverDead {
        /// The retriever.
        retriever: String,
        /// What it failed with.
        message: String,
        /// The run's directory.
        directory: PathBuf,
        /// The shard that was worked on, if it was one.
        shard: Option<super::Shard>,
    },
    /// A worker of the engine died.
    #[error("a worker of the engine died")]
    Worker(#[from] tokio::task::JoinError),
    /// Runs that are no shards of one another.
    #[error("`{other}` holds run {found}, `{first}` holds run {expected}: shards of one run have the same id", first = first.display(), other = other.display())]
    OtherRun {
        /// The first directory.
        first: PathBuf,
        /// Its run.
        expected: String,
        /// Another directory.
        other: PathBuf,
        /// Its run.
        found: String,
    },
    /// No shard was given.
    #[error("no shards to merge, expected the run directories of all of them")]
    NothingToMerge,
    /// Shards are missing.
    #[error("{missing} of {units} work units are missing; run the shards that hold chunks {chunks}, then merge again")]
    Missing {
        /// Units without a part.
        missing: usize,
        /// Units in all.
        units: usize,
        /// The chunks that lack one, as ranges.
        chunks: String,
    },
}
