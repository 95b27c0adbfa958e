//! Holds what is known of a measure against the bounds of a gate, and says why.

use super::evidence::Evidence;
use super::words;
use crate::benchmark::GatePlan;
use crate::benchmark::spec::{GateOn, OnInconclusive, Regression};
use crate::compare::SIGNIFICANCE;
use crate::compare::outcome::{GateOutcome, GateState};
use crate::compare::verdict::{p_text, thousands};

/// The sessions that were looked at.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place<'a> {
    /// The taxonomy node; `None` for all sessions.
    pub(super) node: Option<&'a str>,
    /// How many nodes the gate judges and leaves out, where it is on every node.
    pub(super) among: Option<(u64, u64)>,
}

/// What one bound comes to; of several, the last in this order counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Finding {
    Holds,
    Open,
    Fails,
}

type Part = (Finding, String);

/// Returns what the gate says of the evidence.
pub(super) fn decide(gate: &GatePlan, place: Place<'_>, evidence: &Evidence) -> GateOutcome {
    let bound = gate.max_regression.map(|regression| accepted_loss(regression, evidence));
    let mut parts: Vec<Part> = Vec::new();
    if let Some(bound) = bound {
        parts.push(against_baseline(gate, evidence, bound));
    }
    parts.extend(levels(gate, evidence));
    let mut finding = parts.iter().map(|(finding, _)| *finding).max().unwrap_or(Finding::Holds);
    let mut reasons: Vec<String> = parts.into_iter().map(|(_, words)| words).collect();
    if evidence.n < gate.min_sessions {
        finding = Finding::Open;
        let (found, wanted) = (thousands(evidence.n), thousands(gate.min_sessions));
        reasons.push(format!("{found} sessions are fewer than the {wanted} that it wants"));
    }
    if let Some(reason) = &evidence.distrust {
        finding = Finding::Open;
        reasons.push(reason.clone());
    }
    reasons.extend(unmeasured(gate, evidence));
    if let Some(reason) = hidden_by_time_outs(gate, evidence, finding) {
        finding = Finding::Open;
        reasons.push(reason);
    }
    if let Some((judged, left_out)) = place.among {
        reasons.push(among(judged, left_out, gate.min_sessions));
    }
    let accepted_change = |loss: f64| if evidence.lower_is_better { loss } else { -loss };
    GateOutcome {
        metric: gate.metric.clone(),
        node: place.node.map(str::to_owned),
        max_regression: gate.max_regression,
        min_value: gate.min_value,
        max_value: gate.max_value,
        on: gate.on,
        lower_is_better: evidence.lower_is_better,
        baseline: evidence.baseline,
        candidate: evidence.candidate,
        delta: evidence.delta,
        interval: evidence.interval,
        confidence: evidence.interval.map(|_| evidence.confidence),
        p: evidence.p,
        bound: bound.flatten().map(accepted_change),
        n: evidence.n,
        nodes_judged: place.among.map(|(judged, _)| judged),
        nodes_left_out: place.among.map(|(_, left_out)| left_out),
        distrust: evidence.distrust.clone(),
        clicks: evidence.clicks.clone(),
        state: state(finding, gate.on_inconclusive),
        reason: format!("{}: {}", what_was_seen(gate, place, evidence), reasons.join("; ")),
    }
}

/// Returns why a latency that the gate looks at is not known, and what would tell it.
fn unmeasured(gate: &GatePlan, evidence: &Evidence) -> Option<String> {
    let [baseline, candidate] = &evidence.unknown;
    // A difference is of the candidate first: both are mostly unknown for the same reason.
    let baseline = baseline.filter(|_| gate.max_regression.is_some());
    let (arm, why) = candidate.map(|why| ("candidate", why)).or(baseline.map(|why| ("baseline", why)))?;
    Some(format!("no latency of the {arm} ({why})"))
}

/// Returns why what was found is not sure: time-outs took at least until their deadline, and nobody knows how much longer. A candidate
/// that fails by what is known fails, and so holds one against a baseline that was at least as slow as that.
fn hidden_by_time_outs(gate: &GatePlan, evidence: &Evidence, finding: Finding) -> Option<String> {
    let [baseline, candidate] = evidence.timed_out;
    let (arm, timed_out) = match finding {
        Finding::Holds => ("candidate", candidate?),
        Finding::Fails if gate.max_regression.is_some() && gate.max_value.is_none() => ("baseline", baseline?),
        Finding::Fails | Finding::Open => return None,
    };
    let sessions = if timed_out == 1 { "session" } else { "sessions" };
    Some(format!("{} {sessions} of the {arm} timed out, so that its value is at least that", thousands(timed_out)))
}

/// Returns the outcome of a gate that has nothing to look at.
pub(super) fn without_evidence(gate: &GatePlan, node: Option<&str>, reason: String) -> GateOutcome {
    GateOutcome {
        metric: gate.metric.clone(),
        node: node.map(str::to_owned),
        max_regression: gate.max_regression,
        min_value: gate.min_value,
        max_value: gate.max_value,
        on: gate.on,
        state: state(Finding::Open, gate.on_inconclusive),
        reason,
        ..GateOutcome::default()
    }
}

fn state(finding: Finding, on_inconclusive: OnInconclusive) -> GateState {
    match (finding, on_inconclusive) {
        (Finding::Holds, _) | (Finding::Open, OnInconclusive::Pass) => GateState::Passed,
        (Finding::Fails, _) => GateState::Failed,
        (Finding::Open, OnInconclusive::Fail) => GateState::Inconclusive,
        (Finding::Open, OnInconclusive::Warn) => GateState::Warned,
    }
}

/// The largest loss that is accepted, in the measure's unit. A share of a baseline of 0, or of none, is nothing.
fn accepted_loss(regression: Regression, evidence: &Evidence) -> Option<f64> {
    match regression {
        Regression::Absolute(loss) => Some(loss),
        Regression::Percent(percent) => {
            let mean = evidence.baseline.map(f64::abs).filter(|mean| *mean > 0.0)?;
            Some(mean * percent / 100.0)
        }
    }
}

/// "nDCG@10 at `home/kitchen` changes by +0.0367 from 0.4100 (95 % CI +0.0269 to +0.0465, n = 200)".
fn what_was_seen(gate: &GatePlan, place: Place<'_>, evidence: &Evidence) -> String {
    let unit = evidence.unit;
    let at = place.node.map(|node| format!(" at `{node}`")).unwrap_or_default();
    let (metric, n) = (&gate.metric, format!("n = {}", thousands(evidence.n)));
    if gate.max_regression.is_none() {
        if evidence.clicks.is_some() {
            return format!("{metric}{at} of the candidate ({n})");
        }
        return match evidence.candidate {
            Some(value) => format!("{metric}{at} of the candidate is {} ({n})", unit.amount(value)),
            None => format!("{metric}{at} of the candidate is not known ({n})"),
        };
    }
    if evidence.identical {
        return format!("{metric}{at} is identical in both ({n})");
    }
    let (Some(delta), Some(baseline)) = (evidence.delta, evidence.baseline) else {
        return format!("{metric}{at} cannot be compared ({n})");
    };
    let interval = evidence.interval.map(|[low, high]| {
        let confidence = words::confidence(evidence.confidence);
        format!("{confidence} CI {} to {}, ", unit.change(low), unit.change(high))
    });
    let p = evidence.p.filter(|_| gate.on == GateOn::P).map(|p| format!("p = {}, ", p_text(p)));
    let (interval, p) = (interval.unwrap_or_default(), p.unwrap_or_default());
    // Those of a node are naive.
    let by = evidence.clicks.as_ref().and_then(|clicks| clicks.relative).filter(|_| place.node.is_none());
    let by = by.map(|one| format!(" ({:+.1} %) by clicks on common support", one.estimate * 100.0)).unwrap_or_default();
    format!("{metric}{at} changes by {}{by} from {} ({interval}{p}{n})", unit.change(delta), unit.amount(baseline))
}

fn against_baseline(gate: &GatePlan, evidence: &Evidence, bound: Option<f64>) -> Part {
    let Some(bound) = bound else {
        let words = if evidence.baseline.is_none() {
            "the baseline's value is not known".to_owned()
        } else {
            "the baseline's value is 0, so that no loss is a share of it".to_owned()
        };
        return (Finding::Open, words);
    };
    let accepted = accepted(gate, evidence, bound);
    if evidence.identical {
        return (Finding::Holds, accepted);
    }
    let loss = |change: f64| if evidence.lower_is_better { change } else { -change };
    let Some(lost) = evidence.delta.map(loss) else {
        return (Finding::Open, format!("{accepted}, and nothing is known of it"));
    };
    if evidence.stopped_early && gate.on != GateOn::Point {
        let why = "the run stopped early by another measure, after which interval and p of this one are too narrow";
        return (Finding::Open, format!("{accepted}, but {why}"));
    }
    match gate.on {
        GateOn::Point if lost <= bound => (Finding::Holds, format!("{accepted}, and it keeps within that")),
        GateOn::Point => (Finding::Fails, format!("{accepted}, and it is beyond that")),
        GateOn::P => by_p(evidence, lost > bound, &accepted),
        GateOn::Interval => {
            let Some(ends) = evidence.interval else {
                return (Finding::Open, format!("{accepted}, but too little varies for an interval"));
            };
            let [one, other] = ends.map(loss);
            let (least, most) = (one.min(other), one.max(other));
            if most <= bound {
                (Finding::Holds, format!("{accepted}, and the whole interval keeps within that"))
            } else if least > bound {
                (Finding::Fails, format!("{accepted}, and the whole interval is beyond that"))
            } else {
                (Finding::Open, format!("{accepted}, and the interval reaches across that: more sessions would tell"))
            }
        }
    }
}

fn by_p(evidence: &Evidence, is_beyond: bool, accepted: &str) -> Part {
    match (is_beyond, evidence.p) {
        (false, _) => (Finding::Holds, format!("{accepted}, and it keeps within that")),
        (true, Some(p)) if p < SIGNIFICANCE => {
            (Finding::Fails, format!("{accepted}, and it is beyond that and significant"))
        }
        (true, Some(_)) => (Finding::Holds, format!("{accepted}; it is beyond that, but not significant")),
        (true, None) => (Finding::Open, format!("{accepted}; it is beyond that, but has no p")),
    }
}

/// "a fall of up to 0.0082 (2 % of the baseline) is accepted".
fn accepted(gate: &GatePlan, evidence: &Evidence, bound: f64) -> String {
    let way = if evidence.lower_is_better { "rise" } else { "fall" };
    let share = match gate.max_regression {
        Some(Regression::Percent(percent)) => format!(" ({percent} % of the baseline)"),
        _ => String::new(),
    };
    format!("a {way} of up to {}{share} is accepted", evidence.unit.amount(bound))
}

fn levels(gate: &GatePlan, evidence: &Evidence) -> Vec<Part> {
    let bounds = [("at least", gate.min_value), ("at most", gate.max_value)];
    let part = |(word, bound): (&str, Option<f64>)| {
        let bound = bound?;
        let wanted = format!("{word} {} is wanted", evidence.unit.amount(bound));
        if evidence.clicks.is_some() {
            let why = "relevance comes from clicks, and a value by clicks counts what was never shown as worthless";
            return Some((Finding::Open, format!("{wanted}, but {why}")));
        }
        let Some(value) = evidence.candidate else {
            return Some((Finding::Open, format!("{wanted}, and the candidate's value is not known")));
        };
        let holds = if word == "at least" { value >= bound } else { value <= bound };
        // Where the difference comes first, the value was not said yet.
        let value = evidence.unit.amount(value);
        let said =
            if gate.max_regression.is_some() { format!(", and the candidate has {value}") } else { String::new() };
        Some((if holds { Finding::Holds } else { Finding::Fails }, format!("{wanted}{said}")))
    };
    bounds.into_iter().filter_map(part).collect()
}

fn among(judged: u64, left_out: u64, least: u64) -> String {
    let together = match judged {
        1 => "the only node that is judged".to_owned(),
        judged => format!("one of {} nodes that are judged together", thousands(judged)),
    };
    match left_out {
        0 => together,
        left_out => format!("{together}, {} with fewer than {least} sessions are left out", thousands(left_out)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::benchmark::spec::Direction;
    use crate::benchmark::{GateNodes, GatePlan};
    use crate::compare::Untimed;
    use crate::compare::outcome::GateClicks;

    fn gate(bound: f64) -> GatePlan {
        GatePlan {
            metric: "nDCG@10".to_owned(),
            observed: None,
            max_regression: Some(Regression::Absolute(bound)),
            min_value: None,
            max_value: None,
            on: GateOn::Interval,
            direction: None,
            nodes: GateNodes::Whole,
            min_sessions: 0,
            on_inconclusive: OnInconclusive::Fail,
        }
    }

    fn evidence(interval: [f64; 2]) -> Evidence {
        let [low, high] = interval;
        let delta = low.midpoint(high);
        Evidence {
            baseline: Some(0.5),
            candidate: Some(0.5 + delta),
            delta: Some(delta),
            interval: Some(interval),
            p: Some(0.01),
            n: 400,
            ..Evidence::none(false)
        }
    }

    fn judged(gate: &GatePlan, evidence: &Evidence) -> GateState {
        decide(gate, Place::default(), evidence).state
    }

    #[test]
    fn a_gate_passes_or_fails_only_when_the_whole_interval_is_on_one_side() {
        for (interval, state) in [
            ([-0.005, 0.02], GateState::Passed),
            ([-0.01, 0.02], GateState::Passed),
            ([-0.05, -0.02], GateState::Failed),
            // An interval that ends at the bound is not beyond it.
            ([-0.05, -0.01], GateState::Inconclusive),
            ([-0.05, 0.02], GateState::Inconclusive),
        ] {
            assert_eq!(judged(&gate(0.01), &evidence(interval)), state, "{interval:?}");
            // Less is better: the same the other way round.
            let lower = Evidence { lower_is_better: true, ..evidence(interval.map(|end| -end)) };
            assert_eq!(judged(&gate(0.01), &lower), state, "{interval:?}");
            let turned = GatePlan { direction: Some(Direction::LowerIsBetter), ..gate(0.01) };
            assert_eq!(judged(&turned, &evidence(interval.map(|end| -end)).directed(&turned)), state, "{interval:?}");
        }
    }

    #[test]
    fn what_cannot_be_told_is_what_the_gate_says() {
        for (on_inconclusive, state) in [
            (OnInconclusive::Fail, GateState::Inconclusive),
            (OnInconclusive::Warn, GateState::Warned),
            (OnInconclusive::Pass, GateState::Passed),
        ] {
            let gate = GatePlan { on_inconclusive, ..gate(0.01) };
            assert_eq!(judged(&gate, &evidence([-0.05, 0.02])), state);
            assert_eq!(judged(&gate, &Evidence::none(false)), state);
            assert_eq!(judged(&gate, &Evidence { interval: None, ..evidence([-0.5, -0.4]) }), state);
            let distrusted = Evidence { distrust: Some("clicks".to_owned()), ..evidence([0.1, 0.2]) };
            assert_eq!(judged(&gate, &distrusted), state);
            let few = GatePlan { min_sessions: 401, ..gate.clone() };
            assert_eq!(judged(&few, &evidence([-0.5, -0.4])), state);
            assert_eq!(judged(&gate, &evidence([-0.5, -0.4])), GateState::Failed);
        }
    }

    #[test]
    fn what_lies_among_time_outs_can_break_a_gate_for_sure_and_keep_it_never() {
        let slow = GatePlan { max_regression: None, max_value: Some(900.0), on: GateOn::Point, ..gate(0.0) };
        let seen = |value: f64, timed_out| Evidence {
            candidate: Some(value),
            n: 100,
            timed_out,
            lower_is_better: true,
            ..Evidence::none(true)
        };
        assert_eq!(judged(&slow, &seen(1000.0, [None, Some(3)])), GateState::Failed);
        assert_eq!(judged(&slow, &seen(800.0, [None, Some(3)])), GateState::Inconclusive);
        assert_eq!(judged(&slow, &seen(800.0, [Some(3), None])), GateState::Passed);
        let outcome = decide(&slow, Place::default(), &seen(800.0, [None, Some(1)]));
        assert!(outcome.reason.ends_with("1 session of the candidate timed out, so that its value is at least that"));
        let against = GatePlan { on: GateOn::Point, ..gate(100.0) };
        let changed = |delta: f64, timed_out| Evidence {
            baseline: Some(500.0),
            delta: Some(delta),
            ..seen(500.0 + delta, timed_out)
        };
        assert_eq!(judged(&against, &changed(200.0, [Some(1), None])), GateState::Inconclusive);
        assert_eq!(judged(&against, &changed(50.0, [Some(1), None])), GateState::Passed);
        assert_eq!(judged(&against, &changed(200.0, [None, Some(1)])), GateState::Failed);
    }

    #[test]
    fn a_latency_that_is_not_known_says_why() {
        let slow = GatePlan { max_regression: None, max_value: Some(900.0), on: GateOn::Point, ..gate(0.0) };
        let unknown = Evidence { n: 30, unknown: [None, Some(Untimed::Kept)], ..Evidence::none(true) };
        let outcome = decide(&slow, Place::default(), &unknown);
        assert_eq!(outcome.state, GateState::Inconclusive);
        let said = "the candidate's value is not known; no latency of the candidate (answers came from the cache; `--no-cache`";
        assert!(outcome.reason.contains(said), "{}", outcome.reason);
        // A level asks nothing of the baseline, a difference does.
        let of_baseline = Evidence { candidate: Some(5.0), unknown: [Some(Untimed::Kept), None], ..unknown };
        assert_eq!(judged(&slow, &of_baseline), GateState::Passed);
        assert!(!decide(&slow, Place::default(), &of_baseline).reason.contains("no latency"));
        let outcome = decide(&GatePlan { on: GateOn::Point, ..gate(100.0) }, Place::default(), &of_baseline);
        assert!(
            outcome.reason.contains("no latency of the baseline (answers came from the cache"),
            "{}",
            outcome.reason
        );
    }

    #[test]
    fn a_share_is_of_the_baselines_size() {
        let percent = GatePlan { max_regression: Some(Regression::Percent(2.0)), ..gate(0.0) };
        let outcome = decide(&percent, Place::default(), &evidence([-0.009, 0.02]));
        assert_eq!((outcome.state, outcome.bound), (GateState::Passed, Some(-0.01)));
        // A scorer may count downwards from 0.
        let negative = Evidence { baseline: Some(-0.5), ..evidence([-0.009, 0.02]) };
        assert_eq!(judged(&percent, &negative), GateState::Passed);
        for baseline in [Some(0.0), None] {
            let nothing = Evidence { baseline, ..evidence([0.0, 0.02]) };
            let outcome = decide(&percent, Place::default(), &nothing);
            assert_eq!((outcome.state, outcome.bound), (GateState::Inconclusive, None), "{}", outcome.reason);
        }
    }

    #[test]
    fn identical_arms_lose_nothing() {
        let same = Evidence { identical: true, delta: Some(0.0), interval: None, p: None, ..evidence([0.0, 0.0]) };
        for on in [GateOn::Interval, GateOn::Point, GateOn::P] {
            let outcome = decide(&GatePlan { on, ..gate(0.0) }, Place::default(), &same);
            assert_eq!(outcome.state, GateState::Passed);
            assert!(outcome.reason.contains("nDCG@10 is identical in both (n = 400)"), "{}", outcome.reason);
        }
    }

    #[test]
    fn a_p_counts_only_beyond_the_bound() {
        let by_p = GatePlan { on: GateOn::P, ..gate(0.01) };
        let with = |p: Option<f64>, interval| judged(&by_p, &Evidence { p, ..evidence(interval) });
        assert_eq!(with(Some(0.049), [-0.05, -0.02]), GateState::Failed);
        assert_eq!(with(Some(0.05), [-0.05, -0.02]), GateState::Passed);
        assert_eq!(with(Some(0.001), [-0.009, -0.008]), GateState::Passed);
        assert_eq!(with(None, [-0.05, -0.02]), GateState::Inconclusive);
    }

    #[test]
    fn a_level_that_is_missed_fails_whatever_the_difference() {
        let level = GatePlan { min_value: Some(0.6), max_value: Some(0.9), ..gate(0.01) };
        assert_eq!(judged(&level, &evidence([-0.005, 0.005])), GateState::Failed);
        let better = Evidence { candidate: Some(0.6), ..evidence([0.05, 0.15]) };
        assert_eq!(judged(&level, &better), GateState::Passed);
        assert_eq!(judged(&level, &Evidence { candidate: Some(0.91), ..better.clone() }), GateState::Failed);
        assert_eq!(judged(&level, &Evidence { candidate: None, ..better }), GateState::Inconclusive);
    }

    #[test]
    fn levels_by_clicks_are_open_and_the_difference_counts_beside_them() {
        let clicks = GateClicks { n: 400, ..GateClicks::default() };
        let level = GatePlan { min_value: Some(0.6), max_regression: None, ..gate(0.0) };
        let by_clicks = |interval| Evidence { clicks: Some(clicks.clone()), ..evidence(interval) };
        let outcome = decide(&level, Place::default(), &by_clicks([0.2, 0.4]));
        assert_eq!(outcome.state, GateState::Inconclusive);
        assert!(outcome.reason.contains("a value by clicks counts what was never shown"), "{}", outcome.reason);
        assert_eq!(outcome.clicks, Some(clicks.clone()));
        let both = GatePlan { max_regression: Some(Regression::Absolute(0.01)), ..level };
        assert_eq!(judged(&both, &by_clicks([-0.3, -0.2])), GateState::Failed);
        assert_eq!(judged(&both, &by_clicks([0.2, 0.3])), GateState::Inconclusive);
    }

    #[test]
    fn after_an_early_stop_only_points_are_held_against_bounds() {
        let early = |interval| evidence(interval).after(true);
        for on in [GateOn::Interval, GateOn::P] {
            let gate = GatePlan { on, ..gate(0.01) };
            assert_eq!(judged(&gate, &early([-0.5, -0.4])), GateState::Inconclusive);
            assert_eq!(judged(&gate, &early([0.4, 0.5])), GateState::Inconclusive);
            let same = Evidence { identical: true, ..early([0.0, 0.0]) };
            assert_eq!(judged(&gate, &same), GateState::Passed);
        }
        assert_eq!(judged(&GatePlan { on: GateOn::Point, ..gate(0.01) }, &early([-0.5, -0.4])), GateState::Failed);
        let reason = decide(&gate(0.01), Place::default(), &early([0.4, 0.5])).reason;
        assert!(reason.contains("the run stopped early by another measure"), "{reason}");
    }
}
