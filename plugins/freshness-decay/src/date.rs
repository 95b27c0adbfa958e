//! Points in time, as a corpus writes them.

/// Returns milliseconds since 1970, UTC, of a date or a time of RFC 3339 (`2026-01-31`, `2026-01-31T09:30:00.25+01:00`), or
/// of a whole number, which is milliseconds already. A date alone means its beginning in UTC; `None` for anything else.
pub(crate) fn milliseconds(text: &str) -> Option<i64> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let days = days_since_1970(date)?;
    let within_day = time.map_or(Some(0), time_of_day)?;
    Some(days * 86_400_000 + within_day)
}

fn days_since_1970(date: &str) -> Option<i64> {
    let mut parts = date.split('-');
    let (year, month, day) = (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if parts.next().is_some() || !(1..=12).contains(&month) || !(1..=length).contains(&day) {
        return None;
    }
    // Years that begin in March, so that the leap day comes last: Hinnant, chrono-compatible low-level date algorithms.
    let shifted = year - i64::from(month <= 2);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let (era, year_of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    Some(era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468)
}

/// Returns the milliseconds of `09:30:00.25+01:00` since midnight UTC, which may be negative.
fn time_of_day(time: &str) -> Option<i64> {
    let (clock, offset) = match time.strip_suffix(['Z', 'z']) {
        Some(clock) => (clock, 0),
        None => {
            let at = time.rfind(['+', '-'])?;
            let (hours, minutes) = time[at + 1..].split_once(':')?;
            let minutes = digits(hours, 2)? * 60 + digits(minutes, 2)?;
            (&time[..at], if time[at..].starts_with('-') { -minutes } else { minutes })
        }
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut parts = clock.split(':');
    let (hour, minute, second) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 60 || offset.abs() >= 24 * 60 {
        return None;
    }
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let milliseconds = fraction.bytes().chain(*b"000").take(3).fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    Some(((hour * 60 + minute - offset) * 60 + second) * 1000 + milliseconds)
}

/// Returns a number of exactly that many digits.
fn digits(text: &str, count: usize) -> Option<i64> {
    if text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_times_and_milliseconds_are_read() {
        for (text, expected) in [
            ("1970-01-01", 0),
            ("2026-01-31", 1_769_817_600_000),
            ("2024-02-29T23:59:60Z", 1_709_251_200_000),
            ("2000-03-01t00:00:00z", 951_868_800_000),
            ("1969-12-31T23:00:00-01:00", 0),
            ("2026-01-31 09:30:00.25+01:00", 1_769_848_200_250),
            ("2026-01-31T09:30:00.1234567Z", 1_769_851_800_123),
            ("1769817600000", 1_769_817_600_000),
            ("-5", -5),
        ] {
            assert_eq!(milliseconds(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn anything_else_is_not() {
        for text in [
            "",
            "today",
            "2026-1-31",
            "2026-13-01",
            "2026-02-29",
            "2026-00-10",
            "2026-01-32",
            "2026-01-01-01",
            "2026-01-01T",
            "2026-01-01T10:00:00",
            "2026-01-01T10:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T10:00:00.Z",
            "2026-01-01T10:00:00.5x+01:00",
            "2026-01-01T10:00:00+0100",
            "2026-01-01T10:00:00+25:00",
            "é026-01-01",
            "1.5",
        ] {
            assert_eq!(milliseconds(text), None, "{text}");
        }
    }
}
