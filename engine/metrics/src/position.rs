//! Where the items that users touched stand: their mean rank, and how far they moved against a reference ranking.
//!
//! An item that a ranking of depth d does not return stands at d + 1: the least that can be said of it. How many did is
//! counted, since a mean over the returned ones alone would reward a ranking for losing items. Sums are whole numbers, so
//! that tallies of chunks merge exactly and in any order.

mod distribution;

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

pub use distribution::{MoveDistribution, RankDistribution};

/// The ranks of touched items, pooled over sessions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RankTally {
    /// Items, returned or not.
    pub items: u64,
    /// Items that the ranking did not return.
    pub not_retrieved: u64,
    /// Sum of the ranks; depth + 1 for an item that was not returned.
    pub rank_sum: u64,
}

impl RankTally {
    /// Adds one item at its rank from 1, `None` where the ranking of this depth does not return it.
    pub fn record(&mut self, rank: Option<NonZeroUsize>, depth: NonZeroUsize) {
        let place = Place::new(rank, depth);
        self.items += 1;
        self.not_retrieved += u64::from(place.censored);
        self.rank_sum += place.rank;
    }

    /// Adds the items of another tally.
    pub fn merge(&mut self, other: Self) {
        self.items += other.items;
        self.not_retrieved += other.not_retrieved;
        self.rank_sum += other.rank_sum;
    }

    /// Returns the mean rank, from 1 to depth + 1; `None` without items.
    #[must_use]
    pub fn mean_rank(&self) -> Option<f64> {
        (self.items > 0).then(|| ratio(self.rank_sum.into(), self.items))
    }
}

/// How touched items moved from a reference ranking to a new one, pooled over sessions.
///
/// A delta is new rank - reference rank, so negative is nearer to the top. Items that entered or left the ranking are
/// also counted by themselves: depth + 1 understates how far they moved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PositionDeltaTally {
    /// Items, returned or not.
    pub items: u64,
    /// Sum of the deltas.
    pub delta_sum: i64,
    /// Items that stand nearer to the top than before, entered ones included.
    pub promoted: u64,
    /// Items that stand further from the top than before, those that left included.
    pub demoted: u64,
    /// Items that stand where they stood, those that neither ranking returns included.
    pub unchanged: u64,
    /// Items that only the new ranking returns.
    pub entered: u64,
    /// Items that only the reference returns.
    pub left: u64,
    /// Items that neither ranking returns.
    pub missing_from_both: u64,
}

impl PositionDeltaTally {
    /// Adds one item at its ranks from 1, `None` where a ranking of this depth does not return it.
    ///
    /// A rank beyond the depth (a logged position, say) counts as not returned: both sides are judged by the same depth.
    pub fn record(&mut self, new: Option<NonZeroUsize>, reference: Option<NonZeroUsize>, depth: NonZeroUsize) {
        let (new, reference) = (Place::new(new, depth), Place::new(reference, depth));
        self.items += 1;
        self.delta_sum += new.delta(reference);
        self.promoted += u64::from(new.rank < reference.rank);
        self.demoted += u64::from(new.rank > reference.rank);
        self.unchanged += u64::from(new.rank == reference.rank);
        self.entered += u64::from(reference.censored && !new.censored);
        self.left += u64::from(new.censored && !reference.censored);
        self.missing_from_both += u64::from(new.censored && reference.censored);
    }

    /// Adds the items of another tally.
    pub fn merge(&mut self, other: Self) {
        self.items += other.items;
        self.delta_sum += other.delta_sum;
        self.promoted += other.promoted;
        self.demoted += other.demoted;
        self.unchanged += other.unchanged;
        self.entered += other.entered;
        self.left += other.left;
        self.missing_from_both += other.missing_from_both;
    }

    /// Returns the mean delta, from -depth to depth; `None` without items.
    #[must_use]
    pub fn mean_delta(&self) -> Option<f64> {
        (self.items > 0).then(|| ratio(self.delta_sum.into(), self.items))
    }
}

/// A rank, censored at depth + 1.
#[derive(Clone, Copy)]
struct Place {
    rank: u64,
    censored: bool,
}

impl Place {
    fn new(rank: Option<NonZeroUsize>, depth: NonZeroUsize) -> Self {
        let (rank, censored) = match rank {
            Some(rank) if rank <= depth => (rank.get(), false),
            _ => (depth.get().saturating_add(1), true),
        };
        Self { rank: u64::try_from(rank).unwrap_or(u64::MAX), censored }
    }

    /// Returns this rank less the other one.
    fn delta(self, reference: Self) -> i64 {
        i64::try_from(self.rank).unwrap_or(i64::MAX) - i64::try_from(reference.rank).unwrap_or(i64::MAX)
    }
}

#[expect(clippy::cast_precision_loss, reason = "sums of ranks stay below 2^53")]
fn ratio(numerator: i128, denominator: u64) -> f64 {
    numerator as f64 / denominator as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DEPTH: NonZeroUsize = NonZeroUsize::new(10).unwrap();

    fn rank(rank: usize) -> Option<NonZeroUsize> {
        NonZeroUsize::new(rank)
    }

    #[test]
    fn items_that_are_not_returned_stand_at_depth_plus_one() {
        let mut tally = RankTally::default();
        tally.record(rank(1), DEPTH);
        tally.record(None, DEPTH);
        assert_eq!(tally, RankTally { items: 2, not_retrieved: 1, rank_sum: 12 });
        assert_eq!(tally.mean_rank(), Some(6.0));
    }

    #[test]
    fn nothing_touched_has_no_mean() {
        assert_eq!(RankTally::default().mean_rank(), None);
        assert_eq!(PositionDeltaTally::default().mean_delta(), None);
    }

    #[test]
    fn moves_entries_and_exits_are_told_apart() {
        let mut tally = PositionDeltaTally::default();
        tally.record(rank(2), rank(5), DEPTH);
        tally.record(rank(4), rank(3), DEPTH);
        tally.record(rank(7), rank(7), DEPTH);
        tally.record(rank(1), None, DEPTH);
        tally.record(None, rank(9), DEPTH);
        tally.record(None, None, DEPTH);
        let expected = PositionDeltaTally {
            items: 6,
            delta_sum: -3 + 1 - 10 + 2,
            promoted: 2,
            demoted: 2,
            unchanged: 2,
            entered: 1,
            left: 1,
            missing_from_both: 1,
        };
        assert_eq!(tally, expected);
        assert_eq!(tally.mean_delta(), Some(-10.0 / 6.0));
    }

    #[test]
    fn logged_position_beyond_the_depth_is_no_promotion_of_a_missing_item() {
        let mut tally = PositionDeltaTally::default();
        tally.record(None, rank(150), DEPTH);
        assert_eq!((tally.delta_sum, tally.promoted, tally.missing_from_both), (0, 0, 1));
    }

    proptest! {
        #[test]
        fn chunks_merge_into_the_whole(moves in prop::collection::vec((0_usize..13, 0_usize..13), 0..60), at in 0_usize..60) {
            let tallies = |moves: &[(usize, usize)]| {
                let (mut ranks, mut deltas) = (RankTally::default(), PositionDeltaTally::default());
                for &(new, reference) in moves {
                    ranks.record(rank(new), DEPTH);
                    deltas.record(rank(new), rank(reference), DEPTH);
                }
                (ranks, deltas)
            };
            let (head, tail) = moves.split_at(at.min(moves.len()));
            let (mut ranks, mut deltas) = tallies(tail);
            ranks.merge(tallies(head).0);
            deltas.merge(tallies(head).1);
            prop_assert_eq!((ranks, deltas), tallies(&moves));
            prop_assert_eq!(deltas.promoted + deltas.demoted + deltas.unchanged, deltas.items);
        }
    }
}
