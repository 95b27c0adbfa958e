//! The shape of `report.json`: `results` and `comparison` have the names and meanings of the retriever-benchmark API.

use std::collections::BTreeMap;

use rematch_metrics::preset::Preset;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::benchmark::spec::OnScorerError;
use crate::benchmark::stages::{OnStageError, StagePlan};
use crate::benchmark::{Arrival, PipelinePlan, Plan, PolicyPlan, ScorerPlan};
use crate::compare::Comparison;
use crate::compare::outcome::{BenchmarkComparison, BenchmarkResult};
use crate::schema::column;
use crate::score::{ScoreMetric, Scorer, ScoringContract};
use crate::select::Selection;
use crate::store::{InputHash, Manifest};

/// Version of the report's schema; it grows when a reader must change.
pub const SCHEMA_VERSION: u32 = 1;

/// A run's report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Version of this schema.
    pub schema_version: u32,
    /// What was run.
    pub run: RunInfo,
    /// One result per retriever, the baseline first.
    pub results: Vec<BenchmarkResult>,
    /// The candidates against the baseline.
    pub comparison: BenchmarkComparison,
    /// What a clock said; with each result's `latency`, and gates on it, the only part that differs between two runs of one
    /// benchmark.
    pub observed: Observed,
}

/// What was run, and on what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunInfo {
    /// The run's id: a hash of plan, inputs and engine version.
    pub id: String,
    /// The benchmark's name.
    pub name: String,
    /// Whether every arm answered.
    pub state: RunState,
    /// Version of the engine.
    pub engine_version: String,
    /// Seed of everything random.
    pub seed: u64,
    /// Hits kept per ranking.
    pub depth: u64,
    /// Every measure that is compared, in the order of the report: metrics, scorers with their sub-scores
    /// (`scorer.sub-score`), and the scenario score.
    pub metrics: Vec<String>,
    /// The scoring contract.
    #[serde(default)]
    pub scorers: Vec<ScorerInfo>,
    /// The retrievers, the baseline first.
    #[serde(default)]
    pub retrievers: Vec<RetrieverInfo>,
    /// The measure that decides.
    pub primary_metric: String,
    /// nDCG's gain function.
    pub gain: String,
    /// Whose conventions the metrics follow.
    pub compatibility: String,
    /// What each metric's number means, by its name: programs that print the same name compute different numbers.
    #[serde(default)]
    pub conventions: BTreeMap<String, ConventionInfo>,
    /// How the sample came about, with every exclusion by reason.
    pub selection: Selection,
    /// The runs whose rankings were judged, by id; none where the retrievers were replayed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub borrowed_from: Vec<String>,
    /// In what runs differ that are compared all the same, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<String>,
    /// Content of every input.
    pub inputs: Vec<InputHash>,
}

/// What a metric's number means, in words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConventionInfo {
    /// What an item is worth.
    pub gain: String,
    /// What a rank is worth.
    pub discount: String,
    /// What the sum is divided by.
    pub normaliser: String,
    /// What an item that nobody judged counts as.
    pub unjudged: String,
    /// In which order hits with equal scores count.
    pub ties: String,
    /// The ranks looked at.
    pub depth: String,
    /// What the value is where the metric is undefined.
    pub undefined: String,
    /// To what each session's value is rounded before anything is made of it.
    pub rounding: String,
}

/// One retriever of the benchmark.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RetrieverInfo {
    /// Its id.
    pub id: String,
    /// Its stages, in order.
    pub stages: Vec<StageInfo>,
    /// How its servers are asked; `null` where it asks none.
    pub asking: Option<AskingInfo>,
}

/// One stage of a retriever.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StageInfo {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// What an error means: `fail` or `skip`.
    pub on_error: OnStageError,
    /// How its server is asked, where the stage asks one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asking: Option<AskingInfo>,
}

/// How servers were asked. Lengths of time and sizes are texts such as `30s` and `16MiB`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AskingInfo {
    /// Sessions in flight.
    pub concurrency: u64,
    /// Most requests per second; `null` for no limit.
    pub rate: Option<f64>,
    /// `closed`, or `open` where requests were due at fixed times.
    pub arrival: Arrival,
    /// Longest time for a connection.
    pub connect_timeout: String,
    /// Longest wait for the next bytes.
    pub read_timeout: String,
    /// Longest time of an attempt.
    pub timeout: String,
    /// Most attempts after the first.
    pub retries: u32,
    /// Most retries for each request, over the run.
    pub retry_budget: f64,
    /// Failures in a row that stop the retriever; 0 for never.
    pub breaker: u32,
    /// Largest answer, decoded.
    pub max_body: String,
    /// Requests that were sent, and forgotten, before the first that counts.
    pub warm_up: u32,
}

/// One scorer of the contract.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScorerInfo {
    /// Its name in the benchmark.
    pub name: String,
    /// Its normalised weight in the scenario score.
    pub weight: f64,
    /// What an error of one session means: `fail`, `skip` or `zero`.
    pub on_error: OnScorerError,
    /// Its score and sub-scores.
    pub metrics: Vec<ScoreMetric>,
    /// Whether it sums up runs itself instead of by a mean.
    pub aggregates: bool,
}

/// Whether every arm of a finished run answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Every arm answered at least one session.
    Completed,
    /// An arm answered none.
    Failed,
}

/// What a clock said.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Observed {
    /// When the report was written, RFC 3339.
    pub completed_at: String,
}

impl Report {
    /// Returns the report of a comparison.
    #[must_use]
    pub fn new(run: RunInfo, comparison: Comparison, observed: Observed) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            run,
            results: comparison.results,
            comparison: comparison.comparison,
            observed,
        }
    }
}

impl RunInfo {
    /// Returns the scorer whose score or sub-score (`scorer.sub-score`) the measure is; `None` for a metric and for the
    /// scenario score.
    #[must_use]
    pub fn scorer_of(&self, measure: &str) -> Option<&ScorerInfo> {
        self.scorers.iter().find(|scorer| {
            measure.strip_prefix(&scorer.name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }

    /// Returns whether the measure that decides is a built-in metric, which `rematch explain` takes apart rank by rank.
    #[must_use]
    pub fn primary_is_metric(&self) -> bool {
        self.primary_metric != column::SCENARIO_SCORE && self.scorer_of(&self.primary_metric).is_none()
    }

    /// Returns what the manifest and the plan say of the run.
    #[must_use]
    pub fn of(
        manifest: &Manifest,
        plan: &Plan,
        contract: &ScoringContract,
        selection: Selection,
        state: RunState,
    ) -> Self {
        let text = |pointer: &str| {
            manifest.plan.pointer(pointer).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
        };
        Self {
            id: manifest.run_id.clone(),
            name: manifest.name.clone(),
            state,
            engine_version: manifest.engine_version.clone(),
            seed: manifest.seed,
            depth: plan.depth.get() as u64,
            metrics: contract.measures().iter().map(|measure| measure.name.clone()).collect(),
            scorers: scorers(plan, contract),
            retrievers: plan.pipelines.iter().map(retriever).collect(),
            primary_metric: plan.primary.clone(),
            gain: text("/relevance/gain"),
            compatibility: text("/relevance/compatibility"),
            conventions: conventions(plan),
            selection,
            borrowed_from: borrowed_from(plan),
            differences: plan.borrowed.as_ref().map(|borrowed| borrowed.differences.clone()).unwrap_or_default(),
            inputs: manifest.inputs.clone(),
        }
    }
}

fn borrowed_from(plan: &Plan) -> Vec<String> {
    plan.borrowed.iter().flat_map(|borrowed| &borrowed.runs).map(|run| run.run_id.clone()).collect()
}

fn conventions(plan: &Plan) -> BTreeMap<String, ConventionInfo> {
    let preset = Preset::from(plan.relevance.compatibility);
    let described = plan.metrics.iter().map(|metric| {
        let found = preset.convention(metric, plan.relevance.gain);
        let info = ConventionInfo {
            gain: found.gain,
            discount: found.discount,
            normaliser: found.normaliser,
            unjudged: found.unjudged,
            ties: found.ties,
            depth: found.depth,
            undefined: found.undefined,
            rounding: found.rounding,
        };
        (metric.to_string(), info)
    });
    described.collect()
}

fn retriever(plan: &PipelinePlan) -> RetrieverInfo {
    let asking = |policy: &PolicyPlan| AskingInfo {
        concurrency: policy.concurrency.map_or(plan.concurrency, |own| own.min(plan.concurrency)).get() as u64,
        rate: policy.rate,
        arrival: policy.arrival,
        connect_timeout: policy.connect_timeout.to_string(),
        read_timeout: policy.read_timeout.to_string(),
        timeout: policy.timeout.to_string(),
        retries: policy.retries,
        retry_budget: policy.retry_budget,
        breaker: policy.breaker,
        max_body: policy.max_body.to_string(),
        warm_up: policy.warm_up,
    };
    let stage = |stage: &StagePlan| StageInfo {
        name: stage.name.clone(),
        kind: stage.does.as_str().to_owned(),
        on_error: stage.on_error,
        asking: stage.does.policy().map(asking),
    };
    let stages = plan.stages.iter().map(stage).collect();
    RetrieverInfo { id: plan.id.clone(), stages, asking: plan.policy().map(asking) }
}

fn scorers(plan: &Plan, contract: &ScoringContract) -> Vec<ScorerInfo> {
    let info = |(planned, scorer): (&ScorerPlan, &dyn Scorer)| ScorerInfo {
        name: planned.name.clone(),
        weight: planned.weight,
        on_error: planned.on_error,
        metrics: scorer.metrics().to_vec(),
        aggregates: scorer.aggregates(),
    };
    plan.scorers.iter().zip(contract.scorers()).map(info).collect()
}

/// Returns the JSON Schema of `report.json`, generated from its types.
#[must_use]
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(Report).to_value()
}
