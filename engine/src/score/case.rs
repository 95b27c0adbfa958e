//! The contract between the score stage and a scoring function.

use std::path::PathBuf;

use super::Relevance;
use crate::session::{Ranking, ScoreState, Session};

/// One session with one retriever's answer, joined with its relevance; what a scorer sees.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The session.
    pub session: &'a Session,
    /// The answer; never a failed one.
    pub ranking: &'a Ranking,
    /// The session's gains.
    pub relevance: &'a Relevance,
}

/// What a scorer says of one case.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ScoreOutcome {
    /// The score, finite; `None` unless the state is `Complete`.
    pub value: Option<f64>,
    /// Text that goes with the score, or the reason of an error; may be empty.
    pub output: String,
    /// Whether a value was found.
    pub state: ScoreState,
}

impl ScoreOutcome {
    /// Returns a complete outcome.
    #[must_use]
    pub fn complete(value: f64, output: String) -> Self {
        Self { value: Some(value), output, state: ScoreState::Complete }
    }

    /// Returns an outcome whose score is undefined.
    #[must_use]
    pub fn unknown() -> Self {
        Self::default()
    }

    /// Returns a failed outcome with its reason.
    #[must_use]
    pub fn error(reason: String) -> Self {
        Self { value: None, output: reason, state: ScoreState::Error }
    }
}

/// A scoring function.
///
/// The score stage calls [`Scorer::score`] with batches of at most a chunk's cases, in any order and from several
/// threads at once. The same case must get the same bits whatever batch it stands in. Cases whose retriever failed are
/// never handed in. An empty ranking is legal.
pub trait Scorer: Send + Sync {
    /// Returns the scorer's name, unique in the benchmark.
    fn name(&self) -> &str;

    /// Scores a batch; the result has one outcome per case, in order.
    ///
    /// # Errors
    ///
    /// Returns an error only when the scorer cannot go on at all; what concerns one case is that case's outcome, with
    /// state `Error`, and its neighbours keep theirs.
    fn score(&self, cases: &[Case<'_>]) -> Result<Vec<ScoreOutcome>, ScoreError>;
}

/// Why a scorer cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScoreError {
    /// The component file cannot be read.
    #[error("cannot read plugin `{path}` of scorer `{scorer}`", path = path.display())]
    Read {
        /// The scorer.
        scorer: String,
        /// The component file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The component is not what the benchmark pins, does not compile, or does not fit the world.
    #[error("plugin `{path}` of scorer `{scorer}` cannot be used: {reason}", path = path.display())]
    Load {
        /// The scorer.
        scorer: String,
        /// The component file.
        path: PathBuf,
        /// What is wrong, and what was expected.
        reason: String,
    },
    /// The component refused its parameters or failed as a whole.
    #[error("scorer `{scorer}` failed: {reason}")]
    Failed {
        /// The scorer.
        scorer: String,
        /// What it said, or which limit it hit.
        reason: String,
    },
}
