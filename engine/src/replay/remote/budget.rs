//! The retry budget: however a server fares, retries add no more than a fraction to its load.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts first attempts, and grants retries in proportion.
#[derive(Debug)]
pub(super) struct RetryBudget {
    fraction: f64,
    first_attempts: AtomicU64,
    retries: AtomicU64,
}

impl RetryBudget {
    /// Returns a budget of `fraction` retries for each first attempt.
    pub(super) fn new(fraction: f64) -> Self {
        Self { fraction, first_attempts: AtomicU64::new(0), retries: AtomicU64::new(0) }
    }

    /// Notes a first attempt and returns its number, from 0.
    pub(super) fn first_attempt(&self) -> u64 {
        self.first_attempts.fetch_add(1, Ordering::Relaxed)
    }

    /// Returns whether a retry may be sent now, and counts it if so.
    pub(super) fn grant(&self) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "a run has far fewer than 2^53 requests")]
        let earned = self.fraction * self.first_attempts.load(Ordering::Relaxed) as f64;
        // A tenth of ten is one, though 0.1 is not quite a tenth.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of at least 0")]
        let earned = (earned + 1e-9) as u64;
        let spend = |spent: u64| (spent < earned).then_some(spent + 1);
        self.retries.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend).is_ok()
    }

    /// Takes a granted retry back that was not sent.
    pub(super) fn give_back(&self) {
        let less = |spent: u64| spent.checked_sub(1);
        // Without a grant there is nothing to take back.
        let _: Result<u64, u64> = self.retries.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// Returns the retries granted so far.
    pub(super) fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }

    /// Returns the first attempts so far.
    pub(super) fn first_attempts(&self) -> u64 {
        self.first_attempts.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_never_exceed_their_fraction_of_the_first_attempts() {
        let budget = RetryBudget::new(0.1);
        let mut granted = 0;
        for requests in 1..=1000 {
            budget.first_attempt();
            granted += (0..5).filter(|_| budget.grant()).count();
            assert_eq!(granted, requests / 10, "after {requests} requests");
        }
        assert_eq!((budget.first_attempts(), budget.retries()), (1000, 100));
    }

    #[test]
    fn no_budget_grants_nothing_and_a_whole_one_grants_as_many() {
        let (none, whole) = (RetryBudget::new(0.0), RetryBudget::new(1.0));
        none.first_attempt();
        whole.first_attempt();
        assert!(!none.grant());
        assert!(whole.grant() && !whole.grant());
    }
}
