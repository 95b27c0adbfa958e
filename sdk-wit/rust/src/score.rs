//! What sessions get.

use crate::bindings::exports::rematch::scoring::guest;
use crate::{Metric, Texts};

/// What one session gets: a value or none, sub-scores, and a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    value: Option<f64>,
    parts: Vec<(&'static str, Option<f64>)>,
    output: String,
}

impl Score {
    /// Returns a score with this value, or without one for `None`.
    #[must_use]
    pub fn new(value: impl Into<Option<f64>>) -> Self {
        Self { value: value.into(), parts: Vec::new(), output: String::new() }
    }

    /// Returns the score of a session in which there is nothing to measure. Neither 0 nor NaN says this.
    #[must_use]
    pub fn undefined() -> Self {
        Self::new(None)
    }

    /// Adds a sub-score, by the name that the description declares. One that is not given is undefined.
    #[must_use]
    pub fn part(mut self, name: &'static str, value: impl Into<Option<f64>>) -> Self {
        self.parts.push((name, value.into()));
        self
    }

    /// Sets the text that the report shows with the score.
    #[must_use]
    pub fn output(mut self, text: impl Into<String>) -> Self {
        self.output = text.into();
        self
    }
}

/// What a batch gets: metric by metric, one value per session. Every value is 0 until it is set.
#[derive(Debug)]
pub struct Scores {
    sessions: usize,
    names: Vec<String>,
    values: Vec<f64>,
    undefined: Vec<u32>,
    errors: Vec<guest::SessionError>,
    outputs: Vec<String>,
}

impl Scores {
    pub(crate) fn new(metrics: &[Metric], sessions: usize) -> Self {
        Self {
            sessions,
            names: metrics.iter().map(|metric| metric.name.clone()).collect(),
            values: vec![0.0; metrics.len() * sessions],
            undefined: Vec::new(),
            errors: Vec::new(),
            outputs: Vec::new(),
        }
    }

    /// Sets what one session gets: every metric, the text, or the error.
    ///
    /// # Errors
    ///
    /// Returns an error where the score has a sub-score that the description does not declare.
    pub fn set(&mut self, session: usize, score: Result<Score, String>) -> Result<(), String> {
        let score = match score {
            Ok(score) => score,
            Err(message) => {
                self.set_error(session, message);
                return Ok(());
            }
        };
        let parts = self.names.get(1..).unwrap_or_default();
        if let Some((name, _)) = score.parts.iter().find(|(name, _)| !parts.iter().any(|declared| declared == name)) {
            return Err(format!("the sub-score `{name}` is not declared by the description"));
        }
        for metric in 0..self.names.len() {
            let value = match metric {
                0 => score.value,
                _ => score.parts.iter().find(|(name, _)| self.names[metric] == *name).and_then(|(_, value)| *value),
            };
            self.set_value(metric, session, value);
        }
        if !score.output.is_empty() {
            self.set_output(session, score.output);
        }
        Ok(())
    }

    /// Sets the value of a metric, by its index in the description, or says that it is undefined. To be called once for
    /// each value.
    ///
    /// # Panics
    ///
    /// Panics where there is no such metric or session.
    #[inline]
    pub fn set_value(&mut self, metric: usize, session: usize, value: Option<f64>) {
        assert!(session < self.sessions, "the batch has {} sessions, and no session {session}", self.sessions);
        let at = metric * self.sessions + session;
        match value {
            Some(value) => self.values[at] = value,
            None => self.undefined.push(u32::try_from(at).unwrap_or(u32::MAX)),
        }
    }

    /// Returns the values of a metric, by its index in the description, for whoever writes all of them.
    ///
    /// # Panics
    ///
    /// Panics where there is no such metric.
    pub fn column(&mut self, metric: usize) -> &mut [f64] {
        &mut self.values[metric * self.sessions..(metric + 1) * self.sessions]
    }

    /// Says why a session cannot be scored though it should.
    pub fn set_error(&mut self, session: usize, message: String) {
        self.errors.push(guest::SessionError { index: u32::try_from(session).unwrap_or(u32::MAX), message });
    }

    /// Sets the text that the report shows with a session's score.
    ///
    /// # Panics
    ///
    /// Panics where there is no such session.
    pub fn set_output(&mut self, session: usize, text: String) {
        self.outputs.resize(self.sessions, String::new());
        self.outputs[session] = text;
    }

    /// Returns the columns that the host takes.
    pub(crate) fn into_columns(self) -> guest::Scores {
        let mut outputs = Texts { offsets: Vec::new(), bytes: Vec::new() };
        if !self.outputs.is_empty() {
            outputs.offsets.push(0);
        }
        for text in &self.outputs {
            outputs.bytes.extend_from_slice(text.as_bytes());
            outputs.offsets.push(u32::try_from(outputs.bytes.len()).unwrap_or(u32::MAX));
        }
        guest::Scores { values: self.values, undefined: self.undefined, errors: self.errors, outputs }
    }
}
