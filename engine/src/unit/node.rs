//! The node that DataFusion runs: its partitions are ranges of work units.

use std::fmt;
use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{RecordBatch, UInt64Array};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, ChildrenPropertiesMode, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties, ReplaceChildrenOptions,
    SendableRecordBatchStream,
};
use serde::{Deserialize, Serialize};

use super::answerer::Answerer;
use super::retry::retry_unit;
use super::work::do_unit;
use super::{UnitContext, UnitContexts, UnitDone, UnitError, WorkUnit};
use crate::replay::Workspace;
use crate::score::ScoreError;
use crate::score::wasm::{HostSettings, PluginHost};
use crate::store::RunDirectory;

/// What a partition says of each unit that it did: `pipeline`, `chunk`, `sessions`, `failed`.
static DONE: LazyLock<SchemaRef> = LazyLock::new(|| {
    let number = |name| Field::new(name, DataType::UInt64, false);
    Arc::new(Schema::new(["pipeline", "chunk", "sessions", "failed"].map(number).to_vec()))
});

/// Neighbouring units of one pipeline: chunks that a recording can be read through in one go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitRange {
    /// The pipeline's place in the plan.
    pub pipeline: usize,
    /// The chunks, ascending.
    pub chunks: Vec<usize>,
}

/// What is done with a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Its part is written.
    Do,
    /// Its part is there; the sessions that failed are tried again.
    RetryErrors,
}

/// Does work units. A partition is a [`UnitRange`]; it writes the parts of its units and gives one row for each.
///
/// The node is all that another machine needs: it names the run directory, which holds plan and sample.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "Description", into = "Description")]
pub struct WorkUnitsExec {
    described: Description,
    properties: Arc<PlanProperties>,
}

/// What the node is made from.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Description {
    run: String,
    task: Task,
    ranges: Vec<UnitRange>,
}

impl From<Description> for WorkUnitsExec {
    fn from(described: Description) -> Self {
        let partitions = Partitioning::UnknownPartitioning(described.ranges.len());
        let equivalence = EquivalenceProperties::new(Arc::clone(&DONE));
        let properties = PlanProperties::new(equivalence, partitions, EmissionType::Incremental, Boundedness::Bounded);
        Self { described, properties: Arc::new(properties) }
    }
}

impl From<WorkUnitsExec> for Description {
    fn from(node: WorkUnitsExec) -> Self {
        node.described
    }
}

impl WorkUnitsExec {
    /// Returns a node for the units of `ranges`, one partition each, of the run at `run`.
    #[must_use]
    pub fn new(run: String, task: Task, ranges: Vec<UnitRange>) -> Self {
        Description { run, task, ranges }.into()
    }

    /// Returns the unit that a row of the node's output speaks of; `None` for a row of another schema.
    #[must_use]
    pub fn done(batch: &RecordBatch, row: usize) -> Option<UnitDone> {
        let number = |column: usize| {
            let values = batch.columns().get(column)?.as_any().downcast_ref::<UInt64Array>()?;
            values.values().get(row).copied()
        };
        let index = |column| usize::try_from(number(column)?).ok();
        let unit = WorkUnit { pipeline: index(0)?, chunk: index(1)? };
        Some(UnitDone { unit, sessions: number(2)?, failed: number(3)? })
    }
}

impl DisplayAs for WorkUnitsExec {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units: usize = self.described.ranges.iter().map(|range| range.chunks.len()).sum();
        write!(formatter, "WorkUnitsExec: run={}, task={:?}, units={units}", self.described.run, self.described.task)
    }
}

impl ExecutionPlan for WorkUnitsExec {
    fn name(&self) -> &'static str {
        "WorkUnitsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion, DataFusionError>,
    ) -> Result<TreeNodeRecursion, DataFusionError> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        Ok(self)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(
        &self,
        partition: usize,
        engine: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream, DataFusionError> {
        let Some(range) = self.described.ranges.get(partition).cloned() else {
            return Err(DataFusionError::Internal(format!("there is no partition {partition}")));
        };
        let contexts = engine.session_config().get_extension::<UnitContexts>();
        let Description { run, task, .. } = self.described.clone();
        let state = Partition { run, task, contexts, range, next: 0, open: None };
        let units = futures::stream::try_unfold(state, |mut partition| async move {
            let done = partition.next_unit().await.map_err(UnitError::into_engine)?;
            done.map(|done| Ok((row(done)?, partition))).transpose()
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&DONE), units)))
    }
}

fn row(done: UnitDone) -> Result<RecordBatch, DataFusionError> {
    let numbers = [done.unit.pipeline as u64, done.unit.chunk as u64, done.sessions, done.failed];
    let columns = numbers.map(|number| Arc::new(UInt64Array::from(vec![number])) as _);
    Ok(RecordBatch::try_new(Arc::clone(&DONE), columns.to_vec())?)
}

/// A partition under way.
struct Partition {
    run: String,
    task: Task,
    contexts: Option<Arc<UnitContexts>>,
    range: UnitRange,
    next: usize,
    open: Option<(Arc<UnitContext>, Answerer)>,
}

impl Partition {
    async fn next_unit(&mut self) -> Result<Option<UnitDone>, UnitError> {
        let Some(chunk) = self.range.chunks.get(self.next).copied() else { return Ok(None) };
        let (context, answerer) = match self.open.take() {
            Some(open) => open,
            None => open(&self.run, self.contexts.clone(), self.range.pipeline).await?,
        };
        let unit = WorkUnit { pipeline: self.range.pipeline, chunk };
        let done = match self.task {
            Task::Do => do_unit(&context, &answerer, unit).await?,
            Task::RetryErrors => retry_unit(&context, &answerer, unit).await?,
        };
        self.open = Some((context, answerer));
        self.next += 1;
        Ok(Some(done))
    }
}

async fn open(
    run: &str,
    contexts: Option<Arc<UnitContexts>>,
    pipeline: usize,
) -> Result<(Arc<UnitContext>, Answerer), UnitError> {
    let context = match contexts.as_ref().and_then(|contexts| contexts.get(run)) {
        Some(context) => context,
        None => {
            let run = run.to_owned();
            tokio::task::spawn_blocking(move || open_by_directory(run, contexts.as_deref())).await??
        }
    };
    let answerer = Answerer::of(&context, pipeline)?;
    Ok((context, answerer))
}

/// Opens a run that this process has not opened yet, and keeps it for the partitions to come.
fn open_by_directory(location: String, contexts: Option<&UnitContexts>) -> Result<Arc<UnitContext>, UnitError> {
    let (run, ..) = RunDirectory::view(std::path::Path::new(&location))?;
    let plugins = Arc::new(PluginHost::new(HostSettings::default()).map_err(ScoreError::from)?);
    let context = Arc::new(UnitContext::open(run, &plugins, &Workspace::default())?);
    if let Some(contexts) = contexts {
        contexts.add(location, Arc::clone(&context));
    }
    Ok(context)
}
