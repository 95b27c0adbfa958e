//! What do the data say without the t distribution? The randomisation test, the bootstrap, and Wilcoxon's test where it is
//! asked for.
//!
//! The parts are read once more. Of the randomisation test only the sums under every resample's signs are kept
//! (`family`), so that its memory does not grow with the sessions; all measures and taxonomy nodes of a candidate share
//! their signs, which is what makes MaxT. The bootstrap and Wilcoxon's test need all deltas, or all clusters' sums, at
//! once (`held`): they have a bound. Beyond it the bootstrap weights clusters by Poisson numbers instead of drawing
//! them, over sums like those of the randomisation test (`passes`), which several machines can make; what else is asked
//! for has what the bootstrap leaves. Unasked, only as much is done as costs a small part of a second (`amount`), and
//! the report says so.
//!
//! Not for: the headline test, which is the t-test of `significance`.

pub(super) mod amount;
mod family;
pub(super) mod held;
mod passes;
mod read;

pub(super) use held::MOST_BYTES;
pub(super) use passes::{PassSums, Passes, Streamed};
pub(super) use read::{Amounts, Resampled, Source};
