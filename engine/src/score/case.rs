//! The contract between the score stage and a scoring function.

use std::path::PathBuf;

use datafusion::arrow::error::ArrowError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Relevance;
use crate::load::LoadError;
use crate::sandbox::SandboxError;
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

/// One number that a scorer gives to a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScoreMetric {
    /// Its name, unique in its scorer.
    pub name: String,
    /// What it means and when it is undefined; may be empty.
    pub summary: String,
    /// Whether a higher value is a better one.
    pub higher_is_better: bool,
    /// The smallest legal value; `None` where there is no bound.
    pub low: Option<f64>,
    /// The largest legal value; `None` where there is no bound.
    pub high: Option<f64>,
}

/// What a scorer says of one case.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ScoreOutcome {
    /// The score, finite; `None` unless the state is `Complete`.
    pub value: Option<f64>,
    /// The further metrics of the scorer, in its order, finite; `None` where one is undefined. All of them where the
    /// state is `Complete` or `Unknown`, none where it is `Error`.
    pub sub_scores: Vec<Option<f64>>,
    /// Text that goes with the score, or the reason of an error; may be empty.
    pub output: String,
    /// Whether a value was found.
    pub state: ScoreState,
}

impl ScoreOutcome {
    /// Returns a complete outcome without sub-scores.
    #[must_use]
    pub fn complete(value: f64, output: String) -> Self {
        Self { value: Some(value), output, state: ScoreState::Complete, ..Self::default() }
    }

    /// Returns an outcome whose score is undefined.
    #[must_use]
    pub fn unknown() -> Self {
        Self::default()
    }

    /// Returns a failed outcome with its reason.
    #[must_use]
    pub fn error(reason: String) -> Self {
        Self { output: reason, state: ScoreState::Error, ..Self::default() }
    }

    /// Returns whether both are the same to the bit; `-0.0` is not `0.0` here.
    #[must_use]
    pub fn same_bits(&self, other: &Self) -> bool {
        let bits = |value: &Option<f64>| value.map(f64::to_bits);
        bits(&self.value) == bits(&other.value)
            && self.sub_scores.iter().map(bits).eq(other.sub_scores.iter().map(bits))
            && self.state == other.state
            && self.output == other.output
    }

    /// Returns the outcome in words, for error texts.
    #[must_use]
    pub fn in_words(&self) -> String {
        let Self { value, sub_scores, output, state } = self;
        let number = |value: &Option<f64>| value.map_or_else(|| "no value".to_owned(), |value| format!("{value:?}"));
        let mut words = format!("`{}`, {}, {output:?}", state.as_str(), number(value));
        for sub_score in sub_scores {
            words += ", ";
            words += &number(sub_score);
        }
        words
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

    /// Returns the metrics that it gives to a case: the score first, then the sub-scores.
    fn metrics(&self) -> &[ScoreMetric];

    /// Returns whether a score depends on what is known to be relevant: judgments, or what users did.
    fn reads_relevance(&self) -> bool {
        true
    }

    /// Returns the SHA-256, in lower-case hex, of what the scorer was loaded from; `None` where it is a part of the engine.
    fn content_hash(&self) -> Option<&str> {
        None
    }

    /// Scores a batch; the result has one outcome per case, in order.
    ///
    /// # Errors
    ///
    /// Returns an error only when the scorer cannot go on at all; what concerns one case is that case's outcome, with
    /// state `Error`, and its neighbours keep theirs.
    fn score(&self, cases: &[Case<'_>]) -> Result<Vec<ScoreOutcome>, ScoreError>;

    /// Returns whether the scorer sums up a run itself; if not, a run's score is the mean over its sessions.
    fn aggregates(&self) -> bool {
        false
    }

    /// Sums up a run: `metrics` are the values of each of the scorer's metrics, session by session, `None` where a
    /// session has none. Returns `None` where the run's score is undefined.
    ///
    /// # Errors
    ///
    /// Returns an error when the scorer's own aggregation fails.
    fn aggregate(&self, metrics: &[Vec<Option<f64>>]) -> Result<Option<f64>, ScoreError> {
        Ok(mean_of_first(metrics))
    }
}

/// Returns the mean of the first metric over the sessions that have it: how a run is summed up where the scorer does not.
pub(super) fn mean_of_first(metrics: &[Vec<Option<f64>>]) -> Option<f64> {
    let defined: Vec<f64> = metrics.first().into_iter().flatten().copied().flatten().collect();
    rematch_metrics::sum::mean(&defined)
}

/// Why a scorer cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScoreError {
    /// The sandbox of all plugins cannot be set up.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
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
    /// The corpus whose fields a scorer reads cannot be read.
    #[error("the items of a scorer cannot be read")]
    Items(#[source] Box<LoadError>),
    /// What is scored does not have the columns of a ranking.
    #[error("the rankings to score cannot be read")]
    Rows(#[from] ArrowError),
    /// The scorers do not fit together, or do not fit the benchmark.
    #[error("{reason}")]
    Contract {
        /// What does not fit, and the fix.
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
