//! What every API family stands on: the listener and its limits, tokens, errors, extractors, documents.

pub mod auth;
pub mod error;
pub mod extract;
pub mod identifier;
pub mod listen;
pub mod log;
pub mod openapi;
pub mod page;
