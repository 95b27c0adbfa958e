//! Plain data that flows between the stages: sessions, rankings and scores, one struct per row of a table.
//!
//! [`crate::schema`] spells the Arrow schemas of the same tables, [`crate::rows`] converts between the two.

use serde::{Deserialize, Serialize};

/// One replayable search: the query, what was shown, what the user did, and what is known to be relevant.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// Unique in its dataset.
    pub session_id: String,
    /// Groups the sessions of one visit, which are not independent; used where no user is known.
    #[serde(default)]
    pub visit_id: Option<String>,
    /// The user, if known; the first choice for grouping dependent pairs.
    #[serde(default)]
    pub user_id: Option<String>,
    /// Milliseconds since the Unix epoch, UTC.
    #[serde(default)]
    pub timestamp: Option<i64>,
    /// The retriever that served the session when it was logged.
    #[serde(default)]
    pub retriever_id: Option<String>,
    /// The query text.
    #[serde(default)]
    pub query: Option<String>,
    /// The query as a vector.
    #[serde(default)]
    pub query_vector: Option<Vec<f32>>,
    /// Any further inputs, as JSON text.
    #[serde(default)]
    pub inputs: Option<String>,
    /// Taxonomy paths such as `home/kitchen`; the first is the primary one.
    #[serde(default)]
    pub taxonomy: Vec<String>,
    /// The logged result list; the 1-based rank is the index + 1.
    #[serde(default)]
    pub shown: Vec<ShownItem>,
    /// What the user did.
    #[serde(default)]
    pub interactions: Vec<Interaction>,
    /// Relevance grades given by judges.
    #[serde(default)]
    pub judgments: Vec<Judgment>,
    /// The labelled outcome of a sample, as JSON text.
    #[serde(default)]
    pub expected: Option<String>,
}

impl Session {
    /// Returns the distinct items that the user acted on, in order of first appearance.
    #[must_use]
    pub fn touched_items(&self) -> Vec<&str> {
        let mut items: Vec<&str> = Vec::new();
        for interaction in &self.interactions {
            if !items.contains(&interaction.item_id.as_str()) {
                items.push(&interaction.item_id);
            }
        }
        items
    }

    /// Returns the distinct items that the user could act on: those shown, in order of their first rank, then those acted on
    /// that the log does not show.
    #[must_use]
    pub fn exposed_items(&self) -> Vec<&str> {
        let mut items: Vec<&str> = Vec::with_capacity(self.shown.len());
        let shown = self.shown.iter().map(|shown| shown.item_id.as_str());
        for item in shown.chain(self.interactions.iter().map(|act| act.item_id.as_str())) {
            if !items.contains(&item) {
                items.push(item);
            }
        }
        items
    }
}

/// An item of the logged result list.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShownItem {
    /// The item.
    pub item_id: String,
    /// The score that the logged retriever gave.
    #[serde(default)]
    pub score: Option<f64>,
    /// The probability, in (0, 1], that the logging policy showed the item at this rank.
    #[serde(default)]
    pub propensity: Option<f64>,
}

/// One act of the user on one item.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interaction {
    /// The item acted on.
    pub item_id: String,
    /// What the act was: `click`, `purchase`, ... (any text is legal).
    pub kind: String,
    /// The 1-based position at which the item was shown.
    #[serde(default)]
    pub position: Option<u32>,
    /// Milliseconds since the Unix epoch, UTC.
    #[serde(default)]
    pub timestamp: Option<i64>,
    /// A kind-specific value: seconds of a dwell, price of a purchase.
    #[serde(default)]
    pub value: Option<f64>,
}

/// A judge's grade of one item for one session.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judgment {
    /// The item judged.
    pub item_id: String,
    /// The grade; a negative one means "judged, not relevant" and counts as gain 0.
    pub grade: f32,
}

/// One returned item; its 1-based rank is its index in the ranking + 1.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Hit {
    /// The item.
    pub item_id: String,
    /// The retriever's score, higher is better; `None` where the source gives none (a logged list).
    pub score: Option<f64>,
}

/// What one stage of a pipeline did for one session.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StageRecord {
    /// The stage's name, unique in its pipeline.
    pub name: String,
    /// The stage's kind, such as `bm25`.
    pub kind: String,
    /// Time of the stage's answer, nanoseconds; 0 where the answer was looked up.
    pub latency_ns: i64,
    /// Number of hits that left the stage.
    pub hits: i64,
    /// Attempts that the answer took: 1 where the first one succeeded, 0 where nothing was asked (a look-up).
    pub attempts: i64,
    /// How it went.
    pub state: StageState,
    /// The error that was passed over, or that the session failed with.
    pub error: Option<String>,
    /// The share of the exact answer's items that an approximate answer has; `None` where nobody looked.
    pub recall: Option<f64>,
}

/// How a stage went for one session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StageState {
    /// It answered.
    #[default]
    Ok,
    /// It failed, and the session went on without it.
    Skipped,
    /// It failed, and the session with it.
    Failed,
    /// The answer, and its latency, were kept from an earlier run.
    Cached,
    /// The stage ran once for several retrievers that begin alike; hits and latency are of that one time.
    Shared,
    /// The stage answered many sessions at once; the latency is this session's share of the whole.
    Batched,
    /// No stage of the pipeline: a part of one, of which the server told how long it took.
    Reported,
}

impl StageState {
    const ALL: [Self; 7] =
        [Self::Ok, Self::Skipped, Self::Failed, Self::Cached, Self::Shared, Self::Batched, Self::Reported];

    /// Returns whether a latency of this state, after that many attempts, is one that a user of the retriever would have
    /// seen: of a first attempt, made for this session, and measured here.
    #[must_use]
    pub fn is_measured(self, attempts: i64) -> bool {
        attempts == 1 && matches!(self, Self::Ok | Self::Shared | Self::Skipped)
    }

    /// Returns the state's name as it stands in tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::Cached => "cached",
            Self::Shared => "shared",
            Self::Batched => "batched",
            Self::Reported => "reported",
        }
    }

    /// Returns the state of that name, or `None` for another text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// What one retriever answered to one session: hits (an empty list is a legal answer) or an error, never both.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Ranking {
    /// The session replayed.
    pub session_id: String,
    /// The retriever that answered.
    pub retriever_id: String,
    /// Best first. Empty when the retriever failed.
    pub hits: Vec<Hit>,
    /// Time of all stages together, nanoseconds.
    pub latency_ns: i64,
    /// One record per stage that ran, in order.
    pub stages: Vec<StageRecord>,
    /// The kind of failure; `None` when the retriever answered.
    pub error_kind: Option<String>,
    /// The failure in words.
    pub error: Option<String>,
}

impl Ranking {
    /// Returns whether the retriever failed on this session.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.error_kind.is_some()
    }
}

/// What one scoring function said of one ranking.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ScorerResult {
    /// The scorer's name in the benchmark file.
    pub name: String,
    /// The score as it counts: `None` unless the state is `complete`, or it is `error` and the benchmark counts errors as
    /// zero.
    pub value: Option<f64>,
    /// Text that the scorer gave with the score, or the reason of an error; may be empty.
    pub output: String,
    /// Whether the scorer came to a value.
    pub state: ScoreState,
}

/// The scores of one ranking.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ScoreRow {
    /// The session.
    pub session_id: String,
    /// The retriever.
    pub retriever_id: String,
    /// One value per measure but the scenario score: the plan's metrics, then each scorer's score and sub-scores. `None`
    /// where it is undefined or the retriever failed.
    pub measures: Vec<Option<f64>>,
    /// One result per scorer of the contract, in its order.
    pub scorers: Vec<ScorerResult>,
    /// The weighted mean of the scorers' values; `None` unless every scorer has a value.
    pub scenario_score: Option<f64>,
}

/// Whether a scoring function came to a value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScoreState {
    /// A value was returned.
    Complete,
    /// The scorer failed on this session.
    Error,
    /// The score is undefined here: nothing to score, or the retriever failed.
    #[default]
    Unknown,
}

impl ScoreState {
    /// Returns the state's name as it stands in tables and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Error => "error",
            Self::Unknown => "unknown",
        }
    }

    /// Returns the state of that name, or `None` for another text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Complete, Self::Error, Self::Unknown].into_iter().find(|state| state.as_str() == text)
    }
}
