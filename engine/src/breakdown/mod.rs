//! What does each rank bring to a metric's value in one session of a finished run, and what could it have brought?
//!
//! [`breakdown`] looks a session up in a run's own tables and asks the metric to explain itself on each retriever's ranking and on
//! the best order of what is judged. Not for: other programs' conventions, whose values are taken as they are, and not for how a
//! retriever came to its answer, which is [`crate::replay::explain`].

mod error;
mod lookup;
mod model;
mod read;

pub use error::BreakdownError;
pub use model::{ArmBreakdown, Breakdown, RankBreakdown};
pub use read::{Asked, breakdown};
