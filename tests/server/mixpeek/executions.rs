//! Searches: their filters over whole collections, their events as they happen, what they may take.

use std::io::{BufRead, BufReader};

use super::super::slow_engine::SlowEngine;
use super::*;

/// Brings documents as a collection.
fn bring(client: &Client, name: &str, lines: &[Value]) {
    let content: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let bearer = format!("Bearer {}", client.token);
    let body = Some(("application/octet-stream", content.into_bytes()));
    let path = format!("/v1/files/{name}.jsonl");
    assert!(client.server.send_bytes("PUT", &path, &[("authorization", &bearer)], body).status < 300);
    let corpus = json!({ "path": format!("{name}.jsonl"), "id": "id" });
    assert!(client.send("PUT", &format!("/corpora/{name}"), Some(&corpus)).status < 300);
}

fn words(corpus: &str) -> Value {
    json!({ "kind": "bm25", "corpus": corpus, "fields": { "title": 1.0 } })
}

fn registered(client: &Client, collections: &[&str], stages: Value, more: Value) -> String {
    let mut body = json!({ "retriever_name": "r", "collection_identifiers": collections, "stages": stages });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    client.post("/retrievers", body).expect(200)["retriever_id"].as_str().unwrap().to_owned()
}

fn stage(name: &str, kind: &str, parameters: Value) -> Value {
    json!({ "stage_name": name, "config": { "stage_id": kind, "parameters": parameters } })
}

fn test(field: &str, operator: &str, value: Value) -> Value {
    json!({ "field": field, "operator": operator, "value": value })
}

fn ids(answer: &Value) -> Vec<&str> {
    answer["documents"].as_array().unwrap().iter().map(|one| one["document_id"].as_str().unwrap()).collect()
}

#[test]
fn filters_are_true_of_every_document_however_low_it_ranks() {
    let server = Server::start();
    let client = Client::new(&server, "acme", "shop");
    let lamps: Vec<Value> = (0..3000)
        .map(|number| {
            let at = json!({ "lat": 40.0 + f64::from(number) / 300.0, "lon": 13.4 });
            // The longer a title, the lower it ranks.
            let title = format!("lamp {}", "x ".repeat(1 + number as usize / 30));
            json!({ "id": format!("l{number:04}"), "title": title, "price": number, "at": at, "sku": format!("L-{number}") })
        })
        .collect();
    bring(&client, "lamps", &lamps);
    let parameters = json!({ "fields": { "title": 1.0 } });
    let last = json!([stage("words", "bm25", parameters), stage("cut", "truncate", json!({ "k": 3 }))]);
    let id = registered(&client, &["lamps"], last, json!({}));
    let search = |filters: Value| {
        let body = json!({ "inputs": { "query": "lamp" }, "filters": filters, "limit": 10 });
        client.post(&format!("/retrievers/{id}/execute"), body)
    };
    // The dearest ones stand far below the first thousand, and the stages after the source see them alone.
    let dear = search(test("price", "gte", json!(2998))).expect(200);
    assert_eq!((ids(&dear).len(), &dear["warnings"]), (2, &json!([])), "{dear}");
    assert!(ids(&dear).iter().all(|id| ["l2998", "l2999"].contains(id)));
    assert_eq!(dear["documents"][0]["collection_id"], "lamps");
    let stages = dear["stage_statistics"]["stages"].as_object().unwrap();
    assert_eq!(stages.keys().collect::<Vec<_>>(), ["cut", "filters", "words"]);
    assert_eq!((&stages["filters"]["input_count"], &stages["filters"]["output_count"]), (&json!(3000), &json!(2)));
    assert_eq!(ids(&search(test("price", "gte", json!(2000))).expect(200)).len(), 3);
    assert_eq!(ids(&search(test("sku", "regex", json!("^l-299[89]$"))).expect(200)).len(), 2);
    let near = json!({ "center": { "lat": 49.996, "lon": 13.4 }, "radius": 200 });
    assert_eq!(ids(&search(test("at", "geo_radius", near)).expect(200)), ["l2999"]);
    let none = search(json!({ "AND": [test("price", "lt", json!(5)), test("price", "gt", json!(5))] })).expect(200);
    assert_eq!((ids(&none).len(), &none["status"]), (0, &json!("completed")), "{none}");
    for (filters, told) in [
        (test("price", "around", json!(5)), "no operator `around`"),
        (test("colour", "eq", json!("red")), "a field `colour`; expected one of `at`"),
        (test("sku", "regex", json!("(")), "no regular expression"),
        (test("at", "geo_radius", json!(5)), "`geo_radius` needs"),
    ] {
        let refused = search(filters).expect(422);
        assert!(refused["error"]["message"].as_str().unwrap().contains(told), "{refused}");
    }
}

#[test]
fn several_collections_are_filtered_and_named() {
    let server = Server::start();
    let client = Client::new(&server, "acme", "shop");
    let of = |prefix: &str, more: fn(u32) -> Value| -> Vec<Value> {
        let one = |number: u32| {
            let mut line = json!({ "id": format!("{prefix}{number}"), "title": "red thing" });
            line.as_object_mut().unwrap().extend(more(number).as_object().unwrap().clone());
            line
        };
        (0..20).map(one).collect()
    };
    bring(&client, "lamps", &of("l", |number| json!({ "price": number, "watts": 5 })));
    bring(&client, "bags", &of("b", |number| json!({ "price": 2 * number, "brand": "Acme" })));
    let branches = json!([{ "stages": [words("lamps")] }, { "stages": [words("bags")] }]);
    let id = registered(
        &client,
        &["bags", "lamps"],
        json!([stage("both", "fuse", json!({ "branches": branches }))]),
        json!({}),
    );
    let search = |filters: Value| {
        let body = json!({ "inputs": { "query": "red" }, "filters": filters, "limit": 100 });
        client.post(&format!("/retrievers/{id}/execute"), body).expect(200)
    };
    let found = |answer: &Value| {
        let documents = answer["documents"].as_array().unwrap();
        let mut found: Vec<String> = documents
            .iter()
            .map(|one| format!("{}/{}", one["collection_id"].as_str().unwrap(), one["document_id"].as_str().unwrap()))
            .collect();
        found.sort();
        found
    };
    assert_eq!(
        found(&search(test("price", "lt", json!(3)))),
        ["bags/b0", "bags/b1", "lamps/l0", "lamps/l1", "lamps/l2"]
    );
    // What a collection does not have is null there.
    assert_eq!(found(&search(test("watts", "eq", json!(5)))).len(), 20);
    assert_eq!(found(&search(json!({ "NOT": [test("brand", "exists", json!(true))] }))).len(), 20);
    assert_eq!(found(&search(json!({}))).len(), 40);
}

/// Reads the events of an answer one by one.
struct Events(std::io::Lines<BufReader<reqwest::blocking::Response>>);

impl Events {
    fn of(client: &Client, path: &str, body: &Value) -> Self {
        let http = reqwest::blocking::Client::builder().no_proxy().build().unwrap();
        let url = format!("http://{}/v1{path}", client.server.address());
        let request = http.post(url).bearer_auth(&client.token).header("x-namespace", client.namespace);
        let answer = request.body(body.to_string()).header("content-type", "application/json").send().unwrap();
        assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/event-stream"));
        Self(BufReader::new(answer).lines())
    }

    fn next(&mut self) -> Value {
        let data =
            self.0.by_ref().map(Result::unwrap).find_map(|line| line.strip_prefix("data: ").map(ToOwned::to_owned));
        serde_json::from_str(&data.expect("an event")).unwrap()
    }
}

#[test]
fn a_stage_is_told_when_it_ends_and_not_when_all_have() {
    let engine = SlowEngine::start();
    let server = Server::start_with(&["--allow-outbound", &engine.address]);
    let client = Client::new(&server, "acme", "shop").with_products();
    let parameters = json!({ "fields": { "title": 1.0, "description": 1.0 } });
    let stages = json!([stage("words", "bm25", parameters), stage("again", "rerank", engine.rerank())]);
    let id = registered(
        &client,
        &["products"],
        stages,
        json!({ "budget_limits": { "max_credits": 3, "max_time_ms": 55_000 } }),
    );
    let body = json!({ "inputs": { "query": "slow lamp" }, "stream": true, "limit": 4, "filters": test("price", "gt", json!(0)) });
    let mut events = Events::of(&client, &format!("/retrievers/{id}/execute"), &body);
    let mut told: Vec<Value> = (0..5).map(|_| events.next()).collect();
    let names = |told: &[Value]| -> Vec<String> {
        told.iter()
            .map(|event| {
                format!("{} {}", event["event_type"].as_str().unwrap(), event["stage_name"].as_str().unwrap_or("-"))
            })
            .collect()
    };
    // The last stage cannot end before it is let.
    assert_eq!(
        names(&told),
        [
            "stage_start words",
            "stage_complete words",
            "stage_start filters",
            "stage_complete filters",
            "stage_start again"
        ]
    );
    assert!(!told[1]["documents"].as_array().unwrap().is_empty() && told[1]["statistics"]["output_count"].is_u64());
    assert_eq!((&told[1]["stage_index"], &told[1]["total_stages"]), (&json!(0), &json!(3)));
    assert_eq!(told[1]["budget_used"]["credits_remaining"], 3.0);
    engine.release();
    told.extend((0..2).map(|_| events.next()));
    assert_eq!(names(&told[5..]), ["stage_complete again", "execution_complete -"]);
    let last = told.last().unwrap();
    assert!(told.iter().all(|event| event["execution_id"] == last["execution_id"]));
    let kept =
        client.get(&format!("/retrievers/{id}/executions/{}", last["execution_id"].as_str().unwrap())).expect(200);
    assert_eq!(kept["documents"], last["documents"]);
    assert!(last["budget"]["time_used_ms"].as_f64().unwrap() > 0.0 && last["budget"]["max_time_ms"] == 55_000);
}

#[test]
fn an_execution_that_takes_longer_than_its_budget_is_stopped_and_kept_as_failed() {
    let engine = SlowEngine::start();
    let server = Server::start_with(&["--allow-outbound", &engine.address, "--request-time", "50s"]);
    let client = Client::new(&server, "acme", "shop").with_products();
    let parameters = json!({ "fields": { "title": 1.0 } });
    let stages = json!([stage("words", "bm25", parameters), stage("again", "rerank", engine.rerank())]);
    let limits = |time: u32| json!({ "budget_limits": { "max_time_ms": time } });
    let id = registered(&client, &["products"], stages, limits(20_000));
    let begun = std::time::Instant::now();
    let stopped =
        client.post(&format!("/retrievers/{id}/execute"), json!({ "inputs": { "query": "slow lamp" } })).expect(200);
    assert!(begun.elapsed() < std::time::Duration::from_secs(60), "{:?}", begun.elapsed());
    assert_eq!((&stopped["status"], ids(&stopped).len()), (&json!("failed"), 0), "{stopped}");
    assert!(stopped["error"].as_str().unwrap().starts_with("budget_exceeded: stopped after 20000 ms"), "{stopped}");
    let stages = stopped["stage_statistics"]["stages"].as_object().unwrap();
    assert_eq!(stages.keys().collect::<Vec<_>>(), ["words"]);
    assert!(stopped["budget"]["time_used_ms"].as_f64().unwrap() >= 20_000.0);
    let kept =
        client.get(&format!("/retrievers/{id}/executions/{}", stopped["execution_id"].as_str().unwrap())).expect(200);
    assert_eq!((&kept["status"], &kept["error"]), (&json!("failed"), &stopped["error"]));
    // A budget of no time is none.
    let patch = json!({ "budget_limits": { "max_time_ms": 0, "max_credits": 0 } });
    client.send("PATCH", &format!("/retrievers/{id}"), Some(&patch)).expect(200);
    let at_once =
        client.post(&format!("/retrievers/{id}/execute"), json!({ "inputs": { "query": "lamp" } })).expect(200);
    assert_eq!(at_once["status"], "failed", "{at_once}");
}
