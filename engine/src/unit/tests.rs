//! Units done here, by a node that went through text, and again where sessions failed.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use tempfile::TempDir;

use super::*;
use crate::benchmark::{BorrowedPipeline, BorrowedPlan, BorrowedRun, Plan, SpecSource};
use crate::replay::{Pipeline, RetrieveError, RetrieveErrorKind, Retrieved, Retriever};
use crate::rows::{rankings_from_batch, sessions_to_batch};
use crate::schema;
use crate::score::ScoringContract;
use crate::score::wasm::{HostSettings, PluginHost};
use crate::session::{Hit, Interaction, Ranking, Session, ShownItem};
use crate::store::{Manifest, RunDirectory, SESSIONS_PER_CHUNK, layout};

const BENCHMARK: &str = r#"
name = "units"
baseline = "shown"
candidates = ["again"]
[sessions]
path = "sessions.jsonl"
[[retriever]]
id = "shown"
stages = [{ kind = "shown" }]
[[retriever]]
id = "again"
stages = [{ kind = "shown" }]
"#;

const SESSIONS: usize = 2500;

fn session(number: usize) -> Session {
    let item = |item: usize| ShownItem { item_id: format!("i{item}"), ..ShownItem::default() };
    let act = Interaction { item_id: format!("i{}", number % 7), kind: "click".into(), ..Interaction::default() };
    Session {
        session_id: format!("s{number:05}"),
        shown: (0..5).map(|rank| item((number + rank) % 7)).collect(),
        interactions: vec![act],
        ..Session::default()
    }
}

/// A run directory with its sample, and the context over it.
fn context(folder: &TempDir, pipelines: Vec<Arc<Pipeline>>) -> UnitContext {
    let plan = Plan::resolve(&SpecSource::of(Path::new("b.toml"), BENCHMARK, &[]).expect("a source")).expect("a plan");
    let manifest = Manifest::of(&plan, Vec::new()).expect("a manifest");
    let (run, _) = RunDirectory::open(&folder.path().join("run"), &manifest).expect("a run");
    run.write_json(layout::PLAN, &plan).expect("written");
    let sessions: Vec<Session> = (0..SESSIONS).map(session).collect();
    let batch = Ok(sessions_to_batch(&sessions).expect("a batch"));
    run.write_table(layout::SESSIONS, schema::SESSIONS.clone(), std::iter::once(batch)).expect("written");
    let plugins = Arc::new(PluginHost::new(HostSettings::default()).expect("a host"));
    let contract = Arc::new(ScoringContract::load(&plan, &plugins).expect("a contract"));
    let sample = run.table(layout::SESSIONS).expect("the sample");
    let recent = super::RecentChunks::default();
    UnitContext {
        plan: Arc::new(plan),
        contract,
        pipelines,
        borrowed: None,
        run,
        sample,
        recent,
        scratch: None,
        stop: Arc::default(),
    }
}

fn rankings(run: &RunDirectory, pipeline: usize) -> Vec<Ranking> {
    (0..3).flat_map(|chunk| run.rows(layout::part(pipeline, chunk), rankings_from_batch).expect("a part")).collect()
}

/// Fails on every fifth session the first time it is asked, and on every tenth always.
#[derive(Default)]
struct Flaky {
    asked: Mutex<BTreeSet<String>>,
    calls: AtomicUsize,
}

#[async_trait]
impl Retriever for Flaky {
    fn kind(&self) -> &'static str {
        "flaky"
    }

    async fn retrieve(&self, session: &Session, _: usize) -> Result<Retrieved, RetrieveError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let first = self.asked.lock().expect("a lock").insert(session.session_id.clone());
        let always = session.session_id.ends_with('0');
        if always || (first && session.session_id.ends_with('5')) {
            return Err(RetrieveError::new(RetrieveErrorKind::Index, format!("first: {first}")));
        }
        Ok(vec![Hit { item_id: "i1".into(), score: Some(1.0) }].into())
    }
}

/// Does the three units of the first retriever, and returns how that ended.
fn drive_telling(context: &Arc<UnitContext>, task: Task, threads: usize, tell: impl FnMut(UnitDone)) -> Ended {
    let units: Vec<WorkUnit> = (0..3).map(|chunk| WorkUnit { pipeline: 0, chunk }).collect();
    let threads = NonZeroUsize::new(threads).expect("threads");
    let driver = Driver { context: Arc::clone(context), threads };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(driver.drive(task, &units, tell)).expect("driven")
}

fn drive(context: &Arc<UnitContext>, task: Task, threads: usize) -> Vec<UnitDone> {
    let mut told = Vec::new();
    assert_eq!(drive_telling(context, task, threads, |done| told.push(done)), Ended::Done);
    told.sort_by_key(|done| done.unit);
    told
}

/// Returns a run of one retriever.
fn run_of(folder: &TempDir, source: Arc<dyn Retriever>) -> UnitContext {
    let one = NonZeroUsize::MIN;
    let pipeline = Pipeline::from_retriever("shown".into(), "own".into(), "hash".into(), one, one, source);
    context(folder, vec![Arc::new(pipeline)])
}

/// Returns a run of one flaky retriever.
fn flaky_run(folder: &TempDir) -> (Arc<Flaky>, Arc<UnitContext>) {
    let flaky = Arc::new(Flaky::default());
    (Arc::clone(&flaky), Arc::new(run_of(folder, flaky)))
}

#[test]
fn sessions_that_failed_are_tried_again_and_only_they() {
    let folder = TempDir::new().expect("a folder");
    let (flaky, context) = flaky_run(&folder);
    let failed = |done: &[UnitDone]| done.iter().map(|done| done.failed).sum::<u64>();
    assert_eq!(failed(&drive(&context, Task::Do, 2)), 500);
    assert_eq!(flaky.calls.swap(0, Ordering::Relaxed), SESSIONS);
    let before = rankings(&context.run, 0);
    let told = drive(&context, Task::RetryErrors, 2);
    assert_eq!((failed(&told), told.iter().map(|done| done.sessions).sum::<u64>()), (250, SESSIONS as u64));
    assert_eq!(flaky.calls.load(Ordering::Relaxed), 500, "sessions that were answered are not asked again");
    for (old, new) in before.iter().zip(rankings(&context.run, 0)) {
        match old.session_id.chars().last() {
            // What still fails keeps what it said first.
            Some('0') => assert_eq!(new.error.as_deref(), Some("first: true")),
            Some('5') => assert!(old.failed() && !new.failed() && new.hits.len() == 1),
            _ => assert_eq!((&new.hits, &new.error), (&old.hits, &old.error)),
        }
    }
}

#[test]
fn a_stop_ends_a_drive_between_units() {
    let folder = TempDir::new().expect("a folder");
    let (_, context) = flaky_run(&folder);
    context.stop.store(true, Ordering::Relaxed);
    assert_eq!(drive_telling(&context, Task::Do, 1, |_| {}), Ended::Stopped);
    assert!(context.run.parts().expect("parts").is_empty());
}

/// Says stop when it is asked for the first session of the second chunk.
struct Stopping(Arc<AtomicBool>);

#[async_trait]
impl Retriever for Stopping {
    fn kind(&self) -> &'static str {
        "stopping"
    }

    async fn retrieve(&self, session: &Session, _: usize) -> Result<Retrieved, RetrieveError> {
        if session.session_id == self::session(SESSIONS_PER_CHUNK).session_id {
            self.0.store(true, Ordering::Relaxed);
        }
        Ok(vec![Hit { item_id: "i1".into(), score: Some(1.0) }].into())
    }
}

#[test]
fn whoever_stops_a_drive_is_told_of_every_part_that_is_there() {
    let folder = TempDir::new().expect("a folder");
    let stop = Arc::new(AtomicBool::new(false));
    let context = run_of(&folder, Arc::new(Stopping(Arc::clone(&stop))));
    let context = Arc::new(UnitContext { stop, ..context });
    let mut told = Vec::new();
    let tell = |done: UnitDone| told.push((done.unit.pipeline, done.unit.chunk));
    assert_eq!(drive_telling(&context, Task::Do, 1, tell), Ended::Stopped);
    assert_eq!(told, [(0, 0), (0, 1)]);
    assert_eq!(context.run.parts().expect("parts").into_iter().collect::<Vec<_>>(), told);
}

/// Answers for the second chunk only when somebody was told of the first.
struct Waiting(Arc<AtomicUsize>);

#[async_trait]
impl Retriever for Waiting {
    fn kind(&self) -> &'static str {
        "waiting"
    }

    async fn retrieve(&self, session: &Session, _: usize) -> Result<Retrieved, RetrieveError> {
        if session.session_id == self::session(SESSIONS_PER_CHUNK).session_id {
            let told = async {
                while self.0.load(Ordering::Relaxed) == 0 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            let told = tokio::time::timeout(Duration::from_secs(60), told).await;
            told.map_err(|_| RetrieveError::new(RetrieveErrorKind::Timeout, "nobody was told".to_owned()))?;
        }
        Ok(Vec::new().into())
    }
}

#[test]
fn a_unit_is_told_of_while_the_next_one_is_worked_on() {
    let folder = TempDir::new().expect("a folder");
    let told = Arc::new(AtomicUsize::new(0));
    let context = Arc::new(run_of(&folder, Arc::new(Waiting(Arc::clone(&told)))));
    let mut failed = 0;
    let ended = drive_telling(&context, Task::Do, 1, |done| {
        told.fetch_add(1, Ordering::Relaxed);
        failed += done.failed;
    });
    assert_eq!(ended, Ended::Done);
    assert_eq!((told.load(Ordering::Relaxed), failed), (3, 0));
}

#[test]
fn a_node_without_a_context_opens_the_run_by_its_directory() {
    let folder = TempDir::new().expect("a folder");
    let context = context(&folder, Vec::new());
    let range = |pipeline| UnitRange { pipeline, chunks: vec![0, 1, 2] };
    let order = Order { run: context.run.root().display().to_string(), id: String::new(), drive: String::new() };
    let node = Arc::new(WorkUnitsExec::over(order, Task::Do, &[range(0), range(1)]).expect("a node"));
    let engine = SessionContext::new().task_ctx();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let rows = runtime.block_on(async {
        let mut rows = 0;
        for partition in 0..2 {
            let mut stream = node.execute(partition, Arc::clone(&engine)).expect("a stream");
            while let Some(batch) = stream.next().await {
                rows += batch.expect("a batch").num_rows();
            }
        }
        rows
    });
    assert_eq!(rows, 6);
    let (one, other) = (rankings(&context.run, 0), rankings(&context.run, 1));
    assert_eq!((one.len(), other.len()), (SESSIONS, SESSIONS));
    assert!(one.iter().zip(&other).all(|(one, other)| one.hits == other.hits && one.hits.len() == 5));
}

#[test]
fn a_unit_that_is_done_is_not_done_again_where_only_missing_ones_are() {
    let folder = TempDir::new().expect("a folder");
    let (flaky, context) = flaky_run(&folder);
    let first = drive(&context, Task::DoMissing, 1);
    assert_eq!(flaky.calls.swap(0, Ordering::Relaxed), SESSIONS);
    assert_eq!(drive(&context, Task::DoMissing, 1), first, "the parts say the same of their units");
    assert_eq!(flaky.calls.load(Ordering::Relaxed), 0);
}

/// The plan of a run that borrows the rankings of pipeline 0 of `run`.
fn borrowing(context: &UnitContext) -> Plan {
    let mut plan = Plan::clone(&context.plan);
    let lender = BorrowedRun { path: context.run.root().to_owned(), run_id: "lender".into() };
    let pipeline = BorrowedPipeline { run: 0, pipeline: 0, pipeline_hash: "hash".into() };
    plan.borrowed = Some(BorrowedPlan { runs: vec![lender], pipelines: vec![pipeline], differences: Vec::new() });
    plan
}

#[test]
fn borrowed_rankings_are_found_by_session_whatever_the_chunk() {
    let folder = TempDir::new().expect("a folder");
    let source: Arc<dyn Retriever> = Arc::new(Flaky::default());
    let one = NonZeroUsize::MIN;
    let pipeline = Pipeline::from_retriever("shown".into(), "flaky".into(), "hash".into(), one, one, source);
    let context = Arc::new(context(&folder, vec![Arc::new(pipeline)]));
    drive(&context, Task::Do, 2);
    let all = rankings(&context.run, 0);
    let borrowed = BorrowedRankings::open(&borrowing(&context)).expect("a lender").expect("it borrows");
    for (wanted, chunk) in [
        ((0..SESSIONS).collect::<Vec<usize>>(), 0),
        ((1000..1100).collect(), 2),
        ((7..SESSIONS).step_by(31).collect(), 0),
    ] {
        let sessions: Vec<Session> = wanted.iter().map(|number| session(*number)).collect();
        let found = borrowed.answers(0, chunk, &sessions, 5).expect("answers").to_rankings().expect("rankings");
        let expected: Vec<&Ranking> = wanted.iter().map(|number| &all[*number]).collect();
        assert!(found.iter().eq(expected), "{} sessions of chunk {chunk}", wanted.len());
    }
}

#[test]
fn a_lender_without_a_ranking_of_a_session_is_an_error() {
    let folder = TempDir::new().expect("a folder");
    let source: Arc<dyn Retriever> = Arc::new(Flaky::default());
    let one = NonZeroUsize::MIN;
    let pipeline = Pipeline::from_retriever("shown".into(), "flaky".into(), "hash".into(), one, one, source);
    let context = Arc::new(context(&folder, vec![Arc::new(pipeline)]));
    drive(&context, Task::Do, 2);
    let borrowed = BorrowedRankings::open(&borrowing(&context)).expect("a lender").expect("it borrows");
    for id in ["", "s00000x", "zzz"] {
        let stranger = Session { session_id: id.into(), ..Session::default() };
        let error = borrowed.answers(0, 0, &[stranger], 5).expect_err("it is not there");
        assert!(matches!(&error, UnitError::NotLent { session, .. } if session == id), "{error}");
    }
    assert!(matches!(borrowed.answers(1, 0, &[session(0)], 5), Err(UnitError::Unknown { pipeline: 1 })));
    let mut gone = borrowing(&context);
    gone.borrowed.as_mut().expect("it borrows").runs[0].path = folder.path().join("gone");
    assert!(BorrowedRankings::open(&gone).expect_err("no run").to_string().contains("holds no run"));
}

#[test]
fn where_a_lender_lies_is_no_part_of_a_run() {
    let folder = TempDir::new().expect("a folder");
    let context = context(&folder, Vec::new());
    let mut plan = borrowing(&context);
    let before = Manifest::of(&plan, Vec::new()).expect("a manifest");
    plan.borrowed.as_mut().expect("it borrows").runs[0].path = "elsewhere".into();
    assert_eq!(Manifest::of(&plan, Vec::new()).expect("a manifest"), before);
    plan.borrowed.as_mut().expect("it borrows").runs[0].run_id = "another".into();
    assert_ne!(Manifest::of(&plan, Vec::new()).expect("a manifest").run_id, before.run_id);
}
