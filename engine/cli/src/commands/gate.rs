//! `rematch gate`: the gates of a run that is stored, judged anew.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context;
use rematch_engine::benchmark::{Diagnostic, GateNodes, KeyPath, PipelinePlan, Plan, SpecSource};
use rematch_engine::compare::gates::{self, Acknowledgements, GateError, GateVerdict, Judgement};
use rematch_engine::report::{self, Report};
use rematch_engine::store::{Opened, RunDirectory, layout};

use super::{print, print_json};
use crate::exit::{Exit, Failure};
use crate::gate_arguments::{GateArguments, GateCommand, InitGateArguments};
use crate::gatekeeper;
use crate::terminal::{paragraph, visible};

/// Judges a run's gates, or proposes some.
pub(crate) fn gate(arguments: &GateArguments) -> Result<Exit, Failure> {
    match (&arguments.command, &arguments.directory) {
        (Some(GateCommand::Init(arguments)), _) => init(arguments),
        (None, Some(directory)) => judge(arguments, directory),
        (None, None) => Err(Failure::new(Exit::Usage, anyhow::anyhow!("no run is given"))),
    }
}

/// Reads a finished run's report and plan.
fn read(directory: &Path) -> Result<(Report, Plan), Failure> {
    let (run, _, opened) = RunDirectory::view(directory)?;
    if opened != Opened::Finished || run.holds(layout::RETRYING)? {
        let shown = directory.display();
        let error = anyhow::anyhow!("run `{shown}` is not finished; `rematch resume {shown}` finishes it");
        return Err(Failure::new(Exit::Incomplete, error));
    }
    Ok((run.read_json(layout::REPORT_JSON)?, run.read_json(layout::PLAN)?))
}

fn judge(arguments: &GateArguments, directory: &Path) -> Result<Exit, Failure> {
    let (mut report, plan) = read(directory)?;
    let mut beside = plan.acknowledgements.clone();
    if let Some(file) = &arguments.benchmark {
        let source = SpecSource::read(file, &arguments.overrides)?;
        let other = Plan::resolve(&source)?;
        same_retrievers(directory, &plan, &other, &source)?;
        let judged = gates::rejudge(&other.gates, &plan, &report.results, &mut report.comparison);
        judged.map_err(|error| placed(&error, &other, &source))?;
        beside = other.acknowledgements;
    }
    let acknowledgements = match &arguments.acknowledgements {
        Some(file) => Acknowledgements::read(file)?,
        None => Acknowledgements::read_if_there(&beside)?,
    };
    let day = arguments.date.unwrap_or_else(gatekeeper::today);
    let judgement = gatekeeper::of_report(&report, &acknowledgements, day);
    if let Some(path) = &arguments.junit {
        write(path, &report::junit(&judgement))?;
    }
    if let Some(path) = &arguments.markdown {
        write(path, &report::markdown(&report, &judgement))?;
    }
    if arguments.json {
        print_json(&judgement)?;
    } else {
        print(&text(&report, &judgement))?;
    }
    gatekeeper::tell(&judgement, false);
    Ok(gatekeeper::exit_of(&judgement))
}

/// Refuses a file that compares other retrievers than the run did: it belongs to another run.
fn same_retrievers(directory: &Path, run: &Plan, other: &Plan, source: &SpecSource) -> Result<(), Diagnostic> {
    let key = match (run.pipelines.split_first(), other.pipelines.split_first()) {
        (Some((ran, _)), Some((named, _))) if ran.id != named.id => "baseline",
        _ if ids(&run.pipelines) != ids(&other.pipelines) => "candidates",
        _ => return Ok(()),
    };
    let message = format!(
        "the file compares {}, but run `{}` compared {}; expected the file of this run",
        compared(&other.pipelines),
        directory.display(),
        compared(&run.pipelines)
    );
    Err(source.mistake_at(&KeyPath::root().key(key), message))
}

fn ids(pipelines: &[PipelinePlan]) -> BTreeSet<&str> {
    pipelines.iter().map(|pipeline| pipeline.id.as_str()).collect()
}

/// Returns "`a`, `b` against `old`".
fn compared(pipelines: &[PipelinePlan]) -> String {
    let Some((baseline, candidates)) = pipelines.split_first() else { return "nothing".to_owned() };
    let candidates: Vec<&str> = candidates.iter().map(|candidate| candidate.id.as_str()).collect();
    format!("`{}` against `{}`", candidates.join("`, `"), baseline.id)
}

/// Returns the error at the gate of the file that it is about.
fn placed(error: &GateError, plan: &Plan, source: &SpecSource) -> Diagnostic {
    let (place, key) = match error {
        GateError::UnknownNode { node, .. } => {
            let named = GateNodes::One(node.clone());
            (plan.gates.iter().position(|gate| gate.nodes == named), "node")
        }
        GateError::NotMeasured { metric, .. } | GateError::NotByNode { metric, .. } => {
            (plan.gates.iter().position(|gate| gate.metric == *metric), "metric")
        }
        _ => (None, "metric"),
    };
    let root = KeyPath::root().key("gate");
    let keys = place.map_or(root.clone(), |place| root.index(place).key(key));
    source.mistake_at(&keys, error.to_string())
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text)
        .with_context(|| format!("cannot write `{}`", path.display()))
        .map_err(|error| Failure::new(Exit::Usage, error))
}

fn text(report: &Report, judgement: &Judgement) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_all(&mut text, report, judgement);
    text.lines().map(|line| visible(line) + "\n").collect()
}

fn write_all(text: &mut String, report: &Report, judgement: &Judgement) -> std::fmt::Result {
    let verdict = match judgement.verdict {
        GateVerdict::Passed => "passed",
        GateVerdict::Failed => "FAILED",
        GateVerdict::Inconclusive => "INCONCLUSIVE",
        GateVerdict::RetrieverFailed => "a retriever FAILED on every session",
        GateVerdict::NoGates => "there are none; `rematch gate init` proposes some",
    };
    let (name, run, date) = (&judgement.name, &judgement.run_id, &judgement.date);
    paragraph(text, &format!("Gates of `{name}`, run {run}, on {date}: {verdict}"), "")?;
    for failed in &judgement.failed_retrievers {
        let (retriever, errors) = (&failed.retriever_id, failed.errors());
        let judged = match *retriever == report.comparison.baseline_retriever_id {
            true => "no candidate is judged against it",
            false => "it is not judged",
        };
        paragraph(text, &format!("retriever `{retriever}` failed on every session ({errors}); {judged}"), "")?;
    }
    for comparison in &report.comparison.comparisons {
        let candidate = &comparison.candidate_retriever_id;
        if judgement.gates.iter().any(|gate| gate.candidate == *candidate) {
            paragraph(text, &format!("`{candidate}` against `{}`", report.comparison.baseline_retriever_id), "")?;
            gatekeeper::lines(text, judgement, candidate, "  ")?;
        }
    }
    Ok(())
}

fn init(arguments: &InitGateArguments) -> Result<Exit, Failure> {
    let (report, plan) = read(&arguments.from)?;
    match gates::propose(&report.run.id, &plan, &report.results, &report.comparison) {
        Some(proposed) => {
            print(&proposed)?;
            Ok(Exit::Done)
        }
        None => {
            let error = anyhow::anyhow!("no candidate of `{}` could be compared", arguments.from.display());
            Err(Failure::new(Exit::Incomplete, error))
        }
    }
}
