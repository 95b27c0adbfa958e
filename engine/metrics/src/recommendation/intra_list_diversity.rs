//! Intra-list diversity.

use std::collections::BTreeSet;

use crate::sum::{CompensatedSum, count};

/// Returns the mean distance of two items of a list, over all pairs; in the range of the distance, [0, 1] for those below.
///
/// The order of the list does not matter; cut it where users stop. Sources: Smyth and McClave 2001, Similarity vs. diversity;
/// Ziegler et al. 2005, Improving recommendation lists through topic diversification (intra-list similarity is 1 less this).
///
/// `distance` is symmetric, and `None` for a pair of which nothing is known (an item without labels), which is left out.
/// Undefined where no pair is left, so for fewer than two items. Time grows with the square of the list's length.
pub fn intra_list_diversity<T>(list: &[T], distance: impl Fn(&T, &T) -> Option<f64>) -> Option<f64> {
    let mut total = CompensatedSum::default();
    let mut pairs = 0;
    for (index, item) in list.iter().enumerate() {
        for other in list.iter().skip(index + 1) {
            if let Some(distance) = distance(item, other) {
                total.add(distance);
                pairs += 1;
            }
        }
    }
    (pairs > 0).then(|| total.total() / count(pairs))
}

/// Returns 1 less the labels that two items share over the labels of either (Jaccard distance), in [0, 1]; undefined where
/// neither has labels.
#[must_use]
pub fn label_distance<T: Ord>(a: &BTreeSet<T>, b: &BTreeSet<T>) -> Option<f64> {
    let shared = a.intersection(b).count();
    let either = a.len() + b.len() - shared;
    (either > 0).then(|| 1.0 - count(shared) / count(either))
}

/// Returns half of 1 less the cosine of two vectors, in [0, 1]: 0 for the same direction, 1 for the opposite one; undefined
/// where the lengths differ, a vector is zero or a number is not finite.
#[must_use]
pub fn cosine_distance(a: &[f32], b: &[f32]) -> Option<f64> {
    let product = |x: &[f32], y: &[f32]| crate::sum::sum(x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)));
    let norm = (product(a, a) * product(b, b)).sqrt();
    let cosine = product(a, b) / norm;
    (a.len() == b.len() && norm > 0.0 && cosine.is_finite()).then(|| (1.0 - cosine.clamp(-1.0, 1.0)) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn labels(text: &str) -> BTreeSet<char> {
        text.chars().collect()
    }

    #[test]
    fn pairs_by_hand() {
        let list = [labels("ab"), labels("bc"), labels("ab")];
        let expected = (2.0 / 3.0 + 0.0 + 2.0 / 3.0) / 3.0;
        assert!((intra_list_diversity(&list, label_distance).unwrap() - expected).abs() < 1e-15);
    }

    #[test]
    fn undefined_without_a_known_pair() {
        assert_eq!(intra_list_diversity(&[labels("a")], label_distance), None);
        assert_eq!(intra_list_diversity(&[labels(""), labels("")], label_distance), None);
        assert_eq!(intra_list_diversity(&[labels(""), labels("a")], label_distance), Some(1.0));
    }

    #[test]
    fn directions_and_broken_vectors() {
        assert_eq!(cosine_distance(&[1.0, 0.0], &[3.0, 0.0]), Some(0.0));
        assert_eq!(cosine_distance(&[1.0, 0.0], &[0.0, 2.0]), Some(0.5));
        assert_eq!(cosine_distance(&[1.0], &[-1.0]), Some(1.0));
        for (a, b) in
            [(vec![0.0], vec![1.0]), (vec![1.0, 2.0], vec![1.0]), (vec![f32::NAN], vec![1.0]), (vec![], vec![])]
        {
            assert_eq!(cosine_distance(&a, &b), None, "{a:?} {b:?}");
        }
    }

    proptest! {
        #[test]
        fn the_order_does_not_matter_and_the_range_is_kept(texts in prop::collection::vec("[abc]{0,3}", 0..7)) {
            let list: Vec<_> = texts.iter().map(|text| labels(text)).collect();
            let reversed: Vec<_> = list.iter().rev().cloned().collect();
            let (value, back) = (intra_list_diversity(&list, label_distance), intra_list_diversity(&reversed, label_distance));
            prop_assert_eq!(value.is_some(), back.is_some());
            prop_assert!(value.is_none_or(|value| (0.0..=1.0).contains(&value) && (value - back.unwrap()).abs() < 1e-12));
        }
    }
}
