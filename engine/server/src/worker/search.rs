//! One search through one retriever, in a worker.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use rematch_engine::benchmark::{Diagnostic, PipelinePlan, Plan, SpecSource};
use rematch_engine::replay::Pipeline;
use rematch_engine::replay::explain::{Explanation, Problem, StageExplanation, Step, explain_watched, for_one_search};
use rematch_engine::sandbox::PluginHost;
use rematch_engine::session::{Hit, Session};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::documents::{Documents, Places, gate};
use super::narrow::{Left, Narrowed};
use super::telling::Telling;
use super::{Failure, Outlet, Task};
use crate::filters::Condition;

/// The identifier of the retriever that a benchmark needs beside the one that is asked. It answers nothing.
const NOBODY: &str = "_";

/// A search to make.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SearchOrder {
    /// The retriever's section of a benchmark file.
    pub retriever: Value,
    /// The section `corpus`; those that the retriever uses are enough.
    pub corpora: Map<String, Value>,
    /// The collections whose documents may be found, by name, each as a section `corpus`. They are what filters speak of.
    pub collections: Vec<(String, Value)>,
    /// What is searched; where `None`, the retriever is checked and not asked.
    pub search: Option<SearchInputs>,
    /// What must hold of a document; all may be found where `None`.
    pub filters: Option<Condition>,
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
    /// What whoever asked should know of the answer.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// A hit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FoundHit {
    /// The item.
    pub item_id: String,
    /// Its score; `None` where the retriever gives none.
    pub score: Option<f64>,
    /// The collection in which it stands; `None` where it stands in none, and of hits on their way.
    pub collection: Option<String>,
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

pub(super) fn search(
    task: &Task,
    order: &SearchOrder,
    plugins: Arc<PluginHost>,
    outlet: &Outlet,
) -> Result<Value, Failure> {
    let scratch = scratch(task)?;
    let pipeline = planned(task, (&order.retriever, &order.corpora), order.depth, scratch.path())?;
    let Some(search) = &order.search else { return Ok(json!({ "checked": true })) };
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
    let asking = Asking { task, order, plugins, outlet, scratch: scratch.path(), runtime, session };
    let pipeline = for_one_search(&pipeline);
    let outcome = match &order.filters {
        Some(condition) => asking.narrowed(pipeline, condition)?,
        None => asking.whole(&pipeline)?,
    };
    serde_json::to_value(outcome).map_err(|error| Failure::new("internal", error))
}

/// A search that is made.
struct Asking<'a> {
    task: &'a Task,
    order: &'a SearchOrder,
    plugins: Arc<PluginHost>,
    outlet: &'a Outlet,
    scratch: &'a Path,
    runtime: tokio::runtime::Runtime,
    session: Session,
}

impl Asking<'_> {
    /// Asks a retriever as it is. Collections only say where a hit stands: one that cannot be read fails nothing.
    fn whole(&self, plan: &PipelinePlan) -> Result<SearchOutcome, Failure> {
        let (documents, mut unread) = Documents::allowed(self.task, &self.order.collections);
        let mut telling = Telling::of(self.outlet, plan.stages.len(), None);
        let explained =
            self.ask(plan, &mut telling, None)?.ok_or_else(|| Failure::new("internal", "nobody ended it"))?;
        let ids: HashSet<&str> = explained.hits.iter().map(|hit| hit.item_id.as_str()).collect();
        let (places, further) = documents.places(&ids);
        unread.extend(further);
        let warning = |name: String| {
            format!(
                "the collection `{name}` cannot be read; its documents may have no `collection_id`, or that of another one"
            )
        };
        let warnings = unread.into_iter().map(warning).collect();
        Ok(SearchOutcome { warnings, ..outcome(explained, None, &documents, &places) })
    }

    /// Asks a retriever for documents of which a condition holds.
    fn narrowed(&self, plan: PipelinePlan, condition: &Condition) -> Result<SearchOutcome, Failure> {
        let documents = Documents::of(self.task, &self.order.collections)?;
        let passing = documents.passing(condition)?;
        let stages = plan.stages.len();
        let mut narrowed = Narrowed::new(plan, gate(self.scratch, &passing)?);
        let hidden = narrowed.hidden();
        let mut telling = Telling::of(self.outlet, stages + usize::from(hidden.is_some()), hidden);
        let mut is_further = false;
        let explained = loop {
            telling.begin();
            match self.ask(&narrowed.plan, &mut telling, Some(&narrowed))? {
                // What refuses to answer so many has answered fewer before.
                Some(explained) if is_further && explained.stages.len() == 1 && explained.failure.is_some() => {
                    narrowed.ask_for_less();
                    telling.begin();
                    break self.ask(&narrowed.plan, &mut telling, None)?;
                }
                Some(explained) => break Some(explained),
                None => narrowed.ask_for_more(),
            }
            is_further = true;
        };
        telling.finish();
        let explained = explained.ok_or_else(|| Failure::new("internal", "nobody ended it"))?;
        let left: Vec<Left> = explained.stages.iter().map(Left::of).collect();
        let warnings = narrowed.exhausted(&left).into_iter().map(|(stage, depth)| {
            format!("the filters looked at the first {depth} documents of the stage `{stage}`; further ones may pass them too")
        });
        let warnings = warnings.collect();
        Ok(SearchOutcome { warnings, ..outcome(explained, hidden, &documents, &passing) })
    }

    /// Asks, and tells of each stage; returns `None` where more is to be asked for.
    fn ask(
        &self,
        plan: &PipelinePlan,
        telling: &mut Telling<'_>,
        narrowed: Option<&Narrowed>,
    ) -> Result<Option<Explanation>, Failure> {
        let workspace = self.task.workspace(self.scratch, Arc::clone(&self.plugins))?;
        let built = Pipeline::build(std::slice::from_ref(plan), &workspace)
            .map_err(|error| told("invalid_retriever", &error))?;
        let pipeline = built.first().ok_or_else(|| Failure::new("internal", "no pipeline was built"))?;
        let mut watch = |step: Step<'_>| telling.hear(&step, narrowed);
        let explained = explain_watched(pipeline, self.session.clone(), self.order.depth.get(), &mut watch);
        self.runtime.block_on(explained).map_err(|error| told("search_failed", &error))
    }
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

fn outcome(explained: Explanation, hidden: Option<usize>, documents: &Documents, places: &Places) -> SearchOutcome {
    let hit = |hit: Hit| {
        let collection = places.get(&hit.item_id).and_then(|place| documents.name(*place));
        FoundHit { item_id: hit.item_id, score: hit.score, collection }
    };
    let mut stages: Vec<SearchedStage> = Vec::with_capacity(explained.stages.len());
    for (position, explanation) in explained.stages.iter().enumerate() {
        match stages.last_mut().filter(|_| hidden == Some(position)) {
            Some(before) => before.go_on(explanation),
            None => stages.push(SearchedStage::of(explanation)),
        }
    }
    SearchOutcome {
        hits: explained.hits.into_iter().map(hit).collect(),
        latency_ns: explained.latency_ns,
        stages,
        failure: explained.failure.map(|problem| (problem.kind.clone().unwrap_or_default(), words(&problem))),
        warnings: Vec::new(),
    }
}

impl SearchedStage {
    pub(super) fn of(stage: &StageExplanation) -> Self {
        Self {
            name: stage.name.clone(),
            kind: stage.kind.clone(),
            state: stage.state.as_str().to_owned(),
            latency_ns: stage.latency_ns,
            entered: stage.entered,
            left: stage.left.len(),
            problem: stage.problem.as_ref().map(words),
        }
    }

    /// Adds what a stage did that is part of this one.
    pub(super) fn go_on(&mut self, stage: &StageExplanation) {
        self.latency_ns = self.latency_ns.saturating_add(stage.latency_ns);
        self.left = stage.left.len();
    }
}

fn words(problem: &Problem) -> String {
    match &problem.fix {
        Some(fix) => format!("{} ({fix})", problem.message),
        None => problem.message.clone(),
    }
}
