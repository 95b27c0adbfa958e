//! BM25 (Robertson & Zaragoza 2009) over the text fields of a corpus.
//!
//! [`analysis`] turns text into terms as Lucene's English analyzer does, [`CorpusIndex`] holds the postings of one corpus
//! (tantivy's inverted index), [`Bm25Retriever`] scores over them. tantivy's own scorer has fixed parameters and reads
//! document lengths that are rounded to one byte; here k1 and b are settings and lengths are exact, so scores differ from
//! Lucene's by that rounding.

pub mod analysis;
mod index;
mod porter;
mod scoring;
#[cfg(test)]
mod speed;

pub use index::{CorpusIndex, IndexError};
pub use scoring::{Bm25Retriever, Bm25Settings};
