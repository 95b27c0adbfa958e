//! Names of the measures that trec_eval alone prints: ir_measures' where it has one, else trec_eval's.

use super::{MetricError, Parts};
use crate::bounded::{PositiveNumber, RecallLevel};
use crate::metric::Metric;
use crate::ranking::{Relevance, TrecMeasure};

/// The families of these measures.
#[derive(Clone, Copy)]
pub(super) enum Family {
    InterpolatedPrecision,
    ElevenPoint,
    SetPrecision,
    SetRecall,
    SetF,
    SetAveragePrecision,
    Utility,
    NormalisedGain,
    BinaryNormalisedGain,
    NdcgOverRelevant,
    NdcgAtLevels,
    JudgedNonRelevant,
    GeometricAveragePrecision,
    GeometricBpref,
}

/// Their names, the canonical one first.
pub(super) const FAMILIES: [(&[&str], Family); 14] = [
    (&["IPrec"], Family::InterpolatedPrecision),
    (&["11pt_avg"], Family::ElevenPoint),
    (&["SetP"], Family::SetPrecision),
    (&["SetR"], Family::SetRecall),
    (&["SetF"], Family::SetF),
    (&["SetAP"], Family::SetAveragePrecision),
    (&["Utility"], Family::Utility),
    (&["G"], Family::NormalisedGain),
    (&["binG"], Family::BinaryNormalisedGain),
    (&["nDCG_rel"], Family::NdcgOverRelevant),
    (&["Rndcg"], Family::NdcgAtLevels),
    (&["NumNonRel"], Family::JudgedNonRelevant),
    (&["gm_map", "gmAP"], Family::GeometricAveragePrecision),
    (&["gm_bpref"], Family::GeometricBpref),
];

impl Family {
    pub(super) fn parameters(self) -> &'static str {
        match self {
            Self::InterpolatedPrecision => "`rel` and a recall, for example `IPrec@0.1`",
            Self::SetPrecision => "`rel` and `relative`",
            Self::SetF => "`rel` and `beta`",
            Self::NormalisedGain | Self::NdcgOverRelevant | Self::NdcgAtLevels => "none",
            _ => "`rel`",
        }
    }
}

impl Parts<'_> {
    pub(super) fn trec_measure(&mut self, family: Family) -> Result<Metric, MetricError> {
        let measure = match family {
            Family::InterpolatedPrecision => TrecMeasure::InterpolatedPrecision(self.recall_level()?),
            Family::ElevenPoint => TrecMeasure::ElevenPoint,
            Family::SetPrecision if self.truth("relative")? => TrecMeasure::SetRelativePrecision,
            Family::SetPrecision => TrecMeasure::SetPrecision,
            Family::SetRecall => TrecMeasure::SetRecall,
            Family::SetF => TrecMeasure::SetF(self.positive("beta")?.unwrap_or(PositiveNumber::ONE)),
            Family::SetAveragePrecision => TrecMeasure::SetAveragePrecision,
            Family::Utility => TrecMeasure::Utility,
            Family::NormalisedGain => TrecMeasure::NormalisedGain,
            Family::BinaryNormalisedGain => TrecMeasure::BinaryNormalisedGain,
            Family::NdcgOverRelevant => TrecMeasure::NdcgOverRelevant,
            Family::NdcgAtLevels => TrecMeasure::NdcgAtLevels,
            Family::JudgedNonRelevant => TrecMeasure::JudgedNonRelevant,
            Family::GeometricAveragePrecision => TrecMeasure::GeometricAveragePrecision,
            Family::GeometricBpref => TrecMeasure::GeometricBpref,
        };
        let relevance = if measure.is_graded() { Relevance::AboveZero } else { self.relevance()? };
        Ok(Metric::TrecEval { measure, relevance })
    }

    fn recall_level(&mut self) -> Result<RecallLevel, MetricError> {
        let found = self.take("cutoff").or_else(|| self.take("recall"));
        let found = found.ok_or_else(|| MetricError::MissingCutoff { name: self.written.to_owned() })?;
        let level = found.parse().ok().and_then(|level| RecallLevel::new(level).ok());
        level.ok_or_else(|| self.value_error("recall", found, "a number from 0 to 1"))
    }
}

/// Returns the name of a measure, its own parameters, and what stands behind `@`.
pub(super) fn spelled(measure: TrecMeasure) -> (&'static str, Option<String>, Option<String>) {
    match measure {
        TrecMeasure::InterpolatedPrecision(level) => ("IPrec", None, Some(level.to_string())),
        TrecMeasure::ElevenPoint => ("11pt_avg", None, None),
        TrecMeasure::SetPrecision => ("SetP", None, None),
        TrecMeasure::SetRelativePrecision => ("SetP", Some("relative=True".to_owned()), None),
        TrecMeasure::SetRecall => ("SetR", None, None),
        TrecMeasure::SetF(beta) => ("SetF", (beta != PositiveNumber::ONE).then(|| format!("beta={beta}")), None),
        TrecMeasure::SetAveragePrecision => ("SetAP", None, None),
        TrecMeasure::RelativePrecision(cutoff) => ("P", Some("relative=True".to_owned()), Some(cutoff.to_string())),
        TrecMeasure::RPrecisionMultiple(multiple) => ("Rprec", Some(format!("mult={multiple}")), None),
        TrecMeasure::Utility => ("Utility", None, None),
        TrecMeasure::NormalisedGain => ("G", None, None),
        TrecMeasure::BinaryNormalisedGain => ("binG", None, None),
        TrecMeasure::NdcgOverRelevant => ("nDCG_rel", None, None),
        TrecMeasure::NdcgAtLevels => ("Rndcg", None, None),
        TrecMeasure::JudgedNonRelevant => ("NumNonRel", None, None),
        TrecMeasure::GeometricAveragePrecision => ("gm_map", None, None),
        TrecMeasure::GeometricBpref => ("gm_bpref", None, None),
    }
}
