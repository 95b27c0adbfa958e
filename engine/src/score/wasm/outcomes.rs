//! What a guest returned, checked and turned into outcomes.

use std::collections::BTreeMap;

use serde::Serialize;

use super::bindings::exports::rematch::scoring::guest;
use crate::score::ScoreOutcome;
use crate::session::ScoreState;

/// Turns a reply into one outcome per session. `plugin` is the name for error texts.
///
/// The error says in words what makes the reply as a whole meaningless: a wrong count, an index out of range, texts
/// that are none.
pub(super) fn outcomes(
    scores: &guest::Scores,
    sessions: usize,
    metrics: &[String],
    plugin: &str,
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
            return ScoreOutcome::error(format!("plugin `{plugin}`: {message}"));
        }
        let session_values = values.iter().skip(session).step_by(sessions.max(1)).copied();
        let output = outputs.get(session).copied().unwrap_or_default();
        outcome(metrics, session_values, output)
            .unwrap_or_else(|reason| ScoreOutcome::error(format!("plugin `{plugin}`: {reason}")))
    };
    Ok((0..sessions).map(outcome).collect())
}

/// The text of an outcome of a component with several metrics.
#[derive(Serialize)]
struct FurtherMetrics<'a> {
    metrics: BTreeMap<&'a str, Option<f64>>,
    output: &'a str,
}

fn outcome(
    metrics: &[String],
    values: impl Iterator<Item = Option<f64>>,
    output: &str,
) -> Result<ScoreOutcome, String> {
    let named: Vec<(&str, Option<f64>)> = metrics.iter().map(String::as_str).zip(values).collect();
    for (metric, value) in &named {
        if let Some(value) = value
            && !value.is_finite()
        {
            return Err(format!(
                "returned {value} for metric `{metric}`, expected a finite number or its position in `undefined`"
            ));
        }
    }
    let mut named = named.into_iter();
    let score = named.next().and_then(|(_, value)| value);
    let further: BTreeMap<&str, Option<f64>> = named.collect();
    let output = if further.is_empty() {
        output.to_owned()
    } else {
        serde_json::to_string(&FurtherMetrics { metrics: further, output })
            .map_err(|error| format!("its metrics cannot be written as JSON: {error}"))?
    };
    let state = if score.is_some() { ScoreState::Complete } else { ScoreState::Unknown };
    Ok(ScoreOutcome { value: score, output, state })
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
