//! Secrets of retrievers: given once, used by runs and searches, and found nowhere.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::jobs::{Silent, children};
use super::running::{Server, until};
use super::shop::{Shop, put};
use crate::rematch::rematch;
use crate::sample;

pub(super) const SECRET: &str = "open-sesame-4711-of-a-test";

/// A search engine that answers whoever has the secret, and tells everybody what they sent.
pub(super) struct Guarded {
    pub(super) address: String,
    pub(super) heard: Arc<Mutex<Vec<String>>>,
}

impl Guarded {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&heard);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut bytes = [0; 8192];
                let read = stream.read(&mut bytes).unwrap_or(0);
                let asked = String::from_utf8_lossy(&bytes[..read]).into_owned();
                let given = asked.lines().find(|line| line.to_lowercase().starts_with("authorization:"));
                let given = given.unwrap_or_default().to_owned();
                let (status, body) = match given.ends_with(SECRET) {
                    true => ("200 OK", r#"{"hits": [{"id": "red-lamp"}]}"#.to_owned()),
                    // As careless as a server can be.
                    false => ("401 Unauthorized", format!("{{\"error\": \"wrong: {given}\"}}")),
                };
                told.lock().unwrap().push(given);
                let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\n");
                let _ = stream.write_all(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes());
            }
        });
        Self { address, heard }
    }
}

pub(super) fn benchmark(address: &str) -> String {
    let shown = "id = \"shown\"\nstages = [{ kind = \"shown\" }]";
    let http = format!(
        "id = \"shown\"\nconnect-timeout = \"60s\"\nread-timeout = \"60s\"\ntimeout = \"60s\"\nstages = [{{ kind = \"http\", url = \"http://{address}/\", ids = \"$.hits[*].id\", \
         auth = {{ bearer-env = \"SEARCH_KEY\" }} }}]"
    );
    let with_files = sample::BENCHMARK.replace("sessions.jsonl", "files/sessions.jsonl");
    with_files.replace("products.jsonl", "files/products.jsonl").replace(shown, &http)
}

fn run(server: &Server, token: &str, address: &str) -> Value {
    let posted = server.post("/v1/runs", token, &json!({ "toml": benchmark(address) })).expect(201);
    let path = format!("/v1/runs/{}", posted["id"].as_str().unwrap());
    until("the end of a run", || {
        let run = server.get(&path, token).expect(200);
        (run["ended_at"] != Value::Null).then_some(run)
    })
}

/// Returns the files of a folder in which the text stands.
fn found_in(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(found_in(&path, text));
        } else if std::fs::read(&path).is_ok_and(|bytes| bytes.windows(text.len()).any(|part| part == text.as_bytes()))
        {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn a_secret_lets_runs_in_elsewhere_and_stands_in_nothing_that_is_kept_or_told() {
    let engine = Guarded::start();
    let server = Server::start_with(&["--allow-outbound", &engine.address]);
    let (token, admin) = (server.token("acme", "ci"), server.token("acme", "admin"));
    let files = [("sessions.jsonl", sample::jsonl(&sample::sessions(20))), ("products.jsonl", sample::products())];
    for (name, content) in &files {
        put(&server, &token, &format!("/v1/files/{name}"), content.as_bytes()).expect(201);
    }
    // Nobody's environment has it, and no other organisation's either.
    let other = server.token("other", "admin");
    let body = json!({ "value": SECRET });
    server.send("PUT", "/v1/secrets/SEARCH_KEY", &other, Some(&body)).expect(201);
    let without = run(&server, &token, &engine.address);
    assert_eq!(without["state"], "failed", "{without}");
    assert!(without["failure"]["message"].as_str().unwrap().contains("SEARCH_KEY"), "{without}");

    let refused = server.send("PUT", "/v1/secrets/SEARCH_KEY", &token, Some(&body));
    assert_eq!(refused.status, 403, "only who administers gives secrets");
    let wrong = json!({ "value": "wrong-sesame" });
    let kept = server.send("PUT", "/v1/secrets/SEARCH_KEY", &admin, Some(&wrong));
    assert!(!kept.body.contains("sesame"), "{}", kept.body);
    assert_eq!(kept.expect(201)["name"], "SEARCH_KEY");
    let refused = run(&server, &token, &engine.address);
    assert_eq!(refused["failure"]["code"], "run_failed", "the engine let nobody in: {refused}");
    let told = refused["failure"]["message"].as_str().unwrap();
    assert!(told.contains("Bearer [redacted]") && !told.contains("sesame"), "{told}");
    assert!(engine.heard.lock().unwrap().iter().any(|given| given.ends_with("wrong-sesame")));

    server.send("PUT", "/v1/secrets/SEARCH_KEY", &admin, Some(&body)).expect(200);
    let (data, _folder) = {
        let good = run(&server, &token, &engine.address);
        assert_eq!(good["state"], "completed", "{good}");
        let report = server.get(&format!("/v1/runs/{}/report", good["id"].as_str().unwrap()), &token);
        assert_eq!(report.expect(200)["results"][0]["error_summary"], json!({}));
        let listed = server.get("/v1/secrets", &token);
        assert_eq!(listed.expect(200)["items"][0]["name"], "SEARCH_KEY");
        for answer in [&report, &listed] {
            assert!(!answer.body.contains("sesame"), "{}", answer.body);
        }
        let log = server.log();
        assert!(!log.contains("sesame"), "{log}");
        server.kill()
    };
    for secret in [SECRET, "wrong-sesame"] {
        assert_eq!(found_in(&data, secret), Vec::<String>::new());
    }
    // It holds over a restart, and is gone when it is removed.
    let server = Server::start_over(&data, &["--allow-outbound", &engine.address]);
    let before = engine.heard.lock().unwrap().len();
    assert_eq!(run(&server, &token, &engine.address)["state"], "completed");
    assert!(engine.heard.lock().unwrap()[before..].iter().all(|given| given.ends_with(SECRET)));
    assert_eq!(server.send("DELETE", "/v1/secrets/SEARCH_KEY", &admin, None).status, 204);
    assert_eq!(server.get("/v1/secrets", &admin).expect(200)["items"], json!([]));
    assert_eq!(run(&server, &token, &engine.address)["state"], "failed");
    let (data, _) = server.kill();
    // Without its key what is there is not opened, and no new key is put in its place.
    std::fs::remove_file(data.join("secrets.key")).unwrap();
    let data = data.to_str().unwrap();
    rematch(["serve", "--listen", "127.0.0.1:0", "--data", data]).exits(2).complains(&["secrets.key", "backup"]);
}

#[test]
fn a_workers_arguments_and_environment_have_no_secrets() {
    let silent = Silent::start();
    let shop = Shop::open_with(&["--allow-outbound", &silent.address]);
    let admin = shop.server.token("acme", "admin");
    let body = json!({ "value": SECRET });
    shop.server.send("PUT", "/v1/secrets/SEARCH_KEY", &admin, Some(&body)).expect(201);
    let toml = benchmark(&silent.address)
        .replace("files/sessions.jsonl", "files/sessions.parquet")
        .replace("$.hits[*].id", "$.ids[*]");
    let id = shop.post("/v1/runs", &json!({ "toml": toml })).expect(201)["id"].as_str().unwrap().to_owned();
    until("the run to begin", || {
        (shop.get(&format!("/v1/runs/{id}")).expect(200)["phase"] == "replaying").then_some(())
    });
    let workers = children(shop.server.pid());
    assert!(!workers.is_empty());
    for process in workers.into_iter().chain([shop.server.pid()]) {
        for what in ["cmdline", "environ"] {
            let bytes = std::fs::read(format!("/proc/{process}/{what}")).unwrap();
            assert!(!String::from_utf8_lossy(&bytes).contains("sesame"), "{what} of {process}");
        }
    }
    for (name, value) in [("lower-case", "x"), ("1ST", "x"), ("EMPTY", "  "), ("LONG", &"x".repeat(20_000))] {
        let refused = shop.server.send("PUT", &format!("/v1/secrets/{name}"), &admin, Some(&json!({ "value": value })));
        assert_eq!(refused.status, 422, "{name}: {}", refused.body);
    }
}
