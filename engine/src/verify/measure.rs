//! What the other programs call our metrics.

use rematch_metrics::{GainFunction, Metric, RbpGain, Relevance, TrecMeasure};

use super::Program;
use super::gains::Gains;

/// Metrics that one reading of the files answers: the same judgments, depth and condensation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Job {
    /// The file of judgments.
    pub(super) gains: Gains,
    /// Hits of each ranking that are looked at; `None` for all.
    pub(super) depth: Option<usize>,
    /// Whether unjudged items are dropped.
    pub(super) judged_only: bool,
    /// Which program of the two that Python has.
    pub(super) by: By,
    /// The place of each metric in the plan, and what the program calls it.
    pub(super) measures: Vec<(usize, String)>,
}

/// Whose name a measure has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// trec_eval's, `ndcg_cut_10`.
    TrecEval,
    /// ir_measures', `Judged@10`.
    IrMeasures,
}

/// What is asked of a program.
#[derive(Debug, Clone, Default)]
pub(super) struct Question {
    /// What we call the metrics, by their place in the plan.
    pub(super) names: Vec<String>,
    pub(super) jobs: Vec<Job>,
    /// The metrics that it cannot be asked for, by their place in the plan, and why.
    pub(super) unasked: Vec<(usize, &'static str)>,
}

impl Question {
    pub(super) fn of(metrics: &[Metric], default_gain: GainFunction, program: &Program) -> Self {
        let mut question = Self { names: metrics.iter().map(Metric::to_string).collect(), ..Self::default() };
        for (place, metric) in metrics.iter().enumerate() {
            match asked(metric, default_gain, program) {
                Ok((job, name)) => question.add(job, place, name),
                Err(why) => question.unasked.push((place, why)),
            }
        }
        question
    }

    fn add(&mut self, job: Job, place: usize, name: String) {
        let same = |known: &&mut Job| {
            (known.gains, known.depth, known.judged_only, known.by) == (job.gains, job.depth, job.judged_only, job.by)
        };
        if let Some(known) = self.jobs.iter_mut().find(same) {
            known.measures.push((place, name));
        } else {
            self.jobs.push(Job { measures: vec![(place, name)], ..job });
        }
    }

    /// Returns what we call the metric of that place.
    pub(super) fn name(&self, place: usize) -> &str {
        self.names.get(place).map_or("", String::as_str)
    }

    /// Returns the distinct files of judgments.
    pub(super) fn gains(&self) -> Vec<Gains> {
        let mut all: Vec<Gains> = self.jobs.iter().map(|job| job.gains).collect();
        all.sort();
        all.dedup();
        all
    }
}

fn asked(metric: &Metric, default_gain: GainFunction, program: &Program) -> Result<(Job, String), &'static str> {
    let binary = |relevance: Relevance| Gains::Binary(relevance);
    let cut = |whole: &str, cut: &str, cutoff: Option<std::num::NonZeroUsize>| {
        cutoff.map_or_else(|| whole.to_owned(), |cutoff| format!("{cut}_{cutoff}"))
    };
    let (gains, name) = match *metric {
        Metric::Ndcg { gain, cutoff, .. } => {
            (Gains::Gain(gain.unwrap_or(default_gain)), cut("ndcg", "ndcg_cut", cutoff))
        }
        Metric::Recall { relevance, cutoff, .. } => (binary(relevance), format!("recall_{cutoff}")),
        Metric::Precision { relevance, cutoff, .. } => (binary(relevance), format!("P_{cutoff}")),
        Metric::RPrecision { relevance, .. } => (binary(relevance), "Rprec".to_owned()),
        Metric::Success { relevance, cutoff, .. } => (binary(relevance), format!("success_{cutoff}")),
        Metric::ReciprocalRank { relevance, .. } => (binary(relevance), "recip_rank".to_owned()),
        Metric::AveragePrecision { relevance, cutoff, .. } => (binary(relevance), cut("map", "map_cut", cutoff)),
        Metric::Bpref { relevance } => (binary(relevance), "bpref".to_owned()),
        Metric::InferredAveragePrecision { relevance } => (binary(relevance), "infAP".to_owned()),
        Metric::Returned { relevance: Some(relevance) } => (binary(relevance), "num_rel_ret".to_owned()),
        Metric::Returned { relevance: None } => (binary(Relevance::AboveZero), "num_ret".to_owned()),
        Metric::Relevant { relevance } => (binary(relevance), "num_rel".to_owned()),
        Metric::TrecEval { measure, relevance } => of_trec_eval(measure, relevance)?,
        Metric::Judged { .. } | Metric::Rbp { .. } => return by_ir_measures(metric, program),
        Metric::Err { .. } => return Err("no program prints all its digits"),
        _ => return Err("its name elsewhere is not known"),
    };
    // Reciprocal rank has no cutoff there: it is that of a ranking that was cut before.
    let depth = match metric {
        Metric::ReciprocalRank { judged_only: false, cutoff, .. } => cutoff.map(std::num::NonZeroUsize::get),
        Metric::ReciprocalRank { judged_only: true, cutoff: Some(_), .. } => {
            return Err("no program has it condensed and cut");
        }
        _ => None,
    };
    let job = Job { gains, depth, judged_only: metric.judged_only(), by: By::TrecEval, measures: Vec::new() };
    Ok((job, name))
}

/// Returns the judgments and the name of a measure that trec_eval alone prints.
fn of_trec_eval(measure: TrecMeasure, relevance: Relevance) -> Result<(Gains, String), &'static str> {
    let graded = Gains::Gain(GainFunction::Linear);
    let name = match measure {
        TrecMeasure::InterpolatedPrecision(_) | TrecMeasure::ElevenPoint => {
            return Err("pytrec_eval and trec_eval round the recall differently");
        }
        TrecMeasure::SetPrecision => "set_P".to_owned(),
        TrecMeasure::SetRelativePrecision => "set_relative_P".to_owned(),
        TrecMeasure::SetRecall => "set_recall".to_owned(),
        TrecMeasure::SetF(beta) if beta.get() == 1.0 => "set_F".to_owned(),
        TrecMeasure::SetAveragePrecision => "set_map".to_owned(),
        TrecMeasure::RelativePrecision(cutoff) => format!("relative_P_{cutoff}"),
        TrecMeasure::RPrecisionMultiple(multiple) => format!("Rprec_mult_{:.2}", multiple.get()),
        TrecMeasure::Utility => "utility".to_owned(),
        TrecMeasure::BinaryNormalisedGain => "binG".to_owned(),
        TrecMeasure::NormalisedGain => {
            return Err("it depends on the size of grades, which are handed over as whole numbers");
        }
        TrecMeasure::GeometricAveragePrecision | TrecMeasure::GeometricBpref => {
            return Err("trec_eval prints it of all sessions together, and of none alone");
        }
        TrecMeasure::NdcgOverRelevant => return Ok((graded, "ndcg_rel".to_owned())),
        TrecMeasure::NdcgAtLevels => return Ok((graded, "Rndcg".to_owned())),
        _ => return Err("what is judged and what is not cannot be told apart in the files that are handed over"),
    };
    Ok((Gains::Binary(relevance), name))
}

fn by_ir_measures(metric: &Metric, program: &Program) -> Result<(Job, String), &'static str> {
    if matches!(program, Program::TrecEval(_)) {
        return Err("trec_eval does not have it");
    }
    let (gains, depth, name) = match *metric {
        Metric::Judged { .. } => (Gains::Binary(Relevance::AboveZero), None, metric.to_string()),
        Metric::Rbp { persistence, gain: RbpGain::Binary(relevance), judged_only: false, cutoff } => {
            (Gains::Binary(relevance), cutoff.map(std::num::NonZeroUsize::get), format!("RBP(p={persistence},rel=1)"))
        }
        _ => return Err("ir_measures has it with binary relevance only"),
    };
    Ok((Job { gains, depth, judged_only: false, by: By::IrMeasures, measures: Vec::new() }, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_of_one_reading_are_asked_together() {
        let names =
            ["nDCG@5", "nDCG@10", "R@5", "P@5", "RR@10", "AP(rel=2)", "Judged@5", "ERR@5", "P(judged_only=True)@5"];
        let metrics: Vec<Metric> = names.iter().map(|name| name.parse().unwrap()).collect();
        let question = Question::of(&metrics, GainFunction::Linear, &Program::Python("python3".into()));
        let jobs: Vec<Vec<&str>> =
            question.jobs.iter().map(|job| job.measures.iter().map(|(_, name)| name.as_str()).collect()).collect();
        let expected: [&[&str]; 6] =
            [&["ndcg_cut_5", "ndcg_cut_10"], &["recall_5", "P_5"], &["recip_rank"], &["map"], &["Judged@5"], &["P_5"]];
        assert_eq!(jobs, expected);
        assert_eq!(question.jobs[2].depth, Some(10));
        assert_eq!(question.unasked, [(7, "no program prints all its digits")]);
        assert_eq!(question.gains().len(), 3);

        let trec_eval = Question::of(&metrics, GainFunction::Linear, &Program::TrecEval("trec_eval".into()));
        assert_eq!(trec_eval.unasked.len(), 2);
    }
}
