//! Scores one work unit: a retriever's answers to one chunk of sessions.

use super::native::{self, MetricScorer};
use super::wasm::WasmScorer;
use super::{Case, Relevance, ScoreError, ScoreOutcome, Scorer};
use crate::benchmark::{Plan, ScorerSource};
use crate::session::{Ranking, ScoreRow, ScoreState, ScorerResult, Session};

/// The scoring contract, loaded: each scorer with its normalised weight.
pub struct ScoringContract {
    scorers: Vec<(Box<dyn Scorer>, f64)>,
}

impl ScoringContract {
    /// Loads the plan's scorers.
    ///
    /// # Errors
    ///
    /// Returns an error when a component cannot be used or refuses its parameters.
    pub fn load(plan: &Plan) -> Result<Self, ScoreError> {
        let mut scorers: Vec<(Box<dyn Scorer>, f64)> = Vec::new();
        for scorer in &plan.scorers {
            let loaded: Box<dyn Scorer> = match &scorer.source {
                ScorerSource::Metric(metric) => {
                    Box::new(MetricScorer::new(scorer.name.clone(), *metric, plan.relevance.clone()))
                }
                ScorerSource::Plugin(plugin) => Box::new(WasmScorer::load(&scorer.name, plugin)?),
            };
            scorers.push((loaded, scorer.weight));
        }
        Ok(Self { scorers })
    }
}

/// Scores `rankings`, which answer `sessions` one by one. A failed ranking gets no values: every metric and scorer of it
/// is unknown, never zero.
///
/// # Errors
///
/// Returns an error when a scorer cannot go on.
pub fn score_chunk(
    plan: &Plan,
    contract: &ScoringContract,
    sessions: &[Session],
    rankings: &[Ranking],
) -> Result<Vec<ScoreRow>, ScoreError> {
    let relevance: Vec<Relevance> = sessions.iter().map(|session| Relevance::of(session, &plan.relevance)).collect();
    let answered: Vec<Case<'_>> = sessions
        .iter()
        .zip(rankings)
        .zip(&relevance)
        .filter(|((_, ranking), _)| !ranking.failed())
        .map(|((session, ranking), relevance)| Case { session, ranking, relevance })
        .collect();
    let mut outcomes = Vec::new();
    for (scorer, weight) in &contract.scorers {
        outcomes.push((scorer.name(), *weight, scorer.score(&answered)?.into_iter()));
    }
    let mut cases = answered.iter();
    let mut rows = Vec::with_capacity(rankings.len());
    for ranking in rankings {
        let case = if ranking.failed() { None } else { cases.next() };
        let mut results = Vec::new();
        let mut weights = Vec::new();
        for (name, weight, outcomes) in &mut outcomes {
            let outcome = case.and_then(|_| outcomes.next()).unwrap_or_else(ScoreOutcome::unknown);
            results.push(ScorerResult {
                name: (*name).to_owned(),
                value: outcome.value,
                output: outcome.output,
                state: outcome.state,
            });
            weights.push(*weight);
        }
        rows.push(ScoreRow {
            session_id: ranking.session_id.clone(),
            retriever_id: ranking.retriever_id.clone(),
            metrics: match case {
                Some(case) => native::evaluate(&plan.metrics, case, &plan.relevance),
                None => vec![None; plan.metrics.len()],
            },
            scenario_score: scenario_score(&results, &weights),
            scorers: results,
        });
    }
    Ok(rows)
}

/// The weighted mean of the scorers' values, or `None` where one of them has none: a mean over some of them would not be
/// comparable with a mean over all.
fn scenario_score(results: &[ScorerResult], weights: &[f64]) -> Option<f64> {
    if results.is_empty() || results.iter().any(|result| result.state != ScoreState::Complete) {
        return None;
    }
    let terms = results.iter().zip(weights).map(|(result, weight)| result.value.map(|value| value * weight));
    terms.sum::<Option<f64>>()
}
