//! Markdown of judged gates: what a comment on a change shows.

use std::fmt::Write;

use super::{Report, gate_name};
use crate::compare::gates::{Acceptance, GateVerdict, JudgedGate, JudgedState, Judgement};
use crate::compare::outcome::{PipelineComparison, SessionChange};

/// Searches that are named of those that a candidate lost most.
const NAMED: usize = 3;

/// Letters of a search's id and text.
const LETTERS: usize = 60;

/// Returns the gates of a run as Markdown: a table, and the reasons of those that do not simply pass.
#[must_use]
pub fn markdown(report: &Report, judgement: &Judgement) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = document(&mut text, report, judgement);
    text
}

fn document(text: &mut String, report: &Report, judgement: &Judgement) -> std::fmt::Result {
    let verdict = match judgement.verdict {
        GateVerdict::Passed => "passed",
        GateVerdict::Failed => "failed",
        GateVerdict::Inconclusive => "inconclusive",
        GateVerdict::RetrieverFailed => "a retriever failed",
        GateVerdict::NoGates => "there are none",
    };
    writeln!(text, "## Gates of {}: {verdict}\n", shown(&judgement.name))?;
    for failed in &judgement.failed_retrievers {
        let (retriever, errors) = (shown(&failed.retriever_id), shown(&failed.errors()));
        writeln!(text, "**Retriever {retriever} failed on every session ({errors}); it is not judged.**\n")?;
    }
    if !judgement.gates.is_empty() {
        writeln!(text, "| gate | candidate | state | change | interval | accepted | n |")?;
        writeln!(text, "|---|---|---|---:|---|---|---:|")?;
        for gate in &judgement.gates {
            row(text, gate)?;
        }
        writeln!(text)?;
    }
    for gate in judgement.gates.iter().filter(|gate| gate.state != JudgedState::Passed) {
        let (state, candidate, reason) = (state(gate.state), shown(&gate.candidate), shown(&gate.outcome.reason));
        write!(text, "- **{state}**, {candidate}: {reason}")?;
        if let Some(Acceptance { reason, owner, expires, expired }) = &gate.acknowledgement {
            let (reason, owner) = (shown(reason), shown(owner));
            match expired {
                false => write!(text, ". Acknowledged by {owner} until {expires}: {reason}")?,
                true => write!(text, ". The acknowledgement by {owner} expired on {expires}")?,
            }
        }
        writeln!(text)?;
    }
    for warning in &judgement.warnings {
        writeln!(text, "- Warning: {}", shown(warning))?;
    }
    report.comparison.comparisons.iter().try_for_each(|comparison| lost_most(text, comparison))?;
    if !text.ends_with("\n\n") {
        writeln!(text)?;
    }
    writeln!(text, "{}\n", shown(&report.comparison.recommendation))?;
    writeln!(text, "Judged on {} (UTC). Run {}.", judgement.date, judgement.run_id)
}

/// The searches that a candidate lost most, for whoever asks what got worse.
fn lost_most(text: &mut String, comparison: &PipelineComparison) -> std::fmt::Result {
    let changes = &comparison.largest_changes;
    if changes.losses.is_empty() {
        return Ok(());
    }
    let naive = if comparison.exposure.decides { "naive " } else { "" };
    let (metric, candidate) = (shown(&changes.metric), shown(&comparison.candidate_retriever_id));
    let named: Vec<String> = changes.losses.iter().take(NAMED).map(search).collect();
    writeln!(text, "- Lost most by {naive}{metric}, {candidate}: {}", named.join(", "))
}

fn search(change: &SessionChange) -> String {
    let query = change.query.as_deref().filter(|query| !query.trim().is_empty());
    let query = query.map(|query| format!(" ({})", code(query))).unwrap_or_default();
    format!("{}{query} {:+.4}", code(&change.session_id), change.delta)
}

/// A stranger's text within backticks, where it names nobody and leads nowhere.
fn code(text: &str) -> String {
    let plain = |letter: char| match letter {
        '`' => '\'',
        letter if letter.is_control() => ' ',
        letter => letter,
    };
    let mut shown: String = text.trim().chars().take(LETTERS).map(plain).collect();
    if text.trim().chars().nth(LETTERS).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}

fn row(text: &mut String, gate: &JudgedGate) -> std::fmt::Result {
    let outcome = &gate.outcome;
    let signed = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:+.4}"));
    let interval = match outcome.interval {
        Some([low, high]) => format!("{low:+.4} to {high:+.4}"),
        None => "-".to_owned(),
    };
    let mut accepted = Vec::new();
    if let Some(bound) = outcome.bound {
        let word = if outcome.lower_is_better { "at most" } else { "at least" };
        accepted.push(format!("change {word} {bound:+.4}"));
    }
    accepted.extend(outcome.min_value.map(|least| format!("value at least {least}")));
    accepted.extend(outcome.max_value.map(|most| format!("value at most {most}")));
    writeln!(
        text,
        "| {} | {} | {} | {} | {interval} | {} | {} |",
        shown(&gate_name(outcome)),
        shown(&gate.candidate),
        state(gate.state),
        signed(outcome.delta),
        accepted.join(", "),
        outcome.n
    )
}

fn state(state: JudgedState) -> &'static str {
    match state {
        JudgedState::Passed => "passed",
        JudgedState::Failed => "failed",
        JudgedState::Inconclusive => "inconclusive",
        JudgedState::Warned => "inconclusive (warning)",
        JudgedState::Acknowledged => "acknowledged",
    }
}

/// A stranger's text as text: no tags, no links, no further cells or lines.
fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => shown.push_str("&lt;"),
            '&' => shown.push_str("&amp;"),
            '|' | '[' | ']' | '*' | '_' | '\\' => shown.extend(['\\', letter]),
            letter if letter.is_control() => shown.push(' '),
            letter => shown.push(letter),
        }
    }
    // Within backticks a backslash is a letter: what is quoted there is made plain.
    shown.replace('`', "'")
}
