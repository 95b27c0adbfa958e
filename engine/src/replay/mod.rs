//! What does each retriever answer to each session? Pipelines of stages, run concurrently, with latency and errors.
//!
//! A [`Retriever`] finds hits and a [`Transform`] changes them: outsiders plug in here, and every retriever passes
//! [`contract`]. A [`Pipeline`] orders stages; [`Replayer`] drives chunks of sessions through one.
//!
//! Not for: judging what comes back. An error is recorded by kind and never becomes an empty ranking or a zero.

pub mod contract;
mod fuse;
mod pipeline;
#[cfg(test)]
mod reference_tests;
mod retriever;
pub mod retrievers;
mod runner;
mod stages;

pub use pipeline::{Pipeline, ReplayError, Workspace};
pub use retriever::{RetrieveError, RetrieveErrorKind, Retrieved, Retriever, Timing, Transform};
pub use runner::Replayer;
