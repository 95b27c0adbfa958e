//! What scoring cost, and what the component said meanwhile.

use std::time::Duration;

use crate::sandbox::instance::Cost;
use crate::sandbox::log::{CallLog, LogMessage};
use crate::score::ScoreOutcome;

/// Outcomes, and what it cost to find them: every call is counted, also those whose result was thrown away.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    /// One outcome per case, in order.
    pub outcomes: Vec<ScoreOutcome>,
    /// Fuel spent, instantiation included.
    pub fuel: u64,
    /// The largest size of one instance's linear memories, bytes.
    pub peak_memory_bytes: u64,
    /// Time for instantiation, of all instances together.
    pub instantiate: Duration,
    /// Time for the calls themselves, of all calls together.
    pub call: Duration,
    /// Calls of the component.
    pub calls: u64,
    /// What it logged.
    pub log: Vec<LogMessage>,
    /// Bytes of messages above the limit of their call, which were dropped.
    pub log_bytes_dropped: u64,
}

/// A measurement under way.
#[derive(Debug, Default)]
pub(super) struct Tally {
    fuel: u64,
    peak_memory_bytes: u64,
    instantiate: Duration,
    call: Duration,
    calls: u64,
    /// What was said, if anybody wants to know: over a run it may be any amount.
    log: Option<Vec<LogMessage>>,
    log_bytes_dropped: u64,
}

impl Tally {
    /// Returns a tally that keeps what is said.
    pub(super) fn with_log() -> Self {
        Self { log: Some(Vec::new()), ..Self::default() }
    }

    /// Counts a call.
    pub(super) fn add(&mut self, cost: &Cost) {
        self.fuel = self.fuel.saturating_add(cost.fuel);
        self.peak_memory_bytes = self.peak_memory_bytes.max(cost.memory_bytes);
        self.instantiate += cost.instantiate;
        self.call += cost.call;
        self.calls += 1;
    }

    /// Keeps what was said in a call.
    pub(super) fn hear(&mut self, log: CallLog) {
        if let Some(kept) = &mut self.log {
            kept.extend(log.messages);
        }
        self.log_bytes_dropped = self.log_bytes_dropped.saturating_add(log.dropped_bytes);
    }

    pub(super) fn finish(self, outcomes: Vec<ScoreOutcome>) -> Measurement {
        let Self { fuel, peak_memory_bytes, instantiate, call, calls, log, log_bytes_dropped } = self;
        let log = log.unwrap_or_default();
        Measurement { outcomes, fuel, peak_memory_bytes, instantiate, call, calls, log, log_bytes_dropped }
    }
}
