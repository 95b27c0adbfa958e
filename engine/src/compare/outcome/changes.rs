//! The searches whose results changed most.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The sessions in which one measure differs most between the two retrievers: at most ten in each direction, the largest
/// difference first, and of equal ones the first of the sample. They are among the pairs that `win` and `loss` of that measure
/// count, so that a difference within the noise threshold is none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LargestChanges {
    /// The measure: the primary one, as its values are, also where clicks decide; empty in reports that are older than this list.
    pub metric: String,
    /// Sessions in which the candidate is worse than the baseline, the worst first.
    pub losses: Vec<SessionChange>,
    /// Sessions in which it is better, the best first.
    pub gains: Vec<SessionChange>,
}

/// What became of one session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionChange {
    /// The session.
    pub session_id: String,
    /// What was searched for; `null` where the session has no text.
    pub query: Option<String>,
    /// The measure's value of the baseline.
    pub baseline: f64,
    /// Its value of the candidate.
    pub candidate: f64,
    /// Their difference, candidate - baseline; of a measure whose lower values are better ones, a loss is above 0.
    pub delta: f64,
}
