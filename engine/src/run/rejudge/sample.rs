//! The sessions that several runs have in common.
//!
//! Samples are sorted by session id, so that one walk over all of them, a chunk of each in memory, finds what they share.

use std::path::{Path, PathBuf};

use super::RejudgeError;
use crate::benchmark::{BorrowedRun, Plan};
use crate::rows::{sessions_from_batch, sessions_to_batch};
use crate::schema::SESSIONS;
use crate::select::{FilterCount, Selection};
use crate::session::Session;
use crate::store::{RunDirectory, StoreError, TableReader, TableWriter, layout, sessions_per_chunk, sha256_of_file};

/// The name under which sessions are counted that not every run has.
const IN_EVERY_RUN: &str = "in every compared run";

/// What several samples have in common.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Common {
    /// Sessions in all samples.
    pub(super) sessions: u64,
    /// Sessions of each.
    pub(super) totals: Vec<u64>,
    /// The first session that is not everywhere, and the first sample that lacks it.
    pub(super) first_missing: Option<(usize, String)>,
}

/// Finds what the samples of runs have in common.
pub(super) fn common(runs: &[&RunDirectory]) -> Result<Common, RejudgeError> {
    if same_bytes(runs)? {
        let sessions = runs.first().map_or(Ok(0), |run| run.table(layout::SESSIONS).map(|sample| sample.rows()))?;
        return Ok(Common { sessions, totals: vec![sessions; runs.len()], first_missing: None });
    }
    walk(runs, |_| Ok(()))
}

/// Writes the sample of a run that borrows: that of the lenders, or what they have in common.
///
/// # Errors
///
/// Returns an error when a lender cannot be read, a session means something else in another one, or the sample cannot be
/// written.
pub(in crate::run) fn borrow_sample(plan: &Plan, run: &RunDirectory) -> Result<Selection, RejudgeError> {
    let lenders: &[BorrowedRun] = plan.borrowed.as_ref().map(|borrowed| borrowed.runs.as_slice()).unwrap_or_default();
    let opened = lenders.iter().map(|lender| RunDirectory::view(&lender.path).map(|(directory, ..)| directory));
    let lenders: Vec<RunDirectory> = opened.collect::<Result<_, StoreError>>()?;
    let lenders: Vec<&RunDirectory> = lenders.iter().collect();
    let Some(first) = lenders.first() else { return Err(RejudgeError::TooFew { found: 0 }) };
    let found = if lenders.len() == 1 { Common::default() } else { common(&lenders)? };
    if found.first_missing.is_none() {
        run.copy_from(first, layout::SESSIONS)?;
        run.copy_from(first, layout::SELECTION)?;
        return Ok(run.read_json(layout::SELECTION)?);
    }
    let path = run.path(layout::SESSIONS);
    let rows_per_group = sessions_per_chunk(found.sessions, false);
    let mut writer = TableWriter::create(&path, SESSIONS.clone(), rows_per_group)?;
    let mut pending: Vec<Session> = Vec::new();
    walk(&lenders, |session| {
        pending.push(session.clone());
        if pending.len() == rows_per_group { write(&path, &mut writer, &mut pending) } else { Ok(()) }
    })?;
    write(&path, &mut writer, &mut pending)?;
    writer.finish()?;
    let before: Selection = first.read_json(layout::SELECTION)?;
    let loaded = found.totals.first().copied().unwrap_or_default();
    let removed = loaded.saturating_sub(found.sessions);
    let selection = Selection {
        loaded,
        filters: vec![FilterCount { filter: IN_EVERY_RUN.to_owned(), removed }],
        eligible: found.sessions,
        sampled: found.sessions,
        strata: Vec::new(),
        dirt: before.dirt,
    };
    run.write_json(layout::SELECTION, &selection)?;
    Ok(selection)
}

fn write(path: &Path, writer: &mut TableWriter, pending: &mut Vec<Session>) -> Result<(), RejudgeError> {
    if pending.is_empty() {
        return Ok(());
    }
    let batch = sessions_to_batch(pending).map_err(|error| StoreError::table(path, error))?;
    pending.clear();
    Ok(writer.write(&batch)?)
}

/// Returns whether the samples are the same files: nearly always they are where nothing differs.
fn same_bytes(runs: &[&RunDirectory]) -> Result<bool, StoreError> {
    let hash = |run: &&RunDirectory| {
        let path = run.path(layout::SESSIONS);
        sha256_of_file(&path).map_err(|source| StoreError::io(&path, source))
    };
    let hashes = runs.iter().map(hash).collect::<Result<Vec<String>, StoreError>>()?;
    Ok(hashes.windows(2).all(|pair| pair.first() == pair.last()))
}

/// Goes through all samples at once, and tells of each session that is in all of them.
fn walk(
    runs: &[&RunDirectory],
    mut tell: impl FnMut(&Session) -> Result<(), RejudgeError>,
) -> Result<Common, RejudgeError> {
    let mut cursors = runs.iter().map(|run| Cursor::open(run)).collect::<Result<Vec<Cursor>, RejudgeError>>()?;
    let mut common =
        Common { totals: cursors.iter().map(|cursor| cursor.sample.rows()).collect(), ..Common::default() };
    while let Some(id) = cursors.iter().filter_map(|cursor| Some(&cursor.session()?.session_id)).min().cloned() {
        let has = |cursor: &Cursor| cursor.session().is_some_and(|session| session.session_id == id);
        match cursors.iter().position(|cursor| !has(cursor)) {
            Some(lacks) => common.first_missing = common.first_missing.or_else(|| Some((lacks, id.clone()))),
            None => {
                check_same(&cursors)?;
                common.sessions += 1;
                if let Some(session) = cursors.first().and_then(Cursor::session) {
                    tell(session)?;
                }
            }
        }
        for cursor in &mut cursors {
            if cursor.session().is_some_and(|session| session.session_id == id) {
                cursor.advance()?;
            }
        }
    }
    Ok(common)
}

/// Refuses sessions of one id that are not the same.
fn check_same(cursors: &[Cursor]) -> Result<(), RejudgeError> {
    let Some((first, session)) = cursors.first().and_then(|cursor| Some((cursor, cursor.session()?))) else {
        return Ok(());
    };
    for cursor in cursors {
        if let Some(field) = cursor.session().and_then(|other| difference(session, other)) {
            let (session, first) = (session.session_id.clone(), first.run.clone());
            return Err(RejudgeError::OtherSession { session, field, first, other: cursor.run.clone() });
        }
    }
    Ok(())
}

/// Returns what differs.
fn difference(one: &Session, other: &Session) -> Option<&'static str> {
    let fields = [
        ("query", one.query == other.query && one.query_vector == other.query_vector && one.inputs == other.inputs),
        ("user or visit", (&one.user_id, &one.visit_id) == (&other.user_id, &other.visit_id)),
        ("timestamp", one.timestamp == other.timestamp),
        ("taxonomy", one.taxonomy == other.taxonomy),
        ("list that was shown", one.shown == other.shown && one.retriever_id == other.retriever_id),
        ("set of interactions", one.interactions == other.interactions),
        ("set of judgments", one.judgments == other.judgments && one.expected == other.expected),
    ];
    fields.iter().find(|(_, same)| !same).map(|(field, _)| *field)
}

/// A sample, read chunk by chunk.
struct Cursor {
    run: PathBuf,
    sample: TableReader,
    next_chunk: usize,
    chunk: std::vec::IntoIter<Session>,
}

impl Cursor {
    fn open(run: &RunDirectory) -> Result<Self, RejudgeError> {
        let sample = run.table(layout::SESSIONS)?;
        let mut cursor = Self { run: run.root().to_owned(), sample, next_chunk: 0, chunk: Vec::new().into_iter() };
        cursor.fill()?;
        Ok(cursor)
    }

    fn session(&self) -> Option<&Session> {
        self.chunk.as_slice().first()
    }

    fn advance(&mut self) -> Result<(), RejudgeError> {
        let Some(passed) = self.chunk.next() else { return Ok(()) };
        self.fill()?;
        match self.session() {
            Some(next) if next.session_id <= passed.session_id => {
                let (run, id, after) = (self.run.clone(), next.session_id.clone(), passed.session_id);
                Err(RejudgeError::Unsorted { run, id, after })
            }
            _ => Ok(()),
        }
    }

    fn fill(&mut self) -> Result<(), RejudgeError> {
        while self.session().is_none() && self.next_chunk < self.sample.groups() {
            let batch = self.sample.group(self.next_chunk)?;
            let sessions = sessions_from_batch(&batch);
            self.chunk = sessions.map_err(|error| StoreError::table(self.sample.path(), error))?.into_iter();
            self.next_chunk += 1;
        }
        Ok(())
    }
}
