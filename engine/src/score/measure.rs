//! What can be compared between retrievers: everything that the score stage finds for a session.

use crate::benchmark::Plan;
use crate::schema::column;
use crate::score::Scorer;

/// A number that every session of every retriever has, unless it is undefined there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measure {
    /// Its name: `nDCG@10`, `revenue`, `revenue.orders`, `scenario_score`.
    pub name: String,
    /// Where it comes from.
    pub kind: MeasureKind,
    /// Whether a higher value is a better one.
    pub higher_is_better: bool,
    /// Whether it is read from what is known to be relevant, so that clicks on a part of the lists mislead it.
    pub reads_relevance: bool,
}

/// Where a measure comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeasureKind {
    /// A built-in metric.
    Metric,
    /// The score of the scorer at that place of the contract.
    Scorer(usize),
    /// A sub-score of the scorer at that place.
    SubScore(usize),
    /// The weighted mean of the scorers.
    ScenarioScore,
}

/// Returns the measures of a run: the plan's metrics, each scorer's score and sub-scores, and the scenario score where
/// there are scorers.
pub(super) fn measures<'a>(plan: &Plan, scorers: impl Iterator<Item = &'a dyn Scorer>) -> Vec<Measure> {
    let metric =
        |name: String| Measure { name, kind: MeasureKind::Metric, higher_is_better: true, reads_relevance: true };
    let mut measures: Vec<Measure> = plan.metrics.iter().map(ToString::to_string).map(metric).collect();
    let mut scenario: Option<Measure> = None;
    for (index, scorer) in scorers.enumerate() {
        for (place, metric) in scorer.metrics().iter().enumerate() {
            let (name, kind) = match place {
                0 => (scorer.name().to_owned(), MeasureKind::Scorer(index)),
                _ => (format!("{}.{}", scorer.name(), metric.name), MeasureKind::SubScore(index)),
            };
            let (higher_is_better, reads_relevance) = (metric.higher_is_better, scorer.reads_relevance());
            measures.push(Measure { name, kind, higher_is_better, reads_relevance });
        }
        let higher_is_better = scorer.metrics().first().is_none_or(|metric| metric.higher_is_better);
        let summed = scenario.get_or_insert_with(|| Measure {
            name: column::SCENARIO_SCORE.to_owned(),
            kind: MeasureKind::ScenarioScore,
            higher_is_better,
            reads_relevance: false,
        });
        summed.reads_relevance |= scorer.reads_relevance();
    }
    measures.extend(scenario);
    measures
}
