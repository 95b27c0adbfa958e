//! Every ranking of a file in memory: for callers that ask for sessions one by one, and what the streaming reader is checked against.

mod table;
mod trec_run;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::benchmark::HitOrder;
use crate::load::columnar::listed;
use crate::load::{LoadError, files};
use crate::session::Hit;

/// What a file of rankings says of one session: hits (an empty list is a legal answer) or a failure, never both.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::load) struct RecordedRanking {
    /// Best first; no item twice; scores never increase.
    pub(in crate::load) hits: Vec<Hit>,
    /// The failure, where the recorded retriever failed.
    pub(in crate::load) failure: Option<RecordedFailure>,
}

/// A failure that was recorded in place of a ranking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::load) struct RecordedFailure {
    /// The kind, as recorded.
    pub(in crate::load) kind: String,
    /// The failure in words; may be empty.
    pub(in crate::load) message: String,
}

/// The rankings of one retriever by session.
#[derive(Debug, Clone, Default)]
pub(in crate::load) struct RecordedRankings {
    by_session: BTreeMap<String, RecordedRanking>,
}

impl RecordedRankings {
    /// Returns the session's ranking, or `None` where nothing was recorded.
    #[must_use]
    pub(in crate::load) fn get(&self, session_id: &str) -> Option<&RecordedRanking> {
        self.by_session.get(session_id)
    }

    /// Returns the number of sessions.
    #[must_use]
    #[cfg(test)]
    pub(in crate::load) fn len(&self) -> usize {
        self.by_session.len()
    }

    /// Returns the session ids in ascending order.
    pub(in crate::load) fn session_ids(&self) -> impl Iterator<Item = &str> {
        self.by_session.keys().map(String::as_str)
    }
}

/// Reads rankings from a TREC run (gzip allowed) or a Parquet table.
///
/// A table is in the schema [`crate::schema::RANKINGS`], columns matched by name, or flat with one row per hit: a session
/// ([`SESSION_NAMES`]), an item ([`ITEM_NAMES`]), and `rank`, `score` or both. A topic of a run is a session id. `retriever_id`
/// picks rows of a table by that column, and lines of a run by their tag.
///
/// [`SESSION_NAMES`]: super::columns::SESSION_NAMES
/// [`ITEM_NAMES`]: super::columns::ITEM_NAMES
///
/// [`HitOrder::Strict`] orders hits by score descending, then rank, then item id ascending; hits without scores by
/// rank. [`HitOrder::TrecEval`] follows trec_eval: scores in single precision, descending, ties by item id
/// descending, ranks ignored; hits without scores stay in their order. [`HitOrder::Rank`] takes ranks alone, and no scores.
///
/// # Errors
///
/// Names file and row for a line that is not of the format, a score that is no finite number and an item listed twice
/// for one session; returns [`LoadError::Format`] when a table holds several retrievers and none was picked, or holds none
/// of that id, and [`LoadError::Empty`] when there is nothing in the file.
pub(in crate::load) fn read(
    path: &Path,
    retriever_id: Option<&str>,
    order: HitOrder,
) -> Result<RecordedRankings, LoadError> {
    let mut recording = Recording::new(path, retriever_id, order);
    if files::plain_name(path).ends_with(".parquet") || files::starts_with(path, b"PAR1")? {
        table::read(path, &mut recording)?;
    } else {
        trec_run::read(path, &mut recording)?;
    }
    recording.finish()
}

/// One hit as it stands in a file.
struct Entry {
    item_id: String,
    rank: i64,
    score: Option<f64>,
    /// 1-based line or row.
    row: u64,
}

/// The rankings read so far.
struct Recording<'a> {
    path: &'a Path,
    retriever_id: Option<&'a str>,
    order: HitOrder,
    /// Every retriever id in the file.
    found: BTreeSet<String>,
    entries: BTreeMap<String, Vec<Entry>>,
    failures: BTreeMap<String, RecordedFailure>,
}

impl<'a> Recording<'a> {
    fn new(path: &'a Path, retriever_id: Option<&'a str>, order: HitOrder) -> Self {
        let (found, entries, failures) = (BTreeSet::new(), BTreeMap::new(), BTreeMap::new());
        Self { path, retriever_id, order, found, entries, failures }
    }

    /// Notes a retriever id of the file, and returns whether its rows are wanted.
    fn wants(&mut self, retriever_id: &str) -> bool {
        if !self.found.contains(retriever_id) {
            self.found.insert(retriever_id.to_owned());
        }
        self.retriever_id.is_none_or(|wanted| wanted == retriever_id)
    }

    fn row_error(&self, row: u64, reason: String) -> LoadError {
        LoadError::Row { path: self.path.to_owned(), row, reason }
    }

    /// Adds one hit.
    fn push(&mut self, session_id: &str, mut entry: Entry) -> Result<(), LoadError> {
        if self.order == HitOrder::Rank {
            entry.score = None;
        }
        if let Some(score) = entry.score {
            if !score.is_finite() {
                return Err(self.row_error(entry.row, format!("score `{score}`, expected a finite number")));
            }
            if self.order == HitOrder::TrecEval {
                #[expect(clippy::cast_possible_truncation, reason = "trec_eval keeps scores in single precision")]
                let single = score as f32;
                entry.score = Some(f64::from(single));
            }
        }
        match self.entries.get_mut(session_id) {
            Some(entries) => entries.push(entry),
            None => {
                self.entries.insert(session_id.to_owned(), vec![entry]);
            }
        }
        Ok(())
    }

    /// Refuses a table of several retrievers of which none was picked.
    fn check_one_retriever(&self) -> Result<(), LoadError> {
        if self.retriever_id.is_some() || self.found.len() < 2 {
            return Ok(());
        }
        let found = listed(self.found.iter().map(String::as_str));
        let reason = format!("the rankings of several retrievers: {found}; pick one with `retriever-id`");
        Err(LoadError::Format { path: self.path.to_owned(), reason })
    }

    fn finish(self) -> Result<RecordedRankings, LoadError> {
        if self.entries.is_empty() && self.failures.is_empty() {
            let path = self.path.to_owned();
            return match self.retriever_id {
                Some(wanted) if !self.found.is_empty() => {
                    let found = listed(self.found.iter().map(String::as_str));
                    Err(LoadError::Format { path, reason: format!("no rankings of `{wanted}`; it has {found}") })
                }
                _ => Err(LoadError::Empty { path, what: "rankings" }),
            };
        }
        self.check_duplicates()?;
        let (path, order) = (self.path, self.order);
        let mut by_session = BTreeMap::new();
        for (session_id, mut entries) in self.entries {
            check_scores(path, &entries)?;
            entries.sort_by(|left, right| compare(left, right, order));
            let hits = entries.into_iter().map(|entry| Hit { item_id: entry.item_id, score: entry.score }).collect();
            by_session.insert(session_id, RecordedRanking { hits, failure: None });
        }
        for (session_id, failure) in self.failures {
            by_session.insert(session_id, RecordedRanking { hits: Vec::new(), failure: Some(failure) });
        }
        Ok(RecordedRankings { by_session })
    }

    /// Finds the first row that repeats an item of its session.
    fn check_duplicates(&self) -> Result<(), LoadError> {
        let mut earliest: Option<(u64, u64, String)> = None;
        for (session_id, entries) in &self.entries {
            let mut by_item: Vec<(&str, u64)> =
                entries.iter().map(|entry| (entry.item_id.as_str(), entry.row)).collect();
            by_item.sort_unstable();
            for ((item, first), (next, row)) in by_item.iter().zip(by_item.iter().skip(1)) {
                if item == next && earliest.as_ref().is_none_or(|(earliest, ..)| row < earliest) {
                    earliest = Some((*row, *first, format!("{session_id} {item}")));
                }
            }
        }
        match earliest {
            Some((row, first, id)) => {
                Err(LoadError::Duplicate { path: self.path.to_owned(), row, what: "session and item", id, first })
            }
            None => Ok(()),
        }
    }
}

/// Refuses a ranking in which only some hits have a score: it has no order.
fn check_scores(path: &Path, entries: &[Entry]) -> Result<(), LoadError> {
    let without = entries.iter().find(|entry| entry.score.is_none());
    match without {
        Some(entry) if entries.iter().any(|entry| entry.score.is_some()) => Err(LoadError::Row {
            path: path.to_owned(),
            row: entry.row,
            reason: format!("item `{}` has no score, but other items of the session have one", entry.item_id),
        }),
        _ => Ok(()),
    }
}

fn compare(left: &Entry, right: &Entry, order: HitOrder) -> Ordering {
    let (Some(left_score), Some(right_score)) = (left.score, right.score) else { return left.rank.cmp(&right.rank) };
    // -0.0 and 0.0 are a tie.
    let by_score = right_score.partial_cmp(&left_score).unwrap_or(Ordering::Equal);
    by_score.then_with(|| match order {
        HitOrder::Strict | HitOrder::Rank => left.rank.cmp(&right.rank).then_with(|| left.item_id.cmp(&right.item_id)),
        HitOrder::TrecEval => right.item_id.cmp(&left.item_id),
    })
}

#[cfg(test)]
mod tests;
