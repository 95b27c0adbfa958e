//! What a guest may take from the host, and how a failed call names the limit that ended it.

use std::fmt::Write as _;

use wasmtime::{ResourceLimiter, Trap, WasmBacktrace};

use super::log::CallLog;
use crate::benchmark::Limits;

/// Stack of a guest, bytes. Not a setting: it has to fit into the host's own threads.
pub(crate) const STACK_BYTES: usize = 512 << 10;

/// Linear memories of one component; their sizes count together.
pub(crate) const MEMORIES: usize = 4;

/// Handles to resources that are alive at once. A scorer exchanges none; a language's runtime holds a few.
pub(crate) const HANDLES: usize = 10_000;

/// What belongs to one instance: what it has taken and what it has said.
#[derive(Debug)]
pub(crate) struct Sandboxed {
    limits: Limits,
    memory_bytes: u64,
    table_elements: u64,
    refusal: Option<String>,
    pub(crate) log: CallLog,
    /// State of the random numbers that an inert WASI gives out; the same at the start of every call.
    pub(crate) random: u64,
}

impl Sandboxed {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            memory_bytes: 0,
            table_elements: 0,
            refusal: None,
            log: CallLog::new(limits.log_bytes),
            random: 0,
        }
    }

    /// Forgets what concerns one call only.
    pub(crate) fn begin_call(&mut self) {
        self.refusal = None;
        self.log = CallLog::new(self.limits.log_bytes);
        self.random = 0;
    }

    /// Returns the size of all linear memories together. It never shrinks.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }
}

impl ResourceLimiter for Sandboxed {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool, wasmtime::Error> {
        let total = self.memory_bytes.saturating_sub(current as u64).saturating_add(desired as u64);
        let limit = self.limits.memory_bytes;
        if total > limit {
            self.refusal = Some(format!("memory limit of {limit} bytes reached ({total} asked for)"));
            return Ok(false);
        }
        self.memory_bytes = total;
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool, wasmtime::Error> {
        let total = self.table_elements.saturating_sub(current as u64).saturating_add(desired as u64);
        let limit = self.limits.table_elements;
        if total > limit {
            self.refusal = Some(format!("table limit of {limit} elements reached ({total} asked for)"));
            return Ok(false);
        }
        self.table_elements = total;
        Ok(true)
    }

    fn instances(&self) -> usize {
        usize::try_from(self.limits.instances).unwrap_or(usize::MAX)
    }

    fn tables(&self) -> usize {
        usize::try_from(self.limits.instances).unwrap_or(usize::MAX)
    }

    fn memories(&self) -> usize {
        MEMORIES
    }
}

/// Why a call failed.
#[derive(Debug, Clone)]
pub(crate) struct CallFailure {
    /// In one line: the limit and the value reached, or what the guest did.
    pub(crate) reason: String,
    /// Whether the wall clock ended it, so that it might end otherwise another time.
    pub(crate) by_clock: bool,
    /// Whether fuel ended it.
    pub(crate) out_of_fuel: bool,
}

impl From<String> for CallFailure {
    fn from(reason: String) -> Self {
        Self { reason, by_clock: false, out_of_fuel: false }
    }
}

/// Returns why a call that could spend `fuel` units failed.
pub(crate) fn explain(error: &wasmtime::Error, fuel: u64, sandboxed: &Sandboxed) -> CallFailure {
    let limits = &sandboxed.limits;
    let trap = error.downcast_ref::<Trap>();
    let mut reason = match trap {
        Some(Trap::OutOfFuel) => format!("fuel limit of {fuel} units reached"),
        Some(Trap::Interrupt) => format!("deadline of {} ms reached", limits.deadline_ms),
        Some(Trap::StackOverflow) => format!("stack limit of {STACK_BYTES} bytes reached"),
        Some(trap) => trap.to_string(),
        None => untyped(error, limits),
    };
    if let Some(function) = failed_function(error) {
        let _ = write!(reason, " in `{function}`");
    }
    if let Some(refusal) = &sandboxed.refusal {
        // A guest whose allocation was refused usually traps next; the refusal is the cause worth reading.
        reason = format!("{refusal}: {reason}");
    }
    let (by_clock, out_of_fuel) = (trap == Some(&Trap::Interrupt), trap == Some(&Trap::OutOfFuel));
    CallFailure { reason, by_clock, out_of_fuel }
}

/// Returns the words of an error that has no public type.
fn untyped(error: &wasmtime::Error, limits: &Limits) -> String {
    let text = error.root_cause().to_string();
    if text.contains("fuel allocated for hostcalls") {
        return format!("output limit of {} bytes reached", limits.output_bytes);
    }
    if let Some(counted) = text.strip_prefix("resource limit exceeded: ") {
        let limit = if counted.starts_with("memory") { MEMORIES as u64 } else { limits.instances };
        let what = counted.split(' ').next().unwrap_or_default();
        let found = counted.rsplit(' ').next().unwrap_or_default();
        return format!("limit of {limit} {what} definitions reached ({found} asked for)");
    }
    text.lines().next().unwrap_or_default().trim().to_owned()
}

fn failed_function(error: &wasmtime::Error) -> Option<String> {
    let backtrace = error.downcast_ref::<WasmBacktrace>()?;
    backtrace.frames().first()?.func_name().map(str::to_owned)
}
