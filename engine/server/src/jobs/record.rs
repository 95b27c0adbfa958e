//! A job, as it stands in the database.

use rusqlite::Row;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::platform::error::ApiError;

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Waits for a worker.
    Queued,
    /// A worker has it.
    Running,
    /// Done.
    Completed,
    /// Ended with an error.
    Failed,
    /// Ended because somebody wished so.
    Cancelled,
}

impl JobState {
    const ALL: [Self; 5] = [Self::Queued, Self::Running, Self::Completed, Self::Failed, Self::Cancelled];

    /// Returns its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Returns the state of that name; a name of another version's is a failure.
    pub(super) fn of(name: &str) -> Self {
        Self::ALL.into_iter().find(|known| known.name() == name).unwrap_or(Self::Failed)
    }

    /// Returns whether nothing will happen any more.
    #[must_use]
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

/// A job that is asked for.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Its identifier, from [`crate::platform::identifier::new_id`].
    pub id: String,
    /// The name of its [`super::JobKind`].
    pub kind: &'static str,
    /// What is asked; the kind alone reads it.
    pub request: Value,
}

/// A job.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its identifier.
    pub id: String,
    /// Whose it is.
    pub organisation: String,
    /// Its kind.
    pub kind: String,
    /// What was asked.
    pub request: Value,
    /// Where it stands.
    pub state: JobState,
    /// The state of the engine's run: `pending`, `building_sessions`, `replaying`, `computing_metrics`, `completed`.
    pub phase: String,
    /// Whether somebody wishes that it ends.
    pub cancelling: bool,
    /// How often it was begun.
    pub attempts: u32,
    /// Milliseconds since 1970.
    pub created_at: i64,
    /// When it was first begun.
    pub started_at: Option<i64>,
    /// When it ended.
    pub ended_at: Option<i64>,
    /// Why it failed: `{"code", "message"}`.
    pub failure: Option<Value>,
    /// What its kind kept of what the worker returned.
    pub outcome: Option<Value>,
}

impl Job {
    pub(super) const COLUMNS: &'static str = "id, organisation, kind, request, state, phase, cancelling, attempts, created_at, started_at, ended_at, failure, outcome";

    /// The same for a list: a request may hold a whole benchmark, twice.
    pub(super) const LISTED_COLUMNS: &'static str = "id, organisation, kind, \
        json_object('summary', json_extract(request, '$.summary'), 'runs', json_extract(request, '$.runs')), \
        state, phase, cancelling, attempts, created_at, started_at, ended_at, failure, outcome";

    pub(super) fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        let state: String = row.get(4)?;
        let json = |text: Option<String>| text.and_then(|text| serde_json::from_str(&text).ok());
        Ok(Self {
            id: row.get(0)?,
            organisation: row.get(1)?,
            kind: row.get(2)?,
            request: json(row.get(3)?).unwrap_or_default(),
            state: JobState::of(&state),
            phase: row.get(5)?,
            cancelling: row.get(6)?,
            attempts: row.get(7)?,
            created_at: row.get(8)?,
            started_at: row.get(9)?,
            ended_at: row.get(10)?,
            failure: json(row.get(11)?),
            outcome: json(row.get(12)?),
        })
    }

    /// Returns what was asked, in its own type.
    ///
    /// # Errors
    ///
    /// Returns an error when it was written by another version.
    pub fn asked<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        T::deserialize(&self.request).map_err(ApiError::internal)
    }
}
