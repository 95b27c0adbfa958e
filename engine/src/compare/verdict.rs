//! Better, worse, or not known: the decision on each candidate, in words and with its numbers.

use super::SIGNIFICANCE;
use super::outcome::{
    AggregateComparison, Exposure, GateState, MetricComparison, PipelineComparison, Verdict, VerdictOutcome,
};
use crate::benchmark::Plan;

/// Below this share of shown or judged items, clicks say little about the rest of the list.
const FULL_SUPPORT: f64 = 0.999;

/// Up to this share, click-derived pairs among judged ones decide nothing.
const TOLERATED_CLICKS: f64 = 0.05;

/// Above this share of sessions on which one of the two failed, what is left is no fair sample.
const TOLERATED_FAILURES: f64 = 0.05;

/// Why a paired difference must not be acted on, however small its p.
pub(super) enum Distrust {
    /// Too many sessions have no pair because a retriever or scorer failed; they are hardly the easy ones.
    Failures { failed: u64, sessions: u64 },
    /// Clicks on a part of the lists say so, and it is not there on common support.
    Exposure,
}

/// Returns why a measure's test must not be trusted, or `None`. Where relevance comes from clicks and a list holds items that
/// were never shown, the difference must also stand, with the same sign, on common support.
pub(super) fn distrust(test: &MetricComparison, exposure: &Exposure, noise: f64) -> Option<Distrust> {
    let failures = test.dropped.iter().filter(|(reason, _)| reason.ends_with("failed"));
    let failed: u64 = failures.map(|(_, count)| count).sum();
    let sessions = test.n + test.dropped.values().sum::<u64>();
    if failed as f64 > TOLERATED_FAILURES * sessions as f64 {
        return Some(Distrust::Failures { failed, sessions });
    }
    let naive = direction(test, noise);
    let common = exposure.common_support.as_ref().map(|test| direction(test, noise));
    (biased_support(exposure, test.n) && common != Some(naive)).then_some(Distrust::Exposure)
}

/// Decides on one candidate by the primary metric.
pub(super) fn decide(plan: &Plan, baseline: &str, comparison: &PipelineComparison) -> Verdict {
    let metric = plan.primary.clone();
    let candidate = &comparison.candidate_retriever_id;
    let Some(test) = comparison.metrics.get(&metric) else { return Verdict::default() };
    let naive = direction(test, plan.noise_threshold);
    let open = VerdictOutcome::Inconclusive;
    let (outcome, sentence) = match distrust(test, &comparison.exposure, plan.noise_threshold) {
        Some(Distrust::Failures { failed, sessions }) => {
            (open, too_many_failures(&metric, candidate, baseline, test, failed, sessions))
        }
        Some(Distrust::Exposure) if naive != open => {
            (open, unsupported(&metric, candidate, baseline, test, &comparison.exposure))
        }
        _ => (naive, sentence(&metric, candidate, baseline, test, naive)),
    };
    Verdict { outcome, sentence, cautions: cautions(comparison, test), metric }
}

fn too_many_failures(
    metric: &str,
    candidate: &str,
    baseline: &str,
    test: &MetricComparison,
    failed: u64,
    sessions: u64,
) -> String {
    format!(
        "`{candidate}` against `{baseline}` is inconclusive: a retriever or scorer failed on {} of {} sessions, and the others are no \
         fair sample of them; there it is {}.",
        thousands(failed),
        thousands(sessions),
        numbers(metric, test),
    )
}

fn direction(test: &MetricComparison, noise: f64) -> VerdictOutcome {
    let significant = test.p_adjusted.or(test.p).is_some_and(|p| p < SIGNIFICANCE);
    match test.delta.map(|delta| if test.lower_is_better { -delta } else { delta }) {
        Some(delta) if significant && delta > noise => VerdictOutcome::Better,
        Some(delta) if significant && delta < -noise => VerdictOutcome::Worse,
        _ => VerdictOutcome::Inconclusive,
    }
}

/// Whether clicks on a part of the lists make up more than a few of the pairs.
fn biased_support(exposure: &Exposure, pairs: u64) -> bool {
    let partial = |share: Option<f64>| share.is_some_and(|share| share < FULL_SUPPORT);
    exposure.click_derived_pairs as f64 > TOLERATED_CLICKS * pairs as f64
        && (partial(exposure.baseline_support) || partial(exposure.candidate_support))
}

fn sentence(metric: &str, candidate: &str, baseline: &str, test: &MetricComparison, outcome: VerdictOutcome) -> String {
    if test.n == 0 {
        return format!("Nothing can be said: no session has {metric} for both `{candidate}` and `{baseline}`.");
    }
    if test.identical {
        return format!("`{candidate}` and `{baseline}` are identical in {metric} on all {} sessions.", test.n);
    }
    let numbers = numbers(metric, test);
    match outcome {
        VerdictOutcome::Better => format!("`{candidate}` is better than `{baseline}`: {numbers}."),
        VerdictOutcome::Worse => format!("`{candidate}` is worse than `{baseline}`: {numbers}."),
        VerdictOutcome::Inconclusive => {
            let settle = match test.sessions_to_settle {
                Some(sessions) if sessions > test.n => {
                    format!(" About {} sessions would settle a difference of this size.", thousands(sessions))
                }
                _ => String::new(),
            };
            format!("`{candidate}` against `{baseline}` is inconclusive: {numbers}.{settle}")
        }
    }
}

fn unsupported(metric: &str, candidate: &str, baseline: &str, test: &MetricComparison, exposure: &Exposure) -> String {
    let share = exposure.candidate_support.unwrap_or(0.0) * 100.0;
    let common = match &exposure.common_support {
        Some(test) if test.n > 0 => {
            format!("on items that both return and that were shown it is {}", numbers(metric, test))
        }
        _ => "no session has a clicked item that both return".to_owned(),
    };
    format!(
        "`{candidate}` against `{baseline}` is inconclusive: clicks say {}, but only {share:.0} % of its top {} was ever \
         shown, and {common}.",
        numbers(metric, test),
        exposure.k,
    )
}

/// "nDCG@10 +0.0312, 95 % CI +0.0180 to +0.0444, p = 0.0012 (cluster-robust t (CR1), n = 400, 312 clusters by user_id)".
fn numbers(metric: &str, test: &MetricComparison) -> String {
    let delta = test.delta.unwrap_or(0.0);
    let interval = test.ci95.map(|[low, high]| format!(", 95 % CI {low:+.4} to {high:+.4}")).unwrap_or_default();
    let adjusted = test.p_adjusted.filter(|adjusted| Some(*adjusted) != test.p);
    let p = match (test.p, adjusted) {
        (Some(p), Some(adjusted)) => {
            format!(", p = {}, adjusted {} ({})", p_text(p), p_text(adjusted), test.correction)
        }
        (Some(p), None) => format!(", p = {}", p_text(p)),
        (None, _) => String::new(),
    };
    let clusters = if test.clusters < test.n {
        format!(", {} clusters by {}", thousands(test.clusters), test.cluster_by)
    } else {
        String::new()
    };
    format!("{metric} {delta:+.4}{interval}{p} ({}, n = {}{clusters})", test.test, thousands(test.n))
}

fn p_text(p: f64) -> String {
    if p < 1e-4 { format!("{p:.1e}") } else { format!("{p:.4}") }
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn cautions(comparison: &PipelineComparison, test: &MetricComparison) -> Vec<String> {
    let mut cautions = Vec::new();
    let dropped: u64 = comparison.dropped.values().sum();
    if dropped > 0 {
        let reasons: Vec<String> =
            comparison.dropped.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
        cautions.push(format!("{dropped} sessions have no pair: {}", reasons.join(", ")));
    }
    let exposure = &comparison.exposure;
    if biased_support(exposure, test.n) {
        let percent =
            |share: Option<f64>| share.map_or_else(|| "none".to_owned(), |share| format!("{:.0} %", share * 100.0));
        cautions.push(format!(
            "relevance of {} sessions comes from clicks; {} of the baseline's and {} of the candidate's top {} was shown or judged",
            exposure.click_derived_pairs,
            percent(exposure.baseline_support),
            percent(exposure.candidate_support),
            exposure.k,
        ));
    }
    if test.errors_as_zero > 0 {
        cautions.push(format!("an error of a scorer counts as 0 in {} of the {} pairs", test.errors_as_zero, test.n));
    }
    for (scorer, run) in &comparison.aggregates {
        cautions.extend(aggregated(scorer, run, test));
    }
    if test.n > 0 && test.n < 30 {
        cautions.push(format!("only {} pairs: the t-test assumes that their mean is close to normal", test.n));
    }
    cautions
}

/// A run score that points the other way than what decides must be seen.
fn aggregated(scorer: &str, run: &AggregateComparison, test: &MetricComparison) -> Option<String> {
    let towards =
        |delta: Option<f64>, lower_is_better: bool| delta.map(|delta| if lower_is_better { -delta } else { delta });
    let summed = towards(run.delta, run.lower_is_better)?;
    let decides = towards(test.delta, test.lower_is_better)?;
    let against = summed * decides < 0.0 && run.p.is_some_and(|p| p < SIGNIFICANCE);
    against.then(|| {
        format!(
            "the run score of `{scorer}` says the opposite: {:+.4}, p = {}",
            run.delta.unwrap_or(0.0),
            p_text(run.p.unwrap_or(1.0))
        )
    })
}

/// Which retriever should serve.
pub(super) fn recommendation(baseline: &str, comparisons: &[PipelineComparison]) -> String {
    if comparisons.is_empty() {
        return format!("Nothing to recommend: no candidate could be compared with `{baseline}`.");
    }
    let delta = |comparison: &PipelineComparison| {
        let test = comparison.metrics.get(&comparison.verdict.metric);
        let gain = test.and_then(|test| Some(if test.lower_is_better { -test.delta? } else { test.delta? }));
        gain.unwrap_or(0.0)
    };
    let held = |comparison: &&PipelineComparison| comparison.gates.iter().all(|gate| gate.state != GateState::Failed);
    let better =
        comparisons.iter().filter(|comparison| comparison.verdict.outcome == VerdictOutcome::Better).filter(held);
    match better.max_by(|left, right| delta(left).total_cmp(&delta(right))) {
        Some(best) => format!("Serve `{}`.", best.candidate_retriever_id),
        None => format!("Keep `{baseline}`: no candidate is shown to be better."),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::benchmark::SpecSource;
    use crate::compare::outcome::Exposure;

    fn plan() -> Plan {
        let text = "name = \"n\"\nbaseline = \"old\"\ncandidates = [\"new\"]\n[sessions]\npath = \"s\"\n\
                    [[retriever]]\nid = \"old\"\nstages = [{ kind = \"shown\" }]\n\
                    [[retriever]]\nid = \"new\"\nstages = [{ kind = \"shown\" }]\n";
        Plan::resolve(&SpecSource::of(Path::new("b.toml"), text, &[]).expect("a source")).expect("a plan")
    }

    fn test(delta: f64, p: f64) -> MetricComparison {
        MetricComparison {
            delta: Some(delta),
            ci95: Some([delta - 0.01, delta + 0.01]),
            test: "paired t".into(),
            p: Some(p),
            p_adjusted: Some(p),
            n: 1000,
            clusters: 1000,
            sessions_to_settle: Some(12_345),
            ..MetricComparison::default()
        }
    }

    fn decided(test: MetricComparison, exposure: Exposure) -> Verdict {
        let comparison = PipelineComparison {
            candidate_retriever_id: "new".into(),
            metrics: [("nDCG@10".to_owned(), test)].into(),
            exposure,
            ..PipelineComparison::default()
        };
        decide(&plan(), "old", &comparison)
    }

    fn clicks(candidate_support: f64, common: MetricComparison) -> Exposure {
        Exposure {
            click_derived_pairs: 1000,
            k: 10,
            baseline_support: Some(1.0),
            candidate_support: Some(candidate_support),
            common_support: Some(common),
        }
    }

    #[test]
    fn a_significant_difference_of_judged_sessions_decides() {
        assert_eq!(decided(test(0.03, 0.001), Exposure::default()).outcome, VerdictOutcome::Better);
        assert_eq!(decided(test(-0.03, 0.001), Exposure::default()).outcome, VerdictOutcome::Worse);
        let open = decided(test(0.03, 0.2), Exposure::default());
        assert_eq!(open.outcome, VerdictOutcome::Inconclusive);
        assert!(open.sentence.contains("About 12,345 sessions would settle"), "{}", open.sentence);
    }

    #[test]
    fn the_adjusted_p_decides_and_the_sentence_names_both() {
        let adjusted = MetricComparison {
            p_adjusted: Some(0.06),
            correction: "Holm over 2 candidates".into(),
            ..test(0.03, 0.03)
        };
        let verdict = decided(adjusted, Exposure::default());
        assert_eq!(verdict.outcome, VerdictOutcome::Inconclusive);
        assert!(
            verdict.sentence.contains("p = 0.0300, adjusted 0.0600 (Holm over 2 candidates)"),
            "{}",
            verdict.sentence
        );
    }

    #[test]
    fn identical_arms_say_so() {
        let same = MetricComparison { identical: true, p: None, p_adjusted: None, ..test(0.0, 1.0) };
        let verdict = decided(same, Exposure::default());
        assert_eq!(verdict.outcome, VerdictOutcome::Inconclusive);
        assert!(verdict.sentence.contains("are identical in nDCG@10 on all 1000 sessions"), "{}", verdict.sentence);
    }

    #[test]
    fn clicks_on_a_part_of_the_list_do_not_condemn_what_was_never_shown() {
        let verdict = decided(test(-0.2, 1e-9), clicks(0.4, test(0.001, 0.7)));
        assert_eq!(verdict.outcome, VerdictOutcome::Inconclusive);
        assert!(verdict.sentence.contains("only 40 % of its top 10 was ever shown"), "{}", verdict.sentence);
        assert_eq!(decided(test(-0.2, 1e-9), clicks(0.4, test(-0.1, 1e-4))).outcome, VerdictOutcome::Worse);
        assert_eq!(decided(test(-0.2, 1e-9), clicks(1.0, test(0.0, 1.0))).outcome, VerdictOutcome::Worse);
    }

    #[test]
    fn the_sessions_that_are_left_after_many_failures_decide_nothing() {
        let comparison = PipelineComparison {
            candidate_retriever_id: "new".into(),
            metrics: [(
                "nDCG@10".to_owned(),
                MetricComparison { dropped: [("candidate_failed".to_owned(), 100)].into(), ..test(0.3, 1e-9) },
            )]
            .into(),
            ..PipelineComparison::default()
        };
        let verdict = decide(&plan(), "old", &comparison);
        assert_eq!(verdict.outcome, VerdictOutcome::Inconclusive);
        assert!(verdict.sentence.contains("failed on 100 of 1,100 sessions"), "{}", verdict.sentence);
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(thousands(7), "7");
        assert_eq!(thousands(1_234_567), "1,234,567");
    }
}
