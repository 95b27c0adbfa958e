//! What an API family adds to the queue: how a job of its kind is prepared, and what is kept of its outcome.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::Job;
use crate::App;
use crate::platform::error::ApiError;
use crate::worker::{Message, Order};

/// One kind of job.
#[async_trait]
pub trait JobKind: Send + Sync {
    /// Returns its name, which stands in the database.
    fn name(&self) -> &'static str;

    /// Writes what the worker needs into the job's folder, and returns what it shall do. Called again when the job is begun
    /// anew: it must then find, or make again, the same.
    ///
    /// # Errors
    ///
    /// Returns an error that fails the job; its message is told to whoever asked for the job.
    async fn prepare(&self, app: &App, job: &Job, folder: &Path) -> Result<Order, ApiError>;

    /// Hears what the worker says while it works.
    ///
    /// # Errors
    ///
    /// Returns an error that is logged: the job goes on.
    async fn heard(&self, _app: &App, _job: &Job, _message: &Message) -> Result<(), ApiError> {
        Ok(())
    }

    /// Returns what is kept in [`Job::outcome`], from what the worker returned. Called once, before the job is completed.
    ///
    /// # Errors
    ///
    /// As [`Self::prepare`].
    async fn conclude(&self, _app: &App, _job: &Job, _folder: &Path, outcome: Value) -> Result<Value, ApiError> {
        Ok(outcome)
    }
}

/// The kinds of all families, by name.
#[derive(Default)]
pub struct Kinds(HashMap<&'static str, Arc<dyn JobKind>>);

impl Kinds {
    /// Adds a kind.
    #[must_use]
    pub fn with(mut self, kind: impl JobKind + 'static) -> Self {
        self.0.insert(kind.name(), Arc::new(kind));
        self
    }

    /// Returns the kind of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Arc<dyn JobKind>> {
        self.0.get(name).cloned()
    }
}
