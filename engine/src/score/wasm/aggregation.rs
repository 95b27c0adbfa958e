//! A run's score by the component's own rule.

use super::guest::Guest;
use crate::sandbox::bindings::summing::exports::rematch::scoring::aggregation::Column;
use crate::sandbox::log::CallLog;
use crate::score::case::mean_of_first;

/// Has the component sum up a run, or takes the mean where it leaves that to the host: `metrics` are its metrics, session
/// by session. What it says meanwhile is passed to `hear`. The error says in words why there is no result.
pub(super) fn aggregate(
    guest: &Guest,
    metrics: &[Vec<Option<f64>>],
    params: &str,
    hear: impl FnOnce(&CallLog),
) -> Result<Option<f64>, String> {
    let values: Vec<Vec<f64>> =
        metrics.iter().map(|metric| metric.iter().map(|value| value.unwrap_or(0.0)).collect()).collect();
    let known: Vec<Vec<bool>> = metrics.iter().map(|metric| metric.iter().map(Option::is_some).collect()).collect();
    let columns: Vec<Column<'_>> = values.iter().zip(&known).map(|(values, known)| Column { values, known }).collect();
    let sessions = metrics.first().map_or(0, Vec::len);
    let Some(result) = guest.aggregate(&columns, params, sessions, hear) else { return Ok(mean_of_first(metrics)) };
    let value = result.map_err(|failure| format!("`aggregate` failed: {}", failure.reason))?;
    match value.map_err(|reason| format!("`aggregate` failed: {reason}"))? {
        Some(value) if !value.is_finite() => {
            Err(format!("`aggregate` returned {value}, expected a finite number, or none where the score is undefined"))
        }
        value => Ok(value),
    }
}
