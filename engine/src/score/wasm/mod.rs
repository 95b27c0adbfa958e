//! User scoring functions: WASM components in a sandbox. All of wasmtime is in here.
//!
//! A component implements the world `scorer` of `sdk-wit/wit/scoring.wit`. A [`PluginHost`] holds what all components of
//! a process share; [`WasmScorer::load`] reads, checks, compiles and describes one; [`WasmScorer`] is then a
//! [`Scorer`](super::Scorer) like any other. [`pack`] turns a core module into a component, [`inspect()`] says what stands
//! in a file without running it.
//!
//! # What a guest can and cannot do
//!
//! It may log, and that is all: a component with another import is refused by name. Where the benchmark says
//! `wasi = "inert"`, WASI 0.2 is there in name only, without effect (`wasi.rs`); a core module that imports the older
//! `wasi_snapshot_preview1` gets stand-ins of that kind when it is packed (`preview1.wat`).
//!
//! Every call has limits on fuel, wall clock, memory, stack, tables, instances, output and log
//! ([`Limits`](crate::benchmark::Limits); the stack is `limits::STACK_BYTES`). Fuel decides: it counts the same on every
//! run and machine, whereas the clock is only a backstop, for what a single instruction can take long over. Threads,
//! relaxed SIMD and 64-bit memories are off, and a value that is not finite, or out of the range that its metric declares,
//! is refused, so that equal sessions get equal bits.
//!
//! When a call fails, each of its sessions is scored again alone in a fresh instance: the culprit is found, its neighbours
//! keep their scores. When a call goes well but spends more fuel than one session alone may, it is repeated with fewer
//! sessions, so that none lives off another's fuel. A session that fails alone has an outcome with state `Error` whose
//! text names the plugin, the session and, where a limit was reached, the limit and its value.
//!
//! # Which sessions share an instance
//!
//! Batches have at most as many sessions as the plan says. A component that calls itself `reusable` is given batch after
//! batch, each with fuel and a deadline of its own, until a call fails; any other gets a fresh instance for each. With
//! `batch = 1` every session has a fresh instance. Since scores may then depend on what an instance has seen, some
//! sessions of every chunk, picked by a hash (16, or one where an instance is dear), are scored once more alone; if a bit
//! differs, the scorer fails as a whole (`leak.rs`). That finds a component that leaks often, not one that leaks once. [`contract::check`](super::contract::check) is harder: it shuffles.
//!
//! # Compiling
//!
//! Compiling is not metered, and a legal component of a megabyte can keep the compiler busy for minutes. Compiled code is
//! kept in a folder that only we can write, under the hash of the component, wasmtime's version and the settings. With a
//! [`Compiler`], what is not there yet is compiled in a child process under limits on CPU time and memory; a marker says
//! that this went well. (Should wasmtime later throw out the code of a marked component, because the cache has grown
//! large, this process compiles it: within the limits, as the marker says.) Without one, this process compiles.
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
//!
//! | loading | compiled | from the cache |
//! |---|---|---|
//! | C, 17 kB | 18 ms | 0.8 ms |
//! | Python, 18 MB | 18 to 25 s | 0.12 s |

mod aggregation;
mod batch;
mod bindings;
mod cache;
mod calls;
mod columns;
mod compile;
mod description;
mod engine;
mod guest;
mod host;
mod imports;
mod inspect;
mod leak;
mod limits;
mod load;
mod log;
mod measurement;
mod outcomes;
mod pack;
mod scorer;
mod slots;
#[cfg(test)]
mod tests;
mod wasi;

pub use compile::compile_into_cache;
pub use description::Description;
pub use host::{Compiler, HostSettings, LogSink, PluginHost};
pub use imports::Provision;
pub use inspect::{Import, InspectError, Inspection, Kind, inspect};
pub use log::{LogLevel, LogMessage};
pub use measurement::Measurement;
pub use pack::{PackError, WIT, pack};
pub use scorer::WasmScorer;
