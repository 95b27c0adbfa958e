//! One evaluation against another, in the words of this API; the engine decides.

use std::collections::BTreeMap;

use rematch_engine::compare::means::{ComparedMeans, MeansVerdict, TOLERATED_LOSS};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The metric that must be better; the first one where it was not measured.
pub const PRIMARY: &str = "ndcg";

/// Whether an evaluation may take the place of another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GateVerdict {
    /// Whether no metric regressed and the primary one is strictly higher.
    pub passed: bool,
    /// Why, in words.
    pub reason: String,
    /// The metric that must be higher.
    pub primary_metric: Option<String>,
    /// Metrics that both have.
    pub compared_metrics: u64,
    /// Metrics that dropped by more than their threshold.
    pub regressed_metrics: Vec<String>,
    /// Metrics of the baseline that this evaluation has not.
    pub skipped_metrics: Vec<String>,
    /// Both values of every metric.
    pub per_metric: BTreeMap<String, GateMetricComparison>,
}

/// Both values of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GateMetricComparison {
    /// The baseline's.
    pub baseline: f64,
    /// This evaluation's.
    pub candidate: f64,
    /// Their difference, candidate - baseline.
    pub delta: f64,
    /// The largest relative drop that does not count as a regression.
    pub threshold: f64,
    /// The change relative to the baseline; `null` where that is 0.
    pub pct_change: Option<f64>,
    /// Whether it dropped by more.
    pub regressed: bool,
    /// Whether there is a relative change.
    pub comparable: bool,
}

impl From<MeansVerdict> for GateVerdict {
    fn from(verdict: MeansVerdict) -> Self {
        let compared = |(name, compared): (String, ComparedMeans)| (name, GateMetricComparison::from(compared));
        Self {
            compared_metrics: verdict.compared.len() as u64,
            regressed_metrics: verdict.regressed(),
            passed: verdict.passed,
            reason: verdict.reason,
            primary_metric: verdict.primary,
            skipped_metrics: verdict.skipped,
            per_metric: verdict.compared.into_iter().map(compared).collect(),
        }
    }
}

impl From<ComparedMeans> for GateMetricComparison {
    fn from(compared: ComparedMeans) -> Self {
        Self {
            baseline: compared.baseline,
            candidate: compared.candidate,
            delta: compared.delta,
            threshold: TOLERATED_LOSS,
            pct_change: compared.relative,
            regressed: compared.regressed,
            comparable: compared.relative.is_some(),
        }
    }
}
