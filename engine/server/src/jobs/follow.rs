//! The journal of a job, followed from any point on.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use rusqlite::params;
use serde_json::Value;
use tokio::sync::watch;

use crate::database::Database;
use crate::platform::error::ApiError;
use crate::platform::page::now_ms;

/// Events that are read at once.
const BATCH: u32 = 256;

/// One thing that happened in a job.
#[derive(Debug, Clone)]
pub struct JobEvent {
    /// From 1, without gaps: what `Last-Event-ID` names.
    pub sequence: u64,
    /// Milliseconds since 1970.
    pub at: i64,
    /// What happened: `{"type": "state" | "progress" | "sampled", ...}`.
    pub body: Value,
}

/// Wakes those who follow a job.
#[derive(Default)]
pub(super) struct Bells(Mutex<HashMap<String, watch::Sender<()>>>);

impl Bells {
    pub(super) fn ring(&self, job: &str) {
        let mut bells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody listens any more: the bell is taken down.
        if let Some(bell) = bells.get(job)
            && bell.send(()).is_err()
        {
            bells.remove(job);
        }
    }

    pub(super) fn listen(&self, job: &str) -> watch::Receiver<()> {
        let mut bells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bells.entry(job.to_owned()).or_insert_with(|| watch::channel(()).0).subscribe()
    }
}

/// Writes an event down.
pub(super) async fn append(database: &Database, job: &str, body: Value) -> Result<(), ApiError> {
    let job = job.to_owned();
    database
        .write(move |connection| {
            connection
                .prepare_cached(
                    "INSERT INTO job_events (job, sequence, at, body) \
                     SELECT ?1, coalesce(max(sequence), 0) + 1, ?2, ?3 FROM job_events WHERE job = ?1",
                )?
                .execute(params![job, now_ms(), body.to_string()])?;
            Ok(())
        })
        .await
}

/// Returns the events after that one, oldest first; not all where there are many.
pub(super) async fn after(database: &Database, job: &str, sequence: u64) -> Result<Vec<JobEvent>, ApiError> {
    let job = job.to_owned();
    database
        .read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT sequence, at, body FROM job_events WHERE job = ?1 AND sequence > ?2 ORDER BY sequence LIMIT ?3",
            )?;
            let rows = statement.query_map(params![job, sequence.min(i64::MAX as u64), BATCH], |row| {
                let body: String = row.get(2)?;
                let body = serde_json::from_str(&body).unwrap_or_default();
                Ok(JobEvent { sequence: row.get(0)?, at: row.get(1)?, body })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
}
