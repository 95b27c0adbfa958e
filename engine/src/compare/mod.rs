//! Which retriever is better, by how much, and how sure can one be? Paired over sessions, never over averages.
//!
//! What "significant" means is written down before any number is seen: the primary metric's paired test, two-sided at
//! [`SIGNIFICANCE`], cluster-robust as soon as sessions share a user or visit, adjusted (Holm) for the number of
//! candidates. `observations` gathers what the scores say per session, `arm` sums up one retriever, `significance` tests
//! one measure, `aggregation` compares run scores that a component sums up itself, `taxonomy` tests every node, `exposure`
//! asks whether clicks can be trusted, `verdict` puts it in words, `gates` in an exit code.
//!
//! Not for: printing. [`outcome`] holds plain data that the report stage writes.

mod aggregation;
mod alignment;
mod arm;
mod exposure;
mod gates;
mod latency;
mod observations;
pub mod outcome;
mod significance;
mod taxonomy;
mod verdict;

use std::collections::BTreeMap;

use rematch_metrics::stats::holm;

pub use outcome::Comparison;

use crate::benchmark::Plan;
use crate::score::{Measure, MeasureKind, ScoreError, ScoringContract};
use crate::store::{RunDirectory, StoreError};
use observations::Observations;
use outcome::{BenchmarkComparison, Exposure, MetricComparison, PipelineComparison};

/// Two-sided level of every test.
pub const SIGNIFICANCE: f64 = 0.05;

/// One replayed pipeline, as the comparison needs it.
#[derive(Debug, Clone)]
pub struct Arm {
    /// The retriever's id.
    pub id: String,
    /// The name shown to people.
    pub name: String,
    /// SHA-256 of the pipeline's config and content.
    pub pipeline_hash: String,
}

/// Why a run cannot be compared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompareError {
    /// The run's tables cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A component cannot sum up a run.
    #[error(transparent)]
    Score(#[from] ScoreError),
}

/// Compares the arms of a run, scored by `contract`; the first arm is the baseline.
///
/// # Errors
///
/// Returns an error when the run's tables cannot be read, or a component's own aggregation fails.
pub fn compare(
    plan: &Plan,
    contract: &ScoringContract,
    arms: &[Arm],
    run: &RunDirectory,
) -> Result<Comparison, CompareError> {
    let observations = Observations::gather(plan, contract.measures(), arms.len(), run)?;
    let mut results: Vec<_> =
        arms.iter().enumerate().map(|(index, arm)| arm::summarise(plan, arm, index, &observations)).collect();
    let baseline_failed = observations.arm(0).all_failed();
    let mut comparisons = Vec::new();
    for (index, arm) in arms.iter().enumerate().skip(1) {
        if !baseline_failed && !observations.arm(index).all_failed() {
            comparisons.push(candidate(plan, arm, index, &observations));
        }
    }
    adjust(&mut comparisons);
    aggregation::add(plan, contract, &observations, &mut results, &mut comparisons)?;
    let baseline = arms.first().map(|arm| arm.id.clone()).unwrap_or_default();
    for comparison in &mut comparisons {
        comparison.verdict = verdict::decide(plan, &baseline, comparison);
        let arm = arms.iter().position(|arm| arm.id == comparison.candidate_retriever_id).unwrap_or_default();
        comparison.gates = gates::evaluate(plan, comparison, |measure| {
            if measure == plan.primary {
                return comparison.exposure.clone();
            }
            let place = observations.measures().iter().position(|one| one.name == measure);
            place.map_or_else(Exposure::default, |place| exposure::assess(plan, arm, place, &observations))
        });
    }
    Ok(Comparison {
        sessions: observations.sessions() as u64,
        results,
        comparison: BenchmarkComparison {
            recommendation: verdict::recommendation(&baseline, &comparisons),
            baseline_retriever_id: baseline,
            comparisons,
        },
    })
}

fn candidate(plan: &Plan, arm: &Arm, index: usize, observations: &Observations) -> PipelineComparison {
    let measures = || observations.measures().iter().enumerate();
    let test = |(place, measure): (usize, &Measure)| {
        (measure.name.clone(), significance::test(observations, index, place, plan.noise_threshold))
    };
    let tests: Vec<(String, MetricComparison)> = measures().map(test).collect();
    let nodes = taxonomy::test_nodes(plan, index, observations.primary(), observations);
    let of_scorers = measures().filter(|(place, measure)| {
        measure.kind != MeasureKind::Metric && *place != observations.primary() && !observations.nodes().is_empty()
    });
    let scorer_nodes = of_scorers
        .map(|(place, measure)| (measure.name.clone(), taxonomy::test_nodes(plan, index, place, observations)))
        .collect();
    let primary = tests.get(observations.primary()).map(|(_, test)| test.clone()).unwrap_or_default();
    let deltas = |family: &str| {
        let metrics = tests.iter().zip(observations.measures()).filter(|(_, one)| one.kind == MeasureKind::Metric);
        metrics.filter_map(|((name, test), _)| Some((name.strip_prefix(family)?.to_owned(), test.delta))).collect()
    };
    PipelineComparison {
        candidate_retriever_id: arm.id.clone(),
        ndcg_delta: deltas("nDCG@"),
        recall_delta: deltas("R@"),
        latency_delta_ms: latency::delta_ms(observations.arm(0), observations.arm(index)),
        p_value: primary.p,
        confidence_interval: primary.ci95,
        taxonomy_wins: taxonomy::nodes_with(&nodes, outcome::NodeOutcome::Win),
        taxonomy_losses: taxonomy::nodes_with(&nodes, outcome::NodeOutcome::Loss),
        taxonomy: nodes,
        scorer_taxonomy: scorer_nodes,
        dropped: primary.dropped,
        metrics: tests.into_iter().collect(),
        aggregates: BTreeMap::new(),
        exposure: exposure::assess(plan, index, observations.primary(), observations),
        verdict: outcome::Verdict::default(),
        gates: Vec::new(),
    }
}

/// Adjusts each metric's p for the number of candidates that are compared with the same baseline.
fn adjust(comparisons: &mut [PipelineComparison]) {
    let names: Vec<String> =
        comparisons.first().map(|first| first.metrics.keys().cloned().collect()).unwrap_or_default();
    for name in names {
        let tested: Vec<usize> = (0..comparisons.len())
            .filter(|index| comparisons.get(*index).and_then(|one| one.metrics.get(&name)?.p).is_some())
            .collect();
        let values: Vec<f64> =
            tested.iter().filter_map(|index| comparisons.get(*index)?.metrics.get(&name)?.p).collect();
        let correction = match tested.len() {
            0 | 1 => "none (one candidate)".to_owned(),
            candidates => format!("Holm over {candidates} candidates"),
        };
        for (index, adjusted) in tested.into_iter().zip(holm(&values)) {
            if let Some(test) = comparisons.get_mut(index).and_then(|one| one.metrics.get_mut(&name)) {
                test.p_adjusted = Some(adjusted);
                test.correction.clone_from(&correction);
            }
        }
    }
}
