//! What is asked of the parts: which measures, over which sets of sessions, by how many arms.

use crate::benchmark::Plan;
use crate::schema::column;
use crate::score::{Measure, MeasureKind, Scorer, ScoringContract};

/// What the comparison needs to know before it reads anything.
pub(super) struct Question<'a> {
    pub(super) plan: &'a Plan,
    pub(super) measures: &'a [Measure],
    pub(super) arms: usize,
    /// The place of the measure that decides.
    pub(super) primary: usize,
    /// Places of the measures that are tested at every taxonomy node: the primary, and what scorers say.
    pub(super) at_nodes: Vec<usize>,
    /// Places of the measures for which it is asked whether clicks can tell: the primary and the gates'.
    pub(super) exposed: Vec<usize>,
    /// The scorers' names, in the contract's order.
    pub(super) scorers: Vec<String>,
}

impl<'a> Question<'a> {
    pub(super) fn new(plan: &'a Plan, contract: &'a ScoringContract, arms: usize) -> Self {
        let measures = contract.measures();
        let place = |name: &str| measures.iter().position(|measure| measure.name == name);
        let primary = place(&plan.primary).unwrap_or(0);
        let scored = |(index, measure): (usize, &Measure)| (measure.kind != MeasureKind::Metric).then_some(index);
        let mut at_nodes: Vec<usize> = measures.iter().enumerate().filter_map(scored).collect();
        at_nodes.push(primary);
        let mut exposed: Vec<usize> = plan.gates.iter().filter_map(|gate| place(&gate.metric)).collect();
        exposed.push(primary);
        exposed.retain(|place| measures.get(*place).is_some_and(|measure| measure.reads_relevance));
        for places in [&mut at_nodes, &mut exposed] {
            places.sort_unstable();
            places.dedup();
        }
        let scorers = contract.scorers().map(|scorer: &dyn Scorer| scorer.name().to_owned()).collect();
        Self { plan, measures, arms, primary, at_nodes, exposed, scorers }
    }

    /// Returns the name of the column that holds a measure.
    pub(super) fn column(measure: &Measure) -> &str {
        if measure.kind == MeasureKind::ScenarioScore { column::SCENARIO_SCORE } else { &measure.name }
    }

    /// Returns the candidates, as numbers of arms.
    pub(super) fn candidates(&self) -> std::ops::Range<usize> {
        1..self.arms.max(1)
    }
}
