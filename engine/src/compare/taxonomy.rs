//! Where in the taxonomy does a candidate win or lose? A measure's paired test at every node, with roll-up.

use std::collections::BTreeMap;

use rematch_metrics::stats::benjamini_hochberg;

use super::SIGNIFICANCE;
use super::cluster_tests::Clustered;
use super::outcome::{NodeComparison, NodeOutcome};
use super::question::Question;
use super::significance::conclude_at;
use super::tally::Tally;

/// Nodes with fewer pairs are reported but not tested.
pub(super) const LEAST_PAIRS: u64 = 10;

/// Tests the measure at place `measure` at every node; p is adjusted over the nodes that are tested (Benjamini & Hochberg 1995).
pub(super) fn test_nodes(
    question: &Question<'_>,
    tally: &Tally,
    clustered: &Clustered,
    candidate: usize,
    measure: usize,
) -> BTreeMap<String, NodeComparison> {
    let higher_is_better = question.measures.get(measure).is_none_or(|measure| measure.higher_is_better);
    let place = question.at_nodes.iter().position(|place| *place == measure).unwrap_or_default();
    let whole = candidate.checked_sub(1).and_then(|candidate| tally.whole.pairs.get(candidate)?.get(measure));
    let all = whole.map_or(0, |pairs| pairs.deltas.count());
    let mut nodes = BTreeMap::new();
    for (node, group) in &tally.nodes {
        let pairs = candidate.checked_sub(1).and_then(|candidate| group.pairs.get(candidate)?.get(place));
        let pairs = pairs.copied().unwrap_or_default();
        let clusters = clustered.node(node, candidate, place);
        let test = conclude_at(&pairs, clusters, clustered.column(), higher_is_better, None);
        let outcome = if test.n < LEAST_PAIRS { NodeOutcome::TooFew } else { NodeOutcome::Undecided };
        let share = (all > 0).then(|| test.n as f64 / all as f64);
        let found = NodeComparison {
            baseline_mean: test.baseline_mean,
            candidate_mean: test.candidate_mean,
            delta: test.delta,
            ci95: test.ci95,
            p: test.p,
            p_adjusted: None,
            randomisation: None,
            n: test.n,
            clusters: test.clusters,
            win: test.win,
            tie: test.tie,
            loss: test.loss,
            contribution: share.zip(test.delta).map(|(share, delta)| share * delta),
            share,
            test: test.test,
            outcome,
        };
        nodes.insert(node.clone(), found);
    }
    let mut tested: Vec<&mut NodeComparison> =
        nodes.values_mut().filter(|node| node.outcome != NodeOutcome::TooFew && node.p.is_some()).collect();
    let values: Vec<f64> = tested.iter().filter_map(|node| node.p).collect();
    for (node, adjusted) in tested.iter_mut().zip(benjamini_hochberg(&values)) {
        node.p_adjusted = Some(adjusted);
        if adjusted < SIGNIFICANCE {
            let up = node.delta.unwrap_or(0.0) > 0.0;
            node.outcome = if up == higher_is_better { NodeOutcome::Win } else { NodeOutcome::Loss };
        }
    }
    nodes
}

/// Returns the names of the nodes with that outcome.
pub(super) fn nodes_with(nodes: &BTreeMap<String, NodeComparison>, outcome: NodeOutcome) -> Vec<String> {
    nodes.iter().filter(|(_, node)| node.outcome == outcome).map(|(name, _)| name.clone()).collect()
}
