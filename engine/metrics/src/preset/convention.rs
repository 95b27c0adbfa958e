//! A metric's convention in words, so that no number stands without it.

use super::{Preset, elasticsearch, ranx, trec_measures};
use crate::metric::Metric;
use crate::ranking::{GainFunction, RbpGain, Relevance, TrecMeasure};

/// How a number came about: what two programs that print the same name may do differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Convention {
    /// What an item is worth.
    pub gain: String,
    /// What a rank is worth.
    pub discount: String,
    /// What the sum is divided by.
    pub normaliser: String,
    /// What an item that nobody judged counts as.
    pub unjudged: String,
    /// In which order hits with equal scores count.
    pub ties: String,
    /// The ranks looked at.
    pub depth: String,
    /// What the value is where the metric is undefined.
    pub undefined: String,
    /// To what each session's value is rounded before anything is made of it.
    pub rounding: String,
}

impl Preset {
    /// Returns what this program's value of a metric means.
    #[must_use]
    pub fn convention(self, metric: &Metric, default_gain: GainFunction) -> Convention {
        Convention {
            gain: self.gain(metric, default_gain),
            discount: discount(metric).to_owned(),
            normaliser: self.normaliser(metric).to_owned(),
            unjudged: self.unjudged(metric).to_owned(),
            ties: self.ties().to_owned(),
            depth: self.depth(metric),
            undefined: self.undefined(metric).to_owned(),
            rounding: if self == Self::OpenSearch { "two digits" } else { "none" }.to_owned(),
        }
    }

    fn gain(self, metric: &Metric, default_gain: GainFunction) -> String {
        match *metric {
            Metric::Ndcg { gain, .. } => self.ndcg_gain(gain.unwrap_or(default_gain)).to_owned(),
            Metric::Err { max_grade, .. } => {
                let highest = if self == Self::Quepid { 3.0 } else { max_grade.get() };
                format!("probability (2^grade - 1) / 2^{highest}")
            }
            Metric::Rbp { gain: RbpGain::Graded(max_grade), .. } => format!("grade / {max_grade}, at most 1"),
            Metric::Rbp { gain: RbpGain::Binary(relevance), .. } if self == Self::Ranx => {
                format!("the grade, from {} on", ranx::level(relevance))
            }
            Metric::Judged { .. } => "1 for a judged item".to_owned(),
            Metric::Returned { relevance: None } => "1 for every item".to_owned(),
            Metric::Recall { relevance, .. }
            | Metric::Precision { relevance, .. }
            | Metric::RPrecision { relevance, .. }
            | Metric::Success { relevance, .. }
            | Metric::ReciprocalRank { relevance, .. }
            | Metric::AveragePrecision { relevance, .. }
            | Metric::Rbp { gain: RbpGain::Binary(relevance), .. }
            | Metric::Bpref { relevance }
            | Metric::InferredAveragePrecision { relevance }
            | Metric::Returned { relevance: Some(relevance) }
            | Metric::Relevant { relevance } => self.relevant(relevance),
            Metric::TrecEval { measure, relevance } => trec_measures::gain(measure, self.relevant(relevance)),
        }
    }

    fn ndcg_gain(self, gain: GainFunction) -> &'static str {
        match (self, gain) {
            (Self::Elasticsearch | Self::OpenSearch | Self::Quepid, _) => "2^grade - 1",
            (Self::Ranx, GainFunction::Linear) => "the grade, from 1 on",
            (Self::Ranx, GainFunction::Exponential) => "2^grade - 1, from grade 1 on",
            (Self::Strict | Self::TrecEval, GainFunction::Linear) => "the grade, 0 for a negative one",
            (Self::Strict | Self::TrecEval, GainFunction::Exponential) => "2^grade - 1, 0 for a negative grade",
        }
    }

    fn relevant(self, relevance: Relevance) -> String {
        let from = |level| format!("1 for a grade of {level} or more");
        match (self, relevance) {
            (Self::Ranx, _) => from(ranx::level(relevance)),
            (Self::Elasticsearch, _) => from(elasticsearch::level(relevance)),
            (Self::OpenSearch, _) => {
                "1 for a grade of at least half the highest and the 90th percentile of the session's".to_owned()
            }
            (_, Relevance::AtLeast(level)) => from(level),
            (_, Relevance::AboveZero) => "1 for a grade above 0".to_owned(),
        }
    }

    fn normaliser(self, metric: &Metric) -> &'static str {
        match (metric, self) {
            (Metric::Ndcg { .. }, Self::Elasticsearch) => {
                "the best order of the judged items, as many as were returned"
            }
            (Metric::Ndcg { .. }, Self::Quepid) => "the best order of all judged items, below the cutoff too",
            (Metric::Ndcg { .. }, _) => "the best order of the judged items, down to the same depth",
            (Metric::Precision { judged_only: true, .. }, Self::Elasticsearch) => "the judged items above the cutoff",
            (Metric::Precision { .. }, Self::Elasticsearch | Self::OpenSearch | Self::Quepid) => {
                "the cutoff, or the returned items where they are fewer"
            }
            (Metric::Precision { .. }, _) => "the cutoff",
            (Metric::Judged { .. }, _) => "the returned items above the cutoff",
            (Metric::TrecEval { measure, .. }, _) => trec_measures::normaliser(*measure),
            (
                Metric::Recall { .. }
                | Metric::RPrecision { .. }
                | Metric::AveragePrecision { .. }
                | Metric::Bpref { .. }
                | Metric::InferredAveragePrecision { .. },
                _,
            ) => "the relevant items of the session",
            _ => "none",
        }
    }

    fn unjudged(self, metric: &Metric) -> &'static str {
        match metric {
            Metric::Precision { judged_only: true, .. } if self == Self::Elasticsearch => "left out after the cutoff",
            _ if metric.judged_only() => "left out before the cutoff, negative grades too",
            Metric::Judged { .. } => "what is counted",
            Metric::Bpref { .. } => "passed over, negative grades too",
            Metric::InferredAveragePrecision { .. } => {
                "not relevant; a negative grade is as often relevant as those above"
            }
            Metric::Returned { relevance: None } => "an item",
            Metric::TrecEval { measure: TrecMeasure::JudgedNonRelevant, .. } => "left out, negative grades too",
            Metric::TrecEval { measure: TrecMeasure::GeometricBpref, .. } => "passed over, negative grades too",
            _ => "not relevant",
        }
    }

    fn ties(self) -> &'static str {
        match self {
            Self::TrecEval => "item id descending, scores in single precision (recorded runs); else as returned",
            Self::Ranx => "as returned (ranx itself shuffles the ties of more than 16 hits)",
            Self::Strict | Self::Elasticsearch | Self::OpenSearch | Self::Quepid => "as returned",
        }
    }

    fn depth(self, metric: &Metric) -> String {
        match (metric.cutoff(), metric) {
            (Some(cutoff), _) => cutoff.to_string(),
            (None, Metric::TrecEval { measure: TrecMeasure::RPrecisionMultiple(multiple), .. }) => {
                format!("{multiple} times as many as there are relevant items")
            }
            (None, Metric::RPrecision { .. }) => "as many as there are relevant items".to_owned(),
            (None, _) => "all that was returned".to_owned(),
        }
    }

    fn undefined(self, metric: &Metric) -> &'static str {
        match (self, metric) {
            (
                _,
                Metric::Returned { .. }
                | Metric::Relevant { .. }
                | Metric::TrecEval { measure: TrecMeasure::JudgedNonRelevant | TrecMeasure::Utility, .. },
            ) => "always defined",
            (Self::Quepid, Metric::AveragePrecision { .. }) => {
                "left out and counted: nothing is relevant (not a number there)"
            }
            (Self::TrecEval, metric) if metric.is_logarithm() => "the logarithm of 0.00001",
            (Self::Strict, Metric::Judged { .. }) => "left out and counted: nothing was returned",
            (Self::Strict, _) => "left out and counted: nothing is relevant",
            _ => "0",
        }
    }
}

fn discount(metric: &Metric) -> &'static str {
    match metric {
        Metric::Ndcg { .. } => "1 / log2(rank + 1)",
        Metric::ReciprocalRank { .. } => "1 / rank of the first relevant item",
        Metric::AveragePrecision { .. } => "precision at the rank of each relevant item",
        Metric::InferredAveragePrecision { .. } => "expected precision at the rank of each relevant item",
        Metric::Err { .. } => "1 / rank, for readers who are not content yet",
        Metric::Rbp { .. } => "(1 - p) p^(rank - 1)",
        Metric::Bpref { .. } => "1 less the share of judged non-relevant items above",
        Metric::Success { .. } => "1 for the first relevant item",
        Metric::Recall { .. }
        | Metric::Precision { .. }
        | Metric::RPrecision { .. }
        | Metric::Judged { .. }
        | Metric::Returned { .. }
        | Metric::Relevant { .. } => "none",
        Metric::TrecEval { measure, .. } => trec_measures::discount(*measure),
    }
}
