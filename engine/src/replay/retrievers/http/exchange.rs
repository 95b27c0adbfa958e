//! One request and its answer.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Body, Method, Request, Response, StatusCode};
use tokio::time::{Instant, timeout};
use url::Url;

use super::authorization::Credentials;
use super::classify::{of_body, of_request};
use super::client::{Clients, NoClient};
use super::template::Rendered;
use super::{HttpError, HttpPart};
use crate::benchmark::PolicyPlan;
use crate::benchmark::stages::http::HttpPlan;
use crate::replay::remote::AttemptError;
use crate::replay::{RetrieveError, RetrieveErrorKind};

/// What every request of an endpoint has in common.
#[derive(Debug)]
pub(super) struct Exchange {
    clients: Clients,
    method: Method,
    headers: HeaderMap,
    credentials: Credentials,
    policy: PolicyPlan,
}

/// A request, ready to be sent as often as it takes.
pub(super) struct Prepared {
    /// With credentials, where they belong into it: never to be shown.
    url: Url,
    body: Option<Bytes>,
    /// How messages call the request.
    pub(super) target: String,
}

impl fmt::Debug for Prepared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Prepared").field("target", &self.target).finish_non_exhaustive()
    }
}

/// What came back, whatever it is.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// When its last byte was there.
    pub(super) at: Instant,
}

impl Exchange {
    pub(super) fn new(
        plan: &HttpPlan,
        clients: Clients,
        method: Method,
        credentials: Credentials,
    ) -> Result<Self, HttpError> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        for (name, value) in &plan.headers {
            let failed = || HttpError::new(HttpPart::Header(name.clone()), "this cannot stand in a header");
            let header = HeaderName::try_from(name.as_str()).map_err(|_| failed())?;
            headers.insert(header, HeaderValue::try_from(value.as_str()).map_err(|_| failed())?);
        }
        if plan.body.is_some() {
            let failed = |_| HttpError::new(HttpPart::ContentType, "this cannot stand in a header");
            headers.insert(CONTENT_TYPE, HeaderValue::try_from(plan.content_type.as_str()).map_err(failed)?);
        }
        headers.extend(credentials.header.clone());
        Ok(Self { clients, method, headers, credentials, policy: plan.policy.clone() })
    }

    pub(super) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Returns the request with these texts.
    pub(super) fn prepare(&self, rendered: Rendered) -> Result<Prepared, RetrieveError> {
        let failed = |words: String| RetrieveError::new(RetrieveErrorKind::Template, words);
        let mut url: Url =
            rendered.url.trim().parse().map_err(|error| {
                failed(format!("the template of the `url` gives none ({error}): `{}`", rendered.url))
            })?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(failed(format!(
                "the template of the `url` gives no `http` or `https` URL: `{}`",
                rendered.url
            )));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(failed("the URL holds a user; credentials belong into `auth`".to_owned()));
        }
        // Without the query string, which repeats what the session says and may be long.
        let target = format!("`{} {}{}`", self.method, url.origin().ascii_serialization(), url.path());
        self.credentials.add_to(&mut url);
        Ok(Prepared { url, body: rendered.body.map(Bytes::from), target })
    }

    /// Sends the request and reads the answer to its end, of which no more than `max-body` bytes are kept.
    pub(super) async fn send(&self, prepared: &Prepared) -> Result<Answer, AttemptError> {
        let mut request = Request::new(self.method.clone(), prepared.url.clone());
        request.headers_mut().clone_from(&self.headers);
        *request.body_mut() = prepared.body.clone().map(Body::from);
        let target = &prepared.target;
        let client = self.clients.of(&prepared.url).map_err(|none| match none {
            NoClient::Refused(refusal) => {
                AttemptError::lasting(RetrieveErrorKind::Outbound, format!("{target} is not asked: {refusal}"))
            }
            NoClient::Unmade(error) => AttemptError::lasting(RetrieveErrorKind::Internal, format!("{target}: {error}")),
        })?;
        let response =
            self.within_read_timeout(client.execute(request), || format!("{target}: no answer began")).await?;
        let mut response = response.map_err(|error| of_request(error, target, &self.policy))?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let body = self.read(response, target, status).await?;
        Ok(Answer { status, headers, body, at: Instant::now() })
    }

    async fn read(&self, mut response: Response, target: &str, status: StatusCode) -> Result<Bytes, AttemptError> {
        let most = usize::try_from(self.policy.max_body.0).unwrap_or(usize::MAX);
        // Most answers come in one piece, which is then not copied.
        let (mut first, mut all) = (Bytes::new(), Vec::new());
        loop {
            let body = if all.is_empty() { first.as_ref() } else { all.as_slice() };
            let stalled = || format!("{target}: the answer stalls after {} bytes: nothing came", body.len());
            let chunk = self.within_read_timeout(response.chunk(), stalled).await?;
            let Some(chunk) = chunk.map_err(|error| of_body(error, target, body.len()))? else {
                return Ok(if all.is_empty() { first } else { all.into() });
            };
            if chunk.len() > most - body.len() {
                if !status.is_success() {
                    // What the status says is worth more than the rest of a long page.
                    return Ok(if all.is_empty() { first } else { all.into() });
                }
                let message = format!(
                    "{target}: the answer has more than {} (decompressed); a higher `max-body` lets it in",
                    self.policy.max_body
                );
                return Err(AttemptError::lasting(RetrieveErrorKind::Body, message));
            }
            if first.is_empty() {
                first = chunk;
            } else {
                if all.is_empty() {
                    all.extend_from_slice(&first);
                }
                all.extend_from_slice(&chunk);
            }
        }
    }

    async fn within_read_timeout<T>(
        &self,
        future: impl Future<Output = T>,
        stalled: impl FnOnce() -> String,
    ) -> Result<T, AttemptError> {
        let limit: Duration = self.policy.read_timeout.0;
        timeout(limit, future).await.map_err(|_| {
            let limit = self.policy.read_timeout;
            let message = format!("{} within {limit}; a longer `read-timeout` gives the server more time", stalled());
            AttemptError::passing(RetrieveErrorKind::Timeout, message)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_shows_neither_its_credentials_nor_its_body() {
        let url: Url = "http://h/search?key=hunter2".parse().unwrap();
        let prepared = Prepared { url, body: Some(Bytes::from("{}")), target: "`GET http://h/search`".into() };
        assert_eq!(format!("{prepared:?}"), r#"Prepared { target: "`GET http://h/search`", .. }"#);
    }
}
