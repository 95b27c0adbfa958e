//! How much of something an organisation may have at once, so that none takes all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Permits, as many for each organisation.
pub struct Shares {
    each: usize,
    known: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl Shares {
    /// Returns shares of that many permits.
    #[must_use]
    pub fn new(each: usize) -> Self {
        Self { each, known: Mutex::default() }
    }

    /// Returns the permits of an organisation.
    #[must_use]
    pub fn of(&self, organisation: &str) -> Arc<Semaphore> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Semaphore::new(self.each));
        Arc::clone(known.entry(organisation.to_owned()).or_insert_with(new))
    }

    /// Returns a permit of an organisation, at once; `None` where all are taken.
    #[must_use]
    pub fn take(&self, organisation: &str) -> Option<OwnedSemaphorePermit> {
        self.of(organisation).try_acquire_owned().ok()
    }

    /// Forgets organisations that have nothing at the moment.
    pub fn forget(&self) {
        // Every permit holds its semaphore, and so does whoever waits for one.
        self.known.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, permits| Arc::strong_count(permits) > 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_takes_all_of_its_own_takes_nothing_of_others() {
        let shares = Shares::new(2);
        let held = [shares.take("a"), shares.take("a")];
        assert!(held.iter().all(Option::is_some) && shares.take("a").is_none() && shares.take("b").is_some());
        shares.forget();
        assert!(shares.take("a").is_none(), "what is held is not forgotten");
        drop(held);
        assert!(shares.take("a").is_some());
        shares.forget();
        assert!(shares.known.lock().unwrap().is_empty());
    }
}
