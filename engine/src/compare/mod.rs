//! Which retriever is better, by how much, and how sure can one be? Paired over sessions, never over averages.
//!
//! What "significant" means is written down before any number is seen: the primary metric's paired test, two-sided at
//! [`SIGNIFICANCE`], cluster-robust as soon as sessions share a user or visit, adjusted (Holm) for the number of
//! candidates.
//!
//! The parts are read chunk by chunk (`chunk`, `touched`, `columns`) and summed up (`tally`, `failures`, `latency`) in the order
//! of the chunks (`fold`), so that memory does not grow with the sessions and the sums are the same on any number of threads.
//! Where users or visits repeat (`clusters`), a second reading sums up the deltas by cluster (`cluster_tests`). Then `arm` says
//! what one retriever did, `significance` tests one measure, `aggregation` compares run scores that a component sums up itself,
//! `taxonomy` tests every node, `exposure` asks whether clicks can be trusted, `verdict` puts it in words, `gates` in an exit
//! code.
//!
//! Not for: printing. [`outcome`] holds plain data that the report stage writes.

mod aggregation;
mod alignment;
mod arm;
mod chunk;
mod cluster_tests;
mod clusters;
mod columns;
mod exposure;
mod failures;
mod fold;
mod gates;
mod latency;
#[cfg(test)]
mod oracle;
pub mod outcome;
mod question;
mod significance;
mod stages;
mod tally;
mod taxonomy;
#[cfg(test)]
mod tests;
mod touched;
mod verdict;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use rematch_metrics::stats::holm;

pub use outcome::Comparison;

use crate::benchmark::Plan;
use crate::score::{Measure, MeasureKind, ScoreError, ScoringContract};
use crate::store::{RunDirectory, StoreError, layout};
use aggregation::Kept;
use chunk::{Chunk, Extent};
use cluster_tests::Clustered;
use outcome::{BenchmarkComparison, Exposure, MetricComparison, PipelineComparison};
use question::Question;
use tally::Tally;

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
    /// A component that sums up runs itself needs the values of too many sessions.
    #[error(
        "scorers with an `aggregate` of their own need the values of all {sessions} sessions, about {bytes} bytes, expected at \
         most {most}; draw a smaller sample (`sessions.sample.count`), or use a component without `aggregate`"
    )]
    TooManyValues {
        /// Sessions of the run.
        sessions: u64,
        /// Bytes that their values take.
        bytes: u64,
        /// Bytes that are allowed.
        most: u64,
    },
}

/// Compares the arms of a run, scored by `contract`, from its sample and parts; the first arm is the baseline. Up to `threads`
/// threads read; their number changes no bit of the result.
///
/// Memory does not grow with the number of sessions, except by the values that a component's own `aggregate` needs, which have
/// a limit of their own.
///
/// # Errors
///
/// Returns an error when the run's tables cannot be read or do not belong together, or a component's own aggregation fails or
/// needs the values of too many sessions.
pub fn compare(
    plan: &Plan,
    contract: &ScoringContract,
    arms: &[Arm],
    run: &RunDirectory,
    threads: NonZeroUsize,
) -> Result<Comparison, CompareError> {
    let question = Question::new(plan, contract, arms.len());
    let sample = run.table(layout::SESSIONS)?;
    let mut tally = Tally::default();
    let mut kept = Kept::new(&question, contract, sample.rows())?;
    let keeps = kept.keeps();
    let read = |index: usize| {
        let chunk = Chunk::read(&question, run, &sample, index, Extent::Whole)?;
        let sums = Tally::of(&question, &chunk).map_err(|error| StoreError::table(&run.path(layout::PARTS), error))?;
        Ok::<_, CompareError>((keeps.then_some(chunk), sums))
    };
    fold::in_order(sample.groups(), threads, read, |_, (chunk, sums)| {
        chunk.iter().for_each(|chunk| kept.add(chunk, &sums));
        tally.merge(sums);
        Ok(())
    })?;
    let clustered = Clustered::read(&question, &tally, run, &sample, threads)?;
    kept.read_clusters(run, &sample)?;
    conclude(&question, contract, arms, &Summed { tally, clustered, kept })
}

/// Everything that was summed up.
struct Summed {
    tally: Tally,
    clustered: Clustered,
    kept: Kept,
}

fn conclude(
    question: &Question<'_>,
    contract: &ScoringContract,
    arms: &[Arm],
    summed: &Summed,
) -> Result<Comparison, CompareError> {
    let (plan, tally) = (question.plan, &summed.tally);
    let mut results: Vec<_> =
        arms.iter().enumerate().map(|(index, arm)| arm::summarise(question, arm, index, tally)).collect();
    let compared =
        arms.iter().enumerate().skip(1).filter(|(index, _)| !tally.all_failed(0) && !tally.all_failed(*index));
    let mut comparisons: Vec<_> = compared.map(|(index, arm)| candidate(question, arm, index, summed)).collect();
    adjust(&mut comparisons);
    aggregation::add(plan.seed, contract, &summed.kept, tally, &mut results, &mut comparisons)?;
    let baseline = arms.first().map(|arm| arm.id.clone()).unwrap_or_default();
    for comparison in &mut comparisons {
        comparison.verdict = verdict::decide(plan, &baseline, comparison);
        let arm = arms.iter().position(|arm| arm.id == comparison.candidate_retriever_id).unwrap_or_default();
        comparison.gates = gates::evaluate(plan, comparison, |measure| {
            if measure == plan.primary {
                return comparison.exposure.clone();
            }
            let place = question.measures.iter().position(|one| one.name == measure);
            place.map_or_else(Exposure::default, |place| {
                exposure::assess(question, tally, &summed.clustered, arm, place)
            })
        });
    }
    Ok(Comparison {
        sessions: tally.sessions,
        results,
        comparison: BenchmarkComparison {
            recommendation: verdict::recommendation(&baseline, &comparisons),
            baseline_retriever_id: baseline,
            comparisons,
        },
    })
}

fn candidate(question: &Question<'_>, arm: &Arm, index: usize, summed: &Summed) -> PipelineComparison {
    let Summed { tally, clustered, .. } = summed;
    let measures = || question.measures.iter().enumerate();
    let test = |(place, measure): (usize, &Measure)| {
        (measure.name.clone(), significance::test(question, tally, clustered, index, place))
    };
    let tests: Vec<(String, MetricComparison)> = measures().map(test).collect();
    let nodes = taxonomy::test_nodes(question, tally, clustered, index, question.primary);
    let of_scorers = measures().filter(|(place, measure)| {
        measure.kind != MeasureKind::Metric && *place != question.primary && !tally.nodes.is_empty()
    });
    let scorer_nodes = of_scorers
        .map(|(place, measure)| (measure.name.clone(), taxonomy::test_nodes(question, tally, clustered, index, place)))
        .collect();
    let primary = tests.get(question.primary).map(|(_, test)| test.clone()).unwrap_or_default();
    let deltas = |family: &str| {
        let metrics = tests.iter().zip(question.measures).filter(|(_, one)| one.kind == MeasureKind::Metric);
        metrics.filter_map(|((name, test), _)| Some((name.strip_prefix(family)?.to_owned(), test.delta))).collect()
    };
    let latencies = |arm: usize| tally.arms.get(arm).map(|arm| &arm.latencies);
    PipelineComparison {
        candidate_retriever_id: arm.id.clone(),
        ndcg_delta: deltas("nDCG@"),
        recall_delta: deltas("R@"),
        latency_delta_ms: latencies(0).zip(latencies(index)).and_then(|(old, new)| latency::delta_ms(old, new)),
        p_value: primary.p,
        confidence_interval: primary.ci95,
        taxonomy_wins: taxonomy::nodes_with(&nodes, outcome::NodeOutcome::Win),
        taxonomy_losses: taxonomy::nodes_with(&nodes, outcome::NodeOutcome::Loss),
        taxonomy: nodes,
        scorer_taxonomy: scorer_nodes,
        dropped: primary.dropped,
        metrics: tests.into_iter().collect(),
        aggregates: BTreeMap::new(),
        exposure: exposure::assess(question, tally, clustered, index, question.primary),
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
