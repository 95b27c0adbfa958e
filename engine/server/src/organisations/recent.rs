//! What was found a moment ago.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Findings at once; beyond them the old ones go.
const MOST: usize = 10_000;

/// Findings that are true for a short while.
pub(super) struct Recent<K, V> {
    life: Duration,
    found: Mutex<HashMap<K, (Instant, V)>>,
}

impl<K: Eq + Hash, V: Clone> Recent<K, V> {
    pub(super) fn new(life: Duration) -> Self {
        Self { life, found: Mutex::default() }
    }

    /// Returns what was found, unless it is too long ago.
    pub(super) fn get(&self, key: &K) -> Option<V> {
        let found = self.found();
        let (at, value) = found.get(key)?;
        (at.elapsed() < self.life).then(|| value.clone())
    }

    /// Keeps what was found, at a time before the look began.
    pub(super) fn put(&self, key: K, at: Instant, value: V) {
        let mut found = self.found();
        if found.len() >= MOST {
            found.retain(|_, (at, _)| at.elapsed() < self.life);
        }
        if found.len() >= MOST {
            found.clear();
        }
        found.insert(key, (at, value));
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        self.found().clear();
    }

    fn found(&self) -> MutexGuard<'_, HashMap<K, (Instant, V)>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_forgotten_in_time_and_are_never_too_many() {
        let recent = Recent::new(Duration::from_secs(60));
        recent.put(1_usize, Instant::now(), "one");
        assert_eq!(recent.get(&1), Some("one"));
        recent.put(2, Instant::now() - Duration::from_secs(61), "old");
        assert_eq!(recent.get(&2), None);
        for key in 0..3 * MOST {
            recent.put(key, Instant::now(), "many");
        }
        assert!(recent.found().len() <= MOST);
        recent.clear();
        assert_eq!(recent.get(&1), None);
    }
}
