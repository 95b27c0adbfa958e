//! The deltas of every test added up by cluster, where clusters repeat: what a cluster-robust test is made of.
//!
//! All clusters' sums would grow with the sessions. So clusters are dealt into buckets by a hash of their key, and the parts
//! are read once per bucket. The number of buckets follows from the run alone, never from the machine: it decides the order of
//! the sums, and so their last digits. Where several machines sum up (`sums`), sessions are dealt out to the buckets first, and
//! every bucket is summed up by one of them.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;

use rematch_metrics::stats::{ClusterResiduals, ClusterSum, DeltaSums};
use rematch_metrics::sum::CompensatedSum;
use serde::{Deserialize, Serialize};

use super::chunk::{Chunk, Extent};
use super::clusters::{KEY_BYTES, Key, Keys, Numbers, repeated};
use super::columns::Damaged;
use super::exposure;
use super::fold::in_order;
use super::latency::{self, Timed};
use super::question::Question;
use super::tables::OfChunk;
use super::tally::{PairTally, Tally};
use crate::schema::column;
use crate::store::{RunDirectory, StoreError, TableReader, layout};

/// Bytes of sums that are held at once; tests have several buckets, too.
const BUCKET_BYTES: u64 = if cfg!(test) { 1 << 17 } else { 192 << 20 };

/// Tests of a candidate's latency: the difference and the ratio.
const LATENCIES: usize = 2;

/// What the clusters make of every test; nothing where no cluster repeats.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Clustered {
    /// Whether a session names its user; `None` where no cluster repeats.
    users: Option<bool>,
    /// By candidate (the first is 0), then by measure.
    whole: Vec<Vec<ClusterResiduals>>,
    /// By candidate, then by the tests of [`exposure`].
    clicks: Vec<Vec<ClusterResiduals>>,
    /// Likewise, of the differences less the relative change of the baseline's values.
    relative: Vec<Vec<ClusterResiduals>>,
    /// By candidate, then difference and logarithm of the ratio.
    latencies: Vec<Vec<ClusterResiduals>>,
    /// Whether any latency is paired. Nobody asks once the clusters are summed up.
    #[serde(skip)]
    timed: bool,
    /// The relative changes, by candidate, then by measure. Likewise.
    #[serde(skip)]
    ratios: Vec<Vec<f64>>,
    /// By node, candidate, and in the order of [`Question::at_nodes`].
    nodes: BTreeMap<String, Vec<Vec<ClusterResiduals>>>,
}

type Found<'a> = Option<&'a ClusterResiduals>;

impl Clustered {
    /// Returns the column that clusters are named by.
    pub(super) fn column(&self) -> &'static str {
        match self.users {
            Some(true) => column::USER_ID,
            Some(false) => column::VISIT_ID,
            None => column::SESSION_ID,
        }
    }

    pub(super) fn whole(&self, candidate: usize, measure: usize) -> Found<'_> {
        self.whole.get(candidate.checked_sub(1)?)?.get(measure)
    }

    /// What the clusters make of a test of [`exposure`].
    pub(super) fn clicks(&self, candidate: usize, place: usize) -> Found<'_> {
        self.clicks.get(candidate.checked_sub(1)?)?.get(place)
    }

    /// Returns the residuals of the measure's relative change.
    pub(super) fn relative(&self, candidate: usize, measure: usize) -> Found<'_> {
        self.relative.get(candidate.checked_sub(1)?)?.get(measure)
    }

    /// Returns the residuals of the difference in latency, milliseconds, and of the logarithm of the ratio.
    pub(super) fn latencies(&self, candidate: usize) -> Option<[&ClusterResiduals; 2]> {
        let found = self.latencies.get(candidate.checked_sub(1)?)?;
        Some([found.first()?, found.get(1)?])
    }

    /// Returns whether a cluster repeats.
    pub(super) fn repeats(&self) -> bool {
        self.users.is_some()
    }

    pub(super) fn node(&self, node: &str, candidate: usize, place: usize) -> Found<'_> {
        self.nodes.get(node)?.get(candidate.checked_sub(1)?)?.get(place)
    }

    /// Reads the run's clusters, and where one repeats the parts again.
    pub(super) fn read(
        question: &Question<'_>,
        tally: &Tally,
        run: &RunDirectory,
        sample: &TableReader,
        threads: NonZeroUsize,
    ) -> Result<Self, StoreError> {
        let by = question.plan.statistics.cluster_by;
        let Some(users) = repeated(run, sample, threads, by)? else { return Ok(Self::default()) };
        let buckets = buckets(question, tally);
        let mut all = Vec::new();
        for bucket in 0..buckets {
            let read = |chunk: usize| {
                let tables = OfChunk { run, sample, chunk };
                let keys = Keys::read(&tables, by)?;
                let mine = (0..keys.rows()).map(|row| bucket_of(keys.get(row), buckets) == bucket).collect();
                Ok(Some(BucketRows { chunk: Chunk::read(question, &tables, extent(tally))?, keys, mine }))
            };
            all.push(OfBucket::sum_up(question, tally, sample.groups(), threads, read)?.sums);
        }
        Ok(Self { users: Some(users), ..Self::merged(all) })
    }

    /// Puts together what the buckets came to, in their order.
    fn merged(buckets: impl IntoIterator<Item = Self>) -> Self {
        let merge = |mut all: Self, more: Self| {
            merge_residuals(&mut all.whole, more.whole);
            merge_residuals(&mut all.clicks, more.clicks);
            merge_residuals(&mut all.relative, more.relative);
            merge_residuals(&mut all.latencies, more.latencies);
            for (node, residuals) in more.nodes {
                if let Some(all) = all.nodes.get_mut(&node) {
                    merge_residuals(all, residuals);
                }
            }
            all
        };
        buckets.into_iter().reduce(merge).unwrap_or_default()
    }

    /// Puts together what buckets came to that others summed up, in their order; nothing where no cluster repeats.
    pub(super) fn of_buckets(buckets: Vec<OfBucket>) -> Self {
        let users = buckets.iter().any(|bucket| bucket.users);
        match buckets.iter().any(|bucket| bucket.repeats) {
            true => Self { users: Some(users), ..Self::merged(buckets.into_iter().map(|bucket| bucket.sums)) },
            false => Self::default(),
        }
    }

    fn around(tally: &Tally) -> Self {
        let mean = |pair: &PairTally| ClusterResiduals::around(pair.deltas.mean().unwrap_or_default());
        let means = |pairs: &Vec<Vec<PairTally>>| -> Vec<Vec<ClusterResiduals>> {
            pairs.iter().map(|pairs| pairs.iter().map(mean).collect()).collect()
        };
        let zero = || ClusterResiduals::around(0.0);
        let around = |deltas: &DeltaSums| ClusterResiduals::around(deltas.mean().unwrap_or_default());
        Self {
            users: None,
            whole: means(&tally.whole.pairs),
            clicks: tally
                .exposures
                .iter()
                .map(|sums| exposure::centres(sums).map(ClusterResiduals::around).to_vec())
                .collect(),
            relative: tally.whole.pairs.iter().map(|pairs| pairs.iter().map(|_| zero()).collect()).collect(),
            latencies: tally
                .latencies
                .iter()
                .map(|pairs| vec![around(&pairs.deltas), around(&pairs.log_ratios)])
                .collect(),
            timed: is_timed(tally),
            ratios: tally.whole.pairs.iter().map(|pairs| pairs.iter().map(ratio).collect()).collect(),
            nodes: tally.nodes.iter().map(|(node, group)| (node.clone(), means(&group.pairs))).collect(),
        }
    }
}

fn is_timed(tally: &Tally) -> bool {
    tally.latencies.iter().any(|pairs| pairs.deltas.count() > 0)
}

/// How much of the sessions is read.
pub(super) fn extent(tally: &Tally) -> Extent {
    if is_timed(tally) { Extent::TimedPairs } else { Extent::Pairs }
}

fn merge_residuals(all: &mut [Vec<ClusterResiduals>], more: Vec<Vec<ClusterResiduals>>) {
    let pairs = all.iter_mut().flatten().zip(more.into_iter().flatten());
    pairs.for_each(|(all, more)| all.merge(more));
}

/// The relative change of the mean; 0 where the baseline's is 0.
fn ratio(pair: &PairTally) -> f64 {
    let baseline = pair.baseline.total() / pair.deltas.count().max(1) as f64;
    pair.deltas.mean().filter(|_| baseline != 0.0).map_or(0.0, |delta| delta / baseline)
}

/// Returns the bucket of a session with that key; sessions that stand alone are in the first.
pub(super) fn bucket_of(key: Option<Key<'_>>, buckets: u64) -> u64 {
    key.map_or(0, |key| key.hash() % buckets)
}

/// The number of buckets that keeps one of them within [`BUCKET_BYTES`], if no cluster repeated.
pub(super) fn buckets(question: &Question<'_>, tally: &Tally) -> u64 {
    let (cell, node_cell) = (size_of::<Cell>() as u64, size_of::<NodeCell>() as u64);
    let candidates = question.candidates().len() as u64;
    let tests = per_candidate(question) as u64 * candidates;
    let at_nodes = question.at_nodes.len() as u64 * candidates;
    let bytes = tally.sessions * (KEY_BYTES + tests * cell) + tally.memberships * (KEY_BYTES + at_nodes * node_cell);
    bytes.div_ceil(BUCKET_BYTES).max(1)
}

/// Cells of one cluster and candidate: its measures, its tests of clicks and its latencies.
fn per_candidate(question: &Question<'_>) -> usize {
    question.measures.len() + question.click_tests() + LATENCIES
}

/// The deltas of one test in one cluster.
#[derive(Clone, Copy, Default)]
struct Cell {
    sum: CompensatedSum,
    /// The sum of the deltas less the relative change of the baseline's values.
    relative: f64,
    pairs: u32,
}

impl Cell {
    fn add(&mut self, delta: f64) {
        self.sum.add(delta);
        self.pairs += 1;
    }

    fn relative(self) -> ClusterSum {
        ClusterSum { pairs: self.pairs.into(), sum: self.relative }
    }

    fn whole(self) -> ClusterSum {
        ClusterSum { pairs: self.pairs.into(), sum: self.sum.total() }
    }
}

/// Likewise at a node. There are many more of them, and few deltas in each: rounding has nothing to add up to.
#[derive(Clone, Copy, Default)]
struct NodeCell {
    sum: f64,
    pairs: u32,
}

impl NodeCell {
    fn whole(self) -> ClusterSum {
        ClusterSum { pairs: self.pairs.into(), sum: self.sum }
    }
}

/// Sessions among which some are of a bucket.
pub(super) struct BucketRows {
    pub(super) keys: Keys,
    pub(super) chunk: Chunk,
    /// Whether a session is of the bucket, by row.
    pub(super) mine: Vec<bool>,
}

/// What the clusters of one bucket come to.
#[derive(Serialize, Deserialize)]
pub(super) struct OfBucket {
    sums: Clustered,
    /// Whether one of its clusters repeats.
    repeats: bool,
    /// Whether one of its sessions names its user.
    users: bool,
}

impl OfBucket {
    /// Sums up the clusters of a bucket, whose sessions `read` brings piece by piece; `None` for a piece without any.
    pub(super) fn sum_up(
        question: &Question<'_>,
        tally: &Tally,
        pieces: usize,
        threads: NonZeroUsize,
        read: impl Fn(usize) -> Result<Option<BucketRows>, StoreError> + Sync,
    ) -> Result<Self, StoreError> {
        let (mut sums, mut found) = (BucketSums::new(question, tally), Clustered::around(tally));
        let (mut sessions, mut users) = (0, false);
        in_order(pieces, threads, read, |_, rows| {
            let Some(BucketRows { keys, chunk, mine }) = rows else { return Ok(()) };
            let mut slots = Vec::with_capacity(keys.rows());
            for (row, mine) in mine.into_iter().enumerate() {
                slots.push(match (mine, keys.get(row)) {
                    (false, _) => Slot::Elsewhere,
                    (true, None) => Slot::Alone,
                    (true, Some(key)) => {
                        sessions += 1;
                        users |= matches!(key, Key::User(_));
                        sums.slot(key)
                    }
                });
            }
            let added = sums.add(question, tally, &mut found, &chunk, &slots);
            added.map_err(|error| StoreError::table(layout::SESSIONS.as_ref(), error))
        })?;
        let repeats = sessions > u64::from(sums.clusters);
        sums.into_residuals(question, &mut found);
        Ok(Self { sums: found, repeats, users })
    }
}

/// Where the deltas of a session go.
#[derive(Clone, Copy)]
enum Slot {
    /// It is its own cluster.
    Alone,
    /// To the cluster of that number.
    Cluster(usize),
    /// Its cluster is in another bucket.
    Elsewhere,
}

/// The sums of the clusters of one bucket.
struct BucketSums {
    numbers: Numbers,
    clusters: u32,
    /// Cells of one cluster, by candidate.
    width: usize,
    cells: Vec<Cell>,
    node_numbers: HashMap<String, u32>,
    node_width: usize,
    /// The place of a cluster's cells at a node.
    node_places: HashMap<(usize, u32), usize>,
    /// The nodes of those places.
    nodes: Vec<u32>,
    node_cells: Vec<NodeCell>,
}

impl BucketSums {
    fn new(question: &Question<'_>, tally: &Tally) -> Self {
        let candidates = question.candidates().len();
        Self {
            numbers: Numbers::default(),
            clusters: 0,
            width: candidates * per_candidate(question),
            cells: Vec::new(),
            node_numbers: tally.nodes.keys().cloned().zip(0..).collect(),
            node_width: candidates * question.at_nodes.len(),
            node_places: HashMap::new(),
            nodes: Vec::new(),
            node_cells: Vec::new(),
        }
    }

    fn slot(&mut self, key: super::clusters::Key<'_>) -> Slot {
        let (number, new) = self.numbers.of(key, self.clusters);
        if new {
            self.clusters += 1;
            self.cells.resize(self.cells.len() + self.width, Cell::default());
        }
        Slot::Cluster(number as usize)
    }

    /// Adds a chunk's deltas to the clusters' cells, and those of sessions that stand alone to what is found.
    fn add(
        &mut self,
        question: &Question<'_>,
        tally: &Tally,
        found: &mut Clustered,
        chunk: &Chunk,
        slots: &[Slot],
    ) -> Result<(), Damaged> {
        let measures = question.measures.len();
        for candidate in question.candidates() {
            let first = (candidate - 1) * per_candidate(question);
            for measure in 0..measures {
                let Some(columns) = Columns::of(chunk, candidate, measure) else { continue };
                let ratio = found.ratios.get(candidate - 1).and_then(|ratios| ratios.get(measure));
                let ratio = ratio.copied().unwrap_or_default();
                for (row, slot) in slots.iter().enumerate() {
                    if let Some((baseline, delta)) = columns.pair(row) {
                        let relative = delta - ratio * baseline;
                        self.put(*slot, first + measure, delta, residuals(&mut found.whole, candidate, measure));
                        let alone = residuals(&mut found.relative, candidate, measure);
                        self.put_relative(*slot, first + measure, relative, alone);
                    }
                }
            }
            let Some(sums) = tally.exposures.get(candidate - 1) else { continue };
            for (session, of_session) in exposure::sessions(question, chunk, candidate) {
                let Some(slot) = slots.get(session.row) else { continue };
                for (place, delta) in of_session.deltas(sums).into_iter().enumerate() {
                    let alone = residuals(&mut found.clicks, candidate, place);
                    self.put(*slot, first + measures + place, delta, alone);
                }
            }
        }
        if found.timed {
            self.add_latencies(question, found, chunk, slots)?;
        }
        self.add_nodes(question, found, chunk, slots)
    }

    fn add_latencies(
        &mut self,
        question: &Question<'_>,
        found: &mut Clustered,
        chunk: &Chunk,
        slots: &[Slot],
    ) -> Result<(), Damaged> {
        let timed = (0..).zip(&chunk.arms).map(|(index, arm)| latency::timed(question, index, arm));
        let timed = timed.collect::<Result<Vec<_>, _>>()?;
        for candidate in question.candidates() {
            let first = (candidate - 1) * per_candidate(question) + question.measures.len() + question.click_tests();
            let (Some(baseline), Some(new)) = (timed.first(), timed.get(candidate)) else { continue };
            for (slot, pair) in slots.iter().zip(baseline.iter().zip(new)) {
                let (Timed::Took(old), Timed::Took(new)) = pair else { continue };
                for (place, difference) in latency::differences(*old, *new).into_iter().enumerate() {
                    let alone = residuals(&mut found.latencies, candidate, place);
                    self.put(*slot, first + place, difference, alone);
                }
            }
        }
        Ok(())
    }

    fn put_relative(&mut self, slot: Slot, cell: usize, residual: f64, alone: Option<&mut ClusterResiduals>) {
        match slot {
            Slot::Elsewhere => {}
            Slot::Alone => alone.into_iter().for_each(|residuals| residuals.add(ClusterSum::single(residual))),
            Slot::Cluster(cluster) => {
                if let Some(cell) = self.cells.get_mut(cluster * self.width + cell) {
                    cell.relative += residual;
                }
            }
        }
    }

    fn put(&mut self, slot: Slot, cell: usize, delta: f64, alone: Option<&mut ClusterResiduals>) {
        match slot {
            Slot::Elsewhere => {}
            Slot::Alone => alone.into_iter().for_each(|residuals| residuals.add(ClusterSum::single(delta))),
            Slot::Cluster(cluster) => {
                if let Some(cell) = self.cells.get_mut(cluster * self.width + cell) {
                    cell.add(delta);
                }
            }
        }
    }

    fn add_nodes(
        &mut self,
        question: &Question<'_>,
        found: &mut Clustered,
        chunk: &Chunk,
        slots: &[Slot],
    ) -> Result<(), Damaged> {
        for (node, rows) in &chunk.nodes {
            let (Some(number), Some(alone)) = (self.node_numbers.get(node).copied(), found.nodes.get_mut(node)) else {
                return Err(format!("taxonomy node `{node}` was not there when the table was read first").into());
            };
            // A cluster's place at the node is looked up once for all tests.
            let slot = |row: &u32| Some((*row as usize, *slots.get(*row as usize)?));
            let places: Vec<(usize, Slot)> = rows
                .iter()
                .filter_map(slot)
                .filter(|(_, slot)| !matches!(slot, Slot::Elsewhere))
                .map(|(row, slot)| (row, self.at_node(slot, number)))
                .collect();
            for candidate in question.candidates() {
                for (place, measure) in question.at_nodes.iter().enumerate() {
                    let Some(columns) = Columns::of(chunk, candidate, *measure) else { continue };
                    let cell = (candidate - 1) * question.at_nodes.len() + place;
                    for (row, slot) in &places {
                        if let Some(delta) = columns.delta(*row) {
                            self.put_node(*slot, cell, delta, residuals(alone, candidate, place));
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Returns where the deltas of a session in `slot` go at a node: to the cells of that number instead of to the cluster.
    fn at_node(&mut self, slot: Slot, node: u32) -> Slot {
        let Slot::Cluster(cluster) = slot else { return slot };
        let place = *self.node_places.entry((cluster, node)).or_insert(self.nodes.len());
        if place == self.nodes.len() {
            self.nodes.push(node);
            self.node_cells.resize(self.node_cells.len() + self.node_width, NodeCell::default());
        }
        Slot::Cluster(place)
    }

    fn put_node(&mut self, slot: Slot, cell: usize, delta: f64, alone: Option<&mut ClusterResiduals>) {
        match slot {
            Slot::Elsewhere => {}
            Slot::Alone => alone.into_iter().for_each(|residuals| residuals.add(ClusterSum::single(delta))),
            Slot::Cluster(place) => {
                if let Some(cell) = self.node_cells.get_mut(place * self.node_width + cell) {
                    cell.sum += delta;
                    cell.pairs += 1;
                }
            }
        }
    }

    /// Adds the whole clusters to what is found, in the order in which they came.
    fn into_residuals(self, question: &Question<'_>, found: &mut Clustered) {
        let measures = question.measures.len();
        let clicks = question.click_tests();
        for cluster in self.cells.chunks(self.width.max(1)) {
            for (candidate, cells) in (1..).zip(cluster.chunks(per_candidate(question))) {
                for (test, cell) in cells.iter().enumerate() {
                    let residuals = if test < measures {
                        let relative = residuals(&mut found.relative, candidate, test);
                        relative.into_iter().for_each(|residuals| residuals.add(cell.relative()));
                        residuals(&mut found.whole, candidate, test)
                    } else if test < measures + clicks {
                        residuals(&mut found.clicks, candidate, test - measures)
                    } else {
                        residuals(&mut found.latencies, candidate, test - measures - clicks)
                    };
                    residuals.into_iter().for_each(|residuals| residuals.add(cell.whole()));
                }
            }
        }
        let mut by_number: Vec<_> = found.nodes.values_mut().collect();
        for (node, cells) in self.nodes.iter().zip(self.node_cells.chunks(self.node_width.max(1))) {
            let Some(of_node) = by_number.get_mut(*node as usize) else { continue };
            for (candidate, cells) in (1..).zip(cells.chunks(question.at_nodes.len().max(1))) {
                for (place, cell) in cells.iter().enumerate() {
                    let residuals = residuals(of_node, candidate, place);
                    residuals.into_iter().for_each(|residuals| residuals.add(cell.whole()));
                }
            }
        }
    }
}

fn residuals(all: &mut [Vec<ClusterResiduals>], candidate: usize, place: usize) -> Option<&mut ClusterResiduals> {
    all.get_mut(candidate.checked_sub(1)?)?.get_mut(place)
}

/// The two columns that a test pairs.
pub(super) struct Columns<'a> {
    chunk: &'a Chunk,
    candidate: usize,
    measure: usize,
}

impl<'a> Columns<'a> {
    pub(super) fn of(chunk: &'a Chunk, candidate: usize, measure: usize) -> Option<Self> {
        (candidate < chunk.arms.len()).then_some(Self { chunk, candidate, measure })
    }

    pub(super) fn delta(&self, row: usize) -> Option<f64> {
        self.pair(row).map(|(_, delta)| delta)
    }

    /// Returns the baseline's value and the delta.
    fn pair(&self, row: usize) -> Option<(f64, f64)> {
        let value = |arm: usize| self.chunk.arms.get(arm)?.value(self.measure, row);
        let baseline = value(0)?;
        Some((baseline, value(self.candidate)? - baseline))
    }
}
