//! What the environment says to the engine, which reads none of it itself.

use std::sync::Arc;

use rematch_engine::replay::remote::Secrets;
use rematch_engine::storage::failpoint::{self, Failpoint};
use rematch_engine::storage::keep_fetched_in;

use crate::exit::{Exit, Failure};
use crate::folders;

/// Names the call of the file system that is made to fail, for tests.
const FAILPOINT: &str = "REMATCH_FAILPOINT";

/// Tells the engine where fetched objects are kept, and which call is made to fail.
pub(crate) fn apply() -> Result<(), Failure> {
    if let Some(folder) = folders::fetched_objects() {
        keep_fetched_in(folder);
    }
    if let Ok(text) = std::env::var(FAILPOINT) {
        let failpoint: Failpoint = text.parse().map_err(|error| Failure::new(Exit::Usage, error))?;
        failpoint::arm(failpoint);
    }
    Ok(())
}

/// Returns where credentials come from: the environment, by the names that a benchmark gives.
pub(crate) fn secrets() -> Secrets {
    Arc::new(|variable| std::env::var(variable).ok())
}
