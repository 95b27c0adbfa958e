//! What an author implements.

use crate::{Batch, Column, Description, Params, Score, Scores, Session};

/// A scoring function.
///
/// The host asks for the description, makes a scorer of the benchmark's parameters, and gives it batches. A session's
/// score must depend on nothing but the session and the parameters: not on its neighbours, on their order, or on an
/// earlier batch. [`testing`](crate::testing) checks that.
pub trait Scorer: Sized {
    /// Describes the component; always the same.
    fn describe() -> Description;

    /// Reads the parameters. A parameter that this does not ask `params` for is refused as unknown.
    ///
    /// # Errors
    ///
    /// Says which parameter is wrong, what was found and what was expected; the getters of [`Params`] return such texts.
    fn new(params: &Params) -> Result<Self, String>;

    /// Scores one session. The ranking may be empty; there may be no interactions and no grades.
    ///
    /// # Errors
    ///
    /// Says why the session cannot be scored though it should. Where there is nothing to measure, that is no error but
    /// [`Score::undefined`].
    fn score(&self, session: &Session<'_>) -> Result<Score, String>;

    /// Scores a batch: by default one session after the other. A scorer that wants speed reads the columns of the batch
    /// here, and must come to the same scores as [`Scorer::score`].
    ///
    /// # Errors
    ///
    /// Says why the whole batch cannot be scored; the host then tries each session alone.
    fn score_batch(&self, batch: &Batch, scores: &mut Scores) -> Result<(), String> {
        for session in batch.sessions() {
            scores.set(session.index(), self.score(&session))?;
        }
        Ok(())
    }
}

/// A scoring function that sums up a run itself, where the mean over the sessions is not what it means: a ratio of sums,
/// a median. Exported by `rematch_scorer::export!(Type, aggregate)`.
pub trait Aggregate: Scorer {
    /// Returns the score of a run; `None` where it is undefined. `metrics` are those of the description, in its order,
    /// each with one value per session in order of the session's id.
    ///
    /// # Errors
    ///
    /// Says why there is none though there should be one.
    fn aggregate(&self, metrics: &[Column]) -> Result<Option<f64>, String>;
}

impl Column {
    /// Iterates over the sessions' values; `None` where a session has none.
    pub fn iter(&self) -> impl Iterator<Item = Option<f64>> + '_ {
        self.values.iter().zip(&self.known).map(|(value, known)| known.then_some(*value))
    }

    /// Returns the sum of the values that are known, without growing rounding errors; 0 where none is.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.iter().flatten().collect::<crate::CompensatedSum>().total()
    }
}
