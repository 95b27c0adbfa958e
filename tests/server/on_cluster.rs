//! Runs of a server whose work a cluster does: the same to clients, held to the same rules. Skipped, loudly, where the binary was
//! built without the feature `cluster`.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::jobs::{Silent, run_that_waits};
use super::running::{Server, until};
use super::secrets::{self, Guarded, SECRET};
use super::shop::{Shop, put};
use crate::cluster::Cluster;
use crate::rematch::rematch;
use crate::reproducible::timeless_report;
use crate::sample;
use crate::search_server::SearchServer;

/// Returns a server with a token, over the small shop's files of so many sessions. It uses the cluster where there is one.
fn serve(cluster: Option<&Cluster>, sessions: usize, arguments: &[&str]) -> Shop {
    let address = cluster.map(|cluster| format!("df://{}", cluster.address));
    let arguments = arguments.iter().copied().chain(address.iter().flat_map(|address| ["--cluster", address]));
    let server = Server::start_with(&arguments.collect::<Vec<&str>>());
    let token = server.token("acme", "ci");
    let shop = Shop { server, token };
    shop.bring("sessions.jsonl", sample::jsonl(&sample::sessions(sessions)).as_bytes()).expect(201);
    shop.bring("products.jsonl", sample::products().as_bytes()).expect(201);
    shop
}

/// Posts a benchmark, and returns the run's identifier.
#[track_caller]
fn post(shop: &Shop, toml: &str) -> String {
    shop.post("/v1/runs", &json!({ "toml": toml })).expect(201)["id"].as_str().unwrap().to_owned()
}

/// The small shop's benchmark with another retriever in the place of what was shown.
fn benchmark(stage: &str) -> String {
    let shown = "stages = [{ kind = \"shown\" }]";
    assert!(sample::BENCHMARK.contains(shown));
    sample::BENCHMARK.replace(shown, &format!("stages = [{stage}]"))
}

/// Returns where the run of that identifier lies.
fn folder(shop: &Shop, id: &str) -> PathBuf {
    shop.server.data().join("organisations/acme/jobs").join(id).join(id)
}

/// A stage that asks a search server at that address.
fn http(address: &str) -> String {
    format!(
        "{{ kind = \"http\", url = \"http://{address}/\", body = '{{\"query\": {{{{ query }}}}, \"depth\": {{{{ depth }}}}}}', \
         ids = \"$.hits[*].id\" }}"
    )
}

/// Returns what the events of a run say, but for how far it is now and then.
fn told(shop: &Shop, id: &str) -> Vec<Value> {
    let events = shop.events(id, None, usize::MAX).into_iter().map(|(_, event)| event);
    let is_last = |event: &Value| event["type"] != "progress" || event["done"] == event["total"];
    let mut told: Vec<Value> = events.filter(is_last).collect();
    told.iter_mut().for_each(|event| drop(event.as_object_mut().unwrap().remove("at")));
    told
}

/// Returns the notes among the events of a run.
fn notes(shop: &Shop, id: &str) -> Vec<String> {
    let noted = told(shop, id).into_iter().filter(|event| event["type"] == "note");
    noted.map(|event| event["note"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_run_on_the_cluster_is_the_run_of_a_server_without_one() {
    const SESSIONS: usize = 2500;
    let Some(mut cluster) = Cluster::start_at("127.0.0.1", &[]) else { return };
    let shops = [None, Some(&cluster)].map(|cluster| serve(cluster, SESSIONS, &[]));
    (0..2).for_each(|_| cluster.add_executor_of(shops[1].server.data()));
    let mut recorded = String::new();
    for session in sample::sessions(SESSIONS) {
        recorded += &format!("{} Q0 {} 1 1.0 logged\n", session.session_id, session.interactions[0].item_id);
    }
    // What a tenant says of clusters is nobody's wish: nothing listens there.
    let toml = sample::BENCHMARK.replace("candidates = [\"search\"]", "candidates = [\"search\", \"logged\"]");
    let toml = format!(
        "cluster = \"df://127.0.0.1:1\"\n{toml}\n[[retriever]]\nid = \"logged\"\nstages = [{{ kind = \"recorded\", path = \"logged.run\" }}]\n\
         [[scorer]]\nname = \"utility\"\nplugin = \"half-life-utility\"\nweight = 2\n\
         [[scorer]]\nname = \"relevance\"\nmetric = \"nDCG@10\"\nweight = 1\n"
    );
    let done = shops.map(|shop| {
        shop.bring("logged.run", recorded.as_bytes()).expect(201);
        let component = super::shop::sample("plugins/half-life-utility/half-life-utility.wasm");
        shop.put("/v1/components/half-life-utility/0.1.0", &component).expect(201);
        let id = post(&shop, &toml);
        let report = timeless_report(shop.report(&id));
        let scores = shop.get(&format!("/v1/runs/{id}/rows?table=scenario_scores&limit=500")).expect(200);
        for left in ["inputs", "sums", "cluster.json"] {
            assert!(!folder(&shop, &id).join(left).exists(), "`{left}` is of no use any more");
        }
        (report, scores, told(&shop, &id))
    });
    let [(report, scores, told), (report_there, scores_there, told_there)] = done;
    assert_eq!(report_there, report);
    assert!(scores["rows"].as_array().is_some_and(|rows| rows.len() == 500));
    assert_eq!(scores_there, scores);
    let told_of_both = |told: &[Value]| {
        let mut told: Vec<String> = told.iter().map(ToString::to_string).collect();
        // Retrievers end side by side.
        told.sort();
        told
    };
    assert_eq!(told_of_both(&told_there), told_of_both(&told));
    let compiled = |executor: usize| {
        let markers = cluster.folder.path().join(format!("cache-{executor}/compiled/compiled"));
        std::fs::read_dir(markers).is_ok_and(|mut entries| entries.next().is_some())
    };
    assert!(compiled(0) || compiled(1), "an executor loaded the component:\n{}", cluster.logs());
}

#[test]
fn an_executor_of_one_server_does_no_run_of_anybody_else() {
    let Some(mut cluster) = Cluster::start_at("127.0.0.1", &[]) else { return };
    let server = Server::start();
    cluster.add_executor_of(server.data());
    let other = serve(Some(&cluster), 20, &[]);
    let ended = other.ended(&post(&other, sample::BENCHMARK));
    assert_eq!(ended["failure"]["code"], "run_failed", "{ended}");
    let message = ended["failure"]["message"].as_str().unwrap();
    assert!(message.contains("only") && message.contains("organisations"), "{message}");
    let nowhere = tempfile::tempdir().unwrap();
    let refused = rematch(["executor", "--server-data", nowhere.path().to_str().unwrap()]);
    refused.exits(2).complains(&["is no data directory of a server"]);
}

/// Serves those bytes to whoever asks, at an address of this machine, and counts who asks.
fn file_server(content: String) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut bytes = [0; 8192];
            let read = stream.read(&mut bytes).unwrap_or(0);
            count.fetch_add(1, Ordering::SeqCst);
            let body = if bytes[..read].starts_with(b"HEAD") { "" } else { content.as_str() };
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", content.len());
            let _ = stream.write_all((head + body).as_bytes());
        }
    });
    (address, asked)
}

#[test]
fn what_lies_at_a_url_is_asked_for_by_the_worker_and_reaches_executors_with_the_run() {
    const SESSIONS: usize = 20;
    let (address, asked) = file_server(sample::products());
    let url = format!("http://{address}/products.jsonl");
    let toml = sample::BENCHMARK.replace("products.jsonl", &url);
    let results = |cluster: Option<&Cluster>| {
        let before = asked.load(Ordering::SeqCst);
        let shop = serve(cluster, SESSIONS, &["--allow-outbound", &address]);
        let id = post(&shop, &toml);
        (timeless_report(shop.report(&id)), asked.load(Ordering::SeqCst) - before)
    };
    let Some(cluster) = Cluster::start(2, &[]) else { return };
    assert_eq!(results(Some(&cluster)), results(None), "executors asked for nothing");
}

#[test]
fn executors_hold_to_the_servers_rules_and_give_a_tenant_nothing_of_their_own() {
    const SESSIONS: usize = 20;
    let environment = [("SEARCH_KEY", SECRET.to_owned())];
    let Some(cluster) = Cluster::start(1, &environment) else { return };
    let (allowed, forbidden) = (SearchServer::over(&sample::products()), SearchServer::over(&sample::products()));
    let of = |server: &SearchServer| server.url().replace("http://", "").replace("/search", "");
    let guarded = Guarded::start();
    let names = [of(&allowed), guarded.address.clone(), cluster.address.clone()];
    let arguments: Vec<&str> = names.iter().flat_map(|name| ["--allow-outbound", name]).collect();
    let shop = serve(Some(&cluster), SESSIONS, &arguments);
    let failures = |id: &str| shop.report(id)["results"][0]["error_summary"].clone();

    let id = post(&shop, &benchmark(&http(&of(&allowed))));
    let refused = failures(&id);
    assert!(refused.get("outbound").is_none() && allowed.requests() >= SESSIONS, "{refused}");
    assert_eq!(notes(&shop, &id), Vec::<String>::new());
    let local = of(&forbidden).replace("127.0.0.1", "localhost");
    // The scheduler is closed although a range that holds it is allowed.
    for address in [&of(&forbidden), &local, &cluster.address] {
        let id = post(&shop, &benchmark(&http(address)));
        assert_eq!(failures(&id), json!({ "outbound": SESSIONS }), "{address}");
        assert_eq!(notes(&shop, &id), Vec::<String>::new(), "an executor refused");
    }
    assert_eq!(forbidden.requests(), 0);
    let postgres = format!(
        "{{ kind = \"postgres\", url = \"postgres://{}/x\", query = \"SELECT 'a' WHERE $query <> ''\" }}",
        of(&forbidden)
    );
    let ended = shop.ended(&post(&shop, &benchmark(&postgres)));
    assert_eq!(ended["failure"]["code"], "run_failed", "{ended}");
    assert!(ended["failure"]["message"].as_str().unwrap().contains("--allow-outbound"), "{ended}");

    // The executor's environment has what the tenant names: it is asked for where the tenant's secrets are.
    let id = post(&shop, &secrets::benchmark(&guarded.address));
    let ended = shop.ended(&id);
    assert_eq!(ended["state"], "failed", "{ended}");
    assert!(ended["failure"]["message"].as_str().unwrap().contains("SEARCH_KEY"), "{ended}");
    assert!(guarded.heard.lock().unwrap().is_empty(), "nobody was asked");
    let admin = shop.server.token("acme", "admin");
    let body = json!({ "value": SECRET });
    shop.server.send("PUT", "/v1/secrets/SEARCH_KEY", &admin, Some(&body)).expect(201);
    let id = post(&shop, &secrets::benchmark(&guarded.address));
    assert_eq!(failures(&id), json!({}));
    let notes = notes(&shop, &id);
    assert!(notes.len() == 1 && notes[0].contains("SEARCH_KEY") && !notes[0].contains(SECRET), "{notes:?}");
}

#[test]
fn a_run_fails_with_the_address_of_a_scheduler_that_is_away_and_is_tried_again() {
    let Some(mut cluster) = Cluster::start(1, &[]) else { return };
    cluster.kill_scheduler();
    let shop = serve(Some(&cluster), 50, &[]);
    assert_eq!(shop.get("/readyz").status, 200, "whatever else the server is for goes on");
    let id = post(&shop, sample::BENCHMARK);
    let ended = shop.ended(&id);
    assert_eq!((&ended["state"], &ended["failure"]["code"]), (&json!("failed"), &json!("cluster_unreachable")));
    assert!(ended["failure"]["message"].as_str().unwrap().contains(&cluster.address), "{ended}");
    until("a warning of the operator", || shop.server.log().contains("until the cluster is there").then_some(()));
    cluster.restart_scheduler();
    shop.post(&format!("/v1/runs/{id}/retry"), &json!({})).expect(200);
    let report = shop.report(&id);
    assert_eq!(report["results"][1]["answered_sessions"], 50);
}

#[test]
fn a_run_on_the_cluster_is_cancelled_and_its_orders_are_taken_back_from_a_worker_that_was_killed_too() {
    let Some(cluster) = Cluster::start(1, &[]) else { return };
    let silent = Silent::start();
    let address = format!("df://{}", cluster.address);
    let shop = Shop::open_with(&["--cluster", &address, "--allow-outbound", &silent.address, "--job-time", "12s"]);
    let ordered = |id: &str| folder(&shop, id).join("cluster.json");
    let begun = |id: &str| until("the order", || ordered(id).exists().then_some(()));

    let cancelled = run_that_waits(&shop, &silent);
    begun(&cancelled);
    shop.post(&format!("/v1/runs/{cancelled}/cancel"), &json!({})).expect(200);
    assert_eq!(shop.ended(&cancelled)["state"], "cancelled");
    assert!(!ordered(&cancelled).exists(), "executors go on");

    // Its time is over: it is killed, and takes nothing back.
    let killed = run_that_waits(&shop, &silent);
    begun(&killed);
    let ended = shop.ended(&killed);
    assert_eq!(ended["failure"]["code"], "timeout", "{ended}");
    assert!(!ordered(&killed).exists(), "executors go on");
}

#[test]
fn what_is_no_cluster_is_refused_before_the_server_starts() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let serve = |cluster: &str| {
        rematch(["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap(), "--cluster", cluster])
    };
    serve("http://host:1").exits(2).complains(&["df://HOST:PORT"]);
    // A tenant's wish for one has the same form, and is held against it although nobody follows it.
    let server = Server::start();
    let token = server.token("acme", "ci");
    put(&server, &token, "/v1/files/sessions.jsonl", sample::jsonl(&sample::sessions(5)).as_bytes()).expect(201);
    put(&server, &token, "/v1/files/products.jsonl", sample::products().as_bytes()).expect(201);
    let toml = format!("cluster = \"http://host:1\"\n{}", sample::BENCHMARK);
    let refused = server.post("/v1/runs", &token, &json!({ "toml": toml })).expect(422);
    assert!(refused.to_string().contains("df://HOST:PORT"), "{refused}");
}
