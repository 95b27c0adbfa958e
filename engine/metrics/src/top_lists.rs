//! How alike the tops of two lists are, fast: what [`crate::rank_similarity`] says of a few dozen ranks of items that are known
//! by 64-bit keys, without a set or a map per pair of lists.
//!
//! A run compares two lists per session and candidate. Both tops go into one open-addressed table that stays in the
//! processor's cache, and the items that both hold become bits of a 128-bit word, so that the discordant pairs before an item
//! are counted in one step.

use std::num::NonZeroUsize;

use crate::bounded::Proportion;
use crate::sum::count;

/// Ranks of a list that are compared at most; those below are left out.
pub const MOST_RANKS: usize = 100;

/// Slots of the table: a power of two, so that 200 keys leave most of it free.
const SLOTS: usize = 512;

/// An item that at least one of the lists holds, with its first rank in each, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EitherItem {
    /// The item's key.
    pub key: u64,
    /// Its index in the first list.
    pub first: Option<usize>,
    /// Its index in the second list.
    pub second: Option<usize>,
}

/// Compares the tops of one pair of lists after the other.
#[derive(Debug, Clone)]
pub struct TopLists {
    /// 0 for a free slot, else 1 + a place in `items`.
    slots: Vec<u16>,
    items: Vec<EitherItem>,
    lengths: [usize; 2],
    /// By depth from 1: p^depth.
    powers: Vec<f64>,
    persistence: f64,
    /// Items that both lists hold down to each depth.
    overlaps: Vec<usize>,
    /// Ranks at which each list's items stand for the first time, as bits.
    first_seen: [u128; 2],
    /// Ranks down to which both lists are the same.
    same: usize,
}

impl TopLists {
    /// Returns a comparison whose rank-biased overlap reads on with probability `persistence`.
    #[must_use]
    pub fn new(persistence: Proportion) -> Self {
        let p = persistence.get();
        let powers = std::iter::successors(Some(p), |power| Some(power * p)).take(MOST_RANKS).collect();
        Self {
            slots: vec![0; SLOTS],
            items: Vec::with_capacity(2 * MOST_RANKS),
            lengths: [0; 2],
            powers,
            persistence: p,
            overlaps: Vec::with_capacity(MOST_RANKS),
            first_seen: [0; 2],
            same: 0,
        }
    }

    /// Takes up two lists, best first; only their first [`MOST_RANKS`] items count. What the other methods return is about
    /// them until the next call. Of a repeated item only its first rank counts.
    pub fn compare(&mut self, first: impl Iterator<Item = u64> + Clone, second: impl Iterator<Item = u64> + Clone) {
        self.slots.fill(0);
        self.items.clear();
        let (first, second) = (first.take(MOST_RANKS), second.take(MOST_RANKS));
        self.same = first.clone().zip(second.clone()).take_while(|(one, other)| one == other).count();
        self.lengths = [self.add_first(first), self.add_second(second)];
        self.find_overlaps();
    }

    fn add_first(&mut self, keys: impl Iterator<Item = u64>) -> usize {
        let (mut length, mut seen) = (0, 0);
        for (rank, key) in keys.enumerate() {
            length = rank + 1;
            let (slot, found) = self.find(key);
            if found.is_none() {
                self.add(slot, EitherItem { key, first: Some(rank), second: None });
                seen |= 1 << rank;
            }
        }
        self.first_seen[0] = seen;
        length
    }

    fn add_second(&mut self, keys: impl Iterator<Item = u64>) -> usize {
        let (mut length, mut seen) = (0, 0);
        for (rank, key) in keys.enumerate() {
            length = rank + 1;
            let (slot, found) = self.find(key);
            match found.and_then(|place| self.items.get_mut(place)) {
                None => self.add(slot, EitherItem { key, first: None, second: Some(rank) }),
                Some(item) if item.second.is_none() => item.second = Some(rank),
                Some(_) => continue,
            }
            seen |= 1 << rank;
        }
        self.first_seen[1] = seen;
        length
    }

    /// Returns the slot of a key, and the place of its item where it is known.
    fn find(&self, key: u64) -> (usize, Option<usize>) {
        let mut slot = key as usize % SLOTS;
        loop {
            // There are more slots than keys, so that the search meets a free one.
            match self.slots.get(slot).copied().unwrap_or(0).checked_sub(1).map(usize::from) {
                None => return (slot, None),
                Some(place) if self.items.get(place).is_some_and(|item| item.key == key) => return (slot, Some(place)),
                Some(_) => slot = (slot + 1) % SLOTS,
            }
        }
    }

    fn add(&mut self, slot: usize, item: EitherItem) {
        self.items.push(item);
        if let (Some(slot), Ok(place)) = (self.slots.get_mut(slot), u16::try_from(self.items.len())) {
            *slot = place;
        }
    }

    fn find_overlaps(&mut self) {
        self.overlaps.clear();
        self.overlaps.resize(self.lengths[0].max(self.lengths[1]), 0);
        for (first, second) in common(&self.items) {
            if let Some(count) = self.overlaps.get_mut(first.max(second)) {
                *count += 1;
            }
        }
        let mut overlap = 0;
        for at_depth in &mut self.overlaps {
            overlap += *at_depth;
            *at_depth = overlap;
        }
    }

    /// Returns the items of both lists: those of the first in its order, then those that only the second holds.
    #[must_use]
    pub fn items(&self) -> &[EitherItem] {
        &self.items
    }

    /// Returns the number of items that both hold.
    #[must_use]
    pub fn common_items(&self) -> usize {
        self.overlaps.last().copied().unwrap_or(0)
    }

    /// Returns whether both lists are the same down to the cutoff: the same items in the same order, and no more of them in
    /// one than in the other. True for two empty lists.
    #[must_use]
    pub fn identical(&self, cutoff: NonZeroUsize) -> bool {
        let [first, second] = self.lengths.map(|length| length.min(cutoff.get()));
        first == second && self.same >= first
    }

    /// Returns the extrapolated rank-biased overlap, as [`crate::rank_similarity::rank_biased_overlap`].
    #[must_use]
    pub fn rank_biased_overlap(&self) -> Option<f64> {
        let [first, second] = self.lengths;
        let (shorter, longer) = (first.min(second), first.max(second));
        if longer == 0 {
            return None;
        }
        let Some(at_shorter) = shorter.checked_sub(1).and_then(|index| self.overlaps.get(index)) else {
            return Some(0.0);
        };
        let (at_shorter, at_longer) = (count(*at_shorter), count(self.common_items()));
        let (shorter, longer) = (count(shorter), count(longer));
        let (mut seen, mut weight) = (0.0, 1.0);
        for (index, (overlap, power)) in self.overlaps.iter().zip(&self.powers).enumerate() {
            let depth = count(index + 1);
            let beyond_shorter = (depth - shorter).max(0.0);
            seen += power * (count(*overlap) + at_shorter * beyond_shorter / shorter) / depth;
            weight = *power;
        }
        let extrapolated = ((at_longer - at_shorter) / longer + at_shorter / shorter) * weight;
        Some((1.0 - self.persistence) / self.persistence * seen + extrapolated)
    }

    /// Returns the items that both top k share over those that either holds, as [`crate::rank_similarity::jaccard`].
    #[must_use]
    pub fn jaccard(&self, cutoff: NonZeroUsize) -> Option<f64> {
        let shared = cutoff.get().min(self.overlaps.len()).checked_sub(1);
        let shared = shared.and_then(|index| self.overlaps.get(index)).copied().unwrap_or(0);
        let [first, second] = self.first_seen.map(|seen| (seen & below(cutoff.get())).count_ones() as usize);
        let either = first + second - shared;
        (either > 0).then(|| count(shared) / count(either))
    }

    /// Returns Kendall's tau of the items that both hold, and the mean of their AP correlations in both directions, as
    /// [`crate::rank_similarity::kendall_tau`] and [`crate::rank_similarity::average_precision_correlation`]; `None` for fewer
    /// than two of them.
    #[must_use]
    pub fn order_correlations(&self) -> Option<OrderCorrelations> {
        let items = self.common_items();
        if items < 2 {
            return None;
        }
        let all = common(&self.items).fold(0, |bits: u128, (_, second)| bits | 1 << second);
        let (mut above, mut concordant, mut of_first, mut of_second) = (0_u128, 0, 0.0, 0.0);
        for (index, (_, second)) in common(&self.items).enumerate() {
            // Those above in both lists; those above in the second list are their number there.
            let rightly_above = (above & below(second)).count_ones();
            let above_in_second = (all & below(second)).count_ones();
            concordant += rightly_above as usize;
            if index > 0 {
                of_first += f64::from(rightly_above) / count(index);
            }
            if above_in_second > 0 {
                of_second += f64::from(rightly_above) / f64::from(above_in_second);
            }
            above |= 1 << second;
        }
        let correlation = |sum: f64| 2.0 * sum / count(items - 1) - 1.0;
        let pairs = count(items) * count(items - 1) / 2.0;
        Some(OrderCorrelations {
            kendall_tau: 2.0 * count(concordant) / pairs - 1.0,
            average_precision: f64::midpoint(correlation(of_first), correlation(of_second)),
        })
    }
}

/// How far two lists agree on the order of the items that both hold, each in [-1, 1].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OrderCorrelations {
    /// Kendall's tau.
    pub kendall_tau: f64,
    /// The mean of the AP correlations of each list with the other (Yilmaz, Aslam and Robertson 2008).
    pub average_precision: f64,
}

/// The ranks from 0 in both lists of the items that both hold, in the order of the first.
fn common(items: &[EitherItem]) -> impl Iterator<Item = (usize, usize)> {
    items.iter().filter_map(|item| item.first.zip(item.second))
}

/// The bits of the ranks below one.
fn below(rank: usize) -> u128 {
    1_u128.checked_shl(u32::try_from(rank).unwrap_or(u32::MAX)).map_or(u128::MAX, |bit| bit - 1)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::rank_similarity::{average_precision_correlation, jaccard, kendall_tau, rank_biased_overlap};
    use proptest::prelude::*;

    fn p(p: f64) -> Proportion {
        Proportion::new(p).unwrap()
    }

    fn cutoff(k: usize) -> NonZeroUsize {
        NonZeroUsize::new(k).unwrap()
    }

    fn close(one: Option<f64>, other: Option<f64>) -> bool {
        match (one, other) {
            (Some(one), Some(other)) => (one - other).abs() < 1e-12,
            (one, other) => one == other,
        }
    }

    /// Two lists with repeats, of equal slots in the table, and of any lengths.
    fn lists() -> impl Strategy<Value = (Vec<u64>, Vec<u64>)> {
        let key = |most: u64| prop_oneof![0..most, (0..most).prop_map(|key| key * SLOTS as u64)];
        prop_oneof![
            (prop::collection::vec(key(12), 0..16), prop::collection::vec(key(12), 0..16)),
            (prop::collection::vec(key(150), 0..130), prop::collection::vec(key(150), 0..130)),
            prop::collection::vec(any::<u64>(), 0..100).prop_map(|list| (list.clone(), list)),
            (Just((0..40).collect::<Vec<u64>>()).prop_shuffle(), Just((0..40).collect::<Vec<u64>>()).prop_shuffle()),
        ]
    }

    proptest! {
        #[test]
        fn the_tops_say_what_the_definitions_say((a, b) in lists(), k in 1_usize..130, persistence in 0.05_f64..0.99) {
            let mut lists = TopLists::new(p(persistence));
            // What stood there before must not matter.
            lists.compare(b.iter().copied(), a.iter().copied().rev());
            lists.compare(a.iter().copied(), b.iter().copied());
            let (a, b) = (&a[..a.len().min(MOST_RANKS)], &b[..b.len().min(MOST_RANKS)]);
            prop_assert!(close(lists.rank_biased_overlap(), rank_biased_overlap(a, b, p(persistence))));
            prop_assert_eq!(lists.jaccard(cutoff(k)), jaccard(a, b, cutoff(k)));
            prop_assert_eq!(lists.identical(cutoff(k)), a[..a.len().min(k)] == b[..b.len().min(k)]);
            let orders = lists.order_correlations();
            prop_assert!(close(orders.map(|orders| orders.kendall_tau), kendall_tau(a, b)));
            let both = average_precision_correlation(a, b).zip(average_precision_correlation(b, a));
            prop_assert!(close(orders.map(|orders| orders.average_precision), both.map(|(one, other)| (one + other) / 2.0)));
            let common: HashSet<&u64> = a.iter().filter(|item| b.contains(item)).collect();
            prop_assert_eq!(lists.common_items(), common.len());
            for item in lists.items() {
                prop_assert_eq!(item.first, a.iter().position(|key| *key == item.key));
                prop_assert_eq!(item.second, b.iter().position(|key| *key == item.key));
            }
        }
    }

    #[test]
    fn empty_lists_are_identical_and_nothing_else_is_defined() {
        let mut lists = TopLists::new(p(0.9));
        lists.compare([].into_iter(), [].into_iter());
        assert!(lists.identical(cutoff(10)));
        assert_eq!((lists.rank_biased_overlap(), lists.jaccard(cutoff(10))), (None, None));
        assert_eq!((lists.common_items(), lists.order_correlations()), (0, None));
        lists.compare([1].into_iter(), [].into_iter());
        assert!(!lists.identical(cutoff(1)));
        assert_eq!((lists.rank_biased_overlap(), lists.jaccard(cutoff(1))), (Some(0.0), Some(0.0)));
    }
}
