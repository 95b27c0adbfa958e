//! The comparison as it was first written, on lists with one element per session: what the sums are tested against.

mod alignment;
mod arm;
mod exposure;
mod latency;
mod observations;
mod significance;
mod taxonomy;

use std::collections::BTreeMap;

use super::outcome::{
    BenchmarkComparison, Comparison, Exposure, MetricComparison, NodeOutcome, PipelineComparison, Verdict,
};
use super::{Arm, adjust, gates, verdict};
use crate::benchmark::Plan;
use crate::score::{Measure, MeasureKind, Relevance, ScoringContract};
use crate::session::{Ranking, ScoreRow, Session};
use observations::{Exposed, Observations};

/// The facts of one row of a part: hits, those of the top that were shown or judged, and the ranks of the touched items.
pub(super) fn facts(plan: &Plan, session: &Session, ranking: &Ranking) -> (u32, u32, Vec<u32>) {
    if ranking.failed() {
        return (0, 0, Vec::new());
    }
    let relevance = Relevance::of(session, &plan.relevance);
    let covered = Exposed { session, relevance: &relevance }.support(ranking, plan.support_depth()).1;
    let rank = |item: &str| observations::rank(ranking, item).map_or(0, |rank| rank.get() as u32);
    let ranks = session.touched_items().into_iter().map(rank).collect();
    (ranking.hits.len() as u32, covered as u32, ranks)
}

pub(super) fn compare(
    plan: &Plan,
    contract: &ScoringContract,
    arms: &[Arm],
    sessions: &[Session],
    rankings: &[Vec<Ranking>],
    scores: &[Vec<ScoreRow>],
) -> Comparison {
    let observations = Observations::gather(plan, contract.measures(), sessions, rankings, scores);
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
        let arm = arms.iter().position(|arm| arm.id == comparison.candidate_retriever_id).unwrap_or_default();
        comparison.gates = gates::evaluate(plan, comparison, |measure| {
            if measure == plan.primary {
                return comparison.exposure.clone();
            }
            let place = observations.measures().iter().position(|one| one.name == measure);
            place.map_or_else(Exposure::default, |place| exposure::assess(plan, arm, place, &observations))
        });
    }
    Comparison {
        sessions: observations.sessions() as u64,
        results,
        comparison: BenchmarkComparison {
            recommendation: verdict::recommendation(&baseline, &comparisons),
            baseline_retriever_id: baseline,
            comparisons,
        },
    }
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
        taxonomy_wins: taxonomy::nodes_with(&nodes, NodeOutcome::Win),
        taxonomy_losses: taxonomy::nodes_with(&nodes, NodeOutcome::Loss),
        taxonomy: nodes,
        scorer_taxonomy: scorer_nodes,
        dropped: primary.dropped,
        metrics: tests.into_iter().collect(),
        aggregates: BTreeMap::new(),
        exposure: exposure::assess(plan, index, observations.primary(), observations),
        verdict: Verdict::default(),
        gates: Vec::new(),
    }
}
