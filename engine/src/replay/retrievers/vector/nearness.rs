//! How near a vector is to a query: exactly, and bounds from a product of matrices in 32 bits.

use std::sync::Arc;

use super::super::top::{Candidate, Top};
use super::VectorTable;
use crate::benchmark::stages::VectorMetric;

/// Documents that are multiplied at once: few enough for the products with a block of queries, 1 MiB, to stay in the processor's
/// cache until they are read, which is a fifth faster than four times as many.
pub(super) const BLOCK: usize = 1024;

/// Half the distance from 1 to the next 32-bit float: the relative error of one rounding.
const ROUNDING: f64 = f32::EPSILON as f64 / 2.0;
/// What all roundings of subnormal products of one vector may add up to, far above it.
const UNDERFLOW: f64 = 1e-30;
/// Products up to this neither overflow 32 bits nor lose their bounds.
const LARGEST: f64 = 1e36;
/// Elements up to which the error of a sum has a useful bound.
const MOST_ELEMENTS: usize = 1 << 20;

/// A query with its Euclidean length.
#[derive(Debug, Clone, Copy)]
pub(super) struct Query<'a> {
    pub(super) vector: &'a [f32],
    pub(super) length: f64,
}

impl<'a> Query<'a> {
    pub(super) fn new(vector: &'a [f32]) -> Self {
        Self { vector, length: squared_length(vector).sqrt() }
    }
}

/// A table under a metric.
///
/// The product of query and vector in 32 bits, times the vector's `scale`, plus its `offset`, orders as the score does; it is
/// the *sum* of the vector. A sum is off by at most `slope` times the query's length plus `floor`, plus [`Nearness::noise`].
#[derive(Debug)]
pub(super) struct Nearness {
    table: Arc<VectorTable>,
    metric: VectorMetric,
    scale: Vec<f32>,
    offset: Vec<f32>,
    slope: Vec<f32>,
    floor: Vec<f32>,
    /// The greatest slope and floor of each block.
    blocks: Vec<(f64, f64)>,
    /// The greatest length; infinite where some sum may leave 32 bits.
    longest: f64,
}

/// How sums of a query become scores: `score = factor * sum + shift`, off by at most `error` per unit of the sum's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Conversion {
    pub(super) factor: f64,
    pub(super) shift: f64,
}

impl Nearness {
    pub(super) fn new(table: Arc<VectorTable>, metric: VectorMetric) -> Self {
        let product_error = (table.dimension() as f64 + 8.0) * ROUNDING * 1.01;
        let bounds = |length: f64| match metric {
            VectorMetric::Dot => (1.0, 0.0, (product_error + 4.0 * ROUNDING) * length, UNDERFLOW),
            VectorMetric::Cosine => (1.0 / length, 0.0, product_error + 8.0 * ROUNDING, 2.0 * UNDERFLOW / length),
            VectorMetric::L2 => {
                let half = length * length / 2.0;
                (1.0, -half, (product_error + 8.0 * ROUNDING) * length, 16.0 * ROUNDING * half + UNDERFLOW)
            }
        };
        let all = || table.lengths().iter().map(|length| bounds(*length));
        let scale: Vec<f32> = all().map(|(scale, ..)| scale as f32).collect();
        let offset: Vec<f32> = all().map(|(_, offset, ..)| offset as f32).collect();
        let slope: Vec<f32> = all().map(|(_, _, slope, _)| rounded_up(slope)).collect();
        let floor: Vec<f32> = all().map(|(.., floor)| rounded_up(floor)).collect();
        let greatest = |values: &[f32]| values.iter().fold(0.0, |most: f64, value| most.max(f64::from(*value)));
        let blocks = slope.chunks(BLOCK).zip(floor.chunks(BLOCK));
        let blocks = blocks.map(|(slope, floor)| (greatest(slope), greatest(floor))).collect();
        let longest = table.lengths().iter().fold(0.0, |longest: f64, length| longest.max(*length));
        let finite = scale.iter().chain(&offset).chain(&slope).chain(&floor).all(|value| value.is_finite());
        let bounded = finite && longest * longest < LARGEST && table.dimension() <= MOST_ELEMENTS;
        let longest = if bounded { longest } else { f64::INFINITY };
        Self { table, metric, scale, offset, slope, floor, blocks, longest }
    }

    pub(super) fn table(&self) -> &VectorTable {
        &self.table
    }

    pub(super) fn metric(&self) -> VectorMetric {
        self.metric
    }

    /// Returns whether the sums of a query have bounds.
    pub(super) fn is_bounded(&self, query: &Query<'_>) -> bool {
        query.length * self.longest.max(1.0) < LARGEST && query.length * query.length < LARGEST && query.length > 0.0
    }

    /// Returns the scales and offsets of a block of documents.
    pub(super) fn factors(&self, block: usize) -> (&[f32], &[f32]) {
        let start = (block * BLOCK).min(self.scale.len());
        let end = (start + BLOCK).min(self.scale.len());
        (self.scale.get(start..end).unwrap_or_default(), self.offset.get(start..end).unwrap_or_default())
    }

    /// Returns by how much any sum of a block may be off.
    pub(super) fn block_error(&self, query: &Query<'_>, block: usize) -> f64 {
        let (slope, floor) = self.blocks.get(block).copied().unwrap_or((f64::INFINITY, f64::INFINITY));
        slope * query.length + floor + self.noise(query)
    }

    /// Returns by how much the sum of a document may be off.
    pub(super) fn error(&self, query: &Query<'_>, document: usize) -> f64 {
        let of = |values: &[f32]| values.get(document).copied().map_or(f64::INFINITY, f64::from);
        of(&self.slope) * query.length + of(&self.floor) + self.noise(query)
    }

    /// Returns what the query's own length adds to the error: squared distances are rounded too, in 64 bits.
    fn noise(&self, query: &Query<'_>) -> f64 {
        match self.metric {
            VectorMetric::L2 => {
                (self.table.dimension() as f64 + 8.0) * 4.0 * f64::EPSILON * query.length * query.length
            }
            VectorMetric::Dot | VectorMetric::Cosine => 0.0,
        }
    }

    /// Returns how the sums of a query become scores.
    pub(super) fn conversion(&self, query: &Query<'_>) -> Conversion {
        match self.metric {
            VectorMetric::Dot => Conversion { factor: 1.0, shift: 0.0 },
            VectorMetric::Cosine => Conversion { factor: 1.0 / query.length, shift: 0.0 },
            VectorMetric::L2 => Conversion { factor: 2.0, shift: -query.length * query.length },
        }
    }

    /// Returns the score, in 64 bits and always summed in the same order.
    pub(super) fn score(&self, query: &Query<'_>, document: u32) -> f64 {
        let vector = self.table.vector(document);
        match self.metric {
            VectorMetric::Dot => dot(query.vector, vector),
            VectorMetric::Cosine => dot(query.vector, vector) / (query.length * self.table.length(document)),
            VectorMetric::L2 => -squared_distance(query.vector, vector),
        }
    }

    /// Returns a document with its score, ready to be ranked.
    pub(super) fn candidate(&self, query: &Query<'_>, document: u32) -> Candidate {
        Candidate { score: self.score(query, document), id_order: self.table.order().place(document) }
    }

    /// Returns the best `depth` documents, comparing each of them in 64 bits.
    pub(super) fn compare_all(&self, query: &Query<'_>, depth: usize) -> Vec<Candidate> {
        let mut top = Top::new(depth);
        let documents = u32::try_from(self.table.len()).unwrap_or(u32::MAX);
        (0..documents).for_each(|document| top.push(self.candidate(query, document)));
        top.into_sorted()
    }
}

fn rounded_up(value: f64) -> f32 {
    (value as f32).next_up()
}

/// Sums that are added up side by side, so that the processor need not wait for one addition before the next.
const LANES: usize = 8;

/// Returns the sum of `term` over both vectors, in an order that depends on nothing but their length.
fn sum(left: &[f32], right: &[f32], term: impl Fn(f64, f64) -> f64) -> f64 {
    let mut lanes = [0.0_f64; LANES];
    let (left, left_rest) = left.as_chunks::<LANES>();
    let (right, right_rest) = right.as_chunks::<LANES>();
    for (left, right) in left.iter().zip(right) {
        for (lane, (left, right)) in lanes.iter_mut().zip(left.iter().zip(right)) {
            *lane += term(f64::from(*left), f64::from(*right));
        }
    }
    for (lane, (left, right)) in lanes.iter_mut().zip(left_rest.iter().zip(right_rest)) {
        *lane += term(f64::from(*left), f64::from(*right));
    }
    lanes.iter().sum()
}

fn dot(left: &[f32], right: &[f32]) -> f64 {
    sum(left, right, |left, right| left * right)
}

fn squared_distance(left: &[f32], right: &[f32]) -> f64 {
    sum(left, right, |left, right| (left - right) * (left - right))
}

/// Returns the square of a vector's Euclidean length.
pub(super) fn squared_length(vector: &[f32]) -> f64 {
    dot(vector, vector)
}
