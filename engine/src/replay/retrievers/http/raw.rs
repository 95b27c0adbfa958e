//! One request and its whole answer, for people who look at it.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use tokio::time::{Instant, timeout};

use super::authorization::Credentials;
use super::client::Clients;
use super::exchange::Exchange;
use super::server_timing::server_timings;
use super::variables::Subject;
use super::{HttpError, HttpPart, RequestTemplates};
use crate::benchmark::stages::http::HttpPlan;
use crate::outbound::Outbound;
use crate::replay::remote::Secrets;
use crate::replay::{RetrieveError, RetrieveErrorKind, Timing};
use crate::session::Session;

/// The answer to one request, whatever its status.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RawAnswer {
    /// Method and URL, without the query string.
    pub(crate) request: String,
    /// The status.
    pub(crate) status: u16,
    /// The media type, where the answer has one.
    pub(crate) content_type: Option<String>,
    /// What the header `Server-Timing` tells.
    pub(crate) server_timing: Vec<Timing>,
    /// The body, decoded, without credentials that it repeats.
    pub(crate) body: Vec<u8>,
    /// From the request to the last byte of the answer, the connection included.
    pub(crate) latency: Duration,
}

impl RawAnswer {
    /// Returns the body as JSON; `None` where it is none.
    pub(crate) fn json(&self) -> Option<Value> {
        serde_json::from_slice(self.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.body)).ok()
    }
}

/// Sends the request of `plan` for `session` once: no retries, no look at what comes back.
///
/// # Errors
///
/// Returns an error when the request cannot be made, or nothing comes back.
pub(crate) async fn ask_once(
    plan: &HttpPlan,
    session: &Session,
    depth: usize,
    secrets: &Secrets,
) -> Result<RawAnswer, RetrieveError> {
    let credentials = Credentials::look_up(&plan.auth, secrets).map_err(unmade)?;
    let method = Method::from_bytes(plan.method.as_bytes())
        .map_err(|error| unmade(HttpError::new(HttpPart::Method, error.to_string())))?;
    let clients = Clients::new(plan, &method, None, &Outbound::default()).map_err(unmade)?;
    let rendered =
        RequestTemplates::compile(plan, false).map_err(unmade)?.render(&Subject { session, depth, hits: None })?;
    let exchange = Exchange::new(plan, clients, method, credentials).map_err(unmade)?;
    let prepared = exchange.prepare(rendered)?;
    let redact = |text: &str| exchange.credentials().redaction.redact(text).into_owned();
    let (start, limit) = (Instant::now(), plan.policy.timeout);
    let sent = timeout(limit.0, exchange.send(&prepared)).await;
    let answer = match sent {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return Err(RetrieveError::new(error.kind, redact(&error.message))),
        Err(_) => {
            let message = format!("{}: no whole answer within {limit}", prepared.target);
            return Err(RetrieveError::new(RetrieveErrorKind::Timeout, message));
        }
    };
    let content_type = answer.headers.get(reqwest::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let body = match std::str::from_utf8(&answer.body) {
        Ok(text) => redact(text).into_bytes(),
        Err(_) => answer.body.to_vec(),
    };
    Ok(RawAnswer {
        request: prepared.target.trim_matches('`').to_owned(),
        status: answer.status.as_u16(),
        content_type: content_type.map(redact),
        server_timing: server_timings(&answer.headers),
        body,
        latency: answer.at.saturating_duration_since(start),
    })
}

fn unmade(error: HttpError) -> RetrieveError {
    let kind = match error.part {
        HttpPart::Auth => RetrieveErrorKind::Unauthorised,
        _ => RetrieveErrorKind::Template,
    };
    RetrieveError::new(kind, error.to_string())
}
