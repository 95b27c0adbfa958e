//! The queue: who is next, and what becomes of whoever was begun.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;
use rusqlite::{OptionalExtension, params};
use serde_json::{Value, json};
use tokio::sync::{Notify, Semaphore, mpsc, watch};

use super::child::{Worker, WorkerError};
use super::follow::{self, Bells, JobEvent};
use super::{Job, JobState, Kinds, NewJob};
use crate::App;
use crate::database::Database;
use crate::platform::error::ApiError;
use crate::platform::page::now_ms;
use crate::settings::QueueLimits;
use crate::worker::Message;

/// All jobs.
#[derive(Clone)]
pub struct Jobs(Arc<Shared>);

struct Shared {
    database: Database,
    limits: QueueLimits,
    folder: PathBuf,
    kinds: Kinds,
    bells: Bells,
    /// Rung when a job is queued or a worker is free.
    wake: Notify,
    /// What runs in this process, and how it is told to end.
    running: Mutex<HashMap<String, watch::Sender<bool>>>,
    /// Set when the server stops: workers end, and their jobs go on when it starts again.
    closing: watch::Sender<bool>,
    /// One permit per worker.
    workers: Arc<Semaphore>,
}

impl Jobs {
    /// Returns the queue; nothing runs before [`Self::work`].
    #[must_use]
    pub fn new(database: Database, limits: QueueLimits, folder: PathBuf, kinds: Kinds) -> Self {
        let workers = Arc::new(Semaphore::new(limits.workers.get()));
        Self(Arc::new(Shared {
            database,
            limits,
            folder,
            kinds,
            bells: Bells::default(),
            wake: Notify::new(),
            running: Mutex::default(),
            closing: watch::channel(false).0,
            workers,
        }))
    }

    /// Returns the folder of a job, where its run directory lies.
    #[must_use]
    pub fn folder(&self, organisation: &str, id: &str) -> PathBuf {
        self.0.folder.join(organisation).join("jobs").join(id)
    }

    /// Queues a job; it is kept when this returns.
    ///
    /// # Errors
    ///
    /// Returns 429 when the organisation has too many jobs that wait or run.
    pub async fn submit(&self, organisation: &str, job: NewJob) -> Result<Job, ApiError> {
        let limit = self.0.limits.per_organisation;
        let organisation = organisation.to_owned();
        let queued = self
            .0
            .database
            .write(move |connection| {
                let sql = "SELECT count(*) FROM jobs WHERE organisation = ?1 AND state IN ('queued', 'running')";
                let open: usize = connection.prepare_cached(sql)?.query_row([&organisation], |row| row.get(0))?;
                if open >= limit {
                    let message = format!("{open} jobs of this organisation wait or run already, as many as may");
                    let mut error = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_jobs", message);
                    error.retry_after = Some(std::time::Duration::from_secs(5));
                    return Err(error.into());
                }
                connection
                    .prepare_cached(
                        "INSERT INTO jobs (id, organisation, kind, request, state, phase, created_at) \
                         VALUES (?1, ?2, ?3, ?4, 'queued', 'pending', ?5)",
                    )?
                    .execute(params![job.id, organisation, job.kind, job.request.to_string(), now_ms()])?;
                let sql = format!("SELECT {} FROM jobs WHERE id = ?1", Job::COLUMNS);
                Ok(connection.prepare_cached(&sql)?.query_row([&job.id], Job::of)?)
            })
            .await?;
        self.note(&queued.id, json!({ "type": "state", "state": "queued", "phase": "pending" })).await?;
        self.0.wake.notify_one();
        Ok(queued)
    }

    /// Returns a job of that organisation.
    ///
    /// # Errors
    ///
    /// Returns an error when the database fails.
    pub async fn get(&self, organisation: &str, id: &str) -> Result<Option<Job>, ApiError> {
        let (organisation, id) = (organisation.to_owned(), id.to_owned());
        self.0
            .database
            .read(move |connection| {
                let sql = format!("SELECT {} FROM jobs WHERE id = ?1 AND organisation = ?2", Job::COLUMNS);
                Ok(connection.prepare_cached(&sql)?.query_row([id, organisation], Job::of).optional()?)
            })
            .await
    }

    /// Wishes that a job ends. One that waits ends at once, one that runs soon; one that has ended stays as it is.
    ///
    /// # Errors
    ///
    /// Returns an error when the database fails.
    pub async fn cancel(&self, organisation: &str, id: &str) -> Result<Option<Job>, ApiError> {
        let (owner, job) = (organisation.to_owned(), id.to_owned());
        let ended = self
            .0
            .database
            .write(move |connection| {
                let sql = "UPDATE jobs SET state = 'cancelled', ended_at = ?3 \
                           WHERE id = ?1 AND organisation = ?2 AND state = 'queued'";
                let ended = connection.prepare_cached(sql)?.execute(params![job, owner, now_ms()])?;
                let sql = "UPDATE jobs SET cancelling = 1 WHERE id = ?1 AND organisation = ?2 AND state = 'running'";
                connection.prepare_cached(sql)?.execute(params![job, owner])?;
                Ok(ended > 0)
            })
            .await?;
        if ended {
            self.note(id, json!({ "type": "state", "state": "cancelled" })).await?;
        }
        let found = self.get(organisation, id).await?;
        if found.is_some()
            && let Some(stop) = self.running().get(id)
        {
            let _ = stop.send(true);
        }
        Ok(found)
    }

    /// Removes a job that has ended, its journal and its folder.
    ///
    /// # Errors
    ///
    /// Returns 409 when it has not ended.
    pub async fn remove(&self, organisation: &str, id: &str) -> Result<(), ApiError> {
        let (owner, job) = (organisation.to_owned(), id.to_owned());
        self.0
            .database
            .write(move |connection| {
                let sql = "SELECT state IN ('queued', 'running') FROM jobs WHERE id = ?1 AND organisation = ?2";
                let open: Option<bool> =
                    connection.prepare_cached(sql)?.query_row([&job, &owner], |row| row.get(0)).optional()?;
                match open {
                    None => Err(ApiError::not_found("job", &job).into()),
                    Some(true) => Err(ApiError::conflict(format!("`{job}` has not ended; cancel it first")).into()),
                    Some(false) => Ok(connection.prepare_cached("DELETE FROM jobs WHERE id = ?1")?.execute([&job])?),
                }
            })
            .await?;
        let folder = self.folder(organisation, id);
        tokio::task::spawn_blocking(move || match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(ApiError::internal(error)),
            _ => Ok(()),
        })
        .await
        .map_err(ApiError::internal)?
    }

    /// Returns the next events after that one: at once where there are any, else when there are; none when the job has
    /// ended and everything was told.
    ///
    /// # Errors
    ///
    /// Returns an error when the database fails.
    pub async fn next_events(&self, organisation: &str, id: &str, after: u64) -> Result<Vec<JobEvent>, ApiError> {
        let mut bell = self.0.bells.listen(id);
        loop {
            bell.borrow_and_update();
            // Read before the events: whatever ended by then has written its last.
            let ended = self.get(organisation, id).await?.is_none_or(|job| job.state.has_ended());
            let events = follow::after(&self.0.database, id, after).await?;
            if ended || !events.is_empty() {
                return Ok(events);
            }
            // Whoever rings may have gone; looking again now and then costs little.
            let _ = tokio::time::timeout(std::time::Duration::from_secs(1), bell.changed()).await;
        }
    }

    /// Waits until a job has ended.
    ///
    /// # Errors
    ///
    /// Returns 404 when there is no such job.
    pub async fn ended(&self, organisation: &str, id: &str) -> Result<Job, ApiError> {
        loop {
            let mut bell = self.0.bells.listen(id);
            let job = self.get(organisation, id).await?.ok_or_else(|| ApiError::not_found("job", id))?;
            if job.state.has_ended() {
                return Ok(job);
            }
            let _ = tokio::time::timeout(std::time::Duration::from_secs(1), bell.changed()).await;
        }
    }

    /// Works until the server stops. Jobs that ran when the last server died are queued again first.
    pub async fn work(self, app: App) {
        if let Err(error) = self.recover().await {
            tracing::error!(code = error.code, "interrupted jobs cannot be queued again");
        }
        let mut closing = self.0.closing.subscribe();
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
                    () = tokio::time::sleep(std::time::Duration::from_secs(1)) => {}
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

    /// Ends every worker; their jobs stay `running` and go on when a server starts again. Returns when all have ended.
    pub async fn close(&self) {
        let _ = self.0.closing.send(true);
        for stop in self.running().values() {
            let _ = stop.send(true);
        }
        let all = u32::try_from(self.0.limits.workers.get()).unwrap_or(u32::MAX);
        let _ = tokio::time::timeout(std::time::Duration::from_secs(10), self.0.workers.acquire_many(all)).await;
    }

    fn running(&self) -> std::sync::MutexGuard<'_, HashMap<String, watch::Sender<bool>>> {
        self.0.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn note(&self, job: &str, body: Value) -> Result<(), ApiError> {
        follow::append(&self.0.database, job, body).await?;
        self.0.bells.ring(job);
        Ok(())
    }

    async fn recover(&self) -> Result<(), ApiError> {
        let attempts = self.0.limits.attempts;
        self.0
            .database
            .write(move |connection| {
                let failure = json!({ "code": "interrupted", "message": "the server stopped too often while this ran" });
                connection.execute(
                    "UPDATE jobs SET state = 'cancelled', ended_at = ?1 WHERE state = 'running' AND cancelling",
                    [now_ms()],
                )?;
                connection.execute(
                    "UPDATE jobs SET state = 'failed', ended_at = ?1, failure = ?2 WHERE state = 'running' AND attempts >= ?3",
                    params![now_ms(), failure.to_string(), attempts],
                )?;
                connection.execute("UPDATE jobs SET state = 'queued' WHERE state = 'running'", [])?;
                Ok(())
            })
            .await
    }

    /// Takes the next job: of the organisation with the fewest that run, and whose turn is longest ago among those; its
    /// oldest.
    async fn begin_next(&self) -> Result<Option<Job>, ApiError> {
        let job = self
            .0
            .database
            .write(move |connection| {
                let sql = format!(
                    "UPDATE jobs SET state = 'running', attempts = attempts + 1, started_at = coalesce(started_at, ?1) \
                     WHERE id = (SELECT min(queued.id) FROM jobs AS queued WHERE queued.state = 'queued' \
                       GROUP BY queued.organisation ORDER BY \
                       (SELECT count(*) FROM jobs AS r WHERE r.state = 'running' AND r.organisation = queued.organisation), \
                       (SELECT coalesce(max(s.started_at), 0) FROM jobs AS s WHERE s.organisation = queued.organisation), \
                       min(queued.id) LIMIT 1) \
                     RETURNING {}",
                    Job::COLUMNS
                );
                Ok(connection.prepare_cached(&sql)?.query_row([now_ms()], Job::of).optional()?)
            })
            .await?;
        if let Some(job) = &job {
            self.note(&job.id, json!({ "type": "state", "state": "running", "phase": job.phase })).await?;
        }
        Ok(job)
    }

    async fn do_one(&self, app: &App, job: Job) {
        let (stop, stopped) = watch::channel(false);
        self.running().insert(job.id.clone(), stop);
        let ended = self.attempt(app, &job, stopped).await;
        self.running().remove(&job.id);
        let closing = *self.0.closing.borrow();
        let written = match ended {
            Ok(outcome) => self.end(&job, JobState::Completed, None, Some(outcome)).await,
            Err(WorkerError::Stopped) if closing => Ok(()),
            Err(WorkerError::Stopped) => self.end(&job, JobState::Cancelled, None, None).await,
            Err(WorkerError::Died { .. }) if job.attempts < self.0.limits.attempts && !closing => {
                self.requeue(&job).await
            }
            Err(error) => self.end(&job, JobState::Failed, Some(error.as_json()), None).await,
        };
        if let Err(error) = written {
            tracing::error!(job = job.id, code = error.code, "the end of a job cannot be written down");
        }
    }

    async fn attempt(&self, app: &App, job: &Job, stopped: watch::Receiver<bool>) -> Result<Value, WorkerError> {
        let kind = self.0.kinds.get(&job.kind).ok_or_else(|| WorkerError::unknown_kind(&job.kind))?;
        let folder = self.folder(&job.organisation, &job.id);
        make_folder(&folder).await?;
        let order = kind.prepare(app, job, &folder).await?;
        let worker = Worker::of_job(app, &job.organisation);
        let (heard, mut messages) = mpsc::channel(64);
        let (outcome, ()) = tokio::join!(worker.run(&order, stopped, heard), async {
            while let Some(message) = messages.recv().await {
                self.heard(job, message).await;
            }
        });
        let outcome = outcome?;
        Ok(kind.conclude(app, job, &folder, outcome).await?)
    }

    async fn heard(&self, job: &Job, message: Message) {
        let body = message.as_event();
        if let Some(phase) = body.get("phase").and_then(Value::as_str) {
            let (id, phase) = (job.id.clone(), phase.to_owned());
            let sql = "UPDATE jobs SET phase = ?2 WHERE id = ?1";
            let write =
                self.0.database.write(move |connection| Ok(connection.prepare_cached(sql)?.execute([id, phase])?));
            if let Err(error) = write.await {
                tracing::error!(job = job.id, code = error.code, "the phase of a job cannot be written down");
            }
        }
        if let Err(error) = self.note(&job.id, body).await {
            tracing::error!(job = job.id, code = error.code, "an event of a job cannot be written down");
        }
    }

    async fn requeue(&self, job: &Job) -> Result<(), ApiError> {
        let id = job.id.clone();
        let sql = "UPDATE jobs SET state = 'queued' WHERE id = ?1 AND NOT cancelling";
        self.0.database.write(move |connection| Ok(connection.prepare_cached(sql)?.execute([id])?)).await?;
        self.note(
            &job.id,
            json!({ "type": "state", "state": "queued", "reason": "the worker died; it is tried again" }),
        )
        .await
    }

    async fn end(
        &self,
        job: &Job,
        state: JobState,
        failure: Option<Value>,
        outcome: Option<Value>,
    ) -> Result<(), ApiError> {
        let event = json!({ "type": "state", "state": state.name(), "failure": failure });
        // The event first: who sees the end of a job has been told everything.
        follow::append(&self.0.database, &job.id, event).await?;
        let id = job.id.clone();
        let text = |value: Option<Value>| value.map(|value| value.to_string());
        self.0
            .database
            .write(move |connection| {
                let sql = "UPDATE jobs SET state = ?2, ended_at = ?3, failure = ?4, outcome = ?5 WHERE id = ?1";
                connection.prepare_cached(sql)?.execute(params![
                    id,
                    state.name(),
                    now_ms(),
                    text(failure),
                    text(outcome)
                ])?;
                Ok(())
            })
            .await?;
        self.0.bells.ring(&job.id);
        Ok(())
    }
}

async fn make_folder(folder: &Path) -> Result<(), ApiError> {
    tokio::fs::create_dir_all(folder).await.map_err(ApiError::internal)
}
