//! Figures and spans, of a binary that is built with the features `prometheus` and `opentelemetry`; of another these tests say
//! that they are skipped, unless `REMATCH_OBSERVED` says that it must be one.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::{Arc, Mutex};

use serde_json::json;

use super::running::{Server, until};
use super::shop::{Shop, registered};
use crate::live_servers::free_port;
use crate::rematch::binary;

/// Returns whether the binary has the features.
fn is_observed() -> bool {
    let help = Command::new(binary()).args(["serve", "--help"]).output().unwrap();
    let has_features = String::from_utf8_lossy(&help.stdout).contains("--metrics-listen");
    assert!(has_features || std::env::var_os("REMATCH_OBSERVED").is_none(), "the binary has no figures");
    if !has_features {
        eprintln!("skipped: the binary is built without `prometheus` and `opentelemetry`");
    }
    has_features
}

/// Returns an address of this machine that was free a moment ago.
fn free_address() -> String {
    format!("127.0.0.1:{}", free_port())
}

/// One line of figures: name, labels, value.
type Figure = (String, BTreeMap<String, String>, f64);

/// Reads the text format of Prometheus, version 0.0.4, and refuses what it does not allow.
fn parsed(text: &str) -> Vec<Figure> {
    let mut kinds = BTreeMap::new();
    let mut figures = Vec::new();
    assert!(text.ends_with('\n'));
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(comment) = line.strip_prefix("# ") {
            let parts: Vec<&str> = comment.splitn(3, ' ').collect();
            assert!(parts.len() == 3 && ["HELP", "TYPE"].contains(&parts[0]), "{line}");
            if parts[0] == "TYPE" {
                assert!(["counter", "gauge", "histogram", "summary"].contains(&parts[2]), "{line}");
                assert!(kinds.insert(parts[1].to_owned(), parts[2].to_owned()).is_none(), "twice: {line}");
            }
            continue;
        }
        let (named, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = named.split_once('{').unwrap_or((named, "}"));
        let labels = labels.strip_suffix('}').unwrap();
        let labels = labels.split_terminator("\",").map(|label| {
            let (name, value) = label.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
            (name.to_owned(), value.trim_end_matches('"').to_owned())
        });
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        assert!(kinds.contains_key(name) || kinds.contains_key(family), "no type: {line}");
        figures.push((name.to_owned(), labels.collect(), value.parse().unwrap()));
    }
    figures
}

#[test]
fn figures_are_served_where_the_operator_says_and_name_nobody() {
    if !is_observed() {
        return;
    }
    let address = free_address();
    let shop = Shop::open_with(&["--metrics-listen", &address, "--workers", "1"]);
    let id = shop.run(&[]);
    shop.report(&id);
    shop.get("/v1/runs/run_unknown").expect(404);
    shop.get("/v1/nowhere/at/all").expect(404);
    shop.server.send("PROPFIND", "/v1/runs", &shop.token, None).expect(405);
    // Not to whoever reaches the API, with a token or without.
    assert_eq!(shop.get("/metrics").status, 404);
    let answer = reqwest::blocking::Client::builder().no_proxy().build().unwrap();
    let ask = |path: &str| answer.get(format!("http://{address}{path}")).send().unwrap();
    assert_eq!(ask("/v1/runs").status(), 404);
    let answer = ask("/metrics");
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let text = answer.text().unwrap();
    // Where other people's parser reads it, too.
    if let Some(place) = std::env::var_os("REMATCH_FIGURES") {
        std::fs::write(place, &text).unwrap();
    }
    for secret in [&*id, "acme", "tok_", "rmt_", "sessions.parquet"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    let figures = parsed(&text);
    let value = |name: &str, wanted: &[(&str, &str)]| -> f64 {
        let is_wanted = |labels: &BTreeMap<String, String>| {
            wanted.iter().all(|(name, value)| labels.get(*name).is_some_and(|found| found == value))
        };
        figures.iter().filter(|(known, labels, _)| known == name && is_wanted(labels)).map(|(_, _, value)| value).sum()
    };
    let requests = "rematch_http_requests_total";
    assert_eq!(value(requests, &[("method", "POST"), ("route", "/v1/runs"), ("status", "201")]), 1.0);
    assert_eq!(value(requests, &[("route", "/v1/files/{name}"), ("status", "201")]), 2.0);
    assert_eq!(value(requests, &[("route", "/v1/runs/{id}"), ("status", "404")]), 1.0);
    assert_eq!(value(requests, &[("route", "unmatched"), ("status", "404")]), 2.0, "that of /metrics too");
    assert_eq!(value(requests, &[("method", "other"), ("status", "405")]), 1.0);
    let durations = [("route", "/v1/runs/{id}"), ("status", "200"), ("le", "+Inf")];
    let counted = value("rematch_http_request_duration_seconds_count", &durations[..2]);
    assert!(counted >= 1.0 && value("rematch_http_request_duration_seconds_bucket", &durations) == counted);
    assert_eq!(value("rematch_jobs", &[("state", "completed")]), 1.0);
    assert_eq!((value("rematch_workers", &[]), value("rematch_workers_busy", &[])), (1.0, 0.0));
    assert_eq!(value("rematch_job_duration_seconds_count", &[("outcome", "completed")]), 1.0);
    assert_eq!(value("rematch_jobs_queued_seconds", &[]), 0.0);
    assert!(value("rematch_database_bytes", &[]) > 4096.0);
}

/// A span as a collector got it.
#[derive(Debug, Clone, Default)]
struct Span {
    trace: Vec<u8>,
    id: Vec<u8>,
    parent: Vec<u8>,
    name: String,
    begun: u64,
    ended: u64,
    attributes: BTreeMap<String, String>,
}

/// The fields of a message of protocol buffers: number, and bytes or number.
fn fields(mut bytes: &[u8]) -> Vec<(u64, &[u8], u64)> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = bytes[0];
            *bytes = &bytes[1..];
            value |= u64::from(byte & 127) << shift;
            if byte < 128 {
                return value;
            }
            shift += 7;
        }
    }
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let (mut content, mut number): (&[u8], u64) = (&[], 0);
        let length = match key & 7 {
            0 => {
                number = varint(&mut bytes);
                0
            }
            1 => {
                number = u64::from_le_bytes(bytes[..8].try_into().unwrap());
                8
            }
            2 => {
                let length = usize::try_from(varint(&mut bytes)).unwrap();
                content = &bytes[..length];
                length
            }
            5 => 4,
            other => panic!("wire type {other}"),
        };
        bytes = &bytes[length..];
        found.push((key >> 3, content, number));
    }
    found
}

/// Returns the spans of an `ExportTraceServiceRequest`.
fn spans_of(request: &[u8]) -> Vec<Span> {
    let below = |number, bytes| {
        fields(bytes).into_iter().filter(move |(known, ..)| *known == number).map(|(_, bytes, _)| bytes)
    };
    let scopes = below(1, request).flat_map(|resource| below(2, resource));
    scopes.flat_map(|scope| below(2, scope)).map(span_of).collect()
}

fn span_of(bytes: &[u8]) -> Span {
    let mut span = Span::default();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    for (field, content, number) in fields(bytes) {
        match field {
            1 => span.trace = content.to_owned(),
            2 => span.id = content.to_owned(),
            4 => span.parent = content.to_owned(),
            5 => span.name = text(content),
            7 => span.begun = number,
            8 => span.ended = number,
            9 => {
                let pair = fields(content);
                let key = pair.iter().find(|(field, ..)| *field == 1).map(|(_, key, _)| text(key)).unwrap();
                let value = pair.iter().find(|(field, ..)| *field == 2).map(|(_, value, _)| fields(value));
                let value = value.and_then(|value| value.first().map(|(_, text, number)| (text.to_vec(), *number)));
                let shown =
                    value.map(|(bytes, number)| if bytes.is_empty() { number.to_string() } else { text(&bytes) });
                span.attributes.insert(key, shown.unwrap_or_default());
            }
            _ => {}
        }
    }
    span
}

/// A collector of spans that keeps what it is sent.
struct Collector {
    address: String,
    bodies: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&bodies);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || collect(stream, &kept));
            }
        });
        Self { address, bodies }
    }

    fn spans(&self) -> Vec<Span> {
        self.bodies.lock().unwrap().iter().flat_map(|body| spans_of(body)).collect()
    }
}

/// Answers requests of one connection, as long as there are any.
fn collect(mut stream: std::net::TcpStream, kept: &Mutex<Vec<Vec<u8>>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let (mut length, mut line, mut first) = (0, String::new(), String::new());
        while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
            if first.is_empty() {
                first.clone_from(&line);
            }
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            line.clear();
        }
        let mut body = vec![0; length];
        if first.is_empty() || reader.read_exact(&mut body).is_err() {
            return;
        }
        assert!(first.starts_with("POST /v1/traces "), "{first}");
        kept.lock().unwrap().push(body);
        let _ =
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\ncontent-type: application/x-protobuf\r\n\r\n");
    }
}

#[test]
fn spans_of_requests_jobs_and_stages_reach_a_collector_and_tell_no_secrets() {
    if !is_observed() {
        return;
    }
    let collector = Collector::start();
    let endpoint = format!("http://{}", collector.address);
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint), ("OTEL_BSP_SCHEDULE_DELAY", "100")];
    let mut shop = Shop::over(Server::start_in(&variables, &["--workers", "1"]));
    let admin = shop.server.token("acme", "admin");
    let body = json!({ "value": "open-sesame-4711" });
    shop.server.send("PUT", "/v1/secrets/SEARCH_KEY", &admin, Some(&body)).expect(201);
    let id = shop.run(&[]);
    shop.report(&id);
    let retriever = shop.post("/v1/retrievers", &registered("words")).expect(200);
    let retriever = retriever["retriever_id"].as_str().or(retriever["retriever"]["retriever_id"].as_str()).unwrap();
    let inputs = json!({ "inputs": { "query": "hidden-words" } });
    shop.post(&format!("/v1/retrievers/{retriever}/execute"), &inputs).expect(200);
    shop.get(&format!("/v1/files?cursor={}", shop.token)).expect(200);
    shop.server.terminate();
    assert!(shop.server.ended().success());
    // What was not sent yet is sent at the end.
    let spans = until("the last span", || {
        let spans = collector.spans();
        spans
            .iter()
            .any(|span| span.attributes.get("http.route").is_some_and(|route| route == "/v1/files"))
            .then_some(spans)
    });
    let named = |name: &str| spans.iter().filter(|span| span.name == name).cloned().collect::<Vec<Span>>();
    let posted = &named("POST /v1/runs")[0];
    assert_eq!(posted.attributes["http.response.status_code"], "201");
    assert_eq!(posted.attributes["organisation"], "acme");
    let check = spans.iter().find(|span| span.name == "worker check").expect("a worker that checked the benchmark");
    assert_eq!((&check.parent, &check.trace), (&posted.id, &posted.trace));
    assert!(!named("worker search").is_empty());
    let job = spans.iter().find(|span| span.name.starts_with("job ")).expect("a job");
    assert_eq!((&job.attributes["id"], &*job.attributes["outcome"]), (&id, "completed"));
    let mut stages: Vec<&Span> = spans.iter().filter(|span| span.parent == job.id).collect();
    stages.sort_by_key(|span| span.begun);
    let names: Vec<&str> = stages.iter().map(|span| span.name.as_str()).collect();
    for stage in ["building_sessions", "replaying", "computing_metrics"] {
        assert!(names.contains(&stage), "{stage} of {names:?}");
    }
    assert!(stages.iter().all(|stage| stage.trace == job.trace && stage.begun <= stage.ended));
    assert!(stages.windows(2).all(|pair| pair[0].ended <= pair[1].begun), "{stages:?}");
    assert!(stages.iter().all(|stage| job.begun <= stage.begun && stage.ended <= job.ended));
    let all = collector.bodies.lock().unwrap().concat();
    for secret in ["sesame", "rmt_", "hidden-words", &shop.token] {
        assert!(!all.windows(secret.len()).any(|part| part == secret.as_bytes()), "{secret}");
    }
}
