//! Where in a run a session lies, and which ids are like one that is not there.

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::error::ArrowError;

use super::BreakdownError;
use crate::schema::column;
use crate::store::TableReader;

/// Ids that are named where a session is not there.
const NEAREST: usize = 3;

/// Returns the chunk of a session and its row there. Every id is looked at: chunks of a run that may stop early are in random order.
///
/// # Errors
///
/// Where the sample cannot be read, or has no such session; then with the ids that are most like it.
pub(super) fn find(sample: &TableReader, session: &str) -> Result<(usize, usize), BreakdownError> {
    let mut near: Vec<(f64, String)> = Vec::new();
    for chunk in 0..sample.groups() {
        let batch = sample.group_columns(chunk, &[column::SESSION_ID])?;
        let ids = batch.column_by_name(column::SESSION_ID).and_then(|column| column.as_string_opt::<i32>());
        let missing = || ArrowError::SchemaError(format!("no text column `{}`", column::SESSION_ID));
        let ids = ids.ok_or_else(|| BreakdownError::table(sample.path(), missing()))?;
        for row in 0..ids.len() {
            let id = ids.value(row);
            if id == session {
                return Ok((chunk, row));
            }
            keep(&mut near, strsim::jaro_winkler(session, id), id);
        }
    }
    Err(BreakdownError::Session { session: session.to_owned(), near: near.into_iter().map(|(_, id)| id).collect() })
}

/// Keeps the most alike, of equals the first in alphabetical order, so that the order of the sessions does not matter.
fn keep(near: &mut Vec<(f64, String)>, likeness: f64, id: &str) {
    let place = near.partition_point(|(other, known)| *other > likeness || (*other == likeness && known.as_str() < id));
    if place < NEAREST {
        near.insert(place, (likeness, id.to_owned()));
        near.truncate(NEAREST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_alike_are_kept_in_whatever_order_they_come() {
        let kept = |ids: &[&str]| {
            let mut near = Vec::new();
            ids.iter().for_each(|id| keep(&mut near, strsim::jaro_winkler("s001", id), id));
            near.into_iter().map(|(_, id)| id).collect::<Vec<_>>()
        };
        let found = kept(&["s001x", "z", "s00", "s002", "q"]);
        assert_eq!(found, kept(&["q", "s002", "s00", "z", "s001x"]));
        assert_eq!(found.len(), 3);
        assert!(!found.contains(&"z".to_owned()), "{found:?}");
    }
}
