//! The six stages, readable in a minute: load and select, replay, score, compare, report.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::{StreamExt, TryStreamExt, stream};

use crate::benchmark::spec::SessionsPath;
use crate::benchmark::{Plan, ScorerSource};
use crate::compare::outcome::ArmState;
use crate::compare::{self, Arm, CompareError};
use crate::event::{Event, Listener, RunState};
use crate::load::{self, LoadError};
use crate::replay::{Pipeline, ReplayError, replay_chunk};
use crate::report::{self, Observed, Report, RunInfo};
use crate::rows::{rankings_from_batch, rankings_to_batch, scores_to_batch, sessions_from_batch};
use crate::schema;
use crate::score::wasm::PluginHost;
use crate::score::{ScoreError, ScoringContract, score_chunk};
use crate::select::{self, SelectError, Selection};
use crate::session::Session;
use crate::store::{InputHash, Manifest, Opened, RunDirectory, StoreError, layout};

/// A finished run.
#[derive(Debug)]
pub struct Finished {
    /// What it found.
    pub report: Report,
    /// Where it lies.
    pub directory: PathBuf,
    /// Whether it had been finished before, and nothing was done now.
    pub already_finished: bool,
}

/// Why a run did not finish.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// An input cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// No sample could be drawn.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// A retriever cannot be built.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// A scorer cannot be used.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// A scorer failed on every session that it was given.
    #[error("scorer `{scorer}` failed on every session that it was given ({sessions}); the first failure: {first}")]
    ScorerFailed {
        /// The scorer.
        scorer: String,
        /// Sessions that it was given.
        sessions: u64,
        /// The first failure in words.
        first: String,
    },
    /// The run directory cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The scores cannot be compared.
    #[error(transparent)]
    Compare(#[from] CompareError),
    /// The run was asked to stop; what is done is kept.
    #[error("interrupted; what is done is kept in `{directory}`, the same command goes on from there", directory = directory.display())]
    Interrupted {
        /// The run's directory.
        directory: PathBuf,
    },
    /// A worker of the engine died.
    #[error("a worker of the engine died")]
    Worker(#[from] tokio::task::JoinError),
}

/// What surrounds a run: where it goes, who listens, and how it is stopped.
pub struct Surroundings {
    /// The run's own directory; a folder under the plan's output directory where `None`.
    pub out: Option<PathBuf>,
    /// Chunks that are scored at once; one per core where `None`. It changes no result.
    pub threads: Option<NonZeroUsize>,
    /// Hears what happens.
    pub listener: Arc<dyn Listener>,
    /// Set to stop after the work units in flight.
    pub stop: Arc<AtomicBool>,
    /// Runs scoring components.
    pub plugins: Arc<PluginHost>,
}

/// Runs a benchmark. A run that was interrupted goes on where it stopped; a finished one is not repeated.
///
/// # Errors
///
/// Returns an error when an input cannot be read, nothing is selected, a retriever cannot be built, a scorer fails as a
/// whole, or the run directory cannot be written. Failures of single sessions are no error: the report counts them.
pub async fn run(plan: Plan, surroundings: Surroundings) -> Result<Finished, RunError> {
    let pipelines: Vec<Arc<Pipeline>> = Pipeline::build(&plan.pipelines)?.into_iter().map(Arc::new).collect();
    let contract = ScoringContract::load(&plan, &surroundings.plugins)?;
    let manifest = Manifest::of(&plan, inputs(&plan, &contract, &pipelines)?).map_err(StoreError::manifest)?;
    let root = match &surroundings.out {
        Some(out) => out.clone(),
        None => plan.output_dir.join(format!("{}-{}", folder_name(&plan.name), manifest.run_id)),
    };
    let (directory, opened) = RunDirectory::open(&root, &manifest)?;
    if opened == Opened::Finished {
        let report: Report = directory.read_json(layout::REPORT_JSON)?;
        report::complete(&plan, &report, &directory)?;
        return Ok(Finished { report, directory: root, already_finished: true });
    }
    let run = Run { plan: Arc::new(plan), directory, surroundings };
    let selection = run.select().await?;
    run.replay(&pipelines).await?;
    let contract = Arc::new(contract);
    run.score(&contract, selection.sampled).await?;
    let report = run.report(&manifest, &pipelines, &contract, selection)?;
    Ok(Finished { report, directory: root, already_finished: false })
}

/// A run under way.
struct Run {
    plan: Arc<Plan>,
    directory: RunDirectory,
    surroundings: Surroundings,
}

impl Run {
    fn tell(&self, event: &Event) {
        self.surroundings.listener.hear(event);
    }

    fn check_stop(&self) -> Result<(), RunError> {
        if self.surroundings.stop.load(Ordering::Relaxed) {
            return Err(RunError::Interrupted { directory: self.directory.root().to_owned() });
        }
        Ok(())
    }

    async fn select(&self) -> Result<Selection, RunError> {
        self.tell(&Event::Entered(RunState::BuildingSessions));
        let selection = if self.directory.has(layout::SESSIONS) && self.directory.has(layout::SELECTION) {
            self.directory.read_json(layout::SELECTION)?
        } else {
            select::select(&self.plan, &self.directory).await?
        };
        self.tell(&Event::Sampled { loaded: selection.loaded, sampled: selection.sampled });
        Ok(selection)
    }

    async fn replay(&self, pipelines: &[Arc<Pipeline>]) -> Result<(), RunError> {
        self.tell(&Event::Entered(RunState::Replaying));
        let sample = self.directory.table(layout::SESSIONS)?;
        for (index, pipeline) in pipelines.iter().enumerate() {
            let (mut done, mut failed) = (0, 0);
            for chunk in 0..sample.groups() {
                self.check_stop()?;
                let part = layout::rankings_part(index, chunk);
                let rankings = if self.directory.has(&part) {
                    self.directory.rows(&part, rankings_from_batch)?
                } else {
                    let sessions: Arc<[Session]> = read_sessions(&self.directory, chunk)?.into();
                    let rankings = replay_chunk(Arc::clone(pipeline), sessions, self.plan.depth.get()).await;
                    let batch = rankings_to_batch(&rankings).map_err(|error| StoreError::table(&part, error));
                    self.directory.write_table(&part, schema::RANKINGS.clone(), std::iter::once(batch))?;
                    rankings
                };
                done += rankings.len() as u64;
                failed += rankings.iter().filter(|ranking| ranking.failed()).count() as u64;
                let retriever_id = pipeline.id().to_owned();
                self.tell(&Event::Replayed { retriever_id, done, total: sample.rows(), failed });
            }
        }
        Ok(())
    }

    async fn score(&self, contract: &Arc<ScoringContract>, total: u64) -> Result<(), RunError> {
        self.tell(&Event::Entered(RunState::ComputingMetrics));
        let chunks = self.directory.table(layout::SESSIONS)?.groups();
        let workers = self.surroundings.threads.or_else(|| std::thread::available_parallelism().ok());
        let workers = workers.map_or(1, NonZeroUsize::get);
        for (index, pipeline) in self.plan.pipelines.iter().enumerate() {
            let mut done = 0;
            let units = (0..chunks).map(|chunk| {
                let (plan, contract, directory) =
                    (Arc::clone(&self.plan), Arc::clone(contract), self.directory.clone());
                tokio::task::spawn_blocking(move || score_unit(&plan, &contract, &directory, index, chunk))
            });
            let mut finished = stream::iter(units).buffered(workers).map_err(RunError::from);
            while let Some(sessions) = finished.try_next().await? {
                self.check_stop()?;
                done += sessions?;
                self.tell(&Event::Scored { retriever_id: pipeline.id.clone(), done, total });
            }
        }
        Ok(())
    }

    fn report(
        &self,
        manifest: &Manifest,
        pipelines: &[Arc<Pipeline>],
        contract: &ScoringContract,
        selection: Selection,
    ) -> Result<Report, RunError> {
        let arm = |pipeline: &Arc<Pipeline>| Arm {
            id: pipeline.id().to_owned(),
            name: pipeline.name().to_owned(),
            pipeline_hash: pipeline.pipeline_hash().to_owned(),
        };
        let arms: Vec<Arm> = pipelines.iter().map(arm).collect();
        let comparison = compare::compare(&self.plan, contract, &arms, &self.directory)?;
        for result in &comparison.results {
            for (name, scorer) in &result.scorers {
                if let Some(first) = scorer.first_error.as_ref().filter(|_| scorer.error == result.answered_sessions) {
                    let (scorer, sessions, first) = (name.clone(), scorer.error, first.clone());
                    return Err(RunError::ScorerFailed { scorer, sessions, first });
                }
            }
        }
        let failed = comparison.results.iter().any(|result| result.state == ArmState::Failed);
        let state = if failed { report::RunState::Failed } else { report::RunState::Completed };
        let observed = Observed { completed_at: jiff::Timestamp::now().to_string() };
        let report = Report::new(RunInfo::of(manifest, &self.plan, contract, selection, state), comparison, observed);
        report::publish(&self.plan, &report, &self.directory)?;
        self.tell(&Event::Entered(RunState::Completed));
        Ok(report)
    }
}

fn score_unit(
    plan: &Plan,
    contract: &ScoringContract,
    directory: &RunDirectory,
    pipeline: usize,
    chunk: usize,
) -> Result<u64, RunError> {
    let sessions = read_sessions(directory, chunk)?;
    let part = layout::scores_part(pipeline, chunk);
    if !directory.has(&part) {
        let rankings = directory.rows(layout::rankings_part(pipeline, chunk), rankings_from_batch)?;
        let rows = score_chunk(plan, contract, &sessions, &rankings)?;
        let columns = contract.columns();
        let batch = scores_to_batch(&rows, &columns).map_err(|error| StoreError::table(&part, error));
        directory.write_table(&part, schema::scores(&columns), std::iter::once(batch))?;
    }
    Ok(sessions.len() as u64)
}

fn read_sessions(directory: &RunDirectory, chunk: usize) -> Result<Vec<Session>, StoreError> {
    let batch = directory.table(layout::SESSIONS)?.group(chunk)?;
    sessions_from_batch(&batch).map_err(|error| StoreError::table(&directory.path(layout::SESSIONS), error))
}

/// The content of everything that the run depends on.
fn inputs(plan: &Plan, contract: &ScoringContract, pipelines: &[Arc<Pipeline>]) -> Result<Vec<InputHash>, LoadError> {
    let mut inputs = Vec::new();
    let mut add = |name: String, path: &Path| {
        let hash = InputHash::of_file(name, path).map_err(|source| LoadError::Io { path: path.to_owned(), source })?;
        inputs.push(hash);
        Ok::<(), LoadError>(())
    };
    for path in session_files(&plan.sessions)? {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        add(format!("sessions {name}"), &path)?;
    }
    for scorer in &plan.scorers {
        if let ScorerSource::Plugin(plugin) = &scorer.source
            && let Some(items) = &plugin.items
        {
            for path in load::documents::corpus_files(&items.corpus)? {
                add(format!("items of plugin {}", scorer.name), &path)?;
            }
        }
    }
    for scorer in contract.scorers() {
        if let Some(sha256) = scorer.content_hash() {
            inputs.push(InputHash { name: format!("plugin {}", scorer.name()), sha256: sha256.to_owned() });
        }
    }
    for pipeline in pipelines {
        let (name, sha256) = (format!("pipeline {}", pipeline.id()), pipeline.pipeline_hash().to_owned());
        inputs.push(InputHash { name, sha256 });
    }
    Ok(inputs)
}

fn session_files(sessions: &SessionsPath) -> Result<Vec<PathBuf>, LoadError> {
    let mut files = Vec::new();
    match sessions {
        SessionsPath::Files(patterns) => {
            for pattern in patterns {
                files.extend(load::expand(pattern)?);
            }
        }
        SessionsPath::Ubi(ubi) => {
            files.extend(load::expand(&ubi.queries)?);
            files.extend(load::expand(&ubi.events)?);
        }
        SessionsPath::Trec(trec) => {
            files.extend(trec.topics.iter().map(PathBuf::from));
            files.push(PathBuf::from(&trec.qrels));
        }
        SessionsPath::Beir(directory) => {
            for pattern in ["queries.jsonl*", "qrels/*"] {
                files.extend(load::expand(&format!("{directory}/{pattern}"))?);
            }
        }
    }
    Ok(files)
}

/// The benchmark's name as a folder name.
fn folder_name(name: &str) -> String {
    name.chars().map(|letter| if letter.is_alphanumeric() || "-_.".contains(letter) { letter } else { '-' }).collect()
}
