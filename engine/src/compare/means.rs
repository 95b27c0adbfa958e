//! May one set of means take the place of another? A rule of thumb for evaluations of which only the means are left: nothing
//! is tested, and a difference that passes may be chance. Where the sessions are there, the paired tests of this folder decide.

use std::collections::{BTreeMap, BTreeSet};

/// The largest loss of a metric, relative to the baseline, that does not count as one.
pub const TOLERATED_LOSS: f64 = 0.01;

/// Whether one set of means may take the place of another.
#[derive(Debug, Clone, PartialEq)]
pub struct MeansVerdict {
    /// Whether no metric regressed, the primary one is strictly higher, and both are means over the same queries.
    pub passed: bool,
    /// Why, in words.
    pub reason: String,
    /// The metric that must be higher; `None` where the two have none in common.
    pub primary: Option<String>,
    /// Metrics of the baseline that the candidate has not.
    pub skipped: Vec<String>,
    /// Both means of every metric that both have.
    pub compared: BTreeMap<String, ComparedMeans>,
}

/// Both means of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ComparedMeans {
    /// The baseline's.
    pub baseline: f64,
    /// The candidate's.
    pub candidate: f64,
    /// Their difference, candidate - baseline.
    pub delta: f64,
    /// The change relative to the baseline; `None` where that is 0.
    pub relative: Option<f64>,
    /// Whether the candidate lost more than [`TOLERATED_LOSS`].
    pub regressed: bool,
}

impl MeansVerdict {
    /// Returns the verdict on means by the names of their metrics. `primary` must be higher, the first metric by name where it
    /// was not measured.
    #[must_use]
    pub fn of(baseline: &BTreeMap<String, f64>, candidate: &BTreeMap<String, f64>, primary: &str) -> Self {
        let both =
            baseline.iter().filter_map(|(name, before)| Some((name.clone(), compare(*before, *candidate.get(name)?))));
        let compared: BTreeMap<String, ComparedMeans> = both.collect();
        let primary = compared.get_key_value(primary).or_else(|| compared.iter().next());
        let regressed = regressed(&compared);
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
        let primary = primary.map(|(name, _)| name.clone());
        let skipped = baseline.keys().filter(|name| !candidate.contains_key(*name)).cloned().collect();
        Self { passed, reason, primary, skipped, compared }
    }

    /// Returns the verdict where both are means over the same queries, and else one that does not pass: a retriever that fails
    /// on the hard queries would have the higher means.
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

    /// Returns the metrics that lost more than is tolerated.
    #[must_use]
    pub fn regressed(&self) -> Vec<String> {
        regressed(&self.compared)
    }
}

fn regressed(compared: &BTreeMap<String, ComparedMeans>) -> Vec<String> {
    compared.iter().filter(|(_, compared)| compared.regressed).map(|(name, _)| name.clone()).collect()
}

fn compare(baseline: f64, candidate: f64) -> ComparedMeans {
    let delta = candidate - baseline;
    let relative = (baseline != 0.0).then(|| delta / baseline);
    let regressed = relative.is_some_and(|relative| relative < -TOLERATED_LOSS);
    ComparedMeans { baseline, candidate, delta, relative, regressed }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(baseline: &[(&str, f64)], candidate: &[(&str, f64)]) -> MeansVerdict {
        let metrics =
            |metrics: &[(&str, f64)]| metrics.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        MeansVerdict::of(&metrics(baseline), &metrics(candidate), "ndcg")
    }

    #[test]
    fn a_candidate_passes_when_the_primary_metric_is_higher_and_nothing_is_worse() {
        let better = verdict(&[("ndcg", 0.5), ("recall", 0.5)], &[("ndcg", 0.6), ("recall", 0.499)]);
        assert!(better.passed && better.regressed().is_empty(), "{better:?}");
        assert_eq!(better.primary.as_deref(), Some("ndcg"));
    }

    #[test]
    fn a_candidate_fails_when_anything_is_worse_or_nothing_is_better() {
        let worse = verdict(&[("ndcg", 0.5), ("recall", 0.5)], &[("ndcg", 0.6), ("recall", 0.4)]);
        assert_eq!((worse.passed, worse.regressed().as_slice()), (false, &["recall".to_owned()][..]));
        assert!(!verdict(&[("ndcg", 0.5)], &[("ndcg", 0.5)]).passed);
        let other = verdict(&[("mrr", 0.0), ("map", 0.1)], &[("mrr", 0.1)]);
        assert_eq!((other.passed, other.skipped.as_slice()), (true, &["map".to_owned()][..]));
        assert!(other.compared["mrr"].relative.is_none());
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
        assert_eq!(fewer.compared, same.compared);
        assert!(!better().unless_other_queries(&["a"].into(), &["a", "b"].into()).passed);
    }
}
