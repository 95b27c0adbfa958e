//! What does each retriever answer to each session? Pipelines of stages, run concurrently, with latency and errors.
//!
//! A [`Retriever`] finds hits and a [`Transform`] changes them: outsiders plug in here, and every retriever passes
//! [`contract`]. A [`Pipeline`] orders stages; [`Replayer`] drives chunks of sessions through one. Servers are asked within
//! the limits of [`remote`].
//!
//! Not for: judging what comes back. An error is recorded by kind and never becomes an empty ranking or a zero.

mod advice;
pub mod cache;
pub mod contract;
pub mod diagnosis;
pub mod explain;
mod fuse;
mod pipeline;
pub mod plugin;
pub mod probe;
#[cfg(test)]
mod reference_tests;
pub mod remote;
mod requests;
mod reranked;
mod retriever;
pub mod retrievers;
mod runner;
mod stages;
pub mod transforms;

pub(crate) use pipeline::{CHUNKS_SIDE_BY_SIDE, begin_alike};
pub use pipeline::{Pipeline, ReplayError, Workspace};
pub use requests::Requests;
pub use retriever::{Reads, RetrieveError, RetrieveErrorKind, Retrieved, Retriever, Timing, Transform};
pub use runner::Replayer;
