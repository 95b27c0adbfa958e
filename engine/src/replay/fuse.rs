//! Several lists of hits made into one.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use super::stages::{Answered, Failure, Flight, INSIDE, Source, Stage, Stages};
use super::{ReplayError, RetrieveErrorKind};
use crate::benchmark::stages::{FuseMethod, Normalise, OnStageError};
use crate::session::{Hit, Session, StageRecord, StageState};

/// Branches, each a list of stages, and how their hits become one list.
///
/// The branches answer a chunk one after the other, so that they do not slow each other down. The latency of a session is
/// that of its slowest branch and the fusing: in production they would run side by side. A branch whose source says
/// `on-error = "skip"` is left out where it fails; when all are left out, the session fails.
pub(super) struct Fuse {
    pub(super) branches: Vec<Branch>,
    pub(super) method: FuseMethod,
    pub(super) rank_constant: f64,
    pub(super) normalise: Normalise,
}

/// One list of stages, and what it counts.
pub(super) struct Branch {
    pub(super) stages: Arc<Stages>,
    pub(super) weight: f64,
}

impl Fuse {
    pub(super) const KIND: &'static str = "fuse";

    /// Returns the fused answers to a chunk of sessions.
    pub(super) async fn answer(
        &self,
        stage: &Stage<Source>,
        sessions: &Arc<[Session]>,
        flight: &Arc<Flight>,
    ) -> Result<Vec<Answered>, ReplayError> {
        let mut branches = Vec::with_capacity(self.branches.len());
        for branch in &self.branches {
            branches.push(branch.stages.answer(sessions, flight).await?.into_iter());
        }
        let fused = sessions.iter().map(|_| {
            let answers = branches.iter_mut().map(|branch| branch.next().unwrap_or_default()).collect();
            self.fuse_answers(stage, answers)
        });
        Ok(fused.collect())
    }

    /// Returns what the branches' answers to one session make together.
    pub(super) fn fuse_answers(&self, stage: &Stage<Source>, answers: Vec<Answered>) -> Answered {
        let start = Instant::now();
        let slowest_ns = answers.iter().map(Answered::latency_ns).max().unwrap_or(0);
        let mut record =
            StageRecord { name: stage.name.clone(), kind: Self::KIND.to_owned(), ..StageRecord::default() };
        (record.attempts, record.state) = together(&answers);
        let (mut inside, mut lists, mut failure) = (Vec::new(), Vec::with_capacity(answers.len()), None);
        let mut left_out = 0;
        for (number, (mut answer, branch)) in (1..).zip(answers.into_iter().zip(&self.branches)) {
            for mut inner in answer.records.drain(..) {
                inner.name = format!("{}{INSIDE}{number}{INSIDE}{}", stage.name, inner.name);
                if answer.failure.as_ref().is_some_and(|failure| failure.may_be_skipped && !failure.fatal) {
                    inner.state = StageState::Skipped;
                }
                inside.push(inner);
            }
            match answer.failure.take() {
                Some(found) if found.may_be_skipped && !found.fatal => {
                    left_out += 1;
                    if left_out == self.branches.len() {
                        failure = Some(Failure { message: format!("every branch failed: {}", found.message), ..found });
                    }
                }
                Some(found) if failure.is_none() || found.fatal => {
                    failure = Some(Failure { message: format!("branch {number}: {}", found.message), ..found });
                }
                Some(_) => {}
                None => lists.push((number, answer.hits, branch.weight)),
            }
        }
        let mut hits = Vec::new();
        if failure.is_none() {
            match self.fuse(&lists) {
                Ok(fused) => hits = fused,
                Err(message) => {
                    let kind = RetrieveErrorKind::Extraction.as_str().to_owned();
                    failure = Some(Failure { kind, message, fatal: false, may_be_skipped: false });
                }
            }
        }
        hits.truncate(stage.depth);
        if let Some(failure) = &mut failure {
            record.state = StageState::Failed;
            record.error = Some(failure.message.clone());
            failure.may_be_skipped = stage.on_error == OnStageError::Skip;
        }
        record.hits = i64::try_from(hits.len()).unwrap_or(i64::MAX);
        let own_ns = i64::try_from(start.elapsed().as_nanos()).unwrap_or(i64::MAX);
        record.latency_ns = slowest_ns.saturating_add(own_ns);
        let records = std::iter::once(record).chain(inside).collect();
        Answered { hits, records, failure }
    }

    /// Returns the items of all lists by descending fused score, then by ascending id.
    fn fuse(&self, lists: &[(i32, Vec<Hit>, f64)]) -> Result<Vec<Hit>, String> {
        let mut fused: HashMap<&str, f64> = HashMap::new();
        for (number, hits, weight) in lists {
            let scores = match self.method {
                FuseMethod::Rrf => {
                    let ranks = (1..=hits.len()).map(|rank| rank as f64);
                    ranks.map(|rank| 1.0 / (self.rank_constant + rank)).collect()
                }
                FuseMethod::Weighted => normalised(hits, self.normalise)
                    .map_err(|reason| format!("branch {number} cannot be fused by weight: {reason}"))?,
            };
            for (hit, score) in hits.iter().zip(scores) {
                *fused.entry(&hit.item_id).or_default() += weight * score;
            }
        }
        if let Some((item, score)) = fused.iter().find(|(_, score)| !score.is_finite()) {
            return Err(format!(
                "the fused score of item `{item}` is {score}: the branches' scores are too large to add up"
            ));
        }
        let mut hits: Vec<Hit> =
            fused.into_iter().map(|(item_id, score)| Hit { item_id: item_id.to_owned(), score: Some(score) }).collect();
        let score = |hit: &Hit| hit.score.unwrap_or(f64::NEG_INFINITY);
        hits.sort_unstable_by(|one, other| {
            let by_score = score(other).total_cmp(&score(one));
            by_score.then_with(|| one.item_id.cmp(&other.item_id))
        });
        Ok(hits)
    }
}

/// Attempts and state of branches as of one stage.
fn together(answers: &[Answered]) -> (i64, StageState) {
    let own = || {
        let records = answers.iter().flat_map(|answer| &answer.records);
        records.filter(|record| record.state != StageState::Reported && !record.name.contains(INSIDE))
    };
    let attempts = if own().any(|record| record.attempts == 0) {
        0
    } else {
        own().map(|record| record.attempts).max().unwrap_or(0)
    };
    let unusual = [StageState::Cached, StageState::Batched, StageState::Shared];
    let state = unusual.into_iter().find(|state| own().any(|record| record.state == *state));
    (attempts, state.unwrap_or_default())
}

/// The scores of a list, made comparable with those of another.
fn normalised(hits: &[Hit], normalise: Normalise) -> Result<Vec<f64>, String> {
    let scores: Option<Vec<f64>> = hits.iter().map(|hit| hit.score).collect();
    let scores = scores.ok_or("it has hits without a score; `method = \"rrf\"` needs none")?;
    let (low, high) = scores
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), score| (low.min(*score), high.max(*score)));
    Ok(match normalise {
        Normalise::None => scores,
        Normalise::MinMax if high > low => scores.iter().map(|score| (score - low) / (high - low)).collect(),
        Normalise::MinMax => vec![1.0; scores.len()],
        Normalise::Max if scores.is_empty() => scores,
        Normalise::Max if high > 0.0 => scores.iter().map(|score| score / high).collect(),
        Normalise::Max => {
            return Err(format!("its highest score is {high}, and `normalise = \"max\"` divides by it"));
        }
        Normalise::ZScore => {
            let count = scores.len().max(1) as f64;
            let mean = scores.iter().sum::<f64>() / count;
            let variance = scores.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / count;
            let deviation = variance.sqrt();
            let away = |score: &f64| if deviation > 0.0 { (score - mean) / deviation } else { 0.0 };
            scores.iter().map(away).collect()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(hits: &[(&str, f64)]) -> Vec<Hit> {
        hits.iter().map(|(item, score)| Hit { item_id: (*item).to_owned(), score: Some(*score) }).collect()
    }

    fn fuse(method: FuseMethod, normalise: Normalise) -> Fuse {
        Fuse { branches: Vec::new(), method, rank_constant: 60.0, normalise }
    }

    fn shown(hits: &[Hit]) -> Vec<(&str, f64)> {
        hits.iter().map(|hit| (hit.item_id.as_str(), hit.score.expect("a score"))).collect()
    }

    #[test]
    fn reciprocal_ranks_add_up_and_ties_go_by_id() {
        let lists = [(1, list(&[("a", 9.0), ("b", 1.0)]), 1.0), (2, list(&[("b", 3.0), ("c", 2.0), ("a", 1.0)]), 2.0)];
        let fused = fuse(FuseMethod::Rrf, Normalise::default()).fuse(&lists).expect("fused");
        let (a, b, c) = (1.0 / 61.0 + 2.0 / 63.0, 1.0 / 62.0 + 2.0 / 61.0, 2.0 / 62.0);
        assert_eq!(shown(&fused), [("b", b), ("a", a), ("c", c)]);
        let tied = [(1, list(&[("z", 1.0)]), 1.0), (2, list(&[("y", 1.0)]), 1.0)];
        let fused = fuse(FuseMethod::Rrf, Normalise::default()).fuse(&tied).expect("fused");
        assert_eq!(shown(&fused), [("y", 1.0 / 61.0), ("z", 1.0 / 61.0)]);
    }

    #[test]
    fn weighted_sums_use_normalised_scores() {
        let lists = [(1, list(&[("a", 10.0), ("b", 5.0), ("c", 0.0)]), 1.0), (2, list(&[("c", 0.4), ("b", 0.2)]), 0.5)];
        let by = |normalise| fuse(FuseMethod::Weighted, normalise).fuse(&lists).expect("fused");
        assert_eq!(shown(&by(Normalise::MinMax)), [("a", 1.0), ("b", 0.5), ("c", 0.5)]);
        assert_eq!(shown(&by(Normalise::Max)), [("a", 1.0), ("b", 0.75), ("c", 0.5)]);
        assert_eq!(shown(&by(Normalise::None)), [("a", 10.0), ("b", 5.1), ("c", 0.2)]);
        let z = by(Normalise::ZScore);
        assert_eq!(z.iter().map(|hit| hit.item_id.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
    }

    #[test]
    fn equal_and_empty_lists_are_legal_and_missing_scores_are_not() {
        let flat = [(1, list(&[("a", 2.0), ("b", 2.0)]), 1.0), (2, Vec::new(), 1.0)];
        for (normalise, expected) in [(Normalise::MinMax, 1.0), (Normalise::ZScore, 0.0), (Normalise::Max, 1.0)] {
            let fused = fuse(FuseMethod::Weighted, normalise).fuse(&flat).expect("fused");
            assert_eq!(shown(&fused), [("a", expected), ("b", expected)]);
        }
        let weighted = fuse(FuseMethod::Weighted, Normalise::MinMax);
        let bare = [(3, vec![Hit { item_id: "a".into(), score: None }], 1.0)];
        let error = weighted.fuse(&bare).expect_err("no score");
        assert!(error.starts_with("branch 3 cannot be fused by weight: it has hits without a score"), "{error}");
        let huge = [(1, list(&[("a", f64::MAX), ("b", -f64::MAX)]), 1.0)];
        let error = weighted.fuse(&huge).expect_err("too large");
        assert!(error.contains("too large to add up"), "{error}");
        let negative = [(1, list(&[("a", -1.0)]), 1.0)];
        let error = fuse(FuseMethod::Weighted, Normalise::Max).fuse(&negative).expect_err("below 0");
        assert!(error.contains("highest score is -1"), "{error}");
    }
}
