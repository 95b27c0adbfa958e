//! The connections of one endpoint.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::dns::Resolve;
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Certificate, Client, Method, StatusCode};
use url::Url;

use super::{HttpError, HttpPart};
use crate::benchmark::stages::http::HttpPlan;
use crate::outbound::{Outbound, OutboundError, PortResolver};

/// Clients that are kept, one per port that was asked; the port of an endpoint hardly ever changes.
const KEPT_PORTS: usize = 8;

/// The clients of one endpoint.
pub(super) enum Clients {
    /// One that connects to everybody.
    Free(Client),
    /// By port, each with a resolver that hands out only addresses that may be connected to at it.
    Guarded(Box<Guarded>),
}

/// What makes clients.
pub(super) struct Guarded {
    outbound: Outbound,
    plan: HttpPlan,
    method: Method,
    by_port: Mutex<BTreeMap<u16, Client>>,
}

impl std::fmt::Debug for Clients {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Free(_) => "Free",
            Self::Guarded(_) => "Guarded",
        })
    }
}

/// Why there is no client for a URL.
pub(super) enum NoClient {
    /// It may not be asked.
    Refused(OutboundError),
    /// None can be made.
    Unmade(HttpError),
}

impl Clients {
    /// Returns the clients of `plan`. `resolver` takes the place of the system's name resolution where everybody may be
    /// connected to.
    pub(super) fn new(
        plan: &HttpPlan,
        method: &Method,
        resolver: Option<Arc<dyn Resolve>>,
        outbound: &Outbound,
    ) -> Result<Self, HttpError> {
        let client = client(plan, method, resolver)?;
        if !outbound.is_restricted() {
            return Ok(Self::Free(client));
        }
        // A redirect may lead anywhere; who means the other URL writes it.
        let mut plan = plan.clone();
        plan.policy.redirects = 0;
        Ok(Self::Guarded(Box::new(Guarded {
            outbound: outbound.clone(),
            plan,
            method: method.clone(),
            by_port: Mutex::default(),
        })))
    }

    /// Returns the client for a URL.
    pub(super) fn of(&self, url: &Url) -> Result<Client, NoClient> {
        let guarded = match self {
            Self::Free(client) => return Ok(client.clone()),
            Self::Guarded(guarded) => guarded,
        };
        let port = guarded.outbound.check_url(url).map_err(NoClient::Refused)?;
        let mut by_port = guarded.by_port.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = by_port.get(&port) {
            return Ok(client.clone());
        }
        let resolver = Arc::new(PortResolver::new(guarded.outbound.clone(), port));
        let made = client(&guarded.plan, &guarded.method, Some(resolver)).map_err(NoClient::Unmade)?;
        if by_port.len() >= KEPT_PORTS {
            by_port.clear();
        }
        by_port.insert(port, made.clone());
        Ok(made)
    }
}

/// Returns a client for `plan`: no proxies, no redirects but those that the policy allows, and no request sent twice that
/// nobody counts. `resolver` takes the place of the system's name resolution.
fn client(plan: &HttpPlan, method: &Method, resolver: Option<Arc<dyn Resolve>>) -> Result<Client, HttpError> {
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
