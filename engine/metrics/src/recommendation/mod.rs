//! What judgments do not say of lists: how much of the catalogue they show, how different their items are, how little known,
//! and what the clicks of a whole visit say of each of its searches.
//!
//! One measure per file; each says whose definition it is, its range, and when it is undefined.

mod catalogue_coverage;
mod intra_list_diversity;
mod novelty;
mod paul_score;

pub use catalogue_coverage::CatalogueCoverage;
pub use intra_list_diversity::{cosine_distance, intra_list_diversity, label_distance};
pub use novelty::{Novelty, novelty, self_information};
pub use paul_score::{paul_score, query_score};
