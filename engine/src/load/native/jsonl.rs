//! JSONL: one session per line, gzip allowed.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::load::LoadError;
use crate::load::dirt::{Dirt, DirtKind};
use crate::load::files::Lines;
use crate::load::instant::parse_exact_instant;
use crate::load::validity::session_fault;
use crate::schema::column;
use crate::session::Session;

/// The sessions of one JSONL file.
pub(in crate::load) struct JsonlSessions {
    path: PathBuf,
    lines: Lines,
    row: u64,
}

impl JsonlSessions {
    /// Opens the file.
    ///
    /// # Errors
    ///
    /// Returns [`LoadError::Io`] when the file cannot be opened.
    pub(in crate::load) fn open(path: &Path) -> Result<Self, LoadError> {
        Ok(Self { path: path.to_owned(), lines: Lines::open(path)?, row: 0 })
    }

    /// Returns the 1-based line of the session returned last.
    pub(in crate::load) fn row(&self) -> u64 {
        self.row
    }

    /// Returns the next session, or `None` at the end.
    ///
    /// # Errors
    ///
    /// Returns [`LoadError::Io`] when reading fails and [`LoadError::Row`] for a line that is not a session.
    pub(in crate::load) fn next_session(&mut self, dirt: &mut Dirt) -> Result<Option<Session>, LoadError> {
        while let Some((row, line)) = self.lines.next_line()? {
            self.row = row;
            if line.trim().is_empty() {
                dirt.add(DirtKind::BlankLine);
                continue;
            }
            let session = parse_session(line)
                .and_then(|session| session_fault(&session).map_or(Ok(session), Err))
                .map_err(|reason| LoadError::Row { path: self.path.clone(), row, reason })?;
            return Ok(Some(session));
        }
        Ok(None)
    }
}

/// Times may be written as text, which the plain data does not know; only a line that needs it takes the longer way.
fn parse_session(line: &str) -> Result<Session, String> {
    let first_error = match serde_json::from_str(line) {
        Ok(session) => return Ok(session),
        Err(error) => error,
    };
    let Ok(mut value) = serde_json::from_str::<Value>(line) else {
        return Err(format!("not a session as JSON: {first_error}"));
    };
    if value.is_array() {
        return Err("a JSON array, expected one JSON object per line".into());
    }
    let mut replaced = replace_instant(&mut value)?;
    for act in value.get_mut(column::INTERACTIONS).and_then(Value::as_array_mut).into_iter().flatten() {
        replaced |= replace_instant(act)?;
    }
    if !replaced {
        return Err(format!("not a session: {first_error}"));
    }
    serde_json::from_value(value).map_err(|error| format!("not a session: {error}"))
}

fn replace_instant(value: &mut Value) -> Result<bool, String> {
    let Some(timestamp) = value.get_mut(column::TIMESTAMP) else { return Ok(false) };
    let Some(text) = timestamp.as_str() else { return Ok(false) };
    let milliseconds = parse_exact_instant(text).ok_or_else(|| {
        format!("time `{text}` cannot be read, expected RFC 3339 text such as `2026-01-01T00:00:00Z` or milliseconds")
    })?;
    *timestamp = Value::from(milliseconds);
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_milliseconds_or_text() {
        let line = r#"{"session_id":"a","timestamp":"2026-01-01T01:00:00+01:00",
            "interactions":[{"item_id":"x","kind":"click","timestamp":"1767225600001"}]}"#;
        let session = parse_session(line).expect("a session");
        assert_eq!(session.timestamp, Some(1_767_225_600_000));
        assert_eq!(session.interactions[0].timestamp, Some(1_767_225_600_001));
        assert_eq!(parse_session(r#"{"session_id":"a","timestamp":5}"#).expect("a session").timestamp, Some(5));
    }

    #[test]
    fn what_is_not_a_session_is_said() {
        let reason = |line| parse_session(line).expect_err("an error");
        assert!(reason(r#"{"session_id":"a","timestamp":"2026-01-01T00:00:00"}"#).contains("RFC 3339"));
        assert!(reason(r#"{"session_id":"a","interaction":[]}"#).contains("unknown field `interaction`"));
        assert!(reason(r#"[{"session_id":"a"}]"#).contains("one JSON object per line"));
        assert!(reason(r#"{"query":"a"}"#).contains("session_id"));
        assert!(reason(r#"{"session_id":"a""#).contains("EOF"));
        assert!(reason("{\"session_id\":\"a\0\"}").contains("control character"));
        assert!(reason(r#"{"session_id":7}"#).contains("expected a string"));
    }
}
