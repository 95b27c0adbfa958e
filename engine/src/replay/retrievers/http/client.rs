//! The connections of one endpoint.

use std::path::Path;
use std::sync::Arc;

use reqwest::dns::Resolve;
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Certificate, Client, Method, StatusCode};

use super::{HttpError, HttpPart};
use crate::benchmark::stages::http::HttpPlan;

/// Returns a client for `plan`: no proxies, no redirects but those that the policy allows, and no request sent twice that
/// nobody counts. `resolver` takes the place of the system's name resolution.
pub(super) fn client(
    plan: &HttpPlan,
    method: &Method,
    resolver: Option<Arc<dyn Resolve>>,
) -> Result<Client, HttpError> {
    let mut builder = Client::builder()
        .user_agent(concat!("rematch/", env!("CARGO_PKG_VERSION")))
        .no_proxy()
        .referer(false)
        .tcp_nodelay(true)
        .retry(reqwest::retry::never())
        .redirect(redirects(plan, method))
        .connect_timeout(plan.policy.connect_timeout.0);
    if let Some(path) = &plan.certificate_authority {
        builder = builder.tls_certs_merge(certificates(path)?);
    }
    if let Some(resolver) = resolver {
        builder = builder.dns_resolver(resolver);
    }
    builder
        .build()
        .map_err(|error| HttpError::new(HttpPart::Client, format!("no client can be made: {}", causes(&error))))
}

fn certificates(path: &Path) -> Result<Vec<Certificate>, HttpError> {
    let failed = |message: String| HttpError::new(HttpPart::CertificateAuthority, message);
    let text = std::fs::read(path).map_err(|error| failed(format!("cannot read `{}`: {error}", path.display())))?;
    let certificates = Certificate::from_pem_bundle(&text)
        .map_err(|error| failed(format!("`{}` is not PEM: {}", path.display(), causes(&error))))?;
    if certificates.is_empty() {
        return Err(failed(format!("`{}` holds no certificate", path.display())));
    }
    Ok(certificates)
}

/// Redirects are followed on the same host only, so that credentials stay there; and a search that is sent in a body is
/// never turned into one without.
fn redirects(plan: &HttpPlan, method: &Method) -> Policy {
    let most = usize::try_from(plan.policy.redirects).unwrap_or(usize::MAX);
    if most == 0 {
        return Policy::none();
    }
    let keeps_body = method == Method::GET;
    Policy::custom(move |attempt: Attempt<'_>| {
        let status = attempt.status();
        let same_request =
            keeps_body || status == StatusCode::TEMPORARY_REDIRECT || status == StatusCode::PERMANENT_REDIRECT;
        let same_host = attempt.previous().last().is_some_and(|before| before.origin() == attempt.url().origin());
        if attempt.previous().len() <= most && same_request && same_host { attempt.follow() } else { attempt.stop() }
    })
}

/// Returns an error's causes in a row, without the URL, which may hold credentials.
pub(super) fn causes(error: &dyn std::error::Error) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut next: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = next {
        next = error.source();
        let text = error.to_string();
        // What wraps another error often repeats it.
        let is_new = words.last().is_none_or(|last| !last.contains(&text));
        if is_new {
            words.push(text);
        }
    }
    words.join(": ")
}
