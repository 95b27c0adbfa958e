//! User scoring functions: components in the [sandbox](crate::sandbox), behind the [`Scorer`](super::Scorer) trait.
//!
//! A component implements the world `scorer` of `sdk-wit/wit/scoring.wit`. [`WasmScorer::load`] reads, checks, compiles
//! and describes one; [`WasmScorer`] is then a scorer like any other.
//!
//! When a call fails, each of its sessions is scored again alone in a fresh instance: the culprit is found, its neighbours
//! keep their scores. When a call goes well but spends more fuel than one session alone may, it is repeated with fewer
//! sessions, so that none lives off another's fuel. A session that fails alone has an outcome with state `Error` whose
//! text names the plugin, the session and, where a limit was reached, the limit and its value. A value that is not finite,
//! or out of the range that its metric declares, is refused, so that equal sessions get equal bits.
//!
//! # Which sessions share an instance
//!
//! Batches have at most as many sessions as the plan says. A component that calls itself `reusable` is given batch after
//! batch, each with fuel and a deadline of its own, until a call fails; any other gets a fresh instance for each. With
//! `batch = 1` every session has a fresh instance. Since scores may then depend on what an instance has seen, some
//! sessions of every chunk, picked by a hash (16, or one where an instance is dear), are scored once more alone; if a bit
//! differs, the scorer fails as a whole (`leak.rs`). That finds a component that leaks often, not one that leaks once. [`contract::check`](super::contract::check) is harder: it shuffles.
//!
//! # What it costs
//!
//! Measured by `tests/speed.rs` and `tests/python.rs`, at the optimisation of the test profile, 1,024 sessions of 100 hits
//! and 8 relevant items a batch, in a tight scan of a dozen instructions a turn, which shows the cost of metering at its
//! worst:
//!
//! | | time of a session |
//! |---|---|
//! | nothing metered, instance reused | 1 |
//! | fuel | 1.15 |
//! | epochs (the clock) | 1.3 |
//! | fuel and epochs | 1.53 |
//! | the same, fresh instance per batch, from the pool | 1.53 to 1.58 |
//! | the same, fresh instance per batch, without the pool | 1.64 |
//!
//! So instances come from wasmtime's pool: to make one there takes longer (10 to 15 µs instead of 8), but its memory
//! stays mapped, so that a batch saves the page faults. For Python it is 1.2 to 2.2 ms instead of 2.7 to 3.3. The pool's
//! slots have room for the largest memory that a module of 32 bits can have; a plugin whose limits on tables or instances
//! are above the pool's is instantiated without it.

mod aggregation;
mod batch;
mod calls;
mod description;
mod guest;
mod leak;
mod measurement;
mod outcomes;
mod scorer;
#[cfg(test)]
mod tests;

pub use crate::sandbox::{
    Compiler, HostSettings, Import, InspectError, Inspection, Kind, LogLevel, LogMessage, LogSink, PackError,
    PluginHost, Provision, WIT, compile_into_cache, inspect, pack,
};
pub use description::Description;
pub use measurement::Measurement;
pub use scorer::WasmScorer;
