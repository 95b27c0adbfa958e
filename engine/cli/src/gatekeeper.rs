//! What the gates of a run come to today, how that is said, and how the process ends.

use std::path::Path;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rematch_engine::benchmark::{Diagnostic, Plan};
use rematch_engine::compare::gates::{Acceptance, Acknowledgements, GateVerdict, JudgedGate, JudgedState, Judgement};
use rematch_engine::report::Report;
use rematch_engine::run::Finished;

use crate::exit::Exit;
use crate::terminal::{self, paragraph, visible};

/// Nodes of a gate on every node that are said one by one, where they do not fail.
const NODES_SAID: usize = 3;

/// Returns the day that it is, UTC.
pub(crate) fn today() -> Date {
    Timestamp::now().to_zoned(TimeZone::UTC).date()
}

/// Checks that the acknowledgements of a plan can be read, before a long run finds out.
///
/// # Errors
///
/// Returns a diagnostic for a mistake in the file.
pub(crate) fn check(plan: &Plan) -> Result<(), Diagnostic> {
    Acknowledgements::read_if_there(&plan.acknowledgements).map(|_| ())
}

/// Judges the gates of a finished run today.
///
/// # Errors
///
/// Returns a diagnostic for a mistake in the acknowledgements.
pub(crate) fn judge(finished: &Finished) -> Result<Judgement, Diagnostic> {
    let acknowledgements = Acknowledgements::read_if_there(&finished.acknowledgements)?;
    Ok(of_report(&finished.report, &acknowledgements, today()))
}

/// Judges the gates of a report on a day.
pub(crate) fn of_report(report: &Report, acknowledgements: &Acknowledgements, day: Date) -> Judgement {
    Judgement::of((&report.run.id, &report.run.name), &report.results, &report.comparison, acknowledgements, day)
}

/// Returns how a command ends that found this.
pub(crate) fn exit_of(judgement: &Judgement) -> Exit {
    match judgement.verdict {
        GateVerdict::RetrieverFailed => Exit::Incomplete,
        GateVerdict::Failed => Exit::GateFailed,
        GateVerdict::Inconclusive => Exit::GateInconclusive,
        GateVerdict::Passed | GateVerdict::NoGates => Exit::Done,
    }
}

/// Returns whether a gate of the candidate failed.
pub(crate) fn has_failed(judgement: &Judgement, candidate: &str) -> bool {
    judgement.gates.iter().any(|gate| gate.candidate == candidate && gate.state == JudgedState::Failed)
}

/// Adds what each gate of the candidate says. Of a gate on every node, nodes that do not fail are counted where they are many.
///
/// # Errors
///
/// None: writing to a string cannot fail.
pub(crate) fn lines(text: &mut String, judgement: &Judgement, candidate: &str, indent: &str) -> std::fmt::Result {
    let gates: Vec<&JudgedGate> = judgement.gates.iter().filter(|gate| gate.candidate == candidate).collect();
    let alike = |one: &JudgedGate, other: &JudgedGate| {
        let key = |gate: &JudgedGate| (gate.state, gate.outcome.metric.clone(), gate.outcome.nodes_judged);
        key(one) == key(other)
    };
    let quiet = |gate: &JudgedGate| {
        gate.outcome.nodes_judged.is_some() && matches!(gate.state, JudgedState::Passed | JudgedState::Warned)
    };
    for (index, gate) in gates.iter().enumerate() {
        let of_its_kind = || gates.iter().filter(|other| quiet(other) && alike(gate, other));
        if !quiet(gate) || of_its_kind().count() <= NODES_SAID {
            line(text, gate, &judgement.date, indent)?;
        } else if !gates.iter().take(index).any(|earlier| quiet(earlier) && alike(gate, earlier)) {
            let (metric, count) = (&gate.outcome.metric, of_its_kind().count());
            let judged = gate.outcome.nodes_judged.unwrap_or_default();
            let left_out = match gate.outcome.nodes_left_out.unwrap_or_default() {
                0 => String::new(),
                nodes => format!(", {nodes} with too few sessions left out"),
            };
            let said = format!("gate {}: {metric} at {count} of {judged} nodes{left_out}", name(gate.state));
            paragraph(text, &said, indent)?;
        }
    }
    Ok(())
}

fn line(text: &mut String, gate: &JudgedGate, date: &str, indent: &str) -> std::fmt::Result {
    paragraph(text, &format!("gate {}: {}", name(gate.state), gate.outcome.reason), indent)?;
    let Some(acceptance) = &gate.acknowledgement else { return Ok(()) };
    paragraph(text, &said(acceptance, date), &format!("{indent}  "))
}

fn said(acceptance: &Acceptance, date: &str) -> String {
    let Acceptance { reason, owner, expires, expired } = acceptance;
    match expired {
        false => format!("acknowledged by {owner} until {expires} (today is {date}): {reason}"),
        true => format!("the acknowledgement by {owner} expired on {expires} (today is {date}): {reason}"),
    }
}

fn name(state: JudgedState) -> &'static str {
    match state {
        JudgedState::Passed => "passed",
        JudgedState::Failed => "FAILED",
        JudgedState::Inconclusive => "INCONCLUSIVE",
        JudgedState::Warned => "inconclusive",
        JudgedState::Acknowledged => "acknowledged",
    }
}

/// Says on stderr what is wrong with acknowledgements; `with_gates` says there too which failures are accepted, for who reads
/// nothing but JSON on stdout.
pub(crate) fn tell(judgement: &Judgement, with_gates: bool) {
    for gate in judgement.gates.iter().filter(|_| with_gates) {
        if let Some(acceptance) = &gate.acknowledgement {
            let (metric, candidate) = (visible(&gate.outcome.metric), visible(&gate.candidate));
            terminal::tell(&format!(
                "note: `{metric}` of `{candidate}`: {}",
                visible(&said(acceptance, &judgement.date))
            ));
        }
    }
    for warning in &judgement.warnings {
        let file = judgement.acknowledgements.as_deref().unwrap_or(Path::new("")).display();
        terminal::tell(&format!("warning: {}: {}", visible(&file.to_string()), visible(warning)));
    }
}
