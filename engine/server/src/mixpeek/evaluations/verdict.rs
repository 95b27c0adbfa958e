//! One evaluation against another: is anything worse, and is the primary metric better?

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The largest loss of a metric, relative to the baseline, that does not count as one.
const THRESHOLD: f64 = 0.01;

/// The metric that must be better; the first one where it was not measured.
const PRIMARY: &str = "ndcg";

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

impl GateVerdict {
    /// Returns the verdict on metrics by their names.
    #[must_use]
    pub fn of(baseline: &BTreeMap<String, f64>, candidate: &BTreeMap<String, f64>) -> Self {
        let both =
            baseline.iter().filter_map(|(name, before)| Some((name.clone(), compare(*before, *candidate.get(name)?))));
        let per_metric: BTreeMap<String, GateMetricComparison> = both.collect();
        let primary = per_metric.get_key_value(PRIMARY).or_else(|| per_metric.iter().next());
        let regressed: Vec<String> =
            per_metric.iter().filter(|(_, compared)| compared.regressed).map(|(name, _)| name.clone()).collect();
        let (passed, reason) = match primary {
            None => (false, "the two evaluations have no metric in common".to_owned()),
            Some(_) if !regressed.is_empty() => {
                (false, format!("worse than the baseline by `{}`", regressed.join("`, `")))
            }
            Some((name, compared)) if compared.delta > 0.0 => {
                (true, format!("`{name}` is higher by {:.4}, and nothing is worse", compared.delta))
            }
            Some((name, _)) => (false, format!("nothing is worse, but `{name}` is not higher than the baseline's")),
        };
        Self {
            passed,
            reason,
            primary_metric: primary.map(|(name, _)| name.clone()),
            compared_metrics: per_metric.len() as u64,
            regressed_metrics: regressed,
            skipped_metrics: baseline.keys().filter(|name| !candidate.contains_key(*name)).cloned().collect(),
            per_metric,
        }
    }

    /// Returns the verdict where both evaluations are means over the same queries, and else one that does not pass: a
    /// retriever that fails on the hard queries would have the higher means.
    #[must_use]
    pub fn unless_other_queries(self, baseline: &BTreeSet<&str>, candidate: &BTreeSet<&str>) -> Self {
        let (lost, gained) = (baseline.difference(candidate), candidate.difference(baseline));
        let Some(first) = lost.clone().chain(gained.clone()).next() else { return self };
        let reason = format!(
            "the means are over different queries: {} that count for the baseline do not count here, and {} the other way \
             round, such as `{first}`",
            lost.count(),
            gained.count()
        );
        Self { passed: false, reason, ..self }
    }
}

fn compare(baseline: f64, candidate: f64) -> GateMetricComparison {
    let delta = candidate - baseline;
    let change = (baseline != 0.0).then(|| delta / baseline);
    GateMetricComparison {
        baseline,
        candidate,
        delta,
        threshold: THRESHOLD,
        pct_change: change,
        regressed: change.is_some_and(|change| change < -THRESHOLD),
        comparable: change.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(baseline: &[(&str, f64)], candidate: &[(&str, f64)]) -> GateVerdict {
        let metrics =
            |metrics: &[(&str, f64)]| metrics.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        GateVerdict::of(&metrics(baseline), &metrics(candidate))
    }

    #[test]
    fn a_candidate_passes_when_the_primary_metric_is_higher_and_nothing_is_worse() {
        let better = verdict(&[("ndcg", 0.5), ("recall", 0.5)], &[("ndcg", 0.6), ("recall", 0.499)]);
        assert!(better.passed && better.regressed_metrics.is_empty(), "{better:?}");
        assert_eq!(better.primary_metric.as_deref(), Some("ndcg"));
    }

    #[test]
    fn a_candidate_fails_when_anything_is_worse_or_nothing_is_better() {
        let worse = verdict(&[("ndcg", 0.5), ("recall", 0.5)], &[("ndcg", 0.6), ("recall", 0.4)]);
        assert_eq!((worse.passed, worse.regressed_metrics.as_slice()), (false, &["recall".to_owned()][..]));
        assert!(!verdict(&[("ndcg", 0.5)], &[("ndcg", 0.5)]).passed);
        let other = verdict(&[("mrr", 0.0), ("map", 0.1)], &[("mrr", 0.1)]);
        assert_eq!((other.passed, other.skipped_metrics.as_slice()), (true, &["map".to_owned()][..]));
        assert!(!other.per_metric["mrr"].comparable);
        assert!(!verdict(&[("map", 0.1)], &[]).passed);
    }

    #[test]
    fn means_over_different_queries_do_not_pass() {
        let better = || verdict(&[("ndcg", 0.5)], &[("ndcg", 0.6)]);
        let same = better().unless_other_queries(&["a", "b"].into(), &["b", "a"].into());
        assert_eq!(same, better());
        assert!(same.passed);
        let fewer = better().unless_other_queries(&["a", "b"].into(), &["a"].into());
        assert!(
            !fewer.passed && fewer.reason.contains("1 that count for the baseline") && fewer.reason.contains("`b`")
        );
        assert_eq!(fewer.per_metric, same.per_metric);
        assert!(!better().unless_other_queries(&["a"].into(), &["a", "b"].into()).passed);
    }
}
