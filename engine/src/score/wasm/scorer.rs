//! The scorer that outsiders write: a component behind the [`Scorer`] trait.

use std::num::NonZeroUsize;
use std::sync::Arc;

use super::aggregation;
use super::calls::Calls;
use super::description::Description;
use super::guest::Guest;
use super::measurement::{Measurement, Tally};
use crate::benchmark::PluginPlan;
use crate::sandbox::PluginHost;
use crate::sandbox::bindings::exports::rematch::scoring::guest;
use crate::sandbox::log::CallLog;
use crate::sandbox::{SandboxError, load};
use crate::score::{Case, ItemFields, ScoreError, ScoreMetric, ScoreOutcome, Scorer};

/// A WASM component as a [`Scorer`].
///
/// Instances are never called from two threads at once, so calls from several threads do not meet.
pub struct WasmScorer {
    pub(super) name: String,
    pub(super) params: String,
    pub(super) description: Description,
    pub(super) needs: guest::Columns,
    pub(super) guest: Guest,
    pub(super) host: Arc<PluginHost>,
    /// Name and version, for error texts.
    pub(super) plugin: String,
    /// Most sessions of one call.
    pub(super) batch: NonZeroUsize,
    /// Fuel that a call without sessions spends.
    pub(super) empty_call_fuel: u64,
    pub(super) items: Option<ItemFields>,
    /// Whether instances serve call after call, if the component allows it.
    pub(super) reuse: bool,
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
    /// [`ScoreError::Read`] when the file cannot be read; [`ScoreError::Load`] when it is larger than the limit, has
    /// another SHA-256 than the plan pins, is not a component of the world `scorer`, imports what nobody provides, does
    /// not compile within its limits or does not describe itself properly; [`ScoreError::Items`] when the corpus of its
    /// items cannot be read; [`ScoreError::Failed`] when it refuses its parameters or fails on the empty batch.
    pub fn load(name: &str, plugin: &PluginPlan, host: &Arc<PluginHost>) -> Result<Self, ScoreError> {
        let file = load::read(plugin).map_err(|error| of_scorer(name, error))?;
        let refused = |reason| of_scorer(name, load::refused(plugin, reason));
        let guest = Guest::new(&file, plugin, host).map_err(refused)?;
        let raw = guest.describe(|log| host.hear(name, log));
        let raw = raw.map_err(|failure| refused(format!("`describe` failed: {}", failure.reason)))?;
        let needs = raw.needs;
        let description = Description::of(raw, guest.aggregates(), file.sha256).map_err(refused)?;
        let items = match &plugin.items {
            Some(items) if needs.contains(guest::Columns::ITEM_FIELDS) => {
                Some(ItemFields::load(items).map_err(|error| ScoreError::Items(Box::new(error)))?)
            }
            None if needs.contains(guest::Columns::ITEM_FIELDS) => {
                return Err(refused(
                    "it asks for the fields of items, but the benchmark names no corpus; add \
                     `items = { corpus = \"...\", fields = [\"...\"] }` to the scorer"
                        .to_owned(),
                ));
            }
            _ => None,
        };
        let mut scorer = Self {
            name: name.to_owned(),
            params: plugin.params.clone(),
            plugin: format!("{} {}", description.name, description.version).trim_end().to_owned(),
            description,
            needs,
            guest,
            host: Arc::clone(host),
            batch: plugin.batch,
            empty_call_fuel: 0,
            items,
            reuse: true,
        };
        let mut tally = Tally::default();
        scorer.empty_call_fuel = Calls::new(&scorer, &mut tally).empty().map_err(|reason| scorer.failed(&reason))?;
        Ok(scorer)
    }

    /// Returns the scorer with a fresh instance for every call, whatever the component allows; for timing.
    #[must_use]
    pub fn without_reuse(self) -> Self {
        Self { reuse: false, ..self }
    }

    /// Returns what the component says of itself.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Scores like [`Scorer::score`], and says what it cost.
    ///
    /// # Errors
    ///
    /// As [`Scorer::score`].
    pub fn measure(&self, cases: &[Case<'_>]) -> Result<Measurement, ScoreError> {
        self.tallied(cases, Tally::with_log())
    }

    fn tallied(&self, cases: &[Case<'_>], mut tally: Tally) -> Result<Measurement, ScoreError> {
        let outcomes = Calls::new(self, &mut tally).score(cases).map_err(|reason| self.failed(&reason))?;
        Ok(tally.finish(outcomes))
    }

    /// Names the plugin and a session for an error text.
    pub(super) fn session(&self, case: &Case<'_>) -> String {
        format!("plugin `{}`, session `{}`", self.plugin, case.session.session_id)
    }

    fn failed(&self, reason: &str) -> ScoreError {
        let Self { name, plugin, .. } = self;
        ScoreError::Failed { scorer: name.clone(), reason: format!("plugin `{plugin}`: {reason}") }
    }
}

/// Names the scorer in an error of its component.
fn of_scorer(scorer: &str, error: SandboxError) -> ScoreError {
    let scorer = scorer.to_owned();
    match error {
        SandboxError::Read { path, source } => ScoreError::Read { scorer, path, source },
        SandboxError::Load { path, reason } => ScoreError::Load { scorer, path, reason },
        other => ScoreError::Sandbox(other),
    }
}

impl Scorer for WasmScorer {
    fn name(&self) -> &str {
        &self.name
    }

    fn metrics(&self) -> &[ScoreMetric] {
        &self.description.metrics
    }

    fn content_hash(&self) -> Option<&str> {
        Some(&self.description.sha256)
    }

    fn reads_relevance(&self) -> bool {
        use guest::Columns;
        self.needs.intersects(Columns::JUDGED | Columns::RELEVANCE | Columns::INTERACTIONS)
    }

    fn score(&self, cases: &[Case<'_>]) -> Result<Vec<ScoreOutcome>, ScoreError> {
        self.tallied(cases, Tally::default()).map(|measurement| measurement.outcomes)
    }

    fn aggregates(&self) -> bool {
        self.guest.aggregates()
    }

    fn aggregate(&self, metrics: &[Vec<Option<f64>>]) -> Result<Option<f64>, ScoreError> {
        let hear = |log: &CallLog| self.host.hear(&self.name, log);
        aggregation::aggregate(&self.guest, metrics, &self.params, hear).map_err(|reason| self.failed(&reason))
    }
}
