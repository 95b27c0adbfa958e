//! Answers with a status that is no success, or with a success that is none.

use jiff::Timestamp;
use tokio::time::Instant;

use super::asking::{asker, assert_failed, assert_found, milliseconds, plan};
use super::server::{FaultServer, answer, good};
use crate::benchmark::stages::http::HttpPlan;
use crate::session::Ranking;

const JSON: &str = "content-type: application/json\r\n";

/// Asks a server that always answers with `bytes`. Returns what is recorded, and how many requests arrived.
async fn ask(bytes: Vec<u8>, change: impl FnOnce(&mut HttpPlan)) -> (Ranking, usize) {
    let server = FaultServer::answering(bytes).await;
    let mut plan = plan(&server.url());
    change(&mut plan);
    let ranking = asker(&plan).ask().await;
    (ranking, server.requests())
}

#[tokio::test]
async fn each_status_has_its_kind_and_only_those_that_may_pass_are_tried_again() {
    let cases = [
        ("400 Bad Request", "bad_request", 1, "answered 400 Bad Request: no such field"),
        ("401 Unauthorized", "unauthorised", 1, "are the credentials in `auth` right?"),
        ("403 Forbidden", "unauthorised", 1, "are the credentials in `auth` right?"),
        ("404 Not Found", "bad_request", 1, "is the URL right?"),
        ("408 Request Timeout", "bad_request", 2, "answered 408"),
        ("413 Payload Too Large", "bad_request", 1, "answered 413"),
        ("418 I'm a teapot", "bad_request", 1, "answered 418"),
        ("422 Unprocessable Entity", "bad_request", 1, "answered 422"),
        ("429 Too Many Requests", "rate_limited", 2, "a lower `rate`"),
        ("500 Internal Server Error", "server", 2, "answered 500"),
        ("501 Not Implemented", "server", 1, "answered 501"),
        ("502 Bad Gateway", "server", 2, "answered 502"),
        ("503 Service Unavailable", "server", 2, "answered 503"),
        ("504 Gateway Timeout", "server", 2, "answered 504"),
        ("505 HTTP Version Not Supported", "server", 1, "answered 505"),
        ("599 Unheard Of", "server", 2, "answered 599"),
        ("300 Multiple Choices", "redirect", 1, "it sends elsewhere"),
        ("304 Not Modified", "redirect", 1, "answered 304"),
    ];
    for (status, kind, requests, words) in cases {
        let body = if status.starts_with("304") { "" } else { r#"{"error": {"reason": "no such field\n\u001b[31m"}}"# };
        let (ranking, arrived) =
            ask(answer(status, JSON, body), |plan| plan.error = Some("$.error.reason".into())).await;
        assert_failed(&ranking, kind, requests, words);
        assert_eq!(i64::try_from(arrived).unwrap(), requests, "{status}");
    }
}

#[tokio::test]
async fn a_success_that_is_none_is_a_failure() {
    let html = answer("200 OK", "content-type: text/html\r\n", "<!doctype html>\n<title>Sign in</title>");
    let (ranking, arrived) = ask(html, |_| ()).await;
    assert_failed(
        &ranking,
        "body",
        1,
        "is not JSON (expected value at line 1 column 1); it begins with `<!doctype html>",
    );
    assert_eq!(arrived, 1);

    let (ranking, _) = ask(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(), |_| ()).await;
    assert_failed(&ranking, "body", 1, "the answer, 204 No Content, has no content");
    let (ranking, _) = ask(answer("200 OK", "", ""), |_| ()).await;
    assert_failed(&ranking, "body", 1, "has no content");

    // Weaviate's way.
    let graphql = r#"{"data": {"Get": {"Product": null}}, "errors": [{"message": "no graphql field", "path": null}]}"#;
    let (ranking, arrived) = ask(answer("200 OK", JSON, graphql), |plan| {
        plan.ids = "$.data.Get.Product[*].id".into();
        plan.scores = None;
        plan.error = Some("$.errors[0].message".into());
    })
    .await;
    assert_failed(&ranking, "server", 1, "the answer, 200 OK, is an error: no graphql field");
    assert_eq!(arrived, 1);

    // Groonga's way.
    let groonga = r#"{"header": {"return_code": -22, "error": {"message": "invalid table name: <Dox>"}}}"#;
    let groonga_plan = |plan: &mut HttpPlan| {
        plan.ids = "$.body.records[*][0]".into();
        plan.scores = Some("$.body.records[*][1]".into());
        plan.error = Some("$[?@.return_code < 0].error.message".into());
    };
    let (ranking, _) = ask(answer("200 OK", JSON, groonga), groonga_plan).await;
    assert_failed(&ranking, "server", 1, "is an error: invalid table name: <Dox>");
    let fine = r#"{"header": {"return_code": 0}, "body": {"n_hits": 1, "records": [["doc1", 3]]}}"#;
    let (ranking, _) = ask(answer("200 OK", JSON, fine), groonga_plan).await;
    assert_found(&ranking, &["doc1"], 1);

    // The same without a path to the error.
    let (ranking, _) = ask(answer("200 OK", JSON, graphql), |_| ()).await;
    assert_failed(&ranking, "extraction", 1, "the answer has no list `$.hits`; is `ids` right for these answers?");
}

#[tokio::test]
async fn the_wait_that_a_busy_server_asks_for_is_honoured_up_to_the_cap() {
    let date = |seconds: i64| {
        let at = Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
        at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
    };
    // The cap is 200 ms, the usual wait 1 ms. How long a busy machine takes besides is nobody's promise: far less than a day.
    let cases = [
        ("1".to_owned(), 1, 200),
        ("0".to_owned(), 1, 0),
        ("86400".to_owned(), 1, 200),
        (date(86_400), 1, 200),
        (date(-60), 1, 0),
        ("soon".to_owned(), 0, 0),
        ("-1".to_owned(), 0, 0),
        (String::new(), 0, 0),
    ];
    for (text, waits, least) in cases {
        let bytes = answer("429 Too Many Requests", &format!("retry-after: {text}\r\n"), "");
        let server = FaultServer::answering(bytes).await;
        let asker = asker(&plan(&server.url()));
        let start = Instant::now();
        assert_failed(&asker.ask().await, "rate_limited", 2, "answered 429");
        let took = start.elapsed();
        assert!((milliseconds(least)..milliseconds(60_000)).contains(&took), "`{text}`: {took:?}");
        assert_eq!(server.requests(), 2);
        assert_eq!(asker.policy.counts().retry_after_waits, waits, "`{text}`");
    }
}

#[tokio::test]
async fn a_busy_server_that_recovers_answers_the_retry() {
    let server = FaultServer::start(|mut connection| {
        Box::pin(async move {
            while connection.read_request().await {
                let busy = connection.requests() == 1;
                let bytes = if busy { answer("503 Service Unavailable", "retry-after: 0\r\n", "") } else { good() };
                connection.write(&bytes).await;
            }
        })
    })
    .await;
    assert_found(&asker(&plan(&server.url())).ask().await, &["a", "b"], 2);
    assert_eq!((server.requests(), server.connections()), (2, 1));
}

#[tokio::test]
async fn redirects_are_followed_only_where_allowed_and_never_to_another_host() {
    let server = FaultServer::answering(good()).await;
    let there = answer("307 Temporary Redirect", "location: /again\r\n", "");
    let (ranking, arrived) = ask(there.clone(), |_| ()).await;
    assert_failed(&ranking, "redirect", 1, "it sends elsewhere to `/again`; write that URL, or allow `redirects`");
    assert_eq!(arrived, 1, "no redirects by default");
    let (ranking, arrived) = ask(there, |plan| plan.policy.redirects = 3).await;
    assert_failed(&ranking, "redirect", 1, "it sends elsewhere");
    assert_eq!(arrived, 4, "a loop ends");

    let turned = answer("301 Moved Permanently", "location: /again\r\n", "");
    let (ranking, arrived) = ask(turned, |plan| plan.policy.redirects = 3).await;
    assert_failed(&ranking, "redirect", 1, "it sends elsewhere");
    assert_eq!(arrived, 1, "a search in a body is not turned into a GET");

    for elsewhere in ["http://169.254.169.254/latest/meta-data/", &server.url(), "file:///etc/passwd"] {
        let bytes = answer("302 Found", &format!("location: {elsewhere}\r\n"), "");
        let (ranking, arrived) = ask(bytes, |plan| {
            plan.policy.redirects = 5;
            plan.method = "GET".into();
            plan.body = None;
        })
        .await;
        assert_failed(&ranking, "redirect", 1, elsewhere);
        assert_eq!(arrived, 1);
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_redirect_on_the_same_host_leads_to_the_answer() {
    let server = FaultServer::start(|mut connection| {
        Box::pin(async move {
            while connection.read_request().await {
                let first = connection.requests() == 1;
                let there = answer("308 Permanent Redirect", "location: /v2/search\r\n", "");
                connection.write(&if first { there } else { good() }).await;
            }
        })
    })
    .await;
    let mut plan = plan(&server.url());
    plan.policy.redirects = 1;
    assert_found(&asker(&plan).ask().await, &["a", "b"], 1);
}
