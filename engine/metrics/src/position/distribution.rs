//! Whole distributions of ranks and moves, for what a sum cannot tell: medians, categories and how much is censored.
//!
//! Memory is bounded by the depth of the rankings, not by the number of items.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use super::{Place, ratio};

/// How often touched items stand at each rank, pooled over sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RankDistribution {
    /// Items by rank from 1, and whether that is depth + 1 of a ranking that does not return them.
    items: BTreeMap<(u64, bool), u64>,
}

impl RankDistribution {
    /// Adds one item at its rank from 1, `None` where the ranking of this depth does not return it.
    pub fn record(&mut self, rank: Option<NonZeroUsize>, depth: NonZeroUsize) {
        let place = Place::new(rank, depth);
        *self.items.entry((place.rank, place.censored)).or_default() += 1;
    }

    /// Adds the items of another distribution.
    pub fn merge(&mut self, other: &Self) {
        add(&mut self.items, &other.items);
    }

    /// Returns the number of items, returned or not.
    #[must_use]
    pub fn items(&self) -> u64 {
        self.items.values().sum()
    }

    /// Returns the share of items that were not returned, whose rank is only known to be beyond the depth, in [0, 1]; `None`
    /// without items. Medians hold while it is below a half.
    #[must_use]
    pub fn censored_share(&self) -> Option<f64> {
        let censored = self.items.iter().filter(|((_, censored), _)| *censored).map(|(_, items)| items).sum();
        share(censored, self.items())
    }

    /// Returns the median rank; the mean of the middle two where their number is even. `None` without items. Where half of
    /// the items or more were not returned it is depth + 1, the least that can be said.
    #[must_use]
    pub fn median_rank(&self) -> Option<f64> {
        median(&self.items, |&(rank, _)| rank.into())
    }

    /// Returns the mean of 1 / rank, 0 for an item that was not returned, in [0, 1]; `None` without items.
    #[must_use]
    pub fn mean_reciprocal_rank(&self) -> Option<f64> {
        let returned = self.items.iter().filter(|((_, censored), _)| !censored);
        let total = crate::sum::sum(returned.map(|(&(rank, _), &items)| ratio(items.into(), rank)));
        let items = self.items();
        (items > 0).then(|| total / crate::sum::whole(items))
    }
}

/// How touched items moved from a reference ranking to a new one, each in exactly one category.
///
/// An item that entered or left has no move that can be measured, so it is in a category of its own; a mean over the items of
/// both rankings alone would be pulled towards demotion by every newcomer that pushes others down.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveDistribution {
    /// Items that only the new ranking returns.
    pub entered: u64,
    /// Items that only the reference returns.
    pub left: u64,
    /// Items of both rankings that stand nearer to the top than before.
    pub up: u64,
    /// Items of both rankings that stand further from the top than before.
    pub down: u64,
    /// Items of both rankings that stand where they stood.
    pub same: u64,
    /// Items that neither ranking returns.
    pub missing_from_both: u64,
    /// Items by new rank - reference rank, with depth + 1 for a ranking that does not return the item.
    deltas: BTreeMap<i64, u64>,
}

impl MoveDistribution {
    /// Adds one item at its ranks from 1, `None` where a ranking of this depth does not return it. A rank beyond the depth
    /// counts as not returned.
    pub fn record(&mut self, new: Option<NonZeroUsize>, reference: Option<NonZeroUsize>, depth: NonZeroUsize) {
        let (new, reference) = (Place::new(new, depth), Place::new(reference, depth));
        let category = match (new.censored, reference.censored) {
            (true, true) => &mut self.missing_from_both,
            (false, true) => &mut self.entered,
            (true, false) => &mut self.left,
            (false, false) if new.rank < reference.rank => &mut self.up,
            (false, false) if new.rank > reference.rank => &mut self.down,
            (false, false) => &mut self.same,
        };
        *category += 1;
        *self.deltas.entry(new.delta(reference)).or_default() += 1;
    }

    /// Adds the items of another distribution.
    pub fn merge(&mut self, other: &Self) {
        self.entered += other.entered;
        self.left += other.left;
        self.up += other.up;
        self.down += other.down;
        self.same += other.same;
        self.missing_from_both += other.missing_from_both;
        add(&mut self.deltas, &other.deltas);
    }

    /// Returns the number of items: the sum of all categories.
    #[must_use]
    pub fn items(&self) -> u64 {
        self.entered + self.left + self.up + self.down + self.same + self.missing_from_both
    }

    /// Returns the share of items that at least one ranking does not return, so that their move is only bounded, in [0, 1];
    /// `None` without items.
    #[must_use]
    pub fn censored_share(&self) -> Option<f64> {
        share(self.entered + self.left + self.missing_from_both, self.items())
    }

    /// Returns the median of new rank - reference rank, negative for nearer to the top; the mean of the middle two where their
    /// number is even. Items that are not returned count at depth + 1. `None` without items.
    #[must_use]
    pub fn median_delta(&self) -> Option<f64> {
        median(&self.deltas, |&delta| delta.into())
    }

    /// Returns the mean of new rank - reference rank, as [`PositionDeltaTally::mean_delta`](super::PositionDeltaTally) does.
    #[must_use]
    pub fn mean_delta(&self) -> Option<f64> {
        let total: i128 = self.deltas.iter().map(|(&delta, &items)| i128::from(delta) * i128::from(items)).sum();
        (self.items() > 0).then(|| ratio(total, self.items()))
    }
}

fn add<K: Ord + Copy>(into: &mut BTreeMap<K, u64>, other: &BTreeMap<K, u64>) {
    for (&key, &items) in other {
        *into.entry(key).or_default() += items;
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| ratio(part.into(), whole))
}

fn median<K>(items: &BTreeMap<K, u64>, number: impl Fn(&K) -> i128) -> Option<f64> {
    let total: u64 = items.values().sum();
    let at = |place: u64| {
        let mut passed = 0;
        items.iter().find_map(|(key, &count)| {
            passed += count;
            (passed > place).then(|| number(key))
        })
    };
    let middle = at(total.checked_sub(1)? / 2)? + at(total / 2)?;
    Some(ratio(middle, 2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::PositionDeltaTally;
    use proptest::prelude::*;

    const DEPTH: NonZeroUsize = NonZeroUsize::new(10).unwrap();

    fn moves(pairs: &[(usize, usize)]) -> MoveDistribution {
        let mut moves = MoveDistribution::default();
        for &(new, reference) in pairs {
            moves.record(NonZeroUsize::new(new), NonZeroUsize::new(reference), DEPTH);
        }
        moves
    }

    fn ranks(ranks: &[usize]) -> RankDistribution {
        let mut distribution = RankDistribution::default();
        for &rank in ranks {
            distribution.record(NonZeroUsize::new(rank), DEPTH);
        }
        distribution
    }

    #[test]
    fn each_item_is_in_one_category() {
        let moves = moves(&[(2, 5), (4, 3), (7, 7), (1, 0), (0, 9), (0, 0), (12, 30)]);
        assert_eq!((moves.up, moves.down, moves.same), (1, 1, 1));
        assert_eq!((moves.entered, moves.left, moves.missing_from_both), (1, 1, 2));
        assert_eq!(moves.censored_share(), Some(4.0 / 7.0));
        assert_eq!(moves.median_delta(), Some(0.0));
    }

    #[test]
    fn medians_do_not_follow_one_item_that_left() {
        let moves = moves(&[(1, 2), (1, 2), (2, 3), (0, 1)]);
        assert_eq!(moves.median_delta(), Some(-1.0));
        assert_eq!(moves.mean_delta(), Some(7.0 / 4.0));
        let ranks = ranks(&[1, 2, 4, 0]);
        assert_eq!(ranks.median_rank(), Some(3.0));
        assert_eq!(ranks.mean_reciprocal_rank(), Some(1.75 / 4.0));
        assert_eq!(ranks.censored_share(), Some(0.25));
    }

    #[test]
    fn nothing_touched_has_no_numbers() {
        let (moves, ranks) = (moves(&[]), ranks(&[]));
        assert_eq!((moves.median_delta(), moves.mean_delta(), moves.censored_share()), (None, None, None));
        assert_eq!((ranks.median_rank(), ranks.mean_reciprocal_rank(), ranks.censored_share()), (None, None, None));
    }

    #[test]
    fn depths_may_differ_from_item_to_item() {
        let mut ranks = RankDistribution::default();
        ranks.record(None, NonZeroUsize::MIN);
        ranks.record(NonZeroUsize::new(5), DEPTH);
        assert_eq!(ranks.items(), 2);
        assert_eq!(ranks.mean_reciprocal_rank(), Some(0.1));
    }

    proptest! {
        #[test]
        fn chunks_merge_into_the_whole_and_means_agree(
            pairs in prop::collection::vec((0_usize..13, 0_usize..13), 0..60),
            at in 0_usize..60,
        ) {
            let (head, tail) = pairs.split_at(at.min(pairs.len()));
            let mut merged = moves(tail);
            merged.merge(&moves(head));
            prop_assert_eq!(&merged, &moves(&pairs));
            let mut tally = PositionDeltaTally::default();
            for &(new, reference) in &pairs {
                tally.record(NonZeroUsize::new(new), NonZeroUsize::new(reference), DEPTH);
            }
            prop_assert_eq!(merged.mean_delta(), tally.mean_delta());
            prop_assert_eq!(merged.items(), tally.items);
            prop_assert_eq!(merged.up + merged.entered, tally.promoted);

            let new: Vec<usize> = pairs.iter().map(|pair| pair.0).collect();
            let mut sorted: Vec<f64> = new.iter().map(|&rank| if rank == 0 || rank > 10 { 11.0 } else { rank as f64 }).collect();
            sorted.sort_by(f64::total_cmp);
            let expected = (!sorted.is_empty()).then(|| (sorted[(sorted.len() - 1) / 2] + sorted[sorted.len() / 2]) / 2.0);
            prop_assert_eq!(ranks(&new).median_rank(), expected);
        }
    }
}
