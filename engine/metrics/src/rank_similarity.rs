//! How alike two rankings are, without judgments.
//!
//! The items of a ranking are distinct; of a repeated item only its first rank counts.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::num::NonZeroUsize;

use crate::bounded::Proportion;
use crate::sum::{CompensatedSum, count};

/// Returns the extrapolated rank-biased overlap of two rankings of any lengths, in [0, 1]; 1 for equal rankings.
///
/// A reader goes on to the next depth with probability p, so that low p weighs the top more; beyond what is seen, the
/// agreement is taken to go on as it ends. Source: Webber, Moffat and Zobel 2010, A similarity measure for indefinite
/// rankings, equation 32. Undefined where both rankings are empty; 0 where one of them is.
#[must_use]
pub fn rank_biased_overlap<T: Eq + Hash>(a: &[T], b: &[T], p: Proportion) -> Option<f64> {
    let (shorter, longer) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if longer.is_empty() {
        return None;
    }
    if shorter.is_empty() {
        return Some(0.0);
    }
    let (shorter_length, longer_length) = (count(shorter.len()), count(longer.len()));
    let overlaps = overlaps(shorter, longer);
    let at_shorter = count(overlaps.get(shorter.len() - 1).copied().unwrap_or_default());
    let at_longer = count(overlaps.last().copied().unwrap_or_default());

    let p = p.get();
    let mut seen = CompensatedSum::default();
    let mut weight = 1.0;
    for (index, &overlap) in overlaps.iter().enumerate() {
        let depth = count(index + 1);
        let beyond_shorter = (depth - shorter_length).max(0.0);
        weight *= p;
        seen.add(weight * (count(overlap) / depth + at_shorter * beyond_shorter / (depth * shorter_length)));
    }
    let extrapolated = ((at_longer - at_shorter) / longer_length + at_shorter / shorter_length) * weight;
    Some((1.0 - p) / p * seen.total() + extrapolated)
}

/// Returns the size of the intersection of the first d items of both rankings, for each d down to the longer one's end.
fn overlaps<T: Eq + Hash>(shorter: &[T], longer: &[T]) -> Vec<usize> {
    let (mut of_shorter, mut of_longer) = (HashSet::new(), HashSet::new());
    let mut overlap = 0;
    let mut overlaps = Vec::with_capacity(longer.len());
    for (index, item) in longer.iter().enumerate() {
        let partner = shorter.get(index);
        if let Some(partner) = partner
            && of_shorter.insert(partner)
            && of_longer.contains(partner)
        {
            overlap += 1;
        }
        if of_longer.insert(item) && of_shorter.contains(item) {
            overlap += 1;
        }
        overlaps.push(overlap);
    }
    overlaps
}

/// Returns the items that both top k share over the items that either holds, in [0, 1]; undefined where both are empty.
#[must_use]
pub fn jaccard<T: Eq + Hash>(a: &[T], b: &[T], cutoff: NonZeroUsize) -> Option<f64> {
    let top = |ranking| -> HashSet<&T> { <[T]>::iter(ranking).take(cutoff.get()).collect() };
    let (a, b) = (top(a), top(b));
    let shared = a.intersection(&b).count();
    let either = a.len() + b.len() - shared;
    (either > 0).then(|| count(shared) / count(either))
}

/// Returns Kendall's tau-b of the items that both rankings hold, in [-1, 1]; 1 for the same order, -1 for the reverse.
///
/// Items that only one ranking holds are left out, so give the number of common items beside it. Undefined for fewer than
/// two common items.
#[must_use]
pub fn kendall_tau<T: Eq + Hash>(a: &[T], b: &[T]) -> Option<f64> {
    let (of_a, of_b): (Vec<f64>, Vec<f64>) =
        common_ranks(a, b).into_iter().map(|(of_a, of_b)| (count(of_a), count(of_b))).unzip();
    kendall_tau_b(&of_a, &of_b)
}

/// Returns Kendall's tau-b of two lists of numbers, paired by index, in [-1, 1]: concordant less discordant pairs, over
/// the geometric mean of the pairs that are not tied in either list. Source: Kendall 1945, The treatment of ties in
/// ranking problems.
///
/// Undefined where the lengths differ, a number is NaN, or either list is constant or shorter than two.
#[must_use]
pub fn kendall_tau_b(x: &[f64], y: &[f64]) -> Option<f64> {
    if x.len() != y.len() || x.iter().chain(y).any(|number| number.is_nan()) {
        return None;
    }
    // Adding 0 makes -0 and 0 equal in the total order too.
    let mut points: Vec<(f64, f64)> = x.iter().zip(y).map(|(x, y)| (x + 0.0, y + 0.0)).collect();
    points.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));

    let mut earlier: Vec<f64> = Vec::with_capacity(points.len());
    let (mut balance, mut untied_x) = (0.0, 0.0);
    for group in points.chunk_by(|a, b| a.0 == b.0) {
        for &(_, y) in group {
            let below = earlier.partition_point(|&other| other < y);
            let above = earlier.len() - earlier.partition_point(|&other| other <= y);
            balance += count(below) - count(above);
        }
        untied_x += count(earlier.len()) * count(group.len());
        for &(_, y) in group {
            earlier.insert(earlier.partition_point(|&other| other < y), y);
        }
    }
    let tied_y: f64 = earlier.chunk_by(|a, b| a == b).map(|group| pairs(group.len())).sum();
    let untied_y = pairs(earlier.len()) - tied_y;
    (untied_x > 0.0 && untied_y > 0.0).then(|| (balance / (untied_x.sqrt() * untied_y.sqrt())).clamp(-1.0, 1.0))
}

/// Returns AP correlation of `estimate` with `reference` over their common items, in [-1, 1]: like tau, but an exchange
/// near the top of `estimate` costs more. It is not symmetric. Source: Yilmaz, Aslam and Robertson 2008, A new rank
/// correlation coefficient for information retrieval.
///
/// Undefined for fewer than two common items.
#[must_use]
pub fn average_precision_correlation<T: Eq + Hash>(reference: &[T], estimate: &[T]) -> Option<f64> {
    let mut common = common_ranks(reference, estimate);
    common.sort_unstable_by_key(|&(_, of_estimate)| of_estimate);
    if common.len() < 2 {
        return None;
    }
    let mut above: Vec<usize> = Vec::with_capacity(common.len());
    let mut total = CompensatedSum::default();
    for (index, &(of_reference, _)) in common.iter().enumerate() {
        let rightly_above = above.partition_point(|&other| other < of_reference);
        if index > 0 {
            total.add(count(rightly_above) / count(index));
        }
        above.insert(rightly_above, of_reference);
    }
    Some(2.0 / count(common.len() - 1) * total.total() - 1.0)
}

/// Returns the first ranks of the common items in both rankings, in the order of the first one.
fn common_ranks<T: Eq + Hash>(a: &[T], b: &[T]) -> Vec<(usize, usize)> {
    let mut of_b = HashMap::with_capacity(b.len());
    for (rank, item) in b.iter().enumerate() {
        of_b.entry(item).or_insert(rank);
    }
    a.iter().enumerate().filter_map(|(rank, item)| Some((rank, of_b.remove(item)?))).collect()
}

fn pairs(items: usize) -> f64 {
    count(items) * (count(items) - 1.0) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn p(p: f64) -> Proportion {
        Proportion::new(p).unwrap()
    }

    #[test]
    fn exchange_of_the_first_two_costs_one_minus_p() {
        assert!((rank_biased_overlap(&[1, 2, 3, 4], &[2, 1, 3, 4], p(0.9)).unwrap() - 0.9).abs() < 1e-12);
    }

    #[test]
    fn empty_rankings() {
        assert_eq!(rank_biased_overlap::<u8>(&[], &[], p(0.9)), None);
        assert_eq!(rank_biased_overlap(&[], &[1], p(0.9)), Some(0.0));
        assert_eq!(jaccard::<u8>(&[], &[], NonZeroUsize::MIN), None);
        assert_eq!(jaccard(&[], &[1], NonZeroUsize::MIN), Some(0.0));
    }

    #[test]
    fn jaccard_looks_at_the_top_only() {
        let cutoff = NonZeroUsize::new(3).unwrap();
        assert_eq!(jaccard(&[1, 2, 3, 9], &[3, 2, 7, 9], cutoff), Some(0.5));
    }

    #[test]
    fn tau_needs_two_common_items_and_leaves_the_others_out() {
        assert_eq!(kendall_tau(&[1, 2], &[2, 3]), None);
        assert_eq!(kendall_tau(&[1, 8, 2, 3], &[3, 2, 9, 1]), Some(-1.0));
        assert_eq!(average_precision_correlation(&[1, 8, 2, 3], &[3, 2, 9, 1]), Some(-1.0));
        assert_eq!(average_precision_correlation(&[1, 2], &[2, 3]), None);
    }

    #[test]
    fn tau_b_is_undefined_for_constant_or_unequal_lists() {
        assert_eq!(kendall_tau_b(&[1.0, 1.0], &[1.0, 2.0]), None);
        assert_eq!(kendall_tau_b(&[1.0], &[1.0, 2.0]), None);
        assert_eq!(kendall_tau_b(&[1.0, f64::NAN], &[1.0, 2.0]), None);
        assert_eq!(kendall_tau_b(&[], &[]), None);
    }

    /// Every pair of points, compared.
    fn kendall_by_pairs(x: &[f64], y: &[f64]) -> Option<f64> {
        let (mut balance, mut untied_x, mut untied_y) = (0.0, 0.0_f64, 0.0_f64);
        for i in 0..x.len() {
            for j in 0..i {
                let (dx, dy) = (x[i] - x[j], y[i] - y[j]);
                balance += if dx * dy > 0.0 {
                    1.0
                } else if dx * dy < 0.0 {
                    -1.0
                } else {
                    0.0
                };
                untied_x += f64::from(u8::from(dx != 0.0));
                untied_y += f64::from(u8::from(dy != 0.0));
            }
        }
        (untied_x > 0.0 && untied_y > 0.0).then(|| balance / (untied_x * untied_y).sqrt())
    }

    /// Equation 32 with sets built anew at each depth.
    fn overlap_by_sets(a: &[u8], b: &[u8], p: f64) -> f64 {
        let (s, l) = if a.len() <= b.len() { (a, b) } else { (b, a) };
        let x = |d: usize| l.iter().take(d).filter(|item| s.iter().take(d).any(|other| other == *item)).count() as f64;
        let (ls, ll) = (s.len() as f64, l.len() as f64);
        let (xs, xl) = (x(s.len()), x(l.len()));
        let mut total = 0.0;
        for d in 1..=l.len() {
            let depth = d as f64;
            total += x(d) / depth * p.powi(d as i32);
            if d > s.len() {
                total += xs * (depth - ls) / (depth * ls) * p.powi(d as i32);
            }
        }
        (1.0 - p) / p * total + ((xl - xs) / ll + xs / ls) * p.powi(l.len() as i32)
    }

    fn ranking() -> impl Strategy<Value = Vec<u8>> {
        (Just((0_u8..20).collect::<Vec<u8>>()).prop_shuffle(), 1_usize..20)
            .prop_map(|(items, length)| items[..length].to_vec())
    }

    proptest! {
        #[test]
        fn tau_b_equals_the_count_over_all_pairs(points in prop::collection::vec((0_i8..6, 0_i8..6), 0..30)) {
            let (x, y): (Vec<f64>, Vec<f64>) = points.iter().map(|&(x, y)| (f64::from(x), f64::from(y))).unzip();
            match (kendall_tau_b(&x, &y), kendall_by_pairs(&x, &y)) {
                (Some(value), Some(expected)) => prop_assert!((value - expected).abs() < 1e-12),
                (value, expected) => prop_assert_eq!(value, expected),
            }
        }

        #[test]
        fn overlap_equals_its_definition_and_is_symmetric(a in ranking(), b in ranking(), persistence in 0.05_f64..0.99) {
            let value = rank_biased_overlap(&a, &b, p(persistence)).unwrap();
            prop_assert!((value - overlap_by_sets(&a, &b, persistence)).abs() < 1e-12);
            prop_assert!((value - rank_biased_overlap(&b, &a, p(persistence)).unwrap()).abs() < 1e-12);
            prop_assert!((-1e-12..=1.0 + 1e-12).contains(&value));
            prop_assert!((rank_biased_overlap(&a, &a, p(persistence)).unwrap() - 1.0).abs() < 1e-12);
        }

        #[test]
        fn repeated_items_do_not_push_similarities_out_of_range(a in prop::collection::vec(0_u8..4, 1..12), b in prop::collection::vec(0_u8..4, 1..12)) {
            let cutoff = NonZeroUsize::new(5).unwrap();
            prop_assert!((0.0..=1.0 + 1e-12).contains(&rank_biased_overlap(&a, &b, p(0.8)).unwrap()));
            prop_assert!((0.0..=1.0).contains(&jaccard(&a, &b, cutoff).unwrap()));
            prop_assert!(kendall_tau(&a, &b).is_none_or(|tau| tau.abs() <= 1.0 + 1e-12));
        }
    }
}
