//! Which numbers of an answer are spans of time, and in which unit?

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::path::Path;

/// A number that seems to be a span of time which the server measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TimingPath {
    /// The member's own name.
    pub name: String,
    /// JSONPath of the number.
    pub path: String,
    /// `s`, `ms`, `us` or `ns`.
    pub unit: &'static str,
    /// The number found.
    pub value: f64,
}

/// Steps down from the root that are looked at.
const DEEPEST: usize = 6;

/// Returns the numbers whose names are those of spans of time. Lists are not looked into. Where no name says the unit,
/// a fraction that would fit into `latency` (what the client measured) as seconds is seconds, any other number
/// milliseconds.
#[must_use]
pub fn propose_timings(answer: &Value, latency: Duration) -> Vec<TimingPath> {
    let mut timings = Vec::new();
    collect(answer, &Path::default(), false, latency, &mut timings);
    timings
}

fn collect(value: &Value, path: &Path, within: bool, latency: Duration, timings: &mut Vec<TimingPath>) {
    let Value::Object(members) = value else { return };
    if path.depth() > DEEPEST {
        return;
    }
    for (name, member) in members {
        let path = path.member(name);
        let is_timing = is_span(name);
        match member.as_f64() {
            Some(value) if (is_timing || within) && value >= 0.0 => timings.push(TimingPath {
                name: name.clone(),
                path: path.to_string(),
                unit: unit(name, member, latency),
                value,
            }),
            // All members of `timing` or `phase_took` are spans.
            _ => collect(member, &path, within || is_timing, latency, timings),
        }
    }
}

fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}

/// Words of names that are points in time or settings.
const NO_SPANS: [&str; 7] = ["timestamp", "timeout", "timedout", "starttime", "endtime", "datetime", "timezone"];
const SPANS: [&str; 6] = ["took", "time", "elapsed", "duration", "latency", "queryms"];

fn is_span(name: &str) -> bool {
    let name = plain(name);
    SPANS.iter().any(|word| name.contains(word)) && !NO_SPANS.iter().any(|word| name.contains(word))
}

fn unit(name: &str, value: &Value, latency: Duration) -> &'static str {
    const UNITS: [(&str, &str); 9] = [
        ("ms", "ms"),
        ("millis", "ms"),
        ("milliseconds", "ms"),
        ("us", "us"),
        ("micros", "us"),
        ("microseconds", "us"),
        ("ns", "ns"),
        ("nanos", "ns"),
        ("seconds", "s"),
    ];
    let plain = plain(name);
    if let Some((_, unit)) = UNITS.iter().find(|(end, _)| plain.ends_with(end)) {
        return unit;
    }
    let seconds = value.as_f64().filter(|seconds| seconds.fract() != 0.0);
    match seconds {
        Some(seconds) if seconds <= latency.as_secs_f64() => "s",
        _ => "ms",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(answer: &Value) -> Vec<(String, &'static str)> {
        let timings = propose_timings(answer, Duration::from_millis(30));
        let mut found: Vec<_> = timings.into_iter().map(|timing| (timing.path, timing.unit)).collect();
        // The order of an answer's members is not that of its text.
        found.sort();
        found
    }

    #[test]
    fn the_timings_of_known_engines_are_recognised() {
        let cases = [
            (
                json!({ "took": 5, "timed_out": false, "phase_took": { "query": 3, "fetch": 1 } }),
                vec![("$.took", "ms"), ("$.phase_took.query", "ms"), ("$.phase_took.fetch", "ms")],
            ),
            (json!({ "responseHeader": { "status": 0, "QTime": 12 } }), vec![("$.responseHeader.QTime", "ms")]),
            (
                json!({ "timing": { "querytime": 0.009, "summaryfetchtime": 0.001, "searchtime": 0.011 } }),
                vec![("$.timing.querytime", "s"), ("$.timing.summaryfetchtime", "s"), ("$.timing.searchtime", "s")],
            ),
            (json!({ "result": {}, "time": 0.002 }), vec![("$.time", "s")]),
            (json!({ "search_time_ms": 4 }), vec![("$.search_time_ms", "ms")]),
            (json!({ "processingTimeMs": 0 }), vec![("$.processingTimeMs", "ms")]),
            (json!({ "query_ms": 4.6 }), vec![("$.query_ms", "ms")]),
            (
                json!({ "header": { "start_time": 1_795_256_218.98, "elapsed_time": 0.021 } }),
                vec![("$.header.elapsed_time", "s")],
            ),
        ];
        for (answer, expected) in cases {
            let mut expected: Vec<(String, &str)> =
                expected.into_iter().map(|(path, unit)| (path.to_owned(), unit)).collect();
            expected.sort();
            assert_eq!(found(&answer), expected, "{answer}");
        }
    }

    #[test]
    fn points_in_time_and_hits_are_no_spans() {
        let answer = json!({ "timestamp": 1_700_000_000, "hits": [{ "time": 3 }], "timezone": 2, "time": "now" });
        assert_eq!(found(&answer), []);
    }

    #[test]
    fn what_took_longer_than_the_whole_request_is_no_seconds() {
        assert_eq!(found(&json!({ "time": 12.5 })), [("$.time".to_owned(), "ms")]);
    }
}
