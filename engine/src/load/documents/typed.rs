//! Corpora with the types of their columns, for whoever evaluates expressions over them.

use std::collections::BTreeSet;
use std::io::{BufRead, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, RecordBatchReader, StringArray, new_null_array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::{csv, json};

use super::super::columnar::{self, ParquetBatches};
use super::super::{LoadError, files};
use super::corpus_files;
use crate::benchmark::CorpusPlan;

/// A corpus whose columns keep their types: those of Parquet, or what all values of a column in CSV or JSON lines have in
/// common. The id is always text.
#[derive(Debug)]
pub struct TypedCorpus {
    id: String,
    files: Vec<(PathBuf, Format)>,
    schema: SchemaRef,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Parquet,
    Delimited(u8),
    JsonLines,
}

impl TypedCorpus {
    /// Finds out which columns a corpus has. A corpus of text is read once for that.
    ///
    /// # Errors
    ///
    /// Returns an error when no file matches the corpus's path, a file cannot be read, or there is no column of ids.
    pub fn open(corpus: &CorpusPlan) -> Result<Self, LoadError> {
        let mut files = Vec::new();
        let mut fields: Vec<Field> = Vec::new();
        for path in corpus_files(corpus)? {
            let format = Format::of(&path)?;
            let schema = format.schema(&path)?;
            if schema.column_with_name(&corpus.id).is_none() {
                let available = columnar::listed(schema.fields().iter().map(|field| field.name().as_str()));
                return Err(LoadError::MissingColumn { path, column: corpus.id.clone(), available });
            }
            for field in schema.fields() {
                match fields.iter_mut().find(|known| known.name() == field.name()) {
                    Some(known) => *known = merged(known, field),
                    None => fields.push(field.as_ref().clone().with_nullable(true)),
                }
            }
            files.push((path, format));
        }
        let text = |field: Field| if *field.name() == corpus.id { field.with_data_type(DataType::Utf8) } else { field };
        let fields: Vec<Field> = fields.into_iter().map(text).collect();
        Ok(Self { id: corpus.id.clone(), files, schema: Arc::new(Schema::new(fields)) })
    }

    /// Returns the columns of all files together; every one may be null.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Hands over the ids and some columns of every document, batch by batch, in the order of files and rows. Ids are
    /// unique, and every batch has the id first and then `columns` in the order of the schema; memory is that of one batch
    /// and of the ids.
    ///
    /// # Errors
    ///
    /// Returns an error when a file cannot be read, an id is missing or stands there twice, or what `take` returns.
    pub fn read<E: From<LoadError>>(
        &self,
        columns: &BTreeSet<String>,
        mut take: impl FnMut(&StringArray, &RecordBatch) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut seen: BTreeSet<String> = BTreeSet::new();
        for (path, format) in &self.files {
            let mut row = 0;
            self.read_file(path, *format, columns, &mut |batch: &RecordBatch| {
                let ids = columnar::as_text(path, columnar::column(path, batch, &self.id)?)?;
                for id in &ids {
                    row += 1;
                    let wrong = |reason: String| LoadError::Row { path: path.clone(), row, reason };
                    match id {
                        None | Some("") => return Err(wrong("the item id is missing".to_owned()).into()),
                        Some(id) if !seen.insert(id.to_owned()) => {
                            return Err(wrong(format!("duplicate item id `{id}`")).into());
                        }
                        Some(_) => {}
                    }
                }
                take(&ids, batch)
            })?;
        }
        Ok(())
    }

    fn read_file<E: From<LoadError>>(
        &self,
        path: &Path,
        format: Format,
        columns: &BTreeSet<String>,
        take: &mut dyn FnMut(&RecordBatch) -> Result<(), E>,
    ) -> Result<(), E> {
        let wanted = |field: &&Arc<Field>| *field.name() == self.id || columns.contains(field.name());
        let fields: Vec<Arc<Field>> = self.schema.fields().iter().filter(wanted).cloned().collect();
        let target = Arc::new(Schema::new(fields));
        let damaged = |error: datafusion::arrow::error::ArrowError| columnar::damaged(path, error);
        match format {
            Format::Parquet => {
                let mut batches = ParquetBatches::open(path, |schema| {
                    let present = target.fields().iter().filter_map(|field| schema.index_of(field.name()).ok());
                    Ok(present.collect())
                })?;
                while let Some(batch) = batches.next_batch()? {
                    take(&fitted(path, &batch, &target)?)?;
                }
            }
            Format::Delimited(_) | Format::JsonLines => {
                let schema = match format {
                    Format::Delimited(_) => self.schema_of_delimited(path, format)?,
                    // Keys that are not asked for are passed over.
                    _ => Arc::clone(&target),
                };
                for batch in format.reader(path, &schema)? {
                    take(&fitted(path, &batch.map_err(damaged)?, &target)?)?;
                }
            }
        }
        Ok(())
    }

    /// Returns all columns of a file, which stand in its order, with the types that they have in all files together.
    fn schema_of_delimited(&self, path: &Path, format: Format) -> Result<SchemaRef, LoadError> {
        let found = format.schema(path)?;
        let typed = |field: &Arc<Field>| match self.schema.field_with_name(field.name()) {
            Ok(typed) => typed.clone(),
            Err(_) => field.as_ref().clone(),
        };
        Ok(Arc::new(Schema::new(found.fields().iter().map(typed).collect::<Vec<_>>())))
    }
}

impl Format {
    fn of(path: &Path) -> Result<Self, LoadError> {
        let name = files::plain_name(path);
        if name.ends_with(".parquet") || files::starts_with(path, b"PAR1")? {
            return Ok(Self::Parquet);
        }
        Ok(match name.rsplit_once('.').map(|(_, extension)| extension) {
            Some("csv") => Self::Delimited(b','),
            Some("tsv") => Self::Delimited(b'\t'),
            _ => Self::JsonLines,
        })
    }

    /// Returns the columns of a file.
    fn schema(self, path: &Path) -> Result<Schema, LoadError> {
        let damaged = |error| columnar::damaged(path, error);
        match self {
            Self::Parquet => {
                let mut found = None;
                ParquetBatches::open(path, |schema| {
                    found = Some(schema.as_ref().clone());
                    Ok(Vec::new())
                })?;
                Ok(found.unwrap_or_else(Schema::empty))
            }
            Self::Delimited(delimiter) => {
                let format = csv::reader::Format::default().with_header(true).with_delimiter(delimiter);
                Ok(format.infer_schema(text(path)?, None).map_err(damaged)?.0)
            }
            Self::JsonLines => Ok(json::reader::infer_json_schema(text(path)?, None).map_err(damaged)?.0),
        }
    }

    /// Returns a reader of a file of text.
    fn reader(self, path: &Path, schema: &SchemaRef) -> Result<Box<dyn RecordBatchReader>, LoadError> {
        let damaged = |error| columnar::damaged(path, error);
        let schema = Arc::clone(schema);
        match self {
            Self::Delimited(delimiter) => {
                let reader = csv::ReaderBuilder::new(schema).with_header(true).with_delimiter(delimiter);
                Ok(Box::new(reader.build_buffered(text(path)?).map_err(damaged)?))
            }
            _ => {
                let reader = json::ReaderBuilder::new(schema).with_coerce_primitive(true);
                Ok(Box::new(reader.build(text(path)?).map_err(damaged)?))
            }
        }
    }
}

/// Opens a file of text, without its byte-order mark.
fn text(path: &Path) -> Result<Box<dyn BufRead + Send>, LoadError> {
    let io = |source| LoadError::Io { path: path.to_owned(), source };
    let mut reader = files::open_text(path)?;
    if reader.fill_buf().map_err(io)?.starts_with(b"\xef\xbb\xbf") {
        reader.read_exact(&mut [0; 3]).map_err(io)?;
    }
    Ok(reader)
}

/// Returns the type that holds the values of both columns: the same, the wider number, or text.
fn merged(one: &Field, other: &Field) -> Field {
    let (left, right) = (one.data_type(), other.data_type());
    let data_type = match (left, right) {
        _ if left == right => left.clone(),
        (DataType::Null, any) | (any, DataType::Null) => any.clone(),
        _ if left.is_integer() && right.is_integer() => DataType::Int64,
        _ if left.is_numeric() && right.is_numeric() => DataType::Float64,
        _ => DataType::Utf8,
    };
    Field::new(one.name(), data_type, true)
}

/// Returns a batch with the columns of `target`; what the file does not have is null.
fn fitted(path: &Path, batch: &RecordBatch, target: &SchemaRef) -> Result<RecordBatch, LoadError> {
    let mut columns = Vec::with_capacity(target.fields().len());
    for field in target.fields() {
        columns.push(match batch.column_by_name(field.name()) {
            Some(column) => cast(column, field.data_type()).map_err(|error| columnar::damaged(path, error))?,
            None => new_null_array(field.data_type(), batch.num_rows()),
        });
    }
    RecordBatch::try_new(Arc::clone(target), columns).map_err(|error| columnar::damaged(path, error))
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::AsArray;
    use datafusion::arrow::datatypes::Float64Type;
    use tempfile::TempDir;

    use super::*;

    fn corpus(folder: &TempDir, files: &[(&str, &str)]) -> CorpusPlan {
        for (name, content) in files {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        CorpusPlan { name: "items".into(), path: folder.path().join("*"), id: "id".into() }
    }

    fn ids_and_prices(corpus: &CorpusPlan) -> Result<Vec<(String, Option<f64>)>, LoadError> {
        let mut found = Vec::new();
        let typed = TypedCorpus::open(corpus)?;
        typed.read::<LoadError>(&BTreeSet::from(["price".to_owned()]), |ids, batch| {
            let prices = cast(batch.column_by_name("price").unwrap(), &DataType::Float64).unwrap();
            let prices = prices.as_primitive::<Float64Type>();
            found.extend(ids.iter().zip(prices).map(|(id, price)| (id.unwrap().to_owned(), price)));
            Ok(())
        })?;
        Ok(found)
    }

    #[test]
    fn files_of_several_formats_are_one_corpus_and_ids_stay_text() {
        let folder = TempDir::new().unwrap();
        let corpus = corpus(
            &folder,
            &[
                ("a.csv", "id,price\n007,1\n8,\n"),
                ("b.jsonl", "{\"id\": 9, \"price\": 2.5}\n{\"id\": \"ten\"}\n"),
                ("c.tsv", "\u{feff}id\tname\n11\tx\n"),
            ],
        );
        let typed = TypedCorpus::open(&corpus).unwrap();
        assert_eq!(typed.schema().field_with_name("price").unwrap().data_type(), &DataType::Float64);
        let expected = [("007", Some(1.0)), ("8", None), ("9", Some(2.5)), ("ten", None), ("11", None)];
        let expected: Vec<_> = expected.into_iter().map(|(id, price)| (id.to_owned(), price)).collect();
        assert_eq!(ids_and_prices(&corpus).unwrap(), expected);
    }

    #[test]
    fn a_missing_or_repeated_id_names_file_and_row() {
        for (content, told) in [
            ("id,price\na,1\na,2\n", "duplicate item id `a`"),
            ("id,price\na,1\n,2\n", "the item id is missing"),
            ("name,price\na,1\n", "`id`"),
        ] {
            let folder = TempDir::new().unwrap();
            let error = ids_and_prices(&corpus(&folder, &[("a.csv", content)])).unwrap_err().to_string();
            assert!(error.contains(told) && error.contains("a.csv"), "{error}");
        }
    }

    #[test]
    fn a_broken_row_is_an_error() {
        let folder = TempDir::new().unwrap();
        assert!(ids_and_prices(&corpus(&folder, &[("a.jsonl", "{\"id\": \"a\"}\n{\"id\": ")])).is_err());
    }
}
