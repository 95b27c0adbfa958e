//! What is one unit of work, and how is it done? A unit is a pipeline and a chunk of the sample: read the chunk, replay it,
//! score it, write one part. Nothing else is a currency of parallelism, checkpoint, sharding or distribution.
//!
//! Doing a unit is pure and idempotent: its part depends on the plan and the content of the inputs, and whoever does it
//! twice writes the same bytes (latencies apart). [`WorkUnitsExec`] is the node that DataFusion runs, here or on another
//! machine; [`UnitContext`] is what a process needs to do units of a run; `driver` runs the node in this process.
//!
//! Where a run borrows its rankings from finished runs, `borrow` reads what would be replayed otherwise; all that follows is
//! the same.
//!
//! Not for: deciding which units there are, nor what the parts mean together.

mod answerer;
mod borrow;
mod context;
mod driver;
mod error;
mod node;
mod recent;
mod retry;
#[cfg(test)]
mod tests;
mod work;

pub use borrow::BorrowedRankings;
pub use context::{UnitContext, UnitContexts, UnitHost};
pub use driver::{Driver, Ended};
pub use error::UnitError;
pub use node::{Order, Task, UnitRange, WorkUnitsExec};
pub use recent::RecentChunks;
pub use work::part_done;

use serde::{Deserialize, Serialize};

/// A pipeline and a chunk of the sample; both count from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WorkUnit {
    /// The pipeline's place in the plan.
    pub pipeline: usize,
    /// The row group of the sample.
    pub chunk: usize,
}

/// What became of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnitDone {
    /// The unit.
    pub unit: WorkUnit,
    /// Sessions replayed, failed ones included.
    pub sessions: u64,
    /// Sessions on which the retriever failed.
    pub failed: u64,
}
