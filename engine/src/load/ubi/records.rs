//! The rows of a UBI file as JSON values, whatever the file is, and access to their fields by dotted name.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::json::LineDelimitedWriter;
use serde_json::Value;

use crate::load::LoadError;
use crate::load::dirt::{Dirt, DirtKind};
use crate::load::files::Lines;
use crate::load::instant::{InstantShape, parse_instant};
use crate::load::native::{TableReader, table_format, without_panic};

/// The rows of one file with their 1-based line or row numbers.
pub(in crate::load) struct Records {
    path: PathBuf,
    source: Source,
}

enum Source {
    Lines(Lines),
    Table { reader: TableReader, rows: VecDeque<Value>, row: u64 },
}

impl Records {
    /// Opens the file: Parquet or Arrow by its first bytes, NDJSON otherwise.
    ///
    /// # Errors
    ///
    /// Returns [`LoadError::Io`] when the file cannot be opened and [`LoadError::Damaged`] for a damaged table.
    pub(in crate::load) fn open(path: &Path) -> Result<Self, LoadError> {
        let source = match table_format(path)? {
            Some(format) => Source::Table { reader: TableReader::open(path, format)?, rows: VecDeque::new(), row: 0 },
            None => Source::Lines(Lines::open(path)?),
        };
        Ok(Self { path: path.to_owned(), source })
    }

    /// Returns the next row, or `None` at the end.
    ///
    /// # Errors
    ///
    /// Returns [`LoadError::Io`] when reading fails, [`LoadError::Damaged`] for a damaged table and [`LoadError::Row`] for
    /// a line that is no JSON object.
    pub(in crate::load) fn next_record(&mut self, dirt: &mut Dirt) -> Result<Option<(u64, Value)>, LoadError> {
        match &mut self.source {
            Source::Lines(lines) => next_line(&self.path, lines, dirt),
            Source::Table { reader, rows, row } => loop {
                if let Some(value) = rows.pop_front() {
                    *row += 1;
                    return Ok(Some((*row, value)));
                }
                let Some(batch) = reader.next_batch()? else { return Ok(None) };
                // Some values cannot be written as text: a decimal with more digits than its type has, say.
                *rows = without_panic(|| json_rows(&batch)).map_err(|source| LoadError::Damaged {
                    path: self.path.clone(),
                    format: "UBI",
                    source,
                })?;
            },
        }
    }
}

fn next_line(path: &Path, lines: &mut Lines, dirt: &mut Dirt) -> Result<Option<(u64, Value)>, LoadError> {
    while let Some((row, line)) = lines.next_line()? {
        if line.trim().is_empty() {
            dirt.add(DirtKind::BlankLine);
            continue;
        }
        let error = |reason| LoadError::Row { path: path.to_owned(), row, reason };
        let mut value: Value = serde_json::from_str(line).map_err(|error_| error(format!("not JSON: {error_}")))?;
        let Some(object) = value.as_object_mut() else {
            return Err(error(format!("{}, expected one JSON object per line", json_kind(&value))));
        };
        let is_action = |name: &str, value: &Value| matches!(name, "index" | "create") && value.is_object();
        if object.len() == 1 && object.iter().all(|(name, value)| is_action(name, value)) {
            dirt.add(DirtKind::BulkActionLine);
            continue;
        }
        if let Some(source) = object.get_mut("_source").filter(|source| source.is_object()) {
            value = source.take();
        }
        return Ok(Some((row, value)));
    }
    Ok(None)
}

fn json_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a JSON array",
        Value::Object(_) => "an object",
    }
}

fn json_rows(batch: &RecordBatch) -> Result<VecDeque<Value>, Box<dyn std::error::Error + Send + Sync>> {
    let mut writer = LineDelimitedWriter::new(Vec::new());
    writer.write(batch)?;
    writer.finish()?;
    let text = writer.into_inner();
    let rows = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    rows.map(|line| Ok(serde_json::from_slice(line)?)).collect()
}

/// Returns the field of that dotted name, nested (`{"a": {"b": 1}}`) or flat (`{"a.b": 1}`); `None` where it is null.
pub(in crate::load) fn look<'a>(record: &'a Value, name: &str) -> Option<&'a Value> {
    let object = record.as_object()?;
    if let Some(value) = object.get(name) {
        return (!value.is_null()).then_some(value);
    }
    name.match_indices('.').find_map(|(dot, _)| look(object.get(&name[..dot])?, &name[dot + 1..]))
}

/// Returns a field as text: a string that is not empty, or a number in digits.
pub(in crate::load) fn plain_text(record: &Value, name: &str) -> Option<String> {
    match look(record, name)? {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Returns a field as a time with its shape; `Err` where it is there and cannot be read.
pub(in crate::load) fn ubi_instant(record: &Value, name: &str) -> Result<Option<(i64, InstantShape)>, ()> {
    match plain_text(record, name) {
        Some(text) => parse_instant(&text).map(Some).ok_or(()),
        None => Ok(None),
    }
}

/// Returns the `timestamp` in milliseconds, counting what is dirty about it.
pub(super) fn timestamp(record: &Value, dirt: &mut Dirt) -> Option<i64> {
    match ubi_instant(record, "timestamp") {
        Ok(Some((milliseconds, shape))) => {
            if shape == InstantShape::NoZone {
                dirt.add(DirtKind::TimestampWithoutZone);
            }
            Some(milliseconds)
        }
        Ok(None) => None,
        Err(()) => {
            dirt.add(DirtKind::UnparsableTimestamp);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_found_nested_flat_and_half_flat() {
        for record in [
            json!({"event_attributes": {"object": {"object_id": "x"}}}),
            json!({"event_attributes.object.object_id": "x"}),
            json!({"event_attributes": {"object.object_id": "x"}}),
            json!({"event_attributes.object": {"object_id": "x"}}),
        ] {
            assert_eq!(plain_text(&record, "event_attributes.object.object_id").as_deref(), Some("x"), "{record}");
        }
        assert_eq!(look(&json!({"a": null}), "a"), None);
        assert_eq!(look(&json!({"a": 1}), "a.b"), None);
        assert_eq!(plain_text(&json!({"id": 17}), "id").as_deref(), Some("17"));
        assert_eq!(plain_text(&json!({"id": " "}), "id"), None);
    }
}
