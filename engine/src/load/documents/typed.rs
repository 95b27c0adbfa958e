//! Corpora with the types of their columns, for whoever evaluates expressions over them.

use std::collections::BTreeSet;
use std::io::{BufRead, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, StringArray, new_null_array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::csv;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;

use super::super::native::{TableFormat, TableReader};
use super::super::{LoadError, columnar, files};
use super::json_objects::{self, not_a_table};
use super::{Format, corpus_files};
use crate::benchmark::CorpusPlan;

/// A corpus whose columns keep their types: those of Parquet, or what all values of a column in CSV or JSON lines have in
/// common. The id is always text.
#[derive(Debug)]
pub struct TypedCorpus {
    id: String,
    files: Vec<(PathBuf, Format)>,
    schema: SchemaRef,
}

/// How many rows of a file of text are looked at where it is not read through.
const ROWS_LOOKED_AT: usize = 1000;

/// What is known of the columns of a corpus of which not everything was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Known {
    /// Some of them.
    Some,
    /// All their names; a type may be another one.
    Names,
    /// All of them with their types.
    Types,
}

impl TypedCorpus {
    /// Finds out which columns a corpus has. A corpus of text is read once for that.
    ///
    /// # Errors
    ///
    /// Returns an error when no file matches the corpus's path, a file cannot be read, or there is no column of ids.
    pub fn open(corpus: &CorpusPlan) -> Result<Self, LoadError> {
        Self::open_within(corpus, None).map(|(corpus, _)| corpus)
    }

    /// Finds out what a look at the first rows of its files tells of a corpus.
    ///
    /// # Errors
    ///
    /// Returns an error that [`TypedCorpus::open`] returns too, or reading the corpus.
    pub(crate) fn look(corpus: &CorpusPlan) -> Result<(Self, Known), LoadError> {
        Self::open_within(corpus, Some(ROWS_LOOKED_AT))
    }

    /// Looks at some rows of each file of text, at all of them where `rows` does not say how many.
    fn open_within(corpus: &CorpusPlan, rows: Option<usize>) -> Result<(Self, Known), LoadError> {
        let mut files = Vec::new();
        let mut fields: Vec<Field> = Vec::new();
        let mut known = Known::Types;
        for path in corpus_files(corpus)? {
            let format = Format::of(&path)?;
            let (schema, known_of_file) = format.schema(&path, &corpus.id, rows)?;
            known = known.min(known_of_file);
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
        Ok((Self { id: corpus.id.clone(), files, schema: Arc::new(Schema::new(fields)) }, known))
    }

    /// Returns the columns of all files together; every one may be null.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Returns the files, where all of them are Parquet.
    #[must_use]
    pub(crate) fn parquet_files(&self) -> Option<Vec<PathBuf>> {
        self.files.iter().map(|(path, format)| (*format == Format::Parquet).then(|| path.clone())).collect()
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
        match format {
            Format::Parquet => {
                let names: Vec<&str> = target.fields().iter().map(|field| field.name().as_str()).collect();
                let mut batches = TableReader::open_columns(path, TableFormat::Parquet, Some(&names))?;
                while let Some(batch) = batches.next_batch()? {
                    take(&fitted(path, &batch, &target)?)?;
                }
            }
            Format::Delimited(delimiter) => {
                let reader = csv::ReaderBuilder::new(self.schema_of_delimited(path, format)?);
                let reader = reader.with_header(true).with_delimiter(delimiter).build_buffered(text(path)?);
                for batch in reader.map_err(|error| not_a_table(path, &error))? {
                    let batch = batch.map_err(|error| not_a_table(path, &error))?;
                    take(&fitted(path, &batch, &target)?)?;
                }
            }
            Format::JsonLines => {
                json_objects::read(path, &target, &mut |batch: &RecordBatch| take(&fitted(path, batch, &target)?))?;
            }
        }
        Ok(())
    }

    /// Returns all columns of a file, which stand in its order, with the types that they have in all files together.
    fn schema_of_delimited(&self, path: &Path, format: Format) -> Result<SchemaRef, LoadError> {
        let (found, _) = format.schema(path, &self.id, None)?;
        let typed = |field: &Arc<Field>| match self.schema.field_with_name(field.name()) {
            Ok(typed) => typed.clone(),
            Err(_) => field.as_ref().clone(),
        };
        Ok(Arc::new(Schema::new(found.fields().iter().map(typed).collect::<Vec<_>>())))
    }
}

impl Format {
    /// Returns the columns of a file, and what is known of them after so many rows of text.
    fn schema(self, path: &Path, id: &str, rows: Option<usize>) -> Result<(Schema, Known), LoadError> {
        let is_read_through = |read: usize| rows.is_none_or(|rows| read < rows);
        match self {
            Self::Parquet => {
                Ok((TableReader::open(path, TableFormat::Parquet)?.schema().as_ref().clone(), Known::Types))
            }
            Self::Delimited(delimiter) => {
                let format = csv::reader::Format::default().with_header(true).with_delimiter(delimiter);
                let found = format.infer_schema(text(path)?, rows);
                let (schema, read) = found.map_err(|error: ArrowError| not_a_table(path, &error))?;
                Ok((schema, if is_read_through(read) { Known::Types } else { Known::Names }))
            }
            Self::JsonLines => {
                let (schema, read) = json_objects::schema(path, id, rows)?;
                Ok((schema, if is_read_through(read) { Known::Types } else { Known::Some }))
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
    fn columns_have_the_type_of_all_their_values() {
        let types = |files: &[(&str, &str)]| {
            let folder = TempDir::new().unwrap();
            let typed = TypedCorpus::open(&corpus(&folder, files))?;
            let types = typed.schema().fields().iter().map(|field| format!("{} {}", field.name(), field.data_type()));
            Ok::<String, LoadError>(types.collect::<Vec<_>>().join(", "))
        };
        let csv = types(&[("a.csv", "id,price,count,name\n007,1.5,2,x\n008,2,,007\n")]).unwrap();
        assert_eq!(csv, "id Utf8, price Float64, count Int64, name Utf8");
        let json = "{\"price\": 2, \"id\": 7, \"tags\": [\"a\"]}\n\n{\"id\": \"x\", \"price\": 2.5, \"a\": true}\n";
        let json = types(&[("a.jsonl", json)]).unwrap();
        assert!(json.starts_with("id Utf8, a Boolean, price Float64, tags List("), "{json}");
        let both = types(&[("a.csv", "id,n,m,k\n1,1,1,\n"), ("b.csv", "id,n,m,k\n2,1.5,x,3\n")]).unwrap();
        assert_eq!(both, "id Utf8, n Float64, m Utf8, k Int64");
        for (name, text, told) in [
            ("a.csv", "item,price\n1,2\n", "has no column `id`; it has `item`, `price`"),
            ("a.jsonl", "{\"item\": 1}\n", "has no column `id`; it has `item`"),
            ("a.jsonl", "{\"id\": 1}\n[1]\n", "row 2: expected one JSON object per line"),
            ("a.jsonl", "\n", "holds no documents"),
            ("a.jsonl", "{\"id\": 1, \"a\": {\"b\": 1}}\n{\"id\": 2, \"a\": 1}\n", "not a table"),
            ("a.csv", "id,n\n1,2,3\n", "not a table"),
        ] {
            let error = types(&[(name, text)]).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn a_broken_row_is_an_error() {
        let folder = TempDir::new().unwrap();
        assert!(ids_and_prices(&corpus(&folder, &[("a.jsonl", "{\"id\": \"a\"}\n{\"id\": ")])).is_err());
    }
}
