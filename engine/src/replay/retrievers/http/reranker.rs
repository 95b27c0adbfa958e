//! The transform.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::HttpError;
use super::endpoint::{Asked, Endpoint};
use super::variables::Subject;
use crate::benchmark::stages::http::HttpPlan;
use crate::outbound::Outbound;
use crate::replay::remote::{Policy, Secrets};
use crate::replay::reranked::with_the_rest;
use crate::replay::{RetrieveError, RetrieveErrorKind, Retrieved, Transform};
use crate::session::{Hit, Session};

/// Hands hits to an endpoint over HTTP, which answers with their new order. The templates see them as `hits`, a list of
/// `{item_id, score}`.
#[derive(Debug)]
pub struct HttpReranker {
    endpoint: Endpoint,
}

impl HttpReranker {
    /// The kind of the stage.
    pub const KIND: &'static str = "rerank";

    /// Builds the re-ranker of `plan`, which connects to whom `outbound` lets it. It connects to nothing yet; credentials are
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
        Ok(Self { endpoint: Endpoint::build(plan, policy, secrets, true, None, outbound)? })
    }
}

#[async_trait]
impl Transform for HttpReranker {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    /// Returns the hits in the order of the answer, with its scores; hits that the answer leaves out keep their order behind
    /// the others, without scores, since theirs were made by another measure. Nothing is asked where there are no hits.
    async fn transform(&self, session: &Session, hits: Vec<Hit>, _: usize) -> Result<Retrieved, RetrieveError> {
        if hits.is_empty() {
            return Ok(Retrieved { attempts: 1, latency: Some(Duration::ZERO), ..Retrieved::default() });
        }
        let subject = Subject { session, depth: hits.len(), hits: Some(&hits) };
        let Asked { hits: ranked, timings, attempts, latency } = self.endpoint.ask(subject).await?;
        let hits = reranked(hits, ranked).map_err(|words| {
            let error = RetrieveError::new(RetrieveErrorKind::Extraction, words);
            RetrieveError { attempts, ..error }
        })?;
        Ok(Retrieved { hits, attempts, latency: Some(latency), timings, ..Retrieved::default() })
    }
}

fn reranked(hits: Vec<Hit>, ranked: Vec<Hit>) -> Result<Vec<Hit>, String> {
    let known: HashSet<&str> = hits.iter().map(|hit| hit.item_id.as_str()).collect();
    if let Some(stranger) = ranked.iter().find(|hit| !known.contains(hit.item_id.as_str())) {
        return Err(format!(
            "the answer ranks item `{}`, which is not among the hits that were sent",
            stranger.item_id
        ));
    }
    Ok(with_the_rest(&hits, ranked))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(hits: &[(&str, Option<f64>)]) -> Vec<Hit> {
        hits.iter().map(|(item, score)| Hit { item_id: (*item).into(), score: *score }).collect()
    }

    #[test]
    fn hits_that_are_left_out_keep_their_order_behind_the_others() {
        let sent = hits(&[("a", Some(4.0)), ("b", Some(3.0)), ("c", Some(2.0)), ("d", Some(1.0))]);
        let ranked = hits(&[("c", Some(0.9)), ("a", Some(0.1))]);
        let expected = hits(&[("c", Some(0.9)), ("a", Some(0.1)), ("b", None), ("d", None)]);
        assert_eq!(reranked(sent.clone(), ranked), Ok(expected));
        let error = reranked(sent, hits(&[("x", None)])).unwrap_err();
        assert_eq!(error, "the answer ranks item `x`, which is not among the hits that were sent");
    }
}
