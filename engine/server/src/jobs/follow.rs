//! The journal of a job, followed from any point on.

use std::hash::{DefaultHasher, Hash, Hasher};

use rusqlite::{Connection, params};
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

/// Wakes those who follow a job. Jobs share bells, so that there are never more of them: who is woken for nothing looks and
/// waits on.
pub(super) struct Bells(Vec<watch::Sender<()>>);

impl Default for Bells {
    fn default() -> Self {
        Self((0..64).map(|_| watch::channel(()).0).collect())
    }
}

impl Bells {
    fn of(&self, job: &str) -> Option<&watch::Sender<()>> {
        let mut hasher = DefaultHasher::new();
        job.hash(&mut hasher);
        let place = hasher.finish() % self.0.len().max(1) as u64;
        self.0.get(usize::try_from(place).unwrap_or_default())
    }

    pub(super) fn ring(&self, job: &str) {
        if let Some(bell) = self.of(job) {
            bell.send_replace(());
        }
    }

    pub(super) fn listen(&self, job: &str) -> watch::Receiver<()> {
        self.of(job).map_or_else(|| watch::channel(()).1, watch::Sender::subscribe)
    }
}

/// Writes an event down, within a transaction: with what it tells of, or not at all.
pub(super) fn write(connection: &Connection, job: &str, body: &Value) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO job_events (job, sequence, at, body) \
             SELECT ?1, coalesce(max(sequence), 0) + 1, ?2, ?3 FROM job_events WHERE job = ?1",
        )?
        .execute(params![job, now_ms(), body.to_string()])?;
    Ok(())
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
