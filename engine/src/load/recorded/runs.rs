//! Consecutive rows of one session, told without looking at more than needs be.

use std::ops::Range;
use std::path::Path;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringArray};
use datafusion::arrow::datatypes::{DataType, Int32Type};

use super::columns::text;
use crate::load::LoadError;

/// Rows of a batch grouped by session.
pub(super) struct Runs {
    /// One per run, none null.
    pub ids: StringArray,
    pub bounds: Vec<Range<usize>>,
}

impl Runs {
    /// Groups consecutive rows of the same session. A dictionary is compared by its keys; runs are taken as they are.
    ///
    /// # Errors
    ///
    /// Names the first row, numbered by `row`, whose session is null.
    pub(super) fn of(
        path: &Path,
        name: &str,
        sessions: &ArrayRef,
        row: impl Fn(usize) -> u64,
    ) -> Result<Self, LoadError> {
        if let Some(nulls) = sessions.logical_nulls().filter(|nulls| nulls.null_count() > 0) {
            let index = (0..nulls.len()).find(|index| nulls.is_null(*index)).unwrap_or_default();
            let reason = format!("`{name}` is null");
            return Err(LoadError::Row { path: path.to_owned(), row: row(index), reason });
        }
        if let Some(runs) = sessions.as_run_opt::<Int32Type>()
            && let Some(ids) = runs.values().as_string_opt::<i32>()
        {
            let ends = runs.run_ends().sliced_values().filter_map(|end| usize::try_from(end).ok());
            let starts = std::iter::once(0).chain(ends).take_while(|start| *start < runs.len()).collect();
            return Ok(Self::new(starts, runs.len(), |row| ids.value(runs.get_physical_index(row))));
        }
        let by_key = match sessions.data_type() {
            DataType::Dictionary(key, value) if **key == DataType::Int32 && **value == DataType::Utf8 => {
                sessions.as_dictionary_opt::<Int32Type>().and_then(|array| array.downcast_dict::<StringArray>())
            }
            _ => None,
        };
        if let Some(dictionary) = by_key {
            let keys = dictionary.keys().values();
            let id = |index: usize| {
                let key = keys.get(index).and_then(|key| usize::try_from(*key).ok());
                key.map(|key| dictionary.values().value(key)).unwrap_or_default()
            };
            // Two keys may stand for equal text.
            return Ok(Self::new(starts_of_keys(keys), keys.len(), id));
        }
        let texts = text(path, name, sessions)?;
        let same = |index: usize| texts.value(index) != texts.value(index + 1);
        let starts = starts((0..texts.len().saturating_sub(1)).map(same), texts.len());
        Ok(Self::new(starts, texts.len(), |index| texts.value(index)))
    }

    fn new<'a>(mut starts: Vec<usize>, rows: usize, id: impl Fn(usize) -> &'a str) -> Self {
        starts.dedup_by(|next, start| id(*next) == id(*start));
        let ids = StringArray::from_iter_values(starts.iter().map(|start| id(*start)));
        let ends = starts.iter().skip(1).copied().chain([rows]);
        let bounds = starts.iter().zip(ends).map(|(start, end)| *start..end).collect();
        Self { ids, bounds }
    }
}

/// Keys that are looked at together: most of them are those of one run.
const KEYS_AT_ONCE: usize = 32;

/// Returns the rows that start a run of equal keys.
fn starts_of_keys(keys: &[i32]) -> Vec<usize> {
    let Some(mut last) = keys.first().copied() else { return Vec::new() };
    let mut starts = vec![0];
    for (piece, first) in keys.chunks(KEYS_AT_ONCE).zip((0..).step_by(KEYS_AT_ONCE)) {
        if piece.iter().fold(0, |differing, key| differing | (key ^ last)) == 0 {
            continue;
        }
        for (key, row) in piece.iter().zip(first..) {
            if *key != last {
                starts.push(row);
                last = *key;
            }
        }
    }
    starts
}

/// Returns the rows that start a run: the first, and those at which the value changes.
fn starts(changes: impl Iterator<Item = bool>, rows: usize) -> Vec<usize> {
    let first = (rows > 0).then_some(0);
    first.into_iter().chain((1..).zip(changes).filter_map(|(row, changed)| changed.then_some(row))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keys_that_are_looked_at_together_start_the_same_runs(
            runs in prop::collection::vec((0_i32..3, prop_oneof![1_usize..4, 30_usize..70]), 0..12),
        ) {
            let keys: Vec<i32> = runs.iter().flat_map(|(key, length)| std::iter::repeat_n(*key, *length)).collect();
            let one_by_one = starts(keys.windows(2).map(|pair| pair[0] != pair[1]), keys.len());
            prop_assert_eq!(starts_of_keys(&keys), one_by_one);
        }
    }
}
