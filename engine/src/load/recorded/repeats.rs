//! Does a ranking hold an item twice? Told by hashes, in a table that every session uses again.

use std::ops::Range;

use datafusion::arrow::array::StringArray;

/// Rankings beyond this many hits are left to the exact check, so that the table stays small.
const MAX_HITS: usize = 1 << 16;
/// Slots per hit: three of four stay empty, so that hits rarely meet.
const SLOTS_PER_HIT: usize = 4;
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
}

impl RepeatFinder {
    /// Returns `false` only where no two of the items are equal.
    pub(super) fn may_repeat(&mut self, items: &StringArray, hits: Range<usize>) -> bool {
        if hits.len() > MAX_HITS {
            return true;
        }
        self.start(hits.len());
        let (offsets, bytes, mask) = (items.value_offsets(), items.value_data(), self.slots.len() - 1);
        let Some(offsets) = offsets.get(hits.start..=hits.end) else { return true };
        for pair in offsets.windows(2) {
            let &[start, end] = pair else { return true };
            #[expect(clippy::cast_sign_loss, reason = "offsets of an array are never negative")]
            let Some(item) = bytes.get(start as usize..end as usize) else { return true };
            if self.meets(hash(item), mask) {
                return true;
            }
        }
        false
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

    /// Notes a hash, and returns whether the session has one that cannot be told from it.
    fn meets(&mut self, hash: u64, mask: usize) -> bool {
        let noted = (u64::from(self.session) << 32) | (hash & u64::from(u32::MAX));
        let first = (hash >> 32) as usize;
        for place in first..first + MAX_PROBES {
            let Some(slot) = self.slots.get_mut(place & mask) else { return true };
            if *slot == noted {
                return true;
            }
            if *slot >> 32 != u64::from(self.session) {
                *slot = noted;
                return false;
            }
        }
        true
    }
}

/// Returns a hash of bytes. Whoever makes items of equal hashes only makes the exact check run.
fn hash(bytes: &[u8]) -> u64 {
    let mut hash = (bytes.len() as u64).wrapping_mul(SPREAD);
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

fn mixed(value: u64) -> u64 {
    let product = value.wrapping_mul(SPREAD);
    product ^ (product >> 32)
}
