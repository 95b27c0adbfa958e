//! The transform `rerank`.

use std::num::NonZeroUsize;
use std::sync::Arc;

use async_trait::async_trait;

use crate::replay::plugin::{Handed, PluginReranker};
use crate::replay::retrievers::http::HttpReranker;
use crate::replay::{Reads, RetrieveError, RetrieveErrorKind, Retrieved, Transform};
use crate::session::{Hit, Session};

/// Has the top of a list ordered anew. What is below follows in its old order and without scores, which could not be
/// compared with the new ones.
#[derive(Debug)]
pub struct Rerank {
    /// Who does it.
    pub by: Reranks,
    /// The number of hits that are handed over; all where `None`.
    pub top: Option<NonZeroUsize>,
}

/// Who orders hits anew.
#[derive(Debug)]
pub enum Reranks {
    /// A component.
    Plugin(Arc<PluginReranker>),
    /// An endpoint over HTTP.
    Http(Box<HttpReranker>),
}

#[async_trait]
impl Transform for Rerank {
    fn kind(&self) -> &'static str {
        "rerank"
    }

    fn reads(&self) -> Reads {
        match &self.by {
            Reranks::Plugin(reranker) => reranker.reads(),
            Reranks::Http(reranker) => reranker.reads(),
        }
    }

    async fn transform(&self, session: &Session, mut hits: Vec<Hit>, depth: usize) -> Result<Retrieved, RetrieveError> {
        let below = hits.split_off(self.top.map_or(hits.len(), |top| top.get().min(hits.len())));
        let mut reranked = match &self.by {
            Reranks::Plugin(reranker) => by_plugin(reranker, session, hits).await?,
            Reranks::Http(reranker) => reranker.transform(session, hits, depth).await?,
        };
        reranked.hits.extend(below.into_iter().map(|hit| Hit { score: None, ..hit }));
        Ok(reranked)
    }
}

async fn by_plugin(
    reranker: &Arc<PluginReranker>,
    session: &Session,
    hits: Vec<Hit>,
) -> Result<Retrieved, RetrieveError> {
    let (reranker, session) = (Arc::clone(reranker), session.clone());
    // A component may take as long as its deadline says.
    let rerank = move || reranker.rerank(&[Handed { session: &session, hits: &hits }]).pop();
    let reranked = tokio::task::spawn_blocking(rerank).await.ok().flatten();
    let lost = || Err(RetrieveError::new(RetrieveErrorKind::Internal, "the component's thread died"));
    reranked.unwrap_or_else(lost).map(Retrieved::from)
}
