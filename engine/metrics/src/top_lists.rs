//! How alike the tops of two lists are, fast: what [`crate::rank_similarity`] says of a few dozen ranks of items that are known
//! by 64-bit keys, without a set or a map per pair of lists.
//!
//! A run compares two lists per session and candidate. Both tops go into one open-addressed table that stays in the
//! processor's cache, and every rank learns where its item stands in the other list. All else follows from these ranks; items
//! that both hold become bits, so that the discordant pairs before an item are counted in one step.

use std::num::NonZeroUsize;

use crate::bounded::Proportion;
use crate::sum::count;

/// Ranks of a list that are compared at most; those below are left out.
pub const MOST_RANKS: usize = 100;

/// Slots of the table at most: a power of two, several times the keys of the longest lists.
const SLOTS: usize = 1024;

/// Slots for a key: with fewer, keys meet so often that a processor guesses wrongly where a search ends.
const SLOTS_OF_A_KEY: usize = 8;

/// The place before those of the second list.
const FIRST_OF_SECOND: u8 = 100;

/// Numbers that a byte has: lists with as many elements need no check of a place.
const BYTES: usize = 256;

/// What stands for the rank in the other list, which counts from 1, of an item that is not there.
const NOWHERE: u8 = 0;

/// What stands there at a rank whose item stood above it already.
const REPEATED: u8 = u8::MAX;

/// An item that at least one of the lists holds, with its first rank in each, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EitherItem {
    /// The item's key.
    pub key: u64,
    /// Its index in the first list.
    pub first: Option<u8>,
    /// Its index in the second list.
    pub second: Option<u8>,
}

/// Compares the tops of one pair of lists after the other.
#[derive(Debug, Clone)]
pub struct TopLists {
    /// 0 for a free slot, else a place in `keys`. Only as many as the lists need are looked at.
    slots: [u8; SLOTS],
    /// Those of the first list from 1 on, of the second after [`MOST_RANKS`] more.
    keys: [u64; BYTES],
    lengths: [usize; 2],
    /// By list and rank from 1: the item's rank in the other list.
    others: [[u8; BYTES]; 2],
    /// Whether a list holds an item twice.
    repeats: [bool; 2],
    /// By depth from 1: p^depth.
    powers: Vec<f64>,
    persistence: f64,
    /// Items that both lists hold down to each rank from 1.
    overlaps: [u8; BYTES],
    /// Items that both lists hold.
    common: usize,
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
            slots: [0; SLOTS],
            keys: [0; BYTES],
            lengths: [0; 2],
            others: [[NOWHERE; BYTES]; 2],
            repeats: [false; 2],
            powers,
            persistence: p,
            overlaps: [0; BYTES],
            common: 0,
            same: 0,
        }
    }

    /// Takes up two lists, best first; only their first [`MOST_RANKS`] items count. What the other methods return is about
    /// them until the next call. Of a repeated item only its first rank counts.
    pub fn compare(&mut self, first: impl ExactSizeIterator<Item = u64>, second: impl ExactSizeIterator<Item = u64>) {
        self.lengths = [first.len().min(MOST_RANKS), second.len().min(MOST_RANKS)];
        let [of_first, of_second] = self.lengths;
        let slots = (SLOTS_OF_A_KEY * (of_first + of_second)).next_power_of_two().min(SLOTS);
        self.slots.iter_mut().take(slots).for_each(|slot| *slot = 0);
        self.overlaps.iter_mut().take(of_first.max(of_second) + 1).for_each(|overlap| *overlap = 0);
        self.add_first(first, slots - 1);
        self.add_second(second, slots - 1);
        let mut overlap = 0;
        for at_depth in self.overlaps.iter_mut().skip(1).take(of_first.max(of_second)) {
            overlap += *at_depth;
            *at_depth = overlap;
        }
    }

    fn add_first(&mut self, keys: impl Iterator<Item = u64>, mask: usize) {
        self.repeats[0] = false;
        for (rank, key) in (1..).zip(keys.take(MOST_RANKS)) {
            self.keys[usize::from(rank)] = key;
            let (slot, found) = self.find(key, mask);
            self.others[0][usize::from(rank)] = if found == 0 { NOWHERE } else { REPEATED };
            self.repeats[0] |= found != 0;
            self.slots[slot] = if found == 0 { rank } else { found };
        }
    }

    fn add_second(&mut self, keys: impl Iterator<Item = u64>, mask: usize) {
        (self.repeats[1], self.same, self.common) = (false, 0, 0);
        let mut keys = (1..).zip(keys.take(MOST_RANKS));
        let mut next = keys.next();
        // As long as both lists are the same, nothing need be looked for.
        while let Some((rank, key)) = next
            && self.same < self.lengths[0]
            && self.keys[usize::from(rank)] == key
        {
            self.same += 1;
            let other = &mut self.others[0][usize::from(rank)];
            let is_new = *other == NOWHERE;
            *other = if is_new { rank } else { REPEATED };
            self.others[1][usize::from(rank)] = *other;
            self.repeats[1] |= !is_new;
            self.overlaps[usize::from(rank)] = u8::from(is_new);
            self.common += usize::from(is_new);
            next = keys.next();
        }
        while let Some((rank, key)) = next {
            self.add_to_second(rank, key, mask);
            next = keys.next();
        }
    }

    /// Every other item may be known, at random: nothing is jumped over, as a processor would guess wrongly each other time.
    fn add_to_second(&mut self, rank: u8, key: u64, mask: usize) {
        let place = FIRST_OF_SECOND + rank;
        self.keys[usize::from(place)] = key;
        let (slot, found) = self.find(key, mask);
        self.slots[slot] = if found == 0 { place } else { found };
        let other = &mut self.others[0][usize::from(found)];
        let is_common = found.wrapping_sub(1) < FIRST_OF_SECOND && *other == NOWHERE;
        *other = if is_common { rank } else { *other };
        let alone = if found == 0 { NOWHERE } else { REPEATED };
        self.others[1][usize::from(rank)] = if is_common { found } else { alone };
        self.repeats[1] |= !is_common && found != 0;
        self.overlaps[usize::from(found.max(rank))] += u8::from(is_common);
        self.common += usize::from(is_common);
    }

    /// Returns the slot of a key, and its place where it is known, else 0.
    fn find(&self, key: u64, mask: usize) -> (usize, u8) {
        let mut slot = key as usize & (mask % SLOTS);
        loop {
            let place = self.slots[slot];
            // There are more slots than keys, so that the search meets a free one.
            if (place == 0) | (self.keys[usize::from(place)] == key) {
                return (slot, place);
            }
            slot = (slot + 1) & (mask % SLOTS);
        }
    }

    /// Iterates over the items that stand in either list above the cutoff: those of the first in its order, then those that only
    /// the second holds. What stands below the cutoff is not there.
    pub fn items(&self, cutoff: NonZeroUsize) -> impl Iterator<Item = EitherItem> {
        let [of_first, of_second] = &self.others;
        let [first, second] = self.lengths(cutoff);
        let cutoff = u8::try_from(cutoff.get()).unwrap_or(u8::MAX);
        let within = move |other: u8| other.checked_sub(1).filter(|rank| *rank < cutoff);
        let of_first = (0..).zip(of_first.iter().zip(&self.keys).skip(1).take(first));
        let of_second = (0..).zip(of_second.iter().zip(self.keys.iter().skip(MOST_RANKS)).skip(1).take(second));
        let of_first = of_first.filter(|(_, (other, _))| **other != REPEATED);
        let of_second = of_second.filter(move |(_, (other, _))| **other != REPEATED && within(**other).is_none());
        let of_first = of_first.map(move |(rank, (other, key))| EitherItem {
            key: *key,
            first: Some(rank),
            second: within(*other),
        });
        of_first.chain(of_second.map(|(rank, (_, key))| EitherItem { key: *key, first: None, second: Some(rank) }))
    }

    /// Returns the ranks that each list has down to the cutoff.
    #[must_use]
    pub fn lengths(&self, cutoff: NonZeroUsize) -> [usize; 2] {
        self.lengths.map(|length| length.min(cutoff.get()))
    }

    /// Returns the number of items that both hold.
    #[must_use]
    pub fn common_items(&self) -> usize {
        self.common
    }

    /// Returns whether both lists are the same down to the cutoff: the same items in the same order, and no more of them in
    /// one than in the other. True for two empty lists.
    #[must_use]
    pub fn identical(&self, cutoff: NonZeroUsize) -> bool {
        let [first, second] = self.lengths(cutoff);
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
        if shorter == 0 {
            return Some(0.0);
        }
        let (at_shorter, at_longer) = (f64::from(self.overlaps[shorter]), count(self.common));
        let (in_shorter, in_longer) = (count(shorter), count(longer));
        let (mut seen, mut weight, mut depth) = (0.0, 1.0, 0.0);
        let mut depths = self.overlaps.iter().skip(1).zip(&self.powers).take(longer);
        for (overlap, power) in depths.by_ref().take(shorter) {
            depth += 1.0;
            seen += power * f64::from(*overlap) / depth;
            weight = *power;
        }
        for (overlap, power) in depths {
            depth += 1.0;
            seen += power * (f64::from(*overlap) + at_shorter * (depth - in_shorter) / in_shorter) / depth;
            weight = *power;
        }
        let extrapolated = ((at_longer - at_shorter) / in_longer + at_shorter / in_shorter) * weight;
        Some((1.0 - self.persistence) / self.persistence * seen + extrapolated)
    }

    /// Returns the items that both top k share over those that either holds, as [`crate::rank_similarity::jaccard`].
    #[must_use]
    pub fn jaccard(&self, cutoff: NonZeroUsize) -> Option<f64> {
        let [first, second] = self.lengths(cutoff);
        let shared = usize::from(self.overlaps[first.max(second)]);
        let either = self.distinct(0, first) + self.distinct(1, second) - shared;
        (either > 0).then(|| count(shared) / count(either))
    }

    /// The items of a list down to a rank that it has.
    fn distinct(&self, list: usize, ranks: usize) -> usize {
        match self.repeats[list] {
            true => self.others[list].iter().skip(1).take(ranks).filter(|other| **other != REPEATED).count(),
            false => ranks,
        }
    }

    /// Returns Kendall's tau of the items that both hold, and the mean of their AP correlations in both directions, as
    /// [`crate::rank_similarity::kendall_tau`] and [`crate::rank_similarity::average_precision_correlation`]; `None` for fewer
    /// than two of them.
    #[must_use]
    pub fn order_correlations(&self) -> Option<OrderCorrelations> {
        let items = self.common;
        if items < 2 {
            return None;
        }
        let (order, is_equal) = self.order_in_second();
        if is_equal {
            return Some(OrderCorrelations { kendall_tau: 1.0, average_precision: 1.0 });
        }
        let (mut above, mut concordant, mut of_first, mut of_second) = (Places::default(), 0, 0.0, 0.0);
        for (index, place) in order.iter().take(items).enumerate() {
            // Those above in both lists; those above in the second list are its place among them there. Above the first item of
            // either list there is none, and 0 is added.
            let rightly_above = above.below(*place);
            concordant += rightly_above as usize;
            of_first += f64::from(rightly_above) / count(index.max(1));
            of_second += f64::from(rightly_above) / f64::from((*place).max(1));
            above.add(*place);
        }
        let correlation = |sum: f64| 2.0 * sum / count(items - 1) - 1.0;
        let pairs = count(items) * count(items - 1) / 2.0;
        Some(OrderCorrelations {
            kendall_tau: 2.0 * count(concordant) / pairs - 1.0,
            average_precision: f64::midpoint(correlation(of_first), correlation(of_second)),
        })
    }

    /// Returns, for each item that both hold in the order of the first, how many of them stand above it in the second; and whether
    /// both have them in one order.
    fn order_in_second(&self) -> ([u8; BYTES], bool) {
        let is_common = |other: u8| !matches!(other, NOWHERE | REPEATED);
        let [first, second] = self.lengths;
        let mut places = [0; BYTES];
        let mut place = 0;
        for (known, other) in places.iter_mut().zip(&self.others[1]).skip(1).take(second) {
            *known = place;
            place += u8::from(is_common(*other));
        }
        let (mut order, mut items, mut is_equal) = ([0; BYTES], 0_u8, true);
        for other in self.others[0].iter().skip(1).take(first) {
            // What is no item of both is written over.
            let place = places[usize::from(*other)];
            order[usize::from(items)] = place;
            is_equal &= place == items || !is_common(*other);
            items += u8::from(is_common(*other));
        }
        (order, is_equal)
    }
}

/// A set of places below [`MOST_RANKS`].
#[derive(Clone, Copy, Default)]
struct Places([u64; 2]);

impl Places {
    fn add(&mut self, place: u8) {
        let [low, high] = &mut self.0;
        *(if place < 64 { low } else { high }) |= 1 << (place % 64);
    }

    /// The number of places below one.
    fn below(self, place: u8) -> u32 {
        let [low, high] = self.0;
        let below = (1 << (place % 64)) - 1;
        // Few lists are so long that the second word counts, and processors of old count bit by bit.
        if place < 64 { (low & below).count_ones() } else { low.count_ones() + (high & below).count_ones() }
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::hint::black_box;
    use std::time::Instant;

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

    /// Ranks in both lists of the items that both hold, in the order of the first.
    fn common_ranks(a: &[u64], b: &[u64]) -> Vec<(usize, usize)> {
        let is_first = |(rank, key): &(usize, &u64)| a.iter().position(|other| other == *key) == Some(*rank);
        let ranks = a.iter().enumerate().filter(is_first);
        ranks.filter_map(|(rank, key)| Some((rank, b.iter().position(|other| other == key)?))).collect()
    }

    /// The same sums in the same order, without what is left out or known beforehand: reports have their bits.
    fn spelled_out_overlap(a: &[u64], b: &[u64], p: f64) -> Option<f64> {
        let (shorter, longer) = (a.len().min(b.len()), a.len().max(b.len()));
        let ranks = common_ranks(a, b);
        let overlap = |depth: usize| count(ranks.iter().filter(|(one, other)| *one < depth && *other < depth).count());
        if shorter == 0 {
            return (longer > 0).then_some(0.0);
        }
        let (at_shorter, at_longer) = (overlap(shorter), overlap(longer));
        let (mut seen, mut weight, mut power) = (0.0, 1.0, p);
        for depth in 1..=longer {
            let beyond = (count(depth) - count(shorter)).max(0.0);
            seen += power * (overlap(depth) + at_shorter * beyond / count(shorter)) / count(depth);
            weight = power;
            power *= p;
        }
        Some((1.0 - p) / p * seen + ((at_longer - at_shorter) / count(longer) + at_shorter / count(shorter)) * weight)
    }

    fn spelled_out_orders(a: &[u64], b: &[u64]) -> Option<[f64; 2]> {
        let ranks = common_ranks(a, b);
        let (mut concordant, mut of_first, mut of_second) = (0, 0.0, 0.0);
        for (index, (_, second)) in ranks.iter().enumerate() {
            let rightly_above = ranks[..index].iter().filter(|(_, other)| other < second).count();
            let above_in_second = ranks.iter().filter(|(_, other)| other < second).count();
            concordant += rightly_above;
            of_first += if index > 0 { count(rightly_above) / count(index) } else { 0.0 };
            of_second += if above_in_second > 0 { count(rightly_above) / count(above_in_second) } else { 0.0 };
        }
        let correlation = |sum: f64| 2.0 * sum / count(ranks.len() - 1) - 1.0;
        let pairs = || count(ranks.len()) * count(ranks.len() - 1) / 2.0;
        let found =
            || [2.0 * count(concordant) / pairs() - 1.0, f64::midpoint(correlation(of_first), correlation(of_second))];
        (ranks.len() > 1).then(found)
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
            prop_assert_eq!(lists.lengths(cutoff(k)), [a.len().min(k), b.len().min(k)]);
            prop_assert_eq!(lists.rank_biased_overlap().map(f64::to_bits), spelled_out_overlap(a, b, persistence).map(f64::to_bits));
            let bits = |[tau, precision]: [f64; 2]| [tau.to_bits(), precision.to_bits()];
            let orders = orders.map(|orders| [orders.kendall_tau, orders.average_precision]);
            prop_assert_eq!(orders.map(bits), spelled_out_orders(a, b).map(bits));
            let (a, b) = (&a[..a.len().min(k)], &b[..b.len().min(k)]);
            let rank = |list: &[u64], key: &u64| list.iter().position(|other| other == key).map(|rank| rank as u8);
            let mut either: Vec<u64> = Vec::new();
            for key in a.iter().chain(b) {
                if !either.contains(key) {
                    either.push(*key);
                }
            }
            let either = either.iter().map(|key| EitherItem { key: *key, first: rank(a, key), second: rank(b, key) });
            prop_assert_eq!(lists.items(cutoff(k)).collect::<Vec<_>>(), either.collect::<Vec<_>>());
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

    /// How much faster than by sets and maps: `cargo test -p rematch-metrics -- --ignored --nocapture top_lists`.
    #[test]
    #[ignore = "measures, and means something only on a quiet machine"]
    fn speed_against_the_definitions() {
        let key = |number: u64| number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let first: Vec<u64> = (0..20).map(key).collect();
        let swapped = (0..20_u64).map(|rank| key(rank ^ u64::from(rank % 7 < 2))).collect();
        let halved = (0..20_u64).rev().map(|rank| key(if rank % 2 == 0 { rank } else { rank + 50 })).collect();
        let others = (50..70).map(key).collect();
        let cases: [(&str, Vec<u64>); 4] =
            [("equal", first.clone()), ("swapped", swapped), ("half others", halved), ("all others", others)];
        let fastest = |work: &mut dyn FnMut()| {
            let mut once = || {
                let start = Instant::now();
                (0..2000).for_each(|_| work());
                start.elapsed().as_secs_f64()
            };
            (0..9).map(|_| once()).fold(f64::INFINITY, f64::min)
        };
        let mut lists = TopLists::new(p(0.9));
        for (name, second) in &cases {
            let by_sets = fastest(&mut || {
                let (a, b) = (black_box(first.as_slice()), second.as_slice());
                black_box((rank_biased_overlap(a, b, p(0.9)), jaccard(a, b, cutoff(10)), kendall_tau(a, b)));
                black_box((average_precision_correlation(a, b), average_precision_correlation(b, a)));
            });
            let here = fastest(&mut || {
                lists.compare(black_box(first.as_slice()).iter().copied(), second.iter().copied());
                black_box((lists.rank_biased_overlap(), lists.jaccard(cutoff(10)), lists.order_correlations()));
            });
            println!("{name}: {:.1} times as fast", by_sets / here);
        }
    }
}
