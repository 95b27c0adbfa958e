//! An endpoint that answers with hits: what the source and the transform have in common.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use reqwest::dns::Resolve;
use serde_json::Value;

use super::authorization::Credentials;
use super::classify::{of_status, snippet};
use super::client::Clients;
use super::exchange::{Answer, Exchange, Prepared};
use super::server_timing::server_timings;
use super::variables::Subject;
use super::{Extraction, HttpError, HttpPart, RequestTemplates};
use crate::benchmark::stages::http::HttpPlan;
use crate::outbound::Outbound;
use crate::replay::remote::{AttemptError, Done, Policy, Redaction, Secrets};
use crate::replay::{RetrieveError, RetrieveErrorKind, Timing};
use crate::session::Hit;

/// An endpoint that answers with hits.
#[derive(Debug)]
pub(super) struct Endpoint {
    templates: RequestTemplates,
    exchange: Exchange,
    extraction: Arc<Extraction>,
    policy: Arc<Policy>,
}

/// What an endpoint answered.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) hits: Vec<Hit>,
    pub(super) timings: Vec<Timing>,
    pub(super) attempts: u32,
    pub(super) latency: Duration,
}

/// Answers above this size, bytes, are read on a thread of their own: it takes milliseconds.
const LARGE: usize = 1 << 20;

impl Endpoint {
    /// Builds the endpoint of `plan`; `hits` where it re-ranks. `resolver` takes the place of the system's name resolution
    /// where `outbound` lets everybody be asked.
    pub(super) fn build(
        plan: &HttpPlan,
        policy: Arc<Policy>,
        secrets: &Secrets,
        hits: bool,
        resolver: Option<Arc<dyn Resolve>>,
        outbound: &Outbound,
    ) -> Result<Self, HttpError> {
        let method = Method::from_bytes(plan.method.as_bytes())
            .map_err(|_| HttpError::new(HttpPart::Method, format!("`{}` is not a method", plan.method)))?;
        let credentials = Credentials::look_up(&plan.auth, secrets)?;
        let clients = Clients::new(plan, &method, resolver, outbound)?;
        Ok(Self {
            templates: RequestTemplates::compile(plan, hits)?,
            exchange: Exchange::new(plan, clients, method, credentials)?,
            extraction: Arc::new(Extraction::compile(plan)?),
            policy,
        })
    }

    /// Returns the answer to `subject`, cut after `depth` hits.
    pub(super) async fn ask(&self, subject: Subject<'_>) -> Result<Asked, RetrieveError> {
        let answered = self.try_to_ask(subject).await;
        let (asked, attempts, latency) = answered.map_err(|error| {
            let redacted = self.exchange.credentials().redaction.redact(&error.message).into_owned();
            RetrieveError { message: redacted, ..error }
        })?;
        Ok(Asked { hits: asked.0, timings: asked.1, attempts, latency })
    }

    async fn try_to_ask(&self, subject: Subject<'_>) -> Result<(Decoded, u32, Duration), RetrieveError> {
        let unsent = |error: RetrieveError| RetrieveError { attempts: 0, ..error };
        let rendered = self.templates.render(&subject).map_err(unsent)?;
        let prepared = self.exchange.prepare(rendered).map_err(unsent)?;
        let answered = self.policy.run(|| self.attempt(&prepared, subject.depth)).await?;
        Ok((answered.value, answered.attempts, answered.latency))
    }

    async fn attempt(&self, prepared: &Prepared, depth: usize) -> Result<Done<Decoded>, AttemptError> {
        let answer = self.exchange.send(prepared).await?;
        self.policy.received(answer.body.len());
        let (at, redaction) = (answer.at, &self.exchange.credentials().redaction);
        let value = if answer.body.len() < LARGE {
            decode(&self.extraction, &answer, &prepared.target, redaction, depth)?
        } else {
            let (extraction, target, redaction) =
                (Arc::clone(&self.extraction), prepared.target.clone(), redaction.clone());
            let decode = tokio::task::spawn_blocking(move || decode(&extraction, &answer, &target, &redaction, depth));
            decode.await.unwrap_or_else(|error| {
                Err(AttemptError::lasting(RetrieveErrorKind::Internal, format!("the answer's reader died: {error}")))
            })?
        };
        Ok(Done { value, at })
    }
}

type Decoded = (Vec<Hit>, Vec<Timing>);

fn decode(
    extraction: &Extraction,
    answer: &Answer,
    target: &str,
    redaction: &Redaction,
    depth: usize,
) -> Result<Decoded, AttemptError> {
    // In this order: half a secret at the end of a snippet is known for none.
    let snippet = |said: &str| snippet(&redaction.redact(said));
    // Some servers put a mark before the text that RFC 8259 lets readers ignore.
    let text = answer.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&answer.body);
    let parsed: Result<Value, serde_json::Error> = serde_json::from_slice(text);
    if !answer.status.is_success() {
        let said = parsed.ok().and_then(|answer| extraction.error(&answer));
        let said = snippet(&said.unwrap_or_else(|| String::from_utf8_lossy(text).into_owned()));
        return Err(of_status(answer.status, &answer.headers, target, redaction, &said));
    }
    let failed = |kind, words: String| AttemptError::lasting(kind, format!("{target}: {words}"));
    if text.is_empty() {
        let words = format!("the answer, {}, has no content", answer.status);
        return Err(failed(RetrieveErrorKind::Body, words));
    }
    let parsed = parsed.map_err(|error| {
        let begins = snippet(&String::from_utf8_lossy(text));
        failed(RetrieveErrorKind::Body, format!("the answer is not JSON ({error}); it begins with `{begins}`"))
    })?;
    if let Some(said) = extraction.error(&parsed) {
        let words = format!("the answer, {}, is an error: {}", answer.status, snippet(&said));
        return Err(failed(RetrieveErrorKind::Server, words));
    }
    let hits = extraction.hits(&parsed, depth).map_err(|words| failed(RetrieveErrorKind::Extraction, words))?;
    let mut timings = server_timings(&answer.headers);
    for timing in extraction.timings(&parsed) {
        if !timings.iter().any(|known| known.name == timing.name) {
            timings.push(timing);
        }
    }
    Ok((hits, timings))
}
