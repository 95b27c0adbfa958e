//! What scenarios, contracts and scorers may be, and what is refused.

use super::*;

#[test]
fn contracts_that_cannot_be_kept_are_refused_when_they_are_made() {
    let client = Client::start();
    let made = |functions: &[Value]| scenario("q", &["a"], &["a"], functions);
    let scorer = |scorer: Value| made(&[json!({ "name": "f", "weight": 1, "scorer": scorer })]);
    let programs = [
        json!({ "type": "bash_script_scorer", "bash_script": "echo score=1" }),
        json!({ "type": "command_scorer", "command": "true" }),
        json!({ "type": "python_script_scorer", "python_script": "print(1)" }),
        json!({ "type": "test_based_scorer", "test_command": "true" }),
        json!({ "type": "ast_grep_scorer", "pattern": "a", "search_directory": "." }),
    ];
    for program in programs {
        let told = client.refused("/v1/scenarios", &scorer(program), 400, "--allow-native-scorers");
        assert_eq!(told["code"], "native_scorers_refused");
    }
    let script = json!({ "type": "mine", "bash_script": "echo score=1" });
    client.refused("/v1/scenarios/scorers", &script, 400, "--allow-native-scorers");
    let custom = |kind: &str| scorer(json!({ "type": "custom_scorer", "custom_scorer_type": kind }));
    for kind in ["no-such", "no-such@1.0.0", "../../etc/passwd", ""] {
        client.refused("/v1/scenarios", &custom(kind), 404, "no component");
    }
    client.refused("/v1/scenarios", &custom("metric:nDGC@10"), 400, "names no metric");
    client.refused("/v1/scenarios", &made(&[]), 400, "expected 1 to");
    client.refused("/v1/scenarios", &made(&[metric("a b", "RR", 1.0)]), 400, "letters, digits");
    client.refused("/v1/scenarios", &made(&[metric("a", "RR", 0.0)]), 400, "above 0");
    client.refused("/v1/scenarios", &made(&[metric("a", "RR", -1.0)]), 400, "above 0");
    client.refused("/v1/scenarios", &made(&[metric("a", "RR", 1.0), metric("a", "RR", 1.0)]), 400, "two scoring");
    let mut wrong = ranked(1);
    wrong["input_context"]["additional_context"]["judgments"] = json!([{ "item": 1 }]);
    client.refused("/v1/scenarios", &wrong, 400, "fields of a session");
    wrong = ranked(1);
    wrong["input_context"]["additional_context"]["hits"] = json!("a, b");
    client.refused("/v1/scenarios", &wrong, 400, "no ranking");
    client.refused("/v1/scenarios", &json!({ "name": "x" }), 400, "missing field");
    client.refused("/v1/scenarios", &json!([]), 400, "");
    let broken = client.server.send_bytes(
        "POST",
        "/v1/scenarios",
        &[("authorization", &format!("Bearer {}", client.token))],
        Some(("application/json", b"{".to_vec())),
    );
    check_refusal(&broken, 400, "not JSON");
    let harbor = json!({ "spec": { "type": "harbor", "inline_yaml": "a: 1" } });
    client.refused("/v1/benchmark_jobs", &harbor, 400, "harbor");
    assert_eq!(client.get("/v1/scenarios")["total_count"], 0);
    // Names that the engine has other uses for.
    let names = ["RR", "AP", "session_id", "scorers", "scenario_score", &"x".repeat(128)];
    let functions: Vec<Value> = names.iter().map(|name| metric(name, "RR", 1.0)).collect();
    let run = client.run(&client.scenario(&made(&functions)), None);
    assert!(close(&client.scored(&run)["scoring_contract_result"]["score"], 1.0));
}

#[test]
fn changes_replace_what_they_name_and_keep_the_rest() {
    let client = Client::start();
    let scenario = client.scenario(&ranked(1));
    let before = client.get(&format!("/v1/scenarios/{scenario}"));
    let path = format!("/v1/scenarios/{scenario}");
    assert_eq!(client.post(&path, &json!({ "name": null, "metadata": null, "input_context": {} })), before);
    let change = json!({ "name": "n", "metadata": { "a": "b" }, "validation_type": "FORWARD", "reference_output": "x",
        "input_context": { "problem_statement": "p" }, "scorer_timeout_sec": 7, "required_secret_names": ["S"] });
    let after = client.post(&path, &change);
    assert_eq!(after["input_context"]["problem_statement"], "p");
    assert_eq!(after["input_context"]["additional_context"], before["input_context"]["additional_context"]);
    assert_eq!((&after["validation_type"], &after["scorer_timeout_sec"]), (&json!("FORWARD"), &json!(7)));
    let cleared = client.post(&path, &json!({ "metadata": {}, "reference_output": "", "required_secret_names": [] }));
    assert_eq!((&cleared["metadata"], cleared.get("reference_output")), (&json!({}), None));
    client.refused(
        &path,
        &json!({ "validation_type": "SIDEWAYS" }),
        400,
        "`validation_type` is `SIDEWAYS`; expected one of",
    );

    let benchmark = client.benchmark(&[&scenario]);
    let other = client.scenario(&ranked(2));
    let path = format!("/v1/benchmarks/{benchmark}");
    let members = |answer: &Value| answer["scenarioIds"].clone();
    let change = json!({ "scenarios_to_add": [other, other, scenario] });
    assert_eq!(members(&client.post(&format!("{path}/scenarios"), &change)), json!([scenario, other]));
    let change = json!({ "scenarios_to_remove": [scenario, "scn_0"] });
    assert_eq!(members(&client.post(&format!("{path}/scenarios"), &change)), json!([other]));
    assert_eq!(members(&client.post(&path, &json!({ "scenario_ids": null, "description": "d" }))), json!([other]));
    assert_eq!(members(&client.post(&path, &json!({ "scenario_ids": [] }))), json!([]));
    assert_eq!(client.get(&path)["description"], "d");

    assert_eq!(client.ask(&format!("/v1/scenarios/{scenario}/archive"))["status"], "archived");
    assert_eq!(client.get("/v1/scenarios")["total_count"], 1);
    client.refused(&format!("/v1/scenarios/{scenario}"), &json!({ "name": "m" }), 400, "`archived`");
    client.refused("/v1/scenarios/start_run", &json!({ "scenario_id": scenario }), 400, "`archived`");
    client.refused("/v1/benchmarks", &json!({ "name": "b", "scenario_ids": [scenario] }), 400, "`archived`");
}

#[test]
fn a_run_begins_with_all_that_is_required_and_with_scenarios_of_its_benchmark() {
    let client = Client::start();
    let mut body = ranked(1);
    body["required_environment_variables"] = json!(["REGION"]);
    let scenario = client.scenario(&body);
    let benchmark =
        json!({ "name": "b", "scenario_ids": [scenario], "required_secret_names": ["KEY"], "is_public": true });
    let benchmark = id(&client.post("/v1/benchmarks", &benchmark));
    let begin = |profile: Value| json!({ "benchmark_id": benchmark, "runProfile": profile });
    client.refused("/v1/benchmarks/start_run", &begin(json!({})), 400, "`KEY`");
    let profile = json!({ "envVars": { "REGION": "eu" }, "secrets": { "K": "KEY" }, "purpose": "nightly" });
    let run = client.post("/v1/benchmarks/start_run", &begin(profile));
    assert_eq!((&run["purpose"], &run["secrets_provided"]), (&json!("nightly"), &json!({ "K": "KEY" })));
    client.refused("/v1/scenarios/start_run", &json!({ "scenario_id": scenario }), 400, "`REGION`");
    let one =
        client.post("/v1/scenarios/start_run", &json!({ "scenario_id": scenario, "benchmark_run_id": run["id"] }));
    assert_eq!(one["environment_variables"], json!({ "REGION": "eu" }));
    let stranger = client.scenario(&ranked(1));
    let wrong = json!({ "scenario_id": stranger, "benchmark_run_id": run["id"] });
    client.refused("/v1/scenarios/start_run", &wrong, 400, "none of benchmark run");
    let nobody = json!({ "scenario_id": stranger, "metadata": { "retriever_id": "ret_0" } });
    client.refused("/v1/scenarios/start_run", &nobody, 404, "no retriever `ret_0`");
    assert_eq!(client.get("/v1/benchmarks/list_public")["total_count"], 1);
    assert_eq!(client.get("/v1/scenarios/list_public")["total_count"], 0);
    client.refused("/v1/benchmark_runs", &json!({ "benchmark_ids": [] }), 400, "one at least");
}

#[test]
fn clients_wait_for_a_devbox_and_take_the_logs_home() {
    let client = Client::start();
    let run = client.post("/v1/scenarios/start_run", &json!({ "scenario_id": client.scenario(&ranked(2)) }));
    let path = format!("/v1/devboxes/{}/wait_for_status", run["devbox_id"].as_str().unwrap());
    let waits = json!({ "statuses": ["running", "failure", "shutdown"], "timeout_seconds": 30.0 });
    assert_eq!(client.post(&path, &waits)["status"], "running");
    let not_yet = json!({ "statuses": ["shutdown"], "timeout_seconds": 0.2 });
    check_refusal(&client.server.post(&path, &client.token, &not_yet), 408, "`running`");
    let run = id(&run);
    client.scored(&run);
    // Whoever may read may take the logs, though it is a POST.
    let reader = client.server.token("acme", "runtime");
    let logs = client.server.send("POST", &format!("/v1/scenarios/runs/{run}/download_logs"), &reader, None);
    assert_eq!((logs.status, logs.header("content-type")), (200, Some("application/zip")));
    assert!(logs.body.starts_with("PK"), "{}", logs.body);
    check_refusal(&client.server.post("/v1/scenarios", &reader, &ranked(1)), 403, "role");
    client.ask(&format!("/v1/scenarios/runs/{run}/complete"));
    assert_eq!(client.post(&path, &waits)["status"], "shutdown");
}

#[test]
fn a_registered_scorer_is_tried_and_named_in_contracts() {
    let client = Client::start();
    let scorer = id(&client.post("/v1/scenarios/scorers", &json!({ "type": "metric:P@2", "bash_script": "" })));
    client.refused("/v1/scenarios/scorers", &json!({ "type": "no-such", "bash_script": "" }), 404, "no component");
    let context = json!({ "query": "mug", "hits": ["a", "b"], "judgments": [{ "item_id": "a", "grade": 1 }] });
    let tried =
        client.post(&format!("/v1/scenarios/scorers/{scorer}/validate"), &json!({ "scoring_context": context }));
    assert_eq!((&tried["name"], &tried["scoring_context"]), (&json!("metric:P@2"), &context));
    assert!(close(&tried["scoring_result"]["score"], 0.5), "{tried}");
    let changed =
        client.post(&format!("/v1/scenarios/scorers/{scorer}"), &json!({ "type": "metric:RR", "bash_script": "" }));
    assert_eq!((&changed["type"], changed["id"].as_str()), (&json!("metric:RR"), Some(scorer.as_str())));
    assert_eq!(client.get("/v1/scenarios/scorers?search=rr")["scorers"], json!([changed]));
}

#[test]
fn static_routes_win_over_identifiers() {
    let client = Client::start();
    for path in ["/v1/benchmarks/list_public", "/v1/benchmarks/runs", "/v1/scenarios/list_public", "/v1/scenarios/runs"]
    {
        assert_eq!(client.get(path)["total_count"], 0, "{path}");
    }
    client.refused("/v1/benchmarks/start_run", &json!({}), 400, "benchmark_id");
    client.refused("/v1/scenarios/start_run", &json!({}), 400, "scenario_id");
}
