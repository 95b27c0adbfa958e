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
    /// A run that cannot be worked on from here.
    #[error("run `{run}` cannot be worked on here: {reason}")]
    Elsewhere {
        /// The run.
        run: String,
        /// Why.
        reason: String,
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
    /// A piece of the sums of a run cannot be made.
    #[error("piece {piece} of round {round} of the sums cannot be made")]
    Sums {
        /// The round's number.
        round: usize,
        /// The piece's number.
        piece: usize,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A worker of the engine died.
    #[error("a worker of the engine died")]
    Worker(#[from] tokio::task::JoinError),
    /// DataFusion failed.
    #[error("the plan of the work units cannot be run")]
    Engine(#[source] DataFusionError),
}

impl UnitError {
    /// What stands before the words of somebody far away, so that they are found in what others put around them.
    pub(crate) const SAID: &str = "<<";
    /// What stands behind them.
    pub(crate) const END: &str = ">>";

    /// Makes an error fit for a way on which only text survives: with who says it, and all its causes. What a store, a disk or a
    /// retriever that was given up said may go better when it is tried again, or elsewhere.
    pub(super) fn into_words(self, who: &str) -> DataFusionError {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(&self);
        while let Some(next) = cause {
            text = format!("{text}: {next}");
            cause = next.source();
        }
        let text = format!("{}executor {who}: {text}{}", Self::SAID, Self::END);
        match self {
            // Those are the same everywhere, and the next time.
            Self::Store(StoreError::OrderGone { .. } | StoreError::SumsTooLarge { .. }) => {
                DataFusionError::Execution(text)
            }
            Self::Store(_) | Self::Replay(ReplayError::Dead { .. }) => {
                DataFusionError::IoError(std::io::Error::other(text))
            }
            _ => DataFusionError::Execution(text),
        }
    }

    /// Packs the error for its way through DataFusion.
    pub(super) fn into_engine(self) -> DataFusionError {
        DataFusionError::External(Box::new(self))
    }

    /// Unpacks what came through DataFusion.
    pub(crate) fn from_engine(error: DataFusionError) -> Self {
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
