//! Which sessions depend on one another? Those of one user, or of one visit where no user is known.
//!
//! Keys are compared as texts; hashes only decide what is looked at together, so that memory stays bounded.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;

use datafusion::arrow::array::{Array, RecordBatch, StringArray};

use super::columns::{Damaged, text_column};
use super::fold::in_order;
use super::tables::{OfChunk, Tables};
use crate::benchmark::statistics::ClusterBy;
use crate::schema::column;
use crate::store::{RunDirectory, StoreError, TableReader};

/// Hashes that are sorted at once: 64 MiB of them.
const HASHES_AT_ONCE: u64 = 1 << 23;

/// Keys that look repeated and are compared as texts at once.
const SUSPECTS_AT_ONCE: usize = 1 << 12;

/// Fewer clusters say too little of their own variation.
pub(super) const LEAST_CLUSTERS: usize = 10;

/// Bytes that a cluster's key takes, about, where clusters are numbered ([`Numbers`]).
pub(super) const KEY_BYTES: u64 = 96;

/// What a cluster is named by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Key<'a> {
    User(&'a str),
    Visit(&'a str),
}

impl Key<'_> {
    /// Returns a hash that is the same on every machine and in every version.
    pub(super) fn hash(self) -> u64 {
        match self {
            Self::User(text) => hash_of(1, text),
            Self::Visit(text) => hash_of(2, text),
        }
    }
}

/// Returns the hash of a session's id, as different from a cluster's as two of these are.
pub(super) fn session_hash(session: &str) -> u64 {
    hash_of(3, session)
}

fn hash_of(kind: u8, text: &str) -> u64 {
    // FNV-1a, whose low bits are then mixed by SplitMix64's finaliser.
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let mut bits = text.bytes().fold(step(0xcbf2_9ce4_8422_2325, kind), step);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// The keys of a chunk's sessions.
pub(super) struct Keys {
    users: StringArray,
    visits: StringArray,
    by: ClusterBy,
}

impl Keys {
    /// The columns of sessions that keys are made of.
    pub(super) const COLUMNS: [&str; 2] = [column::VISIT_ID, column::USER_ID];

    pub(super) fn read(tables: &impl Tables, by: ClusterBy) -> Result<Self, StoreError> {
        let batch = tables.sessions(&Self::COLUMNS)?;
        Self::of(&batch, by).map_err(|error| StoreError::table(&tables.sessions_path(), error))
    }

    fn of(batch: &RecordBatch, by: ClusterBy) -> Result<Self, Damaged> {
        let text = |name| text_column(batch, name).cloned();
        Ok(Self { users: text(column::USER_ID)?, visits: text(column::VISIT_ID)?, by })
    }

    pub(super) fn rows(&self) -> usize {
        self.users.len()
    }

    /// Returns what names the row's cluster; `None` for a session that names neither user nor visit and stands alone.
    pub(super) fn get(&self, row: usize) -> Option<Key<'_>> {
        let named = |texts: &StringArray| texts.is_valid(row) && !texts.value(row).trim().is_empty();
        let user = || named(&self.users).then(|| Key::User(self.users.value(row)));
        let visit = || named(&self.visits).then(|| Key::Visit(self.visits.value(row)));
        match self.by {
            ClusterBy::Auto => user().or_else(visit),
            ClusterBy::User => user(),
            ClusterBy::Visit => visit(),
            ClusterBy::Session => None,
        }
    }
}

/// Numbers keys in the order in which they first come.
#[derive(Default)]
pub(super) struct Numbers {
    users: HashMap<Box<str>, u32>,
    visits: HashMap<Box<str>, u32>,
}

impl Numbers {
    /// Returns the key's number, and whether it is new; `next` is the number of a new key.
    pub(super) fn of(&mut self, key: Key<'_>, next: u32) -> (u32, bool) {
        let (numbers, text) = match key {
            Key::User(text) => (&mut self.users, text),
            Key::Visit(text) => (&mut self.visits, text),
        };
        if let Some(number) = numbers.get(text) {
            return (*number, false);
        }
        numbers.insert(text.into(), next);
        (next, true)
    }
}

/// Returns whether a session names its user in a run in which a cluster repeats, or `None` where none does.
pub(super) fn repeated(
    run: &RunDirectory,
    sample: &TableReader,
    threads: NonZeroUsize,
    by: ClusterBy,
) -> Result<Option<bool>, StoreError> {
    if by == ClusterBy::Session {
        return Ok(None);
    }
    let buckets = sample.rows().div_ceil(HASHES_AT_ONCE).max(1);
    let mut users = false;
    for bucket in 0..buckets {
        let mut hashes: Vec<u64> = Vec::new();
        let read = |chunk: usize| {
            let keys = Keys::read(&OfChunk { run, sample, chunk }, by)?;
            let user = (0..keys.rows()).any(|row| matches!(keys.get(row), Some(Key::User(_))));
            let hashes = (0..keys.rows()).filter_map(|row| keys.get(row)).map(Key::hash);
            Ok::<_, StoreError>((user, hashes.filter(|hash| hash % buckets == bucket).collect::<Vec<u64>>()))
        };
        in_order(sample.groups(), threads, read, |_, (user, found)| {
            users |= user;
            hashes.extend(found);
            Ok(())
        })?;
        hashes.sort_unstable();
        let mut suspects: Vec<u64> = Vec::new();
        suspects.extend(hashes.windows(2).filter(|pair| pair.first() == pair.last()).filter_map(|pair| pair.first()));
        suspects.dedup();
        drop(hashes);
        for suspects in suspects.chunks(SUSPECTS_AT_ONCE) {
            if any_twice(run, sample, suspects, by)? {
                return Ok(Some(users));
            }
        }
    }
    Ok(None)
}

/// Whether two keys of these hashes are the same text.
fn any_twice(run: &RunDirectory, sample: &TableReader, suspects: &[u64], by: ClusterBy) -> Result<bool, StoreError> {
    let suspects: HashSet<u64> = suspects.iter().copied().collect();
    let mut numbers = Numbers::default();
    for chunk in 0..sample.groups() {
        let keys = Keys::read(&OfChunk { run, sample, chunk }, by)?;
        let suspected = (0..keys.rows()).filter_map(|row| keys.get(row)).filter(|key| suspects.contains(&key.hash()));
        for key in suspected {
            if !numbers.of(key, 0).1 {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_benchmark_says_what_a_cluster_is() {
        let texts = |values: [Option<&str>; 4]| StringArray::from_iter(values);
        let keys = |by| Keys {
            users: texts([Some("u"), None, Some(" "), None]),
            visits: texts([Some("v"), Some("v"), Some("w"), None]),
            by,
        };
        let all = |by| {
            let keys = keys(by);
            (0..4).map(|row| keys.get(row).map(Key::hash)).collect::<Vec<_>>()
        };
        let [user, visit, other] = [Key::User("u"), Key::Visit("v"), Key::Visit("w")].map(|key| Some(key.hash()));
        assert_eq!(all(ClusterBy::Auto), [user, visit, other, None]);
        assert_eq!(all(ClusterBy::User), [user, None, None, None]);
        assert_eq!(all(ClusterBy::Visit), [visit, visit, other, None]);
        assert_eq!(all(ClusterBy::Session), [None; 4]);
        assert_ne!(Some(session_hash("v")), visit);
    }

    #[test]
    fn a_user_and_a_visit_of_one_name_are_two_clusters() {
        assert_ne!(Key::User("a").hash(), Key::Visit("a").hash());
        let mut numbers = Numbers::default();
        assert_eq!(numbers.of(Key::User("a"), 0), (0, true));
        assert_eq!(numbers.of(Key::Visit("a"), 1), (1, true));
        assert_eq!(numbers.of(Key::User("a"), 2), (0, false));
    }
}
