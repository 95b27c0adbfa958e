//! A server that is killed: what it acknowledged is there when the next one starts, and what ran goes on.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reqwest::blocking::{Client, Response};
use serde_json::{Value, json};

use super::running::{PATIENCE, Server, until};
use super::shop::{Shop, benchmark, registered};
use crate::sample;

/// Servers killed where nothing else is said; `REMATCH_SERVER_KILLS` is another number.
const KILLS: u64 = 6;

/// What a server acknowledged.
#[derive(Default)]
struct Acknowledged {
    files: BTreeMap<String, String>,
    removed: Vec<String>,
    retrievers: Vec<String>,
    runs: Vec<String>,
    cancelled: Vec<String>,
}

#[test]
fn whatever_is_acknowledged_survives_a_kill_and_what_ran_goes_on() {
    let kills = std::env::var("REMATCH_SERVER_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let Shop { server, token } = Shop::open_with(&["--workers", "2"]);
    let (data, folder) = server.kill();
    let acknowledged = Mutex::new(Acknowledged::default());
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..kills {
        let server = Server::start_over(&data, &["--workers", "2"]);
        check(&server, &token, &acknowledged.lock().unwrap());
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let pause = Duration::from_millis(100 + (random >> 33) % 900);
        let (over, address) = (AtomicBool::new(false), server.address().to_owned());
        std::thread::scope(|scope| {
            for client in 0..4 {
                let (server, token, acknowledged, over) = (&address, &token, &acknowledged, &over);
                scope.spawn(move || load(server, token, round * 10 + client, acknowledged, over));
            }
            // In the first round a run is acknowledged first, however slow the machine is.
            let begun = Instant::now();
            while round == 0 && acknowledged.lock().unwrap().runs.is_empty() && begun.elapsed() < PATIENCE {
                std::thread::sleep(Duration::from_millis(20));
            }
            std::thread::sleep(pause);
            // Killed in the middle of requests and runs, as by a power cut.
            server.kill();
            over.store(true, Ordering::SeqCst);
        });
        assert_sound(&data.join("rematch.db"));
    }
    let server = Server::start_over(&data, &["--workers", "2"]);
    let acknowledged = acknowledged.into_inner().unwrap();
    check(&server, &token, &acknowledged);
    for id in &acknowledged.runs {
        let run = until(&format!("the end of {id}"), || {
            let run = server.get(&format!("/v1/runs/{id}"), &token).expect(200);
            (run["ended_at"] != Value::Null).then_some(run)
        });
        let interrupted = run["state"] == "failed" && run["failure"]["code"] == "interrupted";
        let cancelled = run["state"] == "cancelled";
        assert!(run["state"] == "completed" || interrupted || cancelled, "{run}");
    }
    assert!(!acknowledged.retrievers.is_empty() && !acknowledged.files.is_empty() && !acknowledged.runs.is_empty());
    // Nothing lies there that no row speaks of.
    let files = std::fs::read_dir(data.join("organisations/acme/files")).unwrap().count();
    let listed = server.get("/v1/files?limit=1000", &token).expect(200)["items"].as_array().unwrap().len();
    assert_eq!(files, listed);
    drop(folder);
}

/// Posts files and runs, removes and cancels, and notes what was acknowledged.
fn load(address: &str, token: &str, client: u64, acknowledged: &Mutex<Acknowledged>, over: &AtomicBool) {
    let http = Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
    let url = |path: &str| format!("http://{address}/v1/{path}");
    for number in 0.. {
        if over.load(Ordering::SeqCst) {
            return;
        }
        let name = format!("f-{client}-{number}.jsonl");
        let content = format!("{{\"item_id\":\"{name}\",\"title\":\"x\"}}\n");
        let sent = http.put(url(&format!("files/{name}"))).bearer_auth(token).body(content.clone()).send();
        if sent.is_ok_and(|answer| answer.status() == 201) {
            acknowledged.lock().unwrap().files.insert(name.clone(), content);
        }
        if number % 3 == 2 {
            // From here on nobody can say whether it is there, until the answer has come.
            acknowledged.lock().unwrap().files.remove(&name);
            let removed = http.delete(url(&format!("files/{name}"))).bearer_auth(token).send();
            if removed.is_ok_and(|answer| answer.status() == 204) {
                acknowledged.lock().unwrap().removed.push(name.clone());
            }
        }
        let sent = http.post(url("retrievers")).bearer_auth(token).body(registered(&name).to_string()).send();
        if let Some(made) = sent.ok().filter(|answer| answer.status() == 200).and_then(json_of) {
            let id = made["retriever_id"].as_str().unwrap().to_owned();
            acknowledged.lock().unwrap().retrievers.push(id);
        }
        let body = json!({ "toml": benchmark(), "overrides": ["sessions.sample.count=50", format!("seed={client}")] });
        let posted = http.post(url("runs")).bearer_auth(token).body(body.to_string()).send();
        let Some(run) = posted.ok().filter(|answer| answer.status() == 201).and_then(json_of) else {
            continue;
        };
        let id = run["id"].as_str().unwrap().to_owned();
        acknowledged.lock().unwrap().runs.push(id.clone());
        if number % 4 == 3 {
            let cancelled = http.post(url(&format!("runs/{id}/cancel"))).bearer_auth(token).send();
            let state = cancelled.ok().and_then(json_of);
            if state.is_some_and(|run| run["state"] == "cancelled") {
                acknowledged.lock().unwrap().cancelled.push(id);
            }
        }
    }
}

fn json_of(answer: Response) -> Option<Value> {
    serde_json::from_str(&answer.text().ok()?).ok()
}

/// Everything that was acknowledged is there, and what was removed is not.
#[track_caller]
fn check(server: &Server, token: &str, acknowledged: &Acknowledged) {
    for (name, content) in &acknowledged.files {
        let found = server.get(&format!("/v1/files/{name}/content"), token);
        assert_eq!((found.status, &found.body), (200, content), "{name}");
    }
    for name in &acknowledged.removed {
        assert_eq!(server.get(&format!("/v1/files/{name}"), token).status, 404, "{name}");
    }
    for id in &acknowledged.retrievers {
        server.get(&format!("/v1/retrievers/{id}"), token).expect(200);
    }
    for id in &acknowledged.runs {
        let run = server.get(&format!("/v1/runs/{id}"), token).expect(200);
        if acknowledged.cancelled.contains(id) {
            assert_eq!(run["state"], "cancelled", "{run}");
        }
    }
}

fn assert_sound(database: &Path) {
    let connection = rusqlite::Connection::open(database).unwrap();
    let said: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(said, "ok");
    let orphans: Option<String> = connection
        .query_row("SELECT group_concat(\"table\") FROM pragma_foreign_key_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(orphans, None);
}

/// A run that was interrupted by kills says what it would have said, and its journal goes on where it was.
#[test]
fn an_interrupted_run_goes_on_and_its_journal_has_no_gap() {
    let shop = Shop::open_with(&["--workers", "1"]);
    let sessions = sample::jsonl(&sample::sessions(3000));
    shop.bring("many.jsonl", sessions.as_bytes()).expect(201);
    shop.bring("small-products.jsonl", sample::products().as_bytes()).expect(201);
    let benchmark =
        sample::BENCHMARK.replace("sessions.jsonl", "many.jsonl").replace("products.jsonl", "small-products.jsonl");
    let post = |shop: &Shop| {
        let posted = shop.post("/v1/runs", &json!({ "toml": benchmark, "overrides": ["statistics.resamples=200"] }));
        posted.expect(201)["id"].as_str().unwrap().to_owned()
    };
    let whole = post(&shop);
    let expected = shop.report(&whole);
    let id = post(&shop);
    let token = shop.token.clone();
    let mut server = shop.server;
    let mut folders = Vec::new();
    let mut seen: Vec<u64> = Vec::new();
    for phase in ["building_sessions", "replaying"] {
        until(&format!("the run to be {phase}"), || {
            let run = server.get(&format!("/v1/runs/{id}"), &token).expect(200);
            (run["phase"] != "pending" || run["ended_at"] != Value::Null).then_some(())
        });
        let (data, folder) = server.kill();
        folders.push(folder);
        server = Server::start_over(&data, &["--workers", "1"]);
        let shop = Shop { server, token: token.clone() };
        seen.extend(shop.events(&id, seen.last().copied(), 1).iter().map(|(number, _)| *number));
        server = shop.server;
    }
    let shop = Shop { server, token };
    let report = shop.report(&id);
    for part in ["results", "comparison"] {
        let without_clocks = |report: &Value| {
            let mut part = report[part].clone();
            forget_clocks(&mut part);
            part
        };
        assert_eq!(without_clocks(&report), without_clocks(&expected), "{part}");
    }
    let numbers: Vec<u64> = shop.events(&id, None, usize::MAX).iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    assert!(seen.is_sorted());
    assert!(shop.get(&format!("/v1/runs/{id}")).expect(200)["attempts"].as_u64().unwrap() >= 1);
}

fn forget_clocks(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|key, _| !key.contains("latency"));
            members.values_mut().for_each(forget_clocks);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_clocks),
        _ => {}
    }
}
