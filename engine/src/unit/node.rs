//! The node that DataFusion runs: its input says which units there are, partition by partition, and it does them.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{Array, RecordBatch, UInt64Array};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, ChildrenPropertiesMode, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning, PlanProperties,
    ReplaceChildrenOptions, SendableRecordBatchStream,
};
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::Fuse;
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use super::answerer::Answerer;
use super::retry::retry_unit;
use super::work::{Scored, do_unit, part_done};
use super::{UnitContext, UnitContexts, UnitDone, UnitError, WorkUnit};

/// What the input of the node says of each unit.
static UNITS: LazyLock<SchemaRef> = LazyLock::new(|| numbers(&["pipeline", "chunk"]));

/// What a partition says of each unit that it did.
static DONE: LazyLock<SchemaRef> = LazyLock::new(|| numbers(&["pipeline", "chunk", "sessions", "failed"]));

fn numbers(names: &[&str]) -> SchemaRef {
    Arc::new(Schema::new(names.iter().map(|name| Field::new(*name, DataType::UInt64, false)).collect::<Vec<Field>>()))
}

/// Neighbouring units of one pipeline: chunks that a recording can be read through in one go.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// Its part is written, unless it is there: a unit may have been done by somebody who was lost before he could say so.
    DoMissing,
    /// Its part is there; the sessions that failed are tried again.
    RetryErrors,
    /// The parts of all units are there: they are summed up. The unit's pipeline is the number of a round of sums, and its chunk a
    /// piece of that round.
    SumUp,
}

/// What is done with the units of which run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Order {
    /// Path or URL of the run directory, which holds plan and sample.
    pub run: String,
    /// The run's id: another run may lie at the same place later.
    pub id: String,
    /// Who ordered it: what an earlier process ordered, or this one before its retrievers forgot what they knew, is another order.
    pub drive: String,
}

/// Does work units: those that its input names. A partition of the input is a partition of the node; it writes the parts of
/// its units and gives one row for each.
///
/// The node and its input are all that another machine needs: they name the run directory and the units.
#[derive(Debug, Clone)]
pub struct WorkUnitsExec {
    order: Order,
    task: Task,
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl WorkUnitsExec {
    /// Returns a node that does the units that `input` names.
    ///
    /// # Errors
    ///
    /// Returns an error when the input is no list of units.
    pub fn new(order: Order, task: Task, input: Arc<dyn ExecutionPlan>) -> Result<Self, DataFusionError> {
        if input.schema().fields() != UNITS.fields() {
            let found = input.schema();
            return Err(DataFusionError::Plan(format!("the input of WorkUnitsExec has the columns {found}")));
        }
        let partitions = Partitioning::UnknownPartitioning(input.output_partitioning().partition_count());
        let equivalence = EquivalenceProperties::new(Arc::clone(&DONE));
        let properties = PlanProperties::new(equivalence, partitions, EmissionType::Incremental, Boundedness::Bounded);
        Ok(Self { order, task, input, properties: Arc::new(properties) })
    }

    /// Returns a node for the units of `ranges`, one partition each.
    ///
    /// # Errors
    ///
    /// Returns an error when DataFusion does not take the list of units.
    pub fn over(order: Order, task: Task, ranges: &[UnitRange]) -> Result<Self, DataFusionError> {
        let partition = |range: &UnitRange| {
            let pipelines = UInt64Array::from_value(range.pipeline as u64, range.chunks.len());
            let chunks = UInt64Array::from_iter_values(range.chunks.iter().map(|chunk| *chunk as u64));
            Ok(vec![RecordBatch::try_new(Arc::clone(&UNITS), vec![Arc::new(pipelines), Arc::new(chunks)])?])
        };
        let partitions = ranges.iter().map(partition).collect::<Result<Vec<Vec<RecordBatch>>, DataFusionError>>()?;
        Self::new(order, task, MemorySourceConfig::try_new_exec(&partitions, Arc::clone(&UNITS), None)?)
    }

    /// Returns which run the units are of.
    #[must_use]
    pub fn order(&self) -> &Order {
        &self.order
    }

    /// Returns what is done with each unit.
    #[must_use]
    pub fn task(&self) -> Task {
        self.task
    }

    /// Returns the unit that a row of the node's output speaks of; `None` for a row of another schema.
    #[must_use]
    pub fn done(batch: &RecordBatch, row: usize) -> Option<UnitDone> {
        let number = |column| number(batch, column, row);
        let index = |column| usize::try_from(number(column)?).ok();
        let unit = WorkUnit { pipeline: index(0)?, chunk: index(1)? };
        Some(UnitDone { unit, sessions: number(2)?, failed: number(3)? })
    }
}

fn number(batch: &RecordBatch, column: usize, row: usize) -> Option<u64> {
    let values = batch.columns().get(column)?.as_any().downcast_ref::<UInt64Array>()?;
    values.values().get(row).copied()
}

impl DisplayAs for WorkUnitsExec {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "WorkUnitsExec: run={}, task={:?}", self.order.run, self.task)
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
        vec![&self.input]
    }

    /// Neighbouring units belong together, so that nobody may deal them out anew.
    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion, DataFusionError>,
    ) -> Result<TreeNodeRecursion, DataFusionError> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        let (Some(input), true) = (children.pop(), children.is_empty()) else {
            return Err(DataFusionError::Internal("WorkUnitsExec has one input".to_owned()));
        };
        Ok(Arc::new(Self::new(self.order.clone(), self.task, input)?))
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
        let contexts = engine.session_config().get_extension::<UnitContexts>().unwrap_or_default();
        let input = self.input.execute(partition, engine)?;
        let (order, task) = (self.order.clone(), self.task);
        let state = Partition {
            order,
            task,
            contexts,
            input: input.fuse(),
            units: VecDeque::new(),
            open: None,
            working: None,
            publishing: None,
            done: VecDeque::new(),
        };
        let units = futures::stream::try_unfold(state, |mut partition| async move {
            match partition.next_done().await {
                Ok(done) => done.map(|done| Ok((row(done)?, partition))).transpose(),
                Err(error) => {
                    partition.give_up().await;
                    Err(partition.contexts.pack(error))
                }
            }
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
    order: Order,
    task: Task,
    contexts: Arc<UnitContexts>,
    input: Fuse<SendableRecordBatchStream>,
    /// Units that were read of the input.
    units: VecDeque<WorkUnit>,
    /// Who answers for the pipeline of the last unit.
    open: Option<(usize, Arc<UnitContext>, Arc<Answerer>)>,
    /// The unit that is worked on.
    working: Option<BoxFuture<'static, Result<Progress, UnitError>>>,
    /// The unit before it, whose part is being published.
    publishing: Option<JoinHandle<Result<UnitDone, UnitError>>>,
    /// Units that are done and were not told of.
    done: VecDeque<UnitDone>,
}

/// How far a unit is.
enum Progress {
    Scored(Box<Scored>),
    Done(UnitDone),
}

impl Partition {
    /// Every unit is done.
    async fn end(&mut self) -> Result<(), UnitError> {
        let Some((_, context, _)) = self.open.take() else { return Ok(()) };
        let contexts = Arc::clone(&self.contexts);
        tokio::task::spawn_blocking(move || contexts.host().task_done(&context)).await?
    }

    /// A unit failed. Whoever is lent the run anew asks retrievers again that were given up; what these were asked is told, as far
    /// as that is possible still.
    async fn give_up(&mut self) {
        self.working = None;
        let _ = self.published().await;
        if let Some((_, context, _)) = &self.open {
            self.contexts.close(&self.order, context);
        }
        let _ = self.end().await;
    }

    /// Waits for the part that is being published.
    async fn published(&mut self) -> Result<(), UnitError> {
        if let Some(publishing) = self.publishing.take() {
            self.done.push_back(publishing.await??);
        }
        Ok(())
    }

    /// Returns the next unit that is done. While its part is on its way to the disk, the one after it is worked on.
    async fn next_done(&mut self) -> Result<Option<UnitDone>, UnitError> {
        while self.done.is_empty() {
            if self.working.is_none()
                && let Some(unit) = self.next_unit().await?
            {
                self.working = Some(self.begin(unit).await?);
            }
            match (&mut self.working, &mut self.publishing) {
                (Some(working), Some(publishing)) => tokio::select! {
                    published = publishing => {
                        self.publishing = None;
                        self.done.push_back(published??);
                    }
                    progress = working => self.worked(progress).await?,
                },
                (Some(working), None) => {
                    let progress = working.await;
                    self.worked(progress).await?;
                }
                (None, Some(_)) => self.published().await?,
                (None, None) => {
                    self.end().await?;
                    break;
                }
            }
        }
        Ok(self.done.pop_front())
    }

    /// Takes what became of the unit that was worked on. One part is published at a time.
    async fn worked(&mut self, progress: Result<Progress, UnitError>) -> Result<(), UnitError> {
        self.working = None;
        let progress = progress?;
        self.published().await?;
        match progress {
            Progress::Scored(unit) => self.publishing = Some(tokio::task::spawn_blocking(move || unit.publish())),
            Progress::Done(done) => self.done.push_back(done),
        }
        Ok(())
    }

    /// Returns the next unit to do; `None` at the end, or where somebody said stop.
    async fn next_unit(&mut self) -> Result<Option<WorkUnit>, UnitError> {
        if self.open.as_ref().is_some_and(|(_, context, _)| context.stop.load(Ordering::Relaxed)) {
            return Ok(None);
        }
        while self.units.is_empty() {
            let Some(batch) = self.input.next().await else { return Ok(None) };
            let batch = batch.map_err(UnitError::from_engine)?;
            let index = |column, row| usize::try_from(number(&batch, column, row)?).ok();
            let unit = |row| Some(WorkUnit { pipeline: index(0, row)?, chunk: index(1, row)? });
            self.units.extend((0..batch.num_rows()).filter_map(unit));
        }
        Ok(self.units.pop_front())
    }

    /// Begins a unit.
    async fn begin(&mut self, unit: WorkUnit) -> Result<BoxFuture<'static, Result<Progress, UnitError>>, UnitError> {
        let (_, context, answerer) = match self.open.take().filter(|(pipeline, ..)| *pipeline == unit.pipeline) {
            Some(open) => open,
            None => {
                let (contexts, order) = (Arc::clone(&self.contexts), self.order.clone());
                let context = tokio::task::spawn_blocking(move || contexts.open(&order)).await??;
                // Nobody is asked for sums.
                let pipeline = if self.task == Task::SumUp { 0 } else { unit.pipeline };
                let answerer = Arc::new(Answerer::of(&context, pipeline)?);
                (unit.pipeline, context, answerer)
            }
        };
        // Kept while the unit is done: where that fails, it is told of as well.
        self.open = Some((unit.pipeline, Arc::clone(&context), Arc::clone(&answerer)));
        let (task, contexts) = (self.task, Arc::clone(&self.contexts));
        Ok(Box::pin(async move { work_on(task, unit, &context, &answerer, contexts).await }))
    }
}

async fn work_on(
    task: Task,
    unit: WorkUnit,
    context: &Arc<UnitContext>,
    answerer: &Answerer,
    contexts: Arc<UnitContexts>,
) -> Result<Progress, UnitError> {
    let guarded = Arc::clone(context);
    tokio::task::spawn_blocking(move || guarded.run.check_order()).await??;
    Ok(match task {
        Task::Do => Progress::Scored(do_unit(context, answerer, unit).await?.into()),
        Task::DoMissing => {
            let run = context.run.clone();
            match tokio::task::spawn_blocking(move || part_done(&run, unit)).await?? {
                Some(done) => Progress::Done(done),
                None => Progress::Scored(do_unit(context, answerer, unit).await?.into()),
            }
        }
        Task::RetryErrors => Progress::Done(retry_unit(context, answerer, unit).await?),
        Task::SumUp => {
            let opened = Arc::clone(context);
            let sum_up = move || contexts.host().sum_up(&opened, unit.pipeline, unit.chunk);
            Progress::Done(UnitDone { unit, sessions: tokio::task::spawn_blocking(sum_up).await??, failed: 0 })
        }
    })
}
