//! One chunk of the run as arrays: what its users did, and what every arm made of it.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use datafusion::arrow::array::{Array, AsArray, Float64Array, RecordBatch, UInt32Array};
use datafusion::arrow::datatypes::UInt32Type;
use rematch_metrics::sum::CompensatedSum;

use super::columns::{Damaged, list, numbers, part, text_column};
use super::question::Question;
use super::touched::{self, TouchedSession};
use crate::rows::list_range;
use crate::schema::column;
use crate::store::{RunDirectory, StoreError, TableReader, layout};

/// How much of a chunk is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// Everything that is summed up.
    Whole,
    /// The measures and what decides which of them make a pair.
    Pairs,
}

/// A chunk's columns.
pub(super) struct Chunk {
    pub(super) rows: usize,
    pub(super) arms: Vec<ArmChunk>,
    /// The sessions whose users acted on something, in the chunk's order.
    pub(super) touched: Vec<TouchedSession>,
    /// The rows under each taxonomy node.
    pub(super) nodes: BTreeMap<String, Vec<u32>>,
}

/// One arm's columns of a chunk.
pub(super) struct ArmChunk {
    /// One per measure.
    pub(super) measures: Vec<Float64Array>,
    pub(super) failed: Vec<bool>,
    pub(super) any_failed: bool,
    pub(super) hit_count: UInt32Array,
    pub(super) top_covered: UInt32Array,
    /// The ranks of each of the chunk's touched sessions' items; 0 for one that was not returned.
    pub(super) ranks: Vec<Vec<u32>>,
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
    pub(super) fn read(
        question: &Question<'_>,
        run: &RunDirectory,
        sample: &TableReader,
        index: usize,
        extent: Extent,
    ) -> Result<Self, StoreError> {
        let path = run.path(layout::SESSIONS);
        let damaged = |error: Damaged| StoreError::table(&path, error);
        let sessions = sample.group_columns(index, &[column::TAXONOMY, column::INTERACTIONS])?;
        let more = |name: &str| sample.group_columns(index, &[name]).map_err(Damaged::from);
        let touched = touched::read(&question.plan.relevance, &sessions, more).map_err(damaged)?;
        let nodes = touched::nodes(&sessions).map_err(damaged)?;
        let rows = sessions.num_rows();
        let mut columns: Vec<&str> = question.measures.iter().map(Question::column).collect();
        columns.extend([column::ERROR_KIND, column::HIT_COUNT, column::TOP_COVERED]);
        if !touched.is_empty() {
            columns.push(column::TOUCHED_RANKS);
        }
        if extent == Extent::Whole {
            columns.extend([column::LATENCY_NS, column::STAGES]);
            if !question.scorers.is_empty() {
                columns.extend([column::SESSION_ID, column::SCORERS]);
            }
        }
        let mut arms = Vec::with_capacity(question.arms);
        for arm in 0..question.arms {
            let batch = part(run, arm, index, &columns, rows)?;
            let arm_path = || run.path(layout::part(arm, index));
            arms.push(ArmChunk::of(question, batch, &touched).map_err(|error| StoreError::table(&arm_path(), error))?);
        }
        Ok(Self { rows, arms, touched, nodes })
    }

    /// Returns a candidate's propensity-weighted DCG of both rankings on the items that both have in their top ranks and
    /// that were shown, by row, for the sessions whose relevance comes from clicks: the sum over the items of gain /
    /// P(examined at the logged position) / log2(rank + 1). An additive metric, because a ratio such as nDCG would cancel the
    /// weights (Joachims, Swaminathan & Schnabel 2017).
    pub(super) fn common_support(&self, candidate: usize, depth: usize) -> Vec<(usize, [f64; 2])> {
        let (Some(baseline), Some(new)) = (self.arms.first(), self.arms.get(candidate)) else { return Vec::new() };
        let mut found = Vec::new();
        for (number, session) in self.touched.iter().enumerate().filter(|(_, session)| session.click_derived) {
            if baseline.has_failed(session.row) || new.has_failed(session.row) {
                continue;
            }
            let mut sums = [CompensatedSum::default(), CompensatedSum::default()];
            for item in &session.relevant {
                let within = |arm: &ArmChunk| arm.rank(number, *item).filter(|rank| rank.get() <= depth);
                let (Some(old), Some(new)) = (within(baseline), within(new)) else { continue };
                let Some(gain) = session.items.get(*item).and_then(|item| item.weighted_gain()) else { continue };
                for (sum, rank) in sums.iter_mut().zip([old, new]) {
                    sum.add(gain / (rank.get() as f64 + 1.0).log2());
                }
            }
            found.push((session.row, sums.map(CompensatedSum::total)));
        }
        found
    }
}

impl ArmChunk {
    fn of(question: &Question<'_>, batch: RecordBatch, touched: &[TouchedSession]) -> Result<Self, Damaged> {
        let measures = question.measures.iter().map(|measure| numbers(&batch, Question::column(measure)));
        let measures = measures.collect::<Result<Vec<_>, _>>()?;
        let errors = text_column(&batch, column::ERROR_KIND)?;
        let any_failed = errors.null_count() < errors.len();
        let failed = (0..batch.num_rows()).map(|row| any_failed && errors.is_valid(row)).collect();
        let (hit_count, top_covered) = (numbers(&batch, column::HIT_COUNT)?, numbers(&batch, column::TOP_COVERED)?);
        let mut arm = Self { measures, failed, any_failed, hit_count, top_covered, ranks: Vec::new(), batch };
        if !touched.is_empty() {
            arm.ranks = arm.read_ranks(touched)?;
        }
        Ok(arm)
    }

    fn read_ranks(&self, touched: &[TouchedSession]) -> Result<Vec<Vec<u32>>, Damaged> {
        let lists = list(&self.batch, column::TOUCHED_RANKS)?;
        let elements = lists.values().as_primitive_opt::<UInt32Type>();
        let elements =
            elements.ok_or_else(|| super::columns::mismatch(column::TOUCHED_RANKS, lists.values().data_type()))?;
        let mut ranks = Vec::with_capacity(touched.len());
        for session in touched {
            let of_session = elements.values().get(list_range(lists, session.row)).unwrap_or_default();
            if !self.has_failed(session.row) && of_session.len() != session.items.len() {
                let reason = format!(
                    "row {} has {} ranks in column `{}`, expected one for each of the {} items that its user acted on",
                    session.row + 1,
                    of_session.len(),
                    column::TOUCHED_RANKS,
                    session.items.len()
                );
                return Err(reason.into());
            }
            ranks.push(of_session.to_vec());
        }
        Ok(ranks)
    }
}
