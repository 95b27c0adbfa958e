//! Drives a chunk of sessions through a pipeline.

use std::any::Any;
use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use tokio::task::JoinSet;

use super::pipeline::Source;
use super::{Pipeline, ReplayError, RetrieveError, RetrieveErrorKind};
use crate::load::recorded::RecordedCursor;
use crate::rows::Answers;
use crate::session::{Hit, Ranking, Session, StageRecord};

/// Replays chunk after chunk through one pipeline.
#[derive(Debug)]
pub struct Replayer {
    pipeline: Arc<Pipeline>,
    /// The place in the recording, where there is one.
    cursor: Option<RecordedCursor>,
}

impl Replayer {
    /// Returns a replayer of `pipeline`.
    #[must_use]
    pub fn new(pipeline: Arc<Pipeline>) -> Self {
        Self { pipeline, cursor: None }
    }

    /// Returns the pipeline's answer to each session of a chunk, in their order.
    ///
    /// As many sessions are in flight as the pipeline's concurrency says, over all replayers of it, spread over the
    /// runtime's threads. Each answer has at most `depth` hits and no item twice (the first occurrence stays). A failure,
    /// also a panic of the retriever, is recorded by kind in its own answer and touches no other. Dropping the future stops
    /// the work.
    ///
    /// # Errors
    ///
    /// Returns an error when the retriever cannot go on at all.
    pub async fn replay(&mut self, sessions: Arc<[Session]>, depth: usize) -> Result<Answers, ReplayError> {
        if let Source::Recorded(retriever) = self.pipeline.source() {
            let (retriever, pipeline) = (Arc::clone(retriever), Arc::clone(&self.pipeline));
            let mut cursor = self.cursor.take().unwrap_or_else(|| retriever.cursor());
            // Reading a file takes a thread of its own.
            let read = move || (retriever.answers(&mut cursor, pipeline.id(), &sessions, depth), cursor);
            let (answers, cursor) = tokio::task::spawn_blocking(read).await?;
            self.cursor = Some(cursor);
            return answers;
        }
        let rankings = one_by_one(&self.pipeline, sessions, depth).await;
        let retriever = || self.pipeline.id().to_owned();
        Answers::of(&rankings).map_err(|source| ReplayError::Rows { retriever: retriever(), source })
    }
}

async fn one_by_one(pipeline: &Arc<Pipeline>, sessions: Arc<[Session]>, depth: usize) -> Vec<Ranking> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..pipeline.concurrency().get().min(sessions.len()) {
        workers.spawn(work(pipeline.clone(), sessions.clone(), depth, next.clone()));
    }
    let mut rankings: Vec<Option<Ranking>> = vec![None; sessions.len()];
    while let Some(finished) = workers.join_next().await {
        for (index, ranking) in finished.unwrap_or_default() {
            if let Some(slot) = rankings.get_mut(index) {
                *slot = Some(ranking);
            }
        }
    }
    let ranking = |(ranking, session): (Option<Ranking>, &Session)| {
        // Panics are caught inside; only a runtime that shuts down loses a worker.
        let cancelled =
            || RetrieveError { kind: RetrieveErrorKind::Internal, message: "the replay was cancelled".into() };
        ranking.unwrap_or_else(|| failed(pipeline, session, Duration::ZERO, &cancelled()))
    };
    rankings.into_iter().zip(sessions.iter()).map(ranking).collect()
}

/// Takes the next session off the chunk until none is left.
async fn work(
    pipeline: Arc<Pipeline>,
    sessions: Arc<[Session]>,
    depth: usize,
    next: Arc<AtomicUsize>,
) -> Vec<(usize, Ranking)> {
    let mut rankings = Vec::new();
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(session) = sessions.get(index) else { return rankings };
        // Nobody closes the semaphore.
        let _permit = pipeline.permits().acquire().await;
        rankings.push((index, replay(&pipeline, session, depth).await));
        // A source that never waits would keep timers and cancellation from this thread.
        tokio::task::yield_now().await;
    }
}

async fn replay(pipeline: &Pipeline, session: &Session, depth: usize) -> Ranking {
    let source = pipeline.source().retriever();
    let start = Instant::now();
    let answer = AssertUnwindSafe(source.retrieve(session, depth)).catch_unwind().await;
    let elapsed = start.elapsed();
    let answer = answer.unwrap_or_else(|panic| {
        let message = format!("the retriever panicked: {}", panic_message(panic.as_ref()));
        Err(RetrieveError { kind: RetrieveErrorKind::Internal, message })
    });
    match answer {
        Ok(mut hits) => {
            keep_first_of_each_item(&mut hits);
            hits.truncate(depth);
            let stages = vec![record(pipeline, elapsed, hits.len())];
            Ranking { hits, stages, ..blank(pipeline, session, elapsed) }
        }
        Err(error) => failed(pipeline, session, elapsed, &error),
    }
}

fn failed(pipeline: &Pipeline, session: &Session, elapsed: Duration, error: &RetrieveError) -> Ranking {
    Ranking {
        stages: vec![record(pipeline, elapsed, 0)],
        error_kind: Some(error.kind.as_str().to_owned()),
        error: Some(error.message.clone()),
        ..blank(pipeline, session, elapsed)
    }
}

fn blank(pipeline: &Pipeline, session: &Session, elapsed: Duration) -> Ranking {
    Ranking {
        session_id: session.session_id.clone(),
        retriever_id: pipeline.id().to_owned(),
        latency_ns: nanoseconds(elapsed),
        ..Ranking::default()
    }
}

fn record(pipeline: &Pipeline, elapsed: Duration, hits: usize) -> StageRecord {
    let kind = pipeline.source().retriever().kind();
    StageRecord {
        name: kind.to_owned(),
        kind: kind.to_owned(),
        latency_ns: nanoseconds(elapsed),
        hits: i64::try_from(hits).unwrap_or(i64::MAX),
    }
}

fn nanoseconds(elapsed: Duration) -> i64 {
    i64::try_from(elapsed.as_nanos()).unwrap_or(i64::MAX)
}

fn keep_first_of_each_item(hits: &mut Vec<Hit>) {
    let mut seen = HashSet::with_capacity(hits.len());
    let first: Vec<bool> = hits.iter().map(|hit| seen.insert(hit.item_id.as_str())).collect();
    if first.contains(&false) {
        let mut first = first.into_iter();
        hits.retain(|_| first.next().unwrap_or(false));
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use async_trait::async_trait;

    use super::*;
    use crate::replay::Retriever;

    /// Waits as long as its query says (milliseconds), then does what the session id says.
    #[derive(Default)]
    struct Fixture {
        in_flight: AtomicUsize,
        most_in_flight: AtomicUsize,
    }

    #[async_trait]
    impl Retriever for Fixture {
        fn kind(&self) -> &'static str {
            "fixture"
        }

        async fn retrieve(&self, session: &Session, _: usize) -> Result<Vec<Hit>, RetrieveError> {
            let now = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
            self.most_in_flight.fetch_max(now, Ordering::SeqCst);
            let wait = session.query.as_deref().and_then(|query| query.parse().ok()).unwrap_or(0);
            tokio::time::sleep(Duration::from_millis(wait)).await;
            self.in_flight.fetch_sub(1, Ordering::SeqCst);
            let hit = |item: &str| Hit { item_id: item.into(), score: None };
            match session.session_id.as_str() {
                "panic" => panic!("out of cheese"),
                "error" => Err(RetrieveError { kind: RetrieveErrorKind::Index, message: "broken".into() }),
                "empty" => Ok(Vec::new()),
                "greedy" => Ok((0..50).map(|number| hit(&number.to_string())).collect()),
                "repeating" => Ok(["a", "b", "a", "c", "b", "d"].map(hit).to_vec()),
                other => Ok(vec![hit(other)]),
            }
        }
    }

    fn run(ids: &[&str], wait_ms: &str, concurrency: usize, threads: usize) -> (Vec<Ranking>, usize) {
        let fixture = Arc::new(Fixture::default());
        let concurrency = NonZeroUsize::new(concurrency).unwrap();
        let pipeline = Pipeline::from_retriever("id".into(), "name".into(), "h".into(), concurrency, fixture.clone());
        let session =
            |id: &&str| Session { session_id: (*id).into(), query: Some(wait_ms.into()), ..Session::default() };
        let sessions: Arc<[Session]> = ids.iter().map(session).collect();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_time().build().unwrap();
        let answers = runtime.block_on(Replayer::new(Arc::new(pipeline)).replay(sessions, 3)).expect("answers");
        let rankings = answers.to_rankings().expect("rankings");
        (rankings, fixture.most_in_flight.load(Ordering::SeqCst))
    }

    fn items(ranking: &Ranking) -> Vec<&str> {
        ranking.hits.iter().map(|hit| hit.item_id.as_str()).collect()
    }

    #[test]
    fn failures_stay_in_their_own_rankings() {
        let ids = ["x", "panic", "error", "empty", "greedy", "repeating", "y"];
        let (rankings, _) = run(&ids, "0", 3, 2);
        assert_eq!(rankings.iter().map(|ranking| ranking.session_id.as_str()).collect::<Vec<_>>(), ids);
        assert!(rankings.iter().all(|ranking| ranking.retriever_id == "id"));
        assert_eq!(items(&rankings[0]), ["x"]);
        assert_eq!(rankings[1].error_kind.as_deref(), Some("internal"));
        assert_eq!(rankings[1].error.as_deref(), Some("the retriever panicked: out of cheese"));
        assert_eq!(rankings[2].error_kind.as_deref(), Some("index"));
        assert!(rankings[2].hits.is_empty());
        assert!(!rankings[3].failed() && rankings[3].hits.is_empty());
        assert_eq!(items(&rankings[4]), ["0", "1", "2"]);
        assert_eq!(items(&rankings[5]), ["a", "b", "c"]);
        assert_eq!(items(&rankings[6]), ["y"]);
    }

    #[test]
    fn stages_carry_latency_and_hits() {
        let (rankings, _) = run(&["greedy"], "20", 1, 1);
        let [stage] = rankings[0].stages.as_slice() else { panic!("one stage") };
        assert_eq!((stage.name.as_str(), stage.kind.as_str(), stage.hits), ("fixture", "fixture", 3));
        assert!(stage.latency_ns >= 20_000_000 && rankings[0].latency_ns >= stage.latency_ns);
    }

    #[test]
    fn as_many_sessions_are_in_flight_as_asked() {
        let ids: Vec<String> = (0..24).map(|id| id.to_string()).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        for (concurrency, threads) in [(1, 2), (4, 1), (4, 2), (100, 2)] {
            let (rankings, most) = run(&ids, "15", concurrency, threads);
            assert_eq!(most, concurrency.min(ids.len()), "{concurrency} on {threads} threads");
            assert!(rankings.iter().zip(&ids).all(|(ranking, id)| items(ranking) == [*id]));
        }
    }

    #[test]
    fn no_sessions_give_no_rankings() {
        assert_eq!(run(&[], "0", 4, 1).0, []);
    }
}
