//! The `Retry-After` header: how long a server asks to be left alone.

use std::time::Duration;

use jiff::Timestamp;

/// Returns how long a `Retry-After` header of this text asks to wait: seconds, or an HTTP date (RFC 9110, section 10.2.3;
/// a date in the past is no wait). `None` for anything else.
#[must_use]
pub fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number too large to be read is still a number of seconds; whoever waits has a cap.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(Duration::try_from(date.timestamp().duration_since(now)).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_read_and_anything_else_is_not() {
        let now: Timestamp = "2026-11-06T08:49:37Z".parse().unwrap();
        let cases = [
            ("0", Some(0)),
            (" 120 ", Some(120)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Fri, 06 Nov 2026 08:50:00 GMT", Some(23)),
            ("Fri, 06 Nov 2026 08:00:00 GMT", Some(0)),
            ("Sat, 07 Nov 2026 08:49:37 GMT", Some(86_400)),
            ("", None),
            ("-5", None),
            ("1.5", None),
            ("soon", None),
            ("Fri, 99 Nov 2026 08:50:00 GMT", None),
        ];
        for (text, seconds) in cases {
            assert_eq!(retry_after(text, now), seconds.map(Duration::from_secs), "{text:?}");
        }
    }
}
