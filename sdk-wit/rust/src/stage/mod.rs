//! Stages of retrievers: components that answer searches, or order the hits of another stage anew.
//!
//! ```
//! use rematch_scorer::Params;
//! use rematch_scorer::stage::{Candidate, Columns, Description, Items, Ranking, Reranker, Search};
//!
//! /// Cheap items first.
//! struct Cheapest;
//!
//! impl Reranker for Cheapest {
//!     fn describe() -> Description {
//!         Description::new("cheapest", "0.1.0").needs(Columns::ITEM_FIELDS)
//!     }
//!
//!     fn new(_: &Params) -> Result<Self, String> {
//!         Ok(Self)
//!     }
//!
//!     fn rerank(&self, _: &Search<'_>, hits: &[Candidate], items: &Items<'_>) -> Result<Ranking, String> {
//!         let price = |hit: &Candidate| -> Result<f64, String> {
//!             let price = items.field("price", hit.item)?.and_then(|price| price.parse().ok());
//!             Ok(price.unwrap_or(f64::MAX))
//!         };
//!         hits.iter().map(|hit| Ok((hit.item, -price(hit)?))).collect()
//!     }
//! }
//!
//! rematch_scorer::export_reranker!(Cheapest);
//!
//! // A test, without WebAssembly:
//! use rematch_scorer::stage::testing::{Harness, Sample};
//! let harness = Harness::new().field("price", [("a", "9.5"), ("b", "2")]);
//! let answers = harness.rerank::<Cheapest>([Sample::new("s1").hits(["a", "b", "c"])]).unwrap();
//! assert_eq!(answers[0].items(), ["b", "a", "c"]);
//! ```
//!
//! - [`Reranker`] or [`Retriever`] is what an author implements, [`export_reranker!`](crate::export_reranker) or
//!   [`export_retriever!`](crate::export_retriever) makes a component of it.
//! - [`Search`] is one session as a search engine sees it: neither what was shown nor what the user did is in it.
//! - [`Items`] are what the corpus says of items; a [`Ranking`] is what a session gets.
//! - [`testing`] runs a stage natively, by the same code that the component runs.

pub mod call;
mod ranking;
mod search;
pub mod testing;

pub use crate::bindings::rematch::scoring::stage_types::{Columns, Description};
pub use ranking::Ranking;
pub use search::{Candidate, Item, Items, Search};

use crate::Params;

/// Orders hits anew.
///
/// A session's answer must depend on nothing but the session, its hits and the parameters.
pub trait Reranker: Sized {
    /// Describes the component; always the same.
    fn describe() -> Description;

    /// Reads the parameters. A parameter that this does not ask `params` for is refused as unknown.
    ///
    /// # Errors
    ///
    /// Says which parameter is wrong, what was found and what was expected.
    fn new(params: &Params) -> Result<Self, String>;

    /// Returns the hits of a session in their new order; `hits` are best first, and may be none. Hits that the ranking
    /// leaves out follow those in it, in their old order.
    ///
    /// # Errors
    ///
    /// Says why the session cannot be answered; others keep their answers.
    fn rerank(&self, search: &Search<'_>, hits: &[Candidate], items: &Items<'_>) -> Result<Ranking, String>;
}

/// Answers searches over the items of a corpus.
pub trait Retriever: Sized {
    /// Describes the component; always the same.
    fn describe() -> Description;

    /// Reads the parameters and the items, and keeps what searching needs: an index, say. A parameter that this does not
    /// ask `params` for is refused as unknown.
    ///
    /// # Errors
    ///
    /// Says which parameter is wrong, or why the items cannot be searched.
    fn open(params: &Params, items: &Items<'_>) -> Result<Self, String>;

    /// Returns at most `depth` of the items; what is beyond is cut off.
    ///
    /// # Errors
    ///
    /// Says why the session cannot be answered; others keep their answers.
    fn retrieve(&self, search: &Search<'_>, depth: usize) -> Result<Ranking, String>;
}

impl Description {
    /// Returns the description of a component that needs no columns. It is reusable; see [`Description::stateful`].
    #[must_use]
    pub fn new(name: &str, version: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            summary: String::new(),
            params_schema: String::new(),
            needs: Columns::empty(),
            reusable: true,
        }
    }

    /// Says what the component does, in a sentence or two.
    #[must_use]
    pub fn summary(mut self, summary: &str) -> Self {
        summary.clone_into(&mut self.summary);
        self
    }

    /// Says which columns the component reads; the host sends no others.
    #[must_use]
    pub fn needs(mut self, columns: Columns) -> Self {
        self.needs = self.needs | columns;
        self
    }

    /// Says what the parameters may be: a JSON Schema, as text.
    #[must_use]
    pub fn params_schema(mut self, schema: &str) -> Self {
        schema.clone_into(&mut self.params_schema);
        self
    }

    /// Says that the component keeps something between batches which may change a later answer: the host then makes a fresh
    /// instance for every batch.
    #[must_use]
    pub fn stateful(mut self) -> Self {
        self.reusable = false;
        self
    }
}
