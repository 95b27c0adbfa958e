//! What every retriever must do: the suite that each implementation passes, those of outsiders included.

use futures::future::join_all;

use super::{RetrieveError, Retriever};
use crate::session::{Hit, Session};

/// Depths that the suite asks for, ascending: the answer to one is a prefix of the answer to the next.
const DEPTHS: [usize; 3] = [1, 3, 100];

/// How a retriever breaks the contract of [`Retriever`].
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ContractViolation {
    /// More hits than asked for.
    #[error("session `{session_id}`: {found} hits, at most {depth} were asked for")]
    TooManyHits {
        /// The session.
        session_id: String,
        /// The depth asked for.
        depth: usize,
        /// The number of hits.
        found: usize,
    },
    /// An item occurs twice.
    #[error("session `{session_id}`: item `{item_id}` occurs twice")]
    DuplicateItem {
        /// The session.
        session_id: String,
        /// The item.
        item_id: String,
    },
    /// A score is above the one before it, or not a number.
    #[error("session `{session_id}`: score {after} at rank {rank} follows {before}")]
    ScoreOrder {
        /// The session.
        session_id: String,
        /// The 1-based rank of the later hit.
        rank: usize,
        /// The earlier score.
        before: f64,
        /// The later score.
        after: f64,
    },
    /// The answer at a smaller depth is not the head of the answer at a greater one.
    #[error("session `{session_id}`: the answer at depth {depth} is not a prefix of the answer at depth {deeper}")]
    NotAPrefix {
        /// The session.
        session_id: String,
        /// The smaller depth.
        depth: usize,
        /// The greater depth.
        deeper: usize,
    },
    /// The same session got two answers.
    #[error("session `{session_id}`: another answer {circumstance}")]
    NotRepeatable {
        /// The session.
        session_id: String,
        /// When the second answer was given.
        circumstance: &'static str,
    },
    /// A session fails at one depth and succeeds at another.
    #[error("session `{session_id}`: fails at some depths and succeeds at others")]
    ErrorDependsOnDepth {
        /// The session.
        session_id: String,
    },
}

type Answer = Result<Vec<Hit>, RetrieveError>;

/// Checks a retriever against its contract on `sessions`: legal answers at depths 1, 3 and 100, each a prefix of the next,
/// the same answer again and when all sessions are asked at once, and failures that repeat.
///
/// # Errors
///
/// Returns the first violation.
pub async fn check(retriever: &dyn Retriever, sessions: &[Session]) -> Result<(), ContractViolation> {
    let mut deepest = Vec::with_capacity(sessions.len());
    for session in sessions {
        deepest.push(check_session(retriever, session).await?);
    }
    let [.., depth] = DEPTHS;
    let together = join_all(sessions.iter().map(|session| hits(retriever, session, depth))).await;
    for ((session, alone), together) in sessions.iter().zip(&deepest).zip(&together) {
        if alone != together {
            let (session_id, circumstance) = (session.session_id.clone(), "when all sessions are asked at once");
            return Err(ContractViolation::NotRepeatable { session_id, circumstance });
        }
    }
    Ok(())
}

async fn hits(retriever: &dyn Retriever, session: &Session, depth: usize) -> Answer {
    retriever.retrieve(session, depth).await.map(|retrieved| retrieved.hits)
}

/// Returns the answer at the greatest depth.
async fn check_session(retriever: &dyn Retriever, session: &Session) -> Result<Answer, ContractViolation> {
    let session_id = || session.session_id.clone();
    let mut previous: Option<(usize, Answer)> = None;
    for depth in DEPTHS {
        let answer = hits(retriever, session, depth).await;
        if answer != hits(retriever, session, depth).await {
            let circumstance = "the second time";
            return Err(ContractViolation::NotRepeatable { session_id: session_id(), circumstance });
        }
        if let Ok(hits) = &answer {
            check_hits(session, hits, depth)?;
        }
        match (&previous, &answer) {
            (Some((depth_before, Ok(before))), Ok(hits)) => {
                if hits.get(..before.len()) != Some(before) || before.len() < hits.len().min(*depth_before) {
                    let (depth, deeper) = (*depth_before, depth);
                    return Err(ContractViolation::NotAPrefix { session_id: session_id(), depth, deeper });
                }
            }
            (Some((_, Ok(_))), Err(_)) | (Some((_, Err(_))), Ok(_)) => {
                return Err(ContractViolation::ErrorDependsOnDepth { session_id: session_id() });
            }
            (Some((_, Err(_))), Err(_)) | (None, _) => {}
        }
        previous = Some((depth, answer));
    }
    Ok(previous.map_or(Ok(Vec::new()), |(_, answer)| answer))
}

fn check_hits(session: &Session, hits: &[Hit], depth: usize) -> Result<(), ContractViolation> {
    let session_id = || session.session_id.clone();
    if hits.len() > depth {
        return Err(ContractViolation::TooManyHits { session_id: session_id(), depth, found: hits.len() });
    }
    let mut seen = std::collections::HashSet::new();
    if let Some(hit) = hits.iter().find(|hit| !seen.insert(hit.item_id.as_str())) {
        return Err(ContractViolation::DuplicateItem { session_id: session_id(), item_id: hit.item_id.clone() });
    }
    let mut before = f64::INFINITY;
    for (rank, hit) in (1..).zip(hits) {
        let Some(after) = hit.score else { continue };
        if after.is_nan() || after > before {
            return Err(ContractViolation::ScoreOrder { session_id: session_id(), rank, before, after });
        }
        before = after;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;

    use super::*;
    use crate::benchmark::HitOrder;
    use crate::benchmark::spec::{CombineFields, Missing};
    use crate::load::Document;
    use crate::load::recorded::{RecordedSettings, Recording};
    use crate::replay::retrievers::bm25::{Bm25Settings, CorpusIndex};
    use crate::replay::retrievers::{Bm25Retriever, RecordedRetriever, ShownRetriever};
    use crate::replay::{RetrieveErrorKind, Retrieved};
    use crate::session::ShownItem;

    fn session(session_id: &str, query: Option<&str>) -> Session {
        Session { session_id: session_id.into(), query: query.map(str::to_owned), ..Session::default() }
    }

    fn check(retriever: &dyn Retriever, sessions: &[Session]) -> Result<(), ContractViolation> {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(super::check(retriever, sessions))
    }

    #[test]
    fn bm25_keeps_the_contract() {
        // Many equal documents: ties at every depth.
        let text = |number: usize| format!("{} wing", ["slipstream", "boundary layer", "heat"][number % 3]);
        let documents = (0..400).map(|number| Ok(Document { id: format!("{number}"), fields: vec![text(number)] }));
        let index = CorpusIndex::from_documents(&["text".to_owned()], documents).unwrap();
        let fields = BTreeMap::from([("text".to_owned(), 1.0)]);
        let settings = Bm25Settings { fields, k1: 1.2, b: 0.75, combine_fields: CombineFields::Bm25f };
        let retriever = Bm25Retriever::new(Arc::new(index), &settings);
        let queries = [Some("wing in a slipstream"), Some("heat"), Some("nothing"), Some("the"), Some(""), None];
        let sessions: Vec<Session> = queries.iter().map(|query| session("s", *query)).collect();
        check(&retriever, &sessions).unwrap();
    }

    #[test]
    fn recorded_keeps_the_contract() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("run");
        let lines: String = (0..300).map(|rank| format!("s1 Q0 d{} {rank} {} t\n", rank % 300, -(rank / 7))).collect();
        std::fs::write(&path, lines).unwrap();
        for order in [HitOrder::Strict, HitOrder::TrecEval] {
            for missing in [Missing::Error, Missing::Empty] {
                let settings = RecordedSettings { order, ..RecordedSettings::default() };
                let recording = Recording::open(&path, &settings, folder.path(), 1 << 20).unwrap();
                let retriever = RecordedRetriever::new("any", "recorded", recording, missing);
                check(&retriever, &[session("s1", None), session("s2", None)]).unwrap();
            }
        }
    }

    #[test]
    fn shown_keeps_the_contract() {
        let item = |item_id: &str, score| ShownItem { item_id: item_id.into(), score, propensity: None };
        let shown = |shown: Vec<ShownItem>| Session { shown, ..session("s", None) };
        let sessions = [
            shown(vec![item("a", Some(1.0)), item("b", Some(2.0)), item("a", None)]),
            shown(vec![item("a", Some(2.0)), item("b", Some(f64::NAN))]),
            shown(vec![item("a", Some(2.0)), item("b", Some(2.0))]),
            shown((0..200).map(|number| item(&number.to_string(), None)).collect()),
            shown(Vec::new()),
        ];
        check(&ShownRetriever, &sessions).unwrap();
    }

    /// A retriever that answers as told by its depth and the number of calls so far.
    struct Broken<F> {
        calls: AtomicUsize,
        answer: F,
    }

    #[async_trait]
    impl<F: Fn(usize, usize) -> Answer + Send + Sync> Retriever for Broken<F> {
        fn kind(&self) -> &'static str {
            "broken"
        }

        async fn retrieve(&self, _: &Session, depth: usize) -> Result<Retrieved, RetrieveError> {
            (self.answer)(depth, self.calls.fetch_add(1, Ordering::Relaxed)).map(Retrieved::from)
        }
    }

    fn violation(answer: impl Fn(usize, usize) -> Answer + Send + Sync) -> ContractViolation {
        check(&Broken { calls: AtomicUsize::new(0), answer }, &[session("s", None)]).unwrap_err()
    }

    fn hits(hits: &[(&str, Option<f64>)]) -> Vec<Hit> {
        hits.iter().map(|(item_id, score)| Hit { item_id: (*item_id).into(), score: *score }).collect()
    }

    #[test]
    fn every_violation_is_found() {
        let two = || hits(&[("a", None), ("b", None)]);
        assert!(matches!(violation(|_, _| Ok(two())), ContractViolation::TooManyHits { depth: 1, found: 2, .. }));
        let twice = |depth: usize, _| Ok(hits(&[("a", None), ("a", None)][..depth.min(2)]));
        assert!(matches!(violation(twice), ContractViolation::DuplicateItem { .. }));
        let rising = |depth: usize, _| Ok(hits(&[("a", Some(1.0)), ("b", None), ("c", Some(2.0))][..depth.min(3)]));
        assert!(matches!(violation(rising), ContractViolation::ScoreOrder { rank: 3, .. }));
        let nan = |_, _| Ok(hits(&[("a", Some(f64::NAN))]));
        // NaN differs from itself, so it shows as an answer that does not repeat.
        assert!(matches!(violation(nan), ContractViolation::NotRepeatable { .. }));
        let shuffled = |depth: usize, _| Ok(hits(&[(if depth > 1 { "b" } else { "a" }, None)]));
        assert!(matches!(violation(shuffled), ContractViolation::NotAPrefix { depth: 1, deeper: 3, .. }));
        let short =
            |depth: usize, _| Ok(if depth == 3 { hits(&[("a", None)]) } else { two()[..depth.min(2)].to_vec() });
        assert!(matches!(violation(short), ContractViolation::NotAPrefix { depth: 3, deeper: 100, .. }));
        let random = |_, call: usize| Ok(hits(&[(if call == 3 { "a" } else { "b" }, None)]));
        assert!(matches!(violation(random), ContractViolation::NotRepeatable { .. }));
        let last = |_, call: usize| Ok(hits(&[(if call == 6 { "a" } else { "b" }, None)]));
        assert!(matches!(violation(last), ContractViolation::NotRepeatable { .. }));
        let error = || RetrieveError::new(RetrieveErrorKind::Index, "");
        let moody = |depth: usize, _| if depth > 1 { Err(error()) } else { Ok(Vec::new()) };
        assert!(matches!(violation(moody), ContractViolation::ErrorDependsOnDepth { .. }));
    }
}
