//! Figures for Prometheus: requests by route and status, jobs by state, workers. No label names an organisation.

use std::sync::OnceLock;
use std::time::Duration;

use axum::extract::State;
use axum::http::{Method, header};
use axum::response::IntoResponse;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use super::error::ApiError;
use crate::App;

/// Upper ends of the buckets of latencies, seconds.
const BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

const REQUESTS: &str = "rematch_http_requests_total";
const DURATIONS: &str = "rematch_http_request_duration_seconds";
const JOBS: &str = "rematch_jobs";
const WORKERS: &str = "rematch_workers";
const BUSY: &str = "rematch_workers_busy";

static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

fn recorder() -> Option<&'static PrometheusHandle> {
    let install = || {
        let builder =
            PrometheusBuilder::new().set_buckets_for_metric(Matcher::Full(DURATIONS.to_owned()), &BUCKETS).ok()?;
        let handle = builder.install_recorder().ok()?;
        metrics::describe_counter!(REQUESTS, "Requests that were answered, by method, route and status");
        metrics::describe_histogram!(DURATIONS, metrics::Unit::Seconds, "Time until the head of the answer");
        metrics::describe_gauge!(JOBS, "Jobs in the database, by state");
        metrics::describe_gauge!(WORKERS, "Jobs that may run at once");
        metrics::describe_gauge!(BUSY, "Jobs that run");
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

/// A client may invent methods, and each label is kept for ever.
fn is_known(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS]
        .contains(method)
}

/// `/metrics`.
///
/// # Errors
///
/// Returns an error when the database fails.
pub async fn serve(State(app): State<App>) -> Result<impl IntoResponse, ApiError> {
    let states: Vec<(String, f64)> = app
        .database()
        .read(|connection| {
            let sql = "SELECT state, count(*) FROM jobs GROUP BY state";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, u32>(1)?.into())))?;
            Ok(rows.collect::<Result<_, _>>()?)
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
    metrics::gauge!(WORKERS).set(app.settings().queue.workers.get() as f64);
    handle.run_upkeep();
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], handle.render()))
}
