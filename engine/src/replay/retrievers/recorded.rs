//! Plays back recorded rankings.

use std::sync::Arc;

use async_trait::async_trait;

use crate::benchmark::spec::Missing;
use crate::load::RecordedRankings;
use crate::replay::{RetrieveError, RetrieveErrorKind, Retriever};
use crate::session::{Hit, Session};

/// Answers each session with the ranking that was recorded for it.
///
/// A recorded failure is a failure again. A session without a ranking is one too, unless [`Missing::Empty`] says that it
/// means an empty answer.
#[derive(Debug)]
pub struct RecordedRetriever {
    rankings: Arc<RecordedRankings>,
    missing: Missing,
}

impl RecordedRetriever {
    /// Returns a retriever that answers from `rankings`.
    #[must_use]
    pub fn new(rankings: Arc<RecordedRankings>, missing: Missing) -> Self {
        Self { rankings, missing }
    }
}

#[async_trait]
impl Retriever for RecordedRetriever {
    fn kind(&self) -> &'static str {
        "recorded"
    }

    async fn retrieve(&self, session: &Session, depth: usize) -> Result<Vec<Hit>, RetrieveError> {
        let Some(ranking) = self.rankings.get(&session.session_id) else {
            return match self.missing {
                Missing::Empty => Ok(Vec::new()),
                Missing::Error => Err(RetrieveError {
                    kind: RetrieveErrorKind::NotRecorded,
                    message: "no ranking was recorded for this session".to_owned(),
                }),
            };
        };
        if let Some(failure) = &ranking.failure {
            return Err(RetrieveError {
                kind: RetrieveErrorKind::RecordedFailure,
                message: format!("recorded as failed with `{}`: {}", failure.kind, failure.message),
            });
        }
        Ok(ranking.hits.iter().take(depth).cloned().collect())
    }
}
