//! What runs: who is next, what becomes of whoever was begun, and what a server does that stops or starts again.
//!
//! A job's state and the event that tells of it are written in one transaction: a server that is killed between any two
//! steps leaves a journal that says what the row says.

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use rematch_engine::store::RunDirectory;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tracing::field::Empty;
use tracing::{Instrument, Span};

use super::child::{Worker, WorkerError};
use super::queue::DISCARDED;
use super::{Job, JobState, Jobs, follow};
use crate::App;
use crate::catalog::{Storage, bytes_in, exceeded, storage};
use crate::platform::error::ApiError;
use crate::platform::page::now_ms;
use crate::worker::Message;

/// How often it is looked how large the folder of a job is.
const MEASURED_EVERY: Duration = Duration::from_millis(500);

/// The longest time between two tries of what must be written down; the first is a second.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl Jobs {
    /// Works until the server stops. Jobs that ran when the last server died are queued again first.
    pub async fn work(self, app: App) {
        let mut closing = self.0.closing.subscribe();
        let mut pause = Pause::default();
        // Begun before that, a job could not be told from one that the last server began.
        while let Err(error) = self.recover().await {
            tracing::error!(code = error.code, "interrupted jobs cannot be queued again");
            tokio::select! {
                () = pause.wait() => {}
                _ = closing.wait_for(|closing| *closing) => return,
            }
        }
        loop {
            let Ok(permit) = Arc::clone(&self.0.workers).acquire_owned().await else { return };
            let job = loop {
                if *closing.borrow_and_update() {
                    return;
                }
                match self.begin_next().await {
                    Ok(Some(job)) => break job,
                    Ok(None) => {}
                    Err(error) => tracing::error!(code = error.code, "the next job cannot be read"),
                }
                tokio::select! {
                    () = self.0.wake.notified() => {}
                    () = tokio::time::sleep(Duration::from_secs(1)) => {}
                    _ = closing.changed() => {}
                }
            };
            let (jobs, app) = (self.clone(), app.clone());
            tokio::spawn(async move {
                jobs.do_one(&app, job).await;
                drop(permit);
                jobs.0.wake.notify_one();
            });
        }
    }

    /// Ends every worker; their jobs are queued again and go on when a server starts again. Returns when all have ended.
    pub async fn close(&self) {
        self.0.closing.send_replace(true);
        for stop in self.running().values() {
            stop.send_replace(true);
        }
        let all = u32::try_from(self.0.limits.workers.get()).unwrap_or(u32::MAX);
        let _ = tokio::time::timeout(Duration::from_secs(10), self.0.workers.acquire_many(all)).await;
    }

    /// Says of every job that ran when the last server died what becomes of it.
    pub(super) async fn recover(&self) -> Result<(), ApiError> {
        let attempts = self.0.limits.attempts;
        let queue = self.clone();
        let discarded: Vec<(String, String)> = self
            .0
            .database
            .write(move |connection| {
                let mut discarded = Vec::new();
                let bytes = |job: &Job| bytes_in(&queue.folder(&job.organisation, &job.id));
                let sql = format!("SELECT {} FROM jobs WHERE state = 'running'", Job::COLUMNS);
                let interrupted: Vec<Job> =
                    connection.prepare(&sql)?.query_map([], Job::of)?.collect::<Result<_, _>>()?;
                for job in &interrupted {
                    if discard(connection, &job.id)? {
                        discarded.push((job.organisation.clone(), job.id.clone()));
                    } else if job.cancelling {
                        write_end(connection, job, JobState::Cancelled, None, None, bytes(job))?;
                    } else if job.attempts >= attempts {
                        let message = "the server died too often while this ran; `retry` begins it again";
                        let failure = json!({ "code": "interrupted", "message": message });
                        write_end(connection, job, JobState::Failed, Some(failure), None, bytes(job))?;
                    } else {
                        write_queued(connection, job, job.attempts, "the server died; it goes on where it was")?;
                    }
                }
                Ok(discarded)
            })
            .await?;
        for (organisation, id) in discarded {
            // What cannot be removed now, the next server removes: no row speaks of it.
            let _ = self.remove_folder(&organisation, &id).await;
        }
        Ok(())
    }

    /// Takes the next job: of the organisation with the fewest that run, and whose turn is longest ago among those; its
    /// oldest.
    pub(super) async fn begin_next(&self) -> Result<Option<Job>, ApiError> {
        let begun = self.0.database.write(|connection| Ok(begin(connection)?)).await?;
        if let Some(job) = &begun {
            self.0.bells.ring(&job.id);
        }
        Ok(begun)
    }

    pub(super) async fn do_one(&self, app: &App, job: Job) {
        let (stop, stopped) = watch::channel(false);
        self.running().insert(job.id.clone(), stop.clone());
        // Whoever wished the end of this job before it stood in the list found nobody to tell.
        let is_wished = matches!(self.get(&job.organisation, &job.id).await, Ok(Some(now)) if now.cancelling);
        if is_wished || *self.0.closing.borrow() {
            stop.send_replace(true);
        }
        let (begun, span) = (Instant::now(), span_of(&job));
        let attempt = AssertUnwindSafe(self.attempt(app, &job, stopped)).catch_unwind().instrument(span.clone());
        let ended = attempt.await.unwrap_or_else(|_| Err(ApiError::internal("a job panicked").into()));
        tell(&job, &ended, &span, begun.elapsed());
        self.running().remove(&job.id);
        let mut pause = Pause::default();
        // Given up, it would run by its row until the next server starts.
        while let Err(error) = self.conclude(&job, &ended).await {
            tracing::error!(job = job.id, code = error.code, "the end of a job cannot be written down");
            pause.wait().await;
        }
        self.0.bells.ring(&job.id);
    }

    async fn attempt(&self, app: &App, job: &Job, stopped: watch::Receiver<bool>) -> Result<Value, WorkerError> {
        let kind = self.0.kinds.get(&job.kind).ok_or_else(|| WorkerError::unknown_kind(&job.kind))?;
        let folder = self.folder(&job.organisation, &job.id);
        tokio::fs::create_dir_all(&folder).await.map_err(ApiError::internal)?;
        let order = kind.prepare(app, job, &folder).await?;
        let worker = Worker::of_job(app, &job.organisation);
        let (heard, mut messages) = mpsc::channel(64);
        let worked = async {
            let told = async {
                // A stage lasts until the next one is entered. The span is closed when it is dropped.
                let mut _stage = None;
                while let Some(message) = messages.recv().await {
                    if let Message::Phase(name) = &message {
                        drop(_stage.take());
                        _stage = Some(tracing::info_span!("stage", otel.name = name, phase = name));
                    }
                    if let Err(error) = kind.heard(app, job, &message).await {
                        tracing::error!(job = job.id, code = error.code, "what a worker told cannot be kept");
                    }
                    // They are kept by their kind, and are too many for a journal.
                    if !matches!(message, Message::Scored { .. }) {
                        self.heard(job, message).await;
                    }
                }
            };
            tokio::join!(worker.run(&order, stopped, heard), told).0
        };
        let outcome = tokio::select! {
            outcome = worked => outcome,
            // The worker is killed: it is dropped.
            error = outgrown(app, &job.organisation, &folder) => Err(error),
        };
        if let (Err(_), Some(run)) = (&outcome, order.run_directory()) {
            withdraw(run).await;
        }
        Ok(kind.conclude(app, job, &folder, outcome?).await?)
    }

    async fn heard(&self, job: &Job, message: Message) {
        let body = message.as_event();
        let phase = body.get("phase").and_then(Value::as_str).map(ToOwned::to_owned);
        let id = job.id.clone();
        let written = self.0.database.write(move |connection| {
            if let Some(phase) = phase {
                connection.prepare_cached("UPDATE jobs SET phase = ?2 WHERE id = ?1")?.execute([&id, &phase])?;
            }
            Ok(follow::write(connection, &id, &body)?)
        });
        match written.await {
            Ok(()) => self.0.bells.ring(&job.id),
            Err(error) => tracing::error!(job = job.id, code = error.code, "an event of a job cannot be written down"),
        }
    }

    /// Writes down what became of an attempt.
    async fn conclude(&self, job: &Job, ended: &Result<Value, WorkerError>) -> Result<(), ApiError> {
        let closing = *self.0.closing.borrow();
        let attempts = self.0.limits.attempts;
        let folder = self.folder(&job.organisation, &job.id);
        let bytes = tokio::task::spawn_blocking(move || bytes_in(&folder)).await.unwrap_or_default();
        let (outcome, failure, died, stopped) = match ended {
            Ok(outcome) => (Some(outcome.clone()), None, false, false),
            Err(error) => {
                let failure = self.without_root(&job.organisation, error.as_json());
                (None, Some(failure), matches!(error, WorkerError::Died { .. }), matches!(error, WorkerError::Stopped))
            }
        };
        let (organisation, id) = (job.organisation.clone(), job.id.clone());
        let job = job.clone();
        let is_discarded = self
            .0
            .database
            .write(move |connection| {
                if discard(connection, &job.id)? {
                    return Ok(true);
                }
                if let Some(outcome) = outcome {
                    write_end(connection, &job, JobState::Completed, None, Some(outcome), bytes)?;
                    return Ok(false);
                }
                let sql = "SELECT cancelling FROM jobs WHERE id = ?1";
                let cancelling: bool = connection.prepare_cached(sql)?.query_row([&job.id], |row| row.get(0))?;
                let written = match (stopped || died, cancelling) {
                    (true, true) => write_end(connection, &job, JobState::Cancelled, None, None, bytes),
                    // A server that is stopped in good order costs no attempt.
                    (true, false) if closing => {
                        write_queued(connection, &job, job.attempts.saturating_sub(1), "the server stops")
                    }
                    (true, false) if died && job.attempts < attempts => {
                        write_queued(connection, &job, job.attempts, "the worker died; it is tried again")
                    }
                    _ => write_end(connection, &job, JobState::Failed, failure, None, bytes),
                };
                written?;
                Ok(false)
            })
            .await?;
        if is_discarded {
            // What cannot be removed now, the next server removes: no row speaks of it.
            let _ = self.remove_folder(&organisation, &id).await;
        }
        Ok(())
    }

    /// Returns a failure whose words do not say where on this machine the organisation's folder lies.
    fn without_root(&self, organisation: &str, mut failure: Value) -> Value {
        let root = format!("{}/", self.0.folder.join(organisation).display());
        if let Some(Value::String(message)) = failure.get_mut("message") {
            *message = message.replace(&root, "");
        }
        failure
    }
}

/// Takes back what a worker ordered of a cluster: one that was killed did not, and executors would go on. Where nothing was
/// ordered, there is nothing to take back.
async fn withdraw(run: &Path) {
    let run = run.to_owned();
    if let Ok(Err(error)) = tokio::task::spawn_blocking(move || RunDirectory::withdraw_orders_in(&run)).await {
        tracing::warn!(%error, "executors of the cluster may go on with a run that has ended");
    }
}

fn span_of(job: &Job) -> Span {
    let Job { id, kind, organisation, attempts, .. } = job;
    tracing::info_span!("job", id, kind, organisation, attempts, otel.name = format!("job {kind}"), outcome = Empty)
}

/// Tells how an attempt ended, in its span and in figures.
fn tell(job: &Job, ended: &Result<Value, WorkerError>, span: &Span, took: Duration) {
    let outcome = match ended {
        Ok(_) => "completed".to_owned(),
        Err(error) => error.as_json().get("code").and_then(Value::as_str).unwrap_or("failed").to_owned(),
    };
    span.record("outcome", &outcome);
    #[cfg(feature = "prometheus")]
    crate::platform::figures::count_job(&job.kind, &outcome, took);
    tracing::debug!(job = job.id, outcome, seconds = took.as_secs_f64(), "an attempt ended");
}

/// Ends when the organisation keeps more than it may while a job's folder grows: at two looks in a row, because what ends
/// between the parts of one look may count in none of them or twice.
async fn outgrown(app: &App, organisation: &str, folder: &Path) -> WorkerError {
    let mut on_its_way = app.ledger().open(organisation);
    let mut was_over = false;
    loop {
        tokio::time::sleep(MEASURED_EVERY).await;
        let measured = folder.to_owned();
        let bytes = tokio::task::spawn_blocking(move || bytes_in(&measured)).await;
        on_its_way.set(bytes.unwrap_or_default());
        match storage(app, organisation).await {
            Ok(Storage { used_bytes, limit_bytes, .. }) => {
                let is_over = used_bytes > limit_bytes;
                if is_over && was_over {
                    return exceeded(used_bytes, 0, limit_bytes).into();
                }
                was_over = is_over;
            }
            // The next look may fare better.
            Err(error) => tracing::error!(code = error.code, "what an organisation keeps cannot be read"),
        }
    }
}

/// Pauses between tries, each twice as long as the one before.
struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Self(Duration::from_secs(1))
    }
}

impl Pause {
    async fn wait(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = self.0.saturating_mul(2).min(LONGEST_PAUSE);
    }
}

fn begin(connection: &Connection) -> rusqlite::Result<Option<Job>> {
    let sql = format!(
        "UPDATE jobs SET state = 'running', attempts = attempts + 1, started_at = coalesce(started_at, ?1), begun_at = ?1 \
         WHERE id = (SELECT min(queued.id) FROM jobs AS queued WHERE queued.state = 'queued' \
           GROUP BY queued.organisation ORDER BY \
           (SELECT count(*) FROM jobs AS r WHERE r.state = 'running' AND r.organisation = queued.organisation), \
           (SELECT coalesce(max(s.begun_at), 0) FROM jobs AS s WHERE s.organisation = queued.organisation), \
           min(queued.id) LIMIT 1) \
         RETURNING {}",
        Job::COLUMNS
    );
    let begun = connection.prepare_cached(&sql)?.query_row([now_ms()], Job::of).optional()?;
    if let Some(job) = &begun {
        follow::write(connection, &job.id, &json!({ "type": "state", "state": "running", "phase": job.phase }))?;
    }
    Ok(begun)
}

/// Removes the row of a job that was removed while it ran, and returns whether it is one.
fn discard(connection: &Connection, id: &str) -> rusqlite::Result<bool> {
    let sql = "DELETE FROM jobs WHERE id = ?1 AND cancelling = ?2";
    Ok(connection.prepare_cached(sql)?.execute(params![id, DISCARDED])? > 0)
}

fn write_queued(connection: &Connection, job: &Job, attempts: u32, reason: &str) -> rusqlite::Result<()> {
    let sql = "UPDATE jobs SET state = 'queued', attempts = ?2 WHERE id = ?1";
    connection.prepare_cached(sql)?.execute(params![job.id, attempts])?;
    follow::write(connection, &job.id, &json!({ "type": "state", "state": "queued", "reason": reason }))
}

fn write_end(
    connection: &Connection,
    job: &Job,
    state: JobState,
    failure: Option<Value>,
    outcome: Option<Value>,
    bytes: u64,
) -> rusqlite::Result<()> {
    let mut event = json!({ "type": "state", "state": state.name(), "failure": failure });
    // A worker that has nothing to do tells no phase. Of what failed or was cancelled, it stands how far it came.
    let phase = (state == JobState::Completed).then_some("completed");
    if let (Some(phase), Value::Object(members)) = (phase, &mut event) {
        members.insert("phase".to_owned(), Value::from(phase));
    }
    let text = |value: Option<Value>| value.map(|value| value.to_string());
    let sql = "UPDATE jobs SET state = ?2, ended_at = ?3, failure = ?4, outcome = ?5, bytes = ?6, phase = coalesce(?7, phase) \
               WHERE id = ?1";
    let ended = params![job.id, state.name(), now_ms(), text(failure), text(outcome), bytes, phase];
    connection.prepare_cached(sql)?.execute(ended)?;
    follow::write(connection, &job.id, &event)
}
