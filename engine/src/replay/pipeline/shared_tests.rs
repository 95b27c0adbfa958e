//! Stages that several pipelines begin with are asked once, and each pipeline gets what it would have got alone.

use std::num::NonZeroUsize;
use std::sync::Mutex;

use async_trait::async_trait;

use super::*;
use crate::benchmark::stages::{StageKind, StagePlan};
use crate::replay::{Replayer, RetrieveError, RetrieveErrorKind, Retrieved, Retriever, Transform};
use crate::session::{Hit, Ranking, StageState};

/// Finds `a`, `b` and `c`, and remembers who asked.
#[derive(Default)]
struct Finds(Mutex<Vec<String>>);

#[async_trait]
impl Retriever for Finds {
    fn kind(&self) -> &'static str {
        "finds"
    }

    async fn retrieve(&self, session: &Session, _: usize) -> Result<Retrieved, RetrieveError> {
        self.0.lock().unwrap().push(session.session_id.clone());
        let hit = |(rank, item): (usize, &str)| Hit { item_id: item.into(), score: Some(-(rank as f64)) };
        Ok(["a", "b", "c"].into_iter().enumerate().map(hit).collect::<Vec<_>>().into())
    }
}

/// Turns the hits around, but for session `s1`, on which it fails.
struct Turns;

#[async_trait]
impl Transform for Turns {
    fn kind(&self) -> &'static str {
        "turns"
    }

    async fn transform(&self, session: &Session, hits: Vec<Hit>, _: usize) -> Result<Retrieved, RetrieveError> {
        if session.session_id == "s1" {
            return Err(RetrieveError::new(RetrieveErrorKind::Server, "dizzy"));
        }
        let turned = hits.into_iter().rev().map(|hit| Hit { score: None, ..hit });
        Ok(turned.collect::<Vec<_>>().into())
    }
}

/// Pipelines of `lengths` stages, all of which begin alike: a source, then transforms.
fn pipelines(source: &Arc<Finds>, lengths: &[usize], on_error: OnStageError) -> Vec<Arc<Pipeline>> {
    let plan = |length: &usize| PipelinePlan {
        id: length.to_string(),
        name: String::new(),
        stages: vec![StagePlan::of(StageKind::Shown); *length],
        concurrency: NonZeroUsize::MIN,
        cache: false,
    };
    let plans: Vec<PipelinePlan> = lengths.iter().map(plan).collect();
    let built = plans.iter().zip(Prefixes::of(&plans)).map(|(plan, prefixes)| {
        let retriever = Arc::clone(source) as Arc<dyn Retriever>;
        let source =
            Stage { name: "find".into(), on_error: OnStageError::Fail, depth: 3, does: Source::Asked(retriever) };
        let turn = || Stage { name: "turn".into(), on_error, depth: 3, does: Arc::new(Turns) as Arc<dyn Transform> };
        let transforms = (1..plan.stages.len()).map(|_| turn()).collect();
        Arc::new(Pipeline {
            id: plan.id.clone(),
            name: String::new(),
            pipeline_hash: String::new(),
            flight: Flight::new(plan.concurrency),
            stages: Arc::new(Stages { source, transforms }),
            prefixes,
            rankings: None,
            remotes: Vec::new(),
        })
    });
    built.collect()
}

fn replay(pipeline: &Arc<Pipeline>, sessions: &[&str]) -> Vec<Ranking> {
    let session = |id: &&str| Session { session_id: (*id).to_owned(), ..Session::default() };
    let sessions: Arc<[Session]> = sessions.iter().map(session).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(Replayer::new(Arc::clone(pipeline)).replay(sessions, 2)).unwrap().to_rankings().unwrap()
}

fn items(ranking: &Ranking) -> String {
    ranking.hits.iter().map(|hit| hit.item_id.as_str()).collect()
}

#[test]
fn a_shared_source_is_asked_once_for_each_chunk() {
    let source = Arc::new(Finds::default());
    let pipelines = pipelines(&source, &[2, 1, 3, 2], OnStageError::Fail);
    for chunk in [["s2", "s3"], ["s4", "s5"]] {
        let found: Vec<Vec<Ranking>> = pipelines.iter().map(|pipeline| replay(pipeline, &chunk)).collect();
        let found: Vec<String> = found.iter().map(|rankings| items(&rankings[0])).collect();
        assert_eq!(found, ["cb", "ab", "ab", "cb"]);
    }
    assert_eq!(*source.0.lock().unwrap(), ["s2", "s3", "s4", "s5"]);
}

#[test]
fn whoever_comes_later_says_that_hits_and_latency_are_shared() {
    let source = Arc::new(Finds::default());
    let pipelines = pipelines(&source, &[1, 2], OnStageError::Fail);
    let (first, second) = (&replay(&pipelines[0], &["s2"])[0], &replay(&pipelines[1], &["s2"])[0]);
    let states = |ranking: &Ranking| ranking.stages.iter().map(|stage| stage.state).collect::<Vec<_>>();
    assert_eq!((states(first), states(second)), (vec![StageState::Ok], vec![StageState::Shared, StageState::Ok]));
    assert_eq!(first.stages[0].latency_ns, second.stages[0].latency_ns);
}

#[test]
fn a_transform_that_may_be_skipped_leaves_the_hits_and_says_why() {
    let source = Arc::new(Finds::default());
    for (on_error, hits, state) in
        [(OnStageError::Skip, "ab", StageState::Skipped), (OnStageError::Fail, "", StageState::Failed)]
    {
        let ranking = &replay(&pipelines(&source, &[2], on_error)[0], &["s1"])[0];
        assert_eq!(items(ranking), hits);
        assert_eq!((ranking.stages[1].state, ranking.stages[1].error.as_deref()), (state, Some("dizzy")));
        assert_eq!(ranking.error_kind.as_deref(), (on_error == OnStageError::Fail).then_some("server"));
    }
}
