//! Hits by an SQL query over corpora, which DataFusion runs in this process.
//!
//! [`SqlRetriever`] answers sessions; `tables` makes tables of the corpora, `statement` reads the query and refuses what is
//! not one repeatable `SELECT`, `hits` checks and reads the rows. DataFusion itself is set up by [`crate::select`].

mod hits;
mod retriever;
mod statement;
mod tables;

pub use retriever::{SqlError, SqlRetriever};
