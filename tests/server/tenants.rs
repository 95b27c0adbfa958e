//! Every operation, asked by everybody: the matrix is made from the OpenAPI document, so that a new route is in it.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::running::{PATIENCE, Server};
use super::shop::{benchmark, sample as sample_file};
use crate::rematch::{binary, rematch};

/// One operation of the document.
struct Operation {
    method: String,
    path: String,
    /// The least role's scope: `read`, `write` or `admin`.
    scope: String,
    /// Media type and a body of the form that the document asks for.
    body: Option<(String, Vec<u8>)>,
}

/// How a thing is made whose identifiers another organisation tries. Those of families that a server does not have are left
/// out.
struct Seed {
    name: &'static str,
    method: &'static str,
    path: &'static str,
    body: fn(&Made) -> Body,
    /// Where the identifiers of the paths stand in the answer; for things that have the names that they are given, these.
    ids: &'static [&'static str],
    /// How the paths begin in which it is used.
    used_in: &'static [&'static str],
}

/// Identifiers of what was made, by the seed's name.
type Made = BTreeMap<&'static str, Vec<String>>;

enum Body {
    Json(Value),
    Bytes(Vec<u8>),
}

const SEEDS: &[Seed] = &[
    Seed {
        name: "token",
        method: "POST",
        path: "/v1/tokens",
        body: |_| Body::Json(json!({ "role": "ci" })),
        ids: &["/token/id"],
        used_in: &["/v1/tokens/{"],
    },
    Seed {
        name: "file",
        method: "PUT",
        path: "/v1/files/products.jsonl",
        body: |_| Body::Bytes(sample_file("data/shop/products.jsonl")),
        ids: &["products.jsonl"],
        used_in: &["/v1/files/{"],
    },
    Seed {
        name: "sessions",
        method: "PUT",
        path: "/v1/files/sessions.parquet",
        body: |_| Body::Bytes(sample_file("data/shop/sessions.parquet")),
        ids: &["sessions.parquet"],
        used_in: &["/v1/files/{"],
    },
    Seed {
        name: "secret",
        method: "PUT",
        path: "/v1/secrets/SEARCH_KEY",
        body: |_| Body::Json(json!({ "value": "open sesame" })),
        ids: &["SEARCH_KEY"],
        used_in: &["/v1/secrets/{"],
    },
    Seed {
        name: "corpus",
        method: "PUT",
        path: "/v1/corpora/products",
        body: |_| Body::Json(json!({ "path": "files/products.jsonl", "id": "item_id" })),
        ids: &["products"],
        used_in: &["/v1/corpora/{"],
    },
    Seed {
        name: "component",
        method: "PUT",
        path: "/v1/components/half-life-utility/0.1.0",
        body: |_| Body::Bytes(sample_file("plugins/half-life-utility/half-life-utility.wasm")),
        ids: &["half-life-utility", "0.1.0"],
        used_in: &["/v1/components/{"],
    },
    Seed {
        name: "spec",
        method: "PUT",
        path: "/v1/specs/nightly",
        body: |_| Body::Json(json!({ "toml": benchmark() })),
        ids: &["nightly"],
        used_in: &["/v1/specs/{"],
    },
    Seed {
        name: "run",
        method: "POST",
        path: "/v1/runs",
        body: |_| Body::Json(json!({ "toml": benchmark() })),
        ids: &["/id"],
        used_in: &["/v1/runs/{"],
    },
    Seed {
        name: "retriever",
        method: "POST",
        path: "/v1/retrievers",
        body: |_| retriever("of-the-owner"),
        ids: &["/retriever_id"],
        used_in: &["/v1/retrievers/{retriever_id}", "/v1/public/retrievers/{"],
    },
    Seed {
        name: "candidate",
        method: "POST",
        path: "/v1/retrievers",
        body: |_| retriever("another-of-the-owner"),
        ids: &["/retriever_id"],
        used_in: &["/v1/retrievers/{retriever_id}"],
    },
    Seed {
        name: "interaction",
        method: "POST",
        path: "/v1/retrievers/interactions",
        body: |_| {
            let act = json!({ "feature_id": "p1", "interaction_type": ["click"], "position": 0, "session_id": "s1" });
            Body::Json(act)
        },
        ids: &["/interaction_id"],
        used_in: &["/v1/retrievers/interactions/{"],
    },
    Seed {
        name: "retriever benchmark",
        method: "POST",
        path: "/v1/retrievers/benchmarks",
        body: |made| {
            let (baseline, candidate) = (&made["retriever"][0], &made["candidate"][0]);
            Body::Json(json!({
                "benchmark_name": "b", "baseline_retriever_id": baseline, "candidate_retriever_ids": [candidate]
            }))
        },
        ids: &["/benchmark_id"],
        used_in: &["/v1/retrievers/benchmarks/{"],
    },
    Seed {
        name: "dataset",
        method: "POST",
        path: "/v1/retrievers/evaluations/datasets",
        body: |_| {
            let query = json!({ "query_id": "q1", "query_input": { "query": "lamp" }, "relevant_documents": ["p1"] });
            Body::Json(json!({ "dataset_name": "of-the-owner", "queries": [query] }))
        },
        ids: &["/dataset_id"],
        used_in: &["/v1/retrievers/evaluations/datasets/{"],
    },
    Seed {
        name: "scenario",
        method: "POST",
        path: "/v1/scenarios",
        body: |_| {
            let scorer = json!({ "type": "custom_scorer", "custom_scorer_type": "metric:RR" });
            Body::Json(json!({
                "name": "lamp",
                "input_context": { "problem_statement": "lamp" },
                "scoring_contract": { "scoring_function_parameters": [{ "name": "rr", "weight": 1.0, "scorer": scorer }] },
            }))
        },
        ids: &["/id"],
        used_in: &["/v1/scenarios/{"],
    },
    Seed {
        name: "scorer",
        method: "POST",
        path: "/v1/scenarios/scorers",
        body: |_| Body::Json(json!({ "type": "metric:RR", "bash_script": "" })),
        ids: &["/id"],
        used_in: &["/v1/scenarios/scorers/{"],
    },
    Seed {
        name: "benchmark",
        method: "POST",
        path: "/v1/benchmarks",
        body: |made| Body::Json(json!({ "name": "b", "scenario_ids": made["scenario"] })),
        ids: &["/id"],
        used_in: &["/v1/benchmarks/{"],
    },
    Seed {
        name: "benchmark run",
        method: "POST",
        path: "/v1/benchmarks/start_run",
        body: |made| Body::Json(json!({ "benchmark_id": made["benchmark"][0] })),
        ids: &["/id"],
        used_in: &["/v1/benchmark_runs/{", "/v1/benchmarks/runs/{"],
    },
    Seed {
        name: "scenario run",
        method: "POST",
        path: "/v1/scenarios/start_run",
        body: |made| Body::Json(json!({ "scenario_id": made["scenario"][0] })),
        ids: &["/id"],
        used_in: &["/v1/scenarios/runs/{"],
    },
    Seed {
        name: "devbox",
        method: "POST",
        path: "/v1/scenarios/start_run",
        body: |made| Body::Json(json!({ "scenario_id": made["scenario"][0] })),
        ids: &["/devbox_id"],
        used_in: &["/v1/devboxes/{"],
    },
    Seed {
        name: "benchmark job",
        method: "POST",
        path: "/v1/benchmark_jobs",
        body: |made| {
            let agents = json!([{ "type": "job_agent", "name": made["retriever"][0] }]);
            Body::Json(json!({
                "spec": { "type": "scenarios", "scenario_ids": made["scenario"], "agent_configs": agents }
            }))
        },
        ids: &["/id"],
        used_in: &["/v1/benchmark_jobs/{"],
    },
];

fn retriever(name: &str) -> Body {
    let parameters = json!({ "corpus": "products", "fields": { "title": 1.0 } });
    let stage = json!({ "stage_name": "words", "config": { "stage_id": "bm25", "parameters": parameters } });
    Body::Json(json!({ "retriever_name": name, "stages": [stage], "collection_identifiers": ["products"] }))
}

/// Requests whose bodies name what belongs to others: the seed whose identifier it is, where it is posted, and the body.
type Nested = (&'static str, &'static str, fn(&str) -> Value);

const NESTED: &[Nested] = &[
    ("run", "/v1/compare", |id| json!({ "runs": [id, id] })),
    (
        "retriever",
        "/v1/retrievers/benchmarks",
        |id| json!({ "benchmark_name": "b", "baseline_retriever_id": id, "candidate_retriever_ids": ["ret_0"] }),
    ),
    ("retriever", "/v1/retrievers/interactions/list", |id| json!({ "retriever_id": id })),
    ("scenario", "/v1/benchmarks", |id| json!({ "name": "b", "scenario_ids": [id] })),
    ("scenario", "/v1/scenarios/start_run", |id| json!({ "scenario_id": id })),
    ("benchmark", "/v1/benchmarks/start_run", |id| json!({ "benchmark_id": id })),
    ("benchmark", "/v1/benchmark_runs", |id| json!({ "benchmark_ids": [id] })),
    ("benchmark", "/v1/benchmark_jobs", |id| {
        let agents = json!([{ "type": "job_agent", "name": "r" }]);
        json!({ "spec": { "type": "benchmark", "benchmark_id": id, "agent_configs": agents } })
    }),
];

/// Paths whose parameter names nothing that is made here, with the reason.
const NOT_SEEDED: &[(&str, &str)] = &[];

/// An answer: its status, and its body without what differs from request to request.
type Seen = (u16, String);

struct Asker {
    client: reqwest::blocking::Client,
    address: String,
}

impl Asker {
    fn ask(&self, operation: &Operation, token: Option<&str>, ids: &[String]) -> Seen {
        let method = reqwest::Method::from_bytes(operation.method.to_uppercase().as_bytes()).unwrap();
        let path = filled(&operation.path, ids);
        let mut request = self.client.request(method, format!("http://{}{path}", self.address));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some((kind, body)) = &operation.body {
            request = request.header("content-type", kind).body(body.clone());
        }
        let answer = request.send().unwrap_or_else(|error| panic!("{} {path}: {error}", operation.method));
        let status = answer.status().as_u16();
        // What streams without an end is seen by its head.
        let streams = answer.headers().get("content-type").is_some_and(|kind| kind == "text/event-stream");
        let body = if streams { String::new() } else { answer.text().unwrap() };
        (status, ids.iter().fold(body, |body, id| body.replace(id, "ID")))
    }
}

/// Returns the path with its parameters replaced by those identifiers, and by plausible ones beyond them.
fn filled(path: &str, ids: &[String]) -> String {
    let mut ids = ids.iter();
    let segments = path.split('/').map(|segment| {
        let Some(name) = segment.strip_prefix('{').and_then(|rest| rest.split('}').next()) else {
            return segment.to_owned();
        };
        ids.next().cloned().unwrap_or_else(|| format!("{}_{:032x}", name.trim_start_matches('*'), 7))
    });
    segments.collect::<Vec<_>>().join("/")
}

/// Returns an identifier of the same form that names nothing.
fn unknown_like(id: &str) -> String {
    let turned: String = id.chars().rev().take(12).map(|digit| if digit == '0' { '1' } else { '0' }).collect();
    format!("{}{turned}", &id[..id.len().saturating_sub(12)])
}

fn operations(document: &Value) -> Vec<Operation> {
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let scope = operation["security"][0]["token"][0].as_str();
            let scope =
                scope.unwrap_or_else(|| panic!("{method} {path} has no row: its security names no scope of `token`"));
            assert!(["read", "write", "admin"].contains(&scope), "{method} {path}: `{scope}` is no scope");
            let content = operation["requestBody"]["content"].as_object();
            let body = content.and_then(|content| content.iter().next()).map(|(kind, content)| {
                let body = match kind.as_str() {
                    "application/json" => sample(document, &content["schema"], 0).to_string().into_bytes(),
                    _ => b"x".to_vec(),
                };
                (kind.clone(), body)
            });
            operations.push(Operation { method: method.clone(), path: path.clone(), scope: scope.to_owned(), body });
        }
    }
    operations
}

/// Returns a value of that schema: what is required, and no more.
fn sample(document: &Value, schema: &Value, level: usize) -> Value {
    if level > 12 {
        return Value::Null;
    }
    if let Some(name) = schema["$ref"].as_str() {
        return sample(document, document.pointer(name.trim_start_matches('#')).unwrap_or(&Value::Null), level + 1);
    }
    for given in [&schema["example"], &schema["examples"][0], &schema["const"], &schema["default"], &schema["enum"][0]]
    {
        if !given.is_null() {
            return given.clone();
        }
    }
    let choices = ["oneOf", "anyOf"].into_iter().filter_map(|key| schema[key].as_array()).flatten();
    if let Some(choice) = choices.into_iter().find(|choice| choice["type"] != "null") {
        return sample(document, choice, level + 1);
    }
    let mut members = Map::new();
    for part in schema["allOf"].as_array().into_iter().flatten() {
        if let Value::Object(more) = sample(document, part, level + 1) {
            members.extend(more);
        }
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().find(|kind| *kind != "null").cloned().unwrap_or_default(),
        kind => kind.clone(),
    };
    match kind.as_str() {
        Some("string") if schema["format"] == "date-time" => json!("2026-01-01T00:00:00Z"),
        Some("string") => json!("example"),
        Some("integer" | "number") => json!(schema["minimum"].as_i64().unwrap_or(1).max(1)),
        Some("boolean") => json!(false),
        Some("array") => {
            let least = schema["minItems"].as_u64().unwrap_or(0);
            (0..least).map(|_| sample(document, &schema["items"], level + 1)).collect()
        }
        _ => {
            for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                members.insert(name.to_owned(), sample(document, &schema["properties"][name], level + 1));
            }
            Value::Object(members)
        }
    }
}

fn start() -> (Server, Asker, Value) {
    let server = Server::start_with(&[
        "--rate-per-token",
        "100000",
        "--rate-per-organisation",
        "100000",
        "--refused-per-address",
        "100000",
    ]);
    let document = server.send_bytes("GET", "/openapi.json", &[], None).expect(200);
    let client = reqwest::blocking::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
    let address = server.address().to_owned();
    (server, Asker { client, address }, document)
}

/// Returns a token that the command line made with these arguments, and its identifier.
fn made(server: &Server, arguments: &[&str]) -> (String, String) {
    let mut command = Command::new(binary());
    command.args(["token", "create", "acme", "--json", "--data"]).arg(server.data()).args(arguments);
    let made: Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
    let text = |pointer: &str| made.pointer(pointer).and_then(Value::as_str).unwrap().to_owned();
    (text("/text"), text("/token/id"))
}

#[test]
fn every_operation_refuses_every_void_token_in_the_same_words() {
    let (server, asker, document) = start();
    let valid = server.token("acme", "admin");
    let (revoked, id) = made(&server, &["--role", "admin"]);
    rematch(["token", "revoke", &id, "--data", server.data().to_str().unwrap()]).exits(0);
    let (expired, _) = made(&server, &["--role", "admin", "--expires-in", "1s"]);
    std::thread::sleep(Duration::from_millis(1100));
    let last = if valid.ends_with('x') { "y" } else { "x" };
    let mistyped = format!("{}{last}", &valid[..valid.len() - 1]);
    let void = [None, Some("nonsense"), Some(""), Some(&*mistyped), Some(&*revoked), Some(&*expired)];
    for operation in operations(&document) {
        let named = format!("{} {}", operation.method, operation.path);
        let answers: Vec<Seen> = void.iter().map(|token| asker.ask(&operation, *token, &[])).collect();
        for (token, answer) in void.iter().zip(&answers) {
            assert_eq!(answer.0, 401, "{named} with {token:?}: {}", answer.1);
            assert_eq!(answer, &answers[0], "{named}: the reason is told apart");
        }
    }
}

#[test]
fn every_operation_allows_the_roles_of_its_scope_and_no_others() {
    let (server, asker, document) = start();
    let roles = ["runtime", "ci", "admin"].map(|role| (role, server.token("acme", role)));
    for operation in operations(&document) {
        let least = ["read", "write", "admin"].iter().position(|scope| *scope == operation.scope).unwrap();
        for (rank, (role, token)) in roles.iter().enumerate() {
            let (status, body) = asker.ask(&operation, Some(token), &[]);
            let named = format!("{} {} as {role}: {status} {body}", operation.method, operation.path);
            if rank < least {
                assert_eq!(status, 403, "{named}");
            } else {
                assert!(status != 401 && status != 403 && status < 500, "{named}");
            }
        }
    }
}

#[test]
fn what_belongs_to_others_is_answered_as_what_does_not_exist() {
    let (server, asker, document) = start();
    let (owner, stranger) = (server.token("acme", "admin"), server.token("other", "admin"));
    let operations = operations(&document);
    let mut made = Made::new();
    for seed in SEEDS {
        let begins = |operation: &&Operation| seed.used_in.iter().any(|path| operation.path.starts_with(path));
        let uses: Vec<&Operation> = operations.iter().filter(begins).collect();
        if uses.is_empty() {
            continue;
        }
        let ids = sow(&server, &owner, seed, &made);
        let mut unknown = ids.clone();
        unknown[0] = unknown_like(&ids[0]);
        // What is put has the name that it is given, whoever else has a thing of that name.
        for operation in uses.iter().filter(|operation| operation.method != "put") {
            let foreign = asker.ask(operation, Some(&stranger), &ids);
            let absent = asker.ask(operation, Some(&stranger), &unknown);
            assert_eq!(foreign, absent, "{} {}", operation.method, operation.path);
            assert!((400..500).contains(&foreign.0), "{} {}: {foreign:?}", operation.method, operation.path);
        }
        for (_, path, body) in NESTED.iter().filter(|(name, ..)| *name == seed.name) {
            let seen = |id: &str| {
                let answer = server.post(path, &stranger, &body(id));
                (answer.status, answer.body.replace(id, "ID"))
            };
            let (foreign, absent) = (seen(&ids[0]), seen(&unknown[0]));
            assert_eq!(foreign, absent, "{path}, with a {} of others", seed.name);
        }
        // Whatever the stranger asked for, the owner's thing is as it was.
        for operation in uses.iter().filter(|operation| operation.method == "get" && operation.path.ends_with('}')) {
            if operation.path.matches('{').count() == ids.len() {
                let own = asker.ask(operation, Some(&owner), &ids);
                assert_eq!(own.0, 200, "{}: {}", operation.path, own.1);
            }
        }
        made.insert(seed.name, ids);
    }
}

/// Makes a thing, and returns its identifiers.
fn sow(server: &Server, owner: &str, seed: &Seed, made: &Made) -> Vec<String> {
    let bearer = format!("Bearer {owner}");
    let body = match (seed.body)(made) {
        Body::Json(body) => ("application/json", body.to_string().into_bytes()),
        Body::Bytes(body) => ("application/octet-stream", body),
    };
    let sown = server.send_bytes(seed.method, seed.path, &[("authorization", &bearer)], Some(body));
    assert!((200..300).contains(&sown.status), "{}: {}", seed.path, sown.body);
    let id = |place: &&str| match place.starts_with('/') {
        true => sown.json().pointer(place).and_then(Value::as_str).unwrap_or_else(|| panic!("{sown:?}")).to_owned(),
        false => (*place).to_owned(),
    };
    seed.ids.iter().map(id).collect()
}

#[test]
fn every_path_with_an_identifier_is_tried_with_one_of_others() {
    let (_server, _, document) = start();
    for path in document["paths"].as_object().unwrap().keys().filter(|path| path.contains('{')) {
        let seeded = SEEDS.iter().any(|seed| seed.used_in.iter().any(|prefix| path.starts_with(prefix)));
        let excused = NOT_SEEDED.iter().any(|(prefix, reason)| path.starts_with(prefix) && !reason.is_empty());
        assert!(seeded || excused, "`{path}` has no row: add a seed, or the reason why there is none");
    }
}
