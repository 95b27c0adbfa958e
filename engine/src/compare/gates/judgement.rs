//! What the gates of a run come to on a day, with what was acknowledged.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::acknowledgement::{Acknowledgement, Acknowledgements};
use crate::compare::outcome::{ArmState, BenchmarkComparison, BenchmarkResult, GateOutcome, GateState};

/// Version of the judgement's schema; it grows when a reader must change.
pub const SCHEMA_VERSION: u32 = 1;

/// The gates of a run, judged on a day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Judgement {
    /// Version of this schema.
    pub schema_version: u32,
    /// The run's id.
    pub run_id: String,
    /// The benchmark's name.
    pub name: String,
    /// The day on which acknowledgements were held against their expiry, UTC, such as `2026-12-31`. Nothing else depends on it.
    pub date: String,
    /// The file of acknowledgements; `null` where there is none.
    pub acknowledgements: Option<PathBuf>,
    /// What all gates together come to.
    pub verdict: GateVerdict,
    /// Which retriever should serve by these gates, in words; acknowledged failures count as failures here.
    #[serde(default)]
    pub recommendation: String,
    /// Every gate of every candidate that was compared.
    pub gates: Vec<JudgedGate>,
    /// The retrievers that failed on every session: no gate says anything of them, and of no candidate where the baseline is one.
    #[serde(default)]
    pub failed_retrievers: Vec<FailedRetriever>,
    /// What is wrong with the acknowledgements, in words.
    pub warnings: Vec<String>,
}

/// What all gates together come to; it decides the exit code. Whatever is not `passed` or `no_gates` must stop a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GateVerdict {
    /// Every gate holds, warns or is acknowledged: exit code 0.
    Passed,
    /// A gate failed, and nobody acknowledged it: exit code 10.
    Failed,
    /// None failed, but one that must be told cannot be: exit code 11.
    Inconclusive,
    /// A retriever failed on every session, whatever the gates of the others say: exit code 5.
    RetrieverFailed,
    /// The run has no gate: exit code 0.
    NoGates,
}

/// A retriever that failed on every session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FailedRetriever {
    /// The retriever's id.
    pub retriever_id: String,
    /// Sessions by kind of failure.
    pub error_summary: BTreeMap<String, u64>,
}

impl FailedRetriever {
    /// Returns the retrievers that failed on every session.
    #[must_use]
    pub fn among(results: &[BenchmarkResult]) -> Vec<Self> {
        results.iter().filter(|result| result.state == ArmState::Failed).map(Self::of).collect()
    }

    /// Returns a retriever that is known to have failed on every session.
    #[must_use]
    pub fn of(result: &BenchmarkResult) -> Self {
        Self { retriever_id: result.retriever_id.clone(), error_summary: result.error_summary.clone() }
    }

    /// Returns the failures in words: `timeout 28, http_status 2`.
    #[must_use]
    pub fn errors(&self) -> String {
        let kinds: Vec<String> = self.error_summary.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        kinds.join(", ")
    }
}

/// One gate of one candidate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JudgedGate {
    /// The candidate.
    pub candidate: String,
    /// Its state, acknowledgements considered.
    pub state: JudgedState,
    /// The acknowledgement of its failure, in force or expired; `null` where there is none.
    pub acknowledgement: Option<Acceptance>,
    /// What was measured, and what it was held against; its own `state` is that without acknowledgements.
    pub outcome: GateOutcome,
}

/// The states of a gate, acknowledgements considered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JudgedState {
    /// It holds.
    Passed,
    /// It does not.
    Failed,
    /// It cannot be told, and the gate is set to fail then.
    Inconclusive,
    /// It cannot be told, and the gate is set to warn then.
    Warned,
    /// It failed, or cannot be told and is set to fail then, and somebody accepted that for the time being.
    Acknowledged,
}

/// The acknowledgement of one failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Acceptance {
    /// Why it is accepted.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// The last day on which it holds.
    pub expires: String,
    /// Whether that day is over; then the gate fails as if nobody had acknowledged it.
    pub expired: bool,
}

impl Judgement {
    /// Judges the gates of a comparison of `results` on the day `today`.
    #[must_use]
    pub fn of(
        (run_id, name): (&str, &str),
        results: &[BenchmarkResult],
        comparison: &BenchmarkComparison,
        acknowledgements: &Acknowledgements,
        today: Date,
    ) -> Self {
        let mut used = vec![Use::Nothing; acknowledgements.entries.len()];
        let mut gates = Vec::new();
        for one in &comparison.comparisons {
            let candidate = &one.candidate_retriever_id;
            for outcome in &one.gates {
                let acknowledgement = accepted(acknowledgements, candidate, outcome, today, &mut used);
                let state = match (outcome.state, &acknowledgement) {
                    (_, Some(Acceptance { expired: false, .. })) => JudgedState::Acknowledged,
                    (GateState::Passed, _) => JudgedState::Passed,
                    (GateState::Failed, _) => JudgedState::Failed,
                    (GateState::Inconclusive, _) => JudgedState::Inconclusive,
                    (GateState::Warned, _) => JudgedState::Warned,
                };
                let (candidate, outcome) = (candidate.clone(), outcome.clone());
                gates.push(JudgedGate { candidate, state, acknowledgement, outcome });
            }
        }
        let entries = acknowledgements.entries.iter().zip(&used);
        let failed_retrievers = FailedRetriever::among(results);
        Self {
            schema_version: SCHEMA_VERSION,
            run_id: run_id.to_owned(),
            name: name.to_owned(),
            date: today.to_string(),
            acknowledgements: acknowledgements.path.clone(),
            verdict: verdict(&gates, !failed_retrievers.is_empty()),
            recommendation: comparison.recommendation.clone(),
            warnings: entries.filter_map(|(entry, used)| warning(entry, *used)).collect(),
            gates,
            failed_retrievers,
        }
    }
}

/// What an entry was good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// No gate is meant by it.
    Nothing,
    /// The gate that it means does not fail.
    NotNeeded,
    /// It accepts a failure.
    Accepts,
}

/// Returns the acknowledgement of a gate that fails: of several, the one that holds longest.
fn accepted(
    acknowledgements: &Acknowledgements,
    candidate: &str,
    outcome: &GateOutcome,
    today: Date,
    used: &mut [Use],
) -> Option<Acceptance> {
    let fails = matches!(outcome.state, GateState::Failed | GateState::Inconclusive);
    let mut found: Option<&Acknowledgement> = None;
    for (entry, used) in acknowledgements.entries.iter().zip(used) {
        if entry.candidate != candidate || entry.metric != outcome.metric || entry.node != outcome.node {
            continue;
        }
        match (fails, *used) {
            (true, _) => *used = Use::Accepts,
            (false, Use::Nothing) => *used = Use::NotNeeded,
            (false, _) => {}
        }
        if fails && found.is_none_or(|found| entry.expires > found.expires) {
            found = Some(entry);
        }
    }
    found.map(|entry| Acceptance {
        reason: entry.reason.clone(),
        owner: entry.owner.clone(),
        expires: entry.expires.to_string(),
        expired: entry.expires < today,
    })
}

fn verdict(gates: &[JudgedGate], has_failed_retriever: bool) -> GateVerdict {
    let any = |state: JudgedState| gates.iter().any(|gate| gate.state == state);
    if has_failed_retriever {
        GateVerdict::RetrieverFailed
    } else if gates.is_empty() {
        GateVerdict::NoGates
    } else if any(JudgedState::Failed) {
        GateVerdict::Failed
    } else if any(JudgedState::Inconclusive) {
        GateVerdict::Inconclusive
    } else {
        GateVerdict::Passed
    }
}

fn warning(entry: &Acknowledgement, used: Use) -> Option<String> {
    let node = entry.node.as_ref().map(|node| format!(" at `{node}`")).unwrap_or_default();
    let what = format!("the acknowledgement of `{}`{node} of `{}` by {}", entry.metric, entry.candidate, entry.owner);
    match used {
        Use::Nothing => Some(format!("{what} means no gate of this run")),
        Use::NotNeeded => Some(format!("{what} is not needed: the gate does not fail")),
        Use::Accepts => None,
    }
}

/// Returns the JSON Schema of a judgement, generated from its types.
#[must_use]
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(Judgement).to_value()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::fixture;
    use crate::compare::outcome::PipelineComparison;

    const TODAY: Date = Date::constant(2026, 6, 15);

    fn entry(metric: &str, node: Option<&str>, expires: Date) -> Acknowledgement {
        Acknowledgement {
            metric: metric.to_owned(),
            node: node.map(str::to_owned),
            candidate: "new".to_owned(),
            reason: "why".to_owned(),
            owner: "me".to_owned(),
            expires,
        }
    }

    fn judged(gates: &[(&str, Option<&str>, GateState)], entries: Vec<Acknowledgement>) -> Judgement {
        let outcome = |(metric, node, state): &(&str, Option<&str>, GateState)| GateOutcome {
            metric: (*metric).to_owned(),
            node: node.map(str::to_owned),
            state: *state,
            ..GateOutcome::default()
        };
        let compared = vec![PipelineComparison {
            candidate_retriever_id: "new".to_owned(),
            gates: gates.iter().map(outcome).collect(),
            ..PipelineComparison::default()
        }];
        judged_of(&[], compared, entries)
    }

    fn judged_of(
        results: &[BenchmarkResult],
        comparisons: Vec<PipelineComparison>,
        entries: Vec<Acknowledgement>,
    ) -> Judgement {
        let comparison = BenchmarkComparison {
            baseline_retriever_id: "old".to_owned(),
            comparisons,
            recommendation: String::new(),
            stopping: None,
        };
        let acknowledgements = Acknowledgements { path: None, entries };
        Judgement::of(("id", "name"), results, &comparison, &acknowledgements, TODAY)
    }

    fn result(id: &str, failed: u64) -> BenchmarkResult {
        fixture::result(id, 30, failed)
    }

    #[test]
    fn a_retriever_that_failed_on_every_session_is_no_pass_and_is_named() {
        let dead =
            FailedRetriever { retriever_id: "dead".to_owned(), error_summary: [("timeout".to_owned(), 30)].into() };
        // With nothing to compare there is no gate, whatever the plan asks for.
        let alone = judged_of(&[result("old", 0), result("dead", 30)], Vec::new(), Vec::new());
        assert_eq!((alone.verdict, &alone.failed_retrievers), (GateVerdict::RetrieverFailed, &vec![dead.clone()]));
        assert_eq!(alone.failed_retrievers[0].errors(), "timeout 30");
        // Nor do the gates of another candidate speak for it, and no acknowledgement does.
        for state in [GateState::Passed, GateState::Failed, GateState::Inconclusive] {
            let gate = GateOutcome { metric: "RR".to_owned(), state, ..GateOutcome::default() };
            let other = PipelineComparison {
                candidate_retriever_id: "new".to_owned(),
                gates: vec![gate],
                ..PipelineComparison::default()
            };
            let results = [result("old", 0), result("new", 0), result("dead", 30)];
            let found = judged_of(&results, vec![other], vec![entry("RR", None, TODAY)]);
            assert_eq!((found.verdict, &found.failed_retrievers), (GateVerdict::RetrieverFailed, &vec![dead.clone()]));
        }
        assert_eq!(
            judged_of(&[result("old", 0), result("new", 0)], Vec::new(), Vec::new()).verdict,
            GateVerdict::NoGates
        );
    }

    #[test]
    fn an_acknowledged_failure_passes_up_to_its_last_day() {
        for (expires, state, verdict) in [
            (TODAY.tomorrow().expect("a day"), JudgedState::Acknowledged, GateVerdict::Passed),
            (TODAY, JudgedState::Acknowledged, GateVerdict::Passed),
            (TODAY.yesterday().expect("a day"), JudgedState::Failed, GateVerdict::Failed),
        ] {
            let found = judged(&[("RR", None, GateState::Failed)], vec![entry("RR", None, expires)]);
            assert_eq!((found.gates[0].state, found.verdict), (state, verdict), "{expires}");
            let acceptance = found.gates[0].acknowledgement.clone().expect("an acknowledgement");
            assert_eq!(acceptance.expired, verdict == GateVerdict::Failed);
            assert_eq!((found.date.as_str(), found.warnings.len()), ("2026-06-15", 0));
        }
    }

    #[test]
    fn only_the_gate_that_is_meant_is_accepted() {
        let failed = [("RR", None, GateState::Failed), ("RR", Some("home"), GateState::Failed)];
        let found = judged(&failed, vec![entry("RR", Some("home"), TODAY)]);
        assert_eq!(
            found.gates.iter().map(|gate| gate.state).collect::<Vec<_>>(),
            [JudgedState::Failed, JudgedState::Acknowledged]
        );
        assert_eq!(found.verdict, GateVerdict::Failed);
        let other = Acknowledgement { candidate: "other".to_owned(), ..entry("RR", None, TODAY) };
        assert_eq!(judged(&failed[..1], vec![other]).verdict, GateVerdict::Failed);
    }

    #[test]
    fn of_several_acknowledgements_the_longest_counts() {
        let old = entry("RR", None, TODAY.yesterday().expect("a day"));
        let found = judged(&[("RR", None, GateState::Failed)], vec![old.clone(), entry("RR", None, TODAY), old]);
        assert_eq!((found.verdict, found.warnings.len()), (GateVerdict::Passed, 0));
    }

    #[test]
    fn entries_without_use_are_warned_of() {
        let found = judged(
            &[("RR", None, GateState::Passed)],
            vec![entry("RR", None, TODAY), entry("AP", None, TODAY), entry("RR", Some("home"), TODAY)],
        );
        assert_eq!(found.verdict, GateVerdict::Passed);
        assert!(found.warnings[0].contains("is not needed"), "{:?}", found.warnings);
        assert!(found.warnings[1].contains("means no gate of this run"), "{:?}", found.warnings);
        assert!(found.warnings[2].contains("`RR` at `home` of `new` by me means no gate"), "{:?}", found.warnings);
    }

    #[test]
    fn what_cannot_be_told_fails_where_it_must_and_can_be_acknowledged() {
        let gates = [("RR", None, GateState::Inconclusive), ("AP", None, GateState::Warned)];
        assert_eq!(judged(&gates, Vec::new()).verdict, GateVerdict::Inconclusive);
        let found = judged(&gates, vec![entry("RR", None, TODAY)]);
        assert_eq!((found.verdict, found.gates[1].state), (GateVerdict::Passed, JudgedState::Warned));
        assert_eq!(judged(&[], Vec::new()).verdict, GateVerdict::NoGates);
    }
}
