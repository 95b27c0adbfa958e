//! Rankings on disk: what a pipeline answered once is not asked again.
//!
//! # What is kept
//!
//! The final hits of a session with what was recorded of every stage, where no stage failed or was skipped, of pipelines
//! whose sources are deterministic (`bm25`, `vector`, `sql`, `plugin`) or whose retriever says `cache = true`. A recording
//! or a shown list is itself a look-up and is never kept. What comes from here has state `cached` and 0 attempts, so that
//! its latency, which is that of the day it was found, counts nowhere as a measurement.
//!
//! # When it is found
//!
//! The key is a SHA-256 over the pipeline's hash (its settings and the content of all that it uses), this program's version,
//! the names of its stages, the depth, and every part of a session that its stages can see, each with its length before it.
//! So a changed pipeline never finds an old entry, and two sessions with the same search share one where nothing else of
//! them is looked at. A run finds what was there when it began, and nothing of its own: which of two equal searches comes
//! first changes nothing.
//!
//! # How it is kept
//!
//! A folder per pipeline; in it a file per chunk of new answers (`segment.rs`), which gets its name when it is complete and
//! never changes, so that any number of processes may read and write at once. Every entry and every index has a checksum;
//! what does not fit is a miss. Whatever goes wrong with a file costs time, not a run. When the files have more bytes than
//! they may, those go first that were used longest ago.
//!
//! Memory: 56 bytes for every entry of the pipelines at hand.
//!
//! # What it costs
//!
//! To look an answer of 100 hits up took 150 µs where BM25 over 20,000 documents took 1,800 to 2,400, both in a build without
//! optimisation (`a_look_up_beside_bm25` in `tests.rs` measures it), and 5.7 kB on disk. So it pays for BM25 too, and more
//! the larger the corpus is.

mod entry;
mod key;
mod rankings;
mod segment;
mod store;
#[cfg(test)]
mod tests;

pub(super) use rankings::PipelineRankings;
pub use store::{CacheSummary, RankingCache};
