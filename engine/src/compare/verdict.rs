//! Better, worse, or not known: the decision on each candidate, in words and with its numbers.

use super::SIGNIFICANCE;
use super::exposure::{self, CLICK_SIGNIFICANCE, change, percent};
use super::outcome::{
    AggregateComparison, Estimate, Exposure, GateState, MetricComparison, PipelineComparison, Verdict, VerdictOutcome,
};
use crate::benchmark::Plan;

/// Above this share of sessions on which one of the two failed, what is left is no fair sample.
pub(super) const TOLERATED_FAILURES: f64 = 0.05;

/// Why a paired difference must not be acted on, however small its p.
pub(super) enum Distrust {
    /// Too many sessions have no pair because a retriever or scorer failed; they are hardly the easy ones.
    Failures { failed: u64, sessions: u64 },
    /// Clicks say so, and it is not there on common support, or too little is known there.
    Exposure,
}

/// Returns why a measure's own test must not be trusted, or `None`. Where relevance comes from clicks, the difference must also
/// stand, with the same sign, on common support.
pub(super) fn distrust(test: &MetricComparison, exposure: &Exposure, noise: f64) -> Option<Distrust> {
    let failures = test.dropped.iter().filter(|(reason, _)| reason.ends_with("failed"));
    let failed: u64 = failures.map(|(_, count)| count).sum();
    let sessions = test.n + test.dropped.values().sum::<u64>();
    if failed as f64 > TOLERATED_FAILURES * sessions as f64 {
        return Some(Distrust::Failures { failed, sessions });
    }
    if !exposure.decides {
        return None;
    }
    let common = exposure.common_support.as_ref().filter(|_| exposure.too_little.is_none());
    (common.map(|test| direction_by_clicks(exposure, test, noise)) != Some(direction(test, noise, SIGNIFICANCE)))
        .then_some(Distrust::Exposure)
}

/// Decides on one candidate by the primary metric.
pub(super) fn decide(plan: &Plan, baseline: &str, comparison: &PipelineComparison) -> Verdict {
    let metric = plan.primary.clone();
    let candidate = &comparison.candidate_retriever_id;
    let Some(test) = comparison.metrics.get(&metric) else { return Verdict::default() };
    let noise = plan.noise_threshold;
    let (outcome, sentence) = match distrust(test, &comparison.exposure, noise) {
        Some(Distrust::Failures { failed, sessions }) => {
            (VerdictOutcome::Inconclusive, too_many_failures(&metric, candidate, baseline, test, failed, sessions))
        }
        _ if comparison.exposure.decides => by_clicks(candidate, baseline, &comparison.exposure, noise),
        _ => {
            let outcome = direction(test, noise, SIGNIFICANCE);
            (outcome, sentence(&metric, candidate, baseline, test, outcome))
        }
    };
    Verdict { outcome, sentence, cautions: cautions(&metric, comparison, test), metric }
}

/// Decides by what clicks say on common support.
fn by_clicks(candidate: &str, baseline: &str, exposure: &Exposure, noise: f64) -> (VerdictOutcome, String) {
    let open = VerdictOutcome::Inconclusive;
    let against = format!("`{candidate}` against `{baseline}` is inconclusive");
    let none = || (open, format!("{against}: no session has a clicked item that was shown and that both return."));
    let (Some(test), Some(relative)) = (&exposure.common_support, &exposure.relative) else { return none() };
    let numbers = numbers_of_clicks(exposure, test, relative);
    if let Some(why) = &exposure.too_little {
        return (open, format!("{against}: relevance comes from clicks, and {why}; there {numbers}."));
    }
    if test.identical {
        let sentence = format!(
            "`{candidate}` and `{baseline}` are identical where clicks can tell, on {} sessions.",
            thousands(test.n)
        );
        return (open, sentence);
    }
    if let Some(why) = &exposure.depends_on_curve {
        return (open, format!("{against}: {numbers}; but {why}."));
    }
    let outcome = direction_by_clicks(exposure, test, noise);
    let sentence = match outcome {
        VerdictOutcome::Better => format!("`{candidate}` is better than `{baseline}`: {numbers}."),
        VerdictOutcome::Worse => format!("`{candidate}` is worse than `{baseline}`: {numbers}."),
        VerdictOutcome::Inconclusive => {
            let unit = test.baseline_mean.filter(|mean| *mean > 0.0);
            let detectable =
                test.detectable_delta.zip(unit).map(|(delta, mean)| format!("{:.1} %", 100.0 * delta / mean));
            format!("{against}: {numbers}.{}", what_would_tell(test, detectable))
        }
    };
    (outcome, sentence)
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

/// What clicks say on common support decides where no assumed curve says otherwise.
fn direction_by_clicks(exposure: &Exposure, test: &MetricComparison, noise: f64) -> VerdictOutcome {
    match exposure.depends_on_curve {
        Some(_) => VerdictOutcome::Inconclusive,
        None => direction(test, noise, CLICK_SIGNIFICANCE),
    }
}

fn direction(test: &MetricComparison, noise: f64, level: f64) -> VerdictOutcome {
    let significant = test.p_adjusted.or(test.p).is_some_and(|p| p < level);
    match test.delta.map(|delta| if test.lower_is_better { -delta } else { delta }) {
        Some(delta) if significant && delta > noise => VerdictOutcome::Better,
        Some(delta) if significant && delta < -noise => VerdictOutcome::Worse,
        _ => VerdictOutcome::Inconclusive,
    }
}

/// "clicks ... differ by +4.3 % (95 % CI +3.1 % to +5.5 %), p = 0.0012 (paired t, n = 400); 45 % of its top 10 was ever shown".
fn numbers_of_clicks(exposure: &Exposure, test: &MetricComparison, relative: &Estimate) -> String {
    format!(
        "clicks among the items that were shown and that both return, weighted by how likely users were to look, differ by {}{} ({}, n \
         = {}{}); {} of its top {} was shown in the same search",
        change(relative),
        p_of(test),
        test.test,
        thousands(test.n),
        clusters_of(test),
        exposure.candidate_support.map(percent).unwrap_or_default(),
        exposure.k
    )
}

/// How much could have been seen, and how many sessions would settle what was seen.
fn what_would_tell(test: &MetricComparison, detectable: Option<String>) -> String {
    let mut text = String::new();
    if let Some((detectable, power)) = detectable.zip(test.power) {
        let (sessions, percent) = (thousands(test.n), power * 100.0);
        text = format!(" These {sessions} sessions would find a difference of {detectable} with {percent:.0} % power.");
    }
    if let Some(sessions) = test.sessions_to_settle.filter(|sessions| *sessions > test.n) {
        text += &format!(" About {} sessions would settle a difference of this size.", thousands(sessions));
    }
    text
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
            let more = what_would_tell(test, test.detectable_delta.map(|delta| format!("{delta:.4}")));
            format!("`{candidate}` against `{baseline}` is inconclusive: {numbers}.{more}")
        }
    }
}

/// "nDCG@10 +0.0312, 95 % CI +0.0180 to +0.0444, p = 0.0012 (cluster-robust t (CR1), n = 400, 312 clusters by user_id)".
fn numbers(metric: &str, test: &MetricComparison) -> String {
    let delta = test.delta.unwrap_or(0.0);
    let interval = test.ci95.map(|[low, high]| format!(", 95 % CI {low:+.4} to {high:+.4}")).unwrap_or_default();
    format!(
        "{metric} {delta:+.4}{interval}{} ({}, n = {}{})",
        p_of(test),
        test.test,
        thousands(test.n),
        clusters_of(test)
    )
}

/// ", p = 0.0300, adjusted 0.0600 (Holm over 2 candidates)", or nothing where there is no p.
fn p_of(test: &MetricComparison) -> String {
    let adjusted = test.p_adjusted.filter(|adjusted| Some(*adjusted) != test.p);
    match (test.p, adjusted) {
        (Some(p), Some(adjusted)) => {
            format!(", p = {}, adjusted {} ({})", p_text(p), p_text(adjusted), test.correction)
        }
        (Some(p), None) => format!(", p = {}", p_text(p)),
        (None, _) => String::new(),
    }
}

/// ", 312 clusters by user_id", or nothing where none repeats.
fn clusters_of(test: &MetricComparison) -> String {
    match test.clusters < test.n {
        true => format!(", {} clusters by {}", thousands(test.clusters), test.cluster_by),
        false => String::new(),
    }
}

pub(super) fn p_text(p: f64) -> String {
    if p < 1e-4 { format!("{p:.1e}") } else { format!("{p:.4}") }
}

pub(super) fn thousands(number: u64) -> String {
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

fn cautions(metric: &str, comparison: &PipelineComparison, test: &MetricComparison) -> Vec<String> {
    let mut cautions = Vec::new();
    let dropped: u64 = comparison.dropped.values().sum();
    if dropped > 0 {
        let reasons: Vec<String> =
            comparison.dropped.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
        let have = if dropped == 1 { "session has" } else { "sessions have" };
        cautions.push(format!("{dropped} {have} no pair: {}", reasons.join(", ")));
    }
    let exposure = &comparison.exposure;
    if exposure.decides {
        let numbers = numbers(metric, test);
        cautions.push(format!("the naive {numbers}, counts what was never shown as worthless and does not decide"));
        cautions.extend(exposure::cautions(exposure));
        if !comparison.taxonomy.is_empty() {
            cautions
                .push("the differences at taxonomy nodes are naive too, and none is called a win or a loss".to_owned());
        }
    }
    if !exposure.decides && exposure.click_derived_pairs > 0 {
        cautions.push(format!(
            "judges decide: {} sessions that users clicked and nobody judged are left out of what depends on relevance",
            thousands(exposure.click_derived_pairs)
        ));
    }
    if test.errors_as_zero > 0 {
        cautions.push(format!("an error of a scorer counts as 0 in {} of the {} pairs", test.errors_as_zero, test.n));
    }
    cautions.extend(comparison.segments.cautions.iter().cloned());
    for (scorer, run) in &comparison.aggregates {
        cautions.extend(aggregated(scorer, run, test));
    }
    if test.n > 0 && test.n < 30 {
        let pairs = if test.n == 1 { "pair" } else { "pairs" };
        cautions.push(format!("only {} {pairs}: the t-test assumes that their mean is close to normal", test.n));
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
        let test = match comparison.exposure.decides {
            true => comparison.exposure.common_support.as_ref(),
            false => comparison.metrics.get(&comparison.verdict.metric),
        };
        let gain = test.and_then(|test| Some(if test.lower_is_better { -test.delta? } else { test.delta? }));
        gain.unwrap_or(0.0)
    };
    let held = |comparison: &&PipelineComparison| {
        comparison.gates.iter().all(|gate| !matches!(gate.state, GateState::Failed | GateState::Inconclusive))
    };
    let better =
        comparisons.iter().filter(|comparison| comparison.verdict.outcome == VerdictOutcome::Better).filter(held);
    match better.max_by(|left, right| delta(left).total_cmp(&delta(right))) {
        Some(best) => serve(best),
        None => match comparisons.iter().find(|one| one.verdict.outcome == VerdictOutcome::Better) {
            Some(stopped) => {
                format!("Keep `{baseline}`: `{}` is better, but a gate does not hold.", stopped.candidate_retriever_id)
            }
            None => format!("Keep `{baseline}`: no candidate is shown to be better."),
        },
    }
}

/// What to do with the best candidate. Clicks say nothing of what users were never shown.
fn serve(best: &PipelineComparison) -> String {
    let (id, exposure) = (&best.candidate_retriever_id, &best.exposure);
    if !exposure.decides {
        return format!("Serve `{id}`.");
    }
    if exposure.bounds.is_none_or(|[low, _]| low >= 0.0) {
        return format!("Serve `{id}`.");
    }
    format!(
        "Try `{id}` on a share of the traffic: it is better on what users were shown, but {} of its top {} never was, and could turn \
         that.",
        percent(1.0 - exposure.candidate_support.unwrap_or(0.0)),
        exposure.k
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::benchmark::SpecSource;
    use crate::compare::outcome::{Estimate, Exposure};

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
            detectable_delta: Some(0.0456),
            sessions_to_settle: Some(12_345),
            power: Some(0.8),
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

    fn clicks(common: MetricComparison, too_little: Option<&str>) -> Exposure {
        let change = common.delta.unwrap_or(0.0);
        Exposure {
            click_derived_pairs: 1000,
            decides: true,
            logged_sessions: 1000,
            k: 10,
            baseline_support: Some(1.0),
            candidate_support: Some(0.4),
            relative: Some(Estimate { estimate: change, ci95: Some([change - 0.01, change + 0.01]) }),
            common_support: Some(common),
            too_little: too_little.map(str::to_owned),
            ..Exposure::default()
        }
    }

    #[test]
    fn a_significant_difference_of_judged_sessions_decides() {
        assert_eq!(decided(test(0.03, 0.001), Exposure::default()).outcome, VerdictOutcome::Better);
        assert_eq!(decided(test(-0.03, 0.001), Exposure::default()).outcome, VerdictOutcome::Worse);
        let open = decided(test(0.03, 0.2), Exposure::default());
        assert_eq!(open.outcome, VerdictOutcome::Inconclusive);
        assert!(open.sentence.contains("About 12,345 sessions would settle"), "{}", open.sentence);
        let detectable = "These 1,000 sessions would find a difference of 0.0456 with 80 % power.";
        assert!(open.sentence.contains(detectable), "{}", open.sentence);
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
    fn common_support_decides_where_relevance_comes_from_clicks() {
        let naive = || test(-0.2, 1e-9);
        let equal = decided(naive(), clicks(test(0.001, 0.7), None));
        assert_eq!(equal.outcome, VerdictOutcome::Inconclusive);
        assert!(equal.sentence.contains("40 % of its top 10 was shown"), "{}", equal.sentence);
        assert!(equal.cautions[0].starts_with("the naive nDCG@10 -0.2000"), "{:?}", equal.cautions);
        assert_eq!(decided(naive(), clicks(test(0.04, 1e-4), None)).outcome, VerdictOutcome::Better);
        assert_eq!(decided(naive(), clicks(test(-0.1, 1e-4), None)).outcome, VerdictOutcome::Worse);
    }

    #[test]
    fn clicks_decide_nothing_where_another_curve_of_attention_would_say_otherwise() {
        let depends = Exposure {
            depends_on_curve: Some("how fast attention falls is an assumption".to_owned()),
            ..clicks(test(0.1, 1e-9), None)
        };
        let verdict = decided(test(0.2, 1e-9), depends);
        assert_eq!(verdict.outcome, VerdictOutcome::Inconclusive);
        assert!(verdict.sentence.contains("+10.0 %"), "{}", verdict.sentence);
        assert!(verdict.sentence.contains("; but how fast attention falls is an assumption."), "{}", verdict.sentence);
    }

    #[test]
    fn clicks_decide_nothing_where_too_little_was_shown() {
        let verdict = decided(test(-0.2, 1e-9), clicks(test(-0.1, 1e-4), Some("only 3 % was shown")));
        assert_eq!(verdict.outcome, VerdictOutcome::Inconclusive);
        assert!(verdict.sentence.contains("only 3 % was shown"), "{}", verdict.sentence);
    }

    #[test]
    fn judges_decide_where_they_are_more() {
        let judged = Exposure { decides: false, ..clicks(test(0.1, 1e-9), None) };
        let verdict = decided(test(-0.2, 1e-9), judged);
        assert_eq!(verdict.outcome, VerdictOutcome::Worse);
        assert!(verdict.cautions[0].starts_with("judges decide: 1,000 sessions"), "{:?}", verdict.cautions);
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
