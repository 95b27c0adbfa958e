//! Executions: a retriever is asked one search, and what it answered is kept, because sessions are made of it.

pub mod model;
pub mod routes;
pub mod running;
pub mod search;
pub mod store;
pub mod stream;
