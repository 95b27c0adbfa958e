//! Where do rankings come from? One source of rankings per file, each a [`super::Retriever`].
//!
//! [`recorded`] plays back a file of rankings, [`shown`] the list that the session was logged with, [`bm25`] searches a
//! corpus by its words, [`vector`] by the nearness of vectors, [`sql`] by a query over its columns; [`http`] asks a search
//! endpoint, [`postgres`] a database.

pub mod bm25;
mod hit_rows;
pub mod http;
mod item_order;
pub mod postgres;
mod query_values;
pub mod recorded;
pub mod shown;
pub mod sql;
mod top;
pub mod vector;

pub use bm25::Bm25Retriever;
pub use http::{HttpReranker, HttpRetriever};
pub use postgres::PostgresRetriever;
pub use recorded::RecordedRetriever;
pub use shown::ShownRetriever;
pub use sql::SqlRetriever;
pub use vector::VectorRetriever;
