//! What a retriever's servers were asked, in numbers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the server of one stage was asked: since the stage was built, or, in a report, over the processes that worked on the
/// run, as far as they ended by themselves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RemoteCounts {
    /// Requests whose answers count, retries not included.
    pub requests: u64,
    /// Retries.
    pub retries: u64,
    /// Retries that were worth a try but were not sent, since the budget was used up.
    pub retries_over_budget: u64,
    /// Requests that failed for good.
    pub failures: u64,
    /// Waits before retries that the server asked for (`Retry-After`).
    pub retry_after_waits: u64,
    /// Time of those waits, milliseconds.
    pub retry_after_wait_ms: u64,
    /// How often the retriever was given up: at most once by each process.
    pub breaker_openings: u64,
    /// Requests that were sent to warm up.
    pub warm_ups: u64,
    /// Bytes of answers, decoded.
    pub bytes: u64,
}

impl RemoteCounts {
    /// Adds what another process counted.
    pub fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.retries += other.retries;
        self.retries_over_budget += other.retries_over_budget;
        self.failures += other.failures;
        self.retry_after_waits += other.retry_after_waits;
        self.retry_after_wait_ms += other.retry_after_wait_ms;
        self.breaker_openings += other.breaker_openings;
        self.warm_ups += other.warm_ups;
        self.bytes += other.bytes;
    }
}

/// The same while they are counted.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) retries_over_budget: AtomicU64,
    pub(super) failures: AtomicU64,
    pub(super) retry_after_waits: AtomicU64,
    pub(super) retry_after_wait_ms: AtomicU64,
    pub(super) breaker_openings: AtomicU64,
    pub(super) warm_ups: AtomicU64,
    pub(super) bytes: AtomicU64,
}

impl Counters {
    pub(super) fn waited_as_asked(&self, wait: Duration) {
        add(&self.retry_after_waits, 1);
        add(&self.retry_after_wait_ms, u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
    }

    pub(super) fn snapshot(&self, requests: u64, retries: u64) -> RemoteCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        RemoteCounts {
            requests,
            retries,
            retries_over_budget: read(&self.retries_over_budget),
            failures: read(&self.failures),
            retry_after_waits: read(&self.retry_after_waits),
            retry_after_wait_ms: read(&self.retry_after_wait_ms),
            breaker_openings: read(&self.breaker_openings),
            warm_ups: read(&self.warm_ups),
            bytes: read(&self.bytes),
        }
    }
}

pub(super) fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}
