//! Why a unit could not be done.

use std::path::PathBuf;
use std::sync::Arc;

use datafusion::error::DataFusionError;

use crate::replay::ReplayError;
use crate::score::ScoreError;
use crate::store::StoreError;

/// Why a unit could not be done. Failures of single sessions are no error: the part says what became of them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnitError {
    /// The run cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A retriever cannot go on.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// A scorer cannot go on.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// A unit that the plan does not have.
    #[error("there is no pipeline {pipeline} in the run; the plan and the run directory do not belong together")]
    Unknown {
        /// The pipeline's number.
        pipeline: usize,
    },
    /// A run that lends its rankings has none of a session.
    #[error(
        "run `{run}` has no ranking of session `{session}`, which it was compared or rescored for; it was changed since: make \
         the run anew",
        run = run.display()
    )]
    NotLent {
        /// The run's directory.
        run: PathBuf,
        /// The session.
        session: String,
    },
    /// A worker of the engine died.
    #[error("a worker of the engine died")]
    Worker(#[from] tokio::task::JoinError),
    /// DataFusion failed.
    #[error("the plan of the work units cannot be run")]
    Engine(#[source] DataFusionError),
}

impl UnitError {
    /// Packs the error for its way through DataFusion.
    pub(super) fn into_engine(self) -> DataFusionError {
        DataFusionError::External(Box::new(self))
    }

    /// Unpacks what came through DataFusion.
    pub(super) fn from_engine(error: DataFusionError) -> Self {
        match error {
            DataFusionError::External(inner) => match inner.downcast::<Self>() {
                Ok(own) => *own,
                Err(other) => Self::Engine(DataFusionError::External(other)),
            },
            DataFusionError::Shared(shared) => match Arc::try_unwrap(shared) {
                Ok(inner) => Self::from_engine(inner),
                Err(shared) => Self::Engine(DataFusionError::Shared(shared)),
            },
            DataFusionError::Context(_, inner) => Self::from_engine(*inner),
            other => Self::Engine(other),
        }
    }
}
