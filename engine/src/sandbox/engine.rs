//! Wasmtime as this crate uses it: which WebAssembly is legal, and the clock behind deadlines.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use wasmtime::{Cache, Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::limits::{MEMORIES, STACK_BYTES};
use crate::benchmark::Limits;

/// Time between two ticks of the clock that ends a call past its deadline.
const TICK: Duration = Duration::from_millis(10);

/// Table elements of a slot in the pool, and core instances of a component in it. A plugin that is given more than that
/// is instantiated outside of the pool.
const POOL_TABLE_ELEMENTS: usize = 100_000;
const POOL_INSTANCES: u32 = 64;

/// Memory of a slot that stays mapped, zeroed, for the next instance. Above it pages go back to the system, and the next
/// instance pays a page fault for each.
const KEEP_RESIDENT_BYTES: usize = 8 << 20;

/// Returns the settings that decide what compiled code is: a process that compiles for another one must use the same.
///
/// Threads are not compiled in. Relaxed SIMD is off because its results differ between processors. NaN bits may differ
/// too, but only NaN's own: canonicalising them costs a factor of two on a columnar scorer, so that the boundary refuses
/// NaN instead.
pub(crate) fn config(cache: Option<Cache>) -> Config {
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .epoch_interruption(true)
        .wasm_relaxed_simd(false)
        .wasm_memory64(false)
        .cranelift_nan_canonicalization(false)
        .max_wasm_stack(STACK_BYTES)
        .cache(cache);
    config
}

/// The engines of a host: one that takes instances from a pool, and one for what does not fit into it.
pub(crate) struct Engines {
    pooled: Option<Engine>,
    on_demand: Engine,
    stop: Option<Sender<()>>,
    clock: Option<JoinHandle<()>>,
}

impl Engines {
    /// Returns engines whose clock ticks until they are dropped. `pool` is the most instances in the pool at once.
    pub(crate) fn new(cache: Option<&Cache>, pool: u32) -> Result<Self, wasmtime::Error> {
        let on_demand = Engine::new(&config(cache.cloned()))?;
        // The pool reserves address space, which a system may refuse to give; instances are then made one by one.
        let pooled = Engine::new(config(cache.cloned()).allocation_strategy(pooling(pool))).ok();
        let (stop, stopped) = mpsc::channel();
        let ticked: Vec<_> = pooled.iter().chain([&on_demand]).map(Engine::weak).collect();
        let clock = thread::Builder::new().name("plugin-clock".to_owned()).spawn(move || {
            while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                for engine in ticked.iter().filter_map(wasmtime::EngineWeak::upgrade) {
                    engine.increment_epoch();
                }
            }
        })?;
        Ok(Self { pooled, on_demand, stop: Some(stop), clock: Some(clock) })
    }

    /// Returns the engine that makes instances one by one.
    pub(crate) fn on_demand(&self) -> &Engine {
        &self.on_demand
    }

    /// Returns the engine with the pool, where there is one and what `limits` allow fits into its slots.
    pub(crate) fn pooled(&self, limits: &Limits) -> Option<&Engine> {
        let fits = limits.table_elements <= POOL_TABLE_ELEMENTS as u64 && limits.instances <= u64::from(POOL_INSTANCES);
        self.pooled.as_ref().filter(|_| fits)
    }
}

impl Drop for Engines {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(clock) = self.clock.take() {
            // The thread only ticks; it has no failure to report.
            let _ = clock.join();
        }
    }
}

/// Returns the ticks after which `deadline_ms` have passed for sure.
pub(crate) fn ticks(deadline_ms: u64) -> u64 {
    let tick_ms = u64::try_from(TICK.as_millis()).unwrap_or(u64::MAX);
    // One tick more: the current one may be nearly over.
    deadline_ms.div_ceil(tick_ms).saturating_add(1)
}

/// A slot's memory may grow to all that 32 bits address, so that no limit on memory is too large for the pool: unused
/// address space costs nothing. Where the system can tell which pages were touched, only those are cleared.
pub(crate) fn pooling(instances: u32) -> InstanceAllocationStrategy {
    let memories = instances.saturating_mul(u32::try_from(MEMORIES).unwrap_or(u32::MAX));
    let parts = instances.saturating_mul(POOL_INSTANCES);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(parts)
        .max_core_instances_per_component(POOL_INSTANCES)
        .total_memories(memories)
        .max_memories_per_module(u32::try_from(MEMORIES).unwrap_or(u32::MAX))
        .total_tables(parts)
        .max_tables_per_module(POOL_INSTANCES)
        .table_elements(POOL_TABLE_ELEMENTS)
        .max_component_instance_size(16 << 20)
        .max_core_instance_size(16 << 20)
        .max_unused_warm_slots(instances)
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(64 << 10)
        .pagemap_scan(wasmtime::Enabled::Auto);
    InstanceAllocationStrategy::Pooling(pool)
}
