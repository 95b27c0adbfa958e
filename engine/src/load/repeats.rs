//! Ids that occur twice, found in memory that does not grow with their number.
//!
//! Ids that ascend need no memory at all. Others are hashed: each pass over them keeps the hashes of one share of all
//! ids, sorted afterwards, and only ids whose hashes meet are looked at themselves.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use datafusion::arrow::array::{Array, AsArray, RecordBatch};

use super::LoadError;
use super::native::SessionBatches;
use crate::schema::column;

/// Hashes kept in one pass: 64 MiB.
const HASHES_PER_PASS: u64 = 8 << 20;
/// Ids looked at themselves.
const MAX_SUSPECTS: usize = 1 << 16;

/// An id that occurs twice, with the numbers of its first two occurrences, counted from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Repeat {
    pub(super) id: String,
    pub(super) first: u64,
    pub(super) second: u64,
}

/// Something that can give its ids again and again, always in the same order, until `visit` returns `false`.
pub(super) trait Ids {
    fn visit(&self, visit: &mut dyn FnMut(&str) -> bool) -> Result<(), LoadError>;
}

/// Returns an id that occurs twice, or `None`. `count` is the number of ids, repeats included.
pub(super) fn find_repeat(ids: &impl Ids, count: u64) -> Result<Option<Repeat>, LoadError> {
    find_repeat_within(ids, count, HASHES_PER_PASS)
}

fn find_repeat_within(ids: &impl Ids, count: u64, hashes_per_pass: u64) -> Result<Option<Repeat>, LoadError> {
    let passes = count.div_ceil(hashes_per_pass).max(1);
    for pass in 0..passes {
        let mut hashes = Vec::new();
        ids.visit(&mut |id| {
            let hash = hash(id);
            if hash % passes == pass {
                hashes.push(hash);
            }
            true
        })?;
        hashes.sort_unstable();
        let met = hashes.windows(2).filter_map(|pair| match pair {
            [one, other] if one == other => Some(*one),
            _ => None,
        });
        let suspects: HashSet<u64> = met.take(MAX_SUSPECTS).collect();
        drop(hashes);
        if let Some(repeat) = first_repeat(ids, &suspects)? {
            return Ok(Some(repeat));
        }
    }
    Ok(None)
}

fn hash(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}

fn first_repeat(ids: &impl Ids, suspects: &HashSet<u64>) -> Result<Option<Repeat>, LoadError> {
    if suspects.is_empty() {
        return Ok(None);
    }
    let mut met: HashMap<String, u64> = HashMap::new();
    let mut found = None;
    let mut number = 0;
    ids.visit(&mut |id| {
        if suspects.contains(&hash(id))
            && let Some(first) = met.insert(id.to_owned(), number)
        {
            found = Some(Repeat { id: id.to_owned(), first, second: number });
        }
        number += 1;
        found.is_none()
    })?;
    Ok(found)
}

/// The `session_id`s of native Parquet files.
struct SessionIds<'a>(&'a [PathBuf]);

impl Ids for SessionIds<'_> {
    fn visit(&self, visit: &mut dyn FnMut(&str) -> bool) -> Result<(), LoadError> {
        let mut batches = SessionBatches::new(self.0, &[]);
        while let Some(batch) = batches.next_batch()? {
            if !visit_rows(&batch, visit) {
                break;
            }
        }
        Ok(())
    }
}

/// The `session_id`s of batches of sessions.
struct RowIds<'a>(&'a [RecordBatch]);

impl Ids for RowIds<'_> {
    fn visit(&self, visit: &mut dyn FnMut(&str) -> bool) -> Result<(), LoadError> {
        self.0.iter().all(|batch| visit_rows(batch, visit));
        Ok(())
    }
}

/// Visits the ids of a batch, and returns whether to go on.
pub(super) fn visit_rows(batch: &RecordBatch, visit: &mut dyn FnMut(&str) -> bool) -> bool {
    let ids = batch.column_by_name(column::SESSION_ID).and_then(|array| array.as_string_opt::<i32>());
    ids.into_iter().flat_map(|ids| (0..ids.len()).map(|row| ids.value(row))).all(visit)
}

/// The ids of native Parquet files, looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SessionOrder {
    /// Number of sessions.
    pub(crate) sessions: u64,
    /// Whether the ids ascend over all files in their order.
    pub(crate) ascending: bool,
}

/// Reads the session ids of native Parquet files and returns whether they ascend.
///
/// # Errors
///
/// Returns [`LoadError::Duplicate`] when an id occurs twice ([`LoadError::Row`] where the first is in another file), and
/// what reading meets.
pub(crate) fn check_session_ids(files: &[PathBuf]) -> Result<SessionOrder, LoadError> {
    let order = session_order(files)?;
    if !order.ascending
        && let Some(repeat) = find_repeat(&SessionIds(files), order.sessions)?
    {
        return Err(repeated_session(&repeat, |number| place_of(files, number))?);
    }
    Ok(order)
}

/// Returns an id that occurs twice in a native Parquet file, or `None`.
pub(super) fn find_repeated_session(file: &Path, sessions: u64) -> Result<Option<Repeat>, LoadError> {
    find_repeat(&SessionIds(&[file.to_owned()]), sessions)
}

/// Returns an id that occurs twice in batches of sessions, or `None`.
pub(super) fn find_repeated_row(batches: &[RecordBatch], sessions: u64) -> Result<Option<Repeat>, LoadError> {
    find_repeat(&RowIds(batches), sessions)
}

fn session_order(files: &[PathBuf]) -> Result<SessionOrder, LoadError> {
    let mut order = SessionOrder { sessions: 0, ascending: true };
    let mut last = String::new();
    SessionIds(files).visit(&mut |id| {
        // No id is empty, so the first one is above an empty text.
        order.ascending &= last.as_str() < id;
        order.sessions += 1;
        if order.ascending {
            last.clear();
            last.push_str(id);
        }
        true
    })?;
    Ok(order)
}

/// Returns the file and the 1-based row of the session of that number.
fn place_of(files: &[PathBuf], number: u64) -> Result<(PathBuf, u64), LoadError> {
    let mut before = 0;
    for file in files {
        let rows = super::native::session_count(file)?.rows;
        if number < before + rows {
            return Ok((file.clone(), number - before + 1));
        }
        before += rows;
    }
    Ok((files.last().cloned().unwrap_or_default(), number + 1))
}

/// Returns the error of a repeated session id, given where the sessions of both numbers stand.
pub(super) fn repeated_session(
    repeat: &Repeat,
    place: impl Fn(u64) -> Result<(PathBuf, u64), LoadError>,
) -> Result<LoadError, LoadError> {
    let ((first_path, first), (path, row)) = (place(repeat.first)?, place(repeat.second)?);
    let id = repeat.id.clone();
    if first_path == path {
        return Ok(LoadError::Duplicate { path, row, what: column::SESSION_ID, id, first });
    }
    let reason = format!("duplicate session_id `{id}`, first seen in `{}`, row {first}", first_path.display());
    Ok(LoadError::Row { path, row, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Listed(Vec<String>);

    impl Ids for Listed {
        fn visit(&self, visit: &mut dyn FnMut(&str) -> bool) -> Result<(), LoadError> {
            self.0.iter().all(|id| visit(id));
            Ok(())
        }
    }

    #[test]
    fn a_repeat_is_found_in_any_number_of_passes() {
        let mut ids: Vec<String> = (0..1000).map(|number| format!("s{number}")).collect();
        for hashes_per_pass in [1000, 100, 7] {
            assert_eq!(find_repeat_within(&Listed(ids.clone()), 1000, hashes_per_pass).expect("no error"), None);
        }
        ids[900] = "s17".to_owned();
        let expected = Repeat { id: "s17".into(), first: 17, second: 900 };
        for hashes_per_pass in [1000, 100, 7] {
            let found = find_repeat_within(&Listed(ids.clone()), 1000, hashes_per_pass).expect("no error");
            assert_eq!(found.as_ref(), Some(&expected));
        }
    }
}
