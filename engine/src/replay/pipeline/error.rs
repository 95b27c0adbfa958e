//! Why a retriever cannot be built, or cannot go on.

use datafusion::arrow::error::ArrowError;

use crate::load::LoadError;
use crate::replay::plugin::PluginError;
use crate::replay::retrievers::bm25::IndexError;
use crate::replay::retrievers::http::HttpError;
use crate::replay::retrievers::postgres::PostgresError;
use crate::replay::retrievers::sql::SqlError;
use crate::replay::retrievers::vector::VectorError;
use crate::replay::transforms::TransformError;

/// Why a pipeline cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// A file that the retriever needs cannot be read.
    #[error("retriever `{retriever}` cannot be built")]
    Load {
        /// The retriever.
        retriever: String,
        /// Why.
        #[source]
        source: LoadError,
    },
    /// A corpus cannot be indexed.
    #[error("retriever `{retriever}` cannot be built: corpus `{corpus}` cannot be indexed")]
    Index {
        /// The retriever.
        retriever: String,
        /// The corpus's name.
        corpus: String,
        /// Why.
        #[source]
        source: Box<IndexError>,
    },
    /// The vectors of a corpus cannot be searched.
    #[error("retriever `{retriever}` cannot be built: the vectors of corpus `{corpus}` cannot be searched")]
    Vectors {
        /// The retriever.
        retriever: String,
        /// The corpus's name.
        corpus: String,
        /// Why.
        #[source]
        source: Box<VectorError>,
    },
    /// A query over corpora cannot be asked.
    #[error("retriever `{retriever}` cannot be built: stage `{stage}`")]
    Sql {
        /// The retriever.
        retriever: String,
        /// The stage's name.
        stage: String,
        /// Why.
        #[source]
        source: Box<SqlError>,
    },
    /// A database cannot be asked.
    #[error("retriever `{retriever}` cannot be built: stage `{stage}` cannot be asked")]
    Postgres {
        /// The retriever.
        retriever: String,
        /// The stage's name.
        stage: String,
        /// Why.
        #[source]
        source: Box<PostgresError>,
    },
    /// A component cannot be used as a stage.
    #[error("retriever `{retriever}` cannot be built: stage `{stage}`")]
    Plugin {
        /// The retriever.
        retriever: String,
        /// The stage.
        stage: String,
        /// Why.
        #[source]
        source: Box<PluginError>,
    },
    /// A transform cannot be built.
    #[error("retriever `{retriever}` cannot be built: stage `{stage}`")]
    Transform {
        /// The retriever.
        retriever: String,
        /// The stage.
        stage: String,
        /// Why.
        #[source]
        source: Box<TransformError>,
    },
    /// An endpoint cannot be asked.
    #[error("retriever `{retriever}` cannot be built: stage `{stage}` cannot be asked")]
    Http {
        /// The retriever.
        retriever: String,
        /// The stage.
        stage: String,
        /// Why.
        #[source]
        source: HttpError,
    },
    /// The settings have no canonical text to hash.
    #[error("retriever `{retriever}`: its settings cannot be written as JSON")]
    Canonical {
        /// The retriever.
        retriever: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A thread that read or wrote files died.
    #[error("a thread that reads recorded or kept rankings died")]
    Reader(#[from] tokio::task::JoinError),
    /// The answers do not fit into one table.
    #[error("the answers of retriever `{retriever}` do not fit into a table; a smaller `depth` helps")]
    Rows {
        /// The retriever.
        retriever: String,
        /// Why.
        #[source]
        source: ArrowError,
    },
    /// The stages do not make a pipeline.
    #[error("retriever `{retriever}`: stage `{stage}` stands where a {expected} is expected")]
    Stages {
        /// The retriever.
        retriever: String,
        /// The stage.
        stage: String,
        /// What belongs there.
        expected: &'static str,
    },
    /// A retriever is beyond hope. What is done is kept; the run can go on when the retriever is well again.
    #[error("retriever `{retriever}` is not asked any more: {message}")]
    Dead {
        /// The retriever.
        retriever: String,
        /// What it failed with.
        message: String,
    },
}
