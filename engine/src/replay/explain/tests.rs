//! Explanations of searches through stages made for the purpose.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::Arc;

use async_trait::async_trait;

use super::run::{explain_stages, unwatched};
use super::{StageExplanation, Step};
use crate::benchmark::stages::{FuseMethod, Normalise, OnStageError};
use crate::replay::fuse::{Branch, Fuse};
use crate::replay::stages::{Answered, Flight, Source, Stage, Stages};
use crate::replay::{RetrieveError, RetrieveErrorKind, Retrieved, Retriever, Timing, Transform};
use crate::session::{Hit, Session, StageState};

/// Answers with these items; scores fall from 1.
struct Items(&'static [&'static str]);

#[async_trait]
impl Retriever for Items {
    fn kind(&self) -> &'static str {
        "items"
    }

    async fn retrieve(&self, _: &Session, _: usize) -> Result<Retrieved, RetrieveError> {
        let hit =
            |(index, item): (usize, &&str)| Hit { item_id: (*item).into(), score: Some(1.0 / (index + 1) as f64) };
        let hits: Vec<Hit> = self.0.iter().enumerate().map(hit).collect();
        let timings = vec![Timing { name: "took".into(), latency_ns: 7 }];
        Ok(Retrieved { timings, ..Retrieved::from(hits) })
    }
}

/// Hands on every other hit, in reverse, or fails.
struct Odd {
    fails: bool,
}

#[async_trait]
impl Transform for Odd {
    fn kind(&self) -> &'static str {
        "odd"
    }

    async fn transform(&self, _: &Session, hits: Vec<Hit>, _: usize) -> Result<Retrieved, RetrieveError> {
        if self.fails {
            return Err(RetrieveError::new(RetrieveErrorKind::Timeout, "no answer within 1 s"));
        }
        let left: Vec<Hit> = hits.into_iter().step_by(2).map(|hit| Hit { score: None, ..hit }).collect();
        Ok(left.into_iter().rev().collect::<Vec<_>>().into())
    }
}

fn source(does: Source) -> Stage<Source> {
    Stage { name: does.kind().to_owned(), on_error: OnStageError::Fail, depth: 10, does }
}

fn items(items: &'static [&'static str]) -> Source {
    Source::Asked(Arc::new(Items(items)))
}

fn odd(name: &str, fails: bool, on_error: OnStageError) -> Stage<Arc<dyn Transform>> {
    Stage { name: name.to_owned(), on_error, depth: 10, does: Arc::new(Odd { fails }) }
}

async fn explained(stages: Stages) -> (Answered, Vec<StageExplanation>) {
    let sessions: Arc<[Session]> = Arc::from([Session::default()]);
    let flight = Flight::new(NonZeroUsize::MIN);
    let explained = explain_stages(&Arc::new(stages), &sessions, &flight, &mut unwatched()).await;
    let (answered, stages, _) = explained.expect("an explanation");
    (answered, stages)
}

#[tokio::test]
async fn whoever_watches_is_told_each_stage_as_it_ends_and_may_end_the_search() {
    let transforms = || vec![odd("first", false, OnStageError::Fail), odd("second", false, OnStageError::Fail)];
    let sessions: Arc<[Session]> = Arc::from([Session::default()]);
    let flight = Flight::new(NonZeroUsize::MIN);
    for (last, expected) in [(9, 6), (1, 4), (0, 2)] {
        let stages = Arc::new(Stages { source: source(items(&["a", "b", "c"])), transforms: transforms() });
        let mut told = Vec::new();
        let mut watch = |step: Step<'_>| match step {
            Step::Begins { position, name, kind } => {
                told.push(format!("{position} {name} {kind} begins"));
                ControlFlow::Continue(())
            }
            Step::Ended { position, stage } => {
                told.push(format!("{position} {} {}", stage.name, stage.left.len()));
                if position == last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            }
        };
        let (_, explained, flow) = explain_stages(&stages, &sessions, &flight, &mut watch).await.expect("answers");
        let all = [
            "0 items items begins",
            "0 items 3",
            "1 first odd begins",
            "1 first 2",
            "2 second odd begins",
            "2 second 1",
        ];
        assert_eq!(told, &all[..expected]);
        assert_eq!((explained.len(), flow.is_break()), (expected / 2, last != 9));
    }
}

fn left(stage: &StageExplanation) -> Vec<(&str, &[Option<usize>])> {
    stage.left.iter().map(|hit| (hit.item_id.as_str(), hit.ranks_before.as_slice())).collect()
}

#[tokio::test]
async fn each_stage_says_what_entered_left_and_went() {
    let transforms = vec![odd("first", false, OnStageError::Fail), odd("second", false, OnStageError::Fail)];
    let (answered, stages) = explained(Stages { source: source(items(&["a", "b", "c", "d", "e"])), transforms }).await;
    let [found, first, second] = stages.as_slice() else { panic!("{stages:?}") };
    assert_eq!((found.name.as_str(), found.left.len(), found.entered, found.attempts), ("items", 5, 0, 1));
    assert_eq!(found.reported, [("took".to_owned(), 7)]);
    assert_eq!((first.entered, first.state), (5, StageState::Ok));
    assert_eq!(left(first), [("e", &[Some(5)][..]), ("c", &[Some(3)]), ("a", &[Some(1)])]);
    let gone: Vec<(&str, usize)> = first.gone.iter().map(|gone| (gone.item_id.as_str(), gone.rank_before)).collect();
    assert_eq!(gone, [("b", 2), ("d", 4)]);
    assert_eq!(left(second), [("a", &[Some(3)][..]), ("e", &[Some(1)])]);
    assert_eq!(answered.hits.len(), 2);
}

#[tokio::test]
async fn a_failure_ends_the_search_and_says_what_to_do_unless_it_is_skipped() {
    let stages = |on_error| Stages {
        source: source(items(&["a", "b"])),
        transforms: vec![odd("slow", true, on_error), odd("next", false, OnStageError::Fail)],
    };
    let (answered, failed) = explained(stages(OnStageError::Fail)).await;
    assert!(answered.failure.is_some());
    let [_, slow] = failed.as_slice() else { panic!("{failed:?}") };
    let problem = slow.problem.as_ref().expect("a problem");
    assert_eq!((slow.state, problem.kind.as_deref()), (StageState::Failed, Some("timeout")));
    assert_eq!(problem.message, "no answer within 1 s");
    assert!(problem.fix.as_ref().is_some_and(|fix| fix.contains("`timeout`")), "{problem:?}");

    let (answered, skipped) = explained(stages(OnStageError::Skip)).await;
    let [_, slow, next] = skipped.as_slice() else { panic!("{skipped:?}") };
    assert_eq!((slow.state, slow.left.len(), slow.gone.len()), (StageState::Skipped, 2, 0));
    assert_eq!(slow.problem.as_ref().map(|problem| problem.message.as_str()), Some("no answer within 1 s"));
    assert_eq!((next.entered, next.left.len(), answered.failure.is_none()), (2, 1, true));
}

#[tokio::test]
async fn fused_hits_say_where_they_stood_in_each_branch() {
    let branch =
        |list| Branch { stages: Arc::new(Stages { source: source(items(list)), transforms: Vec::new() }), weight: 1.0 };
    let branches = vec![branch(&["a", "b"]), branch(&["b", "c"])];
    let fuse = Fuse { branches, method: FuseMethod::Rrf, rank_constant: 60.0, normalise: Normalise::default() };
    let fused = source(Source::Fuse(Arc::new(fuse)));
    let (_, stages) = explained(Stages { source: fused, transforms: Vec::new() }).await;
    let [fuse] = stages.as_slice() else { panic!("{stages:?}") };
    assert_eq!(left(fuse), [("b", &[Some(2), Some(1)][..]), ("a", &[Some(1), None]), ("c", &[None, Some(2)])]);
    let inside: Vec<usize> = fuse.branches.iter().flatten().map(|stage| stage.left.len()).collect();
    assert_eq!((inside.as_slice(), fuse.reported.len()), (&[2, 2][..], 0));
}
