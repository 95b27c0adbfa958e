//! Why does a retriever answer one search the way it does? One search, handed from stage to stage, with what each did.
//!
//! [`explain`] runs the search, and [`explain_watched`] tells of each stage as it ends; an [`Explanation`] is plain data. For every hit that leaves a stage it says where it
//! stood before, and for every hit that does not, that it went.
//!
//! Not for: runs. It asks every stage anew, shares nothing, and records nothing.

mod model;
mod run;
mod single;
#[cfg(test)]
mod tests;

pub use model::{ExplainedHit, Explanation, GoneHit, Problem, StageExplanation};
pub use run::{Step, explain, explain_watched};
pub use single::for_one_search;
