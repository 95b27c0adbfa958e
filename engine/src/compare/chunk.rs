//! One chunk of the run as arrays: what its users did, and what every arm made of it.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use datafusion::arrow::array::{Array, AsArray, BinaryArray, Float64Array, ListArray, RecordBatch, UInt32Array};
use datafusion::arrow::datatypes::UInt32Type;

use super::columns::{Damaged, binaries, list, numbers, text_column};
use super::exposure::{self, LoggedSession};
use super::question::Question;
use super::tables::Tables;
use super::touched::{self, TouchedSession};
use crate::rows::list_range;
use crate::schema::column;
use crate::store::StoreError;

/// How much of a chunk is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// Everything that is summed up.
    Whole,
    /// The measures and what decides which of them make a pair.
    Pairs,
    /// These, and latencies.
    TimedPairs,
}

/// A chunk's columns.
pub(super) struct Chunk {
    pub(super) rows: usize,
    pub(super) arms: Vec<ArmChunk>,
    /// The sessions whose users acted on something, in the chunk's order. Nothing where only pairs are read.
    pub(super) touched: Vec<TouchedSession>,
    /// The sessions that nobody judged, in the chunk's order; none where it is not asked what clicks can tell.
    pub(super) logged: Vec<LoggedSession>,
    /// The rows under each taxonomy node.
    pub(super) nodes: BTreeMap<String, Vec<u32>>,
    /// The judgments, where all is read and they were for what clicks can tell.
    pub(super) judgments: Option<ListArray>,
}

/// One arm's columns of a chunk.
pub(super) struct ArmChunk {
    /// One per measure.
    pub(super) measures: Vec<Float64Array>,
    pub(super) failed: Vec<bool>,
    pub(super) any_failed: bool,
    pub(super) hit_count: UInt32Array,
    /// The ranks of each of the chunk's touched sessions' items; 0 for one that was not returned.
    pub(super) ranks: Vec<Vec<u32>>,
    /// The ranks of each of the chunk's logged sessions' items in the top; 0 for one that is not there.
    pub(super) exposed: Vec<Vec<u32>>,
    /// Judged hits of the top; null where a session has no judgments. Nothing where only pairs are read.
    pub(super) top_judged: Option<UInt32Array>,
    /// Keys of the top items. Nothing where only pairs are read.
    pub(super) top_items: Option<BinaryArray>,
    /// What ties could make of each metric. Nothing where only pairs are read.
    pub(super) tie_bounds: Option<ListArray>,
    /// All columns that were read.
    pub(super) batch: RecordBatch,
}

impl ArmChunk {
    /// Returns the measure's value, `None` where it is undefined.
    pub(super) fn value(&self, measure: usize, row: usize) -> Option<f64> {
        let values = self.measures.get(measure)?;
        values.is_valid(row).then(|| values.value(row))
    }

    pub(super) fn has_failed(&self, row: usize) -> bool {
        self.any_failed && self.failed.get(row).copied().unwrap_or(true)
    }

    /// Returns the rank of an item of a touched session, both as numbers in their lists.
    pub(super) fn rank(&self, session: usize, item: usize) -> Option<NonZeroUsize> {
        let rank = self.ranks.get(session)?.get(item)?;
        NonZeroUsize::new(usize::try_from(*rank).ok()?)
    }
}

impl Chunk {
    pub(super) fn read(question: &Question<'_>, tables: &impl Tables, extent: Extent) -> Result<Self, StoreError> {
        let damaged = |error: Damaged| StoreError::table(&tables.sessions_path(), error);
        let of_sessions = session_columns(question, extent);
        let sessions = tables.sessions(&of_sessions)?;
        let more = |name: &str| match of_sessions.contains(&name) {
            true => Ok(sessions.clone()),
            false => tables.sessions(&[name]).map_err(Damaged::from),
        };
        let touched = match extent {
            Extent::Whole => touched::read(&question.plan.relevance, &sessions, more).map_err(damaged)?,
            Extent::Pairs | Extent::TimedPairs => Vec::new(),
        };
        let nodes = touched::nodes(&sessions).map_err(damaged)?;
        let logged = match &question.clicks {
            Some(_) => exposure::logged_sessions(question, &sessions).map_err(damaged)?,
            None => Vec::new(),
        };
        let rows = sessions.num_rows();
        let columns = arm_columns(question, extent, !touched.is_empty(), !logged.is_empty());
        let mut arms = Vec::with_capacity(question.arms);
        for arm in 0..question.arms {
            let batch = tables.arm(arm, &columns, rows)?;
            arms.push(
                ArmChunk::of(question, batch, (&touched, &logged), extent)
                    .map_err(|error| StoreError::table(&tables.arm_path(arm), error))?,
            );
        }
        let judgments = extent == Extent::Whole && of_sessions.contains(&column::JUDGMENTS);
        let judgments = judgments.then(|| list(&sessions, column::JUDGMENTS).cloned()).transpose().map_err(damaged)?;
        Ok(Self { rows, arms, touched, logged, nodes, judgments })
    }
}

/// Returns the columns of the sample that are read of every chunk.
pub(super) fn session_columns(question: &Question<'_>, extent: Extent) -> Vec<&'static str> {
    let mut columns = vec![column::TAXONOMY];
    if extent == Extent::Whole || question.clicks.is_some() {
        columns.push(column::INTERACTIONS);
    }
    if question.clicks.is_some() {
        columns.extend([column::SHOWN, column::JUDGMENTS]);
    }
    columns
}

/// Returns the columns of each arm that are read of a chunk with touched and with logged sessions, or without.
pub(super) fn arm_columns<'a>(question: &Question<'a>, extent: Extent, touched: bool, logged: bool) -> Vec<&'a str> {
    let mut columns: Vec<&str> = question.measures.iter().map(Question::column).collect();
    columns.extend([column::ERROR_KIND, column::HIT_COUNT]);
    if touched {
        columns.push(column::TOUCHED_RANKS);
    }
    if logged {
        columns.push(column::EXPOSED_RANKS);
    }
    if extent != Extent::Pairs {
        columns.extend([column::LATENCY_NS, column::STAGES]);
    }
    if extent == Extent::Whole {
        columns.extend([column::TOP_JUDGED, column::TIE_BOUNDS]);
    }
    if extent == Extent::Whole || logged {
        columns.push(column::TOP_ITEMS);
    }
    if extent == Extent::Whole && !question.scorers.is_empty() {
        columns.extend([column::SESSION_ID, column::SCORERS]);
    }
    columns
}

impl ArmChunk {
    fn of(
        question: &Question<'_>,
        batch: RecordBatch,
        (touched, logged): (&[TouchedSession], &[LoggedSession]),
        extent: Extent,
    ) -> Result<Self, Damaged> {
        let measures = question.measures.iter().map(|measure| numbers(&batch, Question::column(measure)));
        let measures = measures.collect::<Result<Vec<_>, _>>()?;
        let errors = text_column(&batch, column::ERROR_KIND)?;
        let any_failed = errors.null_count() < errors.len();
        let failed = (0..batch.num_rows()).map(|row| any_failed && errors.is_valid(row)).collect();
        let hit_count = numbers(&batch, column::HIT_COUNT)?;
        let whole = extent == Extent::Whole;
        let mut arm = Self {
            measures,
            failed,
            any_failed,
            hit_count,
            ranks: Vec::new(),
            exposed: Vec::new(),
            top_judged: whole.then(|| numbers(&batch, column::TOP_JUDGED)).transpose()?,
            top_items: (whole || !logged.is_empty()).then(|| binaries(&batch, column::TOP_ITEMS)).transpose()?,
            tie_bounds: whole.then(|| list(&batch, column::TIE_BOUNDS).cloned()).transpose()?,
            batch,
        };
        exposure::leave_out(question, logged, &mut arm.measures);
        if !touched.is_empty() {
            let sessions = touched.iter().map(|session| (session.row, session.items.len()));
            arm.ranks = arm.read_ranks(column::TOUCHED_RANKS, "that its user acted on", sessions)?;
        }
        if !logged.is_empty() {
            let sessions = logged.iter().map(|session| (session.row, session.items.len()));
            arm.exposed = arm.read_ranks(column::EXPOSED_RANKS, "that its user could act on", sessions)?;
        }
        Ok(arm)
    }

    /// Reads a column of ranks for sessions, each given by its row and the number of its items.
    fn read_ranks(
        &self,
        name: &str,
        which: &str,
        sessions: impl ExactSizeIterator<Item = (usize, usize)>,
    ) -> Result<Vec<Vec<u32>>, Damaged> {
        let lists = list(&self.batch, name)?;
        let elements = lists.values().as_primitive_opt::<UInt32Type>();
        let elements = elements.ok_or_else(|| super::columns::mismatch(name, lists.values().data_type()))?;
        let mut ranks = Vec::with_capacity(sessions.len());
        for (row, items) in sessions {
            let of_session = elements.values().get(list_range(lists, row)).unwrap_or_default();
            if !self.has_failed(row) && of_session.len() != items {
                let reason = format!(
                    "row {} has {} ranks in column `{name}`, expected one for each of the {items} items {which}",
                    row + 1,
                    of_session.len(),
                );
                return Err(reason.into());
            }
            ranks.push(of_session.to_vec());
        }
        Ok(ranks)
    }
}
