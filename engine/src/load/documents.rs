//! Corpora: the documents that retrievers search, from JSON lines, CSV or Parquet.

mod delimited;
mod json_lines;
mod json_objects;
mod table;
mod typed;
mod vectors;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::{LoadError, files};
use crate::benchmark::CorpusPlan;

pub(crate) use typed::Known;
pub use typed::TypedCorpus;
pub use vectors::Vectors;

/// A document of a corpus.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document {
    /// The item id, unique in the corpus.
    pub id: String,
    /// The texts of the fields asked for, in that order; empty where the document has none.
    pub fields: Vec<String>,
}

/// The columns that a reader takes from each row.
struct Columns {
    id: String,
    fields: Vec<String>,
}

/// A row as it came from a file, with its 1-based line or row number.
struct Row {
    number: u64,
    document: Document,
}

/// How a file of a corpus is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Parquet,
    /// Columns between delimiters.
    Delimited(u8),
    /// One JSON object per line.
    JsonLines,
}

/// One file of a corpus.
enum CorpusFile {
    Table(table::ParquetFile),
    Delimited(delimited::DelimitedFile),
    JsonLines(json_lines::JsonLinesFile),
}

/// Streams the documents of a corpus, file by file in the order of their names.
///
/// A format is told from the content and the name: Parquet, CSV (`.csv`, `.tsv`), else one JSON object per line; gzip is
/// recognised for text. Texts are strings, numbers and booleans as they are written, and lists of these joined by spaces;
/// null is empty. Ids are text or whole numbers. After an error the reader ends.
pub struct DocumentReader {
    columns: Columns,
    files: std::vec::IntoIter<PathBuf>,
    current: Option<(PathBuf, CorpusFile)>,
    /// By id: the file (its place in `read`) and the row.
    seen: HashMap<String, (usize, u64)>,
    read: Vec<PathBuf>,
    /// Which fields occurred in JSON objects.
    occurred: json_lines::Occurred,
    done: bool,
}

impl DocumentReader {
    /// Opens a corpus for reading its ids and `fields`.
    ///
    /// # Errors
    ///
    /// Returns [`LoadError::NoMatch`] when no file matches the corpus's path.
    pub fn open(corpus: &CorpusPlan, fields: &[String]) -> Result<Self, LoadError> {
        Ok(Self {
            columns: Columns { id: corpus.id.clone(), fields: fields.to_vec() },
            files: corpus_files(corpus)?.into_iter(),
            current: None,
            seen: HashMap::new(),
            read: Vec::new(),
            occurred: json_lines::Occurred::new(fields),
            done: false,
        })
    }

    /// Looks at the files without reading them through: at the columns of each and its first row; of JSON objects, at as many as
    /// it takes to meet every field, or to say that none of them has one.
    ///
    /// # Errors
    ///
    /// Returns an error that reading the documents meets too.
    pub fn look(mut self) -> Result<(), LoadError> {
        let (mut last, mut is_empty) = (PathBuf::new(), true);
        for path in std::mem::take(&mut self.files) {
            let mut file = CorpusFile::open(&path, &self.columns)?;
            while file.next_row(&self.columns, &mut self.occurred)?.is_some() {
                is_empty = false;
                if !matches!(file, CorpusFile::JsonLines(_)) || self.occurred.have_all() {
                    break;
                }
            }
            last = path;
        }
        if is_empty {
            return Err(LoadError::Empty { path: last, what: "documents" });
        }
        self.occurred.check(&last)
    }

    fn next_document(&mut self) -> Result<Option<Document>, LoadError> {
        loop {
            if self.current.is_none() {
                let Some(path) = self.files.next() else { return self.finish() };
                let file = CorpusFile::open(&path, &self.columns)?;
                self.read.push(path.clone());
                self.current = Some((path, file));
            }
            let Some((path, file)) = &mut self.current else { continue };
            match file.next_row(&self.columns, &mut self.occurred)? {
                Some(row) => {
                    check_id(&row, path, &self.read, &mut self.seen)?;
                    return Ok(Some(row.document));
                }
                None => self.current = None,
            }
        }
    }

    fn finish(&self) -> Result<Option<Document>, LoadError> {
        let path = self.read.last().cloned().unwrap_or_default();
        if self.seen.is_empty() {
            return Err(LoadError::Empty { path, what: "documents" });
        }
        self.occurred.check(&path)?;
        Ok(None)
    }
}

impl Iterator for DocumentReader {
    type Item = Result<Document, LoadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let next = self.next_document().transpose();
        self.done = !matches!(next, Some(Ok(_)));
        next
    }
}

/// Returns the ending of a corpus file's name, without that of its compression: it says how the file is read.
pub(crate) fn ending(path: &Path) -> String {
    files::plain_name(path).rsplit_once('.').map(|(_, ending)| ending.to_owned()).unwrap_or_default()
}

/// Returns the files of a corpus, sorted by name.
///
/// # Errors
///
/// Returns [`LoadError::NoMatch`] when there is none.
pub fn corpus_files(corpus: &CorpusPlan) -> Result<Vec<PathBuf>, LoadError> {
    files::expand(&corpus.path.to_string_lossy())
}

impl Format {
    /// Tells a file's format from its content and its name.
    fn of(path: &Path) -> Result<Self, LoadError> {
        if files::plain_name(path).ends_with(".parquet") || files::starts_with(path, b"PAR1")? {
            return Ok(Self::Parquet);
        }
        Ok(match ending(path).as_str() {
            "csv" => Self::Delimited(b','),
            "tsv" => Self::Delimited(b'\t'),
            _ => Self::JsonLines,
        })
    }
}

impl CorpusFile {
    fn open(path: &Path, columns: &Columns) -> Result<Self, LoadError> {
        Ok(match Format::of(path)? {
            Format::Parquet => Self::Table(table::ParquetFile::open(path, columns)?),
            Format::Delimited(delimiter) => Self::Delimited(delimited::DelimitedFile::open(path, columns, delimiter)?),
            Format::JsonLines => Self::JsonLines(json_lines::JsonLinesFile::open(path)?),
        })
    }

    /// Returns the next row, or `None` at the end.
    fn next_row(&mut self, columns: &Columns, occurred: &mut json_lines::Occurred) -> Result<Option<Row>, LoadError> {
        match self {
            Self::Table(file) => file.next_row(),
            Self::Delimited(file) => file.next_row(),
            Self::JsonLines(file) => file.next_row(columns, occurred),
        }
    }
}

fn check_id(
    row: &Row,
    path: &Path,
    read: &[PathBuf],
    seen: &mut HashMap<String, (usize, u64)>,
) -> Result<(), LoadError> {
    let id = &row.document.id;
    if id.is_empty() {
        return Err(LoadError::Row { path: path.to_owned(), row: row.number, reason: "the item id is empty".into() });
    }
    let file = read.len().saturating_sub(1);
    let Some((first_file, first)) = seen.insert(id.clone(), (file, row.number)) else { return Ok(()) };
    if first_file == file {
        let (path, id) = (path.to_owned(), id.clone());
        return Err(LoadError::Duplicate { path, row: row.number, what: "item id", id, first });
    }
    let first_path = read.get(first_file).map(|path| path.display().to_string()).unwrap_or_default();
    let reason = format!("duplicate item id `{id}`, first seen in `{first_path}`, row {first}");
    Err(LoadError::Row { path: path.to_owned(), row: row.number, reason })
}

#[cfg(test)]
mod tests;
