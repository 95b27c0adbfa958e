//! One thing that was looked at.

use serde::Serialize;

/// One thing that was looked at, and how it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at, such as `tcp` or `open files`.
    pub name: String,
    /// How it is.
    pub state: CheckState,
    /// What was found.
    pub found: String,
    /// What to do about it; `None` unless it failed or could be better.
    pub fix: Option<String>,
}

/// How a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    /// Fine.
    Ok,
    /// It works, with less than is usual.
    Warning,
    /// It does not work.
    Failed,
}

impl Check {
    /// Returns a check of something that is fine.
    #[must_use]
    pub fn ok(name: impl Into<String>, found: impl Into<String>) -> Self {
        Self { name: name.into(), state: CheckState::Ok, found: found.into(), fix: None }
    }

    /// Returns a check of something that could be better.
    #[must_use]
    pub fn warning(name: impl Into<String>, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name: name.into(), state: CheckState::Warning, found: found.into(), fix: Some(fix.into()) }
    }

    /// Returns a check of something that does not work.
    #[must_use]
    pub fn failed(name: impl Into<String>, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name: name.into(), state: CheckState::Failed, found: found.into(), fix: Some(fix.into()) }
    }
}
