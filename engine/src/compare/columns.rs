//! Columns of a run's tables as arrays, by name and type.

use datafusion::arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryArray, ListArray, PrimitiveArray};
use datafusion::arrow::array::{RecordBatch, StringArray, StructArray};
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::error::ArrowError;

use crate::store::{RunDirectory, StoreError, layout};

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

/// Reads columns of the part of a work unit, which answers `rows` sessions.
pub(super) fn part(
    run: &RunDirectory,
    arm: usize,
    chunk: usize,
    columns: &[&str],
    rows: usize,
) -> Result<RecordBatch, StoreError> {
    let name = layout::part(arm, chunk);
    let table = run.table(&name)?;
    let damaged = |error: Damaged| StoreError::table(&run.path(&name), error);
    let batch = if table.groups() == 1 {
        table.group_columns(0, columns)?
    } else {
        let groups = (0..table.groups()).map(|group| table.group_columns(group, columns));
        let groups = groups.collect::<Result<Vec<_>, _>>()?;
        let first = groups.first().ok_or_else(|| damaged("it has no rows".into()))?;
        concat_batches(&first.schema(), &groups).map_err(|error| damaged(error.into()))?
    };
    if batch.num_rows() != rows {
        let reason = format!("it answers {} sessions, its chunk of the sample has {rows}", batch.num_rows());
        return Err(damaged(reason.into()));
    }
    Ok(batch)
}
