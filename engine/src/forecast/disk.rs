//! How much disk a run takes.

use super::DiskForecast;
use super::earlier::Earlier;
use crate::benchmark::Plan;
use crate::select::Counted;

/// Bytes of a hit in a table: an id of some letters, and a score.
const BYTES_PER_HIT: u64 = 16;
/// Bytes of a value in a table.
const BYTES_PER_VALUE: u64 = 9;
/// A ranking stands in its part, and again in the published table.
const COPIES: u64 = 2;
/// What a run takes besides its tables: report, page and manifest.
const BYTES_OF_REPORTS: u64 = 200_000;

/// Returns how much the run of `plan` takes.
pub(super) fn of(plan: &Plan, counted: &Counted, earlier: Option<&Earlier>) -> DiskForecast {
    let sampled = counted.selection.sampled;
    if let Some(bytes) = earlier.and_then(|earlier| scaled(earlier, plan, sampled)) {
        return DiskForecast { bytes, basis: "the earlier run's size, per session and retriever".to_owned() };
    }
    let loaded = counted.selection.loaded.max(1) as f64;
    let sample = counted.input_bytes as f64 * sampled as f64 / loaded;
    let answers = sampled.saturating_mul(plan.pipelines.len() as u64);
    let values = (plan.metrics.len() + 2 * plan.scorers.len()) as u64;
    let per_answer = plan.depth.get() as u64 * BYTES_PER_HIT + values * BYTES_PER_VALUE;
    let tables = answers.saturating_mul(per_answer).saturating_mul(COPIES);
    DiskForecast {
        bytes: (sample as u64).saturating_add(tables).saturating_add(BYTES_OF_REPORTS),
        basis: format!(
            "rankings of {} hits at {BYTES_PER_HIT} bytes, kept twice; no earlier run tells more",
            plan.depth
        ),
    }
}

fn scaled(earlier: &Earlier, plan: &Plan, sampled: u64) -> Option<u64> {
    let answers = |sampled: u64, retrievers: usize| sampled as f64 * retrievers as f64;
    let then = answers(earlier.replayed(), earlier.report.results.len());
    let same_depth = earlier.report.run.depth == plan.depth.get() as u64;
    let growing =
        earlier.bytes.checked_sub(BYTES_OF_REPORTS.min(earlier.bytes)).filter(|_| then > 0.0 && same_depth)?;
    let fixed = earlier.bytes - growing;
    (earlier.bytes > 0).then(|| fixed + (growing as f64 * answers(sampled, plan.pipelines.len()) / then) as u64)
}
