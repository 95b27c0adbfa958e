//! What the clicks of one session say of two rankings, and the sums of it.

use std::num::NonZeroUsize;

use rematch_metrics::exposure::ExaminationCurve;
use rematch_metrics::stats::TStatistic;
use rematch_metrics::sum::CompensatedSum;
use serde::{Deserialize, Serialize};

use super::click_log::{LoggedItem, LoggedSession};
use crate::compare::outcome::{ClickWeights, PropensitySource};
use crate::compare::tally::PairTally;

/// Assumed curves under which the difference is stated, and under which a decision must hold.
pub(super) const CURVES: usize = 5;

/// An error below this share of its estimate is one of rounding.
const ROUNDING: f64 = 1e-6;

/// Estimates that are tested as paired differences: five by the curve that is taken for true, then common support under each of
/// the assumed ones.
pub(super) const ESTIMATES: usize = FIRST_CURVE + CURVES;

/// Their places.
pub(super) const NAIVE: usize = 0;
pub(super) const WEIGHTED: usize = 1;
pub(super) const COMMON: usize = 2;
pub(super) const UNCONDENSED: usize = 3;
/// Common support with weights that are not clipped.
pub(super) const UNCLIPPED: usize = 4;
pub(super) const FIRST_CURVE: usize = 5;

/// Ratios that are tested: self-normalised and relative, clipped and not.
pub(super) const RATIOS: usize = 4;

/// How likely users were to look.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::compare) struct Examination {
    pub(super) source: PropensitySource,
    pub(super) curve: ExaminationCurve,
    /// The exponents of the assumed curves, ascending.
    pub(super) exponents: [f64; CURVES],
    /// Smaller probabilities count as this one.
    pub(super) clip: f64,
    /// (Query, item)s that the log shows at two ranks, once for each two.
    pub(super) interventions: u64,
    /// Sessions whose relevance comes from clicks, and those that a judge graded.
    pub(super) sessions: [u64; 2],
}

/// What a click counts.
struct Weight {
    weight: f64,
    /// Before it was clipped.
    whole: f64,
}

impl Examination {
    /// Returns whether clicks decide: where more sessions were clicked than judged. Else what judges say does, without the clicks.
    pub(in crate::compare) fn decide(&self) -> bool {
        let [clicked, judged] = self.sessions;
        clicked > judged
    }

    /// Returns 1 / propensity of an item; `None` where it has none.
    fn weight(&self, item: &LoggedItem) -> Option<Weight> {
        let propensity = match self.source {
            PropensitySource::Logged => item.propensity.filter(|propensity| *propensity > 0.0)?,
            PropensitySource::Fitted | PropensitySource::Assumed => self.curve.at(item.rank?),
        };
        Some(Weight { weight: 1.0 / propensity.max(self.clip), whole: 1.0 / propensity })
    }
}

/// Returns the weight under the assumed curve 1 / rank^exponent. It is not clipped: what clipping takes from the far ranks of a
/// steep curve would be missing on one side of the comparison.
fn assumed(item: &LoggedItem, exponent: f64) -> Option<f64> {
    Some((item.rank?.get() as f64).powf(exponent))
}

/// Returns the exponents of the assumed curves: evenly spread over a range.
pub(super) fn exponents([least, greatest]: [f64; 2]) -> [f64; CURVES] {
    let step = (greatest - least) / (CURVES - 1) as f64;
    std::array::from_fn(|place| least + step * place as f64)
}

/// The discount of a rank, 1 / log2(rank + 1).
fn discount(rank: u32) -> f64 {
    1.0 / (f64::from(rank) + 1.0).log2()
}

/// What one session says.
pub(in crate::compare) struct OfSession {
    /// The DCG of both arms by each estimate.
    pub(super) values: [[f64; 2]; ESTIMATES],
    /// Weights of the clicks on common support, added up: clipped, and whole.
    normalisers: [f64; 2],
    weights: WeightSums,
    /// Items of each arm's top ranks that were exposed, and their discounts.
    covered: [(u64, f64); 2],
    /// Weighted gains of all exposed items.
    worth: f64,
    pub(super) click_derived: bool,
}

impl OfSession {
    /// Reads a session by the ranks of its items in the two arms' top ranks, 0 where an item is not there, and by what each of these
    /// ranks is among the hits that both arms have ([`common_ranks`]).
    pub(super) fn of(
        examination: &Examination,
        session: &LoggedSession,
        ranks: [&[u32]; 2],
        among_common: [&[u32]; 2],
    ) -> Self {
        let mut found = Self {
            values: [[0.0; 2]; ESTIMATES],
            normalisers: [0.0; 2],
            weights: WeightSums::default(),
            covered: [(0, 0.0); 2],
            worth: 0.0,
            click_derived: false,
        };
        let rank = |arm: usize, item: usize| ranks.get(arm).and_then(|ranks| ranks.get(item)).copied().unwrap_or(0);
        let condensed = |arm: usize, item: usize| {
            let place = (rank(arm, item) as usize).checked_sub(1);
            place.zip(among_common.get(arm)).and_then(|(place, ranks)| ranks.get(place)).copied().unwrap_or(0)
        };
        let both = |item: usize| condensed(0, item) > 0 && condensed(1, item) > 0;
        for (place, item) in session.items.iter().enumerate() {
            for (arm, (count, discounts)) in found.covered.iter_mut().enumerate() {
                if rank(arm, place) > 0 {
                    *count += 1;
                    *discounts += discount(rank(arm, place));
                }
            }
            if item.gain <= 0.0 {
                continue;
            }
            found.click_derived = true;
            let weight = examination.weight(item);
            found.worth += weight.as_ref().map_or(0.0, |weight| weight.weight * item.gain);
            for arm in [0, 1] {
                let at = if rank(arm, place) > 0 { discount(rank(arm, place)) } else { 0.0 };
                found.add(NAIVE, arm, item.gain * at);
                found.add(WEIGHTED, arm, weight.as_ref().map_or(0.0, |weight| weight.weight * item.gain * at));
            }
            if !both(place) {
                continue;
            }
            let Some(weight) = weight else {
                found.weights.unweighted += 1;
                continue;
            };
            found.weights.record(&weight);
            let [clipped, whole] = &mut found.normalisers;
            *clipped += weight.weight;
            *whole += weight.whole;
            for arm in [0, 1] {
                let at = discount(rank(arm, place));
                let among_common = discount(condensed(arm, place));
                found.add(COMMON, arm, weight.weight * item.gain * among_common);
                found.add(UNCONDENSED, arm, weight.weight * item.gain * at);
                found.add(UNCLIPPED, arm, weight.whole * item.gain * among_common);
                for (estimate, exponent) in (FIRST_CURVE..).zip(examination.exponents) {
                    found.add(estimate, arm, assumed(item, exponent).unwrap_or(0.0) * item.gain * among_common);
                }
            }
        }
        found
    }

    fn add(&mut self, estimate: usize, arm: usize, value: f64) {
        if let Some(sum) = self.values.get_mut(estimate).and_then(|values| values.get_mut(arm)) {
            *sum += value;
        }
    }

    /// Returns the difference by one estimate.
    pub(super) fn delta(&self, estimate: usize) -> f64 {
        self.values.get(estimate).map_or(0.0, |[old, new]| new - old)
    }

    /// Returns the differences that are tested: of every estimate, and what is left of the two ratios' numerators.
    pub(in crate::compare) fn deltas(&self, sums: &Sums) -> [f64; ESTIMATES + RATIOS] {
        let parts = self.ratio_parts();
        std::array::from_fn(|place| {
            let ratio = place.checked_sub(ESTIMATES).and_then(|ratio| parts.get(ratio).zip(sums.ratios.get(ratio)));
            ratio.map_or_else(|| self.delta(place), |((above, below), sums)| above - sums.ratio() * below)
        })
    }

    /// Returns numerators and denominators of the ratios: self-normalised and relative by clipped weights, then by whole ones.
    fn ratio_parts(&self) -> [(f64, f64); RATIOS] {
        let [clipped, whole] = self.normalisers;
        let baseline = |estimate: usize| self.values.get(estimate).map_or(0.0, |[old, _]| *old);
        let (common, unclipped) = (self.delta(COMMON), self.delta(UNCLIPPED));
        [(common, clipped), (common, baseline(COMMON)), (unclipped, whole), (unclipped, baseline(UNCLIPPED))]
    }
}

/// Sums over clicks on common support.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct WeightSums {
    clicks: u64,
    clipped: u64,
    unweighted: u64,
    sum: CompensatedSum,
    squares: CompensatedSum,
    #[serde(with = "rematch_metrics::every_float")]
    largest: f64,
}

impl WeightSums {
    fn record(&mut self, weight: &Weight) {
        // How much the evidence is worth is asked of the whole weights: clipped ones are alike by force.
        self.clicks += 1;
        self.clipped += u64::from(weight.weight < weight.whole);
        self.sum.add(weight.whole);
        self.squares.add(weight.whole * weight.whole);
        self.largest = self.largest.max(weight.whole);
    }

    fn merge(&mut self, other: Self) {
        self.clicks += other.clicks;
        self.clipped += other.clipped;
        self.unweighted += other.unweighted;
        self.sum.merge(other.sum);
        self.squares.merge(other.squares);
        self.largest = self.largest.max(other.largest);
    }
}

/// A ratio of two sums over sessions, and what its variance follows from.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct RatioSums {
    n: u64,
    numerator: CompensatedSum,
    denominator: CompensatedSum,
    squares: CompensatedSum,
    products: CompensatedSum,
    denominator_squares: CompensatedSum,
}

impl RatioSums {
    fn record(&mut self, numerator: f64, denominator: f64) {
        self.n += 1;
        self.numerator.add(numerator);
        self.denominator.add(denominator);
        self.squares.add(numerator * numerator);
        self.products.add(numerator * denominator);
        self.denominator_squares.add(denominator * denominator);
    }

    fn merge(&mut self, other: Self) {
        self.n += other.n;
        self.numerator.merge(other.numerator);
        self.denominator.merge(other.denominator);
        self.squares.merge(other.squares);
        self.products.merge(other.products);
        self.denominator_squares.merge(other.denominator_squares);
    }

    /// Returns the ratio, 0 where the denominator is.
    fn ratio(&self) -> f64 {
        self.defined().unwrap_or(0.0)
    }

    pub(super) fn defined(&self) -> Option<f64> {
        let denominator = self.denominator.total();
        (denominator > 0.0).then(|| self.numerator.total() / denominator)
    }

    /// Returns the ratio with its standard error by the delta method, over independent sessions, or where clusters repeat by
    /// `clustered`, their test of numerator - ratio × denominator, if there can be one.
    pub(super) fn statistic(&self, clustered: Option<Option<TStatistic>>) -> Option<TStatistic> {
        let estimate = self.defined()?;
        let n = self.n as f64;
        let (of_residual, degrees_of_freedom) = match clustered {
            Some(test) => {
                let test = test?;
                (test.standard_error, test.degrees_of_freedom)
            }
            None if self.n > 1 => {
                let squares = self.squares.total() - 2.0 * estimate * self.products.total()
                    + estimate * estimate * self.denominator_squares.total();
                ((squares.max(0.0) / (n - 1.0) / n).sqrt(), n - 1.0)
            }
            None => return None,
        };
        let standard_error = of_residual * n / self.denominator.total();
        // What rounding leaves of sessions that all have the same ratio is no error.
        (standard_error > ROUNDING * estimate.abs() && standard_error.is_finite()).then_some(TStatistic {
            estimate,
            standard_error,
            degrees_of_freedom,
        })
    }
}

/// Hits of the top ranks, and those of them that were exposed.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Support {
    hits: u64,
    covered: u64,
    /// Discounts of the hits that were not exposed.
    uncovered: CompensatedSum,
}

/// The sums of one candidate.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(in crate::compare) struct Sums {
    pub(super) estimates: [PairTally; ESTIMATES],
    /// As [`RATIOS`] says.
    pub(super) ratios: [RatioSums; RATIOS],
    weights: WeightSums,
    support: [Support; 2],
    worth: CompensatedSum,
    items: u64,
    pub(super) click_derived: u64,
}

impl Sums {
    /// Adds a session; `hits` are the numbers of hits in the two arms' top ranks.
    pub(super) fn record(&mut self, session: &OfSession, items: usize, hits: [u32; 2], noise: f64) {
        for (tally, [old, new]) in self.estimates.iter_mut().zip(session.values) {
            tally.add(old, new, noise);
        }
        for (sums, (above, below)) in self.ratios.iter_mut().zip(session.ratio_parts()) {
            sums.record(above, below);
        }
        self.weights.merge(session.weights);
        for ((support, hits), (covered, discounts)) in self.support.iter_mut().zip(hits).zip(session.covered) {
            support.hits += u64::from(hits);
            support.covered += covered;
            support.uncovered.add((1..=hits).map(discount).sum::<f64>() - discounts);
        }
        self.worth.add(session.worth);
        self.items += items as u64;
        self.click_derived += u64::from(session.click_derived);
    }

    pub(in crate::compare) fn merge(&mut self, other: Self) {
        self.estimates.iter_mut().zip(other.estimates).for_each(|(ours, theirs)| ours.merge(theirs));
        self.ratios.iter_mut().zip(other.ratios).for_each(|(ours, theirs)| ours.merge(theirs));
        self.weights.merge(other.weights);
        for (ours, theirs) in self.support.iter_mut().zip(other.support) {
            ours.hits += theirs.hits;
            ours.covered += theirs.covered;
            ours.uncovered.merge(theirs.uncovered);
        }
        self.worth.merge(other.worth);
        self.items += other.items;
        self.click_derived += other.click_derived;
    }

    /// Returns the number of sessions.
    pub(super) fn sessions(&self) -> u64 {
        self.ratios.first().map_or(0, |ratio| ratio.n)
    }

    /// Returns the shares of the two arms' top ranks that were exposed; undefined for an arm that returned nothing.
    pub(super) fn coverage(&self) -> [Option<f64>; 2] {
        self.support.map(|support| (support.hits > 0).then(|| support.covered as f64 / support.hits as f64))
    }

    /// Returns the least and the most that the weighted difference can be, where an unexposed item is worth between nothing and
    /// the mean of the exposed ones.
    pub(super) fn bounds(&self) -> Option<[f64; 2]> {
        let tally = self.estimates.get(WEIGHTED)?;
        let (delta, n) = (tally.deltas.mean()?, self.sessions() as f64);
        let mean_worth = if self.items > 0 { self.worth.total() / self.items as f64 } else { 0.0 };
        let [old, new] = self.support.map(|support| mean_worth * support.uncovered.total().max(0.0) / n);
        Some([delta - old, delta + new])
    }

    pub(super) fn weights(&self) -> ClickWeights {
        let (sum, squares) = (self.weights.sum.total(), self.weights.squares.total());
        let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
        ClickWeights {
            clicks: self.weights.clicks,
            effective_sample: share(sum * sum, squares),
            clipped: self.weights.clipped,
            largest_share: share(self.weights.largest, sum),
            unweighted: self.weights.unweighted,
        }
    }
}

/// Returns for each rank of two top lists, given by the keys of their items, what it is among the items that are in both; 0 for the
/// others.
pub(super) fn common_ranks(old: &[u64], new: &[u64]) -> [Vec<u32>; 2] {
    let among = |list: &[u64], other: &[u64]| {
        let mut common = 0;
        let place = |key: &u64| {
            if other.contains(key) {
                common += 1;
                common
            } else {
                0
            }
        };
        list.iter().map(place).collect()
    };
    [among(old, new), among(new, old)]
}

/// Returns the first ranks of the curve.
pub(super) fn by_rank(curve: &ExaminationCurve, ranks: usize) -> Vec<f64> {
    (1..=ranks).filter_map(NonZeroUsize::new).map(|rank| curve.at(rank)).collect()
}
