//! A compiled component, linked with what it may import, and its instances.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use wasmtime::component::Linker;
use wasmtime::{Engine, Store};

use super::bindings::exports::rematch::scoring::guest;
use super::bindings::summing::exports::rematch::scoring::aggregation;
use super::bindings::summing::{Summing, SummingPre};
use super::bindings::{Scorer, ScorerPre};
use super::host::PluginHost;
use super::imports;
use super::limits::{self, CallFailure, HANDLES, Sandboxed};
use super::load::ComponentFile;
use super::log::CallLog;
use super::slots::{Slot, Slots};
use super::{engine, wasi};
use crate::benchmark::{Limits, PluginPlan};

/// A component, compiled and linked: all that its instances share.
pub(super) struct Guest {
    engine: Engine,
    scorer: ScorerPre<Sandboxed>,
    summing: Option<SummingPre<Sandboxed>>,
    limits: Limits,
    slots: Option<Arc<Slots>>,
    resting: Mutex<Vec<Instance<Scorer>>>,
}

/// A component that lives: its memory, its exports, what it may still take and what it took.
pub(super) struct Instance<Exports> {
    exports: Exports,
    store: Store<Sandboxed>,
    /// Fuel that the call starts with, and how much of it instantiation takes in a fresh instance.
    fuel: u64,
    instantiation_fuel: u64,
    instantiation: Duration,
    call: Duration,
    fresh: bool,
    // The last field, so that the pool has its place back before another may take it.
    slot: Option<Slot>,
}

/// What a call cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    /// Fuel spent; with instantiation where the instance was fresh.
    pub(super) fuel: u64,
    /// Fuel that the same call would have spent in a fresh instance.
    pub(super) fuel_when_fresh: u64,
    /// Size of the linear memories at the end.
    pub(super) memory_bytes: u64,
    /// Time for instantiation; zero where the instance was not fresh.
    pub(super) instantiate: Duration,
    /// Time for the call itself.
    pub(super) call: Duration,
}

impl Guest {
    /// Compiles and links a component; the error says in words why it is not a scoring component.
    pub(super) fn new(file: &ComponentFile, plugin: &PluginPlan, host: &PluginHost) -> Result<Self, String> {
        let (component, pooled) = host.compile(file, &plugin.limits)?;
        let engine = component.engine().clone();
        let aggregates = imports::check(&component, plugin.wasi)?;
        let mut linker = Linker::new(&engine);
        let linked = super::log::link(&mut linker).and_then(|()| wasi::link(&mut linker, &component));
        linked.map_err(|error| format!("its imports cannot be stood in for: {error:#}"))?;
        let unfit = |world, error| format!("it does not fit the world `{world}`: {error:#}");
        let component = linker.instantiate_pre(&component).map_err(|error| unfit("scorer", error))?;
        let summing = aggregates.then(|| SummingPre::new(component.clone())).transpose();
        Ok(Self {
            engine,
            summing: summing.map_err(|error| unfit("aggregating-scorer", error))?,
            scorer: ScorerPre::new(component).map_err(|error| unfit("scorer", error))?,
            limits: plugin.limits,
            slots: pooled.then(|| Arc::clone(&host.slots)),
            resting: Mutex::new(Vec::new()),
        })
    }

    /// Returns whether the component sums up runs itself.
    pub(super) fn aggregates(&self) -> bool {
        self.summing.is_some()
    }

    /// Returns the fuel that a call with that many sessions may spend.
    pub(super) fn fuel(&self, sessions: usize) -> u64 {
        let sessions = u64::try_from(sessions).unwrap_or(u64::MAX);
        self.limits.fuel_base.saturating_add(self.limits.fuel_per_session.saturating_mul(sessions))
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
        let instance = self.start::<Summing>(sessions, |store| summing.instantiate(store));
        Some(instance.and_then(|mut instance| {
            let score = instance
                .call(|summing, store| summing.rematch_scoring_aggregation().call_aggregate(store, columns, params));
            hear(&instance.take_log());
            score
        }))
    }

    /// Makes a fresh instance for a call with that many sessions.
    pub(super) fn instantiate(&self, sessions: usize) -> Result<Instance<Scorer>, CallFailure> {
        self.start(sessions, |store| self.scorer.instantiate(store))
    }

    /// Makes a fresh instance. Fuel and deadline of its first call run from now, so that a start function is under them
    /// too.
    fn start<Exports>(
        &self,
        sessions: usize,
        instantiate: impl FnOnce(&mut Store<Sandboxed>) -> Result<Exports, wasmtime::Error>,
    ) -> Result<Instance<Exports>, CallFailure> {
        let slot = self.slots.as_ref().map(Slots::take);
        let started = Instant::now();
        let fuel = self.fuel(sessions);
        let mut store = Store::new(&self.engine, Sandboxed::new(self.limits));
        store.limiter(|sandboxed| sandboxed);
        store.set_hostcall_fuel(usize::try_from(self.limits.output_bytes).unwrap_or(usize::MAX));
        store.set_max_component_handles(HANDLES);
        store.set_epoch_deadline(engine::ticks(self.limits.deadline_ms));
        let exports = store.set_fuel(fuel).and_then(|()| instantiate(&mut store));
        let exports = exports.map_err(|error| limits::explain(&error, fuel, store.data()))?;
        let instantiation_fuel = fuel.saturating_sub(store.get_fuel().unwrap_or(0));
        let (instantiation, call) = (started.elapsed(), Duration::ZERO);
        Ok(Instance { exports, store, fuel, instantiation_fuel, instantiation, call, fresh: true, slot })
    }

    /// Returns an instance that has rested since its last call, ready for one with that many sessions.
    pub(super) fn wake(&self, sessions: usize) -> Option<Instance<Scorer>> {
        let mut instance = self.resting.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
        if let Some(slot) = &mut instance.slot {
            slot.wake();
        }
        instance.fuel = self.fuel(sessions);
        instance.store.data_mut().begin_call();
        instance.store.set_epoch_deadline(engine::ticks(self.limits.deadline_ms));
        instance.store.set_fuel(instance.fuel).is_ok().then_some(instance)
    }

    /// Keeps an instance for another call. There are never more of them than threads that call at once.
    pub(super) fn rest(&self, mut instance: Instance<Scorer>) {
        instance.fresh = false;
        if instance.slot.as_mut().is_none_or(Slot::rest) {
            self.resting.lock().unwrap_or_else(PoisonError::into_inner).push(instance);
        }
    }
}

impl Instance<Scorer> {
    /// Has a batch scored. After a failure the instance must not be used again.
    pub(super) fn score(
        &mut self,
        batch: guest::Batch<'_>,
        params: &str,
    ) -> Result<Result<guest::Scores, guest::Failure>, CallFailure> {
        self.call(|scorer, store| scorer.rematch_scoring_guest().call_score(store, batch, params))
    }
}

impl<Exports> Instance<Exports> {
    fn call<R>(
        &mut self,
        call: impl FnOnce(&Exports, &mut Store<Sandboxed>) -> Result<R, wasmtime::Error>,
    ) -> Result<R, CallFailure> {
        let started = Instant::now();
        let result = call(&self.exports, &mut self.store);
        self.call = started.elapsed();
        result.map_err(|error| limits::explain(&error, self.fuel, self.store.data()))
    }

    /// Returns what the last call cost.
    pub(super) fn cost(&self) -> Cost {
        let spent = self.fuel.saturating_sub(self.store.get_fuel().unwrap_or(0));
        let instantiation_fuel = if self.fresh { 0 } else { self.instantiation_fuel };
        Cost {
            fuel: spent,
            fuel_when_fresh: spent.saturating_add(instantiation_fuel),
            memory_bytes: self.store.data().memory_bytes(),
            instantiate: if self.fresh { self.instantiation } else { Duration::ZERO },
            call: self.call,
        }
    }

    /// Returns what was said in the last call.
    pub(super) fn take_log(&mut self) -> CallLog {
        std::mem::take(&mut self.store.data_mut().log)
    }
}
