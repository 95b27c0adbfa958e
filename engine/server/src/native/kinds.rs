//! Runs as jobs of the queue.

use std::path::Path;

use async_trait::async_trait;
use rematch_engine::compare::gates::FailedRetriever;
use rematch_engine::report::Report;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::runs::run_folder;
use super::submission::Benchmark;
use crate::App;
use crate::catalog::read_report;
use crate::jobs::{Job, JobKind};
use crate::platform::error::ApiError;
use crate::worker::{Order, RejudgeOrder, RunOrder};

/// The kinds of jobs that are runs.
pub(super) const KINDS: [&str; 2] = [RUN, REJUDGE];

pub(super) const RUN: &str = "native.run";
pub(super) const REJUDGE: &str = "native.rejudge";

/// What a run was asked to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RunRequest {
    /// Name, retrievers, metrics.
    pub(super) summary: Value,
    /// As it was posted.
    pub(super) posted: Benchmark,
    /// As the worker reads it.
    pub(super) benchmark: Value,
    /// Tries failed sessions again.
    pub(super) retry_errors: bool,
}

/// What a comparison, or a judgement by other settings, was asked to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RejudgeRequest {
    /// Name, retrievers, metrics.
    pub(super) summary: Value,
    /// The runs.
    pub(super) runs: Vec<String>,
    /// The retriever that all others are compared with.
    pub(super) baseline: Option<String>,
    /// As the worker reads it: what judges.
    pub(super) judging: Option<Value>,
    /// Compares what differs.
    pub(super) allow_different: bool,
}

/// A run of a benchmark.
pub struct RunKind;

#[async_trait]
impl JobKind for RunKind {
    fn name(&self) -> &'static str {
        RUN
    }

    async fn prepare(&self, _app: &App, job: &Job, folder: &Path) -> Result<Order, ApiError> {
        let RunRequest { benchmark, retry_errors, .. } = job.asked()?;
        let benchmark = write(folder, "benchmark.yaml", &benchmark).await?;
        let out = run_folder(folder, &job.id);
        Ok(Order::Run(RunOrder { benchmark, overrides: Vec::new(), out, retry_errors }))
    }

    async fn conclude(&self, _app: &App, job: &Job, folder: &Path, outcome: Value) -> Result<Value, ApiError> {
        concluded(job, folder, outcome).await
    }
}

/// A run that replays nothing.
pub struct RejudgeKind;

#[async_trait]
impl JobKind for RejudgeKind {
    fn name(&self) -> &'static str {
        REJUDGE
    }

    async fn prepare(&self, app: &App, job: &Job, folder: &Path) -> Result<Order, ApiError> {
        let RejudgeRequest { runs, baseline, judging, allow_different, .. } = job.asked()?;
        let judging = match judging {
            Some(judging) => Some(write(folder, "judging.yaml", &judging).await?),
            None => None,
        };
        let runs = runs.iter().map(|id| run_folder(&app.jobs().folder(&job.organisation, id), id)).collect();
        let out = run_folder(folder, &job.id);
        Ok(Order::Rejudge(RejudgeOrder { runs, baseline, judging, allow_different, out }))
    }

    async fn conclude(&self, _app: &App, job: &Job, folder: &Path, outcome: Value) -> Result<Value, ApiError> {
        concluded(job, folder, outcome).await
    }
}

/// JSON is YAML.
async fn write(folder: &Path, name: &str, benchmark: &Value) -> Result<std::path::PathBuf, ApiError> {
    let path = folder.join(name);
    let text = serde_json::to_vec_pretty(benchmark).map_err(ApiError::internal)?;
    tokio::fs::write(&path, text).await.map_err(ApiError::internal)?;
    Ok(path)
}

/// Adds what a list of runs shows: how each candidate did, which retrievers failed on every session, and which should serve.
async fn concluded(job: &Job, folder: &Path, mut outcome: Value) -> Result<Value, ApiError> {
    let run = run_folder(folder, &job.id);
    let report = tokio::task::spawn_blocking(move || read_report::<Report>(&run));
    let Report { results, comparison, .. } = report.await.map_err(ApiError::internal)??;
    let verdicts: Vec<Value> = comparison
        .comparisons
        .iter()
        .map(|one| json!({ "candidate": one.candidate_retriever_id, "verdict": one.verdict }))
        .collect();
    if let Value::Object(members) = &mut outcome {
        members.insert("failed_retrievers".to_owned(), json!(FailedRetriever::among(&results)));
        members.insert("verdicts".to_owned(), Value::from(verdicts));
        members.insert("recommendation".to_owned(), Value::from(comparison.recommendation));
    }
    Ok(outcome)
}
