//! A retriever against judged queries, in a worker.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use rematch_engine::benchmark::spec::{SessionFormat, SessionsPath};
use rematch_engine::load::SessionReader;
use rematch_engine::replay::{Pipeline, Replayer};
use rematch_engine::sandbox::PluginHost;
use rematch_engine::session::{Ranking, Session};
use rematch_metrics::{GainFunction, Metric, RankedGrades};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::search::{planned, scratch, told};
use super::{Failure, Message, Outlet, Task};

/// Queries that are asked together.
const TOGETHER: usize = 256;

/// An evaluation to make.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EvaluateOrder {
    /// The retriever's section of a benchmark file.
    pub retriever: Value,
    /// The section `corpus`; those that the retriever uses are enough.
    pub corpora: Map<String, Value>,
    /// The queries: sessions with judgments, as JSONL. A session's identifier is the query's.
    pub sessions: PathBuf,
    /// Cutoffs, ascending.
    pub cutoffs: Vec<NonZeroUsize>,
    /// What is measured.
    pub measures: Vec<Measure>,
}

/// What is measured, always down to a cutoff. An item with a grade above 0 is relevant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Relevant items among the first k, over k.
    Precision,
    /// Relevant items among the first k, over all relevant ones.
    Recall,
    /// Harmonic mean of precision and recall.
    F1,
    /// The same with recall weighing twice as much as precision.
    F2,
    /// Average precision, trec_eval's `map_cut`.
    Map,
    /// nDCG with linear gain, trec_eval's `ndcg_cut`.
    Ndcg,
    /// Reciprocal rank of the first relevant item.
    Mrr,
}

impl Measure {
    /// Every measure.
    pub const ALL: [Self; 7] = [Self::Precision, Self::Recall, Self::F1, Self::F2, Self::Map, Self::Ndcg, Self::Mrr];

    /// Returns its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Precision => "precision",
            Self::Recall => "recall",
            Self::F1 => "f1",
            Self::F2 => "f2",
            Self::Map => "map",
            Self::Ndcg => "ndcg",
            Self::Mrr => "mrr",
        }
    }

    /// Returns the engine's metric at a cutoff. F is that of a set: of all `cutoff` places, those that nothing came back for
    /// included; its parameter is the square of how many times as much recall weighs.
    fn metric(self, cutoff: NonZeroUsize) -> Option<Metric> {
        let name = match self {
            Self::Precision => format!("P@{cutoff}"),
            Self::Recall => format!("R@{cutoff}"),
            Self::F1 => "SetF".to_owned(),
            Self::F2 => "SetF(beta=4)".to_owned(),
            Self::Map => format!("AP@{cutoff}"),
            Self::Ndcg => format!("nDCG@{cutoff}"),
            Self::Mrr => format!("RR@{cutoff}"),
        };
        name.parse().ok()
    }

    /// Returns its value for one query, `None` where it is undefined.
    fn evaluate(self, grades: &RankedGrades<'_>, cutoff: NonZeroUsize) -> Option<f64> {
        let places = grades.ranked.iter().copied().chain(std::iter::repeat(None)).take(cutoff.get());
        let places: Vec<Option<f64>> = places.collect();
        self.metric(cutoff)?.evaluate(&RankedGrades { ranked: &places, ..*grades }, GainFunction::Linear)
    }
}

/// What an evaluation found.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct EvaluateOutcome {
    /// Means over the queries that were evaluated, by cutoff and measure; empty where none was.
    pub by_cutoff: BTreeMap<usize, BTreeMap<String, f64>>,
    /// What became of each query, in their order.
    pub queries: Vec<EvaluatedQuery>,
}

/// What became of one query.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EvaluatedQuery {
    /// Which one.
    pub query_id: String,
    /// Why it does not count; `None` where it does.
    pub skipped: Option<String>,
    /// Hits that came back.
    pub retrieved: Option<usize>,
}

pub(super) fn evaluate(
    task: &Task,
    order: &EvaluateOrder,
    plugins: Arc<PluginHost>,
    outlet: &Outlet,
) -> Result<Value, Failure> {
    let scratch = scratch(task)?;
    let depth = order.cutoffs.iter().copied().max().unwrap_or(NonZeroUsize::MIN);
    let plan = planned(task, (&order.retriever, &order.corpora), depth, scratch.path())?;
    let workspace = task.workspace(scratch.path(), plugins)?;
    let built = Pipeline::build(&[plan], &workspace).map_err(|error| told("invalid_retriever", &error))?;
    let pipeline = built.into_iter().next().ok_or_else(|| Failure::new("internal", "no pipeline was built"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new("internal", error))?;
    outlet.say(&Message::Phase("replaying".to_owned()));
    let replayer = Replayer::new(Arc::new(pipeline));
    let mut sums = Sums::default();
    let sessions = SessionsPath::Files(vec![order.sessions.to_string_lossy().into_owned()]);
    let mut reader = SessionReader::open(&sessions, Some(SessionFormat::Jsonl)).map_err(unreadable)?;
    loop {
        let chunk: Vec<Session> = reader.by_ref().take(TOGETHER).collect::<Result<_, _>>().map_err(unreadable)?;
        if chunk.is_empty() {
            break;
        }
        let chunk: Arc<[Session]> = chunk.into();
        let answers = runtime
            .block_on(replayer.replay(Arc::clone(&chunk), depth.get()))
            .map_err(|error| told("search_failed", &error))?;
        let rankings = answers.to_rankings().map_err(|error| Failure::new("internal", error))?;
        for (session, ranking) in chunk.iter().zip(&rankings) {
            sums.add(order, session, ranking);
        }
    }
    if let Some(failure) = sums.failure() {
        return Err(Failure::new("search_failed", failure));
    }
    serde_json::to_value(sums.outcome()).map_err(|error| Failure::new("internal", error))
}

fn unreadable(error: impl ToString) -> Failure {
    Failure::new("internal", error)
}

#[derive(Default)]
struct Sums {
    values: BTreeMap<(usize, Measure), (f64, u64)>,
    queries: Vec<EvaluatedQuery>,
}

impl Sums {
    fn add(&mut self, order: &EvaluateOrder, session: &Session, ranking: &Ranking) {
        let skipped = match &ranking.error {
            Some(error) => Some(error.clone()),
            None if ranking.failed() => Some("the search failed".to_owned()),
            None if !session.judgments.iter().any(|judgment| judgment.grade > 0.0) => {
                Some("no document is relevant to the query".to_owned())
            }
            None => None,
        };
        let retrieved = (!ranking.failed()).then_some(ranking.hits.len());
        if skipped.is_none() {
            self.measure(order, session, ranking);
        }
        self.queries.push(EvaluatedQuery { query_id: session.session_id.clone(), skipped, retrieved });
    }

    fn measure(&mut self, order: &EvaluateOrder, session: &Session, ranking: &Ranking) {
        let grades: BTreeMap<&str, f64> =
            session.judgments.iter().map(|judgment| (judgment.item_id.as_str(), f64::from(judgment.grade))).collect();
        let ranked: Vec<Option<f64>> =
            ranking.hits.iter().map(|hit| grades.get(hit.item_id.as_str()).copied()).collect();
        let judged: Vec<f64> = grades.values().copied().collect();
        let grades = RankedGrades { ranked: &ranked, judged: &judged };
        for cutoff in &order.cutoffs {
            for measure in &order.measures {
                if let Some(value) = measure.evaluate(&grades, *cutoff) {
                    let (sum, count) = self.values.entry((cutoff.get(), *measure)).or_default();
                    *sum += value;
                    *count += 1;
                }
            }
        }
    }

    /// Returns why there is nothing to tell: no query was evaluated, and not because none has a relevant document.
    fn failure(&self) -> Option<String> {
        if self.queries.iter().any(|query| query.skipped.is_none()) {
            return None;
        }
        let failed = self.queries.iter().filter(|query| query.retrieved.is_none());
        let first = failed.clone().next()?;
        let (count, all) = (failed.count(), self.queries.len());
        let why = first.skipped.as_deref().unwrap_or_default();
        Some(format!(
            "no query could be evaluated: {count} of {all} searches failed, the first, `{}`: {why}",
            first.query_id
        ))
    }

    fn outcome(self) -> EvaluateOutcome {
        let mut by_cutoff: BTreeMap<usize, BTreeMap<String, f64>> = BTreeMap::new();
        for ((cutoff, measure), (sum, count)) in self.values {
            by_cutoff.entry(cutoff).or_default().insert(measure.name().to_owned(), sum / count as f64);
        }
        EvaluateOutcome { by_cutoff, queries: self.queries }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(measure: Measure, ranked: &[Option<f64>], judged: &[f64], cutoff: usize) -> f64 {
        measure.evaluate(&RankedGrades { ranked, judged }, NonZeroUsize::new(cutoff).unwrap()).unwrap()
    }

    #[test]
    fn measures_are_those_of_the_engine() {
        // Relevant items stand at the ranks 1 and 3; a third one was not returned.
        let (ranked, judged) = ([Some(1.0), None, Some(1.0)], [1.0, 1.0, 1.0]);
        assert_eq!(value(Measure::Precision, &ranked, &judged, 5), 0.4);
        assert_eq!(value(Measure::Recall, &ranked, &judged, 5), 2.0 / 3.0);
        assert!((value(Measure::F1, &ranked, &judged, 5) - 0.5).abs() < 1e-12);
        assert!((value(Measure::F2, &ranked, &judged, 5) - 5.0 * 0.4 * (2.0 / 3.0) / (1.6 + 2.0 / 3.0)).abs() < 1e-12);
        assert!((value(Measure::Map, &ranked, &judged, 5) - (1.0 + 2.0 / 3.0) / 3.0).abs() < 1e-12);
        assert_eq!(value(Measure::Mrr, &ranked, &judged, 5), 1.0);
        let ideal = 1.0 + 1.0 / 3.0_f64.log2() + 0.5;
        assert!((value(Measure::Ndcg, &ranked, &judged, 5) - 1.5 / ideal).abs() < 1e-12);
    }

    #[test]
    fn an_evaluation_of_which_every_search_failed_says_so() {
        let query = |query_id: &str, skipped: Option<&str>, retrieved| EvaluatedQuery {
            query_id: query_id.to_owned(),
            skipped: skipped.map(ToOwned::to_owned),
            retrieved,
        };
        let failure = |queries: &[EvaluatedQuery]| Sums { queries: queries.to_vec(), ..Sums::default() }.failure();
        let (failed, unjudged) = (query("f", Some("down"), None), query("u", Some("nothing is relevant"), Some(3)));
        let told = failure(&[unjudged.clone(), failed.clone()]).unwrap();
        assert!(told.contains("1 of 2 searches failed") && told.contains("`f`: down"), "{told}");
        assert_eq!(failure(&[unjudged]), None);
        assert_eq!(failure(&[failed, query("e", None, Some(0))]), None);
        assert_eq!(failure(&[]), None);
    }

    #[test]
    fn nothing_found_is_zero() {
        assert_eq!(value(Measure::F1, &[], &[1.0], 5), 0.0);
        assert_eq!(value(Measure::F2, &[None, None], &[1.0], 5), 0.0);
    }
}
