//! `/v1/compare` and `/v1/runs/{id}/rescore`: finished runs against each other, or by other settings.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::kinds::{REJUDGE, RejudgeRequest};
use super::problem::Refusals;
use super::runs::{Key, Run, find_finished, submit};
use super::submission::{Benchmark, check};
use crate::App;
use crate::catalog::check_storage;
use crate::platform::auth::Writer;
use crate::platform::error::ApiError;
use crate::platform::extract::{Json as Body, Path};

/// Runs that are compared at once, at most.
const MOST_RUNS: usize = 50;

/// Runs to compare.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CompareRequest {
    /// Two or more completed runs. The first one's settings judge, where no benchmark is given.
    #[schema(min_items = 2, max_items = 50)]
    runs: Vec<String>,
    /// The retriever that all others are compared with, as `RUN:RETRIEVER`; the first run's baseline where it is not given.
    baseline: Option<String>,
    /// Compares runs that differ in sample, depth or relevance all the same, and says so in the report.
    #[serde(default)]
    allow_different: bool,
    /// A benchmark as JSON, whose settings judge.
    #[schema(value_type = Option<Object>)]
    benchmark: Option<Map<String, Value>>,
    /// The same as the text of a TOML file.
    toml: Option<String>,
    /// The same as the text of a YAML file.
    yaml: Option<String>,
    /// Values that replace those of the benchmark, `key.path=value` each.
    #[serde(default)]
    overrides: Vec<String>,
}

/// Compare runs
///
/// Queues a run that replays nothing: it puts the rankings of finished runs together and judges them as one. Its report, tables
/// and events are those of any run. A retriever whose pipeline is the same in several runs appears once; an identifier of
/// several runs becomes `RUN:RETRIEVER`.
#[utoipa::path(
    post, path = "/v1/compare", operation_id = "compare_runs", tag = "runs", security(("token" = ["write"])),
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 characters; the same request with the same key makes one run")),
    request_body = CompareRequest,
    responses(
        (status = 201, description = "It is queued", body = Run),
        (status = 200, description = "It was posted before, with the same key", body = Run),
        Refusals
    )
)]
pub(super) async fn compare(
    State(app): State<App>,
    Writer(principal): Writer,
    headers: HeaderMap,
    Body(body): Body<CompareRequest>,
) -> Result<(StatusCode, Json<Run>), ApiError> {
    let key = Key::of(&headers, &json!(body))?;
    let CompareRequest { runs, baseline, allow_different, benchmark, toml, yaml, overrides } = body;
    if !(2..=MOST_RUNS).contains(&runs.len()) {
        let message = format!("{} runs are given, expected 2 to {MOST_RUNS}", runs.len());
        return Err(ApiError::invalid(&["body", "runs"], "out_of_range", message));
    }
    let judging = Benchmark::of(benchmark, toml, yaml, overrides);
    let asked = Asked { runs, baseline, allow_different, judging };
    queue(&app, &principal.organisation, asked, key).await
}

/// Judge a run by other settings
///
/// Queues a run that replays nothing: it judges the rankings of a finished run by the relevance, metrics, statistics, scorers
/// and gates of another benchmark. Retrievers and sessions stay those of the run.
#[utoipa::path(
    post, path = "/v1/runs/{id}/rescore", operation_id = "rescore_run", tag = "runs", security(("token" = ["write"])),
    params(
        ("id" = String, Path, description = "The run"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 characters; the same request with the same key makes one run")
    ),
    request_body = Option<Benchmark>,
    responses(
        (status = 201, description = "It is queued", body = Run),
        (status = 200, description = "It was posted before, with the same key", body = Run),
        Refusals
    )
)]
pub(super) async fn rescore(
    State(app): State<App>,
    Writer(principal): Writer,
    Path(id): Path<String>,
    headers: HeaderMap,
    Body(judging): Body<Benchmark>,
) -> Result<(StatusCode, Json<Run>), ApiError> {
    let key = Key::of(&headers, &json!([id, judging]))?;
    let asked = Asked { runs: vec![id], baseline: None, allow_different: false, judging };
    queue(&app, &principal.organisation, asked, key).await
}

struct Asked {
    runs: Vec<String>,
    baseline: Option<String>,
    allow_different: bool,
    judging: Benchmark,
}

async fn queue(app: &App, organisation: &str, asked: Asked, key: Key) -> Result<(StatusCode, Json<Run>), ApiError> {
    if let Some(known) = key.find(app, organisation).await? {
        return Ok((StatusCode::OK, Json(known.into())));
    }
    check_storage(app, organisation).await?;
    let Asked { runs, baseline, allow_different, judging } = asked;
    let mut summary = Value::Null;
    for id in &runs {
        let job = find_finished(app, organisation, id).await?;
        if summary.is_null() {
            summary = job.request.get("summary").cloned().unwrap_or_default();
        }
    }
    let judging = match judging.is_empty() {
        true => None,
        false => {
            let checked = check(app, organisation, &judging, false, None).await?;
            summary = checked.summary;
            Some(checked.benchmark)
        }
    };
    let request = RejudgeRequest { summary, runs, baseline, judging, allow_different };
    submit(app, organisation, REJUDGE, json!(request), key).await
}
