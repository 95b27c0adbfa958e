//! Ranking metrics, one family per file: each says whose definition it is, its range, and when it is undefined.
//!
//! Every metric is better when it is higher. Undefined is `None`, never 0 or NaN: a session in which nothing is relevant
//! has nothing to find and nothing to score. trec_eval prints 0 there; who wants its tables says `unwrap_or(0.0)`.

mod average_precision;
mod binary_preference;
mod expected_reciprocal_rank;
mod graded;
mod judged;
mod ndcg;
mod precision;
mod rank_biased_precision;
mod recall;
mod reciprocal_rank;
mod success;

pub use average_precision::average_precision;
pub use binary_preference::binary_preference;
pub use expected_reciprocal_rank::expected_reciprocal_rank;
pub use graded::{RankedGrades, Relevance};
pub use judged::judged;
pub use ndcg::{GainFunction, NdcgExplanation, RankContribution, explain_ndcg, ndcg};
pub use precision::precision;
pub use rank_biased_precision::{RbpGain, rank_biased_precision};
pub use recall::recall;
pub use reciprocal_rank::reciprocal_rank;
pub use success::success;
