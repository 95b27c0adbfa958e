//! Builders of the WIT's column types.

use std::collections::HashMap;

use super::bindings::exports::rematch::scoring::guest;

/// A column has more rows or bytes than a 32-bit guest can count.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the batch has a column of more than 4,294,967,295 rows or bytes, which a component cannot address")]
pub(super) struct ColumnTooLong;

fn index(len: usize) -> Result<u32, ColumnTooLong> {
    u32::try_from(len).map_err(|_| ColumnTooLong)
}

/// Where each session's rows end.
#[derive(Debug, Default)]
pub(super) struct Offsets(Vec<u32>);

impl Offsets {
    /// Marks the end of a session's rows; `rows` is the length of the column so far.
    pub(super) fn end(&mut self, rows: usize) -> Result<(), ColumnTooLong> {
        if self.0.is_empty() {
            self.0.push(0);
        }
        self.0.push(index(rows)?);
        Ok(())
    }

    /// Returns the offsets of a column that was asked for: at least the leading 0.
    pub(super) fn begin() -> Self {
        Self(vec![0])
    }

    pub(super) fn as_slice(&self) -> &[u32] {
        &self.0
    }
}

/// A column of texts.
#[derive(Debug, Default)]
pub(super) struct Texts {
    offsets: Offsets,
    bytes: Vec<u8>,
}

impl Texts {
    pub(super) fn begin() -> Self {
        Self { offsets: Offsets::begin(), bytes: Vec::new() }
    }

    pub(super) fn of<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, ColumnTooLong> {
        let mut column = Self::begin();
        for text in texts {
            column.push(text)?;
        }
        Ok(column)
    }

    pub(super) fn push(&mut self, text: &str) -> Result<(), ColumnTooLong> {
        self.bytes.extend_from_slice(text.as_bytes());
        self.offsets.end(self.bytes.len())
    }

    pub(super) fn len(&self) -> usize {
        self.offsets.0.len().saturating_sub(1)
    }

    pub(super) fn lower(&self) -> guest::TextsParam<'_> {
        guest::TextsParam { offsets: self.offsets.as_slice(), bytes: &self.bytes }
    }
}

/// A column some of whose values are missing.
#[derive(Debug, Default)]
pub(super) struct Optional<T> {
    values: Vec<T>,
    known: Vec<bool>,
}

impl<T: Default> Optional<T> {
    pub(super) fn push(&mut self, value: Option<T>) {
        self.known.push(value.is_some());
        self.values.push(value.unwrap_or_default());
    }
}

impl Optional<f64> {
    pub(super) fn lower(&self) -> guest::OptionalNumbers<'_> {
        guest::OptionalNumbers { values: &self.values, known: &self.known }
    }
}

impl Optional<i64> {
    pub(super) fn lower(&self) -> guest::OptionalTimes<'_> {
        guest::OptionalTimes { values: &self.values, known: &self.known }
    }
}

/// Numbers for texts, in order of first appearance.
#[derive(Debug, Default)]
pub(super) struct Interner<'a> {
    numbers: HashMap<&'a str, u32>,
    texts: Vec<&'a str>,
}

impl<'a> Interner<'a> {
    pub(super) fn number(&mut self, text: &'a str) -> Result<u32, ColumnTooLong> {
        if let Some(number) = self.numbers.get(text) {
            return Ok(*number);
        }
        let number = index(self.texts.len())?;
        self.numbers.insert(text, number);
        self.texts.push(text);
        Ok(number)
    }

    /// Returns the texts in order of their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = &'a str> {
        self.texts.iter().copied()
    }

    pub(super) fn texts(&self) -> Result<Texts, ColumnTooLong> {
        Texts::of(self.texts.iter().copied())
    }
}
