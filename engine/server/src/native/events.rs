//! `/v1/runs/{id}/events`: what happens in a run, as it happens.

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use serde::Deserialize;
use tokio::sync::mpsc;
use utoipa::{IntoParams, ToSchema};

use super::problem::Refusals;
use super::runs::find;
use crate::App;
use crate::jobs::JobEvent;
use crate::organisations::Principal;
use crate::platform::auth::Reader;
use crate::platform::error::ApiError;
use crate::platform::extract::{Path, Query};
use crate::platform::page::rfc3339;

/// Between two looks whether the token still holds.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Between two words where nothing happens, so that nobody takes the connection for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// How long a reader may take for what was sent; a slower one is dropped, and goes on by `Last-Event-ID`.
const PATIENCE: Duration = Duration::from_secs(10);

/// Pieces that wait for a reader. Each is a batch of events at most, some tens of kilobytes.
const WAITING: usize = 2;

/// From where on.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct EventsQuery {
    /// Events after this one, where no `Last-Event-ID` is sent; all where it is not given.
    after: Option<u64>,
}

/// One event.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only described: events are written as text")]
struct Event {
    /// Its number, which `Last-Event-ID` names.
    id: Option<String>,
    /// Its kind.
    event: Option<String>,
    /// What it says, as JSON.
    data: String,
}

/// Follow a run
///
/// Server-sent events with an `id` each: `state`, `phase`, `sampled`, `progress`, `note`, `failed`, `done`. A client that comes again
/// with `Last-Event-ID` gets what came after it, without gaps or repeats. The stream ends when the run has ended and all was
/// told, when the token is revoked, when the server stops, and when the client does not read.
#[utoipa::path(
    get, path = "/v1/runs/{id}/events", operation_id = "follow_run", tag = "runs", security(("token" = ["read"])),
    params(
        ("id" = String, Path, description = "The run"),
        ("Last-Event-ID" = Option<u64>, Header, description = "The last event that was read"),
        EventsQuery
    ),
    responses((status = 200, description = "Events", body = Event, content_type = "text/event-stream"), Refusals)
)]
pub(super) async fn follow(
    State(app): State<App>,
    Reader(principal): Reader,
    Path(id): Path<String>,
    Query(query): Query<EventsQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    find(&app, &principal.organisation, &id).await?;
    let after = match headers.get("last-event-id") {
        None => query.after.unwrap_or(0),
        Some(given) => given.to_str().ok().and_then(|given| given.trim().parse().ok()).ok_or_else(|| {
            ApiError::invalid(&["header", "Last-Event-ID"], "type_error", "expected the number of an event")
        })?,
    };
    let place = app.streams().take(&principal.organisation).ok_or_else(|| {
        let message = "as many streams of this organisation are open as may; close one";
        let mut error = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_streams", message);
        error.retry_after = Some(Duration::from_secs(1));
        error
    })?;
    let (pieces, waiting) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        tell(app, principal, id, after, pieces).await;
        drop(place);
    });
    let stream = futures::stream::unfold(waiting, |mut waiting| async move {
        let piece = waiting.recv().await?;
        Some((Ok::<_, std::convert::Infallible>(piece), waiting))
    });
    let mut response = Response::new(Body::from_stream(stream));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

async fn tell(app: App, principal: Principal, id: String, mut after: u64, pieces: mpsc::Sender<Bytes>) {
    let send = async |piece: String| pieces.send_timeout(Bytes::from(piece), PATIENCE).await.is_ok();
    if !send("retry: 1000\n\n".to_owned()).await {
        return;
    }
    let mut stopping = app.stopping();
    let mut next = Box::pin(app.jobs().next_events(&principal.organisation, &id, after));
    let mut last_word = Instant::now();
    let mut last_look = Instant::now();
    loop {
        let told = tokio::select! {
            told = tokio::time::timeout(LOOK_EVERY, &mut next) => told,
            () = pieces.closed() => return,
            _ = stopping.wait_for(|stopping| *stopping) => return,
        };
        if last_look.elapsed() >= LOOK_EVERY {
            if !app.tokens().holds(&principal).await.unwrap_or(false) {
                return;
            }
            last_look = Instant::now();
        }
        let piece = match told {
            Ok(Ok(events)) if !events.is_empty() => {
                after = events.last().map_or(after, |event| event.sequence);
                next = Box::pin(app.jobs().next_events(&principal.organisation, &id, after));
                events.iter().map(text).collect()
            }
            Ok(_) => return,
            Err(_) if last_word.elapsed() >= KEEP_ALIVE => ":\n\n".to_owned(),
            Err(_) => continue,
        };
        if !send(piece).await {
            return;
        }
        last_word = Instant::now();
    }
}

fn text(event: &JobEvent) -> String {
    let kind = event.body.get("type").and_then(serde_json::Value::as_str).unwrap_or("message");
    let mut body = event.body.clone();
    if let serde_json::Value::Object(members) = &mut body {
        members.insert("at".to_owned(), serde_json::Value::from(rfc3339(event.at)));
    }
    // JSON in one line: no line of it can be taken for another field.
    format!("id: {}\nevent: {kind}\ndata: {body}\n\n", event.sequence)
}
