//! Run scores that a component sums up itself, and how far chance may have moved their difference.
//!
//! A ratio of sums or a median has no per-session values to test. So whole clusters of sessions are drawn anew with
//! replacement, both arms alike, and the component sums up each draw (percentile bootstrap, Efron 1979).
//!
//! This alone needs the sessions' values: they are kept for the scorers that sum up runs themselves, as numbers in which NaN is
//! "undefined" (a value is never NaN) with a flag for "not scored". A run with more than [`MOST_BYTES`] of them is refused.

use rematch_metrics::stats::resampled_units;

use super::CompareError;
use super::chunk::{ArmChunk, Chunk};
use super::clusters::{KEY_BYTES, Keys, LEAST_CLUSTERS, Numbers};
use super::outcome::{AggregateComparison, BenchmarkResult, PipelineComparison};
use super::question::Question;
use super::tables::OfChunk;
use super::tally::Tally;
use crate::benchmark::statistics::ClusterBy;
use crate::score::{MeasureKind, ScoreError, Scorer, ScoringContract};
use crate::store::{RunDirectory, StoreError, TableReader};

/// Bytes of values that are kept at most.
const MOST_BYTES: u64 = 512 << 20;

/// Bytes per session that a draw takes, about, besides what is kept: the row, and the values as the component gets them.
const DRAWN_BYTES: u64 = 24;

/// Draws; the ends of a 95 % interval are then the 25th smallest and largest difference.
const RESAMPLES: u64 = 999;

/// With fewer draws that have a score, those that have one are no fair sample of them all.
const LEAST_RESAMPLES: u64 = 950;

/// The sessions' values of the scorers that sum up runs themselves.
#[derive(Default)]
pub(super) struct Kept {
    scorers: Vec<KeptScorer>,
    /// The number of each session's cluster; empty where nothing is kept.
    clusters: Vec<u32>,
}

struct KeptScorer {
    /// Its place in the contract.
    index: usize,
    /// The places of its score and sub-scores among the measures.
    places: Vec<usize>,
    /// By arm.
    arms: Vec<KeptArm>,
}

#[derive(Default)]
struct KeptArm {
    /// By place; NaN where undefined.
    values: Vec<Vec<f64>>,
    /// Whether the retriever answered and the scorer did not fail; an undefined score is one, and the component knows what to
    /// make of it.
    scored: Vec<bool>,
}

impl Kept {
    /// Starts for a run of that many sessions.
    pub(super) fn new(
        question: &Question<'_>,
        contract: &ScoringContract,
        sessions: u64,
    ) -> Result<Self, CompareError> {
        let aggregating = contract.scorers().enumerate().filter(|(_, scorer)| scorer.aggregates());
        let mut kept = Self::default();
        let mut bytes = 0;
        for (index, _) in aggregating {
            let places = places(question, index);
            let columns = places.len() as u64;
            bytes += question.arms as u64 * (8 * columns + 1) + columns * DRAWN_BYTES;
            let kept_arm = |_| KeptArm { values: vec![Vec::new(); places.len()], scored: Vec::new() };
            let arms = (0..question.arms).map(kept_arm).collect();
            kept.scorers.push(KeptScorer { index, places, arms });
        }
        bytes = if kept.scorers.is_empty() { 0 } else { (bytes + KEY_BYTES).saturating_mul(sessions) };
        if bytes > MOST_BYTES {
            return Err(CompareError::TooManyValues { sessions, bytes, most: MOST_BYTES });
        }
        Ok(kept)
    }

    /// Returns whether any value is kept.
    pub(super) fn keeps(&self) -> bool {
        !self.scorers.is_empty()
    }

    /// Adds the chunk that follows.
    pub(super) fn add(&mut self, chunk: &Chunk, tally: &Tally) {
        for scorer in &mut self.scorers {
            for ((kept, arm), found) in scorer.arms.iter_mut().zip(&chunk.arms).zip(&tally.arms) {
                let failed = found.scorers.get(scorer.index).map(|one| one.failed.as_slice()).unwrap_or_default();
                kept.add(arm, &scorer.places, failed, chunk.rows);
            }
        }
    }

    /// Numbers the clusters of all sessions, if anything is kept.
    pub(super) fn read_clusters(
        &mut self,
        run: &RunDirectory,
        sample: &TableReader,
        by: ClusterBy,
    ) -> Result<(), StoreError> {
        if self.scorers.is_empty() {
            return Ok(());
        }
        let (mut numbers, mut next) = (Numbers::default(), 0);
        for chunk in 0..sample.groups() {
            let keys = Keys::read(&OfChunk { run, sample, chunk }, by)?;
            for row in 0..keys.rows() {
                let (number, new) = keys.get(row).map_or((next, true), |key| numbers.of(key, next));
                next += u32::from(new);
                self.clusters.push(number);
            }
        }
        Ok(())
    }
}

impl KeptArm {
    fn add(&mut self, arm: &ArmChunk, places: &[usize], failed: &[usize], rows: usize) {
        for (values, place) in self.values.iter_mut().zip(places) {
            values.extend((0..rows).map(|row| arm.value(*place, row).unwrap_or(f64::NAN)));
        }
        self.scored.extend((0..rows).map(|row| !arm.has_failed(row) && failed.binary_search(&row).is_err()));
    }
}

/// Fills in the run scores of the scorers that sum up runs themselves.
pub(super) fn add(
    seed: u64,
    contract: &ScoringContract,
    kept: &Kept,
    tally: &Tally,
    results: &mut [BenchmarkResult],
    comparisons: &mut [PipelineComparison],
) -> Result<(), ScoreError> {
    for values in &kept.scorers {
        let Some(scorer) = contract.scorers().nth(values.index) else { continue };
        let summed = Summed { scorer, values, clusters: &kept.clusters };
        let all: Vec<usize> = (0..kept.clusters.len()).collect();
        for (arm, result) in results.iter_mut().enumerate() {
            let score = if tally.all_failed(arm) { None } else { summed.up(arm, &all)? };
            if let Some(summary) = result.scorers.get_mut(scorer.name()) {
                summary.aggregate = score;
            }
        }
        for comparison in comparisons.iter_mut() {
            let candidate = |result: &BenchmarkResult| result.retriever_id == comparison.candidate_retriever_id;
            let Some(arm) = results.iter().position(candidate) else { continue };
            let compared = summed.compare(arm, seed)?;
            comparison.aggregates.insert(scorer.name().to_owned(), compared);
        }
    }
    Ok(())
}

/// The places of a scorer's score and sub-scores among the measures.
fn places(question: &Question<'_>, scorer: usize) -> Vec<usize> {
    let of_scorer = |kind| kind == MeasureKind::Scorer(scorer) || kind == MeasureKind::SubScore(scorer);
    let measures = question.measures.iter().enumerate();
    measures.filter(|(_, measure)| of_scorer(measure.kind)).map(|(place, _)| place).collect()
}

/// The 95 % interval and the two-sided p of resampled differences.
fn interval_and_p(deltas: &mut [f64]) -> Option<([f64; 2], f64)> {
    deltas.sort_unstable_by(f64::total_cmp);
    // The k-th smallest and largest of n, with k = (n + 1) / 40: the 25th of 999.
    let tail = (deltas.len() + 1) / 40;
    let interval = [*deltas.get(tail.checked_sub(1)?)?, *deltas.get(deltas.len() - tail)?];
    let beyond = |side: &dyn Fn(&f64) -> bool| deltas.iter().filter(|delta| side(delta)).count();
    let fewer = beyond(&|delta| *delta <= 0.0).min(beyond(&|delta| *delta >= 0.0));
    let p = 2.0 * (fewer as f64 + 1.0) / (deltas.len() as f64 + 1.0);
    Some((interval, p.min(1.0)))
}

struct Summed<'a> {
    scorer: &'a dyn Scorer,
    values: &'a KeptScorer,
    clusters: &'a [u32],
}

impl Summed<'_> {
    /// Returns the arm's score over the sessions in `rows`.
    fn up(&self, arm: usize, rows: &[usize]) -> Result<Option<f64>, ScoreError> {
        let defined = |value: f64| (!value.is_nan()).then_some(value);
        let column = |values: &Vec<f64>| -> Vec<Option<f64>> {
            rows.iter().map(|row| values.get(*row).copied().and_then(defined)).collect()
        };
        let values = self.values.arms.get(arm).map(|arm| arm.values.as_slice()).unwrap_or_default();
        self.scorer.aggregate(&values.iter().map(column).collect::<Vec<_>>())
    }

    fn compare(&self, arm: usize, seed: u64) -> Result<AggregateComparison, ScoreError> {
        let rows: Vec<usize> = (0..self.clusters.len()).filter(|row| self.scored(arm, *row)).collect();
        let (baseline, candidate) = (self.up(0, &rows)?, self.up(arm, &rows)?);
        let clusters = self.clusters(&rows);
        let mut deltas = Vec::new();
        if clusters.len() >= LEAST_CLUSTERS {
            for resample in 0..RESAMPLES {
                let drawn = resampled_units(clusters.len(), seed, resample);
                let mut rows: Vec<usize> = drawn.filter_map(|unit| clusters.get(unit)).flatten().copied().collect();
                rows.sort_unstable();
                // What cannot be summed up is as undefined as what has no sum: an unlucky draw is no error of the run.
                let summed = |arm: usize| self.up(arm, &rows).ok().flatten();
                deltas.extend(summed(arm).zip(summed(0)).map(|(new, old)| new - old));
            }
        }
        let found = (deltas.len() as u64 >= LEAST_RESAMPLES).then(|| interval_and_p(&mut deltas)).flatten();
        Ok(AggregateComparison {
            baseline,
            candidate,
            delta: candidate.zip(baseline).map(|(new, old)| new - old),
            ci95: found.map(|(interval, _)| interval),
            p: found.map(|(_, p)| p),
            lower_is_better: self.scorer.metrics().first().is_some_and(|metric| !metric.higher_is_better),
            sessions: rows.len() as u64,
            clusters: clusters.len() as u64,
            resamples: deltas.len() as u64,
            seed,
        })
    }

    /// Whether both arms were scored on the session.
    fn scored(&self, arm: usize, row: usize) -> bool {
        let arms = [0, arm].map(|arm| self.values.arms.get(arm));
        arms.iter().all(|arm| arm.is_some_and(|arm| arm.scored.get(row).copied().unwrap_or(false)))
    }

    /// The rows by cluster, clusters in order of their numbers.
    fn clusters(&self, rows: &[usize]) -> Vec<Vec<usize>> {
        let mut clusters = std::collections::BTreeMap::<u32, Vec<usize>>::new();
        for row in rows {
            let cluster = self.clusters.get(*row).copied().unwrap_or_default();
            clusters.entry(cluster).or_default().push(*row);
        }
        clusters.into_values().collect()
    }
}
