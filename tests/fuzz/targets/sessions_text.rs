//! Sessions written as text: JSON lines, CSV, behaviour logs, TREC and BEIR.
//!
//! Asserted: what is read once is read again, also compressed, and a compressed file that is damaged is refused or the
//! same; what is read can be written and is read back as it was; a reader that must make do with little memory returns the
//! same sessions.

use std::path::Path;

use rematch_engine::benchmark::spec::{SessionFormat, SessionsPath, TrecSpec, UbiSpec};
use rematch_engine::load::{LoadError, SessionReader, import, inspect};
use rematch_engine::session::Session;

use super::sessions_table;
use crate::folder::{Folder, gzip};
use crate::input::{Choices, files};

/// What a reader is given where it must make do with little.
const LITTLE_MEMORY_BYTES: usize = 1 << 14;

const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];

pub(super) fn jsonl(folder: &Folder, data: &[u8]) {
    let path = folder.write("sessions.jsonl", data);
    let found = read(&path, SessionFormat::Jsonl);
    check_compressed(folder, data, SessionFormat::Jsonl, &found);
    let Ok(sessions) = found else { return };
    let lines: Vec<String> = sessions.iter().map(|session| serde_json::to_string(session).expect("JSON")).collect();
    let written = folder.write("written.jsonl", lines.join("\n").as_bytes());
    assert_eq!(read(&written, SessionFormat::Jsonl).expect("what was written"), sessions);
    check_import(folder, &files_at(&path), Some(SessionFormat::Jsonl), &sessions);
}

pub(super) fn csv(folder: &Folder, data: &[u8]) {
    let path = folder.write("sessions.csv", data);
    let found = read(&path, SessionFormat::Csv);
    check_compressed(folder, data, SessionFormat::Csv, &found);
    if let Ok(sessions) = found {
        check_import(folder, &files_at(&path), Some(SessionFormat::Csv), &sessions);
    }
}

pub(super) fn ubi(folder: &Folder, data: &[u8]) {
    let [queries, events, application] = files(data);
    let (queries, events) = (folder.write("queries.ndjson", queries), folder.write("events.ndjson", events));
    let (_, _) = (inspect(&queries), inspect(&events));
    let application = Some(String::from_utf8_lossy(application).trim().to_owned()).filter(|name| !name.is_empty());
    let path = SessionsPath::Ubi(UbiSpec { queries: text(&queries), events: text(&events), application });
    check_joined(folder, &path);
}

pub(super) fn trec(folder: &Folder, data: &[u8]) {
    let [qrels, topics] = files(data);
    let topics = (!topics.is_empty()).then(|| folder.write("topics", topics));
    let qrels = folder.write("qrels", qrels);
    let _ = inspect(&qrels);
    if let Some(topics) = &topics {
        let _ = inspect(topics);
    }
    check_joined(folder, &SessionsPath::Trec(TrecSpec { topics: topics.as_deref().map(text), qrels: text(&qrels) }));
}

pub(super) fn beir(folder: &Folder, data: &[u8]) {
    let [queries, qrels] = files(data);
    let _ = inspect(&folder.write("beir/queries.jsonl", queries));
    let _ = inspect(&folder.write("beir/qrels/test.tsv", qrels));
    check_joined(folder, &SessionsPath::Beir(text(&folder.path().join("beir"))));
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn files_at(path: &Path) -> SessionsPath {
    SessionsPath::Files(vec![text(path)])
}

fn read(path: &Path, format: SessionFormat) -> Result<Vec<Session>, LoadError> {
    SessionReader::open(&files_at(path), Some(format))?.collect()
}

fn read_within(path: &SessionsPath, memory_bytes: usize) -> Result<Vec<Session>, LoadError> {
    SessionReader::open_within(path, None, memory_bytes)?.collect()
}

/// gzip has a checksum: the same rows, or an error.
fn check_compressed(folder: &Folder, data: &[u8], format: SessionFormat, found: &Result<Vec<Session>, LoadError>) {
    // Compressed twice is not text.
    if data.starts_with(GZIP_MAGIC) {
        return;
    }
    let mut content = gzip(data);
    let path = folder.write("sessions.gz", &content);
    let again = read(&path, format);
    match (found, &again) {
        (Ok(found), Ok(again)) => assert_eq!(found, again),
        // Where something is wrong, it is so in the same row.
        (Err(found), Err(again)) => assert_eq!(row(found), row(again), "{found}; {again}"),
        _ => panic!("{found:?}, compressed {again:?}"),
    }
    let mut choices = Choices::new(data);
    if choices.damage(&mut content) > 0
        && content.starts_with(GZIP_MAGIC)
        && let (Ok(found), Ok(damaged)) = (found, read(&folder.write("sessions.gz", &content), format))
    {
        assert_eq!(&damaged, found, "damaged content with a checksum");
    }
}

fn row(error: &LoadError) -> Option<u64> {
    match error {
        LoadError::Row { row, .. } => Some(*row),
        _ => None,
    }
}

/// Sessions that are joined from several files, or grouped.
fn check_joined(folder: &Folder, path: &SessionsPath) {
    let found = read_within(path, usize::MAX);
    let with_little = read_within(path, LITTLE_MEMORY_BYTES);
    match (&found, with_little) {
        (Ok(found), Ok(little)) => assert_eq!(by_id(found.clone()), by_id(little)),
        (_, Err(LoadError::Memory { .. })) => {}
        (Ok(_), Err(error)) => panic!("only with little memory: {error}"),
        (Err(error), Ok(_)) => panic!("only with much memory: {error}"),
        (Err(_), Err(_)) => {}
    }
    if let Ok(sessions) = found {
        check_import(folder, path, None, &sessions);
    }
}

/// Sessions come in another order where memory is short.
fn by_id(mut sessions: Vec<Session>) -> Vec<Session> {
    sessions.sort_by(|left, right| left.session_id.cmp(&right.session_id));
    sessions
}

/// What is imported is what was read, unless an id occurs twice. The format is that of reading: text that begins as an
/// Arrow file does is detected as one.
fn check_import(folder: &Folder, path: &SessionsPath, format: Option<SessionFormat>, sessions: &[Session]) {
    let out = folder.path().join("imported.parquet");
    let imported = SessionReader::open(path, format).and_then(|reader| import(reader, &out));
    let repeats = by_id(sessions.to_vec()).windows(2).any(|pair| pair[0].session_id == pair[1].session_id);
    match imported {
        Ok(summary) => {
            assert!(!repeats, "a repeated id is imported");
            assert_eq!(summary.sessions, sessions.len() as u64);
            assert_eq!(sessions_table::read(&out).expect("what was imported"), sessions);
        }
        Err(LoadError::Empty { .. }) => assert!(sessions.is_empty()),
        Err(error) => assert!(repeats, "what can be read cannot be imported: {error}"),
    }
}
