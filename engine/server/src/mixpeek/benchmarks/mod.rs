//! Benchmarks: sessions that were recorded, replayed against a baseline and its challengers.
//!
//! A benchmark is a job. It makes sessions of interactions and executions, writes them with a benchmark file into its folder,
//! has a worker run that, and says what the report says in the words of this API.

pub mod job;
pub mod model;
pub mod results;
pub mod routes;
pub mod sessions;
pub mod store;
