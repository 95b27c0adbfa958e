//! Rows of an answer as hits.

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type, Schema};

use super::super::hit_rows::HitRows;
use super::SqlError;
use crate::replay::{RetrieveError, RetrieveErrorKind};
use crate::schema::column;
use crate::session::Hit;

/// Which columns of the rows make a hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HitColumns {
    /// The place of the score; the item id is the first column.
    score: Option<usize>,
}

impl HitColumns {
    /// Finds the columns in the rows of a query.
    pub(super) fn of(schema: &Schema) -> Result<Self, SqlError> {
        let refuse = |reason: String| Err(SqlError::Query { reason });
        let Some(id) = schema.fields().first() else { return refuse("its rows have no column".to_owned()) };
        if !is_id(id.data_type()) {
            let (name, found) = (id.name(), id.data_type());
            return refuse(format!(
                "its first column `{name}` has type {found}, expected the item id: text or whole numbers"
            ));
        }
        let named = schema.fields().iter().position(|field| field.name() == column::SCORE);
        if let Some(score) = named
            && let Some(field) = schema.fields().get(score)
            && !field.data_type().is_numeric()
        {
            let found = field.data_type();
            return refuse(format!("its column `{}` has type {found}, expected a number", column::SCORE));
        }
        let second = schema.fields().get(1).filter(|field| field.data_type().is_numeric());
        Ok(Self { score: named.or(second.map(|_| 1)) })
    }

    /// Returns the rows as hits.
    pub(super) fn hits(self, batches: &[RecordBatch]) -> Result<Vec<Hit>, RetrieveError> {
        let mut rows = HitRows::default();
        for batch in batches {
            let ids = self.ids(batch)?;
            let scores = self.scores(batch)?;
            for row in 0..batch.num_rows() {
                let id = ids.is_valid(row).then(|| ids.value(row));
                let score = scores.as_ref().filter(|scores| scores.is_valid(row)).map(|scores| scores.value(row));
                rows.push(id, score).map_err(failed)?;
            }
        }
        Ok(rows.into_hits())
    }

    fn ids(self, batch: &RecordBatch) -> Result<StringArray, RetrieveError> {
        let ids = converted(batch.columns().first(), &DataType::Utf8)?;
        ids.as_string_opt::<i32>().cloned().ok_or_else(|| failed("the item ids are no text".to_owned()))
    }

    fn scores(self, batch: &RecordBatch) -> Result<Option<Float64Array>, RetrieveError> {
        let Some(place) = self.score else { return Ok(None) };
        let scores = converted(batch.columns().get(place), &DataType::Float64)?;
        Ok(scores.as_primitive_opt::<Float64Type>().cloned())
    }
}

fn is_id(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, value) => is_id(value),
        other => other.is_integer(),
    }
}

fn converted(array: Option<&ArrayRef>, data_type: &DataType) -> Result<ArrayRef, RetrieveError> {
    let array = array.ok_or_else(|| failed("a column is missing".to_owned()))?;
    cast(array, data_type).map_err(|error| failed(error.to_string()))
}

fn failed(message: String) -> RetrieveError {
    RetrieveError::new(RetrieveErrorKind::Sql, message)
}
