//! Views into the columns of a batch.

use std::ops::Range;

use crate::{Batch, Session, Texts};

impl Batch {
    /// Iterates over the sessions of the batch.
    pub fn sessions(&self) -> impl ExactSizeIterator<Item = Session<'_>> + '_ {
        (0..self.len as usize).map(|index| Session::new(self, index))
    }

    /// Returns the field of that name, one text per item number; `None` where the benchmark does not name it.
    #[must_use]
    pub fn item_field(&self, name: &str) -> Option<&Texts> {
        self.item_fields.iter().find(|field| field.name == name).map(|field| &field.values)
    }
}

impl Texts {
    /// Returns the number of texts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Returns whether there is no text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the text at `index`; `None` beyond the last one.
    ///
    /// # Panics
    ///
    /// Panics where the column breaks the contract: offsets outside of its bytes, or bytes that are no UTF-8.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&str> {
        let (start, end) = (*self.offsets.get(index)?, *self.offsets.get(index + 1)?);
        match std::str::from_utf8(&self.bytes[start as usize..end as usize]) {
            Ok(text) => Some(text),
            Err(error) => panic!("text {index} of a column is no UTF-8: {error}"),
        }
    }

    /// Iterates over the texts.
    pub fn iter(&self) -> impl Iterator<Item = &str> + '_ {
        (0..self.len()).filter_map(|index| self.get(index))
    }
}

/// Returns the rows of a session.
#[inline]
pub(crate) fn rows(offsets: &[u32], session: usize, column: &str) -> Range<usize> {
    match (offsets.get(session), offsets.get(session + 1)) {
        (Some(&start), Some(&end)) => start as usize..end as usize,
        _ => was_not_asked_for(column),
    }
}

/// Returns the value at `row` where it is known.
#[inline]
pub(crate) fn known<T: Copy>(values: &[T], known: &[bool], row: usize, column: &str) -> Option<T> {
    match (values.get(row), known.get(row)) {
        (Some(&value), Some(&known)) => known.then_some(value),
        _ => was_not_asked_for(column),
    }
}

/// Ends the call: a column that the host was not asked for is empty, and to go on with it would be silently wrong.
#[cold]
#[inline(never)]
pub(crate) fn was_not_asked_for(column: &str) -> ! {
    panic!("the scorer reads a column that its description does not ask for; add `Columns::{column}` to `needs`")
}
