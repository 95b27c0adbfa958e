//! The machines that clients wait for before they go on. There are none: a search needs no machine of its own, so that a
//! devbox is `running` from the first moment of its scenario run to the last.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use rusqlite::OptionalExtension;
use serde_json::json;
use tokio::time::Instant;

use super::errors::{ErrorView, Failures};
use super::model::{DevboxView, StateTransition, WaitForStatus};
use super::scenario_runs::json_column;
use crate::App;
use crate::platform::auth::Reader;
use crate::platform::error::ApiError;
use crate::platform::extract::{Json, Path};

/// How long a client waits at most, seconds.
const MAX_WAIT_SECONDS: f64 = 30.0;

/// How long a client waits where it does not say, seconds.
const WAIT_SECONDS: f64 = 10.0;

/// Returns a devbox.
#[utoipa::path(get, path = "/v1/devboxes/{id}",
    params(("id" = String, Path, description = "The devbox")),
    responses((status = 200, description = "The devbox", body = DevboxView), Failures),
    security(("token" = ["read"])))]
pub(super) async fn get_devbox(
    State(app): State<App>,
    Reader(principal): Reader,
    Path(id): Path<String>,
) -> Result<axum::Json<DevboxView>, ApiError> {
    read(&app, &principal.organisation, &id).await.map(axum::Json)
}

async fn read(app: &App, organisation: &str, id: &str) -> Result<DevboxView, ApiError> {
    let (organisation, id) = (organisation.to_owned(), id.to_owned());
    app.database()
        .read(move |connection| {
            let sql = "SELECT id, shown, started_at, shown_end, metadata FROM scenario_runs_shown \
                       WHERE devbox = ?1 AND organisation = ?2";
            let mut statement = connection.prepare_cached(sql)?;
            let found = statement
                .query_row([&id, &organisation], |row| {
                    let state: String = row.get(1)?;
                    let metadata = json_column(row, 4).unwrap_or_default();
                    Ok((
                        row.get::<_, String>(0)?,
                        state,
                        row.get::<_, i64>(2)?,
                        row.get::<_, Option<i64>>(3)?,
                        metadata,
                    ))
                })
                .optional()?;
            let (run, state, started, ended, metadata) = found.ok_or_else(|| ApiError::not_found("devbox", &id))?;
            let runs = matches!(state.as_str(), "running" | "scoring" | "scored");
            let mut transitions = vec![StateTransition { status: "running".to_owned(), transition_time_ms: started }];
            let end_time_ms = if runs { None } else { Some(ended.unwrap_or(started)) };
            if let Some(transition_time_ms) = end_time_ms {
                transitions.push(StateTransition { status: "shutdown".to_owned(), transition_time_ms });
            }
            Ok(DevboxView {
                id,
                status: if runs { "running" } else { "shutdown" }.to_owned(),
                capabilities: Vec::new(),
                create_time_ms: started,
                end_time_ms,
                launch_parameters: json!({}),
                metadata,
                state_transitions: transitions,
                initiator_type: "scenario".to_owned(),
                initiator_id: run,
            })
        })
        .await
}

/// Waits until a devbox is in one of some states, `running` or `shutdown`; 408 says that it is not yet, and to ask again.
#[utoipa::path(post, path = "/v1/devboxes/{id}/wait_for_status", request_body = WaitForStatus,
    params(("id" = String, Path, description = "The devbox")),
    responses((status = 200, description = "The devbox", body = DevboxView),
        (status = 408, description = "Not yet", body = ErrorView), Failures),
    security(("token" = ["read"])))]
pub(super) async fn wait_for_devbox(
    State(app): State<App>,
    Reader(principal): Reader,
    Path(id): Path<String>,
    Json(asked): Json<WaitForStatus>,
) -> Result<axum::Json<DevboxView>, ApiError> {
    let seconds = asked.timeout_seconds.unwrap_or(WAIT_SECONDS).clamp(0.0, MAX_WAIT_SECONDS);
    let deadline = Instant::now() + Duration::from_secs_f64(seconds);
    loop {
        let devbox = read(&app, &principal.organisation, &id).await?;
        if asked.statuses.contains(&devbox.status) {
            return Ok(axum::Json(devbox));
        }
        if Instant::now() >= deadline {
            let message = format!("devbox `{id}` is `{}`; none of the states that are waited for", devbox.status);
            return Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "not_yet", message));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
