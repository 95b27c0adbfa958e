//! The comparison as it was first written, on lists with one element per session: what the sums are tested against.

mod alignment;
mod arm;
mod exposure;
mod largest;
mod latency;
mod lists;
mod observations;
mod resampling;
mod significance;
mod taxonomy;

use std::collections::BTreeMap;

use super::outcome::{
    BenchmarkComparison, Comparison, Exposure, MetricComparison, NodeComparison, NodeOutcome, PipelineComparison,
    Segments, Verdict,
};
use super::{Arm, adjust, answers, gates, non_inferiority, segments, verdict};
use crate::benchmark::Plan;
use crate::rows::item_key;
use crate::score::{Measure, MeasureKind, Relevance, ScoringContract};
use crate::session::{Ranking, ScoreRow, Session};
use lists::Lists;
use observations::Observations;

/// The facts of one row of a part.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) hits: u32,
    /// Where the touched items stand.
    pub(super) ranks: Vec<u32>,
    /// Where the exposed items stand.
    pub(super) exposed: Vec<u32>,
    pub(super) judged: Option<u32>,
    /// The keys of the top items.
    pub(super) keys: Vec<u8>,
}

pub(super) fn facts(plan: &Plan, session: &Session, ranking: &Ranking) -> Facts {
    if ranking.failed() {
        return Facts::default();
    }
    let rank = |item: &str| observations::rank(ranking, item).map_or(0, |rank| rank.get() as u32);
    let ranks = session.touched_items().into_iter().map(rank).collect();
    let depth = plan.support_depth() as u32;
    let exposed = match session.judgments.is_empty() {
        true => session.exposed_items(),
        false => Vec::new(),
    };
    let exposed = exposed.into_iter().map(rank).map(|rank| if rank <= depth { rank } else { 0 }).collect();
    let judged = lists::judged(plan, session, ranking);
    let top = ranking.hits.iter().take(plan.list_depth());
    Facts {
        hits: ranking.hits.len() as u32,
        ranks,
        exposed,
        judged: (!session.judgments.is_empty()).then_some(judged as u32),
        keys: top.flat_map(|hit| item_key(&hit.item_id).to_le_bytes()).collect(),
    }
}

pub(super) fn compare(
    plan: &Plan,
    contract: &ScoringContract,
    arms: &[Arm],
    sessions: &[Session],
    rankings: &[Vec<Ranking>],
    scores: &[Vec<ScoreRow>],
) -> Comparison {
    let judges_decide = clicks_against_judges(plan, sessions).is_some_and(|decide| !decide);
    let left_out = |session: &Session| {
        judges_decide && session.judgments.is_empty() && Relevance::of(session, &plan.relevance).any_relevant()
    };
    let scores: Vec<Vec<ScoreRow>> = scores
        .iter()
        .map(|of_arm| {
            of_arm
                .iter()
                .zip(sessions)
                .map(|(row, session)| without_relevance(contract, row, left_out(session)))
                .collect()
        })
        .collect();
    let scores = scores.as_slice();
    let observations = Observations::gather(plan, contract.measures(), sessions, rankings, scores);
    let mut results: Vec<_> =
        arms.iter().enumerate().map(|(index, arm)| arm::summarise(plan, arm, index, &observations)).collect();
    let lists = Lists { plan, sessions, rankings };
    for (index, result) in results.iter_mut().enumerate() {
        result.judged = lists.judged_share(index);
    }
    let baseline_failed = observations.arm(0).all_failed();
    let mut comparisons = Vec::new();
    for (index, arm) in arms.iter().enumerate().skip(1) {
        if !baseline_failed && !observations.arm(index).all_failed() {
            comparisons.push(candidate(arm, index, &observations, &lists));
        }
    }
    adjust(plan.statistics.correction, &mut comparisons);
    let baseline = arms.first().map(|arm| arm.id.clone()).unwrap_or_default();
    crate::compare::exposure::adjust(plan.statistics.correction, plan.noise_threshold, &mut comparisons);
    for comparison in &mut comparisons {
        crate::compare::exposure::withdraw_nodes(comparison, &plan.primary, |name| {
            observations.measures().iter().any(|one| one.name == name && one.reads_relevance)
        });
        comparison.verdict = verdict::decide(plan, &baseline, comparison);
        answers::warn(&results, comparison);
        comparison.non_inferiority = non_inferiority::decide(plan, &baseline, comparison);
        let arm = arms.iter().position(|arm| arm.id == comparison.candidate_retriever_id).unwrap_or_default();
        comparison.gates = gates::evaluate(plan, &results, comparison, None, |measure| {
            match observations.measures().iter().any(|one| one.name == measure && one.reads_relevance) {
                true => exposure::assess(plan, arm, &observations),
                false => Exposure::default(),
            }
        });
    }
    Comparison {
        sessions: observations.sessions() as u64,
        results,
        comparison: BenchmarkComparison {
            recommendation: verdict::recommendation(&baseline, &comparisons),
            baseline_retriever_id: baseline,
            comparisons,
            stopping: None,
        },
    }
}

fn candidate(arm: &Arm, index: usize, observations: &Observations, lists: &Lists<'_>) -> PipelineComparison {
    let plan = lists.plan;
    let measures = || observations.measures().iter().enumerate();
    let test = |(place, measure): (usize, &Measure)| {
        let mut test = significance::test(plan, observations, index, place);
        resampling::fill(plan, observations, index, place, &mut test);
        (measure.name.clone(), test)
    };
    let mut tests: Vec<(String, MetricComparison)> = measures().map(test).collect();
    let mut nodes = taxonomy::test_nodes(plan, index, observations.primary(), observations);
    resampling::randomise(plan, observations, index, tests.iter_mut().map(|(_, test)| test), nodes.iter_mut());
    let at_nodes = |wanted: &dyn Fn(&Measure) -> bool| -> BTreeMap<_, _> {
        let others = measures().filter(|(place, measure)| {
            wanted(measure) && *place != observations.primary() && !observations.nodes().is_empty()
        });
        others
            .map(|(place, measure)| (measure.name.clone(), taxonomy::test_nodes(plan, index, place, observations)))
            .collect()
    };
    let by_gate = |name: &str| plan.gates.iter().any(|gate| gate.looks_at_nodes() && gate.metric == name);
    let of_gains = |measure: &Measure| {
        let named = measure.name.starts_with("nDCG@") || measure.name.starts_with("R@") || by_gate(&measure.name);
        measure.kind == MeasureKind::Metric && named
    };
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
        latency: latency::compare(observations, index),
        p_value: primary.p,
        confidence_interval: primary.ci95,
        taxonomy_wins: taxonomy::nodes_with(&nodes, NodeOutcome::Win),
        taxonomy_losses: taxonomy::nodes_with(&nodes, NodeOutcome::Loss),
        segments: segments_of(observations, &nodes, &primary, plan),
        taxonomy: nodes,
        scorer_taxonomy: at_nodes(&|measure| measure.kind != MeasureKind::Metric),
        metric_taxonomy: at_nodes(&of_gains),
        resampling: resampling::done(plan, observations, observations.arms() - 1),
        non_inferiority: None,
        dropped: primary.dropped,
        metrics: tests.into_iter().collect(),
        aggregates: BTreeMap::new(),
        similarity: lists.similarity(index),
        moves: lists.moves(index),
        judgment_bounds: lists.bounds(observations, index),
        largest_changes: largest::changes(plan, lists.sessions, observations, index),
        exposure: match observations.measures().get(observations.primary()) {
            Some(primary) if primary.reads_relevance => exposure::assess(plan, index, observations),
            _ => Exposure::default(),
        },
        verdict: Verdict::default(),
        gates: Vec::new(),
    }
}

fn segments_of(
    observations: &Observations,
    nodes: &BTreeMap<String, NodeComparison>,
    primary: &MetricComparison,
    plan: &Plan,
) -> Segments {
    if nodes.is_empty() {
        return Segments::default();
    }
    let mut labels = vec![0; observations.sessions()];
    for (_, rows) in observations.nodes().iter().filter(|(node, _)| !node.contains('/')) {
        rows.iter().for_each(|row| labels[*row] += 1);
    }
    Segments {
        sessions_in_several: labels.iter().filter(|count| **count > 1).count() as u64,
        sessions_in_none: labels.iter().filter(|count| **count == 0).count() as u64,
        ..segments::compare(&plan.primary, nodes, primary, plan.noise_threshold)
    }
}

/// Whether clicks decide: more sessions were clicked than judged; `None` where relevance never comes from clicks, or nothing that
/// decides depends on it.
pub(super) fn clicks_against_judges(plan: &Plan, sessions: &[Session]) -> Option<bool> {
    let clicked =
        |session: &&Session| session.judgments.is_empty() && Relevance::of(session, &plan.relevance).any_relevant();
    let clicked = sessions.iter().filter(clicked).count();
    let judged = sessions.iter().filter(|session| !session.judgments.is_empty()).count();
    (clicked > 0).then_some(clicked > judged)
}

/// A row of scores without the measures that depend on relevance.
fn without_relevance(contract: &ScoringContract, row: &ScoreRow, left_out: bool) -> ScoreRow {
    let mut row = row.clone();
    let columns = contract.measures().iter().filter(|measure| measure.kind != MeasureKind::ScenarioScore);
    for (value, measure) in row.measures.iter_mut().zip(columns) {
        if left_out && measure.reads_relevance {
            *value = None;
        }
    }
    row.scenario_score = row.scenario_score.filter(|_| {
        let scenario = contract.measures().iter().find(|measure| measure.kind == MeasureKind::ScenarioScore);
        !(left_out && scenario.is_some_and(|measure| measure.reads_relevance))
    });
    row
}
