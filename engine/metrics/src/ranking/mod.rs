//! Ranking metrics, one family per file: each says whose definition it is, its range, and when it is undefined.
//!
//! Every metric is better when it is higher. Undefined is `None`, never 0 or NaN: a session in which nothing is relevant
//! has nothing to find and nothing to score. trec_eval prints 0 there; who wants its tables says `unwrap_or(0.0)`. Each file
//! also weighs the ranks, so that a value can explain itself ([`Explanation`]).

pub(crate) mod average_precision;
pub(crate) mod binary_preference;
pub(crate) mod condensed;
pub(crate) mod expected_reciprocal_rank;
pub(crate) mod explanation;
mod graded;
pub(crate) mod hit_counts;
pub(crate) mod inferred_average_precision;
pub(crate) mod judged;
pub(crate) mod ndcg;
pub(crate) mod precision;
pub(crate) mod r_precision;
pub(crate) mod rank_biased_precision;
pub(crate) mod recall;
pub(crate) mod reciprocal_rank;
mod sparse;
pub(crate) mod success;
mod trec_eval;

pub use average_precision::average_precision;
pub use binary_preference::binary_preference;
pub use expected_reciprocal_rank::expected_reciprocal_rank;
pub use explanation::{Explanation, RankContribution};
pub use graded::{RankedGrades, Relevance};
pub use hit_counts::{relevant, returned};
pub use inferred_average_precision::inferred_average_precision;
pub use judged::judged;
pub use ndcg::{GainFunction, ndcg};
pub use precision::precision;
pub use r_precision::r_precision;
pub use rank_biased_precision::{RbpGain, rank_biased_precision, rank_biased_precision_residual};
pub use recall::recall;
pub use reciprocal_rank::reciprocal_rank;
pub use sparse::SparseGrades;
pub use success::success;
pub use trec_eval::TrecMeasure;
