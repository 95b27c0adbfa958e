//! Why no sample could be drawn.

use datafusion::arrow::error::ArrowError;
use datafusion::error::DataFusionError;

use super::FilterCount;
use crate::load::LoadError;
use crate::store::StoreError;

/// Why no sample could be drawn.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SelectError {
    /// The input cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The free predicate is not valid SQL over the session columns.
    #[error("`sessions.filter.where` is not a predicate over the session columns: {reason}")]
    Predicate {
        /// What is wrong with it.
        reason: String,
    },
    /// No session is left.
    #[error("no session is left of {loaded}: {}{}", explain(filters), name_retrievers(retrievers.as_deref()))]
    Nothing {
        /// Sessions in the input.
        loaded: u64,
        /// What each filter removed.
        filters: Vec<FilterCount>,
        /// Some retrievers of the input's sessions, where a filter asks for others alone.
        retrievers: Option<Vec<String>>,
    },
    /// The memory does not suffice, even with what can be spilled to disk.
    #[error(
        "selecting the sessions needs more than the {} MiB of memory that it may use; raise the limit with `--memory-limit`",
        limit_bytes >> 20
    )]
    Memory {
        /// The limit.
        limit_bytes: usize,
        /// What could not be had.
        #[source]
        source: Box<DataFusionError>,
    },
    /// There are more strata than fit in memory.
    #[error(
        "a sample stratified by `{by}` has more than {strata} strata, too many for the {} MiB of memory that it may use; \
         stratify by a column with fewer values, or raise the limit with `--memory-limit`",
        limit_bytes >> 20
    )]
    Strata {
        /// The column.
        by: String,
        /// How many strata were met.
        strata: usize,
        /// The limit.
        limit_bytes: usize,
    },
    /// There is no place for what does not fit in memory.
    #[error("no folder can be made for what does not fit in memory")]
    Scratch(#[source] std::io::Error),
    /// The sample's rows did not come in the order of their ids.
    #[error("the sample is not sorted: session `{after}` came before `{before}`; this is a defect of rematch")]
    Order {
        /// The id that came first.
        after: String,
        /// The id that should have.
        before: String,
    },
    /// The thread that writes the sample died.
    #[error("the thread that writes the sample died")]
    Worker(#[from] tokio::task::JoinError),
    /// DataFusion failed.
    #[error("the sessions cannot be selected")]
    Engine(#[from] DataFusionError),
    /// The rows do not fit the session schema.
    #[error("the selected rows do not fit the session schema")]
    Rows(#[from] ArrowError),
    /// The sample cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn explain(filters: &[FilterCount]) -> String {
    let removed: Vec<String> = filters
        .iter()
        .filter(|count| count.removed > 0)
        .map(|count| format!("`{}` removed {}", count.filter, count.removed))
        .collect();
    if removed.is_empty() { "the input is empty".to_owned() } else { removed.join(", then ") }
}

fn name_retrievers(retrievers: Option<&[String]>) -> String {
    match retrievers {
        None => String::new(),
        Some([]) => "; no session names the retriever that answered it".to_owned(),
        Some(some) => format!("; sessions have retriever ids such as `{}`", some.join("`, `")),
    }
}
