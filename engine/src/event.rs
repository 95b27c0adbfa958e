//! What happened: the engine tells, a progress bar, a log or a server listens. Nothing in the engine prints.

use serde::Serialize;

/// The states of a run, in order (design: "Runs and work units").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Planned, not begun.
    Pending,
    /// Loading, selecting and sampling.
    BuildingSessions,
    /// Retrievers answer, and their answers are scored.
    Replaying,
    /// Comparing and publishing.
    ComputingMetrics,
    /// Every artefact is written.
    Completed,
}

/// One thing that happened in a run.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The run entered a state.
    Entered(RunState),
    /// The sample is drawn.
    Sampled {
        /// Sessions that were loaded.
        loaded: u64,
        /// Sessions that will be replayed.
        sampled: u64,
    },
    /// A further chunk of a retriever's answers is there and scored.
    Replayed {
        /// The retriever.
        retriever_id: String,
        /// Sessions done so far, failed ones included.
        done: u64,
        /// Sessions in the sample.
        total: u64,
        /// Failures so far.
        failed: u64,
        /// Whether its rankings are those of a finished run, and nothing was asked.
        borrowed: bool,
    },
}

/// Hears of every [`Event`], from several threads.
pub trait Listener: Send + Sync {
    /// Called once per event; it must not block.
    fn hear(&self, event: &Event);
}

/// A listener that ignores everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Listener for Silent {
    fn hear(&self, _: &Event) {}
}
