//! What a gate looks at: one number of baseline and candidate, their difference, and how sure it is.

use rematch_metrics::stats::student_t_quantile;

use super::words::Unit;
use crate::benchmark::spec::Direction;
use crate::benchmark::{GatePlan, Observed};
use crate::compare::CONFIDENCE;
use crate::compare::Untimed;
use crate::compare::exposure::over_curves;
use crate::compare::outcome::{
    BenchmarkResult, Exposure, GateClicks, MetricComparison, NodeComparison, PipelineComparison, Stopping,
};
use crate::compare::verdict::{self, Distrust, thousands};

/// One candidate beside the baseline, as the comparison found them.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) primary: &'a str,
    pub(super) noise_threshold: f64,
    pub(super) baseline: &'a BenchmarkResult,
    pub(super) candidate: &'a BenchmarkResult,
    pub(super) comparison: &'a PipelineComparison,
    pub(super) stopping: Option<&'a Stopping>,
}

/// What is held against a measure's own test, and what takes its place.
#[derive(Debug, Clone, Default)]
pub(super) struct Doubt {
    /// On how many sessions there is no pair because something failed, in words, where it is on too many.
    pub(super) failures: Option<String>,
    /// What clicks say, where they decide.
    pub(super) clicks: Option<GateClicks>,
}

/// What is known of the measure that a gate looks at, over some sessions.
#[derive(Debug, Clone)]
pub(super) struct Evidence {
    pub(super) unit: Unit,
    pub(super) lower_is_better: bool,
    pub(super) baseline: Option<f64>,
    pub(super) candidate: Option<f64>,
    pub(super) delta: Option<f64>,
    pub(super) interval: Option<[f64; 2]>,
    pub(super) confidence: f64,
    pub(super) p: Option<f64>,
    pub(super) n: u64,
    /// Whether every pair is equal.
    pub(super) identical: bool,
    /// Why the difference must not be acted on.
    pub(super) distrust: Option<String>,
    /// What clicks say, where they decide.
    pub(super) clicks: Option<GateClicks>,
    /// Whether interval and p are those of a sample that was not made for what they are asked now: the run stopped early.
    pub(super) stopped_early: bool,
    /// Why a latency of baseline and candidate is not known, where it is not.
    pub(super) unknown: [Option<Untimed>; 2],
    /// Sessions of baseline and candidate that timed out, where the value lies among them, so that it is at least that.
    pub(super) timed_out: [Option<u64>; 2],
}

impl Evidence {
    /// Returns what is known of nothing.
    pub(super) fn none(lower_is_better: bool) -> Self {
        Self {
            unit: Unit::Score,
            lower_is_better,
            baseline: None,
            candidate: None,
            delta: None,
            interval: None,
            confidence: CONFIDENCE.get(),
            p: None,
            n: 0,
            identical: false,
            distrust: None,
            clicks: None,
            stopped_early: false,
            unknown: [None, None],
            timed_out: [None; 2],
        }
    }

    /// Returns what was observed of the candidate and of the baseline. Where sessions were measured in both, the mean latency's
    /// difference is that of the pairs, with its interval.
    pub(super) fn observed(observed: Observed, subject: &Subject<'_>) -> Self {
        let (baseline, candidate) = (value_of(observed, subject.baseline), value_of(observed, subject.candidate));
        let latency = &subject.comparison.latency;
        let sessions = subject.candidate.answered_sessions;
        let n = match observed.is_share() {
            true => sessions + subject.candidate.failed_sessions,
            // A report of an earlier version does not say how many were measured.
            false if latency.candidate.n == 0 => sessions,
            false => latency.candidate.n,
        };
        let plain = Self {
            unit: if observed.is_share() { Unit::Share } else { Unit::Milliseconds },
            baseline,
            candidate,
            delta: candidate.zip(baseline).map(|(new, old)| new - old),
            n,
            unknown: [(subject.baseline, baseline), (subject.candidate, candidate)]
                .map(|(result, value)| (value.is_none() && !observed.is_share()).then(|| Untimed::of(&result.stages))),
            timed_out: [subject.baseline, subject.candidate].map(|result| timed_out(observed, result)),
            ..Self::none(true)
        };
        let paired = &latency.paired;
        match observed {
            Observed::LatencyMeanMs if paired.n > 0 => {
                Self { delta: paired.delta_ms, interval: paired.ci95_ms, p: paired.p, n: paired.n, ..plain }
            }
            _ => plain,
        }
    }

    /// Returns what is known of a measure over all sessions: what clicks say where they decide, else what its own paired
    /// comparison says.
    pub(super) fn of_test(test: &MetricComparison, doubt: &Doubt) -> Self {
        let own = Self {
            baseline: test.baseline_mean,
            candidate: test.candidate_mean,
            delta: test.delta,
            interval: test.ci95,
            p: test.p_adjusted.or(test.p),
            n: test.n,
            identical: test.identical,
            distrust: doubt.failures.clone(),
            clicks: doubt.clicks.clone(),
            ..Self::none(test.lower_is_better)
        };
        match &doubt.clicks {
            Some(clicks) if !own.identical => own.by(clicks),
            _ => own,
        }
    }

    /// Puts what clicks say on common support, on the scale of the measure, in the place of its own naive test.
    fn by(self, clicks: &GateClicks) -> Self {
        // Of a baseline of 0, no share says anything. More clicks are a better value, whichever way that lies.
        let size = self.baseline.map(f64::abs).filter(|mean| *mean > 0.0);
        let unit = size.map(|mean| if self.lower_is_better { -mean } else { mean });
        let scaled = |change: f64| unit.map(|unit| unit * change);
        let ends = |[low, high]: [f64; 2]| {
            let (one, other) = (scaled(low)?, scaled(high)?);
            Some([one.min(other), one.max(other)])
        };
        let doubt = match (&clicks.too_little, &clicks.relative) {
            (Some(why), _) => Some(format!("relevance comes from clicks, and {why}")),
            (None, None) => Some(
                "relevance comes from clicks, and no session has a clicked item that was shown and that both return"
                    .to_owned(),
            ),
            (None, Some(_)) => None,
        };
        Self {
            candidate: None,
            delta: clicks.relative.and_then(|relative| scaled(relative.estimate)),
            interval: clicks.relative.and_then(|relative| relative.ci95).and_then(ends),
            p: clicks.p,
            n: clicks.n,
            identical: clicks.identical,
            distrust: self.distrust.or(doubt),
            ..self
        }
    }

    /// Returns what a node's comparison says. Of several `nodes` that are judged, the intervals are made so wide that all of
    /// them hold together (Bonferroni).
    pub(super) fn of_node(test: &NodeComparison, whole: &MetricComparison, nodes: u64, doubt: &Doubt) -> Self {
        let several = nodes.max(1) as f64;
        let tail = (1.0 - CONFIDENCE.get()) / 2.0;
        let widened = test.ci95.filter(|_| test.clusters > 1).map(|[low, high]| {
            // Of the paired t-test and of the cluster-robust one alike.
            let df = (test.clusters - 1) as f64;
            let factor = student_t_quantile(tail / several, df) / student_t_quantile(tail, df);
            let (middle, half) = (low.midpoint(high), (high - low) / 2.0 * factor);
            [middle - half, middle + half]
        });
        let interval = if nodes > 1 { widened } else { test.ci95 };
        // Without variance, a mean of exactly 0 is one of zeros.
        let no_difference = test.n > 0 && test.ci95.is_none() && test.delta == Some(0.0);
        let of_clicks = doubt.clicks.as_ref();
        let identical = no_difference || whole.identical || of_clicks.is_some_and(|clicks| clicks.identical);
        let open = of_clicks.filter(|_| !identical).map(|clicks| match &clicks.too_little {
            Some(why) => format!("relevance comes from clicks, and {why}"),
            None => "relevance comes from clicks, and clicks cannot tell at a node".to_owned(),
        });
        Self {
            baseline: test.baseline_mean,
            candidate: test.candidate_mean,
            delta: test.delta,
            interval,
            confidence: 1.0 - (1.0 - CONFIDENCE.get()) / several,
            p: test.p.map(|p| (p * several).min(1.0)),
            n: test.n,
            identical,
            distrust: doubt.failures.clone().or(open),
            clicks: doubt.clicks.clone(),
            ..Self::none(whole.lower_is_better)
        }
    }

    /// Takes the direction of the gate, where it has one of its own.
    pub(super) fn directed(mut self, gate: &GatePlan) -> Self {
        if let Some(direction) = gate.direction {
            self.lower_is_better = direction == Direction::LowerIsBetter;
        }
        self
    }

    /// Marks what a run that stopped early found beside what it was stopped by.
    pub(super) fn after(mut self, stopped_early: bool) -> Self {
        self.stopped_early = stopped_early;
        self
    }
}

fn value_of(observed: Observed, result: &BenchmarkResult) -> Option<f64> {
    let sessions = result.answered_sessions + result.failed_sessions;
    let at_least = result.latency.at_least;
    let share = |count: u64| (sessions > 0).then(|| count as f64 / sessions as f64);
    match observed {
        Observed::LatencyP50Ms => at_least.map_or(result.latency.p50_ms, |bound| bound.p50_ms),
        Observed::LatencyP90Ms => at_least.map_or(result.latency.p90_ms, |bound| bound.p90_ms),
        Observed::LatencyP99Ms => at_least.map_or(result.latency.p99_ms, |bound| bound.p99_ms),
        Observed::LatencyMeanMs => at_least.map_or(result.latency.mean_ms, |bound| bound.mean_ms),
        Observed::FailedShare => share(result.failed_sessions),
        Observed::EmptyShare => share(result.empty_answers),
    }
}

/// Returns the time-outs of an arm among which what is observed lies, so that it took at least that long.
fn timed_out(observed: Observed, result: &BenchmarkResult) -> Option<u64> {
    let at_least = result.latency.at_least?;
    let bounds = match observed {
        Observed::LatencyP50Ms => at_least.bounds(0.5),
        Observed::LatencyP90Ms => at_least.bounds(0.9),
        Observed::LatencyP99Ms => at_least.bounds(0.99),
        Observed::LatencyMeanMs => at_least.timed_out > 0,
        Observed::FailedShare | Observed::EmptyShare => false,
    };
    bounds.then_some(at_least.timed_out)
}

impl Subject<'_> {
    /// Returns what is held against a measure's own test; `exposure` says what clicks tell, of a measure that reads relevance.
    pub(super) fn doubt(&self, test: &MetricComparison, exposure: &Exposure) -> Doubt {
        Doubt { failures: self.failures(test), clicks: clicks(exposure) }
    }

    /// Returns on how many sessions there is no pair because something failed, where it is on too many.
    pub(super) fn failures(&self, test: &MetricComparison) -> Option<String> {
        // What clicks say takes the place of the test here; it does not only speak against it.
        match verdict::distrust(test, &Exposure::default(), self.noise_threshold)? {
            Distrust::Failures { failed, sessions } => {
                let (failed, sessions) = (thousands(failed), thousands(sessions));
                Some(format!("a retriever or scorer failed on {failed} of {sessions} sessions"))
            }
            Distrust::Exposure => None,
        }
    }

    /// Returns whether the run stopped early by something else than the evidence on this measure, `whole` if not at a node.
    pub(super) fn stopped_early(&self, measure: &str, whole: bool, by_clicks: bool) -> bool {
        self.stopping.filter(|stopping| stopping.sessions_not_replayed > 0).is_some_and(|stopping| {
            let decided_by = whole && by_clicks == stopping.by_clicks && (by_clicks || measure == self.primary);
            !decided_by
        })
    }

    /// Returns a measure's tests by taxonomy node; `None` where it was not tested there.
    pub(super) fn nodes_of(&self, measure: &str) -> Option<&std::collections::BTreeMap<String, NodeComparison>> {
        match measure == self.primary {
            true => Some(&self.comparison.taxonomy),
            false => {
                let scorers = self.comparison.scorer_taxonomy.get(measure);
                scorers.or_else(|| self.comparison.metric_taxonomy.get(measure))
            }
        }
    }
}

/// Returns what clicks say of a measure that reads relevance; `None` where they do not decide.
pub(super) fn clicks(exposure: &Exposure) -> Option<GateClicks> {
    if !exposure.decides {
        return None;
    }
    let common = exposure.common_support.as_ref();
    let (relative, p) = over_curves(exposure);
    Some(GateClicks {
        relative,
        p,
        n: common.map_or(0, |common| common.n),
        // Lists without anything in common are equal there too; and of little, equality says little.
        identical: exposure.relative.is_some()
            && exposure.too_little.is_none()
            && common.is_some_and(|common| common.identical),
        too_little: exposure.too_little.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::outcome::Estimate;

    fn node() -> NodeComparison {
        NodeComparison {
            baseline_mean: Some(0.5),
            candidate_mean: Some(0.48),
            delta: Some(-0.02),
            // 2.262 is the quantile of 9 degrees of freedom.
            ci95: Some([-0.02 - 0.022_621_571_6, -0.02 + 0.022_621_571_6]),
            p: Some(0.08),
            n: 10,
            clusters: 10,
            ..NodeComparison::default()
        }
    }

    #[test]
    fn intervals_of_many_nodes_are_wide_enough_for_all_of_them() {
        let one = Evidence::of_node(&node(), &MetricComparison::default(), 1, &Doubt::default());
        assert_eq!((one.interval, one.p, one.confidence), (node().ci95, Some(0.08), CONFIDENCE.get()));
        // t of 9 degrees of freedom at 0.025 / 5 is 3.2498.
        let five = Evidence::of_node(&node(), &MetricComparison::default(), 5, &Doubt::default());
        let [low, high] = five.interval.expect("an interval");
        assert!((low - (-0.02 - 0.032_498)).abs() < 1e-6 && (high - (-0.02 + 0.032_498)).abs() < 1e-6, "{low} {high}");
        assert!((five.confidence - 0.99).abs() < 1e-12 && (five.p.unwrap_or(0.0) - 0.4).abs() < 1e-12);
    }

    #[test]
    fn a_node_without_any_difference_is_identical() {
        let same = NodeComparison { delta: Some(0.0), ci95: None, p: None, ..node() };
        assert!(Evidence::of_node(&same, &MetricComparison::default(), 3, &Doubt::default()).identical);
        let shifted = NodeComparison { delta: Some(0.1), ci95: None, p: None, ..node() };
        assert!(!Evidence::of_node(&shifted, &MetricComparison::default(), 3, &Doubt::default()).identical);
    }

    fn clicked(change: f64) -> Exposure {
        let relative = Estimate { estimate: change, ci95: Some([change - 0.02, change + 0.02]) };
        let common = MetricComparison { p: Some(0.01), p_adjusted: Some(0.03), n: 90, ..MetricComparison::default() };
        Exposure {
            click_derived_pairs: 90,
            decides: true,
            relative: Some(relative),
            common_support: Some(common),
            ..Exposure::default()
        }
    }

    fn naive() -> MetricComparison {
        MetricComparison {
            baseline_mean: Some(0.5),
            candidate_mean: Some(0.3),
            delta: Some(-0.2),
            ci95: Some([-0.21, -0.19]),
            p: Some(1e-9),
            n: 100,
            ..MetricComparison::default()
        }
    }

    fn of_clicks(test: &MetricComparison, exposure: &Exposure) -> Evidence {
        Evidence::of_test(test, &Doubt { failures: None, clicks: clicks(exposure) })
    }

    #[test]
    fn where_clicks_decide_the_relative_change_on_common_support_takes_the_place_of_the_naive_one() {
        let found = of_clicks(&naive(), &clicked(0.1));
        assert_eq!((found.candidate, found.p, found.n, found.distrust), (None, Some(0.03), 90, None));
        let near = |found: Option<f64>, expected: f64| (found.unwrap_or(f64::NAN) - expected).abs() < 1e-12;
        assert!(near(found.delta, 0.05), "{:?}", found.delta);
        assert!(near(found.interval.map(|[low, _]| low), 0.04) && near(found.interval.map(|[_, high]| high), 0.06));
        // Of a measure of which less is better, more clicks are a fall.
        let lower = of_clicks(&MetricComparison { lower_is_better: true, ..naive() }, &clicked(0.1));
        assert!(near(lower.delta, -0.05) && near(lower.interval.map(|[low, _]| low), -0.06), "{:?}", lower.interval);
        let few = Exposure { decides: false, ..clicked(0.1) };
        assert_eq!(of_clicks(&naive(), &few).delta, Some(-0.2));
        let nothing = of_clicks(&MetricComparison { baseline_mean: Some(0.0), ..naive() }, &clicked(0.1));
        assert_eq!((nothing.delta, nothing.interval), (None, None));
    }

    #[test]
    fn clicks_that_tell_too_little_are_distrusted_and_so_are_nodes() {
        let too_little = Exposure { too_little: Some("only 3 % was shown".to_owned()), ..clicked(0.1) };
        let found = of_clicks(&naive(), &too_little);
        assert_eq!(found.distrust.as_deref(), Some("relevance comes from clicks, and only 3 % was shown"));
        let none = Exposure { relative: None, ..clicked(0.1) };
        assert!(of_clicks(&naive(), &none).distrust.is_some_and(|why| why.contains("no session has a clicked item")));
        let doubt = Doubt { failures: None, clicks: clicks(&clicked(0.1)) };
        let at_node = Evidence::of_node(&node(), &naive(), 1, &doubt);
        assert!(at_node.distrust.is_some_and(|why| why.contains("cannot tell at a node")));
    }

    #[test]
    fn identical_lists_are_not_distrusted_but_lists_without_anything_in_common_are() {
        let too_little = Exposure { too_little: Some("only 3 % was shown".to_owned()), ..clicked(0.1) };
        let same = MetricComparison { identical: true, delta: Some(0.0), ci95: None, p: None, ..naive() };
        let found = of_clicks(&same, &too_little);
        assert_eq!((found.identical, found.distrust, found.candidate), (true, None, Some(0.3)));
        let nodes = Doubt { failures: None, clicks: clicks(&too_little) };
        assert_eq!(Evidence::of_node(&node(), &same, 1, &nodes).distrust, None);
        let equal = |relative: Option<Estimate>| Exposure {
            common_support: Some(MetricComparison { identical: true, n: 90, ..MetricComparison::default() }),
            relative,
            ..clicked(0.0)
        };
        let on_common = of_clicks(&naive(), &equal(Some(Estimate::default())));
        assert_eq!((on_common.identical, on_common.distrust), (true, None));
        let apart = of_clicks(&naive(), &equal(None));
        assert!(!apart.identical && apart.distrust.is_some());
    }
}
