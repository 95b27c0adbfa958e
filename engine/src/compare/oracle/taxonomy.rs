//! Where in the taxonomy does a candidate win or lose? A measure's paired test at every node, with roll-up.

use std::collections::BTreeMap;

use rematch_metrics::stats::benjamini_hochberg;

use super::observations::Observations;
use super::significance::{Pairs, compare_pairs};
use crate::benchmark::Plan;
use crate::compare::SIGNIFICANCE;
use crate::compare::outcome::{NodeComparison, NodeOutcome};

/// Nodes with fewer pairs are reported but not tested.
const LEAST_PAIRS: usize = 10;

/// Tests the measure at place `measure` at every node; p is adjusted over the nodes that are tested (Benjamini & Hochberg 1995).
pub(super) fn test_nodes(
    plan: &Plan,
    candidate: usize,
    measure: usize,
    observations: &Observations,
) -> BTreeMap<String, NodeComparison> {
    let values = |arm: usize| observations.values(arm, measure);
    let higher_is_better = observations.measures().get(measure).is_none_or(|measure| measure.higher_is_better);
    let every = 0..observations.sessions();
    let all = Pairs::of(observations, values(0), values(candidate), every).len();
    let mut nodes = BTreeMap::new();
    for (node, rows) in observations.nodes() {
        let pairs = Pairs::of(observations, values(0), values(candidate), rows.iter().copied());
        let test = compare_pairs(&pairs, observations.cluster_by(), plan.noise_threshold, higher_is_better, None);
        let share = (all > 0).then(|| pairs.len() as f64 / all as f64);
        let outcome = if pairs.len() < LEAST_PAIRS { NodeOutcome::TooFew } else { NodeOutcome::Undecided };
        let found = NodeComparison {
            baseline_mean: test.baseline_mean,
            candidate_mean: test.candidate_mean,
            delta: test.delta,
            ci95: test.ci95,
            test: test.test,
            p: test.p,
            n: test.n,
            clusters: test.clusters,
            win: test.win,
            tie: test.tie,
            loss: test.loss,
            contribution: share.and_then(|share| Some(share * test.delta?)),
            share,
            outcome,
            ..NodeComparison::default()
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
