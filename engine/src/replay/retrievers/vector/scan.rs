//! The nearest documents of a block of queries: both are multiplied as matrices, a block of documents at a time.

use std::sync::atomic::{AtomicBool, Ordering};

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

use super::super::top::Candidate;
use super::nearness::{BLOCK, Nearness, Query};
use super::shortlist::Shortlist;

/// Scores that are compared with the cutoff at once.
const LANES: usize = 16;

/// Returns the best `depth` documents of each query, which are all of the table's dimension. The answer to `stop`ping is an
/// answer for nobody.
pub(super) fn nearest(
    nearness: &Nearness,
    queries: &[Query<'_>],
    depth: usize,
    stop: &AtomicBool,
) -> Vec<Vec<Candidate>> {
    let mut best: Vec<Option<Vec<Candidate>>> = vec![None; queries.len()];
    let mut bounded = Vec::new();
    for (answer, query) in best.iter_mut().zip(queries) {
        match nearness.is_bounded(query) {
            true => bounded.push(*query),
            false => *answer = Some(nearness.compare_all(query, depth)),
        }
    }
    let mut scanned = scan(nearness, &bounded, depth, stop).into_iter();
    best.into_iter().map(|answer| answer.or_else(|| scanned.next()).unwrap_or_default()).collect()
}

fn scan(nearness: &Nearness, queries: &[Query<'_>], depth: usize, stop: &AtomicBool) -> Vec<Vec<Candidate>> {
    let (documents, dimension) = (nearness.table().len(), nearness.table().dimension());
    if queries.is_empty() || depth == 0 {
        return vec![Vec::new(); queries.len()];
    }
    let matrix: Vec<f32> = queries.iter().flat_map(|query| query.vector).copied().collect();
    let matrix = MatRef::from_row_major_slice(&matrix, queries.len(), dimension);
    let mut lists: Vec<Shortlist> = queries.iter().map(|_| Shortlist::new(depth, documents)).collect();
    let mut products = vec![0.0_f32; BLOCK.min(documents) * queries.len()];
    for (block, vectors) in nearness.table().values().chunks(BLOCK * dimension).enumerate() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let rows = vectors.len() / dimension;
        let Some(products) = products.get_mut(..rows * queries.len()) else { continue };
        // By columns, so that the products of a query lie side by side.
        let target = MatMut::from_column_major_slice_mut(products, rows, queries.len());
        let vectors = MatRef::from_row_major_slice(vectors, rows, dimension);
        matmul(target, Accum::Replace, vectors, matrix.transpose(), 1.0, Par::Seq);
        for ((query, list), products) in queries.iter().zip(&mut lists).zip(products.chunks_exact(rows)) {
            offer(nearness, query, list, block, products);
        }
    }
    lists.into_iter().zip(queries).map(|(list, query)| list.into_best(nearness, query)).collect()
}

/// Offers a query's shortlist the documents of a block, whose products with the query are given.
fn offer(nearness: &Nearness, query: &Query<'_>, list: &mut Shortlist, block: usize, products: &[f32]) {
    let (scale, offset) = nearness.factors(block);
    let conversion = nearness.conversion(query);
    let block_error = nearness.block_error(query, block);
    // Rounded down, so that nothing is missed.
    let sum_cutoff = |list: &Shortlist| {
        let cutoff = (list.cutoff() - conversion.shift) / conversion.factor - block_error;
        (cutoff as f32).next_down()
    };
    let mut cutoff = sum_cutoff(list);
    let (products, rest) = products.as_chunks::<LANES>();
    let (scale, scale_rest) = scale.as_chunks::<LANES>();
    let (offset, offset_rest) = offset.as_chunks::<LANES>();
    let mut each = |first: usize, products: &[f32], scale: &[f32], offset: &[f32], cutoff: &mut f32| {
        for (place, ((product, scale), offset)) in (first..).zip(products.iter().zip(scale).zip(offset)) {
            let sum = product * scale + offset;
            if sum >= *cutoff {
                let document = block * BLOCK + place;
                let score = conversion.factor * f64::from(sum) + conversion.shift;
                let error = conversion.factor * nearness.error(query, document);
                list.offer(nearness, query, u32::try_from(document).unwrap_or(u32::MAX), score, error);
                *cutoff = sum_cutoff(list);
            }
        }
    };
    for (chunk, ((products, scale), offset)) in products.iter().zip(scale).zip(offset).enumerate() {
        // Counting compiles to comparisons of several sums at once; looking for the first one does not.
        let sums = products.iter().zip(scale).zip(offset);
        let above: u32 = sums.map(|((product, scale), offset)| u32::from(product * scale + offset >= cutoff)).sum();
        if above > 0 {
            each(chunk * LANES, products, scale, offset, &mut cutoff);
        }
    }
    each(products.len() * LANES, rest, scale_rest, offset_rest, &mut cutoff);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::super::VectorTable;
    use super::*;
    use crate::benchmark::stages::VectorMetric;
    use crate::load::Vectors;

    const METRICS: [VectorMetric; 3] = [VectorMetric::Cosine, VectorMetric::Dot, VectorMetric::L2];

    fn table(rows: &[Vec<f32>]) -> Arc<VectorTable> {
        // Ids that do not ascend with the rows, so that ties test something.
        let ids = (0..rows.len()).map(|row| format!("d{:05}", (row * 7919) % 100_003)).collect();
        let dimension = rows[0].len();
        let vectors = Vectors::new(ids, dimension, rows.concat());
        Arc::new(VectorTable::new("docs", vectors))
    }

    /// The definition, in 64 bits, from the first element to the last.
    fn naive(metric: VectorMetric, query: &[f32], vector: &[f32]) -> f64 {
        let sum = |term: fn(f64, f64) -> f64, left: &[f32], right: &[f32]| -> f64 {
            left.iter().zip(right).map(|(left, right)| term(f64::from(*left), f64::from(*right))).sum()
        };
        let dot = |left: &[f32], right: &[f32]| sum(|left, right| left * right, left, right);
        match metric {
            VectorMetric::Dot => dot(query, vector),
            VectorMetric::Cosine => dot(query, vector) / (dot(query, query).sqrt() * dot(vector, vector).sqrt()),
            VectorMetric::L2 => -sum(|left, right| (left - right).powi(2), query, vector),
        }
    }

    fn search(nearness: &Nearness, queries: &[Vec<f32>], depth: usize) -> Vec<Vec<(String, f64)>> {
        let queries: Vec<Query<'_>> = queries.iter().map(|query| Query::new(query)).collect();
        let order = nearness.table().order();
        let named = |found: Candidate| (order.item_id(found.id_order).to_owned(), found.score);
        let found = nearest(nearness, &queries, depth, &AtomicBool::new(false));
        found.into_iter().map(|found| found.into_iter().map(named).collect()).collect()
    }

    fn check(metric: VectorMetric, rows: &[Vec<f32>], queries: &[Vec<f32>], depth: usize) {
        let nearness = Nearness::new(table(rows), metric);
        let found = search(&nearness, queries, depth);
        for (number, (query, found)) in queries.iter().zip(&found).enumerate() {
            let order = nearness.table().order();
            let scale: f64 = naive(VectorMetric::Dot, query, query).sqrt();
            let all = (0_u32..).zip(rows).map(|(row, vector)| {
                (order.item_id(order.place(row)).to_owned(), naive(metric, query, vector), vector)
            });
            let all: Vec<(String, f64, &Vec<f32>)> = all.collect();
            let mut sorted: Vec<f64> = all.iter().map(|(_, score, _)| *score).collect();
            sorted.sort_by(|left, right| right.total_cmp(left));
            assert_eq!(found.len(), depth.min(rows.len()), "{metric:?} query {number}");
            for ((id, score), expected) in found.iter().zip(&sorted) {
                let (_, own, vector) = all.iter().find(|(known, ..)| known == id).unwrap();
                let length = naive(VectorMetric::Dot, vector, vector).sqrt();
                let tolerance = match metric {
                    VectorMetric::Cosine => 1e-13,
                    VectorMetric::Dot | VectorMetric::L2 => 1e-13 * (scale + length).powi(2),
                };
                assert!((score - own).abs() <= tolerance, "{metric:?} {id}: {score} is not {own}");
                assert!((score - expected).abs() <= tolerance, "{metric:?} {id}: {score} where {expected} belongs");
            }
            for pair in found.windows(2) {
                assert!(pair[0].1 > pair[1].1 || (pair[0].1 == pair[1].1 && pair[0].0 < pair[1].0), "{pair:?}");
            }
            // Alone, the product of matrices has another shape.
            assert_eq!(search(&nearness, std::slice::from_ref(query), depth), std::slice::from_ref(found));
        }
    }

    /// Few values, so that there are ties and equal vectors; never all zeros.
    fn rows(most: usize, dimension: usize) -> impl Strategy<Value = Vec<Vec<f32>>> {
        let element = prop_oneof![Just(0.0_f32), Just(1.0), Just(-0.5), -1.0_f32..1.0];
        let row = prop::collection::vec(element, dimension).prop_map(|mut row| {
            row[0] += if row.iter().all(|element| *element == 0.0) { 0.25 } else { 0.0 };
            row
        });
        prop::collection::vec(row, 1..most)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn agrees_with_comparing_every_vector(
            (rows, queries) in (1_usize..40).prop_flat_map(|dimension| (rows(120, dimension), rows(6, dimension))),
            depth in 0_usize..130,
        ) {
            for metric in METRICS {
                check(metric, &rows, &queries, depth);
            }
        }
    }

    /// Numbers that look random.
    fn noise(count: usize, dimension: usize, seed: u64) -> Vec<Vec<f32>> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1 << 24) as f32 - 0.5
        };
        (0..count).map(|_| (0..dimension).map(|_| next()).collect()).collect()
    }

    #[test]
    fn documents_of_every_block_are_found() {
        let rows = noise(2 * BLOCK + 37, 24, 1);
        for metric in METRICS {
            check(metric, &rows, &noise(5, 24, 2), 100);
        }
        check(VectorMetric::Dot, &rows[..BLOCK], &noise(1, 24, 2), 3000);
    }

    #[test]
    fn many_equal_vectors_are_ranked_by_id() {
        let rows = vec![vec![0.5_f32, 0.25]; BLOCK + 100];
        for metric in METRICS {
            check(metric, &rows, &[vec![1.0, 0.0], vec![-1.0, 3.0]], 20);
        }
    }

    #[test]
    fn extreme_lengths_do_not_lose_documents() {
        // Lengths over the whole range of 32-bit floats: products overflow and underflow.
        let mut rows = noise(600, 8, 3);
        for (row, exponent) in rows.iter_mut().zip((-37..=37).cycle()) {
            row.iter_mut().for_each(|element| *element *= 10_f32.powi(exponent));
        }
        for exponent in [-30, 0, 30] {
            let queries: Vec<Vec<f32>> = noise(2, 8, 4)
                .into_iter()
                .map(|query| query.iter().map(|x| x * 10_f32.powi(exponent)).collect())
                .collect();
            for metric in METRICS {
                check(metric, &rows, &queries, 50);
            }
        }
        // One vector is much longer than the others, but not beyond 32 bits.
        let mut rows = noise(600, 8, 5);
        rows[300].iter_mut().for_each(|element| *element *= 1e6);
        for metric in METRICS {
            check(metric, &rows, &noise(4, 8, 6), 10);
            // The query is: distances differ in the last bits only.
            let far: Vec<Vec<f32>> = vec![noise(1, 8, 7)[0].iter().map(|element| element * 1e8).collect()];
            check(metric, &rows, &far, 10);
        }
    }

    #[test]
    fn the_shape_of_blocks_changes_nothing() {
        let nearness = Nearness::new(table(&noise(5000, 33, 8)), VectorMetric::Cosine);
        let queries = noise(70, 33, 9);
        let together = search(&nearness, &queries, 40);
        for size in [1, 2, 7, 64] {
            let apart: Vec<_> = queries.chunks(size).flat_map(|some| search(&nearness, some, 40)).collect();
            assert_eq!(apart, together, "{size} at once");
        }
        let shallow = search(&nearness, &queries, 7);
        assert!(shallow.iter().zip(&together).all(|(few, many)| *few == many[..7]), "a prefix");
    }

    #[test]
    fn a_search_that_is_stopped_ends() {
        let nearness = Nearness::new(table(&noise(50, 3, 1)), VectorMetric::Dot);
        let query = noise(1, 3, 2).remove(0);
        assert_eq!(nearest(&nearness, &[Query::new(&query)], 5, &AtomicBool::new(true)), [Vec::new()]);
    }
}
