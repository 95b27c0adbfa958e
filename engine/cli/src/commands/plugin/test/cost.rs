//! What a component costs: fuel, memory and time, and how much of its limits that is.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use rematch_engine::score::Case;
use rematch_engine::score::wasm::WasmScorer;
use serde::Serialize;

use crate::commands::plugin::loading::Loading;
use crate::exit::Failure;

/// Sessions that are scored alone.
const ALONE: usize = 100;

/// Rounds of all sessions, of which the median counts.
const ROUNDS: usize = 5;

/// What scoring costs.
#[derive(Debug, Serialize)]
pub(super) struct Cost {
    /// Fuel of a session in a batch of all.
    pub(super) fuel_per_session: f64,
    /// Fuel of a session alone in its call, with what the call itself takes: the median.
    pub(super) fuel_alone: u64,
    /// The most that a session alone took.
    pub(super) fuel_alone_most: u64,
    /// The session that took it.
    pub(super) fuel_alone_most_session: String,
    /// What a session alone may take.
    pub(super) fuel_limit: u64,
    /// The most memory that an instance had.
    pub(super) peak_memory_bytes: u64,
    /// What it may have.
    pub(super) memory_limit_bytes: u64,
    /// Time of a session in a batch of all, median of several rounds.
    pub(super) seconds_per_session: f64,
    /// Time of a call with one session, median.
    pub(super) seconds_alone: f64,
    /// Time to make an instance, median.
    pub(super) instantiate_seconds: f64,
    /// Time to load the component where it has to be compiled.
    pub(super) load_seconds: f64,
    /// Time to load it when its code is in the cache.
    pub(super) load_cached_seconds: f64,
}

/// Measures a component.
///
/// # Errors
///
/// Returns an error when it cannot be loaded again, or gives up on a batch.
pub(super) fn find(loading: &Loading, path: &Path, scorer: &WasmScorer, cases: &[Case<'_>]) -> Result<Cost, Failure> {
    let limits = loading.plan().limits;
    let sessions = cases.len().max(1) as f64;
    let mut rounds = Vec::new();
    let mut all = None;
    for _ in 0..ROUNDS {
        let measured = scorer.measure(cases)?;
        // The session that is scored twice, to see whether it depends on others, is no part of this.
        rounds.push(measured.call.as_secs_f64() / sessions);
        all = all.max(Some((measured.fuel, measured.peak_memory_bytes)));
    }
    let (fuel, mut peak_memory_bytes) = all.unwrap_or_default();
    // In a scorer of its own with batches of one, every call has a fresh instance.
    let alone = loading.load_with_batch(path, std::num::NonZeroUsize::MIN)?;
    let mut calls: Vec<(u64, &str)> = Vec::new();
    let (mut call_seconds, mut instantiate_seconds) = (Vec::new(), Vec::new());
    for case in cases.iter().take(ALONE) {
        let measured = alone.measure(std::slice::from_ref(case))?;
        let each = |duration: Duration| duration.as_secs_f64() / measured.calls.max(1) as f64;
        calls.push((measured.fuel / measured.calls.max(1), &case.session.session_id));
        call_seconds.push(each(measured.call));
        instantiate_seconds.push(each(measured.instantiate));
        peak_memory_bytes = peak_memory_bytes.max(measured.peak_memory_bytes);
    }
    calls.sort_unstable();
    let (load_seconds, load_cached_seconds) = load_seconds(loading, path)?;
    Ok(Cost {
        fuel_per_session: fuel as f64 / sessions,
        fuel_alone: calls.get(calls.len() / 2).map_or(0, |(fuel, _)| *fuel),
        fuel_alone_most: calls.last().map_or(0, |(fuel, _)| *fuel),
        fuel_alone_most_session: calls.last().map_or_else(String::new, |(_, session)| (*session).to_owned()),
        fuel_limit: limits.fuel_base.saturating_add(limits.fuel_per_session),
        peak_memory_bytes,
        memory_limit_bytes: limits.memory_bytes,
        seconds_per_session: median(&mut rounds),
        seconds_alone: median(&mut call_seconds),
        instantiate_seconds: median(&mut instantiate_seconds),
        load_seconds,
        load_cached_seconds,
    })
}

/// Returns the times to load the component with an empty cache, and with the cache that this leaves.
///
/// # Errors
///
/// Returns an error when it cannot be loaded.
pub(in crate::commands::plugin) fn load_seconds(loading: &Loading, path: &Path) -> Result<(f64, f64), Failure> {
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let cache = folder.path().join("compiled");
    let mut times = [0.0; 2];
    for time in &mut times {
        let started = Instant::now();
        drop(loading.load_with_cache(path, &cache)?);
        *time = started.elapsed().as_secs_f64();
    }
    let [compiled, cached] = times;
    Ok((compiled, cached))
}

/// Returns the median; 0 of nothing. Of an even number of values it is the upper one.
pub(in crate::commands::plugin) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
