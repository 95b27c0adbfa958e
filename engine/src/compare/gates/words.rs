//! Numbers as a gate's reason says them, in the unit of what was measured.

/// The unit of what a gate looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// A metric or a scorer: a number.
    Score,
    /// A time.
    Milliseconds,
    /// A share of the sessions, said in per cent.
    Share,
}

impl Unit {
    /// Returns an amount in words.
    pub(super) fn amount(self, value: f64) -> String {
        match self {
            Self::Score => format!("{value:.4}"),
            Self::Milliseconds => format!("{value:.2} ms"),
            Self::Share => format!("{:.2} %", value * 100.0),
        }
    }

    /// Returns a difference in words, with its sign.
    pub(super) fn change(self, value: f64) -> String {
        match self {
            Self::Score => format!("{value:+.4}"),
            Self::Milliseconds => format!("{value:+.2} ms"),
            Self::Share => format!("{:+.2} %", value * 100.0),
        }
    }
}

/// Returns a confidence such as `95 %`; one close to 1 keeps the digits that tell it from 1.
pub(super) fn confidence(level: f64) -> String {
    let mut digits = 0;
    // Each further digit must still change what is said.
    while digits < 4 && (level * 100.0 - rounded(level * 100.0, digits)).abs() > 0.05 * (1.0 - level) * 100.0 {
        digits += 1;
    }
    format!("{:.digits$} %", level * 100.0)
}

fn rounded(value: f64, digits: usize) -> f64 {
    let factor = (0..digits).fold(1.0, |factor: f64, _| factor * 10.0);
    (value * factor).round() / factor
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_their_unit() {
        assert_eq!(Unit::Score.change(-0.01234), "-0.0123");
        assert_eq!(Unit::Milliseconds.amount(12.3456), "12.35 ms");
        assert_eq!(Unit::Share.change(0.0125), "+1.25 %");
    }

    #[test]
    fn a_confidence_close_to_one_is_told_from_one() {
        assert_eq!(confidence(0.95), "95 %");
        assert_eq!(confidence(1.0 - 0.05 / 31.0), "99.84 %");
        assert_eq!(confidence(1.0 - 0.05 / 5.0), "99 %");
    }
}
