//! Builders of the WIT's column types.

use std::collections::HashMap;

use super::bindings::exports::rematch::scoring::guest;
use super::bindings::stages::rematch::scoring::stage_types;
use crate::session::Session;

/// A column has more rows or bytes than a 32-bit guest can count.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the batch has a column of more than 4,294,967,295 rows or bytes, which a component cannot address")]
pub(crate) struct ColumnTooLong;

fn index(len: usize) -> Result<u32, ColumnTooLong> {
    u32::try_from(len).map_err(|_| ColumnTooLong)
}

/// Where each session's rows end.
#[derive(Debug, Default)]
pub(crate) struct Offsets(Vec<u32>);

impl Offsets {
    /// Marks the end of a session's rows; `rows` is the length of the column so far.
    pub(crate) fn end(&mut self, rows: usize) -> Result<(), ColumnTooLong> {
        if self.0.is_empty() {
            self.0.push(0);
        }
        self.0.push(index(rows)?);
        Ok(())
    }

    /// Returns the offsets of a column that was asked for: at least the leading 0.
    pub(crate) fn begin() -> Self {
        Self(vec![0])
    }

    pub(crate) fn as_slice(&self) -> &[u32] {
        &self.0
    }
}

/// A column of texts.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    offsets: Offsets,
    bytes: Vec<u8>,
}

impl Texts {
    pub(crate) fn begin() -> Self {
        Self { offsets: Offsets::begin(), bytes: Vec::new() }
    }

    pub(crate) fn of<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, ColumnTooLong> {
        let mut column = Self::begin();
        for text in texts {
            column.push(text)?;
        }
        Ok(column)
    }

    pub(crate) fn push(&mut self, text: &str) -> Result<(), ColumnTooLong> {
        self.bytes.extend_from_slice(text.as_bytes());
        self.offsets.end(self.bytes.len())
    }

    pub(crate) fn len(&self) -> usize {
        self.offsets.0.len().saturating_sub(1)
    }

    pub(crate) fn lower(&self) -> guest::TextsParam<'_> {
        guest::TextsParam { offsets: self.offsets.as_slice(), bytes: &self.bytes }
    }

    /// As [`Texts::lower`], for stages.
    pub(crate) fn lower_for_stage(&self) -> stage_types::Texts<'_> {
        stage_types::Texts { offsets: self.offsets.as_slice(), bytes: &self.bytes }
    }
}

/// A column some of whose values are missing.
#[derive(Debug, Default)]
pub(crate) struct Optional<T> {
    values: Vec<T>,
    known: Vec<bool>,
}

impl<T: Default> Optional<T> {
    pub(crate) fn push(&mut self, value: Option<T>) {
        self.known.push(value.is_some());
        self.values.push(value.unwrap_or_default());
    }
}

impl Optional<f64> {
    pub(crate) fn lower(&self) -> guest::OptionalNumbers<'_> {
        guest::OptionalNumbers { values: &self.values, known: &self.known }
    }

    /// As [`Optional::lower`], for stages.
    pub(crate) fn lower_for_stage(&self) -> stage_types::OptionalNumbers<'_> {
        stage_types::OptionalNumbers { values: &self.values, known: &self.known }
    }
}

impl Optional<i64> {
    pub(crate) fn lower(&self) -> guest::OptionalTimes<'_> {
        guest::OptionalTimes { values: &self.values, known: &self.known }
    }

    /// As [`Optional::lower`], for stages.
    pub(crate) fn lower_for_stage(&self) -> stage_types::OptionalTimes<'_> {
        stage_types::OptionalTimes { values: &self.values, known: &self.known }
    }
}

/// The query vectors of sessions.
#[derive(Debug, Default)]
pub(crate) struct Vectors {
    offsets: Offsets,
    values: Vec<f32>,
}

impl Vectors {
    pub(crate) fn of<'a>(sessions: impl IntoIterator<Item = &'a Session>) -> Result<Self, ColumnTooLong> {
        let mut column = Self { offsets: Offsets::begin(), ..Self::default() };
        for session in sessions {
            column.values.extend_from_slice(session.query_vector.as_deref().unwrap_or_default());
            column.offsets.end(column.values.len())?;
        }
        Ok(column)
    }

    pub(crate) fn lower(&self) -> guest::Vectors<'_> {
        guest::Vectors { offsets: self.offsets.as_slice(), values: &self.values }
    }

    /// As [`Vectors::lower`], for stages.
    pub(crate) fn lower_for_stage(&self) -> stage_types::Vectors<'_> {
        stage_types::Vectors { offsets: self.offsets.as_slice(), values: &self.values }
    }
}

/// The taxonomy paths of sessions.
#[derive(Debug, Default)]
pub(crate) struct Taxonomy {
    offsets: Offsets,
    paths: Texts,
}

impl Taxonomy {
    pub(crate) fn of<'a>(sessions: impl IntoIterator<Item = &'a Session>) -> Result<Self, ColumnTooLong> {
        let mut column = Self { offsets: Offsets::begin(), paths: Texts::begin() };
        for session in sessions {
            for path in &session.taxonomy {
                column.paths.push(path)?;
            }
            column.offsets.end(column.paths.len())?;
        }
        Ok(column)
    }

    pub(crate) fn lower(&self) -> guest::TaxonomyRows<'_> {
        guest::TaxonomyRows { offsets: self.offsets.as_slice(), paths: self.paths.lower() }
    }

    /// As [`Taxonomy::lower`], for stages.
    pub(crate) fn lower_for_stage(&self) -> stage_types::TaxonomyRows<'_> {
        stage_types::TaxonomyRows { offsets: self.offsets.as_slice(), paths: self.paths.lower_for_stage() }
    }
}

/// Numbers for texts, in order of first appearance.
#[derive(Debug, Default)]
pub(crate) struct Interner<'a> {
    numbers: HashMap<&'a str, u32>,
    texts: Vec<&'a str>,
}

impl<'a> Interner<'a> {
    pub(crate) fn number(&mut self, text: &'a str) -> Result<u32, ColumnTooLong> {
        if let Some(number) = self.numbers.get(text) {
            return Ok(*number);
        }
        let number = index(self.texts.len())?;
        self.numbers.insert(text, number);
        self.texts.push(text);
        Ok(number)
    }

    /// Returns the texts in order of their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &'a str> {
        self.texts.iter().copied()
    }

    pub(crate) fn texts(&self) -> Result<Texts, ColumnTooLong> {
        Texts::of(self.texts.iter().copied())
    }
}
