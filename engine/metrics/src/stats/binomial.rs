//! The binomial distribution of fair coins.

use std::f64::consts::{LN_2, PI};

use crate::sum::whole;

/// Returns the probability that, of `first + second` fair coins, the split is at least this uneven, in (0, 1].
pub(super) fn fair_split_p(first: u64, second: u64) -> f64 {
    if first == second { 1.0 } else { (2.0 * lower_tail(first.min(second), first + second)).min(1.0) }
}

/// Returns P(X <= k) for the number X of heads among n fair coins; k is below n / 2.
fn lower_tail(k: u64, n: u64) -> f64 {
    let (mut term, mut total) = (1.0, 1.0);
    for heads in (1..=k).rev() {
        term *= whole(heads) / whole(n - heads + 1);
        total += term;
        if term < f64::EPSILON * total / 16.0 {
            break;
        }
    }
    probability(k, n) * total
}

/// Returns P(X = k), without the cancellation of logarithms of huge factorials. Source: Loader 2000, Fast and accurate
/// computation of binomial probabilities.
fn probability(k: u64, n: u64) -> f64 {
    if k == 0 {
        return (-whole(n) * LN_2).exp();
    }
    let (heads, tails, coins) = (whole(k), whole(n - k), whole(n));
    let unevenness = (tails - heads) / coins;
    let deviance = coins / 2.0 * ((1.0 - unevenness) * (-unevenness).ln_1p() + (1.0 + unevenness) * unevenness.ln_1p());
    let corrections = stirling_error(n) - stirling_error(k) - stirling_error(n - k);
    (corrections - deviance).exp() * (coins / (2.0 * PI * heads * tails)).sqrt()
}

/// Returns ln n! less Stirling's formula for it.
fn stirling_error(n: u64) -> f64 {
    let number = whole(n);
    if n < 16 {
        // 15! is below 2^53, so the product is exact.
        let factorial: f64 = (1..=n).map(whole).product();
        return factorial.ln() - (number + 0.5) * number.ln() + number - (2.0 * PI).ln() / 2.0;
    }
    let square = number * number;
    let tail = 1.0 / 1260.0 - (1.0 / 1680.0 - 1.0 / 1188.0 / square) / square;
    (1.0 / 12.0 - (1.0 / 360.0 - tail / square) / square) / number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_splits_by_hand() {
        assert_eq!(fair_split_p(0, 0), 1.0);
        assert_eq!(fair_split_p(3, 3), 1.0);
        assert!((fair_split_p(0, 5) - 2.0 / 32.0).abs() < 1e-15);
        assert!((fair_split_p(4, 1) - 12.0 / 32.0).abs() < 1e-15);
        assert!((fair_split_p(1, 2) - 1.0).abs() < 1e-15);
    }

    #[test]
    fn splits_equal_scipys() {
        for (first, second, p) in [
            (12, 25, 0.04703102743951604),
            (26, 11, 0.020073851919732988),
            (3, 97, 2.630866896130179e-25),
            (480, 520, 0.2174482932041415),
            (5100, 4900, 0.04658552770494645),
            (501200, 498800, 0.016439872011427496),
            (500010, 499990, 0.9848411066730254),
            (0, 60, 1.734723475976807e-18),
        ] {
            let value = fair_split_p(first, second);
            assert!((value / p - 1.0).abs() < 1e-11, "{first} {second}: {value} {p}");
        }
    }
}
