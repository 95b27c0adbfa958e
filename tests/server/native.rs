//! The native API: what the command line does, over HTTP, with the same numbers.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::running::{Server, until};
use super::shop::{Shop, benchmark, benchmark_as_json, put, registered, sample};
use crate::rematch::{rematch, workspace};
use crate::reproducible::timeless;
use crate::workbench::Workbench;

#[test]
fn a_posted_benchmark_says_what_the_command_line_says() {
    let shop = Shop::open();
    let bench = Workbench::empty();
    let out = bench.path("out");
    rematch(["run".into(), workspace().join("data/shop/bench.toml"), "--out".into(), out.clone()]).exits(0);

    let as_text = shop.run(&[]);
    let as_json = shop.post("/v1/runs", &json!({ "benchmark": benchmark_as_json() })).expect(201);
    for id in [as_text.as_str(), as_json["id"].as_str().unwrap()] {
        let report = shop.report(id);
        let local: Value = serde_json::from_slice(&std::fs::read(out.join("report.json")).unwrap()).unwrap();
        assert_eq!(report["results"][0]["scores"], local["results"][0]["scores"]);
        let artifacts = shop.get(&format!("/v1/runs/{id}/artifacts")).expect(200);
        let names: Vec<&str> =
            artifacts["items"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
        for name in ["report.json", "report.html", "sessions.parquet", "rankings.parquet", "comparisons.parquet"] {
            assert!(names.contains(&name), "{name} of {names:?}");
        }
        // All that does not tell of time is the same.
        let run = shop.server.data().join("organisations/acme/jobs").join(id).join(id);
        let (found, expected) = (timeless(&run), timeless(&out));
        assert_eq!(found["results"], expected["results"]);
        assert_eq!(found["comparison"], expected["comparison"]);
        assert_eq!(found["run"]["sample"], expected["run"]["sample"]);
    }
    let run = shop.get(&format!("/v1/runs/{as_text}")).expect(200);
    assert_eq!(run["summary"]["baseline"], "prod");
    assert_eq!(run["outcome"]["verdicts"][0]["candidate"], "boosted");
    let gates = shop.get(&format!("/v1/runs/{as_text}/gates")).expect(200);
    let local = rematch(["gate".into(), out, "--json".into()]).exits(0);
    let local: Value = serde_json::from_str(&local.stdout).unwrap();
    assert_eq!(gates["verdict"], local["verdict"]);
    assert_eq!(gates["gates"], local["gates"]);
    let junit = shop.get(&format!("/v1/runs/{as_text}/gates?format=junit"));
    assert!(junit.status == 200 && junit.body.starts_with("<?xml"), "{junit:?}");
    let markdown = shop.get(&format!("/v1/runs/{as_text}/gates?format=markdown"));
    assert!(markdown.status == 200 && markdown.body.contains("nDCG@10"), "{markdown:?}");
}

#[test]
fn a_dead_candidate_is_let_through_by_no_answer_of_the_server() {
    let shop = Shop::open();
    shop.bring("dead.run", b"elsewhere Q0 wanted 1 9 tag\n").expect(201);
    let mut benchmark = benchmark_as_json();
    benchmark["retriever"][1]["stages"] = json!([{ "kind": "recorded", "path": "files/dead.run" }]);
    benchmark["gate"] = json!([{ "metric": "nDCG@10", "max-regression": 0.5 }]);
    let posted = shop.post("/v1/runs", &json!({ "benchmark": benchmark })).expect(201);
    let id = posted["id"].as_str().unwrap();
    shop.report(id);
    let run = shop.get(&format!("/v1/runs/{id}")).expect(200);
    let failed = json!([{ "retriever_id": "boosted", "error_summary": { "not_recorded": 200 } }]);
    assert_eq!((&run["state"], &run["phase"]), (&json!("completed"), &json!("completed")));
    assert_eq!((&run["outcome"]["state"], &run["outcome"]["failed_retrievers"]), (&json!("failed"), &failed), "{run}");
    let judged = shop.get(&format!("/v1/runs/{id}/gates")).expect(200);
    assert_eq!((&judged["verdict"], &judged["failed_retrievers"]), (&json!("retriever_failed"), &failed), "{judged}");
    let junit = shop.get(&format!("/v1/runs/{id}/gates?format=junit")).body;
    assert!(junit.contains("errors=\"1\"") && junit.contains("not_recorded 200"), "{junit}");
    // Tried again there is nothing to do, and nothing waits.
    let again = shop.post(&format!("/v1/runs/{id}/retry"), &json!({})).expect(200);
    assert_eq!((&again["state"], &again["phase"]), (&json!("queued"), &json!("pending")));
    shop.report(id);
    let run = shop.get(&format!("/v1/runs/{id}")).expect(200);
    assert_eq!((&run["state"], &run["phase"]), (&json!("completed"), &json!("completed")));
    assert_eq!(run["outcome"]["failed_retrievers"], failed);
}

#[test]
fn files_are_kept_once_under_a_name_and_leave_when_nothing_is_made_of_them() {
    let shop = Shop::open();
    let content = sample("data/shop/products.jsonl");
    let again = shop.bring("products.jsonl", &content).expect(200);
    assert_eq!(again["rows"], 509);
    assert_eq!(again["kind"], "documents");
    let other = shop.bring("products.jsonl", &content[..content.len() / 2]);
    assert!([409, 422].contains(&other.status), "{}", other.body);
    let other = shop.bring("products.jsonl", b"{\"item_id\":\"x\",\"title\":\"y\"}\n").expect(409);
    assert!(other["detail"].as_str().unwrap().contains("DELETE /v1/files/products.jsonl"), "{other}");

    assert_eq!(shop.get("/v1/files/products.jsonl/content").body.as_bytes(), content);
    let range = [("authorization", format!("Bearer {}", shop.token)), ("range", "bytes=10-19".to_owned())];
    let range: Vec<(&str, &str)> = range.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let part = shop.server.send_bytes("GET", "/v1/files/products.jsonl/content", &range, None);
    assert_eq!((part.status, part.body.as_bytes()), (206, &content[10..20]));
    assert_eq!(part.header("content-range"), Some(format!("bytes 10-19/{}", content.len()).as_str()));

    let used = shop.server.send("DELETE", "/v1/files/products.jsonl", &shop.token, None).expect(409);
    assert!(used["detail"].as_str().unwrap().contains("corpus `products`"), "{used}");
    assert_eq!(shop.server.send("DELETE", "/v1/corpora/products", &shop.token, None).status, 204);
    assert_eq!(shop.server.send("DELETE", "/v1/files/products.jsonl", &shop.token, None).status, 204);
    shop.get("/v1/files/products.jsonl").expect(404);
    shop.server.send("DELETE", "/v1/files/products.jsonl", &shop.token, None).expect(404);
    let left = shop.server.data().join("organisations/acme/files");
    assert_eq!(std::fs::read_dir(left).unwrap().count(), 1);
    // The name is free again.
    shop.bring("products.jsonl", b"{\"item_id\":\"x\",\"title\":\"y\"}\n").expect(201);
    for name in ["..", "%2e%2e%2fsecret", ".hidden", "a%20b", "%00"] {
        let refused = shop.bring(name, b"x");
        assert!([404, 405, 422].contains(&refused.status), "{name}: {}", refused.body);
    }
}

#[test]
fn a_bad_file_is_refused_with_what_is_wrong_and_nothing_of_it_stays() {
    let shop = Shop::open();
    let sessions = sample("data/shop/sessions.parquet");
    let mut bad: Vec<(String, Vec<u8>)> = Vec::new();
    for part in 1..12 {
        bad.push((format!("cut-{part}.parquet"), sessions[..sessions.len() * part / 12].to_vec()));
    }
    // A footer that lies about its own length, and about everything.
    let mut lying = sessions.clone();
    let place = lying.len() - 8;
    lying[place..place + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    bad.push(("lying.parquet".to_owned(), lying));
    let mut garbled = sessions.clone();
    let from = garbled.len() * 9 / 10;
    garbled[from..sessions.len() - 8].iter_mut().for_each(|byte| *byte ^= 0xa5);
    bad.push(("garbled.parquet".to_owned(), garbled));
    bad.push(("empty.parquet".to_owned(), Vec::new()));
    bad.push(("magic.parquet".to_owned(), b"PAR1PAR1".to_vec()));
    bad.push(("magic.arrow".to_owned(), b"ARROW1\0\0\xff\xff\xff\xff\xff\xff\xff\x7f".to_vec()));
    for (name, content) in &bad {
        let refused = shop.bring(name, content);
        assert_eq!(refused.status, 422, "{name}: {}", refused.body);
        assert!(!refused.body.contains("organisations"), "{name} tells where it lies: {}", refused.body);
        shop.get(&format!("/v1/files/{name}")).expect(404);
    }
    let kept = std::fs::read_dir(shop.server.data().join("organisations/acme/files")).unwrap().count();
    assert_eq!(kept, 2);
    assert_eq!(std::fs::read_dir(shop.server.data().join("organisations/acme/uploads")).unwrap().count(), 0);
}

#[test]
fn every_damaged_file_of_the_fuzzing_corpora_is_kept_or_refused_and_the_server_lives() {
    let shop = Shop::open();
    let mut sent = 0;
    for family in ["sessions-parquet", "sessions-arrow", "recorded-table", "corpus", "ubi-table", "sessions-csv"] {
        let folder = workspace().join("tests/fuzz/corpus").join(family);
        let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        // The whole of it where nobody waits for it.
        let step = if std::env::var_os("REMATCH_ALL_BAD_FILES").is_some() { 1 } else { 4 };
        for file in files.iter().step_by(step) {
            sent += 1;
            let name = format!("{family}-{sent}");
            let answer = shop.bring(&name, &std::fs::read(file).unwrap());
            assert!([201, 422].contains(&answer.status), "{}: {}", file.display(), answer.body);
        }
    }
    assert!(sent > 10);
    assert_eq!(shop.server.send_bytes("GET", "/healthz", &[], None).body, "ok\n");
}

#[test]
fn a_hostile_component_is_refused_and_the_server_lives() {
    let shop = Shop::open();
    let good = sample("plugins/half-life-utility/half-life-utility.wasm");
    let wat = |text: &str| wat::parse_str(text).unwrap();
    let spins = "(component (core module $m (func $f (loop br 0)) (start $f)) (core instance (instantiate $m)))";
    let clocks = r#"(component (import "wasi:clocks/monotonic-clock@0.2.0" (instance)))"#;
    let sockets = r#"(component (import "evil:sockets/raw" (instance)))"#;
    let memory = "(component (core module $m (memory 65536)) (core instance (instantiate $m)))";
    let mut flipped = good.clone();
    flipped.iter_mut().skip(100).step_by(97).for_each(|byte| *byte ^= 0xff);
    let hostile: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", Vec::new()),
        ("text", b"hello".to_vec()),
        ("cut", good[..good.len() / 2].to_vec()),
        ("flipped", flipped),
        ("core-module", wat("(module (memory 1))")),
        ("spins", wat(spins)),
        ("clocks", wat(clocks)),
        ("sockets", wat(sockets)),
        ("memory", wat(memory)),
        ("empty", wat("(component)")),
    ];
    for (name, content) in &hostile {
        let refused = shop.put(&format!("/v1/components/{name}/1.0.0"), content);
        assert_eq!(refused.status, 422, "{name}: {}", refused.body);
        assert_eq!(refused.json()["code"], "unusable_component", "{name}: {}", refused.body);
        shop.get(&format!("/v1/components/{name}/1.0.0")).expect(404);
    }
    shop.put("/v1/components/Upper/1.0.0", &good).expect(422);
    shop.put("/v1/components/good/latest", &good).expect(422);
    shop.put("/v1/components/half-life-utility/0.1.0", &good).expect(200);
    let listed = shop.get("/v1/components").expect(200);
    assert_eq!(listed["items"][0]["description"]["world"], "scorer", "{listed}");
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
}

/// What a benchmark may not name, and where.
#[test]
fn a_benchmark_reads_nothing_but_what_its_organisation_brought() {
    let shop = Shop::open();
    let other = shop.server.token("other", "ci");
    put(&shop.server, &other, "/v1/files/theirs.jsonl", &sample("data/shop/products.jsonl")).expect(201);
    let secret = shop.server.data().join("token.key");
    for (key, value) in [
        ("sessions.path", "/etc/passwd"),
        ("sessions.path", "../../token.key"),
        ("sessions.path", "files/../../../token.key"),
        ("sessions.path", secret.to_str().unwrap()),
        ("sessions.path", "file:///etc/passwd"),
        ("sessions.path", "s3://bucket/sessions.parquet"),
        ("sessions.path", "http://169.254.169.254/latest/meta-data"),
        ("sessions.path", "theirs.jsonl"),
        ("sessions.path", "../other/files/theirs.jsonl"),
        ("sessions.path", "files/*"),
        ("corpus.products.path", "../../other/files/theirs.jsonl"),
        ("scorer.0.plugin", "/etc/passwd"),
        ("scorer.0.plugin", "../components/half-life-utility@0.1.0.wasm"),
        ("scorer.0.plugin", "half-life-utility@9.9.9"),
        ("output.acknowledgements", "/etc/passwd"),
    ] {
        let body = json!({ "toml": benchmark(), "overrides": [format!("{key}={}", json!(value))] });
        let refused = shop.post("/v1/runs", &body).expect(422);
        assert_eq!(refused["code"], "invalid_benchmark", "{key} = {value}: {refused}");
        let detail = refused["detail"].as_str().unwrap();
        assert!(!detail.contains("root:"), "{detail}");
        assert!(detail.contains(key.split('.').next().unwrap()), "{key}: {detail}");
    }
    // A folder of the run that somebody wishes is not theirs to choose.
    let id = shop.run(&["output.dir=\"/tmp/elsewhere\"", "sessions.sample.count=20"]);
    shop.report(&id);
    assert!(!std::path::Path::new("/tmp/elsewhere").exists());
}

#[test]
fn a_mistake_in_a_benchmark_is_said_with_its_key_before_anything_is_queued() {
    let shop = Shop::open();
    let benchmark_of = |change: &dyn Fn(&mut Value)| {
        let mut benchmark = benchmark_as_json();
        change(&mut benchmark);
        shop.post("/v1/runs", &json!({ "benchmark": benchmark })).expect(422)
    };
    let unknown = benchmark_of(&|benchmark| benchmark["sessions"]["sampel"] = json!(1));
    assert_eq!(unknown["details"]["key"], "sessions.sampel", "{unknown}");
    let metric = benchmark_of(&|benchmark| benchmark["metrics"]["primary"] = json!("nCDG@10"));
    assert_eq!(metric["details"]["key"], "metrics.primary", "{metric}");
    let retriever = benchmark_of(&|benchmark| benchmark["candidates"] = json!(["nobody"]));
    assert!(retriever["details"]["key"].as_str().unwrap().starts_with("candidates"), "{retriever}");
    let corpus = benchmark_of(&|benchmark| benchmark["retriever"][1]["stages"][0]["corpus"] = json!("none"));
    assert_eq!(corpus["details"]["key"], "retriever[1].stages[0].corpus", "{corpus}");
    let predicate = benchmark_of(&|benchmark| benchmark["sessions"]["filter"]["where"] = json!("nothing = 1"));
    assert_eq!(predicate["details"]["key"], "sessions.filter.where", "{predicate}");
    let text = benchmark().replace("depth = 100", "depth = 0");
    let toml = shop.post("/v1/runs", &json!({ "toml": text })).expect(422);
    assert!(toml["details"]["line"].is_u64(), "{toml}");
    for body in
        [json!({}), json!({ "toml": "", "yaml": "" }), json!({ "benchmark": [] }), json!({ "toml": "x", "more": 1 })]
    {
        assert_eq!(shop.post("/v1/runs", &body).status, 422, "{body}");
    }
    assert_eq!(shop.get("/v1/runs").expect(200)["items"], json!([]));
}

#[test]
fn a_registered_retriever_and_corpus_are_named_and_not_described() {
    let shop = Shop::open();
    let made = shop.post("/v1/retrievers", &registered("title")).expect(200);
    let id = made["retriever_id"].as_str().unwrap();
    let mut benchmark = benchmark_as_json();
    benchmark["candidates"] = json!([id]);
    benchmark["retriever"].as_array_mut().unwrap().truncate(1);
    benchmark.as_object_mut().unwrap().remove("corpus");
    let posted = shop.post("/v1/runs", &json!({ "benchmark": benchmark })).expect(201);
    let named = shop.report(posted["id"].as_str().unwrap());
    let described = shop.report(&shop.run(&[]));
    // The same pipeline under another name.
    assert_eq!(named["results"][1]["retriever_id"], id);
    assert_eq!(named["results"][1]["scores"], described["results"][1]["scores"]);
    let other = shop.server.token("other", "ci");
    let foreign = shop.server.post("/v1/runs", &other, &json!({ "benchmark": benchmark })).expect(422);
    assert_eq!(foreign["code"], "invalid_benchmark", "{foreign}");
}

#[test]
fn a_benchmark_that_is_kept_is_run_by_its_name() {
    let shop = Shop::open();
    let kept = json!({ "toml": benchmark(), "overrides": ["sessions.sample.count=10"] });
    assert_eq!(
        shop.server.send("PUT", "/v1/specs/title", &shop.token, Some(&kept)).expect(201)["summary"]["name"],
        "title-boost"
    );
    shop.server.send("PUT", "/v1/specs/title", &shop.token, Some(&kept)).expect(200);
    let wrong = json!({ "toml": benchmark(), "overrides": ["depth=0"] });
    shop.server.send("PUT", "/v1/specs/wrong", &shop.token, Some(&wrong)).expect(422);
    let posted = shop.post("/v1/runs", &json!({ "spec": "title", "overrides": ["seed=5"] })).expect(201);
    let report = shop.report(posted["id"].as_str().unwrap());
    assert!(report["results"][0]["scores"]["nDCG@10"]["n"].as_u64().unwrap() <= 10);
    shop.post("/v1/runs", &json!({ "spec": "wrong" })).expect(422);
    shop.post("/v1/runs", &json!({ "spec": "title", "toml": "x" })).expect(422);
    let listed = shop.get("/v1/specs").expect(200)["items"][0].clone();
    assert_eq!((&listed["name"], &listed["written"]), (&json!("title"), &Value::Null));
    assert!(shop.get("/v1/specs/title").expect(200)["written"].is_object());
    assert_eq!(shop.server.send("DELETE", "/v1/specs/title", &shop.token, None).status, 204);
    shop.get("/v1/specs/title").expect(404);
}

#[test]
fn a_request_with_a_known_key_makes_no_second_run() {
    let shop = Shop::open();
    let send = |key: &str, body: &Value| {
        let authorization = format!("Bearer {}", shop.token);
        let headers = [("authorization", authorization.as_str()), ("idempotency-key", key)];
        shop.server.send_bytes("POST", "/v1/runs", &headers, Some(("application/json", body.to_string().into_bytes())))
    };
    let body = json!({ "toml": benchmark(), "overrides": ["sessions.sample.count=10"] });
    let answers: Vec<_> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..4).map(|_| scope.spawn(|| send("one", &body))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|answer| answer.json()["id"] == answers[0].json()["id"]));
    let other = json!({ "toml": benchmark(), "overrides": ["sessions.sample.count=11"] });
    send("one", &other).expect(409);
    send("two", &other).expect(201);
    assert_eq!(shop.get("/v1/runs").expect(200)["items"].as_array().unwrap().len(), 2);
}

#[test]
fn rows_of_a_table_are_paged_by_offset_and_are_all_there_once() {
    let shop = Shop::open();
    let id = shop.run(&[]);
    shop.report(&id);
    let (mut seen, mut offset) = (Vec::new(), 0);
    loop {
        let page = shop.get(&format!(
            "/v1/runs/{id}/rows?table=rankings&limit=77&offset={offset}&columns=session_id,retriever_id"
        ));
        let page = page.expect(200);
        assert_eq!(page["total"], 400);
        let rows = page["rows"].as_array().unwrap();
        if rows.is_empty() {
            break;
        }
        offset += rows.len();
        seen.extend(rows.iter().map(|row| format!("{}/{}", row["session_id"], row["retriever_id"])));
    }
    assert_eq!(seen.len(), 400);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 400);
    let whole = shop.get(&format!("/v1/runs/{id}/rows?table=comparisons&limit=1000")).expect(200);
    assert!(whole["rows"].as_array().unwrap().iter().all(|row| row["candidate_id"] == "boosted"));
    for (query, status) in [
        ("table=nothing", 422),
        ("table=sessions&limit=0", 422),
        ("table=sessions&limit=1001", 422),
        ("table=sessions&offset=-1", 422),
        ("table=sessions&columns=nothing", 422),
        ("table=judge_next", 404),
        ("table=sessions&offset=18446744073709551615", 200),
        ("", 422),
    ] {
        assert_eq!(shop.get(&format!("/v1/runs/{id}/rows?{query}")).status, status, "{query}");
    }
}

/// What a query may not do.
const HOSTILE_QUERIES: [&str; 33] = [
    "",
    ";",
    "SELEC 1",
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP TABLE sessions",
    "DROP TABLE sessions",
    "CREATE TABLE a AS SELECT 1",
    "CREATE VIEW a AS SELECT 1",
    "CREATE EXTERNAL TABLE a STORED AS CSV LOCATION '/etc/passwd'",
    "CREATE EXTERNAL TABLE a STORED AS PARQUET LOCATION 'http://169.254.169.254/'",
    "CREATE FUNCTION f() RETURNS INT RETURN 1",
    "INSERT INTO sessions VALUES (1)",
    "DELETE FROM sessions",
    "UPDATE sessions SET query = 'x'",
    "COPY sessions TO '/tmp/stolen.parquet'",
    "COPY (SELECT 1) TO '/tmp/stolen.csv' STORED AS CSV",
    "SET datafusion.execution.batch_size = 1",
    "SHOW ALL",
    "SHOW TABLES",
    "EXPLAIN SELECT 1",
    "EXPLAIN ANALYZE SELECT 1",
    "DESCRIBE sessions",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "BEGIN",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM \"/etc/passwd\"",
    "SELECT * FROM 'sessions.parquet'",
    "SELECT * FROM read_parquet('/etc/passwd')",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM information_schema.tables",
    "SELECT 1 INTO stolen",
    "SELECT $1",
];

#[test]
fn queries_read_the_tables_of_the_run_and_can_do_nothing_else() {
    let shop = Shop::open();
    let id = shop.run(&[]);
    shop.report(&id);
    let ask = |sql: &str| shop.post(&format!("/v1/runs/{id}/query"), &json!({ "sql": sql }));
    let counted = ask("SELECT retriever_id, count(*) AS n FROM rankings GROUP BY 1 ORDER BY 1").expect(200);
    assert_eq!(counted["rows"], json!([{ "retriever_id": "boosted", "n": 200 }, { "retriever_id": "prod", "n": 200 }]));
    assert_eq!(counted["columns"][1]["name"], "n");
    assert_eq!(counted["truncated"], false);
    let joined = ask("WITH s AS (SELECT session_id FROM sessions) SELECT s.session_id FROM s JOIN rankings r \
                      ON s.session_id = r.session_id ORDER BY 1 LIMIT 3")
    .expect(200);
    assert_eq!(joined["rows"].as_array().unwrap().len(), 3);
    // An object has one member of a name.
    let both = "FROM rankings a JOIN rankings b ON a.session_id = b.session_id AND a.retriever_id < b.retriever_id";
    for columns in ["a.session_id, b.session_id", "a.session_id, a.retriever_id, b.retriever_id", "*"] {
        let refused = ask(&format!("SELECT {columns} {both}")).expect(422);
        assert_eq!(
            (&refused["code"], &refused["errors"][0]["location"]),
            (&json!("invalid_query"), &json!(["body", "sql"]))
        );
        let detail = refused["detail"].as_str().unwrap();
        assert!(detail.contains("two columns are called `") && detail.contains("name them with AS"), "{detail}");
    }
    let named = ask(&format!("SELECT a.retriever_id, b.retriever_id AS other {both} LIMIT 1")).expect(200);
    assert_eq!(named["rows"][0], json!({ "retriever_id": "boosted", "other": "prod" }));
    assert_eq!(ask("SELECT * FROM sessions WHERE false").expect(200)["rows"], json!([]));
    // More rows than an answer has.
    let all = ask("SELECT a.session_id FROM rankings a CROSS JOIN sessions b").expect(200);
    assert_eq!((all["rows"].as_array().unwrap().len(), &all["truncated"]), (1000, &json!(true)));
    for sql in HOSTILE_QUERIES {
        let refused = ask(sql);
        assert_eq!(refused.status, 422, "{sql}: {}", refused.body);
        assert!(!refused.body.contains("root:"), "{sql}: {}", refused.body);
    }
    let deep = format!("SELECT {}1{}", "(".repeat(20_000), ")".repeat(20_000));
    assert_eq!(ask(&deep).status, 422);
    let large = ask("SELECT repeat('x', 100000000) FROM sessions");
    assert_eq!(large.status, 422, "{}", large.body);
    assert_eq!(shop.post(&format!("/v1/runs/{id}/query"), &json!({ "sql": "SELECT 1", "limit": 5000 })).status, 422);
    assert!(!std::path::Path::new("/tmp/stolen.parquet").exists());
    assert_eq!(shop.server.send_bytes("GET", "/healthz", &[], None).body, "ok\n");
}

#[test]
fn finished_runs_are_compared_and_judged_by_other_settings() {
    let shop = Shop::open();
    let first = shop.run(&[]);
    let second = shop.run(&["retriever.1.stages.0.fields.title=5.0"]);
    shop.report(&first);
    shop.report(&second);
    let compared = shop.post("/v1/compare", &json!({ "runs": [first, second] })).expect(201);
    assert_eq!(compared["kind"], "comparison");
    let report = shop.report(compared["id"].as_str().unwrap());
    let ids: Vec<&str> =
        report["results"].as_array().unwrap().iter().map(|one| one["retriever_id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 3, "{ids:?}");
    assert!(ids.contains(&"prod") && ids.contains(&format!("{second}:boosted").as_str()), "{ids:?}");
    let rescored = shop
        .post(&format!("/v1/runs/{first}/rescore"), &json!({ "toml": benchmark(), "overrides": ["metrics.k=[3]"] }));
    let report = shop.report(rescored.expect(201)["id"].as_str().unwrap());
    assert!(report["results"][0]["scores"]["nDCG@3"].is_object(), "{}", report["results"][0]["scores"]);
    for (body, status) in [
        (json!({ "runs": [first] }), 422),
        (json!({ "runs": [first, "run_nothing"] }), 404),
        (json!({ "runs": "x" }), 422),
    ] {
        assert_eq!(shop.post("/v1/compare", &body).status, status, "{body}");
    }
    let twice = shop.post("/v1/compare", &json!({ "runs": [first, first] })).expect(201);
    let twice = shop.ended(twice["id"].as_str().unwrap());
    assert_eq!((&twice["state"], &twice["failure"]["code"]), (&json!("failed"), &json!("not_comparable")), "{twice}");
    assert!(!twice["failure"]["message"].as_str().unwrap().contains("organisations"), "{twice}");
    let plan = shop.post("/v1/plan", &json!({ "toml": benchmark(), "from": first })).expect(200);
    assert_eq!(plan["forecast"]["selection"]["sampled"], 200, "{plan}");
}

#[test]
fn what_is_of_another_organisation_is_as_if_it_were_not() {
    let shop = Shop::open();
    let id = shop.run(&["sessions.sample.count=10"]);
    shop.report(&id);
    let other = shop.server.token("other", "admin");
    let of = |answer: super::running::Answer| (answer.status, answer.body);
    for path in ["", "/events", "/report", "/artifacts", "/artifacts/report.json", "/rows?table=sessions", "/gates"] {
        let foreign = shop.server.get(&format!("/v1/runs/{id}{path}"), &other);
        let unknown = shop.server.get(&format!("/v1/runs/run_x{path}"), &other);
        assert_eq!(foreign.status, 404, "{path}");
        assert_eq!(foreign.body.replace(&id, "run_x"), unknown.body, "{path}");
    }
    for path in ["cancel", "retry", "query", "rescore"] {
        let body = json!({ "sql": "SELECT 1" });
        let body = if path == "query" {
            body
        } else if path == "rescore" {
            json!({ "toml": "x" })
        } else {
            json!({})
        };
        assert_eq!(of(shop.server.post(&format!("/v1/runs/{id}/{path}"), &other, &body)).0, 404, "{path}");
    }
    assert_eq!(shop.server.send("DELETE", &format!("/v1/runs/{id}"), &other, None).status, 404);
    assert_eq!(shop.server.post("/v1/compare", &other, &json!({ "runs": [id, id] })).status, 404);
    for list in ["files", "corpora", "components", "runs"] {
        assert_eq!(shop.server.get(&format!("/v1/{list}"), &other).expect(200)["items"], json!([]), "{list}");
    }
    for path in [
        "files/products.jsonl",
        "files/products.jsonl/content",
        "corpora/products",
        "components/half-life-utility/0.1.0",
    ] {
        assert_eq!(shop.server.get(&format!("/v1/{path}"), &other).status, 404, "{path}");
        assert_eq!(shop.server.get(&format!("/v1/{path}"), &shop.token).status, 200, "{path}");
    }
    assert_eq!(shop.get("/v1/runs").expect(200)["items"].as_array().unwrap().len(), 1);
}

/// Pages of runs are read while others are posted and removed: every run that was there all the time is on one page, once.
#[test]
fn pages_of_runs_are_stable_while_runs_come_and_go() {
    let shop = Shop::open_with(&["--workers", "1"]);
    let lasting: Vec<String> = (0..12).map(|_| shop.run(&["sessions.sample.count=5"])).collect();
    let passing: Vec<String> = (0..6).map(|_| shop.run(&["sessions.sample.count=5"])).collect();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for id in &passing {
                shop.post(&format!("/v1/runs/{id}/cancel"), &json!({})).expect(200);
                shop.ended(id);
                assert_eq!(shop.server.send("DELETE", &format!("/v1/runs/{id}"), &shop.token, None).status, 204);
                shop.run(&["sessions.sample.count=5"]);
            }
            done.store(true, Ordering::SeqCst);
        });
        let mut rounds = 0;
        while !done.load(Ordering::SeqCst) || rounds < 3 {
            rounds += 1;
            for limit in [1, 3, 7] {
                let (mut seen, mut cursor) = (Vec::new(), String::new());
                loop {
                    let page = shop.get(&format!("/v1/runs?limit={limit}{cursor}")).expect(200);
                    let items = page["items"].as_array().unwrap();
                    assert!(items.len() <= limit);
                    seen.extend(items.iter().map(|run| run["id"].as_str().unwrap().to_owned()));
                    match page["next_cursor"].as_str() {
                        Some(next) => cursor = format!("&cursor={next}"),
                        None => break,
                    }
                }
                assert!(seen.is_sorted_by(|newer, older| newer > older), "{seen:?}");
                assert!(lasting.iter().all(|id| seen.contains(id)), "{seen:?}");
            }
        }
    });
    // A broken cursor is not the end of the list.
    for cursor in ["abc", "run_", "run_12", "1"] {
        let refused = shop.get(&format!("/v1/runs?cursor={cursor}")).expect(400);
        assert!(refused["detail"].as_str().unwrap().contains("expected `next_cursor`"), "{refused}");
    }
    shop.get("/v1/components?cursor=abc").expect(400);
    let completed = until("all runs", || {
        let completed = shop.get("/v1/runs?state=completed").expect(200)["items"].as_array().unwrap().len();
        (completed == 18).then_some(completed)
    });
    assert_eq!(completed, 18);
}

#[test]
fn storage_has_a_limit_that_is_said() {
    let server = Server::start_with(&["--storage-limit", "20KiB"]);
    let token = server.token("acme", "ci");
    let small = b"{\"item_id\":\"x\",\"title\":\"y\"}\n";
    put(&server, &token, "/v1/files/small.jsonl", small).expect(201);
    let large = put(&server, &token, "/v1/files/large.jsonl", &small.repeat(1000)).expect(413);
    assert!(large["detail"].as_str().unwrap().contains("remove files or runs"), "{large}");
    let storage = server.get("/v1/storage", &token).expect(200);
    assert_eq!((&storage["limit_bytes"], &storage["on_its_way_bytes"]), (&json!(20480), &json!(0)));
    let beside = storage["beside_bytes"].as_u64().unwrap();
    assert_eq!(storage["used_bytes"].as_u64().unwrap(), small.len() as u64 + beside);
}
