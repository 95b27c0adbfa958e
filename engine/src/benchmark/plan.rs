//! The plan: what will happen, with every default filled in, every path resolved and every reference checked.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rematch_metrics::top_lists::MOST_RANKS;
use rematch_metrics::{GainFunction, Metric};
use serde::{Deserialize, Deserializer, Serialize, de};

use super::borrowed::BorrowedPlan;
use super::cluster::ClusterAddress;
use super::diagnostic::Diagnostic;
use super::exposure::ExposurePlan;
use super::gate::GatePlan;
use super::lists::ListsPlan;
use super::parse::SpecSource;
use super::policy::PolicyPlan;
use super::spec::{
    Combine, Compatibility, FilterSpec, OnScorerError, OutputFormat, SampleStrategy, SessionFormat, SessionsPath, Wasi,
};
use super::stages::{StageKind, StagePlan};
use super::statistics::StatisticsPlan;
use crate::storage::is_url;

/// A benchmark as it was written, kept beside a run so that a value of it can be set anew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Written {
    /// The folder against which relative paths are resolved.
    pub folder: PathBuf,
    /// The file's content with its overrides, as a tree of values.
    pub benchmark: serde_json::Value,
}

impl Written {
    /// Returns the benchmark as a file is read, with overrides of the form `key.path=value`; `path` is where it is kept.
    ///
    /// # Errors
    ///
    /// Returns a diagnostic when an override is not of that form.
    pub fn source(&self, path: &Path, overrides: &[String]) -> Result<SpecSource, Diagnostic> {
        let source = SpecSource::of(path, &self.benchmark.to_string(), overrides)?;
        Ok(source.with_folder(&self.folder))
    }
}

/// A validated benchmark; `run` needs nothing else.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    /// The benchmark as it was written, with its overrides; `None` for a plan that was read from a run. It does not tell runs apart.
    #[serde(skip)]
    pub written: Option<Written>,
    /// The benchmark's name.
    pub name: String,
    /// Seed of everything random.
    pub seed: u64,
    /// Hits kept per ranking.
    pub depth: NonZeroUsize,
    /// Where the sessions are; paths are resolved against the benchmark file's folder.
    pub sessions: SessionsPath,
    /// The files' format, where it was said.
    pub session_format: Option<SessionFormat>,
    /// Which sessions are eligible.
    pub filter: FilterSpec,
    /// How many of them are replayed; `None` for all.
    pub sample: Option<SamplePlan>,
    /// How interactions and judgments become gains.
    pub relevance: RelevancePlan,
    /// How clicks are read as evidence where nobody judged.
    #[serde(default)]
    pub exposure: ExposurePlan,
    /// Every metric, without repeats, in the order of the report.
    #[serde(serialize_with = "metrics_as_text", deserialize_with = "metrics_from_text")]
    pub metrics: Vec<Metric>,
    /// The measure that decides the verdict: one of `metrics`, a scorer, one of its sub-scores or the scenario score.
    pub primary: String,
    /// What is said of lists beyond relevance; `None` where nothing is asked.
    #[serde(default)]
    pub lists: Option<ListsPlan>,
    /// Differences of the primary metric up to this size are neutral.
    pub noise_threshold: f64,
    /// How differences are tested.
    #[serde(default)]
    pub statistics: StatisticsPlan,
    /// The pipelines: the baseline first, then the candidates in the order written.
    pub pipelines: Vec<PipelinePlan>,
    /// The scoring contract; weights are normalised to a sum of 1.
    pub scorers: Vec<ScorerPlan>,
    /// Conditions that decide the exit code.
    pub gates: Vec<GatePlan>,
    /// Folder of the runs' folders.
    pub output_dir: PathBuf,
    /// Artefacts to write.
    pub formats: Vec<OutputFormat>,
    /// The file of failed gates that are accepted for a while; it need not be there. It never changes a report.
    #[serde(default)]
    pub acknowledgements: PathBuf,
    /// The cluster that does the work; `None` for this machine. It never changes a result, so it is not part of the run's
    /// identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterAddress>,
    /// The runs whose rankings are judged; `None` where the pipelines are replayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub borrowed: Option<BorrowedPlan>,
}

/// Ranks looked at for exposure where the primary metric has no cutoff.
const DEFAULT_SUPPORT_DEPTH: usize = 10;

impl Plan {
    /// Returns the number of first ranks over which it is asked whether users could have seen the hits: the primary
    /// metric's cutoff.
    #[must_use]
    pub fn support_depth(&self) -> usize {
        let cutoff = self.primary_metric().and_then(|metric| metric.cutoff());
        cutoff.map_or(DEFAULT_SUPPORT_DEPTH, NonZeroUsize::get).min(self.list_depth())
    }

    /// Returns the cutoffs at which lists are compared item by item, ascending: those of the metrics and of `lists`, up to
    /// [`MOST_RANKS`] ranks. There is at least one.
    #[must_use]
    pub fn list_cutoffs(&self) -> Vec<NonZeroUsize> {
        let named = self.lists.as_ref().map(|lists| lists.k);
        let cutoffs: BTreeSet<NonZeroUsize> = self.metrics.iter().filter_map(Metric::cutoff).chain(named).collect();
        let mut kept: Vec<NonZeroUsize> = cutoffs.into_iter().filter(|cutoff| cutoff.get() <= MOST_RANKS).collect();
        if kept.is_empty() {
            kept.push(NonZeroUsize::new(DEFAULT_SUPPORT_DEPTH).map_or(self.depth, |cutoff| cutoff.min(self.depth)));
        }
        kept
    }

    /// Returns the number of first ranks of which a part says which items stand there: the last of
    /// [`Plan::list_cutoffs`].
    #[must_use]
    pub fn list_depth(&self) -> usize {
        self.list_cutoffs().last().map_or(DEFAULT_SUPPORT_DEPTH, |cutoff| cutoff.get())
    }
}

/// How a sample is drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SamplePlan {
    /// How the sessions are drawn.
    pub strategy: SampleStrategy,
    /// How many.
    pub count: u64,
    /// The column whose values are the strata.
    pub by: String,
    /// Seed of the draw.
    pub seed: u64,
}

/// How interactions and judgments become gains.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RelevancePlan {
    /// nDCG's gain function.
    #[serde(serialize_with = "gain_as_text", deserialize_with = "gain_from_text")]
    pub gain: GainFunction,
    /// How several interactions with one item combine.
    pub combine: Combine,
    /// Weight by interaction kind, defaults included; a kind that is not listed weighs 1.
    pub weights: BTreeMap<String, f64>,
    /// Whose conventions the metrics follow.
    pub compatibility: Compatibility,
}

const LINEAR: &str = "linear";
const EXPONENTIAL: &str = "exponential";

fn gain_as_text<S: serde::Serializer>(gain: &GainFunction, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match gain {
        GainFunction::Linear => LINEAR,
        GainFunction::Exponential => EXPONENTIAL,
    })
}

fn gain_from_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<GainFunction, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        LINEAR => Ok(GainFunction::Linear),
        EXPONENTIAL => Ok(GainFunction::Exponential),
        other => Err(de::Error::unknown_variant(other, &[LINEAR, EXPONENTIAL])),
    }
}

/// One retriever, ready to be built.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PipelinePlan {
    /// Unique id.
    pub id: String,
    /// The name shown to people.
    pub name: String,
    /// Stages in order; the first is a source.
    pub stages: Vec<StagePlan>,
    /// Sessions in flight at once. It never changes a result, so it is not part of the run's identity.
    pub concurrency: NonZeroUsize,
    /// Whether answers are kept for later runs. It never changes a result, so it is not part of the run's identity.
    #[serde(default)]
    pub cache: bool,
}

impl PipelinePlan {
    /// Returns how its servers are asked; `None` where it asks none.
    #[must_use]
    pub fn policy(&self) -> Option<&PolicyPlan> {
        self.stages.iter().find_map(|stage| stage.does.policy())
    }

    /// Returns the longest time that an attempt at any of its servers may take; `None` where it asks none.
    #[must_use]
    pub fn longest_timeout(&self) -> Option<Duration> {
        longest_timeout(&self.stages)
    }
}

fn longest_timeout(stages: &[StagePlan]) -> Option<Duration> {
    let of_stage = |stage: &StagePlan| match &stage.does {
        StageKind::Fuse(plan) => plan.branches.iter().filter_map(|branch| longest_timeout(&branch.stages)).max(),
        does => does.policy().map(|policy| policy.timeout.0),
    };
    stages.iter().filter_map(of_stage).max()
}

/// A table of documents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CorpusPlan {
    /// Its name in the benchmark file.
    pub name: String,
    /// Path or glob, resolved against the benchmark file's folder.
    pub path: PathBuf,
    /// The column that holds the item id.
    pub id: String,
}

impl CorpusPlan {
    /// Returns whether its files do not lie on this machine.
    #[must_use]
    pub fn is_behind_a_url(&self) -> bool {
        is_url(&self.path.to_string_lossy())
    }
}

/// One weighted scoring function.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ScorerPlan {
    /// Unique name.
    pub name: String,
    /// What computes the score.
    pub source: ScorerSource,
    /// Normalised weight in (0, 1].
    pub weight: f64,
    /// What an error of one session means.
    pub on_error: OnScorerError,
}

/// What computes a score.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScorerSource {
    /// A built-in metric.
    Metric(#[serde(serialize_with = "metric_as_text", deserialize_with = "metric_from_text")] Metric),
    /// A WASM component.
    Plugin(Box<PluginPlan>),
}

fn metric_as_text<S: serde::Serializer>(metric: &Metric, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(metric)
}

fn metric_from_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Metric, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
}

fn metrics_from_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Metric>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    names.iter().map(|name| name.parse().map_err(de::Error::custom)).collect()
}

fn metrics_as_text<S: serde::Serializer>(metrics: &[Metric], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(metrics.iter().map(ToString::to_string))
}

/// A WASM component with its parameters and limits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PluginPlan {
    /// The component file.
    pub path: PathBuf,
    /// SHA-256 that the file must have, in lower-case hex.
    pub sha256: Option<String>,
    /// Parameters as JSON text; `{}` where none were given.
    pub params: String,
    /// Most sessions of one call.
    pub batch: NonZeroUsize,
    /// What a component that imports WASI gets.
    pub wasi: Wasi,
    /// The fields of the items that it sees.
    pub items: Option<ItemsPlan>,
    /// The sandbox's limits.
    pub limits: Limits,
}

impl PluginPlan {
    /// Most sessions of one call where the benchmark says nothing. More do not make a session cheaper, and the columns
    /// leave the processor's cache.
    pub const BATCH: NonZeroUsize = NonZeroUsize::new(1024).unwrap();

    /// Returns a plan of the component at `path` with every default.
    #[must_use]
    pub fn of(path: PathBuf) -> Self {
        Self {
            path,
            sha256: None,
            params: "{}".to_owned(),
            batch: Self::BATCH,
            wasi: Wasi::default(),
            items: None,
            limits: Limits::default(),
        }
    }
}

/// Fields of a corpus, as a scorer sees them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ItemsPlan {
    /// The documents.
    pub corpus: CorpusPlan,
    /// Names of the fields.
    pub fields: Vec<String>,
}

/// Limits of a component's sandbox, all resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Size of the component file, bytes.
    pub component_bytes: u64,
    /// CPU time for compiling the component, seconds.
    pub compile_seconds: u64,
    /// Memory for compiling the component, bytes.
    pub compile_memory_bytes: u64,
    /// Linear memory, bytes.
    pub memory_bytes: u64,
    /// Fuel per session; a batch gets this times its sessions, plus `fuel_base`.
    pub fuel_per_session: u64,
    /// Fuel for instantiation and the call itself.
    pub fuel_base: u64,
    /// Wall-clock backstop of one call, milliseconds.
    pub deadline_ms: u64,
    /// What one call may hand back, bytes as the host stores them.
    pub output_bytes: u64,
    /// Log messages that are kept of one call, bytes.
    pub log_bytes: u64,
    /// Elements of all tables together.
    pub table_elements: u64,
    /// Core instances, and as many tables.
    pub instances: u64,
}

impl Default for Limits {
    /// What the largest of the example components (an interpreter of 18 MB) needs, with room to spare.
    fn default() -> Self {
        Self {
            component_bytes: 32 << 20,
            compile_seconds: 60,
            compile_memory_bytes: 4 << 30,
            memory_bytes: 256 << 20,
            fuel_per_session: 10_000_000,
            fuel_base: 2_000_000_000,
            deadline_ms: 10_000,
            output_bytes: 16 << 20,
            log_bytes: 64 << 10,
            table_elements: 100_000,
            instances: 64,
        }
    }
}
