//! What a guest returned, checked and turned into outcomes.

use std::collections::BTreeMap;

use crate::sandbox::bindings::exports::rematch::scoring::guest;
use crate::score::{ScoreMetric, ScoreOutcome};
use crate::session::ScoreState;

/// Longest text of a session, bytes: it is kept with every score.
const MAX_OUTPUT_BYTES: usize = 64 << 10;

/// Longest reason of an error that is kept, characters.
const MAX_REASON: usize = 1_000;

/// Largest size of a value: sums of squares over a run must stay finite.
const MAX_VALUE: f64 = 1e150;

/// Turns a reply into one outcome per session. `failed` makes the outcome of a session, named by its index, that has
/// none for the reason given.
///
/// The error says in words what makes the reply as a whole meaningless: a wrong count, an index out of range, texts
/// that are none.
pub(super) fn outcomes(
    scores: &guest::Scores,
    sessions: usize,
    metrics: &[ScoreMetric],
    failed: impl Fn(usize, String) -> ScoreOutcome,
) -> Result<Vec<ScoreOutcome>, String> {
    let expected = sessions.saturating_mul(metrics.len());
    if scores.values.len() != expected {
        return Err(format!(
            "returned {} values for {sessions} sessions and {} metrics, expected {expected}",
            scores.values.len(),
            metrics.len()
        ));
    }
    let outputs = texts(&scores.outputs, sessions)?;
    let mut values: Vec<Option<f64>> = scores.values.iter().copied().map(Some).collect();
    for position in &scores.undefined {
        let value = values.get_mut(*position as usize);
        *value.ok_or_else(|| format!("returned the undefined position {position} of {expected} values"))? = None;
    }
    let mut errors = BTreeMap::new();
    for error in &scores.errors {
        if error.index as usize >= sessions {
            return Err(format!("returned an error for session {} of a batch of {sessions}", error.index));
        }
        errors.entry(error.index as usize).or_insert(error.message.as_str());
    }
    let outcome = |session: usize| {
        if let Some(message) = errors.get(&session) {
            return failed(session, message.chars().take(MAX_REASON).collect());
        }
        let session_values = values.iter().skip(session).step_by(sessions.max(1)).copied();
        let output = outputs.get(session).copied().unwrap_or_default();
        outcome(metrics, session_values, output).unwrap_or_else(|reason| failed(session, reason))
    };
    Ok((0..sessions).map(outcome).collect())
}

/// The outcome of one session, or why its values are none. `values` has one element per metric.
fn outcome(
    metrics: &[ScoreMetric],
    values: impl Iterator<Item = Option<f64>>,
    output: &str,
) -> Result<ScoreOutcome, String> {
    if output.len() > MAX_OUTPUT_BYTES {
        return Err(format!("returned an output of {} bytes, more than {MAX_OUTPUT_BYTES}", output.len()));
    }
    let mut values: Vec<Option<f64>> = values.collect();
    for (metric, value) in metrics.iter().zip(&values) {
        if let Some(value) = value {
            check(metric, *value)?;
        }
    }
    let sub_scores = values.split_off(values.len().min(1));
    let value = values.first().copied().flatten();
    let state = if value.is_some() { ScoreState::Complete } else { ScoreState::Unknown };
    Ok(ScoreOutcome { value, sub_scores, output: output.to_owned(), state })
}

fn check(metric: &ScoreMetric, value: f64) -> Result<(), String> {
    let name = &metric.name;
    if !value.is_finite() {
        return Err(format!(
            "returned {value} for metric `{name}`, expected a finite number or its position in `undefined`"
        ));
    }
    if value.abs() > MAX_VALUE {
        return Err(format!("returned {value:e} for metric `{name}`, expected a size of at most {MAX_VALUE:e}"));
    }
    if metric.low.is_some_and(|low| value < low) || metric.high.is_some_and(|high| value > high) {
        let bound = |bound: Option<f64>, none: &str| bound.map_or_else(|| none.to_owned(), |bound| bound.to_string());
        let (low, high) = (bound(metric.low, "-infinity"), bound(metric.high, "infinity"));
        return Err(format!("returned {value} for metric `{name}`, whose declared range is {low} to {high}"));
    }
    Ok(())
}

/// Returns the texts of a column that is either empty or has one text per session.
fn texts(column: &guest::TextsResult, sessions: usize) -> Result<Vec<&str>, String> {
    if column.offsets.is_empty() && column.bytes.is_empty() {
        return Ok(Vec::new());
    }
    if column.offsets.len() != sessions + 1 || column.offsets.first() != Some(&0) {
        return Err(format!(
            "returned {} offsets of outputs, expected none, or {} that begin with 0",
            column.offsets.len(),
            sessions + 1
        ));
    }
    let starts = column.offsets.iter();
    let ends = column.offsets.iter().skip(1);
    let text = |(start, end): (&u32, &u32)| {
        let bytes = column.bytes.get(*start as usize..*end as usize);
        let bytes = bytes
            .ok_or_else(|| format!("returned the output {start}..{end} of a column of {} bytes", column.bytes.len()))?;
        std::str::from_utf8(bytes).map_err(|_| "returned an output that is not UTF-8".to_owned())
    };
    starts.zip(ends).map(text).collect()
}
