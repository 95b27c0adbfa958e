//! Answers sessions with the rows of a query.

use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::Arc;

use async_trait::async_trait;
use futures::TryStreamExt as _;
use tokio_postgres::types::ToSql;

use super::super::hit_rows::HitRows;
use super::super::query_values::{QueryValue, query_values, reads};
use super::classify::failure;
use super::connections::Connections;
use super::parameters::TextParameter;
use super::rows::RowColumns;
use crate::benchmark::stages::{Parameter, PostgresPlan, QueryText};
use crate::load::LoadError;
use crate::outbound::{Outbound, OutboundError};
use crate::replay::remote::{AttemptError, Done, Policy, SecretError, Secrets};
use crate::replay::{Reads, RetrieveError, RetrieveErrorKind, Retrieved, Retriever};
use crate::session::{Hit, Session};

/// The stage's kind.
const KIND: &str = "postgres";

/// Why a database cannot be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostgresError {
    /// The URL cannot be read; it may hold a password, and is not shown.
    #[error("{place} holds no Postgres URL, expected one such as `postgres://host/database`")]
    Url {
        /// Where it stands.
        place: String,
    },
    /// Credentials are missing.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The server may not be connected to.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    /// The URL names a socket of this machine, and not everybody may be connected to.
    #[error("a socket of this machine is not connected to from here; name a host")]
    Socket,
    /// The certificate authorities cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Encrypted connections cannot be set up.
    #[error("encrypted connections cannot be set up; `sslmode = \"disable\"` does without")]
    Tls(#[from] rustls::Error),
    /// The parameters of the query cannot be told.
    #[error("the query cannot be asked: {0}")]
    Query(String),
    /// The pool of connections cannot be set up.
    #[error("connections cannot be set up: {0}")]
    Pool(String),
}

/// Ranks items by a query of a Postgres database.
///
/// The statement is prepared once per connection; the values of each session are sent beside it, never as part of its text.
/// Connections are read-only and end a statement after the policy's `timeout`. There are as many as sessions in flight.
/// Rows beyond the depth are not read. A null id, an id twice, or a score that rises fails the session with `sql`.
pub struct PostgresRetriever {
    connections: Connections,
    policy: Arc<Policy>,
    /// The query with `$1` for the first parameter.
    query: String,
    parameters: Vec<Parameter>,
}

impl std::fmt::Debug for PostgresRetriever {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("PostgresRetriever").field("query", &self.query).finish_non_exhaustive()
    }
}

impl PostgresRetriever {
    /// Returns a retriever that keeps up to `concurrency` connections to a server that `outbound` lets it connect to. It
    /// connects to nothing yet; where not everybody may be connected to, it resolves the server's name, once and for all.
    ///
    /// # Errors
    ///
    /// Returns an error when the URL, credentials or certificate authorities are missing or unreadable, or when the server may
    /// not be connected to.
    pub fn build(
        plan: &PostgresPlan,
        policy: Arc<Policy>,
        concurrency: NonZeroUsize,
        secrets: &Secrets,
        outbound: &Outbound,
    ) -> Result<Self, PostgresError> {
        let connections = Connections::new(plan, concurrency.get(), secrets, outbound)?;
        let text = QueryText::parse(&plan.query).map_err(PostgresError::Query)?;
        Ok(Self { connections, policy, query: text.numbered(), parameters: text.parameters().to_vec() })
    }

    /// Asks once.
    async fn attempt(&self, values: &[QueryValue], depth: usize) -> Result<Done<Vec<Hit>>, AttemptError> {
        let lease = self.connections.lease().await?;
        let told = |error: tokio_postgres::Error| self.connections.redacted(failure(&error));
        let wrong = |message: String| AttemptError::lasting(RetrieveErrorKind::Sql, message);
        let client = lease.client().ok_or_else(|| wrong("the connection is gone".to_owned()))?;
        let statement = client.prepare_cached(&self.query).await.map_err(told)?;
        let columns = RowColumns::of(&statement).map_err(wrong)?;
        let values = values.iter().cloned().zip(statement.params());
        let values: Vec<TextParameter> = values.map(|(value, of)| TextParameter::new(value, of)).collect();
        let values = values.iter().map(|value| value as &(dyn ToSql + Sync));
        let mut rows = pin!(client.query_raw(&statement, values).await.map_err(told)?);
        let mut hits = HitRows::default();
        let mut bytes = 0;
        let mut all_read = true;
        while let Some(row) = rows.try_next().await.map_err(told)? {
            if hits.len() == depth {
                all_read = false;
                break;
            }
            bytes += row.raw_size_bytes();
            let most = self.policy.plan().max_body.0;
            if bytes as u64 > most {
                let message = format!("the rows take more than the {most} bytes of `max-body`");
                return Err(AttemptError::lasting(RetrieveErrorKind::Body, message));
            }
            columns.push(&row, &mut hits).map_err(wrong)?;
        }
        let done = Done::now(hits.into_hits());
        self.policy.received(bytes);
        // Rows that nobody reads would be in the way of the next answer.
        if all_read {
            lease.give_back();
        }
        Ok(done)
    }
}

#[async_trait]
impl Retriever for PostgresRetriever {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn reads(&self) -> Reads {
        reads(&self.parameters)
    }

    async fn retrieve(&self, session: &Session, depth: usize) -> Result<Retrieved, RetrieveError> {
        let values = query_values(KIND, &self.parameters, session, depth)?;
        let answered = self.policy.run(|| self.attempt(&values, depth)).await?;
        let (hits, attempts) = (answered.value, answered.attempts);
        Ok(Retrieved { hits, attempts, latency: Some(answered.latency), timings: Vec::new(), recall: None })
    }
}
