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
    #[error("no session is left of {loaded}: {}", explain(filters))]
    Nothing {
        /// Sessions in the input.
        loaded: u64,
        /// What each filter removed.
        filters: Vec<FilterCount>,
    },
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
