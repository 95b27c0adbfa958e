//! Jobs that score scenarios: one that a client asked for, or all of a benchmark.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::params;
use serde_json::{Value, json};

use super::results::{self, Finding};
use super::work::Work;
use crate::App;
use crate::jobs::{Job, JobKind, JobState};
use crate::platform::error::ApiError;
use crate::platform::page::now_ms;
use crate::worker::Order;

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

    async fn conclude(&self, app: &App, job: &Job, folder: &Path, outcome: Value) -> Result<Value, ApiError> {
        let work: Work = job.asked()?;
        let findings = results::findings(app, &job.organisation, Some(job), &work, outcome, f64::MAX).await?;
        let scored = findings.iter().filter(|finding| finding.score.is_some()).count();
        let told = json!({ "scenario_runs": findings.len(), "scored": scored });
        let (id, completes) = (job.id.clone(), work.completes);
        let runs: Vec<String> = work.agents.into_iter().filter_map(|agent| agent.benchmark_run).collect();
        app.database()
            .write(move |connection| {
                let now = now_ms();
                let sql = "UPDATE scenario_runs SET state = ?2, score = ?3, result = ?4, log = ?5, \
                           ended_at = CASE WHEN ?2 = 'scored' THEN NULL ELSE ?6 END \
                           WHERE id = ?1 AND job = ?7 AND state IN ('running', 'scoring')";
                let mut statement = connection.prepare_cached(sql)?;
                for Finding { run, state, score, result, log } in findings {
                    let state = if completes && state == "scored" { "completed" } else { state };
                    let result = result.map(|result| json!(result).to_string());
                    statement.execute(params![run, state, score, result, log.to_string(), now, id])?;
                }
                if completes {
                    let sql = "UPDATE scenario_benchmark_runs SET state = 'completed', ended_at = ?2 \
                               WHERE id = ?1 AND job = ?3 AND state = 'running'";
                    let mut statement = connection.prepare_cached(sql)?;
                    for run in runs {
                        statement.execute(params![run, now, id])?;
                    }
                }
                Ok(())
            })
            .await?;
        // All that is shown of it is in the database. A server that dies right here does the work again, and changes nothing.
        if let Err(error) = tokio::fs::remove_dir_all(folder).await {
            tracing::warn!(job = job.id, %error, "the folder of a job stays");
        }
        Ok(told)
    }
}
