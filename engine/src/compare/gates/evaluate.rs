//! Every gate of one candidate: in a run, and again for a report that was stored.

use super::decide::{Place, decide, without_evidence};
use super::evidence::{Doubt, Evidence, Subject, clicks};
use super::nodes::closest;
use crate::benchmark::{GateNodes, GatePlan, Plan, ScorerSource};
use crate::compare::outcome::{
    BenchmarkComparison, BenchmarkResult, Exposure, GateClicks, GateOutcome, MetricComparison, NodeComparison,
    PipelineComparison, Stopping,
};
use crate::compare::verdict;
use crate::schema::column;

/// Why gates cannot be judged by a report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GateError {
    /// The report has no such measure.
    #[error(
        "a gate names `{metric}`, which this run did not measure{}; expected one of `{}`",
        meant(hint.as_deref()), measured.join("`, `")
    )]
    NotMeasured {
        /// The measure.
        metric: String,
        /// What is most likely meant.
        hint: Option<String>,
        /// What was measured.
        measured: Vec<String>,
    },
    /// The measure was not tested by node.
    #[error(
        "a gate looks at `{metric}` by taxonomy node, where this run tested `{}` only; run the benchmark with this gate in it",
        tested.join("`, `")
    )]
    NotByNode {
        /// The measure.
        metric: String,
        /// What was tested by node.
        tested: Vec<String>,
    },
    /// No session carries the node, but one of nearly that name.
    #[error("a gate names the taxonomy node `{node}`, which no session of the sample carries; did you mean `{hint}`?")]
    UnknownNode {
        /// The node.
        node: String,
        /// The node that is most likely meant.
        hint: String,
    },
}

fn meant(hint: Option<&str>) -> String {
    hint.map(|hint| format!(", did you mean `{hint}`?")).unwrap_or_default()
}

/// Evaluates every gate of the plan on one candidate. `exposure` says what clicks tell of the gate's measure, `stopping` whether
/// the run stopped early.
pub(in crate::compare) fn evaluate(
    plan: &Plan,
    results: &[BenchmarkResult],
    comparison: &PipelineComparison,
    stopping: Option<&Stopping>,
    exposure: impl Fn(&str) -> Exposure,
) -> Vec<GateOutcome> {
    let candidate = results.iter().find(|result| result.retriever_id == comparison.candidate_retriever_id);
    let (Some(baseline), Some(candidate)) = (results.first(), candidate) else { return Vec::new() };
    let (primary, noise_threshold) = (plan.primary.as_str(), plan.noise_threshold);
    let subject = Subject { primary, noise_threshold, baseline, candidate, comparison, stopping };
    let doubt = |test: &MetricComparison, measure: &str| {
        let own = exposure(measure);
        // What clicks say is the same of every measure that reads them; the primary measure's is adjusted for the number of
        // candidates, and is the one that a run may stop by.
        let adjusted = own.click_derived_pairs > 0 && comparison.exposure.click_derived_pairs > 0;
        subject.doubt(test, if adjusted { &comparison.exposure } else { &own })
    };
    plan.gates.iter().flat_map(|gate| judge(gate, &subject, &doubt)).collect()
}

/// Judges other gates by what a report says, and recommends by them; `plan` is the stored run's. The verdicts on its own gates
/// change only where the gates do.
///
/// What clicks tell was found out where the primary measure or one of the run's own gates reads relevance, and holds for every
/// measure that does. Where it was not, or where it is not known whether a component reads relevance, a gate is inconclusive if
/// clicks may decide.
///
/// # Errors
///
/// Returns an error when a gate looks at what was not measured, or by a node that is misspelt.
pub fn rejudge(
    gates: &[GatePlan],
    plan: &Plan,
    results: &[BenchmarkResult],
    comparison: &mut BenchmarkComparison,
) -> Result<(), GateError> {
    for one in &mut comparison.comparisons {
        let candidate = results.iter().find(|result| result.retriever_id == one.candidate_retriever_id);
        let (Some(baseline), Some(candidate)) = (results.first(), candidate) else { continue };
        let (primary, noise_threshold) = (plan.primary.as_str(), plan.noise_threshold);
        let stopping = comparison.stopping.as_ref();
        let subject = Subject { primary, noise_threshold, baseline, candidate, comparison: one, stopping };
        for gate in gates {
            check(gate, &subject)?;
        }
        let doubt = |test: &MetricComparison, measure: &str| Doubt {
            failures: subject.failures(test),
            clicks: stored_clicks(plan, &subject, measure),
        };
        let judged: Vec<GateOutcome> = gates.iter().flat_map(|gate| judge(gate, &subject, &doubt)).collect();
        one.gates = judged;
    }
    comparison.recommendation = verdict::recommendation(&comparison.baseline_retriever_id, &comparison.comparisons);
    Ok(())
}

/// Whether a measure depends on what is relevant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reads {
    Relevance,
    /// A component's: it said so when it was loaded, which no report tells.
    NotKnown,
}

impl Reads {
    fn of(plan: &Plan, measure: &str) -> Self {
        let of_scorer =
            |name: &str| measure.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        let is_metric = |source: &ScorerSource| matches!(source, ScorerSource::Metric(_));
        let known = match plan.scorers.iter().find(|scorer| of_scorer(&scorer.name)) {
            Some(scorer) => is_metric(&scorer.source),
            None if measure == column::SCENARIO_SCORE => plan.scorers.iter().any(|scorer| is_metric(&scorer.source)),
            None => true,
        };
        if known { Self::Relevance } else { Self::NotKnown }
    }
}

/// Returns what a report knows of clicks for a measure; `None` where they do not decide.
fn stored_clicks(plan: &Plan, subject: &Subject<'_>, measure: &str) -> Option<GateClicks> {
    let (gates, exposure) = (&subject.comparison.gates, &subject.comparison.exposure);
    let by_primary = clicks(exposure);
    if measure == subject.primary {
        return by_primary;
    }
    // One without sessions had nothing to look at.
    let known = gates.iter().find(|outcome| outcome.metric == measure && outcome.n > 0);
    let by_gates = || gates.iter().find_map(|outcome| outcome.clicks.clone());
    let again = "run the benchmark with this gate in it";
    match (Reads::of(plan, measure), known) {
        (Reads::NotKnown, Some(known)) => known.clicks.clone(),
        (Reads::NotKnown, None) => by_primary.or_else(by_gates).map(|found| GateClicks {
            too_little: Some(format!("its report does not say whether `{measure}` reads them: {again}")),
            relative: None,
            identical: false,
            ..found
        }),
        (Reads::Relevance, _) if by_primary.is_some() => by_primary,
        (Reads::Relevance, Some(known)) => known.clicks.clone(),
        (Reads::Relevance, None) => by_gates().or_else(|| {
            // Where the primary measure reads no relevance, nobody asked what clicks tell.
            let asked = Reads::of(plan, subject.primary) == Reads::Relevance || exposure.click_derived_pairs > 0;
            (!asked && !is_judged(subject)).then(|| GateClicks {
                too_little: Some(format!("this run did not ask what clicks tell: {again}")),
                ..GateClicks::default()
            })
        }),
    }
}

/// Whether judges graded so many sessions that clicks cannot be more, which is when these decide.
fn is_judged(subject: &Subject<'_>) -> bool {
    let judged = subject.baseline.judged.as_ref().map_or(0, |judged| judged.sessions);
    judged.saturating_mul(2) >= subject.baseline.answered_sessions
}

/// Refuses a gate that the report cannot answer.
fn check(gate: &GatePlan, subject: &Subject<'_>) -> Result<(), GateError> {
    let comparison = subject.comparison;
    if gate.observed.is_some() {
        return Ok(());
    }
    if !comparison.metrics.contains_key(&gate.metric) {
        let measured: Vec<String> = comparison.metrics.keys().cloned().collect();
        let hint = closest(&gate.metric, measured.iter().map(String::as_str)).map(str::to_owned);
        return Err(GateError::NotMeasured { metric: gate.metric.clone(), hint, measured });
    }
    // Where no session carries a node, nothing was to be tested there.
    if !gate.looks_at_nodes() || comparison.taxonomy.is_empty() {
        return Ok(());
    }
    let Some(nodes) = subject.nodes_of(&gate.metric) else {
        let others = comparison.metric_taxonomy.keys().chain(comparison.scorer_taxonomy.keys());
        let tested: Vec<String> =
            std::iter::once(subject.primary).chain(others.map(String::as_str)).map(str::to_owned).collect();
        return Err(GateError::NotByNode { metric: gate.metric.clone(), tested });
    };
    match &gate.nodes {
        GateNodes::One(node) if !nodes.contains_key(node) => match closest(node, nodes.keys().map(String::as_str)) {
            Some(hint) => Err(GateError::UnknownNode { node: node.clone(), hint: hint.to_owned() }),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

fn judge(gate: &GatePlan, subject: &Subject<'_>, doubt: &dyn Fn(&MetricComparison, &str) -> Doubt) -> Vec<GateOutcome> {
    if let Some(observed) = gate.observed {
        let early = subject.stopped_early(&gate.metric, false, false);
        let evidence = Evidence::observed(observed, subject).directed(gate).after(early);
        return vec![decide(gate, Place::default(), &evidence)];
    }
    let metric = gate.metric.as_str();
    let Some(test) = subject.comparison.metrics.get(metric) else {
        return vec![without_evidence(gate, None, format!("{metric} was not measured"))];
    };
    let doubt = doubt(test, metric);
    let early = |whole: bool| subject.stopped_early(metric, whole, doubt.clicks.is_some());
    let nodes = || subject.nodes_of(metric).into_iter().flatten();
    let at = |node: &str, found: &NodeComparison, among: Option<(u64, u64)>| {
        let judged = among.map_or(1, |(judged, _)| judged);
        let evidence = Evidence::of_node(found, test, judged, &doubt).directed(gate).after(early(false));
        decide(gate, Place { node: Some(node), among }, &evidence)
    };
    match &gate.nodes {
        GateNodes::Whole => {
            let evidence = Evidence::of_test(test, &doubt).directed(gate).after(early(true));
            vec![decide(gate, Place::default(), &evidence)]
        }
        GateNodes::One(node) => match nodes().find(|(name, _)| *name == node) {
            Some((name, found)) => vec![at(name, found, None)],
            None => {
                let reason = format!("{metric} at `{node}` is not known: no session of the sample carries this node");
                vec![without_evidence(gate, Some(node), reason)]
            }
        },
        GateNodes::Every => {
            let (judged, left_out): (Vec<_>, Vec<_>) = nodes().partition(|(_, found)| found.n >= gate.min_sessions);
            if judged.is_empty() {
                let least = gate.min_sessions;
                let reason = format!("{metric} is judged at no node: none has {least} sessions or more");
                return vec![without_evidence(gate, None, reason)];
            }
            let among = Some((judged.len() as u64, left_out.len() as u64));
            judged.into_iter().map(|(name, found)| at(name, found, among)).collect()
        }
    }
}
