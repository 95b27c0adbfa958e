//! Requests as they arrive, timings as they are recorded, and secrets as they are not.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::json;
use tokio::io::AsyncReadExt as _;

use super::faults::asking::{asker, asker_with, plan};
use super::faults::server::{Connection, FaultServer, answer, good};
use super::{Extraction, HttpReranker, HttpRetriever};
use crate::benchmark::PipelinePlan;
use crate::benchmark::stages::http::{AbsentHits, AuthPlan, HttpPlan, TimingPlan, TimingUnit, UserPlan};
use crate::benchmark::stages::{StageKind, StagePlan};
use crate::outbound::Outbound;
use crate::replay::contract;
use crate::replay::remote::{Policy, Secrets, no_secrets};
use crate::replay::{RetrieveError, RetrieveErrorKind, Retrieved, Retriever, Transform};
use crate::session::{Hit, Session};

/// Starts a server that answers with a hit whose id is the request itself, as text.
async fn mirror() -> FaultServer {
    FaultServer::start(|mut connection: Connection| {
        let answered: BoxFuture<'static, ()> = Box::pin(async move {
            let mut buffer = vec![0; 65_536];
            while let Ok(length @ 1..) = connection.stream.read(&mut buffer).await {
                let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
                let body = json!({ "hits": [{ "id": text, "score": 1 }] }).to_string();
                connection.write(&answer("200 OK", "", body)).await;
            }
        });
        answered
    })
    .await
}

fn built(plan: &HttpPlan, secrets: &Secrets) -> HttpRetriever {
    let policy = Arc::new(Policy::new(&plan.policy, NonZeroUsize::new(4).unwrap()));
    HttpRetriever::build(plan, policy, secrets, &Outbound::default()).unwrap()
}

async fn sent(plan: &HttpPlan, session: &Session) -> Result<String, RetrieveError> {
    let retrieved = built(plan, &no_secrets()).retrieve(session, 7).await?;
    Ok(retrieved.hits[0].item_id.clone())
}

fn session() -> Session {
    Session {
        session_id: "s1".into(),
        query: Some("caf\u{e9} & \"\u{43c}\"/?#%\u{1f600}".into()),
        query_vector: Some(vec![0.1, -2.0, 1e-7]),
        inputs: Some(r#"{"filters": [{"brand": "a\"b"}], "page": 3, "list": ["x", "y"]}"#.into()),
        taxonomy: vec!["home/kitchen".into(), "a b".into()],
        ..Session::default()
    }
}

#[tokio::test]
async fn values_are_encoded_for_where_they_stand() {
    let server = mirror().await;
    let mut plan = plan(&format!(
        "http://{}/{{{{ taxonomy[0] }}}}/s?q={{{{ query }}}}&k={{{{ depth }}}}&again={{{{ query | urlencode }}}}&l={{{{ inputs.list | join(',') }}}}&raw={{{{ 'a=b' | safe }}}}",
        server.address
    ));
    plan.headers = BTreeMap::from([("x-tenant".to_owned(), "shop".to_owned())]);
    plan.parameters = BTreeMap::from([("boost".to_owned(), json!({ "a": [1, 2.5, null] }))]);
    plan.body = Some(
        r#"{"q": {{ query }}, "t": {{ query | tojson }}, "v": {{ vector }}, "f": {{ filters }}, "p": {{ inputs.page }},
            "b": {{ parameters.boost }}, "id": {{ session_id }}, "x": {{ taxonomy }} {% if depth > 5 %}, "deep": true{% endif %}}"#
            .into(),
    );
    let text = sent(&plan, &session()).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let encoded = "caf%C3%A9%20%26%20%22%D0%BC%22%2F%3F%23%25%F0%9F%98%80";
    let line = format!("POST /home%2Fkitchen/s?q={encoded}&k=7&again={encoded}&l=x%2Cy&raw=a=b HTTP/1.1");
    assert_eq!(head.lines().next(), Some(line.as_str()));
    let head = head.to_ascii_lowercase();
    for header in
        ["x-tenant: shop", "content-type: application/json", "accept: application/json", "accept-encoding: gzip"]
    {
        assert!(head.contains(header), "{head}");
    }
    assert!(!head.contains("authorization") && head.contains("user-agent: rematch/"), "{head}");
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let query = session().query.unwrap();
    let expected = json!({
        "q": query, "t": query, "v": [0.1, -2.0, 1e-7], "f": [{ "brand": "a\"b" }], "p": 3, "b": { "a": [1, 2.5, null] },
        "id": "s1", "x": ["home/kitchen", "a b"], "deep": true,
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_body_that_is_no_json_prints_values_as_they_are() {
    let server = mirror().await;
    let mut plan = plan(&server.url());
    plan.content_type = "application/x-www-form-urlencoded".into();
    plan.body = Some("q={{ query | urlencode }}&n={{ depth }}".into());
    let text = sent(&plan, &session()).await.unwrap();
    assert!(text.ends_with("q=caf%C3%A9%20%26%20%22%D0%BC%22%2F%3F%23%25%F0%9F%98%80&n=7"), "{text}");
}

#[tokio::test]
async fn requests_that_cannot_be_made_are_not_sent() {
    let server = mirror().await;
    let with = |body: &str| HttpPlan { body: Some(body.into()), ..plan(&server.url()) };
    let bare = Session { session_id: "bare".into(), ..Session::default() };
    let broken = Session { inputs: Some("{".into()), ..session() };
    let cases = [
        (with(r#"{"q": {{ query }}}"#), &bare, RetrieveErrorKind::NoQuery, "the session has no query text"),
        (with(r#"{"v": {{ vector }}}"#), &bare, RetrieveErrorKind::NoQuery, "the session has no query vector"),
        (with(r#"{"f": {{ inputs.user }}}"#), &bare, RetrieveErrorKind::Template, "undefined value"),
        (with(r#"{"f": {{ inputs.user | tojson }}}"#), &bare, RetrieveErrorKind::Template, "undefined value"),
        (
            with(r#"{"f": {{ inputs }}}"#),
            &broken,
            RetrieveErrorKind::Template,
            "the inputs of the session are not JSON",
        ),
        (with(r#"{{ inputs.list[0] | safe }}"#), &session(), RetrieveErrorKind::Template, "it gives no JSON"),
        (
            with(r#"{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}1"#),
            &bare,
            RetrieveErrorKind::Template,
            "fuel",
        ),
    ];
    for (plan, session, kind, words) in cases {
        let error = sent(&plan, session).await.unwrap_err();
        assert_eq!((error.kind, error.attempts, error.fatal), (kind, 0, false), "{error}");
        assert!(error.message.contains(words), "{error}");
    }
    let optional = with(r#"{"f": {{ inputs.user | default("nobody") }}, "g": {{ filters }}}"#);
    assert!(sent(&optional, &bare).await.unwrap().ends_with(r#"{"f": "nobody", "g": []}"#));
    let escaped = plan("http://{{ inputs.host }}/x");
    let elsewhere = Session { inputs: Some(r#"{"host": "user@evil.example/"}"#.into()), ..session() };
    let error = sent(&escaped, &elsewhere).await.unwrap_err();
    assert_eq!(error.kind, RetrieveErrorKind::Template, "{error}");
    for (url, value) in [("a/{{ session_id }}/_search", ".."), ("a/.{{ session_id }}", "."), ("{{ session_id }}", ".")]
    {
        let climbing = Session { session_id: value.into(), ..session() };
        let error = sent(&plan(&format!("{}/{url}", server.url())), &climbing).await.unwrap_err();
        assert!(
            error.kind == RetrieveErrorKind::Template && error.message.contains("a segment `.` or `..`"),
            "{error}"
        );
    }
    assert_eq!(server.connections(), 1, "only for what was fine");
    let dotted = Session { session_id: "..".into(), ..session() };
    sent(&plan(&format!("{}/b/../a.{{{{ session_id }}}}?q={{{{ session_id }}}}", server.url())), &dotted)
        .await
        .unwrap();
}

#[tokio::test]
async fn timings_of_the_header_come_before_those_of_the_body() {
    let body =
        r#"{"took": 12, "phases": {"query": 0.5, "fetch": "slow", "odd": -1}, "hits": [{"id": "a", "score": 1}]}"#;
    let headers = "server-timing: recall;dur=12.25, took;dur=3\r\nserver-timing: rank;desc=\"x\";dur=1\r\n";
    let server = FaultServer::answering(answer("200 OK", headers, body)).await;
    let mut plan = plan(&server.url());
    let timing = |path: &str, unit| TimingPlan { path: path.into(), unit };
    plan.timings = BTreeMap::from([
        ("took".to_owned(), timing("$.took", TimingUnit::Milliseconds)),
        ("query".to_owned(), timing("$.phases.query", TimingUnit::Seconds)),
        ("fetch".to_owned(), timing("$.phases.fetch", TimingUnit::Seconds)),
        ("odd".to_owned(), timing("$.phases.odd", TimingUnit::Microseconds)),
        ("absent".to_owned(), timing("$.nope", TimingUnit::Nanoseconds)),
    ]);
    let ranking = asker(&plan).ask().await;
    let stages: Vec<_> =
        ranking.stages.iter().map(|stage| (stage.name.as_str(), stage.state.as_str(), stage.latency_ns)).collect();
    let own = stages[0].2;
    assert_eq!(
        stages,
        [
            ("http", "ok", own),
            ("http/recall", "reported", 12_250_000),
            ("http/took", "reported", 3_000_000),
            ("http/rank", "reported", 1_000_000),
            ("http/query", "reported", 500_000_000),
        ]
    );
    assert_eq!(ranking.latency_ns, own, "what a server says of itself adds nothing");
}

#[tokio::test]
async fn secrets_arrive_and_show_nowhere_even_if_the_server_repeats_them() {
    const SECRET: &str = "hunter2/\"=&";
    let secrets: Secrets = Arc::new(|variable| (variable == "KEY").then(|| SECRET.to_owned()));
    let auths = [
        AuthPlan::Bearer { token_env: "KEY".into() },
        AuthPlan::Basic { user: UserPlan::Name("me".into()), password_env: "KEY".into() },
        AuthPlan::Header { name: "X-Key".into(), prefix: "Key ".into(), value_env: "KEY".into() },
        AuthPlan::Query { name: "key".into(), value_env: "KEY".into() },
    ];
    let forms = ["hunter2", "aHVudGVy", "h1VudGVy", "bWU6aHVudGVyMi8iPSY="];
    for auth in auths {
        let arrived = mirror().await;
        let plan_of = |url: &str| HttpPlan { auth: auth.clone(), ..plan(url) };
        let text =
            built(&plan_of(&arrived.url()), &secrets).retrieve(&session(), 1).await.unwrap().hits[0].item_id.clone();
        let expected = match &auth {
            AuthPlan::Bearer { .. } => "Bearer hunter2/\"=&",
            AuthPlan::Basic { .. } => "Basic bWU6aHVudGVyMi8iPSY=",
            AuthPlan::Header { .. } => "Key hunter2/\"=&",
            _ => "?key=hunter2%2F%22%3D%26",
        };
        assert!(text.contains(expected), "{text}");

        // Servers that repeat all they were sent, one with a failure, one as no JSON, one in an error inside of JSON.
        for kind in ["status", "text", "json"] {
            let echo = FaultServer::start(move |mut connection: Connection| {
                Box::pin(async move {
                    let mut buffer = vec![0; 65_536];
                    while let Ok(length @ 1..) = connection.stream.read(&mut buffer).await {
                        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
                        let status = if kind == "status" { "403 Forbidden" } else { "200 OK" };
                        let secret = text.lines().find(|line| line.contains("hunter2") || line.contains("Basic"));
                        let said = secret.unwrap_or("nothing").to_owned();
                        let body = if kind == "json" { json!({ "error": said }).to_string() } else { said };
                        connection.write(&answer(status, "", body)).await;
                    }
                })
            })
            .await;
            let plan = HttpPlan { error: Some("$.error".into()), ..plan_of(&echo.url()) };
            let asker = asker_with(&plan, &secrets, None);
            let ranking = asker.ask().await;
            let retriever = built(&plan, &secrets);
            let error = retriever.retrieve(&session(), 1).await.unwrap_err();
            assert!(error.message.contains("[redacted]"), "{kind}: {error}");
            let shown = format!(
                "{ranking:?} {error} {error:?} {retriever:?} {:?} {plan:?} {}",
                asker.policy,
                serde_json::to_string(&plan).unwrap()
            );
            for form in forms {
                assert!(!shown.contains(form), "{auth:?} {kind}: `{form}` in {shown}");
            }
        }
        // Nobody there: errors name the URL.
        let ranking = asker_with(&plan_of("http://127.0.0.1:9/x"), &secrets, None).ask().await;
        assert!(forms.iter().all(|form| !ranking.error.as_deref().unwrap().contains(form)), "{ranking:?}");
    }
}

#[tokio::test]
async fn a_secret_that_a_snippet_would_cut_or_a_server_escapes_does_not_show() {
    const SECRET: &str = "hunter2&/  <open>sesame";
    let secrets: Secrets = Arc::new(|variable| (variable == "KEY").then(|| SECRET.to_owned()));
    let pad = "x".repeat(195);
    let escaped = r"hunter2\u0026\/  \u003copen\u003Esesame";
    let answers = [
        answer("500 Oops", "", format!("{pad}{SECRET}")),
        answer("500 Oops", "", SECRET),
        answer("500 Oops", "", format!("{{\"said\": \"{escaped}\"}}")),
        answer("200 OK", "", format!("{{\"error\": \"{pad}{escaped}\"}}")),
        answer("200 OK", "", format!("{{\"error\": {{\"said\": \"{escaped}\"}}}}")),
        answer("200 OK", "", format!("{pad}{SECRET}")),
        answer("302 Found", &format!("location: /{pad}{SECRET}\r\n"), ""),
    ];
    for answer in answers {
        let server = FaultServer::answering(answer).await;
        let auth = AuthPlan::Bearer { token_env: "KEY".into() };
        let plan = HttpPlan { auth, error: Some("$.error".into()), ..plan(&server.url()) };
        let error = built(&plan, &secrets).retrieve(&session(), 1).await.unwrap_err();
        assert!(!error.message.contains("hunte") && !error.message.contains("sesame"), "{error}");
    }
}

#[test]
fn an_absent_list_is_no_hits_only_where_its_place_is_there() {
    let ids = "$.root.children[*].id".to_owned();
    let plan = HttpPlan { ids, scores: None, absent_hits: AbsentHits::Empty, ..plan("http://h") };
    let extraction = Extraction::compile(&plan).unwrap();
    assert_eq!(extraction.hits(&json!({ "root": { "fields": { "totalCount": 0 } } }), 10), Ok(vec![]));
    for foreign in [json!({}), json!({ "message": "hello" }), json!({ "root": null }), json!([])] {
        let words = extraction.hits(&foreign, 10).unwrap_err();
        assert!(words.contains("has no list `$.root.children`"), "{words}");
    }
}

#[tokio::test]
async fn a_reranker_sends_the_hits_and_takes_their_new_order() {
    let server = FaultServer::answering(answer(
        "200 OK",
        "",
        r#"{"hits": [{"id": "c", "score": 0.9}, {"id": "a", "score": 0.2}]}"#,
    ))
    .await;
    let mut plan = plan(&server.url());
    plan.body = Some(
        r#"{"q": {{ query }}, "ids": {{ hits | map(attribute="item_id") | list }}, "n": {{ hits | length }}}"#.into(),
    );
    let policy = Arc::new(Policy::new(&plan.policy, NonZeroUsize::MIN));
    let reranker = HttpReranker::build(&plan, policy.clone(), &no_secrets(), &Outbound::default()).unwrap();
    let hit = |item: &str, score| Hit { item_id: item.into(), score };
    let hits = vec![hit("a", Some(3.0)), hit("b", Some(2.0)), hit("c", None)];
    let Retrieved { hits, attempts, latency, .. } = reranker.transform(&session(), hits, 10).await.unwrap();
    assert_eq!(hits, [hit("c", Some(0.9)), hit("a", Some(0.2)), hit("b", None)]);
    assert!(attempts == 1 && latency.is_some());
    let nothing = reranker.transform(&session(), Vec::new(), 10).await.unwrap();
    // No hits take no time, and the session's latency counts.
    assert_eq!((nothing.attempts, nothing.latency, server.requests()), (1, Some(Duration::ZERO), 1));
    let stranger = reranker.transform(&session(), vec![hit("x", None)], 10).await.unwrap_err();
    assert_eq!(stranger.kind, RetrieveErrorKind::Extraction);
    assert!(HttpRetriever::build(&plan, policy, &no_secrets(), &Outbound::default()).is_err(), "a source has no hits");
}

#[tokio::test]
async fn the_retriever_keeps_the_contract() {
    let server = FaultServer::answering(good()).await;
    let retriever = built(&plan(&server.url()), &no_secrets());
    let sessions: Vec<Session> = ["s1", "s2"].map(|id| Session { session_id: id.into(), ..session() }).into();
    contract::check(&retriever, &sessions).await.unwrap();
    let silent = Session { query: None, ..session() };
    contract::check(&retriever, &[silent]).await.unwrap();
}

#[test]
fn how_a_server_is_asked_changes_no_hash_and_what_it_is_asked_does() {
    let hash = |change: &dyn Fn(&mut HttpPlan)| {
        let mut plan = plan("http://localhost:1/search");
        change(&mut plan);
        let stages = vec![StagePlan::of(StageKind::Http(Box::new(plan)))];
        let pipeline =
            PipelinePlan { id: "a".into(), name: "a".into(), stages, concurrency: NonZeroUsize::MIN, cache: false };
        crate::replay::Pipeline::hashes(&[pipeline]).unwrap().remove(0)
    };
    let usual = hash(&|_| ());
    assert_eq!(usual, hash(&|plan| plan.policy.retries = 7));
    assert_ne!(usual, hash(&|plan| plan.url = "http://localhost:2/search".into()));
    assert_ne!(usual, hash(&|plan| plan.auth = AuthPlan::Bearer { token_env: "T".into() }));
    assert_ne!(usual, hash(&|plan| plan.body = None));
}
