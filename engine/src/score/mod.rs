//! How good is each ranking? Native metrics and user scoring functions, one row of scores per session and retriever.
//!
//! [`relevance`] turns a session's judgments or interactions into gains, [`native`] evaluates the built-in metrics,
//! [`wasm`] runs user components in a sandbox. A [`Scorer`] is what outsiders plug in; every implementation passes
//! [`contract`], and [`samples`] has sessions to try it on.
//!
//! Not for: comparing retrievers. A scorer sees one ranking at a time.

mod case;
mod chunk;
pub mod contract;
mod facts;
mod measure;
pub mod native;
pub mod relevance;
pub mod samples;
pub mod wasm;

pub use crate::load::ItemFields;
pub use case::{Case, ScoreError, ScoreMetric, ScoreOutcome, Scorer};
pub use chunk::{ScoringContract, score_chunk};
pub use facts::ranking_facts;
pub use measure::{Measure, MeasureKind};
pub use relevance::Relevance;
