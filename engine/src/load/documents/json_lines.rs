//! Documents from one JSON object per line.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::super::LoadError;
use super::super::columnar::listed;
use super::super::files::Lines;
use super::{Columns, Document, Row};

/// A field must occur in one of this many documents, so that a misspelt name fails before a large corpus is read.
const DOCUMENTS_BEFORE_CHECK: u64 = 1000;

/// Which of the fields asked for have occurred, be it as null, over all files of the corpus.
pub(super) struct Occurred {
    missing: Vec<String>,
    /// Keys seen, to name them when a field is missing.
    keys: BTreeSet<String>,
    documents: u64,
}

impl Occurred {
    pub(super) fn new(fields: &[String]) -> Self {
        Self { missing: fields.to_vec(), keys: BTreeSet::new(), documents: 0 }
    }

    fn add(&mut self, object: &Map<String, Value>, path: &Path) -> Result<(), LoadError> {
        self.documents += 1;
        if self.missing.is_empty() {
            return Ok(());
        }
        self.missing.retain(|field| !object.contains_key(field));
        if self.documents <= DOCUMENTS_BEFORE_CHECK {
            self.keys.extend(object.keys().filter(|key| !self.keys.contains(*key)).cloned().collect::<Vec<_>>());
        }
        if self.documents == DOCUMENTS_BEFORE_CHECK { self.check(path) } else { Ok(()) }
    }

    /// Returns whether every field has occurred.
    pub(super) fn have_all(&self) -> bool {
        self.missing.is_empty()
    }

    /// Checks that every field has occurred.
    pub(super) fn check(&self, path: &Path) -> Result<(), LoadError> {
        match self.missing.first() {
            Some(field) if self.documents > 0 => Err(LoadError::MissingColumn {
                path: path.to_owned(),
                column: field.clone(),
                available: listed(self.keys.iter().map(String::as_str)),
            }),
            _ => Ok(()),
        }
    }
}

/// A file of JSON objects; blank lines are skipped.
pub(super) struct JsonLinesFile {
    path: PathBuf,
    lines: Lines,
}

impl JsonLinesFile {
    pub(super) fn open(path: &Path) -> Result<Self, LoadError> {
        Ok(Self { path: path.to_owned(), lines: Lines::open(path)? })
    }

    pub(super) fn next_row(&mut self, columns: &Columns, occurred: &mut Occurred) -> Result<Option<Row>, LoadError> {
        while let Some((number, line)) = self.lines.next_line()? {
            if line.trim().is_empty() {
                continue;
            }
            let error = |reason| LoadError::Row { path: self.path.clone(), row: number, reason };
            let object: Map<String, Value> = serde_json::from_str(line)
                .map_err(|source| error(format!("expected one JSON object per line: {source}")))?;
            let document = document(&object, columns).map_err(error)?;
            occurred.add(&object, &self.path)?;
            return Ok(Some(Row { number, document }));
        }
        Ok(None)
    }
}

fn document(object: &Map<String, Value>, columns: &Columns) -> Result<Document, String> {
    let id = match object.get(&columns.id) {
        Some(Value::String(id)) => id.clone(),
        Some(Value::Number(id)) if !id.is_f64() => id.to_string(),
        Some(other) => return Err(format!("id `{}` is {}, expected text or a whole number", columns.id, kind(other))),
        None => {
            let keys = listed(object.keys().map(String::as_str));
            return Err(format!("no id column `{}`; the row has {keys}", columns.id));
        }
    };
    let mut fields = Vec::with_capacity(columns.fields.len());
    for name in &columns.fields {
        let mut text = String::new();
        if let Some(value) = object.get(name) {
            write_text(value, &mut text).map_err(|reason| format!("field `{name}` {reason}"))?;
        }
        fields.push(text);
    }
    Ok(Document { id, fields })
}

fn write_text(value: &Value, text: &mut String) -> Result<(), String> {
    match value {
        Value::Array(elements) => {
            for element in elements {
                if element.is_array() {
                    return Err(format!("holds {} in a list, expected text", kind(element)));
                }
                if !text.is_empty() && !element.is_null() {
                    text.push(' ');
                }
                write_text(element, text)?;
            }
        }
        Value::Object(_) => return Err(format!("holds {}, expected text", kind(value))),
        Value::String(string) => text.push_str(string),
        Value::Number(number) => text.push_str(&number.to_string()),
        Value::Bool(truth) => text.push_str(if *truth { "true" } else { "false" }),
        Value::Null => {}
    }
    Ok(())
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a fraction",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
