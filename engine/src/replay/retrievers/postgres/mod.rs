//! Hits by a query of a Postgres database: full text, pgvector, or any statement that returns rows.
//!
//! [`PostgresRetriever`] answers sessions, `connections` opens and keeps connections, `parameters` sends the values of a
//! session, `rows` reads hits, `classify` says which kind of failure an error is.

mod classify;
mod connections;
mod parameters;
mod retriever;
mod rows;
#[cfg(test)]
mod tests;

pub use retriever::{PostgresError, PostgresRetriever};
