//! Judgments row by row, whatever the file: TREC lines, BEIR's lines with a header, or a flat table.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use datafusion::arrow::array::{Array, ArrayRef, Float64Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, SchemaRef};

use super::qrels::{GRADE_LIMIT, is_comment, parse_grade, parse_qrel};
use crate::load::LoadError;
use crate::load::columnar::{as_numbers, as_text, is_text, listed, type_error};
use crate::load::dirt::{Dirt, DirtKind};
use crate::load::files::Lines;
use crate::load::native::{TableFormat, TableReader, table_format};

/// The header line of BEIR judgments.
pub(in crate::load) const BEIR_HEADER: [&str; 3] = ["query-id", "corpus-id", "score"];

/// Names of a table's columns, in the order in which they are looked for.
const TOPIC_COLUMNS: [&str; 5] = ["q_id", "query_id", "session_id", "qid", "query-id"];
const DOCUMENT_COLUMNS: [&str; 5] = ["doc_id", "item_id", "docno", "pid", "corpus-id"];
const GRADE_COLUMNS: [&str; 4] = ["score", "grade", "relevance", "rel"];

/// The judgments of some files, in the order of the files and rows.
pub(in crate::load) struct JudgmentRows {
    paths: VecDeque<PathBuf>,
    current: Option<Source>,
    topic: String,
    document: String,
}

#[expect(clippy::large_enum_variant, reason = "there is one of it per input")]
enum Source {
    Trec { path: PathBuf, lines: Lines },
    Beir { path: PathBuf, lines: Lines },
    Table(Table),
}

impl JudgmentRows {
    /// Returns a reader of the files.
    pub(in crate::load) fn new(paths: &[PathBuf]) -> Self {
        let paths = paths.iter().cloned().collect();
        Self { paths, current: None, topic: String::new(), document: String::new() }
    }

    /// Returns the topic of the judgment read last.
    pub(in crate::load) fn topic(&self) -> &str {
        &self.topic
    }

    /// Returns the document of the judgment read last.
    pub(in crate::load) fn document(&self) -> &str {
        &self.document
    }

    /// Reads the next judgment and returns its grade, or `None` at the end.
    ///
    /// # Errors
    ///
    /// Returns [`LoadError::Io`] when a file cannot be read, [`LoadError::Row`] for a row that is no judgment, and what is
    /// wrong with a table or its columns.
    pub(in crate::load) fn advance(&mut self, dirt: &mut Dirt) -> Result<Option<f32>, LoadError> {
        loop {
            let grade = match &mut self.current {
                Some(Source::Trec { path, lines }) => {
                    next_trec(path, lines, &mut self.topic, &mut self.document, dirt)?
                }
                Some(Source::Beir { path, lines }) => {
                    next_beir(path, lines, &mut self.topic, &mut self.document, dirt)?
                }
                Some(Source::Table(table)) => table.next(&mut self.topic, &mut self.document)?,
                None => None,
            };
            if grade.is_some() {
                return Ok(grade);
            }
            match self.paths.pop_front() {
                Some(path) => self.current = Some(Source::open(path)?),
                None => return Ok(None),
            }
        }
    }
}

/// Looks at the columns of a file of judgments, or at its first one.
///
/// # Errors
///
/// Returns what [`JudgmentRows::advance`] does.
pub(in crate::load) fn look_at_judgments(path: &Path) -> Result<(), LoadError> {
    JudgmentRows::new(&[path.to_owned()]).advance(&mut Dirt::default()).map(drop)
}

impl Source {
    fn open(path: PathBuf) -> Result<Self, LoadError> {
        if let Some(format) = table_format(&path)? {
            return Ok(Self::Table(Table::open(path, format)?));
        }
        let mut lines = Lines::open(&path)?;
        let has_header = match lines.next_line()? {
            Some((_, line)) => !is_comment(line) && line.split_ascii_whitespace().eq(BEIR_HEADER),
            None => false,
        };
        if has_header {
            return Ok(Self::Beir { path, lines });
        }
        let lines = Lines::open(&path)?;
        Ok(Self::Trec { path, lines })
    }
}

fn set(text: &mut String, value: &str) {
    text.clear();
    text.push_str(value);
}

fn next_trec(
    path: &Path,
    lines: &mut Lines,
    topic: &mut String,
    document: &mut String,
    dirt: &mut Dirt,
) -> Result<Option<f32>, LoadError> {
    while let Some((row, line)) = lines.next_line()? {
        if line.trim().is_empty() {
            dirt.add(DirtKind::BlankLine);
            continue;
        }
        if is_comment(line) {
            dirt.add(DirtKind::CommentLine);
            continue;
        }
        let qrel = parse_qrel(line).map_err(|reason| LoadError::Row { path: path.to_owned(), row, reason })?;
        if qrel.iteration.parse::<i64>().is_err() {
            dirt.add(DirtKind::NonIntegerIteration);
        }
        set(topic, qrel.topic);
        set(document, qrel.document);
        return Ok(Some(qrel.grade));
    }
    Ok(None)
}

fn next_beir(
    path: &Path,
    lines: &mut Lines,
    topic: &mut String,
    document: &mut String,
    dirt: &mut Dirt,
) -> Result<Option<f32>, LoadError> {
    while let Some((row, line)) = lines.next_line()? {
        if line.trim().is_empty() {
            dirt.add(DirtKind::BlankLine);
            continue;
        }
        let error = |reason| LoadError::Row { path: path.to_owned(), row, reason };
        let fields: Vec<&str> = line.split('\t').map(str::trim).collect();
        let [query, item, score] = fields[..] else {
            return Err(error(format!("found {} fields, expected 3: `query-id corpus-id score`", fields.len())));
        };
        if query.is_empty() || item.is_empty() {
            return Err(error("an id is empty, expected `query-id corpus-id score`".into()));
        }
        let grade = parse_grade(score).map_err(error)?;
        set(topic, query);
        set(document, item);
        return Ok(Some(grade));
    }
    Ok(None)
}

/// A flat table: one row per judgment.
struct Table {
    path: PathBuf,
    names: [String; 3],
    reader: TableReader,
    batch: Option<Batch>,
    /// Rows before those of the batch.
    rows_before: u64,
    row: usize,
}

struct Batch {
    topics: StringArray,
    documents: StringArray,
    grades: Float64Array,
    whole_grades: bool,
}

impl Table {
    fn open(path: PathBuf, format: TableFormat) -> Result<Self, LoadError> {
        let schema = TableReader::open(&path, format)?.schema().clone();
        let find = |names: &[&str]| find(&path, &schema, names);
        let names = [find(&TOPIC_COLUMNS)?, find(&DOCUMENT_COLUMNS)?, find(&GRADE_COLUMNS)?];
        let columns: Vec<&str> = names.iter().map(String::as_str).collect();
        let reader = TableReader::open_columns(&path, format, Some(&columns))?;
        let mut table = Self { path, names, reader, batch: None, rows_before: 0, row: 0 };
        // A table without rows must not hide that its columns are of the wrong types.
        table.batch(&RecordBatch::new_empty(schema))?;
        table.batch = None;
        Ok(table)
    }

    fn next(&mut self, topic: &mut String, document: &mut String) -> Result<Option<f32>, LoadError> {
        loop {
            if let Some(batch) = &self.batch {
                if self.row < batch.topics.len() {
                    let row = self.row;
                    self.row += 1;
                    let fault = |reason| {
                        let row = self.rows_before + row as u64 + 1;
                        LoadError::Row { path: self.path.clone(), row, reason }
                    };
                    let [topic_name, document_name, grade_name] = &self.names;
                    set(topic, text(&batch.topics, row, topic_name).map_err(fault)?);
                    set(document, text(&batch.documents, row, document_name).map_err(fault)?);
                    return batch.grade(row, grade_name).map(Some).map_err(fault);
                }
                self.rows_before += batch.topics.len() as u64;
                self.batch = None;
            }
            let Some(batch) = self.reader.next_batch()? else { return Ok(None) };
            self.batch = Some(self.batch(&batch)?);
            self.row = 0;
        }
    }

    fn batch(&self, batch: &RecordBatch) -> Result<Batch, LoadError> {
        let [topic, document, grade] = &self.names;
        let column = |name: &str| -> Result<&ArrayRef, LoadError> {
            batch.column_by_name(name).ok_or_else(|| missing(&self.path, &batch.schema(), name))
        };
        let grades = column(grade)?;
        if !grades.data_type().is_numeric() {
            return Err(type_error(&self.path, grade, grades.data_type(), "a number"));
        }
        Ok(Batch {
            topics: self.ids(topic, column(topic)?)?,
            documents: self.ids(document, column(document)?)?,
            whole_grades: grades.data_type().is_integer(),
            grades: as_numbers(&self.path, grades)?,
        })
    }

    fn ids(&self, name: &str, array: &ArrayRef) -> Result<StringArray, LoadError> {
        let data_type: &DataType = array.data_type();
        if !is_text(data_type) && !data_type.is_integer() {
            return Err(type_error(&self.path, name, data_type, "text or whole numbers"));
        }
        as_text(&self.path, array)
    }
}

impl Batch {
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked, and a grade is an f32 by the schema")]
    fn grade(&self, row: usize, name: &str) -> Result<f32, String> {
        if self.grades.is_null(row) {
            return Err(format!("`{name}` is null, expected a number"));
        }
        let value = self.grades.value(row);
        let grade = value as f32;
        #[expect(clippy::cast_precision_loss, reason = "a power of two")]
        let limit = GRADE_LIMIT as f64;
        if self.whole_grades && value.abs() > limit {
            return Err(format!("`{name}` is {value}, expected a grade up to {limit}"));
        }
        if grade.is_finite() { Ok(grade) } else { Err(format!("`{name}` is {value}, expected a finite number")) }
    }
}

fn text<'a>(array: &'a StringArray, row: usize, name: &str) -> Result<&'a str, String> {
    if array.is_null(row) {
        return Err(format!("`{name}` is null, expected an id"));
    }
    match array.value(row) {
        "" => Err(format!("`{name}` is empty, expected an id")),
        id => Ok(id),
    }
}

fn find(path: &Path, schema: &SchemaRef, names: &[&str]) -> Result<String, LoadError> {
    let mut found = names.iter().filter(|name| schema.index_of(name).is_ok());
    let first = found.next().ok_or_else(|| missing(path, schema, &names.join("` or `")))?;
    if schema.fields().iter().filter(|field| field.name() == first).count() > 1 {
        let reason = format!("two columns are named `{first}`, expected one");
        return Err(LoadError::Format { path: path.to_owned(), reason });
    }
    Ok((*first).to_owned())
}

fn missing(path: &Path, schema: &SchemaRef, column: &str) -> LoadError {
    let available = listed(schema.fields().iter().map(|field| field.name().as_str()));
    LoadError::MissingColumn { path: path.to_owned(), column: column.to_owned(), available }
}
