//! An evaluation as a job.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use async_trait::async_trait;
use rematch_engine::compare::means::MeansVerdict;
use rematch_engine::session::{Judgment, Session};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::model::{EvaluationConfig, GroundTruthQuery, QueryOutcome};
use super::verdict::{GateVerdict, PRIMARY};
use super::{datasets, store};
use crate::App;
use crate::jobs::{Job, JobKind};
use crate::mixpeek::executions::search::corpora_for;
use crate::mixpeek::inputs::search_inputs;
use crate::platform::error::ApiError;
use crate::worker::{EvaluateOrder, EvaluateOutcome, Order};

/// What is asked of the job.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EvaluationJob {
    /// The namespace.
    pub namespace: String,
    /// The retriever's section, as it was when the evaluation was asked for.
    pub retriever: Value,
    /// The dataset's identifier.
    pub dataset: String,
    /// Its queries.
    pub query_count: u64,
    /// How.
    pub config: EvaluationConfig,
    /// What it is held against.
    pub baseline: Option<String>,
}

/// What is kept of an evaluation that is completed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Evaluated {
    /// Means at the largest cutoff.
    pub overall: BTreeMap<String, f64>,
    /// Means by cutoff.
    pub by_cutoff: BTreeMap<String, BTreeMap<String, f64>>,
    /// What became of each query.
    pub queries: Vec<QueryOutcome>,
    /// How it compares.
    pub verdict: Option<GateVerdict>,
}

impl Evaluated {
    /// Returns the identifiers of the queries that the means are over.
    fn evaluated_queries(&self) -> BTreeSet<&str> {
        let evaluated = self.queries.iter().filter(|query| query.error.is_none());
        evaluated.map(|query| query.query_id.as_str()).collect()
    }
}

/// The kind of job that an evaluation is.
#[derive(Debug)]
pub struct RetrieverEvaluation;

impl RetrieverEvaluation {
    /// Its name in the database.
    pub const NAME: &str = "retriever_evaluation";
}

#[async_trait]
impl JobKind for RetrieverEvaluation {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    async fn prepare(&self, app: &App, job: &Job, folder: &Path) -> Result<Order, ApiError> {
        let asked: EvaluationJob = job.asked()?;
        let dataset = datasets::get(app, &job.organisation, &asked.namespace, &asked.dataset).await?;
        let mut lines = Vec::new();
        for query in &dataset.queries {
            serde_json::to_writer(&mut lines, &session(query)).map_err(ApiError::internal)?;
            lines.push(b'\n');
        }
        let sessions = folder.join("queries.jsonl");
        tokio::fs::write(&sessions, lines).await.map_err(ApiError::internal)?;
        let corpora = corpora_for(app, &job.organisation, &asked.retriever).await?;
        let (cutoffs, measures) = (asked.config.cutoffs(), asked.config.measures());
        Ok(Order::Evaluate(EvaluateOrder { retriever: asked.retriever, corpora, sessions, cutoffs, measures }))
    }

    async fn conclude(&self, app: &App, job: &Job, _: &Path, outcome: Value) -> Result<Value, ApiError> {
        let asked: EvaluationJob = job.asked()?;
        let outcome: EvaluateOutcome = serde_json::from_value(outcome).map_err(ApiError::internal)?;
        let mut evaluated = evaluated(outcome);
        if let Some(baseline) = &asked.baseline {
            let found = store::outcome(app, &job.organisation, baseline).await?;
            evaluated.verdict = found.map(|found| {
                let verdict = MeansVerdict::of(&found.overall, &evaluated.overall, PRIMARY);
                verdict.unless_other_queries(&found.evaluated_queries(), &evaluated.evaluated_queries()).into()
            });
        }
        serde_json::to_value(evaluated).map_err(ApiError::internal)
    }
}

/// Returns the query as a session that judges have seen: what is relevant has the grade that is given, or 1.
fn session(query: &GroundTruthQuery) -> Session {
    let asked = search_inputs(&query.query_input);
    let mut grades: BTreeMap<&String, f32> = BTreeMap::new();
    for (document, score) in query.relevance_scores.iter().flatten() {
        grades.insert(document, f32::from(*score));
    }
    for document in &query.relevant_documents {
        let grade = grades.entry(document).or_insert(1.0);
        *grade = grade.max(1.0);
    }
    Session {
        session_id: query.query_id.clone(),
        query: asked.query,
        query_vector: asked.query_vector,
        inputs: asked.inputs,
        judgments: grades.into_iter().map(|(item, grade)| Judgment { item_id: item.clone(), grade }).collect(),
        ..Session::default()
    }
}

fn evaluated(outcome: EvaluateOutcome) -> Evaluated {
    let overall = outcome.by_cutoff.last_key_value().map(|(_, means)| means.clone()).unwrap_or_default();
    let by_cutoff = outcome.by_cutoff.into_iter().map(|(cutoff, means)| (cutoff.to_string(), means)).collect();
    let query = |query: crate::worker::EvaluatedQuery| QueryOutcome {
        query_id: query.query_id,
        status: if query.skipped.is_none() { "evaluated" } else { "skipped" }.to_owned(),
        error: query.skipped,
        retrieved_count: query.retrieved.map(|count| count as u64),
    };
    Evaluated { overall, by_cutoff, queries: outcome.queries.into_iter().map(query).collect(), verdict: None }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn relevant_documents_have_the_grade_that_is_given_or_one() {
        let query = serde_json::from_value(json!({
            "query_id": "q", "query_input": { "text": "lamp" }, "relevant_documents": ["a", "b", "c"],
            "relevance_scores": { "a": 5, "b": 0, "d": 2, "e": 0 },
        }))
        .unwrap();
        let session = session(&query);
        let grades: Vec<(&str, f32)> =
            session.judgments.iter().map(|found| (found.item_id.as_str(), found.grade)).collect();
        assert_eq!(grades, [("a", 5.0), ("b", 1.0), ("c", 1.0), ("d", 2.0), ("e", 0.0)]);
        assert_eq!(session.query.as_deref(), Some("lamp"));
    }

    #[test]
    fn the_largest_cutoff_speaks_for_all() {
        let means = |value| BTreeMap::from([("ndcg".to_owned(), value)]);
        let outcome = EvaluateOutcome {
            by_cutoff: [(5, means(0.1)), (20, means(0.2)), (10, means(0.3))].into(),
            queries: vec![],
        };
        let evaluated = evaluated(outcome);
        assert_eq!(evaluated.overall["ndcg"], 0.2);
        assert_eq!(evaluated.by_cutoff["10"]["ndcg"], 0.3);
    }
}
