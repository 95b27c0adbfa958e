//! What the environment says to the engine, which reads none of it itself.

use std::sync::Arc;

use rematch_engine::benchmark::TimeSpan;
use rematch_engine::replay::remote::Secrets;
use rematch_engine::storage::failpoint::{self, Failpoint};
use rematch_engine::storage::keep_fetched_in;
use rematch_engine::store::LeaseTime;

use crate::exit::{Exit, Failure};
use crate::folders;

/// Names the call of the file system that is made to fail, for tests.
const FAILPOINT: &str = "REMATCH_FAILPOINT";

/// How long a process that is not heard of keeps a run directory in an object store, such as `60s`.
const LEASE: &str = "REMATCH_LEASE";

/// Tells the engine where fetched objects are kept, how long leases are, and which call is made to fail.
pub(crate) fn apply() -> Result<(), Failure> {
    if let Ok(text) = std::env::var(LEASE) {
        let time = text.parse::<TimeSpan>().ok().and_then(|span| LeaseTime::new(span.0));
        let time = time.ok_or_else(|| {
            let message =
                format!("`{LEASE}` is `{text}`, expected a length of time of at least a second such as `60s`");
            Failure::new(Exit::Usage, anyhow::anyhow!(message))
        })?;
        time.apply();
    }
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
