//! The shape of `report.json`: `results` and `comparison` have the names and meanings of the retriever-benchmark API.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::benchmark::spec::OnScorerError;
use crate::benchmark::{Plan, ScorerPlan};
use crate::compare::Comparison;
use crate::compare::outcome::{BenchmarkComparison, BenchmarkResult};
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
    /// What a clock said; with each result's `latency` the only part that differs between two runs of one benchmark.
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
    /// The measure that decides.
    pub primary_metric: String,
    /// nDCG's gain function.
    pub gain: String,
    /// Whose conventions the metrics follow.
    pub compatibility: String,
    /// How the sample came about, with every exclusion by reason.
    pub selection: Selection,
    /// Content of every input.
    pub inputs: Vec<InputHash>,
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
            primary_metric: plan.primary.clone(),
            gain: text("/relevance/gain"),
            compatibility: text("/relevance/compatibility"),
            selection,
            inputs: manifest.inputs.clone(),
        }
    }
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
