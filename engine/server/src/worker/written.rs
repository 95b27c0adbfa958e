//! A benchmark as a tenant wrote it, checked before it is queued, and as the worker will read it: with places for names.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rematch_engine::benchmark::spec::{BenchmarkSpec, CorpusSpec, RetrieverSpec};
use rematch_engine::benchmark::{Diagnostic, KeyPath, Plan, SpecSource};
use rematch_engine::forecast::{self, Conditions, Proportion};
use rematch_engine::replay::Pipeline;
use rematch_engine::sandbox::PluginHost;
use rematch_engine::score::ScoringContract;
use rematch_engine::select::{self, SelectError};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::inspect::in_full;
use super::names::{Names, place, place_stages};
use super::place::keys_at;
use super::{Failure, Task};

/// A benchmark to check.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CheckOrder {
    /// As it was written.
    pub benchmark: Written,
    /// `key.path=value` each.
    pub overrides: Vec<String>,
    /// What the organisation has.
    pub catalogue: Catalogue,
    /// Whether sessions, corpora and components must be there: not where only its settings are used to judge.
    pub with_inputs: bool,
    /// Says what a run would do.
    pub forecast: Option<Forecasting>,
}

/// How a run is forecast.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Forecasting {
    /// The power at which the smallest detectable effect is stated; the benchmark's where `None`.
    pub power: Option<f64>,
    /// The run directory of an earlier run to reckon from.
    pub earlier: Option<PathBuf>,
    /// Units that would be done at once.
    pub threads: NonZeroUsize,
}

/// A benchmark file as it was written.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Written {
    /// Its shape as JSON.
    Json(Value),
    /// TOML text.
    Toml(String),
    /// YAML text.
    Yaml(String),
}

impl Written {
    /// Returns its text.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Json(value) => serde_json::to_string_pretty(value).unwrap_or_default(),
            Self::Toml(text) | Self::Yaml(text) => text.clone(),
        }
    }

    fn file_name(&self) -> &'static str {
        match self {
            Self::Json(_) | Self::Yaml(_) => "benchmark.yaml",
            Self::Toml(_) => "benchmark.toml",
        }
    }
}

/// What a benchmark may name.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Catalogue {
    /// Corpora by name, with places.
    pub corpora: Map<String, Value>,
    /// The version that the name of a component alone means.
    pub latest: BTreeMap<String, String>,
    /// Sections of registered retrievers, with places.
    pub retrievers: Vec<Value>,
}

/// A mistake of whoever wrote the benchmark.
#[derive(Debug, Default, Serialize)]
struct Mistake {
    /// Where, by keys; empty where it has no place.
    key: String,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
    /// Where in the text that was sent, where it was text.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
}

pub(super) fn check(task: &Task, order: &CheckOrder, plugins: &Arc<PluginHost>) -> Result<Value, Failure> {
    match checked(task, order, plugins) {
        Ok(outcome) => Ok(outcome),
        Err(Wrong::Mistake(mut mistake)) => {
            let root = format!("{}/", task.root.display());
            mistake.message = mistake.message.replace(&root, "");
            mistake.help = mistake.help.map(|help| help.replace(&root, ""));
            Ok(json!({ "mistake": *mistake }))
        }
        Err(Wrong::Failure(failure)) => Err(failure),
    }
}

enum Wrong {
    Mistake(Box<Mistake>),
    Failure(Failure),
}

impl Wrong {
    fn of(key: &str, message: impl ToString) -> Self {
        Self::Mistake(Box::new(Mistake { key: key.to_owned(), message: message.to_string(), ..Mistake::default() }))
    }
}

fn internal(error: impl ToString) -> Wrong {
    Wrong::Failure(Failure::new("internal", error))
}

fn checked(task: &Task, order: &CheckOrder, plugins: &Arc<PluginHost>) -> Result<Value, Wrong> {
    let text = order.benchmark.text();
    let is_json = matches!(order.benchmark, Written::Json(_));
    let written = |diagnostic: Diagnostic| wrong(&diagnostic, &text, is_json, true);
    let source = SpecSource::of(&task.root.join(order.benchmark.file_name()), &text, &order.overrides);
    let source = source.map_err(written)?;
    let mut spec = source.parse().map_err(written)?;
    let names = Names { root: &task.root, catalogue: &order.catalogue, rooted: false };
    place(&mut spec, &names).map_err(|(keys, message)| at(&source, &keys, message, is_json))?;
    complete(&mut spec, &task.root, &order.catalogue)?;

    // From here on it is what the worker will read.
    let benchmark = without_nulls(serde_json::to_value(&spec).map_err(internal)?);
    let text = serde_json::to_string_pretty(&benchmark).map_err(internal)?;
    let written = |diagnostic: Diagnostic| wrong(&diagnostic, &text, true, false);
    let source = SpecSource::of(&task.root.join("benchmark.yaml"), &text, &[]).map_err(written)?;
    let plan = Plan::resolve(&source).map_err(written)?;
    // There is none unless a key of the benchmark file was forgotten when places were put in.
    plan.check_below(&task.root).map_err(|error| Wrong::of("", error))?;
    if let Some(predicate) = &plan.filter.predicate {
        select::check_predicate(predicate).map_err(|error| match error {
            SelectError::Predicate { reason } => {
                Wrong::of("sessions.filter.where", format!("not a predicate over the session columns: {reason}"))
            }
            other => Wrong::of("sessions.filter.where", in_full(&other)),
        })?;
    }
    if order.with_inputs {
        plan.check_inputs(&source).map_err(written)?;
        check_plugins(task, &plan, plugins)?;
    }
    let forecast = order.forecast.as_ref().map(|how| foresee(&plan, task, how)).transpose()?;
    Ok(json!({ "benchmark": benchmark, "summary": summary(&plan), "forecast": forecast }))
}

/// Adds registered retrievers that are named and not described, and corpora that are not.
fn complete(spec: &mut BenchmarkSpec, root: &Path, catalogue: &Catalogue) -> Result<(), Wrong> {
    let names = Names { root, catalogue, rooted: true };
    let named: Vec<String> = std::iter::once(&spec.baseline).chain(&spec.candidates).cloned().collect();
    for id in named {
        if spec.retriever.iter().any(|known| known.id == id) {
            continue;
        }
        let registered =
            catalogue.retrievers.iter().find(|section| section.get("id").and_then(Value::as_str) == Some(&id));
        let Some(section) = registered else { continue };
        let mut retriever: RetrieverSpec = serde_json::from_value(section.clone()).map_err(|error| {
            Wrong::of("retriever", format!("the registered retriever `{id}` cannot be used: {error}"))
        })?;
        place_stages(&mut retriever.stages, &KeyPath::root().key("retriever"), &names)
            .map_err(|(_, message)| Wrong::of("retriever", format!("the registered retriever `{id}`: {message}")))?;
        spec.retriever.push(retriever);
    }
    for (name, section) in &catalogue.corpora {
        if !spec.corpus.contains_key(name) {
            let corpus: CorpusSpec = serde_json::from_value(section.clone()).map_err(internal)?;
            spec.corpus.insert(name.clone(), corpus);
        }
    }
    Ok(())
}

/// A component that cannot be loaded, refuses its parameters or contradicts another scorer is found here.
fn check_plugins(task: &Task, plan: &Plan, plugins: &Arc<PluginHost>) -> Result<(), Wrong> {
    if plan.has_plugins() {
        ScoringContract::load(plan, plugins).map_err(|error| Wrong::of("scorer", in_full(&error)))?;
        let workspace = task.workspace(&std::env::temp_dir(), Arc::clone(plugins)).map_err(Wrong::Failure)?;
        Pipeline::check_plugins(&plan.pipelines, &workspace)
            .map_err(|error| Wrong::of("retriever", in_full(&error)))?;
    }
    Ok(())
}

fn foresee(plan: &Plan, task: &Task, how: &Forecasting) -> Result<Value, Wrong> {
    let power = Proportion::new(how.power.unwrap_or(plan.statistics.power));
    let conditions = Conditions {
        memory_bytes: usize::try_from(task.limits.memory_bytes / 4).unwrap_or(usize::MAX),
        threads: how.threads,
        power: power.map_err(|error| Wrong::of("power", error))?,
        earlier: how.earlier.clone(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(internal)?;
    let forecast = runtime.block_on(forecast::forecast(plan, &conditions));
    let forecast = forecast.map_err(|error| Wrong::of("sessions", in_full(&error)))?;
    let mut forecast = serde_json::to_value(&forecast).map_err(internal)?;
    if let Some(Value::Object(earlier)) = forecast.get_mut("earlier_run") {
        earlier.remove("directory");
    }
    Ok(forecast)
}

fn summary(plan: &Plan) -> Value {
    let ids: Vec<&str> = plan.pipelines.iter().map(|pipeline| pipeline.id.as_str()).collect();
    json!({
        "name": plan.name,
        "baseline": ids.first(),
        "candidates": ids.get(1..).unwrap_or_default(),
        "primary": plan.primary,
        "metrics": plan.metrics.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "scorers": plan.scorers.iter().map(|scorer| scorer.name.as_str()).collect::<Vec<_>>(),
        "gates": plan.gates.len(),
    })
}

/// Returns a mistake at those keys of what was written.
fn at(source: &SpecSource, keys: &KeyPath, message: String, is_json: bool) -> Wrong {
    let diagnostic = source.mistake_at(keys, message);
    let place = if is_json { None } else { diagnostic.position() };
    Wrong::Mistake(Box::new(Mistake {
        key: keys.to_string(),
        message: diagnostic.message().to_owned(),
        help: diagnostic.help().map(ToOwned::to_owned),
        line: place.map(|(line, _)| line),
        column: place.map(|(_, column)| column),
    }))
}

fn wrong(diagnostic: &Diagnostic, text: &str, is_json: bool, is_theirs: bool) -> Wrong {
    let place = diagnostic.position();
    let key = place.filter(|_| is_json).map(|(line, column)| keys_at(text, line, column));
    let place = place.filter(|_| is_theirs && !is_json);
    Wrong::Mistake(Box::new(Mistake {
        key: key.unwrap_or_default(),
        message: diagnostic.message().to_owned(),
        help: diagnostic.help().map(ToOwned::to_owned),
        line: place.map(|(line, _)| line),
        column: place.map(|(_, column)| column),
    }))
}

/// Returns a section without keys that say nothing. Values that components and endpoints are handed stay as they are.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.into_iter().filter(|(_, value)| !value.is_null());
            let is_handed_on = |key: &str| matches!(key, "params" | "parameters");
            kept.map(|(key, value)| if is_handed_on(&key) { (key, value) } else { (key, without_nulls(value)) })
                .collect::<Map<_, _>>()
                .into()
        }
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}
