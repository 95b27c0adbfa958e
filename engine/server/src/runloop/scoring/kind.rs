//! Jobs that score scenarios: one that a client asked for, or all of a benchmark.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, params};
use serde_json::{Value, json};

use super::results::{Finding, Gathered};
use super::work::Work;
use crate::App;
use crate::jobs::{Job, JobKind, JobState};
use crate::platform::error::ApiError;
use crate::platform::page::now_ms;
use crate::worker::{Message, Order};

/// How often it is looked whether a canceled job has ended.
const LOOKS: usize = 120;

/// Between two such looks.
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

/// Scores scenarios, and writes down what each run came to.
#[derive(Debug, Clone, Copy)]
pub struct Scoring;

impl Scoring {
    /// The name of this kind of job.
    pub const NAME: &'static str = "scenario_scoring";
}

/// Cancels a job of this kind. Its folder goes as soon as nobody works in it any more.
///
/// # Errors
///
/// Returns an error when the database fails.
pub(in crate::runloop) async fn cancel(app: &App, organisation: &str, job: &str) -> Result<(), ApiError> {
    app.jobs().cancel(organisation, job).await?;
    let (app, organisation, job) = (app.clone(), organisation.to_owned(), job.to_owned());
    tokio::spawn(async move {
        for _ in 0..LOOKS {
            match app.jobs().get(&organisation, &job).await {
                Ok(Some(job)) if matches!(job.state, JobState::Queued | JobState::Running) => {
                    tokio::time::sleep(BETWEEN_LOOKS).await;
                }
                Ok(Some(Job { state: JobState::Cancelled, .. })) => {
                    // One that never ran has none.
                    let _ = tokio::fs::remove_dir_all(app.jobs().folder(&organisation, &job)).await;
                    return;
                }
                _ => return,
            }
        }
    });
    Ok(())
}

#[async_trait]
impl JobKind for Scoring {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    async fn prepare(&self, _app: &App, job: &Job, folder: &Path) -> Result<Order, ApiError> {
        let work: Work = job.asked()?;
        let folder = folder.to_owned();
        let order = tokio::task::spawn_blocking(move || work.write(&folder)).await.map_err(ApiError::internal)?;
        order.map(Order::Score).map_err(ApiError::internal)
    }

    /// What is computed is written down at once: it stays when the rest is canceled, and when the server dies.
    async fn heard(&self, app: &App, job: &Job, message: &Message) -> Result<(), ApiError> {
        let Message::Scored { run, sessions } = message else { return Ok(()) };
        let work: Work = job.asked()?;
        let findings = Gathered::of_sessions(&work, *run, sessions.clone()).told();
        write(app, &job.id, work.completes, findings).await
    }

    async fn conclude(&self, app: &App, job: &Job, folder: &Path, outcome: Value) -> Result<Value, ApiError> {
        let work: Work = job.asked()?;
        let gathered = Gathered::of_outcome(&work, outcome)?;
        let findings = gathered.without_programs();
        let mut scored = findings.iter().filter(|finding| finding.score.is_some()).count();
        write(app, &job.id, work.completes, findings).await?;
        for asked in gathered.with_programs(app, &job.organisation, Some(job), f64::MAX) {
            let finding = asked.finding().await?;
            scored += usize::from(finding.score.is_some());
            write(app, &job.id, work.completes, vec![finding]).await?;
        }
        let count: usize = work.agents.iter().map(|agent| agent.runs.len()).sum();
        let told = json!({ "scenario_runs": count, "scored": scored });
        if work.completes {
            let runs = work.agents.into_iter().filter_map(|agent| agent.benchmark_run).collect();
            complete(app, &job.id, runs).await?;
        }
        // All that is shown of it is in the database. A server that dies right here does the work again, and changes nothing.
        if let Err(error) = tokio::fs::remove_dir_all(folder).await {
            tracing::warn!(job = job.id, %error, "the folder of a job stays");
        }
        Ok(told)
    }
}

/// Writes down what scenario runs came to, those that nobody canceled meanwhile and that have come to nothing yet.
async fn write(app: &App, job: &str, completes: bool, findings: Vec<Finding>) -> Result<(), ApiError> {
    let job = job.to_owned();
    let write = move |connection: &Connection| {
        let now = now_ms();
        let sql = "UPDATE scenario_runs SET state = ?2, score = ?3, result = ?4, log = ?5, \
                   ended_at = CASE WHEN ?2 = 'scored' THEN NULL ELSE ?6 END \
                   WHERE id = ?1 AND job = ?7 AND state IN ('running', 'scoring')";
        let mut statement = connection.prepare_cached(sql)?;
        for Finding { run, state, score, result, log } in findings {
            let state = if completes && state == "scored" { "completed" } else { state };
            let result = result.map(|result| json!(result).to_string());
            statement.execute(params![run, state, score, result, log.to_string(), now, job])?;
        }
        Ok(())
    };
    app.database().write(write).await
}

/// Completes the benchmarks' runs of a job.
async fn complete(app: &App, job: &str, runs: Vec<String>) -> Result<(), ApiError> {
    let job = job.to_owned();
    let write = move |connection: &Connection| {
        let sql = "UPDATE scenario_benchmark_runs SET state = 'completed', ended_at = ?2 \
                   WHERE id = ?1 AND job = ?3 AND state = 'running'";
        let mut statement = connection.prepare_cached(sql)?;
        for run in runs {
            statement.execute(params![run, now_ms(), job])?;
        }
        Ok(())
    };
    app.database().write(write).await
}
