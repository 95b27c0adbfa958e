//! Names of metrics, read and printed here and nowhere else, in ir_measures' spelling: `Name(parameter=value)@cutoff`.

mod trec_measures;

use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;

use crate::bounded::{PositiveNumber, Proportion};
use crate::metric::{DEFAULT_ERR_MAX_GRADE, DEFAULT_RBP_PERSISTENCE, Metric};
use crate::ranking::{GainFunction, RbpGain, Relevance, TrecMeasure};

/// Every accepted name: the canonical one first, then its synonyms; and the family it stands for.
const FAMILIES: [(&[&str], Family); 14] = [
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
    (&["infAP"], Family::InferredAveragePrecision),
    (&["Rprec"], Family::RPrecision),
    (&["NumRet", "NumRelRet"], Family::Returned),
    (&["NumRel"], Family::Relevant),
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
    InferredAveragePrecision,
    RPrecision,
    Returned,
    Relevant,
    TrecEval(trec_measures::Family),
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
        let metric = parts.metric(family)?;
        parts.refuse_leftovers(family)?;
        Ok(metric)
    }
}

impl fmt::Display for Metric {
    /// Prints the canonical name, which reads back as the same metric.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = |relevance| match relevance {
            Relevance::AboveZero => None,
            Relevance::AtLeast(level) => Some(format!("rel={level}")),
        };
        let (name, mut parameters) = match *self {
            Self::Ndcg { gain, .. } => ("nDCG", vec![gain.map(|gain| format!("dcg='{}'", dcg_name(gain)))]),
            Self::Recall { relevance, .. } => ("R", vec![level(relevance)]),
            Self::Precision { relevance, .. } => ("P", vec![level(relevance)]),
            Self::RPrecision { relevance, .. } => ("Rprec", vec![level(relevance)]),
            Self::Success { relevance, .. } => ("Success", vec![level(relevance)]),
            Self::ReciprocalRank { relevance, .. } => ("RR", vec![level(relevance)]),
            Self::AveragePrecision { relevance, .. } => ("AP", vec![level(relevance)]),
            Self::Err { max_grade, .. } => {
                ("ERR", vec![(max_grade != DEFAULT_ERR_MAX_GRADE).then(|| format!("max_rel={max_grade}"))])
            }
            Self::Rbp { persistence, gain, .. } => {
                let gain = match gain {
                    RbpGain::Binary(relevance) => level(relevance),
                    RbpGain::Graded(max_grade) => Some(format!("max_rel={max_grade}")),
                };
                ("RBP", vec![Some(format!("p={persistence}")), gain])
            }
            Self::Judged { .. } => ("Judged", Vec::new()),
            Self::Bpref { relevance } => ("Bpref", vec![level(relevance)]),
            Self::InferredAveragePrecision { relevance } => ("infAP", vec![level(relevance)]),
            Self::Returned { relevance: None } => ("NumRet", Vec::new()),
            // A bare `NumRet` counts everything, so that the usual level has to be said.
            Self::Returned { relevance: Some(Relevance::AboveZero) } => ("NumRelRet", Vec::new()),
            Self::Returned { relevance: Some(relevance) } => ("NumRet", vec![level(relevance)]),
            Self::Relevant { relevance } => ("NumRel", vec![level(relevance)]),
            Self::TrecEval { measure, relevance } => {
                let (name, parameter, _) = trec_measures::spelled(measure);
                (name, vec![level(relevance), parameter])
            }
        };
        parameters.push(self.judged_only().then(|| "judged_only=True".to_owned()));
        let parameters: Vec<String> = parameters.into_iter().flatten().collect();
        formatter.write_str(name)?;
        if !parameters.is_empty() {
            write!(formatter, "({})", parameters.join(","))?;
        }
        let cutoff = match *self {
            Self::TrecEval { measure, .. } => trec_measures::spelled(measure).2,
            _ => self.cutoff().map(|cutoff| cutoff.to_string()),
        };
        cutoff.map_or(Ok(()), |cutoff| write!(formatter, "@{cutoff}"))
    }
}

fn dcg_name(gain: GainFunction) -> &'static str {
    match gain {
        GainFunction::Linear => "log2",
        GainFunction::Exponential => "exp-log2",
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

    fn metric(&mut self, family: Family) -> Result<Metric, MetricError> {
        Ok(match family {
            Family::Ndcg => {
                Metric::Ndcg { gain: self.gain_function()?, judged_only: self.judged_only()?, cutoff: self.cutoff()? }
            }
            Family::Recall => Metric::Recall {
                relevance: self.relevance()?,
                judged_only: self.judged_only()?,
                cutoff: self.required_cutoff()?,
            },
            Family::Precision if self.truth("relative")? => Metric::TrecEval {
                measure: TrecMeasure::RelativePrecision(self.required_cutoff()?),
                relevance: self.relevance()?,
            },
            Family::Precision => Metric::Precision {
                relevance: self.relevance()?,
                judged_only: self.judged_only()?,
                cutoff: self.required_cutoff()?,
            },
            Family::RPrecision => match self.positive("mult")? {
                Some(multiple) => Metric::TrecEval {
                    measure: TrecMeasure::RPrecisionMultiple(multiple),
                    relevance: self.relevance()?,
                },
                None => Metric::RPrecision { relevance: self.relevance()?, judged_only: self.judged_only()? },
            },
            Family::Success => Metric::Success {
                relevance: self.relevance()?,
                judged_only: self.judged_only()?,
                cutoff: self.required_cutoff()?,
            },
            Family::ReciprocalRank => Metric::ReciprocalRank {
                relevance: self.relevance()?,
                judged_only: self.judged_only()?,
                cutoff: self.cutoff()?,
            },
            Family::AveragePrecision => Metric::AveragePrecision {
                relevance: self.relevance()?,
                judged_only: self.judged_only()?,
                cutoff: self.cutoff()?,
            },
            Family::Err => Metric::Err {
                max_grade: self.positive("max_rel")?.unwrap_or(DEFAULT_ERR_MAX_GRADE),
                judged_only: self.judged_only()?,
                cutoff: self.cutoff()?,
            },
            Family::Rbp => Metric::Rbp {
                persistence: self.persistence()?,
                gain: self.rbp_gain()?,
                judged_only: self.judged_only()?,
                cutoff: self.cutoff()?,
            },
            Family::Judged => Metric::Judged { cutoff: self.cutoff()? },
            Family::Bpref => Metric::Bpref { relevance: self.relevance()? },
            Family::InferredAveragePrecision => Metric::InferredAveragePrecision { relevance: self.relevance()? },
            Family::Returned => Metric::Returned { relevance: self.counted()? },
            Family::Relevant => Metric::Relevant { relevance: self.relevance()? },
            Family::TrecEval(family) => self.trec_measure(family)?,
        })
    }

    /// Takes what `NumRet` counts: everything, unless a level is given or the name is `NumRelRet`.
    fn counted(&mut self) -> Result<Option<Relevance>, MetricError> {
        let level = self.positive("rel")?.map(Relevance::AtLeast);
        Ok(level.or_else(|| self.metric.eq_ignore_ascii_case("NumRelRet").then_some(Relevance::AboveZero)))
    }

    fn judged_only(&mut self) -> Result<bool, MetricError> {
        self.truth("judged_only")
    }

    /// Takes a truth value, as Python spells it or in small letters.
    fn truth(&mut self, key: &str) -> Result<bool, MetricError> {
        match self.take(key) {
            None | Some("False" | "false") => Ok(false),
            Some("True" | "true") => Ok(true),
            Some(found) => Err(self.value_error(key, found, "True or False")),
        }
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
            Self::Ndcg => "`dcg`, `judged_only` and a cutoff",
            Self::Err => "`max_rel`, `judged_only` and a cutoff",
            Self::Rbp => "`p`, `rel`, `max_rel`, `judged_only` and a cutoff",
            Self::Judged => "a cutoff",
            Self::RPrecision => "`rel`, `judged_only` and `mult`",
            Self::Precision => "`rel`, `judged_only`, `relative` and a cutoff",
            Self::TrecEval(family) => family.parameters(),
            Self::Bpref | Self::InferredAveragePrecision | Self::Returned | Self::Relevant => "`rel`",
            Self::Recall | Self::Success | Self::ReciprocalRank | Self::AveragePrecision => {
                "`rel`, `judged_only` and a cutoff"
            }
        }
    }
}

fn unquoted(value: &str) -> &str {
    ['\'', '"'].into_iter().find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote)).unwrap_or(value)
}

fn names() -> impl Iterator<Item = (&'static str, Family)> {
    let theirs = trec_measures::FAMILIES.iter().map(|(names, family)| (*names, Family::TrecEval(*family)));
    let all = FAMILIES.iter().copied().chain(theirs);
    all.flat_map(|(names, family)| names.iter().map(move |name| (*name, family)))
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
mod tests;
