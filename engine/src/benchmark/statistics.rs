//! How differences are tested: `[statistics]` as written, and as it will be done.

use rematch_metrics::Proportion;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::diagnostic::{Diagnostic, KeyPath};
use super::resolve::Context;

/// More resamples than this move no digit that anybody reads.
const MOST_RESAMPLES: u64 = 1_000_000;

/// Power at which detectable differences and needed sessions are stated, where nobody says another one.
pub(crate) const DEFAULT_POWER: f64 = 0.8;

/// How differences are tested. Without it: paired t-tests, cluster-robust where users or visits repeat, Holm over the
/// candidates, and resampling where it is cheap.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct StatisticsSpec {
    /// How p-values are adjusted for the number of candidates.
    #[serde(default)]
    pub correction: Correction,
    /// Which sessions are taken to depend on one another.
    #[serde(default)]
    pub cluster_by: ClusterBy,
    /// Resamples of the randomisation test; 0 for none. Where it is not given: the largest of 9,999, 1,999 and 999 that costs
    /// no more than a small part of a second, else none, and the report says so.
    #[serde(default)]
    pub resamples: Option<u64>,
    /// Resamples of the bootstrap of every metric's interval; 0 for none. Chosen as `resamples` where it is not given. BCa, or
    /// weighted by Poisson numbers where the sums of all users would take more than 256 MiB.
    #[serde(default)]
    pub bootstrap: Option<u64>,
    /// Further tests, which ask about the median or the sign of the differences and not about their mean.
    #[serde(default)]
    pub also: Vec<FurtherTest>,
    /// The largest loss of the primary metric, in its own unit, with which a candidate still counts as not inferior.
    #[serde(default)]
    pub non_inferiority_margin: Option<f64>,
    /// Power at which detectable differences and needed sessions are stated, above 0 and below 1; 0.8 where it is not given.
    #[serde(default)]
    pub power: Option<f64>,
    /// Replays the sample in random order, users whole, and stops as soon as every candidate is shown to be better or worse: for
    /// slow or paid retrievers. The primary metric's interval and p then hold whenever one looks (a confidence sequence), and are
    /// wider than those of a run that replays everything.
    #[serde(default)]
    pub stop_when_decided: bool,
}

/// How p-values are adjusted where several candidates are compared with one baseline.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Correction {
    /// Bounds the chance of even one false alarm (Holm 1979).
    #[default]
    Holm,
    /// Bounds the share of false alarms among the findings (Benjamini & Hochberg 1995).
    BenjaminiHochberg,
    /// None: each p is that of its own test.
    None,
}

/// Which sessions are taken to depend on one another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ClusterBy {
    /// Those of one user, or of one visit where no user is known.
    #[default]
    Auto,
    /// Those of one user; a session without a user stands alone.
    User,
    /// Those of one visit; a session without a visit stands alone.
    Visit,
    /// None: every session stands alone.
    Session,
}

/// A test of another hypothesis than that of the mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FurtherTest {
    /// Wilcoxon's signed-rank test: do the differences lie symmetrically about 0?
    Wilcoxon,
    /// The sign test: are there as many wins as losses?
    Sign,
}

/// How differences are tested, with every default filled in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatisticsPlan {
    /// How p-values are adjusted for the number of candidates.
    pub correction: Correction,
    /// Which sessions are taken to depend on one another.
    pub cluster_by: ClusterBy,
    /// Resamples of the randomisation test.
    pub resamples: Resamples,
    /// Resamples of the bootstrap.
    pub bootstrap: Resamples,
    /// Further tests, each once.
    pub also: Vec<FurtherTest>,
    /// The margin of the non-inferiority verdict on the primary metric; `None` where none is asked for.
    pub non_inferiority_margin: Option<f64>,
    /// Power at which detectable differences and needed sessions are stated.
    pub power: f64,
    /// Whether the sample is replayed in random order until every candidate is decided.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stop_when_decided: bool,
}

/// How often something is resampled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resamples {
    /// As often as is cheap.
    #[default]
    Automatic,
    /// As often as was asked for.
    Exactly(u64),
}

impl Default for StatisticsPlan {
    fn default() -> Self {
        Self {
            correction: Correction::default(),
            cluster_by: ClusterBy::default(),
            resamples: Resamples::default(),
            bootstrap: Resamples::default(),
            also: Vec::new(),
            non_inferiority_margin: None,
            power: DEFAULT_POWER,
            stop_when_decided: false,
        }
    }
}

/// Resolves `[statistics]`.
pub(super) fn statistics(context: &Context<'_>) -> Result<StatisticsPlan, Diagnostic> {
    let spec = &context.spec.statistics;
    let keys = KeyPath::root().key("statistics");
    let resamples = |key: &str, written: Option<u64>| match written {
        None => Ok(Resamples::Automatic),
        Some(number) if number <= MOST_RESAMPLES => Ok(Resamples::Exactly(number)),
        Some(number) => {
            Err(context.mistake(&keys.key(key), format!("{number} resamples, expected at most {MOST_RESAMPLES}")))
        }
    };
    if let Some(margin) = spec.non_inferiority_margin.filter(|margin| !margin.is_finite() || *margin <= 0.0) {
        let mistake = context.mistake(&keys.key("non-inferiority-margin"), format!("{margin} is not a number above 0"));
        return Err(mistake.with_help("a loss is written without a sign, such as `0.005`"));
    }
    let power = spec.power.unwrap_or(DEFAULT_POWER);
    if Proportion::new(power).is_err() {
        return Err(context.mistake(&keys.key("power"), format!("{power} is not above 0 and below 1")));
    }
    let mut also: Vec<FurtherTest> = Vec::new();
    for test in &spec.also {
        if !also.contains(test) {
            also.push(*test);
        }
    }
    Ok(StatisticsPlan {
        correction: spec.correction,
        cluster_by: spec.cluster_by,
        resamples: resamples("resamples", spec.resamples)?,
        bootstrap: resamples("bootstrap", spec.bootstrap)?,
        also,
        non_inferiority_margin: spec.non_inferiority_margin,
        power,
        stop_when_decided: spec.stop_when_decided,
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::benchmark::{Plan, SpecSource};

    fn resolve(table: &str) -> Result<StatisticsPlan, String> {
        let text = format!(
            "name = \"n\"\nbaseline = \"old\"\ncandidates = [\"new\"]\n[sessions]\npath = \"s\"\n{table}\n\
             [[retriever]]\nid = \"old\"\nstages = [{{ kind = \"shown\" }}]\n\
             [[retriever]]\nid = \"new\"\nstages = [{{ kind = \"shown\" }}]\n"
        );
        let source = SpecSource::of(Path::new("b.toml"), &text, &[]).map_err(|error| error.to_string())?;
        Ok(Plan::resolve(&source).map_err(|error| error.to_string())?.statistics)
    }

    #[test]
    fn what_is_not_written_is_the_default() {
        assert_eq!(resolve(""), Ok(StatisticsPlan::default()));
        assert_eq!(resolve("[statistics]"), Ok(StatisticsPlan::default()));
    }

    #[test]
    fn every_value_is_taken_over() {
        let found = resolve(
            "[statistics]\ncorrection = \"benjamini-hochberg\"\ncluster-by = \"visit\"\nresamples = 0\nbootstrap = 500\n\
             also = [\"sign\", \"wilcoxon\", \"sign\"]\nnon-inferiority-margin = 0.01\npower = 0.9\n\
             stop-when-decided = true\n",
        );
        let expected = StatisticsPlan {
            correction: Correction::BenjaminiHochberg,
            cluster_by: ClusterBy::Visit,
            resamples: Resamples::Exactly(0),
            bootstrap: Resamples::Exactly(500),
            also: vec![FurtherTest::Sign, FurtherTest::Wilcoxon],
            non_inferiority_margin: Some(0.01),
            power: 0.9,
            stop_when_decided: true,
        };
        let json = serde_json::to_string(&expected).expect("JSON");
        assert_eq!(serde_json::from_str::<StatisticsPlan>(&json).expect("a plan"), expected);
        assert_eq!(found, Ok(expected));
    }

    #[test]
    fn values_out_of_range_are_refused_by_name() {
        for (table, expected) in [
            ("non-inferiority-margin = 0.0", "not a number above 0"),
            ("non-inferiority-margin = -0.1", "not a number above 0"),
            ("power = 1.0", "not above 0 and below 1"),
            ("resamples = 2000000", "expected at most 1000000"),
            ("bootstrap = 2000000", "expected at most 1000000"),
            ("also = [\"median\"]", "median"),
            ("correction = \"bonferroni\"", "bonferroni"),
        ] {
            let error = resolve(&format!("[statistics]\n{table}")).expect_err(table);
            assert!(error.contains(expected), "{table}: {error}");
        }
    }
}
