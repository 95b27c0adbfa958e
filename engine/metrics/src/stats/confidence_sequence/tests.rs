//! The formula by hand, and replays that are looked at after every session.

use super::*;
use crate::stats::counter_random::bits;
use crate::stats::normal::normal_quantile;
use crate::stats::{cluster_robust_t_of_sums, paired_t};
use proptest::prelude::*;

const ALPHA: Proportion = Proportion::FIVE_PERCENT;

fn uniform(seed: u64, unit: u64, what: u64) -> f64 {
    ((bits(seed, unit, what) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}

fn normal(seed: u64, unit: u64, what: u64) -> f64 {
    normal_quantile(uniform(seed, unit, what))
}

/// Half ties, many small losses, and this share of large wins, so that the mean is 0. The deviation is 0.0408 for a tenth of wins.
fn skewed(seed: u64, unit: u64, wins: f64) -> f64 {
    match uniform(seed, unit, 1) {
        kind if kind < 0.5 => 0.0,
        kind if kind < 1.0 - wins => -0.05 * uniform(seed, unit, 2),
        _ => 0.05 * (0.5 - wins) / wins * uniform(seed, unit, 2),
    }
}

/// Returns the decision of each replay that is looked at after every cluster, and the clusters it took.
fn replayed(replays: u64, most: u64, cluster: impl Fn(u64, u64) -> ClusterSum) -> Vec<(Decision, u64)> {
    let sequence = ConfidenceSequence::planned(ALPHA, most);
    let replay = |seed| {
        let mut moments = ClusterMoments::default();
        for unit in 0..most {
            moments.add(cluster(seed, unit));
            let decision = sequence.decision(&moments);
            if decision.is_decided() || unit + 1 == most {
                return (decision, unit + 1);
            }
        }
        (Decision::TooEarly, 0)
    };
    (0..replays).map(replay).collect()
}

fn decided(outcomes: &[(Decision, u64)]) -> usize {
    outcomes.iter().filter(|(decision, _)| decision.is_decided()).count()
}

#[test]
fn the_boundary_is_the_published_formula() {
    let sequence = ConfidenceSequence::new(ALPHA, 2, 250);
    let clusters = (0..400).map(|unit| ClusterSum::single(normal(3, unit, 0) + 0.1));
    let moments: ClusterMoments = clusters.collect();
    let look = sequence.look(&moments).unwrap();
    let (t, rho) = (400.0, sequence.rho());
    let (rho2, deviation) = (rho * rho, look.standard_error * f64::sqrt(t));
    // Theorem 2.2 of the paper, as printed there.
    let root = f64::sqrt(t * rho2 + 1.0);
    let reach = deviation * f64::sqrt(2.0 * (t * rho2 + 1.0) / (t * t * rho2) * f64::ln(root / 0.05));
    assert!((look.interval()[1] - look.estimate - reach).abs() < 1e-14);
    // Its choice of rho is an approximation of the best one.
    let minus_log = -2.0 * 0.05_f64.ln();
    let published = f64::sqrt((minus_log + minus_log.ln() + 1.0) / 250.0);
    assert!((rho / published - 1.0).abs() < 0.05, "{rho} {published}");
}

#[test]
fn the_interval_is_narrowest_where_it_is_tuned() {
    let boundary = |clusters: u64, tuned_for| {
        let deltas = (0..clusters).map(|unit| ClusterSum::single(if unit % 2 == 0 { 1.0 } else { -1.0 }));
        ConfidenceSequence::new(ALPHA, 2, tuned_for).look(&deltas.collect()).unwrap().boundary
    };
    let best = boundary(500, 500);
    for other in [100, 300, 450, 560, 800, 5000] {
        assert!(boundary(500, other) > best, "{other}");
    }
    for (clusters, most) in [(170, 1.1), (2000, 1.1), (500, 1.0 + 1e-12)] {
        assert!(boundary(clusters, 500) <= most * boundary(clusters, clusters), "{clusters}");
    }
    assert!((3.0..3.1).contains(&best), "{best}");
}

#[test]
fn p_falls_below_the_level_exactly_when_zero_falls_out() {
    let sequence = ConfidenceSequence::planned(ALPHA, 1000);
    for shift in 0..60 {
        let moments: ClusterMoments =
            (0..300).map(|unit| ClusterSum::single(normal(9, unit, 0) + f64::from(shift) * 0.01)).collect();
        let decision = sequence.decision(&moments);
        let p = sequence.look(&moments).unwrap().p;
        assert!((0.0..=1.0).contains(&p));
        assert_eq!(decision.is_decided(), p < 0.05, "{shift} {p} {decision:?}");
    }
}

#[test]
fn nothing_is_decided_before_the_first_look_or_without_variance() {
    let sequence = ConfidenceSequence::planned(ALPHA, 1000);
    let of = |number: u64, delta: fn(u64) -> f64| -> ClusterMoments {
        (0..number).map(|unit| ClusterSum::single(delta(unit))).collect()
    };
    let clear: fn(u64) -> f64 = |unit| 1.0 + (unit % 3) as f64 * 0.01;
    assert_eq!(sequence.decision(&of(149, clear)), Decision::TooEarly);
    assert!(matches!(sequence.decision(&of(150, clear)), Decision::Better(_)));
    let opposite: fn(u64) -> f64 = |unit| -1.0 - (unit % 3) as f64 * 0.01;
    assert!(matches!(sequence.decision(&of(150, opposite)), Decision::Worse(_)));
    let identical = Decision::Untestable(Untestable::Identical { pairs: 200 });
    assert_eq!(sequence.decision(&of(200, |_| 0.0)), identical);
    let one_win: fn(u64) -> f64 = |unit| if unit == 0 { 3.0 } else { -0.05 - 0.001 * (unit % 7) as f64 };
    assert_eq!(sequence.decision(&of(200, one_win)), Decision::TooEarly);
    let constant = Decision::Untestable(Untestable::ConstantClusters { clusters: 200, delta: 0.25 });
    assert_eq!(sequence.decision(&of(200, |_| 0.25)), constant);
    let rounded = of(200, |unit| [0.3 - 0.2, 0.5 - 0.4][(unit % 2) as usize]);
    assert!(matches!(sequence.decision(&rounded), Decision::Untestable(Untestable::ConstantClusters { .. })));
    let infinite = of(200, |unit| if unit == 7 { f64::INFINITY } else { 1.0 });
    assert_eq!(sequence.decision(&infinite), Decision::Untestable(Untestable::NotFinite));
}

#[test]
fn equal_arms_are_called_different_in_at_most_five_of_a_hundred_replays() {
    let outcomes = replayed(1000, 1000, |seed, unit| ClusterSum::single(normal(seed, unit, 0)));
    assert!(decided(&outcomes) <= 50, "normal: {}", decided(&outcomes));
    for wins in [0.1, 0.04] {
        let outcomes = replayed(1000, 1000, |seed, unit| ClusterSum::single(skewed(seed, unit, wins)));
        assert!(decided(&outcomes) <= 50, "skewed, {wins}: {}", decided(&outcomes));
    }
    // Users of one to seven searches whose deltas go together: rows would be taken for more than they are.
    let outcomes = replayed(1000, 600, |seed, unit| {
        let pairs = 1 + bits(seed, unit, 100) % 7;
        let user = normal(seed, unit, 101) * 0.6;
        ClusterSum { pairs, sum: (0..pairs).map(|pair| user + normal(seed, unit, pair) * 0.8).sum() }
    });
    assert!(decided(&outcomes) <= 50, "clustered: {}", decided(&outcomes));
}

#[test]
fn a_t_test_after_every_session_would_be_wrong_often() {
    let wrong = (0..200_u64).filter(|&seed| {
        let deltas: Vec<f64> = (0..1000).map(|unit| normal(seed, unit, 0)).collect();
        (100..=1000).step_by(10).any(|seen| paired_t(&deltas[..seen]).unwrap().statistic.p_two_sided() < 0.05)
    });
    assert!(wrong.count() > 30);
}

/// Twice the effect that all clusters detect in four of five runs.
#[test]
fn an_effect_of_twice_the_detectable_one_is_decided_early_and_rightly() {
    let most = 1500;
    let effect = 2.0 * crate::stats::minimum_detectable_effect(most, ALPHA, Proportion::EIGHTY_PERCENT).unwrap();
    for (name, deviation, skewed_deltas) in [("normal", 1.0, false), ("skewed", 0.0408, true)] {
        let outcomes = replayed(300, most, |seed, unit| {
            let noise = if skewed_deltas { skewed(seed, unit, 0.1) } else { normal(seed, unit, 0) };
            ClusterSum::single(noise + effect * deviation)
        });
        let right = outcomes.iter().filter(|(decision, _)| matches!(decision, Decision::Better(_))).count();
        let saved = 1.0 - outcomes.iter().map(|(_, clusters)| *clusters as f64).sum::<f64>() / (300.0 * most as f64);
        let wrong = outcomes.iter().filter(|(decision, _)| matches!(decision, Decision::Worse(_))).count();
        assert!(right >= 297 && wrong <= 1, "{name}: {right} {wrong}");
        assert!(saved > 0.5, "{name}: {saved}");
    }
}

#[test]
fn skewness_by_hand() {
    // Residuals -1, -1, 2 of three clusters of one pair: Σe³ / 3 = 2, Σe² / 3 = 2.
    let singles: ClusterMoments = [0.0, 0.0, 3.0].map(ClusterSum::single).into_iter().collect();
    assert!((singles.skewness().unwrap() - 2.0 / 2.0_f64.powf(1.5)).abs() < 1e-14);
    // The same residuals with one, two and three pairs around a mean of 1.
    let clusters = [(1, 0.0), (2, 1.0), (3, 5.0)].map(|(pairs, sum)| ClusterSum { pairs, sum });
    let clusters: ClusterMoments = clusters.into_iter().collect();
    assert!((clusters.skewness().unwrap() - singles.skewness().unwrap()).abs() < 1e-13);
    assert_eq!(ClusterMoments::default().skewness(), None);
}

proptest! {
    #[test]
    fn standard_errors_are_those_of_the_cluster_robust_test_and_parts_merge(
        clusters in prop::collection::vec((0_u64..6, -3.0_f64..3.0), 2..40), at in 0_usize..40,
    ) {
        let sums: Vec<ClusterSum> = clusters.iter().map(|&(pairs, sum)| ClusterSum { pairs, sum }).collect();
        let mut merged: ClusterMoments = sums[..at.min(sums.len())].iter().copied().collect();
        merged.merge(sums[at.min(sums.len())..].iter().copied().collect());
        match (merged.standard_error(), cluster_robust_t_of_sums(&sums)) {
            (Ok(found), Ok(expected)) => {
                prop_assert!((found / expected.statistic.standard_error - 1.0).abs() < 1e-9);
                prop_assert!((merged.mean().unwrap() - expected.statistic.estimate).abs() < 1e-12);
                prop_assert_eq!((merged.pairs(), merged.clusters()), (expected.pairs, expected.clusters as u64));
            }
            (found, expected) => prop_assert_eq!(found.is_err(), expected.is_err()),
        }
    }
}
