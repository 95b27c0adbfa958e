//! What one attempt at a request came to.

use std::time::Duration;

use tokio::time::Instant;

use crate::replay::RetrieveErrorKind;

/// An attempt that was answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Done<T> {
    /// What the answer says.
    pub value: T,
    /// When its last byte was there; reading sense into it takes no part in the latency.
    pub at: Instant,
}

impl<T> Done<T> {
    /// Returns `value`, answered at this moment.
    #[must_use]
    pub fn now(value: T) -> Self {
        Self { value, at: Instant::now() }
    }
}

/// An attempt that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptError {
    /// The kind, by which failures are counted.
    pub kind: RetrieveErrorKind,
    /// What happened, in words.
    pub message: String,
    /// Whether another attempt may fare better.
    pub retry: Retry,
}

impl AttemptError {
    /// Returns a failure that would come again.
    #[must_use]
    pub fn lasting(kind: RetrieveErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry: Retry::Never }
    }

    /// Returns a failure that may pass.
    #[must_use]
    pub fn passing(kind: RetrieveErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry: Retry::Soon }
    }
}

/// Whether another attempt may fare better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// No: it would fail alike.
    Never,
    /// Yes, after the usual wait.
    Soon,
    /// Yes, after the wait that the server asked for.
    After(Duration),
}
