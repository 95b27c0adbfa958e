//! Stages of retrievers as components: the two interfaces behind one face.

use wasmtime::Store;
use wasmtime::component::{Instance as RawInstance, InstancePre};

use super::bindings::stages::exports::rematch::scoring::{reranking, retrieving};
use super::bindings::stages::rematch::scoring::stage_types::Description;
use super::host::PluginHost;
use super::imports::{RERANKING, RETRIEVING};
use super::instance::{Instance, Linked, Resting};
use super::limits::{CallFailure, Sandboxed};
use super::load::ComponentFile;
use super::log::CallLog;
use crate::benchmark::PluginPlan;

/// What a stage exports, found in an instance.
pub(crate) trait StageExports: Sized + Send {
    /// The interface's name.
    const INTERFACE: &'static str;
    /// The world's name.
    const WORLD: &'static str;
    /// Where the exports stand in a component.
    type Indices: Send + Sync;

    /// Finds the exports in a component.
    fn indices(component: &InstancePre<Sandboxed>) -> Result<Self::Indices, wasmtime::Error>;

    /// Finds the exports in an instance.
    fn load(
        indices: &Self::Indices,
        store: &mut Store<Sandboxed>,
        instance: &RawInstance,
    ) -> Result<Self, wasmtime::Error>;

    /// Asks what the component is.
    fn describe(&self, store: &mut Store<Sandboxed>) -> Result<Description, wasmtime::Error>;
}

impl StageExports for retrieving::Guest {
    const INTERFACE: &'static str = RETRIEVING;
    const WORLD: &'static str = "retriever";
    type Indices = retrieving::GuestIndices;

    fn indices(component: &InstancePre<Sandboxed>) -> Result<Self::Indices, wasmtime::Error> {
        retrieving::GuestIndices::new(component)
    }

    fn load(
        indices: &Self::Indices,
        store: &mut Store<Sandboxed>,
        instance: &RawInstance,
    ) -> Result<Self, wasmtime::Error> {
        indices.load(store, instance)
    }

    fn describe(&self, store: &mut Store<Sandboxed>) -> Result<Description, wasmtime::Error> {
        self.call_describe(store)
    }
}

impl StageExports for reranking::Guest {
    const INTERFACE: &'static str = RERANKING;
    const WORLD: &'static str = "reranker";
    type Indices = reranking::GuestIndices;

    fn indices(component: &InstancePre<Sandboxed>) -> Result<Self::Indices, wasmtime::Error> {
        reranking::GuestIndices::new(component)
    }

    fn load(
        indices: &Self::Indices,
        store: &mut Store<Sandboxed>,
        instance: &RawInstance,
    ) -> Result<Self, wasmtime::Error> {
        indices.load(store, instance)
    }

    fn describe(&self, store: &mut Store<Sandboxed>) -> Result<Description, wasmtime::Error> {
        self.call_describe(store)
    }
}

/// A stage's component and its instances that rest.
pub(crate) struct StageGuest<Exports: StageExports> {
    linked: Linked,
    indices: Exports::Indices,
    resting: Resting<Exports>,
}

impl<Exports: StageExports> StageGuest<Exports> {
    /// Compiles and links a component; the error says in words why it is not such a stage.
    pub(crate) fn new(file: &ComponentFile, plugin: &PluginPlan, host: &PluginHost) -> Result<Self, String> {
        let linked = Linked::new(file, plugin, host, Exports::INTERFACE)?;
        let indices = Exports::indices(linked.component())
            .map_err(|error| format!("it does not fit the world `{}`: {error:#}", Exports::WORLD))?;
        Ok(Self { linked, indices, resting: Resting::default() })
    }

    /// Returns the fuel that a call with that many sessions may spend.
    pub(crate) fn fuel(&self, sessions: usize) -> u64 {
        self.linked.fuel(sessions)
    }

    /// Asks a fresh instance what the component is; what it says meanwhile is passed to `hear`.
    pub(crate) fn describe(&self, hear: impl FnOnce(&CallLog)) -> Result<Description, CallFailure> {
        let mut instance = self.instantiate(0)?;
        let description = instance.call(Exports::describe);
        hear(&instance.take_log());
        description
    }

    /// Makes a fresh instance for a call with that many sessions.
    pub(crate) fn instantiate(&self, sessions: usize) -> Result<Instance<Exports>, CallFailure> {
        self.linked.start(sessions, |store| {
            let instance = self.linked.component().instantiate(&mut *store)?;
            Exports::load(&self.indices, store, &instance)
        })
    }

    /// Gives an instance that was called already fuel and a deadline for a call with that many sessions, of its own.
    pub(crate) fn begin_call(&self, instance: &mut Instance<Exports>, sessions: usize) -> Result<(), CallFailure> {
        match self.linked.begin_call(instance, sessions) {
            true => Ok(()),
            false => Err("no fuel can be given to it".to_owned().into()),
        }
    }

    /// Returns an instance that has rested since its last call, ready for one with that many sessions.
    pub(crate) fn wake(&self, sessions: usize) -> Option<Instance<Exports>> {
        self.linked.wake(&self.resting, sessions)
    }

    /// Keeps an instance for another call.
    pub(crate) fn rest(&self, instance: Instance<Exports>) {
        self.resting.rest(instance);
    }
}
