//! What an organisation and an address may have at once: storage, requests, streams, workers, wrong tokens.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;

use super::jobs::{Silent, children, run_that_waits, waiting_run};
use super::running::{Server, until};
use super::shop::{Shop, put, registered};
use super::slow_engine::SlowEngine;

/// Begins a request whose body comes in chunks.
fn begin(server: &Server, head: &str, token: &str) -> TcpStream {
    begin_with(server, head, token, "")
}

fn begin_with(server: &Server, head: &str, token: &str, lines: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let host = format!("Host: x\r\nX-API-Key: {token}\r\nTransfer-Encoding: chunked\r\n");
    stream.write_all(format!("{head} HTTP/1.1\r\n{host}{lines}\r\n").as_bytes()).unwrap();
    stream
}

/// Begins a request and returns when the server waits for its body: when it counts as one that is under way.
fn begin_and_be_awaited(server: &Server, head: &str, token: &str) -> TcpStream {
    let mut stream = begin_with(server, head, token, "Expect: 100-continue\r\n");
    let mut awaited = [0; 25];
    stream.read_exact(&mut awaited).unwrap();
    assert_eq!(std::str::from_utf8(&awaited).unwrap(), "HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

fn chunk(stream: &mut TcpStream, content: &[u8]) {
    stream.write_all(&[format!("{:x}\r\n", content.len()).as_bytes(), content, b"\r\n"].concat()).unwrap();
}

fn status_of(stream: &mut TcpStream) -> String {
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    line
}

#[test]
fn uploads_count_while_they_come_and_leave_nothing_when_they_are_refused() {
    // A body may wait for as long as a busy machine takes for what comes between.
    let server = Server::start_with(&["--storage-limit", "1MiB", "--body-timeout", "120s"]);
    let token = server.token("acme", "ci");
    let line = b"{\"item_id\":\"x\",\"title\":\"y\"}\n";
    let half = |first: u32| -> Vec<u8> {
        (0..20_000).flat_map(|number| format!("{{\"item_id\":\"{}\"}}\n", first + number).into_bytes()).collect()
    };
    let (mine, theirs) = (half(100_000), half(200_000));
    assert!((400_000..500_000).contains(&mine.len()));
    let mut first = begin(&server, "PUT /v1/files/first.jsonl", &token);
    chunk(&mut first, &mine);
    until("the first half to arrive", || {
        let storage = server.get("/v1/storage", &token).expect(200);
        (storage["on_its_way_bytes"].as_u64() == Some(mine.len() as u64)).then_some(())
    });
    // More than there is room for beside it, in one piece and in many.
    let mut second = begin(&server, "PUT /v1/files/second.jsonl", &token);
    chunk(&mut second, &theirs);
    chunk(&mut second, &theirs);
    second.write_all(b"0\r\n\r\n").unwrap();
    assert_eq!(status_of(&mut second), "HTTP/1.1 413 Payload Too Large\r\n");
    let announced = put(&server, &token, "/v1/files/third.jsonl", &theirs.repeat(2)).expect(413);
    assert_eq!(announced["code"], "storage_quota");
    // Another organisation is not touched by it.
    let other = server.token("other", "ci");
    put(&server, &other, "/v1/files/second.jsonl", &theirs).expect(201);
    first.write_all(b"0\r\n\r\n").unwrap();
    assert_eq!(status_of(&mut first), "HTTP/1.1 201 Created\r\n");
    put(&server, &token, "/v1/files/small.jsonl", line).expect(201);
    // One that breaks off counts no longer.
    let mut broken = begin(&server, "PUT /v1/files/broken.jsonl", &token);
    chunk(&mut broken, &mine[..1000]);
    drop(broken);
    until("nothing to be on its way", || {
        let storage = server.get("/v1/storage", &token).expect(200);
        (storage["on_its_way_bytes"] == 0).then_some(())
    });
    let uploads = server.data().join("organisations/acme/uploads");
    until("no upload to be left", || (std::fs::read_dir(&uploads).unwrap().count() == 0).then_some(()));
}

#[test]
fn a_run_whose_folder_outgrows_the_limit_fails_and_says_why() {
    let silent = Silent::start();
    let shop = Shop::open_with(&["--storage-limit", "200MiB", "--workers", "1", "--allow-outbound", &silent.address]);
    let id = run_that_waits(&shop, &silent);
    until("the run to begin", || {
        (shop.get(&format!("/v1/runs/{id}")).expect(200)["phase"] == "replaying").then_some(())
    });
    // What a run writes by itself is small; this grows as one with many rows would.
    let filler = shop.server.data().join("organisations/acme/jobs").join(&id).join("filler");
    std::fs::File::create(&filler).unwrap().set_len(300 << 20).unwrap();
    let run = shop.ended(&id);
    assert_eq!((&run["state"], &run["failure"]["code"]), (&json!("failed"), &json!("storage_quota")), "{run}");
    until("the end of its worker", || children(shop.server.pid()).is_empty().then_some(()));
    // It counts now that it has ended: nothing more is taken, whatever it is, until it is removed.
    let refused = shop.post("/v1/runs", &json!({ "toml": super::shop::benchmark() })).expect(413);
    assert_eq!(refused["code"], "storage_quota");
    let refused = shop.post("/v1/retrievers", &registered("one more"));
    assert_eq!(refused.status, 413, "{}", refused.body);
    shop.get("/v1/files").expect(200);
    assert_eq!(shop.server.send("DELETE", &format!("/v1/runs/{id}"), &shop.token, None).status, 204);
    shop.post("/v1/retrievers", &registered("one more")).expect(200);
}

#[test]
fn what_workers_need_for_a_while_goes_with_them_however_they_end() {
    let silent = Silent::start();
    let shop = Shop::open_with(&["--allow-outbound", &silent.address, "--workers", "1"]);
    let root = shop.server.data().join("organisations/acme");
    let retriever = shop.post("/v1/retrievers", &registered("words")).expect(200);
    let execute = format!(
        "/v1/retrievers/{}/execute",
        retriever["retriever"]["retriever_id"].as_str().or(retriever["retriever_id"].as_str()).unwrap()
    );
    shop.post(&execute, &json!({ "inputs": { "query": "mug" } })).expect(200);
    run_that_waits(&shop, &silent);
    let workers = until("a worker", || Some(children(shop.server.pid())).filter(|workers| !workers.is_empty()));
    assert!(std::fs::read_dir(root.join("tmp")).unwrap().count() > 0);
    for worker in workers {
        let killed = std::process::Command::new("kill").args(["-KILL", &worker.to_string()]).status();
        assert!(killed.unwrap().success());
    }
    for run in shop.get("/v1/runs").expect(200)["items"].as_array().unwrap() {
        shop.post(&format!("/v1/runs/{}/cancel", run["id"].as_str().unwrap()), &json!({})).expect(200);
    }
    until("no worker", || children(shop.server.pid()).is_empty().then_some(()));
    until("an empty folder", || (std::fs::read_dir(root.join("tmp")).unwrap().count() == 0).then_some(()));
    assert!(!root.join("scratch").exists());
    // What a server of before left, and one that was killed.
    let (data, _folder) = shop.server.kill();
    for left in ["scratch/.tmpAbc", "tmp/rematch-worker-Abc"] {
        std::fs::create_dir_all(data.join("organisations/acme").join(left)).unwrap();
    }
    let server = Server::start_over(&data, &[]);
    assert!(!root.join("scratch").exists() && !root.join("tmp").exists());
    drop(server);
}

#[test]
fn an_organisation_has_so_many_streams_and_no_more() {
    let silent = Silent::start();
    let shop = Shop::open_with(&["--workers", "1", "--allow-outbound", &silent.address]);
    let id = waiting_run(&shop, &silent);
    let follow = || {
        let mut stream = TcpStream::connect(shop.server.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        let request = format!("GET /v1/runs/{id}/events HTTP/1.1\r\nHost: x\r\nX-API-Key: {}\r\n\r\n", shop.token);
        stream.write_all(request.as_bytes()).unwrap();
        let mut head = [0; 12];
        stream.read_exact(&mut head).unwrap();
        (stream, String::from_utf8_lossy(&head).into_owned())
    };
    let mut open: Vec<_> = (0..128).map(|_| follow()).collect();
    assert!(open.iter().all(|(_, head)| head == "HTTP/1.1 200"));
    let refused = shop.get(&format!("/v1/runs/{id}/events"));
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.expect(429)["code"], "too_many_streams");
    // Requests are not streams.
    shop.get(&format!("/v1/runs/{id}")).expect(200);
    open.pop();
    until("a place", || (follow().1 == "HTTP/1.1 200").then_some(()));
}

#[test]
fn an_organisation_has_so_many_requests_at_once_and_no_more() {
    let server = Server::start_with(&["--body-timeout", "120s"]);
    let token = server.token("acme", "admin");
    // Nothing else may be asked before all of them count: it would take the place of one.
    let mut waiting: Vec<TcpStream> =
        (0..256).map(|_| begin_and_be_awaited(&server, "POST /v1/tokens", &token)).collect();
    let refused = server.get("/v1/organisation", &token);
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.expect(429)["code"], "too_many_requests");
    server.get("/v1/organisation", &server.token("other", "ci")).expect(200);
    let mut first = waiting.remove(0);
    chunk(&mut first, b"{\"role\": \"ci\"}");
    first.write_all(b"0\r\n\r\n").unwrap();
    assert_eq!(status_of(&mut first), "HTTP/1.1 201 Created\r\n");
    until("a place", || (server.get("/v1/organisation", &token).status == 200).then_some(()));
}

#[test]
fn who_waits_too_long_for_a_worker_is_told_to_come_again() {
    let engine = SlowEngine::start();
    let shop = Shop::open_with(&["--request-time", "50s", "--allow-outbound", &engine.address]);
    let id = shop.run(&[]);
    shop.report(&id);
    let query = format!("/v1/runs/{id}/query");
    let stage = json!({ "stage_name": "far", "config": { "stage_id": "http", "parameters": engine.parameters() } });
    let made = shop.post("/v1/retrievers", &json!({ "retriever_name": "far", "stages": [stage] })).expect(200);
    let far = made["retriever"]["retriever_id"].as_str().or(made["retriever_id"].as_str()).unwrap();
    let (far, slow) = (format!("/v1/retrievers/{far}/execute"), json!({ "inputs": { "query": "slow" } }));
    let seats = (std::thread::available_parallelism().unwrap().get() * 2).max(4) / 2;
    std::thread::scope(|scope| {
        let ends: Vec<_> = (0..seats).map(|_| scope.spawn(|| shop.post(&far, &slow))).collect();
        until("all workers", || (children(shop.server.pid()).len() >= seats).then_some(()));
        let begun = Instant::now();
        let refused = shop.post(&query, &json!({ "sql": "SELECT 1" }));
        assert_eq!(refused.header("retry-after"), Some("1"), "{refused:?}");
        assert_eq!(refused.expect(429)["code"], "busy");
        assert!(begun.elapsed() > Duration::from_secs(10), "{:?}", begun.elapsed());
        engine.release();
        for end in ends {
            end.join().unwrap().expect(200);
        }
    });
    shop.post(&query, &json!({ "sql": "SELECT 1" })).expect(200);
}

#[test]
fn an_address_that_sends_wrong_tokens_is_slowed_down_and_good_tokens_from_it_are_not() {
    let server = Server::start_with(&["--refused-per-address", "1", "--trust-proxy", "127.0.0.1"]);
    let token = server.token("acme", "ci");
    let last = if token.ends_with('x') { "y" } else { "x" };
    let revoked = format!("{}{last}", &token[..token.len() - 1]);
    let ask = |token: &str, from: &str| {
        server.send_bytes("GET", "/v1/organisation", &[("x-api-key", token), ("x-forwarded-for", from)], None)
    };
    let limited = until("the limit", || Some(ask(&revoked, "192.0.2.1")).filter(|answer| answer.status != 401));
    assert!(limited.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    assert_eq!(limited.expect(429)["code"], "rate_limited");
    ask(&token, "192.0.2.1").expect(200);
    // Only the last address is the proxy's own word.
    until("the limit again", || (ask(&revoked, "192.0.2.7, 192.0.2.1").status == 429).then_some(()));
    assert_eq!(ask(&revoked, "192.0.2.1, 192.0.2.7").status, 401);
    assert_eq!(server.send_bytes("GET", "/v1/organisation", &[], None).status, 401, "no token is no wrong token");
    let direct = Server::start_with(&["--refused-per-address", "1"]);
    let statuses: Vec<u16> = (0..40)
        .map(|number| {
            let from = format!("192.0.2.{number}");
            direct
                .send_bytes("GET", "/v1/organisation", &[("x-api-key", "no"), ("x-forwarded-for", &from)], None)
                .status
        })
        .collect();
    assert!(statuses[..10].iter().all(|status| *status == 401) && statuses.contains(&429), "{statuses:?}");
}
