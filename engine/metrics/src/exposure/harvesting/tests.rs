//! Curves that are known: exact sums, and logs simulated by the position-based model.

use super::*;
use crate::stats::counter_random::{below, bits};
use proptest::prelude::*;

fn rank(rank: usize) -> NonZeroUsize {
    NonZeroUsize::new(rank).unwrap()
}

fn pair(ranks: (usize, usize), weight: f64, clicks: (f64, f64)) -> RankPair {
    RankPair {
        rank: rank(ranks.0),
        other: rank(ranks.1),
        items: 10,
        weight,
        clicks_at_rank: clicks.0,
        clicks_at_other: clicks.1,
    }
}

fn uniform(seed: u64, first: u64, second: u64) -> f64 {
    (bits(seed, first, second) >> 11) as f64 / (1_u64 << 53) as f64
}

/// A log: per query one of a few rankers orders the items anew; users look at rank k with probability theta(k), click what is
/// relevant, and a few of the others by mistake.
struct Log {
    seed: u64,
    queries: u64,
    depth: usize,
    rankers: u64,
    impressions: u64,
    mistakes: f64,
}

impl Log {
    /// Returns the pairs, as the SQL of [`RankPair`] makes them.
    fn pairs(&self, theta: impl Fn(usize) -> f64) -> Vec<RankPair> {
        let mut pairs: BTreeMap<(usize, usize), RankPair> = BTreeMap::new();
        for query in 0..self.queries {
            let shown = self.shown(query, &theta);
            for ranks in &shown {
                let all: f64 = ranks.values().map(|(impressions, _)| impressions).sum();
                for (&one, &(n, c)) in ranks {
                    for (&two, &(other_n, other_c)) in ranks.range(one + 1..) {
                        let sums = pairs
                            .entry((one, two))
                            .or_insert(RankPair { items: 0, ..pair((one, two), 0.0, (0.0, 0.0)) });
                        sums.items += 1;
                        sums.weight += n * other_n / all;
                        sums.clicks_at_rank += other_n * c / all;
                        sums.clicks_at_other += n * other_c / all;
                    }
                }
            }
        }
        pairs.into_values().collect()
    }

    /// Returns per item of a query: impressions and clicks by rank.
    fn shown(&self, query: u64, theta: &impl Fn(usize) -> f64) -> Vec<BTreeMap<usize, (f64, f64)>> {
        let mut shown = vec![BTreeMap::new(); self.depth];
        let relevance = |item: usize| {
            let relevant = uniform(self.seed, query, 1000 + item as u64) < 0.4;
            if relevant { 0.8 } else { self.mistakes }
        };
        for impression in 0..self.impressions {
            let draw = query * self.impressions + impression;
            let ranker = below(self.rankers as usize, bits(self.seed + 1, draw, 0)) as u64;
            let mut order: Vec<usize> = (0..self.depth).collect();
            // A ranker's own noise on top of the relevance that it sees.
            let score = |item: usize| relevance(item) + 1.5 * uniform(self.seed + 2, query * 100 + ranker, item as u64);
            order.sort_by(|&a, &b| score(b).total_cmp(&score(a)));
            for (at, &item) in order.iter().enumerate() {
                let clicked = uniform(self.seed + 3, draw, at as u64) < theta(at + 1) * relevance(item);
                let (n, c): &mut (f64, f64) = shown[item].entry(at + 1).or_default();
                *n += 1.0;
                *c += f64::from(u8::from(clicked));
            }
        }
        shown
    }
}

#[test]
fn simulated_logs_give_their_curve_back() {
    let log = Log { seed: 11, queries: 600, depth: 6, rankers: 3, impressions: 60, mistakes: 0.05 };
    type Theta = fn(usize) -> f64;
    let curves: [(&str, Theta); 3] = [
        ("1/r", |rank| 1.0 / rank as f64),
        ("1/sqrt(r)", |rank| 1.0 / (rank as f64).sqrt()),
        ("rising at 3", |rank| [1.0, 0.5, 0.7, 0.3, 0.2, 0.1][rank - 1]),
    ];
    for (name, theta) in curves {
        let harvested = harvest(&log.pairs(theta)).unwrap();
        assert_eq!(harvested.ranks.len(), 6);
        assert!(harvested.largest_log_standard_error(rank(6)).unwrap() < 0.12, "{name}");
        for estimate in &harvested.ranks {
            let truth = theta(estimate.rank.get());
            let found = estimate.examination.unwrap();
            assert!((found / truth - 1.0).abs() < 0.1, "{name} {}: {found} {truth}", estimate.rank);
            assert_eq!(harvested.curve.at(estimate.rank), found);
            assert!(harvested.curve.is_estimated_at(estimate.rank) && estimate.items > 0);
        }
    }
}

#[test]
fn intervals_hold_the_truth_about_as_often_as_they_say() {
    let theta = |rank: usize| 1.0 / rank as f64;
    let (mut inside, mut intervals) = (0, 0);
    for seed in 0..60 {
        let log = Log { seed: 1000 + seed * 10, queries: 60, depth: 4, rankers: 3, impressions: 20, mistakes: 0.05 };
        for estimate in &harvest(&log.pairs(theta)).unwrap().ranks[1..] {
            let [low, high] = estimate.interval(Proportion::NINETY_FIVE_PERCENT).unwrap();
            inside += i32::from((low..=high).contains(&theta(estimate.rank.get())));
            intervals += 1;
        }
    }
    // The weights make errors a little too large, never too small.
    let share = f64::from(inside) / f64::from(intervals);
    assert!((0.93..=1.0).contains(&share), "{share}");
}

#[test]
fn a_log_without_rank_variation_gives_no_curve() {
    assert_eq!(harvest(&[]), Err(HarvestingError::NoRankVariation));
    let log = Log { seed: 5, queries: 20, depth: 5, rankers: 1, impressions: 30, mistakes: 0.05 };
    assert_eq!(harvest(&log.pairs(|rank| 1.0 / rank as f64)), Err(HarvestingError::NoRankVariation));
}

#[test]
fn ranks_that_no_clicks_link_to_the_first_have_no_estimate() {
    let pairs = [
        pair((1, 2), 100.0, (40.0, 20.0)),
        pair((4, 5), 100.0, (20.0, 10.0)), // linked to each other only
        pair((2, 3), 50.0, (10.0, 0.0)),   // never a click at 3: less than 2, nobody knows how much
    ];
    let harvested = harvest(&pairs).unwrap();
    let found: Vec<Option<f64>> = harvested.ranks.iter().map(|rank| rank.examination).collect();
    assert!((found[1].unwrap() - 0.5).abs() < 1e-9, "{found:?}");
    assert_eq!((found[0], &found[2..]), (Some(1.0), [None, None, None].as_slice()));
    assert_eq!(harvested.ranks[3].log_standard_error, None);
    assert_eq!(harvested.ranks[3].interval(Proportion::NINETY_FIVE_PERCENT), None);
    assert!(!harvested.curve.is_estimated_at(rank(3)));
}

#[test]
fn clicks_on_one_side_only_of_the_first_rank_are_no_link() {
    let refused = Err(HarvestingError::FirstRankNotLinked { pairs: 1 });
    assert_eq!(harvest(&[pair((1, 2), 10.0, (5.0, 0.0))]), refused);
    assert_eq!(harvest(&[pair((1, 2), 10.0, (0.0, 5.0))]), refused);
    assert_eq!(harvest(&[pair((1, 2), 10.0, (0.0, 0.0))]), refused);
    assert_eq!(harvest(&[pair((2, 3), 10.0, (5.0, 5.0))]), refused);
}

#[test]
fn a_pair_without_clicks_changes_nothing() {
    let sound = [pair((1, 2), 100.0, (40.0, 20.0)), pair((2, 3), 100.0, (40.0, 20.0))];
    let with_empty = [sound[0], sound[1], pair((1, 3), 100.0, (0.0, 0.0))];
    assert_eq!(harvest(&with_empty).unwrap().curve, harvest(&sound).unwrap().curve);
}

#[test]
fn pairs_that_cannot_be_are_refused() {
    for (ranks, weight, clicks) in [
        ((2, 1), 1.0, (0.5, 0.5)),
        ((1, 1), 1.0, (0.5, 0.5)),
        ((1, 201), 1.0, (0.5, 0.5)),
        ((1, 2), 0.0, (0.0, 0.0)),
        ((1, 2), -1.0, (0.0, 0.0)),
        ((1, 2), f64::NAN, (0.0, 0.0)),
        ((1, 2), f64::INFINITY, (0.0, 0.0)),
        ((1, 2), 1.0, (1.1, 0.5)),
        ((1, 2), 1.0, (0.5, -0.1)),
        ((1, 2), 1.0, (f64::NAN, 0.5)),
    ] {
        let outcome = harvest(&[pair(ranks, weight, clicks)]);
        assert!(matches!(outcome, Err(HarvestingError::InvalidPair { .. })), "{ranks:?} {weight} {clicks:?}");
    }
    // A sum that rounding took over its weight is none of these.
    assert!(harvest(&[pair((1, 2), 1.0, (1.0 + 1e-12, 0.5))]).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Where the sums are what the model expects, the maximum is the model: the oracle of every weight and graph.
    #[test]
    fn expected_clicks_give_the_exact_curve(
        theta in prop::collection::vec(0.02_f64..1.2, 2..8),
        extra in prop::collection::vec((0_usize..8, 0_usize..8), 0..12),
        attraction in prop::collection::vec(0.001_f64..0.8, 20), weights in prop::collection::vec(0.1_f64..1e5, 20),
    ) {
        let mut theta = theta;
        theta[0] = 1.0;
        let chain = (1..theta.len()).map(|at| (at - 1, at));
        let more = extra.into_iter().filter(|&(a, b)| a < b && b < theta.len());
        let pairs: Vec<RankPair> = chain.chain(more).zip(attraction.iter().zip(&weights)).map(|((a, b), (r, weight))| {
            pair((a + 1, b + 1), *weight, (weight * r * theta[a], weight * r * theta[b]))
        }).collect();
        // Pairs of the same ranks are added up, whose relevances then mix; the ratio stays.
        let harvested = harvest(&pairs).unwrap();
        for (at, theta) in theta.iter().enumerate() {
            let found = harvested.curve.at(rank(at + 1));
            prop_assert!((found / theta - 1.0).abs() < 1e-6, "rank {}: {} {}", at + 1, found, theta);
        }
    }

    #[test]
    fn curves_are_finite_whatever_was_clicked_and_order_does_not_matter(
        cells in prop::collection::vec((1_usize..6, 1_usize..6, 0.001_f64..1e6, 0.0_f64..=1.0, 0.0_f64..=1.0, 0_u8..4), 1..15),
    ) {
        let pairs: Vec<RankPair> = cells.iter().filter(|cell| cell.0 < cell.1).map(|&(a, b, weight, one, two, kind)| {
            let (one, two) = match kind { 0 => (0.0, two), 1 => (1.0, 1.0), 2 => (one, 1e-9), _ => (one, two) };
            pair((a, b), weight, (weight * one, weight * two))
        }).collect();
        if let Ok(harvested) = harvest(&pairs) {
            for estimate in &harvested.ranks {
                prop_assert!(estimate.examination.is_none_or(|theta| theta > 0.0 && theta.is_finite()));
                prop_assert!(estimate.log_standard_error.is_none_or(|error| error >= 0.0 && error.is_finite()));
            }
            let mut distinct: Vec<RankPair> = harvested.pairs.clone();
            distinct.reverse();
            prop_assert_eq!(&harvest(&distinct).unwrap().curve, &harvested.curve);
        }
    }
}
