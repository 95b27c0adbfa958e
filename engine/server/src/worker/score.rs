//! Searches under a scoring contract: runs of which every session's scores are wanted, and not the comparison.

use std::collections::BTreeSet;
use std::io::BufRead;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rematch_engine::rows::{rankings_from_batch, rankings_to_batch, scores_from_batch};
use rematch_engine::sandbox::PluginHost;
use rematch_engine::schema;
use rematch_engine::session::{Hit, Ranking, ScoreRow, ScoreState, ScorerResult};
use rematch_engine::store::{RunDirectory, StoreError, TableWriter, layout};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::run::Pace;
use super::{Failure, Message, Outlet, RunOrder, Task, run};

/// Work units of a run, about: what was computed is told when one is done, and kept when the rest is canceled.
const CHUNKS: usize = 64;

/// The smallest and the largest work unit, sessions.
const CHUNK: (usize, usize) = (8, 256);

/// Sessions that are told at once.
const TOLD_AT_ONCE: usize = 64;

/// Rankings of a row group.
const ROWS_PER_GROUP: usize = 1024;

/// Runs to do, one after the other. The outcome is a list of [`ScoredRun`], one for each.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ScoreOrder {
    /// The runs.
    pub runs: Vec<RunToScore>,
}

/// A run of which the scores of the baseline's sessions are wanted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunToScore {
    /// The benchmark file.
    pub benchmark: PathBuf,
    /// The run directory.
    pub out: PathBuf,
    /// A ranking per line, and the table that the benchmark reads them from, which is made of them.
    pub recording: Option<(PathBuf, PathBuf)>,
    /// Its sessions.
    pub sessions: usize,
    /// How often sessions are tried again whose retriever or scorer failed.
    pub retries: u32,
    /// How long the first attempt may take, seconds.
    pub seconds: f64,
    /// By what each further one may take longer.
    pub multiplier: f64,
    /// Hits of each ranking that are wanted.
    pub hits: usize,
}

/// What a run came to.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ScoredRun {
    /// Why not all sessions are there.
    pub failure: Option<ScoreFailure>,
    /// The sessions that are.
    pub sessions: Vec<ScoredSession>,
}

/// Why a run did not come to an end.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ScoreFailure {
    /// A stable identifier of the kind of failure; `timeout` where it took too long.
    pub code: String,
    /// What is wrong.
    pub message: String,
}

/// A session's ranking and its scores.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ScoredSession {
    /// The session.
    pub session_id: String,
    /// The weighted mean of the scorers' values, where all have one.
    pub scenario_score: Option<f64>,
    /// What each scorer said, in the contract's order.
    pub scorers: Vec<ScorerResult>,
    /// The first hits.
    pub hits: Vec<Hit>,
    /// Time of the answer, nanoseconds.
    pub latency_ns: i64,
    /// The kind of failure, where the retriever failed.
    pub error_kind: Option<String>,
    /// The failure in words.
    pub error: Option<String>,
}

pub(super) fn score(
    task: &Task,
    order: &ScoreOrder,
    plugins: &Arc<PluginHost>,
    outlet: &Outlet,
) -> Result<Value, Failure> {
    let mut scored = Vec::with_capacity(order.runs.len());
    for (run, one) in order.runs.iter().enumerate() {
        let teller = Arc::new(Teller {
            run,
            out: one.out.clone(),
            hits: one.hits,
            outlet: outlet.clone(),
            told: Mutex::default(),
        });
        let failure = match do_one(task, one, plugins, &teller) {
            Ok(()) => None,
            Err(Failure { code, message }) => Some(ScoreFailure { code: code.to_owned(), message }),
        };
        teller.tell();
        // Half a run is no outcome: it goes on where it was when the server is there again.
        if plugins.stop().load(Ordering::SeqCst) {
            return Err(Failure::new("stopped", "told to stop"));
        }
        // A scorer that fails on every session fails its run; what it said of each is there all the same.
        let sessions = read(&one.out, one.hits).unwrap_or_default();
        scored.push(ScoredRun { failure, sessions });
    }
    Ok(json!(scored))
}

/// Tells the server of sessions whose scores will not change any more.
struct Teller {
    run: usize,
    out: PathBuf,
    hits: usize,
    outlet: Outlet,
    /// Work units that were told to their end.
    told: Mutex<BTreeSet<usize>>,
}

impl Teller {
    /// Tells of the work units that are done by now. What failed may be tried again, and is told with the outcome.
    fn tell(&self) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok((directory, ..)) = RunDirectory::view(&self.out) else { return };
        for (pipeline, chunk) in baseline_parts(&directory).unwrap_or_default() {
            if !told.insert(chunk) {
                continue;
            }
            let Ok(sessions) = part(&directory, (pipeline, chunk), self.hits) else { continue };
            let sessions: Vec<ScoredSession> = sessions.into_iter().filter(|session| !has_failed(session)).collect();
            for sessions in sessions.chunks(TOLD_AT_ONCE) {
                self.outlet.say(&Message::Scored { run: self.run, sessions: sessions.to_vec() });
            }
        }
    }

    fn pace(self: &Arc<Self>, sessions: usize) -> Pace {
        let (teller, (least, most)) = (Arc::clone(self), CHUNK);
        let sessions_per_chunk = NonZeroUsize::new((sessions / CHUNKS).clamp(least, most));
        Pace { sessions_per_chunk, heard: Some(Arc::new(move || teller.tell())) }
    }
}

fn do_one(task: &Task, one: &RunToScore, plugins: &Arc<PluginHost>, teller: &Arc<Teller>) -> Result<(), Failure> {
    if let Some((lines, table)) = &one.recording {
        record(lines, table).map_err(|error| Failure::new("internal", error))?;
    }
    let mut seconds = one.seconds;
    for attempt in 0..=one.retries {
        let ended = within(seconds, plugins, || {
            run::run_at(task, &order(one, attempt > 0), Arc::clone(plugins), &teller.outlet, teller.pace(one.sessions))
        });
        // What was told to stop is not tried again.
        let is_last = attempt == one.retries || plugins.stop().load(Ordering::SeqCst);
        if is_last || (ended.is_ok() && !read(&one.out, 0).unwrap_or_default().iter().any(has_failed)) {
            return ended;
        }
        seconds *= one.multiplier;
    }
    Ok(())
}

fn order(one: &RunToScore, retry_errors: bool) -> RunOrder {
    RunOrder { benchmark: one.benchmark.clone(), overrides: Vec::new(), out: one.out.clone(), retry_errors }
}

/// Returns whether another attempt may fare better.
fn has_failed(session: &ScoredSession) -> bool {
    session.error_kind.is_some() || session.scorers.iter().any(|scorer| scorer.state == ScoreState::Error)
}

/// Works for so many seconds at most.
fn within(
    seconds: f64,
    plugins: &Arc<PluginHost>,
    work: impl FnOnce() -> Result<Value, Failure>,
) -> Result<(), Failure> {
    let expired = Arc::new(AtomicBool::new(false));
    let stop = plugins.stop();
    let (done, waits) = channel::<()>();
    let limit = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    let watch = {
        let (expired, stop) = (Arc::clone(&expired), Arc::clone(&stop));
        std::thread::spawn(move || {
            if waits.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                expired.store(true, Ordering::SeqCst);
                stop.store(true, Ordering::SeqCst);
            }
        })
    };
    let ended = work();
    drop(done);
    let _ = watch.join();
    if expired.load(Ordering::SeqCst) {
        // The next attempt, or the next run, may go on.
        stop.store(false, Ordering::SeqCst);
        if ended.is_err() {
            return Err(Failure::new("timeout", format!("stopped after {seconds} s, the limit")));
        }
    }
    ended.map(|_| ())
}

/// Reads what the parts of the baseline say, whether or not the run was finished.
fn read(out: &Path, hits: usize) -> Result<Vec<ScoredSession>, StoreError> {
    let (directory, ..) = RunDirectory::view(out)?;
    let mut sessions = Vec::new();
    for place in baseline_parts(&directory)? {
        sessions.extend(part(&directory, place, hits)?);
    }
    Ok(sessions)
}

fn baseline_parts(directory: &RunDirectory) -> Result<Vec<(usize, usize)>, StoreError> {
    Ok(directory.parts()?.into_iter().filter(|(pipeline, _)| *pipeline == 0).collect())
}

fn part(
    directory: &RunDirectory,
    (pipeline, chunk): (usize, usize),
    hits: usize,
) -> Result<Vec<ScoredSession>, StoreError> {
    let part = layout::part(pipeline, chunk);
    let rankings = directory.rows(&part, rankings_from_batch)?;
    let scores = directory.rows(&part, |batch| scores_from_batch(batch, &[]))?;
    let session = |(mut ranking, score): (Ranking, ScoreRow)| {
        ranking.hits.truncate(hits);
        let Ranking { session_id, hits, latency_ns, error_kind, error, .. } = ranking;
        let (scenario_score, scorers) = (score.scenario_score, score.scorers);
        ScoredSession { session_id, scenario_score, scorers, hits, latency_ns, error_kind, error }
    };
    Ok(rankings.into_iter().zip(scores).map(session).collect())
}

/// A ranking that was brought along, as the server writes it.
#[derive(Debug, Deserialize)]
struct Line {
    session_id: String,
    hits: Vec<Hit>,
}

fn record(lines: &Path, table: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let mut rankings = Vec::new();
    for line in std::io::BufReader::new(std::fs::File::open(lines)?).lines() {
        let Line { session_id, hits } = serde_json::from_str(&line?)?;
        rankings.push(Ranking { session_id, retriever_id: "recorded".to_owned(), hits, ..Ranking::default() });
    }
    let mut writer = TableWriter::create(table, Arc::clone(&schema::RANKINGS), ROWS_PER_GROUP)?;
    writer.write(&rankings_to_batch(&rankings)?)?;
    Ok(writer.finish()?)
}
