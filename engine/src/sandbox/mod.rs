//! How can a stranger's code be run without fear? All of wasmtime is in here.
//!
//! A [`PluginHost`] holds what all components of a process share. Scorers ([`score::wasm`](crate::score::wasm)) and stages
//! of retrievers are built on it: they say which interface of `sdk-wit/wit/scoring.wit` a component exports, and call it.
//! [`pack`] turns a core module into a component, [`inspect()`] says what stands in a file without running it.
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
//! relaxed SIMD and 64-bit memories are off; whoever calls refuses numbers that are not finite.
//!
//! # Compiling
//!
//! Compiling is not metered, and a legal component of a megabyte can keep the compiler busy for minutes. Compiled code is
//! kept in a folder that only we can write, under the hash of the component, wasmtime's version and the settings. With a
//! [`Compiler`], what is not there yet is compiled in a child process under limits on CPU time and memory; a marker says
//! that this went well. (Should wasmtime later throw out the code of a marked component, because the cache has grown
//! large, this process compiles it: within the limits, as the marker says.) Without one, this process compiles.
//!
//! | loading | compiled | from the cache |
//! |---|---|---|
//! | C, 17 kB | 18 ms | 0.8 ms |
//! | Python, 18 MB | 18 to 25 s | 0.12 s |

pub(crate) mod bindings;
mod cache;
pub(crate) mod columns;
mod compile;
pub(crate) mod engine;
mod error;
mod host;
pub(crate) mod imports;
mod inspect;
pub(crate) mod instance;
pub(crate) mod limits;
pub(crate) mod load;
pub(crate) mod log;
pub(crate) mod naming;
pub(crate) mod pack;
mod slots;
pub(crate) mod stage;
mod wasi;

pub use compile::compile_into_cache;
pub use error::SandboxError;
pub use host::{Compiler, HostSettings, LogSink, PluginHost};
pub use imports::Provision;
pub use inspect::{Import, InspectError, Inspection, Kind, inspect};
pub use log::{LogLevel, LogMessage};
pub use pack::{PackError, WIT, pack};
