//! Does a retriever answer, and if not, where does it stop? Name, connection, credentials, one search.
//!
//! [`reach_servers`] and then [`try_search`] give one [`Check`] per step, each failing one with what to do about it.
//!
//! Not for: runs, nor for judging what comes back.

mod check;
mod network;
mod retriever;

pub use check::{Check, CheckState};
pub use network::reach;
pub use retriever::{reach_servers, try_search};
