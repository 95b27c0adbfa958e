//! Ranking metrics and paired statistics: pure functions, no I/O, no Arrow.
//!
//! - [`Metric`] names every ranking metric and evaluates it on [`RankedGrades`]; [`ranking`] holds the definitions.
//! - [`preset`] gives other programs' values on the same data, and says in words what a number means.
//! - [`preference`] is about judgments that compare items, or that several people made.
//! - [`position`] says where the items that users touched went.
//! - [`exposure`] weighs clicks by who could have made them.
//! - [`rank_similarity`] compares two rankings without judgments, [`recommendation`] looks at lists without any.
//! - [`top_lists`] compares the tops of many pairs of lists, fast.
//! - [`ties`] orders hits with equal scores, and says how much that order matters.
//! - [`every_float`] stores numbers of which some are not finite.
//! - [`stats`] says whether a difference between two retrievers is more than chance.
//!
//! ```
//! use rematch_metrics::{GainFunction, Metric, RankedGrades};
//!
//! let metric: Metric = "nDCG@10".parse()?;
//! let grades = RankedGrades { ranked: &[Some(1.0), None, Some(3.0)], judged: &[3.0, 1.0, 0.0] };
//! let value = metric.evaluate(&grades, GainFunction::Linear);
//! assert_eq!(value.map(|value| (value * 1e4).round() / 1e4), Some(0.6885));
//! # Ok::<(), rematch_metrics::MetricError>(())
//! ```

pub mod bounded;
pub mod every_float;
pub mod exposure;
mod metric;
mod metric_name;
pub mod position;
pub mod preference;
pub mod preset;
pub mod rank_similarity;
pub mod ranking;
pub mod recommendation;
pub mod stats;
pub mod sum;
pub mod ties;
pub mod top_lists;

pub use bounded::{PositiveNumber, Proportion, RecallLevel};
pub use metric::{DEFAULT_ERR_MAX_GRADE, DEFAULT_RBP_PERSISTENCE, Metric};
pub use metric_name::MetricError;
pub use ranking::{
    Explanation, GainFunction, RankContribution, RankedGrades, RbpGain, Relevance, SparseGrades, TrecMeasure,
};

#[cfg(test)]
mod reference;
