//! The benchmark file as written: serde types whose doc comments become the JSON Schema and the option reference.
//!
//! Every table refuses unknown keys. An `Option` here means "not written"; [`super::Plan`] holds the resolved values.

use std::collections::BTreeMap;
use std::fmt;
use std::num::{NonZeroU64, NonZeroUsize};

use rematch_metrics::preset::Preset;
use rematch_metrics::{GainFunction, Metric};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use super::exposure::{ExposureSpec, Propensity};
pub use super::gate::{Direction, GateOn, GateSpec, OnInconclusive, Regression};
pub use super::policy::{Arrival, ByteSize, TimeSpan};

pub use super::lists::ListsSpec;
pub use super::scorer_spec::{ItemsSpec, LimitsSpec, OnScorerError, ScorerSpec, Wasi};
pub use super::stages::{
    Bm25Spec, BoostMode, BoostSpec, BranchSpec, CombineFields, DedupeSpec, FilterHitsSpec, FuseMethod, FuseSpec,
    Missing, Normalise, OnStageError, PluginSpec, RecordedSpec, RerankSpec, ShownSpec, StageKindSpec, StageSpec,
    TruncateSpec, UnknownHits,
};
pub use super::statistics::{ClusterBy, Correction, FurtherTest, StatisticsSpec};

/// A benchmark: which sessions to replay, against which retrievers, and how to judge them.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BenchmarkSpec {
    /// The benchmark's name; it names the run's folder.
    pub name: String,
    /// Seed of everything random (sampling, randomisation). The same seed gives the same run.
    #[serde(default = "defaults::seed")]
    pub seed: u64,
    /// Id of the retriever that serves today.
    pub baseline: String,
    /// Ids of the retrievers that challenge it.
    pub candidates: Vec<String>,
    /// Number of hits kept per ranking.
    #[serde(default = "defaults::depth")]
    pub depth: NonZeroUsize,
    /// The sessions to replay.
    pub sessions: SessionsSpec,
    /// How interactions and judgments become gains.
    #[serde(default)]
    pub relevance: RelevanceSpec,
    /// How clicks are read as evidence where nobody judged.
    #[serde(default)]
    pub exposure: ExposureSpec,
    /// What is measured.
    #[serde(default)]
    pub metrics: MetricsSpec,
    /// How differences are tested.
    #[serde(default)]
    pub statistics: StatisticsSpec,
    /// What lists are good for beyond relevance: coverage, diversity, novelty, votes. Nothing where it is not given.
    #[serde(default)]
    pub lists: Option<ListsSpec>,
    /// Document tables that retrievers search, by name.
    #[serde(default)]
    pub corpus: BTreeMap<String, CorpusSpec>,
    /// The retrievers that `baseline` and `candidates` name.
    pub retriever: Vec<RetrieverSpec>,
    /// Weighted scoring functions; together they are the scoring contract of every scenario.
    #[serde(default)]
    pub scorer: Vec<ScorerSpec>,
    /// Conditions that decide the exit code.
    #[serde(default)]
    pub gate: Vec<GateSpec>,
    /// Where the run is written, and in which formats.
    #[serde(default)]
    pub output: OutputSpec,
    /// The scheduler of a cluster that does the work, `df://HOST:PORT`; this machine, where it is not given. It never changes a
    /// result.
    #[serde(default)]
    pub cluster: Option<String>,
}

/// Default values; each stands here and nowhere else.
pub(crate) mod defaults {
    use std::num::NonZeroUsize;

    pub(crate) const DEPTH: NonZeroUsize = NonZeroUsize::new(100).unwrap();

    pub(crate) fn seed() -> u64 {
        42
    }
    pub(crate) fn depth() -> NonZeroUsize {
        DEPTH
    }
    pub(crate) fn weight() -> f64 {
        1.0
    }
}

/// Where the sessions are, which of them are replayed, and how many.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SessionsSpec {
    /// A path or glob, a list of them, or a table that names another layout:
    /// `{ ubi = { queries = "...", events = "..." } }`, `{ trec = { topics = "...", qrels = "..." } }`, `{ beir = "dir" }`.
    pub path: SessionsPath,
    /// The files' format, where the ending does not tell it.
    #[serde(default)]
    pub format: Option<SessionFormat>,
    /// Which sessions are eligible.
    #[serde(default)]
    pub filter: FilterSpec,
    /// How many of the eligible ones are replayed; all, where it is not given.
    #[serde(default)]
    pub sample: Option<SampleSpec>,
}

/// The format of a file of sessions in the session schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SessionFormat {
    /// Apache Parquet.
    Parquet,
    /// Apache Arrow IPC, file or stream.
    Arrow,
    /// One JSON object per line.
    Jsonl,
    /// Comma-separated values with a header line.
    Csv,
}

/// Where sessions come from.
#[derive(Debug, Clone, PartialEq)]
pub enum SessionsPath {
    /// Files in the session schema: paths or globs.
    Files(Vec<String>),
    /// OpenSearch User Behavior Insights.
    Ubi(UbiSpec),
    /// TREC topics and judgments.
    Trec(TrecSpec),
    /// A BEIR directory: `queries.jsonl` and `qrels/*.tsv`.
    Beir(String),
}

/// The two files of OpenSearch User Behavior Insights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct UbiSpec {
    /// `ubi_queries`: NDJSON or Parquet, gzip allowed.
    pub queries: String,
    /// `ubi_events`: NDJSON or Parquet, gzip allowed.
    pub events: String,
    /// Keep only this `application`; logs of several applications must not be mixed.
    #[serde(default)]
    pub application: Option<String>,
}

/// TREC topics and judgments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TrecSpec {
    /// Topics: TREC XML or SGML, or `id TAB text`; without them the sessions carry no query text.
    #[serde(default)]
    pub topics: Option<String>,
    /// Judgments: `topic iteration document grade`.
    pub qrels: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct SessionsLayout {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ubi: Option<UbiSpec>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trec: Option<TrecSpec>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    beir: Option<String>,
}

impl<'de> Deserialize<'de> for SessionsPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PathVisitor;
        impl<'de> de::Visitor<'de> for PathVisitor {
            type Value = SessionsPath;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a path, a list of paths, or one of the tables `ubi`, `trec`, `beir`")
            }

            fn visit_str<E: de::Error>(self, path: &str) -> Result<SessionsPath, E> {
                Ok(SessionsPath::Files(vec![path.to_owned()]))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<SessionsPath, A::Error> {
                let mut paths = Vec::new();
                while let Some(path) = seq.next_element::<String>()? {
                    paths.push(path);
                }
                Ok(SessionsPath::Files(paths))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<SessionsPath, A::Error> {
                let layout = SessionsLayout::deserialize(de::value::MapAccessDeserializer::new(map))?;
                match layout {
                    SessionsLayout { ubi: Some(ubi), trec: None, beir: None } => Ok(SessionsPath::Ubi(ubi)),
                    SessionsLayout { ubi: None, trec: Some(trec), beir: None } => Ok(SessionsPath::Trec(trec)),
                    SessionsLayout { ubi: None, trec: None, beir: Some(beir) } => Ok(SessionsPath::Beir(beir)),
                    _ => Err(de::Error::custom("expected exactly one of the tables `ubi`, `trec`, `beir`")),
                }
            }
        }
        deserializer.deserialize_any(PathVisitor)
    }
}

impl Serialize for SessionsPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut layout = SessionsLayout { ubi: None, trec: None, beir: None };
        match self {
            Self::Files(paths) => return paths.serialize(serializer),
            Self::Ubi(ubi) => layout.ubi = Some(ubi.clone()),
            Self::Trec(trec) => layout.trec = Some(trec.clone()),
            Self::Beir(directory) => layout.beir = Some(directory.clone()),
        }
        layout.serialize(serializer)
    }
}

impl JsonSchema for SessionsPath {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SessionsPath".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let layout = generator.subschema_for::<SessionsLayout>();
        json_schema!({
            "anyOf": [
                { "type": "string" },
                { "type": "array", "items": { "type": "string" }, "minItems": 1 },
                layout,
            ]
        })
    }
}

/// Which sessions are eligible; every condition given must hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FilterSpec {
    /// Sessions served by one of these retrievers.
    #[serde(default)]
    pub retriever_ids: Vec<String>,
    /// Sessions that carry one of these taxonomy nodes, or a node below one of them.
    #[serde(default)]
    pub taxonomy_nodes: Vec<String>,
    /// Sessions in this time range, both ends included.
    #[serde(default)]
    pub time_range: Option<TimeRange>,
    /// Sessions with at least this many interactions.
    #[serde(default)]
    pub min_interactions: Option<u64>,
    /// Sessions with an interaction of one of these kinds.
    #[serde(default)]
    pub interaction_types: Vec<String>,
    /// Any SQL predicate over the session columns.
    #[serde(default, rename = "where")]
    pub predicate: Option<String>,
}

/// A time range with both ends included; an end that is not given is open.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TimeRange {
    /// The first instant, RFC 3339.
    #[serde(default)]
    pub start: Option<Instant>,
    /// The last instant, RFC 3339.
    #[serde(default)]
    pub end: Option<Instant>,
}

/// An instant, written as RFC 3339 text such as `2026-01-01T00:00:00Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(pub jiff::Timestamp);

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(|_| {
            de::Error::custom(format!("invalid time `{text}`, expected RFC 3339 text such as `2026-01-01T00:00:00Z`"))
        })
    }
}

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl JsonSchema for Instant {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Instant".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

/// How many of the eligible sessions are replayed, and which.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SampleSpec {
    /// How the sessions are drawn.
    #[serde(default)]
    pub strategy: SampleStrategy,
    /// How many; where fewer are eligible, all of them are taken.
    pub count: NonZeroU64,
    /// The column whose values are the strata; `taxonomy` stands for the first taxonomy node.
    #[serde(default)]
    pub by: Option<String>,
    /// Seed of the draw; the benchmark's seed where it is not given.
    #[serde(default)]
    pub seed: Option<u64>,
}

/// How a sample is drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SampleStrategy {
    /// Seeded uniform draw without replacement.
    #[default]
    Random,
    /// The newest sessions first; sessions without a time come last.
    Recent,
    /// Proportional per stratum (largest remainder), seeded uniform inside each.
    Stratified,
}

/// How interactions and judgments become gains. Judgments, where a session has any, take precedence.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RelevanceSpec {
    /// nDCG's gain function: `linear` (g, as trec_eval) or `exponential` (2^g - 1).
    #[serde(default)]
    pub gain: GainSpec,
    /// How several interactions with one item combine.
    #[serde(default)]
    pub combine: Combine,
    /// Weight by interaction kind; adds to, or replaces, the defaults.
    #[serde(default)]
    pub weights: BTreeMap<String, f64>,
}

/// nDCG's gain function.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GainSpec {
    /// The gain itself.
    #[default]
    Linear,
    /// 2^gain - 1.
    Exponential,
}

impl From<GainSpec> for GainFunction {
    fn from(gain: GainSpec) -> Self {
        match gain {
            GainSpec::Linear => Self::Linear,
            GainSpec::Exponential => Self::Exponential,
        }
    }
}

/// How several interactions with one item combine into a gain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Combine {
    /// The weight of the strongest kind.
    #[default]
    Max,
    /// The weights of the distinct kinds, added.
    Sum,
}

/// What is measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct MetricsSpec {
    /// Cutoffs of nDCG, recall and precision; 5, 10 and 20 where it is not given.
    #[serde(default)]
    pub k: Option<Vec<NonZeroUsize>>,
    /// The metric or scorer that decides the verdict; `nDCG@10` where it is not given.
    #[serde(default)]
    pub primary: Option<MeasureName>,
    /// Further metrics, in ir_measures' spelling: `RBP(p=0.8)`, `Success@1`, `AP(rel=2)`.
    #[serde(default)]
    pub extra: Vec<MetricName>,
    /// Whose numbers the metrics give. `strict` leaves undefined values out and counts them; `trec-eval` reproduces
    /// trec_eval's tables (`-c`: undefined is zero, scores read as f32, ties by document id descending); `ranx`,
    /// `elasticsearch` (`_rank_eval`, OpenSearch's too), `opensearch` (Search Relevance Workbench) and `quepid` reproduce
    /// those programs' numbers, and refuse metrics that they do not have. The report says what each number then means.
    #[serde(default)]
    pub compatibility: Compatibility,
    /// A difference of the primary metric up to this size counts as neutral; 1e-9 where it is not given.
    #[serde(default)]
    pub noise_threshold: Option<f64>,
}

/// Whose conventions the metrics follow where programs differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Compatibility {
    /// Undefined is undefined, never zero.
    #[default]
    Strict,
    /// trec_eval's tables, to the printed digit.
    TrecEval,
    /// ranx: grades below 1 do not count, undefined is zero, RBP's gain is the grade.
    Ranx,
    /// `_rank_eval` of Elasticsearch and OpenSearch: gain 2^rating - 1, precision over the hits that were returned.
    Elasticsearch,
    /// OpenSearch's Search Relevance Workbench: what is relevant follows from each search's ratings, values have two digits.
    #[serde(rename = "opensearch")]
    OpenSearch,
    /// Quepid's shipped scorers: gain 2^rating - 1, and an ideal that no cutoff shortens.
    Quepid,
}

impl Compatibility {
    /// Returns whether a value that is defined is our own.
    #[must_use]
    pub(crate) fn has_our_values(self) -> bool {
        matches!(self, Self::Strict | Self::TrecEval)
    }
}

impl From<Compatibility> for Preset {
    fn from(compatibility: Compatibility) -> Self {
        match compatibility {
            Compatibility::Strict => Self::Strict,
            Compatibility::TrecEval => Self::TrecEval,
            Compatibility::Ranx => Self::Ranx,
            Compatibility::Elasticsearch => Self::Elasticsearch,
            Compatibility::OpenSearch => Self::OpenSearch,
            Compatibility::Quepid => Self::Quepid,
        }
    }
}

/// A metric by its ir_measures name, such as `nDCG@10`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MetricName(pub Metric);

impl<'de> Deserialize<'de> for MetricName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map(Self).map_err(de::Error::custom)
    }
}

impl Serialize for MetricName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl JsonSchema for MetricName {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "MetricName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "examples": ["nDCG@10", "R@20", "P@5", "RR", "AP(rel=2)", "RBP(p=0.8)"] })
    }
}

/// What can be compared, by name: a metric such as `nDCG@10`, a scorer of the benchmark, one of its sub-scores
/// (`scorer.sub-score`), or `scenario_score`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend("examples" = ["nDCG@10", "RBP(p=0.8)", "scenario_score"]))]
pub struct MeasureName(pub String);

/// A table of documents that retrievers search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CorpusSpec {
    /// A path or glob of Parquet, JSONL or CSV files, gzip allowed for text.
    pub path: String,
    /// The column that holds the item id; it must be unique.
    pub id: String,
}

/// A retriever: an ordered list of stages.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RetrieverSpec {
    /// Unique id.
    pub id: String,
    /// The name shown to people; the id where it is not given.
    #[serde(default)]
    pub name: Option<String>,
    /// The stages in order; the first is a source.
    pub stages: Vec<StageSpec>,
    /// Number of sessions in flight at once; one per core where it is not given.
    #[serde(default)]
    pub concurrency: Option<NonZeroUsize>,
    /// Whether answers are kept, and an unchanged retriever is not asked again in later runs: `true` where every stage is
    /// deterministic and local (`bm25`, `plugin`), `false` where a server answers. Recordings and shown lists are never kept.
    #[serde(default)]
    pub cache: Option<bool>,
    /// Most requests per second that a server is sent; as many as fit where it is not given.
    #[serde(default)]
    pub rate: Option<f64>,
    /// How requests arrive at a server; `closed` where it is not given. `open` needs `rate`: request i is due at i/rate
    /// seconds, and its latency counts from then.
    #[serde(default)]
    pub arrival: Option<Arrival>,
    /// Longest time for a connection to a server; `2s` where it is not given.
    #[serde(default)]
    pub connect_timeout: Option<TimeSpan>,
    /// Longest wait for the next bytes of an answer; `10s` where it is not given. Up to the first bytes, the connection is
    /// part of it.
    #[serde(default)]
    pub read_timeout: Option<TimeSpan>,
    /// Longest time of an attempt, until its answer is read; `30s` where it is not given.
    #[serde(default)]
    pub timeout: Option<TimeSpan>,
    /// Most attempts after the first, where a failure may pass; 2 where it is not given.
    #[serde(default)]
    pub retries: Option<u32>,
    /// Wait before the first retry, which doubles with each; `100ms` where it is not given.
    #[serde(default)]
    pub retry_backoff: Option<TimeSpan>,
    /// Longest such wait; `5s` where it is not given.
    #[serde(default)]
    pub retry_backoff_cap: Option<TimeSpan>,
    /// Longest wait that a server may ask for (`Retry-After`); `30s` where it is not given.
    #[serde(default)]
    pub retry_after_cap: Option<TimeSpan>,
    /// Most retries for each first attempt over the run, 0 to 1; 0.1 where it is not given.
    #[serde(default)]
    pub retry_budget: Option<f64>,
    /// Largest answer, decompressed; `16MiB` where it is not given.
    #[serde(default)]
    pub max_body: Option<ByteSize>,
    /// Failures in a row after which the retriever is given up and the run stops, to be resumed; 20 where it is not given,
    /// 0 for never.
    #[serde(default)]
    pub breaker: Option<u32>,
    /// Most redirects that are followed, on the same host only; 0 where it is not given.
    #[serde(default)]
    pub redirects: Option<u32>,
    /// Requests that are sent, and forgotten, before the first that counts; 0 where it is not given.
    #[serde(default)]
    pub warm_up: Option<u32>,
}

/// Where the run is written, and in which formats.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OutputSpec {
    /// The folder that holds the runs' folders; `runs` where it is not given.
    #[serde(default)]
    pub dir: Option<String>,
    /// Artefacts to write; `json`, `parquet` and `html` where it is not given.
    #[serde(default)]
    pub formats: Option<Vec<OutputFormat>>,
    /// The file of failed gates that are accepted for a while; `acknowledgements.toml` beside the benchmark file, if there is
    /// one, where it is not given.
    #[serde(default)]
    pub acknowledgements: Option<String>,
}

/// An artefact of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OutputFormat {
    /// `report.json`.
    Json,
    /// The Parquet tables.
    Parquet,
    /// `report.html`.
    Html,
    /// `judge_next.parquet` and `judge_next.csv`: for each candidate the 100 unjudged items that could change the primary
    /// metric's difference most. It reads the hits of their sessions again.
    JudgeNext,
}
