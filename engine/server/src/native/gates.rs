//! `/v1/runs/{id}/gates`: whether a run's candidates keep what was agreed.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rematch_engine::compare::gates::{Acknowledgement, Acknowledgements, Judgement};
use rematch_engine::report::{self, Report};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::problem::Refusals;
use super::runs::{directory, find_finished};
use crate::App;
use crate::catalog::read_report;
use crate::platform::auth::Reader;
use crate::platform::error::ApiError;
use crate::platform::extract::{Json, Path, Query};

/// How the judgement is written.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct GatesQuery {
    #[param(inline)]
    /// `json`, which is usual; `junit`, XML for whatever shows tests of a build; `markdown`, a comment of a pull request.
    #[param(inline)]
    format: Option<Format>,
}

/// A form of a judgement.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Format {
    /// JSON.
    #[default]
    Json,
    /// JUnit XML.
    Junit,
    /// Markdown.
    Markdown,
}

/// Failures that are accepted for a while.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GatesRequest {
    /// The failures.
    #[serde(default)]
    acknowledgements: Vec<AcceptedFailure>,
    /// The day on which they are held against their expiry, `2026-12-31`; today where it is not given.
    #[schema(format = Date)]
    date: Option<String>,
}

/// A failure that is accepted for a while.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AcceptedFailure {
    /// The gate's metric.
    metric: String,
    /// The gate's taxonomy node, where it has one.
    node: Option<String>,
    /// The candidate.
    candidate: String,
    /// Why it is accepted.
    reason: String,
    /// Who answers for it.
    owner: String,
    /// The last day on which it holds, `2026-12-31`.
    #[schema(format = Date)]
    expires: String,
}

/// Judge a run's gates
///
/// What the gates of a completed run come to today: `verdict` is `passed`, `failed`, `inconclusive`, `retriever_failed` or `no_gates`.
/// Where a retriever failed on every session, it is `retriever_failed`, whatever the gates of the others say, and `failed_retrievers`
/// names it: let a candidate through by `passed` only, or by `no_gates` where the benchmark has none.
#[utoipa::path(
    get, path = "/v1/runs/{id}/gates", operation_id = "judge_gates", tag = "runs", security(("token" = ["read"])),
    params(("id" = String, Path, description = "The run"), GatesQuery),
    responses(
        (status = 200, description = "The judgement", content(
            (serde_json::Value = "application/json"), (String = "application/xml"), (String = "text/markdown")
        )),
        Refusals
    )
)]
pub(super) async fn judge(
    State(app): State<App>,
    Reader(principal): Reader,
    Path(id): Path<String>,
    Query(query): Query<GatesQuery>,
) -> Result<Response, ApiError> {
    answer(&app, &principal.organisation, &id, query.format.unwrap_or_default(), GatesRequest::default()).await
}

/// Judge a run's gates, with failures that are accepted
///
/// As the judgement without them, but a failure that is acknowledged counts as none until its day is over. Nothing is kept.
#[utoipa::path(
    post, path = "/v1/runs/{id}/gates", operation_id = "judge_gates_with", tag = "runs", security(("token" = ["read"])),
    params(("id" = String, Path, description = "The run"), GatesQuery),
    request_body = Option<GatesRequest>,
    responses(
        (status = 200, description = "The judgement", content(
            (serde_json::Value = "application/json"), (String = "application/xml"), (String = "text/markdown")
        )),
        Refusals
    )
)]
pub(super) async fn judge_with(
    State(app): State<App>,
    Reader(principal): Reader,
    Path(id): Path<String>,
    Query(query): Query<GatesQuery>,
    Json(body): Json<GatesRequest>,
) -> Result<Response, ApiError> {
    answer(&app, &principal.organisation, &id, query.format.unwrap_or_default(), body).await
}

async fn answer(
    app: &App,
    organisation: &str,
    id: &str,
    format: Format,
    asked: GatesRequest,
) -> Result<Response, ApiError> {
    let today = match asked.date {
        Some(date) => day(&["body", "date"], &date)?,
        None => Timestamp::now().to_zoned(TimeZone::UTC).date(),
    };
    let entries = asked.acknowledgements.into_iter().map(entry).collect::<Result<Vec<_>, ApiError>>()?;
    let run = directory(app, &find_finished(app, organisation, id).await?);
    let judged = tokio::task::spawn_blocking(move || {
        let report: Report = read_report(&run)?;
        let acknowledgements = Acknowledgements { path: None, entries };
        let (run, results) = ((report.run.id.as_str(), report.run.name.as_str()), &report.results);
        let judgement = Judgement::of(run, results, &report.comparison, &acknowledgements, today);
        match format {
            Format::Json => serde_json::to_string(&judgement).map_err(ApiError::internal),
            Format::Junit => Ok(report::junit(&judgement)),
            Format::Markdown => Ok(report::markdown(&report, &judgement)),
        }
    });
    let mut response = Response::new(Body::from(judged.await.map_err(ApiError::internal)??));
    let kind = match format {
        Format::Json => "application/json",
        Format::Junit => "application/xml",
        Format::Markdown => "text/markdown; charset=utf-8",
    };
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    Ok(response)
}

fn entry(written: AcceptedFailure) -> Result<Acknowledgement, ApiError> {
    let AcceptedFailure { metric, node, candidate, reason, owner, expires } = written;
    let expires = day(&["body", "acknowledgements", "expires"], &expires)?;
    Ok(Acknowledgement { metric, node, candidate, reason, owner, expires })
}

fn day(location: &[&str], text: &str) -> Result<Date, ApiError> {
    text.parse().map_err(|_| ApiError::invalid(location, "date", format!("`{text}` is no day; expected `2026-12-31`")))
}
