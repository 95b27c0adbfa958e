//! Names of metrics, read and printed here and nowhere else, in ir_measures' spelling: `Name(parameter=value)@cutoff`.

use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;

use crate::bounded::{PositiveNumber, Proportion};
use crate::metric::{DEFAULT_ERR_MAX_GRADE, DEFAULT_RBP_PERSISTENCE, Metric};
use crate::ranking::{GainFunction, RbpGain, Relevance};

/// Every accepted name: the canonical one first, then its synonyms; and the family it stands for.
const FAMILIES: [(&[&str], Family); 10] = [
    (&["nDCG"], Family::Ndcg),
    (&["R", "Recall"], Family::Recall),
    (&["P", "Precision"], Family::Precision),
    (&["Success"], Family::Success),
    (&["RR", "MRR"], Family::ReciprocalRank),
    (&["AP", "MAP"], Family::AveragePrecision),
    (&["ERR"], Family::Err),
    (&["RBP"], Family::Rbp),
    (&["Judged"], Family::Judged),
    (&["Bpref"], Family::Bpref),
];

/// Below this similarity (Jaro-Winkler, 0 to 1) a known name is no help.
const SUGGESTION_THRESHOLD: f64 = 0.6;

#[derive(Clone, Copy)]
enum Family {
    Ndcg,
    Recall,
    Precision,
    Success,
    ReciprocalRank,
    AveragePrecision,
    Err,
    Rbp,
    Judged,
    Bpref,
}

/// Why a metric's name is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetricError {
    /// No metric has this name.
    #[error("unknown metric `{name}`{}; known metrics are {}", did_you_mean(suggestion.as_deref()), known_names())]
    Unknown {
        /// The name as written.
        name: String,
        /// The nearest known name, where one is near.
        suggestion: Option<String>,
    },
    /// The text is not `Name(parameter=value)@cutoff`.
    #[error("metric `{name}` is malformed: {problem}; expected the form `nDCG@10` or `AP(rel=2)@100`")]
    Malformed {
        /// The name as written.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The cutoff is 0 or not a number.
    #[error("cutoff must be at least 1 and a whole number, found `{found}` in metric `{name}`")]
    Cutoff {
        /// The name as written.
        name: String,
        /// The cutoff as written.
        found: String,
    },
    /// The metric is only defined at a cutoff.
    #[error("metric `{name}` needs a cutoff, for example `{name}@10`")]
    MissingCutoff {
        /// The name as written.
        name: String,
    },
    /// The metric does not have this parameter.
    #[error("metric `{name}` has no parameter `{parameter}`; it takes {expected}")]
    Parameter {
        /// The name as written.
        name: String,
        /// The parameter as written.
        parameter: String,
        /// What the metric takes.
        expected: &'static str,
    },
    /// A parameter's value is out of its range.
    #[error("parameter `{parameter}` of metric `{name}` must be {expected}, found `{found}`")]
    Value {
        /// The name as written.
        name: String,
        /// The parameter as written.
        parameter: String,
        /// The value as written.
        found: String,
        /// What the parameter takes.
        expected: &'static str,
    },
}

impl FromStr for Metric {
    type Err = MetricError;

    /// Reads a name; letter case of the metric does not matter.
    ///
    /// # Errors
    ///
    /// Where the metric or a parameter is unknown, a value is out of range, or the cutoff is missing or 0.
    fn from_str(name: &str) -> Result<Self, MetricError> {
        let written = name.trim();
        let mut parts = Parts::split(written)?;
        let family = family(parts.metric)
            .ok_or_else(|| MetricError::Unknown { name: written.to_owned(), suggestion: suggestion(parts.metric) })?;
        let metric = match family {
            Family::Ndcg => Self::Ndcg { gain: parts.gain_function()?, cutoff: parts.cutoff()? },
            Family::Recall => Self::Recall { relevance: parts.relevance()?, cutoff: parts.required_cutoff()? },
            Family::Precision => Self::Precision { relevance: parts.relevance()?, cutoff: parts.required_cutoff()? },
            Family::Success => Self::Success { relevance: parts.relevance()?, cutoff: parts.required_cutoff()? },
            Family::ReciprocalRank => Self::ReciprocalRank { relevance: parts.relevance()?, cutoff: parts.cutoff()? },
            Family::AveragePrecision => {
                Self::AveragePrecision { relevance: parts.relevance()?, cutoff: parts.cutoff()? }
            }
            Family::Err => Self::Err {
                max_grade: parts.positive("max_rel")?.unwrap_or(DEFAULT_ERR_MAX_GRADE),
                cutoff: parts.cutoff()?,
            },
            Family::Rbp => {
                Self::Rbp { persistence: parts.persistence()?, gain: parts.rbp_gain()?, cutoff: parts.cutoff()? }
            }
            Family::Judged => Self::Judged { cutoff: parts.cutoff()? },
            Family::Bpref => Self::Bpref { relevance: parts.relevance()? },
        };
        parts.refuse_leftovers(family)?;
        Ok(metric)
    }
}

impl fmt::Display for Metric {
    /// Prints the canonical name, which reads back as the same metric.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Ndcg { gain: None, .. } => formatter.write_str("nDCG")?,
            Self::Ndcg { gain: Some(GainFunction::Linear), .. } => formatter.write_str("nDCG(dcg='log2')")?,
            Self::Ndcg { gain: Some(GainFunction::Exponential), .. } => formatter.write_str("nDCG(dcg='exp-log2')")?,
            Self::Recall { relevance, .. } => with_level(formatter, "R", relevance)?,
            Self::Precision { relevance, .. } => with_level(formatter, "P", relevance)?,
            Self::Success { relevance, .. } => with_level(formatter, "Success", relevance)?,
            Self::ReciprocalRank { relevance, .. } => with_level(formatter, "RR", relevance)?,
            Self::AveragePrecision { relevance, .. } => with_level(formatter, "AP", relevance)?,
            Self::Err { max_grade, .. } if max_grade == DEFAULT_ERR_MAX_GRADE => formatter.write_str("ERR")?,
            Self::Err { max_grade, .. } => write!(formatter, "ERR(max_rel={max_grade})")?,
            Self::Rbp { persistence, gain, .. } => match gain {
                RbpGain::Binary(Relevance::AboveZero) => write!(formatter, "RBP(p={persistence})")?,
                RbpGain::Binary(Relevance::AtLeast(level)) => write!(formatter, "RBP(p={persistence},rel={level})")?,
                RbpGain::Graded(max_grade) => write!(formatter, "RBP(p={persistence},max_rel={max_grade})")?,
            },
            Self::Judged { .. } => formatter.write_str("Judged")?,
            Self::Bpref { relevance } => with_level(formatter, "Bpref", relevance)?,
        }
        match self.cutoff() {
            Some(cutoff) => write!(formatter, "@{cutoff}"),
            None => Ok(()),
        }
    }
}

fn with_level(formatter: &mut fmt::Formatter<'_>, name: &str, relevance: Relevance) -> fmt::Result {
    match relevance {
        Relevance::AboveZero => formatter.write_str(name),
        Relevance::AtLeast(level) => write!(formatter, "{name}(rel={level})"),
    }
}

/// A name taken apart; parameters are taken out as a metric asks for them.
struct Parts<'a> {
    written: &'a str,
    metric: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
}

impl<'a> Parts<'a> {
    fn split(written: &'a str) -> Result<Self, MetricError> {
        let malformed = |problem| MetricError::Malformed { name: written.to_owned(), problem };
        let (head, cutoff) = match written.rsplit_once('@') {
            Some((head, cutoff)) => (head.trim_end(), Some(cutoff.trim())),
            None => (written, None),
        };
        let (metric, inside) = match head.split_once('(') {
            Some((metric, rest)) => {
                (metric.trim_end(), rest.strip_suffix(')').ok_or_else(|| malformed("the bracket is not closed"))?)
            }
            None => (head, ""),
        };
        if metric.is_empty() {
            return Err(malformed("the name is empty"));
        }
        let mut parameters = Vec::new();
        for parameter in inside.split(',').map(str::trim).filter(|parameter| !parameter.is_empty()) {
            let (key, value) = parameter.split_once('=').ok_or_else(|| malformed("a parameter has no `=`"))?;
            parameters.push((key.trim(), unquoted(value.trim())));
        }
        parameters.extend(cutoff.map(|cutoff| ("cutoff", cutoff)));
        for (index, (key, _)) in parameters.iter().enumerate() {
            if parameters.iter().skip(index + 1).any(|(other, _)| other == key) {
                return Err(malformed("a parameter is given twice"));
            }
        }
        Ok(Self { written, metric, parameters })
    }

    fn take(&mut self, key: &str) -> Option<&'a str> {
        let index = self.parameters.iter().position(|(found, _)| *found == key)?;
        Some(self.parameters.swap_remove(index).1)
    }

    fn cutoff(&mut self) -> Result<Option<NonZeroUsize>, MetricError> {
        let Some(found) = self.take("cutoff") else { return Ok(None) };
        let refused = |_| MetricError::Cutoff { name: self.written.to_owned(), found: found.to_owned() };
        found.parse().map(Some).map_err(refused)
    }

    fn required_cutoff(&mut self) -> Result<NonZeroUsize, MetricError> {
        self.cutoff()?.ok_or_else(|| MetricError::MissingCutoff { name: self.written.to_owned() })
    }

    fn gain_function(&mut self) -> Result<Option<GainFunction>, MetricError> {
        match self.take("dcg") {
            None => Ok(None),
            Some("log2") => Ok(Some(GainFunction::Linear)),
            Some("exp-log2") => Ok(Some(GainFunction::Exponential)),
            Some(found) => Err(self.value_error("dcg", found, "'log2' or 'exp-log2'")),
        }
    }

    fn relevance(&mut self) -> Result<Relevance, MetricError> {
        Ok(self.positive("rel")?.map_or(Relevance::AboveZero, Relevance::AtLeast))
    }

    fn persistence(&mut self) -> Result<Proportion, MetricError> {
        let Some(found) = self.take("p") else { return Ok(DEFAULT_RBP_PERSISTENCE) };
        let persistence = found.parse().ok().and_then(|number| Proportion::new(number).ok());
        persistence.ok_or_else(|| self.value_error("p", found, "a number above 0 and below 1"))
    }

    fn rbp_gain(&mut self) -> Result<RbpGain, MetricError> {
        let relevance = self.relevance()?;
        match self.positive("max_rel")? {
            None => Ok(RbpGain::Binary(relevance)),
            Some(max_grade) if relevance == Relevance::AboveZero => Ok(RbpGain::Graded(max_grade)),
            Some(_) => Err(MetricError::Malformed {
                name: self.written.to_owned(),
                problem: "`rel` (binary gain) and `max_rel` (graded gain) exclude each other",
            }),
        }
    }

    fn positive(&mut self, key: &'static str) -> Result<Option<PositiveNumber>, MetricError> {
        let Some(found) = self.take(key) else { return Ok(None) };
        let number = found.parse().ok().and_then(|number| PositiveNumber::new(number).ok());
        number.map(Some).ok_or_else(|| self.value_error(key, found, "a finite number above 0"))
    }

    fn refuse_leftovers(&self, family: Family) -> Result<(), MetricError> {
        match self.parameters.first() {
            None => Ok(()),
            Some((parameter, _)) => Err(MetricError::Parameter {
                name: self.written.to_owned(),
                parameter: (*parameter).to_owned(),
                expected: family.parameters(),
            }),
        }
    }

    fn value_error(&self, parameter: &str, found: &str, expected: &'static str) -> MetricError {
        MetricError::Value {
            name: self.written.to_owned(),
            parameter: parameter.to_owned(),
            found: found.to_owned(),
            expected,
        }
    }
}

impl Family {
    fn parameters(self) -> &'static str {
        match self {
            Self::Ndcg => "`dcg` and a cutoff",
            Self::Err => "`max_rel` and a cutoff",
            Self::Rbp => "`p`, `rel`, `max_rel` and a cutoff",
            Self::Judged => "a cutoff",
            Self::Bpref => "`rel`",
            Self::Recall | Self::Precision | Self::Success | Self::ReciprocalRank | Self::AveragePrecision => {
                "`rel` and a cutoff"
            }
        }
    }
}

fn unquoted(value: &str) -> &str {
    ['\'', '"'].into_iter().find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote)).unwrap_or(value)
}

fn names() -> impl Iterator<Item = (&'static str, Family)> {
    FAMILIES.iter().flat_map(|(names, family)| names.iter().map(|name| (*name, *family)))
}

fn family(metric: &str) -> Option<Family> {
    names().find(|(name, _)| name.eq_ignore_ascii_case(metric)).map(|(_, family)| family)
}

fn suggestion(metric: &str) -> Option<String> {
    let written = metric.to_lowercase();
    let similarity = |name: &str| strsim::jaro_winkler(&written, &name.to_lowercase());
    let nearest = names().map(|(name, _)| name).max_by(|a, b| similarity(a).total_cmp(&similarity(b)))?;
    (similarity(nearest) >= SUGGESTION_THRESHOLD).then(|| nearest.to_owned())
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default()
}

fn known_names() -> String {
    let names: Vec<String> = names().map(|(name, _)| format!("`{name}`")).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn canonical(name: &str) -> String {
        name.parse::<Metric>().unwrap().to_string()
    }

    fn refusal(name: &str) -> String {
        name.parse::<Metric>().unwrap_err().to_string()
    }

    #[test]
    fn names_of_ir_measures_are_read_and_printed_canonically() {
        for name in [
            "nDCG@10",
            "nDCG",
            "nDCG(dcg='exp-log2')@5",
            "nDCG(dcg='log2')",
            "R@20",
            "R(rel=2)@5",
            "P@5",
            "RR",
            "RR@10",
            "AP",
            "AP(rel=2)",
            "AP(rel=2)@100",
            "Success@1",
            "RBP(p=0.8)",
            "RBP(p=0.5,max_rel=2)",
            "RBP(p=0.9,rel=2)@10",
            "ERR@5",
            "ERR(max_rel=3)",
            "Judged@10",
            "Judged",
            "Bpref",
            "Bpref(rel=2)",
            "R(rel=0.5)@3",
        ] {
            assert_eq!(canonical(name), name);
        }
    }

    #[test]
    fn synonyms_letter_case_and_blanks_do_not_matter() {
        for (written, expected) in [
            ("ndcg@10", "nDCG@10"),
            ("Recall@20", "R@20"),
            ("precision@5", "P@5"),
            ("MRR", "RR"),
            ("map", "AP"),
            ("BPref", "Bpref"),
            (" nDCG ( dcg = \"exp-log2\" ) @ 5 ", "nDCG(dcg='exp-log2')@5"),
            ("nDCG(cutoff=7)", "nDCG@7"),
            ("RBP", "RBP(p=0.8)"),
            ("RBP(rel=2, p=0.5)@3", "RBP(p=0.5,rel=2)@3"),
            ("ERR(max_rel=4)@5", "ERR@5"),
            ("P()@5", "P@5"),
            ("AP(rel=1)", "AP(rel=1)"),
        ] {
            assert_eq!(canonical(written), expected);
        }
    }

    #[test]
    fn unknown_names_get_a_suggestion_and_the_list() {
        let error = refusal("nDGC@10");
        assert!(
            error.starts_with("unknown metric `nDGC@10`, did you mean `nDCG`?; known metrics are `nDCG`, `R`,"),
            "{error}"
        );
        assert!(refusal("sucess@1").contains("did you mean `Success`?"));
        assert!(refusal("xyz").starts_with("unknown metric `xyz`; known metrics"));
    }

    #[test]
    fn cutoffs_start_at_one() {
        assert_eq!(refusal("nDCG@0"), "cutoff must be at least 1 and a whole number, found `0` in metric `nDCG@0`");
        for name in ["P@", "P@-1", "P@2.5", "P@ten", "P@99999999999999999999999"] {
            assert!(refusal(name).starts_with("cutoff must be at least 1"), "{name}");
        }
        assert_eq!(refusal("P"), "metric `P` needs a cutoff, for example `P@10`");
    }

    #[test]
    fn parameters_are_checked() {
        assert_eq!(refusal("Judged(rel=2)@5"), "metric `Judged(rel=2)@5` has no parameter `rel`; it takes a cutoff");
        assert!(refusal("Bpref@5").contains("has no parameter `cutoff`; it takes `rel`"));
        assert!(refusal("RBP(p=1)").contains("must be a number above 0 and below 1, found `1`"));
        assert!(refusal("AP(rel=0)").contains("must be a finite number above 0, found `0`"));
        assert!(refusal("AP(rel=NaN)").contains("found `NaN`"));
        assert!(refusal("nDCG(dcg='exp')").contains("must be 'log2' or 'exp-log2', found `exp`"));
        assert!(refusal("RBP(rel=1,max_rel=2)").contains("exclude each other"));
    }

    #[test]
    fn broken_names_are_malformed() {
        for name in ["", "@5", "nDCG(dcg='log2'@5", "AP(rel)", "AP(rel=1,rel=2)", "P(cutoff=3)@5", "(rel=2)"] {
            assert!(matches!(name.parse::<Metric>(), Err(MetricError::Malformed { .. })), "{name}");
        }
        assert!("AP)(".parse::<Metric>().is_err());
    }

    fn any_metric() -> impl Strategy<Value = Metric> {
        let cutoff = || prop::option::of((1_usize..=usize::MAX).prop_map(|k| NonZeroUsize::new(k).unwrap()));
        let positive = || (1e-300_f64..1e300).prop_map(|number| PositiveNumber::new(number).unwrap());
        let relevance = move || prop_oneof![Just(Relevance::AboveZero), positive().prop_map(Relevance::AtLeast)];
        let gain = prop::option::of(prop_oneof![Just(GainFunction::Linear), Just(GainFunction::Exponential)]);
        let rbp_gain = prop_oneof![relevance().prop_map(RbpGain::Binary), positive().prop_map(RbpGain::Graded)];
        let persistence = (1e-9_f64..0.999_999).prop_map(|p| Proportion::new(p).unwrap());
        let required = || (1_usize..=usize::MAX).prop_map(|k| NonZeroUsize::new(k).unwrap());
        prop_oneof![
            (gain, cutoff()).prop_map(|(gain, cutoff)| Metric::Ndcg { gain, cutoff }),
            (relevance(), required()).prop_map(|(relevance, cutoff)| Metric::Recall { relevance, cutoff }),
            (relevance(), required()).prop_map(|(relevance, cutoff)| Metric::Precision { relevance, cutoff }),
            (relevance(), required()).prop_map(|(relevance, cutoff)| Metric::Success { relevance, cutoff }),
            (relevance(), cutoff()).prop_map(|(relevance, cutoff)| Metric::ReciprocalRank { relevance, cutoff }),
            (relevance(), cutoff()).prop_map(|(relevance, cutoff)| Metric::AveragePrecision { relevance, cutoff }),
            (positive(), cutoff()).prop_map(|(max_grade, cutoff)| Metric::Err { max_grade, cutoff }),
            (persistence, rbp_gain, cutoff()).prop_map(|(persistence, gain, cutoff)| Metric::Rbp {
                persistence,
                gain,
                cutoff
            }),
            cutoff().prop_map(|cutoff| Metric::Judged { cutoff }),
            relevance().prop_map(|relevance| Metric::Bpref { relevance }),
        ]
    }

    proptest! {
        #[test]
        fn printed_names_read_back_as_the_same_metric(metric in any_metric()) {
            prop_assert_eq!(metric.to_string().parse::<Metric>(), Ok(metric));
        }

        #[test]
        fn arbitrary_text_never_panics(text in "\\PC{0,40}") {
            let _ = text.parse::<Metric>();
        }

        #[test]
        fn text_of_the_grammars_letters_never_panics(text in "(nDCG|AP|RBP|P)?[()@=,'a-z0-9. ]{0,20}") {
            if let Ok(metric) = text.parse::<Metric>() {
                prop_assert_eq!(metric.to_string().parse::<Metric>(), Ok(metric));
            }
        }
    }
}
