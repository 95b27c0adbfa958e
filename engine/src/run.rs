//! The six stages, readable in a minute: load and select, replay, score, compare, report.

mod copying;
mod error;
mod inputs;
mod look;
mod merge;
mod on_cluster;
#[cfg(test)]
mod power_loss_tests;
pub mod rejudge;
mod requests;
mod sequential;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::spawn_blocking;

use copying::Copying;
pub use error::RunError;
pub use look::look;
pub use merge::merge;
pub use on_cluster::Place;

use crate::benchmark::{PipelinePlan, Plan};
use crate::compare::outcome::ArmState;
use crate::compare::{self, Arm, gates};
use crate::event::{Event, Listener, RunState};
use crate::outbound::Outbound;
use crate::replay::cache::RankingCache;
use crate::replay::remote::{Secrets, no_secrets};
use crate::replay::{Pipeline, ReplayError, Workspace};
use crate::report::{self, Observed, PartTables, Report, RunInfo};
use crate::score::ScoringContract;
use crate::score::wasm::PluginHost;
use crate::select::{self, Selection};
use crate::store::{Manifest, Opened, RunDirectory, StoreError, TableReader, layout};
use crate::unit::{BorrowedRankings, Driver, Ended, RecentChunks, Task, UnitContext, UnitDone, UnitError, WorkUnit};

/// What became of a run.
#[derive(Debug)]
pub enum Outcome {
    /// Every unit is done, and the report is written.
    Finished(Box<Finished>),
    /// A shard of it is done: [`merge`] makes a report of all shards.
    Shard {
        /// Where it lies.
        directory: PathBuf,
        /// Which shard.
        shard: Shard,
        /// Units of this shard.
        units: usize,
    },
}

/// A finished run.
#[derive(Debug)]
pub struct Finished {
    /// What it found.
    pub report: Report,
    /// Where it lies.
    pub directory: PathBuf,
    /// Whether it had been finished before, and nothing was done now.
    pub already_finished: bool,
    /// The file of failed gates that are accepted for a while; it need not be there.
    pub acknowledgements: PathBuf,
}

/// A share of a run's chunks: neighbours, so that a recording is read through once by all shards together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Which one, from 1.
    pub index: NonZeroUsize,
    /// Of how many.
    pub count: NonZeroUsize,
}

impl Shard {
    /// Returns whether the chunk, one of `chunks`, is of this shard.
    #[must_use]
    pub fn holds(self, chunk: usize, chunks: usize) -> bool {
        let bound = |shard: usize| chunks.saturating_mul(shard) / self.count.get();
        (bound(self.index.get() - 1)..bound(self.index.get())).contains(&chunk)
    }
}

/// What surrounds a run: where it goes, who listens, and how it is stopped.
pub struct Surroundings {
    /// The run's own directory; a folder under the plan's output directory where `None`.
    pub out: Option<PathBuf>,
    /// Units that are done at once; one per core where `None`. It changes no result.
    pub threads: Option<NonZeroUsize>,
    /// Sessions of a work unit of a run that begins; as many as suit its sample where `None`. Fewer are kept sooner.
    pub sessions_per_chunk: Option<NonZeroUsize>,
    /// Memory that sorting and selecting may take before they go to disk, bytes. It changes no result.
    pub memory_bytes: usize,
    /// Does a share of the units only.
    pub shard: Option<Shard>,
    /// Tries the sessions again that failed.
    pub retry_errors: bool,
    /// Where the units are done. It changes no result but latencies.
    pub place: Place,
    /// Hears what happens.
    pub listener: Arc<dyn Listener>,
    /// Set to stop after the work units in flight.
    pub stop: Arc<AtomicBool>,
    /// Runs components.
    pub plugins: Arc<PluginHost>,
    /// Rankings that are kept from run to run; nothing is kept where `None`.
    pub rankings: Option<Arc<RankingCache>>,
    /// Looks up the environment variables that hold the credentials of retrievers.
    pub secrets: Secrets,
    /// Whom retrievers may connect to. Whom inputs may be read from is set for the whole process, by
    /// [`crate::storage::connect_within`].
    pub outbound: Outbound,
}

impl Surroundings {
    /// Returns surroundings in which a whole run is worked on by all cores, in a folder under the plan's output directory,
    /// until it is done.
    #[must_use]
    pub fn new(listener: Arc<dyn Listener>, plugins: Arc<PluginHost>) -> Self {
        Self {
            out: None,
            threads: None,
            sessions_per_chunk: None,
            memory_bytes: 2 * Workspace::MEMORY_BYTES,
            shard: None,
            retry_errors: false,
            place: Place::default(),
            listener,
            stop: Arc::default(),
            plugins,
            rankings: None,
            secrets: no_secrets(),
            outbound: Outbound::default(),
        }
    }

    fn workers(&self) -> NonZeroUsize {
        self.threads.or_else(|| std::thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN)
    }
}

/// Runs a benchmark. A run that was interrupted goes on where it stopped; a finished one is not repeated.
///
/// # Errors
///
/// Returns an error when an input cannot be read, nothing is selected, a retriever cannot be built, a scorer fails as a
/// whole, or the run directory cannot be written. Failures of single sessions are no error: the report counts them.
pub async fn run(plan: Plan, surroundings: Surroundings) -> Result<Outcome, RunError> {
    surroundings.listener.hear(&Event::Entered(RunState::Pending));
    let plugins = Arc::clone(&surroundings.plugins);
    let (plan, prepared) = spawn_blocking(move || {
        let prepared = inputs::prepare(&plan, &plugins);
        (plan, prepared)
    })
    .await?;
    let inputs::Prepared { contract, hashes, manifest } = prepared?;
    let root = match &surroundings.out {
        Some(out) => out.clone(),
        None => plan.output_dir.join(format!("{}-{}", folder_name(&plan.name), manifest.run_id)),
    };
    let (directory, opened) = RunDirectory::open(&root, &manifest)?;
    let retrying = surroundings.retry_errors || directory.holds(layout::RETRYING)?;
    if opened == Opened::Finished && !retrying {
        let report: Report = directory.read_json(layout::REPORT_JSON)?;
        report::complete(&plan, &report, &directory)?;
        let acknowledgements = plan.acknowledgements;
        let finished = Finished { report, directory: root, already_finished: true, acknowledgements };
        return Ok(Outcome::Finished(Box::new(finished)));
    }
    directory.write_json(layout::PLAN, &Manifest::placed(&plan).map_err(StoreError::manifest)?)?;
    if let Some(written) = &plan.written {
        directory.write_json(layout::BENCHMARK, written)?;
    }
    let acknowledgements = plan.acknowledgements.clone();
    if plan.statistics.stop_when_decided && surroundings.shard.is_some_and(|shard| shard.count.get() > 1) {
        return Err(RunError::ShardedStop);
    }
    let run = Run {
        plan: Arc::new(plan),
        contract: Arc::new(contract),
        hashes,
        manifest,
        directory,
        surroundings,
        #[cfg(feature = "cluster")]
        drive: crate::store::random_id(),
    };
    run.reach_cluster().await?;
    let selection = run.select().await?;
    let copying = match run.work(retrying).await? {
        Worked::Whole(copying) => copying,
        Worked::Shard(outcome) => return Ok(outcome),
    };
    if run.sum_up_on_cluster().await? == Ended::Stopped {
        return Err(run.interrupted());
    }
    let report = spawn_blocking(move || run.finish(selection, copying)).await??;
    let finished = Finished { report, directory: root, already_finished: false, acknowledgements };
    Ok(Outcome::Finished(Box::new(finished)))
}

/// Goes on with the run in `directory`, by what stands there.
///
/// # Errors
///
/// Returns the errors of [`run`], and one when there is no run in the directory or its inputs have changed since.
pub async fn resume(directory: &Path, surroundings: Surroundings) -> Result<Outcome, RunError> {
    let (viewed, ..) = RunDirectory::view(directory)?;
    let plan: Plan = viewed.read_json(layout::PLAN)?;
    run(plan, Surroundings { out: Some(directory.to_owned()), ..surroundings }).await
}

/// What there is when all units of this process are done.
enum Worked {
    /// Those of the run, with the tables that were begun.
    Whole(Option<Copying>),
    /// Those of a shard: that is all there is to do.
    Shard(Outcome),
}

/// A run under way.
struct Run {
    plan: Arc<Plan>,
    contract: Arc<ScoringContract>,
    /// The pipelines' hashes.
    hashes: Vec<String>,
    manifest: Manifest,
    directory: RunDirectory,
    surroundings: Surroundings,
    /// What tells the orders of this process to executors from those of an earlier one.
    #[cfg(feature = "cluster")]
    drive: String,
}

impl Run {
    fn tell(&self, event: &Event) {
        self.surroundings.listener.hear(event);
    }

    fn interrupted(&self) -> RunError {
        let shard = self.surroundings.shard;
        RunError::Interrupted { directory: self.directory.root().to_owned(), shard }
    }

    async fn select(&self) -> Result<Selection, RunError> {
        self.tell(&Event::Entered(RunState::BuildingSessions));
        let selection = if self.directory.holds(layout::SESSIONS)? && self.directory.holds(layout::SELECTION)? {
            self.directory.read_json(layout::SELECTION)?
        } else if self.plan.borrowed.is_some() {
            let (plan, directory) = (Arc::clone(&self.plan), self.directory.clone());
            spawn_blocking(move || rejudge::borrow_sample(&plan, &directory)).await??
        } else {
            let Surroundings { memory_bytes, sessions_per_chunk, .. } = &self.surroundings;
            select::select(&self.plan, &self.directory, memory_bytes / 2, *sessions_per_chunk).await?
        };
        self.tell(&Event::Sampled { loaded: selection.loaded, sampled: selection.sampled });
        Ok(selection)
    }

    /// Does the units that are not done.
    async fn work(&self, retrying: bool) -> Result<Worked, RunError> {
        self.tell(&Event::Entered(RunState::Replaying));
        let sample = self.directory.table(layout::SESSIONS)?;
        gates::check_nodes(&self.plan, &sample)?;
        if self.plan.statistics.stop_when_decided {
            return match self.replay_until_decided(&sample, retrying).await? {
                Ended::Done => Ok(Worked::Whole(None)),
                Ended::Stopped => Err(self.interrupted()),
            };
        }
        let chunks = sample.groups();
        let shard = self.surroundings.shard;
        let mine = |chunk: &usize| shard.is_none_or(|shard| shard.holds(*chunk, chunks));
        let units: Vec<WorkUnit> = (0..self.plan.pipelines.len())
            .flat_map(|pipeline| (0..chunks).filter(mine).map(move |chunk| WorkUnit { pipeline, chunk }))
            .collect();
        let present = self.directory.parts()?;
        let (done, missing): (Vec<WorkUnit>, Vec<WorkUnit>) =
            units.iter().partition(|unit| present.contains(&(unit.pipeline, unit.chunk)));
        if retrying {
            self.directory.write_json(layout::RETRYING, &true)?;
        }
        let mut copying = None;
        if !missing.is_empty() || retrying {
            // They are of the parts as they were.
            self.directory.remove_folder(layout::SUMS)?;
            let tally = Tally::new(self, &sample, &units, &done);
            let again = retrying.then(|| Tally::new(self, &sample, &units, &[]));
            let ended = match self.cluster() {
                Some(address) => self.work_on_cluster(address, &units, &missing, tally, again).await?,
                None => {
                    copying = self.begin_copying(&done, retrying)?;
                    self.work_here(&units, &missing, tally, again, copying.as_ref()).await?
                }
            };
            if ended == Ended::Stopped {
                return Err(self.interrupted());
            }
        }
        let Some(shard) = shard.filter(|shard| shard.count.get() > 1) else { return Ok(Worked::Whole(copying)) };
        self.directory.remove(layout::RETRYING)?;
        self.tidy_after_cluster()?;
        self.directory.remove_scratch()?;
        Ok(Worked::Shard(Outcome::Shard { directory: self.directory.root().to_owned(), shard, units: units.len() }))
    }

    /// Begins to copy parts while the others are made; `None` where they are made anew, or not all of them here.
    fn begin_copying(&self, done: &[WorkUnit], retrying: bool) -> Result<Option<Copying>, RunError> {
        if retrying || self.surroundings.shard.is_some_and(|shard| shard.count.get() > 1) {
            return Ok(None);
        }
        Ok(Some(Copying::begin(self.begin_tables()?, done)))
    }

    /// Begins the tables that say what the parts say.
    fn begin_tables(&self) -> Result<PartTables, StoreError> {
        let measures = self.contract.measures().iter().map(|measure| measure.name.as_str());
        PartTables::begin(&self.plan, measures, &self.directory)
    }

    /// Does the missing units in this process, and, where there is a second tally, tries what failed in all of them again.
    async fn work_here(
        &self,
        units: &[WorkUnit],
        missing: &[WorkUnit],
        mut tally: Tally,
        again: Option<Tally>,
        copying: Option<&Copying>,
    ) -> Result<Ended, RunError> {
        let context = self.build(self.directory.scratch()?).await?;
        let driver = Driver { context, threads: self.surroundings.workers() };
        let tell = |done: UnitDone| {
            tally.add(self, done);
            copying.inspect(|copying| copying.add(done.unit));
        };
        let mut ended = self.stopped(driver.drive(Task::Do, missing, tell).await);
        if let Some(mut again) = again.filter(|_| matches!(ended, Ok(Ended::Done))) {
            driver.context.pipelines.iter().for_each(|pipeline| pipeline.forget_shared());
            ended = self.stopped(driver.drive(Task::RetryErrors, units, |done| again.add(self, done)).await);
        }
        // However it ended: what was asked was asked. Who cannot publish that any more says so by what ended it.
        let noted = self.note_requests(driver.context.pipelines.iter().map(Arc::as_ref));
        let ended = ended?;
        noted?;
        Ok(ended)
    }

    /// A component that is told to stop says so by an error, which is none of the run's. A retriever that died is no
    /// failure of the run's inputs: it goes on when the retriever is well again.
    fn stopped(&self, driven: Result<Ended, UnitError>) -> Result<Ended, RunError> {
        match driven {
            Err(UnitError::Score(_) | UnitError::Replay(ReplayError::Dead { .. }))
                if self.surroundings.stop.load(Ordering::Relaxed) =>
            {
                Ok(Ended::Stopped)
            }
            Err(UnitError::Replay(ReplayError::Dead { retriever, message })) => {
                let (directory, shard) = (self.directory.root().to_owned(), self.surroundings.shard);
                Err(RunError::RetrieverDead { retriever, message, directory, shard })
            }
            driven => Ok(driven?),
        }
    }

    /// Opens what units need.
    async fn build(&self, scratch: PathBuf) -> Result<Arc<UnitContext>, RunError> {
        let workspace = Workspace {
            scratch,
            memory_bytes: self.surroundings.memory_bytes / 2,
            plugins: Some(Arc::clone(&self.surroundings.plugins)),
            rankings: self.surroundings.rankings.clone(),
            secrets: Arc::clone(&self.surroundings.secrets),
            outbound: self.surroundings.outbound.clone(),
        };
        let (plan, hashes) = (Arc::clone(&self.plan), self.hashes.clone());
        let build = move || {
            let borrowed = BorrowedRankings::open(&plan)?.map(Arc::new);
            let pipelines = match borrowed {
                Some(_) => Vec::new(),
                None => Pipeline::build_hashed(&plan.pipelines, hashes, &workspace)?,
            };
            Ok::<_, RunError>((pipelines.into_iter().map(Arc::new).collect(), borrowed))
        };
        let (pipelines, borrowed) = spawn_blocking(build).await??;
        Ok(Arc::new(UnitContext {
            plan: Arc::clone(&self.plan),
            contract: Arc::clone(&self.contract),
            pipelines,
            borrowed,
            run: self.directory.clone(),
            sample: self.directory.table(layout::SESSIONS)?,
            recent: RecentChunks::default(),
            scratch: None,
            stop: Arc::clone(&self.surroundings.stop),
        }))
    }

    /// Compares, and writes every artefact.
    fn finish(&self, selection: Selection, copying: Option<Copying>) -> Result<Report, RunError> {
        if self.surroundings.stop.load(Ordering::Relaxed) {
            return Err(self.interrupted());
        }
        self.tell(&Event::Entered(RunState::ComputingMetrics));
        let arm = |(pipeline, hash): (&PipelinePlan, &String)| Arm {
            id: pipeline.id.clone(),
            name: pipeline.name.clone(),
            pipeline_hash: hash.clone(),
        };
        let arms: Vec<Arm> = self.plan.pipelines.iter().zip(&self.hashes).map(arm).collect();
        let (comparison, parts) = std::thread::scope(|scope| {
            let parts =
                scope.spawn(|| copying.and_then(Copying::end).map_or_else(|| self.begin_tables(), Ok)?.finish());
            let threads = self.surroundings.workers();
            let comparison = compare::compare(&self.plan, &self.contract, &arms, &self.directory, threads);
            (comparison, parts.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        let mut comparison = comparison?;
        for result in &comparison.results {
            for (name, scorer) in &result.scorers {
                if let Some(first) = scorer.first_error.as_ref().filter(|_| scorer.error == result.answered_sessions) {
                    let (scorer, sessions, first) = (name.clone(), scorer.error, first.clone());
                    return Err(RunError::ScorerFailed { scorer, sessions, first });
                }
            }
        }
        requests::tell(&self.directory, &mut comparison.results)?;
        let failed = comparison.results.iter().any(|result| result.state == ArmState::Failed);
        let state = if failed { report::RunState::Failed } else { report::RunState::Completed };
        let observed = Observed { completed_at: jiff::Timestamp::now().to_string() };
        let info = RunInfo::of(&self.manifest, &self.plan, &self.contract, selection, state);
        let report = Report::new(info, comparison, observed);
        report::publish(&self.plan, &report, parts?, &self.directory)?;
        self.directory.remove(layout::RETRYING)?;
        self.tidy_after_cluster()?;
        self.directory.remove_scratch()?;
        self.tell(&Event::Entered(RunState::Completed));
        Ok(report)
    }
}

/// Sessions done and failed, by pipeline. Pipelines are told of one after the other, whichever is done first.
struct Tally {
    total: u64,
    /// The pipeline that is told of.
    current: usize,
    done: Vec<u64>,
    failed: Vec<u64>,
}

impl Tally {
    /// Returns a tally that begins with the units in `done`.
    fn new(run: &Run, sample: &TableReader, units: &[WorkUnit], done: &[WorkUnit]) -> Self {
        let pipelines = run.plan.pipelines.len();
        let rows = |of: &mut dyn Iterator<Item = &WorkUnit>| of.map(|unit| sample.group_rows(unit.chunk)).sum::<u64>();
        let of_pipeline = |pipeline: usize| rows(&mut done.iter().filter(|unit| unit.pipeline == pipeline));
        let total = rows(&mut units.iter().filter(|unit| unit.pipeline == 0));
        let done: Vec<u64> = (0..pipelines).map(of_pipeline).collect();
        let current = done.iter().take_while(|done| **done == total).count();
        Self { total, current, done, failed: vec![0; pipelines] }
    }

    fn add(&mut self, run: &Run, unit: UnitDone) {
        let pipeline = unit.unit.pipeline;
        if let (Some(done), Some(failed)) = (self.done.get_mut(pipeline), self.failed.get_mut(pipeline)) {
            *done += unit.sessions;
            *failed += unit.failed;
        }
        // Whoever is next may be done already.
        while pipeline <= self.current && self.tell(run) {
            self.current += 1;
        }
    }

    /// Tells of the current pipeline, and returns whether it is done.
    fn tell(&self, run: &Run) -> bool {
        let counts = self.done.get(self.current).zip(self.failed.get(self.current));
        let (Some((done, failed)), Some(plan)) = (counts, run.plan.pipelines.get(self.current)) else { return false };
        let (retriever_id, total) = (plan.id.clone(), self.total);
        let borrowed = run.plan.borrowed.is_some();
        run.tell(&Event::Replayed { retriever_id, done: *done, total, failed: *failed, borrowed });
        *done == total
    }
}

/// The benchmark's name as a folder name.
fn folder_name(name: &str) -> String {
    name.chars().map(|letter| if letter.is_alphanumeric() || "-_.".contains(letter) { letter } else { '-' }).collect()
}
