//! Sessions of any layout written as native Parquet: the fast path, and one file to hand on.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::array::{Array as _, AsArray, RecordBatch};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::file::properties::WriterProperties;
use serde::Serialize;
use tempfile::NamedTempFile;

use super::dirt::Dirt;
use super::repeats::{Repeat, find_repeated_session, repeated_session, visit_rows};
use super::{LoadError, SessionReader};
use crate::rows::sessions_to_batch;
use crate::schema::{self, column};
use crate::session::Session;

/// Sessions per row group: what a reader skips or decodes at once.
const ROW_GROUP_SESSIONS: usize = 4096;

/// What was imported.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ImportSummary {
    /// Number of sessions written.
    pub sessions: u64,
    /// Number of interactions in them.
    pub interactions: u64,
    /// Number of judgments in them.
    pub judgments: u64,
    /// What was dirty in the input.
    pub dirt: Dirt,
}

/// Writes every session of `reader`, in its order, to the Parquet file `out` in the schema [`schema::SESSIONS`].
///
/// The file appears complete or not at all: it is written beside `out` and renamed; an existing file is replaced. Ids that
/// do not ascend are looked for repeats in what was written, before the file gets its name.
///
/// # Errors
///
/// Returns whatever the reader returns; [`LoadError::Duplicate`] for a repeated `session_id` ([`LoadError::Row`] where the
/// first is in another file); [`LoadError::Empty`] when there is no session; [`LoadError::Write`] when `out` cannot be
/// written.
pub fn import(mut reader: SessionReader, out: &Path) -> Result<ImportSummary, LoadError> {
    let mut writer = SessionsWriter::create(out, Compression::ZSTD(ZstdLevel::default()))?;
    let read = read_all(&mut reader, out, |group| writer.write(&group))?;
    writer.publish(&reader, &read)?;
    Ok(read.summary)
}

/// What was read.
pub(super) struct Read {
    pub(super) summary: ImportSummary,
    /// Whether the ids ascend.
    pub(super) ascending: bool,
}

impl Read {
    /// Refuses what was read of `reader` where an id occurs twice; `find` looks for one among so many sessions, if they do not ascend.
    pub(super) fn refuse_repeats(
        &self,
        reader: &SessionReader,
        find: impl FnOnce(u64) -> Result<Option<Repeat>, LoadError>,
    ) -> Result<(), LoadError> {
        match self.ascending {
            true => Ok(()),
            false => match find(self.summary.sessions)? {
                Some(repeat) => Err(repeated_session(&repeat, |number| reader.place_of(number))?),
                None => Ok(()),
            },
        }
    }
}

/// Reads every session of `reader` and hands groups of at most [`ROW_GROUP_SESSIONS`], which are to be written to `out`, on to `take`.
///
/// # Errors
///
/// Returns what the reader and `take` return, and [`LoadError::Empty`] when there is no session.
pub(super) fn read_all(
    reader: &mut SessionReader,
    out: &Path,
    mut take: impl FnMut(RecordBatch) -> Result<(), LoadError>,
) -> Result<Read, LoadError> {
    let read = Read { summary: ImportSummary::default(), ascending: true };
    let mut seen = Seen { read, last: String::new() };
    while let Some(group) = reader.next_columns(ROW_GROUP_SESSIONS)? {
        seen.columns(&group);
        take(group)?;
    }
    let mut group = Vec::with_capacity(ROW_GROUP_SESSIONS);
    for session in reader.by_ref() {
        let session = session?;
        seen.session(&session);
        group.push(session);
        if group.len() == ROW_GROUP_SESSIONS {
            take(to_batch(out, &group)?)?;
            group.clear();
        }
    }
    if seen.read.summary.sessions == 0 {
        return Err(LoadError::Empty { path: reader.path().to_owned(), what: "sessions" });
    }
    if !group.is_empty() {
        take(to_batch(out, &group)?)?;
    }
    seen.read.summary.dirt = reader.dirt().clone();
    Ok(seen.read)
}

/// What was read so far.
struct Seen {
    read: Read,
    /// The id that came last.
    last: String,
}

impl Seen {
    fn session(&mut self, session: &Session) {
        self.id(&session.session_id);
        self.read.summary.interactions += session.interactions.len() as u64;
        self.read.summary.judgments += session.judgments.len() as u64;
    }

    fn columns(&mut self, sessions: &RecordBatch) {
        let elements = |name| {
            let lists = sessions.column_by_name(name).and_then(|array| array.as_list_opt::<i32>());
            lists.map_or(0, |lists| lists.values().len()) as u64
        };
        visit_rows(sessions, &mut |id| {
            self.id(id);
            true
        });
        self.read.summary.interactions += elements(column::INTERACTIONS);
        self.read.summary.judgments += elements(column::JUDGMENTS);
    }

    fn id(&mut self, id: &str) {
        self.read.ascending &= self.last.as_str() < id;
        id.clone_into(&mut self.last);
        self.read.summary.sessions += 1;
    }
}

/// Returns sessions that are to be written to `out` as a batch.
pub(super) fn to_batch(out: &Path, sessions: &[Session]) -> Result<RecordBatch, LoadError> {
    sessions_to_batch(sessions).map_err(|error| not_written(out, std::io::Error::other(error)))
}

/// A Parquet file that appears under its name when it is finished.
pub(super) struct SessionsWriter {
    path: PathBuf,
    file: NamedTempFile,
    writer: ArrowWriter<File>,
}

impl SessionsWriter {
    pub(super) fn create(path: &Path, compression: Compression) -> Result<Self, LoadError> {
        let io = |source| not_written(path, source);
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = new_file_in(folder).map_err(|error| io(of_folder(folder, &error)))?;
        let properties = WriterProperties::builder()
            .set_compression(compression)
            .set_max_row_group_row_count(Some(ROW_GROUP_SESSIONS))
            .build();
        let handle = file.reopen().map_err(io)?;
        let writer = ArrowWriter::try_new(handle, Arc::clone(&schema::SESSIONS), Some(properties));
        let writer = writer.map_err(|error| io(std::io::Error::other(error)))?;
        Ok(Self { path: path.to_owned(), file, writer })
    }

    /// Writes a batch as a row group.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), LoadError> {
        let written = self.writer.write(batch).and_then(|()| self.writer.flush());
        written.map_err(|error| self.failed(std::io::Error::other(error)))
    }

    /// Writes the footer, looks for repeated ids where they do not ascend, and gives the file its name.
    pub(super) fn publish(self, reader: &SessionReader, read: &Read) -> Result<(), LoadError> {
        let path = self.path.clone();
        let written = self.finish()?;
        read.refuse_repeats(reader, |sessions| find_repeated_session(written.path(), sessions))?;
        written.persist(&path).map_err(|error| not_written(&path, error.error))?;
        Ok(())
    }

    /// Writes the footer and returns the file, which has no name yet.
    fn finish(mut self) -> Result<NamedTempFile, LoadError> {
        // Not by taking the file out of the writer, which makes words of what the system says.
        let finished = self.writer.finish().map_err(std::io::Error::other);
        finished.and_then(|_| self.writer.inner().sync_all()).map_err(|error| self.failed(error))?;
        Ok(self.file)
    }

    fn failed(&self, error: std::io::Error) -> LoadError {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let needed = (self.writer.bytes_written() + self.writer.in_progress_size()) as u64;
        let room = LoadError::of_room(&self.path, folder, needed, &error);
        room.unwrap_or_else(|| not_written(&self.path, error))
    }
}

fn not_written(path: &Path, source: std::io::Error) -> LoadError {
    LoadError::Write { path: path.to_owned(), source }
}

/// Returns why no file can be made in a folder, without the name that the file has on the way.
fn of_folder(folder: &Path, error: &std::io::Error) -> std::io::Error {
    let kind = error.kind();
    match folder.is_dir() {
        true => std::io::Error::from(kind),
        false => std::io::Error::new(kind, format!("there is no folder `{}`", folder.display())),
    }
}

/// Temporary files are private to their owner by default; this one is to become an ordinary file.
fn new_file_in(folder: &Path) -> std::io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.prefix(".rematch-import-").tempfile_in(folder)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::benchmark::spec::SessionsPath;
    use crate::load::fixture::{Fixture, files, read_all};
    use crate::session::{Interaction, Judgment, ShownItem};

    fn imported(fixture: &Fixture, path: &SessionsPath) -> Result<ImportSummary, LoadError> {
        import(SessionReader::open(path, None)?, &fixture.folder().join("out.parquet"))
    }

    #[test]
    fn sessions_are_written_in_order_and_in_row_groups() {
        let fixture = Fixture::new();
        let lines: String = (0..9000)
            .map(|number| {
                let judgments = "\"judgments\":[{\"item_id\":\"a\",\"grade\":1}]";
                let acts = "\"interactions\":[{\"item_id\":\"a\",\"kind\":\"click\",\"position\":0}]";
                format!("{{\"session_id\":\"s{number}\",{judgments},{acts}}}\n")
            })
            .collect();
        let summary = imported(&fixture, &files(&fixture.write("a.jsonl", lines))).expect("a summary");
        assert_eq!((summary.sessions, summary.interactions, summary.judgments), (9000, 9000, 9000));
        let json = serde_json::to_value(&summary).expect("JSON");
        assert_eq!(json["dirt"]["position_zero"], 9000);
        let out = fixture.folder().join("out.parquet");
        let sessions = read_all(&files(&out)).0.expect("sessions");
        assert!(sessions.iter().enumerate().all(|(number, session)| session.session_id == format!("s{number}")));
        let reader = datafusion::parquet::file::reader::SerializedFileReader::new(File::open(&out).expect("a file"));
        let metadata = datafusion::parquet::file::reader::FileReader::metadata(&reader.expect("Parquet")).clone();
        let rows: Vec<i64> = metadata.row_groups().iter().map(|group| group.num_rows()).collect();
        assert_eq!(rows, [4096, 4096, 808]);
        assert_eq!(std::fs::read_dir(fixture.folder()).expect("a folder").count(), 2);
    }

    #[test]
    fn a_repeated_id_names_both_rows_and_leaves_nothing_behind() {
        let fixture = Fixture::new();
        let line = |id: &str| format!("{{\"session_id\":\"{id}\"}}\n");
        let first = fixture.write("a.jsonl", line("x") + "\n" + &line("y") + &line("x"));
        let message = imported(&fixture, &files(&first)).expect_err("an error").to_string();
        assert!(message.contains("row 4: duplicate session_id `x`, first seen in row 1"), "{message}");
        fixture.write("a.jsonl", line("x"));
        let second = fixture.write("b.jsonl", line("z") + &line("x"));
        let both = SessionsPath::Files([&first, &second].map(|path| path.display().to_string()).to_vec());
        let message = imported(&fixture, &both).expect_err("an error").to_string();
        assert!(message.contains("b.jsonl`, row 2: duplicate session_id `x`, first seen in `"), "{message}");
        assert!(message.contains("a.jsonl`, row 1"), "{message}");
        assert_eq!(std::fs::read_dir(fixture.folder()).expect("a folder").count(), 2);
    }

    #[test]
    fn nothing_to_import_is_an_error() {
        let fixture = Fixture::new();
        let result = imported(&fixture, &files(&fixture.write("a.jsonl", "\n")));
        assert!(matches!(result, Err(LoadError::Empty { what: "sessions", .. })));
        let nowhere = fixture.folder().join("missing/out.parquet");
        let reader = SessionReader::open(&files(&fixture.write("b.jsonl", "{\"session_id\":\"1\"}")), None);
        let error = import(reader.expect("a reader"), &nowhere).expect_err("no such folder");
        assert_eq!(error.to_string(), format!("cannot write `{}`", nowhere.display()));
        let why = std::error::Error::source(&error).expect("a reason").to_string();
        assert!(why.contains("there is no folder `") && !why.contains(".rematch-import"), "{why}");
    }

    fn id() -> impl Strategy<Value = String> {
        "[a-zA-Z0-9é🦀 \"\\\\,|\t]{1,6}"
    }

    fn sessions() -> impl Strategy<Value = Vec<Session>> {
        let shown = (id(), proptest::option::of(-1e6..1e6_f64), proptest::option::of(0.01..1.0_f64))
            .prop_map(|(item_id, score, propensity)| ShownItem { item_id, score, propensity });
        let act = (id(), id(), any::<Option<u32>>(), any::<Option<i64>>(), proptest::option::of(-1e6..1e6_f64));
        let act = act.prop_map(|(item_id, kind, position, timestamp, value)| Interaction {
            item_id,
            kind,
            position,
            timestamp,
            value,
        });
        let judgment = (id(), -5..5_i8).prop_map(|(item_id, grade)| Judgment { item_id, grade: f32::from(grade) });
        let texts = (proptest::option::of(id()), proptest::option::of(id()), proptest::option::of(id()));
        let lists = (
            proptest::option::of(proptest::collection::vec(-1e3..1e3_f32, 0..4)),
            proptest::collection::vec(id(), 0..3),
            proptest::collection::vec(shown, 0..4),
            proptest::collection::vec(act, 0..4),
            proptest::collection::vec(judgment, 0..4),
        );
        let session = (any::<Option<i64>>(), texts, lists);
        let session = session.prop_map(|(timestamp, (visit_id, query, inputs), lists)| Session {
            visit_id,
            timestamp,
            query,
            inputs,
            query_vector: lists.0,
            taxonomy: lists.1,
            shown: lists.2,
            interactions: lists.3,
            judgments: lists.4,
            ..Session::default()
        });
        proptest::collection::vec(session, 1..8).prop_map(|mut sessions| {
            for (number, session) in sessions.iter_mut().enumerate() {
                session.session_id = format!("s{number}");
            }
            sessions
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn any_sessions_survive_jsonl_and_the_import(sessions in sessions()) {
            let fixture = Fixture::new();
            let lines: Vec<String> =
                sessions.iter().map(|session| serde_json::to_string(session).expect("JSON")).collect();
            let path = fixture.write("a.jsonl", lines.join("\n"));
            prop_assert_eq!(&read_all(&files(&path)).0.expect("sessions"), &sessions);
            imported(&fixture, &files(&path)).expect("a summary");
            let out = fixture.folder().join("out.parquet");
            prop_assert_eq!(&read_all(&files(&out)).0.expect("sessions"), &sessions);
        }
    }
}
