//! `rematch doctor`.

mod machine;
mod text;

use anyhow::anyhow;
use rematch_engine::benchmark::{Plan, SpecSource};
use rematch_engine::load::SessionReader;
use rematch_engine::replay::diagnosis::{Check, CheckState, reach_servers, try_search};
use rematch_engine::replay::explain::for_one_search;
use rematch_engine::replay::{Pipeline, Workspace};
use rematch_engine::score::{ScoreError, ScoringContract};
use rematch_engine::session::Session;
use serde::Serialize;

use super::{print, print_json};
use crate::environment;
use crate::exit::{Exit, Failure};
use crate::plugin_host::plugin_host;
use crate::retriever_arguments::DoctorArguments;

/// Checks that belong together.
#[derive(Debug, Serialize)]
struct Group {
    /// What was looked at.
    subject: String,
    checks: Vec<Check>,
}

/// Hits asked for.
const DEPTH: usize = 10;

/// Checks this machine, and every retriever and scorer of a benchmark.
pub(crate) fn doctor(arguments: &DoctorArguments) -> Result<Exit, Failure> {
    let mut groups = vec![Group { subject: "this machine".to_owned(), checks: machine::checks() }];
    if let Some(benchmark) = &arguments.benchmark {
        let source = SpecSource::read(benchmark, &arguments.overrides)?;
        let plan = Plan::resolve(&source)?;
        groups.push(Group { subject: visible_name(&plan), checks: files(&plan, &source) });
        groups.extend(retrievers(&plan, arguments)?);
        if plan.has_plugins() {
            groups.push(Group { subject: "scorers".to_owned(), checks: vec![scorers(&plan)] });
        }
    }
    if arguments.json {
        print_json(&groups)?;
    } else {
        print(&text::render(&groups))?;
    }
    let failed = groups.iter().flat_map(|group| &group.checks).any(|check| check.state == CheckState::Failed);
    Ok(if failed { Exit::Incomplete } else { Exit::Done })
}

fn visible_name(plan: &Plan) -> String {
    format!("benchmark `{}`", plan.name)
}

/// Are the files there, and can runs be written?
fn files(plan: &Plan, source: &SpecSource) -> Vec<Check> {
    let inputs = match plan.check_inputs(source) {
        Ok(()) => Check::ok("inputs", "every file that the benchmark names is there"),
        Err(missing) => Check::failed("inputs", missing.to_string(), "correct the path in the benchmark file"),
    };
    vec![inputs, machine::writable("runs", &plan.output_dir, "set `output.dir` of the benchmark to a folder of yours")]
}

fn retrievers(plan: &Plan, arguments: &DoctorArguments) -> Result<Vec<Group>, Failure> {
    let (session, said) = session(plan, arguments);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let scratch = tempfile::tempdir()?;
    let workspace =
        // Without a sandbox the stages that need one say so.
        Workspace { scratch: scratch.path().to_owned(), plugins: plan.has_plugins().then(|| plugin_host(None).ok()).flatten(), secrets: environment::secrets(), ..Workspace::default() };
    let mut groups = vec![Group { subject: "sessions".to_owned(), checks: vec![said] }];
    for pipeline in &plan.pipelines {
        let mut checks = runtime.block_on(reach_servers(pipeline, &is_set));
        match Pipeline::build(&[for_one_search(pipeline)], &workspace) {
            Ok(built) => {
                let tried = built.iter().map(|built| try_search(pipeline, built, session.clone(), DEPTH));
                tried.for_each(|checked| checks.extend(runtime.block_on(checked)));
            }
            Err(error) => {
                let found = format!("{:#}", anyhow!(error));
                checks.push(Check::failed("build", found, "correct the stage, or what it names"));
            }
        }
        groups.push(Group { subject: format!("retriever `{}`", pipeline.id), checks });
    }
    Ok(groups)
}

fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty())
}

/// Returns what the retrievers are asked: the given query, or the first session that has one.
fn session(plan: &Plan, arguments: &DoctorArguments) -> (Session, Check) {
    let of_query =
        |query: &str| Session { session_id: "doctor".to_owned(), query: Some(query.to_owned()), ..Session::default() };
    if let Some(query) = &arguments.query {
        return (of_query(query), Check::ok("query", "the given one"));
    }
    let first = SessionReader::open(&plan.sessions, plan.session_format).and_then(|mut sessions| {
        let has_query = |session: &Result<Session, _>| session.as_ref().map_or(true, |session| session.query.is_some());
        sessions.find(has_query).transpose()
    });
    match first {
        Ok(Some(session)) => {
            let found = format!("session `{}` of the benchmark", session.session_id);
            (session, Check::ok("query", found))
        }
        Ok(None) => {
            let fix = "give a query by `--query`";
            (of_query("test"), Check::warning("query", "no session has one; `test` was asked", fix))
        }
        Err(error) => {
            let error = anyhow!(error);
            let check =
                Check::failed("query", format!("{error:#}"), "correct `sessions.path`; `rematch inspect` helps");
            (of_query("test"), check)
        }
    }
}

fn scorers(plan: &Plan) -> Check {
    let fix = "`rematch plugin inspect` looks at a component, `rematch validate` at the scoring contract";
    let host = plugin_host(None).map_err(ScoreError::from);
    let loaded = host.and_then(|host| ScoringContract::load(plan, &host).map(drop));
    match loaded {
        Ok(()) => Check::ok("load", format!("{} load", plan.scorers.len())),
        Err(error) => Check::failed("load", format!("{:#}", anyhow!(error)), fix),
    }
}
