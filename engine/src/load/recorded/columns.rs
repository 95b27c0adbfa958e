//! Which columns of a table of rankings mean what?

use std::path::Path;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Fields, Int64Type, Schema};

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

/// How hits stand in a table. Where a name is usual and not given, there may be no such column or field.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    /// One row per hit.
    Flat {
        item: String,
        /// `None` where scores are not read.
        score: Option<String>,
        rank: String,
    },
    /// One row per session, with a list of hits.
    Nested {
        hits: String,
        /// The field of structs that holds the item, where it is given.
        item: Option<String>,
        /// The field of structs that holds the score; `None` where scores are not read.
        score: Option<String>,
    },
}

impl Columns {
    /// Returns the columns of a file.
    pub(super) fn of(path: &Path, schema: &Schema, settings: &RecordedSettings) -> Result<Self, LoadError> {
        let named = &settings.columns;
        let has = |name: &str| schema.index_of(name).is_ok();
        let first = |names: &[&str]| names.iter().find(|name| has(name)).map(|name| (*name).to_owned());
        // Who names a column of items or ranks speaks of rows of one hit each.
        let is_flat = named.rank_column.is_some() || named.item_column.as_deref().is_some_and(has);
        let hits =
            named.hits_column.clone().or_else(|| (!is_flat && has(column::HITS)).then(|| column::HITS.to_owned()));
        let mut given = vec![&named.session_column, &named.hits_column];
        if hits.is_none() {
            given.extend([&named.item_column, &named.score_column, &named.rank_column]);
        }
        for name in given.into_iter().flatten() {
            columnar::index_of(path, schema, name)?;
        }
        let session = named.session_column.clone().or_else(|| first(SESSION_NAMES));
        let Some(session) = session else {
            if hits.is_some() {
                columnar::index_of(path, schema, column::SESSION_ID)?;
            }
            return Err(no_rankings(path, schema));
        };
        let shape = match hits {
            Some(hits) => nested(path, schema, settings, hits)?,
            None => flat(path, schema, settings)?,
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
            Shape::Flat { item, .. } => item,
            Shape::Nested { item, .. } => item.as_deref().unwrap_or(column::ITEM_ID),
        }
    }

    /// Returns the name of the column of ranks, which there may not be.
    pub(super) fn rank(&self) -> Option<&str> {
        match &self.shape {
            Shape::Flat { rank, .. } => Some(rank),
            Shape::Nested { .. } => None,
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
            Shape::Flat { item, score, rank } => {
                names.extend([item.as_str(), rank]);
                names.extend(score.as_deref());
            }
            Shape::Nested { hits, .. } => {
                names.extend([hits, column::ERROR_KIND, column::ERROR, column::LATENCY_NS]);
            }
        }
        names.into_iter().filter_map(|name| schema.index_of(name).ok()).collect()
    }
}

/// Returns the shape of a table of one row per hit.
fn flat(path: &Path, schema: &Schema, settings: &RecordedSettings) -> Result<Shape, LoadError> {
    let named = &settings.columns;
    let has = |name: &str| schema.index_of(name).is_ok();
    let usual = || ITEM_NAMES.iter().find(|name| has(name)).map(|name| (*name).to_owned());
    let item = named.item_column.clone().or_else(usual).ok_or_else(|| no_rankings(path, schema))?;
    let rank = named.rank_column.as_deref().unwrap_or(RANK).to_owned();
    if !settings.order.takes_scores() {
        columnar::index_of(path, schema, &rank)?;
        return Ok(Shape::Flat { item, score: None, rank });
    }
    let score = named.score_column.as_deref().unwrap_or(column::SCORE).to_owned();
    match has(&score) || has(&rank) {
        true => Ok(Shape::Flat { item, score: Some(score), rank }),
        false => Err(no_rankings(path, schema)),
    }
}

/// Returns the shape of a table whose column `hits` holds lists.
fn nested(path: &Path, schema: &Schema, settings: &RecordedSettings, hits: String) -> Result<Shape, LoadError> {
    let named = &settings.columns;
    if let Some(rank) = &named.rank_column {
        let reason = format!("there is no rank `{rank}` in the lists `{hits}`: their order is the rank");
        return Err(LoadError::Format { path: path.to_owned(), reason });
    }
    let element = schema.field_with_name(&hits).ok().and_then(|field| columnar::element_type(field.data_type()));
    let fields = match element {
        Some(DataType::Struct(fields)) => fields.clone(),
        _ => Fields::empty(),
    };
    let given = [&named.item_column, &named.score_column].into_iter().flatten();
    if let Some(name) = given.into_iter().find(|name| fields.find(name).is_none()) {
        let (column, available) = (format!("{hits}.{name}"), listed(&fields));
        return Err(LoadError::MissingColumn { path: path.to_owned(), column, available });
    }
    let score = named.score_column.as_deref().unwrap_or(column::SCORE);
    let score = settings.order.takes_scores().then(|| score.to_owned());
    Ok(Shape::Nested { hits, item: named.item_column.clone(), score })
}

fn listed(fields: &Fields) -> String {
    columnar::listed(fields.iter().map(|field| field.name().as_str()))
}

fn no_rankings(path: &Path, schema: &Schema) -> LoadError {
    let available = listed(schema.fields());
    let reason = format!(
        "not a table of rankings: expected `session_id` and `hits`, or one row per hit with `session_id`, `item_id` and `score` or \
         `rank` (other names are given by `session-column`, `item-column` and so on); it has {available}",
    );
    LoadError::Format { path: path.to_owned(), reason }
}

/// Returns a field of a struct that holds items.
pub(super) fn item_field<'a>(
    given: Option<&str>,
    field: impl Fn(&str) -> Option<&'a ArrayRef>,
) -> Option<&'a ArrayRef> {
    match given {
        Some(name) => field(name),
        None => ITEM_NAMES.iter().find_map(|name| field(name)),
    }
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
fn numbers(path: &Path, name: &str, array: &ArrayRef) -> Result<Float64Array, LoadError> {
    check_numbers(path, name, array)?;
    columnar::as_numbers(path, array)
}

/// Returns a column of numbers that may be missing, or not be asked for.
pub(super) fn optional_numbers<'a>(
    path: &Path,
    name: Option<&str>,
    column: impl Fn(&str) -> Option<&'a ArrayRef>,
) -> Result<Option<Float64Array>, LoadError> {
    let Some((name, array)) = name.and_then(|name| Some((name, column(name)?))) else { return Ok(None) };
    numbers(path, name, array).map(Some)
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
