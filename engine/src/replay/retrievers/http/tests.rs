//! Requests as they arrive, timings as they are recorded, secrets as they are not, and latencies as they are.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use serde_json::json;
use tokio::io::AsyncReadExt as _;

use super::faults::asking::{asker, asker_with, plan, policy};
use super::faults::server::{Connection, FaultServer, answer, good};
use super::{HttpReranker, HttpRetriever};
use crate::benchmark::PolicyPlan;
use crate::benchmark::stages::http::{AuthPlan, HttpPlan, TimingPlan, TimingUnit, UserPlan};
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
    HttpRetriever::build(plan, policy, secrets).unwrap()
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
    assert_eq!(server.connections(), 1, "only for what was fine");
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
    let reranker = HttpReranker::build(&plan, policy.clone(), &no_secrets()).unwrap();
    let hit = |item: &str, score| Hit { item_id: item.into(), score };
    let hits = vec![hit("a", Some(3.0)), hit("b", Some(2.0)), hit("c", None)];
    let Retrieved { hits, attempts, latency, .. } = reranker.transform(&session(), hits, 10).await.unwrap();
    assert_eq!(hits, [hit("c", Some(0.9)), hit("a", Some(0.2)), hit("b", None)]);
    assert!(attempts == 1 && latency.is_some());
    let nothing = reranker.transform(&session(), Vec::new(), 10).await.unwrap();
    assert_eq!((nothing.attempts, server.requests()), (0, 1), "nothing is asked for no hits");
    let stranger = reranker.transform(&session(), vec![hit("x", None)], 10).await.unwrap_err();
    assert_eq!(stranger.kind, RetrieveErrorKind::Extraction);
    assert!(HttpRetriever::build(&plan, policy, &no_secrets()).is_err(), "a source has no hits");
}

/// Starts a server on a thread of its own that waits `delay` between a request and its answer, exactly, and returns how long
/// it really took each time.
fn known_delay(delay: Duration) -> (std::net::SocketAddr, std::sync::mpsc::Receiver<Duration>) {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (took, taken) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let answer = good();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream.set_nodelay(true).unwrap();
            let mut buffer = [0; 4096];
            while let Ok(1..) = stream.read(&mut buffer) {
                let start = Instant::now();
                std::thread::sleep(delay);
                let measured = start.elapsed();
                if stream.write_all(&answer).is_err() || took.send(measured).is_err() {
                    break;
                }
            }
        }
    });
    (address, taken)
}

/// Returns the median of the measured latencies minus the median of the true delays, microseconds.
async fn bias(delay: Duration, requests: usize) -> f64 {
    let (address, taken) = known_delay(delay);
    let retriever = built(&plan(&format!("http://{address}/search")), &no_secrets());
    let mut measured = Vec::with_capacity(requests);
    for _ in 0..requests {
        measured.push(retriever.retrieve(&session(), 10).await.unwrap().latency.unwrap());
    }
    let mut truth: Vec<Duration> = taken.try_iter().collect();
    measured.sort();
    truth.sort();
    let micros = |duration: Duration| duration.as_secs_f64() * 1e6;
    micros(measured[requests / 2]) - micros(truth[truth.len() / 2])
}

#[tokio::test]
async fn measured_latencies_are_those_of_the_server() {
    let bias = bias(Duration::from_millis(5), 40).await;
    assert!((0.0..5000.0).contains(&bias), "{bias} us");
}

/// `cargo test --workspace --lib -- --ignored --nocapture bias_at_the_median`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a quiet machine"]
async fn bias_at_the_median_is_at_most_200_microseconds() {
    for milliseconds in [1, 5, 20] {
        let bias = bias(Duration::from_millis(milliseconds), 400).await;
        println!("delay {milliseconds} ms: bias at p50 {bias:.0} us");
        assert!(bias <= 200.0);
    }
}

/// Prints how many requests per second the replay sends, and what `wrk` gets from the same server with as many connections:
/// `tests/bench_http.sh`. `REMATCH_BENCH_HTTP` holds what `wrk` needs: its path.
#[test]
#[ignore = "a benchmark"]
fn throughput_beside_wrk() {
    let wrk = std::env::var("REMATCH_BENCH_HTTP").unwrap_or_else(|_| "wrk".to_owned());
    for (delay, connections) in [(0, 16), (1, 16), (2, 16), (5, 16), (5, 64), (20, 64)] {
        let address = delayed_server(Duration::from_millis(delay));
        let url = format!("http://{address}/search");
        let by_wrk = wrk_rate(&wrk, &url, connections);
        let by_replay = replay_rate(&url, connections);
        let ratio = by_replay / by_wrk;
        println!(
            "{delay:>2} ms, {connections:>2} connections: wrk {by_wrk:>8.0}/s, replay {by_replay:>8.0}/s, ratio {ratio:.2}"
        );
    }
}

/// Starts a server on a runtime of its own, whose answers take at least `delay`.
fn delayed_server(delay: Duration) -> std::net::SocketAddr {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let server = FaultServer::start(move |mut connection: Connection| {
                Box::pin(async move {
                    while connection.read_request().await {
                        if !delay.is_zero() {
                            tokio::time::sleep(delay).await;
                        }
                        connection.write(&good()).await;
                    }
                })
            })
            .await;
            tell.send(server.address).unwrap();
            std::future::pending::<()>().await;
        });
    });
    told.recv().unwrap()
}

fn wrk_rate(wrk: &str, url: &str, connections: usize) -> f64 {
    let arguments = ["-t1", &format!("-c{connections}"), "-d4s", url];
    let output = std::process::Command::new(wrk).args(arguments).output().expect("wrk runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let rate = text.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:")?.trim().parse().ok());
    rate.unwrap_or_else(|| panic!("wrk says {text}"))
}

fn replay_rate(url: &str, connections: usize) -> f64 {
    let concurrency = NonZeroUsize::new(connections).unwrap();
    let plan = HttpPlan { policy: PolicyPlan { warm_up: 64, ..policy() }, ..plan(url) };
    let policy = Arc::new(Policy::new(&plan.policy, concurrency));
    let retriever = Arc::new(HttpRetriever::build(&plan, policy, &no_secrets()).unwrap());
    let id = || "prod".to_owned();
    let depth = NonZeroUsize::new(10).unwrap();
    let pipeline = crate::replay::Pipeline::from_retriever(id(), id(), id(), concurrency, depth, retriever);
    let replayer = crate::replay::Replayer::new(Arc::new(pipeline));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let start = Instant::now();
    let mut requests = 0_u32;
    while start.elapsed() < Duration::from_secs(4) {
        let sessions = (0..2000).map(|number| Session { session_id: format!("{number:05}"), ..session() }).collect();
        let answers = runtime.block_on(replayer.replay(sessions, 10)).unwrap();
        assert!(answers.to_rankings().unwrap().iter().all(|ranking| !ranking.failed()));
        requests += 2000;
    }
    f64::from(requests) / start.elapsed().as_secs_f64()
}
