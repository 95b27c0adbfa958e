//! The reading that resampling takes, and what it found.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use rematch_metrics::stats::{PoissonMeans, RandomisationCounts};

use super::amount::{DRAWS, SIGNS, choose};
use super::held::{Held, Wanted, not_done};
use super::passes::{PassSums, Passes, Streamed};
use crate::benchmark::statistics::FurtherTest;
use crate::compare::CONFIDENCE;
use crate::compare::cluster_tests::Clustered;
use crate::compare::clusters::LEAST_CLUSTERS;
use crate::compare::fold::in_order;
use crate::compare::outcome::{
    BootstrapInterval, MetricComparison, NodeComparison, OtherTest, RandomisationTest, Resampling,
};
use crate::compare::question::Question;
use crate::compare::tables::OfChunk;
use crate::compare::tally::Tally;
use crate::compare::verdict::thousands;
use crate::store::{RunDirectory, StoreError, TableReader};

/// Everything that resampling found.
#[derive(Default)]
pub(in crate::compare) struct Resampled {
    done: Resampling,
    /// By candidate, then by measure.
    randomisation: Vec<Vec<Option<RandomisationTest>>>,
    /// By candidate.
    nodes: Vec<BTreeMap<String, RandomisationTest>>,
    /// By candidate and measure, in one list.
    bootstrap: Vec<Option<BootstrapInterval>>,
    wilcoxon: Vec<Option<OtherTest>>,
    measures: usize,
}

/// What is resampled, and how often.
pub(in crate::compare) struct Amounts {
    done: Resampling,
    wanted: Wanted,
    /// Why Wilcoxon's test is not made, where it is asked for and cannot be.
    refused: Option<String>,
    /// What is resampled over sums that merge.
    pub(in crate::compare) streamed: Streamed,
}

impl Amounts {
    /// Chooses what was asked for, or is cheap; no more than `most_bytes` of deltas or clusters' sums are held at once.
    pub(in crate::compare) fn choose(
        question: &Question<'_>,
        tally: &Tally,
        clustered: &Clustered,
        most_bytes: u64,
    ) -> Self {
        let (statistics, seed) = (&question.plan.statistics, question.plan.seed);
        let repeats = clustered.repeats();
        let none = Streamed { signs: 0, weights: 0, repeats };
        let pairs = Passes::new(question, tally, clustered, none).pairs();
        let randomisation = choose(&SIGNS, statistics.resamples, pairs, seed);
        let mut bootstrap = choose(&DRAWS, statistics.bootstrap, clusters(question, tally, clustered), seed);
        let wilcoxon = statistics.also.contains(&FurtherTest::Wilcoxon);
        let bytes = |wanted: Wanted| wanted.bytes(question, tally, clustered);
        let mut wanted = Wanted { units: bootstrap.resamples > 0, deltas: false, clustered: repeats };
        let (mut weights, mut refused) = (0, None);
        let of_units = bytes(wanted);
        if of_units > most_bytes {
            weights = bootstrap.resamples;
            bootstrap.note = format!(
                "{}; clusters are weighted by Poisson numbers, as drawing them would take {}",
                bootstrap.note,
                too_much(of_units, most_bytes)
            );
            wanted.units = false;
        }
        // What else is wanted never changes how the bootstrap is made: it has what drawing leaves.
        let held = bytes(wanted);
        let of_deltas = bytes(Wanted { deltas: wilcoxon, ..wanted }) - held;
        wanted.deltas = wilcoxon && of_deltas <= most_bytes - held;
        if wilcoxon && !wanted.deltas {
            let amount = too_much(of_deltas, most_bytes - held);
            let beside = if held > 0 { " beside the bootstrap's" } else { "" };
            refused = Some(format!("not done: it would take {amount}{beside}; draw a smaller sample"));
        }
        let streamed = Streamed { signs: randomisation.resamples, weights, repeats };
        Self { done: Resampling { randomisation, bootstrap }, wanted, refused, streamed }
    }
}

fn too_much(bytes: u64, most: u64) -> String {
    format!("about {} bytes, more than {}", thousands(bytes), thousands(most))
}

/// Where to read.
#[derive(Clone, Copy)]
pub(in crate::compare) struct Source<'a> {
    pub(in crate::compare) question: &'a Question<'a>,
    pub(in crate::compare) run: &'a RunDirectory,
    pub(in crate::compare) sample: &'a TableReader,
    pub(in crate::compare) threads: NonZeroUsize,
}

impl Resampled {
    /// Resamples as often as was asked for, or is cheap, and holds no more than `most_bytes` at once. `made` knows the sums of
    /// readings that others made, within the same bound.
    pub(in crate::compare) fn read(
        source: Source<'_>,
        tally: &Tally,
        clustered: &Clustered,
        most_bytes: u64,
        made: impl Fn(&Passes<'_>, usize) -> Result<Option<PassSums>, StoreError>,
    ) -> Result<Self, StoreError> {
        let question = source.question;
        let Amounts { done, wanted, refused, streamed } = Amounts::choose(question, tally, clustered, most_bytes);
        let mut held = Held::new(question, wanted);
        let mut found = Self { measures: question.measures.len(), ..Self::default() };
        let passes = Passes::new(question, tally, clustered, streamed);
        let means = source.all(&passes, &mut held, wanted, made, &mut found)?;
        let (seed, resamples) = (done.bootstrap.seed, done.bootstrap.resamples);
        if streamed.weights > 0 {
            let clusters = places(question).map(|(candidate, measure)| units(tally, clustered, candidate, measure));
            let interval = |(means, clusters): (PoissonMeans, u64)| weighted(means, clusters, seed);
            found.bootstrap = means.into_iter().zip(clusters).map(interval).collect();
        } else {
            let bootstrap = |test: usize| Ok::<_, StoreError>(held.bootstrap(test, seed, resamples));
            let tests = if resamples > 0 { held.tests() } else { 0 };
            in_order(tests, source.threads, bootstrap, |_, interval| {
                found.bootstrap.push(interval);
                Ok(())
            })?;
        }
        let wilcoxon = |test: usize| held.wilcoxon(test).or_else(|| refused.as_deref().map(not_done));
        found.wilcoxon = (0..held.tests()).map(wilcoxon).collect();
        found.done = done;
        Ok(found)
    }

    /// Returns what was done.
    pub(in crate::compare) fn done(&self) -> Resampling {
        self.done.clone()
    }

    /// Adds to a measure's test what resampling found.
    pub(in crate::compare) fn fill(&self, candidate: usize, measure: usize, test: &mut MetricComparison) {
        let Some(place) = candidate.checked_sub(1) else { return };
        test.randomisation = self.randomisation.get(place).and_then(|tests| *tests.get(measure)?);
        let number = place * self.measures + measure;
        test.ci95_bootstrap = self.bootstrap.get(number).cloned().flatten();
        test.other_tests.extend(self.wilcoxon.get(number).cloned().flatten());
    }

    /// Adds to the nodes' tests of the primary measure what resampling found.
    pub(in crate::compare) fn fill_nodes(&self, candidate: usize, nodes: &mut BTreeMap<String, NodeComparison>) {
        let Some(found) = candidate.checked_sub(1).and_then(|place| self.nodes.get(place)) else { return };
        for (node, test) in nodes {
            test.randomisation = found.get(node).copied();
        }
    }
}

/// The candidates and measures, in the order of the list that holds both.
fn places(question: &Question<'_>) -> impl Iterator<Item = (usize, usize)> {
    let measures = question.measures.len();
    question.candidates().flat_map(move |candidate| (0..measures).map(move |measure| (candidate, measure)))
}

/// What is resampled as a whole: the clusters of a measure's pairs, or the pairs where none repeats.
fn units(tally: &Tally, clustered: &Clustered, candidate: usize, measure: usize) -> u64 {
    let pairs = candidate.checked_sub(1).and_then(|place| tally.whole.pairs.get(place)?.get(measure));
    let clusters = clustered.whole(candidate, measure).map(|clusters| clusters.clusters() as u64);
    clusters.unwrap_or_else(|| pairs.map_or(0, |pairs| pairs.deltas.count()))
}

/// Clusters of all measures and candidates.
fn clusters(question: &Question<'_>, tally: &Tally, clustered: &Clustered) -> u64 {
    places(question).map(|(candidate, measure)| units(tally, clustered, candidate, measure)).sum()
}

/// Returns the interval of weighted means; `None` with fewer than ten clusters, or where they do not vary.
fn weighted(means: PoissonMeans, clusters: u64, seed: u64) -> Option<BootstrapInterval> {
    let found = means.interval(CONFIDENCE).ok().filter(|_| clusters >= LEAST_CLUSTERS as u64)?;
    Some(BootstrapInterval {
        ci95: [found.low, found.high],
        method: "Poisson percentile".to_owned(),
        standard_error: found.standard_error,
        resamples: found.resamples as u64,
        clusters,
        seed,
    })
}

impl Source<'_> {
    /// Reads the parts as often as the sums of the resamples need it, and once where only deltas are kept. Returns the weighted
    /// means by candidate and measure.
    fn all(
        self,
        passes: &Passes<'_>,
        held: &mut Held,
        wanted: Wanted,
        made: impl Fn(&Passes<'_>, usize) -> Result<Option<PassSums>, StoreError>,
        found: &mut Resampled,
    ) -> Result<Vec<PoissonMeans>, StoreError> {
        let mut counts: Vec<RandomisationCounts> = Vec::new();
        let mut means = vec![PoissonMeans::default(); places(self.question).count()];
        let mut last = PassSums::default();
        for pass in 0..passes.count() {
            last = match made(passes, pass)? {
                Some(sums) => sums,
                None => self.pass(passes, pass, (pass == 0 && wanted.any()).then_some(&mut *held))?,
            };
            let counted = passes.families.iter().zip(&last.signs).map(|(family, sums)| family.count(sums));
            if counts.is_empty() {
                counts = counted.collect();
            } else {
                counts.iter_mut().zip(counted).for_each(|(all, more)| all.merge(&more));
            }
            for ((candidate, measure), means) in places(self.question).zip(&mut means) {
                let sums = candidate.checked_sub(1).and_then(|place| last.weights.get(place));
                sums.into_iter().for_each(|sums| sums.means(measure, means));
            }
        }
        if wanted.any() && held.is_empty() {
            // Others made the sums, or there are none: they keep no deltas.
            self.pass(passes, passes.count(), Some(held))?;
        }
        let seed = self.question.plan.seed;
        for ((family, sums), counts) in passes.families.iter().zip(&last.signs).zip(&counts) {
            let (tests, nodes) = family.conclude(seed, sums, counts);
            found.randomisation.push(tests);
            found.nodes.push(nodes);
        }
        Ok(means)
    }

    /// Reads the parts once.
    fn pass(self, passes: &Passes<'_>, pass: usize, mut keep: Option<&mut Held>) -> Result<PassSums, StoreError> {
        let read = |chunk: usize| {
            let tables = OfChunk { run: self.run, sample: self.sample, chunk };
            let (keys, chunk) = passes.read(&tables)?;
            let sums = passes.sum_up(pass, &tables, (&keys, &chunk))?;
            Ok::<_, StoreError>((keys, chunk, sums))
        };
        let mut whole = passes.start(pass);
        in_order(self.sample.groups(), self.threads, read, |_, (keys, chunk, sums)| {
            whole.merge(&sums);
            if let Some(held) = &mut keep {
                held.add(self.question, &keys, &chunk);
            }
            Ok(())
        })?;
        Ok(whole)
    }
}
