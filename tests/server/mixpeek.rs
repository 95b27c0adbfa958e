//! The retriever-benchmark API: a whole benchmark against the command line's numbers, and every route.

mod executions;
mod interactions;
mod removal;

use std::path::Path;
use std::process::Command;

use rematch_engine::benchmark::spec::SessionsPath;
use rematch_engine::load::SessionReader;
use rematch_engine::session::Session;
use serde_json::{Value, json};

use super::running::{Answer, Server, until};
use crate::rematch::{binary, workspace};

/// A client of one organisation in one namespace.
pub(super) struct Client<'a> {
    server: &'a Server,
    token: String,
    namespace: &'static str,
    agent: &'static str,
}

impl<'a> Client<'a> {
    pub(super) fn new(server: &'a Server, organisation: &str, namespace: &'static str) -> Self {
        Self { server, token: server.token(organisation, "ci"), namespace, agent: "test" }
    }

    fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let bearer = format!("Bearer {}", self.token);
        let headers = [("authorization", bearer.as_str()), ("x-namespace", self.namespace), ("user-agent", self.agent)];
        let body = body.map(|body| ("application/json", body.to_string().into_bytes()));
        self.server.send_bytes(method, &format!("/v1{path}"), &headers, body)
    }

    pub(super) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None)
    }

    pub(super) fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, Some(&body))
    }

    fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, None)
    }

    /// Brings the shop's products.
    pub(super) fn with_products(self) -> Self {
        let products = std::fs::read(workspace().join("data/shop/products.jsonl")).unwrap();
        let bearer = format!("Bearer {}", self.token);
        let body = Some(("application/octet-stream", products));
        let kept = self.server.send_bytes("PUT", "/v1/files/products.jsonl", &[("authorization", &bearer)], body);
        assert!(kept.status < 300, "{}", kept.body);
        let corpus = json!({ "path": "products.jsonl", "id": "item_id" });
        let made = self.send("PUT", "/corpora/products", Some(&corpus));
        assert!(made.status < 300, "{}", made.body);
        self
    }

    /// Registers a retriever by BM25 over the products, and returns its identifier.
    pub(super) fn retriever(&self, name: &str, title: f64) -> String {
        let made = self.post("/retrievers", bm25(name, title)).expect(200);
        made["retriever_id"].as_str().unwrap().to_owned()
    }

    /// Records what the users of the shop did.
    fn record(&self, sessions: &[Session]) {
        for chunk in interactions(sessions).chunks(500) {
            let told = self.post("/retrievers/interactions/batch", json!({ "interactions": chunk })).expect(200);
            assert_eq!(told["created"], chunk.len(), "{told}");
        }
    }

    pub(super) fn ended(&self, path: &str) -> Value {
        until("the end of a job", || {
            let found = self.get(path).expect(200);
            ["completed", "failed"].contains(&found["status"].as_str().unwrap()).then_some(found)
        })
    }

    fn benchmark(&self, body: Value) -> Value {
        let created = self.post("/retrievers/benchmarks", body).expect(200);
        self.ended(&format!("/retrievers/benchmarks/{}", created["benchmark_id"].as_str().unwrap()))
    }
}

fn bm25(name: &str, title: f64) -> Value {
    let parameters =
        json!({ "corpus": "products", "fields": { "title": title, "description": 1.0 }, "k1": 0.9, "b": 0.4 });
    let stage = json!({ "stage_name": "words", "config": { "stage_id": "bm25", "parameters": parameters } });
    json!({ "retriever_name": name, "stages": [stage], "collection_identifiers": ["products"] })
}

pub(super) fn shop() -> Vec<Session> {
    let path = workspace().join("data/shop/sessions.parquet").to_string_lossy().into_owned();
    let sessions = SessionReader::open(&SessionsPath::Files(vec![path]), None).unwrap();
    sessions.map(Result::unwrap).collect()
}

fn interactions(sessions: &[Session]) -> Vec<Value> {
    let of = |session: &Session| {
        let session = session.clone();
        session.interactions.clone().into_iter().map(move |act| {
            json!({
                "feature_id": act.item_id, "interaction_type": [act.kind], "position": act.position.unwrap() - 1,
                "session_id": session.session_id, "execution_id": format!("logged-{}", session.session_id),
                "query_snapshot": { "query": session.query }, "user_id": session.user_id,
                "occurred_at": jiff(session.timestamp.unwrap()),
                "metadata": { "taxonomy_node_ids": session.taxonomy },
            })
        })
    };
    sessions.iter().flat_map(of).collect()
}

fn jiff(milliseconds: i64) -> String {
    let (days, rest) = (milliseconds.div_euclid(86_400_000), milliseconds.rem_euclid(86_400_000));
    // The shop's sessions are of January 2026, which begins 20454 days after 1970.
    let (hours, minutes, seconds) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60);
    format!("2026-01-{:02}T{hours:02}:{minutes:02}:{seconds:02}.{:03}Z", days - 20_454 + 1, rest % 1000)
}

/// Runs a benchmark file by the command line, and returns its report.
pub(super) fn by_hand(benchmark: &Path) -> Value {
    let out = tempfile::tempdir().unwrap();
    let run =
        Command::new(binary()).arg("run").arg(benchmark).arg("--out").arg(out.path().join("run")).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    serde_json::from_slice(&std::fs::read(out.path().join("run/report.json")).unwrap()).unwrap()
}

#[test]
fn a_benchmark_says_what_the_command_line_says_of_its_own_file() {
    let server = Server::start();
    let client = Client::new(&server, "acme", "shop").with_products();
    let (baseline, candidate) = (client.retriever("flat", 1.0), client.retriever("title", 3.0));
    client.record(&shop());
    let range = json!({ "start": "2026-01-01T00:00:00+00:00", "end": "2026-02-01T00:00:00Z" });
    let weights = json!({ "weights": { "click": 1.0, "purchase": 5.0 } });
    let filter = json!({ "time_range": range, "sample_strategy": "stratified", "interaction_weights": weights });
    let mut echoed = filter.clone();
    echoed["min_interactions"] = json!(1);
    let done = client.benchmark(json!({
        "benchmark_name": "title boost", "baseline_retriever_id": baseline, "candidate_retriever_ids": [candidate],
        "session_count": 200, "session_filter": filter,
    }));
    assert_eq!(done["status"], "completed", "{done}");
    assert_eq!(done["session_filter"], echoed);
    let id = done["benchmark_id"].as_str().unwrap();
    let report = by_hand(&server.data().join(format!("organisations/acme/jobs/{id}/benchmark.yaml")));
    let results = done["results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    for (result, reported) in results.iter().zip(report["results"].as_array().unwrap()) {
        for key in ["retriever_id", "retriever_name", "pipeline_hash", "failed_sessions", "error_summary"] {
            assert_eq!(result[key], reported[key], "{key}");
        }
        assert_same(&result["metrics"], &reported["metrics"]);
        assert_eq!(result["latency"]["stage_latencies"].as_object().unwrap().keys().collect::<Vec<_>>(), ["words"]);
        for (node, metrics) in result["taxonomy_deltas"].as_object().unwrap() {
            assert_same(metrics, &reported["taxonomy_deltas"][node]);
        }
    }
    let sessions: u64 = ["improved", "degraded", "neutral"]
        .map(|word| results[1]["metrics"][format!("sessions_{word}")].as_u64().unwrap())
        .iter()
        .sum();
    assert_eq!(sessions, 200);
    let (compared, reported) = (&done["comparison"]["comparisons"][0], &report["comparison"]["comparisons"][0]);
    for key in ["ndcg_delta", "recall_delta", "p_value", "confidence_interval", "taxonomy_wins", "taxonomy_losses"] {
        assert_eq!(compared[key], reported[key], "{key}");
    }
    assert!(compared["ndcg_delta"]["10"].is_f64() && compared["p_value"].is_f64());
    assert_eq!(done["comparison"]["recommendation"], report["comparison"]["recommendation"]);
    // What is behind p is told: the test, its sessions, and what was made of it.
    let (test, told) = (&reported["metrics"]["nDCG@10"], &compared["significance"]);
    for (ours, theirs) in [
        ("sessions", "n"),
        ("clusters", "clusters"),
        ("cluster_by", "cluster_by"),
        ("test", "test"),
        ("correction", "correction"),
        ("p_value_adjusted", "p_adjusted"),
    ] {
        assert_eq!(told[ours], test[theirs], "{ours}");
    }
    assert_eq!(
        (&told["verdict"], &told["reason"]),
        (&reported["verdict"]["outcome"], &reported["verdict"]["sentence"])
    );
    let nodes = compared["taxonomy_tests"].as_object().unwrap();
    assert!(!nodes.is_empty());
    for (node, test) in nodes {
        assert_eq!(
            (&test["sessions"], &test["p_value_adjusted"]),
            (&reported["taxonomy"][node]["n"], &reported["taxonomy"][node]["p_adjusted"])
        );
    }
    // A benchmark is of its namespace, and runs once.
    assert_eq!(client.post(&format!("/retrievers/benchmarks/{id}/execute"), json!({})).expect(200), done);
    let elsewhere = Client { namespace: "other", token: client.token.clone(), ..client };
    elsewhere.get(&format!("/retrievers/benchmarks/{id}")).expect(404);
    elsewhere.delete(&format!("/retrievers/benchmarks/{id}")).expect(404);
    let back = Client { namespace: "shop", ..elsewhere };
    let answer = back.delete(&format!("/retrievers/benchmarks/{id}"));
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    back.get(&format!("/retrievers/benchmarks/{id}")).expect(404);
    assert!(!server.data().join(format!("organisations/acme/jobs/{id}")).exists());
}

#[test]
fn every_condition_of_a_filter_leaves_out_what_it_should() {
    let server = Server::start();
    let client = Client::new(&server, "acme", "shop").with_products();
    let (flat, title) = (client.retriever("flat", 1.0), client.retriever("title", 3.0));
    let hits = client.post(&format!("/retrievers/{flat}/execute"), json!({ "inputs": { "query": "desk lamp" } }));
    let hits = hits.expect(200)["documents"].clone();
    let act = |session: &str, retriever: &str, kinds: Value, hit: usize, day: u32| {
        let body = json!({
            "feature_id": hits[hit]["document_id"], "interaction_type": kinds, "position": hit, "session_id": session,
            "execution_id": format!("logged-{session}"), "retriever_id": retriever,
            "query_snapshot": { "query": "desk lamp" }, "occurred_at": format!("2026-01-{day:02}T00:00:00Z"),
        });
        client.post("/retrievers/interactions", body).expect(200);
    };
    act("one", &flat, json!(["click", "long_view"]), 0, 1);
    act("two", &title, json!(["click"]), 1, 2);
    act("two", &title, json!(["purchase"]), 2, 2);
    act("bad", &title, json!(["skip"]), 3, 3);
    // This one says not what was asked.
    let mute = json!({ "feature_id": "p1", "interaction_type": ["click"], "position": 0, "session_id": "mute" });
    client.post("/retrievers/interactions", mute).expect(200);
    // Returns the sessions in which the candidate can be compared, and what was left out.
    let replayed = |filter: Value| {
        let done = client.benchmark(json!({
            "benchmark_name": "b", "baseline_retriever_id": flat, "candidate_retriever_ids": [title],
            "session_filter": filter,
        }));
        assert_eq!(done["status"], "completed", "{done}");
        let metrics = &done["results"][1]["metrics"];
        let signs =
            ["improved", "degraded", "neutral"].map(|word| metrics[format!("sessions_{word}")].as_u64().unwrap());
        let mut exclusions = done["exclusions"].clone();
        assert_eq!(exclusions.as_object_mut().unwrap().remove("interaction_without_query"), Some(json!(1)));
        (signs.iter().sum::<u64>(), exclusions)
    };
    // A session of which nothing speaks for a document has no nDCG; a weight makes it speak.
    assert_eq!(replayed(json!({})), (2, json!({})));
    assert_eq!(replayed(json!({ "interaction_weights": { "weights": { "skip": 1.0 } } })), (3, json!({})));
    let left_out = |what: &str, count: u32| json!({ format!("session_filter.{what}"): count });
    assert_eq!(replayed(json!({ "retriever_ids": [flat] })), (1, left_out("retriever-ids", 2)));
    assert_eq!(replayed(json!({ "interaction_types": ["purchase", "skip"] })), (1, left_out("interaction-types", 1)));
    assert_eq!(replayed(json!({ "min_interactions": 2 })), (1, left_out("min-interactions", 2)));
    let until = |end: &str| replayed(json!({ "time_range": { "end": end } }));
    assert_eq!(until("2026-01-02T00:00:00Z"), (2, left_out("time-range", 1)));
    assert_eq!(until("2026-01-01T23:59:59.999Z"), (1, left_out("time-range", 2)));
}

#[test]
fn a_candidate_that_answers_nothing_is_compared_with_nothing() {
    let server = Server::start();
    let client = Client::new(&server, "acme", "shop").with_products();
    let (flat, title) = (client.retriever("flat", 1.0), client.retriever("title", 3.0));
    // What the shop's users ask is no number.
    let query = "SELECT item_id, CAST($query AS INT) AS score FROM products ORDER BY score DESC, item_id LIMIT $depth";
    let parameters = json!({ "corpora": ["products"], "query": query });
    let stage = json!({ "stage_name": "wrong", "config": { "stage_id": "sql", "parameters": parameters } });
    let made = client.post("/retrievers", json!({ "retriever_name": "mute", "stages": [stage] })).expect(200);
    let mute = made["retriever_id"].as_str().unwrap().to_owned();
    client.record(&shop()[..60]);
    let done = client.benchmark(json!({
        "benchmark_name": "b", "baseline_retriever_id": flat, "candidate_retriever_ids": [mute, title],
    }));
    assert_eq!(done["status"], "completed", "{done}");
    let compared = done["comparison"]["comparisons"].as_array().unwrap();
    assert_eq!(
        (&compared[0]["candidate_retriever_id"], &compared[1]["candidate_retriever_id"]),
        (&json!(mute), &json!(title))
    );
    assert_eq!((&compared[0]["ndcg_delta"], &compared[0]["p_value"]), (&json!({}), &Value::Null));
    assert!(done["comparison"]["recommendation"].as_str().unwrap().contains(&format!("`{mute}` answered no session")));
    assert!(done["results"][1]["metrics"]["mean_rank_clicked"].as_f64().unwrap() > 10.0, "{}", done["results"][1]);
}

/// Every member that the API has is the report's.
#[track_caller]
fn assert_same(metrics: &Value, reported: &Value) {
    for (key, value) in metrics.as_object().unwrap() {
        match value.as_object() {
            Some(by_cutoff) => {
                for (cutoff, value) in by_cutoff {
                    assert_eq!(*value, reported[key][cutoff], "{key} {cutoff}");
                }
            }
            None if reported[key].is_null() => assert!(value.is_null() || *value == 0.0, "{key}: {value}"),
            None => assert_eq!(*value, reported[key], "{key}"),
        }
    }
}

#[test]
fn a_benchmark_that_cannot_be_is_refused_or_fails_with_a_reason() {
    let server = Server::start();
    let client = Client::new(&server, "acme", "").with_products();
    let (a, b) = (client.retriever("a", 1.0), client.retriever("b", 2.0));
    let body = json!({ "benchmark_name": "n", "baseline_retriever_id": a, "candidate_retriever_ids": [b] });
    let with = |more: Value| {
        let mut body = body.clone();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        client.post("/retrievers/benchmarks", body)
    };
    let extra = with(json!({ "colour": "red" })).expect(422);
    assert_eq!(
        (&extra["error"]["type"], &extra["error"]["code"]),
        (&json!("extra_forbidden"), &json!("extra_forbidden"))
    );
    assert!(extra["error"]["message"].as_str().unwrap().contains("`candidate_retriever_ids`"), "{extra}");
    assert_eq!(extra["error"]["details"]["validation_errors"][0]["loc"], json!(["body", "colour"]));
    assert_eq!((&extra["success"], &extra["status"]), (&json!(false), &json!(422)));
    let few = with(json!({ "session_count": 5 })).expect(422);
    assert_eq!(few["error"]["details"]["validation_errors"][0]["loc"][1], "session_count");
    let missing = with(json!({ "baseline_retriever_id": "ret_0" })).expect(404);
    assert_eq!(missing["error"]["details"], json!({ "resource": "retriever", "id": "ret_0" }));
    // Another organisation's retriever is one that there is not.
    let stranger = Client::new(&server, "umbrella", "").with_products();
    let theirs = stranger.retriever("c", 1.0);
    let foreign = with(json!({ "candidate_retriever_ids": [theirs] })).expect(404);
    assert_eq!(foreign["error"]["message"], format!("no retriever `{theirs}`"));

    let failed = client.benchmark(body.clone());
    assert_eq!((&failed["status"], &failed["results"]), (&json!("failed"), &Value::Null), "{failed}");
    assert!(failed["error_message"].as_str().unwrap().contains("no interactions are recorded"), "{failed}");
    client.record(&shop()[..60]);
    let filtered = client.benchmark({
        let mut body = body.clone();
        body["session_filter"] = json!({ "taxonomy_node_ids": ["nowhere"] });
        body
    });
    assert_eq!(filtered["status"], "failed", "{filtered}");
    assert!(!filtered["error_message"].as_str().unwrap().is_empty());

    let list = |query: &str| client.get(&format!("/retrievers/benchmarks{query}")).expect(200);
    assert_eq!((&list("")["total"], &list("")["page_size"]), (&json!(2), &json!(20)));
    assert_eq!(list("?status=failed&page_size=1&page=2")["benchmarks"][0]["benchmark_id"], filtered["benchmark_id"]);
    assert_eq!(list("?status=completed")["total"], 0);
    assert_eq!(list(&format!("?retriever_id={b}"))["total"], 2);
    assert_eq!(list("?retriever_id=ret_0")["total"], 0);
    client.get("/retrievers/benchmarks?status=COMPLETED").expect(422);
    client.get("/retrievers/benchmarks?page=0").expect(422);
    client.get("/retrievers/benchmarks?page_size=1001").expect(422);
    assert_eq!(stranger.get("/retrievers/benchmarks").expect(200)["total"], 0);
    let id = failed["benchmark_id"].as_str().unwrap();
    let theirs = stranger.get(&format!("/retrievers/benchmarks/{id}"));
    assert_eq!(theirs.expect(404)["error"]["message"], format!("no benchmark `{id}`"));
    // An older generated client knows another status.
    let old = Client { agent: "OpenAPI-Generator/1.3.775/python", token: client.token.clone(), ..client };
    let created = old.post("/retrievers/benchmarks", body).expect(201);
    old.delete(&format!("/retrievers/benchmarks/{}", created["benchmark_id"].as_str().unwrap())).expect(204);
    old.get(&format!("/retrievers/benchmarks/{}", created["benchmark_id"].as_str().unwrap())).expect(404);
}

#[test]
fn retrievers_are_checked_changed_copied_and_listed() {
    let server = Server::start();
    let client = Client::new(&server, "acme", "shop").with_products();
    let refused = |stage: Value, status: u16| {
        let body = json!({ "retriever_name": "r", "stages": [{ "stage_name": "s", "config": stage }] });
        client.post("/retrievers", body).expect(status)["error"]["message"].as_str().unwrap().to_owned()
    };
    assert!(refused(json!({ "stage_id": "feature_search" }), 422).contains("`stage_id` is one of `bm25`"));
    let parameters = json!({ "corpus": "products", "fields": { "title": -1.0 } });
    assert!(refused(json!({ "stage_id": "bm25", "parameters": parameters }), 422).contains("boost -1"));
    let parameters = json!({ "corpus": "products", "titles": {} });
    assert!(refused(json!({ "stage_id": "bm25", "parameters": parameters }), 422).contains("`titles`"));
    assert!(refused(json!({ "stage_id": "truncate", "parameters": { "to": 5 } }), 422).len() > 10);
    let parameters = json!({ "corpus": "nothing", "fields": { "title": 1.0 } });
    assert_eq!(refused(json!({ "stage_id": "bm25", "parameters": parameters }), 404), "no collection `nothing`");
    assert_eq!(
        refused(json!({ "stage_id": "plugin", "parameters": { "plugin": "mine@1" } }), 404),
        "no component `mine@1`"
    );
    let outside = json!({ "stage_id": "recorded", "parameters": { "path": "../../rematch.db" } });
    assert!(
        [404, 422].contains(
            &client
                .post(
                    "/retrievers",
                    json!({
                        "retriever_name": "r", "stages": [{ "stage_name": "s", "config": outside }],
                    })
                )
                .status
        )
    );
    client.post("/retrievers", json!({ "retriever_name": "r", "stages": [] })).expect(422);

    let mut body = bm25("first", 1.0);
    body["stages"][0]["config"]["parameters"].as_object_mut().unwrap().remove("corpus");
    body["stages"][0]["on_error"] = json!("error");
    body["metadata"] = json!({ "team": "search" });
    body["input_schema"] = json!({ "query": { "type": "text", "required": true } });
    let made = client.post("/retrievers", body).expect(200);
    let id = made["retriever_id"].as_str().unwrap();
    assert_eq!(made["collection_identifiers"], json!(["products"]));
    assert_eq!(made["stages"][0]["parameters"]["k1"], 0.9);
    assert_eq!(client.get(&format!("/retrievers/{id}")).expect(200), made);
    let patch = json!({ "retriever_name": "renamed", "tags": ["x"] });
    let changed = client.send("PATCH", &format!("/retrievers/{id}"), Some(&patch)).expect(200);
    assert_eq!(
        (&changed["retriever"]["retriever_name"], &changed["retriever"]["version"]),
        (&json!("renamed"), &json!(2))
    );
    assert_eq!(changed["retriever"]["metadata"]["team"], "search");
    let wrong = json!({ "stages": [{ "stage_name": "s", "config": { "stage_id": "nothing" } }] });
    client.send("PATCH", &format!("/retrievers/{id}"), Some(&wrong)).expect(422);
    let copied = client.post(&format!("/retrievers/{id}/clone"), json!({ "retriever_name": "copy" })).expect(200);
    assert_eq!((&copied["source_retriever_id"], &copied["retriever"]["tags"]), (&json!(id), &json!(["x"])));

    let list = |path: &str, body: Value| client.post(&format!("/retrievers/list{path}"), body).expect(200);
    assert_eq!(list("?include_total=true", json!({}))["total"], 2);
    assert_eq!(list("", json!({ "search": "REN" }))["results"][0]["retriever_id"], id);
    let by_team = json!({ "filters": { "field": "metadata.team", "operator": "eq", "value": "Search" }, "sort": { "field": "retriever_name" } });
    let names: Vec<Value> =
        list("", by_team)["results"].as_array().unwrap().iter().map(|one| one["retriever_name"].clone()).collect();
    assert_eq!(names, ["copy", "renamed"]);
    let first = client.get("/retrievers?limit=1").expect(200);
    let cursor = first["pagination"]["next_cursor"].as_str().unwrap();
    let second = client.get(&format!("/retrievers?limit=1&cursor={cursor}")).expect(200);
    assert_eq!(second["results"][0]["retriever_name"], "copy");
    assert_eq!(second["pagination"]["next_cursor"], Value::Null);
    client.post("/retrievers/list?cursor=nonsense", json!({})).expect(400);
    client.post("/retrievers/list", json!({ "filters": { "field": "secret", "value": 1 } })).expect(422);

    let elsewhere = Client { namespace: "other", token: client.token.clone(), ..client };
    elsewhere.get(&format!("/retrievers/{id}")).expect(404);
    elsewhere.delete(&format!("/retrievers/{id}")).expect(404);
    assert_eq!(elsewhere.post("/retrievers/list", json!({})).expect(200)["results"], json!([]));
    // The query names the namespace where no header does.
    let bearer = format!("Bearer {}", elsewhere.token);
    let by_query =
        server.send_bytes("GET", &format!("/v1/retrievers/{id}?namespace=shop"), &[("authorization", &bearer)], None);
    by_query.expect(200);
    let shop = Client { namespace: "shop", ..elsewhere };
    shop.delete(&format!("/retrievers/{id}")).expect(200);
    shop.get(&format!("/retrievers/{id}")).expect(404);
}

#[test]
fn a_search_is_answered_recorded_filtered_paged_and_streamed() {
    let server = Server::start();
    let client = Client::new(&server, "acme", "shop").with_products();
    let id = client.retriever("flat", 1.0);
    let execute = |body: Value| client.post(&format!("/retrievers/{id}/execute"), body);
    let found = execute(json!({ "inputs": { "query": "desk lamp" }, "limit": 5 })).expect(200);
    assert_eq!((&found["status"], found["documents"].as_array().unwrap().len()), (&json!("completed"), 5));
    assert_eq!(found["results"], found["documents"]);
    let stage = &found["stage_statistics"]["stages"]["words"];
    assert_eq!((&stage["metadata"]["kind"], &stage["output_count"]), (&json!("bm25"), &json!(6)));
    assert!(found["stage_statistics"]["total_time_ms"].is_f64());
    let second = json!({ "inputs": { "text": "desk lamp" }, "pagination": { "method": "offset", "page_size": 2, "page_number": 2 } });
    let second = execute(second).expect(200);
    assert_eq!(second["documents"][0], found["documents"][2]);
    assert_eq!((&second["pagination"]["has_next"], &second["pagination"]["page_number"]), (&json!(true), &json!(2)));
    let keys = |answer: &Value| answer["pagination"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&second), ["has_next", "method", "page_number", "page_size", "returned", "total"]);
    let expected =
        json!({ "method": "cursor", "limit": 5, "returned": 5, "total": 6, "cursor": "offset:5", "has_next": true });
    assert_eq!(found["pagination"], expected);
    let next = |method: &str, key: &str, at: &Value| {
        let page = json!({ "method": method, "limit": 1, key: at });
        execute(json!({ "inputs": { "q": "desk lamp" }, "pagination": page })).expect(200)
    };
    let third = next("cursor", "cursor", &json!("offset:3"));
    assert_eq!(third["documents"][0], found["documents"][3]);
    assert_eq!(next("cursor", "cursor", &third["pagination"]["cursor"])["documents"][0], found["documents"][4]);
    for (method, key) in [("scroll", "scroll_id"), ("keyset", "after")] {
        let first = next(method, key, &Value::Null);
        assert_eq!(keys(&first).len(), 6, "{first}");
        assert_eq!(next(method, key, &first["pagination"][key])["documents"][0], found["documents"][1], "{method}");
    }
    let last = json!({ "inputs": { "query": "desk lamp" }, "limit": 500 });
    assert_eq!(execute(last).expect(200)["pagination"]["cursor"], Value::Null);
    let large = |page: Value| execute(json!({ "inputs": { "query": "desk lamp" }, "pagination": page })).expect(422);
    large(json!({ "method": "cursor", "limit": 501 }));
    large(json!({ "method": "offset", "page_size": 501 }));
    execute(json!({ "inputs": { "query": "desk lamp" }, "limit": 501 })).expect(422);
    let filters = json!({ "AND": [{ "field": "price", "operator": "lt", "value": 30 }] });
    let cheap = execute(json!({ "inputs": { "query": "desk lamp" }, "filters": filters, "limit": 50 })).expect(200);
    let all = execute(json!({ "inputs": { "query": "desk lamp" }, "limit": 500 })).expect(200);
    let count = |answer: &Value| answer["documents"].as_array().unwrap().len();
    assert!(0 < count(&cheap) && count(&cheap) < count(&all), "{} of {}", count(&cheap), count(&all));
    execute(json!({ "inputs": { "query": "x" }, "filters": { "field": "a", "operator": "nearby" } })).expect(422);
    execute(json!({ "inputs": { "query": "x" }, "limit": 0 })).expect(422);

    // A search without a query fails in the retriever; that is recorded too, and is no empty answer.
    let failed = execute(json!({ "inputs": {} })).expect(200);
    assert_eq!((&failed["status"], &failed["documents"]), (&json!("failed"), &json!([])));
    assert!(!failed["error"].as_str().unwrap().is_empty());
    let streamed = execute(json!({ "inputs": { "query": "desk lamp" }, "limit": 5, "stream": true }));
    assert!(streamed.header("content-type").unwrap().starts_with("text/event-stream"), "{streamed:?}");
    let names: Vec<&str> = streamed.body.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!(names, ["stage_start", "stage_complete", "execution_complete"]);
    let last = streamed.body.lines().filter_map(|line| line.strip_prefix("data: ")).next_back().unwrap();
    let last: Value = serde_json::from_str(last).unwrap();
    assert_eq!(last["documents"], found["documents"]);

    let kept =
        client.get(&format!("/retrievers/{id}/executions/{}", found["execution_id"].as_str().unwrap())).expect(200);
    assert_eq!((&kept["documents"], &kept["inputs"]["query"]), (&found["documents"], &json!("desk lamp")));
    let list =
        |query: &str, body: Value| client.post(&format!("/retrievers/{id}/executions/list{query}"), body).expect(200);
    let every = list("?limit=2", json!({}));
    assert_eq!((&every["pagination"]["total"], &every["pagination"]["has_next"]), (&json!(13), &json!(true)));
    assert_eq!(every["results"][0]["query_summary"], "desk lamp");
    assert_eq!(list("", json!({ "status": "failed" }))["results"][0]["execution_id"], failed["execution_id"]);
    client.get(&format!("/retrievers/{id}/executions/exec_0")).expect(404);
    let stranger = Client::new(&server, "umbrella", "shop");
    stranger.post(&format!("/retrievers/{id}/execute"), json!({ "inputs": { "query": "x" } })).expect(404);
    stranger.get(&format!("/retrievers/{id}/executions/{}", found["execution_id"].as_str().unwrap())).expect(404);

    // What an interaction does not say of its execution, the execution says.
    let execution = found["execution_id"].as_str().unwrap();
    let act = json!({ "document_id": found["documents"][1]["document_id"], "interaction_type": ["click"], "position": 1, "execution_id": execution });
    let act = client.post("/retrievers/interactions", act).expect(200);
    assert_eq!((&act["retriever_id"], &act["warning"]), (&json!(id), &Value::Null));
    let by_retriever = client.post("/retrievers/interactions/list", json!({ "retriever_id": id })).expect(200);
    assert_eq!(by_retriever["results"][0]["interaction_id"], act["interaction_id"]);
}
