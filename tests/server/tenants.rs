//! Every operation, asked by everybody: the matrix is made from the OpenAPI document, so that a new route is in it.

use std::process::Command;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::running::Server;
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

/// How things are made whose identifiers another organisation tries: what is posted where, where the identifier stands in the
/// answer, and the paths in which it is used.
struct Seed {
    post: &'static str,
    body: fn() -> Value,
    id: &'static str,
    used_in: &'static str,
}

const SEEDS: &[Seed] =
    &[Seed { post: "/v1/tokens", body: || json!({ "role": "ci" }), id: "/token/id", used_in: "/v1/tokens/{" }];

/// An answer: its status, and its body without what differs from request to request.
type Seen = (u16, String);

struct Asker {
    client: reqwest::blocking::Client,
    address: String,
}

impl Asker {
    fn ask(&self, operation: &Operation, token: Option<&str>, id: &str) -> Seen {
        let method = reqwest::Method::from_bytes(operation.method.to_uppercase().as_bytes()).unwrap();
        let path = filled(&operation.path, id);
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
        (status, body.replace(id, "ID"))
    }
}

/// Returns the path with its first parameter replaced by that identifier, and any other by a plausible one.
fn filled(path: &str, id: &str) -> String {
    let mut first = true;
    let segments = path.split('/').map(|segment| {
        let Some(name) = segment.strip_prefix('{').and_then(|rest| rest.split('}').next()) else {
            return segment.to_owned();
        };
        if std::mem::take(&mut first) { id.to_owned() } else { format!("{}_{:032x}", name.trim_start_matches('*'), 7) }
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
    let server = Server::start_with(&["--rate-per-token", "100000", "--rate-per-organisation", "100000"]);
    let document = server.send_bytes("GET", "/openapi.json", &[], None).expect(200);
    let client = reqwest::blocking::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().unwrap();
    let address = server.address().to_owned();
    (server, Asker { client, address }, document)
}

/// Returns a token that the command line made with these arguments, and its identifier.
fn made(server: &Server, arguments: &[&str]) -> (String, String) {
    let mut command = Command::new(binary());
    command.args(["token", "create", "acme", "--json", "--data"]).arg(server.data()).args(arguments);
    let made: Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
    let text = |pointer: &str| made.pointer(pointer).and_then(Value::as_str).unwrap().to_owned();
    (text("/token"), text("/record/id"))
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
        let answers: Vec<Seen> =
            void.iter().map(|token| asker.ask(&operation, *token, "some_00000000000000000000000000000000")).collect();
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
            let (status, body) = asker.ask(&operation, Some(token), "some_00000000000000000000000000000000");
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
    for seed in SEEDS {
        let seeded = server.post(seed.post, &owner, &(seed.body)());
        assert!((200..300).contains(&seeded.status), "{}: {}", seed.post, seeded.body);
        let id =
            seeded.json().pointer(seed.id).and_then(Value::as_str).unwrap_or_else(|| panic!("{seeded:?}")).to_owned();
        let unknown = unknown_like(&id);
        let uses: Vec<&Operation> =
            operations.iter().filter(|operation| operation.path.starts_with(seed.used_in)).collect();
        assert!(!uses.is_empty(), "no path begins with `{}`", seed.used_in);
        for operation in &uses {
            let foreign = asker.ask(operation, Some(&stranger), &id);
            let absent = asker.ask(operation, Some(&stranger), &unknown);
            assert_eq!(foreign, absent, "{} {}", operation.method, operation.path);
            assert!((400..500).contains(&foreign.0), "{} {}: {foreign:?}", operation.method, operation.path);
        }
        // Whatever the stranger asked for, the owner's thing is as it was.
        for operation in uses.iter().filter(|operation| operation.method == "get" && operation.path.ends_with('}')) {
            let own = asker.ask(operation, Some(&owner), &id);
            assert_eq!(own.0, 200, "{}: {}", operation.path, own.1);
        }
    }
}
