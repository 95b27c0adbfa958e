//! Documents from CSV with a header row.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use super::super::LoadError;
use super::super::columnar::listed;
use super::super::files::open_text;
use super::{Columns, Document, Row};

/// A CSV or TSV file; every row has as many columns as the header.
pub(super) struct DelimitedFile {
    path: PathBuf,
    reader: csv::Reader<Box<dyn BufRead + Send>>,
    id: usize,
    fields: Vec<usize>,
    record: csv::StringRecord,
}

impl DelimitedFile {
    pub(super) fn open(path: &Path, columns: &Columns, delimiter: u8) -> Result<Self, LoadError> {
        let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(open_text(path)?);
        let header = reader.headers().map_err(|error| csv_error(path, error))?.clone();
        let position = |name: &String| {
            header.iter().position(|column| column == name).ok_or_else(|| LoadError::MissingColumn {
                path: path.to_owned(),
                column: name.clone(),
                available: listed(header.iter()),
            })
        };
        if header.is_empty() {
            return Err(LoadError::Empty { path: path.to_owned(), what: "documents" });
        }
        let id = position(&columns.id)?;
        let fields = columns.fields.iter().map(position).collect::<Result<_, _>>()?;
        Ok(Self { path: path.to_owned(), reader, id, fields, record: csv::StringRecord::new() })
    }

    pub(super) fn next_row(&mut self) -> Result<Option<Row>, LoadError> {
        if !self.reader.read_record(&mut self.record).map_err(|error| csv_error(&self.path, error))? {
            return Ok(None);
        }
        let number = self.record.position().map_or(0, csv::Position::line);
        let text = |column: usize| self.record.get(column).unwrap_or_default().to_owned();
        let document = Document { id: text(self.id), fields: self.fields.iter().map(|column| text(*column)).collect() };
        Ok(Some(Row { number, document }))
    }
}

fn csv_error(path: &Path, error: csv::Error) -> LoadError {
    let row = error.position().map_or(0, csv::Position::line);
    let path = path.to_owned();
    match error.into_kind() {
        csv::ErrorKind::Io(source) => LoadError::Io { path, source },
        csv::ErrorKind::Utf8 { .. } => LoadError::Row { path, row, reason: "not UTF-8 text".into() },
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => LoadError::Row {
            path,
            row,
            reason: format!("found {len} columns, expected {expected_len} as in the header"),
        },
        other => LoadError::Row { path, row, reason: format!("not a CSV row: {other:?}") },
    }
}
