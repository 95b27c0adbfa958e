//! Documents from Parquet.

use std::path::{Path, PathBuf};

use datafusion::arrow::array::{Array, ArrayRef, ListArray, RecordBatch, StringArray};
use datafusion::arrow::datatypes::DataType;

use super::super::LoadError;
use super::super::columnar;
use super::super::native::{TableFormat, TableReader};
use super::{Columns, Document, Row};

/// A Parquet file, read batch by batch, only the columns asked for.
pub(super) struct ParquetFile {
    path: PathBuf,
    columns: Columns,
    reader: TableReader,
    current: Option<Texts>,
    /// Rows of the batches before the current one.
    rows_before: u64,
}

/// The columns of one batch as text.
struct Texts {
    id: StringArray,
    fields: Vec<FieldText>,
    next: usize,
}

enum FieldText {
    One(StringArray),
    Many { lists: ListArray, elements: StringArray },
}

impl ParquetFile {
    pub(super) fn open(path: &Path, columns: &Columns) -> Result<Self, LoadError> {
        let columns = Columns { id: columns.id.clone(), fields: columns.fields.clone() };
        let names: Vec<&str> = std::iter::once(&columns.id).chain(&columns.fields).map(String::as_str).collect();
        let reader = TableReader::open_columns(path, TableFormat::Parquet, Some(&names))?;
        for name in names {
            columnar::index_of(path, reader.schema(), name)?;
        }
        Ok(Self { path: path.to_owned(), columns, reader, current: None, rows_before: 0 })
    }

    pub(super) fn next_row(&mut self) -> Result<Option<Row>, LoadError> {
        loop {
            if let Some(texts) = &mut self.current {
                if texts.next < texts.id.len() {
                    let index = texts.next;
                    texts.next += 1;
                    let number = self.rows_before + texts.next as u64;
                    return self.row(index, number).map(Some);
                }
                self.rows_before += texts.id.len() as u64;
            }
            let Some(batch) = self.reader.next_batch()? else { return Ok(None) };
            self.current = Some(self.texts(&batch)?);
        }
    }

    fn row(&self, index: usize, number: u64) -> Result<Row, LoadError> {
        let null = || LoadError::Row { path: self.path.clone(), row: number, reason: "the item id is null".into() };
        let texts = self.current.as_ref().ok_or_else(null)?;
        if texts.id.is_null(index) {
            return Err(null());
        }
        let fields = texts.fields.iter().map(|field| field.text(index)).collect();
        Ok(Row { number, document: Document { id: texts.id.value(index).to_owned(), fields } })
    }

    fn texts(&self, batch: &RecordBatch) -> Result<Texts, LoadError> {
        let column = |name: &str| columnar::column(&self.path, batch, name);
        let id = column(&self.columns.id)?;
        if !columnar::is_text(id.data_type()) && !id.data_type().is_integer() {
            return Err(columnar::type_error(&self.path, &self.columns.id, id.data_type(), "text or whole numbers"));
        }
        let id = columnar::as_text(&self.path, id)?;
        let mut fields = Vec::with_capacity(self.columns.fields.len());
        for name in &self.columns.fields {
            fields.push(self.field_text(name, column(name)?)?);
        }
        Ok(Texts { id, fields, next: 0 })
    }

    fn field_text(&self, name: &str, array: &ArrayRef) -> Result<FieldText, LoadError> {
        let wrong_type = || {
            let expected = "text, numbers, booleans or lists of these";
            columnar::type_error(&self.path, name, array.data_type(), expected)
        };
        if let Some(element) = columnar::element_type(array.data_type()) {
            if !is_printable(element) {
                return Err(wrong_type());
            }
            let lists = columnar::as_list(&self.path, array)?;
            let elements = columnar::as_text(&self.path, lists.values())?;
            return Ok(FieldText::Many { lists, elements });
        }
        if !is_printable(array.data_type()) {
            return Err(wrong_type());
        }
        columnar::as_text(&self.path, array).map(FieldText::One)
    }
}

impl FieldText {
    fn text(&self, row: usize) -> String {
        match self {
            Self::One(texts) if texts.is_valid(row) => texts.value(row).to_owned(),
            Self::Many { lists, elements } => {
                let valid = crate::rows::list_range(lists, row).filter(|element| elements.is_valid(*element));
                valid.map(|element| elements.value(element)).collect::<Vec<_>>().join(" ")
            }
            Self::One(_) => String::new(),
        }
    }
}

/// Returns whether values of the type have an obvious text. Binary columns do not: bytes that are not UTF-8 would be lost.
fn is_printable(data_type: &DataType) -> bool {
    columnar::is_text(data_type) || data_type.is_numeric() || matches!(data_type, DataType::Boolean | DataType::Null)
}
