//! Files in folders, and the folder of a BEIR collection as the input of a run.

use serde_json::{Value, json};

use super::running::Server;
use super::shop::{ended, put};

const CORPUS: &str = r#"{"_id": "d1", "title": "red lamp", "text": "a lamp that is red"}
{"_id": "d2", "title": "blue kettle", "text": "boils water"}
{"_id": "d3", "title": "green lamp", "text": "a lamp that is green"}
"#;
const QUERIES: &str = r#"{"_id": "q1", "text": "red lamp"}
{"_id": "q2", "text": "kettle"}
{"_id": "q3", "text": "green"}
"#;
const QRELS: &str = "query-id\tcorpus-id\tscore\nq1\td1\t1\nq2\td2\t1\nq3\td3\t1\n";

const BENCHMARK: &str = r#"
name = "beir"
baseline = "words"
candidates = ["titles"]
[sessions]
path = { beir = "files/small" }
[corpus.documents]
path = "files/small/corpus.jsonl"
id = "_id"
[[retriever]]
id = "words"
stages = [{ kind = "bm25", corpus = "documents", fields = { title = 1.0, text = 1.0 } }]
[[retriever]]
id = "titles"
stages = [{ kind = "bm25", corpus = "documents", fields = { title = 1.0 } }]
[metrics]
k = [1]
primary = "nDCG@1"
"#;

#[test]
fn a_beir_folder_is_brought_file_by_file_and_run() {
    let server = Server::start();
    let token = server.token("acme", "ci");
    let missing = server.post("/v1/runs", &token, &json!({ "toml": BENCHMARK })).expect(422);
    assert!(missing.to_string().contains("there is no folder `small` of files"), "{missing}");
    // As they are, and percent-encoded.
    for (path, content) in [
        ("/v1/files/small/corpus.jsonl", CORPUS),
        ("/v1/files/small%2Fqueries.jsonl", QUERIES),
        ("/v1/files/small/qrels/test.tsv", QRELS),
    ] {
        put(&server, &token, path, content.as_bytes()).expect(201);
        assert_eq!(put(&server, &token, path, content.as_bytes()).status, 200);
    }
    let run = server.post("/v1/runs", &token, &json!({ "toml": BENCHMARK })).expect(201);
    let run = ended(&server, &token, run["id"].as_str().unwrap());
    assert_eq!(run["state"], "completed", "{run}");
    let sql = "SELECT retriever_id, avg(\"nDCG@1\") AS mean FROM scenario_scores GROUP BY 1 ORDER BY 1";
    let id = run["id"].as_str().unwrap();
    let means = server.post(&format!("/v1/runs/{id}/query"), &token, &json!({ "sql": sql })).expect(200);
    assert_eq!(
        means["rows"],
        json!([{ "retriever_id": "titles", "mean": 1.0 }, { "retriever_id": "words", "mean": 1.0 }])
    );

    let listed = server.get("/v1/files", &token).expect(200);
    let names: Vec<&Value> = listed["items"].as_array().unwrap().iter().map(|file| &file["name"]).collect();
    assert_eq!(names, ["small/corpus.jsonl", "small/qrels/test.tsv", "small/queries.jsonl"]);
    assert_eq!(server.get("/v1/files/small/qrels/test.tsv/content", &token).body, QRELS);
    assert_eq!(server.get("/v1/files/small%2Fqrels%2Ftest.tsv", &token).expect(200)["bytes"], QRELS.len());
    // A file is no folder, and a folder no file.
    put(&server, &token, "/v1/files/small/qrels/test.tsv/more.tsv", QRELS.as_bytes()).expect(409);
    put(&server, &token, "/v1/files/small", QRELS.as_bytes()).expect(409);
    for hostile in [
        "/v1/files/small%2F..%2F..%2Fx.tsv",
        "/v1/files/%2Fetc%2Fpasswd",
        "/v1/files/a%2F%2Fb.tsv",
        "/v1/files/a/b/c/d/e/f.tsv",
    ] {
        assert_eq!(put(&server, &token, hostile, QRELS.as_bytes()).status, 422, "{hostile}");
    }
    let other = server.token("other", "ci");
    server.get("/v1/files/small/corpus.jsonl", &other).expect(404);

    // They outlast a server that is killed; what has no row does not.
    let (data, _folder) = server.kill();
    let files = data.join("organisations/acme/files");
    std::fs::create_dir_all(files.join("left/over")).unwrap();
    std::fs::write(files.join("left/over/file"), "x").unwrap();
    std::fs::write(files.join("small/extra"), "x").unwrap();
    let server = Server::start_over(&data, &[]);
    assert_eq!(server.get("/v1/files/small/qrels/test.tsv/content", &token).body, QRELS);
    assert!(!files.join("left").exists() && !files.join("small/extra").exists());
    for path in ["/v1/files/small/corpus.jsonl", "/v1/files/small/qrels/test.tsv", "/v1/files/small/queries.jsonl"] {
        assert_eq!(server.send("DELETE", path, &token, None).status, 204, "{path}");
    }
    assert!(!files.join("small").exists(), "folders go with their last file");
}
