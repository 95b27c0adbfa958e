//! JSON lines as columns with types.

use std::path::Path;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{FieldRef, Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::json::ReaderBuilder;
use datafusion::arrow::json::reader::infer_json_schema_from_iterator;
use serde_json::{Map, Value};

use super::super::LoadError;
use super::super::files::Lines;

/// Rows that are read at once.
const BATCH_ROWS: usize = 8192;

/// Returns the columns of a file: the id, then the others by name, each with a type that all its values have; and how many
/// objects were read for that, at most `rows`.
pub(super) fn schema(path: &Path, id: &str, rows: Option<usize>) -> Result<(Schema, usize), LoadError> {
    let (mut failure, mut read) = (None, 0);
    let mut objects = Objects { path, lines: Lines::open(path)? }.take(rows.unwrap_or(usize::MAX));
    let values = std::iter::from_fn(|| match objects.next()? {
        Ok(object) => {
            read += 1;
            Some(Ok::<Value, ArrowError>(Value::Object(object)))
        }
        Err(error) => {
            failure = Some(error);
            None
        }
    });
    let schema = infer_json_schema_from_iterator(values);
    if let Some(failure) = failure {
        return Err(failure);
    }
    let schema = schema.map_err(|error| not_a_table(path, &error))?;
    if schema.fields().is_empty() {
        return Err(LoadError::Empty { path: path.to_owned(), what: "documents" });
    }
    let mut fields: Vec<FieldRef> = schema.fields().iter().cloned().collect();
    fields.sort_by(|left, right| (left.name() != id, left.name()).cmp(&(right.name() != id, right.name())));
    Ok((Schema::new(fields), read))
}

/// Hands over the rows of a file, batch by batch. Keys that `schema` does not have are passed over.
pub(super) fn read<E: From<LoadError>>(
    path: &Path,
    schema: &SchemaRef,
    take: &mut dyn FnMut(&RecordBatch) -> Result<(), E>,
) -> Result<(), E> {
    let error = |error: ArrowError| E::from(not_a_table(path, &error));
    let builder = ReaderBuilder::new(SchemaRef::clone(schema)).with_coerce_primitive(true).with_batch_size(BATCH_ROWS);
    let mut decoder = builder.build_decoder().map_err(error)?;
    let mut rows = 0;
    for object in (Objects { path, lines: Lines::open(path)? }) {
        decoder.serialize(&[object?]).map_err(error)?;
        rows += 1;
        if rows % BATCH_ROWS == 0
            && let Some(batch) = decoder.flush().map_err(error)?
        {
            take(&batch)?;
        }
    }
    match decoder.flush().map_err(error)? {
        Some(batch) => take(&batch),
        None => Ok(()),
    }
}

/// The error that a file of text does not make a table.
pub(super) fn not_a_table(path: &Path, error: &ArrowError) -> LoadError {
    LoadError::Format { path: path.to_owned(), reason: format!("not a table: {error}") }
}

/// The objects of a file, one per line; blank lines are skipped.
struct Objects<'a> {
    path: &'a Path,
    lines: Lines,
}

impl Iterator for Objects<'_> {
    type Item = Result<Map<String, Value>, LoadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (row, line) = match self.lines.next_line() {
                Ok(line) => line?,
                Err(error) => return Some(Err(error)),
            };
            if line.trim().is_empty() {
                continue;
            }
            let object = serde_json::from_str(line).map_err(|source| LoadError::Row {
                path: self.path.to_owned(),
                row,
                reason: format!("expected one JSON object per line: {source}"),
            });
            return Some(object);
        }
    }
}
