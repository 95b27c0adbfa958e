//! Two policies of one shop, logged side by side: what one would have earned, from the log of the other.
//!
//! Open Bandit Dataset (Saito, Aihara, Matsutani and Narita 2021), campaign "men", 10,000 impressions each of a uniformly random
//! policy and of Bernoulli Thompson sampling (bts). The bts log gives the propensities of the items that it showed, not of those
//! that the random policy showed; there, the probability that bts shows an item at a position is estimated by the item's share of
//! the position's bts impressions.

use std::collections::HashMap;
use std::io::Read;

use flate2::read::GzDecoder;

use super::shared;
use crate::exposure::{OffPolicySums, WeightWarning};
use crate::{PositiveNumber, Proportion};

/// Items of the campaign, which the random policy shows alike.
const ITEMS: f64 = 34.0;

struct Impression {
    item: u32,
    position: u32,
    click: f64,
    propensity: f64,
}

fn log(policy: &str) -> Option<Vec<Impression>> {
    let file = std::fs::File::open(shared(&format!("data/open-bandit-men/{policy}.csv.gz"))?).unwrap();
    let mut text = String::new();
    GzDecoder::new(file).read_to_string(&mut text).unwrap();
    let impression = |line: &str| {
        let mut cells = line.split(',').skip(2);
        let mut cell = || cells.next().unwrap();
        Impression {
            item: cell().parse().unwrap(),
            position: cell().parse().unwrap(),
            click: cell().parse().unwrap(),
            propensity: cell().parse().unwrap(),
        }
    };
    let impressions: Vec<Impression> = text.lines().skip(1).map(impression).collect();
    assert_eq!(impressions.len(), 10_000);
    Some(impressions)
}

fn summed(rows: impl Iterator<Item = (f64, f64)>) -> OffPolicySums {
    let mut sums = OffPolicySums::clipped_at(PositiveNumber::new(10.0).unwrap());
    rows.for_each(|(reward, weight)| sums.add(reward, weight).unwrap());
    sums
}

fn click_rate(log: &[Impression]) -> f64 {
    log.iter().map(|impression| impression.click).sum::<f64>() / log.len() as f64
}

#[test]
fn the_random_log_tells_what_thompson_sampling_earned() {
    let (Some(random), Some(bts)) = (log("random"), log("bts")) else { return };
    let mut shown: HashMap<(u32, u32), f64> = HashMap::new();
    let mut at_position: HashMap<u32, f64> = HashMap::new();
    for impression in &bts {
        *shown.entry((impression.item, impression.position)).or_default() += 1.0;
        *at_position.entry(impression.position).or_default() += 1.0;
    }
    let probability =
        |row: &Impression| shown.get(&(row.item, row.position)).map_or(0.0, |shown| shown / at_position[&row.position]);
    let sums = summed(random.iter().map(|row| (row.click, probability(row) / row.propensity)));
    let truth = click_rate(&bts);
    assert!((truth - 0.0069).abs() < 1e-12);
    for estimate in [sums.unclipped().ips().unwrap(), sums.unclipped().snips().unwrap()] {
        let [low, high] = estimate.interval(Proportion::NINETY_FIVE_PERCENT).unwrap();
        assert!((low..=high).contains(&truth), "{estimate:?} [{low}, {high}]");
        // Without weights the random log says 0.0046, and nothing about bts.
        assert!((estimate.mean - truth).abs() < (click_rate(&random) - truth).abs());
    }
    assert!((sums.unclipped().mean_weight().unwrap() - 1.0).abs() < 0.05);
    assert_eq!(sums.unclipped().warning(), None);
    assert_eq!(sums.clipping().unwrap().rows, 0);
}

#[test]
fn the_log_of_thompson_sampling_warns_that_it_tells_little_of_the_random_policy() {
    let (Some(random), Some(bts)) = (log("random"), log("bts")) else { return };
    assert!(random.iter().all(|row| (row.propensity - 1.0 / ITEMS).abs() < 1e-9));
    let least = bts.iter().map(|row| row.propensity).fold(f64::INFINITY, f64::min);
    assert!((least - 1.65e-4).abs() < 1e-6);
    let sums = summed(bts.iter().map(|row| (row.click, 1.0 / ITEMS / row.propensity)));
    let unclipped = sums.unclipped();
    assert!((unclipped.effective_sample_size().unwrap() - 655.7).abs() < 0.1);
    let warning = unclipped.warning().unwrap();
    assert!(matches!(warning, WeightWarning::FewEffectiveRows { rows: 10_000, .. }));
    assert_eq!(warning.to_string(), "10000 weighted rows are worth 656 equal ones");
    // The warning is due: the interval misses what the random policy earned.
    let [_, high] = unclipped.ips().unwrap().interval(Proportion::NINETY_FIVE_PERCENT).unwrap();
    assert!(high < click_rate(&random));

    let clipping = sums.clipping().unwrap();
    assert!(clipping.rows > 0 && clipping.share_of_weight > 0.1, "{clipping:?}");
    assert!(sums.clipped().effective_sample_size() > unclipped.effective_sample_size());
}
