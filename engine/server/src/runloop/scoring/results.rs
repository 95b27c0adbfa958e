//! What the engine and the programs said, as the results of scenario runs.

use std::collections::HashMap;

use rematch_engine::session::{ScoreState, ScorerResult};
use serde_json::{Value, json};

use super::native::{self, Circumstances, Program, Scoreless};
use super::work::{AgentWork, Function, Group, How, ScenarioWork, Work};
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

/// What a worker told of the searches of some work.
pub(super) struct Gathered<'a> {
    work: &'a Work,
    found: HashMap<(usize, &'a str), ScoredSession>,
    failures: HashMap<(usize, &'a str), ScoreFailure>,
}

impl<'a> Gathered<'a> {
    /// Returns what a worker returned at its end.
    ///
    /// # Errors
    ///
    /// Returns an error for what is no such outcome.
    pub(super) fn of_outcome(work: &'a Work, outcome: Value) -> Result<Self, ApiError> {
        let scored: Vec<ScoredRun> = serde_json::from_value(outcome).map_err(ApiError::internal)?;
        let mut gathered = Self { work, found: HashMap::new(), failures: HashMap::new() };
        for (group, run) in work.groups().iter().zip(scored) {
            for scenario in group.scenarios.iter().filter_map(|place| work.scenarios.get(*place)) {
                if let Some(failure) = &run.failure {
                    gathered.failures.insert((group.agent, &scenario.id), failure.clone());
                }
            }
            gathered.add(group, run.sessions);
        }
        Ok(gathered)
    }

    /// Returns what a worker told of one run of the engine while it worked.
    pub(super) fn of_sessions(work: &'a Work, run: usize, sessions: Vec<ScoredSession>) -> Self {
        let mut gathered = Self { work, found: HashMap::new(), failures: HashMap::new() };
        if let Some(group) = work.groups().get(run) {
            gathered.add(group, sessions);
        }
        gathered
    }

    fn add(&mut self, group: &Group, sessions: Vec<ScoredSession>) {
        let mut sessions: HashMap<String, ScoredSession> =
            sessions.into_iter().map(|session| (session.session_id.clone(), session)).collect();
        for scenario in group.scenarios.iter().filter_map(|place| self.work.scenarios.get(*place)) {
            if let Some(session) = sessions.remove(&scenario.id) {
                self.found.insert((group.agent, &scenario.id), session);
            }
        }
    }

    /// Returns what the scenario runs came to that were told of and that no program has a say in.
    pub(super) fn told(&self) -> Vec<Finding> {
        let is_told = |place: usize, scenario: &ScenarioWork| self.found.contains_key(&(place, scenario.id.as_str()));
        self.of_the_engine(is_told)
    }

    /// Returns what all scenario runs came to that no program has a say in.
    pub(super) fn without_programs(&self) -> Vec<Finding> {
        self.of_the_engine(|_, _| true)
    }

    fn of_the_engine(&self, is_wanted: impl Fn(usize, &ScenarioWork) -> bool) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (place, _, scenario, run) in self.pairs(false) {
            if is_wanted(place, scenario) {
                let (session, failure) = self.known(place, scenario);
                let mut said = session.map(|session| session.scorers.iter()).unwrap_or_default();
                let of_engine = |function| of_scorer(function, said.next(), session, failure);
                let results = scenario.functions.iter().map(of_engine).collect();
                findings.push(finding(run, scenario, session, failure, (results, false)));
            }
        }
        findings
    }

    /// Returns the scenario runs in which programs have a say, or all others.
    fn pairs(
        &self,
        with_programs: bool,
    ) -> impl Iterator<Item = (usize, &'a AgentWork, &'a ScenarioWork, &'a str)> + use<'a> {
        let work = self.work;
        let agents = work.agents.iter().enumerate();
        let pairs = agents.flat_map(|(place, agent)| {
            work.scenarios.iter().zip(&agent.runs).map(move |(scenario, run)| (place, agent, scenario, run.as_str()))
        });
        pairs.filter(move |(_, _, scenario, _)| {
            scenario.functions.iter().all(Function::is_of_the_engine) != with_programs
        })
    }

    fn known(&self, place: usize, scenario: &'a ScenarioWork) -> (Option<&ScoredSession>, Option<&ScoreFailure>) {
        let key = (place, scenario.id.as_str());
        (self.found.get(&key), self.failures.get(&key))
    }

    /// Returns the scenario runs in which programs have a say, each to be asked by [`Asked::finding`].
    pub(super) fn with_programs(
        &self,
        app: &'a App,
        organisation: &'a str,
        job: Option<&'a Job>,
        limit_seconds: f64,
    ) -> Vec<Asked<'_>> {
        let asked = |(place, agent, scenario, run)| {
            let (session, failure) = self.known(place, scenario);
            Asked { app, organisation, job, agent, scenario, run, session, failure, limit_seconds }
        };
        self.pairs(true).map(asked).collect()
    }
}

/// Returns what a run came to, by what each of its functions said, and whether one took too long.
fn finding(
    run: &str,
    scenario: &ScenarioWork,
    session: Option<&ScoredSession>,
    failure: Option<&ScoreFailure>,
    (results, program_timed_out): (Vec<ScoringFunctionResult>, bool),
) -> Finding {
    let score = total(&scenario.functions, &results, session.and_then(|session| session.scenario_score));
    let engine_timed_out = failure.is_some_and(|failure| failure.code == "timeout") && session.is_none();
    let state = match score {
        Some(_) => "scored",
        None if engine_timed_out || program_timed_out => "timeout",
        None => "failed",
    };
    let log = log(session, failure, &results);
    let result = ScoringContractResult { score: score.unwrap_or(0.0), scoring_function_results: results };
    Finding { run: run.to_owned(), state, score, result: Some(result), log }
}

/// A scenario run in which programs have a say.
pub(super) struct Asked<'a> {
    app: &'a App,
    organisation: &'a str,
    /// Tells when nobody waits for it any more.
    job: Option<&'a Job>,
    agent: &'a AgentWork,
    scenario: &'a ScenarioWork,
    run: &'a str,
    session: Option<&'a ScoredSession>,
    failure: Option<&'a ScoreFailure>,
    limit_seconds: f64,
}

impl Asked<'_> {
    /// Runs its programs, and returns what it came to.
    ///
    /// # Errors
    ///
    /// Returns an error when the server is at fault.
    pub(super) async fn finding(&self) -> Result<Finding, ApiError> {
        let (session, failure) = (self.session, self.failure);
        let (mut results, mut timed_out) = (Vec::new(), false);
        let mut of_engine = session.map(|session| session.scorers.iter()).unwrap_or_default();
        for function in &self.scenario.functions {
            let result = match &function.how {
                How::Program(_) if session.is_some_and(|session| session.error.is_some()) => {
                    without_score(function, "error", "there is no ranking: the retriever failed")
                }
                How::Program(program) => match self.attempts(program).await? {
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
        Ok(finding(self.run, self.scenario, session, failure, (results, timed_out)))
    }

    /// Runs a program, again where it came to no score, as often as the agent may and each time for longer.
    async fn attempts(&self, program: &Program) -> Result<Result<(f64, String), Scoreless>, ApiError> {
        let mut seconds = f64::from(self.scenario.seconds);
        let mut left = self.agent.retries;
        loop {
            let circumstances = Circumstances {
                context: self.context(),
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

    fn context(&self) -> Value {
        let mut context = self.scenario.context.clone();
        if let Value::Object(members) = &mut context {
            members.insert("scenario_run_id".to_owned(), Value::from(self.run));
            if let Some(session) = self.session {
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
