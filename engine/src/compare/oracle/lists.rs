//! What can be said of the lists themselves, from the definitions: every set is made, every choice is tried.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use rematch_metrics::rank_similarity::{average_precision_correlation, jaccard, kendall_tau, rank_biased_overlap};
use rematch_metrics::sum::mean;
use rematch_metrics::{Proportion, RankedGrades};

use super::observations::{Observations, rank};
use crate::benchmark::Plan;
use crate::compare::outcome::{JudgedShare, JudgmentBounds, ListSimilarity, MetricSummary, PositionMoves};
use crate::score::Relevance;
use crate::score::relevance::OTHER_KIND_WEIGHT;
use crate::session::{Ranking, Session};

/// A measure of two lists.
type Alike<'a> = &'a dyn Fn(&[&str], &[&str]) -> Option<f64>;

/// An item's rank in the baseline's and the candidate's list.
type Move = (Option<usize>, Option<usize>);

/// What was replayed.
pub(super) struct Lists<'a> {
    pub(super) plan: &'a Plan,
    pub(super) sessions: &'a [Session],
    pub(super) rankings: &'a [Vec<Ranking>],
}

/// The hits of the top that judges graded.
pub(super) fn judged(plan: &Plan, session: &Session, ranking: &Ranking) -> usize {
    let relevance = Relevance::of(session, &plan.relevance);
    let top = ranking.hits.iter().take(plan.support_depth());
    top.filter(|hit| relevance.grade(&hit.item_id).is_some()).count()
}

fn summary(values: &[Option<f64>]) -> MetricSummary {
    let defined: Vec<f64> = values.iter().copied().flatten().collect();
    MetricSummary { mean: mean(&defined), n: defined.len() as u64, undefined: (values.len() - defined.len()) as u64 }
}

fn top(ranking: &Ranking, depth: usize) -> Vec<&str> {
    ranking.hits.iter().take(depth).map(|hit| hit.item_id.as_str()).collect()
}

impl Lists<'_> {
    /// The sessions that both answered, with both answers.
    fn both(&self, arm: usize) -> Vec<(usize, &Ranking, &Ranking)> {
        let answers = self.rankings[0].iter().zip(&self.rankings[arm]).enumerate();
        let answered = answers.filter(|(_, (old, new))| !old.failed() && !new.failed());
        answered.map(|(row, (old, new))| (row, old, new)).collect()
    }

    pub(super) fn similarity(&self, arm: usize) -> ListSimilarity {
        let depth = self.plan.list_depth();
        let p = Proportion::new(0.9).expect("a proportion");
        let both: Vec<(Vec<&str>, Vec<&str>)> =
            self.both(arm).into_iter().map(|(_, old, new)| (top(old, depth), top(new, depth))).collect();
        let over = |measure: Alike<'_>| summary(&both.iter().map(|(old, new)| measure(old, new)).collect::<Vec<_>>());
        let cutoffs = || self.plan.list_cutoffs().into_iter();
        let identical = |k: NonZeroUsize| {
            let same = both.iter().filter(|(old, new)| old[..old.len().min(k.get())] == new[..new.len().min(k.get())]);
            (!both.is_empty()).then(|| same.count() as f64 / both.len() as f64)
        };
        let common = both.iter().map(|(old, new)| old.iter().filter(|item| new.contains(item)).count() as f64);
        ListSimilarity {
            depth: depth as u64,
            sessions: both.len() as u64,
            rbo_persistence: 0.9,
            rbo: over(&|old, new| rank_biased_overlap(old, new, p)),
            jaccard_at_k: cutoffs().map(|k| (k.to_string(), over(&|old, new| jaccard(old, new, k)))).collect(),
            identical_at_k: cutoffs().map(|k| (k.to_string(), identical(k))).collect(),
            kendall_tau: over(&|old, new| kendall_tau(old, new)),
            tau_ap: over(&|old, new| {
                Some((average_precision_correlation(old, new)? + average_precision_correlation(new, old)?) / 2.0)
            }),
            mean_common_items: mean(&common.collect::<Vec<_>>()),
        }
    }

    pub(super) fn moves(&self, arm: usize) -> PositionMoves {
        let depth = self.plan.depth.get();
        let mut moves: Vec<Move> = Vec::new();
        for (row, old, new) in self.both(arm) {
            let session = &self.sessions[row];
            for item in session.touched_items() {
                let mut acts = session.interactions.iter().filter(|act| act.item_id == item);
                let weight = |kind: &str| self.plan.relevance.weights.get(kind).copied().unwrap_or(OTHER_KIND_WEIGHT);
                if acts.any(|act| weight(&act.kind) > 0.0) {
                    let [old, new] = [old, new].map(|ranking| rank(ranking, item).map(NonZeroUsize::get));
                    moves.push((old, new));
                }
            }
        }
        let count = |is: &dyn Fn(&Move) -> bool| moves.iter().filter(|one| is(one)).count() as u64;
        let place = |rank: Option<usize>| rank.unwrap_or(depth + 1) as f64;
        let mut deltas: Vec<f64> = moves.iter().map(|(old, new)| place(*new) - place(*old)).collect();
        deltas.sort_by(f64::total_cmp);
        let items = deltas.len();
        PositionMoves {
            depth: depth as u64,
            items: items as u64,
            up: count(&|(old, new)| old.zip(*new).is_some_and(|(old, new)| new < old)),
            down: count(&|(old, new)| old.zip(*new).is_some_and(|(old, new)| new > old)),
            same: count(&|(old, new)| old.zip(*new).is_some_and(|(old, new)| new == old)),
            entered: count(&|(old, new)| old.is_none() && new.is_some()),
            left: count(&|(old, new)| old.is_some() && new.is_none()),
            absent: count(&|(old, new)| old.is_none() && new.is_none()),
            censored_share: (items > 0)
                .then(|| count(&|(old, new)| old.is_none() || new.is_none()) as f64 / items as f64),
            mean_delta: mean(&deltas),
            median_delta: (items > 0).then(|| (deltas[(items - 1) / 2] + deltas[items / 2]) / 2.0),
        }
    }

    pub(super) fn judged_share(&self, arm: usize) -> Option<JudgedShare> {
        let k = self.plan.support_depth();
        let answered = self.sessions.iter().zip(&self.rankings[arm]);
        let judged_ones: Vec<_> =
            answered.filter(|(session, ranking)| !session.judgments.is_empty() && !ranking.failed()).collect();
        let counts: Vec<(usize, usize)> = judged_ones
            .iter()
            .map(|(session, ranking)| (ranking.hits.len().min(k), judged(self.plan, session, ranking)))
            .collect();
        let shares: Vec<_> =
            counts.iter().map(|(hits, judged)| (*hits > 0).then(|| *judged as f64 / *hits as f64)).collect();
        let unjudged: Vec<f64> = counts.iter().map(|(hits, judged)| (hits - judged) as f64 / k as f64).collect();
        (!counts.is_empty()).then(|| JudgedShare {
            k: k as u64,
            sessions: counts.len() as u64,
            judged_at_k: summary(&shares),
            unjudged_of_k: mean(&unjudged),
        })
    }

    pub(super) fn bounds(&self, observations: &Observations, arm: usize) -> Option<JudgmentBounds> {
        let answered = |row: &usize| self.rankings.iter().any(|answers| !answers[*row].failed());
        let judged_rows: Vec<usize> =
            (0..self.sessions.len()).filter(|row| !self.sessions[*row].judgments.is_empty()).collect();
        if !judged_rows.iter().any(answered) {
            return None;
        }
        let metric = self.plan.primary.clone();
        let grades = self.sessions.iter().flat_map(|session| &session.judgments).map(|one| f64::from(one.grade));
        let Some(max_grade) = grades.reduce(f64::max).filter(|grade| *grade > 0.0) else {
            let not_computed = Some("no judgment gives a positive grade".to_owned());
            return Some(JudgmentBounds { metric, not_computed, ..JudgmentBounds::default() });
        };
        let defined = |arm: usize, row: usize| observations.values(arm, observations.primary())[row].is_some();
        let (mut found, mut with_unjudged, mut unjudged) = (Vec::new(), 0, 0);
        for row in judged_rows.into_iter().filter(|row| defined(0, *row) && defined(arm, *row)) {
            if let Some((items, cases)) = self.cases(row, arm, max_grade) {
                with_unjudged += u64::from(items > 0);
                unjudged += items as u64;
                let least = cases.iter().copied().fold(f64::INFINITY, f64::min);
                let most = cases.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                found.push([cases[0], least, most, cases[cases.len() - 1]]);
            }
        }
        let over = |index: usize| mean(&found.iter().map(|one| one[index]).collect::<Vec<_>>());
        let sign_survives = over(0)
            .filter(|delta| delta.abs() > self.plan.noise_threshold)
            .and_then(|delta| if delta > 0.0 { Some(over(1)? > 0.0) } else { Some(over(2)? < 0.0) });
        Some(JudgmentBounds {
            metric,
            k: self.plan.support_depth() as u64,
            max_grade: Some(max_grade),
            sessions: found.len() as u64,
            sessions_with_unjudged: with_unjudged,
            unjudged_items: unjudged,
            delta: over(0),
            lowest_delta: over(1),
            highest_delta: over(2),
            delta_if_all_relevant: over(3),
            sign_survives,
            not_computed: None,
        })
    }

    /// The number of unjudged items of both top k, and the difference for every choice of relevant ones among them, from none
    /// to all.
    fn cases(&self, row: usize, arm: usize, max_grade: f64) -> Option<(usize, Vec<f64>)> {
        let (plan, session) = (self.plan, &self.sessions[row]);
        let metric = plan.primary_metric()?;
        let lists = [0, arm].map(|arm| top(&self.rankings[arm][row], plan.support_depth()));
        let judged: BTreeMap<&str, f64> =
            session.judgments.iter().map(|one| (one.item_id.as_str(), f64::from(one.grade))).collect();
        let unjudged: BTreeSet<&str> =
            lists.iter().flatten().copied().filter(|item| !judged.contains_key(item)).collect();
        let unjudged: Vec<&str> = unjudged.into_iter().collect();
        let mut deltas = Vec::new();
        for choice in 0..1_u32 << unjudged.len() {
            let mut grades = judged.clone();
            let chosen = unjudged.iter().enumerate().filter(|(index, _)| choice >> index & 1 == 1);
            grades.extend(chosen.map(|(_, item)| (*item, max_grade)));
            let all: Vec<f64> = grades.values().copied().collect();
            let [old, new] = lists.each_ref().map(|list| {
                let ranked: Vec<Option<f64>> = list.iter().map(|item| grades.get(item).copied()).collect();
                metric.evaluate(&RankedGrades { ranked: &ranked, judged: &all }, plan.relevance.gain)
            });
            deltas.push(new? - old?);
        }
        Some((unjudged.len(), deltas))
    }
}
