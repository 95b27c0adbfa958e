//! A corpus as a table with all its columns and their types.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::csv::ReaderBuilder as CsvReaderBuilder;
use datafusion::arrow::csv::reader::Format as CsvFormat;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::json::ReaderBuilder as JsonReaderBuilder;
use datafusion::arrow::json::reader::infer_json_schema_from_iterator;
use serde_json::{Map, Value};

use super::super::LoadError;
use super::super::columnar::listed;
use super::super::files::{Lines, open_text, plain_name, starts_with};
use super::corpus_files;
use crate::benchmark::CorpusPlan;

/// Rows of a batch that is read from text.
const BATCH_ROWS: usize = 8192;

/// A corpus as a table.
#[derive(Debug)]
pub(crate) enum CorpusTable {
    /// Parquet files, which are read where they lie.
    Parquet(Vec<PathBuf>),
    /// Rows of text files, all in memory.
    Rows {
        /// Columns and types.
        schema: SchemaRef,
        /// The rows.
        batches: Vec<RecordBatch>,
    },
}

/// The formats of text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Text {
    Delimited(u8),
    JsonLines,
}

impl CorpusTable {
    /// Opens a corpus.
    ///
    /// The columns of text files have the types that all their values have: true or false, whole numbers, numbers, dates,
    /// text, and in JSON lists and objects. The id is always text, since `007` is not `7`. The columns of JSON objects are the id
    /// and then the others by name.
    ///
    /// # Errors
    ///
    /// Returns an error when files have different formats, cannot be read, have no column of ids, or have values in a column
    /// that have no type in common.
    pub(crate) fn open(corpus: &CorpusPlan) -> Result<Self, LoadError> {
        let files = corpus_files(corpus)?;
        let mut parquet = Vec::new();
        let mut texts = Vec::new();
        for path in &files {
            let name = plain_name(path);
            if name.ends_with(".parquet") || starts_with(path, b"PAR1")? {
                parquet.push(path.clone());
            } else {
                texts.push((path.clone(), format_of(&name)));
            }
        }
        let Some((first, format)) = texts.first().cloned() else { return Ok(Self::Parquet(parquet)) };
        if !parquet.is_empty() || texts.iter().any(|(_, other)| *other != format) {
            let reason = "the files of a corpus that is a table have one format, and these have several".to_owned();
            return Err(LoadError::Format { path: first, reason });
        }
        let paths: Vec<PathBuf> = texts.into_iter().map(|(path, _)| path).collect();
        match format {
            Text::Delimited(delimiter) => delimited(&paths, &corpus.id, delimiter),
            Text::JsonLines => json_lines(&paths, &corpus.id),
        }
    }
}

fn format_of(name: &str) -> Text {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("csv") => Text::Delimited(b','),
        Some("tsv") => Text::Delimited(b'\t'),
        _ => Text::JsonLines,
    }
}

fn unreadable(path: &Path, error: &ArrowError) -> LoadError {
    LoadError::Format { path: path.to_owned(), reason: format!("not a table: {error}") }
}

fn delimited(paths: &[PathBuf], id: &str, delimiter: u8) -> Result<CorpusTable, LoadError> {
    let format = CsvFormat::default().with_header(true).with_delimiter(delimiter);
    let mut schema: Option<Schema> = None;
    for path in paths {
        let (found, _) = format.infer_schema(open_text(path)?, None).map_err(|error| unreadable(path, &error))?;
        if found.index_of(id).is_err() {
            let names = found.fields().iter().map(|field| field.name().as_str());
            return Err(LoadError::MissingColumn {
                path: path.clone(),
                column: id.to_owned(),
                available: listed(names),
            });
        }
        schema = Some(match schema {
            Some(schema) => widened(path, &schema, &found)?,
            None => found,
        });
    }
    let schema = with_text_id(schema.unwrap_or_else(Schema::empty).fields().iter(), id);
    let mut batches = Vec::new();
    for path in paths {
        let builder =
            CsvReaderBuilder::new(Arc::clone(&schema)).with_format(format.clone()).with_batch_size(BATCH_ROWS);
        let reader = builder.build_buffered(open_text(path)?).map_err(|error| unreadable(path, &error))?;
        for batch in reader {
            batches.push(batch.map_err(|error| unreadable(path, &error))?);
        }
    }
    Ok(CorpusTable::Rows { schema, batches })
}

/// Returns the columns of two files, with types that hold the values of both.
fn widened(path: &Path, before: &Schema, found: &Schema) -> Result<Schema, LoadError> {
    let names = |schema: &Schema| schema.fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
    if names(before) != names(found) {
        let names = listed(before.fields().iter().map(|field| field.name().as_str()));
        let reason = format!("its columns are not {names}, those of the files before it");
        return Err(LoadError::Format { path: path.to_owned(), reason });
    }
    let both = before.fields().iter().zip(found.fields());
    let fields = both.map(|(before, found)| {
        let data_type = match (before.data_type(), found.data_type()) {
            (before, found) if before == found || *found == DataType::Null => before.clone(),
            (DataType::Null, found) => found.clone(),
            (before, found) if before.is_numeric() && found.is_numeric() => DataType::Float64,
            _ => DataType::Utf8,
        };
        Field::new(before.name(), data_type, true)
    });
    Ok(Schema::new(fields.collect::<Vec<_>>()))
}

fn with_text_id<'a>(fields: impl Iterator<Item = &'a FieldRef>, id: &str) -> SchemaRef {
    let field = |field: &FieldRef| match field.name() == id {
        true => Arc::new(Field::new(id, DataType::Utf8, true)),
        false => Arc::clone(field),
    };
    Arc::new(Schema::new(fields.map(field).collect::<Vec<_>>()))
}

fn json_lines(paths: &[PathBuf], id: &str) -> Result<CorpusTable, LoadError> {
    let mut failure = None;
    let mut objects = paths.iter().flat_map(|path| match Lines::open(path) {
        Ok(lines) => Objects { path, lines: Some(lines), failure: None },
        Err(error) => Objects { path, lines: None, failure: Some(error) },
    });
    let values = std::iter::from_fn(|| match objects.next()? {
        Ok(object) => Some(Ok::<Value, ArrowError>(Value::Object(object))),
        Err(error) => {
            failure = Some(error);
            None
        }
    });
    let schema = infer_json_schema_from_iterator(values);
    if let Some(failure) = failure {
        return Err(failure);
    }
    let first = paths.first().cloned().unwrap_or_default();
    let schema = schema.map_err(|error| unreadable(&first, &error))?;
    if schema.fields().is_empty() {
        return Err(LoadError::Empty { path: first, what: "documents" });
    }
    let mut fields: Vec<FieldRef> = schema.fields().iter().cloned().collect();
    fields.sort_by(|left, right| (left.name() != id, left.name()).cmp(&(right.name() != id, right.name())));
    if fields.first().is_none_or(|field| field.name() != id) {
        let available = listed(fields.iter().map(|field| field.name().as_str()));
        return Err(LoadError::MissingColumn { path: first, column: id.to_owned(), available });
    }
    let schema = with_text_id(fields.iter(), id);
    let mut batches = Vec::new();
    for path in paths {
        read_json(path, &schema, &mut batches)?;
    }
    Ok(CorpusTable::Rows { schema, batches })
}

fn read_json(path: &Path, schema: &SchemaRef, batches: &mut Vec<RecordBatch>) -> Result<(), LoadError> {
    let error = |error: ArrowError| unreadable(path, &error);
    let builder = JsonReaderBuilder::new(Arc::clone(schema)).with_coerce_primitive(true).with_batch_size(BATCH_ROWS);
    let mut decoder = builder.build_decoder().map_err(error)?;
    let mut rows = 0;
    for object in (Objects { path, lines: Some(Lines::open(path)?), failure: None }) {
        decoder.serialize(&[object?]).map_err(error)?;
        rows += 1;
        if rows % BATCH_ROWS == 0 {
            batches.extend(decoder.flush().map_err(error)?);
        }
    }
    batches.extend(decoder.flush().map_err(error)?);
    Ok(())
}

/// The objects of a file, one per line; blank lines are skipped.
struct Objects<'a> {
    path: &'a Path,
    lines: Option<Lines>,
    failure: Option<LoadError>,
}

impl Iterator for Objects<'_> {
    type Item = Result<Map<String, Value>, LoadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(failure) = self.failure.take() {
            return Some(Err(failure));
        }
        let lines = self.lines.as_mut()?;
        loop {
            let (row, line) = match lines.next_line() {
                Ok(line) => line?,
                Err(error) => return Some(Err(error)),
            };
            if line.trim().is_empty() {
                continue;
            }
            let object = serde_json::from_str(line).map_err(|source| LoadError::Row {
                path: self.path.to_owned(),
                row,
                reason: format!("expected one JSON object per line: {source}"),
            });
            return Some(object);
        }
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::AsArray;
    use datafusion::arrow::datatypes::{Float64Type, Int64Type};
    use tempfile::TempDir;

    use super::*;

    fn open(files: &[(&str, &str)]) -> Result<CorpusTable, LoadError> {
        let folder = TempDir::new().unwrap();
        for (name, content) in files {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        CorpusTable::open(&CorpusPlan { name: "docs".into(), path: folder.path().join("*"), id: "id".into() })
    }

    fn types(table: &CorpusTable) -> String {
        let CorpusTable::Rows { schema, .. } = table else { return "Parquet".to_owned() };
        let types = schema.fields().iter().map(|field| format!("{} {}", field.name(), field.data_type()));
        types.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn ids_stay_text_and_other_columns_have_types() {
        let table = open(&[("a.csv", "id,price,count,name\n007,1.5,2,x\n008,2,,007\n")]).unwrap();
        assert_eq!(types(&table), "id Utf8, price Float64, count Int64, name Utf8");
        let CorpusTable::Rows { batches, .. } = table else { panic!("rows") };
        assert_eq!(batches[0].column(0).as_string::<i32>().value(0), "007");
        assert_eq!(batches[0].column(1).as_primitive::<Float64Type>().values(), &[1.5, 2.0]);

        let json = "{\"price\": 2, \"id\": 7, \"tags\": [\"a\"]}\n\n{\"id\": \"x\", \"price\": 2.5, \"a\": true}\n";
        let table = open(&[("a.jsonl", json)]).unwrap();
        assert!(types(&table).starts_with("id Utf8, a Boolean, price Float64, tags List("), "{}", types(&table));
        let CorpusTable::Rows { batches, .. } = table else { panic!("rows") };
        let ids: Vec<_> = batches[0].column(0).as_string::<i32>().iter().flatten().collect();
        assert_eq!(ids, ["7", "x"]);
    }

    #[test]
    fn files_share_the_widest_types() {
        let table = open(&[("a.csv", "id,n,m,k\n1,1,1,\n"), ("b.csv", "id,n,m,k\n2,1.5,x,3\n")]).unwrap();
        assert_eq!(types(&table), "id Utf8, n Float64, m Utf8, k Int64");
        let CorpusTable::Rows { batches, .. } = table else { panic!("rows") };
        assert_eq!(batches[1].column(3).as_primitive::<Int64Type>().value(0), 3);
        let error = open(&[("a.csv", "id,n\n1,1\n"), ("b.csv", "id,m\n2,1\n")]).unwrap_err().to_string();
        assert!(error.ends_with("its columns are not `id`, `n`, those of the files before it"), "{error}");
        let error = open(&[("a.csv", "id\n1\n"), ("b.jsonl", "{\"id\": 1}\n")]).unwrap_err().to_string();
        assert!(error.contains("have one format, and these have several"), "{error}");
    }

    #[test]
    fn what_is_no_table_is_refused() {
        let error = |name: &str, text: &str| open(&[(name, text)]).unwrap_err().to_string();
        assert!(error("a.csv", "item,price\n1,2\n").contains("has no column `id`; it has `item`, `price`"));
        assert!(error("a.jsonl", "{\"item\": 1}\n").contains("has no column `id`; it has `item`"));
        assert!(error("a.jsonl", "{\"id\": 1}\n[1]\n").contains("row 2: expected one JSON object per line"));
        assert!(error("a.jsonl", "\n").ends_with("holds no documents"));
        assert!(error("a.jsonl", "{\"id\": 1, \"a\": {\"b\": 1}}\n{\"id\": 2, \"a\": 1}\n").contains("not a table"));
        assert!(error("a.csv", "id,n\n1,2,3\n").contains("not a table"));
    }
}
