//! The engine behind HTTP, for clients that exist already.
//!
//! ```text
//!  client ──HTTP──▶ platform ──▶ native | mixpeek | runloop ──▶ jobs ──▶ worker (a child process) ──▶ engine
//!                      │                   │                      │
//!                 tokens, limits     one SQLite file       run directories
//! ```
//!
//! This process speaks HTTP and keeps metadata. Whatever reads what a tenant sent (tables, components, SQL, benchmark files)
//! happens in a child process with limits, so that its death fails one job. Each API family is one module that translates
//! between its wire contract and the engine's words; what it computes, the engine computes.

pub mod settings;

pub mod platform;

pub mod database;
pub mod organisations;

pub mod filters;

pub mod catalog;
pub mod jobs;
pub mod worker;

pub mod mixpeek;
pub mod native;
pub mod runloop;

mod app;

pub use app::{App, StartError, start};
