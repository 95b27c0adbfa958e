//! `rematch search`.

mod text;

use std::num::NonZeroUsize;

use anyhow::anyhow;
use rematch_engine::benchmark::stages::{StageKind, StagePlan};
use rematch_engine::benchmark::{PipelinePlan, Plan, SpecSource};
use rematch_engine::load::SessionReader;
use rematch_engine::replay::explain::{explain, for_one_search};
use rematch_engine::replay::{Pipeline, Workspace};
use rematch_engine::session::Session;

use super::{print, print_json};
use crate::environment;
use crate::exit::{Exit, Failure};
use crate::plugin_host::{on_stderr, plugin_host};
use crate::retriever_arguments::SearchArguments;

/// Hits that are shown where no depth was asked for; the JSON has all.
const SHOWN: usize = 10;

/// Sends one search through a retriever and explains it.
pub(crate) fn search(arguments: &SearchArguments) -> Result<Exit, Failure> {
    let (plan, pipeline) = planned(arguments)?;
    let mut pipeline = for_one_search(&pipeline);
    let depth = arguments.depth.unwrap_or(plan.depth);
    ask_for(&mut pipeline.stages, plan.depth, depth);
    let depth = depth.get();
    let session = session(arguments, &plan)?;
    let scratch = tempfile::tempdir()?;
    let workspace = Workspace {
        scratch: scratch.path().to_owned(),
        plugins: plan.has_plugins().then(|| plugin_host(Some(on_stderr()))).transpose()?,
        secrets: environment::secrets(),
        ..Workspace::default()
    };
    let built = Pipeline::build(std::slice::from_ref(&pipeline), &workspace)
        .map_err(|error| Failure::new(Exit::Input, error))?;
    let pipeline = built.first().ok_or_else(|| anyhow!("no pipeline was built"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let explanation =
        runtime.block_on(explain(pipeline, session, depth)).map_err(|error| Failure::new(Exit::Incomplete, error))?;
    if arguments.json {
        print_json(&explanation)?;
    } else {
        print(&text::render(&explanation, arguments.depth.map_or(SHOWN, |_| depth)))?;
    }
    Ok(if explanation.failure.is_some() { Exit::Incomplete } else { Exit::Done })
}

/// Returns the plan and the pipeline that is asked for; a retriever that is neither baseline nor candidate is one too.
fn planned(arguments: &SearchArguments) -> Result<(Plan, PipelinePlan), Failure> {
    let mut overrides = arguments.overrides.clone();
    let written = SpecSource::read(&arguments.benchmark, &overrides)?;
    let spec = written.parse()?;
    let id = arguments.retriever.as_ref().unwrap_or(&spec.baseline);
    let is_compared = *id == spec.baseline || spec.candidates.contains(id);
    let other = spec.retriever.iter().map(|retriever| &retriever.id).find(|other| *other != id);
    let is_known = spec.retriever.iter().any(|retriever| retriever.id == *id);
    if let (false, true, Some(other)) = (is_compared, is_known, other) {
        overrides.push(format!("baseline={}", toml::Value::from(id.as_str())));
        overrides.push(format!("candidates=[{}]", toml::Value::from(other.as_str())));
    }
    let source = SpecSource::read(&arguments.benchmark, &overrides)?;
    let plan = Plan::resolve(&source)?;
    plan.check_inputs(&source).map_err(|missing| Failure::new(Exit::Input, missing))?;
    let pipeline = plan.pipelines.iter().find(|pipeline| pipeline.id == *id).cloned();
    let pipeline = pipeline.ok_or_else(|| {
        let known: Vec<&str> = spec.retriever.iter().map(|retriever| retriever.id.as_str()).collect();
        let error = anyhow!("unknown retriever `{id}`, expected one of `{}`", known.join("`, `"));
        Failure::new(Exit::Usage, error)
    })?;
    Ok((plan, pipeline))
}

/// Has the sources asked for another number of hits, but for those whose own number is written.
fn ask_for(stages: &mut [StagePlan], written: NonZeroUsize, depth: NonZeroUsize) {
    for stage in stages {
        if stage.depth == written {
            stage.depth = depth;
        }
        if let StageKind::Fuse(fuse) = &mut stage.does {
            fuse.branches.iter_mut().for_each(|branch| ask_for(&mut branch.stages, written, depth));
        }
    }
}

/// Returns the session of the benchmark that is named, or one that is made of the arguments.
fn session(arguments: &SearchArguments, plan: &Plan) -> Result<Session, Failure> {
    let Some(id) = &arguments.session_id else {
        return Ok(Session {
            session_id: "search".to_owned(),
            query: arguments.query.clone(),
            inputs: arguments.session.inputs.as_ref().map(ToString::to_string),
            query_vector: arguments.session.vector.as_ref().map(|vector| vector.0.clone()),
            ..Session::default()
        });
    };
    for session in SessionReader::open(&plan.sessions, plan.session_format)? {
        let session = session?;
        if session.session_id == *id {
            return Ok(session);
        }
    }
    Err(Failure::new(Exit::NothingSelected, anyhow!("the benchmark's sessions hold no session `{id}`")))
}
