//! One search, stage by stage.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use super::{ExplainedHit, Explanation, GoneHit, Problem, StageExplanation};
use crate::replay::fuse::Fuse;
use crate::replay::stages::{Answered, Failure, Flight, INSIDE, Source, Stages};
use crate::replay::{Pipeline, ReplayError, RetrieveErrorKind};
use crate::session::{Hit, Session, StageRecord, StageState};

/// What happens to a search, stage by stage; stages inside of a `fuse` stage are told with it.
#[derive(Debug)]
pub enum Step<'a> {
    /// A stage begins.
    Begins {
        /// Its place among the stages, from 0.
        position: usize,
        /// Its name.
        name: &'a str,
        /// Its kind.
        kind: &'static str,
    },
    /// A stage has ended, well or not.
    Ended {
        /// Its place among the stages, from 0.
        position: usize,
        /// What it did.
        stage: &'a StageExplanation,
    },
}

/// Whoever is told of the steps of a search, and may end it.
type Watch<'a> = dyn FnMut(Step<'_>) -> ControlFlow<()> + Send + 'a;

/// Sends one search through a retriever and says what each stage did.
///
/// A stage that fails ends the search, unless it may be skipped; the failure is part of the explanation.
///
/// # Errors
///
/// Returns an error when the retriever cannot be asked at all.
pub async fn explain(pipeline: &Pipeline, session: Session, depth: usize) -> Result<Explanation, ReplayError> {
    Ok(watched(pipeline, session, depth, &mut unwatched()).await?.0)
}

/// Sends one search through a retriever as [`explain`] does, and tells `watch` of each stage when it begins and when it has
/// ended. Where `watch` breaks, the search ends there, and `None` is returned.
///
/// # Errors
///
/// As [`explain`].
pub async fn explain_watched(
    pipeline: &Pipeline,
    session: Session,
    depth: usize,
    watch: &mut (dyn FnMut(Step<'_>) -> ControlFlow<()> + Send),
) -> Result<Option<Explanation>, ReplayError> {
    let (explanation, flow) = watched(pipeline, session, depth, watch).await?;
    Ok(flow.is_continue().then_some(explanation))
}

async fn watched(
    pipeline: &Pipeline,
    session: Session,
    depth: usize,
    watch: &mut Watch<'_>,
) -> Result<(Explanation, ControlFlow<()>), ReplayError> {
    let query = session.query.clone();
    let sessions: Arc<[Session]> = Arc::from([session]);
    let (answered, stages, flow) = explain_stages(pipeline.stages(), &sessions, pipeline.flight(), watch).await?;
    let latency_ns = answered.latency_ns();
    let Answered { mut hits, failure, .. } = answered;
    hits.truncate(depth);
    let (failure, retriever_id) = (failure.map(problem), pipeline.id().to_owned());
    Ok((Explanation { retriever_id, query, depth, latency_ns, stages, hits, failure }, flow))
}

/// Returns a watcher whom nothing concerns.
pub(super) fn unwatched() -> impl FnMut(Step<'_>) -> ControlFlow<()> + Send {
    |_| ControlFlow::Continue(())
}

pub(super) async fn explain_stages(
    stages: &Arc<Stages>,
    sessions: &Arc<[Session]>,
    flight: &Arc<Flight>,
    watch: &mut Watch<'_>,
) -> Result<(Answered, Vec<StageExplanation>, ControlFlow<()>), ReplayError> {
    let (name, kind) = (stages.source.name.as_str(), stages.source.does.kind());
    let _ = watch(Step::Begins { position: 0, name, kind });
    let (mut answered, first) = explain_source(stages, sessions, flight).await?;
    let mut flow = watch(Step::Ended { position: 0, stage: &first });
    let mut explanations = vec![first];
    for (index, stage) in stages.transforms.iter().enumerate() {
        if answered.failure.is_some() || flow.is_break() {
            break;
        }
        let position = index + 1;
        let _ = watch(Step::Begins { position, name: &stage.name, kind: stage.does.kind() });
        let (before, done) = (answered.hits.clone(), answered.records.len());
        let after = stages.transform(index..index + 1, sessions, vec![answered], flight).await;
        answered = after.into_iter().next().unwrap_or_default();
        let records = answered.records.get(done..).unwrap_or_default();
        let explanation = explain_transform(&before, &answered, records);
        flow = watch(Step::Ended { position, stage: &explanation });
        explanations.push(explanation);
    }
    Ok((answered, explanations, flow))
}

async fn explain_source(
    stages: &Arc<Stages>,
    sessions: &Arc<[Session]>,
    flight: &Arc<Flight>,
) -> Result<(Answered, StageExplanation), ReplayError> {
    if let Source::Fuse(fuse) = &stages.source.does {
        return explain_fuse(fuse, stages, sessions, flight).await;
    }
    let answered = stages.find(sessions, flight).await?.into_iter().next().unwrap_or_default();
    let left = answered.hits.iter().map(|hit| explained(hit, Vec::new())).collect();
    let explanation = StageExplanation { left, ..described(&answered, &answered.records) };
    Ok((answered, explanation))
}

async fn explain_fuse(
    fuse: &Fuse,
    stages: &Arc<Stages>,
    sessions: &Arc<[Session]>,
    flight: &Arc<Flight>,
) -> Result<(Answered, StageExplanation), ReplayError> {
    let (mut answers, mut branches) = (Vec::new(), Vec::new());
    for branch in &fuse.branches {
        let mut watch = unwatched();
        let (answered, explanations, _) =
            Box::pin(explain_stages(&branch.stages, sessions, flight, &mut watch)).await?;
        answers.push(answered);
        branches.push(explanations);
    }
    let lists: Vec<HashMap<String, usize>> = answers.iter().map(|answer| ranks(&answer.hits)).collect();
    let answered = fuse.fuse_answers(&stages.source, answers);
    let before = |hit: &Hit| lists.iter().map(|ranks| ranks.get(&hit.item_id).copied()).collect();
    let left = answered.hits.iter().map(|hit| explained(hit, before(hit))).collect();
    // What is inside of the stage is explained branch by branch.
    let own = answered.records.get(..1).unwrap_or_default();
    let explanation = StageExplanation { left, branches, ..described(&answered, own) };
    Ok((answered, explanation))
}

fn explain_transform(before: &[Hit], answered: &Answered, records: &[StageRecord]) -> StageExplanation {
    let ranks = ranks(before);
    let left = answered.hits.iter().map(|hit| explained(hit, vec![ranks.get(&hit.item_id).copied()])).collect();
    let stayed: HashSet<&str> = answered.hits.iter().map(|hit| hit.item_id.as_str()).collect();
    let gone = before.iter().zip(1..).filter(|(hit, _)| !stayed.contains(hit.item_id.as_str()));
    let gone = gone.map(|(hit, rank_before)| GoneHit { item_id: hit.item_id.clone(), rank_before }).collect();
    StageExplanation { entered: before.len(), left, gone, ..described(answered, records) }
}

/// What the records say: the stage's own, then what the server told of its parts.
fn described(answered: &Answered, records: &[StageRecord]) -> StageExplanation {
    let (own, reported) = records.split_first().map_or((None, records), |(own, reported)| (Some(own), reported));
    let own = own.cloned().unwrap_or_default();
    let part = |record: &StageRecord| {
        let name = record.name.rsplit_once(INSIDE).map_or(record.name.as_str(), |(_, name)| name);
        (name.to_owned(), record.latency_ns)
    };
    let reported = reported.iter().filter(|record| record.state == StageState::Reported).map(part).collect();
    let passed_over = |message: &String| Problem { kind: None, message: message.clone(), fix: None };
    let problem = answered.failure.clone().map(problem).or_else(|| own.error.as_ref().map(passed_over));
    StageExplanation {
        name: own.name,
        kind: own.kind,
        state: own.state,
        latency_ns: own.latency_ns,
        attempts: own.attempts,
        entered: 0,
        left: Vec::new(),
        gone: Vec::new(),
        reported,
        problem,
        branches: Vec::new(),
    }
}

fn problem(failure: Failure) -> Problem {
    let fix = RetrieveErrorKind::parse(&failure.kind).map(|kind| kind.advice().to_owned());
    Problem { kind: Some(failure.kind), message: failure.message, fix }
}

fn explained(hit: &Hit, ranks_before: Vec<Option<usize>>) -> ExplainedHit {
    ExplainedHit { item_id: hit.item_id.clone(), score: hit.score, ranks_before }
}

fn ranks(hits: &[Hit]) -> HashMap<String, usize> {
    hits.iter().map(|hit| hit.item_id.clone()).zip(1..).collect()
}
