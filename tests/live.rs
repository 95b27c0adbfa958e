//! Other people's search engines, for real: each is asked through its preset, by `search`, `doctor`, `probe` and `run`.
//!
//! Which are asked depends on what is installed (`live_servers`); contracts (`presets`) cover the others.

use serde_json::{Value, json};

use crate::live_servers::{
    Document, LiveServer, start_anserini, start_chroma, start_datasette, start_groonga, start_pgvector, start_postgres,
};
use crate::rematch::{Outcome, rematch};
use crate::workbench::Workbench;

fn documents() -> Vec<Document> {
    let texts = [
        ("lamp-1", "red desk lamp", "a lamp for desks, red"),
        ("lamp-2", "blue lamp", "it is blue"),
        ("mug", "white mug", "holds coffee; \"the\" mug OR cup AND (more"),
        ("chair", "oak chair", "made of oak"),
    ];
    texts.iter().map(|(id, title, text)| Document::new(id, title, text)).collect()
}

/// One engine, asked through its preset.
struct Asked {
    bench: Workbench,
    server: LiveServer,
}

impl Asked {
    fn through(preset: &str, parameters: &Value, server: LiveServer) -> Self {
        let broken: Value =
            parameters.as_object().expect("parameters").keys().map(|key| (key.clone(), "nope")).collect();
        let (name, url) = ("engine", server.url());
        let stage = |parameters: &Value| json!({ "kind": "http", "name": name, "preset": preset, "url": url, "parameters": parameters });
        let retriever = |id: &str, parameters| json!({ "id": id, "retries": 0, "stages": [stage(parameters)] });
        let benchmark = json!({
            "name": "live",
            "baseline": "live",
            "candidates": ["broken"],
            "sessions": { "path": "sessions.jsonl" },
            "retriever": [retriever("live", parameters), retriever("broken", &broken)],
        });
        let bench = Workbench::empty();
        bench.write("bench.yaml", benchmark.to_string());
        bench.write("sessions.jsonl", "{\"session_id\": \"s\", \"query\": \"lamp\", \"query_vector\": [1.0, 0.0]}\n");
        Self { bench, server }
    }

    fn search(&self, arguments: &[&str]) -> Outcome {
        let file = self.bench.path("bench.yaml").display().to_string();
        rematch(["search", &file, "--json"].iter().chain(arguments))
    }

    #[track_caller]
    fn answer(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.search(arguments).exits(0).stdout).expect("JSON")
    }

    #[track_caller]
    fn ids(&self, arguments: &[&str]) -> Vec<String> {
        let answer = self.answer(arguments);
        let hits = answer["hits"].as_array().expect("hits");
        let scores: Vec<f64> = hits.iter().map(|hit| hit["score"].as_f64().expect("a score")).collect();
        assert!(scores.is_sorted_by(|before, after| before >= after), "{scores:?}");
        hits.iter().map(|hit| hit["item_id"].as_str().expect("an id").to_owned()).collect()
    }

    /// What every text engine must do.
    #[track_caller]
    fn finds_texts(&self, reported: &[&str]) {
        assert_eq!(self.ids(&["red lamp"]), ["lamp-1", "lamp-2"]);
        assert_eq!(self.ids(&["red lamp", "--depth", "1"]), ["lamp-1"]);
        assert!(self.ids(&["zebra"]).is_empty());
        // Nothing in a query is an operator, or ends a quotation.
        for hostile in
            ["\" coffee", "coffee OR", "( coffee", "coffee \\", "coffee AND \"\"\"", "' coffee --", "%22 &x=1# coffee"]
        {
            let found = self.ids(&[hostile]);
            assert!(found.contains(&"mug".to_owned()), "{hostile}: {found:?}");
        }
        self.says_what_is_wrong();
        let answer = self.answer(&["lamp"]);
        let timings = answer["stages"][0]["reported"].as_array().expect("timings");
        let names: Vec<&str> = timings.iter().map(|timing| timing[0].as_str().expect("a name")).collect();
        assert_eq!(names, reported);
        let latency = answer["stages"][0]["latency_ns"].as_i64().expect("a latency");
        for timing in timings {
            let took = timing[1].as_i64().expect("nanoseconds");
            assert!((1..=latency).contains(&took), "the server took {took} of {latency} ns");
        }
        self.doctor();
        self.runs();
    }

    /// A wrong parameter fails with the engine's own words, and is never an empty answer.
    #[track_caller]
    fn says_what_is_wrong(&self) {
        let outcome = self.search(&["--retriever", "broken", "--session", "s"]).exits(5);
        let said: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
        assert_eq!(said["failure"]["kind"], "bad_request", "{said}");
        let message = said["failure"]["message"].as_str().expect("a message");
        assert!(message.contains("nope") || message.contains("UUID"), "{message}");
    }

    #[track_caller]
    fn doctor(&self) {
        let file = self.bench.path("bench.yaml");
        let outcome = rematch(["doctor".as_ref(), file.as_os_str()]).exits(5);
        for line in
            ["ok      engine tcp: 127.0.0.1:", "ok      engine search: 2 hits in", "FAILED  engine search: bad_request"]
        {
            assert!(outcome.stdout.contains(line), "`{line}` is missing in:\n{}", outcome.stdout);
        }
        assert!(outcome.stdout.contains("          fix: correct `url`, `body`"), "{}", outcome.stdout);
    }

    /// One run over the sessions that there are: the broken arm has failed, and has no score.
    #[track_caller]
    fn runs(&self) {
        let (file, out) = (self.bench.path("bench.yaml"), self.bench.path("out"));
        let arguments = ["run".as_ref(), file.as_os_str(), "--out".as_ref(), out.as_os_str(), "--quiet".as_ref()];
        rematch(arguments).exits(5);
        let report = self.bench.read_report();
        let result = |id| crate::workbench::result(&report, id);
        assert_eq!((&result("live")["failed_sessions"], &result("broken")["failed_sessions"]), (&json!(0), &json!(1)));
    }
}

#[test]
fn datasette_is_asked_through_its_preset() {
    let Some(server) = start_datasette(&documents()) else { return };
    let parameters = json!({ "database": "docs", "table": "docs", "weights": [0.0, 3.0, 1.0] });
    Asked::through("datasette", &parameters, server).finds_texts(&["query"]);
}

#[test]
fn groonga_is_asked_through_its_preset() {
    let Some(server) = start_groonga(&documents()) else { return };
    let parameters = json!({ "table": "Docs", "match_columns": "scorer_tf_idf(title) * 3 || scorer_tf_idf(text)" });
    let groonga = Asked::through("groonga", &parameters, server);
    // Without words Groonga would answer with the whole table.
    assert!(groonga.ids(&[" "]).is_empty());
    groonga.finds_texts(&["select"]);
}

#[test]
fn anserini_is_asked_through_its_preset() {
    let Some(server) = start_anserini(&documents()) else { return };
    Asked::through("anserini", &json!({ "index": "docs" }), server).finds_texts(&[]);
}

#[test]
fn chroma_is_asked_through_its_preset() {
    let vectors = [("far", vec![-1.0, 0.0]), ("near", vec![0.9, 0.1]), ("same", vec![1.0, 0.0])];
    let Some(chroma) = start_chroma(&vectors) else { return };
    let parameters = json!({ "collection": chroma.collection });
    let chroma = Asked::through("chroma", &parameters, chroma.server);
    // Distances: the smallest is the best.
    assert_eq!(chroma.ids(&["--session", "s"]), ["same", "near", "far"]);
    assert_eq!(chroma.ids(&["x", "--vector", "[-1, 0]", "--depth", "1"]), ["far"]);
    let outcome = chroma.search(&["x", "--vector", "[1, 2, 3]"]).exits(5);
    assert!(outcome.stdout.contains("dimension"), "{}", outcome.stdout);
    chroma.says_what_is_wrong();
}

/// A benchmark whose retriever `live` asks `query` of a Postgres database, and `broken` another.
fn postgres_benchmark(url: &str, query: &str) -> Workbench {
    let retriever = |id: &str, query: &str| {
        let stage = json!({ "kind": "postgres", "name": "engine", "url": url, "sslmode": "disable", "query": query });
        json!({ "id": id, "retries": 0, "stages": [stage] })
    };
    let benchmark = json!({
        "name": "live",
        "baseline": "live",
        "candidates": ["broken"],
        "sessions": { "path": "sessions.jsonl" },
        "retriever": [retriever("live", query), retriever("broken", "SELECT id FROM nope WHERE $query <> ''")],
    });
    let bench = Workbench::empty();
    bench.write("bench.yaml", benchmark.to_string());
    bench.write("sessions.jsonl", "{\"session_id\": \"s\", \"query\": \"lamps\", \"query_vector\": [1.0, 0.0]}\n");
    bench
}

#[track_caller]
fn ids_of(outcome: Outcome) -> Vec<String> {
    let answer: Value = serde_json::from_str(&outcome.exits(0).stdout).expect("JSON");
    let hits = answer["hits"].as_array().expect("hits");
    hits.iter().map(|hit| hit["item_id"].as_str().expect("an id").to_owned()).collect()
}

#[test]
fn full_text_of_postgres_is_searched_and_diagnosed() {
    let Some(postgres) = start_postgres() else { return };
    postgres.load(&documents());
    let query = "SELECT id, ts_rank(words, query) AS score FROM docs, websearch_to_tsquery('english', $query) query \
                 WHERE words @@ query ORDER BY score DESC, id LIMIT $depth";
    let bench = postgres_benchmark(&postgres.url(), query);
    let file = bench.path("bench.yaml").display().to_string();
    // Stemmed: the session asks for lamps.
    assert_eq!(ids_of(rematch(["search", &file, "--session", "s", "--json"])), ["lamp-1", "lamp-2"]);
    assert_eq!(ids_of(rematch(["search", &file, "white or blue", "--json", "--depth", "1"])).len(), 1);
    assert!(ids_of(rematch(["search", &file, "' ; DROP TABLE docs --", "--json"])).is_empty());
    let outcome = rematch(["doctor", &file]).exits(5);
    for line in ["ok      engine tcp: 127.0.0.1:", "ok      engine search: 2 hits in", "FAILED  engine search: sql: "] {
        assert!(outcome.stdout.contains(line), "`{line}` is missing in:\n{}", outcome.stdout);
    }
    drop(postgres);
    let outcome = rematch(["doctor", &file]).exits(5);
    assert!(outcome.stdout.contains("FAILED  engine tcp: 127.0.0.1:"), "{}", outcome.stdout);
}

#[test]
fn pgvector_is_searched_by_the_sessions_vector() {
    let Some(postgres) = start_pgvector() else { return };
    postgres.sql("CREATE TABLE docs (id text PRIMARY KEY, embedding vector(2))");
    postgres.sql("INSERT INTO docs VALUES ('far', '[-1,0]'), ('near', '[0.9,0.1]'), ('same', '[1,0]')");
    let query = "SELECT id, 1 - (embedding <=> $vector::vector) AS score FROM docs \
                 ORDER BY embedding <=> $vector::vector, id LIMIT $depth";
    let bench = postgres_benchmark(&postgres.url(), query);
    let file = bench.path("bench.yaml").display().to_string();
    assert_eq!(ids_of(rematch(["search", &file, "--session", "s", "--json"])), ["same", "near", "far"]);
    assert_eq!(ids_of(rematch(["search", &file, "x", "--vector", "[-1, 0]", "--depth", "1", "--json"])), ["far"]);
}

#[test]
fn doctor_and_search_say_that_a_server_is_gone() {
    let Some(server) = start_datasette(&documents()) else { return };
    let asked = Asked::through("datasette", &json!({ "database": "docs", "table": "docs" }), server);
    let Asked { bench, server } = asked;
    drop(server);
    let file = bench.path("bench.yaml").display().to_string();
    let outcome = rematch(["doctor", &file]).exits(5);
    assert!(outcome.stdout.contains("FAILED  engine tcp: 127.0.0.1:"), "{}", outcome.stdout);
    let outcome = rematch(["search", &file, "lamp"]).exits(5);
    assert!(outcome.stdout.contains("`engine` failed (connect)"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("fix: start the server"), "{}", outcome.stdout);
}

#[test]
fn probe_finds_the_paths_of_an_unknown_endpoint_and_prints_a_stage_that_works() {
    let Some(server) = start_datasette(&documents()) else { return };
    let sql = "select id, bm25(docs) as score from docs where docs match :q order by score limit :n";
    let url = format!(
        "{}/docs.json?_shape=objects&sql={}&q={{{{ query }}}}&n={{{{ depth }}}}",
        server.url(),
        sql.replace(' ', "+")
    );
    let outcome = rematch(["probe", &url, "--query", "lamp"]).exits(0);
    for line in ["ids", "$.rows[*].id", "$.rows[*].score", "lower is better", "$.query_ms", "[[retriever.stages]]"] {
        assert!(outcome.stdout.contains(line), "`{line}` is missing in:\n{}", outcome.stdout);
    }
    // What it prints is a retriever of a benchmark.
    let block =
        outcome.stdout.split_once("[[retriever]]").map(|(_, block)| format!("[[retriever]]{block}")).expect("a block");
    let bench = Workbench::empty();
    bench.write("sessions.jsonl", "{\"session_id\": \"s\", \"query\": \"lamp\"}\n");
    let head =
        "name = \"probed\"\nbaseline = \"probed\"\ncandidates = [\"shown\"]\n[sessions]\npath = \"sessions.jsonl\"\n";
    let file = bench.write(
        "bench.toml",
        format!("{head}{block}\n[[retriever]]\nid = \"shown\"\nstages = [{{ kind = \"shown\" }}]\n"),
    );
    let outcome = rematch(["search".into(), file, "lamp".into(), "--json".into()]).exits(0);
    let answer: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    assert_eq!(answer["hits"].as_array().expect("hits").len(), 2, "{answer}");
    assert_eq!(answer["stages"][0]["reported"][0][0], "query_ms", "{answer}");
}
