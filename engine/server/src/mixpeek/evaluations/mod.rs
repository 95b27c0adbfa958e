//! Evaluations: retrievers against queries whose relevant documents are known.

pub mod dataset_routes;
pub mod datasets;
pub mod generate;
pub mod job;
pub mod model;
pub mod routes;
pub mod score;
pub mod store;
pub mod verdict;
