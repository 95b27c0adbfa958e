//! Typed access to the columns of a batch, and to the elements of its list columns.

use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatch, StringBuilder, StructArray};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::datatypes::{ArrowPrimitiveType, DataType, Field, Fields};
use datafusion::arrow::error::ArrowError;

fn mismatch(name: &str, found: &DataType) -> ArrowError {
    ArrowError::SchemaError(format!("column `{name}` has unexpected type {found}"))
}

/// Returns the column of that name.
pub(super) fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, ArrowError> {
    batch.column_by_name(name).ok_or_else(|| ArrowError::SchemaError(format!("no column `{name}`")))
}

/// Returns the field of that name of a struct column.
pub(super) fn field<'a>(array: &'a StructArray, name: &str) -> Result<&'a ArrayRef, ArrowError> {
    array.column_by_name(name).ok_or_else(|| ArrowError::SchemaError(format!("no field `{name}`")))
}

/// A text column.
pub(super) struct Text<'a>(&'a datafusion::arrow::array::StringArray);

impl<'a> Text<'a> {
    pub(super) fn of(array: &'a ArrayRef, name: &str) -> Result<Self, ArrowError> {
        array.as_string_opt::<i32>().map(Self).ok_or_else(|| mismatch(name, array.data_type()))
    }

    pub(super) fn array(&self) -> &'a datafusion::arrow::array::StringArray {
        self.0
    }

    pub(super) fn get(&self, row: usize) -> Option<String> {
        self.0.is_valid(row).then(|| self.0.value(row).to_owned())
    }

    pub(super) fn required(&self, row: usize, name: &str) -> Result<String, ArrowError> {
        self.get(row)
            .ok_or_else(|| ArrowError::InvalidArgumentError(format!("column `{name}` is null in row {}", row + 1)))
    }
}

/// A column of numbers.
pub(super) struct Numbers<'a, T: ArrowPrimitiveType>(&'a datafusion::arrow::array::PrimitiveArray<T>);

impl<'a, T: ArrowPrimitiveType> Numbers<'a, T> {
    pub(super) fn of(array: &'a ArrayRef, name: &str) -> Result<Self, ArrowError> {
        array.as_primitive_opt::<T>().map(Self).ok_or_else(|| mismatch(name, array.data_type()))
    }

    pub(super) fn get(&self, row: usize) -> Option<T::Native> {
        self.0.is_valid(row).then(|| self.0.value(row))
    }
}

/// A list column: the elements of all rows in one array, and each row's range in it.
pub(super) struct Lists<'a> {
    list: &'a ListArray,
}

impl<'a> Lists<'a> {
    pub(super) fn of(array: &'a ArrayRef, name: &str) -> Result<Self, ArrowError> {
        array.as_list_opt::<i32>().map(|list| Self { list }).ok_or_else(|| mismatch(name, array.data_type()))
    }

    /// Returns the elements of all rows.
    pub(super) fn elements(&self) -> &'a ArrayRef {
        self.list.values()
    }

    /// Returns the elements of all rows as structs.
    pub(super) fn structs(&self, name: &str) -> Result<&'a StructArray, ArrowError> {
        self.elements().as_struct_opt().ok_or_else(|| mismatch(name, self.elements().data_type()))
    }

    /// Returns the range of one row's elements; empty for a null row.
    pub(super) fn range(&self, row: usize) -> Range<usize> {
        list_range(self.list, row)
    }

    /// Returns whether the row is null.
    pub(super) fn is_null(&self, row: usize) -> bool {
        self.list.is_null(row)
    }
}

/// Returns the range of a row's elements among those of all rows; empty for a null row.
pub(crate) fn list_range(list: &ListArray, row: usize) -> Range<usize> {
    let offset = |place: usize| list.value_offsets().get(place).and_then(|offset| usize::try_from(*offset).ok());
    if list.is_null(row) { 0..0 } else { offset(row).unwrap_or(0)..offset(row + 1).unwrap_or(0) }
}

/// Returns a column of text without nulls. Nested values come from iterators without a length, which `from_iter_values` would refuse.
pub(super) fn required_texts<'a>(values: impl Iterator<Item = &'a str> + Clone) -> ArrayRef {
    let (count, bytes) = values.clone().fold((0, 0), |(count, bytes), value| (count + 1, bytes + value.len()));
    let mut texts = StringBuilder::with_capacity(count, bytes);
    values.for_each(|value| texts.append_value(value));
    Arc::new(texts.finish())
}

/// Returns a list column of structs from its elements' columns and each row's length.
pub(super) fn list_of_structs(
    fields: Fields,
    columns: Vec<ArrayRef>,
    lengths: impl Iterator<Item = usize>,
) -> Result<ArrayRef, ArrowError> {
    let elements = StructArray::try_new(fields, columns, None)?;
    list_of(Arc::new(elements), lengths, None)
}

/// Returns a list column from its elements and each row's length.
pub(super) fn list_of(
    elements: ArrayRef,
    lengths: impl Iterator<Item = usize>,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef, ArrowError> {
    let item = Arc::new(Field::new("item", elements.data_type().clone(), true));
    let list = ListArray::try_new(item, OffsetBuffer::from_lengths(lengths), elements, nulls)?;
    Ok(Arc::new(list))
}
