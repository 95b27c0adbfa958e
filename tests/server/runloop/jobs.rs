//! Retrievers that answer scenarios, jobs that run all of them, and programs that score.

use super::super::slow_engine::SlowEngine;
use super::*;

/// Registers a retriever over one corpus, by the API of retrievers, and returns its identifier.
fn retriever(client: &Client, name: &str, title: f64) -> String {
    let parameters = json!({ "corpus": "products", "fields": { "title": title, "description": 1.0 } });
    retriever_of(client, name, "bm25", &parameters)
}

fn retriever_of(client: &Client, name: &str, kind: &str, parameters: &Value) -> String {
    let stages = json!([{ "stage_name": kind, "config": { "stage_id": kind, "parameters": parameters } }]);
    let body = json!({ "retriever_name": name, "collection_identifiers": ["products"], "stages": stages });
    let made = client.server.post("/v1/retrievers", &client.token, &body);
    assert!([200, 201].contains(&made.status), "{}", made.body);
    let made = made.json();
    let retriever = made.get("retriever").unwrap_or(&made);
    retriever["retriever_id"].as_str().unwrap().to_owned()
}

fn bring_products(client: &Client) {
    let products = std::fs::read(workspace().join("data/shop/products.jsonl")).unwrap();
    let bearer = format!("Bearer {}", client.token);
    let put = |path: &str, kind: &str, body: Vec<u8>| {
        client.server.send_bytes("PUT", path, &[("authorization", &bearer)], Some((kind, body))).expect(201)
    };
    put("/v1/files/products.jsonl", "application/octet-stream", products);
    let corpus = json!({ "path": "products.jsonl", "id": "item_id" }).to_string().into_bytes();
    put("/v1/corpora/products", "application/json", corpus);
}

#[test]
fn a_job_gives_what_runs_one_by_one_give() {
    let client = Client::start();
    bring_products(&client);
    let (flat, titled) = (retriever(&client, "flat", 1.0), retriever(&client, "titled", 3.0));
    // Two contracts in one benchmark: two runs of the engine for each agent.
    let contracts = [[metric("ndcg", "nDCG@10", 1.0)], [metric("rr", "RR", 1.0)]];
    let scenarios: Vec<String> = ["floor lamp", "tote bag", "mug"]
        .iter()
        .zip(contracts.iter().cycle())
        .map(|(query, functions)| {
            let items: Vec<String> = (1..300).map(|number| format!("p{number:04}")).collect();
            let items: Vec<&str> = items.iter().map(String::as_str).collect();
            client.scenario(&scenario(query, &[], &items, functions))
        })
        .collect();
    let benchmark = client.benchmark(&scenarios.iter().map(String::as_str).collect::<Vec<_>>());
    let agents =
        json!([{ "type": "job_agent", "name": flat }, { "type": "job_agent", "name": "titled", "agent_id": titled }]);
    let spec = json!({ "type": "benchmark", "benchmark_id": benchmark, "agent_configs": agents });
    let made = client.post("/v1/benchmark_jobs", &json!({ "spec": spec }));
    assert_eq!(made["in_progress_runs"].as_array().unwrap().len(), 2);
    let job = until("a job", || {
        let now = client.get(&format!("/v1/benchmark_jobs/{}", id(&made)));
        assert_ne!(now["state"], "failed", "{now}");
        (now["state"] == "completed").then_some(now)
    });
    for (outcome, retriever) in job["benchmark_outcomes"].as_array().unwrap().iter().zip([&flat, &titled]) {
        assert_eq!((&outcome["n_completed"], &outcome["n_failed"]), (&json!(3), &json!(0)));
        let body = json!({ "benchmark_id": benchmark, "metadata": { "retriever_id": retriever } });
        let run = id(&client.post("/v1/benchmarks/start_run", &body));
        for found in outcome["scenario_outcomes"].as_array().unwrap() {
            let one = client.run(found["scenario_definition_id"].as_str().unwrap(), Some(&run));
            assert_eq!(client.scored(&one)["scoring_contract_result"]["score"], found["score"]);
        }
        let run = client.ask(&format!("/v1/benchmark_runs/{run}/complete"));
        assert_eq!(run["score"], outcome["average_score"]);
        let of_job = client.get(&format!("/v1/benchmark_runs/{}", outcome["benchmark_run_id"].as_str().unwrap()));
        assert_eq!((&of_job["score"], &of_job["state"]), (&run["score"], &json!("completed")));
    }
    let nobody = json!({ "type": "benchmark", "benchmark_id": benchmark, "agent_configs": [{ "type": "job_agent", "name": "ret_0" }] });
    client.refused("/v1/benchmark_jobs", &json!({ "spec": nobody }), 404, "no retriever `ret_0`");
    let none = json!({ "type": "benchmark", "benchmark_id": benchmark, "agent_configs": [] });
    client.refused("/v1/benchmark_jobs", &json!({ "spec": none }), 400, "at least one of each");
}

#[test]
fn a_retriever_in_sql_answers_scenarios() {
    let client = Client::start();
    bring_products(&client);
    let query = "SELECT item_id, 1.0 AS score FROM products ORDER BY item_id LIMIT $depth";
    let parameters = json!({ "corpora": ["products"], "query": query });
    let sql = retriever_of(&client, "sql", "sql", &parameters);
    let mut body = scenario("q", &[], &["p0001"], &[metric("rr", "RR", 1.0)]);
    body["metadata"] = json!({ "retriever_id": sql });
    let run = client.scored(&client.run(&client.scenario(&body), None));
    assert_eq!(run["state"], "scored", "{run}");
}

#[test]
fn cancelling_the_run_of_one_agent_leaves_the_others_of_a_job() {
    let engine = SlowEngine::start();
    let client = Client::of(Server::start_with(&["--workers", "1", "--allow-outbound", &engine.address]));
    bring_products(&client);
    let retrievers = [retriever(&client, "flat", 1.0), retriever(&client, "titled", 3.0)];
    // The only worker has something to do until one of the runs is canceled.
    let far = retriever_of(&client, "far", "http", &engine.parameters());
    let slow = client.scenario(&scenario("slow", &[], &["p0002"], &[metric("rr", "RR", 1.0)]));
    let first =
        json!({ "type": "scenarios", "scenario_ids": [slow], "agent_configs": [{ "type": "job_agent", "name": far }] });
    client.post("/v1/benchmark_jobs", &json!({ "spec": first }));
    let items: Vec<String> = (1..300).map(|number| format!("p{number:04}")).collect();
    let items: Vec<&str> = items.iter().map(String::as_str).collect();
    let good = client.scenario(&scenario("mug", &[], &items, &[metric("rr", "RR", 1.0)]));
    let undefined = client.scenario(&scenario("mug", &[], &[], &[metric("rr", "RR", 1.0)]));
    let agents: Vec<Value> = retrievers.iter().map(|id| json!({ "type": "job_agent", "name": id })).collect();
    let spec = |options: Value| {
        json!({ "spec": { "type": "scenarios", "scenario_ids": [good, undefined], "agent_configs": agents,
            "orchestrator_config": options } })
    };
    let wrong = [
        (json!({ "n_attempts": 11 }), "`n_attempts` is 11"),
        (json!({ "n_concurrent_trials": 0 }), "`n_concurrent_trials` is 0"),
        (json!({ "timeout_multiplier": 0 }), "`timeout_multiplier` is 0"),
        (json!({ "timeout_multiplier": 1e9 }), "up to 100"),
    ];
    for (options, fragment) in wrong {
        client.refused("/v1/benchmark_jobs", &spec(options), 400, fragment);
    }
    let options = json!({ "n_attempts": 1, "timeout_multiplier": 2, "n_concurrent_trials": 4, "quiet": true });
    let job = client.post("/v1/benchmark_jobs", &spec(options));
    let run_of = |place: usize| job["in_progress_runs"][place]["benchmark_run_id"].as_str().unwrap().to_owned();
    assert_eq!(client.ask(&format!("/v1/benchmark_runs/{}/cancel", run_of(0)))["state"], "canceled");
    engine.release();
    let job = until("a job", || {
        let now = client.get(&format!("/v1/benchmark_jobs/{}", id(&job)));
        now["in_progress_runs"].as_array().unwrap().is_empty().then_some(now)
    });
    let [canceled, other] = [&job["benchmark_outcomes"][0], &job["benchmark_outcomes"][1]];
    let states = |outcome: &Value| -> Vec<String> {
        let found = outcome["scenario_outcomes"].as_array().unwrap();
        found.iter().map(|one| one["state"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((states(canceled), canceled.get("average_score")), (vec!["CANCELED".to_owned(); 2], None));
    assert_eq!(states(other), ["COMPLETED", "FAILED"], "{job}");
    // A job tells the mean of what has a score; its runs count what has none too.
    let run = client.get(&format!("/v1/benchmark_runs/{}", other["benchmark_run_id"].as_str().unwrap()));
    assert!(close(&run["score"], other["average_score"].as_f64().unwrap() / 2.0), "{run}");
    assert_eq!(run["unscored_scenario_runs"], 1);
}

/// Begins a job of some scenarios of which the last one, `slow`, takes as long as the engine wishes, and returns the job and
/// its run when some have a score.
fn half_done(client: &Client, engine: &SlowEngine) -> (String, String) {
    let far = retriever_of(client, "far", "http", &engine.parameters());
    let queries = (0..23).map(|number| format!("q{number}")).chain(["slow".to_owned()]);
    let functions = [metric("rr", "RR", 1.0)];
    let scenarios: Vec<String> =
        queries.map(|query| client.scenario(&scenario(&query, &[], &["p0002"], &functions))).collect();
    let spec = json!({ "type": "scenarios", "scenario_ids": scenarios, "agent_configs": [{ "type": "job_agent", "name": far }] });
    let job = client.post("/v1/benchmark_jobs", &json!({ "spec": spec }));
    let run = job["in_progress_runs"][0]["benchmark_run_id"].as_str().unwrap().to_owned();
    until("some scores", || (!completed(client, &run).is_empty()).then_some(()));
    (id(&job), run)
}

/// Returns the scenario runs of a run that are complete.
fn completed(client: &Client, run: &str) -> Vec<Value> {
    let found = client.get(&format!("/v1/benchmark_runs/{run}/scenario_runs?state=completed&limit=100"));
    found["runs"].as_array().unwrap().clone()
}

#[test]
fn a_job_that_is_canceled_keeps_the_scores_that_were_computed() {
    let engine = SlowEngine::start();
    let client = Client::of(Server::start_with(&["--allow-outbound", &engine.address]));
    bring_products(&client);
    let (job, run) = half_done(&client, &engine);
    let before = completed(&client, &run);
    assert!(before.iter().all(|one| one["scoring_contract_result"]["score"] == 0.5), "{before:?}");
    let canceled = client.ask(&format!("/v1/benchmark_runs/{run}/cancel"));
    assert_eq!((&canceled["state"], &canceled["score"]), (&json!("canceled"), &json!(0.5)));
    let after = completed(&client, &run);
    assert!(before.iter().all(|one| after.contains(one)) && after.len() < 24);
    assert_eq!(canceled["scenario_runs"].as_array().unwrap().len(), after.len());
    let job = until("the end of the job", || {
        let now = client.get(&format!("/v1/benchmark_jobs/{job}"));
        (now["state"] == "cancelled").then_some(now)
    });
    let outcome = &job["benchmark_outcomes"][0];
    assert_eq!((&outcome["n_completed"], &outcome["average_score"]), (&json!(after.len()), &json!(0.5)));
    let all = client.get(&format!("/v1/benchmark_runs/{run}/scenario_runs?state=canceled&limit=100"));
    assert_eq!(all["runs"].as_array().unwrap().len() + after.len(), 24);
    assert_eq!(completed(&client, &run), after);
}

#[test]
fn scenario_runs_that_were_finished_stay_so_when_the_server_is_killed() {
    let engine = SlowEngine::start();
    let arguments = ["--allow-outbound", engine.address.as_str()];
    let client = Client::of(Server::start_with(&arguments));
    bring_products(&client);
    let (job, run) = half_done(&client, &engine);
    let before = completed(&client, &run);
    let Client { server, token } = client;
    let (data, _folder) = server.kill();
    let client = Client { server: Server::start_over(&data, &arguments), token };
    let after = completed(&client, &run);
    assert!(before.iter().all(|one| after.contains(one)), "{before:?} {after:?}");
    engine.release();
    let job = until("the end of the job", || {
        let now = client.get(&format!("/v1/benchmark_jobs/{job}"));
        assert_ne!(now["state"], "failed", "{now}");
        (now["state"] == "completed").then_some(now)
    });
    assert_eq!(job["benchmark_outcomes"][0]["n_completed"], 24, "{job}");
    let whole = completed(&client, &run);
    assert!(before.iter().all(|one| whole.contains(one)));
}

/// Returns whether this machine has what programs of others are confined by.
fn can_confine() -> bool {
    // Where the list of security modules is not mounted, the kernel's symbols say whether it was built with this one.
    let says = |path: &str, word: &str| std::fs::read_to_string(path).ok().map(|text| text.contains(word));
    let has_landlock = says("/sys/kernel/security/lsm", "landlock")
        .or_else(|| says("/proc/kallsyms", "landlock_create_ruleset"))
        .unwrap_or(false);
    let mut words = vec!["--net"];
    if std::fs::read_to_string("/proc/self/status").is_ok_and(|status| !status.contains("\nUid:\t0\t")) {
        words.extend(["--user", "--map-current-user"]);
    }
    let ended = std::process::Command::new("unshare").args(words).arg("true").output();
    has_landlock && ended.is_ok_and(|ended| ended.status.success())
}

#[test]
fn programs_score_where_the_operator_allows_them() {
    let client = Client::of(Server::start_with(&["--allow-native-scorers"]));
    let function = |name: &str, scorer: Value| json!({ "name": name, "weight": 1, "scorer": scorer });
    let context = "import json, os\ncontext = json.loads(os.environ['RL_SCORER_CONTEXT'])\n\
                   assert context['hits'][1]['item_id'] == 'b' and context['input_context']['problem_statement'] == 'q'\n\
                   print('looked at', len(context['hits']))\nprint(0.25)\n";
    let files = json!([{ "file_path": "tests/expected", "file_contents": "42" }]);
    let functions = [
        function("bash", json!({ "type": "bash_script_scorer", "bash_script": "echo hello; echo score=0.5; exit 4" })),
        function("command", json!({ "type": "command_scorer", "command": "exit 3" })),
        function("python", json!({ "type": "python_script_scorer", "python_script": context })),
        function(
            "test",
            json!({ "type": "test_based_scorer", "test_command": "grep 42 tests/expected", "test_files": files }),
        ),
        metric("rr", "RR", 1.0),
    ];
    let scenario_id = client.scenario(&scenario("q", &["a", "b"], &["b"], &functions));
    let run = client.scored(&client.run(&scenario_id, None));
    let result = &run["scoring_contract_result"];
    if result.to_string().contains("not run here") {
        let must = std::env::var("REMATCH_GUEST_TOOLCHAIN").as_deref() == Ok("1") && can_confine();
        assert!(!must, "this machine can confine programs, and they were refused: {result}");
        eprintln!("skipped: this machine cannot confine programs");
        return;
    }
    let scores: Vec<f64> = result["scoring_function_results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["score"].as_f64().unwrap())
        .collect();
    assert_eq!((run["state"].as_str(), scores), (Some("scored"), vec![0.5, 0.0, 0.25, 1.0, 0.5]), "{run}");
    assert!(close(&result["score"], 0.45));
    assert!(result["scoring_function_results"][0]["output"].as_str().unwrap().contains("hello"));

    // One that prints no score, one that fails and prints none, one that prints too much, and one that does not end.
    for (script, state, fragment) in [
        ("echo done", "failed", "no score"),
        ("exit 3", "failed", "exited with 3"),
        ("echo score=7", "failed", "printed 7"),
        ("sleep 60", "timeout", "the limit"),
    ] {
        let bash = function("bash", json!({ "type": "bash_script_scorer", "bash_script": script }));
        let mut body = scenario("q", &["a"], &["a"], &[bash]);
        body["scorer_timeout_sec"] = json!(if state == "timeout" { 2 } else { 120 });
        let run = client.scored(&client.run(&client.scenario(&body), None));
        let told = &run["scoring_contract_result"]["scoring_function_results"][0];
        assert_eq!((run["state"].as_str(), told["state"].as_str()), (Some(state), Some("error")), "{run}");
        assert!(told["output"].as_str().unwrap().contains(fragment), "{told}");
    }

    // A registered script, tried and then named in a contract; it needs no ranking.
    let script =
        "python3 -c 'import json, os; print(\"score=%s\" % json.loads(os.environ[\"RL_SCORER_CONTEXT\"])[\"want\"])'";
    let scorer = id(&client.post("/v1/scenarios/scorers", &json!({ "type": "wanted", "bash_script": script })));
    let tried = client
        .post(&format!("/v1/scenarios/scorers/{scorer}/validate"), &json!({ "scoring_context": { "want": 0.75 } }));
    assert_eq!(tried["scoring_result"]["score"], 0.75, "{tried}");
    let named = json!({ "type": "custom_scorer", "custom_scorer_type": "wanted", "scorer_params": { "want": 1 } });
    let mut body = scenario("q", &[], &[], &[function("wanted", named)]);
    body["input_context"]["additional_context"] = Value::Null;
    let run = client.scored(&client.run(&client.scenario(&body), None));
    assert_eq!(
        (run["state"].as_str(), run["scoring_contract_result"]["score"].as_f64()),
        (Some("scored"), Some(1.0)),
        "{run}"
    );
}
