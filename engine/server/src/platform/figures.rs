//! Figures for Prometheus: requests by route and status, jobs by state, workers, the database. No label names an organisation,
//! and none has an identifier.

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{Method, header};
use axum::response::IntoResponse;
use axum::routing::get;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use super::error::ApiError;
use crate::App;
use crate::platform::page::now_ms;

/// Upper ends of the buckets of latencies, seconds.
const BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Upper ends of the buckets of jobs, seconds.
const JOB_BUCKETS: [f64; 10] = [0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0, 21600.0];

const REQUESTS: &str = "rematch_http_requests_total";
const DURATIONS: &str = "rematch_http_request_duration_seconds";
const JOB_DURATIONS: &str = "rematch_job_duration_seconds";
const JOBS: &str = "rematch_jobs";
const QUEUED: &str = "rematch_jobs_queued_seconds";
const WORKERS: &str = "rematch_workers";
const BUSY: &str = "rematch_workers_busy";
const DATABASE: &str = "rematch_database_bytes";

static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

fn recorder() -> Option<&'static PrometheusHandle> {
    let install = || {
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Full(DURATIONS.to_owned()), &BUCKETS)
            .and_then(|builder| builder.set_buckets_for_metric(Matcher::Full(JOB_DURATIONS.to_owned()), &JOB_BUCKETS));
        let handle = builder.ok()?.install_recorder().ok()?;
        metrics::describe_counter!(REQUESTS, "Requests that were answered, by method, route and status");
        metrics::describe_histogram!(DURATIONS, metrics::Unit::Seconds, "Time until the head of the answer");
        metrics::describe_histogram!(
            JOB_DURATIONS,
            metrics::Unit::Seconds,
            "Time of attempts at jobs, by kind and outcome"
        );
        metrics::describe_gauge!(JOBS, "Jobs in the database, by state");
        metrics::describe_gauge!(QUEUED, "How long the oldest job waits that is queued, seconds; 0 where none is");
        metrics::describe_gauge!(WORKERS, "Jobs that may run at once");
        metrics::describe_gauge!(BUSY, "Jobs that run");
        metrics::describe_gauge!(DATABASE, "Size of the database and its log, bytes");
        Some(handle)
    };
    RECORDER.get_or_init(install).as_ref()
}

/// Counts a request.
pub(super) fn count(method: &Method, route: &str, status: u16, took: Duration) {
    if recorder().is_none() {
        return;
    }
    let method = if is_known(method) { method.as_str() } else { "other" };
    let labels = [("method", method.to_owned()), ("route", route.to_owned()), ("status", status.to_string())];
    metrics::counter!(REQUESTS, &labels).increment(1);
    metrics::histogram!(DURATIONS, &labels).record(took.as_secs_f64());
}

/// Counts an attempt at a job. Both words come from a set of ours.
pub(crate) fn count_job(kind: &str, outcome: &str, took: Duration) {
    if recorder().is_some() {
        let labels = [("kind", kind.to_owned()), ("outcome", known_outcome(outcome).to_owned())];
        metrics::histogram!(JOB_DURATIONS, &labels).record(took.as_secs_f64());
    }
}

/// A worker that was taken over may say anything, and each label is kept for ever.
fn known_outcome(outcome: &str) -> &str {
    const KNOWN: [&str; 11] = [
        "completed",
        "cancelled",
        "timeout",
        "internal",
        "memory_limit",
        "cpu_limit",
        "file_limit",
        "answer_limit",
        "worker_crashed",
        "worker_died",
        "storage_quota",
    ];
    if KNOWN.contains(&outcome) { outcome } else { "failed" }
}

/// A client may invent methods, and each label is kept for ever.
fn is_known(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS]
        .contains(method)
}

/// Returns what is served where the operator says: `/metrics`, and nothing else.
pub(crate) fn router(app: App) -> Router {
    Router::new().route("/metrics", get(serve)).with_state(app)
}

/// `/metrics`.
async fn serve(State(app): State<App>) -> Result<impl IntoResponse, ApiError> {
    let (states, oldest): (Vec<(String, f64)>, Option<i64>) = app
        .database()
        .read(|connection| {
            let sql = "SELECT state, count(*) FROM jobs GROUP BY state";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, u32>(1)?.into())))?;
            let states = rows.collect::<Result<_, _>>()?;
            let sql = "SELECT min(created_at) FROM jobs WHERE state = 'queued'";
            Ok((states, connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?))
        })
        .await?;
    let handle = recorder().ok_or_else(|| ApiError::internal("there is another recorder of figures"))?;
    for known in ["queued", "running", "completed", "failed", "cancelled"] {
        let count = states.iter().find(|(state, _)| state == known).map_or(0.0, |(_, count)| *count);
        metrics::gauge!(JOBS, "state" => known).set(count);
        if known == "running" {
            metrics::gauge!(BUSY).set(count);
        }
    }
    metrics::gauge!(QUEUED).set(oldest.map_or(0.0, |since| (now_ms().saturating_sub(since)).max(0) as f64 / 1e3));
    metrics::gauge!(WORKERS).set(app.settings().queue.workers.get() as f64);
    metrics::gauge!(DATABASE).set(bytes_of(&app.settings().data) as f64);
    handle.run_upkeep();
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], handle.render()))
}

fn bytes_of(data: &Path) -> u64 {
    let files = ["rematch.db", "rematch.db-wal"];
    files.iter().filter_map(|name| Some(std::fs::metadata(data.join(name)).ok()?.len())).sum()
}
