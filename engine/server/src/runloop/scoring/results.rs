//! What the engine and the programs said, as the results of scenario runs.

use std::collections::HashMap;

use rematch_engine::session::{ScoreState, ScorerResult};
use serde_json::{Value, json};

use super::native::{self, Circumstances, Program, Scoreless};
use super::work::{AgentWork, Function, How, ScenarioWork, Work};
use crate::App;
use crate::jobs::Job;
use crate::platform::error::ApiError;
use crate::runloop::model::{ScoringContractResult, ScoringFunctionResult};
use crate::worker::{ScoreFailure, ScoredRun, ScoredSession};

/// By how much a score may lie outside 0..1 for what floating-point sums leave.
const ROUNDING: f64 = 1e-9;

/// What a scenario run came to.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub(super) run: String,
    /// `scored`, `failed` or `timeout`.
    pub(super) state: &'static str,
    pub(super) score: Option<f64>,
    pub(super) result: Option<ScoringContractResult>,
    pub(super) log: Value,
}

/// Returns what every scenario run came to. Programs are run here; `job` tells when nobody waits for them any more.
///
/// # Errors
///
/// Returns an error when the server is at fault.
pub(super) async fn findings(
    app: &App,
    organisation: &str,
    job: Option<&Job>,
    work: &Work,
    outcome: Value,
    limit_seconds: f64,
) -> Result<Vec<Finding>, ApiError> {
    let scored: Vec<ScoredRun> = serde_json::from_value(outcome).map_err(ApiError::internal)?;
    let mut found: HashMap<(usize, &str), ScoredSession> = HashMap::new();
    let mut failures: HashMap<(usize, &str), ScoreFailure> = HashMap::new();
    for (group, run) in work.groups().iter().zip(scored) {
        for scenario in group.scenarios.iter().filter_map(|place| work.scenarios.get(*place)) {
            if let Some(failure) = &run.failure {
                failures.insert((group.agent, &scenario.id), failure.clone());
            }
        }
        let mut sessions: HashMap<String, ScoredSession> =
            run.sessions.into_iter().map(|session| (session.session_id.clone(), session)).collect();
        for scenario in group.scenarios.iter().filter_map(|place| work.scenarios.get(*place)) {
            if let Some(session) = sessions.remove(&scenario.id) {
                found.insert((group.agent, &scenario.id), session);
            }
        }
    }
    let mut findings = Vec::new();
    for (place, agent) in work.agents.iter().enumerate() {
        for (scenario, run) in work.scenarios.iter().zip(&agent.runs) {
            let key = (place, scenario.id.as_str());
            let asked = Asked { app, organisation, job, agent, scenario, limit_seconds };
            findings.push(asked.finding(run, found.get(&key), failures.get(&key)).await?);
        }
    }
    Ok(findings)
}

struct Asked<'a> {
    app: &'a App,
    organisation: &'a str,
    job: Option<&'a Job>,
    agent: &'a AgentWork,
    scenario: &'a ScenarioWork,
    limit_seconds: f64,
}

impl Asked<'_> {
    async fn finding(
        &self,
        run: &str,
        session: Option<&ScoredSession>,
        failure: Option<&ScoreFailure>,
    ) -> Result<Finding, ApiError> {
        let mut results = Vec::new();
        let mut timed_out = failure.is_some_and(|failure| failure.code == "timeout") && session.is_none();
        let mut of_engine = session.map(|session| session.scorers.iter()).unwrap_or_default();
        for function in &self.scenario.functions {
            let result = match &function.how {
                How::Program(_) if session.is_some_and(|session| session.error.is_some()) => {
                    without_score(function, "error", "there is no ranking: the retriever failed")
                }
                How::Program(program) => match self.attempts(program, run, session).await? {
                    Ok((score, output)) => complete(function, score, output),
                    Err(scoreless) => {
                        timed_out |= scoreless.timed_out;
                        without_score(function, "error", &scoreless.reason)
                    }
                },
                _ => of_scorer(function, of_engine.next(), session, failure),
            };
            results.push(result);
        }
        let score = total(&self.scenario.functions, &results, session.and_then(|session| session.scenario_score));
        let state = if score.is_some() {
            "scored"
        } else if timed_out {
            "timeout"
        } else {
            "failed"
        };
        let log = log(session, failure, &results);
        let result = ScoringContractResult { score: score.unwrap_or(0.0), scoring_function_results: results };
        Ok(Finding { run: run.to_owned(), state, score, result: Some(result), log })
    }

    /// Runs a program, again where it came to no score, as often as the agent may and each time for longer.
    async fn attempts(
        &self,
        program: &Program,
        run: &str,
        session: Option<&ScoredSession>,
    ) -> Result<Result<(f64, String), Scoreless>, ApiError> {
        let mut seconds = f64::from(self.scenario.seconds);
        let mut left = self.agent.retries;
        loop {
            let circumstances = Circumstances {
                context: self.context(run, session),
                files: &self.scenario.files,
                environment: &self.agent.environment,
                seconds: seconds.min(self.limit_seconds).max(1.0) as u64,
            };
            let running = native::run(self.app, self.organisation, program, circumstances);
            let ended = tokio::select! {
                ended = running => ended?,
                () = self.cancelled() => return Ok(Err(Scoreless::because("stopped, as the run was canceled"))),
            };
            if ended.is_ok() || left == 0 {
                return Ok(ended);
            }
            left -= 1;
            seconds *= self.agent.multiplier;
        }
    }

    fn context(&self, run: &str, session: Option<&ScoredSession>) -> Value {
        let mut context = self.scenario.context.clone();
        if let Value::Object(members) = &mut context {
            members.insert("scenario_run_id".to_owned(), Value::from(run));
            if let Some(session) = session {
                members.insert("hits".to_owned(), json!(session.hits));
            }
        }
        context
    }

    /// Ends when somebody wishes that the job ends.
    async fn cancelled(&self) {
        let Some(job) = self.job else { return std::future::pending().await };
        loop {
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            if matches!(self.app.jobs().get(&job.organisation, &job.id).await, Ok(Some(job)) if job.cancelling) {
                return;
            }
        }
    }
}

fn complete(function: &Function, score: f64, output: String) -> ScoringFunctionResult {
    let scoring_function_name = function.name.clone();
    ScoringFunctionResult { scoring_function_name, score, output, state: "complete".to_owned() }
}

fn without_score(function: &Function, state: &str, reason: &str) -> ScoringFunctionResult {
    let (scoring_function_name, output) = (function.name.clone(), reason.to_owned());
    ScoringFunctionResult { scoring_function_name, score: 0.0, output, state: state.to_owned() }
}

/// Returns what one of the engine's scorers said.
fn of_scorer(
    function: &Function,
    said: Option<&ScorerResult>,
    session: Option<&ScoredSession>,
    failure: Option<&ScoreFailure>,
) -> ScoringFunctionResult {
    if let Some(reason) = session.and_then(|session| session.error.as_ref()) {
        return without_score(function, "error", &format!("the retriever failed: {reason}"));
    }
    let Some(said) = said else {
        let reason = failure.map_or("nothing was scored", |failure| failure.message.as_str());
        return without_score(function, "error", reason);
    };
    match (said.state, said.value) {
        (ScoreState::Complete, Some(value)) if (-ROUNDING..=1.0 + ROUNDING).contains(&value) => {
            complete(function, value.clamp(0.0, 1.0), said.output.clone())
        }
        (ScoreState::Complete, Some(value)) => {
            let reason = format!("the score is {value}; expected 0 to 1\n{}", said.output);
            without_score(function, "error", reason.trim_end())
        }
        (ScoreState::Error, _) => without_score(function, "error", &said.output),
        _ => {
            let reason =
                if said.output.is_empty() { "undefined: nothing here is known to be relevant" } else { &said.output };
            without_score(function, "unknown", reason)
        }
    }
}

/// Returns the weighted mean: the engine's own where all functions are its, else in its order of operations; `None` where a
/// function has no score.
fn total(functions: &[Function], results: &[ScoringFunctionResult], of_engine: Option<f64>) -> Option<f64> {
    let has_all = results.iter().all(|result| result.state == "complete");
    if functions.iter().all(Function::is_of_the_engine) {
        return of_engine.filter(|_| has_all).map(|score| score.clamp(0.0, 1.0));
    }
    let weights: f64 = functions.iter().map(|function| function.weight).sum();
    let parts = functions
        .iter()
        .zip(results)
        .map(|(function, result)| (result.state == "complete").then(|| result.score * (function.weight / weights)));
    parts.sum::<Option<f64>>().map(|score| score.clamp(0.0, 1.0))
}

fn log(session: Option<&ScoredSession>, failure: Option<&ScoreFailure>, results: &[ScoringFunctionResult]) -> Value {
    json!({
        "failure": failure,
        "hits": session.map(|session| &session.hits),
        "latency_ns": session.map(|session| session.latency_ns),
        "retriever_error": session.and_then(|session| session.error.as_ref()),
        "scoring_function_results": results,
    })
}

/// Returns the result of a run whose job failed as a whole.
pub(in crate::runloop) fn failed(reason: &str) -> ScoringContractResult {
    let result = ScoringFunctionResult {
        scoring_function_name: "scoring_contract".to_owned(),
        score: 0.0,
        output: reason.to_owned(),
        state: "error".to_owned(),
    };
    ScoringContractResult { score: 0.0, scoring_function_results: vec![result] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(weight: f64) -> Function {
        Function { name: "f".to_owned(), weight, how: How::Metric("RR".to_owned()) }
    }

    fn program(weight: f64) -> Function {
        Function { how: How::Program(Program::python("")), ..function(weight) }
    }

    fn said(state: ScoreState, value: Option<f64>) -> ScoringFunctionResult {
        let said = ScorerResult { name: "f".to_owned(), value, output: String::new(), state };
        of_scorer(&function(1.0), Some(&said), None, None)
    }

    #[test]
    fn a_score_outside_of_0_and_1_is_an_error_and_is_not_cut_to_fit() {
        let cases =
            [(0.5, "complete"), (1.0 + 1e-12, "complete"), (1.1, "error"), (-0.5, "error"), (f64::NAN, "error")];
        for (value, state) in cases {
            let result = said(ScoreState::Complete, Some(value));
            assert_eq!(result.state, state, "{value}");
            assert!((0.0..=1.0).contains(&result.score));
        }
    }

    #[test]
    fn a_total_needs_every_function() {
        let functions = [function(1.0), program(3.0)];
        let good = said(ScoreState::Complete, Some(1.0));
        let zero = said(ScoreState::Complete, Some(0.0));
        assert_eq!(total(&functions, &[good.clone(), zero], None), Some(0.25));
        assert_eq!(total(&functions, &[good.clone(), said(ScoreState::Unknown, None)], Some(1.0)), None);
        assert_eq!(total(&functions, &[good, said(ScoreState::Error, Some(0.0))], Some(1.0)), None);
    }

    #[test]
    fn a_contract_of_the_engine_has_the_score_that_the_engine_gave() {
        let functions = [function(1.0), function(2.0)];
        let good = said(ScoreState::Complete, Some(0.1));
        assert_eq!(total(&functions, &[good.clone(), good.clone()], Some(0.1)), Some(0.1));
        assert_eq!(total(&functions, &[good.clone(), good.clone()], Some(1.0 + 1e-12)), Some(1.0));
        // A value outside of 0..1 is none here, whatever the engine made of it.
        assert_eq!(total(&functions, &[good, said(ScoreState::Complete, Some(1.1))], Some(0.7)), None);
    }
}
