//! Wilcoxon's signed-rank test.

use super::Untestable;
use super::normal::normal_upper_tail;
use crate::sum::count;

/// The exact test costs n³ steps; beyond this the normal approximation is indistinguishable.
const MOST_FOR_EXACT: usize = 200;

/// What becomes of deltas that are 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum ZeroRule {
    /// They are dropped before ranking (Wilcoxon 1945): `wilcox` of scipy.
    #[default]
    Drop,
    /// They are ranked, and their ranks dropped (Pratt 1959): `pratt` of scipy.
    RankThenDrop,
    /// They are ranked, and their ranks split between both sides: `zsplit` of scipy.
    Split,
}

/// Where the p comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WilcoxonMethod {
    /// The normal approximation, with the variance corrected for ties.
    Normal {
        /// Whether the distance from the mean is lessened by one half.
        continuity_correction: bool,
    },
    /// All assignments of signs to the ranks found, ties and zeros included; at most 200 deltas that are not 0.
    ///
    /// Without ties and zeros this is `exact` of scipy; with them scipy's `exact` is not.
    Exact,
}

/// The outcome of a signed-rank test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wilcoxon {
    /// Sum of the ranks of positive deltas.
    pub positive_ranks: f64,
    /// Sum of the ranks of negative deltas.
    pub negative_ranks: f64,
    /// Number of deltas that are 0.
    pub zeros: usize,
    /// The normal deviate of the smaller sum, never above 0; `None` for the exact test.
    pub z: Option<f64>,
    /// The two-sided p.
    pub p_two_sided: f64,
}

impl Wilcoxon {
    /// Returns W, the smaller of the two sums of ranks.
    #[must_use]
    pub fn statistic(&self) -> f64 {
        self.positive_ranks.min(self.negative_ranks)
    }
}

/// Returns the two-sided signed-rank test of deltas, as `scipy.stats.wilcoxon`.
///
/// It tests whether the deltas lie symmetrically about 0, not their mean: with many small losses and few large wins it
/// rejects although the mean delta is 0.
///
/// # Errors
///
/// Where there are no deltas, one is not finite, all are 0, or there are too many for the exact test.
pub fn wilcoxon(deltas: &[f64], zeros: ZeroRule, method: WilcoxonMethod) -> Result<Wilcoxon, Untestable> {
    if deltas.is_empty() {
        return Err(Untestable::TooFewPairs { found: 0, needed: 1 });
    }
    if deltas.iter().any(|delta| !delta.is_finite()) {
        return Err(Untestable::NotFinite);
    }
    if deltas.iter().all(|&delta| delta == 0.0) {
        return Err(Untestable::Identical { pairs: deltas.len() });
    }
    let ranks = SignedRanks::of(deltas, zeros);
    let (z, p_two_sided) = match method {
        WilcoxonMethod::Exact => (None, ranks.exact_p()?),
        WilcoxonMethod::Normal { continuity_correction } => {
            let z = ranks.z(zeros, continuity_correction);
            (Some(z), (2.0 * normal_upper_tail(-z)).min(1.0))
        }
    };
    let split = if zeros == ZeroRule::Split { ranks.of_zeros / 2.0 } else { 0.0 };
    Ok(Wilcoxon {
        positive_ranks: ranks.positive + split,
        negative_ranks: ranks.negative + split,
        zeros: ranks.zeros,
        z,
        p_two_sided,
    })
}

/// The ranks of absolute deltas, equal ones at their mean rank.
struct SignedRanks {
    /// Twice the rank of every delta that is not 0: a whole number.
    doubled: Vec<usize>,
    positive: f64,
    negative: f64,
    of_zeros: f64,
    zeros: usize,
    ranked: usize,
    /// Σ t³ - t over groups of t equal absolute deltas, zeros apart.
    ties: f64,
}

impl SignedRanks {
    fn of(deltas: &[f64], rule: ZeroRule) -> Self {
        let zeros = deltas.iter().filter(|&&delta| delta == 0.0).count();
        let mut sorted: Vec<f64> =
            deltas.iter().copied().filter(|&delta| rule != ZeroRule::Drop || delta != 0.0).collect();
        sorted.sort_unstable_by(|a, b| a.abs().total_cmp(&b.abs()));
        let mut ranks = Self {
            doubled: Vec::with_capacity(sorted.len()),
            positive: 0.0,
            negative: 0.0,
            of_zeros: 0.0,
            zeros,
            ranked: sorted.len(),
            ties: 0.0,
        };
        let mut below = 0;
        for group in sorted.chunk_by(|a, b| a.abs() == b.abs()) {
            let doubled = 2 * below + group.len() + 1;
            below += group.len();
            if group.first() == Some(&0.0) {
                ranks.of_zeros = count(doubled) / 2.0 * count(group.len());
                continue;
            }
            ranks.ties += cube_less_itself(group.len());
            for delta in group {
                ranks.doubled.push(doubled);
                let side = if *delta > 0.0 { &mut ranks.positive } else { &mut ranks.negative };
                *side += count(doubled) / 2.0;
            }
        }
        ranks
    }

    /// Returns the normal deviate of the smaller sum; Cureton 1967 for the zeros of Pratt's rule.
    fn z(&self, rule: ZeroRule, continuity_correction: bool) -> f64 {
        let (ranked, zeros) = (count(self.ranked), count(self.zeros));
        let mut mean = ranked * (ranked + 1.0) / 4.0;
        let mut variance = ranked * (ranked + 1.0) * (2.0 * ranked + 1.0);
        let mut ties = self.ties;
        let mut split = 0.0;
        match rule {
            ZeroRule::Drop => {}
            ZeroRule::RankThenDrop => {
                mean -= zeros * (zeros + 1.0) / 4.0;
                variance -= zeros * (zeros + 1.0) * (2.0 * zeros + 1.0);
            }
            ZeroRule::Split => {
                ties += cube_less_itself(self.zeros);
                split = self.of_zeros / 2.0;
            }
        }
        let deviation = ((variance - ties / 2.0) / 24.0).sqrt();
        let below_mean = (mean - self.positive.min(self.negative) - split).max(0.0);
        let corrected = if continuity_correction { (below_mean - 0.5).max(0.0) } else { below_mean };
        -corrected / deviation
    }

    fn exact_p(&self) -> Result<f64, Untestable> {
        if self.doubled.len() > MOST_FOR_EXACT {
            return Err(Untestable::TooManyForExact { found: self.doubled.len(), limit: MOST_FOR_EXACT });
        }
        let total: usize = self.doubled.iter().sum();
        // probability[s]: that the doubled ranks with a positive sign add up to s.
        let mut probability = vec![0.0; total + 1];
        if let Some(nothing) = probability.first_mut() {
            *nothing = 1.0;
        }
        for &rank in &self.doubled {
            let before = probability.clone();
            for (sum, slot) in probability.iter_mut().enumerate() {
                let with = sum.checked_sub(rank).and_then(|rest| before.get(rest)).copied().unwrap_or(0.0);
                *slot = f64::midpoint(*slot, with);
            }
        }
        let doubled_statistic = 2.0 * self.positive.min(self.negative);
        let up_to = (0..=total).take_while(|&sum| count(sum) <= doubled_statistic);
        let tail: f64 = up_to.zip(&probability).map(|(_, probability)| probability).sum();
        Ok((2.0 * tail).min(1.0))
    }
}

fn cube_less_itself(size: usize) -> f64 {
    let size = count(size);
    size * size * size - size
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RULES: [ZeroRule; 3] = [ZeroRule::Drop, ZeroRule::RankThenDrop, ZeroRule::Split];
    const NORMAL: WilcoxonMethod = WilcoxonMethod::Normal { continuity_correction: false };

    #[test]
    fn ranks_and_exact_p_by_hand() {
        let test = wilcoxon(&[1.0, -2.0, 3.0, 4.0], ZeroRule::Drop, WilcoxonMethod::Exact).unwrap();
        assert_eq!((test.positive_ranks, test.negative_ranks, test.statistic()), (8.0, 2.0, 2.0));
        // Sums up to 2 of 16 assignments: {}, {1}, {2}.
        assert_eq!(test.p_two_sided, 6.0 / 16.0);
        assert_eq!(test.z, None);
    }

    #[test]
    fn tied_ranks_are_shared_and_zeros_follow_the_rule() {
        let deltas = [0.0, 1.0, -1.0, 2.0];
        let sums = RULES.map(|rule| {
            let test = wilcoxon(&deltas, rule, NORMAL).unwrap();
            (test.positive_ranks, test.negative_ranks, test.zeros)
        });
        assert_eq!(sums, [(4.5, 1.5, 1), (6.5, 2.5, 1), (7.0, 3.0, 1)]);
    }

    #[test]
    fn values_with_ties_and_zeros_equal_scipys() {
        // [rule][corrected], from scipy.stats.wilcoxon(method="asymptotic").
        let deltas = [0.5, -0.5, 0.25, 0.0, 0.0, 1.0, 1.0, -0.25, 0.75, 2.0, 0.5, -1.5];
        let expected = [
            [0.1834274418287195, 0.20085787364417784],
            [0.17963718906235238, 0.19277759410321904],
            [0.18115908560804694, 0.1943335702775849],
        ];
        let exact = [0.203125, 0.19140625, 0.19140625];
        for (rule, expected) in RULES.into_iter().zip(expected) {
            for (continuity_correction, p) in [false, true].into_iter().zip(expected) {
                let test = wilcoxon(&deltas, rule, WilcoxonMethod::Normal { continuity_correction }).unwrap();
                assert!((test.p_two_sided - p).abs() < 1e-10, "{rule:?} {continuity_correction} {test:?}");
            }
        }
        for (rule, p) in RULES.into_iter().zip(exact) {
            let test = wilcoxon(&deltas, rule, WilcoxonMethod::Exact).unwrap();
            assert!((test.p_two_sided - p).abs() < 1e-12, "{rule:?} {test:?}");
        }
    }

    #[test]
    fn untestable_deltas_are_told_apart() {
        assert_eq!(wilcoxon(&[], ZeroRule::Drop, NORMAL), Err(Untestable::TooFewPairs { found: 0, needed: 1 }));
        assert_eq!(wilcoxon(&[0.0; 4], ZeroRule::Split, NORMAL), Err(Untestable::Identical { pairs: 4 }));
        assert_eq!(wilcoxon(&[f64::NAN], ZeroRule::Drop, NORMAL), Err(Untestable::NotFinite));
        let many = wilcoxon(&[1.0; 201], ZeroRule::Drop, WilcoxonMethod::Exact);
        assert_eq!(many, Err(Untestable::TooManyForExact { found: 201, limit: 200 }));
    }

    proptest! {
        #[test]
        fn exact_p_equals_plain_enumeration(deltas in prop::collection::vec(-4_i32..5, 1..11)) {
            let values: Vec<f64> = deltas.iter().map(|&delta| f64::from(delta)).collect();
            for rule in RULES {
                let Ok(test) = wilcoxon(&values, rule, WilcoxonMethod::Exact) else { continue };
                let assignments = 1_u32 << deltas.len();
                let as_extreme = (0..assignments)
                    .filter(|signs| {
                        let flipped: Vec<f64> = values.iter().enumerate().map(|(index, value)| if signs >> index & 1 == 1 { -value } else { *value }).collect();
                        wilcoxon(&flipped, rule, NORMAL).unwrap().statistic() <= test.statistic()
                    })
                    .count();
                let expected = (as_extreme as f64 / f64::from(assignments)).min(1.0);
                prop_assert!((test.p_two_sided - expected).abs() < 1e-12, "{:?} {} {}", rule, test.p_two_sided, expected);
            }
        }

        #[test]
        fn p_is_a_probability_and_does_not_depend_on_the_sides(deltas in prop::collection::vec(prop_oneof![Just(0.0), -1.0_f64..1.0], 1..40)) {
            let mirrored: Vec<f64> = deltas.iter().map(|delta| -delta).collect();
            for rule in RULES {
                for method in [NORMAL, WilcoxonMethod::Normal { continuity_correction: true }, WilcoxonMethod::Exact] {
                    if let Ok(test) = wilcoxon(&deltas, rule, method) {
                        prop_assert!((0.0..=1.0).contains(&test.p_two_sided));
                        let other = wilcoxon(&mirrored, rule, method).unwrap();
                        prop_assert!((test.p_two_sided - other.p_two_sided).abs() < 1e-12);
                    }
                }
            }
        }
    }
}
