//! What the numbers of trec_eval's own measures mean.

use crate::ranking::TrecMeasure;

pub(super) fn gain(measure: TrecMeasure, relevant: String) -> String {
    match measure {
        TrecMeasure::NormalisedGain | TrecMeasure::NdcgOverRelevant | TrecMeasure::NdcgAtLevels => {
            "the grade, 0 for a negative one".to_owned()
        }
        TrecMeasure::Utility => format!("{relevant}, else -1"),
        TrecMeasure::GeometricAveragePrecision | TrecMeasure::GeometricBpref => {
            format!("{relevant}; then the natural logarithm of the value, of 0.00001 where that is less")
        }
        TrecMeasure::JudgedNonRelevant => "1 for a judged item that is not relevant".to_owned(),
        _ => relevant,
    }
}

pub(super) fn normaliser(measure: TrecMeasure) -> &'static str {
    match measure {
        TrecMeasure::InterpolatedPrecision(_) | TrecMeasure::ElevenPoint => "the rank of the best precision",
        TrecMeasure::SetPrecision => "the returned items",
        TrecMeasure::SetRelativePrecision => "the returned or the relevant items, whichever are fewer",
        TrecMeasure::RelativePrecision(_) => "the cutoff or the relevant items, whichever are fewer",
        TrecMeasure::SetRecall
        | TrecMeasure::BinaryNormalisedGain
        | TrecMeasure::GeometricAveragePrecision
        | TrecMeasure::GeometricBpref => "the relevant items of the session",
        TrecMeasure::SetF(_) => "the returned items, and beta times the relevant ones",
        TrecMeasure::SetAveragePrecision => "the returned items times the relevant ones",
        TrecMeasure::RPrecisionMultiple(_) => "the cutoff",
        TrecMeasure::NormalisedGain => "the sum of the session's gains",
        TrecMeasure::NdcgOverRelevant | TrecMeasure::NdcgAtLevels => {
            "the best order of the judged items, down to each of the ranks that are averaged"
        }
        TrecMeasure::Utility | TrecMeasure::JudgedNonRelevant => "none",
    }
}

pub(super) fn discount(measure: TrecMeasure) -> &'static str {
    match measure {
        TrecMeasure::NormalisedGain => "1 / log2(2 + the gain that was possible above and is missing)",
        TrecMeasure::BinaryNormalisedGain => "1 / log2(2 + the items above that are not relevant)",
        TrecMeasure::NdcgOverRelevant => "1 / log2(rank + 1), averaged over the ranks of the relevant items",
        TrecMeasure::NdcgAtLevels => {
            "1 / log2(rank + 1), averaged over the ranks by which each level of relevance could be complete, and the end"
        }
        TrecMeasure::GeometricAveragePrecision => "precision at the rank of each relevant item",
        TrecMeasure::GeometricBpref => "1 less the share of judged non-relevant items above",
        _ => "none",
    }
}
