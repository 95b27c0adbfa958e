//! Drives chunks of sessions through a pipeline.

use std::sync::Arc;

use super::stages::{Source, Stage};
use super::{Pipeline, ReplayError};
use crate::rows::Answers;
use crate::session::{Ranking, Session};

/// Replays chunk after chunk through one pipeline.
#[derive(Debug)]
pub struct Replayer {
    pipeline: Arc<Pipeline>,
}

impl Replayer {
    /// Returns a replayer of `pipeline`.
    #[must_use]
    pub fn new(pipeline: Arc<Pipeline>) -> Self {
        Self { pipeline }
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
    pub async fn replay(&self, sessions: Arc<[Session]>, depth: usize) -> Result<Answers, ReplayError> {
        if let Some(Stage { does: Source::Recorded(retriever), depth: asked, .. }) = self.pipeline.lone_source() {
            let (retriever, depth) = (Arc::clone(retriever), depth.min(*asked));
            // Reading a file takes a thread of its own.
            return tokio::task::spawn_blocking(move || retriever.answers(&sessions, depth)).await?;
        }
        let retriever = || self.pipeline.id().to_owned();
        let answered = self.pipeline.answer(&sessions, depth).await?;
        if let Some(fatal) = answered.iter().filter_map(|answer| answer.failure.as_ref()).find(|failure| failure.fatal)
        {
            return Err(ReplayError::Dead { retriever: retriever(), message: fatal.message.clone() });
        }
        let ranking = |(answered, session): (super::stages::Answered, &Session)| {
            answered.into_ranking(session, self.pipeline.id(), depth)
        };
        let rankings: Vec<Ranking> = answered.into_iter().zip(sessions.iter()).map(ranking).collect();
        Answers::of(&rankings).map_err(|source| ReplayError::Rows { retriever: retriever(), source })
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use async_trait::async_trait;

    use super::*;
    use crate::replay::{RetrieveError, RetrieveErrorKind, Retrieved, Retriever};
    use crate::session::Hit;

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

        async fn retrieve(&self, session: &Session, _: usize) -> Result<Retrieved, RetrieveError> {
            let now = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
            self.most_in_flight.fetch_max(now, Ordering::SeqCst);
            let wait = session.query.as_deref().and_then(|query| query.parse().ok()).unwrap_or(0);
            tokio::time::sleep(Duration::from_millis(wait)).await;
            self.in_flight.fetch_sub(1, Ordering::SeqCst);
            let hit = |item: &str| Hit { item_id: item.into(), score: None };
            match session.session_id.as_str() {
                "panic" => panic!("out of cheese"),
                "error" => Err(RetrieveError::new(RetrieveErrorKind::Index, "broken")),
                "empty" => Ok(Vec::new().into()),
                "greedy" => Ok((0..50).map(|number| hit(&number.to_string())).collect::<Vec<_>>().into()),
                "repeating" => Ok(["a", "b", "a", "c", "b", "d"].map(hit).to_vec().into()),
                other => Ok(vec![hit(other)].into()),
            }
        }
    }

    fn run(ids: &[&str], wait_ms: &str, concurrency: usize, threads: usize) -> (Vec<Ranking>, usize) {
        let fixture = Arc::new(Fixture::default());
        let concurrency = NonZeroUsize::new(concurrency).unwrap();
        let pipeline = Pipeline::from_retriever(
            "id".into(),
            "name".into(),
            "h".into(),
            concurrency,
            NonZeroUsize::new(3).unwrap(),
            fixture.clone(),
        );
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
