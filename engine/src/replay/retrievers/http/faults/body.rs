//! Bodies that break off, lie, burst or make no sense.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::asking::{asker, assert_failed, assert_found, items, plan};
use super::server::{FaultServer, GOOD, answer};
use crate::benchmark::ByteSize;
use crate::benchmark::stages::http::{AbsentHits, HttpPlan, ScoreDirection};
use crate::session::Ranking;

async fn ask_with(body: impl AsRef<[u8]>, change: impl FnOnce(&mut HttpPlan)) -> Ranking {
    let server = FaultServer::answering(answer("200 OK", "content-type: application/json\r\n", body)).await;
    let mut plan = plan(&server.url());
    change(&mut plan);
    let ranking = asker(&plan).ask().await;
    assert_eq!(server.requests(), 1, "no sense to try again");
    ranking
}

async fn ask(body: impl AsRef<[u8]>) -> Ranking {
    ask_with(body, |_| ()).await
}

/// Asks a server that writes `bytes` and then ends the connection, gently or not.
async fn ask_broken(bytes: Vec<u8>, reset: bool) -> (Ranking, usize) {
    let server = FaultServer::start(move |mut connection| {
        let bytes = bytes.clone();
        Box::pin(async move {
            connection.read_request().await;
            connection.write(&bytes).await;
            if reset {
                // The bytes have to be there before the reset overtakes them.
                tokio::time::sleep(std::time::Duration::from_millis(30)).await;
                connection.stream.set_zero_linger().unwrap();
            }
        })
    })
    .await;
    let ranking = asker(&plan(&server.url())).ask().await;
    (ranking, server.requests())
}

#[tokio::test]
async fn bodies_that_break_off_are_tried_again() {
    let half = &GOOD[..20];
    let truncated = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{half}", GOOD.len());
    let aborted = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n14\r\n{half}\r\n40\r\nxx");
    let unended = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n14\r\n{half}\r\n");
    for (bytes, reset) in [(truncated.clone(), false), (truncated, true), (aborted, false), (unended, false)] {
        let (ranking, arrived) = ask_broken(bytes.clone().into_bytes(), reset).await;
        assert_failed(&ranking, "body", 2, "the answer breaks off after 2");
        assert_eq!(arrived, 2, "{bytes}");
    }
    let garbled = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n".to_vec();
    assert_failed(&ask_broken(garbled, false).await.0, "body", 2, "the answer breaks off after 0 bytes");
}

#[tokio::test]
async fn a_length_that_is_too_small_cuts_the_json() {
    let short = format!("HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{GOOD}");
    let (ranking, arrived) = ask_broken(short.into_bytes(), false).await;
    assert_failed(&ranking, "body", 1, "the answer is not JSON (EOF while parsing");
    assert_eq!(arrived, 1);
}

#[tokio::test]
async fn heads_that_are_no_http_are_no_answer() {
    for bytes in
        [&b"SSH-2.0-OpenSSH_9.2\r\n"[..], b"HTTP/1.1 9999 What\r\n\r\n", b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n"]
    {
        let (ranking, arrived) = ask_broken(bytes.to_vec(), false).await;
        assert_failed(&ranking, "connect", 2, "the connection ended before an answer began");
        assert_eq!(arrived, 2);
    }
    let mut endless = b"HTTP/1.1 200 OK\r\n".to_vec();
    for number in 0..20_000 {
        endless.extend(format!("x-header-{number}: {number}\r\n").bytes());
    }
    assert_failed(&ask_broken(endless, false).await.0, "connect", 2, "before an answer began");
}

fn gzip(parts: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    parts.for_each(|part| encoder.write_all(&part).unwrap());
    encoder.finish().unwrap()
}

#[tokio::test]
async fn decompressed_bytes_count_against_the_cap() {
    let fine = gzip(std::iter::once(GOOD.as_bytes().to_vec()));
    let server = FaultServer::answering(answer("200 OK", "content-encoding: gzip\r\n", &fine)).await;
    let asker_of_fine = asker(&plan(&server.url()));
    assert_found(&asker_of_fine.ask().await, &["a", "b"], 1);
    assert_eq!(asker_of_fine.policy.counts().bytes, GOOD.len() as u64);

    let bomb = gzip((0..64).map(|_| vec![b' '; 1 << 20]));
    assert!(bomb.len() < 100_000);
    let server = FaultServer::answering(answer("200 OK", "content-encoding: gzip\r\n", &bomb)).await;
    let mut plan_of_bomb = plan(&server.url());
    plan_of_bomb.policy.max_body = ByteSize(1 << 20);
    let ranking = asker(&plan_of_bomb).ask().await;
    assert_failed(&ranking, "body", 1, "the answer has more than 1MiB (decompressed); a higher `max-body` lets it in");
    assert_eq!(server.requests(), 1);

    let mut broken = fine.clone();
    broken[12] ^= 0xff;
    for (bytes, words) in [(broken, "the answer"), (b"no gzip at all".to_vec(), "the answer cannot be decompressed")] {
        let server = FaultServer::answering(answer("200 OK", "content-encoding: gzip\r\n", &bytes)).await;
        assert_failed(&asker(&plan(&server.url())).ask().await, "body", 1, words);
    }
}

#[tokio::test]
async fn an_endless_body_is_left_at_the_cap() {
    let server = FaultServer::start(|mut connection| {
        Box::pin(async move {
            connection.read_request().await;
            connection.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n").await;
            while connection.write(&[b' '; 65_536]).await {}
        })
    })
    .await;
    let mut plan = plan(&server.url());
    plan.policy.max_body = ByteSize(1 << 20);
    assert_failed(&asker(&plan).ask().await, "body", 1, "more than 1MiB");
    assert!(server.written() < 32 << 20, "{} bytes were sent", server.written());
}

#[tokio::test]
async fn what_is_no_json_is_a_failure() {
    let deep = "[".repeat(100_000);
    let cases: [(&[u8], &str); 7] = [
        (b"{\"hits\": [{\"id\": \"caf\xe9\", \"score\": 1}]}", "is not JSON"),
        (b"\xff\xfe{\x00}\x00", "is not JSON"),
        (deep.as_bytes(), "recursion limit exceeded"),
        (br#"{"hits": [{"id": "a", "score": NaN}]}"#, "is not JSON"),
        (br#"{"hits": [{"id": "a", "score": 1e999}]}"#, "number out of range"),
        (br#"{"hits": []} trailing"#, "trailing characters"),
        (b"\x00\x1b[31m", "it begins with"),
    ];
    for (body, words) in cases {
        assert_failed(&ask(body).await, "body", 1, words);
    }
}

#[tokio::test]
async fn json_with_oddities_is_read_as_it_is_meant() {
    let marked = [b"\xef\xbb\xbf", GOOD.as_bytes()].concat();
    assert_found(&ask(marked).await, &["a", "b"], 1);
    // Of keys that occur twice, the last counts, as everywhere.
    assert_found(&ask(r#"{"hits": 7, "hits": [{"id": "x", "id": "y", "score": 1}]}"#).await, &["y"], 1);
    let numbers =
        r#"{"hits": [{"id": 18446744073709551615, "score": 3}, {"id": -7, "score": 2}, {"id": "007", "score": 1}]}"#;
    assert_found(&ask(numbers).await, &["18446744073709551615", "-7", "007"], 1);
    let repeated = r#"{"hits": [{"id": 1, "score": 3}, {"id": "1", "score": 2}, {"id": "b", "score": 1}]}"#;
    assert_found(&ask(repeated).await, &["1", "b"], 1);
    let without_scores =
        r#"{"hits": [{"id": "a", "score": null}, {"id": "b", "score": 2}, {"id": "c", "score": null}]}"#;
    let ranking = ask(without_scores).await;
    assert_found(&ranking, &["a", "b", "c"], 1);
    assert_eq!(ranking.hits.iter().map(|hit| hit.score).collect::<Vec<_>>(), [None, Some(2.0), None]);
    let hit = |number: usize| format!(r#"{{"id": {number}, "score": {}}}"#, 1000 - number);
    let more: Vec<String> = (0..500).map(hit).collect();
    let ranking = ask(format!(r#"{{"hits": [{}]}}"#, more.join(","))).await;
    assert_eq!(items(&ranking), (0..10).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_found(&ask(r#"{"hits": [{"id": "only", "score": 1}]}"#).await, &["only"], 1);
    let empty = ask(r#"{"hits": []}"#).await;
    assert!(!empty.failed() && empty.hits.is_empty(), "an empty answer is legal");
    assert_eq!(empty.stages[0].state.as_str(), "ok");
}

#[tokio::test]
async fn lower_scores_can_be_the_better_ones() {
    let distances = r#"{"hits": [{"id": "a", "score": 0}, {"id": "b", "score": 0.25}, {"id": "c", "score": 0.25}]}"#;
    let ranking = ask_with(distances, |plan| plan.score_direction = ScoreDirection::Lower).await;
    assert_found(&ranking, &["a", "b", "c"], 1);
    let scores: Vec<f64> = ranking.hits.iter().filter_map(|hit| hit.score).collect();
    assert_eq!(scores, [0.0, -0.25, -0.25]);
    assert!(scores[0].is_sign_positive());
    assert_failed(
        &ask(distances).await,
        "extraction",
        1,
        "is better than one before it (0.25 follows 0); is `score-direction` right?",
    );
}

#[tokio::test]
async fn hits_that_are_not_where_they_should_be_are_a_failure() {
    let cases = [
        (r#"{"results": []}"#, "the answer has no list `$.hits`"),
        (r#"{"hits": null}"#, "the answer has no list `$.hits`"),
        (r#"{"hits": {"id": "a"}}"#, "`$.hits` is an object, expected a list"),
        (r#"{"hits": [{"id": "a", "score": 1}, {"score": 1}]}"#, "`$.hits[*].id` finds nothing in entry 1 of `$.hits`"),
        (r#"{"hits": [{"id": "a"}]}"#, "`$.hits[*].score` finds nothing in entry 0"),
        (
            r#"{"hits": [{"id": 1.5, "score": 1}]}"#,
            "the id at rank 1 is the number 1.5, expected a text or a whole number",
        ),
        (r#"{"hits": [{"id": null, "score": 1}]}"#, "the id at rank 1 is null"),
        (r#"{"hits": [{"id": "", "score": 1}]}"#, "the id at rank 1 is empty"),
        (r#"{"hits": [{"id": ["a"], "score": 1}]}"#, "the id at rank 1 is a list"),
        (
            r#"{"hits": [{"id": "a", "score": "high"}]}"#,
            "the score at rank 1 is the text `high`, expected a number or null",
        ),
        (r#"{"hits": [{"id": "a", "score": 1}, {"id": "b", "score": 2}]}"#, "the score at rank 2 is better"),
        ("7", "the answer has no list `$.hits`"),
        ("null", "the answer has no list `$.hits`"),
    ];
    for (body, words) in cases {
        assert_failed(&ask(body).await, "extraction", 1, words);
    }
    let uneven = r#"{"hits": [{"id": "a"}, {"id": "b"}], "scores": [1]}"#;
    let ranking = ask_with(uneven, |plan| plan.scores = Some("$.scores".into())).await;
    assert_failed(&ranking, "extraction", 1, "2 ids and 1 scores were found; is `scores` right");
    let absent = ask_with(r#"{"total": 0}"#, |plan| plan.absent_hits = AbsentHits::Empty).await;
    assert!(!absent.failed() && absent.hits.is_empty());
}
