//! The units of a run, done by a cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::spawn_blocking;

use super::ClusterError;
use super::job::{Client, JobState, Trouble, message_of};
use super::shipping::ship;
use crate::benchmark::{ClusterAddress, PipelinePlan, Plan};
use crate::outbound::Outbound;
use crate::store::{RunDirectory, layout};
use crate::unit::{Ended, Order, Task, UnitDone, UnitError, UnitRange, WorkUnit, WorkUnitsExec, part_done};

/// Chunks of a task at most: what is lost with an executor, and done anew.
const CHUNKS_PER_TASK: usize = 8;

/// Tasks that every job has where there are as many units, so that a handful of executors are all busy to the end.
const TASKS_AT_LEAST: usize = 64;

/// Tasks of one job at most: the plan of a job is one message.
const TASKS_PER_JOB: usize = 4096;

/// How often the scheduler is asked how a job stands.
const ASK: Duration = Duration::from_millis(100);

/// How often the parts are listed, at least; where listing takes long, it is done less often.
const LOOK: Duration = Duration::from_millis(500);

/// How long a scheduler that was there may be away.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long one that was never there may be.
const FIRST_PATIENCE: Duration = Duration::from_secs(5);

/// How long no part may appear, at least, until what is missing is sent again: a message that is lost between executor and scheduler
/// leaves a task under way for ever. Nobody is asked again before a unit can have taken that long ([`longest_unit`]).
const STALL: Duration = Duration::from_secs(900);

/// How long a job may be under way when all of it is there: executors note what servers were asked.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// Does units of one run on a cluster.
pub struct ClusterDriver {
    /// The scheduler.
    pub address: ClusterAddress,
    /// The run.
    pub run: RunDirectory,
    /// Its id.
    pub run_id: String,
    /// What tells the orders of this process from those of an earlier one.
    pub drive: String,
    /// What it does.
    pub plan: Arc<Plan>,
    /// What its pipelines depend on.
    pub pipeline_hashes: Vec<String>,
    /// SHA-256 of each component, by scorer.
    pub component_hashes: BTreeMap<String, String>,
    /// Whom its retrievers may connect to, from executors too.
    pub outbound: Outbound,
    /// Set to stop.
    pub stop: Arc<AtomicBool>,
}

/// The units of one job.
struct Job<'a> {
    task: Task,
    order: Order,
    ranges: &'a [UnitRange],
    wanted: BTreeSet<WorkUnit>,
    /// How long nothing may appear until what is missing is sent again.
    stall: Duration,
}

impl Job<'_> {
    fn message(&self, ranges: &[UnitRange]) -> Result<Vec<u8>, ClusterError> {
        let node = WorkUnitsExec::over(self.order.clone(), self.task, ranges).map_err(UnitError::from_engine)?;
        message_of(Arc::new(node))
    }

    /// Returns whether parts say how far it is. Those that are there before sessions are tried again say nothing.
    fn shows(&self) -> bool {
        self.task != Task::RetryErrors
    }
}

impl ClusterDriver {
    /// Returns once the scheduler answers: before anything is prepared for it.
    ///
    /// # Errors
    ///
    /// Returns an error when it does not for some seconds.
    pub async fn reach(address: &ClusterAddress) -> Result<(), ClusterError> {
        Self::reach_within(address, FIRST_PATIENCE).await
    }

    /// Does as [`Self::reach`], with another patience.
    pub(super) async fn reach_within(address: &ClusterAddress, patience: Duration) -> Result<(), ClusterError> {
        let mut scheduler = Scheduler { first_patience: patience, ..Scheduler::new(address.clone()) };
        loop {
            let reached = scheduler.client().await.map(drop);
            if scheduler.came_to(reached)?.is_some() {
                return Ok(());
            }
            tokio::time::sleep(ASK).await;
        }
    }

    /// Does `units`, telling of each when its part is seen.
    ///
    /// A scheduler that goes away is waited for, and gets what is left again when it is back; a part is written once, whoever
    /// does its unit twice. However it ends but well, executors that still work on it end before they write.
    ///
    /// # Errors
    ///
    /// Returns an error when the scheduler cannot be reached or stays away, when a unit fails on an executor, or when the run
    /// directory cannot be used.
    pub async fn drive(
        &self,
        task: Task,
        units: &[WorkUnit],
        mut tell: impl FnMut(UnitDone),
    ) -> Result<Ended, ClusterError> {
        // Retrievers that are asked again must not remember what they said: executors open the run anew.
        let drive = if task == Task::RetryErrors { format!("{}-again", self.drive) } else { self.drive.clone() };
        let order = Order { run: self.run.root().display().to_string(), id: self.run_id.clone(), drive };
        let (run, plan, hashes) = (self.run.clone(), Arc::clone(&self.plan), self.pipeline_hashes.clone());
        let (components, whose, outbound) = (self.component_hashes.clone(), order.drive.clone(), self.outbound.clone());
        let prepare = move || {
            ship(&run, &whose, &plan, &hashes, &components, &outbound)?;
            // Only the last chunk has fewer sessions than the first.
            Ok::<_, ClusterError>(STALL.max(longest_unit(&plan, run.sample()?.group_rows(0))))
        };
        let stall = spawn_blocking(prepare).await??;
        let mut scheduler = Scheduler::new(self.address.clone());
        let mut told = BTreeSet::new();
        for ranges in tasks(units).chunks(TASKS_PER_JOB) {
            let wanted = ranges.iter().flat_map(units_of).collect();
            let job = Job { task, order: order.clone(), ranges, wanted, stall };
            let mut id = None;
            let ended = self.drive_job(&mut scheduler, &job, &mut id, &mut told, &mut tell).await;
            if !matches!(ended, Ok(Ended::Done)) {
                let run = self.run.clone();
                // What ended it is what is told of.
                let _ = spawn_blocking(move || run.withdraw_orders()).await;
                if let Some(id) = id {
                    scheduler.cancel(&id).await;
                }
                return ended;
            }
        }
        Ok(Ended::Done)
    }

    async fn drive_job(
        &self,
        scheduler: &mut Scheduler,
        job: &Job<'_>,
        id: &mut Option<String>,
        told: &mut BTreeSet<WorkUnit>,
        tell: &mut impl FnMut(UnitDone),
    ) -> Result<Ended, ClusterError> {
        let mut message = job.message(job.ranges)?;
        let (mut look, mut seen) = (Look::default(), Instant::now());
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(Ended::Stopped);
            }
            let mut state = match &id {
                None => {
                    *id = scheduler.send(&self.run_id, &message).await?;
                    JobState::Underway
                }
                Some(id) => scheduler.state(id).await?.unwrap_or(JobState::Underway),
            };
            if job.shows() && look.is_due() {
                let before = told.len();
                self.tell_new(job, told, tell).await?;
                look.was();
                if told.len() > before {
                    seen = Instant::now();
                }
                if job.wanted.is_subset(told) && seen.elapsed() > LAST_WORDS && matches!(state, JobState::Underway) {
                    // The scheduler may never hear of it.
                    if let Some(id) = id.take() {
                        scheduler.cancel(&id).await;
                    }
                    return Ok(Ended::Done);
                }
                if seen.elapsed() > job.stall && matches!(state, JobState::Underway) {
                    if let Some(id) = id.as_ref() {
                        scheduler.cancel(id).await;
                    }
                    (state, seen) = (JobState::Unknown, Instant::now());
                }
            }
            match state {
                JobState::Underway => tokio::time::sleep(ASK).await,
                JobState::Unknown => {
                    // It restarted, forgot, or waits in vain: it gets what is not done.
                    let left: Vec<WorkUnit> = job.wanted.difference(told).copied().collect();
                    if left.is_empty() {
                        return Ok(Ended::Done);
                    }
                    message = if job.shows() { job.message(&tasks(&left))? } else { job.message(job.ranges)? };
                    *id = None;
                }
                JobState::Failed(reason) => {
                    let (address, reason) = (self.address.clone(), in_their_words(&reason));
                    return Err(ClusterError::Failed { address, reason });
                }
                JobState::Done => {
                    self.tell_new(job, told, tell).await?;
                    let missing = job.wanted.difference(told).count();
                    if missing > 0 {
                        let (address, run) = (self.address.clone(), self.run.root().to_owned());
                        return Err(ClusterError::PartsMissing { address, missing, run });
                    }
                    return Ok(Ended::Done);
                }
            }
        }
    }

    /// Tells of the units whose parts, or sums, were not there before.
    async fn tell_new(
        &self,
        job: &Job<'_>,
        told: &mut BTreeSet<WorkUnit>,
        tell: &mut impl FnMut(UnitDone),
    ) -> Result<(), ClusterError> {
        let run = self.run.clone();
        let (task, waiting) = (job.task, job.wanted.difference(told).copied().collect::<BTreeSet<WorkUnit>>());
        let look = move || {
            if task == Task::SumUp {
                let names = run.names_in(layout::SUMS)?;
                let pieces = names.iter().filter_map(|name| layout::piece_of_sums(name));
                let units = pieces.map(|(round, piece)| WorkUnit { pipeline: round, chunk: piece });
                let done = |unit| UnitDone { unit, sessions: 0, failed: 0 };
                return Ok(units.filter(|unit| waiting.contains(unit)).map(done).collect());
            }
            let there = run.parts()?;
            let new = there.into_iter().map(|(pipeline, chunk)| WorkUnit { pipeline, chunk });
            let new = new.filter(|unit| waiting.contains(unit));
            Ok::<_, ClusterError>(
                new.filter_map(|unit| part_done(&run, unit).transpose()).collect::<Result<Vec<_>, _>>()?,
            )
        };
        for done in spawn_blocking(look).await?? {
            told.insert(done.unit);
            tell(done);
        }
        Ok(())
    }
}

/// When the parts are listed again.
#[derive(Default)]
struct Look {
    began: Option<Instant>,
    next: Option<Instant>,
}

impl Look {
    fn is_due(&mut self) -> bool {
        let now = Instant::now();
        let due = self.next.is_none_or(|next| now >= next);
        if due {
            self.began = Some(now);
        }
        due
    }

    fn was(&mut self) {
        let took = self.began.map_or(Duration::ZERO, |began| began.elapsed());
        self.next = Some(Instant::now() + LOOK.max(took * 10));
    }
}

/// A scheduler that may be away for a while.
struct Scheduler {
    address: ClusterAddress,
    /// How long it may be away if it was never there.
    first_patience: Duration,
    client: Option<Client>,
    was_there: bool,
    away_since: Option<Instant>,
    forgotten_since: Option<Instant>,
}

/// How long a job may be unknown to the scheduler that took it: it is, for a moment, while it is being planned.
const UNKNOWN: Duration = Duration::from_secs(5);

impl Scheduler {
    fn new(address: ClusterAddress) -> Self {
        let first_patience = FIRST_PATIENCE;
        Self { address, first_patience, client: None, was_there: false, away_since: None, forgotten_since: None }
    }

    /// Returns the job's id; `None` where the scheduler is away, and may be back.
    async fn send(&mut self, name: &str, plan: &[u8]) -> Result<Option<String>, ClusterError> {
        let sent = match self.client().await {
            Ok(client) => client.send(name, plan.to_vec()).await,
            Err(trouble) => Err(trouble),
        };
        self.forgotten_since = None;
        self.came_to(sent)
    }

    /// Returns how the job stands; `None` where the scheduler is away, and may be back.
    async fn state(&mut self, job: &str) -> Result<Option<JobState>, ClusterError> {
        let state = match self.client().await {
            Ok(client) => client.state(job).await,
            Err(trouble) => Err(trouble),
        };
        let state = self.came_to(state)?;
        if !matches!(state, Some(JobState::Unknown)) {
            self.forgotten_since = None;
            return Ok(state);
        }
        let since = *self.forgotten_since.get_or_insert_with(Instant::now);
        Ok(if since.elapsed() < UNKNOWN { None } else { state })
    }

    /// Cancels a job, as far as anybody listens.
    async fn cancel(&mut self, job: &str) {
        if let Ok(client) = self.client().await {
            let _ = client.cancel(job).await;
        }
    }

    async fn client(&mut self) -> Result<&mut Client, Trouble> {
        if self.client.is_none() {
            self.client = Some(Client::connect(&self.address).await?);
        }
        self.client.as_mut().ok_or_else(|| Trouble::Away("not connected".to_owned()))
    }

    fn came_to<T>(&mut self, result: Result<T, Trouble>) -> Result<Option<T>, ClusterError> {
        let address = self.address.clone();
        match result {
            Ok(value) => {
                (self.was_there, self.away_since) = (true, None);
                Ok(Some(value))
            }
            Err(Trouble::Refused(reason)) => Err(ClusterError::Refused { address, reason: in_their_words(&reason) }),
            Err(Trouble::Away(reason)) => {
                self.client = None;
                let waited = self.away_since.get_or_insert_with(Instant::now).elapsed();
                match self.was_there {
                    false if waited >= self.first_patience => Err(ClusterError::Unreachable { address, reason }),
                    true if waited >= PATIENCE => Err(ClusterError::Lost { address, waited, reason }),
                    _ => Ok(None),
                }
            }
        }
    }
}

/// Returns how long a unit of so many sessions takes where every answer takes as long as it may, and the rate is what is allowed.
fn longest_unit(plan: &Plan, sessions: u64) -> Duration {
    let sessions = u32::try_from(sessions).unwrap_or(u32::MAX);
    let of_pipeline = |pipeline: &PipelinePlan| {
        let at_once = u32::try_from(pipeline.concurrency.get()).unwrap_or(u32::MAX);
        let asked = pipeline.longest_timeout().unwrap_or_default().saturating_mul(sessions.div_ceil(at_once));
        let rate = pipeline.policy().and_then(|policy| policy.rate).unwrap_or(f64::INFINITY);
        asked.max(Duration::try_from_secs_f64(f64::from(sessions) / rate).unwrap_or(Duration::MAX))
    };
    plan.pipelines.iter().map(of_pipeline).max().unwrap_or_default()
}

/// Deals units out to tasks: neighbours of one pipeline together.
fn tasks(units: &[WorkUnit]) -> Vec<UnitRange> {
    let size = (units.len() / TASKS_AT_LEAST).clamp(1, CHUNKS_PER_TASK);
    let mut sorted = units.to_vec();
    sorted.sort_unstable();
    let mut ranges = Vec::new();
    for of_pipeline in sorted.chunk_by(|one, other| one.pipeline == other.pipeline) {
        ranges.extend(of_pipeline.chunks(size).map(|units| UnitRange {
            pipeline: units.first().map_or(0, |unit| unit.pipeline),
            chunks: units.iter().map(|unit| unit.chunk).collect(),
        }));
    }
    ranges
}

fn units_of(range: &UnitRange) -> impl Iterator<Item = WorkUnit> + '_ {
    range.chunks.iter().map(|chunk| WorkUnit { pipeline: range.pipeline, chunk: *chunk })
}

/// Cuts what an executor said out of what Ballista wrapped around it.
fn in_their_words(text: &str) -> String {
    let inner = text.split_once(UnitError::SAID).and_then(|(_, rest)| rest.split_once(UnitError::END));
    let inner = inner.map_or(text, |(said, _)| said);
    // Ballista prints errors as Rust would write them.
    inner.replace("\\\"", "\"").replace("\\'", "'").replace("\\n", " ").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_in_one_task_and_tasks_hold_neighbours_of_one_pipeline() {
        let units: Vec<WorkUnit> =
            (0..2).flat_map(|pipeline| (0..1000).map(move |chunk| WorkUnit { pipeline, chunk })).collect();
        let found = tasks(&units);
        assert!(found.iter().all(|range| range.chunks.len() <= CHUNKS_PER_TASK));
        assert!(found.iter().all(|range| range.chunks.windows(2).all(|pair| pair[1] == pair[0] + 1)));
        let mut again: Vec<WorkUnit> = found.iter().flat_map(units_of).collect();
        again.sort_unstable();
        assert_eq!(again, units);
        assert_eq!(tasks(&units[..3]).len(), 3, "few units are spread over the executors");
        assert!(tasks(&[]).is_empty());
    }

    #[test]
    fn an_executors_words_are_found_in_ballistas() {
        let said = format!(
            "Job failed due to stage 1 failed: Task failed due to runtime execution error: DataFusionError(Execution(\"{}on a: no \\\"x\\\"{}\"))",
            UnitError::SAID,
            UnitError::END
        );
        assert_eq!(in_their_words(&said), "on a: no \"x\"");
        assert_eq!(in_their_words("no executors"), "no executors");
    }
}
