//! When the next request may be sent, and from when its latency counts.

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::time::Instant;

use crate::benchmark::{Arrival, PolicyPlan};

/// The pace of a retriever's requests.
#[derive(Debug)]
pub(super) enum Pace {
    /// As fast as they come.
    Unlimited,
    /// No more than so many per second.
    Limited(Box<Limit>),
    /// Each when it is due.
    Scheduled(Schedule),
}

impl Pace {
    pub(super) fn new(plan: &PolicyPlan, concurrency: NonZeroUsize) -> Self {
        match (plan.rate, plan.arrival) {
            (Some(rate), Arrival::Open) => Self::Scheduled(Schedule::new(rate, concurrency)),
            (Some(rate), Arrival::Closed) => {
                Limit::new(rate).map_or(Self::Unlimited, |limit| Self::Limited(limit.into()))
            }
            (None, _) => Self::Unlimited,
        }
    }

    /// Waits until a first attempt may be sent. The turn ends when it is dropped.
    pub(super) async fn turn(&self) -> Turn<'_> {
        match self {
            Self::Unlimited => Turn { from: Instant::now(), of: None },
            Self::Limited(limit) => {
                limit.wait().await;
                Turn { from: Instant::now(), of: None }
            }
            Self::Scheduled(schedule) => {
                // Made before the wait, so that a cancelled wait gives its place back.
                let turn = schedule.arrive();
                tokio::time::sleep_until(turn.from).await;
                turn
            }
        }
    }

    /// Waits until a request that nobody planned for (a retry, a warm-up) may be sent.
    pub(super) async fn wait(&self) {
        if let Self::Limited(limit) = self {
            limit.wait().await;
        }
    }
}

/// A request's time in flight.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    /// From when the request's latency counts: when it was due, or else when it could go.
    pub(super) from: Instant,
    of: Option<&'a Schedule>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(schedule) = self.of {
            schedule.depart();
        }
    }
}

/// No more than so many requests per second.
pub(super) struct Limit {
    limiter: RateLimiter<NotKeyed, InMemoryState, RuntimeClock, NoOpMiddleware<Duration>>,
    clock: RuntimeClock,
    /// Whoever waits for the limiter holds it, so that requests go in the order in which they came.
    queue: tokio::sync::Mutex<()>,
}

impl std::fmt::Debug for Limit {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Limit").finish_non_exhaustive()
    }
}

/// Timers wake up to a millisecond late; what fell due meanwhile may follow at once, so that the rate is kept up.
const CATCH_UP: f64 = 0.01;

impl Limit {
    /// Returns `None` for a rate that no clock can tell from unlimited.
    fn new(rate: f64) -> Option<Self> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is at most a million")]
        let burst = NonZeroU32::MIN.saturating_add((rate * CATCH_UP) as u32);
        let quota = Quota::with_period(Duration::try_from_secs_f64(rate.recip()).ok()?)?.allow_burst(burst);
        let clock = RuntimeClock { start: Instant::now() };
        Some(Self { limiter: RateLimiter::direct_with_clock(quota, clock), clock, queue: tokio::sync::Mutex::new(()) })
    }

    async fn wait(&self) {
        let _first = self.queue.lock().await;
        while let Err(early) = self.limiter.check() {
            tokio::time::sleep(early.wait_time_from(self.clock.now())).await;
        }
    }
}

/// The runtime's clock, which tests can stop.
#[derive(Debug, Clone, Copy)]
struct RuntimeClock {
    start: Instant,
}

impl Clock for RuntimeClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.start.elapsed()
    }
}

/// Request i is due i/rate seconds after the first, whatever became of those before it (an open system: Schroeder, Wierman
/// and Harchol-Balter 2006). Latency counts from then, so that requests which a stalled server held up are not forgiven
/// (no coordinated omission).
///
/// Only time in which the server kept every place taken is the server's: when a place was free and nobody asked (between
/// two chunks of sessions), the schedule waits.
#[derive(Debug)]
pub(super) struct Schedule {
    period: Duration,
    places: usize,
    state: Mutex<ScheduleState>,
}

#[derive(Debug)]
struct ScheduleState {
    /// When the next request is due; `None` before the first.
    next_due: Option<Instant>,
    in_flight: usize,
    /// When the last place that had been taken became free.
    free_since: Option<Instant>,
}

impl Schedule {
    fn new(rate: f64, places: NonZeroUsize) -> Self {
        let period = Duration::try_from_secs_f64(rate.recip()).unwrap_or(Duration::MAX);
        let state = ScheduleState { next_due: None, in_flight: 0, free_since: None };
        Self { period, places: places.get(), state: Mutex::new(state) }
    }

    fn arrive(&self) -> Turn<'_> {
        let now = Instant::now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = state.next_due.unwrap_or(now);
        if now > due && state.in_flight < self.places {
            let could_have_come = state.free_since.map_or(due, |free| free.max(due));
            due += now.saturating_duration_since(could_have_come);
            // That gap is forgiven once, and not again to whoever comes next.
            state.free_since = Some(now);
        }
        state.next_due = due.checked_add(self.period).or(Some(due));
        state.in_flight += 1;
        Turn { from: due, of: Some(self) }
    }

    fn depart(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.in_flight >= self.places {
            state.free_since = Some(Instant::now());
        }
        state.in_flight = state.in_flight.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_gap_is_forgiven_once_and_the_backlog_before_it_stays() {
        let milliseconds = Duration::from_millis;
        let schedule = Schedule::new(1000.0, NonZeroUsize::new(8).unwrap());
        let start = Instant::now();
        let first: Vec<_> = (0..8).map(|_| schedule.arrive()).collect();
        tokio::time::sleep(milliseconds(300)).await;
        drop(first);
        let gap = Instant::now();
        tokio::time::sleep(milliseconds(3000)).await;
        let gap = gap.elapsed();
        // 300 ms in which every place was taken are the server's, 3 s in which nobody asked are not.
        let second: Vec<_> = (0..7).map(|_| schedule.arrive()).collect();
        let waited: Vec<Duration> = second.iter().map(|turn| turn.from.elapsed()).collect();
        assert!(waited.iter().all(|waited| *waited > milliseconds(250)), "{waited:?}");
        let rest = start.elapsed() - gap;
        assert!(waited.iter().all(|waited| *waited <= rest), "{waited:?} of {rest:?}");
    }
}
