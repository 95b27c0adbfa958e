//! Which items stand at the top of each ranking, as keys: enough to compare lists by, and small.

use std::fmt;

use datafusion::arrow::array::{BinaryArray, BinaryBuilder};

/// Bytes of a key.
const KEY_BYTES: usize = size_of::<u64>();

/// Odd constants without a pattern, from wyhash (Wang Yi 2019).
const SECRETS: [u64; 3] = [0xa076_1d64_78bd_642f, 0xe703_7ed1_a0b4_28db, 0x8ebc_6af0_9c88_c6e3];

/// Returns an item's key: a hash of its id that is the same on every machine and in every version.
///
/// Two items of a pair of lists of 100 ranks each share a key with a chance of 20,000 / 2^64, about 1e-15: one session in a
/// million billions. Keys are no secret, so that whoever makes up ids can make two of them meet.
#[must_use]
pub fn item_key(item_id: &str) -> u64 {
    let (words, rest) = item_id.as_bytes().as_chunks::<KEY_BYTES>();
    let mut key = folded(item_id.len() as u64 ^ SECRETS[0], SECRETS[1]);
    for word in words {
        key = folded(key ^ u64::from_le_bytes(*word), SECRETS[1]);
    }
    let last = rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
    folded(key ^ last, SECRETS[2])
}

/// Both halves of the product in one: every bit depends on all.
fn folded(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    (product >> 64) as u64 ^ product as u64
}

/// The column of the top items under way, one ranking after the other.
#[derive(Default)]
pub struct TopItems {
    rows: BinaryBuilder,
    /// The keys of a ranking.
    keys: Vec<u8>,
}

impl TopItems {
    /// Has room for so many rankings, of so many items each.
    #[must_use]
    pub fn with_capacity(rankings: usize, items: usize) -> Self {
        Self { rows: BinaryBuilder::with_capacity(rankings, rankings * items * KEY_BYTES), keys: Vec::new() }
    }

    /// Adds the top of a ranking, best first; empty where the retriever failed.
    pub fn push<'a>(&mut self, items: impl Iterator<Item = &'a str>) {
        self.keys.clear();
        for item in items {
            self.keys.extend_from_slice(&item_key(item).to_le_bytes());
        }
        self.rows.append_value(&self.keys);
    }

    /// Returns the column.
    #[must_use]
    pub fn finish(mut self) -> BinaryArray {
        self.rows.finish()
    }
}

impl fmt::Debug for TopItems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TopItems").finish_non_exhaustive()
    }
}

/// Returns the keys of one ranking's top items, best first, from the bytes of the column.
pub fn top_keys(bytes: &[u8]) -> impl ExactSizeIterator<Item = u64> + Clone {
    bytes.as_chunks::<KEY_BYTES>().0.iter().map(|key| u64::from_le_bytes(*key))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// They stand in files: another version must read what this one wrote.
    #[test]
    fn keys_never_change() {
        let keys = ["", "a", "item-000123", "0123456789abcdef"].map(item_key);
        let written = [0xa550_6ff5_2926_ac13, 0x9a02_8720_8820_f787, 0xecec_fd17_ab43_d172, 0x2120_9e45_68e1_e547];
        assert_eq!(keys, written);
    }

    #[test]
    fn ids_that_are_counted_up_or_end_in_zeros_have_keys_of_their_own() {
        let mut keys = HashSet::new();
        for number in 0..200_000 {
            assert!(keys.insert(item_key(&format!("item-{number}"))), "{number}");
            assert!(keys.insert(item_key(&format!("{number:08}"))), "{number:08}");
        }
        for length in 0..40 {
            assert!(keys.insert(item_key(&"\0".repeat(length))), "{length} zeros");
        }
        // Neighbours must not stand side by side in a table of few slots either.
        let slots: HashSet<u64> = (0..64).map(|number| item_key(&format!("item-{number}")) % 512).collect();
        assert!(slots.len() > 48, "{}", slots.len());
    }

    #[test]
    fn what_is_written_is_read() {
        let mut tops = TopItems::default();
        tops.push(["a", "b"].into_iter());
        tops.push([].into_iter());
        tops.push(["c"].into_iter());
        let column = tops.finish();
        let keys: Vec<Vec<u64>> = column.iter().map(|row| top_keys(row.unwrap()).collect()).collect();
        assert_eq!(keys, [vec![item_key("a"), item_key("b")], vec![], vec![item_key("c")]]);
    }
}
