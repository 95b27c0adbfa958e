//! Sums up one arm.

use std::collections::BTreeMap;

use super::failures::ScorerTally;
use super::outcome::{ArmState, BenchmarkResult, MetricSummary, ScorerSummary};
use super::question::Question;
use super::tally::Tally;
use super::{Arm, alignment};
use crate::schema::column;

/// Returns what the arm at `index` did.
pub(super) fn summarise(question: &Question<'_>, arm: &Arm, index: usize, tally: &Tally) -> BenchmarkResult {
    let failed = tally.all_failed(index);
    let whole = tally.whole.arms.get(index);
    let measures = question.measures.iter().enumerate();
    let measured =
        measures.filter_map(|(place, measure)| Some((measure.name.clone(), alignment::summarise(whole?, place))));
    let scores: BTreeMap<String, MetricSummary> = measured.collect();
    let observed = tally.arms.get(index);
    let logarithms = question.plan.metrics.iter().filter(|metric| metric.is_logarithm()).map(ToString::to_string);
    let geometric = |name: String| Some((scores.get(&name)?.mean?.exp(), name));
    let geometric_means = logarithms.filter_map(geometric).map(|(mean, name)| (name, mean));
    let scorer = |(name, scorer): (&String, &ScorerTally)| {
        let mean = scores.get(name).and_then(|summary| summary.mean);
        (name.clone(), scorer_summary(scorer, mean))
    };
    let all: Vec<usize> = (0..question.measures.len()).collect();
    let nodes = tally.nodes.iter();
    let answered = whole.map_or(0, |whole| whole.answered);
    BenchmarkResult {
        retriever_id: arm.id.clone(),
        retriever_name: arm.name.clone(),
        pipeline_hash: arm.pipeline_hash.clone(),
        state: if failed { ArmState::Failed } else { ArmState::Completed },
        metrics: (!failed).then(|| alignment::align(question, &tally.whole, index, &all)),
        geometric_means: if failed { BTreeMap::new() } else { geometric_means.collect() },
        scenario_score: scores.get(column::SCENARIO_SCORE).copied(),
        scorers: question
            .scorers
            .iter()
            .zip(observed.map(|arm| arm.scorers.as_slice()).unwrap_or_default())
            .map(scorer)
            .collect(),
        scores: if failed { BTreeMap::new() } else { scores },
        latency: observed.map(|arm| arm.latencies.summarise()).unwrap_or_default(),
        stages: observed.map(|arm| arm.stages.summaries()).unwrap_or_default(),
        answered_sessions: answered,
        empty_answers: observed.map_or(0, |arm| arm.empty_answers),
        failed_sessions: tally.sessions - answered,
        beyond_accuracy: None,
        ties: observed.and_then(|arm| arm.ties.summarise(question, whole?)),
        judged: observed.and_then(|arm| arm.judged.summarise(question)),
        error_summary: observed.map(|arm| arm.errors.clone()).unwrap_or_default(),
        taxonomy_deltas: if failed {
            BTreeMap::new()
        } else {
            let at_nodes = &question.at_nodes;
            nodes.map(|(node, group)| (node.clone(), alignment::align(question, group, index, at_nodes))).collect()
        },
    }
}

fn scorer_summary(scorer: &ScorerTally, mean: Option<f64>) -> ScorerSummary {
    ScorerSummary {
        mean,
        aggregate: None,
        complete: scorer.complete,
        error: scorer.errors,
        unknown: scorer.unknown,
        first_error: scorer.first_error.clone(),
    }
}
