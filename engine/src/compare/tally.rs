//! What is summed up of the parts: sums that merge chunk by chunk, so that memory does not grow with the sessions.

use std::collections::BTreeMap;

use datafusion::arrow::array::{Array, Float64Array};
use rematch_metrics::position::{MoveDistribution, PositionDeltaTally, RankTally};
use rematch_metrics::stats::{DeltaSums, SignCounts};
use rematch_metrics::sum::CompensatedSum;
use serde::{Deserialize, Serialize};

use super::chunk::{ArmChunk, Chunk};
use super::columns::Damaged;
use super::exposure;
use super::failures::{DroppedTally, ScorerTally};
use super::judged::{BoundsBeside, ShareTally};
use super::largest::LargestTally;
use super::latency::{self, Latencies, LatencyPairs, Timed};
use super::moves::moves;
use super::question::Question;
use super::segments::Labels;
use super::similarity::SimilarityTally;
use super::stages::StageTallies;
use super::ties::TieTally;
use crate::schema::column;

/// Everything summed up over some chunks.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Tally {
    pub(super) sessions: u64,
    pub(super) arms: Vec<ArmTally>,
    /// All sessions; every measure is paired.
    pub(super) whole: Group,
    /// The sessions under each taxonomy node; the measures of [`Question::at_nodes`] are paired.
    pub(super) nodes: BTreeMap<String, Group>,
    /// By candidate (the first is 0), then by measure.
    pub(super) dropped: Vec<Vec<DroppedTally>>,
    /// By candidate; empty where it is not asked what clicks can tell.
    pub(super) exposures: Vec<exposure::Sums>,
    /// By candidate: how alike its lists are to the baseline's.
    pub(super) similarities: Vec<SimilarityTally>,
    /// By candidate: where touched items went. At most 2 x depth + 1 numbers each.
    pub(super) moves: Vec<MoveDistribution>,
    /// Pairs of a session and a node that it lies under.
    pub(super) memberships: u64,
    /// Sessions under more than one top-level node, and under none.
    pub(super) labels: Labels,
    /// By candidate.
    pub(super) latencies: Vec<LatencyPairs>,
    /// By candidate: the sessions whose primary measure changed most.
    pub(super) largest: Vec<LargestTally>,
}

/// What one arm did.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct ArmTally {
    pub(super) failed: u64,
    pub(super) empty_answers: u64,
    pub(super) errors: BTreeMap<String, u64>,
    pub(super) latencies: Latencies,
    pub(super) stages: StageTallies,
    /// One per scorer of the contract.
    pub(super) scorers: Vec<ScorerTally>,
    pub(super) judged: ShareTally,
    pub(super) ties: TieTally,
}

/// A set of sessions.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Group {
    pub(super) arms: Vec<GroupArm>,
    /// By candidate (the first is 0), then by paired measure.
    pub(super) pairs: Vec<Vec<PairTally>>,
}

/// One arm over a set of sessions.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct GroupArm {
    pub(super) answered: u64,
    /// One per measure, over the answered sessions.
    pub(super) means: Vec<MeanTally>,
    pub(super) positions: Positions,
    /// Sessions in which the primary measure is defined.
    pub(super) primary_defined: u64,
}

/// Where the items that users touched went.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Positions {
    pub(super) clicked: RankTally,
    pub(super) purchased: RankTally,
    pub(super) moves: PositionDeltaTally,
}

/// A mean under way.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct MeanTally {
    pub(super) sum: CompensatedSum,
    pub(super) n: u64,
}

impl MeanTally {
    pub(super) fn add(&mut self, value: Option<f64>) {
        if let Some(value) = value {
            self.sum.add(value);
            self.n += 1;
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.sum.merge(other.sum);
        self.n += other.n;
    }

    pub(super) fn mean(&self) -> Option<f64> {
        (self.n > 0).then(|| self.sum.total() / self.n as f64)
    }
}

/// The pairs of one measure: sessions in which both sides have a value.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct PairTally {
    pub(super) baseline: CompensatedSum,
    pub(super) candidate: CompensatedSum,
    pub(super) deltas: DeltaSums,
    /// The baseline's squares, and its products with the deltas: what the variance of a relative change is made of.
    pub(super) baseline_squares: CompensatedSum,
    pub(super) products: CompensatedSum,
    pub(super) signs: SignCounts,
}

impl PairTally {
    pub(super) fn add(&mut self, baseline: f64, candidate: f64, noise: f64) {
        self.baseline.add(baseline);
        self.candidate.add(candidate);
        self.add_delta(baseline, candidate - baseline, noise);
    }

    fn add_delta(&mut self, baseline: f64, delta: f64, noise: f64) {
        self.deltas.add(delta);
        self.baseline_squares.add(baseline * baseline);
        self.products.add(baseline * delta);
        let (improved, degraded) = (delta > noise, delta < -noise);
        self.signs.improved += u64::from(improved);
        self.signs.degraded += u64::from(degraded);
        self.signs.neutral += u64::from(!improved && !degraded);
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.baseline.merge(other.baseline);
        self.candidate.merge(other.candidate);
        self.deltas.merge(other.deltas);
        self.baseline_squares.merge(other.baseline_squares);
        self.products.merge(other.products);
        self.signs.merge(other.signs);
    }
}

/// Rows of a chunk.
#[derive(Clone, Copy)]
enum Rows<'a> {
    All(usize),
    Some(&'a [u32]),
}

impl Rows<'_> {
    fn each(self, mut visit: impl FnMut(usize)) {
        match self {
            Self::All(rows) => (0..rows).for_each(visit),
            Self::Some(rows) => rows.iter().for_each(|row| visit(*row as usize)),
        }
    }

    fn len(self) -> u64 {
        match self {
            Self::All(rows) => rows as u64,
            Self::Some(rows) => rows.len() as u64,
        }
    }

    fn has(self, row: usize) -> bool {
        match self {
            Self::All(_) => true,
            Self::Some(rows) => u32::try_from(row).is_ok_and(|row| rows.binary_search(&row).is_ok()),
        }
    }
}

impl Tally {
    /// Sums up a chunk. `judged` looks at the top lists while they are at hand.
    pub(super) fn of(
        question: &Question<'_>,
        chunk: &Chunk,
        judged: Option<&mut BoundsBeside>,
    ) -> Result<Self, Damaged> {
        let all: Vec<usize> = (0..question.measures.len()).collect();
        let timed = (0..).zip(&chunk.arms).map(|(index, arm)| latency::timed(question, index, arm));
        let timed = timed.collect::<Result<Vec<_>, _>>()?;
        let arms = chunk.arms.iter().zip(&timed).map(|(arm, timed)| ArmTally::of(question, arm, timed));
        let whole = Group::of(question, chunk, Rows::All(chunk.rows), &all);
        let node = |(node, rows): (&String, &Vec<u32>)| {
            (node.clone(), Group::of(question, chunk, Rows::Some(rows), &question.at_nodes))
        };
        let arms = arms.collect::<Result<Vec<_>, _>>()?;
        let dropped = |candidate: usize| {
            (0..question.measures.len())
                .map(|measure| DroppedTally::of(question, chunk, &arms, candidate, measure))
                .collect()
        };
        Ok(Self {
            sessions: chunk.rows as u64,
            whole,
            nodes: chunk.nodes.iter().map(node).collect(),
            dropped: question.candidates().map(dropped).collect(),
            exposures: exposure::sum_up(question, chunk),
            labels: Labels::of(chunk),
            latencies: question.candidates().map(|candidate| LatencyPairs::of(&timed, candidate)).collect(),
            largest: question.candidates().map(|candidate| LargestTally::of(question, chunk, candidate)).collect(),
            similarities: SimilarityTally::of(question, chunk, judged),
            moves: question.candidates().map(|candidate| moves(question, chunk, candidate)).collect(),
            memberships: chunk.nodes.values().map(|rows| rows.len() as u64).sum(),
            arms,
        })
    }

    /// Adds the chunk that follows.
    pub(super) fn merge(&mut self, other: Self) {
        let before = self.sessions;
        merge_each(&mut self.largest, other.largest, |ours, theirs| ours.merge(theirs, before));
        self.sessions += other.sessions;
        self.memberships += other.memberships;
        self.labels.merge(other.labels);
        merge_each(&mut self.latencies, other.latencies, LatencyPairs::merge);
        self.whole.merge(other.whole);
        for (node, group) in other.nodes {
            self.nodes.entry(node).or_default().merge(group);
        }
        merge_each(&mut self.arms, other.arms, ArmTally::merge);
        merge_each(&mut self.dropped, other.dropped, |ours, theirs| merge_each(ours, theirs, DroppedTally::merge));
        merge_each(&mut self.exposures, other.exposures, exposure::Sums::merge);
        merge_each(&mut self.similarities, other.similarities, SimilarityTally::merge);
        merge_each(&mut self.moves, other.moves, |ours, theirs| ours.merge(&theirs));
    }

    /// Returns whether the retriever answered no session.
    pub(super) fn all_failed(&self, arm: usize) -> bool {
        self.sessions > 0 && self.arms.get(arm).is_none_or(|arm| arm.failed == self.sessions)
    }
}

pub(super) fn merge_each<T: Default>(ours: &mut Vec<T>, theirs: Vec<T>, mut merge: impl FnMut(&mut T, T)) {
    if ours.len() < theirs.len() {
        ours.resize_with(theirs.len(), T::default);
    }
    ours.iter_mut().zip(theirs).for_each(|(ours, theirs)| merge(ours, theirs));
}

impl ArmTally {
    fn of(question: &Question<'_>, arm: &ArmChunk, timed: &[Timed]) -> Result<Self, Damaged> {
        let (latencies, stages) = (Latencies::of(arm, timed)?, StageTallies::of(arm)?);
        let mut found = Self {
            latencies,
            stages,
            judged: ShareTally::of(question, arm),
            ties: TieTally::of(question, arm)?,
            ..Self::default()
        };
        let kinds = super::columns::text_column(&arm.batch, column::ERROR_KIND)?;
        for row in 0..arm.batch.num_rows() {
            if !arm.has_failed(row) {
                found.empty_answers += u64::from(arm.hit_count.value(row) == 0);
                continue;
            }
            found.failed += 1;
            *found.errors.entry(kinds.value(row).to_owned()).or_default() += 1;
        }
        if !question.scorers.is_empty() {
            found.scorers = ScorerTally::of(question, arm)?;
        }
        Ok(found)
    }

    fn merge(&mut self, other: Self) {
        self.failed += other.failed;
        self.empty_answers += other.empty_answers;
        for (kind, count) in other.errors {
            *self.errors.entry(kind).or_default() += count;
        }
        self.latencies.merge(other.latencies);
        self.stages.merge(other.stages);
        merge_each(&mut self.scorers, other.scorers, ScorerTally::merge);
        self.judged.merge(other.judged);
        self.ties.merge(other.ties);
    }
}

impl Group {
    fn of(question: &Question<'_>, chunk: &Chunk, rows: Rows<'_>, paired: &[usize]) -> Self {
        let arms: Vec<GroupArm> = (0..chunk.arms.len()).map(|arm| GroupArm::of(question, chunk, arm, rows)).collect();
        let noise = question.plan.noise_threshold;
        let pair = |candidate: usize, measure: usize| {
            let columns = |arm: usize| chunk.arms.get(arm)?.measures.get(measure);
            let sums = |arm: usize| arms.get(arm).and_then(|arm| arm.means.get(measure)).copied().unwrap_or_default();
            match (columns(0), columns(candidate)) {
                (Some(baseline), Some(new)) => pairs(rows, [baseline, new], [sums(0), sums(candidate)], noise),
                _ => PairTally::default(),
            }
        };
        let candidate = |candidate: usize| paired.iter().map(|measure| pair(candidate, *measure)).collect();
        Self { pairs: question.candidates().map(candidate).collect(), arms }
    }

    fn merge(&mut self, other: Self) {
        merge_each(&mut self.arms, other.arms, GroupArm::merge);
        merge_each(&mut self.pairs, other.pairs, |ours, theirs| merge_each(ours, theirs, PairTally::merge));
    }
}

/// Pairs two columns; `sums` are those of the two arms over the same rows.
fn pairs(rows: Rows<'_>, columns: [&Float64Array; 2], sums: [MeanTally; 2], noise: f64) -> PairTally {
    let [baseline, new] = columns;
    let mut found = PairTally::default();
    let n = rows.len();
    if let (Rows::All(_), [true, true], true) = (rows, sums.map(|sum| sum.n == n), n == baseline.len() as u64) {
        // Every row is a pair, so that the sides' sums are known.
        for (old, new) in baseline.values().iter().zip(new.values()) {
            found.add_delta(*old, new - old, noise);
        }
        [found.baseline, found.candidate] = sums.map(|sum| sum.sum);
        return found;
    }
    rows.each(|row| {
        if baseline.is_valid(row) && new.is_valid(row) {
            found.add(baseline.value(row), new.value(row), noise);
        }
    });
    found
}

impl GroupArm {
    fn of(question: &Question<'_>, chunk: &Chunk, index: usize, rows: Rows<'_>) -> Self {
        let mut found = Self::default();
        let Some(arm) = chunk.arms.get(index) else { return found };
        rows.each(|row| found.answered += u64::from(!arm.has_failed(row)));
        found.means = arm.measures.iter().map(|values| mean(rows, arm, values)).collect();
        if let Some(primary) = arm.measures.get(question.primary) {
            rows.each(|row| found.primary_defined += u64::from(primary.is_valid(row)));
        }
        for (number, session) in chunk.touched.iter().enumerate() {
            if rows.has(session.row) && !arm.has_failed(session.row) {
                found.positions.record(question, chunk, index, number);
            }
        }
        found
    }

    fn merge(&mut self, other: Self) {
        self.answered += other.answered;
        self.primary_defined += other.primary_defined;
        merge_each(&mut self.means, other.means, MeanTally::merge);
        self.positions.merge(other.positions);
    }
}

fn mean(rows: Rows<'_>, arm: &ArmChunk, values: &Float64Array) -> MeanTally {
    let mut found = MeanTally::default();
    if let (Rows::All(_), 0, false) = (rows, values.null_count(), arm.any_failed) {
        return MeanTally { sum: values.values().iter().copied().collect(), n: values.len() as u64 };
    }
    rows.each(|row| {
        found.add((values.is_valid(row) && !arm.has_failed(row)).then(|| values.value(row)));
    });
    found
}

impl Positions {
    /// Adds where a touched session's items went with an arm, against the baseline's ranking, or for the baseline itself the
    /// logged positions. Nothing is recorded where either failed.
    fn record(&mut self, question: &Question<'_>, chunk: &Chunk, arm: usize, number: usize) {
        let (Some(session), Some(answers), Some(baseline)) =
            (chunk.touched.get(number), chunk.arms.get(arm), chunk.arms.first())
        else {
            return;
        };
        let depth = question.plan.depth;
        for (place, item) in session.items.iter().enumerate() {
            let rank = answers.rank(number, place);
            if item.clicked {
                self.clicked.record(rank, depth);
            }
            if item.purchased {
                self.purchased.record(rank, depth);
            }
            match item.logged {
                _ if !item.interesting => {}
                Some(_) if arm == 0 => self.moves.record(rank, item.logged, depth),
                _ if arm == 0 || baseline.has_failed(session.row) => {}
                _ => self.moves.record(rank, baseline.rank(number, place), depth),
            }
        }
    }

    fn merge(&mut self, other: Self) {
        self.clicked.merge(other.clicked);
        self.purchased.merge(other.purchased);
        self.moves.merge(other.moves);
    }
}
