//! Replays that stop as soon as the answer is clear.

use rematch_metrics::Proportion;
use rematch_metrics::stats::{ClusterMoments, ConfidenceSequence, Decision, minimum_detectable_effect};

use crate::Size;
use crate::rate::{Rate, counted};
use crate::world::World;

const ALPHA: Proportion = Proportion::FIVE_PERCENT;

/// Visits of a whole replay, for each of a comparison's.
const LONGER: u64 = 4;

/// Tells how often equal sides are told apart, and what stopping saves where there is twice the smallest effect that the whole
/// replay detects in four of five cases.
pub(crate) fn stopping(world: &World, size: Size) -> Vec<Rate> {
    let most = size.visits * LONGER;
    let [decided, _, _, t_test] = replayed(world, size, most, 0.0, 300_000_000);
    let worth = ((most * world.searches) as f64 / world.design_effect()).round() as u64;
    let detectable = minimum_detectable_effect(worth, ALPHA, Proportion::EIGHTY_PERCENT).unwrap_or_default();
    let mut rates = vec![
        Rate::new(world, "equal, called different", decided, size.replays).promised(0.0..=0.05),
        Rate::new(world, "equal, called different by a t-test after every tenth visit", t_test, size.replays),
    ];
    for (name, times, least) in [("the detectable effect", 1.0, None), ("twice the detectable effect", 2.0, Some(0.95))]
    {
        let effect = times * detectable * world.deviation();
        let [_, right, visits, _] = replayed(world, size, most, effect, 400_000_000);
        let saved = 1.0 - visits as f64 / (size.replays * most) as f64;
        let rate = Rate::new(world, &format!("{name}, called better"), right, size.replays)
            .note(format!("{:.0} % of {most} visits saved", saved * 100.0));
        // What is promised of the detectable effect is that it takes longer than one fixed look, not how often it is seen.
        rates.push(rate.promised(least.unwrap_or(0.3)..=1.0));
    }
    rates
}

/// Returns how many replays were decided, how many of them for better, the visits that all took together, and in how many a t-test
/// after every tenth visit from the first look on would have seen a difference.
fn replayed(world: &World, size: Size, most: u64, effect: f64, seeds: u64) -> [u64; 4] {
    let sequence = ConfidenceSequence::planned(ALPHA, most);
    counted(size.replays, |seed| {
        let mut moments = ClusterMoments::default();
        let mut stopped: Option<(Decision, u64)> = None;
        let mut t_test = false;
        for visit in 0..most {
            moments.add(world.summed(seed + seeds, visit, effect));
            let seen = visit + 1;
            if stopped.is_none() {
                stopped = Some((sequence.decision(&moments), seen)).filter(|(decision, _)| decision.is_decided());
            }
            // With this many visits t and the normal distribution have the same 5 %.
            let looks = seen >= sequence.first_look() && seen % 10 == 0 && !t_test;
            t_test |= looks && sequence.look(&moments).is_ok_and(|at| at.estimate.abs() > 1.96 * at.standard_error);
            if stopped.is_some() && (t_test || effect != 0.0) {
                break;
            }
        }
        let better = stopped.is_some_and(|(decision, _)| matches!(decision, Decision::Better(_)));
        let visits = stopped.map_or(most, |(_, visits)| visits);
        [u64::from(stopped.is_some()), u64::from(better), visits, u64::from(t_test)]
    })
}
