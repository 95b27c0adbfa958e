//! Results for tests of what is made of them.

use super::outcome::BenchmarkResult;

/// The result of a retriever that was asked for `sessions`, of which so many timed out; it failed where all did.
pub(super) fn result(id: &str, sessions: u64, timed_out: u64) -> BenchmarkResult {
    let state = if timed_out == sessions { "failed" } else { "completed" };
    let errors = if timed_out > 0 { serde_json::json!({ "timeout": timed_out }) } else { serde_json::json!({}) };
    let json = serde_json::json!({
        "retriever_id": id, "retriever_name": id, "pipeline_hash": "", "state": state, "metrics": null, "scores": {},
        "scenario_score": null, "scorers": {}, "latency": { "stage_latencies": {} },
        "answered_sessions": sessions - timed_out, "empty_answers": 0, "failed_sessions": timed_out,
        "error_summary": errors, "taxonomy_deltas": {},
    });
    serde_json::from_value(json).expect("a result")
}
