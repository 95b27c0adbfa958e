//! Resampling of deltas that are all in memory.

use rematch_metrics::stats::Randomisation;

use super::observations::Observations;
use super::significance::Pairs;
use crate::benchmark::Plan;
use crate::benchmark::statistics::Resamples;
use crate::compare::outcome::{MetricComparison, NodeComparison, RandomisationTest, Resampling};
use crate::compare::resampling::amount::{DRAWS, SIGNS, choose};
use crate::compare::resampling::held::{interval, signed_ranks};

fn asked(resamples: Resamples) -> u64 {
    match resamples {
        Resamples::Exactly(resamples) => resamples,
        Resamples::Automatic => panic!("the oracle does what is asked for"),
    }
}

fn pairs(observations: &Observations, candidate: usize, measure: usize, rows: impl Iterator<Item = usize>) -> Pairs {
    Pairs::of(observations, observations.values(0, measure), observations.values(candidate, measure), rows)
}

/// What was done, whatever the candidate.
pub(super) fn done(plan: &Plan, observations: &Observations, candidates: usize) -> Resampling {
    let any = (1..=candidates).any(|candidate| {
        (0..observations.measures().len())
            .any(|measure| pairs(observations, candidate, measure, 0..observations.sessions()).len() > 0)
    });
    let statistics = &plan.statistics;
    Resampling {
        randomisation: choose(&SIGNS, statistics.resamples, any.into(), plan.seed),
        bootstrap: choose(&DRAWS, statistics.bootstrap, any.into(), plan.seed),
    }
}

/// Adds the bootstrap and Wilcoxon's test.
pub(super) fn fill(
    plan: &Plan,
    observations: &Observations,
    candidate: usize,
    measure: usize,
    test: &mut MetricComparison,
) {
    let pairs = pairs(observations, candidate, measure, 0..observations.sessions());
    test.ci95_bootstrap = interval(&pairs.cluster_sums(), plan.seed, asked(plan.statistics.bootstrap));
    test.other_tests.push(signed_ranks(&pairs.deltas(), observations.repeats()));
}

/// Adds the randomisation tests of all measures, and of the nodes by the primary.
pub(super) fn randomise<'a>(
    plan: &Plan,
    observations: &Observations,
    candidate: usize,
    tests: impl Iterator<Item = &'a mut MetricComparison>,
    nodes: impl Iterator<Item = (&'a String, &'a mut NodeComparison)>,
) {
    let mut keys: Vec<u64> = (0..observations.sessions()).map(|row| observations.key(row)).collect();
    keys.sort_unstable();
    keys.dedup();
    let column = |measure: usize, rows: &[usize]| -> Vec<Option<f64>> {
        let mut sums = vec![None; keys.len()];
        for row in rows {
            let value = |arm: usize| observations.values(arm, measure)[*row];
            let Some((old, new)) = value(0).zip(value(candidate)) else { continue };
            let place = keys.binary_search(&observations.key(*row)).expect("a known key");
            *sums[place].get_or_insert(0.0) += new - old;
        }
        sums
    };
    let all: Vec<usize> = (0..observations.sessions()).collect();
    let mut columns: Vec<Vec<Option<f64>>> =
        (0..observations.measures().len()).map(|measure| column(measure, &all)).collect();
    let mut filled: Vec<&mut Option<RandomisationTest>> = tests.map(|test| &mut test.randomisation).collect();
    for (name, node) in nodes.filter(|(_, node)| node.n >= 10) {
        columns.push(column(observations.primary(), &observations.nodes()[name]));
        filled.push(&mut node.randomisation);
    }
    let columns: Vec<&[Option<f64>]> = columns.iter().map(Vec::as_slice).collect();
    let Ok(test) = Randomisation::new(plan.seed, &keys, &columns) else { return };
    let resamples = asked(plan.statistics.resamples);
    let counts = test.count(0..resamples);
    let found: Vec<_> = test.p_values(&counts).into_iter().zip(test.adjusted_p_values(&counts)).collect();
    let tests = found.iter().filter(|(p, _)| p.is_some()).count() as u64;
    for (slot, (p, adjusted)) in filled.into_iter().zip(found) {
        *slot = p.zip(adjusted).map(|(p_randomisation, p_max_t)| RandomisationTest {
            p_randomisation,
            p_max_t,
            tests,
            resamples,
            seed: plan.seed,
        });
    }
}
