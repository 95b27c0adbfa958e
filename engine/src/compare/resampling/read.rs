//! The reading that resampling takes, and what it found.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::Range;

use rematch_metrics::stats::{RandomisationCounts, StreamedRandomisation};

use super::amount::{DRAWS, SIGNS, choose};
use super::family::Family;
use super::held::{Held, MOST_BYTES, Wanted, not_done};
use crate::benchmark::statistics::FurtherTest;
use crate::compare::chunk::{Chunk, Extent};
use crate::compare::cluster_tests::Clustered;
use crate::compare::clusters::{Keys, session_hash};
use crate::compare::columns::text_column;
use crate::compare::fold::in_order;
use crate::compare::outcome::{
    BootstrapInterval, MetricComparison, NodeComparison, OtherTest, RandomisationTest, Resampling,
};
use crate::compare::question::Question;
use crate::compare::tally::Tally;
use crate::compare::verdict::thousands;
use crate::schema::column;
use crate::store::{RunDirectory, StoreError, TableReader, layout};

/// Bytes of sums that one thread holds of one chunk; more resamples take further readings of the parts, as they do in tests.
const SUMS_BYTES: u64 = if cfg!(test) { 1 << 12 } else { 16 << 20 };

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

/// Where to read.
#[derive(Clone, Copy)]
struct Source<'a> {
    question: &'a Question<'a>,
    clustered: &'a Clustered,
    run: &'a RunDirectory,
    sample: &'a TableReader,
    threads: NonZeroUsize,
}

impl Resampled {
    /// Resamples as often as was asked for, or is cheap.
    pub(in crate::compare) fn read(
        question: &Question<'_>,
        tally: &Tally,
        clustered: &Clustered,
        run: &RunDirectory,
        sample: &TableReader,
        threads: NonZeroUsize,
    ) -> Result<Self, StoreError> {
        let source = Source { question, clustered, run, sample, threads };
        let statistics = &question.plan.statistics;
        let family = |candidate| Family::of(question, tally, clustered, candidate);
        let families: Vec<Family> = question.candidates().map(family).collect();
        let pairs = families.iter().map(Family::pairs).sum();
        let signs = choose(&SIGNS, statistics.resamples, pairs, question.plan.seed);
        let mut draws = choose(&DRAWS, statistics.bootstrap, clusters(question, tally, clustered), question.plan.seed);
        let mut wanted = Wanted {
            units: draws.resamples > 0,
            deltas: statistics.also.contains(&FurtherTest::Wilcoxon),
            clustered: clustered.repeats(),
        };
        let bytes = wanted.bytes(question, tally, clustered);
        let too_much = bytes > MOST_BYTES;
        if too_much {
            let (bytes, most) = (thousands(bytes), thousands(MOST_BYTES));
            draws.note =
                format!("not done: it would take about {bytes} bytes, more than {most}; draw a smaller sample");
            draws.resamples = 0;
            (wanted.units, wanted.deltas) = (false, false);
        }
        let refused = (too_much && statistics.also.contains(&FurtherTest::Wilcoxon)).then(|| draws.note.clone());
        let mut held = Held::new(question, wanted);
        let mut found = Self { measures: question.measures.len(), ..Self::default() };
        source.randomise(&families, signs.resamples, &mut held, wanted, &mut found)?;
        let bootstrap = |test: usize| Ok::<_, StoreError>(held.bootstrap(test, draws.seed, draws.resamples));
        let tests = if draws.resamples > 0 { held.tests() } else { 0 };
        in_order(tests, threads, bootstrap, |_, interval| {
            found.bootstrap.push(interval);
            Ok(())
        })?;
        let wilcoxon = |test: usize| held.wilcoxon(test).or_else(|| refused.as_deref().map(not_done));
        found.wilcoxon = (0..held.tests()).map(wilcoxon).collect();
        found.done = Resampling { randomisation: signs, bootstrap: draws };
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

/// Clusters of all measures and candidates.
fn clusters(question: &Question<'_>, tally: &Tally, clustered: &Clustered) -> u64 {
    let of = |candidate: usize| {
        let pairs = candidate.checked_sub(1).and_then(|place| tally.whole.pairs.get(place));
        pairs.into_iter().flatten().enumerate().map(move |(measure, pairs)| {
            let clusters = clustered.whole(candidate, measure);
            clusters.map_or(pairs.deltas.count(), |clusters| clusters.clusters() as u64)
        })
    };
    question.candidates().flat_map(of).sum()
}

impl Source<'_> {
    /// Reads the parts as often as the sums of the resamples need it, and once where only deltas are kept.
    fn randomise(
        self,
        families: &[Family],
        resamples: u64,
        held: &mut Held,
        wanted: Wanted,
        found: &mut Resampled,
    ) -> Result<(), StoreError> {
        let tests = families.iter().map(Family::tests).sum::<u64>().max(1);
        let block = StreamedRandomisation::bytes_per_test(1) * tests;
        let at_once = 64 * (SUMS_BYTES / block).max(1);
        let mut counts: Vec<RandomisationCounts> = Vec::new();
        let mut last: Vec<StreamedRandomisation> = Vec::new();
        let mut start = 0;
        while start < resamples || (start == 0 && wanted.any()) {
            let range = start..resamples.min(start + at_once);
            let keep = (start == 0 && wanted.any()).then_some(&mut *held);
            last = self.pass(families, &range, keep)?;
            let counted = families.iter().zip(&last).map(|(family, sums)| family.count(sums));
            if counts.is_empty() {
                counts = counted.collect();
            } else {
                counts.iter_mut().zip(counted).for_each(|(all, more)| all.merge(&more));
            }
            start = range.end.max(1);
        }
        let seed = self.question.plan.seed;
        for ((family, sums), counts) in families.iter().zip(&last).zip(&counts) {
            let (tests, nodes) = family.conclude(seed, sums, counts);
            found.randomisation.push(tests);
            found.nodes.push(nodes);
        }
        Ok(())
    }

    /// Reads the parts once, for a range of resamples.
    fn pass(
        self,
        families: &[Family],
        resamples: &Range<u64>,
        mut keep: Option<&mut Held>,
    ) -> Result<Vec<StreamedRandomisation>, StoreError> {
        let seed = self.question.plan.seed;
        let started = || families.iter().map(|family| family.start(seed, resamples.clone())).collect::<Vec<_>>();
        let read = |index: usize| {
            let by = self.question.plan.statistics.cluster_by;
            let keys = Keys::read(self.run, self.sample, index, by)?;
            let chunk = Chunk::read(self.question, self.run, self.sample, index, Extent::Pairs)?;
            let mut sums = started();
            if !resamples.is_empty() {
                let flipped = self.flipped(index, &keys)?;
                for (family, sums) in families.iter().zip(&mut sums) {
                    family.add(self.question, &chunk, &flipped, sums);
                }
            }
            Ok::<_, StoreError>((keys, chunk, sums))
        };
        let mut whole = started();
        in_order(self.sample.groups(), self.threads, read, |_, (keys, chunk, sums)| {
            whole.iter_mut().zip(&sums).for_each(|(whole, sums)| whole.merge(sums));
            if let Some(held) = &mut keep {
                held.add(self.question, &keys, &chunk);
            }
            Ok(())
        })?;
        Ok(whole)
    }

    /// Returns by row what flips as a whole: the cluster where clusters repeat, else the session.
    fn flipped(self, chunk: usize, keys: &Keys) -> Result<Vec<u64>, StoreError> {
        let batch = self.sample.group_columns(chunk, &[column::SESSION_ID])?;
        let ids = text_column(&batch, column::SESSION_ID);
        let ids = ids.map_err(|error| StoreError::table(&self.run.path(layout::SESSIONS), error))?;
        let key = |row: usize| {
            let cluster = if self.clustered.repeats() { keys.get(row) } else { None };
            cluster.map_or_else(|| session_hash(ids.value(row)), |cluster| cluster.hash())
        };
        Ok((0..keys.rows()).map(key).collect())
    }
}
