//! Where do sessions start in a file that is sorted by session id? A sparse index, made by one pass over the ids.

use std::collections::BTreeSet;

use rayon::iter::{IntoParallelIterator, ParallelIterator};

use crate::load::LoadError;

/// A place where a session starts.
#[derive(Debug)]
pub(super) struct Entry {
    pub id: String,
    /// A row of a table, a byte of a text.
    pub place: u64,
    /// Rows before it.
    pub row: u64,
}

/// What is known of a file, or of a part of it, after a pass over its session ids.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// In the order of the file.
    pub entries: Vec<Entry>,
    /// Rows or lines, wanted or not.
    pub rows: u64,
    /// Bytes or rows, in the unit of [`Entry::place`].
    pub length: u64,
    /// Whether each session's rows stand together and ids ascend.
    pub sorted: bool,
    /// Every retriever id that was met, where the file tells it.
    pub retrievers: BTreeSet<String>,
    /// The 1-based row and the session of the first run that goes on with the session before it.
    pub repeated: Option<(u64, String)>,
    first: Option<(u64, String)>,
    last: Option<String>,
}

impl Index {
    /// Returns the index of nothing.
    pub(super) fn new() -> Self {
        Self { sorted: true, ..Self::default() }
    }

    /// Returns whether no wanted row was met.
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Returns the last entry whose session is not after `id`, else the first of all.
    pub(super) fn find(&self, id: &str) -> Option<&Entry> {
        let after = self.entries.partition_point(|entry| entry.id.as_str() <= id);
        self.entries.get(after.saturating_sub(1))
    }

    /// Notes that rows of a session start at a place. An entry is kept where the last one is `spacing` behind.
    pub(super) fn note(&mut self, id: &str, place: u64, row: u64, spacing: u64) {
        if self.last.as_deref() == Some(id) {
            self.repeat(row, id);
            return;
        }
        match &mut self.last {
            None => {
                self.first = Some((row + 1, id.to_owned()));
                self.last = Some(id.to_owned());
            }
            Some(last) => {
                self.sorted &= last.as_str() < id;
                last.clear();
                last.push_str(id);
            }
        }
        if self.entries.last().is_none_or(|entry| place >= entry.place.saturating_add(spacing)) {
            self.entries.push(Entry { id: id.to_owned(), place, row });
        }
    }

    /// Notes a row that goes on with the session before it.
    pub(super) fn repeat(&mut self, row: u64, id: &str) {
        self.repeated.get_or_insert_with(|| (row + 1, id.to_owned()));
    }

    /// Adds the index of the part that follows.
    pub(super) fn append(&mut self, part: Self) {
        let (rows, length) = (self.rows, self.length);
        self.retrievers.extend(part.retrievers);
        self.rows += part.rows;
        self.length += part.length;
        let Some((first_row, first)) = part.first else { return };
        let goes_on = self.last.as_ref() == Some(&first);
        self.sorted &= part.sorted && self.last.as_ref().is_none_or(|last| *last <= first);
        if goes_on {
            self.repeated.get_or_insert((rows + first_row, first.clone()));
        }
        if let Some((row, id)) = part.repeated {
            self.repeated.get_or_insert((rows + row, id));
        }
        let entries = part.entries.into_iter().filter(|entry| !goes_on || entry.id != first);
        let moved = entries.map(|entry| Entry { place: length + entry.place, row: rows + entry.row, ..entry });
        self.entries.extend(moved);
        self.first.get_or_insert((rows + first_row, first));
        self.last = part.last;
    }
}

/// Makes the index of a file from those of its parts, which are scanned on the available cores.
///
/// # Errors
///
/// Returns the error of the first part that has one.
pub(super) fn scan_parts(
    parts: usize,
    scan: impl Fn(usize) -> Result<Index, LoadError> + Sync,
) -> Result<Index, LoadError> {
    let indexes: Vec<Result<Index, LoadError>> = (0..parts).into_par_iter().map(&scan).collect();
    let mut whole = Index::new();
    for index in indexes {
        whole.append(index?);
    }
    Ok(whole)
}
