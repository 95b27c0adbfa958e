//! Connections that do not last.

use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, sleep};

use super::asking::{asker, assert_failed, assert_found, milliseconds, plan, policy};
use super::server::{FaultServer, GOOD, answer, good};
use super::time::UNDISTURBED;
use crate::benchmark::{PolicyPlan, TimeSpan};
use crate::replay::ReplayError;

#[tokio::test]
async fn connections_are_used_again() {
    let server = FaultServer::answering(good()).await;
    let asker = asker(&plan(&server.url()));
    for _ in 0..20 {
        assert_found(&asker.ask().await, &["a", "b"], 1);
    }
    assert_eq!((server.requests(), server.connections()), (20, 1));
}

#[tokio::test]
async fn a_connection_that_is_closed_between_requests_costs_no_attempt() {
    let server = FaultServer::start(|mut connection| {
        Box::pin(async move {
            connection.read_request().await;
            connection.write(&good()).await;
        })
    })
    .await;
    let asker = asker(&plan(&server.url()));
    for _ in 0..5 {
        assert_found(&asker.ask().await, &["a", "b"], 1);
        sleep(milliseconds(200)).await;
    }
    assert_eq!((server.requests(), server.connections()), (5, 5));
}

#[tokio::test]
async fn a_request_whose_connection_is_closed_under_it_is_tried_again_and_counted() {
    // Every connection takes three requests and answers two.
    let server = FaultServer::start(|mut connection| {
        Box::pin(async move {
            for _ in 0..2 {
                connection.read_request().await;
                connection.write(&good()).await;
            }
            connection.read_request().await;
        })
    })
    .await;
    let asker = asker(&plan(&server.url()));
    let mut attempts = Vec::new();
    for _ in 0..6 {
        let ranking = asker.ask().await;
        assert!(!ranking.failed(), "{:?}", ranking.error);
        attempts.push(ranking.stages[0].attempts);
    }
    assert_eq!(attempts, [1, 1, 2, 1, 2, 1]);
    assert_eq!((server.requests(), asker.policy.counts().retries), (8, 2));
}

#[tokio::test]
async fn a_server_that_stops_talking_before_its_answer_has_given_none() {
    let server = FaultServer::start(|mut connection| {
        Box::pin(async move {
            connection.read_request().await;
            connection.stream.shutdown().await.unwrap();
            connection.stall().await;
        })
    })
    .await;
    let ranking = asker(&plan(&server.url())).ask().await;
    assert_failed(&ranking, "connect", 2, "the connection ended before an answer began");
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn a_reset_before_the_answer_is_no_answer() {
    let server = FaultServer::start(|mut connection| {
        Box::pin(async move {
            connection.read_request().await;
            connection.stream.set_zero_linger().unwrap();
        })
    })
    .await;
    assert_failed(&asker(&plan(&server.url())).ask().await, "connect", 2, "before an answer began");
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn an_answer_whose_end_is_that_of_the_connection_is_whole() {
    let server = FaultServer::start(|mut connection| {
        Box::pin(async move {
            connection.read_request().await;
            connection.write(format!("HTTP/1.0 200 OK\r\n\r\n{GOOD}").as_bytes()).await;
            connection.stream.shutdown().await.unwrap();
            connection.stall().await;
        })
    })
    .await;
    assert_found(&asker(&plan(&server.url())).ask().await, &["a", "b"], 1);
}

#[tokio::test]
async fn one_stall_in_a_hundred_costs_one_retry_and_mixes_no_latencies() {
    let begun = Instant::now();
    loop {
        let server = FaultServer::start(|mut connection| {
            Box::pin(async move {
                while connection.read_request().await {
                    if connection.requests() % 100 == 50 {
                        connection.stall().await;
                    }
                    connection.write(&good()).await;
                }
            })
        })
        .await;
        let mut plan = plan(&server.url());
        plan.policy = PolicyPlan { read_timeout: TimeSpan(milliseconds(250)), retry_budget: 0.1, ..policy() };
        let rankings = asker(&plan).ask_all(300).await.unwrap();
        let (once, again): (Vec<_>, Vec<_>) = rankings.iter().partition(|ranking| ranking.stages[0].attempts == 1);
        let found = (once.len(), again.len(), server.requests());
        let is_kept = rankings.iter().all(|ranking| !ranking.failed())
            && once.iter().all(|ranking| ranking.latency_ns < 250_000_000)
            && again.iter().all(|ranking| ranking.latency_ns >= 250_000_000);
        if is_kept && found == (297, 3, 303) {
            return;
        }
        assert!(begun.elapsed() < UNDISTURBED, "{found:?}, kept: {is_kept}");
    }
}

#[tokio::test]
async fn a_server_that_always_fails_is_sent_a_tenth_more_at_most() {
    let server = FaultServer::answering(answer("503 Service Unavailable", "", "")).await;
    let mut plan = plan(&server.url());
    plan.policy = PolicyPlan { retries: 5, retry_budget: 0.1, ..policy() };
    let asker = asker(&plan);
    let rankings = asker.ask_all(200).await.unwrap();
    assert!(rankings.iter().all(|ranking| ranking.error_kind.as_deref() == Some("server") && ranking.hits.is_empty()));
    assert!((200..=220).contains(&server.requests()), "{}", server.requests());
    assert_eq!(server.requests() as u64, asker.policy.counts().requests + asker.policy.counts().retries);
}

#[tokio::test]
async fn a_dead_server_stops_the_replay() {
    let server = FaultServer::answering(answer("500 Internal Server Error", "", "")).await;
    let mut plan = plan(&server.url());
    plan.policy = PolicyPlan { retries: 0, breaker: 5, ..policy() };
    let error = asker(&plan).ask_all(300).await.unwrap_err();
    let ReplayError::Dead { retriever, message } = &error else { panic!("{error}") };
    assert_eq!(retriever, "prod");
    assert!(
        message.contains("given up after 5 failures in a row, the last of which was: `POST http://127.0.0.1:"),
        "{message}"
    );
    assert!(server.requests() <= 5 + 8, "those in flight may still arrive: {}", server.requests());
}
