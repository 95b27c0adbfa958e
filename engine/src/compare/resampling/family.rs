//! The tests of one candidate that share their random signs: every measure, and every taxonomy node by the primary.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use rematch_metrics::stats::{Extent, PoissonBootstrap, RandomisationCounts, SignBatch, StreamedRandomisation};

use crate::compare::chunk::Chunk;
use crate::compare::cluster_tests::{Clustered, Columns};
use crate::compare::outcome::RandomisationTest;
use crate::compare::question::Question;
use crate::compare::tally::{PairTally, Tally};
use crate::compare::taxonomy::LEAST_PAIRS;

/// One candidate's tests, measures first.
pub(super) struct Family {
    candidate: usize,
    measures: usize,
    /// The nodes that are tested, with the numbers of their tests.
    nodes: HashMap<String, u32>,
    extents: Vec<Extent>,
    /// What no flip of signs changes, by test.
    squares: Vec<f64>,
}

impl Family {
    pub(super) fn of(question: &Question<'_>, tally: &Tally, clustered: &Clustered, candidate: usize) -> Self {
        let mut family = Self {
            candidate,
            measures: question.measures.len(),
            nodes: HashMap::new(),
            extents: Vec::new(),
            squares: Vec::new(),
        };
        let place = candidate.saturating_sub(1);
        for measure in 0..family.measures {
            let pairs = tally.whole.pairs.get(place).and_then(|pairs| pairs.get(measure)).copied().unwrap_or_default();
            let clusters = clustered.whole(candidate, measure);
            family.push(&pairs, clusters.map(|clusters| clusters.squared_sums()));
        }
        let primary = question.at_nodes.iter().position(|measure| *measure == question.primary).unwrap_or_default();
        for (node, group) in &tally.nodes {
            let pairs = group.pairs.get(place).and_then(|pairs| pairs.get(primary)).copied().unwrap_or_default();
            if pairs.deltas.count() >= LEAST_PAIRS {
                family.nodes.extend(u32::try_from(family.extents.len()).ok().map(|test| (node.clone(), test)));
                let clusters = clustered.node(node, candidate, primary);
                family.push(&pairs, clusters.map(|clusters| clusters.squared_sums()));
            }
        }
        family
    }

    fn push(&mut self, pairs: &PairTally, squares_of_clusters: Option<f64>) {
        self.extents.push(Extent { deltas: pairs.deltas.count(), largest: pairs.deltas.largest() });
        self.squares.push(squares_of_clusters.unwrap_or_else(|| pairs.deltas.squares()));
    }

    /// Returns the number of tests.
    pub(super) fn tests(&self) -> u64 {
        self.extents.len() as u64
    }

    /// Returns the pairs of all tests.
    pub(super) fn pairs(&self) -> u64 {
        self.extents.iter().map(|extent| extent.deltas).sum()
    }

    /// Starts the sums of a range of resamples.
    pub(super) fn start(&self, seed: u64, resamples: Range<u64>) -> StreamedRandomisation {
        StreamedRandomisation::new(seed, resamples, &self.extents)
    }

    /// Adds a chunk's deltas; `keys` are what flips as a whole, by row.
    pub(super) fn add(&self, question: &Question<'_>, chunk: &Chunk, keys: &[u64], sums: &mut StreamedRandomisation) {
        let mut nodes: Vec<Vec<u32>> = vec![Vec::new(); chunk.rows];
        for (node, rows) in &chunk.nodes {
            let Some(test) = self.nodes.get(node) else { continue };
            for row in rows {
                nodes.get_mut(*row as usize).into_iter().for_each(|of_row| of_row.push(*test));
            }
        }
        let columns: Vec<_> = (0..self.measures).map(|measure| Columns::of(chunk, self.candidate, measure)).collect();
        let mut batch = SignBatch::default();
        for (row, (key, nodes)) in keys.iter().zip(&nodes).enumerate() {
            batch.session(*key);
            for (test, columns) in (0..).zip(&columns) {
                let delta = columns.as_ref().and_then(|columns| columns.delta(row)).unwrap_or(0.0);
                batch.delta(test, delta);
            }
            let primary = columns.get(question.primary).and_then(Option::as_ref);
            let delta = primary.and_then(|columns| columns.delta(row)).unwrap_or(0.0);
            nodes.iter().for_each(|test| batch.delta(*test, delta));
        }
        sums.add(&batch);
    }

    /// Starts the weighted sums of the measures, over a range of resamples.
    pub(super) fn start_weighted(&self, seed: u64, resamples: Range<u64>) -> PoissonBootstrap {
        PoissonBootstrap::new(seed, resamples, self.extents.get(..self.measures).unwrap_or_default())
    }

    /// Adds a chunk's deltas; `keys` are what counts as a whole, by row.
    pub(super) fn add_weighted(&self, chunk: &Chunk, keys: &[u64], sums: &mut PoissonBootstrap) {
        let columns: Vec<_> = (0..self.measures).map(|measure| Columns::of(chunk, self.candidate, measure)).collect();
        let mut deltas = Vec::with_capacity(self.measures);
        for (row, key) in keys.iter().enumerate() {
            deltas.clear();
            let of_row = |columns: &Option<Columns<'_>>| columns.as_ref()?.delta(row);
            deltas.extend(columns.iter().enumerate().filter_map(|(test, columns)| Some((test, of_row(columns)?))));
            sums.add(*key, &deltas);
        }
    }

    /// Returns what the sums of a range of resamples say.
    pub(super) fn count(&self, sums: &StreamedRandomisation) -> RandomisationCounts {
        sums.counts(&self.squares)
    }

    /// Returns the tests of the measures, and of the nodes, from the counts of all resamples; `sums` are those of any range.
    pub(super) fn conclude(
        &self,
        seed: u64,
        sums: &StreamedRandomisation,
        counts: &RandomisationCounts,
    ) -> (Vec<Option<RandomisationTest>>, BTreeMap<String, RandomisationTest>) {
        let found = sums.p_values(&self.squares, counts);
        let tests = found.p.iter().flatten().count() as u64;
        let test = |number: usize| {
            let (p_randomisation, p_max_t) = ((*found.p.get(number)?)?, (*found.adjusted.get(number)?)?);
            Some(RandomisationTest { p_randomisation, p_max_t, tests, resamples: counts.resamples, seed })
        };
        let nodes = self.nodes.iter().filter_map(|(node, number)| Some((node.clone(), test(*number as usize)?)));
        ((0..self.measures).map(test).collect(), nodes.collect())
    }
}
