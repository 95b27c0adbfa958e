//! Which columns of a table of rankings mean what?

use std::path::Path;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type, Schema};

use super::RecordedSettings;
use crate::load::LoadError;
use crate::load::columnar;
use crate::schema::column;

/// Names of the session's column, the first that exists counts.
pub(super) const SESSION_NAMES: &[&str] = &[column::SESSION_ID, "query_id", "q_id", "qid"];
/// Names of the item's column or field.
pub(super) const ITEM_NAMES: &[&str] = &[column::ITEM_ID, "doc_id", "docno", "pid"];
pub(super) const RANK: &str = "rank";
/// The 1-based row of the file that a sorted copy was made of.
pub(super) const ORIGINAL_ROW: &str = "original_row";

/// The columns of a table of rankings.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    pub session: String,
    pub shape: Shape,
    /// The retriever whose rows count, where the table tells retrievers.
    pub retriever: Option<String>,
    /// Whether the table has retriever ids.
    pub has_retriever: bool,
    /// Whether the table is a sorted copy that says which row each of its rows was.
    pub has_original_row: bool,
}

/// How hits stand in a table.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    /// One row per hit.
    Flat { item: String },
    /// One row per session, with a list of hits.
    Nested { hits: String },
}

impl Columns {
    /// Returns the columns of a file.
    pub(super) fn of(path: &Path, schema: &Schema, settings: &RecordedSettings) -> Result<Self, LoadError> {
        let has = |name: &str| schema.index_of(name).is_ok();
        let available = || columnar::listed(schema.fields().iter().map(|field| field.name().as_str()));
        for name in [&settings.session_column, &settings.hits_column].into_iter().flatten() {
            if !has(name) {
                let (path, column) = (path.to_owned(), name.clone());
                return Err(LoadError::MissingColumn { path, column, available: available() });
            }
        }
        let first = |names: &[&str]| names.iter().find(|name| has(name)).map(|name| (*name).to_owned());
        let session = settings.session_column.clone().or_else(|| first(SESSION_NAMES));
        let hits = settings.hits_column.clone().or_else(|| has(column::HITS).then(|| column::HITS.to_owned()));
        let (session, shape) = match (session, hits, first(ITEM_NAMES)) {
            (Some(session), Some(hits), _) => (session, Shape::Nested { hits }),
            (None, Some(_), _) => {
                let (path, column) = (path.to_owned(), column::SESSION_ID.to_owned());
                return Err(LoadError::MissingColumn { path, column, available: available() });
            }
            (Some(session), None, Some(item)) if has(column::SCORE) || has(RANK) => (session, Shape::Flat { item }),
            _ => {
                let reason = format!(
                    "not a table of rankings: expected `session_id` and `hits`, or one row per hit with `session_id`, \
                     `item_id` and `score` or `rank`; it has {}",
                    available(),
                );
                return Err(LoadError::Format { path: path.to_owned(), reason });
            }
        };
        let has_retriever = has(column::RETRIEVER_ID);
        let retriever = settings.retriever_id.clone().filter(|_| has_retriever);
        Ok(Self { session, shape, retriever, has_retriever, has_original_row: false })
    }

    /// Returns whether a row of the table is a whole ranking.
    pub(super) fn is_nested(&self) -> bool {
        matches!(self.shape, Shape::Nested { .. })
    }

    /// Returns the name of the item's column or field, for messages.
    pub(super) fn item_name(&self) -> &str {
        match &self.shape {
            Shape::Flat { item } => item,
            Shape::Nested { .. } => column::ITEM_ID,
        }
    }

    /// Returns the places of the columns that the session ids are told by.
    pub(super) fn for_scanning(&self, schema: &Schema) -> Vec<usize> {
        let retriever = self.has_retriever.then_some(column::RETRIEVER_ID);
        [self.session.as_str()].into_iter().chain(retriever).filter_map(|name| schema.index_of(name).ok()).collect()
    }

    /// Returns the places of the columns that rankings are read from.
    pub(super) fn for_reading(&self, schema: &Schema) -> Vec<usize> {
        let mut names = vec![self.session.as_str()];
        names.extend(self.retriever.is_some().then_some(column::RETRIEVER_ID));
        names.extend(self.has_original_row.then_some(ORIGINAL_ROW));
        match &self.shape {
            Shape::Flat { item } => names.extend([item, column::SCORE, RANK]),
            Shape::Nested { hits } => {
                names.extend([hits, column::ERROR_KIND, column::ERROR, column::LATENCY_NS]);
            }
        }
        names.into_iter().filter_map(|name| schema.index_of(name).ok()).collect()
    }
}

/// Returns a field of a struct that holds items.
pub(super) fn item_field<'a>(field: impl Fn(&str) -> Option<&'a ArrayRef>) -> Option<&'a ArrayRef> {
    ITEM_NAMES.iter().find_map(|name| field(name))
}

/// Returns a column of text or whole numbers, as text.
pub(super) fn text(path: &Path, name: &str, array: &ArrayRef) -> Result<StringArray, LoadError> {
    let found = array.data_type();
    if !columnar::is_text(found) && !found.is_integer() && !found.is_null() {
        return Err(columnar::type_error(path, name, found, "text or whole numbers"));
    }
    columnar::as_text(path, array)
}

/// Returns a column of text or whole numbers that must be there.
pub(super) fn required_text(path: &Path, batch: &RecordBatch, name: &str) -> Result<StringArray, LoadError> {
    text(path, name, columnar::column(path, batch, name)?)
}

/// Returns a column of text or whole numbers that may be missing.
pub(super) fn optional_text(path: &Path, batch: &RecordBatch, name: &str) -> Result<Option<StringArray>, LoadError> {
    batch.column_by_name(name).map(|array| text(path, name, array)).transpose()
}

/// Returns a column of numbers.
pub(super) fn numbers(path: &Path, name: &str, array: &ArrayRef) -> Result<Float64Array, LoadError> {
    check_numbers(path, name, array)?;
    columnar::as_numbers(path, array)
}

/// Returns a column of numbers without their fractions; null for what is no finite number.
pub(super) fn whole_numbers(path: &Path, name: &str, array: &ArrayRef) -> Result<Int64Array, LoadError> {
    check_numbers(path, name, array)?;
    if !array.data_type().is_integer() {
        #[expect(clippy::cast_possible_truncation, reason = "a cast saturates, and such numbers are small")]
        let whole = |number: f64| number.is_finite().then_some(number as i64);
        return Ok(columnar::as_numbers(path, array)?.unary_opt::<_, Int64Type>(whole));
    }
    let array = cast(array, &DataType::Int64).map_err(|error| columnar::damaged(path, error))?;
    Ok(array.as_primitive::<Int64Type>().clone())
}

fn check_numbers(path: &Path, name: &str, array: &ArrayRef) -> Result<(), LoadError> {
    let found = array.data_type();
    if found.is_numeric() || found.is_null() {
        return Ok(());
    }
    Err(columnar::type_error(path, name, found, "numbers"))
}
