//! Rematch replays the searches that real users made against a baseline retriever and its challengers, scores what each
//! returns with built-in metrics and with user scoring functions that run as sandboxed WebAssembly components, and says,
//! with honest statistics, which one should serve tomorrow.
//!
//! ```text
//! files ─load─▶ Sessions ─select─▶ Sample ─replay─▶ Rankings ─score─▶ Scores ─compare─▶ Comparison ─report─▶ files
//! ```
//!
//! Every stage reads only what the one before it wrote, and every arrow is an Arrow table with a schema that stands in
//! [`schema`]. [`run::run`] drives all six; the modules below stand in the order of the drawing.
//!
//! ```no_run
//! use std::path::Path;
//! use std::sync::Arc;
//!
//! use rematch_engine::benchmark::{Plan, SpecSource};
//! use rematch_engine::event::Silent;
//! use rematch_engine::run::{Outcome, Surroundings, run};
//! use rematch_engine::score::wasm::{HostSettings, PluginHost};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let plan = Plan::resolve(&SpecSource::read(Path::new("bench.toml"), &[])?)?;
//! let plugins = Arc::new(PluginHost::new(HostSettings::default())?);
//! let surroundings = Surroundings::new(Arc::new(Silent), plugins);
//! if let Outcome::Finished(finished) = run(plan, surroundings).await? {
//!     println!("{}", finished.report.comparison.recommendation);
//! }
//! # Ok(())
//! # }
//! ```

pub mod benchmark;
pub mod event;
pub mod run;
pub mod schema;
pub mod session;

pub mod load;
pub mod select;

pub mod sandbox;

pub mod replay;

pub mod score;

pub mod unit;

pub mod compare;
pub mod report;

pub mod cluster;

pub mod breakdown;
pub mod forecast;
pub mod verify;

pub mod outbound;
pub mod rows;
pub mod storage;
pub mod store;
