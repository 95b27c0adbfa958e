//! From what was written to what will happen: fills in defaults, resolves paths, checks every reference.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use rematch_metrics::Metric;
use rematch_metrics::preset::Preset;

use super::cluster::{ClusterAddress, ClusterAddressError};
use super::diagnostic::{Diagnostic, KeyPath, did_you_mean};
use super::gate::{Observed, gates};
use super::parse::SpecSource;
use super::plan::{Plan, RelevancePlan, SamplePlan, ScorerSource, Written};
use super::resolve_retrievers::pipelines;
use super::resolve_scorers::scorers;
use super::shortest::shortest;
use super::spec::{
    BenchmarkSpec, MeasureName, MetricsSpec, OutputFormat, RelevanceSpec, SampleSpec, SampleStrategy, ScorerSpec,
    SessionsPath, SessionsSpec,
};
use super::statistics::statistics;
use crate::schema::{self, column};
use crate::score::relevance::DEFAULT_WEIGHTS;
use crate::storage::{self, Location, LocationError, is_url};

const DEFAULT_CUTOFFS: [usize; 3] = [5, 10, 20];
const DEFAULT_PRIMARY: &str = "nDCG@10";
const DEFAULT_NOISE_THRESHOLD: f64 = 1e-9;
const DEFAULT_OUTPUT_DIR: &str = "runs";
const ACKNOWLEDGEMENTS: &str = "acknowledgements.toml";

/// What a resolver needs beside the value: where it stands, for the diagnostic.
pub(super) struct Context<'a> {
    pub(super) source: &'a SpecSource,
    pub(super) spec: &'a BenchmarkSpec,
}

impl Context<'_> {
    pub(super) fn mistake(&self, keys: &KeyPath, message: impl Into<String>) -> Diagnostic {
        self.source.mistake_at(keys, message.into())
    }

    /// Returns a mistake at a value that holds a secret, or may: it names the keys, and shows neither the line nor the `--set`
    /// that the value comes from.
    pub(super) fn secret_mistake(&self, keys: &KeyPath, message: impl fmt::Display) -> Diagnostic {
        self.source.mistake_at(keys, String::new()).concealed(format!("`{keys}`: {message}"))
    }

    /// Resolves a path of the file against the file's folder; a URL stays as it is written.
    pub(super) fn path(&self, keys: &KeyPath, path: &str) -> Result<PathBuf, Diagnostic> {
        if path.is_empty() {
            return Err(self.mistake(keys, "empty path"));
        }
        if is_url(path) {
            let location: Location =
                path.parse().map_err(|error: LocationError| self.mistake(keys, error.to_string()))?;
            return Ok(location.to_path());
        }
        Ok(self.beside(path))
    }

    /// Returns the place of what lies beside the benchmark file, as it is told to people.
    pub(super) fn beside(&self, path: impl AsRef<Path>) -> PathBuf {
        shortest(&self.source.folder().join(path))
    }
}

impl Plan {
    /// Resolves the benchmark in `source`.
    ///
    /// # Errors
    ///
    /// Returns a diagnostic for the first mistake: bad syntax, an unknown key, an id that names nothing, a value out of
    /// range.
    pub fn resolve(source: &SpecSource) -> Result<Self, Diagnostic> {
        let spec = source.parse()?;
        let context = Context { source, spec: &spec };
        let root = KeyPath::root();
        if spec.name.trim().is_empty() {
            return Err(context.mistake(&root.key("name"), "the name is empty"));
        }
        let session_path = session_path(&context, &spec.sessions)?;
        check_filter(&context)?;
        let metrics = metrics(&context, &spec.metrics)?;
        let primary = match &spec.metrics.primary {
            Some(name) => measure(&context, name, &root.key("metrics").key("primary"))?,
            None => DEFAULT_PRIMARY.to_owned(),
        };
        let relevance = relevance(&context, &spec.relevance)?;
        let lists = spec.lists.as_ref().map(|lists| lists.resolve(&context)).transpose()?;
        let pipelines = pipelines(&context)?;
        let output_dir = spec.output.dir.as_deref().unwrap_or(DEFAULT_OUTPUT_DIR);
        let all_formats = || vec![OutputFormat::Json, OutputFormat::Parquet, OutputFormat::Html];
        Ok(Self {
            seed: spec.seed,
            depth: spec.depth,
            sessions: session_path,
            session_format: spec.sessions.format,
            filter: spec.sessions.filter.clone(),
            sample: spec.sessions.sample.as_ref().map(|sample| sample_plan(&context, sample)).transpose()?,
            relevance,
            exposure: super::exposure::exposure(&context, &spec.exposure)?,
            primary,
            metrics,
            lists,
            noise_threshold: spec.metrics.noise_threshold.unwrap_or(DEFAULT_NOISE_THRESHOLD),
            statistics: statistics(&context)?,
            pipelines,
            scorers: scorers(&context)?,
            gates: gates(&context)?,
            output_dir: context.path(&root.key("output").key("dir"), output_dir)?,
            formats: spec.output.formats.clone().unwrap_or_else(all_formats),
            acknowledgements: acknowledgements(&context)?,
            cluster: cluster(&context)?,
            borrowed: None,
            written: written(source, &spec),
            name: spec.name.clone(),
        })
    }

    /// Returns whether a scorer is a component, or a stage that will be replayed.
    #[must_use]
    pub fn has_plugins(&self) -> bool {
        self.scorers.iter().any(|scorer| matches!(scorer.source, ScorerSource::Plugin(_)))
            || self.borrowed.is_none()
                && self.pipelines.iter().flat_map(|pipeline| &pipeline.stages).any(|stage| stage.does.has_plugins())
    }

    /// Returns the metric that decides the verdict; `None` where a scorer does.
    #[must_use]
    pub fn primary_metric(&self) -> Option<Metric> {
        self.metrics.iter().copied().find(|metric| metric.to_string() == self.primary)
    }
}

/// Returns what of the benchmark judges as a tree of values, without what was not given; `None` where it cannot be written so.
/// Retrievers are kept by id alone: how they are asked judges nothing, and may hold what is nobody else's business.
fn written(source: &SpecSource, spec: &BenchmarkSpec) -> Option<Written> {
    let mut benchmark = serde_json::to_value(spec).ok()?;
    let retrievers = benchmark.get_mut("retriever").and_then(|retrievers| retrievers.as_array_mut())?;
    for retriever in retrievers {
        let id = retriever.get("id")?.clone();
        *retriever = serde_json::json!({ "id": id, "stages": [{ "kind": "shown" }] });
    }
    leave_out_nulls(&mut benchmark);
    Some(Written { folder: std::path::absolute(source.folder()).ok()?, benchmark })
}

fn leave_out_nulls(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(leave_out_nulls);
        }
        serde_json::Value::Array(values) => values.iter_mut().for_each(leave_out_nulls),
        _ => {}
    }
}

/// Returns the canonical name of a measure: what the scorers give, or a metric. Metrics are known by more than one
/// spelling, so that a scorer of that very name comes first.
pub(super) fn measure(context: &Context<'_>, name: &MeasureName, keys: &KeyPath) -> Result<String, Diagnostic> {
    if is_of_scorers(&context.spec.scorer, name) {
        return Ok(name.0.clone());
    }
    let unknown = match name.0.parse::<Metric>() {
        Ok(metric) => return Ok(metric.to_string()),
        Err(unknown) => unknown,
    };
    let scorers = &context.spec.scorer;
    let names: Vec<&str> = scorers.iter().map(|scorer| scorer.name.as_str()).collect();
    let message = match names.as_slice() {
        [] => unknown.to_string(),
        names => format!("{unknown}; nor is it one of the scorers `{}`", names.join("`, `")),
    };
    Err(context.mistake(keys, message))
}

/// Parses a name that stands in this file; such a name is always known.
fn parsed(name: &str) -> Metric {
    #[expect(clippy::expect_used, reason = "built-in names are covered by the test `every_default_metric_parses`")]
    name.parse().expect("a built-in metric name")
}

/// Returns whether the scorers give the measure: a scorer, one of its sub-scores, or the scenario score.
fn is_of_scorers(scorers: &[ScorerSpec], name: &MeasureName) -> bool {
    let of_scorer = |scorer: &ScorerSpec| {
        name.0 == scorer.name || name.0.strip_prefix(&scorer.name).is_some_and(|rest| rest.starts_with('.'))
    };
    scorers.iter().any(of_scorer) || (!scorers.is_empty() && name.0 == column::SCENARIO_SCORE)
}

fn session_path(context: &Context<'_>, sessions: &SessionsSpec) -> Result<SessionsPath, Diagnostic> {
    let keys = KeyPath::root().key("sessions").key("path");
    let resolve = |keys: &KeyPath, path: &str| context.path(keys, path).map(|path| path.display().to_string());
    Ok(match &sessions.path {
        SessionsPath::Files(paths) if paths.is_empty() => return Err(context.mistake(&keys, "no path is given")),
        SessionsPath::Files(paths) => {
            let resolved: Result<Vec<String>, Diagnostic> =
                paths.iter().enumerate().map(|(index, path)| resolve(&keys.index(index), path)).collect();
            SessionsPath::Files(resolved?)
        }
        SessionsPath::Ubi(ubi) => {
            let keys = keys.key("ubi");
            let mut ubi = ubi.clone();
            ubi.queries = resolve(&keys.key("queries"), &ubi.queries)?;
            ubi.events = resolve(&keys.key("events"), &ubi.events)?;
            SessionsPath::Ubi(ubi)
        }
        SessionsPath::Trec(trec) => {
            let keys = keys.key("trec");
            let mut trec = trec.clone();
            trec.topics = trec.topics.map(|topics| resolve(&keys.key("topics"), &topics)).transpose()?;
            trec.qrels = resolve(&keys.key("qrels"), &trec.qrels)?;
            SessionsPath::Trec(trec)
        }
        SessionsPath::Beir(directory) => SessionsPath::Beir(resolve(&keys.key("beir"), directory)?),
    })
}

fn check_filter(context: &Context<'_>) -> Result<(), Diagnostic> {
    let keys = KeyPath::root().key("sessions").key("filter");
    let Some(range) = &context.spec.sessions.filter.time_range else { return Ok(()) };
    match (range.start, range.end) {
        (Some(start), Some(end)) if start > end => {
            let message = format!("the range ends at {} before it starts at {}", end.0, start.0);
            Err(context.mistake(&keys.key("time-range"), message))
        }
        _ => Ok(()),
    }
}

fn sample_plan(context: &Context<'_>, sample: &SampleSpec) -> Result<SamplePlan, Diagnostic> {
    let keys = KeyPath::root().key("sessions").key("sample").key("by");
    if let Some(by) = &sample.by {
        if sample.strategy != SampleStrategy::Stratified {
            return Err(context.mistake(&keys, "`by` is for `strategy = \"stratified\"` only"));
        }
        let strata = stratum_columns();
        if !strata.contains(&by.as_str()) {
            let message = format!("`{by}` is not a column to stratify by, expected one of `{}`", strata.join("`, `"));
            let mistake = context.mistake(&keys, message);
            return Err(match did_you_mean(by, strata) {
                Some(known) => mistake.with_help(format!("did you mean `{known}`?")),
                None => mistake,
            });
        }
    }
    Ok(SamplePlan {
        strategy: sample.strategy,
        count: sample.count.get(),
        by: sample.by.clone().unwrap_or_else(|| column::TAXONOMY.to_owned()),
        seed: sample.seed.unwrap_or(context.spec.seed),
    })
}

/// The session columns that hold one value per session and may repeat it, and the taxonomy.
fn stratum_columns() -> Vec<&'static str> {
    static COLUMNS: std::sync::LazyLock<Vec<String>> = std::sync::LazyLock::new(|| {
        let fields = schema::SESSIONS.fields().iter();
        let single = |name: &str| name == column::SESSION_ID || name == column::TIMESTAMP;
        let eligible = fields.filter(|field| {
            field.name() == column::TAXONOMY || !field.data_type().is_nested() && !single(field.name())
        });
        eligible.map(|field| field.name().clone()).collect()
    });
    COLUMNS.iter().map(String::as_str).collect()
}

fn relevance(context: &Context<'_>, spec: &RelevanceSpec) -> Result<RelevancePlan, Diagnostic> {
    let mut weights: BTreeMap<String, f64> =
        DEFAULT_WEIGHTS.iter().map(|(kind, weight)| ((*kind).to_owned(), *weight)).collect();
    for (kind, weight) in &spec.weights {
        if !weight.is_finite() || *weight < 0.0 {
            let keys = KeyPath::root().key("relevance").key("weights").key(kind);
            return Err(context.mistake(&keys, format!("weight {weight} is not a number of 0 or more")));
        }
        weights.insert(kind.clone(), *weight);
    }
    let compatibility = context.spec.metrics.compatibility;
    Ok(RelevancePlan { gain: spec.gain.into(), combine: spec.combine, weights, compatibility })
}

/// Refuses a metric that the program has not whose numbers are asked for.
pub(super) fn in_preset(context: &Context<'_>, metric: Metric, keys: &KeyPath) -> Result<(), Diagnostic> {
    let checked = Preset::from(context.spec.metrics.compatibility).check(&metric);
    let help = "leave it out, or set `metrics.compatibility` to `strict`";
    checked.map_err(|refused| context.mistake(keys, refused.to_string()).with_help(help))
}

/// The metrics in the order of the report: nDCG, recall and precision at each cutoff, RR, AP, then what else is named. Of
/// those that nobody names, what the program of `compatibility` has not is left out.
fn metrics(context: &Context<'_>, spec: &MetricsSpec) -> Result<Vec<Metric>, Diagnostic> {
    let keys = KeyPath::root().key("metrics");
    let cutoffs: Vec<usize> = match &spec.k {
        Some(cutoffs) if cutoffs.is_empty() => return Err(context.mistake(&keys.key("k"), "no cutoff is given")),
        Some(cutoffs) => cutoffs.iter().copied().map(NonZeroUsize::get).collect::<BTreeSet<_>>().into_iter().collect(),
        None => DEFAULT_CUTOFFS.iter().copied().filter(|cutoff| *cutoff <= context.spec.depth.get()).collect(),
    };
    if let Some(threshold) = spec.noise_threshold.filter(|threshold| !threshold.is_finite() || *threshold < 0.0) {
        return Err(context.mistake(&keys.key("noise-threshold"), format!("{threshold} is not a number of 0 or more")));
    }
    let mut all: Vec<(Metric, KeyPath)> = Vec::new();
    let mut add = |metric: Metric, keys: KeyPath| {
        if !all.iter().any(|(known, _)| *known == metric) {
            all.push((metric, keys));
        }
    };
    let preset = Preset::from(spec.compatibility);
    let usual =
        ["nDCG", "R", "P"].iter().flat_map(|family| cutoffs.iter().map(move |cutoff| format!("{family}@{cutoff}")));
    let usual = usual.map(|name| (parsed(&name), keys.key("k")));
    let whole = ["RR", "AP"].map(|name| (parsed(name), keys.clone()));
    for (metric, keys) in usual.chain(whole).filter(|(metric, _)| preset.check(metric).is_ok()) {
        add(metric, keys);
    }
    let scorers = &context.spec.scorer;
    let named = |name: &MeasureName| name.0.parse::<Metric>().ok().filter(|_| !is_of_scorers(scorers, name));
    match &spec.primary {
        Some(name) => named(name).into_iter().for_each(|metric| add(metric, keys.key("primary"))),
        None => add(parsed(DEFAULT_PRIMARY), keys.clone()),
    }
    for (index, extra) in spec.extra.iter().enumerate() {
        add(extra.0, keys.key("extra").index(index));
    }
    for (index, gate) in context.spec.gate.iter().enumerate() {
        let observed = Observed::of(&gate.metric.0).is_some();
        if let Some(metric) = named(&gate.metric).filter(|_| !observed) {
            add(metric, KeyPath::root().key("gate").index(index).key("metric"));
        }
    }
    let depth = context.spec.depth;
    for (metric, keys) in &all {
        in_preset(context, *metric, keys)?;
        if metric.cutoff().is_some_and(|cutoff| cutoff > depth) {
            let message = format!("`{metric}` looks deeper than the {depth} hits that are kept");
            return Err(context.mistake(keys, message).with_help("raise `depth` or lower the cutoff"));
        }
    }
    Ok(all.into_iter().map(|(metric, _)| metric).collect())
}

/// Returns the cluster that is asked for.
fn cluster(context: &Context<'_>) -> Result<Option<ClusterAddress>, Diagnostic> {
    let address = context.spec.cluster.as_deref().map(str::parse).transpose();
    address.map_err(|error: ClusterAddressError| context.mistake(&KeyPath::root().key("cluster"), error.to_string()))
}

/// Returns the file of acknowledgements: the one that is named, else the one that may lie beside the benchmark file.
fn acknowledgements(context: &Context<'_>) -> Result<PathBuf, Diagnostic> {
    let keys = KeyPath::root().key("output").key("acknowledgements");
    match &context.spec.output.acknowledgements {
        Some(path) if is_url(path) => Err(context.mistake(&keys, "acknowledgements are read from this machine only")),
        Some(path) => context.path(&keys, path),
        None if is_url(&context.source.folder().to_string_lossy()) => Ok(PathBuf::from(ACKNOWLEDGEMENTS)),
        None => Ok(context.beside(ACKNOWLEDGEMENTS)),
    }
}

/// Returns whether `path` names something that is there; a glob must match a file.
///
/// # Errors
///
/// Returns an error when it cannot be told, since a store cannot be reached, say.
pub(super) fn is_there(path: &Path) -> io::Result<bool> {
    let pattern = path.to_string_lossy();
    if is_url(&pattern) {
        return storage::is_there(path);
    }
    Ok(path.exists() || glob::glob(&pattern).is_ok_and(|mut matches| matches.any(|found| found.is_ok())))
}
