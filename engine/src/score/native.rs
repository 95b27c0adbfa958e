//! The built-in metrics on a case: the ranking's grades, rank by rank, handed to [`rematch_metrics`].

use rematch_metrics::preset::Preset;
use rematch_metrics::ties::{TieInterval, tie_intervals};
use rematch_metrics::{Metric, SparseGrades};

use super::{Case, Relevance, ScoreError, ScoreMetric, ScoreOutcome, Scorer};
use crate::benchmark::RelevancePlan;

/// Evaluates metrics on one ranking after the other.
#[derive(Debug)]
pub struct Evaluator<'a> {
    metrics: &'a [Metric],
    plan: &'a RelevancePlan,
    // Kept between rankings: there are many, and they are short.
    grades: SparseGrades,
}

impl<'a> Evaluator<'a> {
    /// Returns an evaluator of `metrics`.
    #[must_use]
    pub fn new(metrics: &'a [Metric], plan: &'a RelevancePlan) -> Self {
        Self { metrics, plan, grades: SparseGrades::new(plan.gain) }
    }

    /// Returns the value of each metric on a ranking, by the conventions of the plan; `None` where it is undefined.
    /// `items` are the items returned, best first.
    pub fn evaluate<'i>(
        &mut self,
        items: impl Iterator<Item = &'i str>,
        relevance: &Relevance,
    ) -> impl Iterator<Item = Option<f64>> {
        self.grades.set(items.map(|item| relevance.grade(item)), relevance.iter().map(|(_, grade)| grade));
        let (metrics, preset) = (self.metrics, Preset::from(self.plan.compatibility));
        metrics.iter().map(move |metric| preset.evaluate_sparse(metric, &mut self.grades))
    }

    /// Returns how many of the first `depth` hits of the ranking that was evaluated last have a grade.
    #[must_use]
    pub fn graded(&self, depth: usize) -> usize {
        self.grades.graded(depth)
    }

    /// Returns the values that the metrics could have if hits with equal scores changed places, of the ranking that was evaluated
    /// last; nothing where no such order matters, or the metrics follow another program's conventions, for which no order is
    /// known to be best. `scores` are its hits' scores.
    #[must_use]
    pub fn tie_intervals(&mut self, scores: &[f64]) -> Vec<Option<TieInterval>> {
        let neighbours = scores.iter().zip(scores.iter().skip(1));
        let grades = self.grades.rank_by_rank();
        let graded = grades.ranked.iter().zip(grades.ranked.iter().skip(1));
        let matters = neighbours.zip(graded).any(|((score, next), (grade, other))| score == next && grade != other);
        if !matters || !self.plan.compatibility.has_our_values() {
            return Vec::new();
        }
        tie_intervals(self.metrics, &grades, scores, self.plan.gain)
    }
}

/// A built-in metric as a scoring function of the contract.
#[derive(Debug, Clone)]
pub struct MetricScorer {
    name: String,
    metric: Metric,
    described: [ScoreMetric; 1],
    plan: RelevancePlan,
}

impl MetricScorer {
    /// Returns a scorer of that name.
    #[must_use]
    pub fn new(name: String, metric: Metric, plan: RelevancePlan) -> Self {
        let described = ScoreMetric {
            name: metric.to_string(),
            summary: String::new(),
            higher_is_better: true,
            low: None,
            high: None,
        };
        Self { name, metric, described: [described], plan }
    }
}

impl Scorer for MetricScorer {
    fn name(&self) -> &str {
        &self.name
    }

    fn metrics(&self) -> &[ScoreMetric] {
        &self.described
    }

    fn score(&self, cases: &[Case<'_>]) -> Result<Vec<ScoreOutcome>, ScoreError> {
        let metric = [self.metric];
        let mut evaluator = Evaluator::new(&metric, &self.plan);
        let outcome = |case: &Case<'_>| {
            let items = case.ranking.hits.iter().map(|hit| hit.item_id.as_str());
            match evaluator.evaluate(items, case.relevance).next() {
                Some(Some(value)) => ScoreOutcome::complete(value, String::new()),
                _ => ScoreOutcome::unknown(),
            }
        };
        Ok(cases.iter().map(outcome).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::benchmark::spec::{Combine, Compatibility};
    use crate::session::{Judgment, Session};

    #[test]
    fn graded_hits_are_counted_to_the_depth_whatever_their_grade() {
        let plan = RelevancePlan {
            gain: rematch_metrics::GainFunction::Linear,
            combine: Combine::Max,
            weights: [].into(),
            compatibility: Compatibility::Strict,
        };
        let judgments = ["b", "c"].map(|item| Judgment { item_id: item.into(), grade: 0.0 });
        let relevance = Relevance::of(&Session { judgments: judgments.into(), ..Session::default() }, &plan);
        let mut evaluator = Evaluator::new(&[], &plan);
        drop(evaluator.evaluate(["a", "b", "d", "c"].into_iter(), &relevance));
        assert_eq!([0, 1, 2, 3, 4, 9].map(|depth| evaluator.graded(depth)), [0, 0, 1, 1, 2, 2]);
    }
}
