//! The retriever-benchmark API: evaluations by judged queries, against the command line's numbers.

use rematch_engine::session::Session;
use serde_json::{Value, json};

use super::mixpeek::{Client, by_hand, shop};
use super::running::Server;

#[test]
fn evaluations_measure_a_retriever_by_what_is_known() {
    let server = Server::start();
    let client = Client::new(&server, "acme", "shop").with_products();
    let (flat, title) = (client.retriever("flat", 1.0), client.retriever("title", 3.0));
    let judged: Vec<Session> = shop().into_iter().filter(|session| !session.judgments.is_empty()).take(60).collect();
    let queries: Vec<Value> = judged
        .iter()
        .map(|session| {
            let grades: Vec<_> = session.judgments.iter().filter(|judgment| judgment.grade > 0.0).collect();
            let scores: serde_json::Map<String, Value> =
                grades.iter().map(|judgment| (judgment.item_id.clone(), json!(judgment.grade as u8))).collect();
            let relevant: Vec<&str> = grades.iter().map(|judgment| judgment.item_id.as_str()).collect();
            json!({ "query_id": session.session_id, "query_input": { "query": session.query }, "relevant_documents": relevant, "relevance_scores": scores })
        })
        .collect();
    let dataset = json!({ "dataset_name": "judged", "queries": queries, "metadata": { "by": "hand" } });
    let made = client.post("/retrievers/evaluations/datasets", dataset.clone()).expect(200);
    assert_eq!((&made["query_count"], &made["namespace_id"]), (&json!(60), &json!("shop")));
    client.post("/retrievers/evaluations/datasets", dataset.clone()).expect(409);
    client.post("/retrievers/evaluations/datasets", json!({ "dataset_name": "x", "queries": [] })).expect(422);
    let id = made["dataset_id"].as_str().unwrap();
    assert_eq!(client.get(&format!("/retrievers/evaluations/datasets/{id}")).expect(200), made);
    assert_eq!(client.get("/retrievers/evaluations/datasets/judged").expect(200), made);
    assert_eq!(client.get("/retrievers/evaluations/datasets?page_size=1").expect(200)["total"], 1);
    client.get("/retrievers/evaluations/datasets/nothing").expect(404);

    let start = |retriever: &str, body: Value| client.post(&format!("/retrievers/{retriever}/evaluations"), body);
    let begun = start(&flat, json!({ "dataset_name": "judged" })).expect(202);
    assert_eq!((&begun["task_type"], &begun["status"]), (&json!("retriever.evaluation"), &json!("pending")));
    let baseline = begun["evaluation_id"].as_str().unwrap();
    let first = client.ended(&format!("/retrievers/{flat}/evaluations/{baseline}"));
    assert_eq!(first["status"], "completed", "{first}");
    assert_eq!((&first["total_queries"], &first["query_count"]), (&json!(60), &json!(60)));
    let skipped = first["skipped_queries"].as_u64().unwrap();
    assert_eq!(first["evaluated_queries"].as_u64().unwrap() + skipped, 60);
    assert_eq!(first["overall_metrics"], first["metrics_by_k"]["20"]);
    assert_like_a_run(&server, &judged, &first);
    // Means at other cutoffs are no measure of these.
    let with =
        |config: Value| json!({ "dataset_name": id, "evaluation_config": config, "baseline_evaluation_id": baseline });
    let refused = start(&title, with(json!({ "k_values": [5] }))).expect(422);
    assert_eq!(refused["error"]["details"]["validation_errors"][0]["loc"][1], "baseline_evaluation_id");
    assert!(refused["error"]["message"].as_str().unwrap().contains("`k_values` 1, 5, 10, 20"), "{refused}");
    let second = start(&title, with(json!({ "metrics": ["ndcg", "f2"] }))).expect(202);
    let second =
        client.ended(&format!("/retrievers/{title}/evaluations/{}", second["evaluation_id"].as_str().unwrap()));
    assert_eq!(second["metrics_by_k"]["5"].as_object().unwrap().keys().collect::<Vec<_>>(), ["f2", "ndcg"]);
    assert_eq!(
        (&second["verdict"]["primary_metric"], &second["baseline_evaluation_id"]),
        (&json!("ndcg"), &json!(baseline))
    );
    assert_eq!(second["verdict"]["compared_metrics"], 1);
    let ndcg = |evaluation: &Value| evaluation["overall_metrics"]["ndcg"].as_f64().unwrap();
    let compared = &second["verdict"]["per_metric"]["ndcg"];
    assert_eq!((&compared["baseline"], &compared["candidate"]), (&json!(ndcg(&first)), &json!(ndcg(&second))));
    assert_eq!(second["verdict"]["passed"], ndcg(&second) > ndcg(&first), "{}", second["verdict"]);
    assert_eq!(second["evaluated_queries"], first["evaluated_queries"]);

    // Where every search fails, so does the evaluation, and nothing can be held against it.
    let mute = json!([{ "query_id": "mute", "query_input": {}, "relevant_documents": ["p0001"] }]);
    client.post("/retrievers/evaluations/datasets", json!({ "dataset_name": "mute", "queries": mute })).expect(200);
    let failed = start(&flat, json!({ "dataset_name": "mute" })).expect(202)["evaluation_id"].clone();
    let told = client.ended(&format!("/retrievers/{flat}/evaluations/{}", failed.as_str().unwrap()));
    assert_eq!((&told["status"], &told["overall_metrics"]), (&json!("failed"), &Value::Null), "{told}");
    assert!(told["error_message"].as_str().unwrap().contains("1 of 1 searches failed"), "{told}");
    let refused = start(&flat, json!({ "dataset_name": "mute", "baseline_evaluation_id": failed })).expect(422);
    assert!(refused["error"]["message"].as_str().unwrap().contains("is `failed`"), "{refused}");
    start(&title, json!({ "dataset_name": "judged", "evaluation_config": { "metrics": ["bleu"] } })).expect(422);
    start(&title, json!({ "dataset_name": "nothing" })).expect(404);
    start(&title, json!({ "dataset_name": "judged", "baseline_evaluation_id": "eval_0" })).expect(404);
    start("ret_0", json!({ "dataset_name": "judged" })).expect(404);
    client.get(&format!("/retrievers/{title}/evaluations/{baseline}")).expect(404);
    let listed =
        client.get(&format!("/retrievers/{flat}/evaluations?status=completed&dataset_name=judged")).expect(200);
    assert_eq!((&listed["total"], &listed["evaluations"][0]["evaluation_id"]), (&json!(1), &json!(baseline)));
    assert_eq!(client.get(&format!("/retrievers/{flat}/evaluations?status=failed")).expect(200)["total"], 1);

    let found =
        client.post(&format!("/retrievers/{flat}/execute"), json!({ "inputs": { "query": "desk lamp" } })).expect(200);
    for position in 0..3 {
        let document = &found["documents"][position]["document_id"];
        let act = json!({ "feature_id": document, "interaction_type": ["click"], "position": position, "execution_id": found["execution_id"] });
        client.post("/retrievers/interactions", act).expect(200);
    }
    let generate =
        |body: Value| client.post(&format!("/retrievers/{flat}/evaluations/generate-from-interactions"), body);
    assert!(generate(json!({})).expect(422)["error"]["message"].as_str().unwrap().contains("5 or more"));
    let generated = generate(json!({ "min_interactions": 3 })).expect(200);
    assert!(generated["dataset_name"].as_str().unwrap().starts_with(&format!("auto_{flat}_")));
    assert_eq!(generated["queries"][0]["query_input"], json!({ "query": "desk lamp" }));
    assert_eq!(generated["queries"][0]["relevant_documents"].as_array().unwrap().len(), 3);
    generate(json!({ "lookback_days": 366 })).expect(422);

    let map = client.get("/evaluations").expect(200);
    assert_eq!(map["endpoints"]["score_predictions"], "POST /v1/evaluations/score");
    let scored =
        client.post("/evaluations/score", json!({ "predicted": ["a", "b"], "ground_truth": ["a"] })).expect(200);
    assert_eq!((&scored["aggregate"]["precision"], &scored["count"]), (&json!(0.5), &json!(1)));
    client.post("/evaluations/score", json!({})).expect(422);
    let stranger = Client::new(&server, "umbrella", "shop");
    stranger.get(&format!("/retrievers/evaluations/datasets/{id}")).expect(404);
    stranger.get(&format!("/retrievers/{flat}/evaluations/{baseline}")).expect(404);
}

/// The evaluation's numbers are those of a run over the same judgments.
fn assert_like_a_run(server: &Server, judged: &[Session], evaluation: &Value) {
    let folder = tempfile::tempdir().unwrap();
    let mut lines = String::new();
    for session in judged {
        let judgments: Vec<Value> = session
            .judgments
            .iter()
            .filter(|judgment| judgment.grade > 0.0)
            .map(|judgment| json!({ "item_id": judgment.item_id, "grade": judgment.grade }))
            .collect();
        let line = json!({ "session_id": session.session_id, "query": session.query, "judgments": judgments });
        lines.push_str(&format!("{line}\n"));
    }
    std::fs::write(folder.path().join("sessions.jsonl"), lines).unwrap();
    let stage = json!({ "kind": "bm25", "corpus": "products", "fields": { "title": 1.0, "description": 1.0 }, "k1": 0.9, "b": 0.4 });
    let title = json!({ "kind": "bm25", "corpus": "products", "fields": { "title": 1.0 } });
    let benchmark = json!({
        "name": "judged", "baseline": "flat", "candidates": ["title"], "depth": 20,
        "sessions": { "path": "sessions.jsonl" },
        "metrics": { "k": [5, 20], "extra": ["AP@20", "RR@20"] },
        "corpus": { "products": { "path": server.data().join("organisations/acme/files/products.jsonl"), "id": "item_id" } },
        "retriever": [{ "id": "flat", "stages": [stage] }, { "id": "title", "stages": [title] }],
    });
    std::fs::write(folder.path().join("benchmark.yaml"), benchmark.to_string()).unwrap();
    let report = by_hand(&folder.path().join("benchmark.yaml"));
    let scores = &report["results"][0]["scores"];
    for (name, metric) in [("precision", "P"), ("recall", "R"), ("ndcg", "nDCG"), ("map", "AP"), ("mrr", "RR")] {
        let (found, expected) = (&evaluation["metrics_by_k"]["20"][name], &scores[format!("{metric}@20")]["mean"]);
        let (found, expected) = (found.as_f64().unwrap(), expected.as_f64().unwrap());
        // A run counts the precision of queries without a relevant document too.
        if name != "precision" {
            assert!((found - expected).abs() < 1e-9, "{name}: {found} and {expected}");
        }
    }
}
