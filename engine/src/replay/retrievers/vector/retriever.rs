//! Answers sessions with the nearest vectors.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use tokio::task::JoinSet;

use super::super::top::Candidate;
use super::nearness::{Nearness, Query};
use super::recall::{RECALL_DEPTH, RecallSample, recall};
use super::{VectorTable, scan};
use crate::benchmark::stages::{AnnPlan, VectorMetric, VectorPlan};
use crate::load::{LoadError, Vectors};
use crate::replay::{Reads, RetrieveError, RetrieveErrorKind, Retrieved, Retriever};
use crate::session::{Hit, Session};

/// Queries that are multiplied at once.
const QUERIES: usize = 256;

/// Why a table of vectors cannot be searched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VectorError {
    /// The vectors cannot be read, or the metric is not defined on one of them.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A graph of neighbours is asked for, and this program cannot build one.
    #[error(
        "`ann` is not in this build of rematch; build it with `--features ann`, or take `ann` out for exact answers"
    )]
    WithoutAnn,
    /// The graph of neighbours cannot be built.
    #[error("the graph of neighbours cannot be built: {0}")]
    Graph(String),
}

/// Ranks the items of a corpus by the nearness of their vectors to the session's query vector.
///
/// Scores are cosines, dot products or negative squared distances. The answer is the same for any chunk, block and number of
/// threads, and what comparing every vector in 64 bits gives; ties are in ascending order of the item id.
///
/// A session without a query vector fails with `no_query`; with one of another dimension, or with elements that are not
/// finite, or all zeros under the cosine, with `vector`.
///
/// A chunk of sessions is answered by as many threads as there are processor cores, each of which takes blocks of 256
/// queries or fewer and holds 1 MiB of products besides the vectors.
pub struct VectorRetriever {
    search: Arc<Search>,
    threads: NonZeroUsize,
}

/// What the threads of a search share.
struct Search {
    nearness: Nearness,
    graph: Option<Graph>,
}

/// An approximate search, and how well it does.
struct Graph {
    #[cfg(feature = "ann")]
    neighbours: super::ann::Neighbours,
    #[cfg(not(feature = "ann"))]
    neighbours: std::convert::Infallible,
    sample: RecallSample,
}

impl std::fmt::Debug for VectorRetriever {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let metric = self.search.nearness.metric();
        formatter.debug_struct("VectorRetriever").field("metric", &metric).finish_non_exhaustive()
    }
}

impl VectorRetriever {
    /// Returns a retriever over a table, which is that of the plan's corpus and column. Building a graph of neighbours takes
    /// long, on one thread: with more, the graph would be another each time.
    ///
    /// # Errors
    ///
    /// Returns an error when a vector has no direction under the cosine, or the graph cannot be built.
    pub fn build(plan: &VectorPlan, table: Arc<VectorTable>) -> Result<Self, VectorError> {
        if plan.metric == VectorMetric::Cosine {
            table.check_directions()?;
        }
        let nearness = Nearness::new(table, plan.metric);
        let graph = plan.ann.map(|ann| Graph::build(&nearness, &ann)).transpose()?;
        let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Ok(Self { search: Arc::new(Search { nearness, graph }), threads })
    }

    /// Looks at what a retriever would be built over, and whether this program can build it.
    ///
    /// # Errors
    ///
    /// Returns an error that reading the plan's table or [`VectorRetriever::build`] returns too.
    pub fn look(plan: &VectorPlan) -> Result<(), VectorError> {
        Vectors::look(&plan.corpus, &plan.column)?;
        if plan.ann.is_some() && cfg!(not(feature = "ann")) { Err(VectorError::WithoutAnn) } else { Ok(()) }
    }

    /// Sets the number of threads that answer a chunk.
    #[cfg(test)]
    #[must_use]
    pub fn with_threads(mut self, threads: NonZeroUsize) -> Self {
        self.threads = threads;
        self
    }

    /// Answers sessions, in their order.
    async fn answer(&self, sessions: &[Session], depth: usize) -> Vec<Result<Retrieved, RetrieveError>> {
        let mut answers: Vec<Result<Retrieved, RetrieveError>> = Vec::with_capacity(sessions.len());
        let mut asked = Vec::new();
        for (place, session) in sessions.iter().enumerate() {
            match self.search.query_vector(session) {
                Ok(vector) => {
                    asked.push(Asked { place, session_id: session.session_id.clone(), vector });
                    answers.push(Err(RetrieveError::new(RetrieveErrorKind::Internal, "the search was cancelled")));
                }
                Err(error) => answers.push(Err(error)),
            }
        }
        for (place, found) in self.search_all(asked, depth).await {
            if let Some(answer) = answers.get_mut(place) {
                let failed = |reason| RetrieveError::new(RetrieveErrorKind::Index, reason);
                *answer = found.map_err(failed);
            }
        }
        answers
    }

    async fn search_all(&self, asked: Vec<Asked>, depth: usize) -> Vec<(usize, Found)> {
        let block = asked.len().div_ceil(self.threads.get()).clamp(1, QUERIES);
        let blocks = asked.len().div_ceil(block);
        let (asked, next) = (Arc::new(asked), Arc::new(AtomicUsize::new(0)));
        let stop = StopOnDrop(Arc::new(AtomicBool::new(false)));
        let mut workers = JoinSet::new();
        for _ in 0..self.threads.get().min(blocks) {
            let (search, asked, next, stop) = (self.search.clone(), asked.clone(), next.clone(), stop.0.clone());
            workers.spawn_blocking(move || {
                let mut answers = Vec::new();
                while let Some(some) = asked.chunks(block).nth(next.fetch_add(1, Ordering::Relaxed)) {
                    answers.extend(search.block(some, depth, &stop));
                }
                answers
            });
        }
        let mut answers = Vec::new();
        while let Some(finished) = workers.join_next().await {
            // Only a panic or the end of the runtime loses a worker; its sessions keep their errors.
            answers.extend(finished.unwrap_or_default());
        }
        answers
    }
}

/// The answer to a session, or why the graph of neighbours has none.
type Found = Result<Retrieved, String>;

/// The nearest items of a session, best first, and the share of the nearest ones among them where somebody looked.
type Nearest = Result<(Vec<Candidate>, Option<f64>), String>;

/// A session that has a query.
struct Asked {
    place: usize,
    session_id: String,
    vector: Vec<f32>,
}

/// Tells the threads of a search that nobody waits for them any more.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Search {
    fn query_vector(&self, session: &Session) -> Result<Vec<f32>, RetrieveError> {
        let vector = session.query_vector.as_ref().ok_or_else(|| {
            let message = "the session has no query vector, which `vector` needs";
            RetrieveError::new(RetrieveErrorKind::NoQuery, message)
        })?;
        let refuse = |message: String| Err(RetrieveError::new(RetrieveErrorKind::Vector, message));
        let (given, expected) = (vector.len(), self.nearness.table().dimension());
        if given != expected {
            let corpus = self.nearness.table().corpus();
            return refuse(format!(
                "the query vector has {given} dimensions, the vectors of corpus `{corpus}` have {expected}"
            ));
        }
        if let Some(place) = vector.iter().position(|element| !element.is_finite()) {
            return refuse(format!("element {} of the query vector is not a finite number", place + 1));
        }
        if self.nearness.metric() == VectorMetric::Cosine && vector.iter().all(|element| *element == 0.0) {
            return refuse("the query vector is all zeros and has no cosine".to_owned());
        }
        Ok(vector.clone())
    }

    fn block(&self, asked: &[Asked], depth: usize, stop: &AtomicBool) -> Vec<(usize, Found)> {
        let queries: Vec<Query<'_>> = asked.iter().map(|asked| Query::new(&asked.vector)).collect();
        let best: Vec<Nearest> = match &self.graph {
            None => {
                let exact = scan::nearest(&self.nearness, &queries, depth, stop).into_iter();
                exact.map(|nearest| Ok((nearest, None))).collect()
            }
            Some(graph) => self.approximate(graph, asked, &queries, depth, stop),
        };
        if stop.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let order = self.nearness.table().order();
        let hit = |candidate: Candidate| Hit {
            item_id: order.item_id(candidate.id_order).to_owned(),
            score: Some(candidate.score),
        };
        let answer = |(best, recall): (Vec<Candidate>, Option<f64>)| {
            let hits: Vec<Hit> = best.into_iter().map(hit).collect();
            Retrieved { recall, ..hits.into() }
        };
        asked.iter().map(|asked| asked.place).zip(best.into_iter().map(|best| best.map(answer))).collect()
    }

    fn approximate(
        &self,
        graph: &Graph,
        asked: &[Asked],
        queries: &[Query<'_>],
        depth: usize,
        stop: &AtomicBool,
    ) -> Vec<Nearest> {
        let nearest = |query| graph.nearest(&self.nearness, query, depth).map(|found| (found, None));
        let mut found: Vec<Nearest> = queries.iter().map(nearest).collect();
        let sampled = asked.iter().zip(queries).filter(|(asked, _)| graph.sample.holds(&asked.session_id));
        let checked: Vec<Query<'_>> = sampled.map(|(_, query)| *query).collect();
        let mut exact = scan::nearest(&self.nearness, &checked, depth.min(RECALL_DEPTH), stop).into_iter();
        for (asked, found) in asked.iter().zip(&mut found) {
            if graph.sample.holds(&asked.session_id)
                && let (Ok((found, looked)), Some(exact)) = (found, exact.next())
            {
                *looked = recall(&exact, found);
            }
        }
        found
    }
}

#[async_trait]
impl Retriever for VectorRetriever {
    fn kind(&self) -> &'static str {
        "vector"
    }

    fn reads(&self) -> Reads {
        // Whether the recall is looked at depends on the id.
        Reads { query_vector: true, session_id: self.search.graph.is_some(), ..Reads::NOTHING }
    }

    async fn retrieve(&self, session: &Session, depth: usize) -> Result<Retrieved, RetrieveError> {
        let cancelled = || Err(RetrieveError::new(RetrieveErrorKind::Internal, "the search was cancelled"));
        self.answer(std::slice::from_ref(session), depth).await.pop().unwrap_or_else(cancelled)
    }

    async fn retrieve_chunk(
        &self,
        sessions: &[Session],
        depth: usize,
    ) -> Option<Vec<Result<Retrieved, RetrieveError>>> {
        Some(self.answer(sessions, depth).await)
    }
}

#[cfg(feature = "ann")]
impl Graph {
    fn build(nearness: &Nearness, plan: &AnnPlan) -> Result<Self, VectorError> {
        let neighbours = super::ann::Neighbours::build(nearness, plan).map_err(VectorError::Graph)?;
        Ok(Self { neighbours, sample: RecallSample::new(plan.recall_sample) })
    }

    fn nearest(&self, nearness: &Nearness, query: &Query<'_>, depth: usize) -> Result<Vec<Candidate>, String> {
        self.neighbours.nearest(nearness, query, depth)
    }
}

#[cfg(not(feature = "ann"))]
impl Graph {
    fn build(_: &Nearness, _: &AnnPlan) -> Result<Self, VectorError> {
        Err(VectorError::WithoutAnn)
    }

    fn nearest(&self, _: &Nearness, _: &Query<'_>, _: usize) -> Result<Vec<Candidate>, String> {
        match self.neighbours {}
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::benchmark::CorpusPlan;
    use crate::load::Vectors;
    use crate::replay::contract;

    fn plan(metric: VectorMetric, ann: Option<AnnPlan>) -> VectorPlan {
        let corpus = CorpusPlan { name: "docs".into(), path: PathBuf::new(), id: "id".into() };
        VectorPlan { corpus, column: "vector".into(), metric, ann }
    }

    fn table(count: usize) -> Arc<VectorTable> {
        // Many equal vectors: ties at every depth.
        let values = (0..count).flat_map(|number| [(number % 5) as f32 + 1.0, (number % 3) as f32 - 1.0]).collect();
        let ids = (0..count).map(|number| format!("{number}")).collect();
        Arc::new(VectorTable::new("docs", Vectors::new(ids, 2, values)))
    }

    fn session(session_id: &str, vector: Option<&[f32]>) -> Session {
        let query_vector = vector.map(<[f32]>::to_vec);
        Session { session_id: session_id.to_owned(), query_vector, ..Session::default() }
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    const NAN: f32 = f32::NAN;

    #[test]
    fn vector_keeps_the_contract() {
        for metric in [VectorMetric::Cosine, VectorMetric::Dot, VectorMetric::L2] {
            let retriever = VectorRetriever::build(&plan(metric, None), table(400)).unwrap();
            let sessions = [
                session("a", Some(&[1.0, 0.5])),
                session("b", Some(&[0.0, 0.0])),
                session("c", None),
                session("d", Some(&[1.0])),
            ];
            block_on(contract::check(&retriever, &sessions)).unwrap();
        }
    }

    #[test]
    fn a_query_that_cannot_be_compared_fails_alone() {
        let retriever = VectorRetriever::build(&plan(VectorMetric::Cosine, None), table(3)).unwrap();
        let vectors: [Option<&[f32]>; 6] =
            [Some(&[1.0, 0.0]), None, Some(&[1.0, 2.0, 3.0]), Some(&[0.0, 0.0]), Some(&[1.0, NAN]), Some(&[2.0, 0.0])];
        let sessions = vectors.map(|vector| session("s", vector));
        let answers = block_on(retriever.retrieve_chunk(&sessions, 2)).unwrap();
        let told: Vec<String> = answers
            .iter()
            .map(|answer| match answer {
                Ok(answer) => answer.hits[0].item_id.clone(),
                Err(error) => format!("{}: {}", error.kind.as_str(), error.message),
            })
            .collect();
        let expected = [
            "1",
            "no_query: the session has no query vector, which `vector` needs",
            "vector: the query vector has 3 dimensions, the vectors of corpus `docs` have 2",
            "vector: the query vector is all zeros and has no cosine",
            "vector: element 2 of the query vector is not a finite number",
            "1",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn chunks_and_threads_change_nothing() {
        let retriever = |threads| {
            let retriever = VectorRetriever::build(&plan(VectorMetric::L2, None), table(5000)).unwrap();
            retriever.with_threads(NonZeroUsize::new(threads).unwrap())
        };
        let vector = |number: usize| [number as f32 * 0.37 - 20.0, (number % 7) as f32];
        let sessions: Vec<Session> =
            (0..600).map(|number| session(&number.to_string(), Some(&vector(number)))).collect();
        let one = block_on(retriever(1).retrieve_chunk(&sessions, 12)).unwrap();
        assert!(one.iter().all(|answer| answer.as_ref().unwrap().hits.len() == 12));
        for (threads, chunk) in [(2, 600), (3, 100), (16, 257)] {
            let retriever = retriever(threads);
            let mut all = Vec::new();
            for some in sessions.chunks(chunk) {
                all.extend(block_on(retriever.retrieve_chunk(some, 12)).unwrap());
            }
            assert!(all == one, "{threads} threads, chunks of {chunk}");
        }
        assert_eq!(block_on(retriever(2).retrieve_chunk(&[], 5)).unwrap(), []);
    }

    #[test]
    fn zeros_have_no_cosine() {
        let zeros = || {
            let ids = vec!["a".to_owned(), "b".to_owned()];
            Arc::new(VectorTable::new("docs", Vectors::new(ids, 1, vec![1.0, 0.0])))
        };
        let error = VectorRetriever::build(&plan(VectorMetric::Cosine, None), zeros()).unwrap_err().to_string();
        assert!(error.contains("row 2: the vector is all zeros and has no cosine"), "{error}");
        assert!(VectorRetriever::build(&plan(VectorMetric::Dot, None), zeros()).is_ok());
    }

    #[test]
    #[cfg(not(feature = "ann"))]
    fn a_build_without_graphs_says_so() {
        let plan = plan(VectorMetric::Cosine, Some(AnnPlan::default()));
        let error = VectorRetriever::build(&plan, table(3)).unwrap_err().to_string();
        assert!(error.contains("build it with `--features ann`"), "{error}");
    }

    #[test]
    #[cfg(feature = "ann")]
    fn graphs_are_the_same_each_time_and_tell_their_recall() {
        let values: Vec<f32> =
            (0..8 * 3000_u32).map(|place| f32::from((place.wrapping_mul(2_654_435_761) >> 16) as u16) - 3e4).collect();
        let ids = (0..3000).map(|number| format!("{number}")).collect();
        let table = Arc::new(VectorTable::new("docs", Vectors::new(ids, 8, values)));
        let sessions: Vec<Session> = (0..40_u32)
            .map(|number| session(&number.to_string(), Some(&[number as f32, 1.0, -3.0, 2.5, 9.0, -1.0, 0.0, 4.0])))
            .collect();
        let ann = AnnPlan { recall_sample: 1.0, ..AnnPlan::default() };
        for metric in [VectorMetric::Cosine, VectorMetric::Dot, VectorMetric::L2] {
            let build = || VectorRetriever::build(&plan(metric, Some(ann)), table.clone()).unwrap();
            let retriever = build();
            let answers = block_on(retriever.retrieve_chunk(&sessions, 10)).unwrap();
            assert!(answers == block_on(build().retrieve_chunk(&sessions, 10)).unwrap(), "{metric:?}");
            let exact = VectorRetriever::build(&plan(metric, None), table.clone()).unwrap();
            let exact = block_on(exact.retrieve_chunk(&sessions, 10)).unwrap();
            for (answer, exact) in answers.iter().zip(&exact) {
                let (answer, exact) = (answer.as_ref().unwrap(), exact.as_ref().unwrap());
                let found = |hit: &&Hit| answer.hits.iter().any(|found| found.item_id == hit.item_id);
                let share = exact.hits.iter().filter(found).count() as f64 / exact.hits.len() as f64;
                assert_eq!(answer.recall, Some(share), "{metric:?}");
                // What is found is scored exactly, so that it stands where it does in the exact list.
                let both: Vec<&Hit> = exact.hits.iter().filter(found).collect();
                assert!(both.iter().all(|hit| answer.hits.contains(hit)), "{metric:?}");
            }
            let recalls: Vec<f64> = answers.iter().map(|answer| answer.as_ref().unwrap().recall.unwrap()).collect();
            let mean = recalls.iter().sum::<f64>() / 40.0;
            assert!(recalls.len() == 40 && mean > 0.8, "{metric:?} {recalls:?}");
            block_on(contract::check(&retriever, &sessions[..3])).unwrap();
        }
    }
}
