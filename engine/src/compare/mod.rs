//! Which retriever is better, by how much, and how sure can one be? Paired over sessions, never over averages.
//!
//! What "significant" means is written down before any number is seen: the primary metric's paired test, two-sided at
//! [`SIGNIFICANCE`], cluster-robust as soon as sessions share a user or visit, adjusted (Holm) for the number of
//! candidates. `observations` gathers what the scores say per session, `arm` sums up one retriever, `significance`
//! tests one metric, `taxonomy` tests every node, `exposure` asks whether clicks can be trusted, `verdict` puts it
//! in words, `gates` in an exit code.
//!
//! Not for: printing. [`outcome`] holds plain data that the report stage writes.

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

use rematch_metrics::stats::holm;

pub use outcome::Comparison;

use crate::benchmark::Plan;
use crate::store::{RunDirectory, StoreError};
use observations::Observations;
use outcome::{BenchmarkComparison, MetricComparison, PipelineComparison};

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

/// Compares the arms of a run; the first is the baseline.
///
/// # Errors
///
/// Returns an error when the run's tables cannot be read.
pub fn compare(plan: &Plan, arms: &[Arm], run: &RunDirectory) -> Result<Comparison, StoreError> {
    let observations = Observations::gather(plan, arms.len(), run)?;
    let results: Vec<_> =
        arms.iter().enumerate().map(|(index, arm)| arm::summarise(plan, arm, index, &observations)).collect();
    let baseline_failed = observations.arm(0).all_failed();
    let mut comparisons = Vec::new();
    for (index, arm) in arms.iter().enumerate().skip(1) {
        if !baseline_failed && !observations.arm(index).all_failed() {
            comparisons.push(candidate(plan, arm, index, &observations));
        }
    }
    adjust(&mut comparisons);
    let baseline = arms.first().map(|arm| arm.id.clone()).unwrap_or_default();
    for comparison in &mut comparisons {
        comparison.verdict = verdict::decide(plan, &baseline, comparison);
        comparison.gates = gates::evaluate(plan, comparison);
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
    let tests: Vec<(String, MetricComparison)> = plan
        .metrics
        .iter()
        .enumerate()
        .map(|(metric, name)| (name.to_string(), significance::test(observations, index, metric, plan.noise_threshold)))
        .collect();
    let nodes = taxonomy::test_nodes(plan, index, observations);
    let primary = tests.get(plan.primary_index()).map(|(_, test)| test.clone()).unwrap_or_default();
    let deltas = |family: &str| {
        let named = tests.iter().filter_map(|(name, test)| Some((name.strip_prefix(family)?.to_owned(), test.delta)));
        named.collect()
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
        dropped: significance::dropped(observations, index, plan.primary_index()),
        metrics: tests.into_iter().collect(),
        exposure: exposure::assess(plan, index, observations),
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
