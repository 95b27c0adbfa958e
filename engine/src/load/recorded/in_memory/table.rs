//! Rankings in Parquet: one row per session with nested hits, or one row per hit.

use std::path::Path;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::SchemaRef;

use super::{Entry, HitOrder, RecordedFailure, Recording};
use crate::load::LoadError;
use crate::load::columnar;
use crate::load::native::{TableFormat, TableReader};
use crate::load::recorded::columns::{ITEM_NAMES, RANK, SESSION_NAMES};
use crate::schema::column;

/// Reads a table of either shape.
pub(super) fn read(path: &Path, recording: &mut Recording<'_>) -> Result<(), LoadError> {
    let wanted = [column::RETRIEVER_ID, column::HITS, column::ERROR_KIND, column::ERROR, column::SCORE, RANK];
    let wanted: Vec<&str> = wanted.iter().chain(SESSION_NAMES).chain(ITEM_NAMES).copied().collect();
    let mut reader = TableReader::open_columns(path, TableFormat::Parquet, Some(&wanted))?;
    let shape = Shape::of(path, reader.schema(), recording.order)?;
    let mut rows = 0;
    while let Some(batch) = reader.next_batch()? {
        match &shape {
            Shape::Nested => read_nested(&batch, rows, recording)?,
            Shape::Flat { session, item } => read_flat(&batch, session, item, rows, recording)?,
        }
        rows += batch.num_rows() as u64;
    }
    recording.check_one_retriever()
}

enum Shape {
    Nested,
    Flat { session: &'static str, item: &'static str },
}

impl Shape {
    fn of(path: &Path, schema: &SchemaRef, order: HitOrder) -> Result<Self, LoadError> {
        let has = |name: &str| schema.index_of(name).is_ok();
        if has(column::HITS) {
            columnar::index_of(path, schema, column::SESSION_ID)?;
            return Ok(Self::Nested);
        }
        let first = |names: &[&'static str]| names.iter().copied().find(|name| has(name));
        let scored = has(column::SCORE) && order != HitOrder::Rank;
        match (first(SESSION_NAMES), first(ITEM_NAMES)) {
            (Some(session), Some(item)) if scored || has(RANK) => Ok(Self::Flat { session, item }),
            _ => Err(LoadError::Format {
                path: path.to_owned(),
                reason: format!(
                    "not a table of rankings: expected `session_id` and `hits`, or one row per hit with `session_id`, \
                     `item_id` and `score` or `rank`; it has {}",
                    columnar::listed(schema.fields().iter().map(|field| field.name().as_str())),
                ),
            }),
        }
    }
}

fn read_nested(batch: &RecordBatch, rows_before: u64, recording: &mut Recording<'_>) -> Result<(), LoadError> {
    let path = recording.path;
    let session = required_text(path, batch, column::SESSION_ID)?;
    let retriever = optional_text(path, batch, column::RETRIEVER_ID)?;
    let error_kind = optional_text(path, batch, column::ERROR_KIND)?;
    let error = optional_text(path, batch, column::ERROR)?;
    let list = columnar::column(path, batch, column::HITS)?;
    let wrong_type = || columnar::type_error(path, column::HITS, list.data_type(), "a list of `item_id` and `score`");
    let lists =
        columnar::element_type(list.data_type()).map(|_| columnar::as_list(path, list)).ok_or_else(wrong_type)??;
    let elements = lists.values().as_struct_opt().ok_or_else(wrong_type)?;
    let item = text(path, column::ITEM_ID, elements.column_by_name(column::ITEM_ID).ok_or_else(wrong_type)?)?;
    let score = elements.column_by_name(column::SCORE).map(|array| numbers(path, column::SCORE, array)).transpose()?;

    for index in 0..batch.num_rows() {
        let row = rows_before + index as u64 + 1;
        if !retriever.as_ref().is_none_or(|ids| recording.wants(value(ids, index).unwrap_or_default())) {
            continue;
        }
        let session_id = required(recording, &session, index, column::SESSION_ID, row)?;
        if recording.check_one_retriever().is_err() {
            // The table is refused at its end, when all retrievers are known.
            continue;
        }
        if recording.entries.contains_key(session_id) || recording.failures.contains_key(session_id) {
            return Err(recording.row_error(row, format!("a second ranking of session `{session_id}`")));
        }
        if let Some(kind) = error_kind.as_ref().and_then(|kinds| value(kinds, index)) {
            let message = error.as_ref().and_then(|errors| value(errors, index)).unwrap_or_default().to_owned();
            recording.failures.insert(session_id.to_owned(), RecordedFailure { kind: kind.to_owned(), message });
            continue;
        }
        recording.entries.insert(session_id.to_owned(), Vec::new());
        for (rank, element) in (1..).zip(crate::rows::list_range(&lists, index)) {
            let item_id = required(recording, &item, element, column::ITEM_ID, row)?.to_owned();
            let score = score.as_ref().and_then(|scores| number(scores, element));
            recording.push(session_id, Entry { item_id, rank, score, row })?;
        }
    }
    Ok(())
}

fn read_flat(
    batch: &RecordBatch,
    session_name: &str,
    item_name: &str,
    rows_before: u64,
    recording: &mut Recording<'_>,
) -> Result<(), LoadError> {
    let path = recording.path;
    let session = required_text(path, batch, session_name)?;
    let item = required_text(path, batch, item_name)?;
    let retriever = optional_text(path, batch, column::RETRIEVER_ID)?;
    let score = batch.column_by_name(column::SCORE).map(|array| numbers(path, column::SCORE, array)).transpose()?;
    let rank = batch.column_by_name(RANK).map(|array| numbers(path, RANK, array)).transpose()?;
    for index in 0..batch.num_rows() {
        let row = rows_before + index as u64 + 1;
        if !retriever.as_ref().is_none_or(|ids| recording.wants(value(ids, index).unwrap_or_default())) {
            continue;
        }
        let session_id = required(recording, &session, index, session_name, row)?;
        let item_id = required(recording, &item, index, item_name, row)?.to_owned();
        let score = score.as_ref().and_then(|scores| number(scores, index));
        let rank = match rank.as_ref() {
            Some(ranks) => {
                let rank = number(ranks, index).filter(|rank| rank.is_finite());
                let missing = || recording.row_error(row, "no rank, expected a whole number".to_owned());
                #[expect(clippy::cast_possible_truncation, reason = "ranks are small whole numbers")]
                let rank = rank.ok_or_else(missing)? as i64;
                rank
            }
            None => 0,
        };
        recording.push(session_id, Entry { item_id, rank, score, row })?;
    }
    Ok(())
}

fn required_text(path: &Path, batch: &RecordBatch, name: &str) -> Result<StringArray, LoadError> {
    text(path, name, columnar::column(path, batch, name)?)
}

fn optional_text(path: &Path, batch: &RecordBatch, name: &str) -> Result<Option<StringArray>, LoadError> {
    batch.column_by_name(name).map(|array| text(path, name, array)).transpose()
}

fn text(path: &Path, name: &str, array: &ArrayRef) -> Result<StringArray, LoadError> {
    let found = array.data_type();
    if !columnar::is_text(found) && !found.is_integer() && !found.is_null() {
        return Err(columnar::type_error(path, name, found, "text or whole numbers"));
    }
    columnar::as_text(path, array)
}

fn numbers(path: &Path, name: &str, array: &ArrayRef) -> Result<Float64Array, LoadError> {
    let found = array.data_type();
    if !found.is_numeric() && !found.is_null() {
        return Err(columnar::type_error(path, name, found, "numbers"));
    }
    columnar::as_numbers(path, array)
}

fn value(texts: &StringArray, index: usize) -> Option<&str> {
    texts.is_valid(index).then(|| texts.value(index))
}

fn number(numbers: &Float64Array, index: usize) -> Option<f64> {
    numbers.is_valid(index).then(|| numbers.value(index))
}

fn required<'a>(
    recording: &Recording<'_>,
    texts: &'a StringArray,
    index: usize,
    name: &str,
    row: u64,
) -> Result<&'a str, LoadError> {
    value(texts, index).ok_or_else(|| recording.row_error(row, format!("`{name}` is null")))
}
