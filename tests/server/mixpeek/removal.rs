//! Benchmarks that are removed while they run.

use super::super::slow_engine::SlowEngine;
use super::*;

fn rows(data: &Path, sql: &str) -> i64 {
    rusqlite::Connection::open(data.join("rematch.db")).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn a_running_benchmark_is_gone_with_its_job_even_if_the_server_is_killed_right_after() {
    let engine = SlowEngine::start();
    let arguments = ["--allow-outbound", engine.address.as_str()];
    let server = Server::start_with(&arguments);
    let client = Client::new(&server, "acme", "shop").with_products();
    let slow = |name: &str| {
        let stage = json!({ "stage_name": "far", "config": { "stage_id": "http", "parameters": engine.parameters() } });
        let made = client.post("/retrievers", json!({ "retriever_name": name, "stages": [stage] })).expect(200);
        made["retriever_id"].as_str().unwrap().to_owned()
    };
    let (baseline, candidate) = (slow("a"), slow("b"));
    let act = json!({
        "feature_id": "p0001", "interaction_type": ["click"], "position": 0, "session_id": "s",
        "query_snapshot": { "query": "slow lamp" },
    });
    client.post("/retrievers/interactions", act).expect(200);
    let running = || {
        let body =
            json!({ "benchmark_name": "n", "baseline_retriever_id": baseline, "candidate_retriever_ids": [candidate] });
        let made = client.post("/retrievers/benchmarks", body).expect(200);
        let id = made["benchmark_id"].as_str().unwrap().to_owned();
        until("the benchmark to replay", || {
            (client.get(&format!("/retrievers/benchmarks/{id}")).expect(200)["status"] == "replaying").then_some(())
        });
        id
    };
    // Where the server lives, the job goes when its worker has ended.
    let first = running();
    assert_eq!(client.delete(&format!("/retrievers/benchmarks/{first}")).status, 204);
    client.get(&format!("/retrievers/benchmarks/{first}")).expect(404);
    client.delete(&format!("/retrievers/benchmarks/{first}")).expect(404);
    let folder = |id: &str| server.data().join(format!("organisations/acme/jobs/{id}"));
    until("the job to go", || {
        (rows(server.data(), "SELECT count(*) FROM jobs") == 0 && !folder(&first).exists()).then_some(())
    });
    // Where it is killed before that, the next one sees to it.
    let second = running();
    let left = folder(&second);
    let token = client.token.clone();
    assert_eq!(client.delete(&format!("/retrievers/benchmarks/{second}")).status, 204);
    let (data, _folder) = server.kill();
    assert_eq!(rows(&data, "SELECT count(*) FROM retriever_benchmarks"), 0);
    let server = Server::start_over(&data, &arguments);
    until("the job to go", || (rows(&data, "SELECT count(*) FROM jobs") == 0 && !left.exists()).then_some(()));
    assert_eq!(rows(&data, "SELECT count(*) FROM job_events"), 0);
    let client = Client { server: &server, token, namespace: "shop", agent: "test" };
    client.get(&format!("/retrievers/benchmarks/{second}")).expect(404);
    assert_eq!(client.get("/retrievers/benchmarks").expect(200)["total"], 0);
}
