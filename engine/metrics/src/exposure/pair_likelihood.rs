//! The likelihood of clicks at pairs of ranks, and where it is highest.

use super::symmetric_system::solve;

/// Of an end's weight, the least part that counts as not clicked: keeps a click rate of 1 inside the model.
const LEAST_UNCLICKED: f64 = 1e-6;

/// Newton's method on a concave function needs a dozen steps; halved ones near the edge of the model, some more.
const MOST_STEPS: usize = 200;

/// A step that could still raise the log-likelihood by less than this share of the weight is the last.
const CONVERGED: f64 = 1e-16;

/// One end of a pair: the rank's index and what was clicked there and what not.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    /// Index of the rank; 0 is rank 1, whose theta is fixed at 1.
    pub(super) rank: usize,
    /// Weighted clicks, from 0 to the weight.
    pub(super) clicks: f64,
    /// The pair's weight.
    pub(super) weight: f64,
}

impl End {
    fn unclicked(self) -> f64 {
        (self.weight - self.clicks).max(LEAST_UNCLICKED * self.weight)
    }

    /// Returns the log-likelihood at a log click probability below 0.
    fn log_likelihood(self, log_probability: f64) -> f64 {
        self.clicks * log_probability + self.unclicked() * (-log_probability.exp_m1()).ln()
    }

    /// Returns the first derivative of it and the negative second.
    fn slope_and_curvature(self, log_probability: f64) -> (f64, f64) {
        let odds = log_probability.exp() / -log_probability.exp_m1();
        let unclicked = self.unclicked();
        (self.clicks - unclicked * odds, unclicked * odds * (1.0 + odds))
    }
}

/// The parameters: ln theta per rank, and per pair the logarithm of the mean attractiveness of its items.
#[derive(Debug, Clone)]
struct Point {
    log_theta: Vec<f64>,
    log_attraction: Vec<f64>,
}

impl Point {
    fn log_probability(&self, pair: usize, rank: usize) -> f64 {
        let at = |values: &[f64], index: usize| values.get(index).copied().unwrap_or(0.0);
        at(&self.log_theta, rank) + at(&self.log_attraction, pair)
    }

    /// Returns the log-likelihood, `None` outside the model, where a click would be more than certain.
    fn log_likelihood(&self, pairs: &[[End; 2]]) -> Option<f64> {
        let ends = pairs.iter().enumerate().flat_map(|(index, ends)| ends.iter().map(move |end| (index, end)));
        let terms = ends.map(|(pair, end)| {
            let log_probability = self.log_probability(pair, end.rank);
            (log_probability < 0.0).then(|| end.log_likelihood(log_probability))
        });
        terms.sum::<Option<f64>>().filter(|total| total.is_finite())
    }

    fn moved(&self, step: &Point, share: f64) -> Self {
        let moved =
            |from: &[f64], step: &[f64]| from.iter().zip(step).map(|(from, step)| from + share * step).collect();
        Self {
            log_theta: moved(&self.log_theta, &step.log_theta),
            log_attraction: moved(&self.log_attraction, &step.log_attraction),
        }
    }
}

/// Where the likelihood is highest.
#[derive(Debug, Clone)]
pub(super) struct Fit {
    /// Per rank, ln theta; 0 for index 0.
    pub(super) log_theta: Vec<f64>,
    /// Per rank, the standard error of ln theta from the curvature; 0 for index 0.
    pub(super) standard_errors: Vec<f64>,
}

/// Returns the maximum of the likelihood of pairs, `None` where it is not found: the caller makes sure that there is one, that
/// is, that every rank's clicks link it to index 0 in both directions.
///
/// An end's clicks are binomial with probability theta(rank) · attractiveness(pair). In logarithms that is concave; the
/// attractivenesses leave the equations by elimination, so that only the ranks' remain.
pub(super) fn fit(ranks: usize, pairs: &[[End; 2]]) -> Option<Fit> {
    let total_weight: f64 = pairs.iter().flatten().map(|end| end.weight).sum();
    let mut point = start(ranks, pairs);
    let mut height = point.log_likelihood(pairs)?;
    for _ in 0..MOST_STEPS {
        let (step, gain) = newton_step(&point, pairs)?;
        let mut share = 1.0;
        let next = loop {
            let candidate = point.moved(&step, share);
            match candidate.log_likelihood(pairs) {
                Some(higher) if higher >= height => break Some((candidate, higher)),
                _ if share < 1e-12 => break None,
                _ => share /= 2.0,
            }
        };
        // Where no part of the step goes up any more, rounding is all that is left.
        let Some((higher_point, higher)) = next else { return finished(point, pairs) };
        (point, height) = (higher_point, higher);
        if gain <= CONVERGED * total_weight {
            return finished(point, pairs);
        }
    }
    None
}

/// Every rank looked at alike, and each pair as attractive as it was clicked, or half where that is more.
fn start(ranks: usize, pairs: &[[End; 2]]) -> Point {
    let log_attraction = pairs.iter().map(|[one, other]| {
        ((one.clicks + other.clicks) / (one.weight + other.weight)).clamp(f64::MIN_POSITIVE, 0.5).ln()
    });
    Point { log_theta: vec![0.0; ranks], log_attraction: log_attraction.collect() }
}

/// Returns Newton's step and how much it would raise a parabola, twice.
fn newton_step(point: &Point, pairs: &[[End; 2]]) -> Option<(Point, f64)> {
    let ranks = point.log_theta.len();
    let mut rows = laplacian(point, pairs);
    let mut slopes = vec![0.0; ranks];
    for (index, ends) in pairs.iter().enumerate() {
        let [(slope, curvature), (other_slope, other_curvature)] = derivatives(point, index, ends);
        let pull = (other_curvature * slope - curvature * other_slope) / (curvature + other_curvature);
        for (end, pull) in ends.iter().zip([pull, -pull]) {
            *slopes.get_mut(end.rank)? += pull;
        }
    }
    for (row, slope) in rows.iter_mut().zip(slopes.iter().skip(1)) {
        row.push(*slope);
    }
    let solution = solve(rows)?;
    let log_theta: Vec<f64> = std::iter::once(0.0).chain(solution.into_iter().flatten()).collect();
    let mut gain: f64 = log_theta.iter().zip(&slopes).map(|(step, slope)| step * slope).sum();
    let mut log_attraction = Vec::with_capacity(pairs.len());
    for (index, ends) in pairs.iter().enumerate() {
        let found = derivatives(point, index, ends);
        let curvature: f64 = found.iter().map(|(_, curvature)| curvature).sum();
        let slope: f64 = found.iter().map(|(slope, _)| slope).sum();
        let shared: f64 = ends
            .iter()
            .zip(found)
            .map(|(end, (_, curvature))| curvature * log_theta.get(end.rank).copied().unwrap_or(0.0))
            .sum();
        log_attraction.push((slope - shared) / curvature);
        gain += slope * slope / curvature;
    }
    let step = Point { log_theta, log_attraction };
    step.log_theta.iter().chain(&step.log_attraction).all(|value| value.is_finite()).then_some((step, gain))
}

fn derivatives(point: &Point, pair: usize, ends: &[End; 2]) -> [(f64, f64); 2] {
    ends.map(|end| end.slope_and_curvature(point.log_probability(pair, end.rank)))
}

/// Returns the information about ln theta of every rank but index 0: the Laplacian of the graph of pairs, each as strong as its
/// weaker end.
fn laplacian(point: &Point, pairs: &[[End; 2]]) -> Vec<Vec<f64>> {
    let free = point.log_theta.len().saturating_sub(1);
    let mut rows = vec![vec![0.0; free]; free];
    for (index, ends) in pairs.iter().enumerate() {
        let [(_, curvature), (_, other)] = derivatives(point, index, ends);
        let strength = curvature * other / (curvature + other);
        let [one, two] = ends.map(|end| end.rank);
        for (row, column, value) in
            [(one, one, strength), (two, two, strength), (one, two, -strength), (two, one, -strength)]
        {
            let cell = row.checked_sub(1).zip(column.checked_sub(1));
            if let Some(cell) = cell.and_then(|(row, column)| rows.get_mut(row)?.get_mut(column)) {
                *cell += value;
            }
        }
    }
    rows
}

fn finished(point: Point, pairs: &[[End; 2]]) -> Option<Fit> {
    let mut rows = laplacian(&point, pairs);
    let free = rows.len();
    for (index, row) in rows.iter_mut().enumerate() {
        row.extend((0..free).map(|column| f64::from(u8::from(column == index))));
    }
    let covariance = solve(rows)?;
    let variances = covariance.iter().enumerate().map(|(index, row)| row.get(index).copied().unwrap_or(0.0));
    let standard_errors = std::iter::once(0.0).chain(variances.map(|variance| variance.max(0.0).sqrt())).collect();
    Some(Fit { log_theta: point.log_theta, standard_errors })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(rank: usize, clicks: f64, weight: f64) -> End {
        End { rank, clicks, weight }
    }

    #[test]
    fn one_pair_gives_the_ratio_of_its_click_rates() {
        let fit = fit(2, &[[end(0, 40.0, 100.0), end(1, 10.0, 100.0)]]).unwrap();
        assert!((fit.log_theta[1] - 0.25_f64.ln()).abs() < 1e-12);
        // The delta method: Var ln rate = (1 - rate) / (n rate).
        let variance = 0.6 / 40.0 + 0.9 / 10.0;
        assert!((fit.standard_errors[1] - f64::sqrt(variance)).abs() < 1e-9);
        assert_eq!((fit.log_theta[0], fit.standard_errors[0]), (0.0, 0.0));
    }

    #[test]
    fn derivatives_are_those_of_the_likelihood() {
        let end = end(0, 3.0, 10.0);
        let (at, step) = (-0.7, 1e-5);
        let (slope, curvature) = end.slope_and_curvature(at);
        let numeric = (end.log_likelihood(at + step) - end.log_likelihood(at - step)) / (2.0 * step);
        assert!((slope - numeric).abs() < 1e-6);
        let second = (end.slope_and_curvature(at + step).0 - end.slope_and_curvature(at - step).0) / (2.0 * step);
        assert!((curvature + second).abs() < 1e-6);
    }

    #[test]
    fn a_rank_that_is_always_clicked_stays_inside_the_model() {
        let fit = fit(2, &[[end(0, 100.0, 100.0), end(1, 50.0, 100.0)]]).unwrap();
        assert!((fit.log_theta[1] - 0.5_f64.ln()).abs() < 1e-5, "{}", fit.log_theta[1]);
    }
}
