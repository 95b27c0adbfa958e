//! The built-in metrics on a case: the ranking's grades, rank by rank, handed to [`rematch_metrics`].

use rematch_metrics::{Metric, RankedGrades};

use super::{Case, ScoreError, ScoreMetric, ScoreOutcome, Scorer};
use crate::benchmark::RelevancePlan;
use crate::benchmark::spec::Compatibility;

/// Returns the value of each metric, `None` where it is undefined (zero there in trec_eval's mode).
#[must_use]
pub fn evaluate(metrics: &[Metric], case: &Case<'_>, plan: &RelevancePlan) -> Vec<Option<f64>> {
    let ranked: Vec<Option<f64>> = case.ranking.hits.iter().map(|hit| case.relevance.grade(&hit.item_id)).collect();
    let judged: Vec<f64> = case.relevance.iter().map(|(_, grade)| grade).collect();
    evaluate_grades(metrics, &RankedGrades { ranked: &ranked, judged: &judged }, plan)
}

/// Returns the value of each metric on grades that are already joined.
#[must_use]
pub fn evaluate_grades(metrics: &[Metric], grades: &RankedGrades<'_>, plan: &RelevancePlan) -> Vec<Option<f64>> {
    let undefined = match plan.compatibility {
        Compatibility::Strict => None,
        Compatibility::TrecEval => Some(0.0),
    };
    metrics.iter().map(|metric| metric.evaluate(grades, plan.gain).or(undefined)).collect()
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
        let outcome = |case: &Case<'_>| match evaluate(&[self.metric], case, &self.plan).first() {
            Some(Some(value)) => ScoreOutcome::complete(*value, String::new()),
            _ => ScoreOutcome::unknown(),
        };
        Ok(cases.iter().map(outcome).collect())
    }
}
