//! The contract between the replay stage and a retriever.

use async_trait::async_trait;

use crate::session::{Hit, Session};

/// Answers searches.
///
/// The runner calls [`Retriever::retrieve`] once per session, in any order and many at a time. The answer has at most
/// `depth` hits, best first, no item twice; scores, where given, never increase. An empty answer is legal and differs
/// from an error. The same session gets the same answer each time. Heavy work belongs on [`tokio::task::spawn_blocking`]
/// only if it may take longer than a few milliseconds; the runner already spreads sessions over threads.
#[async_trait]
pub trait Retriever: Send + Sync {
    /// Returns the stage kind, as written in the benchmark file.
    fn kind(&self) -> &'static str;

    /// Returns the best `depth` items for `session`.
    ///
    /// # Errors
    ///
    /// Returns the kind of failure and its words; the run goes on with the other sessions.
    async fn retrieve(&self, session: &Session, depth: usize) -> Result<Vec<Hit>, RetrieveError>;
}

/// A failure of one retriever on one session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RetrieveError {
    /// The kind, by which failures are counted.
    pub kind: RetrieveErrorKind,
    /// What happened, in words.
    pub message: String,
}

/// Kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum RetrieveErrorKind {
    /// The session has no query text, and the retriever needs one.
    NoQuery,
    /// The recorded rankings hold none for this session.
    NotRecorded,
    /// The recorded ranking is itself a recorded failure.
    RecordedFailure,
    /// The session has no logged list.
    NotShown,
    /// The index failed.
    Index,
    /// The retriever panicked or was cancelled.
    Internal,
}

impl RetrieveErrorKind {
    /// Returns the kind's name as it stands in tables and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoQuery => "no_query",
            Self::NotRecorded => "not_recorded",
            Self::RecordedFailure => "recorded_failure",
            Self::NotShown => "not_shown",
            Self::Index => "index",
            Self::Internal => "internal",
        }
    }
}
