//! What does an unknown search endpoint answer, and where in it stand the ids, scores and timings?
//!
//! [`probe`] asks once. [`propose_hits`] finds the list that most looks like hits, [`propose_timings`] the numbers that
//! look like spans of time, and both name them by JSONPath.
//!
//! Not for: deciding. A proposal is shown to a person, with what it would extract.

mod ask;
mod hits;
mod path;
#[cfg(test)]
mod tests;
mod timings;

pub use ask::{ProbeError, Probed, probe};
pub use hits::{HitPaths, propose_hits};
pub use timings::{TimingPath, propose_timings};
