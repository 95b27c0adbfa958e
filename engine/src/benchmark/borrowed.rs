//! Where a run takes its rankings from that replays nothing.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The finished runs whose rankings a run judges instead of replaying.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BorrowedPlan {
    /// The runs. The sample is what they all hold.
    pub runs: Vec<BorrowedRun>,
    /// Whose rankings are judged: one for each pipeline of the plan, in its order.
    pub pipelines: Vec<BorrowedPipeline>,
    /// In what the runs differ though they are compared, in words.
    #[serde(default)]
    pub differences: Vec<String>,
}

/// A run that lends its rankings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BorrowedRun {
    /// Its directory. It is no part of the identity of the run that borrows.
    pub path: PathBuf,
    /// Its id.
    pub run_id: String,
}

/// A pipeline of a run that lends its rankings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BorrowedPipeline {
    /// The run's place among those that lend.
    pub run: usize,
    /// The pipeline's place in the run's plan.
    pub pipeline: usize,
    /// The pipeline's hash when it was replayed.
    pub pipeline_hash: String,
}
