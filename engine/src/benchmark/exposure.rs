//! How clicks are read as evidence: the table `[exposure]`, as written and as planned.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::diagnostic::{Diagnostic, KeyPath};
use super::resolve::Context;

/// The smallest probability by a curve.
pub(crate) const CLIP: f64 = 0.05;

/// The smallest probability that a log gives.
pub(crate) const CLIP_LOGGED: f64 = 0.001;

/// How clicks are read as evidence where nobody judged: items that were never shown could not be clicked, and those far down
/// hardly. Judged sessions need none of this.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ExposureSpec {
    /// Where the probability comes from that a user looked at an item: `auto` takes what the log gives, else a curve fitted to
    /// the log where items were shown at several ranks, else the assumed curve.
    #[serde(default)]
    pub propensity: Propensity,
    /// The assumed curve is 1 / rank^exponent; 1 where it is not given.
    #[serde(default)]
    pub exponent: Option<f64>,
    /// The curves under which a decision must hold where the curve is assumed: 1 / rank^exponent, from the first of these
    /// exponents to the second; 0 (every rank is looked at alike) to 2.5 where they are not given. What holds under some of them
    /// only is inconclusive. Narrow the range only by what is known of these users.
    #[serde(default)]
    pub exponents: Option<[f64; 2]>,
    /// The smallest probability that a click is weighted by; smaller ones are clipped to it. Where it is not given, 0.05 by a
    /// curve, so that no click counts for more than 20, and 0.001 where the log gives propensities.
    #[serde(default)]
    pub clip: Option<f64>,
    /// The least share of each retriever's top ranks that users must have been shown, for a verdict; 0.2 where it is not given.
    #[serde(default)]
    pub min_coverage: Option<f64>,
    /// The least effective number of clicks on common support, for a verdict; 30 where it is not given.
    #[serde(default)]
    pub min_effective_sample: Option<f64>,
}

/// Where the probability comes from that a user looked at an item.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Propensity {
    /// What the log gives; else a curve fitted to it, where that can be done; else the assumed curve.
    #[default]
    Auto,
    /// The log's `shown.propensity`; clicks on items without one are no evidence.
    Logged,
    /// A curve by rank, fitted to the log (intervention harvesting).
    Fitted,
    /// The assumed curve, 1 / rank^exponent.
    Assumed,
}

/// How clicks are read as evidence, resolved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExposurePlan {
    /// Where the probability comes from that a user looked at an item.
    pub propensity: Propensity,
    /// Exponent of the assumed curve, 0 or more.
    pub exponent: f64,
    /// The least and the greatest exponent of the curves under which a decision must hold where the curve is assumed.
    pub exponents: [f64; 2],
    /// The smallest probability that a click is weighted by, in (0, 1]; by its source where it was not given.
    pub clip: Option<f64>,
    /// The least share of each retriever's top ranks that users must have been shown, 0 to 1.
    pub min_coverage: f64,
    /// The least effective number of clicks on common support.
    pub min_effective_sample: f64,
}

impl Default for ExposurePlan {
    fn default() -> Self {
        Self {
            propensity: Propensity::Auto,
            exponent: 1.0,
            exponents: [0.0, 2.5],
            clip: None,
            min_coverage: 0.2,
            min_effective_sample: 30.0,
        }
    }
}

/// Resolves the table.
pub(super) fn exposure(context: &Context<'_>, spec: &ExposureSpec) -> Result<ExposurePlan, Diagnostic> {
    let keys = KeyPath::root().key("exposure");
    let number = |name: &str, given: Option<f64>, default: f64, legal: fn(f64) -> bool, expected: &str| {
        let value = given.unwrap_or(default);
        if value.is_finite() && legal(value) {
            return Ok(value);
        }
        Err(context.mistake(&keys.key(name), format!("`{name}` is {value}, expected {expected}")))
    };
    let default = ExposurePlan::default();
    let share = |value: f64| (0.0..=1.0).contains(&value);
    let exponent = number("exponent", spec.exponent, default.exponent, |value| value >= 0.0, "0 or more")?;
    Ok(ExposurePlan {
        propensity: spec.propensity,
        exponent,
        exponents: exponents(context, &keys, spec.exponents, exponent)?,
        clip: spec
            .clip
            .map(|clip| {
                let legal = |value| value > 0.0 && value <= 1.0;
                number("clip", Some(clip), CLIP, legal, "a probability above 0, up to 1")
            })
            .transpose()?,
        min_coverage: number("min-coverage", spec.min_coverage, default.min_coverage, share, "a share from 0 to 1")?,
        min_effective_sample: number(
            "min-effective-sample",
            spec.min_effective_sample,
            default.min_effective_sample,
            |value| value >= 0.0,
            "0 or more",
        )?,
    })
}

/// Resolves the range of exponents; one that is not given reaches as far as the exponent itself.
fn exponents(
    context: &Context<'_>,
    keys: &KeyPath,
    given: Option<[f64; 2]>,
    exponent: f64,
) -> Result<[f64; 2], Diagnostic> {
    let Some([least, greatest]) = given else {
        let [least, greatest] = ExposurePlan::default().exponents;
        return Ok([least, greatest.max(exponent)]);
    };
    if 0.0 <= least && least <= exponent && exponent <= greatest && greatest.is_finite() {
        return Ok([least, greatest]);
    }
    let mistake = format!(
        "`exponents` is [{least}, {greatest}], expected the least and the greatest exponent, 0 or more, with `exponent` ({exponent}) \
         between them"
    );
    Err(context.mistake(&keys.key("exponents"), mistake))
}
