//! A component that is linked with what it may import, and its instances.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use wasmtime::component::{InstancePre, Linker};
use wasmtime::{Engine, Store};

use super::host::PluginHost;
use super::limits::{self, CallFailure, HANDLES, Sandboxed};
use super::load::ComponentFile;
use super::log::CallLog;
use super::slots::{Slot, Slots};
use super::{engine, imports, wasi};
use crate::benchmark::{Limits, PluginPlan};

/// A component, compiled and linked: all that its instances share.
pub(crate) struct Linked {
    engine: Engine,
    component: InstancePre<Sandboxed>,
    exports: Vec<String>,
    limits: Limits,
    slots: Option<Arc<Slots>>,
}

/// A component that lives: its memory, its exports, what it may still take and what it took.
pub(crate) struct Instance<Exports> {
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

/// Instances that wait for their next call. There are never more of them than threads that call at once.
pub(crate) struct Resting<Exports>(Mutex<Vec<Instance<Exports>>>);

/// What a call cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    /// Fuel spent; with instantiation where the instance was fresh.
    pub(crate) fuel: u64,
    /// Fuel that the same call would have spent in a fresh instance.
    pub(crate) fuel_when_fresh: u64,
    /// Size of the linear memories at the end.
    pub(crate) memory_bytes: u64,
    /// Time for instantiation; zero where the instance was not fresh.
    pub(crate) instantiate: Duration,
    /// Time for the call itself.
    pub(crate) call: Duration,
}

impl Linked {
    /// Compiles and links a component that exports `interface`; the error says in words why it cannot be used.
    pub(crate) fn new(
        file: &ComponentFile,
        plugin: &PluginPlan,
        host: &PluginHost,
        interface: &str,
    ) -> Result<Self, String> {
        let (component, pooled) = host.compile(file, &plugin.limits)?;
        let engine = component.engine().clone();
        let exports = imports::check(&component, plugin.wasi, interface)?;
        let mut linker = Linker::new(&engine);
        let linked = super::log::link(&mut linker).and_then(|()| wasi::link(&mut linker, &component));
        linked.map_err(|error| format!("its imports cannot be stood in for: {error:#}"))?;
        let component = linker
            .instantiate_pre(&component)
            .map_err(|error| format!("its imports do not fit what `{interface}` goes with: {error:#}"))?;
        let slots = pooled.then(|| Arc::clone(&host.slots));
        Ok(Self { engine, component, exports, limits: plugin.limits, slots })
    }

    /// Returns what is instantiated.
    pub(crate) fn component(&self) -> &InstancePre<Sandboxed> {
        &self.component
    }

    /// Returns whether the component exports that interface.
    pub(crate) fn exports(&self, interface: &str) -> bool {
        self.exports.iter().any(|export| export == interface)
    }

    /// Returns the fuel that a call with that many sessions may spend.
    pub(crate) fn fuel(&self, sessions: usize) -> u64 {
        let sessions = u64::try_from(sessions).unwrap_or(u64::MAX);
        self.limits.fuel_base.saturating_add(self.limits.fuel_per_session.saturating_mul(sessions))
    }

    /// Makes a fresh instance for a call with that many sessions. Fuel and deadline of its first call run from now, so
    /// that a start function is under them too.
    pub(crate) fn start<Exports>(
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
    pub(crate) fn wake<Exports>(&self, resting: &Resting<Exports>, sessions: usize) -> Option<Instance<Exports>> {
        let mut instance = resting.0.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
        if let Some(slot) = &mut instance.slot {
            slot.wake();
        }
        self.begin_call(&mut instance, sessions).then_some(instance)
    }

    /// Gives an instance that was called already fuel and a deadline for a call with that many sessions; `false` where
    /// that fails.
    pub(crate) fn begin_call<Exports>(&self, instance: &mut Instance<Exports>, sessions: usize) -> bool {
        instance.fresh = false;
        instance.fuel = self.fuel(sessions);
        instance.store.data_mut().begin_call();
        instance.store.set_epoch_deadline(engine::ticks(self.limits.deadline_ms));
        instance.store.set_fuel(instance.fuel).is_ok()
    }
}

impl<Exports> Resting<Exports> {
    /// Keeps an instance for another call.
    pub(crate) fn rest(&self, mut instance: Instance<Exports>) {
        if instance.slot.as_mut().is_none_or(Slot::rest) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(instance);
        }
    }
}

impl<Exports> Default for Resting<Exports> {
    fn default() -> Self {
        Self(Mutex::new(Vec::new()))
    }
}

impl<Exports> Instance<Exports> {
    /// Calls the component. After a failure the instance must not be used again.
    pub(crate) fn call<R>(
        &mut self,
        call: impl FnOnce(&Exports, &mut Store<Sandboxed>) -> Result<R, wasmtime::Error>,
    ) -> Result<R, CallFailure> {
        let started = Instant::now();
        let result = call(&self.exports, &mut self.store);
        self.call = started.elapsed();
        result.map_err(|error| limits::explain(&error, self.fuel, self.store.data()))
    }

    /// Returns what the last call cost.
    pub(crate) fn cost(&self) -> Cost {
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
    pub(crate) fn take_log(&mut self) -> CallLog {
        std::mem::take(&mut self.store.data_mut().log)
    }
}
