//! Sums up one arm.

use std::collections::BTreeMap;

use rematch_metrics::sum::mean;

use super::observations::{Observations, ScorerObservations};
use super::outcome::{ArmState, BenchmarkResult, MetricSummary, ScorerSummary};
use super::{Arm, alignment, latency};
use crate::benchmark::Plan;

/// Returns what the arm at `index` did.
pub(super) fn summarise(plan: &Plan, arm: &Arm, index: usize, observations: &Observations) -> BenchmarkResult {
    let observed = observations.arm(index);
    let failed = observed.all_failed();
    let all: Vec<usize> = (0..observations.sessions()).collect();
    let answered: Vec<usize> =
        all.iter().copied().filter(|row| !observed.failed.get(*row).copied().unwrap_or(true)).collect();
    let named = plan.metrics.iter().enumerate();
    let scores =
        named.map(|(metric, name)| (name.to_string(), alignment::summarise(observed.metrics.get(metric), &answered)));
    let nodes = observations.nodes().iter();
    BenchmarkResult {
        retriever_id: arm.id.clone(),
        retriever_name: arm.name.clone(),
        pipeline_hash: arm.pipeline_hash.clone(),
        state: if failed { ArmState::Failed } else { ArmState::Completed },
        metrics: (!failed).then(|| alignment::align(plan, index, observations, &all)),
        scores: if failed { BTreeMap::new() } else { scores.collect() },
        scenario_score: scenario_score(plan, observed.scenario.as_slice(), &answered),
        scorers: observed.scorers.iter().map(|scorer| (scorer.name.clone(), scorer_summary(scorer))).collect(),
        latency: latency::summarise(observed),
        answered_sessions: answered.len() as u64,
        empty_answers: observed.empty_answers,
        failed_sessions: (all.len() - answered.len()) as u64,
        error_summary: observed.errors.clone(),
        taxonomy_deltas: if failed {
            BTreeMap::new()
        } else {
            nodes.map(|(node, rows)| (node.clone(), alignment::align(plan, index, observations, rows))).collect()
        },
    }
}

/// The run's score: the sum of the scenario scores over the number of scenarios that have one.
fn scenario_score(plan: &Plan, scores: &[Option<f64>], answered: &[usize]) -> Option<MetricSummary> {
    if plan.scorers.is_empty() {
        return None;
    }
    let defined: Vec<f64> = answered.iter().filter_map(|row| scores.get(*row).copied().flatten()).collect();
    Some(MetricSummary {
        mean: mean(&defined),
        n: defined.len() as u64,
        undefined: (answered.len() - defined.len()) as u64,
    })
}

fn scorer_summary(scorer: &ScorerObservations) -> ScorerSummary {
    ScorerSummary {
        mean: mean(&scorer.values),
        complete: scorer.values.len() as u64,
        error: scorer.errors,
        unknown: scorer.unknown,
        first_error: scorer.first_error.clone(),
    }
}
