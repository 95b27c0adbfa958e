//! What a process needs to do units of a run.

use std::collections::VecDeque;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use tempfile::TempDir;

use super::node::Order;
use super::{BorrowedRankings, RecentChunks, UnitError};
use crate::benchmark::Plan;
use crate::replay::{Pipeline, Workspace};
use crate::score::wasm::{HostSettings, PluginHost};
use crate::score::{ScoreError, ScoringContract};
use crate::store::{RunDirectory, TableReader, layout};

/// A run, opened for working on it: its plan, retrievers and scorers, and the sample.
pub struct UnitContext {
    /// What the run does.
    pub plan: Arc<Plan>,
    /// The scorers.
    pub contract: Arc<ScoringContract>,
    /// The retrievers, in the order of the plan; none where rankings are borrowed.
    pub pipelines: Vec<Arc<Pipeline>>,
    /// What is judged instead of asking retrievers.
    pub borrowed: Option<Arc<BorrowedRankings>>,
    /// Where parts are written.
    pub run: RunDirectory,
    /// The sample; a row group is a chunk.
    pub sample: TableReader,
    /// Chunks of it that several retrievers answer.
    pub recent: RecentChunks,
    /// What the run leaves on this machine, and what goes with it.
    pub scratch: Option<TempDir>,
    /// Set to begin no more units.
    pub stop: Arc<AtomicBool>,
}

impl UnitContext {
    /// Returns how many retrievers answer a chunk in this process, as far as is known: on a cluster the others may be anywhere.
    pub(super) fn readers(&self) -> usize {
        if self.run.is_ordered() { 1 } else { self.plan.pipelines.len() }
    }

    /// Opens a run for a process that was not there when it began; `plan` is the run's, its inputs where this process finds
    /// them.
    ///
    /// # Errors
    ///
    /// Returns an error when the directory holds no run, or an input that the run needs cannot be read.
    pub fn open(
        run: RunDirectory,
        plan: Plan,
        plugins: &Arc<PluginHost>,
        workspace: &Workspace,
    ) -> Result<Self, UnitError> {
        let contract = ScoringContract::load(&plan, plugins)?;
        let workspace = Workspace { plugins: Some(Arc::clone(plugins)), ..workspace.clone() };
        let borrowed = BorrowedRankings::open(&plan)?.map(Arc::new);
        let pipelines = match borrowed {
            Some(_) => Vec::new(),
            None => Pipeline::build(&plan.pipelines, &workspace)?.into_iter().map(Arc::new).collect(),
        };
        let sample = run.table(layout::SESSIONS)?;
        let (plan, contract, recent) = (Arc::new(plan), Arc::new(contract), RecentChunks::default());
        Ok(Self { plan, contract, pipelines, borrowed, run, sample, recent, scratch: None, stop: Arc::default() })
    }
}

/// What a process that does units of several runs brings along.
pub trait UnitHost: Send + Sync {
    /// Opens a run that this process does not work on yet. Blocks.
    ///
    /// # Errors
    ///
    /// Returns an error when the run cannot be worked on here.
    fn open(&self, order: &Order) -> Result<UnitContext, UnitError>;

    /// Is told when a partition's units of a run are done: units that share a process have no other end. Blocks.
    ///
    /// # Errors
    ///
    /// Returns an error when what is to be noted of them cannot be written.
    fn task_done(&self, context: &UnitContext) -> Result<(), UnitError> {
        let _ = context;
        Ok(())
    }

    /// Makes a piece of a round of sums of a run whose parts are all there, and returns the number of sessions that it was made of.
    /// Blocks.
    ///
    /// # Errors
    ///
    /// Returns an error when the parts cannot be read, or this process makes no sums.
    fn sum_up(&self, context: &UnitContext, round: usize, piece: usize) -> Result<u64, UnitError> {
        let _ = (round, piece);
        let reason = "this process does units and makes no sums".to_owned();
        Err(UnitError::Elsewhere { run: context.run.root().display().to_string(), reason })
    }
}

/// Runs that are kept open side by side: one more closes the one that was used least lately. Indexes stay in memory with
/// them.
const MOST_OPEN: usize = 4;

/// A run under way: whoever comes while it is being opened waits, so that nothing is built twice.
type Slot = Arc<Mutex<Option<Arc<UnitContext>>>>;

/// The runs that this process works on. DataFusion's session carries it to the node; in a session without one every
/// partition opens the run by its directory.
pub struct UnitContexts {
    /// The run that was used last is last.
    slots: Mutex<VecDeque<(Order, Slot)>>,
    host: Box<dyn UnitHost>,
    /// Who this process is to those far away; `None` where nobody is.
    name: Option<String>,
}

impl Default for UnitContexts {
    fn default() -> Self {
        Self::of(Box::new(ByDirectory))
    }
}

impl UnitContexts {
    /// Returns a process without runs.
    #[must_use]
    pub fn of(host: Box<dyn UnitHost>) -> Self {
        Self { slots: Mutex::default(), host, name: None }
    }

    /// Returns the same process with a name, for errors that leave it as text.
    #[must_use]
    pub fn named(self, name: String) -> Self {
        Self { name: Some(name), ..self }
    }

    /// Returns what this process brings along.
    pub(super) fn host(&self) -> &dyn UnitHost {
        self.host.as_ref()
    }

    /// Packs an error for its way through DataFusion.
    pub(super) fn pack(&self, error: UnitError) -> datafusion::error::DataFusionError {
        match &self.name {
            Some(name) => error.into_words(name),
            None => error.into_engine(),
        }
    }

    /// Adds a run that is open already.
    pub fn add(&self, order: &Order, context: Arc<UnitContext>) {
        *self.slot(order).lock().unwrap_or_else(PoisonError::into_inner) = Some(context);
    }

    /// Returns the run that is meant, and opens it where it is not open. Blocks while somebody else opens it.
    ///
    /// # Errors
    ///
    /// Returns the host's errors; the run is opened anew the next time.
    pub fn open(&self, order: &Order) -> Result<Arc<UnitContext>, UnitError> {
        let slot = self.slot(order);
        let mut open = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(context) = open.as_ref() {
            return Ok(Arc::clone(context));
        }
        let context = Arc::new(self.host.open(order)?);
        *open = Some(Arc::clone(&context));
        Ok(context)
    }

    /// Closes a run, where it is still open like that, so that it is opened anew the next time: a retriever that was given up is asked again then.
    pub(super) fn close(&self, order: &Order, context: &Arc<UnitContext>) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let is_that = |slot: &Slot| match slot.try_lock() {
            Ok(open) => open.as_ref().is_some_and(|open| Arc::ptr_eq(open, context)),
            // It is being opened anew already.
            Err(_) => false,
        };
        slots.retain(|(known, slot)| known != order || !is_that(slot));
    }

    fn slot(&self, order: &Order) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let place = slots.iter().position(|(known, _)| known == order);
        let (order, slot) =
            place.and_then(|place| slots.remove(place)).unwrap_or_else(|| (order.clone(), Slot::default()));
        slots.push_back((order, Arc::clone(&slot)));
        if slots.len() > MOST_OPEN {
            slots.pop_front();
        }
        slot
    }
}

/// Opens a run by nothing but what its directory says.
struct ByDirectory;

impl UnitHost for ByDirectory {
    fn open(&self, order: &Order) -> Result<UnitContext, UnitError> {
        let (run, ..) = RunDirectory::view(std::path::Path::new(&order.run))?;
        let plugins = Arc::new(PluginHost::new(HostSettings::default()).map_err(ScoreError::from)?);
        let plan = run.read_json(layout::PLAN)?;
        UnitContext::open(run, plan, &plugins, &Workspace::default())
    }
}
