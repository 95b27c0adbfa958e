//! Sums up one arm.

use std::collections::BTreeMap;

use super::observations::{Observations, ScorerObservations};
use super::{alignment, latency};
use crate::benchmark::Plan;
use crate::compare::Arm;
use crate::compare::outcome::{ArmState, BenchmarkResult, MetricSummary, ScorerSummary};
use crate::schema::column;

/// Returns what the arm at `index` did.
pub(super) fn summarise(plan: &Plan, arm: &Arm, index: usize, observations: &Observations) -> BenchmarkResult {
    let observed = observations.arm(index);
    let failed = observed.all_failed();
    let all: Vec<usize> = (0..observations.sessions()).collect();
    let answered: Vec<usize> =
        all.iter().copied().filter(|row| !observed.failed.get(*row).copied().unwrap_or(true)).collect();
    let measures = observations.measures().iter().enumerate();
    let measured = measures.map(|(place, measure)| {
        (measure.name.clone(), alignment::summarise(observations.values(index, place), &answered))
    });
    let scores: BTreeMap<String, MetricSummary> = measured.collect();
    let scorer = |observed: &ScorerObservations| {
        let mean = scores.get(&observed.name).and_then(|summary| summary.mean);
        (observed.name.clone(), scorer_summary(observed, mean))
    };
    let logarithms = plan.metrics.iter().filter(|metric| metric.is_logarithm() && !failed).map(ToString::to_string);
    let geometric_means = logarithms.filter_map(|name| Some((name.clone(), scores.get(&name)?.mean?.exp()))).collect();
    let nodes = observations.nodes().iter();
    BenchmarkResult {
        retriever_id: arm.id.clone(),
        retriever_name: arm.name.clone(),
        pipeline_hash: arm.pipeline_hash.clone(),
        state: if failed { ArmState::Failed } else { ArmState::Completed },
        metrics: (!failed).then(|| alignment::align(plan, index, observations, &all)),
        geometric_means,
        scenario_score: scores.get(column::SCENARIO_SCORE).copied(),
        scorers: observed.scorers.iter().map(scorer).collect(),
        scores: if failed { BTreeMap::new() } else { scores },
        latency: latency::summarise(observed),
        stages: observed.stage_summaries.clone(),
        answered_sessions: answered.len() as u64,
        empty_answers: observed.empty_answers,
        failed_sessions: (all.len() - answered.len()) as u64,
        judged: None,
        ties: None,
        beyond_accuracy: None,
        error_summary: observed.errors.clone(),
        taxonomy_deltas: if failed {
            BTreeMap::new()
        } else {
            nodes.map(|(node, rows)| (node.clone(), alignment::align(plan, index, observations, rows))).collect()
        },
    }
}

fn scorer_summary(scorer: &ScorerObservations, mean: Option<f64>) -> ScorerSummary {
    ScorerSummary {
        mean,
        aggregate: None,
        complete: scorer.complete,
        error: scorer.errors,
        unknown: scorer.unknown,
        first_error: scorer.first_error.clone(),
    }
}
