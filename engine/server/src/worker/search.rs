//! One search through one retriever, in a worker.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use rematch_engine::benchmark::{Diagnostic, PipelinePlan, Plan, SpecSource};
use rematch_engine::replay::Pipeline;
use rematch_engine::replay::explain::{Explanation, Problem, StageExplanation, explain, for_one_search};
use rematch_engine::sandbox::PluginHost;
use rematch_engine::session::Session;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Failure, Task};

/// The identifier of the retriever that a benchmark needs beside the one that is asked. It answers nothing.
const NOBODY: &str = "_";

/// A search to make.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SearchOrder {
    /// The retriever's section of a benchmark file.
    pub retriever: Value,
    /// The section `corpus`; those that the retriever uses are enough.
    pub corpora: Map<String, Value>,
    /// What is searched; where `None`, the retriever is checked and not asked.
    pub search: Option<SearchInputs>,
    /// Hits asked for.
    pub depth: NonZeroUsize,
}

/// What is searched.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SearchInputs {
    /// The query text.
    pub query: Option<String>,
    /// The query as a vector.
    pub query_vector: Option<Vec<f32>>,
    /// All inputs, as JSON text.
    pub inputs: Option<String>,
}

/// What a search found.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SearchOutcome {
    /// The hits, best first.
    pub hits: Vec<FoundHit>,
    /// Time of all stages together, nanoseconds.
    pub latency_ns: i64,
    /// What each stage did, in order.
    pub stages: Vec<SearchedStage>,
    /// Why it failed: its kind and words.
    pub failure: Option<(String, String)>,
}

/// A hit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FoundHit {
    /// The item.
    pub item_id: String,
    /// Its score; `None` where the retriever gives none.
    pub score: Option<f64>,
}

/// What a stage did.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SearchedStage {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// How it went: `ok`, `skipped`, `failed` and others.
    pub state: String,
    /// Its time, nanoseconds.
    pub latency_ns: i64,
    /// Hits that it was handed.
    pub entered: usize,
    /// Hits that left it.
    pub left: usize,
    /// Why it failed or was passed over.
    pub problem: Option<String>,
}

pub(super) fn search(task: &Task, order: &SearchOrder, plugins: Arc<PluginHost>) -> Result<Value, Failure> {
    let scratch = scratch(task)?;
    let pipeline = planned(task, (&order.retriever, &order.corpora), order.depth, scratch.path())?;
    let Some(search) = &order.search else { return Ok(json!({ "checked": true })) };
    let workspace = task.workspace(scratch.path(), plugins)?;
    let built =
        Pipeline::build(&[for_one_search(&pipeline)], &workspace).map_err(|error| told("invalid_retriever", &error))?;
    let pipeline = built.first().ok_or_else(|| Failure::new("internal", "no pipeline was built"))?;
    let session = Session {
        session_id: "search".to_owned(),
        query: search.query.clone(),
        query_vector: search.query_vector.clone(),
        inputs: search.inputs.clone(),
        ..Session::default()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new("internal", error))?;
    let explained = runtime
        .block_on(explain(pipeline, session, order.depth.get()))
        .map_err(|error| told("search_failed", &error))?;
    serde_json::to_value(outcome(explained)).map_err(|error| Failure::new("internal", error))
}

/// Returns a folder among the temporary files of this process, which the server removes however this process ends.
pub(super) fn scratch(task: &Task) -> Result<tempfile::TempDir, Failure> {
    let usual = std::env::temp_dir();
    // Who starts a worker by hand may have said nothing of them, and others it may not touch.
    let folder = if usual.starts_with(&task.root) { usual } else { task.root.join("tmp") };
    std::fs::create_dir_all(&folder)
        .and_then(|()| tempfile::tempdir_in(&folder))
        .map_err(|error| Failure::new("internal", error))
}

/// Returns the plan of a retriever whose files are all there, and nowhere but in the organisation's folder.
pub(super) fn planned(
    task: &Task,
    (retriever, corpora): (&Value, &Map<String, Value>),
    depth: NonZeroUsize,
    scratch: &Path,
) -> Result<PipelinePlan, Failure> {
    let sessions = scratch.join("none.jsonl");
    std::fs::write(&sessions, b"").map_err(|error| Failure::new("internal", error))?;
    let id = retriever.get("id").and_then(Value::as_str).unwrap_or_default();
    let benchmark = json!({
        "name": "search",
        "baseline": id,
        "candidates": [NOBODY],
        "depth": depth,
        "sessions": { "path": sessions },
        "metrics": { "k": [1], "primary": "P@1" },
        "corpus": corpora,
        "retriever": [retriever, { "id": NOBODY, "stages": [{ "kind": "shown" }] }],
    });
    // JSON is YAML.
    let source = SpecSource::of(&scratch.join("search.yaml"), &benchmark.to_string(), &[]).map_err(wrong)?;
    let plan = Plan::resolve(&source).map_err(wrong)?;
    task.check_paths(&plan)?;
    plan.check_inputs(&source).map_err(wrong)?;
    let pipeline = plan.pipelines.into_iter().find(|pipeline| pipeline.id == id);
    pipeline.ok_or_else(|| Failure::new("internal", "the plan has not the retriever"))
}

/// Returns an error with its causes.
pub(super) fn told(code: &'static str, error: &dyn std::error::Error) -> Failure {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        message = format!("{message}: {next}");
        cause = next.source();
    }
    Failure::new(code, message)
}

/// The place of the mistake is one in a file that nobody wrote; its words say what is wrong.
fn wrong(mistake: Diagnostic) -> Failure {
    let help = mistake.help().map(|help| format!(" ({help})")).unwrap_or_default();
    Failure::new("invalid_retriever", format!("{}{help}", mistake.message()))
}

fn outcome(explained: Explanation) -> SearchOutcome {
    let hit = |hit: rematch_engine::session::Hit| FoundHit { item_id: hit.item_id, score: hit.score };
    SearchOutcome {
        hits: explained.hits.into_iter().map(hit).collect(),
        latency_ns: explained.latency_ns,
        stages: explained.stages.into_iter().map(stage).collect(),
        failure: explained.failure.map(|problem| (problem.kind.clone().unwrap_or_default(), words(problem))),
    }
}

fn stage(stage: StageExplanation) -> SearchedStage {
    SearchedStage {
        name: stage.name,
        kind: stage.kind,
        state: stage.state.as_str().to_owned(),
        latency_ns: stage.latency_ns,
        entered: stage.entered,
        left: stage.left.len(),
        problem: stage.problem.map(words),
    }
}

fn words(problem: Problem) -> String {
    match problem.fix {
        Some(fix) => format!("{} ({fix})", problem.message),
        None => problem.message,
    }
}
