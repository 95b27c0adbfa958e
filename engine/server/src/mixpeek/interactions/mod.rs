//! Interactions: what users did with what retrievers answered.

pub mod model;
pub mod routes;
pub mod store;
