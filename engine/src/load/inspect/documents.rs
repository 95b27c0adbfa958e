//! Documents, BEIR queries and other tables.

use std::collections::HashSet;

use ::csv::{ReaderBuilder, StringRecord};
use serde_json::Value;

use super::columns::JsonColumns;
use super::detect::ID_COLUMNS;
use super::model::{
    BLANK_LINE, Check, DUPLICATE_ID, EMPTY_TEXT, FileKind, Findings, InspectedColumn, Inspection, MALFORMED_LINE,
};
use crate::load::LoadError;
use crate::load::csv::row_error;
use crate::load::files::{Lines, open_text};
use crate::load::native::{TableReader, table_format};
use crate::load::ubi::plain_text;

const MISSING_ID: Check = Check::error("missing_id", "rows without an id");
const QUOTED_NEWLINE: Check = Check::note("quoted_newline", "fields with a line break inside quotes");

/// The column that holds the text where there is one.
const TEXT: &str = "text";

pub(super) fn inspect_jsonl(inspection: &mut Inspection, findings: &mut Findings) -> Result<(), LoadError> {
    let mut columns = JsonColumns::default();
    let mut ids = Ids::default();
    let mut lines = Lines::open(&inspection.path)?;
    while let Some((row, line)) = lines.next_line()? {
        if line.trim().is_empty() {
            findings.add(&BLANK_LINE, || format!("line {row}"));
            continue;
        }
        let record = match serde_json::from_str::<Value>(line) {
            Ok(record) if record.is_object() => record,
            Ok(_) => {
                findings.add(&MALFORMED_LINE, || format!("line {row}: not a JSON object"));
                continue;
            }
            Err(error) => {
                findings.add(&MALFORMED_LINE, || format!("line {row}: {error}"));
                continue;
            }
        };
        inspection.rows += 1;
        columns.note(&record);
        if inspection.kind != FileKind::Table {
            ids.note(ID_COLUMNS.iter().find_map(|name| plain_text(&record, name)), row, findings);
        }
        if record.get(TEXT).is_some() && plain_text(&record, TEXT).is_none() {
            findings.add(&EMPTY_TEXT, || format!("line {row}"));
        }
    }
    inspection.columns = columns.finish();
    Ok(())
}

pub(super) fn inspect_csv(inspection: &mut Inspection, findings: &mut Findings) -> Result<(), LoadError> {
    let path = inspection.path.clone();
    let mut reader = ReaderBuilder::new().from_reader(open_text(&path)?);
    let names: Vec<String> =
        reader.headers().map_err(|error| row_error(&path, error))?.iter().map(|name| name.trim().to_owned()).collect();
    let position = |name: &str| names.iter().position(|found| found == name);
    let id_position = ID_COLUMNS.iter().find_map(|name| position(name));
    let text_position = position(TEXT);
    let mut missing = vec![0_u64; names.len()];
    let mut ids = Ids::default();
    let mut record = StringRecord::new();
    loop {
        match reader.read_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {}
            Err(error) => match row_error(&path, error) {
                LoadError::Row { row, reason, .. } => {
                    findings.add(&MALFORMED_LINE, || format!("line {row}: {reason}"));
                    continue;
                }
                error => return Err(error),
            },
        }
        inspection.rows += 1;
        let line = record.position().map_or(0, ::csv::Position::line);
        for (field, missing) in record.iter().zip(&mut missing) {
            *missing += u64::from(field.trim().is_empty());
        }
        let breaks = record.iter().filter(|field| field.contains('\n')).count();
        findings.add_many(&QUOTED_NEWLINE, breaks as u64, || format!("line {line}"));
        let filled = |position: usize| record.get(position).filter(|field| !field.trim().is_empty());
        if let Some(position) = id_position {
            ids.note(filled(position).map(str::to_owned), line, findings);
        }
        if text_position.is_some_and(|position| filled(position).is_none()) {
            findings.add(&EMPTY_TEXT, || format!("line {line}"));
        }
    }
    let column = |(name, missing)| InspectedColumn { name, data_type: "string".into(), missing: Some(missing) };
    inspection.columns = names.into_iter().zip(missing).map(column).collect();
    Ok(())
}

/// Counts rows and missing values; types are the file's own.
pub(super) fn inspect_table(inspection: &mut Inspection) -> Result<(), LoadError> {
    let Some(format) = table_format(&inspection.path)? else { return Ok(()) };
    let mut reader = TableReader::open(&inspection.path, format)?;
    inspection.columns = table_columns(&reader);
    while let Some(batch) = reader.next_batch()? {
        inspection.rows += batch.num_rows() as u64;
        for (column, array) in inspection.columns.iter_mut().zip(batch.columns()) {
            *column.missing.get_or_insert_default() += array.logical_null_count() as u64;
        }
    }
    Ok(())
}

pub(super) fn table_columns(reader: &TableReader) -> Vec<InspectedColumn> {
    let fields = reader.schema().fields().iter();
    let column = |name: &String, data_type: String| InspectedColumn { name: name.clone(), data_type, missing: None };
    fields.map(|field| column(field.name(), field.data_type().to_string())).collect()
}

/// Ids that must be there and unique.
#[derive(Default)]
struct Ids(HashSet<String>);

impl Ids {
    fn note(&mut self, id: Option<String>, row: u64, findings: &mut Findings) {
        match id {
            None => findings.add(&MISSING_ID, || format!("line {row}")),
            Some(id) if self.0.contains(&id) => findings.add(&DUPLICATE_ID, || format!("line {row}: `{id}`")),
            Some(id) => {
                self.0.insert(id);
            }
        }
    }
}
