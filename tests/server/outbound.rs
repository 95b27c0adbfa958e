//! Whom the server's runs connect to.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::running::{Server, until};
use crate::sample;

/// A search engine on this machine that counts its connections and always says the same.
struct Engine {
    port: u16,
    connections: Arc<AtomicUsize>,
}

impl Engine {
    fn answering(answer: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let (count, answer) = (Arc::clone(&connections), answer.to_owned());
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::SeqCst);
                let _ = stream.read(&mut [0; 8192]);
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { port, connections }
    }

    fn with_hits() -> Self {
        let body = r#"{"hits": [{"id": "red-lamp"}]}"#;
        Self::answering(&format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        ))
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

const SESSIONS: usize = 20;

/// The small shop's benchmark with an HTTP retriever in the place of what was shown.
fn benchmark(url: &str, settings: &str) -> String {
    let shown = "id = \"shown\"\nstages = [{ kind = \"shown\" }]";
    let http = format!(
        "id = \"shown\"\nconnect-timeout = \"60s\"\nread-timeout = \"60s\"\ntimeout = \"60s\"\n{settings}\nstages = [{{ kind = \"http\", url = \"{url}\", ids = \"$.hits[*].id\" }}]"
    );
    sample::BENCHMARK
        .replace("sessions.jsonl", "files/sessions.jsonl")
        .replace("products.jsonl", "files/products.jsonl")
        .replace(shown, &http)
}

/// Brings the shop's files and returns a token.
fn prepared(server: &Server) -> String {
    let token = server.token("acme", "ci");
    let files =
        [("sessions.jsonl", sample::jsonl(&sample::sessions(SESSIONS))), ("products.jsonl", sample::products())];
    for (name, content) in files {
        let headers = [("authorization", &*format!("Bearer {token}"))];
        let body = Some(("application/octet-stream", content.into_bytes()));
        server.send_bytes("PUT", &format!("/v1/files/{name}"), &headers, body).expect(201);
    }
    token
}

/// Runs a benchmark and returns the run as it ended.
fn run(server: &Server, token: &str, toml: &str) -> Value {
    let posted = server.post("/v1/runs", token, &json!({ "toml": toml })).expect(201);
    let path = format!("/v1/runs/{}", posted["id"].as_str().unwrap());
    until("the end of a run", || {
        let run = server.get(&path, token).expect(200);
        matches!(run["state"].as_str(), Some("completed" | "failed" | "cancelled")).then_some(run)
    })
}

/// Returns the failures of the HTTP retriever by kind.
fn failures(server: &Server, token: &str, run: &Value) -> Value {
    assert_eq!(run["state"], "completed", "{run}");
    let report = server.get(&format!("/v1/runs/{}/report", run["id"].as_str().unwrap()), token).expect(200);
    report["results"][0]["error_summary"].clone()
}

#[test]
fn a_retriever_asks_this_machine_only_where_the_operator_allows_it() {
    let engine = Engine::with_hits();
    let url = format!("http://127.0.0.1:{}/search", engine.port);
    let server = Server::start();
    let token = prepared(&server);
    for url in [&url, &url.replace("127.0.0.1", "localhost"), &url.replace("127.0.0.1", "0x7f.1")] {
        let ended = run(&server, &token, &benchmark(url, ""));
        assert_eq!(failures(&server, &token, &ended), json!({ "outbound": SESSIONS }), "{url}");
    }
    assert_eq!(engine.connections(), 0);
    drop(server);

    let server = Server::start_with(&["--allow-outbound", &format!("127.0.0.1:{}", engine.port)]);
    let token = prepared(&server);
    let ended = run(&server, &token, &benchmark(&url, ""));
    assert_eq!(failures(&server, &token, &ended), json!({}));
    assert_eq!(engine.connections(), SESSIONS);
}

#[test]
fn redirects_to_metadata_are_not_followed_whatever_the_benchmark_says() {
    let to = "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://169.254.169.254/latest/meta-data/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let engine = Engine::answering(to);
    let server = Server::start_with(&["--allow-outbound", &format!("127.0.0.1:{}", engine.port)]);
    let token = prepared(&server);
    let url = format!("http://127.0.0.1:{}/search", engine.port);
    let ended = run(&server, &token, &benchmark(&url, "redirects = 5"));
    assert_eq!(failures(&server, &token, &ended), json!({ "redirect": SESSIONS }));
    assert_eq!(engine.connections(), SESSIONS);
}

#[test]
fn inputs_and_databases_on_this_machine_are_refused_too() {
    let engine = Engine::with_hits();
    let server = Server::start();
    let token = prepared(&server);
    let url = format!("http://127.0.0.1:{}/sessions.jsonl", engine.port);
    let sessions = benchmark("https://search.example/", "").replace("files/sessions.jsonl", &url);
    let postgres = sample::BENCHMARK
        .replace("sessions.jsonl", "files/sessions.jsonl")
        .replace("products.jsonl", "files/products.jsonl")
        .replace(
            "{ kind = \"shown\" }",
            &format!("{{ kind = \"postgres\", url = \"postgres://127.0.0.1:{}/x\", query = \"SELECT 'a' WHERE $query <> ''\" }}", engine.port),
        );
    let refused = server.post("/v1/runs", &token, &json!({ "toml": sessions })).expect(422);
    assert!(refused.to_string().contains("--allow-outbound"), "{refused}");
    let ended = run(&server, &token, &postgres);
    assert_eq!(ended["state"], "failed", "{ended}");
    assert!(ended.to_string().contains("--allow-outbound"), "{ended}");
    assert_eq!(engine.connections(), 0);
}
