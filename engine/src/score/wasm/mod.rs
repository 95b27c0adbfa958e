//! User scoring functions: WASM components in a sandbox. All of wasmtime is in here.
//!
//! A component implements the world `scorer` of `sdk-wit/wit/scoring.wit`, imports nothing and is called with columns of
//! up to 1,024 sessions. [`WasmScorer::load`] reads, checks, compiles and describes it; [`WasmScorer`] is a
//! [`Scorer`](super::Scorer) like any other. [`pack`] turns a core module into a component.
//!
//! # What a guest can and cannot do
//!
//! Every call runs in a fresh instance under limits on fuel, wall clock, memory, stack, tables and output. Fuel decides:
//! it counts the same on every run and machine, whereas the clock is only a backstop. When a batch fails, or spends
//! more fuel than one session alone may, each of its sessions is scored again alone, so that the culprit is found, its
//! neighbours keep their scores and no session lives off another's fuel. A session that fails alone has an outcome with
//! state `Error` whose text names the plugin and, where a limit was reached, the limit and its value. A value that is
//! not finite is such a failure too.
//!
//! A guest that remembers something from one session to the next within a batch breaks the rule that a case gets the
//! same bits whatever batch it stands in; [`contract::check`](super::contract::check) exposes it.
//!
//! Compiling is not metered: a component of legal size can keep the compiler busy for minutes. Load only components
//! that you would run a compiler on.
//!
//! # Several metrics
//!
//! The first metric that a component describes is the score. The values of the others go into the outcome's text, which
//! is then a JSON object: `{"metrics": {"name": number or null}, "output": "what the component said"}`. With one metric
//! the text is what the component said, as it is.

mod batch;
mod bindings;
mod columns;
mod engine;
mod guest;
mod limits;
mod load;
mod outcomes;
mod pack;
mod scorer;
#[cfg(test)]
mod tests;

pub use load::MAX_COMPONENT_BYTES;
pub use pack::{PackError, WIT, pack};
pub use scorer::{Description, WasmScorer};
