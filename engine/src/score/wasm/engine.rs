//! Wasmtime as this crate uses it: which WebAssembly is legal, and the clock behind deadlines.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use wasmtime::{Config, Engine, Store};

use super::limits::SandboxLimiter;
use crate::benchmark::Limits;

/// Time between two ticks of the clock that ends a call past its deadline.
const TICK: Duration = Duration::from_millis(10);

/// Stack of a guest, bytes.
pub(super) const STACK_BYTES: usize = 512 << 10;

/// How much a guest may hand back in one call, bytes as the host stores them.
pub(super) const OUTPUT_BYTES: usize = 16 << 20;

/// A wasmtime engine with its clock, which ticks until the engine is dropped.
pub(super) struct Sandbox {
    engine: Engine,
    stop: Option<Sender<()>>,
    clock: Option<JoinHandle<()>>,
}

impl Sandbox {
    /// Returns an engine whose results depend on nothing but its inputs.
    ///
    /// Threads are not compiled in. Relaxed SIMD is off because its results differ between processors. NaN bits may
    /// differ too, but only NaN's own: canonicalising them costs a factor of two on a columnar scorer, so that the
    /// boundary refuses NaN instead.
    pub(super) fn new() -> Result<Self, wasmtime::Error> {
        let mut config = Config::new();
        config
            .consume_fuel(true)
            .epoch_interruption(true)
            .wasm_relaxed_simd(false)
            .wasm_memory64(false)
            .cranelift_nan_canonicalization(false)
            .max_wasm_stack(STACK_BYTES);
        let engine = Engine::new(&config)?;
        let (stop, stopped) = mpsc::channel();
        let ticked = engine.weak();
        let clock = thread::Builder::new().name("plugin-clock".to_owned()).spawn(move || {
            while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                let Some(engine) = ticked.upgrade() else { return };
                engine.increment_epoch();
            }
        })?;
        Ok(Self { engine, stop: Some(stop), clock: Some(clock) })
    }

    /// Returns wasmtime's engine.
    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Returns a store for one call that may spend `fuel` units. Its deadline runs from now, so that a start function
    /// is under it too.
    pub(super) fn store(&self, limits: &Limits, fuel: u64) -> Result<Store<SandboxLimiter>, wasmtime::Error> {
        let mut store = Store::new(&self.engine, SandboxLimiter::new(limits.memory_bytes));
        store.limiter(|limiter| limiter);
        store.set_fuel(fuel)?;
        store.set_hostcall_fuel(OUTPUT_BYTES);
        // One tick more: the current one may be nearly over.
        let ticks = Duration::from_millis(limits.deadline_ms).as_millis().div_ceil(TICK.as_millis()) + 1;
        store.set_epoch_deadline(u64::try_from(ticks).unwrap_or(u64::MAX));
        Ok(store)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(clock) = self.clock.take() {
            // The thread only ticks; it has no failure to report.
            let _ = clock.join();
        }
    }
}
