//! Does a candidate lose more than is accepted? A non-inferiority test per gate: the whole interval decides.

use super::outcome::{Exposure, GateOutcome, GateState, PipelineComparison};
use super::verdict::{self, Distrust};
use crate::benchmark::spec::OnInconclusive;
use crate::benchmark::{GatePlan, Plan};

/// Evaluates every gate on one candidate. `exposure` says for the gate's measure whether clicks could tell.
pub(super) fn evaluate(
    plan: &Plan,
    comparison: &PipelineComparison,
    exposure: impl Fn(&str) -> Exposure,
) -> Vec<GateOutcome> {
    let gate = |gate: &GatePlan| {
        let test = comparison.metrics.get(&gate.metric);
        let distrust = test.and_then(|test| verdict::distrust(test, &exposure(&gate.metric), plan.noise_threshold));
        outcome(gate, comparison, distrust.map(why).as_deref())
    };
    plan.gates.iter().map(gate).collect()
}

fn why(distrust: Distrust) -> String {
    match distrust {
        Distrust::Failures { failed, sessions } => {
            format!("a retriever or scorer failed on {failed} of {sessions} sessions")
        }
        Distrust::Exposure => "clicks cannot tell: the difference is not there on common support".to_owned(),
    }
}

fn outcome(gate: &GatePlan, comparison: &PipelineComparison, distrusted: Option<&str>) -> GateOutcome {
    let metric = gate.metric.clone();
    let bound = -gate.max_regression;
    let inconclusive = match gate.on_inconclusive {
        OnInconclusive::Fail => GateState::Inconclusive,
        OnInconclusive::Warn => GateState::Warned,
        OnInconclusive::Pass => GateState::Passed,
    };
    let test = comparison.metrics.get(&metric);
    let interval = test.and_then(|test| test.ci95);
    let (state, reason) = match (interval, test) {
        (Some([low, high]), Some(test)) => {
            // A loss is a rise where lower is better.
            let [worst, best] = if test.lower_is_better { [-high, -low] } else { [low, high] };
            let state = match distrusted {
                Some(_) => inconclusive,
                None if worst >= bound => GateState::Passed,
                None if best < bound => GateState::Failed,
                None => inconclusive,
            };
            let why = distrusted.map(|reason| format!("; {reason}")).unwrap_or_default();
            let accepted = match test.lower_is_better {
                true => format!("up to {:+.4}", gate.max_regression),
                false => format!("down to {bound:+.4}"),
            };
            (state, format!("{metric} 95 % CI {low:+.4} to {high:+.4}, accepted {accepted}{why}"))
        }
        (None, Some(test)) if test.identical => (GateState::Passed, format!("{metric} is identical")),
        (None, Some(test)) => (inconclusive, format!("{metric} has no interval ({})", test.test)),
        (_, None) => (inconclusive, format!("{metric} was not measured")),
    };
    GateOutcome { metric, max_regression: gate.max_regression, state, reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::outcome::MetricComparison;

    fn state(interval: [f64; 2], on_inconclusive: OnInconclusive) -> GateState {
        let test = MetricComparison { ci95: Some(interval), ..MetricComparison::default() };
        let metrics = [("nDCG@10".to_owned(), test)].into();
        let comparison = PipelineComparison { metrics, ..PipelineComparison::default() };
        let gate = GatePlan { metric: "nDCG@10".to_owned(), max_regression: 0.01, on_inconclusive };
        outcome(&gate, &comparison, None).state
    }

    #[test]
    fn a_gate_passes_or_fails_only_when_the_whole_interval_is_on_one_side() {
        assert_eq!(state([-0.005, 0.02], OnInconclusive::Fail), GateState::Passed);
        assert_eq!(state([-0.05, -0.02], OnInconclusive::Fail), GateState::Failed);
        assert_eq!(state([-0.05, 0.02], OnInconclusive::Fail), GateState::Inconclusive);
        assert_eq!(state([-0.05, 0.02], OnInconclusive::Warn), GateState::Warned);
        assert_eq!(state([-0.05, 0.02], OnInconclusive::Pass), GateState::Passed);
    }
}
