//! The `Server-Timing` header (W3C): `recall;dur=12.3, rerank;desc="cross encoder";dur=41`.

use reqwest::header::HeaderMap;

use super::timings::nanoseconds;
use crate::benchmark::stages::http::TimingUnit;
use crate::replay::Timing;

/// Most timings that are taken from an answer, and most characters of a name.
const MOST_TIMINGS: usize = 32;
const LONGEST_NAME: usize = 64;

/// Returns the timings of the headers that have a duration, in their order; of one name the first stays.
pub(super) fn server_timings(headers: &HeaderMap) -> Vec<Timing> {
    let mut timings: Vec<Timing> = Vec::new();
    for text in headers.get_all("server-timing").iter().filter_map(|value| value.to_str().ok()) {
        for metric in split_outside_quotes(text, ',') {
            let Some(timing) = timing(metric) else { continue };
            if timings.len() < MOST_TIMINGS && !timings.iter().any(|known| known.name == timing.name) {
                timings.push(timing);
            }
        }
    }
    timings
}

fn timing(metric: &str) -> Option<Timing> {
    let mut parts = split_outside_quotes(metric, ';').into_iter().map(str::trim);
    let name = parts.next().filter(|name| is_token(name) && name.len() <= LONGEST_NAME)?;
    let duration = |part: &str| {
        let (key, value) = part.split_once('=')?;
        let value = value.trim().trim_matches('"');
        key.trim().eq_ignore_ascii_case("dur").then(|| value.parse::<f64>().ok())?
    };
    let milliseconds = parts.find_map(duration)?;
    Some(Timing { name: name.to_owned(), latency_ns: nanoseconds(milliseconds, TimingUnit::Milliseconds)? })
}

/// A token of RFC 9110.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn split_outside_quotes(text: &str, separator: char) -> Vec<&str> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (position, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if character == separator && !quoted => {
                parts.extend(text.get(start..position));
                start = position + character.len_utf8();
            }
            _ => {}
        }
    }
    parts.extend(text.get(start..));
    parts
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn read(texts: &[&str]) -> Vec<(String, i64)> {
        let mut headers = HeaderMap::new();
        for text in texts {
            headers.append(HeaderName::from_static("server-timing"), HeaderValue::from_str(text).unwrap());
        }
        server_timings(&headers).into_iter().map(|timing| (timing.name, timing.latency_ns)).collect()
    }

    #[test]
    fn durations_are_read_by_name_and_anything_else_is_passed_over() {
        let recall = ("recall".to_owned(), 12_300_000);
        assert_eq!(
            read(&["recall;dur=12.3, rerank;desc=\"a, b;dur=9\";dur=41"]),
            [recall.clone(), ("rerank".into(), 41_000_000)]
        );
        assert_eq!(read(&["recall;dur=\"12.3\"", "recall;dur=1", "cache;desc=hit"]), [recall]);
        for hostile in
            ["", ";;;", "a;dur=", "a;dur=NaN", "a;dur=-1", "a;dur=1e300", "a b;dur=1", "\"", "a;dur", "=;=,=;="]
        {
            assert_eq!(read(&[hostile]), [], "{hostile}");
        }
        let many: Vec<String> = (0..100).map(|number| format!("t{number};dur=1")).collect();
        assert_eq!(read(&[&many.join(",")]).len(), MOST_TIMINGS);
        assert_eq!(read(&[&format!("{};dur=1", "x".repeat(65))]), []);
    }
}
