//! How many instances live at once: the pool has room for so many, and who comes later waits.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Counts the instances that live.
#[derive(Debug)]
pub(crate) struct Slots {
    total: u32,
    counts: Mutex<Counts>,
    freed: Condvar,
}

#[derive(Debug)]
struct Counts {
    free: u32,
    resting: u32,
}

/// The right to one instance; it goes back when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Arc<Slots>,
    resting: bool,
}

impl Slots {
    pub(crate) fn new(total: u32) -> Self {
        Self { total, counts: Mutex::new(Counts { free: total, resting: 0 }), freed: Condvar::new() }
    }

    /// Waits for a slot. It comes: a thread holds at most one while it runs a call, a call ends at its deadline, and
    /// instances that rest until their next call hold at most half of all slots.
    pub(crate) fn take(self: &Arc<Self>) -> Slot {
        let counts = self.freed.wait_while(self.counts(), |counts| counts.free == 0);
        counts.unwrap_or_else(PoisonError::into_inner).free -= 1;
        Slot { slots: Arc::clone(self), resting: false }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// Returns whether the slot may be kept while its instance has nothing to do; it is then resting until
    /// [`Slot::wake`].
    pub(crate) fn rest(&mut self) -> bool {
        let mut counts = self.slots.counts();
        self.resting = counts.resting < self.slots.total / 2;
        counts.resting += u32::from(self.resting);
        self.resting
    }

    /// Ends the rest.
    pub(crate) fn wake(&mut self) {
        self.slots.counts().resting -= u32::from(self.resting);
        self.resting = false;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.wake();
        self.slots.counts().free += 1;
        self.slots.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn who_finds_no_slot_waits_for_one() {
        let slots = Arc::new(Slots::new(2));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..100).for_each(|_| drop(slots.take())));
            }
        });
        assert_eq!(slots.counts().free, 2);
    }

    #[test]
    fn at_most_half_of_the_slots_rest() {
        let slots = Arc::new(Slots::new(4));
        let mut taken: Vec<Slot> = (0..3).map(|_| slots.take()).collect();
        let rested: Vec<bool> = taken.iter_mut().map(Slot::rest).collect();
        assert_eq!(rested, [true, true, false]);
        taken[0].wake();
        assert!(taken[2].rest());
        drop(taken);
        let counts = slots.counts();
        assert_eq!((counts.free, counts.resting), (4, 0));
    }
}
