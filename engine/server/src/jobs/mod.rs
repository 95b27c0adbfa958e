//! Work that outlives a request: a bounded queue, one child process per job, a journal of what happened.
//!
//! A job is a row of the database. Whoever submits it says of which [`JobKind`] it is and what it asks; the queue begins jobs
//! of all organisations in fair turns, hands each to a worker, and writes down every event. A server that is killed takes its
//! workers with it; when it starts again, what was running is queued again and goes on where its run directory stands.

mod child;
mod death;
mod follow;
mod kind;
mod process;
mod queue;
mod record;
mod running;
#[cfg(test)]
mod script;
mod seats;
#[cfg(test)]
mod tests;

pub use child::{Worker, WorkerError};
pub use death::Death;
pub use follow::JobEvent;
pub use kind::{JobKind, Kinds};
pub(crate) use process::remove_leftovers;
pub use queue::{JobFilter, Jobs};
pub use record::{Job, JobState, NewJob};
pub use seats::Seats;
