//! The contract between the runner and the stages of a pipeline.

use std::time::Duration;

use async_trait::async_trait;

use crate::session::{Hit, Session};

/// Answers searches: the first stage of a pipeline.
///
/// The runner calls [`Retriever::retrieve`] once per session, in any order and many at a time. The answer has at most
/// `depth` hits, best first, no item twice; scores, where given, never increase. An empty answer is legal and differs
/// from an error. The same session gets the same answer each time. Heavy work belongs on [`tokio::task::spawn_blocking`]
/// only if it may take longer than a few milliseconds; the runner already spreads sessions over threads.
#[async_trait]
pub trait Retriever: Send + Sync {
    /// Returns the stage kind, as written in the benchmark file.
    fn kind(&self) -> &'static str;

    /// Returns the best `depth` items for `session`.
    ///
    /// # Errors
    ///
    /// Returns the kind of failure and its words; the run goes on with the other sessions unless it is
    /// [fatal](RetrieveError::fatal).
    async fn retrieve(&self, session: &Session, depth: usize) -> Result<Retrieved, RetrieveError>;

    /// Returns what of a session the answer may depend on: sessions that are equal in that get the same answer. Provided:
    /// all that a stage may look at.
    fn reads(&self) -> Reads {
        Reads::ALL
    }

    /// Answers a chunk at once, one answer per session and in their order, where that is cheaper than one by one. `None`,
    /// as provided, has the runner ask one by one. Latencies of such answers are shares of the whole, and are not compared.
    async fn retrieve_chunk(
        &self,
        _sessions: &[Session],
        _depth: usize,
    ) -> Option<Vec<Result<Retrieved, RetrieveError>>> {
        None
    }
}

/// Changes the hits that earlier stages found.
///
/// The runner calls [`Transform::transform`] once per session that has not failed, in any order and many at a time. The
/// answer has no item twice, best first, and scores, where given, never increase; it may be longer than `depth`, which is
/// what the run keeps in the end. The same session and hits get the same answer each time.
#[async_trait]
pub trait Transform: Send + Sync {
    /// Returns the stage kind, as written in the benchmark file.
    fn kind(&self) -> &'static str;

    /// Returns what of a session, besides its hits, the answer may depend on. Provided: all that a stage may look at.
    fn reads(&self) -> Reads {
        Reads::ALL
    }

    /// Returns the hits that go on.
    ///
    /// # Errors
    ///
    /// Returns the kind of failure and its words; the benchmark says whether the session fails or keeps the hits it had.
    async fn transform(&self, session: &Session, hits: Vec<Hit>, depth: usize) -> Result<Retrieved, RetrieveError>;
}

/// The parts of a session that a stage looks at. Others, such as what was shown or what the user did, are none of its
/// business.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "one flag per part of a session")]
pub struct Reads {
    /// The id.
    pub session_id: bool,
    /// When it took place.
    pub timestamp: bool,
    /// The query text.
    pub query: bool,
    /// The query as a vector.
    pub query_vector: bool,
    /// Further inputs.
    pub inputs: bool,
    /// The taxonomy paths.
    pub taxonomy: bool,
}

impl Reads {
    /// Everything.
    pub const ALL: Self =
        Self { session_id: true, timestamp: true, query: true, query_vector: true, inputs: true, taxonomy: true };

    /// Nothing.
    pub const NOTHING: Self =
        Self { session_id: false, timestamp: false, query: false, query_vector: false, inputs: false, taxonomy: false };

    /// The query text.
    pub const QUERY: Self = Self { query: true, ..Self::NOTHING };

    /// Returns what either looks at.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            session_id: self.session_id || other.session_id,
            timestamp: self.timestamp || other.timestamp,
            query: self.query || other.query,
            query_vector: self.query_vector || other.query_vector,
            inputs: self.inputs || other.inputs,
            taxonomy: self.taxonomy || other.taxonomy,
        }
    }
}

/// What a stage answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Retrieved {
    /// Best first.
    pub hits: Vec<Hit>,
    /// Attempts that it took: 1 where the first one succeeded, 0 where nothing was asked (a look-up).
    pub attempts: u32,
    /// Time of the first attempt as the stage itself saw it; the runner's own clock counts where `None`.
    pub latency: Option<Duration>,
    /// What the server itself told of its parts.
    pub timings: Vec<Timing>,
    /// The share of the exact answer's items that an approximate answer has; `None` where nobody looked.
    pub recall: Option<f64>,
}

impl From<Vec<Hit>> for Retrieved {
    fn from(hits: Vec<Hit>) -> Self {
        Self { hits, attempts: 1, ..Self::default() }
    }
}

/// How long a part of a stage took, as the server told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timing {
    /// The part's name.
    pub name: String,
    /// Nanoseconds.
    pub latency_ns: i64,
}

/// A failure of one retriever on one session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RetrieveError {
    /// The kind, by which failures are counted.
    pub kind: RetrieveErrorKind,
    /// What happened, in words.
    pub message: String,
    /// Attempts that were made.
    pub attempts: u32,
    /// Whether the retriever is beyond hope: the run stops, and can go on later where it stopped.
    pub fatal: bool,
}

impl RetrieveError {
    /// Returns the failure of a single attempt.
    #[must_use]
    pub fn new(kind: RetrieveErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), attempts: 1, fatal: false }
    }
}

/// Kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum RetrieveErrorKind {
    /// The session has no query text, and the retriever needs one.
    NoQuery,
    /// The recorded rankings hold none for this session.
    NotRecorded,
    /// The recorded ranking is itself a recorded failure.
    RecordedFailure,
    /// The session has no logged list.
    NotShown,
    /// The index failed.
    Index,
    /// No connection: refused, reset, unreachable.
    Connect,
    /// The host's name does not resolve.
    Dns,
    /// The host is one that this process does not connect to.
    Outbound,
    /// The server's certificate or protocol is not acceptable.
    Tls,
    /// A deadline passed.
    Timeout,
    /// The server asks for fewer requests (429).
    RateLimited,
    /// The server refuses the credentials (401, 403).
    Unauthorised,
    /// The server calls the request wrong (other 4xx).
    BadRequest,
    /// The server failed (5xx), or said so in an answer of another status.
    Server,
    /// The server sends elsewhere (3xx).
    Redirect,
    /// The answer is broken off, too large, or not what its headers say.
    Body,
    /// The answer has no hits where the stage looks for them.
    Extraction,
    /// Too many failures in a row: the retriever is not asked any more.
    Breaker,
    /// The request cannot be made of the session.
    Template,
    /// The database refuses the query.
    Sql,
    /// The session has no vector, or one that cannot be compared.
    Vector,
    /// The component failed.
    Plugin,
    /// The retriever panicked or was cancelled.
    Internal,
}

impl RetrieveErrorKind {
    /// Returns the kind's name as it stands in tables and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoQuery => "no_query",
            Self::NotRecorded => "not_recorded",
            Self::RecordedFailure => "recorded_failure",
            Self::NotShown => "not_shown",
            Self::Index => "index",
            Self::Connect => "connect",
            Self::Dns => "dns",
            Self::Outbound => "outbound",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::RateLimited => "rate_limited",
            Self::Unauthorised => "unauthorised",
            Self::BadRequest => "bad_request",
            Self::Server => "server",
            Self::Redirect => "redirect",
            Self::Body => "body",
            Self::Extraction => "extraction",
            Self::Breaker => "breaker",
            Self::Template => "template",
            Self::Sql => "sql",
            Self::Vector => "vector",
            Self::Plugin => "plugin",
            Self::Internal => "internal",
        }
    }
}
