//! `[[gate]]`: conditions on every candidate that decide the exit code, as they are written and as they will be judged.

use std::fmt;
use std::num::NonZeroU64;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::diagnostic::{Diagnostic, KeyPath, did_you_mean};
use super::resolve::{Context, measure};
use super::spec::MeasureName;

/// Nodes with fewer pairs are not tested, and so not judged by a gate on every node.
const LEAST_PAIRS_OF_A_NODE: u64 = 10;

/// A condition on one metric of every candidate; it decides the exit code. One of `max-regression`, `min-value` and
/// `max-value` is needed; where several are given, all must hold.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct GateSpec {
    /// The metric or scorer, or what was observed of the retriever: `latency_p50_ms`, `latency_p90_ms`, `latency_p99_ms`,
    /// `latency_mean_ms`, `failed_share`, `empty_share` (shares of the sessions, 0 to 1).
    pub metric: MeasureName,
    /// The largest loss against the baseline that is accepted: a number in the metric's own unit, or a share of the
    /// baseline's mean such as `"2 %"`.
    #[serde(default)]
    pub max_regression: Option<Regression>,
    /// The least value of the candidate that is accepted.
    #[serde(default)]
    pub min_value: Option<f64>,
    /// The largest value of the candidate that is accepted.
    #[serde(default)]
    pub max_value: Option<f64>,
    /// What is held against `max-regression`; `interval` where it is not given, and `point` for what has no interval:
    /// percentiles of latencies, and shares of the sessions.
    #[serde(default)]
    pub on: Option<GateOn>,
    /// Which way is better; the metric's own where it is not given.
    #[serde(default)]
    pub direction: Option<Direction>,
    /// Judge the sessions under this taxonomy node only.
    #[serde(default)]
    pub node: Option<String>,
    /// Judge every taxonomy node for itself, with intervals that hold for all of them together (Bonferroni). Nodes with
    /// fewer than `min-sessions` pairs are left out; with fewer than 10, where that is not given.
    #[serde(default)]
    pub every_node: bool,
    /// With fewer pairs of sessions, the gate is inconclusive.
    #[serde(default)]
    pub min_sessions: Option<NonZeroU64>,
    /// What an inconclusive comparison means.
    #[serde(default)]
    pub on_inconclusive: OnInconclusive,
}

/// What a gate does when it cannot be told whether it holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnInconclusive {
    /// Exit code 11.
    Fail,
    /// Pass, and say so.
    #[default]
    Warn,
    /// Pass silently.
    Pass,
}

/// What is held against the largest loss that is accepted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GateOn {
    /// The whole 95 % interval: it passes within the bound, fails beyond it, and is inconclusive across it.
    #[default]
    Interval,
    /// The mean difference alone, whatever its error: it passes or fails.
    Point,
    /// Fails where the loss is larger than accepted and significant at 0.05 (p adjusted for the number of candidates), and
    /// passes otherwise: little data always passes.
    P,
}

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// More is better.
    HigherIsBetter,
    /// Less is better.
    LowerIsBetter,
}

/// The largest loss that is accepted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Regression {
    /// In the metric's own unit.
    Absolute(f64),
    /// In per cent of the baseline's mean.
    Percent(f64),
}

impl Regression {
    fn value(self) -> f64 {
        match self {
            Self::Absolute(value) | Self::Percent(value) => value,
        }
    }
}

impl fmt::Display for Regression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absolute(value) => write!(formatter, "{value}"),
            Self::Percent(percent) => write!(formatter, "{percent} %"),
        }
    }
}

impl<'de> Deserialize<'de> for Regression {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RegressionVisitor;
        impl de::Visitor<'_> for RegressionVisitor {
            type Value = Regression;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter
                    .write_str("a number in the metric's own unit, or a share of the baseline's mean such as \"2 %\"")
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Regression, E> {
                Ok(Regression::Absolute(value))
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Regression, E> {
                Ok(Regression::Absolute(value as f64))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Regression, E> {
                Ok(Regression::Absolute(value as f64))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Regression, E> {
                let percent = text.trim().strip_suffix('%').and_then(|number| number.trim().parse().ok());
                percent.map(Regression::Percent).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(RegressionVisitor)
    }
}

impl Serialize for Regression {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Absolute(value) => serializer.serialize_f64(*value),
            Self::Percent(_) => serializer.collect_str(self),
        }
    }
}

impl JsonSchema for Regression {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Regression".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "In the metric's own unit, or in per cent of the baseline's mean.",
            "anyOf": [
                { "type": "number", "minimum": 0 },
                { "type": "string", "pattern": "^\\s*[0-9.eE+-]+\\s*%\\s*$", "examples": ["2 %"] },
            ]
        })
    }
}

/// What was observed of a retriever besides its scores. Less is better in all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Observed {
    /// Median latency of first attempts, milliseconds.
    LatencyP50Ms,
    /// 90th percentile of the latencies.
    LatencyP90Ms,
    /// 99th percentile of the latencies.
    LatencyP99Ms,
    /// Mean latency.
    LatencyMeanMs,
    /// Share of the sessions on which the retriever failed.
    FailedShare,
    /// Share of the sessions that it answered with an empty list.
    EmptyShare,
}

impl Observed {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::LatencyP50Ms,
        Self::LatencyP90Ms,
        Self::LatencyP99Ms,
        Self::LatencyMeanMs,
        Self::FailedShare,
        Self::EmptyShare,
    ];

    /// Returns the name by which a gate asks for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LatencyP50Ms => "latency_p50_ms",
            Self::LatencyP90Ms => "latency_p90_ms",
            Self::LatencyP99Ms => "latency_p99_ms",
            Self::LatencyMeanMs => "latency_mean_ms",
            Self::FailedShare => "failed_share",
            Self::EmptyShare => "empty_share",
        }
    }

    /// Returns what has that name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|observed| observed.as_str() == name)
    }

    /// Returns whether it is a share of sessions, and not a time.
    #[must_use]
    pub fn is_share(self) -> bool {
        matches!(self, Self::FailedShare | Self::EmptyShare)
    }

    /// Returns whether its difference between two retrievers has an interval and a p.
    #[must_use]
    pub fn has_interval(self) -> bool {
        self == Self::LatencyMeanMs
    }
}

/// The sessions that a gate looks at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateNodes {
    /// All of them.
    #[default]
    Whole,
    /// Those under one taxonomy node.
    One(String),
    /// Those under each node, one after the other.
    Every,
}

/// A condition on one measure of every candidate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GatePlan {
    /// The measure, by name as in [`super::Plan::primary`], or the name of what was observed.
    pub metric: String,
    /// What was observed, where it is no measure.
    #[serde(default)]
    pub observed: Option<Observed>,
    /// The largest loss that is accepted; `None` where only the candidate's value counts.
    #[serde(default)]
    pub max_regression: Option<Regression>,
    /// The least value of the candidate that is accepted.
    #[serde(default)]
    pub min_value: Option<f64>,
    /// The largest value of the candidate that is accepted.
    #[serde(default)]
    pub max_value: Option<f64>,
    /// What is held against the largest loss.
    #[serde(default)]
    pub on: GateOn,
    /// Which way is better; `None` for the measure's own, which a component tells when it is loaded.
    #[serde(default)]
    pub direction: Option<Direction>,
    /// The sessions that it looks at.
    #[serde(default)]
    pub nodes: GateNodes,
    /// With fewer pairs it is inconclusive.
    #[serde(default)]
    pub min_sessions: u64,
    /// What an inconclusive comparison means.
    pub on_inconclusive: OnInconclusive,
}

impl GatePlan {
    /// Returns whether the measure must be tested at taxonomy nodes.
    #[must_use]
    pub fn looks_at_nodes(&self) -> bool {
        self.nodes != GateNodes::Whole
    }
}

/// Returns the gates of a benchmark, checked.
pub(super) fn gates(context: &Context<'_>) -> Result<Vec<GatePlan>, Diagnostic> {
    let all = context.spec.gate.iter().enumerate();
    all.map(|(index, gate)| plan(context, gate, &KeyPath::root().key("gate").index(index))).collect()
}

fn plan(context: &Context<'_>, gate: &GateSpec, keys: &KeyPath) -> Result<GatePlan, Diagnostic> {
    let (metric, observed) = watched(context, gate, keys)?;
    check_bounds(context, gate, keys)?;
    let nodes = nodes(context, gate, observed, keys)?;
    let has_interval = observed.is_none_or(Observed::has_interval);
    let on = match gate.on {
        Some(GateOn::Interval | GateOn::P) if !has_interval => {
            let message = format!("`{metric}` has neither an interval nor a p, expected `on = \"point\"`");
            return Err(context.mistake(&keys.key("on"), message));
        }
        Some(_) if gate.max_regression.is_none() => {
            let message = "`on` says what is held against `max-regression`, which is not given";
            return Err(context.mistake(&keys.key("on"), message));
        }
        Some(on) => on,
        None if has_interval => GateOn::Interval,
        None => GateOn::Point,
    };
    let least = if nodes == GateNodes::Every { LEAST_PAIRS_OF_A_NODE } else { 0 };
    Ok(GatePlan {
        metric,
        observed,
        max_regression: gate.max_regression,
        min_value: gate.min_value,
        max_value: gate.max_value,
        on,
        direction: gate.direction,
        nodes,
        min_sessions: gate.min_sessions.map_or(least, NonZeroU64::get),
        on_inconclusive: gate.on_inconclusive,
    })
}

/// Returns the name of what the gate looks at. A scorer may have the name of something observed; then it is the scorer's.
fn watched(context: &Context<'_>, gate: &GateSpec, keys: &KeyPath) -> Result<(String, Option<Observed>), Diagnostic> {
    let name = gate.metric.0.as_str();
    let is_scorer = context.spec.scorer.iter().any(|scorer| scorer.name == name);
    if let Some(observed) = Observed::of(name).filter(|_| !is_scorer) {
        return Ok((name.to_owned(), Some(observed)));
    }
    match measure(context, &gate.metric, &keys.key("metric")) {
        Ok(metric) => Ok((metric, None)),
        Err(mistake) => {
            // Only what is close in itself: most words share a letter or two with `latency`.
            let meant = did_you_mean(&name.replace('-', "_"), Observed::ALL.map(Observed::as_str));
            let names_time = name.to_lowercase().starts_with("latency");
            Err(match meant.filter(|_| names_time || name.to_lowercase().ends_with("share")) {
                Some(meant) => {
                    let known = Observed::ALL.map(Observed::as_str).join("`, `");
                    context
                        .mistake(
                            &keys.key("metric"),
                            format!("unknown `{name}`, expected a metric, a scorer or one of `{known}`"),
                        )
                        .with_help(format!("did you mean `{meant}`?"))
                }
                None => mistake,
            })
        }
    }
}

fn check_bounds(context: &Context<'_>, gate: &GateSpec, keys: &KeyPath) -> Result<(), Diagnostic> {
    let (least, largest) = (gate.min_value, gate.max_value);
    if gate.max_regression.is_none() && least.is_none() && largest.is_none() {
        let message = "the gate has no bound, expected `max-regression`, `min-value` or `max-value`";
        return Err(context.mistake(keys, message).with_help("`max-regression = 0.01`, or `max-regression = \"2 %\"`"));
    }
    if let Some(regression) = gate.max_regression {
        let value = regression.value();
        if !value.is_finite() || value < 0.0 {
            return Err(context.mistake(&keys.key("max-regression"), format!("{value} is not a number of 0 or more")));
        }
    }
    for (key, value) in [("min-value", least), ("max-value", largest)] {
        if let Some(value) = value.filter(|value| !value.is_finite()) {
            return Err(context.mistake(&keys.key(key), format!("{value} is not a finite number")));
        }
    }
    match (least, largest) {
        (Some(least), Some(largest)) if least > largest => {
            let message = format!("`min-value` {least} is above `max-value` {largest}, so that no candidate can pass");
            Err(context.mistake(&keys.key("min-value"), message))
        }
        _ => Ok(()),
    }
}

fn nodes(
    context: &Context<'_>,
    gate: &GateSpec,
    observed: Option<Observed>,
    keys: &KeyPath,
) -> Result<GateNodes, Diagnostic> {
    let nodes = match (&gate.node, gate.every_node) {
        (None, false) => return Ok(GateNodes::Whole),
        (Some(_), true) => {
            return Err(context.mistake(&keys.key("node"), "a gate has either one `node` or `every-node = true`"));
        }
        (None, true) => GateNodes::Every,
        (Some(node), false) => {
            let segments: Vec<&str> = node.split('/').filter(|segment| !segment.is_empty()).collect();
            if segments.is_empty() {
                return Err(context.mistake(&keys.key("node"), "the node is empty"));
            }
            GateNodes::One(segments.join("/"))
        }
    };
    if let Some(observed) = observed {
        let key = if gate.every_node { "every-node" } else { "node" };
        let message = format!("`{}` is not known by taxonomy node, only metrics and scorers are", observed.as_str());
        return Err(context.mistake(&keys.key(key), message));
    }
    Ok(nodes)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::benchmark::{Plan, SpecSource};

    fn resolved(gate: &str) -> Result<GatePlan, Diagnostic> {
        let text = format!(
            "name = \"n\"\nbaseline = \"old\"\ncandidates = [\"new\"]\nsessions.path = \"s\"\n\
             [[retriever]]\nid = \"old\"\nstages = [{{ kind = \"shown\" }}]\n\
             [[retriever]]\nid = \"new\"\nstages = [{{ kind = \"shown\" }}]\n[[gate]]\n{gate}\n"
        );
        let source = SpecSource::of(Path::new("b.toml"), &text, &[])?;
        Plan::resolve(&source).map(|plan| plan.gates[0].clone())
    }

    fn mistake(gate: &str) -> String {
        resolved(gate).expect_err("a mistake").to_string()
    }

    #[test]
    fn a_bound_is_a_number_in_the_metrics_unit_or_a_share_of_the_baseline() {
        for (written, expected) in [
            ("0.01", Regression::Absolute(0.01)),
            ("3", Regression::Absolute(3.0)),
            ("\"2 %\"", Regression::Percent(2.0)),
            ("\"0.5%\"", Regression::Percent(0.5)),
        ] {
            let gate = resolved(&format!("metric = \"RR\"\nmax-regression = {written}")).expect("a gate");
            assert_eq!(gate.max_regression, Some(expected), "{written}");
            let json = serde_json::to_string(&gate).expect("JSON");
            assert_eq!(serde_json::from_str::<GatePlan>(&json).expect("a plan"), gate);
        }
        for wrong in ["\"2\"", "\"two %\"", "true", "[1]"] {
            let found = mistake(&format!("metric = \"RR\"\nmax-regression = {wrong}"));
            assert!(found.contains("such as \"2 %\""), "{wrong}: {found}");
        }
        for wrong in ["-0.1", "nan", "inf", "\"-2 %\""] {
            let found = mistake(&format!("metric = \"RR\"\nmax-regression = {wrong}"));
            assert!(found.contains("is not a number of 0 or more"), "{wrong}: {found}");
        }
    }

    #[test]
    fn a_plan_of_an_earlier_version_is_still_read() {
        let old = r#"{"metric":"nDCG@10","max_regression":0.005,"on_inconclusive":"warn"}"#;
        let gate: GatePlan = serde_json::from_str(old).expect("a plan");
        assert_eq!(
            (gate.max_regression, gate.on, gate.nodes),
            (Some(Regression::Absolute(0.005)), GateOn::Interval, GateNodes::Whole)
        );
    }

    #[test]
    fn what_has_no_interval_is_judged_by_its_value() {
        let gate = resolved("metric = \"latency_p99_ms\"\nmax-regression = \"10 %\"").expect("a gate");
        assert_eq!((gate.observed, gate.on), (Some(Observed::LatencyP99Ms), GateOn::Point));
        let found = mistake("metric = \"failed_share\"\nmax-regression = 0.01\non = \"interval\"");
        assert!(found.contains("expected `on = \"point\"`"), "{found}");
    }

    #[test]
    fn mistakes_name_what_is_wrong_and_the_fix() {
        for (gate, fragments) in [
            (
                "metric = \"latency_p95_ms\"\nmax-value = 100",
                &["unknown `latency_p95_ms`", "did you mean `latency_p9"][..],
            ),
            ("metric = \"fail_share\"\nmax-value = 0.1", &["did you mean `failed_share`"]),
            ("metric = \"nDGC@10\"\nmax-regression = 0.1", &["unknown metric `nDGC@10`", "did you mean `nDCG`"]),
            ("metric = \"RR\"", &["no bound", "`max-regression`"]),
            ("metric = \"RR\"\nmin-value = 0.3\nmax-value = 0.2", &["`min-value` 0.3 is above `max-value` 0.2"]),
            ("metric = \"RR\"\nmin-value = 0.3\non = \"p\"", &["`max-regression`, which is not given"]),
            ("metric = \"RR\"\nmax-regression = 0.3\nnode = \"a\"\nevery-node = true", &["either one `node`"]),
            ("metric = \"RR\"\nmax-regression = 0.3\nnode = \"/\"", &["the node is empty"]),
            ("metric = \"empty_share\"\nmax-value = 0.3\nnode = \"a\"", &["not known by taxonomy node"]),
            (
                "metric = \"RR\"\nmax-regression = 0.1\nmin-sesions = 3",
                &["unknown key `min-sesions`", "did you mean `min-sessions`"],
            ),
        ] {
            let found = mistake(gate);
            assert!(fragments.iter().all(|fragment| found.contains(fragment)), "{gate}: {found}");
        }
    }

    #[test]
    fn every_node_asks_for_ten_sessions_unless_told_otherwise() {
        let gate = |more: &str| resolved(&format!("metric = \"RR\"\nmax-regression = 0.3\n{more}")).expect("a gate");
        assert_eq!(gate("every-node = true").min_sessions, 10);
        assert_eq!(gate("every-node = true\nmin-sessions = 3").min_sessions, 3);
        assert_eq!(gate("").min_sessions, 0);
        assert_eq!(gate("node = \"/home//kitchen/\"").nodes, GateNodes::One("home/kitchen".to_owned()));
    }
}
