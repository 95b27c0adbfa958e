//! The deltas of every test added up by cluster, where clusters repeat: what a cluster-robust test is made of.
//!
//! All clusters' sums would grow with the sessions. So clusters are dealt into buckets by a hash of their key, and the parts
//! are read once per bucket. The number of buckets follows from the run alone, never from the machine: it decides the order of
//! the sums, and so their last digits.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;

use rematch_metrics::stats::{ClusterResiduals, ClusterSum};
use rematch_metrics::sum::CompensatedSum;

use super::chunk::{Chunk, Extent};
use super::clusters::{Keys, Numbers, repeated};
use super::columns::Damaged;
use super::fold::in_order;
use super::question::Question;
use super::tally::{PairTally, Tally};
use crate::schema::column;
use crate::store::{RunDirectory, StoreError, TableReader, layout};

/// Bytes of sums that are held at once.
const BUCKET_BYTES: u64 = 192 << 20;

/// Bytes that a cluster's key takes, about.
const KEY_BYTES: u64 = 96;

/// What the clusters make of every test; nothing where no cluster repeats.
#[derive(Default)]
pub(super) struct Clustered {
    column: Option<&'static str>,
    /// By candidate (the first is 0), then by measure.
    whole: Vec<Vec<ClusterResiduals>>,
    /// By candidate, then in the order of [`Question::exposed`].
    common: Vec<Vec<ClusterResiduals>>,
    /// By node, candidate, and in the order of [`Question::at_nodes`].
    nodes: BTreeMap<String, Vec<Vec<ClusterResiduals>>>,
}

type Found<'a> = Option<&'a ClusterResiduals>;

impl Clustered {
    /// Returns the column that clusters are named by.
    pub(super) fn column(&self) -> &'static str {
        self.column.unwrap_or(column::SESSION_ID)
    }

    pub(super) fn whole(&self, candidate: usize, measure: usize) -> Found<'_> {
        self.whole.get(candidate.checked_sub(1)?)?.get(measure)
    }

    pub(super) fn common(&self, candidate: usize, place: usize) -> Found<'_> {
        self.common.get(candidate.checked_sub(1)?)?.get(place)
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
        let Some(column) = repeated(run, sample, threads)? else { return Ok(Self::default()) };
        let mut found = Self::around(question, tally, column);
        let buckets = buckets(question, tally);
        for bucket in 0..buckets {
            let mut sums = BucketSums::new(question, tally);
            let read = |index: usize| {
                let keys = Keys::read(run, sample, index)?;
                let slots = (0..keys.rows()).map(|row| keys.get(row).map(|key| key.hash() % buckets));
                let slots: Vec<Option<u64>> = slots.collect();
                Ok::<_, StoreError>((keys, slots, Chunk::read(question, run, sample, index, Extent::Pairs)?))
            };
            in_order(sample.groups(), threads, read, |_, (keys, hashed, chunk)| {
                let mut slots = Vec::with_capacity(keys.rows());
                for (row, of_row) in hashed.iter().enumerate() {
                    slots.push(match (of_row, keys.get(row)) {
                        (Some(of_row), Some(key)) if *of_row == bucket => sums.slot(key),
                        (None, _) if bucket == 0 => Slot::Alone,
                        _ => Slot::Elsewhere,
                    });
                }
                let added = sums.add(question, &mut found, &chunk, &slots);
                added.map_err(|error| StoreError::table(&run.path(layout::SESSIONS), error))
            })?;
            sums.into_residuals(question, &mut found);
        }
        Ok(found)
    }

    fn around(question: &Question<'_>, tally: &Tally, column: &'static str) -> Self {
        let mean = |pair: &PairTally| ClusterResiduals::around(pair.deltas.mean().unwrap_or_default());
        let means = |pairs: &Vec<Vec<PairTally>>| -> Vec<Vec<ClusterResiduals>> {
            pairs.iter().map(|pairs| pairs.iter().map(mean).collect()).collect()
        };
        let common = |candidate: usize| {
            let exposures = candidate.checked_sub(1).and_then(|place| tally.exposures.get(place));
            exposures.into_iter().flatten().map(|exposure| mean(&exposure.common)).collect()
        };
        Self {
            column: Some(column),
            whole: means(&tally.whole.pairs),
            common: question.candidates().map(common).collect(),
            nodes: tally.nodes.iter().map(|(node, group)| (node.clone(), means(&group.pairs))).collect(),
        }
    }
}

/// The number of buckets that keeps one of them within [`BUCKET_BYTES`], if no cluster repeated.
fn buckets(question: &Question<'_>, tally: &Tally) -> u64 {
    let cell = size_of::<Cell>() as u64;
    let candidates = question.candidates().len() as u64;
    let tests = (question.measures.len() + question.exposed.len()) as u64 * candidates;
    let at_nodes = question.at_nodes.len() as u64 * candidates;
    let bytes = tally.sessions * (KEY_BYTES + tests * cell) + tally.memberships * (KEY_BYTES + at_nodes * cell);
    bytes.div_ceil(BUCKET_BYTES).max(1)
}

/// The deltas of one test in one cluster.
#[derive(Clone, Copy, Default)]
struct Cell {
    sum: CompensatedSum,
    pairs: u32,
}

impl Cell {
    fn add(&mut self, delta: f64) {
        self.sum.add(delta);
        self.pairs += 1;
    }

    fn whole(self) -> ClusterSum {
        ClusterSum { pairs: self.pairs.into(), sum: self.sum.total() }
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
    /// Cells of one cluster: by candidate, its measures and then its exposures.
    width: usize,
    cells: Vec<Cell>,
    node_numbers: HashMap<String, u32>,
    node_width: usize,
    /// The place of a cluster's cells at a node.
    node_places: HashMap<(usize, u32), usize>,
    /// The nodes of those places.
    nodes: Vec<u32>,
    node_cells: Vec<Cell>,
}

impl BucketSums {
    fn new(question: &Question<'_>, tally: &Tally) -> Self {
        let candidates = question.candidates().len();
        Self {
            numbers: Numbers::default(),
            clusters: 0,
            width: candidates * (question.measures.len() + question.exposed.len()),
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
        found: &mut Clustered,
        chunk: &Chunk,
        slots: &[Slot],
    ) -> Result<(), Damaged> {
        let measures = question.measures.len();
        let per_candidate = measures + question.exposed.len();
        for candidate in question.candidates() {
            let first = (candidate - 1) * per_candidate;
            for measure in 0..measures {
                let Some(columns) = Columns::of(chunk, candidate, measure) else { continue };
                let alone = &mut found.whole;
                for (row, slot) in slots.iter().enumerate() {
                    if let Some(delta) = columns.delta(row) {
                        self.put(*slot, first + measure, delta, residuals(alone, candidate, measure));
                    }
                }
            }
            if question.exposed.is_empty() {
                continue;
            }
            for (row, [old, new]) in chunk.common_support(candidate, question.plan.support_depth()) {
                let Some(slot) = slots.get(row) else { continue };
                for (place, measure) in question.exposed.iter().enumerate() {
                    let pair = Columns::of(chunk, candidate, *measure).and_then(|columns| columns.delta(row));
                    if pair.is_some() {
                        let alone = residuals(&mut found.common, candidate, place);
                        self.put(*slot, first + measures + place, new - old, alone);
                    }
                }
            }
        }
        self.add_nodes(question, found, chunk, slots)
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
            for candidate in question.candidates() {
                for (place, measure) in question.at_nodes.iter().enumerate() {
                    let Some(columns) = Columns::of(chunk, candidate, *measure) else { continue };
                    let cell = (candidate - 1) * question.at_nodes.len() + place;
                    for row in rows.iter().map(|row| *row as usize) {
                        let (Some(slot), Some(delta)) = (slots.get(row), columns.delta(row)) else { continue };
                        match *slot {
                            Slot::Elsewhere => {}
                            Slot::Alone => residuals(alone, candidate, place)
                                .into_iter()
                                .for_each(|residuals| residuals.add(ClusterSum::single(delta))),
                            Slot::Cluster(cluster) => self.put_node(cluster, number, cell, delta),
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn put_node(&mut self, cluster: usize, node: u32, cell: usize, delta: f64) {
        let place = *self.node_places.entry((cluster, node)).or_insert(self.nodes.len());
        if place == self.nodes.len() {
            self.nodes.push(node);
            self.node_cells.resize(self.node_cells.len() + self.node_width, Cell::default());
        }
        if let Some(cell) = self.node_cells.get_mut(place * self.node_width + cell) {
            cell.add(delta);
        }
    }

    /// Adds the whole clusters to what is found, in the order in which they came.
    fn into_residuals(self, question: &Question<'_>, found: &mut Clustered) {
        let measures = question.measures.len();
        let per_candidate = measures + question.exposed.len();
        for cluster in self.cells.chunks(self.width.max(1)) {
            for (candidate, cells) in (1..).zip(cluster.chunks(per_candidate.max(1))) {
                for (test, cell) in cells.iter().enumerate() {
                    let residuals = match test.checked_sub(measures) {
                        None => residuals(&mut found.whole, candidate, test),
                        Some(place) => residuals(&mut found.common, candidate, place),
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
struct Columns<'a> {
    chunk: &'a Chunk,
    candidate: usize,
    measure: usize,
}

impl<'a> Columns<'a> {
    fn of(chunk: &'a Chunk, candidate: usize, measure: usize) -> Option<Self> {
        (candidate < chunk.arms.len()).then_some(Self { chunk, candidate, measure })
    }

    fn delta(&self, row: usize) -> Option<f64> {
        let value = |arm: usize| self.chunk.arms.get(arm)?.value(self.measure, row);
        Some(value(self.candidate)? - value(0)?)
    }
}
