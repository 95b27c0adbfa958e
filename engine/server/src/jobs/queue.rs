//! The queue as its users see it: jobs are submitted, looked at, cancelled, tried again, removed.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::{Value, json};
use tokio::sync::{Notify, Semaphore, watch};

use super::follow::{self, Bells, JobEvent};
use super::{Job, JobState, Kinds, NewJob};
use crate::database::{Database, QueryError};
use crate::platform::error::ApiError;
use crate::platform::page::now_ms;
use crate::settings::QueueLimits;

/// What `cancelling` says of a job whose row and folder go when it has ended; of one that ends otherwise it says 1.
pub(super) const DISCARDED: i64 = 2;

/// All jobs.
#[derive(Clone)]
pub struct Jobs(pub(super) Arc<Shared>);

pub(super) struct Shared {
    pub(super) database: Database,
    pub(super) limits: QueueLimits,
    pub(super) folder: PathBuf,
    pub(super) kinds: Kinds,
    pub(super) bells: Bells,
    /// Rung when a job is queued or a worker is free.
    pub(super) wake: Notify,
    /// What runs in this process, and how it is told to end.
    pub(super) running: Mutex<HashMap<String, watch::Sender<bool>>>,
    /// Set when the server stops: workers end, and their jobs go on when it starts again.
    pub(super) closing: watch::Sender<bool>,
    /// One permit per worker.
    pub(super) workers: Arc<Semaphore>,
}

/// Which jobs of an organisation are listed, newest first.
#[derive(Debug, Clone, Default)]
pub struct JobFilter {
    /// Of these kinds only.
    pub kinds: Vec<&'static str>,
    /// In this state only.
    pub state: Option<JobState>,
    /// Older than this one: the last of the page before.
    pub before: Option<String>,
    /// At most so many.
    pub limit: usize,
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
        self.submit_with(organisation, job, |_| Ok(())).await
    }

    /// Queues a job together with what `also` writes of it: both are kept when this returns, or neither. The job's row is
    /// there when `also` is called.
    ///
    /// # Errors
    ///
    /// As [`Self::submit`], and what `also` returns.
    pub async fn submit_with<F>(&self, organisation: &str, job: NewJob, also: F) -> Result<Job, ApiError>
    where
        F: FnOnce(&Connection) -> Result<(), QueryError> + Send + 'static,
    {
        let limit = self.0.limits.per_organisation;
        let organisation = organisation.to_owned();
        let queued = self
            .0
            .database
            .write(move |connection| {
                check_room(connection, &organisation, limit)?;
                connection
                    .prepare_cached(
                        "INSERT INTO jobs (id, organisation, kind, request, state, phase, created_at) \
                         VALUES (?1, ?2, ?3, ?4, 'queued', 'pending', ?5)",
                    )?
                    .execute(params![job.id, organisation, job.kind, job.request.to_string(), now_ms()])?;
                follow::write(connection, &job.id, &json!({ "type": "state", "state": "queued", "phase": "pending" }))?;
                also(connection)?;
                find(connection, &organisation, &job.id)
            })
            .await?;
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

    /// Returns where a job of that organisation stands, and reads no more of it.
    async fn state(&self, organisation: &str, id: &str) -> Result<Option<JobState>, ApiError> {
        let (organisation, id) = (organisation.to_owned(), id.to_owned());
        self.0
            .database
            .read(move |connection| {
                let sql = "SELECT state FROM jobs WHERE id = ?1 AND organisation = ?2";
                let state =
                    connection.prepare_cached(sql)?.query_row([id, organisation], |row| row.get::<_, String>(0));
                Ok(state.optional()?.map(|name| JobState::of(&name)))
            })
            .await
    }

    /// Wishes that no further job is begun; those that run go on.
    pub(crate) fn begin_no_more(&self) {
        self.0.closing.send_replace(true);
    }

    /// Returns jobs of that organisation, newest first, of their requests `summary` and `runs` only: what is submitted or removed meanwhile moves no other job to another
    /// page.
    ///
    /// # Errors
    ///
    /// Returns an error when the database fails.
    pub async fn list(&self, organisation: &str, filter: JobFilter) -> Result<Vec<Job>, ApiError> {
        let organisation = organisation.to_owned();
        self.0
            .database
            .read(move |connection| {
                let sql = format!(
                    "SELECT {} FROM jobs WHERE organisation = ?1 AND kind IN (SELECT value FROM json_each(?2)) \
                     AND (?3 IS NULL OR state = ?3) AND (?4 IS NULL OR id < ?4) ORDER BY id DESC LIMIT ?5",
                    Job::LISTED_COLUMNS
                );
                let JobFilter { kinds, state, before, limit } = filter;
                let limit = i64::try_from(limit).unwrap_or(i64::MAX);
                let asked = params![organisation, json!(kinds).to_string(), state.map(JobState::name), before, limit];
                let mut statement = connection.prepare_cached(&sql)?;
                let rows = statement.query_map(asked, Job::of)?.collect::<Result<_, _>>()?;
                Ok(rows)
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
        self.0
            .database
            .write(move |connection| {
                let sql = "UPDATE jobs SET state = 'cancelled', cancelling = 1, ended_at = ?3 \
                           WHERE id = ?1 AND organisation = ?2 AND state = 'queued'";
                if connection.prepare_cached(sql)?.execute(params![job, owner, now_ms()])? > 0 {
                    follow::write(connection, &job, &json!({ "type": "state", "state": "cancelled" }))?;
                }
                let sql = "UPDATE jobs SET cancelling = 1 \
                           WHERE id = ?1 AND organisation = ?2 AND state = 'running' AND NOT cancelling";
                if connection.prepare_cached(sql)?.execute(params![job, owner])? > 0 {
                    follow::write(connection, &job, &json!({ "type": "cancelling" }))?;
                }
                Ok(())
            })
            .await?;
        self.0.bells.ring(id);
        let found = self.get(organisation, id).await?;
        // The wish is in the database before this looks: a job that begins just now reads it there.
        if found.is_some()
            && let Some(stop) = self.running().get(id)
        {
            stop.send_replace(true);
        }
        Ok(found)
    }

    /// Queues a job again that has ended; it goes on in its folder. `change` returns what is asked this time.
    ///
    /// # Errors
    ///
    /// Returns 404 when there is no such job, 409 when it has not ended, 429 as [`Self::submit`], and what `change` returns.
    pub async fn retry<F>(&self, organisation: &str, id: &str, change: F) -> Result<Job, ApiError>
    where
        F: FnOnce(&Job) -> Result<Value, ApiError> + Send + 'static,
    {
        let limit = self.0.limits.per_organisation;
        let (owner, id) = (organisation.to_owned(), id.to_owned());
        let queued = self
            .0
            .database
            .write(move |connection| {
                let job = find(connection, &owner, &id)?;
                if !job.state.has_ended() {
                    return Err(ApiError::conflict(format!("`{id}` has not ended; it is `{}`", job.state.name())).into());
                }
                check_room(connection, &owner, limit)?;
                let request = change(&job)?;
                let sql = "UPDATE jobs SET state = 'queued', phase = 'pending', request = ?2, cancelling = 0, attempts = 0, \
                           ended_at = NULL, failure = NULL, outcome = NULL WHERE id = ?1";
                connection.prepare_cached(sql)?.execute(params![id, request.to_string()])?;
                let event = json!({ "type": "state", "state": "queued", "phase": "pending", "reason": "tried again" });
                follow::write(connection, &id, &event)?;
                find(connection, &owner, &id)
            })
            .await?;
        self.0.bells.ring(&queued.id);
        self.0.wake.notify_one();
        Ok(queued)
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
                if !find(connection, &owner, &job)?.state.has_ended() {
                    return Err(ApiError::conflict(format!("`{job}` has not ended; cancel it first")).into());
                }
                Ok(connection.prepare_cached("DELETE FROM jobs WHERE id = ?1")?.execute([&job])?)
            })
            .await?;
        self.0.bells.ring(id);
        self.remove_folder(organisation, id).await
    }

    /// Removes a job, whatever it does, together with what `also` removes: both are gone when this returns, or neither. One
    /// that runs is told to end, and its row and its folder go when it has, by the next server if this one dies.
    ///
    /// # Errors
    ///
    /// Returns what `also` returns.
    pub async fn discard<F>(&self, organisation: &str, id: &str, also: F) -> Result<(), ApiError>
    where
        F: FnOnce(&Connection) -> Result<(), QueryError> + Send + 'static,
    {
        let (owner, job) = (organisation.to_owned(), id.to_owned());
        let runs: bool = self
            .0
            .database
            .write(move |connection| {
                also(connection)?;
                let sql = "UPDATE jobs SET cancelling = ?3 WHERE id = ?1 AND organisation = ?2 AND state = 'running'";
                let runs = connection.prepare_cached(sql)?.execute(params![job, owner, DISCARDED])? > 0;
                let sql = "DELETE FROM jobs WHERE id = ?1 AND organisation = ?2 AND state <> 'running'";
                connection.prepare_cached(sql)?.execute([&job, &owner])?;
                Ok(runs)
            })
            .await?;
        self.0.bells.ring(id);
        if runs {
            // The wish is in the database before this looks: a job that begins just now reads it there.
            if let Some(stop) = self.running().get(id) {
                stop.send_replace(true);
            }
            return Ok(());
        }
        self.remove_folder(organisation, id).await
    }

    /// Removes the folder of a job whose row is gone.
    pub(super) async fn remove_folder(&self, organisation: &str, id: &str) -> Result<(), ApiError> {
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
            let ended = self.state(organisation, id).await?.is_none_or(JobState::has_ended);
            let events = follow::after(&self.0.database, id, after).await?;
            if ended || !events.is_empty() {
                return Ok(events);
            }
            // Whoever rings may have gone; looking again now and then costs little.
            let _ = tokio::time::timeout(Duration::from_secs(1), bell.changed()).await;
        }
    }

    /// Waits until a job has ended.
    ///
    /// # Errors
    ///
    /// Returns 404 when there is no such job.
    pub async fn ended(&self, organisation: &str, id: &str) -> Result<Job, ApiError> {
        let mut bell = self.0.bells.listen(id);
        loop {
            bell.borrow_and_update();
            if self.state(organisation, id).await?.is_none_or(JobState::has_ended) {
                return self.get(organisation, id).await?.ok_or_else(|| ApiError::not_found("job", id));
            }
            let _ = tokio::time::timeout(Duration::from_secs(1), bell.changed()).await;
        }
    }

    pub(super) fn running(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<bool>>> {
        self.0.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns a job of that organisation, or 404.
fn find(connection: &Connection, organisation: &str, id: &str) -> Result<Job, QueryError> {
    let sql = format!("SELECT {} FROM jobs WHERE id = ?1 AND organisation = ?2", Job::COLUMNS);
    let found = connection.prepare_cached(&sql)?.query_row([id, organisation], Job::of).optional()?;
    found.ok_or_else(|| ApiError::not_found("job", id).into())
}

/// Refuses a job more of an organisation that has as many as may wait or run.
fn check_room(connection: &Connection, organisation: &str, limit: usize) -> Result<(), QueryError> {
    let sql = "SELECT count(*) FROM jobs WHERE organisation = ?1 AND state IN ('queued', 'running')";
    let open: usize = connection.prepare_cached(sql)?.query_row([organisation], |row| row.get(0))?;
    if open < limit {
        return Ok(());
    }
    let message = format!("{open} jobs of this organisation wait or run already, as many as may; cancel one, or wait");
    let mut error = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_jobs", message);
    error.retry_after = Some(Duration::from_secs(5));
    Err(error.into())
}
