//! What a query costs among 100,000 vectors of 384 dimensions: in blocks, and alone in a loop that the compiler makes SIMD of.
//! Run by hand, optimised: `cargo test --release --workspace --lib -- --ignored --nocapture vector::speed`.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use super::super::top::{Candidate, Top};
use super::nearness::{Nearness, Query};
use super::{VectorTable, scan};
use crate::benchmark::stages::VectorMetric;
use crate::load::Vectors;

const VECTORS: usize = 100_000;
const DIMENSION: usize = 384;
const QUERIES: usize = 512;
/// The loop is slow, and each of its queries costs the same.
const QUERIES_ALONE: usize = 32;
const DEPTH: usize = 10;
const ROUNDS: usize = 3;

fn noise(count: usize, mut state: u64) -> Vec<f32> {
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 24) as f32 - 0.5
    };
    (0..count * DIMENSION).map(|_| next()).collect()
}

fn alone(table: &VectorTable, query: &[f32]) -> Vec<Candidate> {
    const LANES: usize = 16;
    let mut top = Top::new(DEPTH);
    for (document, vector) in (0..).zip(table.values().chunks_exact(DIMENSION)) {
        let mut sums = [0.0_f32; LANES];
        for (left, right) in query.as_chunks::<LANES>().0.iter().zip(vector.as_chunks::<LANES>().0) {
            sums.iter_mut().zip(left.iter().zip(right)).for_each(|(sum, (left, right))| *sum += left * right);
        }
        let score = f64::from(sums.iter().sum::<f32>()) / table.length(document);
        top.push(Candidate { score, id_order: table.order().place(document) });
    }
    top.into_sorted()
}

/// Returns the queries per second of the best round.
fn best(queries: usize, mut round: impl FnMut()) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let started = Instant::now();
        round();
        best = best.min(started.elapsed().as_secs_f64());
    }
    queries as f64 / best
}

#[test]
#[ignore = "measures, and means something only when it is optimised"]
fn blocks_against_a_loop() {
    let ids = (0..VECTORS).map(|number| number.to_string()).collect();
    let table = Arc::new(VectorTable::new("docs", Vectors::new(ids, DIMENSION, noise(VECTORS, 1))));
    let nearness = Nearness::new(Arc::clone(&table), VectorMetric::Cosine);
    let queries = noise(QUERIES, 2);
    let queries: Vec<Query<'_>> = queries.chunks_exact(DIMENSION).map(Query::new).collect();
    let mut found = Vec::new();
    let in_blocks = best(QUERIES, || {
        let blocks = queries.chunks(256);
        found = blocks.flat_map(|some| scan::nearest(&nearness, some, DEPTH, &AtomicBool::new(false))).collect();
    });
    let mut found_alone = Vec::new();
    let one_by_one = best(QUERIES_ALONE, || {
        found_alone = queries.iter().take(QUERIES_ALONE).map(|query| alone(&table, query.vector)).collect();
    });
    for (blocks, alone) in found.iter().zip(&found_alone) {
        let ids = |found: &[Candidate]| found.iter().map(|candidate| candidate.id_order).collect::<Vec<_>>();
        assert_eq!(ids(blocks), ids(alone));
    }
    let ratio = in_blocks / one_by_one;
    eprintln!("in blocks {in_blocks:.0} queries/s, alone {one_by_one:.0} queries/s on one core: {ratio:.1} times");
    assert!(ratio >= 8.0, "{ratio:.1}");
}
