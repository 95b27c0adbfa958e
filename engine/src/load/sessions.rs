//! Any supported layout as a stream of sessions.

use std::collections::VecDeque;
use std::io::Read;
use std::path::{Path, PathBuf};

use datafusion::arrow::array::RecordBatch;

use super::dirt::{Dirt, DirtKind};
use super::native::{JsonlSessions, TableFormat, TableReader, normalise_after, table_format, unknown_columns};
use super::{LoadError, beir, csv, files, trec, ubi};
use crate::benchmark::spec::{SessionFormat, SessionsPath};
use crate::rows::sessions_from_batch;
use crate::schema;
use crate::session::Session;
use crate::storage::is_url;

/// What [`SessionReader::open`] may hold in memory.
const DEFAULT_MEMORY_BYTES: usize = 512 << 20;

/// Rows turned into sessions at a time, however large the batches of a file are.
const SLICE_ROWS: usize = 1024;

/// The sessions of one input, in the order of its files and rows.
///
/// Files in the session schema (Parquet, Arrow, JSONL), TREC and BEIR are streamed. CSV files are grouped, and UBI is
/// joined, in memory, within a limit. The iterator ends after its first error. [`SessionReader::dirt`] is complete when it has
/// ended.
pub struct SessionReader {
    source: Source,
    dirt: Dirt,
    place: PathBuf,
    row: u64,
    origin: Option<Origin>,
}

/// Returns the files of this machine that a reader of `path` reads; what a URL names is none.
///
/// # Errors
///
/// Returns [`LoadError::NoMatch`] when a path or glob names no file, and [`LoadError::Format`] when a BEIR directory lacks queries
/// or judgments.
pub fn local_files(path: &SessionsPath) -> Result<Vec<PathBuf>, LoadError> {
    let patterns: Vec<&String> = match path {
        SessionsPath::Files(patterns) => patterns.iter().collect(),
        SessionsPath::Ubi(spec) => vec![&spec.queries, &spec.events],
        SessionsPath::Trec(spec) => spec.topics.iter().chain([&spec.qrels]).collect(),
        SessionsPath::Beir(directory) if is_url(directory) => Vec::new(),
        SessionsPath::Beir(directory) => {
            let beir::BeirFiles { queries, qrels } = beir::BeirFiles::find(directory)?;
            return Ok(vec![queries, qrels]);
        }
    };
    let mut found = Vec::new();
    for pattern in patterns.into_iter().filter(|pattern| !is_url(pattern)) {
        found.extend(files::expand(pattern)?);
    }
    Ok(found)
}

/// What a reader was opened with, so that it can be opened again.
#[derive(Clone)]
struct Origin {
    path: SessionsPath,
    format: Option<SessionFormat>,
    memory_bytes: usize,
}

#[expect(clippy::large_enum_variant, reason = "there is one of it per input")]
enum Source {
    Files {
        paths: VecDeque<PathBuf>,
        format: Option<SessionFormat>,
        memory_bytes: usize,
        current: Option<FileSessions>,
    },
    Ubi(Box<ubi::UbiSessions>),
    Trec(Box<trec::TrecSessions>),
    Beir(Box<beir::BeirSessions>),
    Ended,
}

enum FileSessions {
    Table(TableSessions),
    Jsonl(JsonlSessions),
    Csv(csv::CsvSessions),
}

impl SessionReader {
    /// Opens the input: expands globs, or reads and joins the layout that `path` names.
    ///
    /// `format` says what the files are where neither their first bytes nor their endings tell; it is not used for UBI,
    /// TREC and BEIR.
    ///
    /// # Errors
    ///
    /// Returns [`LoadError::NoMatch`] when a path or glob names no file, [`LoadError::Io`] when a file cannot be read, and
    /// for UBI, TREC and BEIR whatever is wrong with the files.
    pub fn open(path: &SessionsPath, format: Option<SessionFormat>) -> Result<Self, LoadError> {
        Self::open_within(path, format, DEFAULT_MEMORY_BYTES)
    }

    /// Does as [`SessionReader::open`] with another limit of what may be held in memory where rows must be grouped or joined.
    ///
    /// # Errors
    ///
    /// Returns what [`SessionReader::open`] does, and [`LoadError::Memory`] where the limit does not suffice.
    pub fn open_within(
        path: &SessionsPath,
        format: Option<SessionFormat>,
        memory_bytes: usize,
    ) -> Result<Self, LoadError> {
        let origin = Origin { path: path.clone(), format, memory_bytes };
        let mut dirt = Dirt::default();
        let (place, source) = match path {
            SessionsPath::Files(patterns) => {
                let mut paths = VecDeque::new();
                for pattern in patterns {
                    paths.extend(files::expand(pattern)?);
                }
                let mut reader = Self::of_files(paths, format);
                if let Source::Files { memory_bytes: limit, .. } = &mut reader.source {
                    *limit = memory_bytes;
                }
                return Ok(Self { origin: Some(origin), ..reader });
            }
            SessionsPath::Ubi(spec) => {
                let sessions = ubi::UbiSessions::open(spec, memory_bytes, &mut dirt)?;
                (PathBuf::from(&spec.queries), Source::Ubi(Box::new(sessions)))
            }
            SessionsPath::Trec(spec) => {
                let sessions = trec::TrecSessions::open(spec, memory_bytes, &mut dirt)?;
                (PathBuf::from(&spec.qrels), Source::Trec(Box::new(sessions)))
            }
            SessionsPath::Beir(directory) => {
                let sessions = beir::BeirSessions::open(directory, memory_bytes, &mut dirt)?;
                (PathBuf::from(directory), Source::Beir(Box::new(sessions)))
            }
        };
        Ok(Self { source, dirt, place, row: 0, origin: Some(origin) })
    }

    /// Looks at what [`SessionReader::open`] would read without reading it through: at the columns of tables and at the first
    /// rows of text. What lies behind a URL is not fetched for that.
    ///
    /// # Errors
    ///
    /// Returns an error that reading the sessions meets too.
    pub fn look(path: &SessionsPath, format: Option<SessionFormat>) -> Result<(), LoadError> {
        match path {
            SessionsPath::Files(patterns) => {
                for pattern in patterns.iter().filter(|pattern| !is_url(pattern)) {
                    files::expand(pattern)?.iter().try_for_each(|path| FileSessions::look(path, format))?;
                }
                Ok(())
            }
            SessionsPath::Ubi(spec) => ubi::UbiSessions::look(spec),
            SessionsPath::Trec(spec) => trec::TrecSessions::look(spec),
            SessionsPath::Beir(directory) if is_url(directory) => Ok(()),
            SessionsPath::Beir(directory) => beir::BeirSessions::look(directory),
        }
    }

    /// Returns a reader of files in the session schema.
    pub(super) fn of_files(paths: VecDeque<PathBuf>, format: Option<SessionFormat>) -> Self {
        let place = paths.front().cloned().unwrap_or_default();
        let source = Source::Files { paths, format, memory_bytes: DEFAULT_MEMORY_BYTES, current: None };
        Self { source, dirt: Dirt::default(), place, row: 0, origin: None }
    }

    /// Returns where the session of that number, counted from 0, stands: its file and 1-based row.
    pub(super) fn place_of(&self, number: u64) -> Result<(PathBuf, u64), LoadError> {
        let Some(Origin { path, format, memory_bytes }) = &self.origin else {
            return Ok((self.place.clone(), number + 1));
        };
        let mut again = Self::open_within(path, *format, *memory_bytes)?;
        for _ in 0..=number {
            again.next().transpose()?;
        }
        Ok((again.place, again.row))
    }

    /// Returns what was dirty in the sessions read so far; complete when the iterator has ended.
    #[must_use]
    pub fn dirt(&self) -> &Dirt {
        &self.dirt
    }

    /// Returns the file of the session returned last (the first file before that).
    pub(super) fn path(&self) -> &Path {
        &self.place
    }

    /// Returns the 1-based row of the session returned last in its file, or its number where files were joined.
    pub(super) fn row(&self) -> u64 {
        self.row
    }

    /// Returns the next sessions as a batch of the schema [`schema::SESSIONS`], `most` of them or as many as there are, where that is
    /// how they stand; `None` where they come one by one, and at the end.
    pub(super) fn next_columns(&mut self, most: usize) -> Result<Option<RecordBatch>, LoadError> {
        let Source::Trec(sessions) = &mut self.source else { return Ok(None) };
        let found = sessions.next_columns(most, &mut self.dirt);
        match &found {
            Ok(batch) => self.row += batch.as_ref().map_or(0, RecordBatch::num_rows) as u64,
            Err(_) => self.source = Source::Ended,
        }
        found
    }

    fn advance(&mut self) -> Result<Option<Session>, LoadError> {
        match &mut self.source {
            Source::Ended => Ok(None),
            Source::Ubi(sessions) => {
                self.row += 1;
                sessions.next_session(&mut self.dirt)
            }
            Source::Trec(sessions) => {
                self.row += 1;
                sessions.next_session(&mut self.dirt)
            }
            Source::Beir(sessions) => {
                self.row += 1;
                sessions.next_session(&mut self.dirt)
            }
            Source::Files { paths, format, memory_bytes, current } => loop {
                if let Some(file) = current {
                    if let Some((row, session)) = file.next_session(&mut self.dirt)? {
                        self.row = row;
                        count_dirt(&session, &mut self.dirt);
                        return Ok(Some(session));
                    }
                    *current = None;
                }
                let Some(path) = paths.pop_front() else { return Ok(None) };
                *current = Some(FileSessions::open(&path, *format, *memory_bytes, &mut self.dirt)?);
                self.place = path;
            },
        }
    }
}

impl Iterator for SessionReader {
    type Item = Result<Session, LoadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.advance().transpose();
        if !matches!(next, Some(Ok(_))) {
            self.source = Source::Ended;
        }
        next
    }
}

fn count_dirt(session: &Session, dirt: &mut Dirt) {
    let zeros = session.interactions.iter().filter(|act| act.position == Some(0)).count();
    dirt.add_many(DirtKind::PositionZero, zeros as u64);
    let negative = session.judgments.iter().filter(|judgment| judgment.grade < 0.0).count();
    dirt.add_many(DirtKind::NegativeGrade, negative as u64);
    if session.query.as_deref().is_none_or(|query| query.trim().is_empty()) && session.query_vector.is_none() {
        dirt.add(DirtKind::EmptyQuery);
    }
}

impl FileSessions {
    fn open(
        path: &Path,
        format: Option<SessionFormat>,
        memory_bytes: usize,
        dirt: &mut Dirt,
    ) -> Result<Self, LoadError> {
        let format = match format {
            Some(format) => format,
            None => session_format(path)?,
        };
        Ok(match format {
            SessionFormat::Parquet => Self::Table(TableSessions::open(path, TableFormat::Parquet, dirt)?),
            SessionFormat::Arrow => {
                let found = table_format(path)?.filter(|found| *found != TableFormat::Parquet);
                Self::Table(TableSessions::open(path, found.unwrap_or(TableFormat::ArrowFile), dirt)?)
            }
            SessionFormat::Jsonl => Self::Jsonl(JsonlSessions::open(path)?),
            SessionFormat::Csv => Self::Csv(csv::CsvSessions::open(path, memory_bytes, dirt)?),
        })
    }

    /// Opens a file; of one whose rows must be read before it is open, looks at the columns, and of one without columns at the first
    /// session.
    fn look(path: &Path, format: Option<SessionFormat>) -> Result<(), LoadError> {
        let format = format.map_or_else(|| session_format(path), Ok)?;
        let mut dirt = Dirt::default();
        match format {
            SessionFormat::Csv => csv::CsvSessions::look(path),
            // Not all columns of a table are read in every row.
            SessionFormat::Parquet | SessionFormat::Arrow => Self::open(path, Some(format), 0, &mut dirt).map(drop),
            SessionFormat::Jsonl => Self::open(path, Some(format), 0, &mut dirt)?.next_session(&mut dirt).map(drop),
        }
    }

    fn next_session(&mut self, dirt: &mut Dirt) -> Result<Option<(u64, Session)>, LoadError> {
        Ok(match self {
            Self::Table(table) => table.next_session()?,
            Self::Jsonl(lines) => lines.next_session(dirt)?.map(|session| (lines.row(), session)),
            Self::Csv(sessions) => sessions.next_session(dirt)?,
        })
    }
}

/// Returns the format of a file of sessions: by its first bytes, then by its ending, then by its first character.
///
/// # Errors
///
/// Returns [`LoadError::Io`] when the file cannot be read and [`LoadError::Format`] when nothing tells.
pub(super) fn session_format(path: &Path) -> Result<SessionFormat, LoadError> {
    match table_format(path)? {
        Some(TableFormat::Parquet) => return Ok(SessionFormat::Parquet),
        Some(TableFormat::ArrowFile | TableFormat::ArrowStream) => return Ok(SessionFormat::Arrow),
        None => {}
    }
    let name = files::plain_name(path);
    match Path::new(&name).extension().and_then(|ending| ending.to_str()).unwrap_or_default() {
        "parquet" => return Ok(SessionFormat::Parquet),
        "arrow" | "arrows" | "feather" | "ipc" => return Ok(SessionFormat::Arrow),
        "jsonl" | "ndjson" | "json" => return Ok(SessionFormat::Jsonl),
        "csv" => return Ok(SessionFormat::Csv),
        _ => {}
    }
    if first_character(path)? == Some(b'{') {
        return Ok(SessionFormat::Jsonl);
    }
    let reason = "the format cannot be told from the file's first bytes or its ending, expected Parquet, Arrow, JSONL or \
                  CSV; say it with `format = \"parquet\"`, `\"arrow\"`, `\"jsonl\"` or `\"csv\"`";
    Err(LoadError::Format { path: path.to_owned(), reason: reason.into() })
}

fn first_character(path: &Path) -> Result<Option<u8>, LoadError> {
    // Only a look: text that cannot be decompressed is reported by the reader that is chosen.
    let mut head = Vec::new();
    let text = files::open_text(path)?.take(256).read_to_end(&mut head);
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head);
    Ok(text.ok().and_then(|_| head.trim_ascii_start().first().copied()))
}

/// The sessions of a Parquet or Arrow file.
struct TableSessions {
    path: PathBuf,
    reader: TableReader,
    batch: Option<(RecordBatch, usize)>,
    sessions: std::vec::IntoIter<Session>,
    rows_before: u64,
    row: u64,
}

impl TableSessions {
    fn open(path: &Path, format: TableFormat, dirt: &mut Dirt) -> Result<Self, LoadError> {
        let known: Vec<&str> = schema::SESSIONS.fields().iter().map(|field| field.name().as_str()).collect();
        let reader = TableReader::open_columns(path, format, Some(&known))?;
        dirt.add_many(DirtKind::IgnoredColumn, unknown_columns(reader.schema()));
        // A file without rows must not hide that it is no file of sessions.
        let empty = RecordBatch::new_empty(reader.schema().clone());
        normalise_after(&empty, path, 0)?;
        let sessions = Vec::new().into_iter();
        Ok(Self { path: path.to_owned(), reader, batch: None, sessions, rows_before: 0, row: 0 })
    }

    fn next_session(&mut self) -> Result<Option<(u64, Session)>, LoadError> {
        loop {
            if let Some(session) = self.sessions.next() {
                self.row += 1;
                return Ok(Some((self.row, session)));
            }
            if !self.next_slice()? {
                return Ok(None);
            }
        }
    }

    /// Arrow files may hold all their rows in one batch; only a slice of it becomes sessions at a time.
    fn next_slice(&mut self) -> Result<bool, LoadError> {
        let (batch, start) = match self.batch.take() {
            Some(rest) => rest,
            None => match self.reader.next_batch()? {
                Some(batch) => (batch, 0),
                None => return Ok(false),
            },
        };
        let length = SLICE_ROWS.min(batch.num_rows().saturating_sub(start));
        let slice = normalise_after(&batch.slice(start, length), &self.path, self.rows_before)?;
        let sessions = sessions_from_batch(&slice).map_err(|source| LoadError::Damaged {
            path: self.path.clone(),
            format: "session table",
            source: Box::new(source),
        })?;
        self.sessions = sessions.into_iter();
        self.rows_before += length as u64;
        if start + length < batch.num_rows() {
            self.batch = Some((batch, start + length));
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::fixture::{Fixture, files, gzip, read_all};

    fn error_of(fixture: &Fixture, name: &str, content: &[u8]) -> LoadError {
        read_all(&files(&fixture.write(name, content))).0.expect_err(name)
    }

    #[test]
    fn a_file_that_tells_nothing_needs_its_format() {
        let fixture = Fixture::new();
        let path = fixture.write("sessions", "session_id,query\ns1,kettle\n");
        let message = read_all(&files(&path)).0.expect_err("an error").to_string();
        assert!(message.contains("say it with `format = \"parquet\"`"), "{message}");
        let reader = SessionReader::open(&files(&path), Some(SessionFormat::Csv)).expect("a reader");
        let sessions: Vec<Session> = reader.collect::<Result<_, _>>().expect("sessions");
        assert_eq!(sessions[0].query.as_deref(), Some("kettle"));
    }

    #[test]
    fn globs_are_read_in_order_and_must_match() {
        let fixture = Fixture::new();
        fixture.write("b.jsonl", "{\"session_id\":\"2\"}\n");
        fixture.write("a.jsonl.gz", gzip("\u{feff}{\"session_id\":\"1\"}\n\n"));
        let pattern = fixture.folder().join("*.jsonl*").display().to_string();
        let (sessions, dirt) = read_all(&SessionsPath::Files(vec![pattern]));
        let ids: Vec<String> = sessions.expect("sessions").into_iter().map(|session| session.session_id).collect();
        assert_eq!(ids, ["1", "2"]);
        assert_eq!(dirt.count(DirtKind::BlankLine), 1);
        let nothing = SessionsPath::Files(vec![fixture.folder().join("*.csv").display().to_string()]);
        assert!(matches!(read_all(&nothing).0, Err(LoadError::NoMatch { .. })));
    }

    #[test]
    fn an_empty_file_is_no_session_or_a_damaged_table() {
        let fixture = Fixture::new();
        for name in ["a.jsonl", "a.ndjson"] {
            assert_eq!(read_all(&files(&fixture.write(name, ""))).0.expect(name), []);
        }
        assert!(matches!(error_of(&fixture, "a.csv", b""), LoadError::MissingColumn { .. }));
        assert!(matches!(error_of(&fixture, "a.parquet", b""), LoadError::Damaged { format: "Parquet", .. }));
        assert!(matches!(error_of(&fixture, "a.arrow", b""), LoadError::Damaged { .. }));
        assert!(matches!(error_of(&fixture, "a", b""), LoadError::Format { .. }));
    }

    #[test]
    fn damaged_text_is_an_error_that_names_the_line() {
        let fixture = Fixture::new();
        let row = |error: LoadError| match error {
            LoadError::Row { row, .. } => row,
            error => panic!("{error}"),
        };
        assert_eq!(row(error_of(&fixture, "a.jsonl", b"{\"session_id\":\"1\"}\n{\"session_id\":\"\xff\"}\n")), 2);
        assert_eq!(row(error_of(&fixture, "a.jsonl", b"{\"session_id\":\"1\"}\n{\"session_id\":\"2\"")), 2);
        assert_eq!(row(error_of(&fixture, "a.jsonl", b"{\"session_id\":\"a\0b\"}")), 1);
        assert_eq!(row(error_of(&fixture, "a.jsonl", b"\0\0\0\0")), 1);
        assert_eq!(row(error_of(&fixture, "a.csv", b"session_id,query\n1,a\n2,\xff\n")), 3);
        let grade = br#"{"session_id":"1","judgments":[{"item_id":"a","grade":1e39}]}"#;
        assert_eq!(row(error_of(&fixture, "a.jsonl", grade)), 1);
    }

    #[test]
    fn cut_gzip_is_an_error_at_every_length() {
        let fixture = Fixture::new();
        let lines: String = (0..200).map(|number| format!("{{\"session_id\":\"s{number}\"}}\n")).collect();
        let content = gzip(&lines);
        for length in 2..content.len() {
            let error = error_of(&fixture, "a.jsonl.gz", &content[..length]);
            assert!(matches!(error, LoadError::Io { .. } | LoadError::Row { .. }), "cut at {length}: {error}");
        }
    }

    #[test]
    fn the_reader_can_be_sent_to_another_thread() {
        fn sendable<T: Send>() {}
        sendable::<SessionReader>();
    }
}
