//! `rematch doctor`, `probe` and `search` where things are not as they should be: what fails is named with its fix, and
//! no secret shows.

use serde_json::{Value, json};

use crate::preset_engine::Engine;
use crate::rematch::{Outcome, call, command, rematch};
use crate::sample;
use crate::workbench::Workbench;

const TOKEN: &str = "hunter2-is-the-token";

/// A benchmark that asks `url` with a bearer token of the environment.
fn guarded(url: &str) -> Workbench {
    let bench = Workbench::empty();
    let stage = json!({ "kind": "http", "url": url, "ids": "$.hits[*].id", "auth": { "bearer-env": "SEARCH_TOKEN" } });
    let benchmark = json!({
        "name": "guarded",
        "baseline": "prod",
        "candidates": ["shown"],
        "sessions": { "path": "sessions.jsonl" },
        "retriever": [
            { "id": "prod", "retries": 0, "stages": [stage] },
            { "id": "shown", "stages": [{ "kind": "shown" }] },
        ],
    });
    bench.write("bench.yaml", benchmark.to_string());
    bench.write("sessions.jsonl", "{\"session_id\": \"s\", \"query\": \"lamp\", \"shown\": [{\"item_id\": \"a\"}]}\n");
    bench
}

fn with_token(bench: &Workbench, arguments: &[&str]) -> Outcome {
    let mut command = command();
    call(command.current_dir(bench.path("")).env("SEARCH_TOKEN", TOKEN).args(arguments))
}

#[test]
fn a_healthy_benchmark_is_fine() {
    let bench = sample::shop(&sample::sessions(3));
    let outcome = rematch(["doctor".into(), bench.path("bench.toml")]).exits(0);
    for line in ["cores: ", "inputs: every file", "retriever `search`", "bm25 search: ", "everything "] {
        assert!(outcome.stdout.contains(line), "`{line}` is missing in:\n{}", outcome.stdout);
    }
    assert!(outcome.stdout.lines().all(|line| line.chars().count() <= 80), "{}", outcome.stdout);
}

#[test]
fn without_a_benchmark_only_the_machine_is_looked_at() {
    let printed = rematch(["doctor", "--json"]).exits(0).stdout;
    let groups: Value = serde_json::from_str(&printed).expect("JSON");
    let [machine] = groups.as_array().expect("groups").as_slice() else { panic!("{groups}") };
    let names: Vec<&str> = machine["checks"]
        .as_array()
        .expect("checks")
        .iter()
        .map(|check| check["name"].as_str().expect("a name"))
        .collect();
    assert!(names.contains(&"open files") && names.contains(&"version"), "{names:?}");
}

#[test]
fn a_missing_corpus_is_named_with_its_fix() {
    let bench = sample::shop(&sample::sessions(3));
    std::fs::remove_file(bench.path("products.jsonl")).expect("removed");
    let outcome = rematch(["doctor".into(), bench.path("bench.toml")]).exits(5);
    for line in ["FAILED  inputs: ", "products.jsonl", "fix: correct the path", "FAILED  build: "] {
        assert!(outcome.stdout.contains(line), "`{line}` is missing in:\n{}", outcome.stdout);
    }
}

#[test]
fn a_secret_that_is_not_set_is_asked_for_by_name() {
    let engine = Engine::answering(200, &json!({ "hits": [{ "id": "a" }] }));
    let bench = guarded(&format!("{}/search?q={{{{ query }}}}", engine.url));
    let mut command = command();
    let outcome = call(command.env_remove("SEARCH_TOKEN").arg("doctor").arg(bench.path("bench.yaml"))).exits(5);
    for line in [
        "ok      http tcp: 127.0.0.1:",
        "FAILED  http credentials: ",
        "fix: set it before the call: `export SEARCH_TOKEN=...`",
    ] {
        assert!(outcome.stdout.contains(line), "`{line}` is missing in:\n{}", outcome.stdout);
    }
}

#[test]
fn refused_credentials_are_told_from_a_dead_server_and_never_shown() {
    // Servers like to repeat what they were sent.
    let engine = Engine::answering(401, &json!({ "error": format!("no such token: {TOKEN}") }));
    let url = format!("{}/search?q={{{{ query }}}}", engine.url);
    let bench = guarded(&url);
    let doctor = with_token(&bench, &["doctor", "bench.yaml"]).exits(5);
    assert!(doctor.stdout.contains("FAILED  http search: unauthorised: "), "{}", doctor.stdout);
    assert!(doctor.stdout.contains("fix: check `auth` of the stage"), "{}", doctor.stdout);
    let search = with_token(&bench, &["search", "bench.yaml", "lamp"]).exits(5);
    assert!(search.stdout.contains("failed (unauthorised)"), "{}", search.stdout);
    let probe = with_token(&bench, &["probe", &url, "--bearer-env", "SEARCH_TOKEN"]).exits(5);
    assert!(probe.stdout.contains("401"), "{}", probe.stdout);
    assert_eq!(engine.heard().path, "/search?q=test");
    for Outcome { stdout, stderr, .. } in [doctor, search, probe] {
        assert!(!stdout.contains(TOKEN) && !stderr.contains(TOKEN), "{stdout}\n{stderr}");
        assert!(stdout.contains("[redacted]"), "{stdout}");
    }
}

#[test]
fn accepted_credentials_and_wrong_encryption_are_told() {
    let engine = Engine::answering(200, &json!({ "hits": [{ "id": "a" }] }));
    let bench = guarded(&format!("{}/search?q={{{{ query }}}}", engine.url));
    let doctor = with_token(&bench, &["doctor", "bench.yaml"]).exits(0);
    for line in
        ["ok      http credentials: `SEARCH_TOKEN` is set", "ok      http auth: ", "ok      http search: 1 hits in"]
    {
        assert!(doctor.stdout.contains(line), "`{line}` is missing in:\n{}", doctor.stdout);
    }
    // A server that speaks plain HTTP has no certificate to show.
    let bench = guarded(&format!("{}/search", engine.url.replace("http:", "https:")));
    let doctor = with_token(&bench, &["doctor", "bench.yaml"]).exits(5);
    for line in [
        "ok      http tcp: ",
        "FAILED  http tls: ",
        "fix: give the server a valid certificate",
        "FAILED  http search: tls: ",
    ] {
        assert!(doctor.stdout.contains(line), "`{line}` is missing in:\n{}", doctor.stdout);
    }
}

#[test]
fn probe_keeps_the_name_of_the_secret_in_the_stage_that_it_prints() {
    let answer = json!({ "results": [{ "sku": "a", "score": 0.5 }, { "sku": "b", "score": 0.25 }], "token": TOKEN });
    let engine = Engine::answering(200, &answer);
    let bench = guarded(&engine.url);
    let body = "{\"q\": {{ query }}, \"n\": {{ depth }}}";
    let url = format!("{}/search", engine.url);
    let arguments = ["probe", &url, "--body", body, "--bearer-env", "SEARCH_TOKEN", "--query", "red lamp"];
    let outcome = with_token(&bench, &arguments).exits(0);
    assert!(!outcome.stdout.contains(TOKEN), "{}", outcome.stdout);
    let (_, block) = outcome.stdout.split_once("[[retriever]]").expect("a block");
    let stage: Value = toml::from_str(&format!("[[retriever]]{block}")).expect("TOML");
    let stage = &stage["retriever"][0]["stages"][0];
    assert_eq!((&stage["ids"], &stage["scores"]), (&json!("$.results[*].sku"), &json!("$.results[*].score")));
    assert_eq!((&stage["body"], &stage["auth"]), (&json!(body), &json!({ "bearer-env": "SEARCH_TOKEN" })));
    let heard = engine.heard();
    assert_eq!((heard.method.as_str(), heard.body), ("POST", Some(json!({ "q": "red lamp", "n": 10 }))));
}

#[test]
fn probe_says_what_is_no_answer() {
    let empty = Engine::answering(200, &json!({ "results": [] }));
    let outcome = rematch(["probe", &empty.url]).exits(5);
    assert!(outcome.stdout.contains("No list with ids was found"), "{}", outcome.stdout);
    rematch(["probe", "http://127.0.0.1:1/?q={{ qery }}"]).exits(2).complains(&["qery", "query"]);
    rematch(["probe", "http://127.0.0.1:1/", "--preset", "elastic"]).exits(2).complains(&["elasticsearch"]);
}

#[test]
fn probe_says_first_that_the_server_refuses_and_proposes_nothing() {
    let body = json!({ "error": { "root_cause": [{ "type": "no_such_index", "index": "shpo" }] }, "status": 404 });
    for (status, says) in [
        (404, "404 is no answer: there is nothing at this address."),
        (400, "400 is a refusal: the server does not understand the search."),
        (503, "503 is a failure of the server."),
    ] {
        let engine = Engine::answering(status, &body);
        let preset = ["--preset", "elasticsearch", "--parameters", "{\"index\": \"shpo\"}"];
        let told = rematch(["probe", &engine.url].iter().chain(&preset)).exits(5).stdout;
        let said = told.find(says).unwrap_or_else(|| panic!("`{says}` is missing in:\n{told}"));
        assert!(told.find("no_such_index").is_some_and(|answer| said < answer), "the answer comes after it:\n{told}");
        for wrong in ["[[retriever]]", "is `ids` right?", "ids: "] {
            assert!(!told.contains(wrong), "`{wrong}` in:\n{told}");
        }
        let told = rematch(["probe", &engine.url, "--json"].iter().chain(&preset)).exits(5).stdout;
        let told: Value = serde_json::from_str(&told).expect("JSON");
        assert_eq!((&told["status"], &told["stage"]), (&json!(status), &Value::Null));
    }
}

#[test]
fn search_takes_a_session_of_the_benchmark_and_any_retriever_of_the_file() {
    let bench = sample::shop(&sample::sessions(3));
    let file = bench.path("bench.toml").display().to_string();
    let search = |arguments: &[&str]| rematch(["search", &file, "--json"].iter().chain(arguments));
    let answer = search(&["--session", "nobody"]).exits(4);
    assert!(answer.stderr.contains("no session `nobody`"), "{}", answer.stderr);
    let session = sample::sessions(1).remove(0);
    let answer = search(&["--session", &session.session_id]).exits(0).stdout;
    let shown: Value = serde_json::from_str(&answer).expect("JSON");
    assert_eq!(
        shown["hits"].as_array().expect("hits").len(),
        session.shown.len(),
        "the baseline shows the logged list"
    );
    let extra = "\n[[retriever]]\nid = \"spare\"\nstages = [{ kind = \"bm25\", corpus = \"products\", fields = { title = 2.0 } }]\n";
    bench.write("bench.toml", format!("{}{extra}", sample::BENCHMARK));
    let answer = search(&["red lamp", "-r", "spare", "--depth", "2"]).exits(0).stdout;
    let spare: Value = serde_json::from_str(&answer).expect("JSON");
    assert_eq!((spare["retriever_id"].as_str(), spare["hits"].as_array().map(Vec::len)), (Some("spare"), Some(2)));
    search(&["red lamp", "-r", "nope"]).exits(2).complains(&["unknown retriever `nope`", "`spare`"]);
}
