//! How well one arm's answers agree with what users wanted, over any set of sessions.

use std::collections::BTreeMap;

use rematch_metrics::stats::SignCounts;
use rematch_metrics::sum::mean;

use super::observations::{Observations, Positions};
use super::significance::direction;
use crate::benchmark::Plan;
use crate::compare::outcome::{AlignmentMetrics, MetricSummary};
use crate::score::MeasureKind;

/// Sums up the arm at `index` over the sessions in `rows`.
pub(super) fn align(plan: &Plan, index: usize, observations: &Observations, rows: &[usize]) -> AlignmentMetrics {
    let arm = observations.arm(index);
    let answered: Vec<usize> =
        rows.iter().copied().filter(|row| !arm.failed.get(*row).copied().unwrap_or(true)).collect();
    let mut positions = Positions::default();
    for row in &answered {
        if let Some(found) = arm.positions.get(*row) {
            positions.clicked.merge(found.clicked);
            positions.purchased.merge(found.purchased);
            positions.moves.merge(found.moves);
        }
    }
    let family = |prefix: &str| -> BTreeMap<String, Option<f64>> {
        let named = plan.metrics.iter().enumerate();
        let cutoffs =
            named.filter_map(|(metric, name)| Some((name.to_string().strip_prefix(prefix)?.to_owned(), metric)));
        cutoffs
            .map(|(cutoff, metric)| (cutoff, summarise(observations.values(index, metric), &answered).mean))
            .collect()
    };
    let scored = observations.measures().iter().enumerate().filter(|(_, one)| one.kind != MeasureKind::Metric);
    let of_scorers =
        scored.map(|(place, one)| (one.name.clone(), summarise(observations.values(index, place), &answered).mean));
    let signs = signs(plan, index, observations, rows);
    AlignmentMetrics {
        ndcg_at_k: family("nDCG@"),
        recall_at_k: family("R@"),
        scorers: of_scorers.collect(),
        primary_mean: summarise(observations.values(index, observations.primary()), &answered).mean,
        mean_rank_clicked: positions.clicked.mean_rank(),
        mean_rank_purchased: positions.purchased.mean_rank(),
        clicked_not_retrieved: positions.clicked.not_retrieved,
        purchased_not_retrieved: positions.purchased.not_retrieved,
        avg_position_delta: positions.moves.mean_delta(),
        items_promoted: positions.moves.promoted,
        items_demoted: positions.moves.demoted,
        sessions_improved: signs.improved,
        sessions_degraded: signs.degraded,
        sessions_neutral: signs.neutral,
        sessions: answered.len() as u64,
    }
}

/// Returns mean, n and undefined of one metric over `rows`.
pub(super) fn summarise(values: &[Option<f64>], rows: &[usize]) -> MetricSummary {
    let defined: Vec<f64> = rows.iter().filter_map(|row| values.get(*row).copied().flatten()).collect();
    MetricSummary { mean: mean(&defined), n: defined.len() as u64, undefined: (rows.len() - defined.len()) as u64 }
}

fn signs(plan: &Plan, index: usize, observations: &Observations, rows: &[usize]) -> SignCounts {
    let primary = observations.primary();
    let (baseline, candidate) = (observations.values(0, primary), observations.values(index, primary));
    let sign = observations.measures().get(primary).map_or(1.0, direction);
    let delta =
        |row: &usize| Some(sign * (candidate.get(*row).copied().flatten()? - baseline.get(*row).copied().flatten()?));
    let deltas: Vec<f64> = rows.iter().filter_map(delta).collect();
    SignCounts::of(&deltas, plan.noise_threshold)
}
