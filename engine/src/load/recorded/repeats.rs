//! Does a ranking hold an item twice? Told by hashes, in a table that every session uses again.

use std::ops::Range;

use datafusion::arrow::array::StringArray;

/// Rankings beyond this many hits are left to the exact check, so that the table stays small.
const MAX_HITS: usize = 1 << 16;
/// Slots per hit: hits that meet cost more than room.
const SLOTS_PER_HIT: usize = 8;
/// Slots looked at for one hit before the table is taken for crowded.
const MAX_PROBES: usize = 64;
/// An odd number whose bits look random (2^64 / golden ratio): multiplying by it spreads what differs to the upper bits.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Finds rankings that may hold an item twice.
#[derive(Default)]
pub(super) struct RepeatFinder {
    /// The session's number above the lower half of the item's hash. Slots of sessions before count as empty, so nothing has to be cleared.
    slots: Vec<u64>,
    session: u32,
    /// Of one session: found first, as nothing has to be waited for.
    hashes: Vec<u64>,
}

impl RepeatFinder {
    /// Returns `false` only where no two of the items are equal.
    pub(super) fn may_repeat(&mut self, items: &StringArray, hits: Range<usize>) -> bool {
        if hits.len() > MAX_HITS {
            return true;
        }
        let Some(starts) = items.value_offsets().get(hits.start..=hits.end) else { return true };
        let ends = starts.get(1..).unwrap_or_default();
        let bytes = items.value_data();
        #[expect(clippy::cast_sign_loss, reason = "offsets of an array are never negative")]
        let item = |(start, end): (&i32, &i32)| bytes.get(*start as usize..*end as usize).unwrap_or_default();
        self.hashes.clear();
        match words(starts, bytes) {
            Some(words) => self.hashes.extend(words.iter().map(|word| hash_of_word(*word))),
            None => self.hashes.extend(starts.iter().zip(ends).map(|ends| hash(item(ends)))),
        }
        self.start(hits.len());
        let mask = self.slots.len() - 1;
        let (slots, session) = (self.slots.as_mut_slice(), u64::from(self.session));
        self.hashes.iter().any(|hash| meets(slots, mask, session, *hash))
    }

    /// Begins a session of so many hits.
    fn start(&mut self, hits: usize) {
        let slots = (hits * SLOTS_PER_HIT).next_power_of_two().max(64);
        if self.slots.len() < slots {
            self.slots = vec![0; slots];
            self.session = 0;
        }
        if self.session == u32::MAX {
            self.slots.fill(0);
            self.session = 0;
        }
        self.session += 1;
    }
}

/// Notes a hash, and returns whether the session has one that cannot be told from it.
#[inline]
fn meets(slots: &mut [u64], mask: usize, session: u64, hash: u64) -> bool {
    let noted = (session << 32) | (hash & u64::from(u32::MAX));
    let first = (hash >> 32) as usize;
    match slots.get_mut(first & mask) {
        Some(slot) if *slot >> 32 != session => {
            *slot = noted;
            false
        }
        _ => meets_further_on(slots, mask, noted, first),
    }
}

#[cold]
fn meets_further_on(slots: &mut [u64], mask: usize, noted: u64, first: usize) -> bool {
    for place in first..first + MAX_PROBES {
        let Some(slot) = slots.get_mut(place & mask) else { return true };
        if *slot == noted {
            return true;
        }
        if *slot >> 32 != noted >> 32 {
            *slot = noted;
            return false;
        }
    }
    true
}

/// Returns items that have eight bytes each, as they stand one after the other; `None` where one is longer or shorter.
fn words<'a>(starts: &[i32], bytes: &'a [u8]) -> Option<&'a [[u8; 8]]> {
    let ends = starts.get(1..)?;
    // Without a way out of the loop several are looked at by one instruction.
    let alike = starts.iter().zip(ends).fold(true, |alike, (start, end)| alike & (end.wrapping_sub(*start) == 8));
    let range = usize::try_from(*starts.first()?).ok()?..usize::try_from(*starts.last()?).ok()?;
    bytes.get(range).filter(|_| alike).map(|items| items.as_chunks().0)
}

/// Returns a hash of bytes. Whoever makes items of equal hashes only makes the exact check run.
#[inline]
fn hash(bytes: &[u8]) -> u64 {
    match bytes.try_into() {
        Ok(word) => hash_of_word(word),
        Err(_) => hash_of_any_length(bytes),
    }
}

fn hash_of_word(word: [u8; 8]) -> u64 {
    mixed(of_length(size_of::<u64>()) ^ u64::from_le_bytes(word))
}

fn hash_of_any_length(bytes: &[u8]) -> u64 {
    let mut hash = of_length(bytes.len());
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        hash = mixed(hash ^ u64::from_le_bytes(*word));
    }
    if !rest.is_empty() {
        let mut word = [0; 8];
        for (to, from) in word.iter_mut().zip(rest) {
            *to = *from;
        }
        hash = mixed(hash ^ u64::from_le_bytes(word));
    }
    hash
}

fn of_length(bytes: usize) -> u64 {
    (bytes as u64).wrapping_mul(SPREAD)
}

fn mixed(value: u64) -> u64 {
    let product = value.wrapping_mul(SPREAD);
    product ^ (product >> 32)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_repeat_is_never_missed_and_few_others_are_suspected(
            sessions in prop::collection::vec(prop::collection::vec(0_u32..300, 0..40), 1..6),
            // Eight bytes each, of another length, or of any.
            width in prop::option::of(prop::sample::select(vec![3_usize, 8, 16, 21])),
        ) {
            let item = |number: &u32| match width {
                Some(width) => format!("{number:0width$}"),
                None => format!("{number:0width$}", width = 3 + *number as usize % 12),
            };
            let items: Vec<String> = sessions.iter().flatten().map(item).collect();
            let items = StringArray::from(items);
            let (mut finder, mut start) = (RepeatFinder::default(), 0);
            for session in &sessions {
                let hits = start..start + session.len();
                start = hits.end;
                let repeats = session.iter().collect::<HashSet<_>>().len() < session.len();
                // Hashes of so few numbers are all different.
                prop_assert_eq!(finder.may_repeat(&items, hits), repeats);
            }
        }
    }
}
