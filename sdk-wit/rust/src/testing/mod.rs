//! Running a scorer on sample sessions, natively, without WebAssembly.
//!
//! A [`Harness`] turns [`Sample`] sessions into a batch with exactly the columns that the scorer asks for, as the host does,
//! makes the very call that the component's export makes, and holds the result against the contract: every value finite
//! and in range, the same bits whatever a session's neighbours are.

mod batch;
mod harness;
mod sample;

pub use harness::{Harness, Outcome};
pub use sample::{Act, Sample};
