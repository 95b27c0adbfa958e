//! Retrievers: registered, changed, copied, listed. Each is kept as the client wrote it, and as a section of a benchmark file.

pub mod model;
pub mod routes;
pub mod stages;
pub mod store;
