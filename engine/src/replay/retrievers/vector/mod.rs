//! The nearest vectors of a corpus: exact, by blocks of queries and documents, or through a graph of neighbours.
//!
//! [`VectorTable`] holds the vectors of one corpus column once per process; `nearness` says how near a vector is to a query,
//! `scan` multiplies blocks of both and keeps a `shortlist` per query, [`VectorRetriever`] answers sessions.
//!
//! # Why answers do not depend on blocks or threads
//!
//! The product of matrices is computed in 32 bits, in whatever order the multiplication finds fast, so that its last bits
//! depend on the shapes of the blocks and on the processor. It decides nothing: with it comes a bound of its error, and the
//! shortlist keeps every document whose score may be among the best. Scores of these are computed again in 64 bits, always
//! in the same order of summation, and only they rank and are reported. Ties are in ascending order of the item id.

#[cfg(feature = "ann")]
mod ann;
mod nearness;
mod recall;
mod retriever;
mod scan;
mod shortlist;
#[cfg(test)]
mod speed;
mod table;

pub use retriever::{VectorError, VectorRetriever};
pub use table::VectorTable;
