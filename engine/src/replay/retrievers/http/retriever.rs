//! The source.

use std::sync::Arc;

use async_trait::async_trait;
#[cfg(test)]
use reqwest::dns::Resolve;

use super::HttpError;
use super::endpoint::{Asked, Endpoint};
use super::variables::Subject;
use crate::benchmark::stages::http::HttpPlan;
use crate::outbound::Outbound;
use crate::replay::remote::{Policy, Secrets};
use crate::replay::{RetrieveError, Retrieved, Retriever};
use crate::session::Session;

/// Asks a search endpoint over HTTP.
#[derive(Debug)]
pub struct HttpRetriever {
    endpoint: Endpoint,
}

impl HttpRetriever {
    /// The kind of the stage.
    pub const KIND: &'static str = "http";

    /// Builds the retriever of `plan`, which connects to whom `outbound` lets it. It connects to nothing yet; credentials are
    /// looked up in `secrets`.
    ///
    /// # Errors
    ///
    /// Returns the setting that cannot be fulfilled, credentials that are not there among them.
    pub fn build(
        plan: &HttpPlan,
        policy: Arc<Policy>,
        secrets: &Secrets,
        outbound: &Outbound,
    ) -> Result<Self, HttpError> {
        Ok(Self { endpoint: Endpoint::build(plan, policy, secrets, false, None, outbound)? })
    }

    #[cfg(test)]
    pub(super) fn build_resolving(
        plan: &HttpPlan,
        policy: Arc<Policy>,
        secrets: &Secrets,
        resolver: Option<Arc<dyn Resolve>>,
    ) -> Result<Self, HttpError> {
        Ok(Self { endpoint: Endpoint::build(plan, policy, secrets, false, resolver, &Outbound::default())? })
    }
}

#[async_trait]
impl Retriever for HttpRetriever {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    async fn retrieve(&self, session: &Session, depth: usize) -> Result<Retrieved, RetrieveError> {
        let Asked { hits, timings, attempts, latency } =
            self.endpoint.ask(Subject { session, depth, hits: None }).await?;
        Ok(Retrieved { hits, attempts, latency: Some(latency), timings, ..Retrieved::default() })
    }
}
