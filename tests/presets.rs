//! Each preset of the `http` stage, through the command line: the request that reaches the engine is the one that its
//! contract asks for, and of each of the engine's answers everything is read that is in it.
//!
//! A contract is a file in `engine/src/benchmark/stages/http_presets/contracts/`; where it comes from stands in it.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::preset_engine::{Engine, Request};
use crate::rematch::{Outcome, rematch, workspace};
use crate::workbench::Workbench;

/// What one engine asks for, and what it answers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Contract {
    #[serde(rename = "engine")]
    _engine: String,
    #[serde(rename = "versions")]
    _versions: String,
    #[serde(rename = "documentation")]
    _documentation: String,
    #[serde(rename = "origin")]
    _origin: String,
    /// The stage as written, without its URL.
    stage: Map<String, Value>,
    session: Asked,
    depth: usize,
    request: Request,
    answers: Vec<Answer>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    query: Option<String>,
    vector: Option<Vec<f32>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Answer {
    case: String,
    status: u16,
    body: Value,
    #[serde(default)]
    ids: Vec<String>,
    #[serde(default)]
    scores: Vec<f64>,
    /// Nanoseconds by name.
    #[serde(default)]
    timings: Map<String, Value>,
    /// The kind of failure; `server` for an error with the status of a success.
    error_kind: Option<String>,
    /// What the message of the failure must hold; `None` for an answer that is none.
    error: Option<String>,
}

fn contracts() -> Vec<Contract> {
    let folder = workspace().join("engine/src/benchmark/stages/http_presets/contracts");
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).expect("the contracts").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let read = |path: &std::path::PathBuf| {
        let text = std::fs::read(path).expect("a contract");
        serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    paths.iter().map(read).collect()
}

fn search(contract: &Contract, url: &str) -> Outcome {
    let mut stage = contract.stage.clone();
    stage.insert("kind".into(), "http".into());
    stage.insert("url".into(), url.into());
    let benchmark = json!({
        "name": "contract",
        "depth": 100,
        "baseline": "asked",
        "candidates": ["shown"],
        "sessions": { "path": "sessions.jsonl" },
        "retriever": [
            { "id": "asked", "retries": 0, "stages": [stage] },
            { "id": "shown", "stages": [{ "kind": "shown" }] },
        ],
    });
    let bench = Workbench::empty();
    let file = bench.write("bench.yaml", benchmark.to_string());
    let session =
        json!({ "session_id": "s", "query": contract.session.query, "query_vector": contract.session.vector });
    bench.write("sessions.jsonl", session.to_string() + "\n");
    let depth = contract.depth.to_string();
    let arguments = ["search", file.to_str().expect("text"), "--session", "s", "--depth", &depth, "--json"];
    rematch(arguments)
}

#[test]
fn requests_and_answers_are_those_of_the_contracts() {
    let contracts = contracts();
    assert_eq!(contracts.len(), 12, "one for each engine");
    for contract in &contracts {
        for answer in &contract.answers {
            let name = format!("{}: {}", contract.stage["preset"], answer.case);
            let engine = Engine::answering(answer.status, &answer.body);
            let outcome = search(contract, &engine.url);
            let said: Value = serde_json::from_str(&outcome.stdout).unwrap_or_else(|_| panic!("{name}: {outcome:?}"));
            assert_eq!(engine.heard(), contract.request, "{name}");
            match &answer.error {
                None => check_hits(answer, &said, &name),
                Some(error) => check_failure(answer, error, &said, &name),
            }
        }
    }
}

fn check_hits(answer: &Answer, said: &Value, name: &str) {
    assert_eq!(said["failure"], Value::Null, "{name}");
    let hits = said["hits"].as_array().expect("hits");
    let ids: Vec<&str> = hits.iter().map(|hit| hit["item_id"].as_str().expect("an id")).collect();
    let scores: Vec<f64> = hits.iter().map(|hit| hit["score"].as_f64().expect("a score")).collect();
    assert_eq!((ids, &scores), (answer.ids.iter().map(String::as_str).collect(), &answer.scores), "{name}");
    let reported = said["stages"][0]["reported"].as_array().expect("timings");
    let pair = |timing: &Value| (timing[0].as_str().expect("a name").to_owned(), timing[1].clone());
    let reported: Map<String, Value> = reported.iter().map(pair).collect();
    assert_eq!(reported, answer.timings, "{name}");
}

fn check_failure(answer: &Answer, error: &str, said: &Value, name: &str) {
    let failure = &said["failure"];
    assert_eq!(failure["kind"], answer.error_kind.as_deref().unwrap_or("server"), "{name}: {failure}");
    let message = failure["message"].as_str().expect("a message");
    assert!(message.contains(error), "{name}: {message}");
    assert!(failure["fix"].is_string(), "{name}: {failure}");
    assert_eq!(said["hits"], json!([]), "{name}");
}
