//! What organisations use that no row of the database speaks of yet.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a figure that is costly to find is taken as true.
const TRUE_FOR: Duration = Duration::from_secs(10);

/// Bytes that are on their way, by organisation: uploads as they arrive, and the folders of jobs as they grow.
#[derive(Debug, Clone, Default)]
pub struct Ledger(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    on_their_way: HashMap<String, u64>,
    /// What was found beside files and folders of jobs, and when.
    beside: HashMap<String, (Instant, u64)>,
    /// When an organisation was last found to have room.
    roomy: HashMap<String, Instant>,
}

/// Bytes of one upload or job; they go when this is dropped.
#[derive(Debug)]
pub struct Entry {
    ledger: Ledger,
    organisation: String,
    bytes: u64,
}

impl Ledger {
    /// Returns an entry of no bytes.
    #[must_use]
    pub fn open(&self, organisation: &str) -> Entry {
        Entry { ledger: self.clone(), organisation: organisation.to_owned(), bytes: 0 }
    }

    /// Returns how much of an organisation is on its way, bytes.
    #[must_use]
    pub fn on_their_way(&self, organisation: &str) -> u64 {
        self.known().on_their_way.get(organisation).copied().unwrap_or(0)
    }

    pub(super) fn beside(&self, organisation: &str) -> Option<u64> {
        let known = self.known();
        let (at, bytes) = known.beside.get(organisation)?;
        (at.elapsed() < TRUE_FOR).then_some(*bytes)
    }

    /// Returns the same, however old it is.
    pub(super) fn last_beside(&self, organisation: &str) -> u64 {
        self.known().beside.get(organisation).map_or(0, |(_, bytes)| *bytes)
    }

    pub(super) fn found_beside(&self, organisation: &str, bytes: u64) {
        self.known().beside.insert(organisation.to_owned(), (Instant::now(), bytes));
    }

    pub(super) fn is_roomy(&self, organisation: &str) -> bool {
        self.known().roomy.get(organisation).is_some_and(|at| at.elapsed() < TRUE_FOR)
    }

    pub(super) fn found_roomy(&self, organisation: &str) {
        self.known().roomy.insert(organisation.to_owned(), Instant::now());
    }

    pub(super) fn found_full(&self, organisation: &str) {
        self.known().roomy.remove(organisation);
    }

    /// Forgets figures that are no longer true.
    pub fn forget(&self) {
        let mut known = self.known();
        known.beside.retain(|_, (at, _)| at.elapsed() < TRUE_FOR);
        known.roomy.retain(|_, at| at.elapsed() < TRUE_FOR);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// Says how many bytes it has now.
    pub fn set(&mut self, bytes: u64) {
        let mut known = self.ledger.known();
        let sum = known.on_their_way.remove(&self.organisation).unwrap_or(0);
        let sum = sum.saturating_sub(self.bytes).saturating_add(bytes);
        if sum > 0 {
            known.on_their_way.insert(self.organisation.clone(), sum);
        }
        self.bytes = bytes;
    }

    /// Says that so many bytes have come.
    pub fn add(&mut self, bytes: usize) {
        self.set(self.bytes.saturating_add(bytes as u64));
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_its_way_counts_until_it_is_dropped() {
        let ledger = Ledger::default();
        let (mut first, mut second) = (ledger.open("a"), ledger.open("a"));
        first.add(5);
        second.set(7);
        second.set(3);
        assert_eq!((ledger.on_their_way("a"), ledger.on_their_way("b")), (8, 0));
        drop(second);
        first.add(1);
        assert_eq!(ledger.on_their_way("a"), 6);
        drop(first);
        assert!(ledger.known().on_their_way.is_empty());
    }
}
