//! How a retriever's servers are asked: deadlines, rate, retries. Written once for each retriever, and again for a stage that is
//! to be asked in another way; each stage that asks a server has a rate, a retry budget and a breaker of its own.

use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::diagnostic::{Diagnostic, KeyPath};
use super::resolve::Context;
use super::spec::RetrieverSpec;
use super::stages::{StageKindSpec, StageSpec};

/// How requests arrive at a server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Arrival {
    /// The next request is sent when one in flight is answered.
    #[default]
    Closed,
    /// Request i is due at i/rate seconds, whatever became of those before it, and its latency counts from then.
    Open,
}

/// How a retriever's servers are asked, every default filled in. It never changes what a server answers, so it is not part
/// of the pipeline's hash.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PolicyPlan {
    /// Most requests per second, retries included; `None` for as many as fit.
    pub rate: Option<f64>,
    /// How requests arrive.
    pub arrival: Arrival,
    /// Longest time for a connection, TLS included.
    pub connect_timeout: TimeSpan,
    /// Longest wait for the next bytes of an answer; up to the first ones, the connection is part of it.
    pub read_timeout: TimeSpan,
    /// Longest time of an attempt, until its answer is read.
    pub timeout: TimeSpan,
    /// Most attempts after the first.
    pub retries: u32,
    /// Wait before the first retry; it doubles with each.
    pub retry_backoff: TimeSpan,
    /// Longest wait before a retry that the server did not ask for.
    pub retry_backoff_cap: TimeSpan,
    /// Longest wait before a retry that the server asked for (`Retry-After`).
    pub retry_after_cap: TimeSpan,
    /// Most retries for each first attempt, over the run.
    pub retry_budget: f64,
    /// Largest answer, decoded.
    pub max_body: ByteSize,
    /// Failures in a row that stop the retriever; 0 for never.
    pub breaker: u32,
    /// Most redirects that are followed; only to the same host.
    pub redirects: u32,
    /// Requests that are sent, and forgotten, before the first that counts.
    pub warm_up: u32,
    /// Most requests in flight at once; `None` for the retriever's sessions in flight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<NonZeroUsize>,
    /// Seed of the jitter between retries.
    pub seed: u64,
}

impl Default for PolicyPlan {
    fn default() -> Self {
        Self {
            rate: None,
            arrival: Arrival::Closed,
            connect_timeout: TimeSpan(Duration::from_secs(2)),
            read_timeout: TimeSpan(Duration::from_secs(10)),
            timeout: TimeSpan(Duration::from_secs(30)),
            retries: 2,
            retry_backoff: TimeSpan(Duration::from_millis(100)),
            retry_backoff_cap: TimeSpan(Duration::from_secs(5)),
            retry_after_cap: TimeSpan(Duration::from_secs(30)),
            retry_budget: 0.1,
            max_body: ByteSize(16 << 20),
            breaker: 20,
            redirects: 0,
            warm_up: 0,
            concurrency: None,
            seed: 0,
        }
    }
}

/// Far above what one machine sends.
const HIGHEST_RATE: f64 = 1e6;
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
const MOST_RETRIES: u32 = 10;
const MOST_REDIRECTS: u32 = 20;

/// How the server of one stage is asked, where that is not as the retriever's others are: every key is the retriever's where it
/// is not given here.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PolicySpec {
    /// Most requests in flight at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<NonZeroUsize>,
    /// Most requests per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// How requests arrive; `open` needs a `rate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrival: Option<Arrival>,
    /// Longest time for a connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_timeout: Option<TimeSpan>,
    /// Longest wait for the next bytes of an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_timeout: Option<TimeSpan>,
    /// Longest time of an attempt, until its answer is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<TimeSpan>,
    /// Most attempts after the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
    /// Wait before the first retry, which doubles with each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_backoff: Option<TimeSpan>,
    /// Longest such wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_backoff_cap: Option<TimeSpan>,
    /// Longest wait that a server may ask for (`Retry-After`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_cap: Option<TimeSpan>,
    /// Most retries for each first attempt over the run, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_budget: Option<f64>,
    /// Largest answer, decompressed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_body: Option<ByteSize>,
    /// Failures in a row after which the retriever is given up; 0 for never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaker: Option<u32>,
    /// Most redirects that are followed, on the same host only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirects: Option<u32>,
    /// Requests that are sent, and forgotten, before the first that counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warm_up: Option<u32>,
}

impl PolicySpec {
    /// Returns what a retriever says of all its stages. How many of its sessions are in flight is no limit of a stage.
    fn of(spec: &RetrieverSpec) -> Self {
        Self {
            concurrency: None,
            rate: spec.rate,
            arrival: spec.arrival,
            connect_timeout: spec.connect_timeout,
            read_timeout: spec.read_timeout,
            timeout: spec.timeout,
            retries: spec.retries,
            retry_backoff: spec.retry_backoff,
            retry_backoff_cap: spec.retry_backoff_cap,
            retry_after_cap: spec.retry_after_cap,
            retry_budget: spec.retry_budget,
            max_body: spec.max_body,
            breaker: spec.breaker,
            redirects: spec.redirects,
            warm_up: spec.warm_up,
        }
    }

    /// Returns the keys with whether they are written.
    fn written(&self) -> [(&'static str, bool); 15] {
        [
            ("concurrency", self.concurrency.is_some()),
            ("rate", self.rate.is_some()),
            ("arrival", self.arrival.is_some()),
            ("connect-timeout", self.connect_timeout.is_some()),
            ("read-timeout", self.read_timeout.is_some()),
            ("timeout", self.timeout.is_some()),
            ("retries", self.retries.is_some()),
            ("retry-backoff", self.retry_backoff.is_some()),
            ("retry-backoff-cap", self.retry_backoff_cap.is_some()),
            ("retry-after-cap", self.retry_after_cap.is_some()),
            ("retry-budget", self.retry_budget.is_some()),
            ("max-body", self.max_body.is_some()),
            ("breaker", self.breaker.is_some()),
            ("redirects", self.redirects.is_some()),
            ("warm-up", self.warm_up.is_some()),
        ]
    }
}

/// Returns the policy of a stage whose keys stand at `stage_keys`: what it says itself, else its retriever, else the default.
pub(super) fn resolve(
    context: &Context<'_>,
    retriever: &RetrieverSpec,
    stage: Option<&PolicySpec>,
    stage_keys: &KeyPath,
) -> Result<PolicyPlan, Diagnostic> {
    let (own, of_all) = (stage.cloned().unwrap_or_default(), PolicySpec::of(retriever));
    let usual = PolicyPlan::default();
    let plan = PolicyPlan {
        rate: own.rate.or(of_all.rate),
        arrival: own.arrival.or(of_all.arrival).unwrap_or(usual.arrival),
        connect_timeout: own.connect_timeout.or(of_all.connect_timeout).unwrap_or(usual.connect_timeout),
        read_timeout: own.read_timeout.or(of_all.read_timeout).unwrap_or(usual.read_timeout),
        timeout: own.timeout.or(of_all.timeout).unwrap_or(usual.timeout),
        retries: own.retries.or(of_all.retries).unwrap_or(usual.retries),
        retry_backoff: own.retry_backoff.or(of_all.retry_backoff).unwrap_or(usual.retry_backoff),
        retry_backoff_cap: own.retry_backoff_cap.or(of_all.retry_backoff_cap).unwrap_or(usual.retry_backoff_cap),
        retry_after_cap: own.retry_after_cap.or(of_all.retry_after_cap).unwrap_or(usual.retry_after_cap),
        retry_budget: own.retry_budget.or(of_all.retry_budget).unwrap_or(usual.retry_budget),
        max_body: own.max_body.or(of_all.max_body).unwrap_or(usual.max_body),
        breaker: own.breaker.or(of_all.breaker).unwrap_or(usual.breaker),
        redirects: own.redirects.or(of_all.redirects).unwrap_or(usual.redirects),
        warm_up: own.warm_up.or(of_all.warm_up).unwrap_or(usual.warm_up),
        concurrency: own.concurrency,
        seed: context.spec.seed,
    };
    // A mistake stands where the value was written.
    let (stage_keys, retriever_keys) = (stage_keys.key("policy"), keys_of(context, retriever));
    let place = |key: &str| match own.written().contains(&(key, true)) {
        true => stage_keys.key(key),
        false => retriever_keys.key(key),
    };
    check(&plan, |key, message| context.mistake(&place(key), message))?;
    Ok(plan)
}

/// Checks what a policy says.
fn check(plan: &PolicyPlan, mistake: impl Fn(&str, String) -> Diagnostic) -> Result<(), Diagnostic> {
    if let Some(rate) = plan.rate.filter(|rate| !rate.is_finite() || *rate <= 0.0 || *rate > HIGHEST_RATE) {
        return Err(mistake(
            "rate",
            format!("a rate of {rate} requests per second is not above 0 and at most {HIGHEST_RATE}"),
        ));
    }
    if plan.arrival == Arrival::Open && plan.rate.is_none() {
        let mistake = mistake("arrival", "`arrival = \"open\"` needs a `rate`".to_owned());
        return Err(mistake.with_help("say how many requests arrive per second, such as `rate = 20`"));
    }
    let spans = [
        ("connect-timeout", plan.connect_timeout, Duration::from_millis(1)),
        ("read-timeout", plan.read_timeout, Duration::from_millis(1)),
        ("timeout", plan.timeout, Duration::from_millis(1)),
        ("retry-backoff", plan.retry_backoff, Duration::ZERO),
        ("retry-backoff-cap", plan.retry_backoff_cap, Duration::ZERO),
        ("retry-after-cap", plan.retry_after_cap, Duration::ZERO),
    ];
    for (key, span, least) in spans {
        if span.0 < least || span.0 > LONGEST {
            return Err(mistake(key, format!("`{span}` is out of range, expected {} to `1d`", TimeSpan(least))));
        }
    }
    if !plan.retry_budget.is_finite() || !(0.0..=1.0).contains(&plan.retry_budget) {
        let message =
            format!("a budget of {} retries for each request is out of range, expected 0 to 1", plan.retry_budget);
        return Err(mistake("retry-budget", message));
    }
    for (key, value, most) in [("retries", plan.retries, MOST_RETRIES), ("redirects", plan.redirects, MOST_REDIRECTS)] {
        if value > most {
            return Err(mistake(key, format!("{value} is out of range, expected 0 to {most}")));
        }
    }
    if plan.max_body.0 == 0 {
        return Err(mistake("max-body", "no answer has 0 bytes".to_owned()));
    }
    Ok(())
}

/// Refuses the keys of a policy where no stage asks a server.
pub(super) fn refuse(context: &Context<'_>, spec: &RetrieverSpec) -> Result<(), Diagnostic> {
    match PolicySpec::of(spec).written().into_iter().find(|(_, written)| *written) {
        Some((key, _)) => {
            let message = format!("`{key}` is for retrievers that ask a server, and no stage of `{}` does", spec.id);
            Err(context.mistake(&keys_of(context, spec).key(key), message))
        }
        None => Ok(()),
    }
}

/// Refuses the keys that mean nothing to Postgres: of the stage, and of its retriever where no stage asks a server over HTTP.
pub(super) fn refuse_for_postgres(
    context: &Context<'_>,
    spec: &RetrieverSpec,
    stage: Option<&PolicySpec>,
    stage_keys: &KeyPath,
) -> Result<(), Diagnostic> {
    let written = |key: &'static str| stage.is_some_and(|stage| stage.written().contains(&(key, true)));
    if let Some(key) = ["read-timeout", "redirects"].into_iter().find(|key| written(key)) {
        let message = format!("`{key}` is for `http` stages, and this one asks Postgres");
        let mistake = context.mistake(&stage_keys.key("policy").key(key), message);
        return Err(mistake.with_help("`timeout` bounds the whole query"));
    }
    let written = [("read-timeout", spec.read_timeout.is_some()), ("redirects", spec.redirects.is_some())];
    match written.into_iter().find(|(_, written)| *written) {
        Some((key, _)) if !asks_over_http(&spec.stages) => {
            let message = format!("`{key}` is for `http` stages, and `{}` asks Postgres only", spec.id);
            let mistake = context.mistake(&keys_of(context, spec).key(key), message);
            Err(mistake.with_help("`timeout` bounds the whole query"))
        }
        _ => Ok(()),
    }
}

fn asks_over_http(stages: &[StageSpec]) -> bool {
    stages.iter().any(|stage| match &stage.kind {
        StageKindSpec::Http(_) => true,
        StageKindSpec::Rerank(rerank) => rerank.http.is_some(),
        StageKindSpec::Fuse(fuse) => fuse.branches.iter().any(|branch| asks_over_http(&branch.stages)),
        _ => false,
    })
}

fn keys_of(context: &Context<'_>, spec: &RetrieverSpec) -> KeyPath {
    let position = context.spec.retriever.iter().position(|retriever| retriever.id == spec.id);
    KeyPath::root().key("retriever").index(position.unwrap_or(0))
}

/// A length of time, written as text such as `2s`, `150ms` or `1m 30s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeSpan(pub Duration);

impl FromStr for TimeSpan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed: Option<Duration> =
            text.parse::<jiff::SignedDuration>().ok().and_then(|span| Duration::try_from(span).ok());
        parsed
            .map(Self)
            .ok_or_else(|| format!("invalid length of time `{text}`, expected text such as `2s` or `150ms`"))
    }
}

impl fmt::Display for TimeSpan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanoseconds = self.0.as_nanos();
        for (unit, name) in [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us")] {
            if nanoseconds.is_multiple_of(unit) {
                return write!(formatter, "{}{name}", nanoseconds / unit);
            }
        }
        write!(formatter, "{nanoseconds}ns")
    }
}

/// A number of bytes, written as text such as `16MiB` or `500kB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

const UNITS: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let unit = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit.trim()));
        let bytes = unit.and_then(|(_, bytes)| number.parse::<u64>().ok()?.checked_mul(*bytes));
        bytes.map(Self).ok_or_else(|| format!("invalid size `{text}`, expected text such as `16MiB` or `500kB`"))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |(_, bytes): &&(&str, u64)| self.0 > 0 && self.0.is_multiple_of(*bytes);
        match UNITS.iter().find(whole) {
            Some((name, bytes)) => write!(formatter, "{}{name}", self.0 / bytes),
            None => write!(formatter, "{}B", self.0),
        }
    }
}

impl<'de> Deserialize<'de> for TimeSpan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl Serialize for TimeSpan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for TimeSpan {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TimeSpan".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "examples": ["2s", "150ms", "1m 30s"] })
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for ByteSize {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ByteSize".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "examples": ["16MiB", "500kB"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_and_written() {
        for (text, milliseconds) in [("2s", 2000), ("150ms", 150), ("1m 30s", 90_000), ("0s", 0), ("1h", 3_600_000)] {
            assert_eq!(text.parse(), Ok(TimeSpan(Duration::from_millis(milliseconds))), "{text}");
        }
        for text in ["", "2", "-1s", "2 fortnights", "1e9s", "NaN"] {
            assert!(text.parse::<TimeSpan>().is_err(), "{text}");
        }
        for text in ["2s", "150ms", "90s", "1500us", "7ns", "0s"] {
            let again: TimeSpan = text.parse().unwrap();
            assert_eq!(again.to_string(), text);
        }
    }

    #[test]
    fn sizes_are_read_and_written() {
        for (text, bytes) in
            [("16MiB", 16 << 20), ("500kB", 500_000), ("1 GiB", 1 << 30), ("7B", 7), ("2mb", 2_000_000)]
        {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
        for text in ["", "16", "MiB", "-1B", "1.5MiB", "99999999999GiB", "3 apples"] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
        for text in ["16MiB", "500kB", "1GiB", "7B", "0B"] {
            let again: ByteSize = text.parse().unwrap();
            assert_eq!(again.to_string(), text);
        }
    }
}
