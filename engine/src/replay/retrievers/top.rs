//! The best hits seen so far.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// A scored document; the greater one ranks first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Candidate {
    pub(super) score: f64,
    /// The place of the document's item id among all ids in ascending order; it breaks ties.
    pub(super) id_order: u32,
}

impl Eq for Candidate {}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then_with(|| other.id_order.cmp(&self.id_order))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The `depth` greatest candidates pushed.
pub(super) struct Top {
    depth: usize,
    heap: BinaryHeap<Reverse<Candidate>>,
}

impl Top {
    pub(super) fn new(depth: usize) -> Self {
        Self { depth, heap: BinaryHeap::new() }
    }

    pub(super) fn push(&mut self, candidate: Candidate) {
        if self.heap.len() < self.depth {
            self.heap.push(Reverse(candidate));
        } else if let Some(mut last) = self.heap.peek_mut()
            && candidate > last.0
        {
            *last = Reverse(candidate);
        }
    }

    /// Returns the score that a candidate must reach to be kept, whatever its id; any score above 0 does at first.
    pub(super) fn least_score(&self) -> f64 {
        let least = self.heap.peek().filter(|_| self.heap.len() >= self.depth);
        least.map_or(f64::from_bits(1), |last| last.0.score)
    }

    /// Returns the candidates, best first.
    pub(super) fn into_sorted(self) -> Vec<Candidate> {
        self.heap.into_sorted_vec().into_iter().map(|Reverse(candidate)| candidate).collect()
    }
}
