//! A request that is sent again is answered again and not done again.
//!
//! Clients send a key, `x-request-id`, with everything that changes something, the same with every attempt. An answer is kept
//! for a day, in the same transaction as what it tells of: either both are there after a crash, or neither. Errors are not
//! kept, as nothing was done.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use rematch_engine::store::sha256_of_bytes;
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::App;
use crate::database::QueryError;
use crate::jobs::NewJob;
use crate::organisations::{Principal, Role};
use crate::platform::auth::Writer;
use crate::platform::body::Upload;
use crate::platform::error::ApiError;
use crate::platform::page::now_ms;

/// How long an answer is kept, milliseconds.
const KEPT_MS: i64 = 24 * 3600 * 1000;

/// Bytes of a key.
const KEY_BYTES: usize = 255;

/// Says that there is an answer already; no client sees it.
const ANSWERED: &str = "answered";

/// The key of a request, and what was asked under it.
#[derive(Debug, Clone)]
struct Asked {
    key: String,
    fingerprint: String,
}

/// Who asks for a change, and under which key.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) organisation: String,
    asked: Option<Asked>,
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Writer(principal) = Writer::from_request_parts(parts, state).await?;
        let asked = parts.extensions.get::<Asked>().cloned();
        Ok(Self { organisation: principal.organisation, asked })
    }
}

/// The middleware that answers a request which was answered before, and notes the key of any other.
pub(super) async fn remember(State(app): State<App>, request: Request, next: Next) -> Response {
    match recall(&app, request).await {
        Ok(Recalled::New(request)) => next.run(*request).await,
        Ok(Recalled::Answer(answer)) => replay(answer),
        Err(error) => error.into_response(),
    }
}

enum Recalled {
    New(Box<Request>),
    Answer(String),
}

async fn recall(app: &App, request: Request) -> Result<Recalled, ApiError> {
    let key = request.headers().get("x-request-id").cloned();
    let writer = request.extensions().get::<Principal>().filter(|principal| principal.role >= Role::Ci).cloned();
    let (Some(key), Some(principal)) = (key, writer) else { return Ok(Recalled::New(Box::new(request))) };
    if request.method() == Method::GET {
        return Ok(Recalled::New(Box::new(request)));
    }
    let key = key.to_str().ok().filter(|key| (1..=KEY_BYTES).contains(&key.len())).map(ToOwned::to_owned);
    let key = key.ok_or_else(|| {
        ApiError::bad_request(format!("`x-request-id` is no key; expected 1 to {KEY_BYTES} visible ASCII characters"))
    })?;
    let (mut parts, body) = request.into_parts();
    let body = Upload::limited(body, app.settings().limits.body_bytes as u64).collect().await?;
    let path = parts.uri.path_and_query().map_or_else(|| parts.uri.path(), |path| path.as_str());
    let mut told = format!("{} {path}\n", parts.method).into_bytes();
    told.extend_from_slice(&body);
    let asked = Asked { key, fingerprint: sha256_of_bytes(&told) };
    let (organisation, wanted) = (principal.organisation, asked.clone());
    let found = app.database().read(move |connection| find(connection, &organisation, &wanted)).await?;
    if let Some(answer) = found {
        return Ok(Recalled::Answer(answer));
    }
    parts.extensions.insert(asked);
    Ok(Recalled::New(Box::new(Request::from_parts(parts, body.into()))))
}

fn replay(answer: String) -> Response {
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let again = (header::HeaderName::from_static("x-idempotent-replayed"), HeaderValue::from_static("true"));
    ([kind, again], answer).into_response()
}

fn find(connection: &Connection, organisation: &str, asked: &Asked) -> Result<Option<String>, QueryError> {
    let sql =
        "SELECT fingerprint, answer FROM idempotency_keys WHERE organisation = ?1 AND key = ?2 AND created_at > ?3";
    let found: Option<(String, String)> = connection
        .prepare_cached(sql)?
        .query_row(params![organisation, asked.key, now_ms() - KEPT_MS], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match found {
        Some((fingerprint, _)) if fingerprint != asked.fingerprint => {
            let message = format!(
                "`x-request-id: {}` was sent before with another request; a new one needs a new key",
                asked.key
            );
            Err(ApiError::new(StatusCode::BAD_REQUEST, "idempotency_key_reused", message).into())
        }
        found => Ok(found.map(|(_, answer)| answer)),
    }
}

fn keep(connection: &Connection, organisation: &str, asked: &Asked, answer: &impl Serialize) -> Result<(), QueryError> {
    let text = serde_json::to_string(answer).map_err(ApiError::internal)?;
    let old = "DELETE FROM idempotency_keys WHERE created_at <= ?1";
    connection.prepare_cached(old)?.execute([now_ms() - KEPT_MS])?;
    let sql =
        "INSERT INTO idempotency_keys (organisation, key, fingerprint, answer, created_at) VALUES (?1, ?2, ?3, ?4, ?5)";
    connection.prepare_cached(sql)?.execute(params![organisation, asked.key, asked.fingerprint, text, now_ms()])?;
    Ok(())
}

/// Does `work` and keeps its answer, all or nothing; or returns the answer that was kept.
///
/// # Errors
///
/// Returns what `work` returns, and 400 when the key was used for something else.
pub(super) async fn once<T, F>(app: &App, caller: &Caller, work: F) -> Result<axum::Json<T>, ApiError>
where
    T: Serialize + DeserializeOwned + Send + 'static,
    F: FnOnce(&Connection) -> Result<T, QueryError> + Send + 'static,
{
    let Caller { organisation, asked } = caller.clone();
    let answer = app.database().write(move |connection| {
        let Some(asked) = asked else { return work(connection) };
        if let Some(answer) = find(connection, &organisation, &asked)? {
            return Ok(serde_json::from_str(&answer).map_err(ApiError::internal)?);
        }
        let answer = work(connection)?;
        keep(connection, &organisation, &asked, &answer)?;
        Ok(answer)
    });
    answer.await.map(axum::Json)
}

/// Whether the job is wished for, once the transaction has looked.
pub(super) enum Wish<T> {
    /// It is; this is the answer.
    Queue(T),
    /// Somebody else was faster, and this is the answer: nothing is queued, and nothing that was written stays.
    Needless(T),
}

/// Queues a job and does `work`, and keeps its answer: all or nothing. Or returns the answer that was kept.
///
/// # Errors
///
/// As [`once`], and 429 when too many jobs wait.
pub(super) async fn once_with_job<T, F>(
    app: &App,
    caller: &Caller,
    job: NewJob,
    work: F,
) -> Result<axum::Json<T>, ApiError>
where
    T: Serialize + DeserializeOwned + Send + 'static,
    F: FnOnce(&Connection) -> Result<Wish<T>, QueryError> + Send + 'static,
{
    let (told, answer) = std::sync::mpsc::channel();
    let (organisation, asked) = (caller.organisation.clone(), caller.asked.clone());
    let queued = app.jobs().submit_with(&caller.organisation, job, move |connection| {
        if let Some(asked) = &asked
            && let Some(answer) = find(connection, &organisation, asked)?
        {
            // Nothing is queued a second time.
            let _ = told.send(Wish::Queue(serde_json::from_str(&answer).map_err(ApiError::internal)?));
            return Err(ApiError::new(StatusCode::BAD_REQUEST, ANSWERED, "answered before").into());
        }
        match work(connection)? {
            Wish::Queue(answer) => {
                if let Some(asked) = &asked {
                    keep(connection, &organisation, asked, &answer)?;
                }
                let _ = told.send(Wish::Queue(answer));
                Ok(())
            }
            needless => {
                let _ = told.send(needless);
                Err(ApiError::new(StatusCode::BAD_REQUEST, ANSWERED, "needless").into())
            }
        }
    });
    if let Err(error) = queued.await
        && error.code != ANSWERED
    {
        return Err(error);
    }
    match answer.recv().map_err(ApiError::internal)? {
        Wish::Queue(answer) => Ok(axum::Json(answer)),
        // What is kept under the key was taken back together with the job.
        Wish::Needless(answer) => once(app, caller, move |_| Ok(answer)).await,
    }
}
