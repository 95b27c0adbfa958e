//! Recorded rankings: TREC runs and Parquet tables, as a stream.
//!
//! [`Recording::open`] passes once over the session ids, which tells whether the file is sorted by session and where
//! sessions start. A file that is not sorted is sorted once into a scratch folder. A [`RecordedCursor`] then reads forward,
//! decodes each stretch of the file once and hands hits on as slices of what was decoded, so memory does not grow with the
//! number of sessions.
//!
//! Not for: deciding what a session that was not recorded means.

mod block;
mod chunks;
mod columns;
mod cursor;
mod group;
mod hit_lists;
#[cfg(any(test, feature = "oracles"))]
pub(in crate::load) mod in_memory;
mod index;
mod lines;
mod number;
mod order;
mod repeats;
mod runs;
mod sorted_copy;
mod source;
mod table;
mod text;
mod text_pages;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::array::{Int64Array, ListArray};
use datafusion::arrow::error::ArrowError;
use tempfile::TempPath;

use self::columns::Columns;
use self::index::Index;
use self::source::Source;
use self::table::Table;
use self::text::Text;
use super::columnar::listed;
use super::{LoadError, files};
use crate::benchmark::{HitOrder, RecordedColumns};
use crate::storage::{self, Blob, is_url};

pub use cursor::RecordedCursor;
#[cfg(test)]
use in_memory::{RecordedFailure, RecordedRanking, read};

const PARQUET_MAGIC: &[u8] = b"PAR1";
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];

/// Which rankings of a file are meant, and how.
#[derive(Debug, Clone, Default)]
pub struct RecordedSettings {
    /// Picks rows of a table by their column `retriever_id`, lines of a run by their tag. Needed for a table of several.
    pub retriever_id: Option<String>,
    /// The order of hits. [`HitOrder::Strict`]: by score descending, then rank, then item id ascending; hits without
    /// scores by rank. [`HitOrder::TrecEval`]: as `trec_eval`, by score in single precision descending, ties by item
    /// id descending, ranks ignored; hits without scores by rank. [`HitOrder::Rank`]: by rank, equal ones as they stand, without
    /// scores.
    pub order: HitOrder,
    /// What the table's columns are called, where they have other names than usual.
    pub columns: RecordedColumns,
}

/// A file of recorded rankings of one retriever. Cheap to clone; holds no ranking in memory.
#[derive(Debug, Clone)]
pub struct Recording {
    opened: Arc<Opened>,
}

/// What cursors share.
#[derive(Debug)]
struct Opened {
    /// The file as the user names it.
    path: PathBuf,
    source: Source,
    index: Index,
    compatibility: HitOrder,
    item_name: String,
    /// Deletes the copies when the last cursor is gone.
    _copies: Vec<TempPath>,
}

/// The rankings of some sessions, in the order in which they were asked for.
#[derive(Debug, Clone)]
pub struct RecordedAnswers {
    /// Each session's hits, best first, in the type of column `hits` of [`crate::schema::RANKINGS`]; empty, never null,
    /// where there is no ranking. Scores in `trec_eval`'s order are those of single precision.
    pub hits: ListArray,
    /// Whether each session was recorded.
    pub states: Vec<Recorded>,
    /// Each session's latency in nanoseconds, null where none was recorded; `None` where no session of these has one.
    pub latencies_ns: Option<Int64Array>,
}

/// Whether a session was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// There is a ranking; an empty one is a legal answer.
    Found,
    /// There is none.
    Missing,
    /// A failure was recorded in place of a ranking.
    Failed {
        /// The kind, as recorded.
        kind: String,
        /// The failure in words; may be empty.
        message: String,
    },
}

impl Recording {
    /// Opens a TREC run (gzip allowed) or a Parquet table of rankings.
    ///
    /// A table is in the schema [`crate::schema::RANKINGS`], columns matched by name, or flat with one row per hit: a session
    /// (`session_id`, `query_id`, `q_id`, `qid`), an item (`item_id`, `doc_id`, `docno`, `pid`), and `rank`, `score` or both. A
    /// topic of a run is a session id.
    ///
    /// `scratch` is an existing folder for a copy of the file where it is not sorted by session id or compressed; the copy
    /// is deleted with the last cursor. Sorting takes about `memory_bytes` (at least 32 MiB) before it spills to `scratch`.
    ///
    /// # Errors
    ///
    /// Returns [`LoadError::Format`] when a table holds several retrievers and none was picked, when the file holds none of
    /// that id or cannot be sorted, [`LoadError::Empty`] when there is nothing in it, and names file and row for a session that
    /// is null or ranked twice. What is wrong with a single hit is told when its session is asked for; a file that must be
    /// sorted is read whole, so what cannot be read as a hit at all is told here.
    pub fn open(
        path: &Path,
        settings: &RecordedSettings,
        scratch: &Path,
        memory_bytes: usize,
    ) -> Result<Self, LoadError> {
        let mut copies = Vec::new();
        let mut source = open_source(path, settings, scratch, &mut copies)?;
        let item_name = source.item_name().to_owned();
        let mut index = source.scan()?;
        check(path, settings, &source, &index)?;
        if !index.sorted {
            let (copy, shape) = sorted_copy::sort(path, &source, scratch, memory_bytes)?;
            let blob = Blob::open(&copy).map_err(|source| LoadError::Io { path: copy.to_path_buf(), source })?;
            source = Source::Table(Arc::new(Table::open(path, blob, |_| Ok(shape))?));
            copies.push(copy);
            index = source.scan()?;
        }
        if let Some((row, id)) = index.repeated.take().filter(|_| source.is_nested()) {
            return Err(second_ranking(path, row, &id));
        }
        let (path, compatibility) = (path.to_owned(), settings.order);
        let opened = Opened { path, source, index, compatibility, item_name, _copies: copies };
        Ok(Self { opened: Arc::new(opened) })
    }

    /// Looks at the columns of a table, or at the first lines of a run that is not compressed and lies on this machine.
    ///
    /// # Errors
    ///
    /// Returns an error that [`Recording::open`] returns too.
    pub fn look(path: &Path, settings: &RecordedSettings) -> Result<(), LoadError> {
        match kind_of(path)? {
            (Kind::Table, blob) => open_table(path, blob, settings).map(drop),
            (Kind::Text, blob) if !is_url(&path.to_string_lossy()) => {
                Text::open(path, blob, settings.retriever_id.clone(), settings.order)?.look()
            }
            (Kind::Text | Kind::CompressedText, _) => Ok(()),
        }
    }

    /// Returns a reader of its own place.
    #[must_use]
    pub fn cursor(&self) -> RecordedCursor {
        RecordedCursor::new(Arc::clone(&self.opened))
    }
}

impl Opened {
    fn refused(&self, error: ArrowError) -> LoadError {
        LoadError::Format { path: self.path.clone(), reason: format!("hits cannot be put together: {error}") }
    }
}

fn second_ranking(path: &Path, row: u64, id: &str) -> LoadError {
    LoadError::Row { path: path.to_owned(), row, reason: format!("a second ranking of session `{id}`") }
}

/// How a file of rankings is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Table,
    Text,
    CompressedText,
}

/// Tells it from the first bytes and the name.
fn kind_of(path: &Path) -> Result<(Kind, Blob), LoadError> {
    let io = |source| LoadError::Io { path: path.to_owned(), source };
    let blob = Blob::open(path).map_err(io)?;
    let mut head = [0; 4];
    let read = blob.read_at(0, &mut head).map_err(io)?;
    let head = head.get(..read).unwrap_or_default();
    let kind = match files::plain_name(path).ends_with(".parquet") || head == PARQUET_MAGIC {
        true => Kind::Table,
        // Compressed text can only be read from its start.
        false if head.starts_with(GZIP_MAGIC) => Kind::CompressedText,
        false => Kind::Text,
    };
    Ok((kind, blob))
}

fn open_table(path: &Path, blob: Blob, settings: &RecordedSettings) -> Result<Table, LoadError> {
    Table::open(path, blob, |schema| Columns::of(path, schema, settings))
}

fn open_source(
    path: &Path,
    settings: &RecordedSettings,
    scratch: &Path,
    copies: &mut Vec<TempPath>,
) -> Result<Source, LoadError> {
    let (kind, mut blob) = kind_of(path)?;
    if kind == Kind::Table {
        return Ok(Source::Table(Arc::new(open_table(path, blob, settings)?)));
    }
    // Text is read in many small pieces, which objects are too far away for.
    let io = |source| LoadError::Io { path: path.to_owned(), source };
    let path = &storage::local(path).map_err(io)?;
    let io = |source| LoadError::Io { path: path.clone(), source };
    if kind == Kind::CompressedText {
        let mut text = files::open_text(path)?;
        let cannot_write = |source| LoadError::Io { path: scratch.to_owned(), source };
        let mut file = tempfile::NamedTempFile::new_in(scratch).map_err(cannot_write)?;
        io::copy(&mut text, &mut file).map_err(io)?;
        let copy = file.into_temp_path();
        blob = Blob::open(&copy).map_err(cannot_write)?;
        copies.push(copy);
    } else {
        blob = Blob::open(path).map_err(io)?;
    }
    let (tag, order) = (settings.retriever_id.clone(), settings.order);
    Ok(Source::Text(Arc::new(Text::open(path, blob, tag, order)?)))
}

/// Refuses a file without rankings of one retriever.
fn check(path: &Path, settings: &RecordedSettings, source: &Source, index: &Index) -> Result<(), LoadError> {
    let path = path.to_owned();
    let found = || listed(index.retrievers.iter().map(String::as_str));
    match &settings.retriever_id {
        None if matches!(source, Source::Table(_)) && index.retrievers.len() > 1 => {
            let reason = format!("the rankings of several retrievers: {}; pick one with `retriever-id`", found());
            Err(LoadError::Format { path, reason })
        }
        Some(wanted) if index.is_empty() && !index.retrievers.is_empty() => {
            Err(LoadError::Format { path, reason: format!("no rankings of `{wanted}`; it has {}", found()) })
        }
        _ if index.is_empty() => Err(LoadError::Empty { path, what: "rankings" }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
