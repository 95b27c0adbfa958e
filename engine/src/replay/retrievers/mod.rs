//! Where do rankings come from? One source of rankings per file, each a [`super::Retriever`].
//!
//! [`recorded`] plays back a file of rankings, [`shown`] the list that the session was logged with, [`bm25`] searches a
//! corpus.

pub mod bm25;
pub mod recorded;
pub mod shown;

pub use bm25::Bm25Retriever;
pub use recorded::RecordedRetriever;
pub use shown::ShownRetriever;
