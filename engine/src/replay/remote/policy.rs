//! Runs the attempts of each request, within deadlines, rate and budget.

use std::num::NonZeroUsize;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::timeout;

use super::breaker::Breaker;
use super::budget::RetryBudget;
use super::counts::{Counters, add};
use super::pace::Pace;
use super::{AttemptError, Done, RemoteCounts, Retry, backoff};
use crate::benchmark::PolicyPlan;
use crate::replay::{RetrieveError, RetrieveErrorKind};

/// How one stage asks its server, with the state that its requests share.
#[derive(Debug)]
pub struct Policy {
    plan: PolicyPlan,
    concurrency: NonZeroUsize,
    pace: Pace,
    budget: RetryBudget,
    breaker: Breaker,
    counters: Counters,
    warm: OnceCell<()>,
    /// One permit for each request that may be in flight, where the stage has a limit of its own.
    places: Option<Semaphore>,
}

/// A request that was answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered<T> {
    /// The answer.
    pub value: T,
    /// How many attempts it took.
    pub attempts: u32,
    /// From when the request could go, or was due, to the last byte of the answer. Where it took several attempts, all of
    /// them and the waits between them are in it.
    pub latency: Duration,
}

impl Policy {
    /// Returns a policy for requests of which up to `concurrency`, or fewer where the plan says so, are in flight at once.
    #[must_use]
    pub fn new(plan: &PolicyPlan, concurrency: NonZeroUsize) -> Self {
        let own = plan.concurrency.filter(|own| *own < concurrency);
        let concurrency = own.unwrap_or(concurrency);
        Self {
            places: own.map(|own| Semaphore::new(own.get().min(Semaphore::MAX_PERMITS))),
            pace: Pace::new(plan, concurrency),
            budget: RetryBudget::new(plan.retry_budget),
            breaker: Breaker::new(plan.breaker),
            counters: Counters::default(),
            warm: OnceCell::new(),
            plan: plan.clone(),
            concurrency,
        }
    }

    /// Returns the settings.
    #[must_use]
    pub fn plan(&self) -> &PolicyPlan {
        &self.plan
    }

    /// Returns what was asked so far.
    #[must_use]
    pub fn counts(&self) -> RemoteCounts {
        self.counters.snapshot(self.budget.first_attempts(), self.budget.retries())
    }

    /// Notes that so many bytes of an answer, decoded, were received.
    pub fn received(&self, bytes: usize) {
        add(&self.counters.bytes, u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// Runs `attempt` until it is answered, fails for good, or may not be tried again: `retries` and the retry budget bound
    /// the attempts, `timeout` bounds each of them. The wait for its turn is not part of the latency.
    ///
    /// # Errors
    ///
    /// Returns the last attempt's failure. It is fatal once the circuit breaker is open, from where on nothing is sent.
    pub async fn run<T, A, F>(&self, attempt: A) -> Result<Answered<T>, RetrieveError>
    where
        A: Fn() -> F,
        F: Future<Output = Result<Done<T>, AttemptError>>,
    {
        if let Some(words) = self.breaker.opened_by() {
            return Err(given_up(words, 0));
        }
        if self.plan.warm_up > 0 {
            self.warm.get_or_init(|| self.warm_up(&attempt)).await;
        }
        // Nobody closes the semaphore. The wait for a place is, like that for a turn, not the server's time.
        let _place = match &self.places {
            Some(places) => places.acquire().await.ok(),
            None => None,
        };
        let turn = self.pace.turn().await;
        // Others may have found out during the wait.
        if let Some(words) = self.breaker.opened_by() {
            return Err(given_up(words, 0));
        }
        let number = self.budget.first_attempt();
        let mut attempts = 1;
        loop {
            let failure = match self.within_timeout(&attempt).await {
                Ok(done) => {
                    self.breaker.succeeded();
                    let latency = done.at.saturating_duration_since(turn.from);
                    return Ok(Answered { value: done.value, attempts, latency });
                }
                Err(failure) => failure,
            };
            match self.wait_before_retry(&failure, number, attempts) {
                Ok(wait) => tokio::time::sleep(wait).await,
                Err(denied) => return Err(self.failed(failure, denied, attempts)),
            }
            self.pace.wait().await;
            if let Some(words) = self.breaker.opened_by() {
                self.budget.give_back();
                add(&self.counters.failures, 1);
                return Err(given_up(words, attempts));
            }
            attempts += 1;
        }
    }

    async fn within_timeout<T, A, F>(&self, attempt: &A) -> Result<Done<T>, AttemptError>
    where
        A: Fn() -> F,
        F: Future<Output = Result<Done<T>, AttemptError>>,
    {
        timeout(self.plan.timeout.0, attempt()).await.unwrap_or_else(|_| {
            let message = format!(
                "no complete answer within {}; a longer `timeout` gives the server more time",
                self.plan.timeout
            );
            Err(AttemptError::passing(RetrieveErrorKind::Timeout, message))
        })
    }

    /// Returns how long to wait before the next attempt, or why there is none: `Some` words where there is more to say than
    /// the failure itself does.
    fn wait_before_retry(&self, failure: &AttemptError, number: u64, attempts: u32) -> Result<Duration, Option<&str>> {
        let wait = match failure.retry {
            Retry::Never => return Err(None),
            Retry::Soon => backoff::wait(&self.plan, number, attempts),
            // A server that asks for no wait gets the usual one, since it may not know how it fares.
            Retry::After(asked) => {
                asked.min(self.plan.retry_after_cap.0).max(backoff::wait(&self.plan, number, attempts))
            }
        };
        if attempts > self.plan.retries || self.breaker.opened_by().is_some() {
            return Err(None);
        }
        if !self.budget.grant() {
            add(&self.counters.retries_over_budget, 1);
            return Err(Some(match self.budget.retries() {
                0 if self.plan.retry_budget > 0.0 => "not tried again, since the `retry-budget` allows none yet",
                0 => "not tried again, since the `retry-budget` allows none",
                _ => "not tried again, since the `retry-budget` is used up",
            }));
        }
        if matches!(failure.retry, Retry::After(_)) {
            self.counters.waited_as_asked(wait);
        }
        Ok(wait)
    }

    fn failed(&self, failure: AttemptError, denied: Option<&str>, attempts: u32) -> RetrieveError {
        add(&self.counters.failures, 1);
        let AttemptError { kind, message, .. } = failure;
        let message = match (denied, attempts) {
            (Some(denied), _) => format!("{message} ({denied})"),
            (None, 1) => message,
            (None, _) => format!("{message} (attempt {attempts})"),
        };
        if !is_of_the_server(kind) {
            self.breaker.succeeded();
        } else if self.breaker.failed(&message) {
            add(&self.counters.breaker_openings, 1);
        }
        match self.breaker.opened_by() {
            Some(words) => given_up(words, attempts),
            None => RetrieveError { attempts, ..RetrieveError::new(kind, message) },
        }
    }

    /// Sends requests whose answers nobody reads, as many at once as may be in flight, so that connections are open and
    /// caches are filled. A server that fails is not worth warming.
    async fn warm_up<T, A, F>(&self, attempt: &A)
    where
        A: Fn() -> F,
        F: Future<Output = Result<Done<T>, AttemptError>>,
    {
        let one = |_| async move {
            self.pace.wait().await;
            add(&self.counters.warm_ups, 1);
            self.within_timeout(attempt).await.map(drop)
        };
        let requests = stream::iter(0..self.plan.warm_up).map(one).buffer_unordered(self.concurrency.get());
        // How they fared shows in the requests that count.
        let _: Result<(), AttemptError> = requests.try_for_each(|()| async { Ok(()) }).await;
    }
}

/// Whether a failure speaks of a server that is in trouble. One that answers, and refuses this very request, is not.
fn is_of_the_server(kind: RetrieveErrorKind) -> bool {
    use RetrieveErrorKind::{Body, Connect, Dns, RateLimited, Server, Timeout, Tls, Unauthorised};
    matches!(kind, Connect | Dns | Tls | Timeout | RateLimited | Server | Unauthorised | Body)
}

fn given_up(words: String, attempts: u32) -> RetrieveError {
    RetrieveError { attempts, fatal: true, ..RetrieveError::new(RetrieveErrorKind::Breaker, words) }
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
