//! Columns of foreign Parquet files: whatever type text, numbers and lists have there, read as one.

use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float64Array, ListArray, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Float64Type, Schema};
use datafusion::arrow::error::ArrowError;

use super::{LoadError, without_panic};

/// Names in an error text beyond this number are counted, not listed.
const MAX_LISTED: usize = 40;

/// Returns the place of a column that must be there.
pub(super) fn index_of(path: &Path, schema: &Schema, name: &str) -> Result<usize, LoadError> {
    schema.index_of(name).map_err(|_| LoadError::MissingColumn {
        path: path.to_owned(),
        column: name.to_owned(),
        available: listed(schema.fields().iter().map(|field| field.name().as_str())),
    })
}

/// Returns a column that must be there.
pub(super) fn column<'a>(path: &Path, batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, LoadError> {
    index_of(path, &batch.schema(), name).map(|index| batch.column(index))
}

/// Returns the error of a column of the wrong type.
pub(super) fn type_error(path: &Path, column: &str, found: &DataType, expected: &str) -> LoadError {
    let (path, column) = (path.to_owned(), column.to_owned());
    LoadError::ColumnType { path, column, found: found.to_string(), expected: expected.to_owned() }
}

/// Returns whether the type is one of Arrow's text types, or a dictionary of one.
pub(super) fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, value) => is_text(value),
        _ => false,
    }
}

/// Returns the type of a list's elements, or `None` where the type is no list.
pub(super) fn element_type(data_type: &DataType) -> Option<&DataType> {
    match data_type {
        DataType::List(element) | DataType::LargeList(element) | DataType::FixedSizeList(element, _) => {
            Some(element.data_type())
        }
        _ => None,
    }
}

/// Returns the values as text.
pub(super) fn as_text(path: &Path, array: &dyn Array) -> Result<StringArray, LoadError> {
    let array = cast_to(path, array, &DataType::Utf8)?;
    array.as_string_opt::<i32>().cloned().ok_or_else(|| not_cast(path))
}

/// Returns the values as 64-bit floats.
pub(super) fn as_numbers(path: &Path, array: &dyn Array) -> Result<Float64Array, LoadError> {
    let array = cast_to(path, array, &DataType::Float64)?;
    array.as_primitive_opt::<Float64Type>().cloned().ok_or_else(|| not_cast(path))
}

/// Returns a list column of any list type with 32-bit offsets, its elements unchanged.
pub(super) fn as_list(path: &Path, array: &dyn Array) -> Result<ListArray, LoadError> {
    let element = element_type(array.data_type()).ok_or_else(|| not_cast(path))?;
    let list = DataType::List(Arc::new(Field::new("item", element.clone(), true)));
    let array = cast_to(path, array, &list)?;
    array.as_list_opt::<i32>().cloned().ok_or_else(|| not_cast(path))
}

/// Casts; a value that no cast can handle (a decimal with more digits than its type has, say) is an error, never a panic.
fn cast_to(path: &Path, array: &dyn Array, target: &DataType) -> Result<ArrayRef, LoadError> {
    without_panic(|| Ok(cast(array, target)?)).map_err(|error| damaged(path, error))
}

/// Returns names for an error text, in backticks; a long list is cut.
pub(super) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    match names.get(..MAX_LISTED) {
        Some(first) if names.len() > MAX_LISTED => {
            format!("{} and {} more", first.join(", "), names.len() - MAX_LISTED)
        }
        _ => names.join(", "),
    }
}

/// Returns the error of a file that its decoder refuses.
pub(super) fn damaged(path: &Path, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> LoadError {
    LoadError::Damaged { path: path.to_owned(), format: "Parquet", source: source.into() }
}

fn not_cast(path: &Path) -> LoadError {
    damaged(path, ArrowError::CastError("a cast gave another type".into()))
}
