//! Run scores that a component sums up itself, and how far chance may have moved their difference.
//!
//! A ratio of sums or a median has no per-session values to test. So whole clusters of sessions are drawn anew with
//! replacement, both arms alike, and the component sums up each draw (percentile bootstrap, Efron 1979).

use rematch_metrics::stats::resampled_units;

use super::observations::Observations;
use super::outcome::{AggregateComparison, BenchmarkResult, PipelineComparison};
use crate::benchmark::Plan;
use crate::score::{MeasureKind, ScoreError, Scorer, ScoringContract};

/// Draws; the ends of a 95 % interval are then the 25th smallest and largest difference.
const RESAMPLES: u64 = 999;

/// With fewer draws that have a score, those that have one are no fair sample of them all.
const LEAST_RESAMPLES: u64 = 950;

/// Fewer clusters say too little of their own variation.
const LEAST_CLUSTERS: usize = 10;

/// Fills in the run scores of the scorers that sum up runs themselves.
pub(super) fn add(
    plan: &Plan,
    contract: &ScoringContract,
    observations: &Observations,
    results: &mut [BenchmarkResult],
    comparisons: &mut [PipelineComparison],
) -> Result<(), ScoreError> {
    for (index, scorer) in contract.scorers().enumerate().filter(|(_, scorer)| scorer.aggregates()) {
        let summed = Summed { index, scorer, places: places(observations, index), observations };
        let all: Vec<usize> = (0..observations.sessions()).collect();
        for (arm, result) in results.iter_mut().enumerate() {
            let score = if observations.arm(arm).all_failed() { None } else { summed.up(arm, &all)? };
            if let Some(summary) = result.scorers.get_mut(scorer.name()) {
                summary.aggregate = score;
            }
        }
        for comparison in comparisons.iter_mut() {
            let candidate = |result: &BenchmarkResult| result.retriever_id == comparison.candidate_retriever_id;
            let Some(arm) = results.iter().position(candidate) else { continue };
            let compared = summed.compare(arm, plan.seed)?;
            comparison.aggregates.insert(scorer.name().to_owned(), compared);
        }
    }
    Ok(())
}

/// The places of a scorer's score and sub-scores among the measures.
fn places(observations: &Observations, scorer: usize) -> Vec<usize> {
    let of_scorer = |kind| kind == MeasureKind::Scorer(scorer) || kind == MeasureKind::SubScore(scorer);
    let measures = observations.measures().iter().enumerate();
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
    index: usize,
    scorer: &'a dyn Scorer,
    places: Vec<usize>,
    observations: &'a Observations,
}

impl Summed<'_> {
    /// Returns the arm's score over the sessions in `rows`.
    fn up(&self, arm: usize, rows: &[usize]) -> Result<Option<f64>, ScoreError> {
        let column = |place: &usize| -> Vec<Option<f64>> {
            let values = self.observations.values(arm, *place);
            rows.iter().map(|row| values.get(*row).copied().flatten()).collect()
        };
        self.scorer.aggregate(&self.places.iter().map(column).collect::<Vec<_>>())
    }

    fn compare(&self, arm: usize, seed: u64) -> Result<AggregateComparison, ScoreError> {
        let rows: Vec<usize> = (0..self.observations.sessions()).filter(|row| self.scored(arm, *row)).collect();
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

    /// Whether both arms were scored on the session. An undefined score is one; the component knows what to make of it.
    fn scored(&self, arm: usize, row: usize) -> bool {
        let at = |flags: &[bool]| flags.get(row).copied().unwrap_or(true);
        [0, arm].into_iter().map(|arm| self.observations.arm(arm)).all(|arm| {
            let scorer = arm.scorers.get(self.index);
            !at(&arm.failed) && scorer.is_some_and(|scorer| !at(&scorer.failed))
        })
    }

    /// The rows by cluster, clusters in order of their numbers.
    fn clusters(&self, rows: &[usize]) -> Vec<Vec<usize>> {
        let mut clusters = std::collections::BTreeMap::<usize, Vec<usize>>::new();
        for row in rows {
            let cluster = self.observations.session(*row).map_or(0, |session| session.cluster);
            clusters.entry(cluster).or_default().push(*row);
        }
        clusters.into_values().collect()
    }
}
