//! Which retriever is better, by how much, and how sure can one be? Paired over sessions, never over averages.
//!
//! What "significant" means is written down before any number is seen: the primary metric's paired test, two-sided at
//! [`SIGNIFICANCE`], cluster-robust as soon as sessions share a user or visit, adjusted (Holm, if nothing else is asked for)
//! for the number of candidates.
//!
//! The parts are read chunk by chunk (`tables`, `chunk`, `touched`, `columns`) and summed up (`tally`, `failures`,
//! `latency`) in the order of the chunks (`fold`), here or by others (`sums`), so that memory does not grow with the
//! sessions and the sums are the same on any number of threads. Where users or visits repeat (`clusters`), a second
//! reading sums up the deltas by cluster (`cluster_tests`). Then `arm` says what one retriever did, `significance`
//! tests one measure, `aggregation` compares run scores that a component sums up itself, `sequential` says when a run
//! that stops early is decided, `resampling` tests and bounds the same means without assumptions, `taxonomy` tests
//! every node, `segments` says what each contributes, `non_inferiority` whether a loss could matter, `exposure` asks
//! what clicks can tell, `largest` which searches changed most, `verdict` puts it in words, `gates` in an exit code;
//! `means` is for evaluations of which only the means are left. Of the lists themselves `similarity`, `moves` and `ties`
//! speak, `answers` of lists that look like none, `judged` of what judgments leave open, `beyond` of what the table
//! `lists` asks for.
//!
//! Not for: printing. [`outcome`] holds plain data that the report stage writes.

mod aggregation;
mod alignment;
mod answers;
mod arm;
mod beyond;
mod chunk;
mod cluster_tests;
mod clusters;
mod columns;
mod exposure;
mod failures;
#[cfg(test)]
mod fixture;
mod fold;
pub mod gates;
mod judged;
mod largest;
mod latency;
pub mod means;
mod moves;
mod non_inferiority;
#[cfg(test)]
mod oracle;
pub mod outcome;
mod question;
#[cfg(test)]
mod reference_tests;
mod resampling;
mod segments;
pub mod sequential;
mod significance;
mod similarity;
mod stages;
mod sums;
mod tables;
mod tally;
mod taxonomy;
#[cfg(test)]
mod tests;
mod ties;
mod touched;
mod untimed;
mod verdict;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use rematch_metrics::Proportion;
use rematch_metrics::stats::{benjamini_hochberg, holm};

pub use judged::{JudgeNext, judge_next};
pub use outcome::Comparison;
pub use sums::{Round, SumMaker, ask_for_sums};
pub use untimed::Untimed;

use crate::benchmark::Plan;
use crate::benchmark::statistics::Correction;
use crate::load::LoadError;
use crate::score::{Measure, MeasureKind, ScoreError, ScoringContract};
use crate::store::{RunDirectory, StoreError, TableReader, layout};
use aggregation::Kept;
use beyond::Beyond;
use chunk::{Chunk, Extent};
use cluster_tests::Clustered;
use judged::{Bounds, BoundsBeside, MadeBounds};
use largest::Searches;
use outcome::{ArmState, BenchmarkComparison, Exposure, MetricComparison, PipelineComparison, Stopping};
use question::Question;
use resampling::{MOST_BYTES, Resampled, Source};
use sums::Sums;
use tables::OfChunk;
use tally::Tally;

/// Two-sided level of every test.
pub const SIGNIFICANCE: f64 = 0.05;

/// Confidence of every interval.
const CONFIDENCE: Proportion = Proportion::NINETY_FIVE_PERCENT;

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
    /// The catalogue that `lists` names cannot be read.
    #[error("the items of `lists` cannot be read")]
    Items(#[source] Box<LoadError>),
    /// A component cannot sum up a run.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// Nobody of this version asked for sums.
    #[error("the run's chunks are summed up for nobody, or for another version than {}", env!("CARGO_PKG_VERSION"))]
    NotAsked,
    /// A gate names what the sample does not hold.
    #[error(transparent)]
    Gate(#[from] gates::GateError),
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
    compare_within(plan, contract, arms, run, threads, MOST_BYTES)
}

/// Looks whether what a plan names for the comparison alone can be read: the columns of the catalogue of `lists`.
///
/// # Errors
///
/// Returns an error that [`compare`] returns too.
pub fn look(plan: &Plan) -> Result<(), CompareError> {
    Beyond::look(plan)
}

/// Compares as [`compare`] does, and holds no more than `most_bytes` for resampling.
fn compare_within(
    plan: &Plan,
    contract: &ScoringContract,
    arms: &[Arm],
    run: &RunDirectory,
    threads: NonZeroUsize,
    most_bytes: u64,
) -> Result<Comparison, CompareError> {
    let mut question = Question::new(plan, contract, arms.len());
    let sample = run.sample()?;
    let mut sums = Sums::of(run)?;
    question.clicks = match &mut sums {
        Some(sums) => sums.take_clicks(),
        None if question.relevance_decides() => exposure::survey(plan, run, &run.table(layout::SESSIONS)?, threads)?,
        None => None,
    };
    let mut kept = Kept::new(&question, contract, sample.rows())?;
    let mut sums = sums.filter(|_| !kept.keeps());
    let (tally, bounds) = match sums.as_mut().and_then(Sums::take_whole) {
        Some(tally) => (tally, None),
        None => sum_up_chunks(&question, run, &sample, threads, (sums.as_ref(), &mut kept))?,
    };
    let clustered = match sums.as_mut().and_then(Sums::take_clustered) {
        Some(clustered) => clustered,
        None => Clustered::read(&question, &tally, run, &sample, threads)?,
    };
    let source = Source { question: &question, run, sample: &sample, threads };
    let resampled = Resampled::read(source, &tally, &clustered, most_bytes, |passes, pass| match &sums {
        Some(sums) => sums.pass(passes, pass),
        None => Ok(None),
    })?;
    kept.read_clusters(run, &sample, plan.statistics.cluster_by)?;
    let made = match bounds {
        Some(made) => Some(made),
        None => sums.as_ref().map_or(Ok(None), Sums::bounds)?,
    };
    let bounds = Bounds::read(&question, &tally, run, &sample, threads, made)?;
    let beyond = Beyond::read(&question, run, &sample, threads)?;
    let stopping = sequential::read(plan, run)?;
    let searches = Searches::read(&tally, &sample)?;
    let summed = Summed { tally, clustered, resampled, kept, bounds, beyond, stopping, searches };
    conclude(&question, contract, arms, &summed)
}

/// Reads every chunk, but those whose sums others made. Where nobody else makes any, what unjudged items could do is summed up
/// beside them.
fn sum_up_chunks(
    question: &Question<'_>,
    run: &RunDirectory,
    sample: &TableReader,
    threads: NonZeroUsize,
    (made, kept): (Option<&Sums<'_>>, &mut Kept),
) -> Result<(Tally, Option<MadeBounds>), CompareError> {
    let keeps = kept.keeps();
    let max_grade = match made {
        Some(_) => None,
        None => BoundsBeside::max_grade(question, run, sample, threads)?,
    };
    let read = |index: usize| {
        if let Some(sums) = made.map(|made| made.chunk(index)).transpose()?.flatten() {
            return Ok((None, sums, Vec::new()));
        }
        let tables = OfChunk { run, sample, chunk: index };
        let chunk = Chunk::read(question, &tables, Extent::Whole)?;
        let mut bounds = match max_grade {
            Some(max_grade) => BoundsBeside::read(question, &tables, &chunk, max_grade)?,
            None => None,
        };
        let sums = Tally::of(question, &chunk, bounds.as_mut());
        let sums = sums.map_err(|error| StoreError::table(&run.path(layout::PARTS), error))?;
        let bounds = bounds.map_or_else(Vec::new, BoundsBeside::sums);
        Ok::<_, CompareError>((keeps.then_some(chunk), sums, bounds))
    };
    let (mut tally, mut bounds) = (Tally::default(), max_grade.map(MadeBounds::new));
    fold::in_order(sample.groups(), threads, read, |_, (chunk, sums, of_chunk)| {
        chunk.iter().for_each(|chunk| kept.add(chunk, &sums));
        tally.merge(sums);
        bounds.iter_mut().for_each(|bounds| bounds.add(&of_chunk));
        Ok(())
    })?;
    Ok((tally, bounds))
}

/// Everything that was summed up.
struct Summed {
    tally: Tally,
    clustered: Clustered,
    resampled: Resampled,
    kept: Kept,
    stopping: Option<Stopping>,
    bounds: Bounds,
    beyond: Beyond,
    searches: Searches,
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
    for (index, result) in results.iter_mut().enumerate().filter(|(_, result)| result.state == ArmState::Completed) {
        result.beyond_accuracy = summed.beyond.of(index);
    }
    let compared =
        arms.iter().enumerate().skip(1).filter(|(index, _)| !tally.all_failed(0) && !tally.all_failed(*index));
    let mut comparisons: Vec<_> = compared.map(|(index, arm)| candidate(question, arm, index, summed)).collect();
    if let Some(stopping) = &summed.stopping {
        sequential::apply(&plan.primary, stopping, &mut comparisons);
    }
    adjust(plan.statistics.correction, &mut comparisons);
    exposure::adjust(plan.statistics.correction, plan.noise_threshold, &mut comparisons);
    aggregation::add(plan.seed, contract, &summed.kept, tally, &mut results, &mut comparisons)?;
    let baseline = arms.first().map(|arm| arm.id.clone()).unwrap_or_default();
    for comparison in &mut comparisons {
        exposure::withdraw_nodes(comparison, &plan.primary, |name| question.reads_relevance(name));
        comparison.verdict = verdict::decide(plan, &baseline, comparison);
        answers::warn(&results, comparison);
        comparison.non_inferiority = non_inferiority::decide(plan, &baseline, comparison);
        let arm = arms.iter().position(|arm| arm.id == comparison.candidate_retriever_id).unwrap_or_default();
        exposure::explain(&mut comparison.exposure);
        let by_primary = question.reads_relevance(&plan.primary);
        comparison.gates = gates::evaluate(plan, &results, comparison, summed.stopping.as_ref(), |measure| {
            match question.reads_relevance(measure) {
                true if by_primary => comparison.exposure.clone(),
                true => exposure::assess(question, tally, &summed.clustered, arm),
                false => Exposure::default(),
            }
        });
    }
    let mut stopping = summed.stopping.clone();
    if let Some(stopping) = &mut stopping {
        sequential::settle(plan, stopping, &comparisons);
    }
    Ok(Comparison {
        sessions: tally.sessions,
        results,
        comparison: BenchmarkComparison {
            recommendation: verdict::recommendation(&baseline, &comparisons),
            baseline_retriever_id: baseline,
            comparisons,
            stopping,
        },
    })
}

fn candidate(question: &Question<'_>, arm: &Arm, index: usize, summed: &Summed) -> PipelineComparison {
    let Summed { tally, clustered, resampled, .. } = summed;
    let measures = || question.measures.iter().enumerate();
    let test = |(place, measure): (usize, &Measure)| {
        let mut test = significance::test(question, tally, clustered, index, place);
        resampled.fill(index, place, &mut test);
        (measure.name.clone(), test)
    };
    let tests: Vec<(String, MetricComparison)> = measures().map(test).collect();
    let mut nodes = taxonomy::test_nodes(question, tally, clustered, index, question.primary);
    resampled.fill_nodes(index, &mut nodes);
    let nodes_of = |metrics: bool| -> BTreeMap<_, _> {
        let places = question.at_nodes.iter().filter(|place| **place != question.primary && !tally.nodes.is_empty());
        let named = places.filter_map(|place| Some((*place, question.measures.get(*place)?)));
        let wanted = named.filter(|(_, measure)| (measure.kind == MeasureKind::Metric) == metrics);
        let tested = |place| taxonomy::test_nodes(question, tally, clustered, index, place);
        wanted.map(|(place, measure)| (measure.name.clone(), tested(place))).collect()
    };
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
        latency: latency::compare(tally, clustered, index),
        p_value: primary.p,
        confidence_interval: primary.ci95,
        taxonomy_wins: taxonomy::nodes_with(&nodes, outcome::NodeOutcome::Win),
        taxonomy_losses: taxonomy::nodes_with(&nodes, outcome::NodeOutcome::Loss),
        segments: segments::sum_up(question, tally, &nodes, &primary),
        taxonomy: nodes,
        scorer_taxonomy: nodes_of(false),
        metric_taxonomy: nodes_of(true),
        resampling: resampled.done(),
        non_inferiority: None,
        dropped: primary.dropped,
        metrics: tests.into_iter().collect(),
        aggregates: BTreeMap::new(),
        similarity: of_candidate(&tally.similarities, index).map(|lists| lists.summarise(question)).unwrap_or_default(),
        moves: of_candidate(&tally.moves, index).map(|found| moves::summarise(question, found)).unwrap_or_default(),
        judgment_bounds: summed.bounds.summarise(question, index),
        largest_changes: of_candidate(&tally.largest, index)
            .map(|found| largest::summarise(question, found, &summed.searches))
            .unwrap_or_default(),
        exposure: match question.reads_relevance(&question.plan.primary) {
            true => exposure::assess(question, tally, clustered, index),
            false => Exposure::default(),
        },
        verdict: outcome::Verdict::default(),
        gates: Vec::new(),
    }
}

/// What there is of the arm at `index` in a list with one element per candidate.
fn of_candidate<T>(all: &[T], index: usize) -> Option<&T> {
    all.get(index.checked_sub(1)?)
}

/// Adjusts each metric's p for the number of candidates that are compared with the same baseline.
fn adjust(correction: Correction, comparisons: &mut [PipelineComparison]) {
    let names: Vec<String> =
        comparisons.first().map(|first| first.metrics.keys().cloned().collect()).unwrap_or_default();
    for name in names {
        let tested: Vec<usize> = (0..comparisons.len())
            .filter(|index| comparisons.get(*index).and_then(|one| one.metrics.get(&name)?.p).is_some())
            .collect();
        let values: Vec<f64> =
            tested.iter().filter_map(|index| comparisons.get(*index)?.metrics.get(&name)?.p).collect();
        let (words, adjusted) = adjusted(correction, values);
        for (index, adjusted) in tested.into_iter().zip(adjusted) {
            if let Some(test) = comparisons.get_mut(index).and_then(|one| one.metrics.get_mut(&name)) {
                test.p_adjusted = Some(adjusted);
                test.correction.clone_from(&words);
            }
        }
    }
}

/// Returns the p-values of several candidates, adjusted, and how they are.
fn adjusted(correction: Correction, values: Vec<f64>) -> (String, Vec<f64>) {
    match (correction, values.len()) {
        (_, 0 | 1) => ("none (one candidate)".to_owned(), values),
        (Correction::Holm, candidates) => (format!("Holm over {candidates} candidates"), holm(&values)),
        (Correction::BenjaminiHochberg, candidates) => {
            (format!("Benjamini-Hochberg over {candidates} candidates"), benjamini_hochberg(&values))
        }
        (Correction::None, candidates) => (format!("none (over {candidates} candidates)"), values),
    }
}
