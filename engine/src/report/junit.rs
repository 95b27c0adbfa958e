//! JUnit XML of judged gates: a test suite per candidate, a test case per gate, for whatever shows tests of a build.

use std::collections::HashMap;
use std::io;

use quick_xml::Writer;

use super::gate_name;
use crate::benchmark::spec::GateOn;
use crate::compare::gates::{Acceptance, FailedRetriever, JudgedGate, JudgedState, Judgement};
use crate::compare::outcome::GateOutcome;

type Xml = Writer<Vec<u8>>;

/// Returns the gates of a run as JUnit XML. A gate that cannot be told and is set to warn passes, with its reason as output;
/// one that is acknowledged is skipped; an arm that answered no session is an error.
#[must_use]
pub fn junit(judgement: &Judgement) -> String {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    // Writing to a buffer cannot fail.
    let _ = document(&mut writer, judgement);
    let text = String::from_utf8(writer.into_inner()).unwrap_or_default();
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{text}\n")
}

fn document(writer: &mut Xml, judgement: &Judgement) -> io::Result<()> {
    let dead = &judgement.failed_retrievers;
    let mut candidates: Vec<&str> = Vec::new();
    for gate in &judgement.gates {
        if !candidates.contains(&gate.candidate.as_str()) {
            candidates.push(&gate.candidate);
        }
    }
    let all: Vec<&JudgedGate> = judgement.gates.iter().collect();
    let name = format!("rematch gates of {}", shown(&judgement.name));
    let mut root = writer.create_element("testsuites").with_attribute(("name", name.as_str()));
    for (key, count) in counts(&all, dead.len()) {
        root = root.with_attribute((key, count.as_str()));
    }
    root.write_inner_content(|writer| {
        for candidate in candidates {
            let gates: Vec<&JudgedGate> = judgement.gates.iter().filter(|gate| gate.candidate == candidate).collect();
            suite(writer, candidate, &gates, judgement)?;
        }
        if !dead.is_empty() {
            failed_arms(writer, dead)?;
        }
        Ok(())
    })?;
    Ok(())
}

fn counts(gates: &[&JudgedGate], errors: usize) -> [(&'static str, String); 4] {
    let of = |states: &[JudgedState]| gates.iter().filter(|gate| states.contains(&gate.state)).count().to_string();
    [
        ("tests", (gates.len() + errors).to_string()),
        ("failures", of(&[JudgedState::Failed, JudgedState::Inconclusive])),
        ("errors", errors.to_string()),
        ("skipped", of(&[JudgedState::Acknowledged])),
    ]
}

fn suite(writer: &mut Xml, candidate: &str, gates: &[&JudgedGate], judgement: &Judgement) -> io::Result<()> {
    let name = shown(candidate);
    let mut element = writer.create_element("testsuite").with_attribute(("name", name.as_str()));
    for (key, count) in counts(gates, 0) {
        element = element.with_attribute((key, count.as_str()));
    }
    element.write_inner_content(|writer| {
        let properties = [("run", judgement.run_id.as_str()), ("date", judgement.date.as_str())];
        writer.create_element("properties").write_inner_content(|writer| {
            for (name, value) in properties {
                let property = writer.create_element("property").with_attribute(("name", name));
                property.with_attribute(("value", shown(value).as_str())).write_empty()?;
            }
            Ok(())
        })?;
        let class = format!("{}.{name}", shown(&judgement.name));
        let names = names(gates);
        gates.iter().zip(&names).try_for_each(|(gate, name)| case(writer, &class, name, gate))
    })?;
    Ok(())
}

/// Returns the names of a candidate's gates, each of its own: readers keep one result of a name.
fn names(gates: &[&JudgedGate]) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(gates.len());
    let mut times: HashMap<String, usize> = HashMap::new();
    for gate in gates {
        let name = shown(&case_name(&gate.outcome));
        let seen = times.entry(name.clone()).or_default();
        *seen += 1;
        names.push(if *seen == 1 { name } else { format!("{name} #{seen}") });
    }
    names
}

/// "nDCG@10 at home/kitchen max-regression 2 %": what a gate looks at, where, and its bounds as a benchmark file has them.
fn case_name(outcome: &GateOutcome) -> String {
    let mut name = gate_name(outcome);
    if outcome.nodes_judged.is_some() {
        name.push_str(" (every-node)");
    }
    if let Some(regression) = outcome.max_regression {
        name.push_str(&format!(" max-regression {regression}"));
        match outcome.on {
            GateOn::Interval => {}
            GateOn::Point => name.push_str(" on point"),
            GateOn::P => name.push_str(" on p"),
        }
    }
    for (bound, value) in [("min-value", outcome.min_value), ("max-value", outcome.max_value)] {
        if let Some(value) = value {
            name.push_str(&format!(" {bound} {value}"));
        }
    }
    name
}

fn case(writer: &mut Xml, class: &str, name: &str, gate: &JudgedGate) -> io::Result<()> {
    let element = writer.create_element("testcase").with_attribute(("classname", class)).with_attribute(("name", name));
    let reason = shown(&gate.outcome.reason);
    element.write_inner_content(|writer| {
        let (tag, kind, message) = match (gate.state, &gate.acknowledgement) {
            (JudgedState::Failed, expired) => ("failure", Some("gate-failed"), with_expired(reason, expired.as_ref())),
            (JudgedState::Inconclusive, expired) => {
                ("failure", Some("gate-inconclusive"), with_expired(reason, expired.as_ref()))
            }
            (JudgedState::Acknowledged, Some(accepted)) => {
                let Acceptance { owner, expires, reason: why, .. } = accepted;
                let message = format!("acknowledged by {} until {expires}: {}; {reason}", shown(owner), shown(why));
                ("skipped", None, message)
            }
            (JudgedState::Acknowledged | JudgedState::Passed | JudgedState::Warned, _) => {
                let output = writer.create_element("system-out");
                output.write_text_content(quick_xml::events::BytesText::new(&reason))?;
                return Ok(());
            }
        };
        let mut element = writer.create_element(tag).with_attribute(("message", message.as_str()));
        if let Some(kind) = kind {
            element = element.with_attribute(("type", kind));
        }
        element.write_empty()?;
        Ok(())
    })?;
    Ok(())
}

fn with_expired(reason: String, expired: Option<&Acceptance>) -> String {
    match expired {
        Some(Acceptance { owner, expires, .. }) => {
            format!("{reason}; the acknowledgement by {} expired on {expires}", shown(owner))
        }
        None => reason,
    }
}

fn failed_arms(writer: &mut Xml, dead: &[FailedRetriever]) -> io::Result<()> {
    let (count, none) = (dead.len().to_string(), "0");
    let element = writer
        .create_element("testsuite")
        .with_attribute(("name", "retrievers"))
        .with_attribute(("tests", count.as_str()))
        .with_attribute(("failures", none))
        .with_attribute(("errors", count.as_str()))
        .with_attribute(("skipped", none));
    element.write_inner_content(|writer| {
        for retriever in dead {
            let name = shown(&retriever.retriever_id);
            let message = shown(&format!("it failed on every session ({})", retriever.errors()));
            let case = writer
                .create_element("testcase")
                .with_attribute(("classname", "retrievers"))
                .with_attribute(("name", name.as_str()));
            case.write_inner_content(|writer| {
                let error = writer.create_element("error").with_attribute(("message", message.as_str()));
                error.with_attribute(("type", "retriever-failed")).write_empty()?;
                Ok(())
            })?;
        }
        Ok(())
    })?;
    Ok(())
}

/// A stranger's text without what XML cannot hold, or would read as the end of a line.
fn shown(text: &str) -> String {
    let is_lost = |letter: char| letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}');
    text.chars().map(|letter| if is_lost(letter) { '\u{fffd}' } else { letter }).collect()
}
