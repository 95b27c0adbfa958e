//! Scores one work unit: a retriever's answers to one chunk of sessions.

use std::sync::Arc;

use super::measure::{Measure, MeasureKind, measures};
use super::native::{Evaluator, MetricScorer};
use super::wasm::{PluginHost, WasmScorer};
use super::{Case, Relevance, ScoreError, ScoreOutcome, Scorer};
use crate::benchmark::spec::OnScorerError;
use crate::benchmark::{Plan, ScorerPlan, ScorerSource};
use crate::rows::{Answers, ScoreColumns};
use crate::session::{ScoreState, ScorerResult, Session};

/// The scoring contract, loaded: the scorers with their weights, and what there is to compare.
pub struct ScoringContract {
    scorers: Vec<Weighted>,
    measures: Vec<Measure>,
}

struct Weighted {
    scorer: Box<dyn Scorer>,
    /// Normalised.
    weight: f64,
    on_error: OnScorerError,
}

impl ScoringContract {
    /// Loads the plan's scorers; components are run by `plugins`.
    ///
    /// # Errors
    ///
    /// Returns an error when a component cannot be used or refuses its parameters, when the scorers contradict one
    /// another, or when the plan's primary measure or a gate names a sub-score that no scorer has.
    pub fn load(plan: &Plan, plugins: &Arc<PluginHost>) -> Result<Self, ScoreError> {
        let mut scorers: Vec<Weighted> = Vec::new();
        for planned in &plan.scorers {
            let scorer: Box<dyn Scorer> = match &planned.source {
                ScorerSource::Metric(metric) => {
                    Box::new(MetricScorer::new(planned.name.clone(), *metric, plan.relevance.clone()))
                }
                ScorerSource::Plugin(plugin) => Box::new(WasmScorer::load(&planned.name, plugin, plugins)?),
            };
            check_zero(planned, scorer.as_ref())?;
            scorers.push(Weighted { scorer, weight: planned.weight, on_error: planned.on_error });
        }
        check_directions(&scorers)?;
        let measures = measures(plan, scorers.iter().map(|one| one.scorer.as_ref()));
        check_names(plan, &measures)?;
        Ok(Self { scorers, measures })
    }

    /// Returns what can be compared, in the order of the report.
    #[must_use]
    pub fn measures(&self) -> &[Measure] {
        &self.measures
    }

    /// Returns the names of the columns of the scores table: every measure but the scenario score, which has a column of
    /// its own.
    #[must_use]
    pub fn columns(&self) -> Vec<String> {
        let named = self.measures.iter().filter(|measure| measure.kind != MeasureKind::ScenarioScore);
        named.map(|measure| measure.name.clone()).collect()
    }

    /// Returns the scorers in the order of the benchmark.
    pub fn scorers(&self) -> impl Iterator<Item = &dyn Scorer> {
        self.scorers.iter().map(|one| one.scorer.as_ref())
    }
}

/// A failed session that counts as zero must not be better off for it, and zero must be a score.
fn check_zero(planned: &ScorerPlan, scorer: &dyn Scorer) -> Result<(), ScoreError> {
    let Some(metric) = scorer.metrics().first().filter(|_| planned.on_error == OnScorerError::Zero) else {
        return Ok(());
    };
    let why = if !metric.higher_is_better {
        "is better when it is lower, so that an error would be the best score"
    } else if metric.low != Some(0.0) {
        "has a range that does not begin at 0, so that an error may beat a score"
    } else {
        return Ok(());
    };
    let name = &planned.name;
    let reason = format!("scorer `{name}` {why}; expected `on-error = \"skip\"` or `\"fail\"` instead of `\"zero\"`");
    Err(ScoreError::Contract { reason })
}

/// The scenario score is a mean, and means nothing over scores of which some are better when lower.
fn check_directions(scorers: &[Weighted]) -> Result<(), ScoreError> {
    let higher = |one: &Weighted| one.scorer.metrics().first().is_none_or(|metric| metric.higher_is_better);
    let name_of = |wanted: bool| scorers.iter().find(|one| higher(one) == wanted).map(|one| one.scorer.name());
    let (Some(up), Some(down)) = (name_of(true), name_of(false)) else { return Ok(()) };
    let reason = format!(
        "scorer `{up}` is better when it is higher and `{down}` when it is lower, so their weighted mean says nothing; \
         have one of them return its score the other way round, or put them into two benchmarks"
    );
    Err(ScoreError::Contract { reason })
}

fn check_names(plan: &Plan, measures: &[Measure]) -> Result<(), ScoreError> {
    let names: Vec<&str> = measures.iter().map(|measure| measure.name.as_str()).collect();
    for (index, name) in names.iter().enumerate() {
        if names.iter().take(index).any(|earlier| earlier == name) {
            return Err(ScoreError::Contract { reason: format!("two scores have the name `{name}`; rename a scorer") });
        }
    }
    let of_gates = plan.gates.iter().filter(|gate| gate.observed.is_none()).map(|gate| ("gate", &gate.metric));
    let wanted = std::iter::once(("primary", &plan.primary)).chain(of_gates);
    for (what, name) in wanted {
        if !names.contains(&name.as_str()) {
            let reason =
                format!("there is no score `{name}`, which `{what}` names; expected one of `{}`", names.join("`, `"));
            return Err(ScoreError::Contract { reason });
        }
    }
    Ok(())
}

/// Scores `answers`, which answer `sessions` one by one. A failed answer gets no values: every measure of it is unknown,
/// never zero.
///
/// # Errors
///
/// Returns an error when a scorer cannot go on, or fails on a session though the benchmark says `on-error = "fail"`.
pub fn score_chunk(
    plan: &Plan,
    contract: &ScoringContract,
    sessions: &[Session],
    relevance: &[Relevance],
    answers: &Answers,
) -> Result<ScoreColumns, ScoreError> {
    let mut columns = metric_columns(plan, relevance, answers);
    columns.scorers = vec![Vec::new(); answers.len()];
    columns.scenario_score = vec![None; answers.len()];
    if !contract.scorers.is_empty() {
        add_scorers(contract, sessions, relevance, answers, &mut columns)?;
    }
    Ok(columns)
}

/// One column per metric, what ties could make of them, and how many of the top have a grade.
fn metric_columns(plan: &Plan, relevance: &[Relevance], answers: &Answers) -> ScoreColumns {
    let rows = answers.len();
    let mut columns = ScoreColumns {
        measures: plan.metrics.iter().map(|_| Vec::with_capacity(rows)).collect(),
        ties: Vec::with_capacity(rows),
        top_graded: Vec::with_capacity(rows),
        ..ScoreColumns::default()
    };
    let (mut evaluator, depth) = (Evaluator::new(&plan.metrics, &plan.relevance), plan.support_depth());
    for (row, relevance) in relevance.iter().enumerate() {
        if answers.failed(row) {
            columns.measures.iter_mut().for_each(|column| column.push(None));
            columns.ties.push(None);
            columns.top_graded.push(None);
        } else {
            let values = evaluator.evaluate(answers.items(row), relevance);
            columns.measures.iter_mut().zip(values).for_each(|(column, value)| column.push(value));
            columns.ties.push(answers.tied_scores(row).map(|scores| evaluator.tie_intervals(scores)));
            columns.top_graded.push(u32::try_from(evaluator.graded(depth)).ok());
        }
    }
    columns
}

/// Adds the scorers' columns and the scenario score. Scorers see whole rankings as rows.
fn add_scorers(
    contract: &ScoringContract,
    sessions: &[Session],
    relevance: &[Relevance],
    answers: &Answers,
    columns: &mut ScoreColumns,
) -> Result<(), ScoreError> {
    let rankings = answers.to_rankings()?;
    let cases: Vec<(usize, Case<'_>)> = sessions
        .iter()
        .zip(&rankings)
        .zip(relevance)
        .enumerate()
        .filter(|(_, ((_, ranking), _))| !ranking.failed())
        .map(|(row, ((session, ranking), relevance))| (row, Case { session, ranking, relevance }))
        .collect();
    let answered: Vec<Case<'_>> = cases.iter().map(|(_, case)| *case).collect();
    for one in &contract.scorers {
        let mut outcomes = vec![ScoreOutcome::unknown(); answers.len()];
        for ((row, _), outcome) in cases.iter().zip(one.scorer.score(&answered)?) {
            if let Some(slot) = outcomes.get_mut(*row) {
                *slot = outcome;
            }
        }
        let further = one.scorer.metrics().len().saturating_sub(1);
        let sub_scores = (0..further).map(|index| {
            outcomes.iter().map(|outcome| outcome.sub_scores.get(index).copied().flatten()).collect::<Vec<_>>()
        });
        let sub_scores: Vec<Vec<Option<f64>>> = sub_scores.collect();
        let mut values = Vec::with_capacity(outcomes.len());
        for ((outcome, session), results) in outcomes.into_iter().zip(sessions).zip(&mut columns.scorers) {
            let value = counted(one, &outcome, &session.session_id)?;
            values.push(value);
            let (name, ScoreOutcome { output, state, .. }) = (one.scorer.name().to_owned(), outcome);
            results.push(ScorerResult { name, value, output, state });
        }
        columns.measures.push(values);
        columns.measures.extend(sub_scores);
    }
    columns.scenario_score = columns.scorers.iter().map(|results| scenario_score(results, &contract.scorers)).collect();
    Ok(())
}

/// The value with which a session counts, by the scorer's policy on errors.
fn counted(one: &Weighted, outcome: &ScoreOutcome, session_id: &str) -> Result<Option<f64>, ScoreError> {
    match (outcome.state, one.on_error) {
        (ScoreState::Error, OnScorerError::Zero) => Ok(Some(0.0)),
        (ScoreState::Error, OnScorerError::Fail) => Err(ScoreError::Failed {
            scorer: one.scorer.name().to_owned(),
            reason: format!(
                "session `{session_id}`: {}; `on-error = \"fail\"` ends the run at the first error",
                outcome.output
            ),
        }),
        _ => Ok(outcome.value),
    }
}

/// The weighted mean of the scorers' values, or `None` where one of them has none: a mean over some of them would not be
/// comparable with a mean over all.
fn scenario_score(results: &[ScorerResult], scorers: &[Weighted]) -> Option<f64> {
    if results.is_empty() {
        return None;
    }
    results.iter().zip(scorers).map(|(result, one)| result.value.map(|value| value * one.weight)).sum()
}
