//! Servers that are slow, each in its own way. Deadlines are honoured within 50 ms; a busy machine may try for a minute.

use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::{Instant, sleep};

use super::asking::{asker, assert_failed, assert_found, milliseconds, plan, policy};
use super::server::{Connection, FaultServer, GOOD, good};
use crate::benchmark::{PolicyPlan, TimeSpan};
use crate::session::Ranking;

/// How long it is tried to measure something on a busy machine: what disturbs it passes, and a defect does not.
pub(super) const UNDISTURBED: Duration = Duration::from_secs(60);

const TOLERANCE: Duration = Duration::from_millis(50);

/// Asks a server that does `handle` and returns the failure, whose deadline was `limit`.
async fn failure_at<F>(limit: Duration, deadlines: PolicyPlan, handle: F) -> Ranking
where
    F: Fn(Connection) -> BoxFuture<'static, ()> + Send + Sync + 'static,
{
    let server = FaultServer::start(handle).await;
    let mut plan = plan(&server.url());
    plan.policy = PolicyPlan { retries: 0, ..deadlines };
    let mut took = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < UNDISTURBED {
        let start = Instant::now();
        let ranking = asker(&plan).ask().await;
        took.push(start.elapsed());
        if (limit..limit + TOLERANCE).contains(&start.elapsed()) {
            return ranking;
        }
    }
    panic!("a deadline of {limit:?} was met after {took:?}");
}

fn read_timeout(count: u64) -> PolicyPlan {
    PolicyPlan { read_timeout: TimeSpan(milliseconds(count)), ..policy() }
}

#[tokio::test]
async fn headers_that_never_come_end_at_the_read_deadline() {
    let ranking = failure_at(milliseconds(150), read_timeout(150), |mut connection| {
        Box::pin(async move {
            connection.read_request().await;
            connection.stall().await;
        })
    });
    assert_failed(&ranking.await, "timeout", 1, "no answer began within 150ms; a longer `read-timeout`");
}

#[tokio::test]
async fn a_body_that_stalls_ends_at_the_read_deadline() {
    let ranking = failure_at(milliseconds(150), read_timeout(150), |mut connection| {
        Box::pin(async move {
            connection.read_request().await;
            connection.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"hits\": [").await;
            connection.stall().await;
        })
    });
    assert_failed(&ranking.await, "timeout", 1, "the answer stalls after 10 bytes: nothing came within 150ms");
}

#[tokio::test]
async fn a_trickle_ends_at_the_deadline_of_the_whole_attempt() {
    let deadlines = PolicyPlan { timeout: TimeSpan(milliseconds(300)), ..read_timeout(200) };
    let ranking = failure_at(milliseconds(300), deadlines, |mut connection| {
        Box::pin(async move {
            connection.read_request().await;
            let mut open = connection.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n").await;
            while open {
                sleep(milliseconds(20)).await;
                open = connection.write(b" ").await;
            }
        })
    });
    assert_failed(&ranking.await, "timeout", 1, "no complete answer within 300ms; a longer `timeout`");
}

#[tokio::test]
async fn a_timeout_is_tried_again_and_its_session_has_two_attempts() {
    let begun = Instant::now();
    loop {
        let server = FaultServer::start(|mut connection| {
            Box::pin(async move {
                while connection.read_request().await {
                    if connection.requests() == 1 {
                        connection.stall().await;
                    }
                    connection.write(&good()).await;
                }
            })
        })
        .await;
        let mut plan = plan(&server.url());
        plan.policy = read_timeout(100);
        let ranking = asker(&plan).ask().await;
        if server.requests() == 2 && !ranking.failed() {
            return assert_found(&ranking, &["a", "b"], 2);
        }
        assert!(begun.elapsed() < UNDISTURBED, "{:?} after {} requests", ranking.error, server.requests());
    }
}

#[tokio::test]
async fn a_slow_answer_within_the_deadlines_is_an_answer_with_its_latency() {
    let server = FaultServer::start(|mut connection| {
        Box::pin(async move {
            while connection.read_request().await {
                sleep(milliseconds(120)).await;
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", GOOD.len());
                connection.write(head.as_bytes()).await;
                for byte in GOOD.as_bytes().chunks(16) {
                    sleep(milliseconds(10)).await;
                    connection.write(byte).await;
                }
            }
        })
    })
    .await;
    let mut plan = plan(&server.url());
    plan.policy = read_timeout(60_000);
    let ranking = asker(&plan).ask().await;
    assert_found(&ranking, &["a", "b"], 1);
    let latency = Duration::from_nanos(u64::try_from(ranking.latency_ns).unwrap());
    assert!((milliseconds(160)..milliseconds(60_000)).contains(&latency), "until the last byte: {latency:?}");
    assert_eq!(ranking.stages[0].latency_ns, ranking.latency_ns);
}
