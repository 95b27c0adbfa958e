//! The sample shop, brought to a server.

use std::io::{BufRead, BufReader};

use serde_json::{Value, json};

use super::running::{Answer, PATIENCE, Server, until};
use crate::rematch::workspace;

/// A server that has the sample shop's files, and a token of one organisation.
pub(super) struct Shop {
    pub(super) server: Server,
    pub(super) token: String,
}

impl Shop {
    pub(super) fn open() -> Self {
        Self::open_with(&[])
    }

    /// Starts a server with those arguments, and brings sessions, products, a component and a corpus.
    pub(super) fn open_with(arguments: &[&str]) -> Self {
        Self::over(Server::start_with(arguments))
    }

    /// Brings the same to a server that runs.
    pub(super) fn over(server: Server) -> Self {
        let token = server.token("acme", "ci");
        let shop = Self { server, token };
        shop.bring("sessions.parquet", &sample("data/shop/sessions.parquet")).expect(201);
        shop.bring("products.jsonl", &sample("data/shop/products.jsonl")).expect(201);
        let component = sample("plugins/half-life-utility/half-life-utility.wasm");
        shop.put("/v1/components/half-life-utility/0.1.0", &component).expect(201);
        let corpus = json!({ "path": "files/products.jsonl", "id": "item_id" });
        shop.server.send("PUT", "/v1/corpora/products", &shop.token, Some(&corpus)).expect(201);
        shop
    }

    /// Sends a file.
    pub(super) fn bring(&self, name: &str, content: &[u8]) -> Answer {
        self.put(&format!("/v1/files/{name}"), content)
    }

    pub(super) fn put(&self, path: &str, content: &[u8]) -> Answer {
        put(&self.server, &self.token, path, content)
    }

    pub(super) fn get(&self, path: &str) -> Answer {
        self.server.get(path, &self.token)
    }

    pub(super) fn post(&self, path: &str, body: &Value) -> Answer {
        self.server.post(path, &self.token, body)
    }

    /// Posts a run of the sample benchmark, and returns its identifier.
    #[track_caller]
    pub(super) fn run(&self, overrides: &[&str]) -> String {
        let posted = self.post("/v1/runs", &json!({ "toml": benchmark(), "overrides": overrides })).expect(201);
        posted["id"].as_str().unwrap().to_owned()
    }

    /// Waits until a run has ended, and returns it.
    pub(super) fn ended(&self, id: &str) -> Value {
        ended(&self.server, &self.token, id)
    }

    /// Waits until a run is completed, and returns its report.
    #[track_caller]
    pub(super) fn report(&self, id: &str) -> Value {
        let run = self.ended(id);
        assert_eq!(run["state"], "completed", "{run}");
        self.get(&format!("/v1/runs/{id}/report")).expect(200)
    }

    /// Returns the events of a run after that one, up to the end of the stream or `most` of them: the number of each, and
    /// what it says.
    pub(super) fn events(&self, id: &str, after: Option<u64>, most: usize) -> Vec<(u64, Value)> {
        let client = reqwest::blocking::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let url = format!("http://{}/v1/runs/{id}/events", self.server.address());
        let mut request = client.get(url).bearer_auth(&self.token);
        if let Some(after) = after {
            request = request.header("last-event-id", after.to_string());
        }
        let response = request.send().unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let (mut events, mut number) = (Vec::new(), 0);
        for line in BufReader::new(response).lines() {
            let line = line.unwrap();
            if let Some(id) = line.strip_prefix("id: ") {
                number = id.parse().unwrap();
            } else if let Some(data) = line.strip_prefix("data: ") {
                events.push((number, serde_json::from_str(data).unwrap()));
                if events.len() == most {
                    break;
                }
            }
        }
        events
    }
}

pub(super) fn put(server: &Server, token: &str, path: &str, content: &[u8]) -> Answer {
    let authorization = format!("Bearer {token}");
    let body = Some(("application/octet-stream", content.to_vec()));
    server.send_bytes("PUT", path, &[("authorization", &authorization)], body)
}

pub(super) fn ended(server: &Server, token: &str, id: &str) -> Value {
    until(&format!("the end of {id}"), || {
        let run = server.get(&format!("/v1/runs/{id}"), token).expect(200);
        (run["ended_at"] != Value::Null).then_some(run)
    })
}

/// Returns a file of the workspace.
pub(super) fn sample(path: &str) -> Vec<u8> {
    std::fs::read(workspace().join(path)).unwrap()
}

/// Returns the sample benchmark, with the names under which the server has its component.
pub(super) fn benchmark() -> String {
    let text = String::from_utf8(sample("data/shop/bench.toml")).unwrap();
    let local = "../../plugins/half-life-utility/half-life-utility.wasm";
    assert!(text.contains(local));
    text.replace(local, "half-life-utility@0.1.0")
}

/// Returns the sample benchmark as JSON.
pub(super) fn benchmark_as_json() -> Value {
    toml::from_str(&benchmark()).unwrap()
}

/// Returns a retriever over the sample products, as it is registered.
pub(super) fn registered(name: &str) -> Value {
    let parameters =
        json!({ "corpus": "products", "fields": { "title": 3.0, "description": 1.0 }, "k1": 0.9, "b": 0.4 });
    let stage = json!({ "stage_name": "words", "config": { "stage_id": "bm25", "parameters": parameters } });
    json!({ "retriever_name": name, "stages": [stage], "collection_identifiers": ["products"] })
}
