//! Any table with the columns of a session, brought to exactly [`schema::SESSIONS`].

use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, ListArray, RecordBatch, RecordBatchOptions, StructArray, new_null_array,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, Float32Type, Float64Type, Schema, SchemaRef};

use crate::load::LoadError;
use crate::load::validity::number_fault;
use crate::schema::{self, column};

/// Returns the batch in exactly the schema [`schema::SESSIONS`]: columns matched by name, in order, cast where needed.
///
/// Missing columns are null, unknown ones are dropped. Cast are: the other string types and dictionaries to text, the
/// other list types to lists, integers and floats of other widths, times of other units and zones (without a zone: UTC),
/// structs with other or missing optional fields. Rows in errors are counted within the batch.
///
/// # Errors
///
/// Returns [`LoadError::MissingColumn`] when there is no `session_id`, or a nested column lacks a required field;
/// [`LoadError::ColumnType`] when a type is not compatible; [`LoadError::Format`] when two columns have the same name;
/// [`LoadError::Row`] when a value is null where the schema forbids it, cannot be cast, or is not a finite number.
pub fn normalise(batch: &RecordBatch, path: &Path) -> Result<RecordBatch, LoadError> {
    normalise_after(batch, path, 0)
}

/// Does as [`normalise`], counting rows on from those of earlier batches.
pub(in crate::load) fn normalise_after(
    batch: &RecordBatch,
    path: &Path,
    rows_before: u64,
) -> Result<RecordBatch, LoadError> {
    normalise_to(&schema::SESSIONS, batch, path, rows_before)
}

/// Does as [`normalise_after`] for a target that has some columns of the session schema, the `session_id` first.
pub(super) fn normalise_to(
    target: &SchemaRef,
    batch: &RecordBatch,
    path: &Path,
    rows_before: u64,
) -> Result<RecordBatch, LoadError> {
    let table = Table { path, rows_before };
    let mut columns = Vec::with_capacity(target.fields().len());
    for field in target.fields() {
        columns.push(match table.find(batch, field.name())? {
            Some(found) => table.required(found, field, field.name(), None)?,
            None if field.is_nullable() => new_null_array(field.data_type(), batch.num_rows()),
            None => return Err(table.missing(field.name(), names(batch.schema_ref().fields()))),
        });
    }
    table.refuse_empty_ids(&columns)?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(target), columns, &options)
        .map_err(|error| LoadError::Format { path: path.to_owned(), reason: error.to_string() })
}

/// Returns how many columns, and fields of nested columns, the session schema does not know.
pub(in crate::load) fn unknown_columns(schema: &Schema) -> u64 {
    unknown_fields(schema.fields(), schema::SESSIONS.fields())
}

fn unknown_fields(found: &Fields, known: &Fields) -> u64 {
    let mut count = 0;
    for field in found {
        match known.iter().find(|candidate| candidate.name() == field.name()) {
            None => count += 1,
            Some(candidate) => {
                if let (Some(inner), Some(known_inner)) = (element_fields(field), element_fields(candidate)) {
                    count += unknown_fields(inner, known_inner);
                }
            }
        }
    }
    count
}

fn element_fields(field: &Field) -> Option<&Fields> {
    match list_element(field.data_type())?.data_type() {
        DataType::Struct(fields) => Some(fields),
        _ => None,
    }
}

fn list_element(data_type: &DataType) -> Option<&FieldRef> {
    match data_type {
        DataType::List(element)
        | DataType::LargeList(element)
        | DataType::ListView(element)
        | DataType::LargeListView(element)
        | DataType::FixedSizeList(element, _) => Some(element),
        _ => None,
    }
}

fn names(fields: &Fields) -> String {
    let names: Vec<String> = fields.iter().map(|field| format!("`{}`", field.name())).collect();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

/// The file that a batch comes from, for its errors.
struct Table<'a> {
    path: &'a Path,
    rows_before: u64,
}

impl Table<'_> {
    fn find<'b>(&self, batch: &'b RecordBatch, name: &str) -> Result<Option<&'b ArrayRef>, LoadError> {
        let fields = batch.schema_ref().fields();
        if fields.iter().filter(|field| field.name() == name).count() > 1 {
            let reason = format!("two columns are named `{name}`, expected one");
            return Err(LoadError::Format { path: self.path.to_owned(), reason });
        }
        Ok(batch.column_by_name(name))
    }

    /// Casts a column or nested field, refusing nulls where the schema does.
    fn required(
        &self,
        array: &ArrayRef,
        field: &Field,
        name: &str,
        offsets: Option<&[i32]>,
    ) -> Result<ArrayRef, LoadError> {
        if !field.is_nullable() {
            // Before the cast: a column of nulls costs nothing, one of as many empty texts does.
            self.refuse_nulls(array, name, offsets)?;
        }
        let array = self.cast(array, field.data_type(), name, offsets)?;
        if !field.is_nullable() {
            self.refuse_nulls(&array, name, offsets)?;
        }
        Ok(array)
    }

    fn cast(
        &self,
        array: &ArrayRef,
        target: &DataType,
        name: &str,
        offsets: Option<&[i32]>,
    ) -> Result<ArrayRef, LoadError> {
        if array.data_type() == &DataType::Null {
            return Ok(new_null_array(target, array.len()));
        }
        match target {
            DataType::List(element) => self.cast_list(array, element, target, name),
            DataType::Struct(fields) => self.cast_struct(array, fields, target, name, offsets),
            _ => self.cast_leaf(array, target, name, offsets),
        }
    }

    fn cast_list(
        &self,
        array: &ArrayRef,
        element: &FieldRef,
        target: &DataType,
        name: &str,
    ) -> Result<ArrayRef, LoadError> {
        let found = list_element(array.data_type()).ok_or_else(|| self.wrong_type(name, array, target))?;
        let list = self.cast_whole(array, &DataType::List(found.clone()), name)?;
        let list = list.as_list_opt::<i32>().ok_or_else(|| self.wrong_type(name, array, target))?;
        // A sliced list shares the elements of its neighbours, which are not this batch's to judge.
        let (start, end) = match list.value_offsets() {
            [start, .., end] => (*start, *end),
            _ => (0, 0),
        };
        let length = usize::try_from(end - start).unwrap_or(0);
        let values = list.values().slice(usize::try_from(start).unwrap_or(0), length);
        let offsets: Vec<i32> = list.value_offsets().iter().map(|offset| offset - start).collect();
        let values = self.cast(&values, element.data_type(), name, Some(&offsets))?;
        if matches!(element.data_type(), DataType::Float32) {
            self.refuse_nulls(&values, name, Some(&offsets))?;
        }
        let offsets = OffsetBuffer::new(offsets.into());
        let list = ListArray::try_new(element.clone(), offsets, values, list.nulls().cloned());
        let list = list.map_err(|error| LoadError::Format { path: self.path.to_owned(), reason: error.to_string() })?;
        Ok(Arc::new(list))
    }

    fn cast_struct(
        &self,
        array: &ArrayRef,
        fields: &Fields,
        target: &DataType,
        name: &str,
        offsets: Option<&[i32]>,
    ) -> Result<ArrayRef, LoadError> {
        let found = array.as_struct_opt().ok_or_else(|| self.wrong_type(name, array, target))?;
        self.refuse_nulls(array, name, offsets)?;
        let mut columns = Vec::with_capacity(fields.len());
        for field in fields {
            let inner = format!("{name}.{}", field.name());
            columns.push(match found.column_by_name(field.name()) {
                Some(column) => self.required(column, field, &inner, offsets)?,
                None if field.is_nullable() => new_null_array(field.data_type(), array.len()),
                None => return Err(self.missing(&inner, names(found.fields()))),
            });
        }
        let array = StructArray::try_new(fields.clone(), columns, None);
        let array =
            array.map_err(|error| LoadError::Format { path: self.path.to_owned(), reason: error.to_string() })?;
        Ok(Arc::new(array))
    }

    fn cast_leaf(
        &self,
        array: &ArrayRef,
        target: &DataType,
        name: &str,
        offsets: Option<&[i32]>,
    ) -> Result<ArrayRef, LoadError> {
        let plain = match array.data_type() {
            DataType::Dictionary(_, value) => self.cast_whole(array, value, name)?,
            _ => array.clone(),
        };
        if !is_compatible(plain.data_type(), target) {
            return Err(self.wrong_type(name, array, target));
        }
        let cast = self.cast_whole(&plain, target, name)?;
        if let Some(index) = (0..cast.len()).find(|index| cast.is_null(*index) && plain.is_valid(*index)) {
            let expected = type_name(target);
            let reason = format!("`{name}` is out of range, expected {expected}");
            return Err(self.row(index, offsets, reason));
        }
        self.refuse_bad_numbers(&cast, name, offsets)?;
        Ok(cast)
    }

    fn cast_whole(&self, array: &ArrayRef, target: &DataType, name: &str) -> Result<ArrayRef, LoadError> {
        cast(array, target).map_err(|error| LoadError::Format {
            path: self.path.to_owned(),
            reason: format!("column `{name}` cannot be read as {}: {error}", type_name(target)),
        })
    }

    fn refuse_nulls(&self, array: &ArrayRef, name: &str, offsets: Option<&[i32]>) -> Result<(), LoadError> {
        if array.logical_null_count() == 0 {
            return Ok(());
        }
        if array.data_type() == &DataType::Null {
            return Err(self.row(0, offsets, format!("`{name}` is null, expected a value")));
        }
        match (0..array.len()).find(|index| array.is_null(*index)) {
            Some(index) => Err(self.row(index, offsets, format!("`{name}` is null, expected a value"))),
            None => Ok(()),
        }
    }

    fn refuse_bad_numbers(&self, array: &ArrayRef, name: &str, offsets: Option<&[i32]>) -> Result<(), LoadError> {
        let fault = if let Some(numbers) = array.as_primitive_opt::<Float64Type>() {
            first_fault(name, numbers.iter())
        } else if let Some(numbers) = array.as_primitive_opt::<Float32Type>() {
            first_fault(name, numbers.iter().map(|number| number.map(f64::from)))
        } else {
            None
        };
        fault.map_or(Ok(()), |(index, reason)| Err(self.row(index, offsets, reason)))
    }

    fn refuse_empty_ids(&self, columns: &[ArrayRef]) -> Result<(), LoadError> {
        let ids = columns.first().and_then(|array| array.as_string_opt::<i32>());
        match ids.and_then(|ids| ids.iter().position(|id| id.is_some_and(str::is_empty))) {
            Some(index) => Err(self.row(index, None, format!("`{}` is empty", column::SESSION_ID))),
            None => Ok(()),
        }
    }

    fn wrong_type(&self, name: &str, array: &ArrayRef, target: &DataType) -> LoadError {
        LoadError::ColumnType {
            path: self.path.to_owned(),
            column: name.to_owned(),
            found: type_name(array.data_type()),
            expected: type_name(target),
        }
    }

    fn missing(&self, name: &str, available: String) -> LoadError {
        LoadError::MissingColumn { path: self.path.to_owned(), column: name.to_owned(), available }
    }

    /// Returns an error at the row that holds the element of that index.
    fn row(&self, index: usize, offsets: Option<&[i32]>, reason: String) -> LoadError {
        let row = offsets.map_or(index, |offsets| {
            offsets.partition_point(|offset| usize::try_from(*offset).unwrap_or(0) <= index).saturating_sub(1)
        });
        LoadError::Row { path: self.path.to_owned(), row: self.rows_before + row as u64 + 1, reason }
    }
}

fn first_fault(name: &str, numbers: impl Iterator<Item = Option<f64>>) -> Option<(usize, String)> {
    numbers.enumerate().find_map(|(index, number)| Some((index, number_fault(name, number?)?)))
}

fn is_compatible(found: &DataType, target: &DataType) -> bool {
    match target {
        DataType::Utf8 => matches!(found, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View),
        DataType::Timestamp(..) => matches!(found, DataType::Timestamp(..)),
        DataType::Float32 | DataType::Float64 => found.is_numeric(),
        DataType::UInt32 => found.is_integer(),
        _ => found == target,
    }
}

/// A nested type is written as what it is, not with every field of every level.
fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Struct(fields) => format!("Struct({})", names(fields)),
        _ => match list_element(data_type) {
            Some(element) => format!("List({})", type_name(element.data_type())),
            None => data_type.to_string(),
        },
    }
}
