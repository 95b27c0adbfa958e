//! The queue: fair turns, cancelling, trying again, the journal that can be followed from any point.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::running::{Server, until};
use super::shop::{Shop, benchmark, ended, put, sample};

#[test]
fn a_run_is_followed_from_any_event_on_without_gaps_or_repeats() {
    let shop = Shop::open();
    let id = shop.run(&[]);
    let all = shop.events(&id, None, usize::MAX);
    let numbers: Vec<u64> = all.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=all.len() as u64).collect::<Vec<_>>());
    assert_eq!((&all[0].1["state"], &all[1].1["state"]), (&json!("queued"), &json!("running")));
    assert_eq!(all.last().unwrap().1["state"], "completed");
    let phases: Vec<&str> = all.iter().filter_map(|(_, event)| event["phase"].as_str()).collect();
    for phase in ["building_sessions", "replaying", "computing_metrics"] {
        assert!(phases.contains(&phase), "{phase} of {phases:?}");
    }
    for after in 0..all.len() as u64 {
        let rest = shop.events(&id, Some(after), usize::MAX);
        assert_eq!(rest, all[usize::try_from(after).unwrap()..]);
    }
    assert_eq!(shop.events(&id, Some(9999), usize::MAX), []);
    // Read one by one while it runs, each time over a new connection.
    let id = shop.run(&["seed=7"]);
    let mut seen: Vec<(u64, Value)> = Vec::new();
    loop {
        let next = shop.events(&id, seen.last().map(|(number, _)| *number), 1);
        if next.is_empty() {
            break;
        }
        seen.extend(next);
    }
    assert_eq!(seen, shop.events(&id, None, usize::MAX));
}

#[test]
fn followers_are_dropped_when_their_token_is_revoked() {
    let silent = Silent::start();
    let shop = Shop::open_with(&["--allow-outbound", &silent.address]);
    let id = run_that_waits(&shop, &silent);
    until("the run to begin", || (shop.get(&format!("/v1/runs/{id}")).expect(200)["state"] == "running").then_some(()));
    let listed =
        crate::rematch::rematch(["token", "list", "acme", "--json", "--data", shop.server.data().to_str().unwrap()]);
    let tokens: Value = serde_json::from_str(&listed.exits(0).stdout).unwrap();
    let token = tokens[0]["id"].as_str().unwrap();
    let mut follower = TcpStream::connect(shop.server.address()).unwrap();
    follower.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let key = &shop.token;
    let head = format!("GET /v1/runs/{id}/events HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\nConnection: close\r\n\r\n");
    follower.write_all(head.as_bytes()).unwrap();
    let mut told = BufReader::new(follower).lines().map(Result::unwrap);
    assert!(told.next().unwrap().starts_with("HTTP/1.1 200"));
    assert!(told.any(|line| line.starts_with("data: ")), "nothing is told");
    crate::rematch::rematch(["token", "revoke", token, "--data", shop.server.data().to_str().unwrap()]).exits(0);
    let revoked = Instant::now();
    told.for_each(drop);
    // Without that it would go on for as long as the run does, a minute and more.
    assert!(revoked.elapsed() < Duration::from_secs(40), "{:?}", revoked.elapsed());
}

#[test]
fn a_run_is_cancelled_while_it_waits_and_while_it_runs_and_goes_on_when_it_is_tried_again() {
    let silent = Silent::start();
    let shop = Shop::open_with(&["--workers", "1", "--allow-outbound", &silent.address]);
    let running = run_that_waits(&shop, &silent);
    let waiting = shop.run(&["sessions.sample.count=10"]);
    until("the run to begin", || {
        (shop.get(&format!("/v1/runs/{running}")).expect(200)["phase"] == "replaying").then_some(())
    });
    assert_eq!(shop.post(&format!("/v1/runs/{waiting}/cancel"), &json!({})).expect(200)["state"], "cancelled");
    let conflict = shop.server.send("DELETE", &format!("/v1/runs/{running}"), &shop.token, None);
    assert_eq!(conflict.status, 409, "{}", conflict.body);
    assert_eq!(shop.post(&format!("/v1/runs/{running}/retry"), &json!({})).status, 409);
    let cancelled = shop.post(&format!("/v1/runs/{running}/cancel"), &json!({})).expect(200);
    assert!(cancelled["cancelling"] == true || cancelled["state"] == "cancelled", "{cancelled}");
    let begun = Instant::now();
    assert_eq!(shop.ended(&running)["state"], "cancelled");
    assert!(begun.elapsed() < Duration::from_secs(50), "{:?}", begun.elapsed());
    // What has ended stays as it is.
    assert_eq!(shop.post(&format!("/v1/runs/{running}/cancel"), &json!({})).expect(200)["state"], "cancelled");

    let again = shop.post(&format!("/v1/runs/{waiting}/retry"), &json!({ "retry_errors": false })).expect(200);
    assert_eq!((&again["state"], &again["attempts"]), (&json!("queued"), &json!(0)));
    assert_eq!(shop.ended(&waiting)["state"], "completed");
    let events = shop.events(&waiting, None, usize::MAX);
    assert_eq!(events.last().unwrap().1["state"], "completed");
    assert_eq!(
        shop.post(&format!("/v1/runs/{waiting}/retry"), &json!({ "retry_errors": true })).expect(200)["state"],
        "queued"
    );
    assert_eq!(shop.ended(&waiting)["state"], "completed");
    assert_eq!(shop.server.send("DELETE", &format!("/v1/runs/{waiting}"), &shop.token, None).status, 204);
    assert_eq!(shop.get(&format!("/v1/runs/{waiting}")).status, 404);
    assert!(!shop.server.data().join("organisations/acme/jobs").join(&waiting).exists());
}

#[test]
fn a_run_whose_process_is_told_to_end_by_somebody_else_is_begun_anew() {
    let silent = Silent::start();
    let shop = Shop::open_with(&["--workers", "1", "--allow-outbound", &silent.address]);
    let id = run_that_waits(&shop, &silent);
    let run = || shop.get(&format!("/v1/runs/{id}")).expect(200);
    until("the run to begin", || (run()["phase"] == "replaying").then_some(()));
    for worker in children(shop.server.pid()) {
        let told = std::process::Command::new("kill").args(["-TERM", &worker.to_string()]).status();
        assert!(told.unwrap().success());
    }
    let again = until("the second attempt", || Some(run()).filter(|run| run["attempts"] == 2));
    assert_eq!((&again["state"], &again["failure"]), (&json!("running"), &Value::Null), "{again}");
    // What a list shows of a run is what the run shows of itself.
    let listed = shop.get("/v1/runs").expect(200)["items"][0].clone();
    assert_eq!(
        (&listed["name"], &listed["summary"], &listed["runs"]),
        (&json!("waits"), &again["summary"], &json!([]))
    );
    assert_eq!(shop.post(&format!("/v1/runs/{id}/cancel"), &json!({})).status, 200);
    assert_eq!(shop.ended(&id)["state"], "cancelled");
    let events = shop.events(&id, None, usize::MAX);
    assert!(events.iter().any(|(_, event)| event["state"] == "queued" && event["reason"] != Value::Null), "{events:?}");
}

/// Returns the processes that a process has started.
pub(super) fn children(parent: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_child = |pid: &u32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status.lines().any(|line| line.split_whitespace().eq(["PPid:", &parent.to_string()]))
    };
    numbers.filter(is_child).collect()
}

#[test]
fn one_organisation_with_many_runs_does_not_keep_another_from_being_next() {
    let shop = Shop::open_with(&["--workers", "1"]);
    let many: Vec<String> = (0..12).map(|_| shop.run(&["sessions.sample.count=20"])).collect();
    let other = shop.server.token("other", "ci");
    put(&shop.server, &other, "/v1/files/sessions.parquet", &sample("data/shop/sessions.parquet")).expect(201);
    put(&shop.server, &other, "/v1/files/products.jsonl", &sample("data/shop/products.jsonl")).expect(201);
    let component = sample("plugins/half-life-utility/half-life-utility.wasm");
    put(&shop.server, &other, "/v1/components/half-life-utility/0.1.0", &component).expect(201);
    let posted = shop.server.post("/v1/runs", &other, &json!({ "toml": benchmark() })).expect(201);
    let waiting = shop.get("/v1/runs?state=queued").expect(200)["items"].as_array().unwrap().len();
    let one = ended(&shop.server, &other, posted["id"].as_str().unwrap());
    assert_eq!(one["state"], "completed", "{one}");
    let begun_later = many.iter().filter(|id| {
        let run = shop.ended(id);
        assert_eq!(run["state"], "completed", "{run}");
        run["started_at"].as_str() > one["started_at"].as_str()
    });
    // At most the one that ran, and one that was begun meanwhile, came before it.
    assert!(begun_later.count() + 2 >= waiting, "{waiting} waited");
}

#[test]
fn a_file_that_is_gone_from_the_disk_is_missed_and_finished_runs_are_not_touched() {
    let shop = Shop::open();
    // What was brought is gone from the disk, as after a mishap of the operator.
    let id = shop.run(&["sessions.sample.count=10"]);
    shop.report(&id);
    std::fs::remove_file(shop.server.data().join("organisations/acme/files/products.jsonl")).unwrap();
    let refused = shop.post("/v1/runs", &json!({ "toml": benchmark() })).expect(422);
    assert!(refused["detail"].as_str().unwrap().contains("there is no file `products.jsonl`"), "{refused}");
    shop.get(&format!("/v1/runs/{id}/report")).expect(200);
}

/// Posts two runs that wait for that server, for a shop with one worker, and returns the second, which waits for the first.
pub(super) fn waiting_run(shop: &Shop, silent: &Silent) -> String {
    run_that_waits(shop, silent);
    run_that_waits(shop, silent)
}

/// A server that takes requests and never answers.
pub(super) struct Silent {
    pub(super) address: String,
}

impl Silent {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || {
                    let (mut stream, mut bytes) = (stream, [0; 1024]);
                    while stream.read(&mut bytes).is_ok_and(|read| read > 0) {}
                });
            }
        });
        Self { address }
    }
}

/// Posts a run that asks the silent server, and returns its identifier.
pub(super) fn run_that_waits(shop: &Shop, silent: &Silent) -> String {
    let stage = format!(r#"stages = [{{ kind = "http", url = "http://{}/", ids = "$.ids[*]" }}]"#, silent.address);
    let benchmark = format!(
        "name = \"waits\"\nbaseline = \"silent\"\ncandidates = [\"shown\"]\nsessions = {{ path = \"sessions.parquet\" }}\n\
         [[retriever]]\nid = \"silent\"\nread-timeout = \"60s\"\ntimeout = \"60s\"\n{stage}\n\
         [[retriever]]\nid = \"shown\"\nstages = [{{ kind = \"shown\" }}]\n"
    );
    let posted = shop.post("/v1/runs", &json!({ "toml": benchmark })).expect(201);
    posted["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_second_server_over_the_same_data_is_refused() {
    let server = Server::start();
    let data = server.data().to_str().unwrap();
    let second = crate::rematch::rematch(["serve", "--listen", "127.0.0.1:0", "--data", data]);
    assert!(second.exits(2).stderr.contains("another server works with the data"));
}
