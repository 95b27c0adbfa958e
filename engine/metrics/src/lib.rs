//! Ranking metrics and paired statistics: pure functions, no I/O, no Arrow.
//!
//! - [`Metric`] names every ranking metric and evaluates it on [`RankedGrades`]; [`ranking`] holds the definitions.
//! - [`position`] says where the items that users touched went.
//! - [`rank_similarity`] compares two rankings without judgments.
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
mod metric;
mod metric_name;
pub mod position;
pub mod rank_similarity;
pub mod ranking;
pub mod stats;
pub mod sum;

pub use bounded::{PositiveNumber, Proportion};
pub use metric::{DEFAULT_ERR_MAX_GRADE, DEFAULT_RBP_PERSISTENCE, Metric};
pub use metric_name::MetricError;
pub use ranking::{GainFunction, NdcgExplanation, RankContribution, RankedGrades, RbpGain, Relevance};

#[cfg(test)]
mod reference;
