//! Asks a server through the whole replay stage, one session at a time, and says what is recorded.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::Resolve;

use crate::benchmark::stages::http::{AbsentHits, AuthPlan, HttpPlan, Preset, ScoreDirection};
use crate::benchmark::{PolicyPlan, TimeSpan};
use crate::replay::remote::{Policy, Secrets, no_secrets};
use crate::replay::retrievers::HttpRetriever;
use crate::replay::{Pipeline, ReplayError, Replayer};
use crate::session::{Ranking, Session};

pub(in crate::replay::retrievers::http) fn milliseconds(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Deadlines that a busy machine does not miss, and one retry where a failure may pass.
pub(in crate::replay::retrievers::http) fn policy() -> PolicyPlan {
    let span = |count| TimeSpan(milliseconds(count));
    PolicyPlan {
        connect_timeout: span(30_000),
        read_timeout: span(30_000),
        timeout: span(60_000),
        retries: 1,
        retry_budget: 1.0,
        retry_backoff: span(1),
        retry_after_cap: span(200),
        breaker: 0,
        ..PolicyPlan::default()
    }
}

pub(in crate::replay::retrievers::http) fn plan(url: &str) -> HttpPlan {
    HttpPlan {
        preset: Preset::Generic,
        url: url.to_owned(),
        method: "POST".into(),
        headers: BTreeMap::new(),
        auth: AuthPlan::None,
        body: Some(r#"{"q": {{ query }}, "k": {{ depth }}}"#.into()),
        content_type: "application/json".into(),
        ids: "$.hits[*].id".into(),
        scores: Some("$.hits[*].score".into()),
        score_direction: ScoreDirection::Higher,
        absent_hits: AbsentHits::Error,
        error: None,
        timings: BTreeMap::new(),
        parameters: BTreeMap::new(),
        certificate_authority: None,
        policy: policy(),
    }
}

/// One who asks, over and over.
pub(in crate::replay::retrievers::http) struct Asker {
    replayer: Replayer,
    pub(in crate::replay::retrievers::http) policy: Arc<Policy>,
}

pub(in crate::replay::retrievers::http) fn asker(plan: &HttpPlan) -> Asker {
    asker_with(plan, &no_secrets(), None)
}

pub(in crate::replay::retrievers::http) fn asker_with(
    plan: &HttpPlan,
    secrets: &Secrets,
    resolver: Option<Arc<dyn Resolve>>,
) -> Asker {
    let concurrency = NonZeroUsize::new(8).unwrap();
    let policy = Arc::new(Policy::new(&plan.policy, concurrency));
    let retriever = HttpRetriever::build_resolving(plan, Arc::clone(&policy), secrets, resolver).unwrap();
    let depth = NonZeroUsize::new(10).unwrap();
    let id = || "prod".to_owned();
    let pipeline = Pipeline::from_retriever(id(), id(), "hash".into(), concurrency, depth, Arc::new(retriever));
    Asker { replayer: Replayer::new(Arc::new(pipeline)), policy }
}

impl Asker {
    pub(in crate::replay::retrievers::http) async fn ask_all(&self, count: usize) -> Result<Vec<Ranking>, ReplayError> {
        let session = |number: usize| Session {
            session_id: format!("s{number:04}"),
            query: Some("red \"shoes\"".into()),
            ..Session::default()
        };
        let answers = self.replayer.replay((0..count).map(session).collect(), 10).await?;
        Ok(answers.to_rankings().unwrap())
    }

    pub(in crate::replay::retrievers::http) async fn ask(&self) -> Ranking {
        self.ask_all(1).await.unwrap().remove(0)
    }
}

pub(in crate::replay::retrievers::http) fn items(ranking: &Ranking) -> Vec<&str> {
    ranking.hits.iter().map(|hit| hit.item_id.as_str()).collect()
}

/// Asserts that the ranking is a failure of this kind after so many attempts, and no empty answer.
#[track_caller]
pub(in crate::replay::retrievers::http) fn assert_failed(ranking: &Ranking, kind: &str, attempts: i64, words: &str) {
    let message = ranking.error.as_deref().unwrap_or("no error");
    assert_eq!(ranking.error_kind.as_deref(), Some(kind), "{message}; {:?}", ranking.hits);
    assert!(ranking.failed() && ranking.hits.is_empty());
    let [stage] = ranking.stages.as_slice() else { panic!("one stage: {:?}", ranking.stages) };
    assert_eq!((stage.attempts, stage.state.as_str()), (attempts, "failed"), "{message}");
    assert!(message.contains(words), "`{message}` does not say `{words}`");
    let begins = message.chars().next().unwrap();
    assert!(!message.ends_with('.') && (begins == '`' || begins.is_lowercase()), "{message}");
    assert!(message.chars().all(|character| !character.is_control()) && message.len() < 900, "{message:?}");
}

/// Asserts that the ranking has these items after so many attempts.
#[track_caller]
pub(in crate::replay::retrievers::http) fn assert_found(ranking: &Ranking, expected: &[&str], attempts: i64) {
    assert_eq!(ranking.error, None);
    assert_eq!(items(ranking), expected);
    assert_eq!(ranking.stages[0].attempts, attempts);
}
