//! The circuit breaker: a server that fails time after time is left alone.

use std::sync::{Mutex, PoisonError};

/// Counts failures in a row, and opens for good once there are too many.
#[derive(Debug)]
pub(super) struct Breaker {
    /// Failures in a row that open it; 0 for never.
    threshold: u32,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    failures_in_a_row: u32,
    /// What the failure that opened it said.
    opened_by: Option<String>,
}

impl Breaker {
    pub(super) fn new(threshold: u32) -> Self {
        Self { threshold, state: Mutex::default() }
    }

    /// Returns what opened the breaker, in words, if it is open.
    pub(super) fn opened_by(&self) -> Option<String> {
        self.locked(|state| state.opened_by.clone())
    }

    pub(super) fn succeeded(&self) {
        self.locked(|state| state.failures_in_a_row = 0);
    }

    /// Notes a failure. Returns whether it is the one that opened the breaker.
    pub(super) fn failed(&self, message: &str) -> bool {
        self.locked(|state| {
            state.failures_in_a_row = state.failures_in_a_row.saturating_add(1);
            let opens = state.opened_by.is_none() && self.threshold > 0 && state.failures_in_a_row >= self.threshold;
            if opens {
                let count = state.failures_in_a_row;
                state.opened_by = Some(format!(
                    "the retriever is given up after {count} failures in a row, the last of which was: {message}"
                ));
            }
            opens
        })
    }

    fn locked<T>(&self, use_state: impl FnOnce(&mut State) -> T) -> T {
        // Nothing panics while it holds the lock.
        use_state(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_failures_in_a_row_open_it_and_it_stays_open() {
        let breaker = Breaker::new(3);
        assert!(!breaker.failed("a") && !breaker.failed("b"));
        breaker.succeeded();
        assert!(!breaker.failed("c") && !breaker.failed("d") && breaker.opened_by().is_none());
        assert!(breaker.failed("e") && !breaker.failed("f"));
        breaker.succeeded();
        let words = "the retriever is given up after 3 failures in a row, the last of which was: e";
        assert_eq!(breaker.opened_by().as_deref(), Some(words));
    }

    #[test]
    fn a_threshold_of_zero_never_opens_it() {
        let breaker = Breaker::new(0);
        assert!((0..1000).all(|_| !breaker.failed("x")) && breaker.opened_by().is_none());
    }
}
