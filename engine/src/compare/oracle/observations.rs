//! What the run's tables say, session by session, in the sample's order: everything that the comparison sums up.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;

use rematch_metrics::position::{PositionDeltaTally, RankTally};

use super::exposure::Clicks;
use crate::benchmark::{Plan, RelevancePlan};
use crate::compare::clusters::{Key, session_hash};
use crate::compare::outcome::StageSummary;
use crate::schema::column;
use crate::score::relevance::OTHER_KIND_WEIGHT;
use crate::score::{Measure, Relevance};
use crate::session::{Interaction, Ranking, ScoreRow, ScoreState, Session, StageRecord, StageState};

/// Kinds of interaction that have a mean rank of their own.
const CLICK: &str = "click";
const PURCHASE: &str = "purchase";

/// Everything observed, by session and arm.
pub(super) struct Observations {
    sessions: Vec<SessionFacts>,
    arms: Vec<ArmObservations>,
    /// Every taxonomy node, ancestors included, with the sessions under it.
    nodes: BTreeMap<String, Vec<usize>>,
    cluster_by: &'static str,
    /// Whether a cluster repeats.
    repeats: bool,
    support_depth: usize,
    clicks_decide: bool,
    measures: Vec<Measure>,
    /// The place of the measure that decides.
    primary: usize,
}

/// What is known of a session whatever the arm.
pub(super) struct SessionFacts {
    /// The cluster that the session belongs to, counted from 0.
    pub(super) cluster: usize,
    /// What flips as a whole where clusters repeat, and where none does.
    pub(super) keys: [u64; 2],
}

/// What one arm did, one element per session where it is a list.
#[derive(Default)]
pub(super) struct ArmObservations {
    /// One list per measure.
    pub(super) measures: Vec<Vec<Option<f64>>>,
    pub(super) failed: Vec<bool>,
    pub(super) empty_answers: u64,
    pub(super) errors: BTreeMap<String, u64>,
    pub(super) latencies_ns: Vec<f64>,
    /// By session: how long it took, if that was measured, else at least how long, if it timed out.
    pub(super) timed: Vec<(Option<f64>, Option<f64>)>,
    pub(super) stage_summaries: Vec<StageSummary>,
    pub(super) stages: BTreeMap<String, StageLatency>,
    pub(super) positions: Vec<Positions>,
    /// One per scorer of the contract.
    pub(super) scorers: Vec<ScorerObservations>,
    /// What clicks say against the baseline, where nobody judged and both answered.
    pub(super) clicks: Vec<Option<Clicks>>,
}

#[derive(Default)]
pub(super) struct StageLatency {
    pub(super) total_ns: f64,
    pub(super) sessions: u64,
}

/// Where the items that the user touched went.
#[derive(Clone, Copy, Default)]
pub(super) struct Positions {
    pub(super) clicked: RankTally,
    pub(super) purchased: RankTally,
    pub(super) moves: PositionDeltaTally,
}

/// How one scorer fared; its values stand in [`ArmObservations::measures`].
#[derive(Default)]
pub(super) struct ScorerObservations {
    pub(super) name: String,
    pub(super) complete: u64,
    /// Whether it failed, one flag per session.
    pub(super) failed: Vec<bool>,
    pub(super) errors: u64,
    pub(super) unknown: u64,
    pub(super) first_error: Option<String>,
}

impl ArmObservations {
    /// Returns whether the retriever answered no session.
    pub(super) fn all_failed(&self) -> bool {
        !self.failed.is_empty() && self.failed.iter().all(|failed| *failed)
    }
}

impl Observations {
    /// Gathers what is given, one list of rankings and of scores per arm.
    pub(super) fn gather(
        plan: &Plan,
        measures: &[Measure],
        sessions: &[Session],
        answers: &[Vec<Ranking>],
        scores: &[Vec<ScoreRow>],
    ) -> Self {
        let support_depth = plan.support_depth();
        let mut clusters = Clusters::default();
        let mut observations = Self {
            sessions: Vec::new(),
            arms: answers.iter().map(|_| ArmObservations::default()).collect(),
            nodes: BTreeMap::new(),
            cluster_by: column::SESSION_ID,
            repeats: false,
            support_depth,
            clicks_decide: super::clicks_against_judges(plan, sessions).unwrap_or(false),
            measures: measures.to_vec(),
            primary: measures.iter().position(|measure| measure.name == plan.primary).unwrap_or(0),
        };
        for (arm, observed) in observations.arms.iter_mut().enumerate() {
            observed.record_scores(&scores[arm], measures.len());
            observed.record_rankings(&answers[arm]);
        }
        for (row, session) in sessions.iter().enumerate() {
            for node in nodes_of(session) {
                observations.nodes.entry(node).or_default().push(row);
            }
            let relevance = Relevance::of(session, &plan.relevance);
            let keys = keys_of(session);
            observations.sessions.push(SessionFacts { cluster: clusters.of(session), keys });
            for (arm, observed) in observations.arms.iter_mut().enumerate() {
                let ranking = &answers[arm][row];
                let reference = (arm > 0).then(|| &answers[0][row]);
                observed.positions.push(positions(plan, session, ranking, reference));
                if let Some(baseline) = reference {
                    observed.clicks.push(Clicks::of(plan, session, &relevance, [baseline, ranking]));
                }
            }
        }
        observations.cluster_by = clusters.column();
        observations.repeats = clusters.repeats;
        observations
    }

    pub(super) fn arms(&self) -> usize {
        self.arms.len()
    }

    pub(super) fn sessions(&self) -> usize {
        self.sessions.len()
    }

    pub(super) fn session(&self, index: usize) -> Option<&SessionFacts> {
        self.sessions.get(index)
    }

    /// Returns an arm's observations; `index` counts the plan's pipelines.
    pub(super) fn arm(&self, index: usize) -> &ArmObservations {
        &self.arms[index]
    }

    pub(super) fn nodes(&self) -> &BTreeMap<String, Vec<usize>> {
        &self.nodes
    }

    pub(super) fn cluster_by(&self) -> &'static str {
        self.cluster_by
    }

    /// Returns the key of what flips as a whole with the session.
    pub(super) fn key(&self, row: usize) -> u64 {
        self.sessions[row].keys[usize::from(!self.repeats)]
    }

    pub(super) fn repeats(&self) -> bool {
        self.repeats
    }

    /// Returns the measures, in the order of [`ArmObservations::measures`].
    pub(super) fn measures(&self) -> &[Measure] {
        &self.measures
    }

    /// Returns the place of the measure that decides.
    pub(super) fn primary(&self) -> usize {
        self.primary
    }

    /// Returns an arm's values of the measure at that place.
    pub(super) fn values(&self, arm: usize, measure: usize) -> &[Option<f64>] {
        self.arm(arm).measures.get(measure).map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn clicks_decide(&self) -> bool {
        self.clicks_decide
    }

    pub(super) fn support_depth(&self) -> usize {
        self.support_depth
    }
}

/// The hash of the session's cluster, its own where it stands alone, and its own.
fn keys_of(session: &Session) -> [u64; 2] {
    let named = |id: &Option<String>| id.clone().filter(|id| !id.trim().is_empty());
    let own = session_hash(&session.session_id);
    match (named(&session.user_id), named(&session.visit_id)) {
        (Some(user), _) => [Key::User(&user).hash(), own],
        (None, Some(visit)) => [Key::Visit(&visit).hash(), own],
        (None, None) => [own, own],
    }
}

/// The session's taxonomy paths and all their ancestors, each once.
fn nodes_of(session: &Session) -> Vec<String> {
    let mut nodes = Vec::new();
    for path in &session.taxonomy {
        let mut node = String::new();
        for segment in path.split('/').filter(|segment| !segment.is_empty()) {
            if !node.is_empty() {
                node.push('/');
            }
            node += segment;
            nodes.push(node.clone());
        }
    }
    nodes.sort_unstable();
    nodes.dedup();
    nodes
}

/// Numbers the clusters: by user where any session names one, else by visit; a session that names none stands alone.
#[derive(Default)]
struct Clusters {
    numbers: HashMap<String, usize>,
    next: usize,
    users: bool,
    repeats: bool,
}

impl Clusters {
    fn of(&mut self, session: &Session) -> usize {
        let named = |id: &Option<String>| id.clone().filter(|id| !id.trim().is_empty());
        let key = match (named(&session.user_id), named(&session.visit_id)) {
            (Some(user), _) => {
                self.users = true;
                Some(format!("user {user}"))
            }
            (None, Some(visit)) => Some(format!("visit {visit}")),
            (None, None) => None,
        };
        if let Some(number) = key.as_ref().and_then(|key| self.numbers.get(key)) {
            self.repeats = true;
            return *number;
        }
        let number = self.next;
        self.next += 1;
        if let Some(key) = key {
            self.numbers.insert(key, number);
        }
        number
    }

    fn column(&self) -> &'static str {
        match (self.repeats, self.users) {
            (false, _) => column::SESSION_ID,
            (true, true) => column::USER_ID,
            (true, false) => column::VISIT_ID,
        }
    }
}

impl ArmObservations {
    fn record_scores(&mut self, scores: &[ScoreRow], measures: usize) {
        self.measures.resize_with(measures, Vec::new);
        for row in scores {
            // Where there are scorers the scenario score is the last measure; without them there is nothing to take it.
            let stored = row.measures.iter().copied().chain([row.scenario_score]);
            for (values, value) in self.measures.iter_mut().zip(stored) {
                values.push(value);
            }
            self.scorers.resize_with(row.scorers.len(), ScorerObservations::default);
            for (observed, result) in self.scorers.iter_mut().zip(&row.scorers) {
                observed.name.clone_from(&result.name);
                observed.failed.push(result.state == ScoreState::Error);
                match result.state {
                    ScoreState::Complete => observed.complete += 1,
                    ScoreState::Unknown => observed.unknown += 1,
                    ScoreState::Error => {
                        observed.errors += 1;
                        let with_session = || format!("session `{}`: {}", row.session_id, result.output);
                        observed.first_error.get_or_insert_with(with_session);
                    }
                }
            }
        }
    }

    fn record_rankings(&mut self, rankings: &[Ranking]) {
        for ranking in rankings {
            self.failed.push(ranking.failed());
            ranking.stages.iter().for_each(|stage| self.count_stage(stage));
            if let Some(kind) = &ranking.error_kind {
                *self.errors.entry(kind.clone()).or_default() += 1;
                let attempts = ranking.stages.iter().map(|stage| stage.attempts).max().unwrap_or(1).max(1);
                let at_least = (ranking.latency_ns / attempts) as f64;
                self.timed.push((None, (kind == "timeout").then_some(at_least)));
                continue;
            }
            self.empty_answers += u64::from(ranking.hits.is_empty());
            let measured =
                |stage: &StageRecord| stage.state == StageState::Reported || stage.state.is_measured(stage.attempts);
            if !ranking.stages.iter().all(measured) {
                self.timed.push((None, None));
                continue;
            }
            self.timed.push((Some(ranking.latency_ns as f64), None));
            self.latencies_ns.push(ranking.latency_ns as f64);
            for stage in &ranking.stages {
                let latency = self.stages.entry(stage.name.clone()).or_default();
                latency.total_ns += stage.latency_ns as f64;
                latency.sessions += 1;
            }
        }
    }
}

impl ArmObservations {
    fn count_stage(&mut self, stage: &StageRecord) {
        if !self.stage_summaries.iter().any(|known| known.name == stage.name) {
            let (name, kind) = (stage.name.clone(), stage.kind.clone());
            self.stage_summaries.push(StageSummary { name, kind, ..StageSummary::default() });
        }
        for known in self.stage_summaries.iter_mut().filter(|known| known.name == stage.name) {
            let is = |state| u64::from(stage.state == state);
            known.sessions += 1;
            known.attempts += stage.attempts as u64;
            known.retried += u64::from(stage.attempts > 1);
            known.skipped += is(StageState::Skipped);
            known.failed += is(StageState::Failed);
            known.cached += is(StageState::Cached);
            known.shared += is(StageState::Shared);
            known.batched += is(StageState::Batched);
            known.reported += is(StageState::Reported);
            if let Some(recall) = stage.recall {
                let sum = known.recall.unwrap_or(0.0) * known.recall_sessions as f64 + recall;
                known.recall_sessions += 1;
                known.recall = Some(sum / known.recall_sessions as f64);
            }
            known.first_error = known.first_error.take().or_else(|| stage.error.clone());
        }
    }
}

/// Where the session's items went in `ranking`, against the baseline's ranking, or the logged positions where `reference`
/// is `None`. Nothing is recorded where either failed.
fn positions(plan: &Plan, session: &Session, ranking: &Ranking, reference: Option<&Ranking>) -> Positions {
    let mut found = Positions::default();
    if ranking.failed() {
        return found;
    }
    let depth = plan.depth;
    for item in items(session, |interaction| interaction.kind == CLICK) {
        found.clicked.record(rank(ranking, item), depth);
    }
    for item in items(session, |interaction| interaction.kind == PURCHASE) {
        found.purchased.record(rank(ranking, item), depth);
    }
    for item in items(session, |interaction| weight(&plan.relevance, &interaction.kind) > 0.0) {
        match reference {
            Some(baseline) if baseline.failed() => {}
            Some(baseline) => found.moves.record(rank(ranking, item), rank(baseline, item), depth),
            None => {
                if let Some(logged) = logged_position(session, item) {
                    found.moves.record(rank(ranking, item), Some(logged), depth);
                }
            }
        }
    }
    found
}

fn weight(plan: &RelevancePlan, kind: &str) -> f64 {
    plan.weights.get(kind).copied().unwrap_or(OTHER_KIND_WEIGHT)
}

/// The distinct items of the interactions that `counts`, in order of first appearance.
fn items(session: &Session, counts: impl Fn(&Interaction) -> bool) -> Vec<&str> {
    let mut items: Vec<&str> = Vec::new();
    for interaction in session.interactions.iter().filter(|interaction| counts(interaction)) {
        if !items.contains(&interaction.item_id.as_str()) {
            items.push(&interaction.item_id);
        }
    }
    items
}

pub(super) fn rank(ranking: &Ranking, item: &str) -> Option<NonZeroUsize> {
    let index = ranking.hits.iter().position(|hit| hit.item_id == item)?;
    NonZeroUsize::new(index + 1)
}

pub(super) fn logged_position(session: &Session, item: &str) -> Option<NonZeroUsize> {
    let touched = session.interactions.iter().filter(|interaction| interaction.item_id == item);
    let logged = touched
        .filter_map(|interaction| interaction.position)
        .find(|position| *position > 0)
        .and_then(|position| usize::try_from(position).ok());
    let shown = || session.shown.iter().position(|shown| shown.item_id == item).map(|index| index + 1);
    NonZeroUsize::new(logged.or_else(shown)?)
}
