//! What clicks say about items at ranks where nobody looked, and about items that another policy would have shown.
//!
//! A click needs a look. Under the position-based model P(click) = theta(rank) · relevance, so a click at a rank that one user
//! in ten looks at stands for ten:
//!
//! - [`ExaminationCurve`] is theta: a stated default, or
//! - what [`harvest`] reads from a log in which items were shown at several ranks.
//! - [`OffPolicySums`] turns rewards and weights (inverse propensities) into an estimate with its interval, the effective sample
//!   size, and a [`WeightWarning`] where a few rows carry everything.
//!
//! Nothing here knows items or queries: a caller sums its log, these are the formulas.

mod examination;
mod harvesting;
mod off_policy;
mod pair_likelihood;
mod symmetric_system;

pub use examination::{ExaminationCurve, InvalidExamination};
pub use harvesting::{HarvestedCurve, HarvestedRank, HarvestingError, RankPair, harvest};
pub use off_policy::{
    ClippedWeights, InvalidObservation, OffPolicyEstimate, OffPolicySums, WeightWarning, WeightedRewards,
};
