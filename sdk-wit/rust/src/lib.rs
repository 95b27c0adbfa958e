//! Scoring functions for Rematch in Rust: one trait, one macro, no dependencies. [`stage`] has the same for retrievers and
//! re-rankers.
//!
//! ```
//! use rematch_scorer::prelude::*;
//!
//! /// 1 / rank of the first item that was purchased.
//! struct FirstPurchase {
//!     depth: usize,
//! }
//!
//! impl Scorer for FirstPurchase {
//!     fn describe() -> Description {
//!         Description::new("first-purchase", "0.1.0")
//!             .summary("1 / rank of the first purchased item, 0 where none was returned.")
//!             .needs(Columns::HITS | Columns::INTERACTIONS)
//!             .metric(Metric::new("first-purchase").low(0.0).high(1.0))
//!     }
//!
//!     fn new(params: &Params) -> Result<Self, String> {
//!         Ok(Self { depth: params.whole_or("depth", 100)? })
//!     }
//!
//!     fn score(&self, session: &Session<'_>) -> Result<Score, String> {
//!         let bought = |item| session.interactions().any(|act| act.item == item && act.kind == "purchase");
//!         if !session.interactions().any(|act| act.kind == "purchase") {
//!             return Ok(Score::undefined()); // nothing to find
//!         }
//!         let rank = session.hits().take(self.depth).find(|hit| bought(hit.item)).map(|hit| hit.rank);
//!         Ok(Score::new(rank.map_or(0.0, |rank| 1.0 / f64::from(rank))))
//!     }
//! }
//!
//! rematch_scorer::export!(FirstPurchase);
//!
//! // A test, without WebAssembly:
//! use rematch_scorer::testing::{Harness, Sample};
//! let session = Sample::new("s1").hits(["a", "b"]).act("purchase", "b");
//! let outcomes = Harness::<FirstPurchase>::new().score([session]).unwrap();
//! assert_eq!(outcomes[0].value(), Some(0.5));
//! ```
//!
//! The parts, in the order in which a component meets them:
//!
//! - [`Scorer`] is what an author implements, [`Aggregate`] what one may add, and [`export!`] makes a component of it.
//! - [`Description`] and [`Metric`] say what the component is and which [`Columns`] it reads.
//! - [`Params`] are the benchmark's parameters, read with errors that name the key.
//! - [`Session`] is one session with one ranking, a view into the columns of a [`Batch`]; nothing is copied. A scorer
//!   that wants speed overrides [`Scorer::score_batch`] and reads the columns themselves.
//! - [`Score`] is what a session gets, [`Scores`] what a batch gets.
//! - [`log()`] shows messages to whoever runs the component.
//! - [`testing`] runs a scorer natively on sample sessions, by the same code that the component runs.
//!
//! A panic ends the call as a trap: the session gets an error, and its neighbours keep their scores.

#[allow(
    missing_docs,
    unreachable_pub,
    unsafe_code,
    clippy::allow_attributes_without_reason,
    clippy::cast_lossless,
    clippy::too_many_lines,
    clippy::unwrap_used,
    reason = "generated from the WIT"
)]
#[rustfmt::skip]
pub mod bindings;

mod batch;
mod call;
mod description;
mod discount;
mod export;
mod json;
mod log;
mod params;
mod runtime;
mod score;
mod scorer;
mod session;
pub mod stage;
mod sum;
pub mod testing;

pub use bindings::exports::rematch::scoring::aggregation::Column;
pub use bindings::exports::rematch::scoring::guest::{
    Batch, Columns, Description, HitRows, IdealGains, InteractionRows, ItemField, JudgedHits, Metric, OptionalNumbers,
    OptionalTimes, RelevanceRows, ShownRows, TaxonomyRows, Texts, Vectors,
};
pub use bindings::rematch::scoring::log::Level;
pub use discount::{dcg, discount, position};
pub use json::Json;
pub use log::log;
pub use params::Params;
pub use score::{Score, Scores};
pub use scorer::{Aggregate, Scorer};
pub use session::{Hit, Interaction, Item, JudgedHit, Session, Shown};
pub use sum::CompensatedSum;

#[doc(hidden)]
pub use {call::Component, runtime::cabi_realloc};

/// What nearly every scorer uses.
pub mod prelude {
    pub use crate::{
        Aggregate, Batch, Column, Columns, Description, Hit, Interaction, Item, Level, Metric, Params, Score, Scorer,
        Scores, Session, log,
    };
}
