//! Can clicks tell the arms apart? Items that the logged ranker never showed could not be clicked.
//!
//! A replay that counts such items as worthless favours whoever produced the log, and so do clicks on the top of its list,
//! by tens of percent (Joachims et al. 2017; Agarwal et al. 2019). So, for sessions whose relevance comes from
//! interactions, this states the share of each arm's top k that was shown or judged, and tests a second time on common
//! support: a DCG over the items that both arms have in their top k, each click weighted by 1 / P(examined at its logged
//! position), with P = 1 / rank. A difference that is not there is not one that clicks can show.

use super::chunk::{ArmChunk, Chunk};
use super::cluster_tests::Clustered;
use super::outcome::Exposure;
use super::question::Question;
use super::significance::conclude;
use super::tally::{PairTally, Tally};

/// The click-derived pairs of one candidate by one measure.
#[derive(Clone, Copy, Default)]
pub(super) struct ExposureTally {
    /// The baseline's and the candidate's propensity-weighted DCG on common support.
    pub(super) common: PairTally,
    support: [Support; 2],
}

/// Hits of the top k, and those of them that were shown, acted on or judged.
#[derive(Clone, Copy, Default)]
struct Support {
    hits: u64,
    covered: u64,
}

impl Support {
    fn record(&mut self, arm: &ArmChunk, row: usize, depth: u64) {
        self.hits += u64::from(arm.hit_count.value(row)).min(depth);
        self.covered += u64::from(arm.top_covered.value(row));
    }

    fn merge(&mut self, other: Self) {
        self.hits += other.hits;
        self.covered += other.covered;
    }

    /// The share that was covered; undefined where nothing was returned.
    fn share(self) -> Option<f64> {
        (self.hits > 0).then(|| self.covered as f64 / self.hits as f64)
    }
}

impl ExposureTally {
    /// Sums up a chunk for one candidate, by each of the measures of [`Question::exposed`].
    pub(super) fn of(question: &Question<'_>, chunk: &Chunk, candidate: usize) -> Vec<Self> {
        let depth = question.plan.support_depth();
        let (Some(baseline), Some(new)) = (chunk.arms.first(), chunk.arms.get(candidate)) else { return Vec::new() };
        let common = match question.exposed.as_slice() {
            [] => Vec::new(),
            _ => chunk.common_support(candidate, depth),
        };
        let by_measure = |measure: &usize| {
            let mut found = Self::default();
            let defined = |row: usize| [baseline, new].iter().all(|arm| arm.value(*measure, row).is_some());
            for (row, [old, weighted]) in common.iter().filter(|(row, _)| defined(*row)) {
                found.common.add(*old, *weighted, question.plan.noise_threshold);
                for (support, arm) in found.support.iter_mut().zip([baseline, new]) {
                    support.record(arm, *row, depth as u64);
                }
            }
            found
        };
        question.exposed.iter().map(by_measure).collect()
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.common.merge(other.common);
        self.support.iter_mut().zip(other.support).for_each(|(ours, theirs)| ours.merge(theirs));
    }
}

/// Assesses a candidate by the measure at place `measure`.
pub(super) fn assess(
    question: &Question<'_>,
    tally: &Tally,
    clustered: &Clustered,
    candidate: usize,
    measure: usize,
) -> Exposure {
    let k = question.plan.support_depth() as u64;
    let place = question.exposed.iter().position(|exposed| *exposed == measure);
    let found = place.and_then(|place| tally.exposures.get(candidate.checked_sub(1)?)?.get(place).zip(Some(place)));
    match found {
        Some((found, place)) if found.common.deltas.count() > 0 => {
            let clusters = clustered.common(candidate, place);
            let [baseline, new] = found.support;
            Exposure {
                click_derived_pairs: found.common.deltas.count(),
                k,
                baseline_support: baseline.share(),
                candidate_support: new.share(),
                common_support: Some(conclude(&found.common, clusters, clustered.column(), true)),
            }
        }
        _ => Exposure { k, ..Exposure::default() },
    }
}
