//! The vectors of one corpus column, read once and shared by every pipeline that searches them.

use super::super::item_order::ItemOrder;
use super::nearness::squared_length;
use crate::benchmark::CorpusPlan;
use crate::load::{LoadError, Vectors};

/// The vectors of a corpus column in memory: 4 bytes per element, and about 40 bytes and the item id per vector.
#[derive(Debug)]
pub struct VectorTable {
    corpus: String,
    vectors: Vectors,
    order: ItemOrder,
    /// Euclidean lengths.
    lengths: Vec<f64>,
}

impl VectorTable {
    /// Reads a column of a corpus.
    ///
    /// # Errors
    ///
    /// Returns an error that names file and row, see [`Vectors::read`].
    pub fn read(corpus: &CorpusPlan, column: &str) -> Result<Self, LoadError> {
        Ok(Self::new(&corpus.name, Vectors::read(corpus, column)?))
    }

    /// Returns the table of vectors that were read from the corpus of that name.
    #[must_use]
    pub fn new(corpus: &str, mut vectors: Vectors) -> Self {
        let order = ItemOrder::new(std::mem::take(&mut vectors.ids));
        let lengths = vectors.values.chunks_exact(vectors.dimension.max(1));
        let lengths = lengths.map(|vector| squared_length(vector).sqrt()).collect();
        Self { corpus: corpus.to_owned(), vectors, order, lengths }
    }

    /// Returns the number of vectors.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lengths.len()
    }

    /// Returns whether there is no vector.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    /// Returns the elements of each vector.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.vectors.dimension
    }

    /// Returns the corpus's name in the benchmark file.
    pub(super) fn corpus(&self) -> &str {
        &self.corpus
    }

    pub(super) fn order(&self) -> &ItemOrder {
        &self.order
    }

    /// Returns every vector, one after the other.
    pub(super) fn values(&self) -> &[f32] {
        &self.vectors.values
    }

    pub(super) fn vector(&self, document: u32) -> &[f32] {
        self.vectors.vector(document as usize)
    }

    pub(super) fn lengths(&self) -> &[f64] {
        &self.lengths
    }

    /// Returns the Euclidean length of a vector.
    pub(super) fn length(&self, document: u32) -> f64 {
        self.lengths.get(document as usize).copied().unwrap_or(0.0)
    }

    /// Returns an error where a vector is all zeros, which has no direction.
    pub(super) fn check_directions(&self) -> Result<(), LoadError> {
        let Some(place) = self.lengths.iter().position(|length| *length == 0.0) else { return Ok(()) };
        let reason =
            "the vector is all zeros and has no cosine; take the row out, or use `metric = \"dot\"` or `\"l2\"`";
        Err(self.vectors.refuse(place, reason.to_owned()))
    }
}
