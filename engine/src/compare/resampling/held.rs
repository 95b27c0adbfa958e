//! What needs all deltas at once: the bootstrap of clusters, and Wilcoxon's ranks.

use rematch_metrics::stats::{
    BootstrapMethod, ClusterSum, Wilcoxon, WilcoxonMethod, ZeroRule, bootstrap_interval, bootstrap_means, wilcoxon,
};
use rematch_metrics::sum::CompensatedSum;

use crate::compare::CONFIDENCE;
use crate::compare::chunk::Chunk;
use crate::compare::cluster_tests::{Clustered, Columns};
use crate::compare::clusters::{KEY_BYTES, Keys, LEAST_CLUSTERS, Numbers};
use crate::compare::outcome::{BootstrapInterval, OtherTest};
use crate::compare::question::Question;
use crate::compare::significance::independence;
use crate::compare::tally::Tally;

/// Bytes that are held at most. Beyond, the bootstrap weights clusters instead of drawing them, and there is no Wilcoxon's test.
pub(in crate::compare) const MOST_BYTES: u64 = 256 << 20;

/// Beyond this the normal approximation is used, as scipy does.
const MOST_FOR_EXACT: usize = 50;

/// What is kept, and of what.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    /// The deltas of clusters, or of sessions where no cluster repeats.
    pub(super) units: bool,
    /// The deltas of sessions.
    pub(super) deltas: bool,
    /// Whether clusters repeat.
    pub(super) clustered: bool,
}

impl Wanted {
    /// Returns about how many bytes it takes.
    pub(super) fn bytes(self, question: &Question<'_>, tally: &Tally, clustered: &Clustered) -> u64 {
        let tests = (question.measures.len() * question.candidates().len()) as u64;
        let deltas = tests.saturating_mul(8).saturating_mul(tally.sessions);
        let clusters =
            |candidate: usize| clustered.whole(candidate, question.primary).map(|found| found.clusters() as u64);
        let clusters = question.candidates().filter_map(clusters).max().unwrap_or(tally.sessions);
        let units = (KEY_BYTES + tests * size_of::<Unit>() as u64).saturating_mul(clusters);
        u64::from(self.holds_deltas()) * deltas + u64::from(self.units && self.clustered) * units
    }

    /// Returns whether anything is kept.
    pub(super) fn any(self) -> bool {
        self.units || self.deltas
    }

    fn holds_deltas(self) -> bool {
        self.deltas || (self.units && !self.clustered)
    }
}

/// The deltas of one cluster.
#[derive(Clone, Copy, Default)]
struct Unit {
    sum: CompensatedSum,
    pairs: u64,
}

/// What is kept of every candidate and measure.
pub(super) struct Held {
    wanted: Wanted,
    numbers: Numbers,
    clusters: u32,
    chunks: usize,
    tests: Vec<HeldTest>,
}

#[derive(Default)]
struct HeldTest {
    /// By the cluster's number.
    units: Vec<Unit>,
    deltas: Vec<f64>,
}

impl Held {
    pub(super) fn new(question: &Question<'_>, wanted: Wanted) -> Self {
        let tests = question.measures.len() * question.candidates().len();
        let tests = (0..tests).map(|_| HeldTest::default()).collect();
        Self { wanted, numbers: Numbers::default(), clusters: 0, chunks: 0, tests }
    }

    /// Adds the chunk that follows.
    pub(super) fn add(&mut self, question: &Question<'_>, keys: &Keys, chunk: &Chunk) {
        self.chunks += 1;
        let mut slots = Vec::new();
        if self.wanted.units && self.wanted.clustered {
            for row in 0..chunk.rows {
                let next = self.clusters;
                let (number, new) = keys.get(row).map_or((next, true), |key| self.numbers.of(key, next));
                self.clusters += u32::from(new);
                slots.push(number as usize);
            }
        }
        let clusters = self.clusters as usize;
        let places = question
            .candidates()
            .flat_map(|candidate| (0..question.measures.len()).map(move |measure| (candidate, measure)));
        for (test, (candidate, measure)) in self.tests.iter_mut().zip(places) {
            let Some(columns) = Columns::of(chunk, candidate, measure) else { continue };
            if self.wanted.holds_deltas() {
                test.deltas.extend((0..chunk.rows).filter_map(|row| columns.delta(row)));
            }
            test.units.resize(clusters, Unit::default());
            for (row, slot) in slots.iter().enumerate() {
                if let (Some(delta), Some(unit)) = (columns.delta(row), test.units.get_mut(*slot)) {
                    unit.sum.add(delta);
                    unit.pairs += 1;
                }
            }
        }
    }

    /// Returns whether nothing was added.
    pub(super) fn is_empty(&self) -> bool {
        self.chunks == 0
    }

    /// Returns the number of tests: candidates x measures.
    pub(super) fn tests(&self) -> usize {
        self.tests.len()
    }

    /// Returns the 95 % interval of one test's mean; `None` with fewer than ten clusters, or where they do not vary.
    pub(super) fn bootstrap(&self, test: usize, seed: u64, resamples: u64) -> Option<BootstrapInterval> {
        let test = self.tests.get(test)?;
        let units: Vec<ClusterSum> = match self.wanted.clustered {
            false => test.deltas.iter().copied().map(ClusterSum::single).collect(),
            true => {
                let whole = |unit: &Unit| ClusterSum { pairs: unit.pairs, sum: unit.sum.total() };
                test.units.iter().filter(|unit| unit.pairs > 0).map(whole).collect()
            }
        };
        interval(&units, seed, resamples)
    }

    /// Returns Wilcoxon's test of one test's deltas.
    pub(super) fn wilcoxon(&self, test: usize) -> Option<OtherTest> {
        let test = self.tests.get(test)?;
        self.wanted.deltas.then(|| signed_ranks(&test.deltas, self.wanted.clustered))
    }
}

/// Returns the BCa interval of units; `None` with fewer than ten, or where they do not vary.
pub(in crate::compare) fn interval(units: &[ClusterSum], seed: u64, resamples: u64) -> Option<BootstrapInterval> {
    if units.len() < LEAST_CLUSTERS || resamples == 0 {
        return None;
    }
    let means = bootstrap_means(units, seed, 0..resamples);
    let found = bootstrap_interval(units, means, BootstrapMethod::BiasCorrectedAccelerated, CONFIDENCE).ok()?;
    Some(BootstrapInterval {
        ci95: [found.low, found.high],
        method: "BCa".to_owned(),
        standard_error: found.standard_error,
        resamples,
        clusters: units.len() as u64,
        seed,
    })
}

/// Returns Wilcoxon's test of deltas that cannot be held.
pub(super) fn not_done(reason: &str) -> OtherTest {
    OtherTest { note: format!("none: {reason}"), ..signed_ranks(&[], false) }
}

/// Returns Wilcoxon's signed-rank test as scipy chooses it: exact for few deltas without zeros and ties, else by the normal
/// approximation with the variance corrected for ties.
pub(in crate::compare) fn signed_ranks(deltas: &[f64], clusters_repeat: bool) -> OtherTest {
    let mut sizes: Vec<f64> = deltas.iter().map(|delta| delta.abs()).collect();
    sizes.sort_unstable_by(f64::total_cmp);
    let ties = sizes.first() == Some(&0.0) || sizes.windows(2).any(|pair| pair.first() == pair.last());
    let exact = deltas.len() <= MOST_FOR_EXACT && !ties;
    let method = match exact {
        true => WilcoxonMethod::Exact,
        false => WilcoxonMethod::Normal { continuity_correction: false },
    };
    let test = wilcoxon(deltas, ZeroRule::Drop, method);
    let found = test.as_ref().ok();
    OtherTest {
        test: "Wilcoxon signed-rank".to_owned(),
        hypothesis: format!(
            "differences symmetrical about a median of 0, not a mean of 0{}",
            independence(clusters_repeat)
        ),
        statistic: found.map(Wilcoxon::statistic),
        p: found.map(|test| test.p_two_sided),
        n: sizes.iter().filter(|size| **size > 0.0).count() as u64,
        note: match (&test, exact) {
            (Err(reason), _) => format!("none: {reason}"),
            (Ok(_), true) => "exact".to_owned(),
            (Ok(_), false) => "normal approximation, corrected for ties; differences of 0 are dropped".to_owned(),
        },
    }
}
