//! Estimates by hand, against their definitions, and on simulated policies.

use super::*;
use crate::stats::counter_random::bits;
use crate::stats::paired_t;
use proptest::prelude::*;

const LEVEL: Proportion = Proportion::NINETY_FIVE_PERCENT;

fn sums(rows: &[(f64, f64)], limit: Option<f64>) -> OffPolicySums {
    let limit = limit.map(|limit| PositiveNumber::new(limit).unwrap());
    let mut sums = limit.map_or_else(OffPolicySums::default, OffPolicySums::clipped_at);
    rows.iter().for_each(|&(reward, weight)| sums.add(reward, weight).unwrap());
    sums
}

#[test]
fn estimates_by_hand() {
    let sums = sums(&[(1.0, 2.0), (0.0, 1.0), (1.0, 1.0), (0.0, 4.0)], Some(2.0));
    let raw = sums.unclipped();
    assert_eq!((raw.ips().unwrap().mean, raw.snips().unwrap().mean), (0.75, 0.375));
    assert!((raw.effective_sample_size().unwrap() - 64.0 / 22.0).abs() < 1e-15);
    assert_eq!((raw.largest_weight_share(), raw.mean_weight()), (Some(0.5), Some(2.0)));
    assert_eq!(raw.effective_rewards(), Some(9.0 / 5.0));
    // Residuals w (r - 0.375): 1.25, -0.375, 0.625, -1.5.
    let squares = 1.25_f64.powi(2) + 0.375_f64.powi(2) + 0.625_f64.powi(2) + 1.5_f64.powi(2);
    assert!((raw.snips().unwrap().standard_error.unwrap() - (squares * 4.0 / 3.0).sqrt() / 8.0).abs() < 1e-15);

    assert_eq!((sums.clipped().ips().unwrap().mean, sums.clipped().snips().unwrap().mean), (0.75, 0.5));
    let clipping = sums.clipping().unwrap();
    assert_eq!((clipping.limit, clipping.rows), (2.0, 1));
    assert_eq!((clipping.share_of_rows, clipping.share_of_weight), (0.25, 0.25));
}

#[test]
fn what_is_undefined_is_none() {
    let none = OffPolicySums::default();
    assert_eq!((none.unclipped().ips(), none.unclipped().snips()), (None, None));
    assert_eq!((none.unclipped().effective_sample_size(), none.unclipped().mean_weight()), (None, None));
    assert_eq!((none.clipping(), none.unclipped().largest_weight_share()), (None, None));
    assert_eq!(none.unclipped().warning(), Some(WeightWarning::NoWeight));

    let weightless = sums(&[(1.0, 0.0), (1.0, 0.0)], Some(1.0));
    assert_eq!((weightless.unclipped().ips().unwrap().mean, weightless.unclipped().snips()), (0.0, None));
    assert_eq!((weightless.clipping(), weightless.unclipped().effective_rewards()), (None, None));

    let one = sums(&[(1.0, 3.0)], None);
    assert_eq!(one.unclipped().ips().unwrap().interval(LEVEL), None);
    assert_eq!((one.unclipped().snips().unwrap().mean, one.clipping()), (1.0, None));

    let huge = sums(&[(1.0, 1e200), (0.0, 1.0)], None);
    assert_eq!((huge.unclipped().ips(), huge.unclipped().snips()), (None, None));
    assert_eq!(huge.unclipped().effective_sample_size(), None);
}

#[test]
fn rows_that_cannot_be_are_refused_and_leave_no_trace() {
    let mut sums = OffPolicySums::default();
    for (reward, weight) in [(f64::NAN, 1.0), (1.0, f64::NAN), (1.0, -0.5), (1.0, f64::INFINITY), (f64::INFINITY, 1.0)]
    {
        assert!(sums.add(reward, weight).is_err(), "{reward} {weight}");
    }
    assert_eq!(sums, OffPolicySums::default());
    let text = sums.add(1.0, -0.5).unwrap_err().to_string();
    assert_eq!(text, "expected a finite reward and a finite weight of 0 or above, found reward `1` and weight `-0.5`");
}

#[test]
fn equal_weights_are_the_plain_mean_and_its_t_interval() {
    let rewards = [0.0, 1.0, 0.5, 0.25, 1.0, 0.0];
    let sums = sums(&rewards.map(|reward| (reward, 1.0)), None);
    let plain = paired_t(&rewards).unwrap().statistic;
    for estimate in [sums.unclipped().ips().unwrap(), sums.unclipped().snips().unwrap()] {
        assert!((estimate.mean - plain.estimate).abs() < 1e-15);
        assert!((estimate.standard_error.unwrap() - plain.standard_error).abs() < 1e-15);
        assert!((estimate.interval(LEVEL).unwrap()[0] - plain.interval(LEVEL)[0]).abs() < 1e-14);
    }
    assert_eq!(sums.unclipped().effective_sample_size(), Some(6.0));
}

#[test]
fn warnings_name_the_gravest_reason() {
    let click = |index: usize| f64::from(u8::from(index.is_multiple_of(5)));
    let row = |index: usize| (click(index), 1.0);
    let even: Vec<(f64, f64)> = (0..1000).map(row).collect();
    assert_eq!(sums(&even, None).unclipped().warning(), None);
    assert!(matches!(sums(&even[..90], None).unclipped().warning(), Some(WeightWarning::FewEffectiveRows { .. })));

    let mut heavy = even.clone();
    heavy.push((0.0, 100.0));
    let heavy = sums(&heavy, Some(10.0));
    assert!(matches!(heavy.unclipped().warning(), Some(WeightWarning::OneRowDominates { .. })));
    assert_eq!(heavy.clipped().warning(), None);

    let few_clicks: Vec<(f64, f64)> =
        even.iter().enumerate().map(|(at, row)| (click(at * 31), row.1)).take(30).collect();
    let few_clicks: Vec<(f64, f64)> = few_clicks.into_iter().chain(even.iter().map(|row| (0.0, row.1))).collect();
    let warning = sums(&few_clicks, None).unclipped().warning().unwrap();
    assert_eq!(warning, WeightWarning::FewEffectiveRewards { effective: 6.0 });
    assert_eq!(warning.to_string(), "the weighted rewards are worth 6.0 equal ones");

    let no_clicks: Vec<(f64, f64)> = even.iter().map(|row| (0.0, row.1)).collect();
    assert_eq!(sums(&no_clicks, None).unclipped().warning(), Some(WeightWarning::NoReward));

    // Few large weights among many tiny ones.
    let skewed: Vec<(f64, f64)> =
        (0..10_000).map(|at| (click(at / 50), if at % 50 == 0 { 50.0 } else { 0.01 })).collect();
    let warning = sums(&skewed, None).unclipped().warning().unwrap();
    assert!(warning.to_string().starts_with("10000 weighted rows are worth 204 equal ones"), "{warning}");
}

/// Three actions with known rewards, logged by one policy, asked about another: intervals hold the truth as often as they say.
#[test]
fn intervals_of_simulated_policies_hold_the_truth() {
    let (logging, target, click_rate) = ([0.6, 0.3, 0.1], [0.2, 0.3, 0.5], [0.1, 0.3, 0.5]);
    let truth: f64 = target.iter().zip(&click_rate).map(|(share, rate)| share * rate).sum();
    let uniform = |seed, row, what| (bits(seed, row, what) >> 11) as f64 / (1_u64 << 53) as f64;
    let (mut ips, mut snips, mut clipped_below) = (0, 0, 0);
    let experiments = 400;
    for seed in 0..experiments {
        let mut sums = OffPolicySums::clipped_at(PositiveNumber::new(2.0).unwrap());
        for row in 0..800 {
            let draw = uniform(seed, row, 0);
            let action = if draw < 0.6 {
                0
            } else if draw < 0.9 {
                1
            } else {
                2
            };
            let reward = f64::from(u8::from(uniform(seed, row, 1) < click_rate[action]));
            sums.add(reward, target[action] / logging[action]).unwrap();
        }
        let holds = |estimate: Option<OffPolicyEstimate>| {
            let [low, high] = estimate.unwrap().interval(LEVEL).unwrap();
            usize::from((low..=high).contains(&truth))
        };
        ips += holds(sums.unclipped().ips());
        snips += holds(sums.unclipped().snips());
        clipped_below += usize::from(sums.clipped().ips().unwrap().mean < truth);
        assert_eq!(sums.unclipped().warning(), None);
    }
    // Binomial with mean 380 and standard deviation 4.4.
    assert!((362..=395).contains(&ips) && (362..=395).contains(&snips), "{ips} {snips}");
    assert!(clipped_below > 390, "clipping at 2 must lose what the best action earns: {clipped_below}");
}

proptest! {
    #[test]
    fn estimates_equal_their_definitions(
        rows in prop::collection::vec((-2.0_f64..5.0, prop_oneof![0.0_f64..100.0, Just(0.0), Just(1.0)]), 2..60),
        limit in 0.5_f64..50.0, at in 0_usize..60,
    ) {
        let mut merged = sums(&rows[..at.min(rows.len())], Some(limit));
        merged.merge(sums(&rows[at.min(rows.len())..], Some(limit)));
        let clipped: Vec<(f64, f64)> = rows.iter().map(|&(reward, weight)| (reward, weight.min(limit))).collect();
        for (sums, rows) in [(merged.unclipped(), &rows), (merged.clipped(), &clipped)] {
            let n = rows.len() as f64;
            let weight: f64 = rows.iter().map(|row| row.1).sum();
            let mean = rows.iter().map(|row| row.0 * row.1).sum::<f64>() / n;
            let squares: f64 = rows.iter().map(|row| (row.0 * row.1 - mean).powi(2)).sum();
            let ips = sums.ips().unwrap();
            prop_assert!((ips.mean - mean).abs() < 1e-11);
            prop_assert!((ips.standard_error.unwrap() - (squares / (n - 1.0) / n).sqrt()).abs() < 1e-10);
            if weight > 1e-9 {
                let ratio = mean * n / weight;
                let squares: f64 = rows.iter().map(|row| (row.1 * (row.0 - ratio)).powi(2)).sum();
                let expected = (squares * n / (n - 1.0)).sqrt() / weight;
                let snips = sums.snips().unwrap();
                prop_assert!((snips.mean - ratio).abs() < 1e-11 * ratio.abs().max(1.0));
                prop_assert!((snips.standard_error.unwrap() - expected).abs() < 1e-6 * ratio.abs().max(1.0));
                let effective = sums.effective_sample_size().unwrap();
                prop_assert!((1.0 - 1e-12..=n).contains(&effective));
            }
        }
    }

    #[test]
    fn the_self_normalised_estimate_moves_with_the_rewards(
        rows in prop::collection::vec((0.0_f64..1.0, 0.01_f64..100.0), 2..40), shift in -10.0_f64..10.0,
    ) {
        let shifted: Vec<(f64, f64)> = rows.iter().map(|row| (row.0 + shift, row.1)).collect();
        let (one, other) = (sums(&rows, None), sums(&shifted, None));
        let (one, other) = (one.unclipped().snips().unwrap(), other.unclipped().snips().unwrap());
        prop_assert!((one.mean + shift - other.mean).abs() < 1e-9);
        prop_assert!((0.0..=1.0).contains(&one.mean));
    }
}
