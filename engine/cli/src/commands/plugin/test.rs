//! `rematch plugin test`.

mod checks;
mod cost;
mod page;

use std::path::Path;

use anyhow::anyhow;
use rematch_engine::benchmark::spec::SessionsPath;
use rematch_engine::load::SessionReader;
use rematch_engine::score::samples::SampleCases;
use rematch_engine::score::wasm::{Description, LogMessage, WasmScorer};
use rematch_engine::score::{Case, ScoreOutcome};
use rematch_engine::session::ScoreState;
use serde::Serialize;

pub(super) use self::cost::{load_seconds, median};

use self::checks::Check;
use self::cost::Cost;
use super::loading::{Loading, component_of};
use super::{print, print_json};
use crate::exit::{Exit, Failure};
use crate::plugin_arguments::TestArguments;

/// Puts a component to the test and says what it costs.
pub(super) fn test(arguments: &TestArguments) -> Result<Exit, Failure> {
    let path = component_of(&arguments.component)?;
    let samples = samples(arguments)?;
    let loading = match &arguments.sessions {
        // The items of a file of sessions are not those of the samples.
        Some(_) => Loading::of(&arguments.load)?,
        None => Loading::with_made_up_items(&arguments.load)?,
    };
    let scorer = load(&loading, &path)?;
    let cases = samples.cases();
    let measured = scorer.measure(&cases)?;
    let mut checks = checks::run(&loading, &path, &scorer, &cases)?;
    checks.push(checks::no_errors(&cases, &measured.outcomes));
    let cost = cost::find(&loading, &path, &scorer, &cases)?;
    let tested = Tested {
        schema_version: 1,
        file: path.display().to_string(),
        passed: checks.iter().all(|check| check.passed),
        description: scorer.description(),
        sessions: rows(&cases, &measured.outcomes, scorer.description()),
        checks,
        cost,
        log: &measured.log,
        log_bytes_dropped: measured.log_bytes_dropped,
    };
    if arguments.json {
        print_json(&tested)?;
    } else {
        print(&page::render(&tested, arguments.sessions.as_deref())?)?;
    }
    Ok(if tested.passed { Exit::Done } else { Exit::Plugin })
}

/// What was found; `--json` prints it.
#[derive(Serialize)]
struct Tested<'a> {
    schema_version: u32,
    file: String,
    passed: bool,
    description: &'a Description,
    checks: Vec<Check>,
    sessions: Vec<Row>,
    cost: Cost,
    log: &'a [LogMessage],
    log_bytes_dropped: u64,
}

/// What the component said of a session.
#[derive(Serialize)]
struct Row {
    session_id: String,
    state: ScoreState,
    score: Option<f64>,
    /// By the name of the metric, in the component's order.
    sub_scores: Vec<(String, Option<f64>)>,
    output: String,
    /// Sub-scores that a session which is no error has.
    #[serde(skip)]
    sub_score_count: usize,
}

fn rows(cases: &[Case<'_>], outcomes: &[ScoreOutcome], description: &Description) -> Vec<Row> {
    let names = || description.metrics.iter().skip(1).map(|metric| metric.name.clone());
    let row = |(case, outcome): (&Case<'_>, &ScoreOutcome)| Row {
        session_id: case.session.session_id.clone(),
        state: outcome.state,
        score: outcome.value,
        sub_scores: names().zip(outcome.sub_scores.iter().copied()).collect(),
        output: outcome.output.clone(),
        sub_score_count: names().count(),
    };
    cases.iter().zip(outcomes).map(row).collect()
}

/// Returns the sessions to score: those of the file, or the built-in ones.
fn samples(arguments: &TestArguments) -> Result<SampleCases, Failure> {
    let Some(pattern) = &arguments.sessions else { return Ok(SampleCases::built_in()) };
    let reader = SessionReader::open(&SessionsPath::Files(vec![pattern.clone()]), None)?;
    let sessions: Result<Vec<_>, _> = reader.take(arguments.limit.get()).collect();
    let sessions = sessions?;
    if sessions.is_empty() {
        return Err(Failure::new(Exit::NothingSelected, anyhow!("`{pattern}` has no session")));
    }
    Ok(SampleCases::of_shown(sessions))
}

/// Loads the component; where it wants what no benchmark is here to give, says how it is given here.
fn load(loading: &Loading, path: &Path) -> Result<WasmScorer, Failure> {
    loading.load(path).map_err(|error| {
        let said = error.to_string();
        let hint = if loading.plan().items.is_none() && said.contains("asks for the fields of items") {
            Some("here, `--items FILE --item-id COLUMN --fields NAME,...` names the corpus")
        } else if said.contains("refused its parameters") {
            Some("here, `--params JSON` gives them")
        } else if said.contains("wasi:") {
            Some("here, `--wasi inert` gives it stand-ins")
        } else {
            None
        };
        let failure = Failure::from(error);
        match hint {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        }
    })
}
