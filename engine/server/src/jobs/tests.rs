//! The queue with a scripted worker: turns, wishes that come at a bad moment, workers that die, servers that stop.

use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{Job, JobKind, JobState, Jobs, Kinds, NewJob};
use crate::App;
use crate::platform::error::ApiError;
use crate::platform::identifier::new_id;
use crate::settings::{QueueLimits, Settings};
use crate::worker::{InspectOrder, Order};

/// Does what the order's path says.
const SCRIPT: &str = "#!/bin/sh
told=$(cat)
case \"$told\" in
  *wait*) trap 'exit 0' TERM; while :; do sleep 0.05; done ;;
  *die*) kill -9 $$ ;;
  *) echo '{\"phase\":\"replaying\"}'; echo '{\"done\":{}}' ;;
esac
";

struct Scripted;

#[async_trait]
impl JobKind for Scripted {
    fn name(&self) -> &'static str {
        "scripted"
    }

    async fn prepare(&self, _app: &App, job: &Job, _folder: &Path) -> Result<Order, ApiError> {
        let path = job.asked::<String>()?;
        assert_ne!(path, "panic", "on purpose");
        Ok(Order::Inspect(InspectOrder { path: path.into() }))
    }
}

struct Bench {
    app: App,
    jobs: Jobs,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("worker");
        super::script::write(&script, SCRIPT);
        let app = App::open(Settings::new(folder.path().join("data"), script)).unwrap();
        let jobs = Self::queue(&app);
        Self { app, jobs, _folder: folder }
    }

    /// Returns the queue of a server that starts over the same data.
    fn queue(app: &App) -> Jobs {
        let limits = QueueLimits { workers: NonZeroUsize::MIN, ..app.settings().queue };
        Jobs::new(app.database().clone(), limits, app.root_of(""), Kinds::default().with(Scripted))
    }

    async fn submit(&self, organisation: &str, path: &str) -> Job {
        let job = NewJob { id: new_id("job"), kind: "scripted", request: json!(path) };
        std::fs::create_dir_all(self.app.root_of(organisation)).unwrap();
        self.jobs.submit(organisation, job).await.unwrap()
    }

    async fn get(&self, job: &Job) -> Job {
        self.jobs.get(&job.organisation, &job.id).await.unwrap().unwrap()
    }

    /// Returns the journal, which has no gaps.
    async fn events(&self, job: &Job) -> Vec<Value> {
        let events = super::follow::after(self.app.database(), &job.id, 0).await.unwrap();
        assert!(events.iter().map(|event| event.sequence).eq(1..=events.len() as u64));
        events.into_iter().map(|event| event.body).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn organisations_take_turns_whoever_came_first() {
    let bench = Bench::new();
    for (organisation, count) in [("a", 5), ("b", 2), ("c", 1)] {
        for _ in 0..count {
            bench.submit(organisation, "done").await;
        }
    }
    let mut turns = String::new();
    while let Some(job) = bench.jobs.begin_next().await.unwrap() {
        turns += &job.organisation;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(turns, "abcabaaa");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wish_that_comes_before_the_worker_is_not_lost() {
    let bench = Bench::new();
    bench.submit("a", "wait").await;
    let job = bench.jobs.begin_next().await.unwrap().unwrap();
    // The job runs by its row, and no worker is known yet that could be told.
    let wished = bench.jobs.cancel("a", &job.id).await.unwrap().unwrap();
    assert!(wished.state == JobState::Running && wished.cancelling);
    tokio::time::timeout(Duration::from_secs(60), bench.jobs.do_one(&bench.app, job.clone())).await.unwrap();
    assert_eq!(bench.get(&job).await.state, JobState::Cancelled);
    assert_eq!(bench.events(&job).await.last().unwrap()["state"], "cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_dies_is_tried_again_and_then_the_job_fails() {
    let bench = Bench::new();
    let submitted = bench.submit("a", "die").await;
    let other = bench.submit("a", "done").await;
    for attempt in 1..=3 {
        let job = bench.jobs.begin_next().await.unwrap().unwrap();
        assert_eq!((&job.id, job.attempts), (&submitted.id, attempt));
        bench.jobs.do_one(&bench.app, job).await;
    }
    let job = bench.get(&submitted).await;
    assert_eq!((job.state, job.failure.unwrap()["code"].clone()), (JobState::Failed, json!("worker_died")));
    let job = bench.jobs.begin_next().await.unwrap().unwrap();
    bench.jobs.do_one(&bench.app, job).await;
    let job = bench.get(&other).await;
    assert_eq!((job.state, job.phase.as_str()), (JobState::Completed, "completed"));
    let told = bench.events(&other).await;
    assert!(told.iter().any(|event| event["phase"] == "replaying"), "{told:?}");
    assert_eq!(told.last().unwrap()["phase"], "completed");
    let states: Vec<Value> = bench.events(&submitted).await.iter().map(|event| event["state"].clone()).collect();
    assert_eq!(json!(states), json!(["queued", "running", "queued", "running", "queued", "running", "failed"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_fails_its_job_and_nothing_else() {
    let bench = Bench::new();
    let job = bench.submit("a", "panic").await;
    let begun = bench.jobs.begin_next().await.unwrap().unwrap();
    bench.jobs.do_one(&bench.app, begun).await;
    let job = bench.get(&job).await;
    assert_eq!((job.state, job.failure.unwrap()["code"].clone()), (JobState::Failed, json!("internal")));
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_a_server_that_died_go_on_end_or_fail_as_they_must() {
    let bench = Bench::new();
    let jobs = [bench.submit("a", "done").await, bench.submit("b", "done").await, bench.submit("c", "done").await];
    while bench.jobs.begin_next().await.unwrap().is_some() {}
    bench.jobs.cancel("b", &jobs[1].id).await.unwrap();
    let worn = jobs[2].id.clone();
    let wear = |connection: &rusqlite::Connection| {
        Ok(connection.execute("UPDATE jobs SET attempts = 3 WHERE id = ?1", [worn])?)
    };
    bench.app.database().write(wear).await.unwrap();

    Bench::queue(&bench.app).recover().await.unwrap();
    let mut found = Vec::new();
    for job in &jobs {
        let job = bench.get(job).await;
        assert_eq!(bench.events(&job).await.last().unwrap()["state"], job.state.name());
        assert_eq!(job.ended_at.is_some(), job.state.has_ended());
        found.push(job.state);
    }
    assert_eq!(found, [JobState::Queued, JobState::Cancelled, JobState::Failed]);
    assert_eq!(bench.get(&jobs[2]).await.failure.unwrap()["code"], "interrupted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_in_good_order_costs_no_attempt() {
    let bench = Bench::new();
    let job = bench.submit("a", "wait").await;
    let working = tokio::spawn(bench.jobs.clone().work(bench.app.clone()));
    while bench.get(&job).await.state != JobState::Running {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    bench.jobs.close().await;
    working.await.unwrap();
    // Its worker may take longer to end than the server waits for it.
    while bench.get(&job).await.state == JobState::Running {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let job = bench.get(&job).await;
    assert_eq!((job.state, job.attempts), (JobState::Queued, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_of_an_organisation_is_bounded_and_others_are_not_touched() {
    let bench = Bench::new();
    let limits = QueueLimits { per_organisation: 2, ..bench.app.settings().queue };
    let jobs = Jobs::new(bench.app.database().clone(), limits, bench.app.root_of(""), Kinds::default().with(Scripted));
    let job = || NewJob { id: new_id("job"), kind: "scripted", request: json!("done") };
    jobs.submit("a", job()).await.unwrap();
    let last = jobs.submit("a", job()).await.unwrap();
    let refused = jobs.submit("a", job()).await.unwrap_err();
    assert_eq!((refused.status.as_u16(), refused.retry_after.is_some()), (429, true));
    jobs.submit("b", job()).await.unwrap();
    jobs.cancel("a", &last.id).await.unwrap();
    jobs.submit("a", job()).await.unwrap();
    assert!(jobs.retry("a", &last.id, |job| Ok(job.request.clone())).await.is_err(), "a retry takes a place too");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_with_a_job_is_kept_with_it_or_not_at_all() {
    let bench = Bench::new();
    let job = NewJob { id: new_id("job"), kind: "scripted", request: json!("done") };
    let id = job.id.clone();
    let refused = bench.jobs.submit_with("a", job, |connection| {
        connection.execute("INSERT INTO organisations (id, created_at) VALUES ('x', 0)", [])?;
        Err(ApiError::conflict("on purpose").into())
    });
    assert_eq!(refused.await.unwrap_err().code, "conflict");
    assert!(bench.jobs.get("a", &id).await.unwrap().is_none());
    let count = |connection: &rusqlite::Connection| {
        Ok(connection.query_row("SELECT count(*) FROM organisations", [], |row| row.get::<_, i64>(0))?)
    };
    assert_eq!(bench.app.database().read(count).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_discarded_goes_with_what_speaks_of_it_now_or_when_it_has_ended() {
    let bench = Bench::new();
    let (waits, runs) = (bench.submit("a", "done").await, bench.submit("b", "done").await);
    let gone = |job: &Job| {
        let (jobs, job) = (bench.jobs.clone(), job.clone());
        async move { jobs.get(&job.organisation, &job.id).await.unwrap().is_none() }
    };
    let refused = bench.jobs.discard("a", &waits.id, |_| Err(ApiError::bad_request("no").into())).await;
    assert!(refused.is_err() && !gone(&waits).await, "both or neither");
    bench.jobs.discard("b", &waits.id, |_| Ok(())).await.unwrap();
    assert!(!gone(&waits).await, "another organisation's job stays");
    bench.jobs.discard("a", &waits.id, |_| Ok(())).await.unwrap();
    assert!(gone(&waits).await);

    let begun = bench.jobs.begin_next().await.unwrap().unwrap();
    assert_eq!(begun.id, runs.id);
    std::fs::create_dir_all(bench.jobs.folder("b", &runs.id)).unwrap();
    bench.jobs.discard("b", &runs.id, |_| Ok(())).await.unwrap();
    assert!(!gone(&runs).await, "somebody works on it");
    // The server dies, and the next one finds it.
    Bench::queue(&bench.app).recover().await.unwrap();
    assert!(gone(&runs).await && !bench.jobs.folder("b", &runs.id).exists());

    let last = bench.submit("c", "done").await;
    let begun = bench.jobs.begin_next().await.unwrap().unwrap();
    bench.jobs.discard("c", &last.id, |_| Ok(())).await.unwrap();
    bench.jobs.do_one(&bench.app, begun).await;
    assert!(gone(&last).await && !bench.jobs.folder("c", &last.id).exists(), "it had ended well");
}
