//! The contract of [`Scorer`], as a test that any implementation can be put to.

use std::thread;

use super::{Case, ScoreError, ScoreOutcome, Scorer};
use crate::session::{Ranking, ScoreState};

/// Threads that call the scorer at once.
const THREADS: usize = 4;

/// How a scorer breaks the contract.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContractViolation {
    /// The scorer gave up on a whole batch.
    #[error("scorer `{scorer}` gave up on {batch}")]
    GaveUp {
        /// The scorer.
        scorer: String,
        /// Which batch, in words.
        batch: String,
        /// What it said.
        #[source]
        source: ScoreError,
    },
    /// A batch of n cases did not get n outcomes.
    #[error("scorer `{scorer}` returned {found} outcomes for {batch}, expected {expected}")]
    Count {
        /// The scorer.
        scorer: String,
        /// Which batch, in words.
        batch: String,
        /// Cases in the batch.
        expected: usize,
        /// Outcomes returned.
        found: usize,
    },
    /// The state and the value disagree: `Complete` goes with a finite value, any other state with none.
    #[error(
        "scorer `{scorer}` gave session `{session_id}` in {batch} the state `{state}` and the value {value:?}, expected \
         `complete` with a finite value, or another state without one",
        state = state.as_str()
    )]
    State {
        /// The scorer.
        scorer: String,
        /// Which batch, in words.
        batch: String,
        /// The session.
        session_id: String,
        /// The state.
        state: ScoreState,
        /// The value.
        value: Option<f64>,
    },
    /// A case got another outcome in another batch.
    #[error(
        "scorer `{scorer}` gave session `{session_id}` in {batch} another outcome than before: {found}, expected {expected}"
    )]
    Composition {
        /// The scorer.
        scorer: String,
        /// Which batch, in words.
        batch: String,
        /// The session.
        session_id: String,
        /// The outcome in the batch of all cases, in words.
        expected: String,
        /// The outcome in this batch, in words.
        found: String,
    },
}

/// Puts `scorer` to the test with `cases`: one outcome per case, in order; a finite value exactly where the state is
/// `Complete`; the same bits for a case whatever batch it stands in, also called from several threads at once; an empty
/// batch and empty rankings accepted.
///
/// A dozen cases that differ in hits, gains and texts make a good test; with a single case, little can be seen. It calls
/// the scorer about fifteen times with all cases, and once with each case alone.
///
/// # Errors
///
/// Returns the first violation found.
pub fn check(scorer: &dyn Scorer, cases: &[Case<'_>]) -> Result<(), ContractViolation> {
    let suite = Suite { scorer };
    suite.score("an empty batch", &[])?;
    let expected = suite.score("the batch of all cases", cases)?;
    let all: Vec<usize> = (0..cases.len()).collect();
    for index in &all {
        suite.compare("a batch of its own", cases, &expected, std::slice::from_ref(index))?;
    }
    suite.compare("the batch of all cases, again", cases, &expected, &all)?;
    for (batch, order) in orders(&all) {
        suite.compare(batch, cases, &expected, &order)?;
    }
    suite.check_empty_rankings(cases)?;
    suite.check_threads(cases, &expected)
}

/// Returns rearrangements of a batch, each with its name.
fn orders(all: &[usize]) -> Vec<(&'static str, Vec<usize>)> {
    let reversed = all.iter().rev().copied().collect();
    let twice = all.iter().flat_map(|index| [*index, *index]).collect();
    let every_other = all.iter().step_by(2).copied().collect();
    let mut orders = vec![
        ("the reversed batch", reversed),
        ("the batch with every case twice", twice),
        ("the batch of every other case", every_other),
    ];
    orders.extend((1..=3).map(|seed| ("a shuffled batch", shuffled(all, seed))));
    orders
}

/// Returns `all` in an order that depends on `seed` alone.
#[must_use]
pub fn shuffled(all: &[usize], seed: u64) -> Vec<usize> {
    let mut order = all.to_vec();
    // SplitMix64's finaliser (Steele, Lea and Flood 2014): any well-mixing function would do.
    let mixed = |index: usize| {
        let mut bits = (index as u64).wrapping_add(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    };
    order.sort_by_key(|index| mixed(*index));
    order
}

struct Suite<'a> {
    scorer: &'a dyn Scorer,
}

impl Suite<'_> {
    fn name(&self) -> String {
        self.scorer.name().to_owned()
    }

    /// Scores a batch and checks what every batch must keep.
    fn score(&self, batch: &str, cases: &[Case<'_>]) -> Result<Vec<ScoreOutcome>, ContractViolation> {
        let outcomes = self.scorer.score(cases).map_err(|source| ContractViolation::GaveUp {
            scorer: self.name(),
            batch: batch.to_owned(),
            source,
        })?;
        if outcomes.len() != cases.len() {
            return Err(ContractViolation::Count {
                scorer: self.name(),
                batch: batch.to_owned(),
                expected: cases.len(),
                found: outcomes.len(),
            });
        }
        for (case, outcome) in cases.iter().zip(&outcomes) {
            let sound = match outcome.state {
                ScoreState::Complete => outcome.value.is_some_and(f64::is_finite),
                ScoreState::Error | ScoreState::Unknown => outcome.value.is_none(),
            };
            if !sound {
                return Err(ContractViolation::State {
                    scorer: self.name(),
                    batch: batch.to_owned(),
                    session_id: case.session.session_id.clone(),
                    state: outcome.state,
                    value: outcome.value,
                });
            }
        }
        Ok(outcomes)
    }

    /// Scores the cases at `order` as one batch and compares the outcomes, bit by bit, with those expected.
    fn compare(
        &self,
        batch: &str,
        cases: &[Case<'_>],
        expected: &[ScoreOutcome],
        order: &[usize],
    ) -> Result<(), ContractViolation> {
        let arranged: Vec<Case<'_>> = order.iter().filter_map(|index| cases.get(*index)).copied().collect();
        let expected = order.iter().filter_map(|index| expected.get(*index));
        let outcomes = self.score(batch, &arranged)?;
        for ((case, expected), found) in arranged.iter().zip(expected).zip(&outcomes) {
            if !expected.same_bits(found) {
                return Err(ContractViolation::Composition {
                    scorer: self.name(),
                    batch: batch.to_owned(),
                    session_id: case.session.session_id.clone(),
                    expected: expected.in_words(),
                    found: found.in_words(),
                });
            }
        }
        Ok(())
    }

    fn check_empty_rankings(&self, cases: &[Case<'_>]) -> Result<(), ContractViolation> {
        let rankings: Vec<Ranking> =
            cases.iter().map(|case| Ranking { hits: Vec::new(), ..case.ranking.clone() }).collect();
        let without_hits: Vec<Case<'_>> =
            cases.iter().zip(&rankings).map(|(case, ranking)| Case { ranking, ..*case }).collect();
        self.score("a batch of empty rankings", &without_hits)?;
        Ok(())
    }

    fn check_threads(&self, cases: &[Case<'_>], expected: &[ScoreOutcome]) -> Result<(), ContractViolation> {
        let work = |thread: usize| {
            let mut order: Vec<usize> = (0..cases.len()).collect();
            order.rotate_left(thread.min(cases.len()));
            move || self.compare("a batch scored while other threads score too", cases, expected, &order)
        };
        thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(work(thread))).collect();
            threads
                .into_iter()
                .try_for_each(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::score::{Relevance, ScoreMetric};
    use crate::session::{Hit, Session};

    type Rule = fn(&[Case<'_>]) -> Result<Vec<ScoreOutcome>, ScoreError>;

    struct Ruled(Rule);

    impl Scorer for Ruled {
        fn name(&self) -> &str {
            "ruled"
        }

        fn metrics(&self) -> &[ScoreMetric] {
            &[]
        }

        fn score(&self, cases: &[Case<'_>]) -> Result<Vec<ScoreOutcome>, ScoreError> {
            (self.0)(cases)
        }
    }

    struct Counter(Mutex<f64>);

    impl Scorer for Counter {
        fn name(&self) -> &str {
            "counter"
        }

        fn metrics(&self) -> &[ScoreMetric] {
            &[]
        }

        fn score(&self, cases: &[Case<'_>]) -> Result<Vec<ScoreOutcome>, ScoreError> {
            let mut calls = self.0.lock().unwrap();
            *calls += 1.0;
            Ok(cases.iter().map(|_| ScoreOutcome::complete(*calls, String::new())).collect())
        }
    }

    fn hits(case: &Case<'_>) -> ScoreOutcome {
        match case.ranking.hits.len() {
            0 => ScoreOutcome::unknown(),
            hits => ScoreOutcome::complete(hits as f64, case.session.session_id.clone()),
        }
    }

    fn check_with(scorer: &dyn Scorer) -> Result<(), ContractViolation> {
        let session = |index: usize| Session { session_id: format!("s{index}"), ..Session::default() };
        let ranking = |index: usize| Ranking { hits: vec![Hit::default(); index % 4], ..Ranking::default() };
        let sessions: Vec<Session> = (0..10).map(session).collect();
        let rankings: Vec<Ranking> = (0..10).map(ranking).collect();
        let relevance = Relevance::default();
        let case = |(session, ranking)| Case { session, ranking, relevance: &relevance };
        let cases: Vec<Case<'_>> = sessions.iter().zip(&rankings).map(case).collect();
        check(scorer, &cases)
    }

    #[test]
    fn a_pure_function_of_the_case_passes() {
        check_with(&Ruled(|cases| Ok(cases.iter().map(hits).collect()))).unwrap();
    }

    #[test]
    fn a_missing_outcome_is_found() {
        let violation = check_with(&Ruled(|cases| Ok(cases.iter().skip(1).map(hits).collect()))).unwrap_err();
        assert!(matches!(violation, ContractViolation::Count { expected: 10, found: 9, .. }), "{violation}");
    }

    #[test]
    fn a_complete_outcome_without_a_finite_value_is_found() {
        for value in [None, Some(f64::NAN), Some(f64::INFINITY)] {
            let rule: Rule = match value {
                None => |cases| {
                    let complete = ScoreOutcome { state: ScoreState::Complete, ..ScoreOutcome::default() };
                    Ok(vec![complete; cases.len()])
                },
                Some(value) if value.is_nan() => {
                    |cases| Ok(vec![ScoreOutcome::complete(f64::NAN, String::new()); cases.len()])
                }
                Some(_) => |cases| Ok(vec![ScoreOutcome::complete(f64::INFINITY, String::new()); cases.len()]),
            };
            let violation = check_with(&Ruled(rule)).unwrap_err();
            assert!(matches!(violation, ContractViolation::State { .. }), "{violation}");
        }
    }

    #[test]
    fn a_value_in_another_state_is_found() {
        let violation = check_with(&Ruled(|cases| {
            let outcome = ScoreOutcome { value: Some(1.0), state: ScoreState::Error, ..ScoreOutcome::default() };
            Ok(vec![outcome; cases.len()])
        }));
        assert!(matches!(violation, Err(ContractViolation::State { state: ScoreState::Error, .. })));
    }

    #[test]
    fn a_score_that_depends_on_the_batch_is_found() {
        let violation = check_with(&Ruled(|cases| {
            Ok(cases.iter().map(|_| ScoreOutcome::complete(cases.len() as f64, String::new())).collect())
        }))
        .unwrap_err();
        assert!(matches!(violation, ContractViolation::Composition { .. }), "{violation}");
        assert!(violation.to_string().contains("session `s0` in a batch of its own"), "{violation}");
    }

    #[test]
    fn a_score_that_depends_on_the_place_in_the_batch_is_found() {
        let violation = check_with(&Ruled(|cases| {
            let outcome = |place| ScoreOutcome::complete(f64::from(place), String::new());
            Ok((0..).zip(cases).map(|(place, _)| outcome(place)).collect())
        }));
        assert!(matches!(violation, Err(ContractViolation::Composition { .. })));
    }

    #[test]
    fn a_score_that_changes_with_every_call_is_found() {
        assert!(matches!(check_with(&Counter(Mutex::new(0.0))), Err(ContractViolation::Composition { .. })));
    }

    #[test]
    fn giving_up_on_an_empty_batch_is_found() {
        let violation = check_with(&Ruled(|cases| {
            if cases.is_empty() {
                return Err(ScoreError::Failed { scorer: "ruled".to_owned(), reason: "nothing to do".to_owned() });
            }
            Ok(cases.iter().map(hits).collect())
        }));
        assert!(matches!(violation, Err(ContractViolation::GaveUp { batch, .. }) if batch == "an empty batch"));
    }

    #[test]
    fn giving_up_on_empty_rankings_is_found() {
        let violation = check_with(&Ruled(|cases| {
            if cases.len() > 1 && cases.iter().all(|case| case.ranking.hits.is_empty()) {
                return Err(ScoreError::Failed { scorer: "ruled".to_owned(), reason: "no hits".to_owned() });
            }
            Ok(cases.iter().map(hits).collect())
        }));
        assert!(matches!(violation, Err(ContractViolation::GaveUp { batch, .. }) if batch.contains("empty rankings")));
    }

    #[test]
    fn shuffling_changes_the_order_and_loses_nobody() {
        let order: Vec<usize> = (0..20).collect();
        for seed in 1..4 {
            let mut shuffled = shuffled(&order, seed);
            assert_ne!(shuffled, order);
            shuffled.sort_unstable();
            assert_eq!(shuffled, order);
        }
        assert_ne!(shuffled(&order, 1), shuffled(&order, 2));
    }
}
