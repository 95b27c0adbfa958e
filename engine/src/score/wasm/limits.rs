//! What a guest may take from the host, and how a failed call names the limit that ended it.

use std::fmt::Write as _;

use wasmtime::{ResourceLimiter, Trap, WasmBacktrace};

use super::engine::{OUTPUT_BYTES, STACK_BYTES};
use crate::benchmark::Limits;

/// Elements of all tables of one call together; a few times what a guest that carries an interpreter needs.
const TABLE_ELEMENTS: usize = 100_000;
/// Core instances, and as many tables, of one call.
const INSTANCES: usize = 32;
/// Linear memories of one call; their sizes count together.
const MEMORIES: usize = 4;

/// Counts what one call takes and refuses what is too much.
#[derive(Debug)]
pub(super) struct SandboxLimiter {
    memory_limit_bytes: usize,
    memory_bytes: usize,
    table_elements: usize,
    refusal: Option<String>,
}

impl SandboxLimiter {
    pub(super) fn new(memory_limit_bytes: u64) -> Self {
        Self {
            memory_limit_bytes: usize::try_from(memory_limit_bytes).unwrap_or(usize::MAX),
            memory_bytes: 0,
            table_elements: 0,
            refusal: None,
        }
    }
}

impl ResourceLimiter for SandboxLimiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool, wasmtime::Error> {
        let total = (self.memory_bytes - current.min(self.memory_bytes)).saturating_add(desired);
        if total > self.memory_limit_bytes {
            self.refusal =
                Some(format!("memory limit of {} bytes reached ({total} asked for)", self.memory_limit_bytes));
            return Ok(false);
        }
        self.memory_bytes = total;
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool, wasmtime::Error> {
        let total = (self.table_elements - current.min(self.table_elements)).saturating_add(desired);
        if total > TABLE_ELEMENTS {
            self.refusal = Some(format!("table limit of {TABLE_ELEMENTS} elements reached ({total} asked for)"));
            return Ok(false);
        }
        self.table_elements = total;
        Ok(true)
    }

    fn instances(&self) -> usize {
        INSTANCES
    }

    fn tables(&self) -> usize {
        INSTANCES
    }

    fn memories(&self) -> usize {
        MEMORIES
    }
}

/// Returns why a call failed, in one line: the limit and its value where one was reached, else what the guest did.
pub(super) fn explain(error: &wasmtime::Error, limits: &Limits, fuel: u64, limiter: &SandboxLimiter) -> String {
    let mut text = match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => format!("fuel limit of {fuel} units reached"),
        Some(Trap::Interrupt) => format!("deadline of {} ms reached", limits.deadline_ms),
        Some(Trap::StackOverflow) => format!("stack limit of {STACK_BYTES} bytes reached"),
        Some(trap) => trap.to_string(),
        None => untyped(error),
    };
    if let Some(function) = failed_function(error) {
        let _ = write!(text, " in `{function}`");
    }
    match &limiter.refusal {
        // A guest whose allocation was refused usually traps next; the refusal is the cause worth reading.
        Some(refusal) => format!("{refusal}: {text}"),
        None => text,
    }
}

/// Returns the words of an error that has no public type.
fn untyped(error: &wasmtime::Error) -> String {
    let text = error.root_cause().to_string();
    if text.contains("fuel allocated for hostcalls") {
        return format!("output limit of {OUTPUT_BYTES} bytes reached");
    }
    text.lines().next().unwrap_or_default().trim().to_owned()
}

fn failed_function(error: &wasmtime::Error) -> Option<String> {
    let backtrace = error.downcast_ref::<WasmBacktrace>()?;
    backtrace.frames().first()?.func_name().map(str::to_owned)
}
