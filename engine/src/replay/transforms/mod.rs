//! What is done with hits that a source found: one file per kind.
//!
//! What a transform knows of items comes from a corpus, by a SQL expression that is evaluated once over all of it when the
//! pipeline is built; what is kept is one value by item id. Items are looked up then, so that a transform costs
//! microseconds.

mod boost;
mod dedupe;
mod error;
mod filter;
mod items;
mod rerank;
#[cfg(test)]
mod tests;
mod truncate;

pub use boost::Boost;
pub use dedupe::Dedupe;
pub use error::TransformError;
pub use filter::FilterHits;
pub use rerank::{Rerank, Reranks};
pub use truncate::Truncate;
