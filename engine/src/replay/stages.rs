//! A list of stages and what it answers: the source's hits, handed from transform to transform.

use std::any::Any;
use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::fuse::Fuse;
use super::retrievers::RecordedRetriever;
use super::{Reads, ReplayError, RetrieveError, RetrieveErrorKind, Retrieved, Retriever, Transform};
use crate::benchmark::stages::OnStageError;
use crate::session::{Hit, Ranking, Session, StageRecord, StageState};

/// Separates the name of a stage from the names of what is inside of it.
pub(super) const INSIDE: char = '/';

/// How many sessions may be on their way at once, whoever asks.
pub(super) struct Flight {
    pub(super) concurrency: NonZeroUsize,
    permits: Semaphore,
}

impl Flight {
    pub(super) fn new(concurrency: NonZeroUsize) -> Arc<Self> {
        let permits = Semaphore::new(concurrency.get().min(Semaphore::MAX_PERMITS));
        Arc::new(Self { concurrency, permits })
    }
}

/// A source and the transforms behind it.
pub(super) struct Stages {
    pub(super) source: Stage<Source>,
    pub(super) transforms: Vec<Stage<Arc<dyn Transform>>>,
}

/// One stage.
pub(super) struct Stage<T> {
    pub(super) name: String,
    pub(super) on_error: OnStageError,
    pub(super) depth: usize,
    pub(super) does: T,
}

/// Where hits come from.
#[derive(Clone)]
pub(super) enum Source {
    /// A retriever that is asked session by session, or chunk by chunk where it can.
    Asked(Arc<dyn Retriever>),
    /// A recording, which answers whole chunks.
    Recorded(Arc<RecordedRetriever>),
    /// Several lists of stages.
    Fuse(Arc<Fuse>),
}

impl Source {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Asked(retriever) => retriever.kind(),
            Self::Recorded(retriever) => retriever.kind(),
            Self::Fuse(_) => Fuse::KIND,
        }
    }
}

/// What stages made of one session so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Answered {
    pub(super) hits: Vec<Hit>,
    pub(super) records: Vec<StageRecord>,
    pub(super) failure: Option<Failure>,
}

/// Why a session has no hits.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) kind: String,
    pub(super) message: String,
    /// Whether the retriever is beyond hope.
    pub(super) fatal: bool,
    /// Whether whoever fuses this list with others may go on without it.
    pub(super) may_be_skipped: bool,
}

impl Answered {
    /// Returns the time of the stages in a row, nanoseconds.
    pub(super) fn latency_ns(&self) -> i64 {
        let own = self.records.iter().filter(|record| !record.name.contains(INSIDE));
        own.map(|record| record.latency_ns).fold(0, i64::saturating_add)
    }

    pub(super) fn into_ranking(self, session: &Session, retriever_id: &str, depth: usize) -> Ranking {
        let latency_ns = self.latency_ns();
        let Self { mut hits, records, failure } = self;
        hits.truncate(depth);
        let (error_kind, error) = failure.map(|failure| (failure.kind, failure.message)).unzip();
        let (session_id, retriever_id) = (session.session_id.clone(), retriever_id.to_owned());
        Ranking { session_id, retriever_id, hits, latency_ns, stages: records, error_kind, error }
    }

    fn of_ranking(ranking: Ranking, source: &Stage<Source>) -> Self {
        let mut records = ranking.stages;
        for record in &mut records {
            record.name.clone_from(&source.name);
        }
        let failure = ranking.error_kind.map(|kind| Failure {
            kind,
            message: ranking.error.unwrap_or_default(),
            fatal: false,
            may_be_skipped: source.on_error == OnStageError::Skip,
        });
        Self { hits: ranking.hits, records, failure }
    }

    fn fail(&mut self, error: RetrieveError, may_be_skipped: bool) {
        let RetrieveError { kind, message, fatal, .. } = error;
        self.hits.clear();
        self.failure = Some(Failure { kind: kind.as_str().to_owned(), message, fatal, may_be_skipped });
    }

    /// Takes a stage's answer, or its failure.
    fn take<T>(
        &mut self,
        stage: &Stage<T>,
        kind: &'static str,
        answer: Result<Retrieved, RetrieveError>,
        took: (Duration, StageState),
    ) {
        let (elapsed, state) = took;
        let is_source = self.records.is_empty();
        let blank = StageRecord { name: stage.name.clone(), kind: kind.to_owned(), ..StageRecord::default() };
        match answer {
            Ok(Retrieved { mut hits, attempts, latency, timings, recall }) => {
                keep_first_of_each_item(&mut hits);
                if is_source {
                    hits.truncate(stage.depth);
                }
                let (latency_ns, attempts) = (nanoseconds(latency.unwrap_or(elapsed)), i64::from(attempts));
                self.hits = hits;
                let hits = self.count();
                self.records.push(StageRecord { latency_ns, hits, attempts, state, recall, ..blank });
                self.records.extend(timings.into_iter().map(|timing| StageRecord {
                    name: format!("{}{INSIDE}{}", stage.name, timing.name),
                    kind: kind.to_owned(),
                    latency_ns: timing.latency_ns,
                    hits,
                    state: StageState::Reported,
                    ..StageRecord::default()
                }));
            }
            Err(error) => {
                let (latency_ns, attempts) = (nanoseconds(elapsed), i64::from(error.attempts));
                let blank = StageRecord { latency_ns, attempts, error: Some(error.message.clone()), ..blank };
                if stage.on_error == OnStageError::Skip && !is_source && !error.fatal {
                    let (hits, state) = (self.count(), StageState::Skipped);
                    self.records.push(StageRecord { hits, state, ..blank });
                } else {
                    self.records.push(StageRecord { state: StageState::Failed, ..blank });
                    self.fail(error, stage.on_error == OnStageError::Skip);
                }
            }
        }
    }

    fn count(&self) -> i64 {
        i64::try_from(self.hits.len()).unwrap_or(i64::MAX)
    }
}

impl Stages {
    /// Returns what of a session the answer may depend on.
    pub(super) fn reads(&self) -> Reads {
        let source = match &self.source.does {
            Source::Asked(retriever) => retriever.reads(),
            Source::Recorded(_) => Reads::ALL,
            Source::Fuse(fuse) => {
                fuse.branches.iter().map(|branch| branch.stages.reads()).fold(Reads::NOTHING, Reads::and)
            }
        };
        self.transforms.iter().map(|stage| stage.does.reads()).fold(source, Reads::and)
    }

    /// Returns the names of all stages, those inside of others too.
    pub(super) fn names(&self) -> Vec<&str> {
        let mut names = vec![self.source.name.as_str()];
        if let Source::Fuse(fuse) = &self.source.does {
            names.extend(fuse.branches.iter().flat_map(|branch| branch.stages.names()));
        }
        names.extend(self.transforms.iter().map(|stage| stage.name.as_str()));
        names
    }

    /// Returns the number of stages.
    pub(super) fn count(&self) -> usize {
        1 + self.transforms.len()
    }

    /// Returns the answers of all stages to a chunk of sessions, in their order.
    pub(super) async fn answer(
        self: &Arc<Self>,
        sessions: &Arc<[Session]>,
        flight: &Arc<Flight>,
    ) -> Result<Vec<Answered>, ReplayError> {
        let answered = self.find(sessions, flight).await?;
        Ok(self.transform(0..self.transforms.len(), sessions, answered, flight).await)
    }

    /// Returns the answers of the source.
    pub(super) async fn find(
        self: &Arc<Self>,
        sessions: &Arc<[Session]>,
        flight: &Arc<Flight>,
    ) -> Result<Vec<Answered>, ReplayError> {
        let stage = &self.source;
        match &stage.does {
            Source::Recorded(retriever) => {
                let (retriever, asked, depth) = (Arc::clone(retriever), Arc::clone(sessions), stage.depth);
                // Reading a file takes a thread of its own.
                let read = move || retriever.rankings(&asked, depth);
                let rankings = tokio::task::spawn_blocking(read).await??;
                Ok(rankings.into_iter().map(|ranking| Answered::of_ranking(ranking, stage)).collect())
            }
            Source::Fuse(fuse) => Box::pin(fuse.answer(stage, sessions, flight)).await,
            Source::Asked(retriever) => match ask_chunk(retriever, stage, sessions).await {
                Some(answered) => Ok(answered),
                None => Ok(self.ask_each(retriever, sessions, flight).await),
            },
        }
    }

    async fn ask_each(
        self: &Arc<Self>,
        retriever: &Arc<dyn Retriever>,
        sessions: &Arc<[Session]>,
        flight: &Arc<Flight>,
    ) -> Vec<Answered> {
        let (stages, retriever) = (Arc::clone(self), Arc::clone(retriever));
        let ask = move |session: Arc<[Session]>, index: usize, mut answered: Answered| {
            let (stages, retriever) = (Arc::clone(&stages), Arc::clone(&retriever));
            async move {
                if let Some(session) = session.get(index) {
                    let stage = &stages.source;
                    let start = Instant::now();
                    let answer = caught(retriever.retrieve(session, stage.depth)).await;
                    answered.take(stage, retriever.kind(), answer, (start.elapsed(), StageState::Ok));
                }
                answered
            }
        };
        let blank = vec![Answered::default(); sessions.len()];
        each(sessions, blank, flight, ask).await
    }

    /// Hands answers through some of the transforms.
    pub(super) async fn transform(
        self: &Arc<Self>,
        transforms: Range<usize>,
        sessions: &Arc<[Session]>,
        answered: Vec<Answered>,
        flight: &Arc<Flight>,
    ) -> Vec<Answered> {
        if transforms.is_empty() {
            return answered;
        }
        let stages = Arc::clone(self);
        let hand_on = move |session: Arc<[Session]>, index: usize, mut answered: Answered| {
            let (stages, transforms) = (Arc::clone(&stages), transforms.clone());
            async move {
                let Some(session) = session.get(index) else { return answered };
                for stage in stages.transforms.get(transforms).unwrap_or_default() {
                    if answered.failure.is_some() {
                        break;
                    }
                    let hits = answered.hits.clone();
                    let start = Instant::now();
                    let answer = caught(stage.does.transform(session, hits, stage.depth)).await;
                    answered.take(stage, stage.does.kind(), answer, (start.elapsed(), StageState::Ok));
                }
                answered
            }
        };
        each(sessions, answered, flight, hand_on).await
    }
}

/// Asks for a chunk at once; `None` where the retriever cannot do that.
async fn ask_chunk(
    retriever: &Arc<dyn Retriever>,
    stage: &Stage<Source>,
    sessions: &Arc<[Session]>,
) -> Option<Vec<Answered>> {
    let start = Instant::now();
    let asked = AssertUnwindSafe(retriever.retrieve_chunk(sessions, stage.depth)).catch_unwind().await;
    let answers = match asked {
        Ok(answers) => answers?,
        Err(panic) => vec![Err(panicked(panic.as_ref())); sessions.len()],
    };
    let share = start.elapsed() / u32::try_from(sessions.len().max(1)).unwrap_or(u32::MAX);
    let missing = || Err(RetrieveError::new(RetrieveErrorKind::Internal, "the retriever left the session out"));
    let answers = answers.into_iter().chain(std::iter::repeat_with(missing)).take(sessions.len());
    let answered = answers.map(|answer| {
        let mut answered = Answered::default();
        answered.take(stage, retriever.kind(), answer, (share, StageState::Batched));
        answered
    });
    Some(answered.collect())
}

/// Does something with every session, as many at a time as may be on their way, spread over the runtime's threads. Dropping
/// the future stops the work.
async fn each<F, W>(sessions: &Arc<[Session]>, answered: Vec<Answered>, flight: &Arc<Flight>, work: F) -> Vec<Answered>
where
    F: Fn(Arc<[Session]>, usize, Answered) -> W + Clone + Send + 'static,
    W: Future<Output = Answered> + Send,
{
    let mut slots: Vec<Option<Answered>> = vec![None; sessions.len()];
    let mut tasks = JoinSet::new();
    let queue = Arc::new(Mutex::new(answered.into_iter().enumerate()));
    // A task for each session that may be on its way, not one for each session: those would wait for most of their lives.
    for _ in 0..flight.concurrency.get().min(sessions.len()) {
        let (sessions, flight, work, queue) =
            (Arc::clone(sessions), Arc::clone(flight), work.clone(), Arc::clone(&queue));
        tasks.spawn(async move {
            let mut done = Vec::new();
            loop {
                // Nobody closes the semaphore.
                let _permit = flight.permits.acquire().await;
                let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some((index, answered)) = next else { return done };
                done.push((index, work(Arc::clone(&sessions), index, answered).await));
            }
        });
    }
    while let Some(finished) = tasks.join_next().await {
        // Panics are caught inside; only a runtime that shuts down loses a task.
        for (index, answered) in finished.into_iter().flatten() {
            if let Some(slot) = slots.get_mut(index) {
                *slot = Some(answered);
            }
        }
    }
    let cancelled = || {
        let mut answered = Answered::default();
        answered.fail(RetrieveError::new(RetrieveErrorKind::Internal, "the replay was cancelled"), false);
        answered
    };
    slots.into_iter().map(|slot| slot.unwrap_or_else(cancelled)).collect()
}

/// Waits for an answer; a panic is a failure.
async fn caught(answer: impl Future<Output = Result<Retrieved, RetrieveError>>) -> Result<Retrieved, RetrieveError> {
    let answer = AssertUnwindSafe(answer).catch_unwind().await;
    answer.unwrap_or_else(|panic| Err(panicked(panic.as_ref())))
}

fn panicked(panic: &(dyn Any + Send)) -> RetrieveError {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
    RetrieveError::new(RetrieveErrorKind::Internal, format!("the retriever panicked: {text}"))
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
