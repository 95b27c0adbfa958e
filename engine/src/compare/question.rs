//! What is asked of the parts: which measures, over which sets of sessions, by how many arms.

use std::num::NonZeroUsize;

use super::exposure::{self, Examination};
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
    /// Places of the measures that are tested at every taxonomy node: the primary, nDCG, recall, what scorers say, and what gates
    /// look at by node.
    pub(super) at_nodes: Vec<usize>,
    /// How clicks are read as evidence; `None` where no measure that decides reads relevance, or where it never comes from
    /// clicks.
    pub(super) clicks: Option<Examination>,
    /// The scorers' names, in the contract's order.
    pub(super) scorers: Vec<String>,
    /// The cutoffs at which lists are compared item by item, ascending.
    pub(super) list_cutoffs: Vec<NonZeroUsize>,
}

impl<'a> Question<'a> {
    /// Asks about arms; what clicks can tell is not asked.
    pub(super) fn new(plan: &'a Plan, contract: &'a ScoringContract, arms: usize) -> Self {
        let measures = contract.measures();
        let place = |name: &str| measures.iter().position(|measure| measure.name == name);
        let primary = place(&plan.primary).unwrap_or(0);
        let gains = |name: &str| ["nDCG@", "R@"].iter().any(|family| name.starts_with(family));
        let scored = |(index, measure): (usize, &Measure)| {
            (measure.kind != MeasureKind::Metric || gains(&measure.name)).then_some(index)
        };
        let mut at_nodes: Vec<usize> = measures.iter().enumerate().filter_map(scored).collect();
        at_nodes.push(primary);
        at_nodes.extend(plan.gates.iter().filter(|gate| gate.looks_at_nodes()).filter_map(|gate| place(&gate.metric)));
        at_nodes.sort_unstable();
        at_nodes.dedup();
        let scorers = contract.scorers().map(|scorer: &dyn Scorer| scorer.name().to_owned()).collect();
        let list_cutoffs = plan.list_cutoffs();
        Self { plan, measures, arms, primary, at_nodes, clicks: None, scorers, list_cutoffs }
    }

    /// Returns the name of the column that holds a measure.
    pub(super) fn column(measure: &Measure) -> &str {
        if measure.kind == MeasureKind::ScenarioScore { column::SCENARIO_SCORE } else { &measure.name }
    }

    /// Returns whether the measure of that name depends on what is relevant.
    pub(super) fn reads_relevance(&self, name: &str) -> bool {
        self.measures.iter().any(|measure| measure.name == name && measure.reads_relevance)
    }

    /// Returns whether a measure that decides, the primary or a gate's, depends on what is relevant.
    pub(super) fn relevance_decides(&self) -> bool {
        let deciding = std::iter::once(&self.plan.primary).chain(self.plan.gates.iter().map(|gate| &gate.metric));
        deciding.into_iter().any(|name| self.reads_relevance(name))
    }

    /// Returns the number of tests of what clicks say, for each candidate.
    pub(super) fn click_tests(&self) -> usize {
        if self.clicks.is_some() { exposure::TESTS } else { 0 }
    }

    /// Returns the candidates, as numbers of arms.
    pub(super) fn candidates(&self) -> std::ops::Range<usize> {
        1..self.arms.max(1)
    }
}
