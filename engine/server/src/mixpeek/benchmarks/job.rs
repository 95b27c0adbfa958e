//! A benchmark as a job.

use std::collections::BTreeMap;
use std::path::Path;

use async_trait::async_trait;
use axum::http::StatusCode;
use jiff::Timestamp;
use rematch_engine::report::Report;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::model::SessionFilter;
use super::sessions::Wanted;
use super::{results, sessions};
use crate::App;
use crate::catalog::read_report;
use crate::jobs::{Job, JobKind};
use crate::mixpeek::executions::search::corpora_for;
use crate::mixpeek::retrievers::stages::needs_query;
use crate::platform::error::ApiError;
use crate::platform::instant;
use crate::worker::{Order, RunOrder};

/// Types of interactions that are about no document: they weigh nothing, unless the client says otherwise.
const ABOUT_NO_DOCUMENT: [&str; 3] = ["query_refinement", "zero_results", "filter_toggle"];

/// The metric that decides.
pub(super) const PRIMARY: &str = "nDCG@10";

const SESSIONS: &str = "sessions.jsonl";
const BENCHMARK: &str = "benchmark.yaml";
const LEFT_OUT: &str = "left_out.json";

/// What is asked of the job.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BenchmarkJob {
    /// The namespace.
    pub namespace: String,
    /// The benchmark's name.
    pub name: String,
    /// Sections of the retrievers as they were when the benchmark was created, the baseline first.
    pub retrievers: Vec<Value>,
    /// Their identifiers.
    pub retriever_ids: Vec<String>,
    /// Which sessions.
    pub filter: Option<SessionFilter>,
    /// How many.
    pub session_count: u32,
}

/// The kind of job that a benchmark is.
#[derive(Debug)]
pub struct RetrieverBenchmark;

impl RetrieverBenchmark {
    /// Its name in the database.
    pub const NAME: &str = "retriever_benchmark";
}

#[async_trait]
impl JobKind for RetrieverBenchmark {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    async fn prepare(&self, app: &App, job: &Job, folder: &Path) -> Result<Order, ApiError> {
        let benchmark = folder.join(BENCHMARK);
        // It is written last: where it is there, all is, and what has come in since is of no concern.
        if !tokio::fs::try_exists(&benchmark).await.map_err(ApiError::internal)? {
            let asked: BenchmarkJob = job.asked()?;
            let wanted = Wanted {
                min_interactions: asked.filter.as_ref().and_then(|filter| filter.min_interactions).unwrap_or(1),
                needs_query: asked.retrievers.iter().any(needs_query),
            };
            let path = folder.join(SESSIONS);
            let built = sessions::build(app, &job.organisation, &asked.namespace, &path, wanted).await?;
            if built.sessions == 0 {
                return Err(none(&built.left_out));
            }
            let mut corpora = Map::new();
            for retriever in &asked.retrievers {
                corpora.extend(corpora_for(app, &job.organisation, retriever).await?);
            }
            write(folder, LEFT_OUT, &json!(built.left_out)).await?;
            write(folder, BENCHMARK, &benchmark_file(&asked, corpora)).await?;
        }
        Ok(Order::Run(RunOrder { benchmark, overrides: Vec::new(), out: folder.join("run"), retry_errors: false }))
    }

    async fn conclude(&self, _: &App, _: &Job, folder: &Path, _: Value) -> Result<Value, ApiError> {
        let run = folder.join("run");
        let report = tokio::task::spawn_blocking(move || read_report::<Report>(&run));
        let report = report.await.map_err(ApiError::internal)??;
        if let Some(failure) = results::failure(&report) {
            return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "retriever_failed", failure));
        }
        let left_out = tokio::fs::read(folder.join(LEFT_OUT)).await.map_err(ApiError::internal)?;
        let left_out: BTreeMap<String, u64> = serde_json::from_slice(&left_out).map_err(ApiError::internal)?;
        serde_json::to_value(results::of_report(report, left_out)).map_err(ApiError::internal)
    }
}

fn none(left_out: &BTreeMap<String, u64>) -> ApiError {
    let reasons: Vec<String> = left_out.iter().map(|(reason, count)| format!("{count} by `{reason}`")).collect();
    let found = match reasons.as_slice() {
        [] => "no interactions are recorded".to_owned(),
        reasons => format!("left out are {}", reasons.join(", ")),
    };
    let message = format!(
        "there are no sessions to replay: {found}; record interactions that name their `session_id` or `execution_id` and \
         what was asked, or widen `session_filter`"
    );
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "no_sessions", message)
}

/// Writes a file of the folder, complete or not at all.
async fn write(folder: &Path, name: &str, content: &Value) -> Result<(), ApiError> {
    let (unfinished, path) = (folder.join(format!("{name}.part")), folder.join(name));
    let text = serde_json::to_vec_pretty(content).map_err(ApiError::internal)?;
    tokio::fs::write(&unfinished, text).await.map_err(ApiError::internal)?;
    tokio::fs::rename(&unfinished, &path).await.map_err(ApiError::internal)
}

/// Returns the benchmark file: JSON, which is YAML.
fn benchmark_file(asked: &BenchmarkJob, corpora: Map<String, Value>) -> Value {
    let filter = asked.filter.clone().unwrap_or_default();
    let mut weights: BTreeMap<String, f64> = ABOUT_NO_DOCUMENT.iter().map(|kind| ((*kind).to_owned(), 0.0)).collect();
    weights.extend(filter.interaction_weights.and_then(|weights| weights.weights).unwrap_or_default());
    let strategy = filter.sample_strategy.unwrap_or_else(|| "random".to_owned());
    let mut sample = json!({ "strategy": strategy, "count": asked.session_count });
    if let (Value::Object(sample), "stratified") = (&mut sample, strategy.as_str()) {
        sample.insert("by".to_owned(), Value::from("taxonomy"));
    }
    // `min_interactions` has been seen to: what is one interaction here may be several in a session.
    let mut conditions = Map::new();
    let lists = [
        ("retriever-ids", filter.retriever_ids),
        ("taxonomy-nodes", filter.taxonomy_node_ids),
        ("interaction-types", filter.interaction_types),
    ];
    for (key, list) in lists {
        if let Some(list) = list {
            conditions.insert(key.to_owned(), json!(list));
        }
    }
    if let Some(range) = filter.time_range {
        let mut ends = Map::new();
        for (key, time) in [("start", range.start), ("end", range.end)] {
            if let Some(time) = time.as_deref().and_then(utc) {
                ends.insert(key.to_owned(), Value::from(time));
            }
        }
        conditions.insert("time-range".to_owned(), Value::Object(ends));
    }
    let (baseline, candidates) = asked.retriever_ids.split_first().unzip();
    json!({
        "name": asked.name,
        "baseline": baseline,
        "candidates": candidates,
        "sessions": { "path": SESSIONS, "format": "jsonl", "filter": conditions, "sample": sample },
        "relevance": { "combine": "sum", "weights": weights },
        "metrics": { "k": [5, 10, 20], "primary": PRIMARY },
        "corpus": corpora,
        "retriever": asked.retrievers,
        "output": { "formats": ["json", "parquet"] },
    })
}

fn utc(time: &str) -> Option<String> {
    Some(Timestamp::from_millisecond(instant::parse(time)?).ok()?.to_string())
}

#[cfg(test)]
mod tests {
    use rematch_engine::benchmark::spec::Combine;
    use rematch_engine::benchmark::{Plan, SpecSource};

    use super::*;

    #[test]
    fn every_filter_stands_in_the_benchmark_file_and_the_engine_reads_it() {
        let filter = serde_json::from_value(json!({
            "retriever_ids": ["ret_a"], "taxonomy_node_ids": ["home"], "min_interactions": 2,
            "time_range": { "start": "2026-01-01T00:00:00+00:00", "end": "2026-02-01T00:00:00" },
            "interaction_types": ["click"], "sample_strategy": "stratified",
            "interaction_weights": { "weights": { "click": 2.0, "zero_results": 1.0 } },
        }))
        .unwrap();
        let retriever = |id: &str| json!({ "id": id, "name": id, "stages": [{ "kind": "shown", "name": "shown" }] });
        let asked = BenchmarkJob {
            namespace: String::new(),
            name: "b".to_owned(),
            retrievers: vec![retriever("ret_a"), retriever("ret_b")],
            retriever_ids: vec!["ret_a".to_owned(), "ret_b".to_owned()],
            filter: Some(filter),
            session_count: 50,
        };
        let text = benchmark_file(&asked, Map::new()).to_string();
        let source = SpecSource::of(Path::new("/f/benchmark.yaml"), &text, &[]).unwrap();
        let plan = Plan::resolve(&source).unwrap();
        assert_eq!(plan.filter.retriever_ids, ["ret_a"]);
        assert_eq!(plan.filter.taxonomy_nodes, ["home"]);
        assert_eq!(plan.filter.interaction_types, ["click"]);
        // It has been applied to the interactions as they came.
        assert_eq!(plan.filter.min_interactions, None);
        assert_eq!(plan.relevance.combine, Combine::Sum);
        let range = plan.filter.time_range.unwrap();
        assert_eq!(range.end.unwrap().0.to_string(), "2026-02-01T00:00:00Z");
        assert_eq!(plan.sample.unwrap().count, 50);
        assert_eq!((plan.relevance.weights["click"], plan.relevance.weights["zero_results"]), (2.0, 1.0));
        assert_eq!(plan.relevance.weights["query_refinement"], 0.0);
        assert_eq!(plan.primary, "nDCG@10");
    }
}
