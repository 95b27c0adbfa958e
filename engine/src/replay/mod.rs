//! What does each retriever answer to each session? Pipelines of stages, run concurrently, with latency and errors.
//!
//! A [`Retriever`] is what outsiders plug in; every implementation passes [`contract`]. [`Pipeline`] orders stages,
//! [`Replayer`] drives a chunk of sessions through a pipeline.
//!
//! Not for: judging what comes back. An error is recorded by kind and never becomes an empty ranking or a zero.

pub mod contract;
mod pipeline;
#[cfg(test)]
mod reference_tests;
mod retriever;
pub mod retrievers;
mod runner;

pub use pipeline::{Pipeline, ReplayError, Workspace};
pub use retriever::{RetrieveError, RetrieveErrorKind, Retriever};
pub use runner::Replayer;
