//! Can clicks tell the arms apart? Items that the logged ranker never showed could not be clicked.
//!
//! A replay that counts such items as worthless favours whoever produced the log, and so do clicks on the top of its list,
//! by tens of percent (Joachims et al. 2017; Agarwal et al. 2019). So, for sessions whose relevance comes from
//! interactions, this states the share of each arm's top k that was shown or judged, and tests a second time on common
//! support: a DCG over the items that both arms have in their top k, each click weighted by 1 / P(examined at its logged
//! position), with P = 1 / rank. A difference that is not there is not one that clicks can show.

use super::observations::Observations;
use super::significance::{Pairs, compare_pairs};
use crate::benchmark::Plan;
use crate::compare::outcome::Exposure;

/// Assesses the candidate at `candidate` by the measure at place `measure`.
pub(super) fn assess(plan: &Plan, candidate: usize, measure: usize, observations: &Observations) -> Exposure {
    let k = observations.support_depth() as u64;
    if observations.measures().get(measure).is_some_and(|measure| !measure.reads_relevance) {
        return Exposure { k, ..Exposure::default() };
    }
    let clicked = |row: &usize| observations.session(*row).is_some_and(|session| session.click_derived);
    let rows: Vec<usize> = (0..observations.sessions())
        .filter(clicked)
        .filter(|row| [0, candidate].iter().all(|arm| defined(observations, *arm, measure, *row)))
        .collect();
    if rows.is_empty() {
        return Exposure { k, ..Exposure::default() };
    }
    let [baseline, common] = &observations.arm(candidate).common_support;
    let pairs = Pairs::of(observations, baseline, common, rows.iter().copied());
    Exposure {
        click_derived_pairs: rows.len() as u64,
        k,
        baseline_support: support(observations, 0, &rows),
        candidate_support: support(observations, candidate, &rows),
        common_support: Some(compare_pairs(&pairs, observations.cluster_by(), plan.noise_threshold, true)),
    }
}

fn defined(observations: &Observations, arm: usize, measure: usize, row: usize) -> bool {
    observations.values(arm, measure).get(row).copied().flatten().is_some()
}

/// The share of the arm's top-k hits that were shown or judged; undefined where it returned nothing.
fn support(observations: &Observations, arm: usize, rows: &[usize]) -> Option<f64> {
    let counts = rows.iter().filter_map(|row| observations.arm(arm).support.get(*row));
    let (hits, covered) = counts.fold((0, 0), |total, count| (total.0 + count.0, total.1 + count.1));
    (hits > 0).then(|| covered as f64 / hits as f64)
}
