//! What every API family stands on: the listener and its limits, tokens, errors, extractors, documents.
//!
//! A request passes, from the outside in: [`listen`] (connections, time limits), [`frame`] (its id, its line in the log, errors
//! in the family's shape, headers), [`auth`] (whose it is, and how often they may ask), the handler's [`extract`]ors.

mod answer;
pub mod auth;
pub mod body;
mod connection;
pub mod docs;
pub mod error;
pub mod extract;
#[cfg(feature = "prometheus")]
pub mod figures;
pub mod frame;
pub mod health;
pub mod identifier;
pub mod instant;
pub mod listen;
pub mod log;
mod mistake;
pub mod openapi;
pub mod page;
#[cfg(feature = "opentelemetry")]
mod spans;
