//! What retrievers answered: how many rankings each of them has, and how many of them are failures.

use std::collections::HashSet;

use datafusion::arrow::array::{Array, AsArray, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;

use super::documents::table_columns;
use super::model::{Check, Findings, Inspection};
use crate::load::LoadError;
use crate::load::native::{TableReader, table_format};
use crate::schema::column;

const DUPLICATE_RANKING: Check =
    Check::error("duplicate_ranking", "sessions of which one retriever has more than one ranking");

pub(super) fn inspect(inspection: &mut Inspection, findings: &mut Findings) -> Result<(), LoadError> {
    let path = inspection.path.clone();
    let Some(format) = table_format(&path)? else { return Ok(()) };
    let mut reader = TableReader::open(&path, format)?;
    inspection.columns = table_columns(&reader);
    let mut seen: HashSet<(String, String)> = HashSet::new();
    while let Some(batch) = reader.next_batch()? {
        let texts = |name: &str| texts(&batch, name).ok_or_else(|| unexpected(&path, name, &batch));
        let (sessions, retrievers) = (texts(column::SESSION_ID)?, texts(column::RETRIEVER_ID)?);
        // Rankings of somebody else need not say how they failed.
        let errors = self::texts(&batch, column::ERROR_KIND);
        for row in 0..batch.num_rows() {
            inspection.rows += 1;
            let (session, retriever) = (sessions.value(row), retrievers.value(row));
            *inspection.counts.entry(format!("rankings of {retriever}")).or_default() += 1;
            if errors.as_ref().is_some_and(|errors| errors.is_valid(row)) {
                *inspection.counts.entry(format!("failures of {retriever}")).or_default() += 1;
            }
            if !seen.insert((session.to_owned(), retriever.to_owned())) {
                findings.add(&DUPLICATE_RANKING, || format!("row {}: `{session}` of `{retriever}`", inspection.rows));
            }
        }
    }
    Ok(())
}

fn texts(batch: &RecordBatch, name: &str) -> Option<StringArray> {
    let column = batch.column_by_name(name)?;
    cast(column, &DataType::Utf8).ok()?.as_string_opt::<i32>().cloned()
}

fn unexpected(path: &std::path::Path, name: &str, batch: &RecordBatch) -> LoadError {
    let found = batch.column_by_name(name).map(|column| column.data_type().to_string()).unwrap_or_default();
    let (column, expected) = (name.to_owned(), DataType::Utf8.to_string());
    LoadError::ColumnType { path: path.to_owned(), column, found, expected }
}
