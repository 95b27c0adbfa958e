//! Attempts, waits and schedules. Where an upper bound is the point of a test, it is measured until a busy machine lets it hold.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use futures::future::join_all;
use tokio::time::{Instant, sleep};

use super::*;
use crate::benchmark::{Arrival, TimeSpan};

fn milliseconds(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn places(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap()
}

fn passing() -> AttemptError {
    AttemptError::passing(RetrieveErrorKind::Server, "busy")
}

/// Measures until what is measured holds, for at most a minute: what disturbs a round passes, and a defect is in every round.
async fn measured(round: impl AsyncFn() -> Result<(), String>) {
    let begun = Instant::now();
    while let Err(found) = round().await {
        assert!(begun.elapsed() < milliseconds(60_000), "{found}");
    }
}

/// Returns what was found where it does not hold.
fn holds(is_so: bool, found: impl std::fmt::Debug) -> Result<(), String> {
    if is_so { Ok(()) } else { Err(format!("{found:?}")) }
}

/// Ten requests that succeed, so that the budget allows a retry.
async fn earn_a_retry(policy: &Policy) {
    for _ in 0..10 {
        policy.run(|| async { Ok(Done::now(())) }).await.unwrap();
    }
}

#[tokio::test]
async fn a_first_answer_takes_one_attempt_and_its_latency_ends_with_its_last_byte() {
    let policy = Policy::new(&PolicyPlan::default(), places(1));
    let (start, end) = (Instant::now(), Cell::new(None));
    let answered = policy
        .run(|| async {
            sleep(milliseconds(7)).await;
            let done = Done::now("hits");
            end.set(Some(Instant::now()));
            sleep(milliseconds(100)).await;
            Ok(done)
        })
        .await
        .unwrap();
    assert_eq!((answered.value, answered.attempts), ("hits", 1));
    let until_last_byte = end.get().unwrap() - start;
    assert!((milliseconds(7)..=until_last_byte).contains(&answered.latency), "{:?}", answered.latency);
    assert_eq!(policy.counts(), RemoteCounts { requests: 1, ..RemoteCounts::default() });
}

#[tokio::test]
async fn passing_failures_are_tried_again_after_growing_waits_and_lasting_ones_are_not() {
    let plan = PolicyPlan { retry_budget: 1.0, ..PolicyPlan::default() };
    let policy = Policy::new(&plan, places(1));
    earn_a_retry(&policy).await;
    let (tries, start) = (AtomicU32::new(0), Instant::now());
    let answered = policy
        .run(|| async { if tries.fetch_add(1, Ordering::SeqCst) < 2 { Err(passing()) } else { Ok(Done::now(())) } })
        .await
        .unwrap();
    assert_eq!((answered.attempts, policy.counts().retries), (3, 2));
    let waited = start.elapsed();
    assert!((milliseconds(150)..milliseconds(60_000)).contains(&waited), "{waited:?}");
    assert!(answered.latency >= milliseconds(150));

    let tries = AtomicU32::new(0);
    let fails = |error: AttemptError| {
        tries.store(0, Ordering::SeqCst);
        let tries = &tries;
        policy.run(move || {
            tries.fetch_add(1, Ordering::SeqCst);
            let error = error.clone();
            async move { Err::<Done<()>, AttemptError>(error) }
        })
    };
    let lasting = fails(AttemptError::lasting(RetrieveErrorKind::BadRequest, "no such index")).await.unwrap_err();
    assert_eq!((tries.load(Ordering::SeqCst), lasting.attempts, lasting.fatal), (1, 1, false));
    assert_eq!((lasting.kind, lasting.message.as_str()), (RetrieveErrorKind::BadRequest, "no such index"));
    let exhausted = fails(passing()).await.unwrap_err();
    assert_eq!((tries.load(Ordering::SeqCst), exhausted.attempts), (3, 3));
    assert_eq!(exhausted.message, "busy (attempt 3)");
    assert_eq!(policy.counts().failures, 2);
}

#[tokio::test]
async fn the_wait_that_a_server_asks_for_is_honoured_up_to_the_cap() {
    let retry_after_cap = TimeSpan(milliseconds(300));
    let plan = PolicyPlan { retry_budget: 1.0, retries: 1, retry_after_cap, ..PolicyPlan::default() };
    let policy = Policy::new(&plan, places(1));
    for (asked, waited) in [(100, 100), (300, 300), (86_400_000, 300)] {
        let start = Instant::now();
        let error = AttemptError {
            retry: Retry::After(milliseconds(asked)),
            ..AttemptError::lasting(RetrieveErrorKind::RateLimited, "slow down")
        };
        let failed = policy.run(|| async { Err::<Done<()>, _>(error.clone()) }).await.unwrap_err();
        assert_eq!((failed.attempts, failed.kind), (2, RetrieveErrorKind::RateLimited));
        let took = start.elapsed();
        assert!((milliseconds(waited)..milliseconds(60_000)).contains(&took), "asked for {asked} ms: {took:?}");
    }
    let counts = policy.counts();
    assert_eq!((counts.retry_after_waits, counts.retry_after_wait_ms), (3, 700));
}

#[tokio::test]
async fn whatever_fails_retries_add_a_tenth_to_the_load_at_most() {
    let retry_backoff = TimeSpan(milliseconds(1));
    let plan = PolicyPlan { breaker: 0, retries: 5, retry_backoff, ..PolicyPlan::default() };
    let policy = Policy::new(&plan, places(8));
    let sent = AtomicU64::new(0);
    for _ in 0..25 {
        let request = || {
            policy.run(|| async {
                sent.fetch_add(1, Ordering::SeqCst);
                Err::<Done<()>, _>(passing())
            })
        };
        let failures = join_all((0..8).map(|_| request())).await;
        assert!(failures.iter().all(|failure| failure.is_err()));
    }
    assert_eq!(sent.load(Ordering::SeqCst), 220, "200 requests and a tenth more");
    let counts = policy.counts();
    assert_eq!((counts.requests, counts.retries, counts.failures), (200, 20, 200));
    assert!(counts.retries_over_budget > 0);
    let failed = policy.run(|| async { Err::<Done<()>, _>(passing()) }).await.unwrap_err();
    assert_eq!(failed.message, "busy (not tried again, since the `retry-budget` is used up)");
}

#[tokio::test]
async fn an_attempt_ends_at_its_deadline() {
    let plan = PolicyPlan { timeout: TimeSpan(milliseconds(250)), retries: 0, ..PolicyPlan::default() };
    let policy = Policy::new(&plan, places(1));
    let start = Instant::now();
    let stalls = policy.run(|| async {
        sleep(Duration::from_secs(3600)).await;
        Ok(Done::now(()))
    });
    let error = stalls.await.unwrap_err();
    assert_eq!(error.kind, RetrieveErrorKind::Timeout);
    assert_eq!(error.message, "no complete answer within 250ms; a longer `timeout` gives the server more time");
    assert!((milliseconds(250)..milliseconds(60_000)).contains(&start.elapsed()));
}

#[tokio::test]
async fn a_dead_server_is_given_up_and_not_asked_again() {
    let plan = PolicyPlan { breaker: 3, retries: 0, ..PolicyPlan::default() };
    let policy = Policy::new(&plan, places(1));
    let sent = AtomicU32::new(0);
    let mut fatal = Vec::new();
    for _ in 0..6 {
        let failed = policy.run(|| async {
            sent.fetch_add(1, Ordering::SeqCst);
            Err::<Done<()>, _>(passing())
        });
        let failed = failed.await.unwrap_err();
        fatal.push((failed.fatal, failed.kind, failed.attempts));
    }
    use RetrieveErrorKind::{Breaker, Server};
    assert_eq!(
        fatal,
        [
            (false, Server, 1),
            (false, Server, 1),
            (true, Breaker, 1),
            (true, Breaker, 0),
            (true, Breaker, 0),
            (true, Breaker, 0)
        ]
    );
    assert_eq!((sent.load(Ordering::SeqCst), policy.counts().breaker_openings), (3, 1));
}

#[tokio::test]
async fn a_server_that_answers_is_not_dead_whatever_it_refuses() {
    use RetrieveErrorKind::{BadRequest, Connect, Extraction, Redirect, Sql, Template, Unauthorised};
    let plan = PolicyPlan { breaker: 2, retries: 0, ..PolicyPlan::default() };
    let policy = Policy::new(&plan, places(1));
    let fails = async |kind| {
        let failed = policy.run(|| async { Err::<Done<()>, _>(AttemptError::lasting(kind, "no")) }).await;
        failed.unwrap_err().fatal
    };
    for kind in [BadRequest, Extraction, Template, Sql, Redirect] {
        assert!(!fails(Connect).await && !fails(kind).await && !fails(kind).await && !fails(kind).await, "{kind:?}");
    }
    assert!(!fails(Unauthorised).await && fails(Connect).await);
}

#[tokio::test]
async fn what_waits_when_the_server_is_given_up_is_not_sent() {
    let span = |count| TimeSpan(milliseconds(count));
    let plan = PolicyPlan {
        breaker: 1,
        retries: 1,
        retry_budget: 1.0,
        retry_backoff: span(200),
        rate: Some(20.0),
        ..PolicyPlan::default()
    };
    measured(async || {
        let policy = Policy::new(&plan, places(8));
        let sent = AtomicU32::new(0);
        let request = |error: AttemptError| {
            let (sent, policy) = (&sent, &policy);
            async move {
                let failed = policy.run(|| async {
                    sent.fetch_add(1, Ordering::SeqCst);
                    Err::<Done<()>, _>(error.clone())
                });
                failed.await.unwrap_err()
            }
        };
        // The first one sleeps before its retry while the second one opens the breaker; the others wait for their turn.
        let dead = || AttemptError::lasting(RetrieveErrorKind::Connect, "refused");
        let failures = join_all([request(passing()), request(dead()), request(dead()), request(dead())]).await;
        let attempts: Vec<u32> = failures.iter().map(|failure| failure.attempts).collect();
        let counts = policy.counts();
        let found = (sent.load(Ordering::SeqCst), counts.retries, counts.failures);
        let is_so = failures.iter().all(|failure| failure.fatal) && attempts == [1, 1, 0, 0] && found == (2, 0, 2);
        holds(is_so, (failures, found))
    })
    .await;
}

#[tokio::test]
async fn no_wait_asked_for_is_the_usual_wait_and_a_young_budget_says_so() {
    let plan = PolicyPlan { retry_budget: 1.0, retries: 1, ..PolicyPlan::default() };
    let error = AttemptError {
        retry: Retry::After(Duration::ZERO),
        ..AttemptError::lasting(RetrieveErrorKind::RateLimited, "slow down")
    };
    let policy = Policy::new(&plan, places(1));
    let start = Instant::now();
    let failed = policy.run(|| async { Err::<Done<()>, _>(error.clone()) }).await.unwrap_err();
    assert!(failed.attempts == 2 && start.elapsed() >= milliseconds(50), "{:?}", start.elapsed());
    for (retry_budget, words) in [(0.1, "allows none yet"), (0.0, "allows none")] {
        let policy = Policy::new(&PolicyPlan { retry_budget, ..plan.clone() }, places(1));
        let failed = policy.run(|| async { Err::<Done<()>, _>(passing()) }).await.unwrap_err();
        assert_eq!(failed.message, format!("busy (not tried again, since the `retry-budget` {words})"));
    }
}

/// Returns the longest latency of answers.
fn worst(answers: &[Result<Answered<()>, RetrieveError>]) -> Duration {
    answers.iter().map(|answer| answer.as_ref().unwrap().latency).max().unwrap()
}

#[tokio::test]
async fn the_rate_is_kept_and_the_wait_for_ones_turn_is_no_latency() {
    let plan = PolicyPlan { rate: Some(200.0), ..PolicyPlan::default() };
    measured(async || {
        let policy = Policy::new(&plan, places(16));
        let start = Instant::now();
        let request = || {
            policy.run(|| async {
                sleep(milliseconds(5)).await;
                Ok(Done::now(()))
            })
        };
        let answers = join_all((0..101).map(|_| request())).await;
        let took = start.elapsed();
        assert!(took >= milliseconds(480), "101 requests at 200 per second took {took:?}");
        let worst = worst(&answers);
        holds((milliseconds(5)..milliseconds(400)).contains(&worst) && took < milliseconds(30_000), (worst, took))
    })
    .await;
}

#[tokio::test]
async fn warm_up_requests_come_first_and_count_for_nothing() {
    let plan = PolicyPlan { warm_up: 6, retries: 0, ..PolicyPlan::default() };
    measured(async || {
        let policy = Policy::new(&plan, places(3));
        let sent = AtomicU32::new(0);
        let request = || {
            policy.run(|| async {
                // The server is slow until it is warm.
                let slow = sent.fetch_add(1, Ordering::SeqCst) < 6;
                sleep(milliseconds(if slow { 600 } else { 10 })).await;
                Ok(Done::now(()))
            })
        };
        let start = Instant::now();
        let answers = join_all((0..4).map(|_| request())).await;
        let took = start.elapsed();
        let counts = policy.counts();
        assert_eq!((sent.load(Ordering::SeqCst), counts.warm_ups, counts.requests), (10, 6, 4));
        let worst = worst(&answers);
        // Three at a time.
        assert!(took >= milliseconds(1210), "{took:?}");
        holds(worst < milliseconds(500) && took < milliseconds(3600), (worst, took))
    })
    .await;
}

/// A server that does one request at a time and stalls at each hundredth.
struct StallingServer {
    stall: Duration,
    /// How long each request really took, seconds; the lock is the server's only worker.
    served: tokio::sync::Mutex<Vec<f64>>,
}

impl StallingServer {
    async fn answer(&self) -> Result<Done<()>, AttemptError> {
        let mut served = self.served.lock().await;
        let start = Instant::now();
        if served.len() % 100 == 99 {
            sleep(self.stall).await;
        }
        served.push(start.elapsed().as_secs_f64());
        Ok(Done::now(()))
    }
}

/// Returns the latencies in seconds, ascending, of requests of which `rate` are due per second, and what they should be.
async fn latencies(
    arrival: Arrival,
    rate: f64,
    requests: usize,
    workers: usize,
    stall: Duration,
) -> (Vec<f64>, Vec<f64>) {
    let plan = PolicyPlan { rate: Some(rate), arrival, ..PolicyPlan::default() };
    let policy = Arc::new(Policy::new(&plan, places(workers)));
    let server = Arc::new(StallingServer { stall, served: tokio::sync::Mutex::default() });
    let permits = Arc::new(tokio::sync::Semaphore::new(workers));
    let latencies = Arc::new(Mutex::new(Vec::new()));
    let tasks = (0..requests).map(|_| {
        let (policy, server, permits, latencies) = (policy.clone(), server.clone(), permits.clone(), latencies.clone());
        tokio::spawn(async move {
            let _permit = permits.acquire().await;
            let answered = policy.run(|| server.answer()).await.unwrap();
            latencies.lock().unwrap().push(answered.latency.as_secs_f64());
        })
    });
    join_all(tasks).await;
    let mut latencies = latencies.lock().unwrap().clone();
    latencies.sort_by(f64::total_cmp);
    (latencies, analytic(rate, &server.served.lock().await))
}

/// Lindley's recursion: request i is due at i/rate and starts when the one before it is done.
fn analytic(rate: f64, served: &[f64]) -> Vec<f64> {
    let mut free = 0.0_f64;
    let mut latencies: Vec<f64> = (0_u32..)
        .zip(served)
        .map(|(index, service)| {
            let due = f64::from(index) / rate;
            free = due.max(free) + service;
            free - due
        })
        .collect();
    latencies.sort_by(f64::total_cmp);
    latencies
}

fn quantile(ascending: &[f64], quantile: f64) -> f64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a rank")]
    let rank = (quantile * ascending.len() as f64).ceil() as usize;
    ascending[rank.clamp(1, ascending.len()) - 1]
}

#[tokio::test]
async fn in_an_open_system_requests_that_a_stall_held_up_count_their_wait() {
    let (rate, requests, stall) = (200.0, 400, milliseconds(200));
    for workers in [1, 64] {
        measured(async || {
            let (found, expected) = latencies(Arrival::Open, rate, requests, workers, stall).await;
            let (found, expected) = (quantile(&found, 0.99), quantile(&expected, 0.99));
            assert!(expected >= 0.18, "{expected}");
            let error = (found - expected).abs() / expected;
            holds(error < 0.2, format!("{workers} workers: p99 is {found} s, expected {expected} s"))
        })
        .await;
    }
    measured(async || {
        let (omitted, _) = latencies(Arrival::Closed, rate, requests, 1, stall).await;
        holds(quantile(&omitted, 0.98) < 0.1, "a closed system does not see that")
    })
    .await;
}

/// `cargo test --workspace --lib -- --ignored --nocapture p99_of_an_open_system`.
#[tokio::test]
#[ignore = "takes a minute and a quiet machine"]
async fn p99_of_an_open_system_is_within_five_percent_of_the_analytic_value() {
    let (rate, requests, stall) = (100.0, 2000, Duration::from_secs(1));
    for workers in [1, 16, 128] {
        let (measured, expected) = latencies(Arrival::Open, rate, requests, workers, stall).await;
        let (measured, expected) = (quantile(&measured, 0.99), quantile(&expected, 0.99));
        let error = (measured - expected) / expected;
        println!("{workers} workers: p99 {measured:.4} s, analytic {expected:.4} s, error {:+.2} %", 100.0 * error);
        assert!(expected >= 0.98 && error.abs() <= 0.05);
    }
}

#[tokio::test]
async fn time_in_which_nobody_asks_is_not_held_against_the_server() {
    let plan = PolicyPlan { rate: Some(100.0), arrival: Arrival::Open, ..PolicyPlan::default() };
    measured(async || {
        let policy = Policy::new(&plan, places(4));
        let request = |takes: Duration| {
            policy.run(move || async move {
                sleep(takes).await;
                Ok(Done::now(()))
            })
        };
        // A chunk whose last session takes long, while the other places are free already.
        let mut chunk: Vec<_> = (0..20).map(|_| milliseconds(1)).collect();
        chunk.push(milliseconds(400));
        let first = join_all(chunk.into_iter().map(request)).await;
        sleep(milliseconds(200)).await;
        let second = join_all((0..20).map(|_| request(milliseconds(1)))).await;
        assert!(worst(&first) >= milliseconds(400));
        holds(worst(&second) <= milliseconds(60), worst(&second))
    })
    .await;
}

#[tokio::test]
async fn a_request_that_is_dropped_gives_its_place_back() {
    let plan = PolicyPlan { rate: Some(10.0), arrival: Arrival::Open, ..PolicyPlan::default() };
    measured(async || {
        let policy = Policy::new(&plan, places(1));
        let stalls = policy.run(|| async {
            sleep(Duration::from_secs(3600)).await;
            Ok(Done::now(()))
        });
        assert!(timeout(milliseconds(50), stalls).await.is_err());
        sleep(milliseconds(400)).await;
        let answered = policy.run(|| async { Ok(Done::now(())) }).await.unwrap();
        holds(answered.latency <= milliseconds(60), answered.latency)
    })
    .await;
}

#[tokio::test]
async fn a_stage_with_fewer_places_than_its_retriever_has_no_more_requests_in_flight() {
    let plan = PolicyPlan { concurrency: Some(places(2)), ..PolicyPlan::default() };
    measured(async || {
        let policy = Policy::new(&plan, places(16));
        let (in_flight, most) = (AtomicU32::new(0), AtomicU32::new(0));
        let ask = || async {
            most.fetch_max(in_flight.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            sleep(milliseconds(50)).await;
            in_flight.fetch_sub(1, Ordering::SeqCst);
            Ok(Done::now(()))
        };
        let answered = join_all((0..16).map(|_| policy.run(ask))).await;
        assert_eq!(most.load(Ordering::SeqCst), 2);
        // The wait for a place is not the server's time.
        holds(worst(&answered) < milliseconds(350), worst(&answered))
    })
    .await;
}

#[test]
fn counts_of_processes_add_up() {
    let one = RemoteCounts { requests: 3, retries: 1, bytes: 7, breaker_openings: 1, ..RemoteCounts::default() };
    let mut sum = one;
    sum.add(&RemoteCounts { failures: 2, ..one });
    let expected = RemoteCounts {
        requests: 6,
        retries: 2,
        bytes: 14,
        breaker_openings: 2,
        failures: 2,
        ..RemoteCounts::default()
    };
    assert_eq!(sum, expected);
}
