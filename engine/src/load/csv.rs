//! CSV with a header line: one row per interaction, per judgment or per session, grouped by `session_id`.
//!
//! Columns are named as in the session schema: `session_id` (required), `visit_id`, `user_id`, `timestamp`,
//! `retriever_id`, `query`, `inputs`, `taxonomy` (nodes separated by `|`), `shown` (item ids separated by `|`), `expected`;
//! and for one act or judgment per row `item_id`, `kind`, `position`, `value`, `grade`. Times are RFC 3339 text or
//! milliseconds since the Unix epoch; a row's `timestamp` is the time of its interaction, and the first one is the time of
//! the session. The rows of a session need not follow each other, so a file is grouped in memory: as a whole where the memory
//! limit allows it, else in several passes, each over a share of the sessions. An empty field is a missing value. Columns of other names are ignored and counted.
//!
//! Not for: corpora; they are read elsewhere.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ::csv::{ErrorKind, Reader, ReaderBuilder, StringRecord};

use super::LoadError;
use super::dirt::{Dirt, DirtKind};
use super::files::open_text;
use super::held::Held;
use super::instant::parse_exact_instant;
use super::trec::Share;
use super::validity::session_fault;
use crate::schema::column;
use crate::session::{Interaction, Judgment, Session, ShownItem};

/// Separates the taxonomy nodes and the shown items of one field.
const SEPARATOR: char = '|';

/// What a row takes in memory besides its text, and a session besides its first row.
const ROW_BYTES: usize = 160;
const SESSION_BYTES: usize = 480;

const COLUMNS: [&str; 15] = [
    column::SESSION_ID,
    column::VISIT_ID,
    column::USER_ID,
    column::TIMESTAMP,
    column::RETRIEVER_ID,
    column::QUERY,
    column::INPUTS,
    column::TAXONOMY,
    column::SHOWN,
    column::EXPECTED,
    column::ITEM_ID,
    column::KIND,
    column::POSITION,
    column::VALUE,
    column::GRADE,
];

/// The sessions of a CSV file, each with the line of its first row: in order of first appearance, or so within each share
/// where the file takes several passes.
pub(super) struct CsvSessions {
    path: PathBuf,
    memory_bytes: usize,
    share: Share,
    sessions: std::vec::IntoIter<(u64, Session)>,
}

/// Shares are powers of two up to this: more passes are no way to read a file.
const MOST_SHARES: u64 = 256;

impl CsvSessions {
    /// Opens a file of which about `memory_bytes` are held at once.
    ///
    /// # Errors
    ///
    /// Returns [`LoadError::Io`] when the file cannot be read, [`LoadError::MissingColumn`] when there is no `session_id`,
    /// [`LoadError::Format`] when two columns have the same name, [`LoadError::Row`] for a row that cannot be understood, and
    /// [`LoadError::Memory`] when a session, or the share of one in [`MOST_SHARES`], takes more than the limit.
    pub(super) fn open(path: &Path, memory_bytes: usize, dirt: &mut Dirt) -> Result<Self, LoadError> {
        let before = dirt.clone();
        let (share, sessions) = match read(path, memory_bytes, Share::WHOLE, dirt) {
            Err(LoadError::Memory { .. }) => {
                *dirt = before;
                let share = Share { number: 0, of: shares(path, memory_bytes)? };
                (share, read(path, memory_bytes, share, dirt)?)
            }
            sessions => (Share::WHOLE, sessions?),
        };
        Ok(Self { path: path.to_owned(), memory_bytes, share, sessions: sessions.into_iter() })
    }

    /// Looks at the columns of a file.
    ///
    /// # Errors
    ///
    /// Returns an error that [`CsvSessions::open`] returns too.
    pub(super) fn look(path: &Path) -> Result<(), LoadError> {
        let mut reader = ReaderBuilder::new().from_reader(open_text(path)?);
        Header::read(path, &mut reader, &mut Dirt::default()).map(drop)
    }

    /// Returns the next session with its line, or `None` at the end.
    ///
    /// # Errors
    ///
    /// Returns what [`CsvSessions::open`] does.
    pub(super) fn next_session(&mut self, dirt: &mut Dirt) -> Result<Option<(u64, Session)>, LoadError> {
        loop {
            if let Some(found) = self.sessions.next() {
                return Ok(Some(found));
            }
            let Some(share) = self.share.next() else { return Ok(None) };
            self.share = share;
            self.sessions = read(&self.path, self.memory_bytes, share, dirt)?.into_iter();
        }
    }
}

/// Returns how many shares the sessions of a file are read in so that each fits, by one look at how long the rows are.
fn shares(path: &Path, memory_bytes: usize) -> Result<u64, LoadError> {
    let mut reader = ReaderBuilder::new().from_reader(open_text(path)?);
    let header = Header::read(path, &mut reader, &mut Dirt::default())?;
    let mut bytes = vec![0_usize; MOST_SHARES as usize];
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| row_error(path, error))? {
        let id = Row { header: &header, record: &record, line: 0 }.text(column::SESSION_ID).unwrap_or_default();
        if let Some(bytes) = bytes.get_mut((Share::place(id) % MOST_SHARES) as usize) {
            // As if each row began a session.
            *bytes = bytes.saturating_add(record.as_slice().len() + ROW_BYTES + SESSION_BYTES);
        }
    }
    let fits = |of: u64| {
        let of = of as usize;
        (0..of).all(|number| bytes.iter().skip(number).step_by(of).sum::<usize>() <= memory_bytes)
    };
    let powers = (1..=MOST_SHARES.ilog2()).map(|power| 1 << power);
    Ok(powers.into_iter().find(|of| fits(*of)).unwrap_or(MOST_SHARES))
}

/// Returns the sessions of one share of a file.
fn read(path: &Path, memory_bytes: usize, share: Share, dirt: &mut Dirt) -> Result<Vec<(u64, Session)>, LoadError> {
    let mut reader = ReaderBuilder::new().from_reader(open_text(path)?);
    let mut said_before = Dirt::default();
    let header = Header::read(path, &mut reader, if share.number == 0 { dirt } else { &mut said_before })?;
    let mut grouped = Grouped::default();
    let mut held = Held::new(memory_bytes, "grouping the rows of each session");
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| row_error(path, error))? {
        let line = record.position().map_or(0, ::csv::Position::line);
        let row = Row { header: &header, record: &record, line };
        if !row.text(column::SESSION_ID).is_none_or(|id| share.holds(id)) {
            continue;
        }
        let sessions = grouped.sessions.len();
        grouped.add(&row, dirt)?;
        let added = if grouped.sessions.len() > sessions { SESSION_BYTES } else { 0 };
        held.add(path, record.as_slice().len() + ROW_BYTES + added)?;
    }
    for (line, session) in &grouped.sessions {
        if let Some(reason) = session_fault(session) {
            return Err(LoadError::Row { path: path.to_owned(), row: *line, reason });
        }
    }
    Ok(grouped.sessions)
}

/// Returns the error of a row that the CSV decoder refuses.
pub(super) fn row_error(path: &Path, error: ::csv::Error) -> LoadError {
    let row = error.position().map_or(0, ::csv::Position::line);
    let path = path.to_owned();
    let reason = match error.kind() {
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("found {len} fields, expected {expected_len} as in the header")
        }
        ErrorKind::Utf8 { err, .. } => format!("field {} is not UTF-8 text", err.field() + 1),
        _ => error.to_string(),
    };
    match error.into_kind() {
        ErrorKind::Io(source) => LoadError::Io { path, source },
        _ => LoadError::Row { path, row, reason },
    }
}

/// Where each known column stands.
struct Header {
    path: PathBuf,
    positions: HashMap<&'static str, usize>,
}

impl Header {
    fn read(path: &Path, reader: &mut Reader<impl Read>, dirt: &mut Dirt) -> Result<Self, LoadError> {
        let names = reader.headers().map_err(|error| row_error(path, error))?;
        let mut positions = HashMap::new();
        for (position, name) in names.iter().enumerate() {
            let Some(known) = COLUMNS.into_iter().find(|known| *known == name.trim()) else {
                dirt.add(DirtKind::IgnoredColumn);
                continue;
            };
            if positions.insert(known, position).is_some() {
                let reason = format!("two columns are named `{known}`, expected one");
                return Err(LoadError::Format { path: path.to_owned(), reason });
            }
        }
        if !positions.contains_key(column::SESSION_ID) {
            let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            let available = if quoted.is_empty() { "none".into() } else { quoted.join(", ") };
            let column = column::SESSION_ID.to_owned();
            return Err(LoadError::MissingColumn { path: path.to_owned(), column, available });
        }
        Ok(Self { path: path.to_owned(), positions })
    }
}

struct Row<'a> {
    header: &'a Header,
    record: &'a StringRecord,
    line: u64,
}

impl<'a> Row<'a> {
    fn text(&self, name: &str) -> Option<&'a str> {
        let field = self.record.get(*self.header.positions.get(name)?)?;
        (!field.trim().is_empty()).then_some(field)
    }

    fn owned(&self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    fn number<T: FromStr>(&self, name: &str, expected: &str) -> Result<Option<T>, LoadError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let number = text.trim().parse();
        number.map(Some).map_err(|_| self.error(format!("`{name}` is `{text}`, expected {expected}")))
    }

    fn timestamp(&self) -> Result<Option<i64>, LoadError> {
        let Some(text) = self.text(column::TIMESTAMP) else { return Ok(None) };
        let expected = "RFC 3339 text such as `2026-01-01T00:00:00Z` or milliseconds";
        parse_exact_instant(text)
            .map(Some)
            .ok_or_else(|| self.error(format!("`{}` is `{text}`, expected {expected}", column::TIMESTAMP)))
    }

    fn elements(&self, name: &str) -> Vec<String> {
        let elements = self.text(name).into_iter().flat_map(|text| text.split(SEPARATOR));
        elements.map(str::trim).filter(|element| !element.is_empty()).map(str::to_owned).collect()
    }

    fn error(&self, reason: String) -> LoadError {
        LoadError::Row { path: self.header.path.clone(), row: self.line, reason }
    }
}

/// The sessions met so far, in order of first appearance.
#[derive(Default)]
struct Grouped {
    sessions: Vec<(u64, Session)>,
    positions: HashMap<String, usize>,
    grades: HashMap<(usize, String), usize>,
}

impl Grouped {
    fn add(&mut self, row: &Row<'_>, dirt: &mut Dirt) -> Result<(), LoadError> {
        let id = row.text(column::SESSION_ID);
        let id = id.ok_or_else(|| row.error(format!("`{}` is empty", column::SESSION_ID)))?;
        let index = match self.positions.get(id) {
            Some(index) => *index,
            None => {
                self.sessions.push((row.line, Session { session_id: id.to_owned(), ..Session::default() }));
                self.positions.insert(id.to_owned(), self.sessions.len() - 1);
                self.sessions.len() - 1
            }
        };
        let timestamp = row.timestamp()?;
        let Some((_, session)) = self.sessions.get_mut(index) else { return Ok(()) };
        if fill(session, row, timestamp) {
            dirt.add(DirtKind::ConflictingSessionValue);
        }
        let kind = row.owned(column::KIND);
        let position = row.number(column::POSITION, "a whole number, 1 or more")?;
        let value = row.number(column::VALUE, "a number")?;
        let grade = row.number(column::GRADE, "a number")?;
        let Some(item_id) = row.owned(column::ITEM_ID) else {
            if kind.is_some() || position.is_some() || value.is_some() || grade.is_some() {
                dirt.add(DirtKind::ActWithoutItem);
            }
            return Ok(());
        };
        if kind.is_none() && grade.is_none() {
            dirt.add(DirtKind::ItemWithoutAct);
        }
        if let Some(grade) = grade {
            judge(session, &mut self.grades, index, Judgment { item_id: item_id.clone(), grade }, dirt);
        }
        if let Some(kind) = kind {
            session.interactions.push(Interaction { item_id, kind, position, timestamp, value });
        }
        Ok(())
    }
}

fn judge(
    session: &mut Session,
    grades: &mut HashMap<(usize, String), usize>,
    index: usize,
    judgment: Judgment,
    dirt: &mut Dirt,
) {
    let known = grades.entry((index, judgment.item_id.clone())).or_insert(session.judgments.len());
    match session.judgments.get_mut(*known) {
        None => session.judgments.push(judgment),
        Some(earlier) if earlier.grade == judgment.grade => dirt.add(DirtKind::DuplicateJudgment),
        Some(earlier) => {
            dirt.add(DirtKind::ContradictingJudgment);
            earlier.grade = judgment.grade;
        }
    }
}

/// Fills what the session does not have yet, and returns whether the row disagrees with what it has.
fn fill(session: &mut Session, row: &Row<'_>, timestamp: Option<i64>) -> bool {
    let mut conflict = false;
    for (name, slot) in [
        (column::VISIT_ID, &mut session.visit_id),
        (column::USER_ID, &mut session.user_id),
        (column::RETRIEVER_ID, &mut session.retriever_id),
        (column::QUERY, &mut session.query),
        (column::INPUTS, &mut session.inputs),
        (column::EXPECTED, &mut session.expected),
    ] {
        match (row.text(name), slot.as_deref()) {
            (Some(text), None) => *slot = Some(text.to_owned()),
            (Some(text), Some(known)) => conflict |= text != known,
            (None, _) => {}
        }
    }
    session.timestamp = session.timestamp.or(timestamp);
    let taxonomy = row.elements(column::TAXONOMY);
    conflict |= keep_first(&mut session.taxonomy, taxonomy);
    let item = |item_id| ShownItem { item_id, ..ShownItem::default() };
    let shown = row.elements(column::SHOWN).into_iter().map(item).collect();
    conflict | keep_first(&mut session.shown, shown)
}

fn keep_first<T: PartialEq>(known: &mut Vec<T>, found: Vec<T>) -> bool {
    if known.is_empty() {
        *known = found;
        return false;
    }
    !found.is_empty() && *known != found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::fixture::{Fixture, files, gzip, read_all};

    const LOG: &str = "\u{feff}session_id,timestamp,query,taxonomy,shown,item_id,kind,position,value,grade,colour\n\
        s1,2026-01-01T00:00:00Z,\"tea\nkettle\",home/kitchen|gifts,a|b,a,click,1,,,red\n\
        s2,1767225600000,cup,,,,,,,,\n\
        s1,2026-01-01T00:00:05Z,,,,b,dwell,2,12.5,,\n\
        s1,,teapot,,,b,,,,2,\n\
        s1,,,,,b,,,,2,\n\
        s1,,,,,b,,,,-1,\n\
        s1,,,,,c,,,,,\n\
        s1,,,,,,click,,,,\n";

    #[test]
    fn rows_of_a_session_are_grouped_wherever_they_stand() {
        let fixture = Fixture::new();
        for (name, content) in [("a.csv", LOG.as_bytes().to_vec()), ("b.csv.gz", gzip(LOG))] {
            let (sessions, dirt) = read_all(&files(&fixture.write(name, content)));
            let sessions = sessions.expect("sessions");
            assert_eq!(sessions.len(), 2);
            let first = &sessions[0];
            assert_eq!((first.query.as_deref(), first.timestamp), (Some("tea\nkettle"), Some(1_767_225_600_000)));
            assert_eq!(first.taxonomy, ["home/kitchen", "gifts"]);
            assert_eq!(first.shown.iter().map(|item| item.item_id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
            let acts: Vec<_> = first
                .interactions
                .iter()
                .map(|act| (act.item_id.as_str(), act.kind.as_str(), act.position, act.timestamp, act.value))
                .collect();
            let (start, later) = (1_767_225_600_000, 1_767_225_605_000);
            assert_eq!(
                acts,
                [("a", "click", Some(1), Some(start), None), ("b", "dwell", Some(2), Some(later), Some(12.5))]
            );
            assert_eq!(first.judgments, [Judgment { item_id: "b".into(), grade: -1.0 }]);
            assert_eq!((sessions[1].session_id.as_str(), sessions[1].timestamp), ("s2", Some(start)));
            for kind in [
                DirtKind::IgnoredColumn,
                DirtKind::ConflictingSessionValue,
                DirtKind::DuplicateJudgment,
                DirtKind::ContradictingJudgment,
                DirtKind::ItemWithoutAct,
                DirtKind::ActWithoutItem,
                DirtKind::NegativeGrade,
            ] {
                assert_eq!(dirt.count(kind), 1, "{kind}");
            }
        }
    }

    #[test]
    fn a_bad_field_names_row_and_column() {
        let fixture = Fixture::new();
        let header = "session_id,item_id,kind,position,value,grade,timestamp\n";
        for (line, part) in [
            ("s,a,click,first,,,", "row 3: `position` is `first`, expected a whole number"),
            ("s,a,click,-1,,,", "row 3: `position` is `-1`"),
            ("s,a,click,1.5,,,", "row 3: `position` is `1.5`"),
            ("s,a,click,,much,,", "row 3: `value` is `much`, expected a number"),
            ("s,a,,,,good,", "row 3: `grade` is `good`"),
            ("s,a,,,,,yesterday", "row 3: `timestamp` is `yesterday`"),
            ("s,a,,,,,2026-01-01T00:00:00", "row 3: `timestamp`"),
            (",a,click,,,,", "row 3: `session_id` is empty"),
            ("s,a,click", "row 3: found 3 fields, expected 7"),
        ] {
            let path = fixture.write("a.csv", format!("{header}s,,,,,,\n{line}\n"));
            let message = read_all(&files(&path)).0.expect_err("an error").to_string();
            assert!(message.contains(part), "{message}");
        }
        for (grade, part) in [("NaN", "`judgments.grade` is NaN"), ("inf", "`judgments.grade` is inf")] {
            let path = fixture.write("a.csv", format!("{header}s,a,,,,{grade},\n"));
            let message = read_all(&files(&path)).0.expect_err("an error").to_string();
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn a_bad_header_is_refused() {
        let fixture = Fixture::new();
        let message =
            |content: &str| read_all(&files(&fixture.write("a.csv", content))).0.expect_err("an error").to_string();
        assert!(message("id;query\n1;a\n").contains("no column `session_id`; it has `id;query`"));
        assert!(message("session_id,query,query\n1,a,b\n").contains("two columns are named `query`"));
    }
}
