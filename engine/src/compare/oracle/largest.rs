//! The searches that changed most, by sorting all of them.

use super::observations::Observations;
use crate::benchmark::Plan;
use crate::compare::largest::MOST;
use crate::compare::outcome::{LargestChanges, SessionChange};
use crate::session::Session;

/// Returns the largest changes of the primary measure between the baseline and the arm at `candidate`.
pub(super) fn changes(
    plan: &Plan,
    sessions: &[Session],
    observations: &Observations,
    candidate: usize,
) -> LargestChanges {
    let primary = observations.primary();
    let values = observations.values(0, primary).iter().zip(observations.values(candidate, primary));
    let pairs = values.zip(sessions).filter_map(|((baseline, candidate), session)| {
        let (baseline, candidate) = (*baseline).zip(*candidate)?;
        Some(SessionChange {
            session_id: session.session_id.clone(),
            query: session.query.clone(),
            baseline,
            candidate,
            delta: candidate - baseline,
        })
    });
    let all: Vec<SessionChange> = pairs.collect();
    let sign = if observations.measures()[primary].higher_is_better { 1.0 } else { -1.0 };
    let largest = |sign: f64| {
        let mut changed: Vec<SessionChange> =
            all.iter().filter(|change| sign * change.delta > plan.noise_threshold).cloned().collect();
        changed.sort_by(|one, other| {
            let larger = (sign * other.delta).total_cmp(&(sign * one.delta));
            larger.then_with(|| one.session_id.cmp(&other.session_id))
        });
        changed.truncate(MOST);
        changed
    };
    LargestChanges { metric: plan.primary.clone(), losses: largest(-sign), gains: largest(sign) }
}
