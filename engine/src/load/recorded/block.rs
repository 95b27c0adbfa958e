//! A stretch of a file's hits, grouped by session.

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use datafusion::arrow::array::{Array, Float64Array, Int32Array, Int64Array, StringArray, UInt64Array};
use datafusion::arrow::compute::concat;
use datafusion::arrow::error::ArrowError;

use super::table::Table;
use crate::load::{LoadError, columnar};

/// Hits of consecutive sessions: run `i` holds those of session `ids[i]`.
pub(super) struct Block {
    /// One session id per run, none null.
    pub ids: StringArray,
    /// Each run's hits, as places in `items`, `scores` and `ranks`.
    pub bounds: Vec<Range<usize>>,
    /// One item per hit; null where the file has none.
    pub items: StringArray,
    /// `None` where the file has no scores.
    pub scores: Option<Float64Array>,
    /// One per hit, or what there is instead.
    pub ranks: Ranks,
    /// Where the hits stand in the file.
    pub rows: Rows,
    /// The failures that were recorded in place of hits; null where there is none.
    pub failures: Option<Failures>,
    /// One latency per run.
    pub latencies: Option<Int64Array>,
    /// Rows that cannot be understood, in the order of their runs.
    pub faults: Vec<Fault>,
}

/// The ranks of a block's hits.
pub(super) enum Ranks {
    /// There are none: the order in the file is the rank.
    OfOrder,
    Read(Int64Array),
    /// As most tables have them; they need no more room while they rise.
    Narrow(NarrowRanks),
    /// They stand in a table, none of them is null, and nobody needs them as long as the scores decide.
    Left(LeftRanks),
}

/// Ranks of 32 bits.
pub(super) struct NarrowRanks {
    pub ranks: Int32Array,
    wide: OnceLock<Int64Array>,
}

impl NarrowRanks {
    pub(super) fn new(ranks: Int32Array) -> Self {
        Self { ranks, wide: OnceLock::new() }
    }

    fn get(&self) -> &Int64Array {
        self.wide.get_or_init(|| self.ranks.unary(i64::from))
    }
}

/// The ranks of consecutive rows of a table.
pub(super) struct LeftRanks {
    table: Arc<Table>,
    first_row: u64,
    rows: usize,
    read: OnceLock<Int64Array>,
}

impl LeftRanks {
    pub(super) fn new(table: Arc<Table>, first_row: u64, rows: usize) -> Self {
        Self { table, first_row, rows, read: OnceLock::new() }
    }

    fn get(&self) -> Result<&Int64Array, LoadError> {
        if let Some(ranks) = self.read.get() {
            return Ok(ranks);
        }
        let ranks = self.table.ranks(self.first_row, self.rows)?;
        Ok(self.read.get_or_init(|| ranks))
    }
}

impl Ranks {
    /// Returns the ranks, one per hit, reading them where that was left; `None` where the order in the file is the rank.
    pub(super) fn get(&self) -> Result<Option<&Int64Array>, LoadError> {
        match self {
            Self::Left(left) => left.get().map(Some),
            ranks => Ok(ranks.read()),
        }
    }

    /// Returns the ranks, one per hit, where they are read already.
    pub(super) fn read(&self) -> Option<&Int64Array> {
        match self {
            Self::OfOrder | Self::Left(_) => None,
            Self::Read(ranks) => Some(ranks),
            Self::Narrow(narrow) => Some(narrow.get()),
        }
    }

    fn slice(&self, start: usize, length: usize) -> Self {
        match self {
            Self::OfOrder => Self::OfOrder,
            Self::Read(ranks) => Self::Read(ranks.slice(start, length)),
            Self::Narrow(narrow) => Self::Narrow(NarrowRanks::new(narrow.ranks.slice(start, length))),
            Self::Left(left) => match left.read.get() {
                Some(ranks) => Self::Read(ranks.slice(start, length)),
                None => Self::Left(LeftRanks::new(Arc::clone(&left.table), left.first_row + start as u64, length)),
            },
        }
    }

    /// Returns the ranks of blocks that follow each other.
    fn join(path: &Path, pieces: &[Block]) -> Result<Self, LoadError> {
        let mut left = pieces.iter().map(|piece| match &piece.ranks {
            Self::Left(left) => Some(left),
            _ => None,
        });
        if let Some(Some(first)) = left.next()
            && let Some(rows) = left.try_fold(first.rows, |rows, left| Some(rows + left?.rows))
        {
            return Ok(Self::Left(LeftRanks::new(Arc::clone(&first.table), first.first_row, rows)));
        }
        let ranks = pieces.iter().map(|piece| piece.ranks.get()).collect::<Result<Vec<_>, _>>()?;
        let ranks = joined(ranks.into_iter()).map_err(|error| columnar::damaged(path, error))?;
        Ok(ranks.map_or(Self::OfOrder, Self::Read))
    }
}

/// Recorded failures, one per run.
pub(super) struct Failures {
    pub kinds: StringArray,
    pub messages: Option<StringArray>,
}

/// A row that cannot be understood.
pub(super) struct Fault {
    pub run: usize,
    /// 1-based.
    pub row: u64,
    pub reason: String,
}

/// The 1-based rows that hits stand in.
pub(super) enum Rows {
    /// Each hit in its own row, this one first.
    From(u64),
    /// Each hit in its own row.
    OfHits(UInt64Array),
    /// All hits of a run in one row.
    OfRuns(Vec<u64>),
}

impl Block {
    /// Returns the 1-based row of a hit of a run.
    pub(super) fn row(&self, run: usize, hit: usize) -> u64 {
        match &self.rows {
            Rows::From(first) => first + hit as u64,
            Rows::OfHits(rows) => rows.values().get(hit).copied().unwrap_or_default(),
            Rows::OfRuns(rows) => rows.get(run).copied().unwrap_or_default(),
        }
    }

    /// Returns the last session id.
    pub(super) fn last_id(&self) -> Option<&str> {
        self.ids.len().checked_sub(1).map(|last| self.ids.value(last))
    }

    /// Takes off the last run, which the next block may go on with. For blocks of one row per hit.
    pub(super) fn split_last(mut self) -> (Option<Self>, Option<Self>) {
        let Some(run) = self.bounds.len().checked_sub(1) else { return (None, None) };
        let last = self.only(run);
        if run == 0 {
            return (None, last);
        }
        self.ids = self.ids.slice(0, run);
        self.bounds.truncate(run);
        self.faults.retain(|fault| fault.run < run);
        (Some(self), last)
    }

    /// Takes off the first run, which goes on from the block before. For blocks of one row per hit.
    pub(super) fn split_first(mut self) -> (Option<Self>, Option<Self>) {
        let first = self.only(0);
        let runs = self.bounds.len();
        if runs <= 1 {
            return (first, None);
        }
        self.ids = self.ids.slice(1, runs - 1);
        self.bounds.remove(0);
        self.faults.retain_mut(|fault| {
            let later = fault.run > 0;
            fault.run = fault.run.saturating_sub(1);
            later
        });
        (first, Some(self))
    }

    /// Returns a block of one run, sharing the hits.
    fn only(&self, run: usize) -> Option<Self> {
        let bounds = self.bounds.get(run)?.clone();
        let (start, length) = (bounds.start, bounds.len());
        let rows = match &self.rows {
            Rows::From(first) => Rows::From(first + start as u64),
            Rows::OfHits(rows) => Rows::OfHits(rows.slice(start, length)),
            Rows::OfRuns(rows) => Rows::OfRuns(rows.get(run).copied().into_iter().collect()),
        };
        let faults = self.faults.iter().filter(|fault| fault.run == run);
        Some(Self {
            ids: self.ids.slice(run, 1),
            bounds: std::iter::once(0..length).collect(),
            items: self.items.slice(start, length),
            scores: self.scores.as_ref().map(|scores| scores.slice(start, length)),
            ranks: self.ranks.slice(start, length),
            rows,
            failures: None,
            latencies: None,
            faults: faults.map(|fault| Fault { run: 0, row: fault.row, reason: fault.reason.clone() }).collect(),
        })
    }

    /// Returns one block of the pieces of a session that was cut by the ends of blocks, or `None` for no piece.
    pub(super) fn join(path: &Path, mut pieces: Vec<Self>) -> Result<Option<Self>, LoadError> {
        if pieces.len() < 2 {
            return Ok(pieces.pop());
        }
        let damaged = |error| columnar::damaged(path, error);
        let items = joined(pieces.iter().map(|piece| Some(&piece.items))).map_err(damaged)?;
        let scores = joined(pieces.iter().map(|piece| piece.scores.as_ref())).map_err(damaged)?;
        let ranks = Ranks::join(path, &pieces)?;
        let rows: UInt64Array = pieces
            .iter()
            .flat_map(|piece| piece.bounds.iter().flat_map(|hits| hits.clone().map(|hit| piece.row(0, hit))))
            .collect();
        let faults = pieces.iter_mut().flat_map(|piece| std::mem::take(&mut piece.faults)).collect();
        let Some(first) = pieces.first() else { return Ok(None) };
        let items = items.unwrap_or_else(|| StringArray::new_null(0));
        Ok(Some(Self {
            ids: first.ids.clone(),
            bounds: std::iter::once(0..items.len()).collect(),
            items,
            scores,
            ranks,
            rows: Rows::OfHits(rows),
            failures: None,
            latencies: None,
            faults,
        }))
    }
}

/// Returns the arrays one after the other; `None` where one is missing.
fn joined<'a, A: Array + Clone + 'static>(
    arrays: impl Iterator<Item = Option<&'a A>>,
) -> Result<Option<A>, ArrowError> {
    let Some(arrays) = arrays.map(|array| array.map(|array| array as &dyn Array)).collect::<Option<Vec<_>>>() else {
        return Ok(None);
    };
    Ok(concat(&arrays)?.as_any().downcast_ref::<A>().cloned())
}
