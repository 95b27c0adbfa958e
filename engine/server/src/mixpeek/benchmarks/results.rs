//! From the engine's report to the words of this API.

use std::collections::BTreeMap;

use rematch_engine::compare::outcome as engine;
use rematch_engine::report::Report;
use serde::{Deserialize, Serialize};

use super::job::PRIMARY;
use super::model::{
    AlignmentMetrics, BenchmarkComparison, BenchmarkResult, LatencyMetrics, NodeTest, PipelineComparison, Significance,
};

/// What is kept of a benchmark that is completed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// What each retriever did, the baseline first.
    pub results: Vec<BenchmarkResult>,
    /// The candidates against the baseline.
    pub comparison: BenchmarkComparison,
    /// What was left out, by reason.
    pub exclusions: BTreeMap<String, u64>,
}

/// Returns why a report is no result: the baseline or every candidate answered nothing.
#[must_use]
pub fn failure(report: &Report) -> Option<String> {
    let answered = |result: &&engine::BenchmarkResult| result.state == engine::ArmState::Completed;
    let (baseline, candidates) = report.results.split_first()?;
    let silent = if answered(&baseline) {
        if candidates.iter().any(|candidate| answered(&candidate)) {
            return None;
        }
        candidates.first()?
    } else {
        baseline
    };
    let kinds: Vec<String> = silent.error_summary.iter().map(|(kind, count)| format!("{count} times {kind}")).collect();
    let first = silent.stages.iter().find_map(|stage| stage.first_error.as_deref());
    let first = first.map(|error| format!("; the first failure: {error}")).unwrap_or_default();
    Some(format!("retriever `{}` answered no session ({}){first}", silent.retriever_id, kinds.join(", ")))
}

/// Returns what a report says.
#[must_use]
pub fn of_report(report: Report, left_out: BTreeMap<String, u64>) -> Results {
    let mut exclusions = left_out;
    for filter in &report.run.selection.filters {
        if filter.removed > 0 {
            exclusions.insert(format!("session_filter.{}", filter.filter), filter.removed);
        }
    }
    let comparison = comparison(report.comparison, &report.results);
    let clicks = report.results.iter().filter_map(|result| result.metrics.as_ref()?.mean_rank_clicked).count();
    // As one that returned none of the clicked items in any session has it.
    let unanswered = AlignmentMetrics {
        mean_rank_clicked: if clicks > 0 { report.run.depth as f64 + 1.0 } else { 0.0 },
        ..AlignmentMetrics::default()
    };
    let results = report.results.into_iter().map(|one| result(one, &unanswered)).collect();
    Results { results, comparison, exclusions }
}

/// Returns the comparison with every candidate in it: the engine has none of one that answered nothing.
fn comparison(found: engine::BenchmarkComparison, results: &[engine::BenchmarkResult]) -> BenchmarkComparison {
    let mut known: BTreeMap<String, PipelineComparison> =
        found.comparisons.into_iter().map(candidate).map(|one| (one.candidate_retriever_id.clone(), one)).collect();
    let mut recommendation = found.recommendation;
    let mut comparisons = Vec::with_capacity(results.len());
    for result in results.iter().skip(1) {
        let id = &result.retriever_id;
        comparisons.push(known.remove(id).unwrap_or_else(|| {
            let told = format!("`{id}` answered no session, and is compared with nothing.");
            recommendation = [recommendation.as_str(), &told].join(" ").trim_start().to_owned();
            PipelineComparison { candidate_retriever_id: id.clone(), ..PipelineComparison::default() }
        }));
    }
    BenchmarkComparison {
        baseline_retriever_id: found.baseline_retriever_id,
        comparisons,
        recommendation: Some(recommendation).filter(|text| !text.is_empty()),
    }
}

fn result(result: engine::BenchmarkResult, unanswered: &AlignmentMetrics) -> BenchmarkResult {
    let nodes: BTreeMap<String, AlignmentMetrics> =
        result.taxonomy_deltas.into_iter().map(|(node, metrics)| (node, alignment(metrics))).collect();
    BenchmarkResult {
        retriever_id: result.retriever_id,
        retriever_name: result.retriever_name,
        pipeline_hash: result.pipeline_hash,
        // Of one that answered nothing, nothing is said: no cutoff has a value.
        metrics: result.metrics.map_or_else(|| unanswered.clone(), alignment),
        taxonomy_deltas: (!nodes.is_empty()).then_some(nodes),
        latency: latency(result.latency),
        failed_sessions: result.failed_sessions,
        error_summary: result.error_summary,
    }
}

fn alignment(metrics: engine::AlignmentMetrics) -> AlignmentMetrics {
    AlignmentMetrics {
        ndcg_at_k: defined(metrics.ndcg_at_k),
        recall_at_k: defined(metrics.recall_at_k),
        // The contract has no "undefined" here.
        mean_rank_clicked: metrics.mean_rank_clicked.unwrap_or_default(),
        mean_rank_purchased: metrics.mean_rank_purchased,
        avg_position_delta: metrics.avg_position_delta.unwrap_or_default(),
        items_promoted: metrics.items_promoted,
        items_demoted: metrics.items_demoted,
        sessions_improved: metrics.sessions_improved,
        sessions_degraded: metrics.sessions_degraded,
        sessions_neutral: metrics.sessions_neutral,
    }
}

fn defined(values: BTreeMap<String, Option<f64>>) -> BTreeMap<String, f64> {
    values.into_iter().filter_map(|(cutoff, value)| Some((cutoff, value?))).collect()
}

fn latency(latency: engine::LatencyMetrics) -> LatencyMetrics {
    LatencyMetrics {
        p50_ms: latency.p50_ms.unwrap_or_default(),
        p90_ms: latency.p90_ms.unwrap_or_default(),
        p99_ms: latency.p99_ms.unwrap_or_default(),
        mean_ms: latency.mean_ms.unwrap_or_default(),
        stage_latencies: latency.stage_latencies,
    }
}

fn candidate(comparison: engine::PipelineComparison) -> PipelineComparison {
    let significance = comparison.metrics.get(PRIMARY).map(|test| Significance {
        sessions: test.n,
        clusters: test.clusters,
        cluster_by: test.cluster_by.clone(),
        test: test.test.clone(),
        p_value_adjusted: test.p_adjusted,
        correction: test.correction.clone(),
        verdict: match comparison.verdict.outcome {
            engine::VerdictOutcome::Better => "better",
            engine::VerdictOutcome::Worse => "worse",
            engine::VerdictOutcome::Inconclusive => "inconclusive",
        }
        .to_owned(),
        reason: comparison.verdict.sentence.clone(),
    });
    PipelineComparison {
        significance,
        taxonomy_tests: comparison.taxonomy.into_iter().map(|(node, test)| (node, at_node(test))).collect(),
        candidate_retriever_id: comparison.candidate_retriever_id,
        ndcg_delta: defined(comparison.ndcg_delta),
        recall_delta: defined(comparison.recall_delta),
        latency_delta_ms: comparison.latency_delta_ms.unwrap_or_default(),
        p_value: comparison.p_value,
        confidence_interval: comparison.confidence_interval.map(Vec::from),
        taxonomy_wins: comparison.taxonomy_wins,
        taxonomy_losses: comparison.taxonomy_losses,
    }
}

fn at_node(test: engine::NodeComparison) -> NodeTest {
    NodeTest {
        sessions: test.n,
        clusters: test.clusters,
        ndcg_delta: test.delta,
        confidence_interval: test.ci95.map(Vec::from),
        test: test.test,
        p_value: test.p,
        p_value_adjusted: test.p_adjusted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arm(id: &str, state: engine::ArmState) -> engine::BenchmarkResult {
        serde_json::from_value(serde_json::json!({
            "retriever_id": id, "retriever_name": id, "pipeline_hash": "", "state": state, "metrics": null, "scores": {},
            "scenario_score": null, "scorers": {}, "latency": engine::LatencyMetrics::default(), "answered_sessions": 0,
            "empty_answers": 0, "failed_sessions": 3, "error_summary": {}, "taxonomy_deltas": {},
        }))
        .unwrap()
    }

    #[test]
    fn every_candidate_is_compared_in_the_order_of_the_request() {
        let answered = |id: &str| engine::PipelineComparison {
            candidate_retriever_id: id.to_owned(),
            p_value: Some(0.5),
            ..engine::PipelineComparison::default()
        };
        let found = engine::BenchmarkComparison {
            baseline_retriever_id: "base".to_owned(),
            comparisons: vec![answered("c")],
            recommendation: "Keep `base`.".to_owned(),
            stopping: None,
        };
        let (completed, failed) = (engine::ArmState::Completed, engine::ArmState::Failed);
        let told = comparison(found, &[arm("base", completed), arm("b", failed), arm("c", completed)]);
        let ids: Vec<&str> = told.comparisons.iter().map(|one| one.candidate_retriever_id.as_str()).collect();
        assert_eq!(ids, ["b", "c"]);
        assert!(told.comparisons[0].ndcg_delta.is_empty() && told.comparisons[0].p_value.is_none());
        assert_eq!(told.comparisons[1].p_value, Some(0.5));
        let expected = "Keep `base`. `b` answered no session, and is compared with nothing.";
        assert_eq!(told.recommendation.as_deref(), Some(expected));
    }

    #[test]
    fn an_undefined_value_is_left_out_where_the_contract_has_no_null() {
        let metrics = engine::AlignmentMetrics {
            ndcg_at_k: [("5".to_owned(), Some(0.5)), ("10".to_owned(), None)].into(),
            ..engine::AlignmentMetrics::default()
        };
        let alignment = alignment(metrics);
        assert_eq!(alignment.ndcg_at_k.keys().collect::<Vec<_>>(), ["5"]);
        assert_eq!((alignment.mean_rank_clicked, alignment.mean_rank_purchased), (0.0, None));
    }
}
