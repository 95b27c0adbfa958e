//! What a process needs to do units of a run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{BorrowedRankings, UnitError};
use crate::benchmark::Plan;
use crate::replay::{Pipeline, Workspace};
use crate::score::ScoringContract;
use crate::score::wasm::PluginHost;
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
}

impl UnitContext {
    /// Opens a run by nothing but what its directory says: the way of a process that was not there when it began.
    ///
    /// # Errors
    ///
    /// Returns an error when the directory holds no run, or an input that the run needs cannot be read.
    pub fn open(run: RunDirectory, plugins: &Arc<PluginHost>, workspace: &Workspace) -> Result<Self, UnitError> {
        let plan: Plan = run.read_json(layout::PLAN)?;
        let contract = ScoringContract::load(&plan, plugins)?;
        let workspace = Workspace { plugins: Some(Arc::clone(plugins)), ..workspace.clone() };
        let borrowed = BorrowedRankings::open(&plan)?.map(Arc::new);
        let pipelines = match borrowed {
            Some(_) => Vec::new(),
            None => Pipeline::build(&plan.pipelines, &workspace)?.into_iter().map(Arc::new).collect(),
        };
        let sample = run.table(layout::SESSIONS)?;
        Ok(Self { plan: Arc::new(plan), contract: Arc::new(contract), pipelines, borrowed, run, sample })
    }
}

/// The runs that this process works on, by where they lie. DataFusion's session carries it to the node; a session without
/// one opens the run by its directory.
#[derive(Default)]
pub struct UnitContexts {
    open: Mutex<HashMap<String, Arc<UnitContext>>>,
}

impl UnitContexts {
    /// Adds a run that is open already.
    pub fn add(&self, location: String, context: Arc<UnitContext>) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(location, context);
    }

    /// Returns the run at `location`, where it was added.
    #[must_use]
    pub fn get(&self, location: &str) -> Option<Arc<UnitContext>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).get(location).cloned()
    }
}
