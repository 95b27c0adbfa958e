//! Scenarios, their runs and scores, over HTTP.

mod contracts;
mod jobs;

use serde_json::{Value, json};

use super::running::{Answer, Server, until};
use crate::rematch::{rematch, workspace};

/// A server, and a client of one of its organisations.
struct Client {
    server: Server,
    token: String,
}

impl Client {
    fn start() -> Self {
        Self::of(Server::start())
    }

    fn of(server: Server) -> Self {
        let token = server.token("acme", "ci");
        Self { server, token }
    }

    #[track_caller]
    fn get(&self, path: &str) -> Value {
        self.server.get(path, &self.token).expect(200)
    }

    #[track_caller]
    fn post(&self, path: &str, body: &Value) -> Value {
        self.server.post(path, &self.token, body).expect(200)
    }

    /// Posts without a body, as clients do where there is nothing to say.
    #[track_caller]
    fn ask(&self, path: &str) -> Value {
        self.server.send("POST", path, &self.token, None).expect(200)
    }

    #[track_caller]
    fn refused(&self, path: &str, body: &Value, status: u16, fragment: &str) -> Value {
        let answer = self.server.post(path, &self.token, body);
        check_refusal(&answer, status, fragment)
    }

    fn keyed(&self, key: &str, token: &str, path: &str, body: &Value) -> Answer {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("x-request-id", key)];
        self.server.send_bytes("POST", path, &headers, Some(("application/json", body.to_string().into_bytes())))
    }

    fn scenario(&self, body: &Value) -> String {
        id(&self.post("/v1/scenarios", body))
    }

    fn benchmark(&self, scenarios: &[&str]) -> String {
        id(&self.post("/v1/benchmarks", &json!({ "name": "b", "scenario_ids": scenarios })))
    }

    fn benchmark_run(&self, benchmark: &str) -> String {
        id(&self.post("/v1/benchmarks/start_run", &json!({ "benchmark_id": benchmark })))
    }

    fn run(&self, scenario: &str, benchmark_run: Option<&str>) -> String {
        let body = json!({ "scenario_id": scenario, "benchmark_run_id": benchmark_run });
        id(&self.post("/v1/scenarios/start_run", &body))
    }

    /// Scores a run, and returns it when that is over.
    fn scored(&self, run: &str) -> Value {
        let asked = self.ask(&format!("/v1/scenarios/runs/{run}/score"));
        assert!(["scoring", "scored"].contains(&asked["state"].as_str().unwrap()), "{asked}");
        until("a score", || {
            let now = self.get(&format!("/v1/scenarios/runs/{run}"));
            // Clients stop at the first state that is another.
            (now["state"] != "scoring").then_some(now)
        })
    }
}

fn id(thing: &Value) -> String {
    thing["id"].as_str().unwrap().to_owned()
}

#[track_caller]
fn check_refusal(answer: &Answer, status: u16, fragment: &str) -> Value {
    let told = answer.expect(status);
    let members: Vec<&str> = told.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["code", "message"]);
    assert!(told["message"].as_str().unwrap().contains(fragment), "{told}");
    told
}

fn metric(name: &str, metric: &str, weight: f64) -> Value {
    let scorer = json!({ "type": "custom_scorer", "custom_scorer_type": format!("metric:{metric}") });
    json!({ "name": name, "weight": weight, "scorer": scorer })
}

/// A scenario that brings its ranking.
fn scenario(query: &str, hits: &[&str], relevant: &[&str], functions: &[Value]) -> Value {
    let judgments: Vec<Value> = relevant.iter().map(|item| json!({ "item_id": item, "grade": 1 })).collect();
    json!({
        "name": query,
        "input_context": { "problem_statement": query, "additional_context": { "judgments": judgments, "hits": hits } },
        "scoring_contract": { "scoring_function_parameters": functions },
    })
}

/// A scenario whose score is 1, 1/2, 1/3 ... as its relevant item stands.
fn ranked(rank: usize) -> Value {
    let hits: Vec<String> =
        (1..=5).map(|place| if place == rank { "good".to_owned() } else { format!("p{place}") }).collect();
    let hits: Vec<&str> = hits.iter().map(String::as_str).collect();
    scenario(&format!("rank {rank}"), &hits, &["good"], &[metric("rr", "RR", 1.0)])
}

fn close(found: &Value, expected: f64) -> bool {
    found.as_f64().is_some_and(|found| (found - expected).abs() < 1e-12)
}

#[test]
fn a_benchmark_run_scores_what_the_command_line_scores() {
    let client = Client::start();
    let wasm = std::fs::read(workspace().join("plugins/half-life-utility/half-life-utility.wasm")).unwrap();
    let bearer = format!("Bearer {}", client.token);
    let brought = client.server.send_bytes(
        "PUT",
        "/v1/components/half-life-utility/1.0.0",
        &[("authorization", &bearer)],
        Some(("application/wasm", wasm)),
    );
    brought.expect(201);
    let component = json!({ "name": "utility", "weight": 0.5, "scorer": { "type": "custom_scorer",
        "custom_scorer_type": "half-life-utility", "scorer_params": { "half_life": 3 } } });
    let functions = [component, metric("ndcg", "nDCG@5", 0.3), metric("rr", "RR", 0.2)];
    let cases: [(&str, &[&str], &[&str]); 4] = [
        ("mug", &["a", "b", "c", "d"], &["b", "d"]),
        ("lamp", &["e", "a", "f"], &["e"]),
        ("bag", &["x", "y", "z", "g"], &["g", "h"]),
        ("none found", &["x"], &["k"]),
    ];
    let ids: Vec<String> =
        cases.iter().map(|(query, hits, good)| client.scenario(&scenario(query, hits, good, &functions))).collect();
    let benchmark = client.benchmark(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    let run = client.benchmark_run(&benchmark);
    for scenario in &ids {
        let one = client.run(scenario, Some(&run));
        assert_eq!(client.scored(&one)["state"], "scored");
        assert_eq!(client.ask(&format!("/v1/scenarios/runs/{one}/complete"))["state"], "completed");
    }
    let run = client.ask(&format!("/v1/benchmark_runs/{run}/complete"));
    assert_eq!((&run["state"], &run["pending_scenarios"]), (&json!("completed"), &json!([])));
    assert!(close(&run["score"], of_command_line(&cases)), "{run}");
}

/// Returns what `rematch run` makes of the same sessions, rankings and contract.
fn of_command_line(cases: &[(&str, &[&str], &[&str])]) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let (mut sessions, mut rankings) = (String::new(), String::new());
    for (number, (query, hits, relevant)) in cases.iter().enumerate() {
        let judgments: Vec<Value> = relevant.iter().map(|item| json!({ "item_id": item, "grade": 1.0 })).collect();
        let session = json!({ "session_id": format!("q{number}"), "query": query, "judgments": judgments });
        sessions.push_str(&format!("{session}\n"));
        for (rank, item) in hits.iter().enumerate() {
            rankings.push_str(&format!("q{number} Q0 {item} {} {} r\n", rank + 1, 100 - rank));
        }
    }
    std::fs::write(folder.path().join("sessions.jsonl"), sessions).unwrap();
    std::fs::write(folder.path().join("run.trec"), rankings).unwrap();
    let plugin = workspace().join("plugins/half-life-utility/half-life-utility.wasm");
    let benchmark = format!(
        "name = \"b\"\nbaseline = \"a\"\ncandidates = [\"b\"]\n[sessions]\npath = \"sessions.jsonl\"\n\
         [[retriever]]\nid = \"a\"\nstages = [{{ kind = \"recorded\", path = \"run.trec\" }}]\n\
         [[retriever]]\nid = \"b\"\nstages = [{{ kind = \"recorded\", path = \"run.trec\" }}]\n\
         [[scorer]]\nname = \"utility\"\nplugin = \"{}\"\nweight = 0.5\nparams = {{ half_life = 3 }}\n\
         [[scorer]]\nname = \"ndcg\"\nmetric = \"nDCG@5\"\nweight = 0.3\n\
         [[scorer]]\nname = \"rr\"\nmetric = \"RR\"\nweight = 0.2\n",
        plugin.display()
    );
    std::fs::write(folder.path().join("bench.toml"), benchmark).unwrap();
    let out = folder.path().join("run");
    rematch(["run".as_ref(), folder.path().join("bench.toml").as_os_str(), "--out".as_ref(), out.as_os_str()]).exits(0);
    let report: Value = serde_json::from_slice(&std::fs::read(out.join("report.json")).unwrap()).unwrap();
    let result = &report["results"][0]["scenario_score"];
    assert_eq!(result["n"], cases.len(), "{result}");
    result["mean"].as_f64().unwrap()
}

#[test]
fn both_generations_see_the_same_runs() {
    let client = Client::start();
    let scenario = client.scenario(&ranked(2));
    let benchmark = client.benchmark(&[&scenario]);
    let run = client.benchmark_run(&benchmark);
    let one = client.run(&scenario, Some(&run));
    let pending = client.get(&format!("/v1/benchmarks/runs/{run}"));
    assert_eq!((&pending["pending_scenarios"], &pending["scenario_runs"]), (&json!([scenario]), &json!([])));
    client.scored(&one);
    client.ask(&format!("/v1/scenarios/runs/{one}/complete"));
    let completed = client.ask(&format!("/v1/benchmarks/runs/{run}/complete"));
    assert_eq!(completed, client.get(&format!("/v1/benchmark_runs/{run}")));
    let finished = &completed["scenario_runs"][0];
    assert_eq!((&finished["scenario_id"], &finished["scenarioRunId"]), (&json!(scenario), &json!(one)));
    assert!(close(&finished["scoringResult"]["score"], 0.5));
    let lists = ["/v1/benchmarks/runs", "/v1/benchmark_runs"].map(|path| client.get(path));
    assert_eq!(lists[0], lists[1]);
    let (total, remaining) = (&lists[0]["total_count"], &lists[0]["remaining_count"]);
    assert_eq!((total, remaining, &lists[0]["has_more"]), (&json!(1), &json!(0), &json!(false)));
    let runs = ["benchmarks/runs", "benchmark_runs"].map(|path| client.get(&format!("/v1/{path}/{run}/scenario_runs")));
    assert_eq!(runs[0], runs[1]);
    assert_eq!(runs[0]["runs"][0]["id"], one);
    let unofficial = client.post("/v1/benchmark_runs", &json!({ "benchmark_ids": [benchmark] }));
    assert_eq!(unofficial["benchmark_id"], benchmark);
    let both =
        client.post("/v1/benchmark_runs", &json!({ "benchmark_ids": [benchmark, client.benchmark(&[&scenario])] }));
    assert_eq!((both.get("benchmark_id"), &both["pending_scenarios"]), (None, &json!([scenario])));
    assert_eq!(client.ask(&format!("/v1/benchmarks/runs/{}/cancel", id(&unofficial)))["state"], "canceled");
}

#[test]
fn what_comes_to_no_score_is_failed_and_told_beside_the_score() {
    let client = Client::start();
    let good = client.scenario(&ranked(2));
    // Nothing is relevant: a metric is undefined.
    let undefined = client.scenario(&scenario("nothing", &["a"], &[], &[metric("ndcg", "nDCG@5", 1.0)]));
    let benchmark = client.benchmark(&[&good, &undefined]);
    let run = client.benchmark_run(&benchmark);
    let failed = client.scored(&client.run(&undefined, Some(&run)));
    assert_eq!(failed["state"], "failed");
    let function = &failed["scoring_contract_result"]["scoring_function_results"][0];
    assert_eq!((&function["state"], &function["score"]), (&json!("unknown"), &json!(0.0)));
    let now = client.get(&format!("/v1/benchmark_runs/{run}"));
    assert_eq!((&now["pending_scenarios"], &now["scenario_runs"]), (&json!([good]), &json!([])));
    let scored = client.run(&good, Some(&run));
    client.scored(&scored);
    let now = client.get(&format!("/v1/benchmark_runs/{run}"));
    assert_eq!((&now["pending_scenarios"], &now["scenario_runs"]), (&json!([]), &json!([])));
    // One that nobody scores is canceled when the run is completed, and does not count.
    client.run(&good, Some(&run));
    let run = client.ask(&format!("/v1/benchmark_runs/{run}/complete"));
    assert!(close(&run["score"], 0.25), "{run}");
    assert_eq!((&run["unscored_scenario_runs"], &run["pending_scenarios"]), (&json!(1), &json!([])));
    let finished: Vec<&Value> =
        run["scenario_runs"].as_array().unwrap().iter().map(|run| &run["scenarioRunId"]).collect();
    assert_eq!(finished, [&json!(scored)]);

    // Where nothing has a score, there is none.
    let run = client.benchmark_run(&benchmark);
    client.scored(&client.run(&undefined, Some(&run)));
    let run = client.ask(&format!("/v1/benchmark_runs/{run}/complete"));
    assert_eq!((run.get("score"), &run["unscored_scenario_runs"]), (None, &json!(1)));

    // Nobody answers, and nothing was brought.
    let mut nobody = ranked(1);
    nobody["input_context"]["additional_context"]["hits"] = Value::Null;
    let one = client.run(&client.scenario(&nobody), None);
    client.refused(&format!("/v1/scenarios/runs/{one}/score"), &json!({}), 400, "`retriever_id`");
    // A ranking that the run brings itself.
    let body = json!({ "scenario_id": client.scenario(&nobody), "metadata": { "hits": "[\"x\", \"y\", \"good\"]" } });
    let one = id(&client.post("/v1/scenarios/start_run", &body));
    assert!(close(&client.scored(&one)["scoring_contract_result"]["score"], 1.0 / 3.0));
}

#[test]
fn cancelling_counts_what_is_scored_and_cancels_the_rest() {
    let client = Client::start();
    let scenarios: Vec<String> = (1..=3).map(|rank| client.scenario(&ranked(rank))).collect();
    let benchmark = client.benchmark(&scenarios.iter().map(String::as_str).collect::<Vec<_>>());
    let run = client.benchmark_run(&benchmark);
    let runs: Vec<String> = scenarios.iter().map(|scenario| client.run(scenario, Some(&run))).collect();
    client.scored(&runs[0]);
    client.ask(&format!("/v1/scenarios/runs/{}/complete", runs[0]));
    client.scored(&runs[1]);
    let canceled = client.ask(&format!("/v1/benchmark_runs/{run}/cancel"));
    assert_eq!(canceled["state"], "canceled");
    assert!(close(&canceled["score"], 0.75), "{canceled}");
    assert_eq!((&canceled["unscored_scenario_runs"], &canceled["pending_scenarios"]), (&json!(0), &json!([])));
    assert_eq!(canceled["scenario_runs"].as_array().unwrap().len(), 2);
    let states = |run: &String| client.get(&format!("/v1/scenarios/runs/{run}"))["state"].clone();
    assert_eq!(runs.iter().map(states).collect::<Vec<_>>(), ["completed", "scored", "canceled"]);
    assert_eq!(client.ask(&format!("/v1/benchmark_runs/{run}/cancel")), canceled);
    client.refused(&format!("/v1/benchmark_runs/{run}/complete"), &json!({}), 400, "`canceled`");
    client.refused(&format!("/v1/scenarios/runs/{}/score", runs[2]), &json!({}), 400, "`canceled`");
    let late = json!({ "scenario_id": scenarios[0], "benchmark_run_id": run });
    client.refused("/v1/scenarios/start_run", &late, 400, "`running`");
    let listed = client.get(&format!("/v1/benchmark_runs/{run}/scenario_runs?state=canceled,scored"));
    assert_eq!(listed["total_count"], 2);
}

#[test]
fn a_run_goes_through_its_states_and_through_no_others() {
    let client = Client::start();
    let scenario = client.scenario(&ranked(1));
    let path = |run: &str, verb: &str| format!("/v1/scenarios/runs/{run}/{verb}");
    let run = client.run(&scenario, None);
    client.scored(&run);
    // Scored again, it stays as it is.
    assert_eq!(client.ask(&path(&run, "score"))["state"], "scored");
    let completed = client.ask(&path(&run, "complete"));
    assert_eq!(client.ask(&path(&run, "complete")), completed);
    client.refused(&path(&run, "cancel"), &json!({}), 400, "`completed`");
    client.refused(&path(&run, "score"), &json!({}), 400, "`completed`");
    // Several wish for a score at once: it is made once, and nobody is refused.
    let run = client.run(&scenario, None);
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (client, path) = (&client, path(&run, "score"));
            scope.spawn(move || {
                let answer = client.keyed(&format!("at-once-{number}"), &client.token, &path, &json!({})).expect(200);
                assert!(["scoring", "scored"].contains(&answer["state"].as_str().unwrap()), "{answer}");
            });
        }
    });
    client.scored(&run);
    // A client that completes at once, without waiting for the score.
    let run = client.run(&scenario, None);
    client.ask(&path(&run, "score"));
    let completed = until("the score", || {
        let asked = std::time::Instant::now();
        let answer = client.server.send("POST", &path(&run, "complete"), &client.token, None);
        // Who comes too early is kept waiting for ten seconds before it is refused; a busy machine may need longer.
        assert!(answer.status == 200 || asked.elapsed() >= std::time::Duration::from_secs(10), "{answer:?}");
        (answer.status == 200).then(|| answer.json())
    });
    assert!(close(&completed["scoring_contract_result"]["score"], 1.0), "{completed}");
    // One that nobody scores, in its time.
    let profile = json!({ "launchParameters": { "keep_alive_time_seconds": 1 } });
    let run = id(&client.post("/v1/scenarios/start_run", &json!({ "scenario_id": scenario, "runProfile": profile })));
    let ended = until("the end of a run", || {
        let now = client.get(&format!("/v1/scenarios/runs/{run}"));
        (now["state"] != "running").then_some(now)
    });
    assert_eq!((&ended["state"], &ended["duration_ms"]), (&json!("timeout"), &json!(1000)));
    assert_eq!(client.get("/v1/scenarios/runs?state=timeout")["runs"][0]["id"], run);
    client.refused(&path(&run, "score"), &json!({}), 400, "`timeout`");
    let devbox = client.get(&format!("/v1/devboxes/{}", ended["devbox_id"].as_str().unwrap()));
    assert_eq!(devbox["status"], "shutdown");
}

#[test]
fn a_request_that_is_sent_again_is_answered_again_also_after_a_restart() {
    let client = Client::start();
    let body = ranked(1);
    let first = client.keyed("key-1", &client.token, "/v1/scenarios", &body);
    let again = client.keyed("key-1", &client.token, "/v1/scenarios", &body);
    assert_eq!((first.expect(200), again.header("x-idempotent-replayed")), (again.expect(200), Some("true")));
    let told = check_refusal(&client.keyed("key-1", &client.token, "/v1/scenarios", &ranked(2)), 400, "key-1");
    assert_eq!(told["code"], "idempotency_key_reused");
    let scenario = id(&first.json());
    // Each organisation has keys of its own, and whoever may only read is told nothing.
    let other = client.server.token("other", "ci");
    assert_ne!(client.keyed("key-1", &other, "/v1/scenarios", &body).expect(200)["id"], scenario);
    let reader = client.server.token("acme", "runtime");
    check_refusal(&client.keyed("key-1", &reader, "/v1/scenarios", &body), 403, "role");
    assert_eq!(client.get("/v1/scenarios")["total_count"], 1);

    let run = client.run(&scenario, None);
    let path = format!("/v1/scenarios/runs/{run}/score");
    let scoring = client.keyed("key-2", &client.token, &path, &json!({})).expect(200);
    client.scored(&run);
    assert_eq!(client.keyed("key-2", &client.token, &path, &json!({})).expect(200), scoring);

    let token = client.token.clone();
    let (data, folder) = client.server.kill();
    let client = Client { server: Server::start_over(&data, &[]), token };
    assert_eq!(client.keyed("key-1", &client.token, "/v1/scenarios", &body).expect(200), first.json());
    assert_eq!(client.keyed("key-2", &client.token, &path, &json!({})).expect(200), scoring);
    assert_eq!(client.get("/v1/scenarios")["total_count"], 1);
    drop((client, folder));
}

#[test]
fn pages_go_on_where_the_last_one_ended_whatever_is_made_meanwhile() {
    let client = Client::start();
    let mut made: Vec<String> = (1..=5).map(|rank| client.scenario(&ranked(rank))).collect();
    made.reverse();
    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let page = client.get(&format!("/v1/scenarios?limit=2{after}"));
        let items: Vec<String> = page["scenarios"].as_array().unwrap().iter().map(id).collect();
        after = format!("&starting_after={}", items.last().unwrap());
        seen.extend(items);
        if page["has_more"] == false {
            assert_eq!((&page["remaining_count"], seen.len()), (&json!(0), 5));
            break;
        }
        client.scenario(&ranked(1));
    }
    assert_eq!(seen, made);
    let page = client.get("/v1/scenarios?include_total_count=false&limit=1&name=rank%202");
    assert_eq!((page.get("total_count"), page["scenarios"].as_array().unwrap().len()), (None, 1));
    assert_eq!(client.get("/v1/scenarios?search=RANK%203")["total_count"], 1);
    assert_eq!(client.get(&format!("/v1/scenarios?search={}", made[0]))["total_count"], 1);
    assert_eq!(client.get("/v1/scenarios?validation_type=FORWARD")["total_count"], 0);
    let benchmark = client.benchmark(&[&made[0], &made[2]]);
    assert_eq!(client.get(&format!("/v1/scenarios?benchmark_id={benchmark}"))["total_count"], 2);
    assert_eq!(client.get(&format!("/v1/benchmarks/{benchmark}/definitions?limit=1"))["has_more"], true);
    let runs = [client.benchmark_run(&benchmark), client.benchmark_run(&client.benchmark(&[&made[1]]))];
    client.ask(&format!("/v1/benchmark_runs/{}/cancel", runs[0]));
    let other = client.benchmark(&[]);
    for (query, count) in [
        (format!("benchmark_id={benchmark},{other}"), 1),
        (format!("benchmark_id={benchmark}&state=running"), 0),
        ("state=running&state=canceled".to_owned(), 2),
    ] {
        assert_eq!(client.get(&format!("/v1/benchmark_runs?{query}"))["total_count"], count, "{query}");
    }
    for query in ["limit=0", "limit=5001", "limit=x", "include_total_count=perhaps"] {
        check_refusal(&client.server.get(&format!("/v1/scenarios?{query}"), &client.token), 400, "expected");
    }
}

#[test]
fn what_belongs_to_others_looks_like_what_is_not_there() {
    let client = Client::start();
    let scenario = client.scenario(&ranked(1));
    let benchmark = client.benchmark(&[&scenario]);
    let run = client.benchmark_run(&benchmark);
    let one = client.run(&scenario, Some(&run));
    let devbox = client.get(&format!("/v1/scenarios/runs/{one}"))["devbox_id"].as_str().unwrap().to_owned();
    let scorer = client.post("/v1/scenarios/scorers", &json!({ "type": "metric:RR", "bash_script": "" }));
    let stranger = client.server.token("other", "admin");
    let empty = json!({});
    let told = json!({ "name": "n" });
    let scored = json!({ "type": "metric:RR", "bash_script": "" });
    let waits = json!({ "statuses": ["running"] });
    let context = json!({ "scoring_context": {} });
    let cases: Vec<(&str, String, &str, &Value)> = [
        ("GET", "/v1/scenarios/ID", scenario.as_str(), &empty),
        ("POST", "/v1/scenarios/ID", &scenario, &told),
        ("POST", "/v1/scenarios/ID/archive", &scenario, &empty),
        ("GET", "/v1/benchmarks/ID", &benchmark, &empty),
        ("POST", "/v1/benchmarks/ID", &benchmark, &told),
        ("GET", "/v1/benchmarks/ID/definitions", &benchmark, &empty),
        ("POST", "/v1/benchmarks/ID/scenarios", &benchmark, &empty),
        ("GET", "/v1/benchmark_runs/ID", &run, &empty),
        ("POST", "/v1/benchmark_runs/ID/complete", &run, &empty),
        ("POST", "/v1/benchmark_runs/ID/cancel", &run, &empty),
        ("GET", "/v1/benchmark_runs/ID/scenario_runs", &run, &empty),
        ("GET", "/v1/benchmarks/runs/ID", &run, &empty),
        ("GET", "/v1/scenarios/runs/ID", &one, &empty),
        ("POST", "/v1/scenarios/runs/ID/score", &one, &empty),
        ("POST", "/v1/scenarios/runs/ID/complete", &one, &empty),
        ("POST", "/v1/scenarios/runs/ID/cancel", &one, &empty),
        ("POST", "/v1/scenarios/runs/ID/download_logs", &one, &empty),
        ("GET", "/v1/devboxes/ID", &devbox, &empty),
        ("POST", "/v1/devboxes/ID/wait_for_status", &devbox, &waits),
        ("GET", "/v1/scenarios/scorers/ID", scorer["id"].as_str().unwrap(), &empty),
        ("POST", "/v1/scenarios/scorers/ID", scorer["id"].as_str().unwrap(), &scored),
        ("POST", "/v1/scenarios/scorers/ID/validate", scorer["id"].as_str().unwrap(), &context),
        ("GET", "/v1/benchmark_jobs/ID", "bmj_1", &empty),
    ]
    .map(|(method, path, id, body)| (method, path.to_owned(), id, body))
    .into();
    for (method, path, id, body) in cases {
        let unknown = format!("{}_0", id.split('_').next().unwrap());
        let told = |id: &str| {
            let answer = client.server.send(method, &path.replace("ID", id), &stranger, Some(body));
            check_refusal(&answer, 404, id).to_string().replace(id, "ID")
        };
        assert_eq!(told(id), told(&unknown), "{path}");
    }
    let bodies = [
        ("/v1/benchmarks", json!({ "name": "b", "scenario_ids": ["ID"] }), &scenario),
        ("/v1/benchmarks/start_run", json!({ "benchmark_id": "ID" }), &benchmark),
        ("/v1/benchmark_runs", json!({ "benchmark_ids": ["ID"] }), &benchmark),
        ("/v1/scenarios/start_run", json!({ "scenario_id": "ID" }), &scenario),
        (
            "/v1/benchmark_jobs",
            json!({ "spec": { "type": "scenarios", "scenario_ids": ["ID"], "agent_configs": [{ "type": "job_agent", "name": "r" }] } }),
            &scenario,
        ),
        (
            "/v1/benchmark_jobs",
            json!({ "spec": { "type": "benchmark", "benchmark_id": "ID", "agent_configs": [{ "type": "job_agent", "name": "r" }] } }),
            &benchmark,
        ),
    ];
    for (path, body, id) in bodies {
        let told = |id: &str| {
            let body = serde_json::from_str(&body.to_string().replace("ID", id)).unwrap();
            check_refusal(&client.server.post(path, &stranger, &body), 404, id).to_string().replace(id, "ID")
        };
        assert_eq!(told(id), told("x_0"), "{path}");
    }
    for path in ["/v1/scenarios", "/v1/benchmarks", "/v1/benchmark_runs", "/v1/scenarios/runs", "/v1/scenarios/scorers"]
    {
        assert_eq!(client.server.get(path, &stranger).expect(200)["total_count"], 0, "{path}");
    }
}
