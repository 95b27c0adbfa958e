//! A scoring component, compiled and linked, and its instances.

use crate::benchmark::PluginPlan;
use crate::sandbox::PluginHost;
use crate::sandbox::bindings::exports::rematch::scoring::guest;
use crate::sandbox::bindings::summing::SummingPre;
use crate::sandbox::bindings::summing::exports::rematch::scoring::aggregation;
use crate::sandbox::bindings::{Scorer, ScorerPre};
use crate::sandbox::imports::{AGGREGATION, GUEST};
use crate::sandbox::instance::{Instance, Linked, Resting};
use crate::sandbox::limits::{CallFailure, Sandboxed};
use crate::sandbox::load::ComponentFile;
use crate::sandbox::log::CallLog;

/// A scoring component and its instances that rest.
pub(super) struct Guest {
    linked: Linked,
    scorer: ScorerPre<Sandboxed>,
    summing: Option<SummingPre<Sandboxed>>,
    resting: Resting<Scorer>,
}

impl Guest {
    /// Compiles and links a component; the error says in words why it is not a scoring component.
    pub(super) fn new(file: &ComponentFile, plugin: &PluginPlan, host: &PluginHost) -> Result<Self, String> {
        let linked = Linked::new(file, plugin, host, GUEST)?;
        let unfit = |world, error| format!("it does not fit the world `{world}`: {error:#}");
        let summing = linked.exports(AGGREGATION).then(|| SummingPre::new(linked.component().clone())).transpose();
        Ok(Self {
            summing: summing.map_err(|error| unfit("aggregating-scorer", error))?,
            scorer: ScorerPre::new(linked.component().clone()).map_err(|error| unfit("scorer", error))?,
            linked,
            resting: Resting::default(),
        })
    }

    /// Returns whether the component sums up runs itself.
    pub(super) fn aggregates(&self) -> bool {
        self.summing.is_some()
    }

    /// Returns the fuel that a call with that many sessions may spend.
    pub(super) fn fuel(&self, sessions: usize) -> u64 {
        self.linked.fuel(sessions)
    }

    /// Asks a fresh instance what the component is; what it says meanwhile is passed to `hear`.
    pub(super) fn describe(&self, hear: impl FnOnce(&CallLog)) -> Result<guest::Description, CallFailure> {
        let mut instance = self.instantiate(0)?;
        let description = instance.call(|scorer, store| scorer.rematch_scoring_guest().call_describe(store));
        hear(&instance.take_log());
        description
    }

    /// Has a fresh instance sum up a run; `None` where the component leaves that to the host. What it says meanwhile is
    /// passed to `hear`.
    pub(super) fn aggregate(
        &self,
        columns: &[aggregation::Column<'_>],
        params: &str,
        sessions: usize,
        hear: impl FnOnce(&CallLog),
    ) -> Option<Result<Result<Option<f64>, String>, CallFailure>> {
        let summing = self.summing.as_ref()?;
        let instance = self.linked.start(sessions, |store| summing.instantiate(store));
        Some(instance.and_then(|mut instance| {
            let score = instance
                .call(|summing, store| summing.rematch_scoring_aggregation().call_aggregate(store, columns, params));
            hear(&instance.take_log());
            score
        }))
    }

    /// Makes a fresh instance for a call with that many sessions.
    pub(super) fn instantiate(&self, sessions: usize) -> Result<Instance<Scorer>, CallFailure> {
        self.linked.start(sessions, |store| self.scorer.instantiate(store))
    }

    /// Returns an instance that has rested since its last call, ready for one with that many sessions.
    pub(super) fn wake(&self, sessions: usize) -> Option<Instance<Scorer>> {
        self.linked.wake(&self.resting, sessions)
    }

    /// Keeps an instance for another call.
    pub(super) fn rest(&self, instance: Instance<Scorer>) {
        self.resting.rest(instance);
    }
}

/// Has a batch scored. After a failure the instance must not be used again.
pub(super) fn score(
    instance: &mut Instance<Scorer>,
    batch: guest::Batch<'_>,
    params: &str,
) -> Result<Result<guest::Scores, guest::Failure>, CallFailure> {
    instance.call(|scorer, store| scorer.rematch_scoring_guest().call_score(store, batch, params))
}
