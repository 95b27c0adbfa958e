//! What is said of one search.

use serde::Serialize;

use crate::session::{Hit, StageState};

/// One search through one retriever.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The retriever.
    pub retriever_id: String,
    /// The query text; `None` for a session without one.
    pub query: Option<String>,
    /// Hits asked for.
    pub depth: usize,
    /// Time of all stages together, nanoseconds.
    pub latency_ns: i64,
    /// The stages that ran, in order.
    pub stages: Vec<StageExplanation>,
    /// What the retriever answers; empty where it failed.
    pub hits: Vec<Hit>,
    /// Why it failed; `None` where it answered.
    pub failure: Option<Problem>,
}

/// What one stage did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StageExplanation {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// How it went.
    pub state: StageState,
    /// Its time, nanoseconds.
    pub latency_ns: i64,
    /// Attempts that its answer took.
    pub attempts: i64,
    /// Hits that it was handed; 0 for a source.
    pub entered: usize,
    /// Hits that left it, best first.
    pub left: Vec<ExplainedHit>,
    /// Hits that it was handed and did not hand on, in their order.
    pub gone: Vec<GoneHit>,
    /// What the server itself told of its parts: name and nanoseconds.
    pub reported: Vec<(String, i64)>,
    /// Why it failed or was passed over.
    pub problem: Option<Problem>,
    /// The lists that a `fuse` stage made into one, each stage by stage.
    pub branches: Vec<Vec<StageExplanation>>,
}

/// A hit that left a stage; its 1-based rank is its index + 1.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExplainedHit {
    /// The item.
    pub item_id: String,
    /// Its score; `None` where the stage gives none.
    pub score: Option<f64>,
    /// Its 1-based rank among the hits that entered, or, for `fuse`, in each branch; `None` where it was not there.
    /// Empty for other sources.
    pub ranks_before: Vec<Option<usize>>,
}

/// A hit that did not leave a stage.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GoneHit {
    /// The item.
    pub item_id: String,
    /// Its 1-based rank among the hits that entered.
    pub rank_before: usize,
}

/// A failure, and what to do about it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Problem {
    /// Its kind, as it stands in reports; `None` where a stage only passed it over.
    pub kind: Option<String>,
    /// What happened.
    pub message: String,
    /// What to do about it.
    pub fix: Option<String>,
}
