//! The documents that may be among the best of a query, so far.

use super::super::top::{Candidate, Top};
use super::nearness::{Nearness, Query};

/// Room for documents beyond twice the depth before the list is shortened.
const SLACK: usize = 256;

/// A document whose score lies between two bounds; equal bounds are the score itself.
#[derive(Debug, Clone, Copy)]
struct Entry {
    document: u32,
    lower: f64,
    upper: f64,
}

/// Keeps every document whose score may be among the `depth` best, in memory for about twice as many.
#[derive(Debug)]
pub(super) struct Shortlist {
    depth: usize,
    room: usize,
    entries: Vec<Entry>,
    cutoff: f64,
}

impl Shortlist {
    /// Returns an empty list; `documents` are as many as will ever be offered.
    pub(super) fn new(depth: usize, documents: usize) -> Self {
        let depth = depth.min(documents);
        Self { depth, room: 2 * depth + SLACK, entries: Vec::new(), cutoff: f64::NEG_INFINITY }
    }

    /// Returns the score that a document must reach: `depth` documents are known to do so.
    pub(super) fn cutoff(&self) -> f64 {
        self.cutoff
    }

    /// Adds a document, each at most once, whose score is `score` but for `error`.
    pub(super) fn offer(&mut self, nearness: &Nearness, query: &Query<'_>, document: u32, score: f64, error: f64) {
        let (lower, upper) = (score - error, score + error);
        if upper < self.cutoff {
            return;
        }
        self.entries.push(Entry { document, lower, upper });
        if self.entries.len() >= self.room {
            self.shorten(nearness, query);
        }
    }

    /// Takes off what cannot be among the best; where bounds are too wide to tell, scores are computed.
    fn shorten(&mut self, nearness: &Nearness, query: &Query<'_>) {
        self.prune();
        if self.entries.len() > self.depth + SLACK / 2 {
            self.rank(nearness, query);
        }
    }

    /// Takes off what is below as many bounds as there are best.
    fn prune(&mut self) {
        if self.entries.len() <= self.depth {
            return;
        }
        let worst_of_best = self.depth.saturating_sub(1);
        let descending = |left: &Entry, right: &Entry| right.lower.total_cmp(&left.lower);
        let (_, entry, _) = self.entries.select_nth_unstable_by(worst_of_best, descending);
        self.cutoff = self.cutoff.max(entry.lower);
        let cutoff = self.cutoff;
        self.entries.retain(|entry| entry.upper >= cutoff);
    }

    /// Keeps the best by their scores.
    fn rank(&mut self, nearness: &Nearness, query: &Query<'_>) {
        for entry in &mut self.entries {
            if entry.lower < entry.upper {
                entry.lower = nearness.score(query, entry.document);
                entry.upper = entry.lower;
            }
        }
        let place = |entry: &Entry| nearness.table().order().place(entry.document);
        self.entries.sort_unstable_by(|left, right| {
            right.lower.total_cmp(&left.lower).then_with(|| place(left).cmp(&place(right)))
        });
        self.entries.truncate(self.depth);
        if let Some(last) = self.entries.last().filter(|_| self.entries.len() == self.depth) {
            self.cutoff = last.lower;
        }
    }

    /// Returns the best documents with their scores.
    pub(super) fn into_best(mut self, nearness: &Nearness, query: &Query<'_>) -> Vec<Candidate> {
        self.prune();
        let mut top = Top::new(self.depth);
        self.entries.iter().for_each(|entry| top.push(nearness.candidate(query, entry.document)));
        top.into_sorted()
    }
}
