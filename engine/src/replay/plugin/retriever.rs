//! A component that answers searches over a corpus.

use std::sync::Arc;

use async_trait::async_trait;

use super::PluginError;
use super::answers;
use super::calls::{Call, Caller};
use super::columns::{ItemColumns, SessionColumns};
use super::component::{Component, StageDescription, words};
use crate::benchmark::PluginPlan;
use crate::replay::{Reads, RetrieveError, RetrieveErrorKind, Retrieved, Retriever};
use crate::sandbox::bindings::stages::exports::rematch::scoring::retrieving::Guest;
use crate::sandbox::instance::Instance;
use crate::sandbox::limits::CallFailure;
use crate::sandbox::{PluginHost, load};
use crate::session::{Hit, Session};

/// A component of the world `retriever`.
#[derive(Debug, Clone)]
pub struct PluginRetriever(Arc<Opened>);

/// The component with the items that it searches.
struct Opened {
    component: Component<Guest>,
    items: ItemColumns,
    /// By number.
    item_ids: Vec<String>,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Opened").field("plugin", &self.component.plugin).finish_non_exhaustive()
    }
}

impl PluginRetriever {
    /// Loads the component of the stage `stage`, reads the items of its corpus into memory and hands them over, so that
    /// wrong parameters are found here and not in the middle of a run.
    ///
    /// # Errors
    ///
    /// [`PluginError::Sandbox`] when the file cannot be read, is not what the plan pins, is no retriever, or the plan names
    /// no corpus; [`PluginError::Items`] when the corpus cannot be read; [`PluginError::Failed`] when it refuses its
    /// parameters or fails on the items.
    pub fn load(stage: &str, plan: &PluginPlan, host: &Arc<PluginHost>) -> Result<Self, PluginError> {
        let component = Component::<Guest>::load(stage, plan, host)?;
        let Some(items) = &plan.items else {
            let reason = "it retrieves, but the benchmark names no corpus to retrieve from; add \
                          `items = { corpus = \"...\", fields = [\"...\"] }` to the stage";
            return Err(load::refused(plan, reason.to_owned()).into());
        };
        let columns = ItemColumns::read(items, component.needs)
            .map_err(|source| PluginError::Items { path: plan.path.clone(), source: Box::new(source) })?;
        let (items, item_ids) = columns.map_err(|error| component.failed(error.to_string()))?;
        let opened = Opened { component, items, item_ids };
        let empty = opened.call(&[], 0, true);
        empty.result.map_err(|failure| opened.component.failed(failure.reason))?;
        Ok(Self(Arc::new(opened)))
    }

    /// Returns what the component says of itself.
    #[must_use]
    pub fn description(&self) -> &StageDescription {
        &self.0.component.description
    }

    /// Returns the best `depth` items for each session, in their order. It works on this thread.
    ///
    /// # Errors
    ///
    /// Each session has an error of its own, of kind `plugin`, or `timeout` where the wall clock ended the call.
    pub fn answers(&self, sessions: &[Session], depth: usize) -> Vec<Result<Vec<Hit>, RetrieveError>> {
        let opened = &self.0;
        let rows: Vec<&Session> = sessions.iter().collect();
        let caller = Caller {
            call: &|rows: &[&Session], fresh| opened.call(rows, depth, fresh),
            fuel_of_one: opened.component.guest.fuel(1),
            batch: opened.component.batch.get(),
            stopped: &|| opened.component.stopped(),
            plugin: &opened.component.plugin,
        };
        caller.answer(&rows)
    }
}

/// A component that is reusable is asked session by session, so that each has a latency of its own; any other would be
/// handed the corpus for each session, and is asked batch by batch.
#[async_trait]
impl Retriever for PluginRetriever {
    fn kind(&self) -> &'static str {
        "plugin"
    }

    fn reads(&self) -> Reads {
        self.0.component.reads()
    }

    async fn retrieve(&self, session: &Session, depth: usize) -> Result<Retrieved, RetrieveError> {
        let lost = || RetrieveError::new(RetrieveErrorKind::Internal, "the component's thread died");
        let answers = self.on_a_thread(vec![session.clone()], depth).await;
        answers.and_then(|mut answers| answers.pop()).unwrap_or_else(|| Err(lost())).map(Retrieved::from)
    }

    async fn retrieve_chunk(
        &self,
        sessions: &[Session],
        depth: usize,
    ) -> Option<Vec<Result<Retrieved, RetrieveError>>> {
        if self.0.component.keeps() {
            return None;
        }
        let answers = self.on_a_thread(sessions.to_vec(), depth).await.unwrap_or_default();
        Some(answers.into_iter().map(|answer| answer.map(Retrieved::from)).collect())
    }
}

impl PluginRetriever {
    /// Answers on a thread that may be blocked: a component may take as long as its deadline says. `None` where that thread
    /// died.
    async fn on_a_thread(&self, sessions: Vec<Session>, depth: usize) -> Option<Vec<Result<Vec<Hit>, RetrieveError>>> {
        let retriever = self.clone();
        tokio::task::spawn_blocking(move || retriever.answers(&sessions, depth)).await.ok()
    }
}

impl Opened {
    fn call(&self, rows: &[&Session], depth: usize, fresh: bool) -> Call {
        let component = &self.component;
        let rested = if fresh || !component.keeps() { None } else { component.guest.wake(rows.len()) };
        let fresh = rested.is_none();
        let instance = rested.map_or_else(|| self.open(rows.len()), Ok);
        let mut instance = match instance {
            Ok(instance) => instance,
            Err(failure) => return Call { result: Err(failure), fuel: 0, fresh },
        };
        let columns = SessionColumns::of(rows.iter().copied(), component.needs);
        let result = columns.map_err(|error| CallFailure::from(error.to_string())).and_then(|sessions| {
            let wanted = u32::try_from(depth).unwrap_or(u32::MAX);
            let reply = instance.call(|guest, store| guest.call_retrieve(store, sessions.lower(), wanted))?;
            let reply = reply.map_err(words)?;
            let item = |_, number: u32| self.item_ids.get(number as usize).map(String::as_str);
            Ok(answers::answers(&reply, rows.len(), depth, item)?)
        });
        component.finish(instance, fresh, result)
    }

    /// Makes a fresh instance, hands the items over, and readies it for a call with that many sessions. Handing over has
    /// fuel and a deadline of its own, so that what a session may spend does not depend on how long its instance lives.
    fn open(&self, sessions: usize) -> Result<Instance<Guest>, CallFailure> {
        let component = &self.component;
        let mut instance = component.guest.instantiate(0)?;
        let fields = self.items.lower_fields();
        let opened = instance.call(|guest, store| guest.call_open(store, self.items.lower(&fields), &component.params));
        component.hear(&mut instance);
        opened?.map_err(|failure| CallFailure::from(words(failure)))?;
        component.guest.begin_call(&mut instance, sessions)?;
        Ok(instance)
    }
}
