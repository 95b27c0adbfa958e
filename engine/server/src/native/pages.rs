//! Pages of lists.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::platform::error::ApiError;

/// Rows of a page where nothing is said.
const USUAL: u32 = 100;

/// Rows of a page, at most.
const MOST: u32 = 1000;

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// Entries of the page; 100 where it is not given.
    #[param(minimum = 1, maximum = 1000)]
    pub(super) limit: Option<u32>,
    /// Where the page begins: `next_cursor` of the one before.
    pub(super) cursor: Option<String>,
}

/// A page of a list. What comes and goes meanwhile moves no other entry to another page.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Page<T> {
    /// The entries.
    pub(super) items: Vec<T>,
    /// Where the next page begins; null on the last one.
    pub(super) next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// Returns the page of what was found by asking for one entry more than it has.
    pub(super) fn of<R>(
        mut found: Vec<R>,
        limit: usize,
        cursor: impl Fn(&R) -> String,
        entry: impl Fn(R) -> T,
    ) -> Self {
        let is_last = found.len() <= limit;
        found.truncate(limit);
        let next_cursor = if is_last { None } else { found.last().map(cursor) };
        Self { items: found.into_iter().map(entry).collect(), next_cursor }
    }
}

/// Returns the number of entries that is asked for.
pub(super) fn limit(asked: Option<u32>) -> Result<usize, ApiError> {
    let limit = asked.unwrap_or(USUAL);
    if (1..=MOST).contains(&limit) {
        return Ok(limit as usize);
    }
    Err(ApiError::invalid(&["query", "limit"], "out_of_range", format!("`limit` is {limit}, expected 1 to {MOST}")))
}
