//! The point where a monotone condition ends.

/// Returns the largest number found, between `low` and `high`, for which the condition holds: it holds at `low`, and once it
/// fails it fails up to `high`.
pub(super) fn last_where(mut low: f64, mut high: f64, holds: impl Fn(f64) -> bool) -> f64 {
    // 200 halvings reach neighbouring floats unless the point is within 1e-60 of 0.
    for _ in 0..200 {
        let middle = low.midpoint(high);
        if middle <= low || middle >= high {
            break;
        }
        if holds(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// Returns `start` doubled until the condition fails; `None` where it holds as far as numbers go.
pub(super) fn first_doubling_beyond(start: f64, holds: impl Fn(f64) -> bool) -> Option<f64> {
    std::iter::successors(Some(start), |high| Some(high * 2.0))
        .take_while(|high| high.is_finite())
        .find(|&high| !holds(high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_square_root_to_the_last_bit() {
        let high = first_doubling_beyond(1.0, |x| x * x <= 200.0).unwrap();
        assert_eq!(high, 16.0);
        let root = last_where(0.0, high, |x| x * x <= 200.0);
        assert!((root - 200.0_f64.sqrt()).abs() < 1e-14);
    }

    #[test]
    fn condition_without_end_has_no_bracket() {
        assert_eq!(first_doubling_beyond(1.0, |_| true), None);
    }
}
