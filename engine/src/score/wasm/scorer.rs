//! The scorer that outsiders write: a component behind the [`Scorer`] trait.

use std::collections::BTreeSet;

use super::batch::Columns;
use super::bindings::exports::rematch::scoring::guest;
use super::guest::{Guest, Reply};
use super::load;
use super::outcomes::outcomes;
use crate::benchmark::PluginPlan;
use crate::score::{Case, ScoreError, ScoreOutcome, Scorer};

/// Most sessions of one call. More do not make it cheaper per session, and the columns leave the processor's cache.
const BATCH: usize = 1024;

/// What a component says of itself, for reports and listings.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Description {
    /// The component's name; never empty.
    pub name: String,
    /// Its version; may be empty.
    pub version: String,
    /// What the score means; may be empty.
    pub summary: String,
    /// JSON Schema of the parameters; may be empty.
    pub params_schema: String,
    /// Names of the metrics; the first is the score.
    pub metrics: Vec<String>,
    /// The column groups that it asks for, by their names in the WIT.
    pub needs: Vec<String>,
    /// SHA-256 of the component file, in lower-case hex.
    pub sha256: String,
}

/// A WASM component as a [`Scorer`].
///
/// It holds the compiled component and a thread that ticks for deadlines; both go when it is dropped. Every call of the
/// component runs in an instance of its own, so calls from several threads do not meet.
pub struct WasmScorer {
    name: String,
    params: String,
    description: Description,
    needs: guest::Columns,
    guest: Guest,
    plugin: String,
}

impl std::fmt::Debug for WasmScorer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("WasmScorer").field("name", &self.name).finish_non_exhaustive()
    }
}

impl WasmScorer {
    /// Reads, checks and compiles the component of the scorer `name`, asks it to describe itself, and has it score an
    /// empty batch, so that wrong parameters are found here and not in the middle of a run.
    ///
    /// # Errors
    ///
    /// [`ScoreError::Read`] when the file cannot be read; [`ScoreError::Load`] when it is larger than
    /// [`MAX_COMPONENT_BYTES`](super::MAX_COMPONENT_BYTES), has another SHA-256 than the plan pins, is not a component
    /// of the world `scorer`, imports anything, does not compile or does not describe itself properly;
    /// [`ScoreError::Failed`] when it refuses its parameters or fails on the empty batch.
    pub fn load(name: &str, plugin: &PluginPlan) -> Result<Self, ScoreError> {
        let file = load::read(name, plugin)?;
        let refused = |reason| load::refused(name, plugin, reason);
        let guest = Guest::compile(&file.bytes, plugin.limits).map_err(refused)?;
        let raw = guest.describe().map_err(|reason| refused(format!("`describe` failed: {reason}")))?;
        let needs = raw.needs;
        let description = described(raw, file.sha256).map_err(refused)?;
        let scorer = Self {
            name: name.to_owned(),
            params: plugin.params.clone(),
            plugin: format!("{} {}", description.name, description.version).trim_end().to_owned(),
            description,
            needs,
            guest,
        };
        scorer.call(&[]).map_err(|reason| scorer.failed(&reason))?;
        Ok(scorer)
    }

    /// Returns what the component says of itself.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.description
    }

    fn failed(&self, reason: &str) -> ScoreError {
        let Self { name, plugin, .. } = self;
        ScoreError::Failed { scorer: name.clone(), reason: format!("plugin `{plugin}`: {reason}") }
    }

    /// Scores one batch and finds the culprits of a failure.
    fn score_batch(&self, cases: &[Case<'_>]) -> Vec<ScoreOutcome> {
        match self.call(cases) {
            // What is left unspent by its neighbours is not a session's to spend: alone, it would have failed.
            Ok((outcomes, fuel)) if cases.len() <= 1 || fuel <= self.guest.fuel(1) => outcomes,
            Err(reason) if cases.len() <= 1 => {
                cases.iter().map(|_| ScoreOutcome::error(format!("plugin `{}`: {reason}", self.plugin))).collect()
            }
            Ok(_) | Err(_) => cases.chunks(1).flat_map(|case| self.score_batch(case)).collect(),
        }
    }

    fn call(&self, cases: &[Case<'_>]) -> Result<(Vec<ScoreOutcome>, u64), String> {
        let columns = Columns::of(cases, self.needs).map_err(|error| error.to_string())?;
        let Reply { scores, fuel } = self.guest.score(columns.lower(), &self.params)?;
        let scores = scores.map_err(|failure| match failure {
            guest::Failure::InvalidParams(message) => format!("refused its parameters: {message}"),
            guest::Failure::Internal(message) => message,
        })?;
        let outcomes = outcomes(&scores, cases.len(), &self.description.metrics, &self.plugin)?;
        Ok((outcomes, fuel))
    }
}

impl Scorer for WasmScorer {
    fn name(&self) -> &str {
        &self.name
    }

    fn score(&self, cases: &[Case<'_>]) -> Result<Vec<ScoreOutcome>, ScoreError> {
        Ok(cases.chunks(BATCH).flat_map(|batch| self.score_batch(batch)).collect())
    }
}

fn described(raw: guest::Description, sha256: String) -> Result<Description, String> {
    if raw.name.trim().is_empty() {
        return Err("`describe` gives it no name".to_owned());
    }
    if raw.metrics.is_empty() {
        return Err("`describe` names no metric, expected at least one".to_owned());
    }
    let mut seen = BTreeSet::new();
    for metric in &raw.metrics {
        if metric.trim().is_empty() || !seen.insert(metric) {
            return Err(format!("`describe` names the metrics {:?}, expected different, non-empty names", raw.metrics));
        }
    }
    let needs = needs(raw.needs);
    Ok(Description {
        name: raw.name,
        version: raw.version,
        summary: raw.summary,
        params_schema: raw.params_schema,
        metrics: raw.metrics,
        needs,
        sha256,
    })
}

fn needs(columns: guest::Columns) -> Vec<String> {
    let names = [
        (guest::Columns::JUDGED, "judged"),
        (guest::Columns::RELEVANCE, "relevance"),
        (guest::Columns::HITS, "hits"),
        (guest::Columns::HIT_SCORES, "hit-scores"),
        (guest::Columns::SHOWN, "shown"),
        (guest::Columns::INTERACTIONS, "interactions"),
        (guest::Columns::INTERACTION_DETAILS, "interaction-details"),
        (guest::Columns::SESSION_IDS, "session-ids"),
        (guest::Columns::TIMES, "times"),
        (guest::Columns::QUERIES, "queries"),
        (guest::Columns::QUERY_VECTORS, "query-vectors"),
        (guest::Columns::INPUTS, "inputs"),
        (guest::Columns::EXPECTED, "expected"),
        (guest::Columns::TAXONOMY, "taxonomy"),
        (guest::Columns::ITEM_IDS, "item-ids"),
    ];
    names.into_iter().filter(|(flag, _)| columns.contains(*flag)).map(|(_, name)| name.to_owned()).collect()
}
