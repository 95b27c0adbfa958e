//! Times as logs write them: RFC 3339 text with any offset, or milliseconds since the Unix epoch.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// How a time was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum InstantShape {
    /// Text that ends in `Z`.
    Utc,
    /// Text with an offset, such as `+0000` or `+01:00`.
    Offset,
    /// Text without a zone.
    NoZone,
    /// A whole number: milliseconds since the Unix epoch.
    EpochMilliseconds,
}

impl InstantShape {
    /// Returns an example of the shape, for messages.
    pub(super) fn example(self) -> &'static str {
        match self {
            Self::Utc => "2026-01-01T00:00:00Z",
            Self::Offset => "2026-01-01T00:00:00+0000",
            Self::NoZone => "2026-01-01T00:00:00",
            Self::EpochMilliseconds => "1767225600000",
        }
    }
}

/// Returns the milliseconds since the Unix epoch and how they were written, or `None` for another text.
///
/// Text without a zone is taken as UTC; the shape tells, so that a caller can refuse or count it.
pub(super) fn parse_instant(text: &str) -> Option<(i64, InstantShape)> {
    let text = text.trim();
    if let Ok(milliseconds) = text.parse::<i64>() {
        return Some((milliseconds, InstantShape::EpochMilliseconds));
    }
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        let shape = if text.ends_with(['Z', 'z']) { InstantShape::Utc } else { InstantShape::Offset };
        return Some((timestamp.as_millisecond(), shape));
    }
    let civil = text.parse::<DateTime>().ok()?;
    let zoned = civil.to_zoned(TimeZone::UTC).ok()?;
    Some((zoned.timestamp().as_millisecond(), InstantShape::NoZone))
}

/// Returns the milliseconds of a time that must name its zone: RFC 3339 text or milliseconds since the Unix epoch.
pub(super) fn parse_exact_instant(text: &str) -> Option<i64> {
    parse_instant(text).filter(|(_, shape)| *shape != InstantShape::NoZone).map(|(milliseconds, _)| milliseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shapes_of_one_instant_agree() {
        for (text, shape) in [
            ("2024-12-10T00:01:29.378Z", InstantShape::Utc),
            ("2024-12-10T00:01:29.378+0000", InstantShape::Offset),
            ("2024-12-10T01:01:29.378+01:00", InstantShape::Offset),
            ("2024-12-10T00:01:29.378", InstantShape::NoZone),
            ("1733788889378", InstantShape::EpochMilliseconds),
        ] {
            assert_eq!(parse_instant(text), Some((1_733_788_889_378, shape)), "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_instants() {
        for text in ["", "yesterday", "2024-13-01T00:00:00Z", "1e3", "99999999999999999999", "2024-12-10T00:00:00 CET"]
        {
            assert_eq!(parse_instant(text), None, "{text}");
        }
        assert_eq!(parse_exact_instant("2024-12-10T00:01:29"), None);
    }
}
