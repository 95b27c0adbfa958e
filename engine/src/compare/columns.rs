//! Columns of a run's tables as arrays, by name and type.

use datafusion::arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryArray, ListArray, PrimitiveArray};
use datafusion::arrow::array::{RecordBatch, StringArray, StructArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::error::ArrowError;

/// A table that does not have the columns that its schema promises.
pub(super) type Damaged = Box<dyn std::error::Error + Send + Sync>;

pub(super) fn mismatch(name: &str, found: &DataType) -> Damaged {
    ArrowError::SchemaError(format!("column `{name}` has unexpected type {found}")).into()
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, Damaged> {
    batch.column_by_name(name).ok_or_else(|| ArrowError::SchemaError(format!("no column `{name}`")).into())
}

pub(super) fn field<'a>(array: &'a StructArray, name: &str) -> Result<&'a ArrayRef, Damaged> {
    array.column_by_name(name).ok_or_else(|| ArrowError::SchemaError(format!("no field `{name}`")).into())
}

pub(super) fn texts<'a>(array: &'a ArrayRef, name: &str) -> Result<&'a StringArray, Damaged> {
    array.as_string_opt::<i32>().ok_or_else(|| mismatch(name, array.data_type()))
}

pub(super) fn text_column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a StringArray, Damaged> {
    texts(column(batch, name)?, name)
}

pub(super) fn list<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ListArray, Damaged> {
    let array = column(batch, name)?;
    array.as_list_opt::<i32>().ok_or_else(|| mismatch(name, array.data_type()))
}

pub(super) fn binaries(batch: &RecordBatch, name: &str) -> Result<BinaryArray, Damaged> {
    let array = column(batch, name)?;
    array.as_binary_opt::<i32>().cloned().ok_or_else(|| mismatch(name, array.data_type()))
}

pub(super) fn numbers<T: ArrowPrimitiveType>(batch: &RecordBatch, name: &str) -> Result<PrimitiveArray<T>, Damaged> {
    as_numbers(column(batch, name)?, name).cloned()
}

pub(super) fn as_numbers<'a, T: ArrowPrimitiveType>(
    array: &'a ArrayRef,
    name: &str,
) -> Result<&'a PrimitiveArray<T>, Damaged> {
    array.as_primitive_opt::<T>().ok_or_else(|| mismatch(name, array.data_type()))
}
