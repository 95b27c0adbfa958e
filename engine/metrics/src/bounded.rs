//! Numbers that are checked once, where they enter.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

/// Why a number is refused.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("expected {expected}, found `{found}`")]
pub struct OutOfBounds {
    expected: &'static str,
    found: f64,
}

/// A finite number above 0, such as the lowest relevant grade.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PositiveNumber(f64);

impl PositiveNumber {
    /// 1, the lowest relevant grade of programs that know whole grades only.
    pub const ONE: Self = Self(1.0);
    /// 4, the highest grade of most graded collections.
    pub const FOUR: Self = Self(4.0);

    /// Returns the number if it is finite and above 0.
    ///
    /// # Errors
    ///
    /// Any other number, NaN and the infinities included.
    pub const fn new(number: f64) -> Result<Self, OutOfBounds> {
        if number > 0.0 && number.is_finite() {
            Ok(Self(number))
        } else {
            Err(OutOfBounds { expected: "a finite number above 0", found: number })
        }
    }

    /// Returns the plain number.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

/// A number strictly between 0 and 1: a confidence level, a significance level, a power, a persistence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Proportion(f64);

impl Proportion {
    /// 0.05, the usual significance level.
    pub const FIVE_PERCENT: Self = Self(0.05);
    /// 0.8, the usual power.
    pub const EIGHTY_PERCENT: Self = Self(0.8);
    /// 0.9, the usual persistence of rank-biased overlap.
    pub const NINETY_PERCENT: Self = Self(0.9);
    /// 0.95, the usual confidence level.
    pub const NINETY_FIVE_PERCENT: Self = Self(0.95);

    /// Returns the number if it is above 0 and below 1.
    ///
    /// # Errors
    ///
    /// Any other number, 0, 1 and NaN included.
    pub const fn new(number: f64) -> Result<Self, OutOfBounds> {
        if number > 0.0 && number < 1.0 {
            Ok(Self(number))
        } else {
            Err(OutOfBounds { expected: "a number above 0 and below 1", found: number })
        }
    }

    /// Returns the plain number.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

/// A recall that a ranking reaches: a number from 0 to 1, both included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RecallLevel(f64);

impl RecallLevel {
    /// The eleven levels of the classic recall-precision curve.
    pub const ELEVEN: [Self; 11] = [
        Self(0.0),
        Self(0.1),
        Self(0.2),
        Self(0.3),
        Self(0.4),
        Self(0.5),
        Self(0.6),
        Self(0.7),
        Self(0.8),
        Self(0.9),
        Self(1.0),
    ];

    /// Returns the number if it is neither below 0 nor above 1.
    ///
    /// # Errors
    ///
    /// Any other number, NaN included.
    pub const fn new(number: f64) -> Result<Self, OutOfBounds> {
        if number >= 0.0 && number <= 1.0 {
            // -0 becomes 0.
            Ok(Self(number + 0.0))
        } else {
            Err(OutOfBounds { expected: "a number from 0 to 1", found: number })
        }
    }

    /// Returns the plain number.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

/// These types hold no NaN and no -0, so that equality of numbers is equality of bits and the order is total.
macro_rules! total_order_and_text {
    ($($name:ident),*) => {$(
        impl Eq for $name {}

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                self.0.total_cmp(&other.0)
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.0.to_bits().hash(state);
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }

        impl TryFrom<f64> for $name {
            type Error = OutOfBounds;

            fn try_from(number: f64) -> Result<Self, OutOfBounds> {
                Self::new(number)
            }
        }
    )*};
}

total_order_and_text!(PositiveNumber, Proportion, RecallLevel);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proportions_lie_strictly_inside_the_unit_interval() {
        for refused in [0.0, 1.0, -0.1, 1.5, f64::NAN, f64::INFINITY] {
            assert!(Proportion::new(refused).is_err(), "{refused}");
        }
        assert_eq!(Proportion::new(0.5).unwrap().get(), 0.5);
        assert_eq!(Proportion::new(1.0).unwrap_err().to_string(), "expected a number above 0 and below 1, found `1`");
    }

    #[test]
    fn positive_numbers_are_finite() {
        for refused in [0.0, -0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(PositiveNumber::new(refused).is_err(), "{refused}");
        }
        assert_eq!(PositiveNumber::new(2.0).unwrap().to_string(), "2");
    }
}
