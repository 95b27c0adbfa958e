//! The other programs, and how they are asked.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::VerifyError;
use super::difference::{Answers, Verification};
use super::files::{self, RUN};
use super::measure::{By, Job, Question};

/// Half of the last digit that trec_eval prints, and the rounding of that half.
const PRINTED: f64 = 5.0001e-5;

/// Reads the files, and prints `metric<TAB>session<TAB>value` for all that is asked.
const SCRIPT: &str = include_str!("ask.py");

/// The exit code by which the script says that a module is missing.
const MISSING_MODULE: i32 = 3;

/// A program that computes metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// A Python that has pytrec_eval, and perhaps ir_measures.
    Python(PathBuf),
    /// A trec_eval, which prints four digits.
    TrecEval(PathBuf),
}

impl Program {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Python(_) => "pytrec_eval",
            Self::TrecEval(_) => "trec_eval",
        }
    }

    pub(super) fn tolerance(&self) -> f64 {
        match self {
            Self::Python(_) => 1e-9,
            Self::TrecEval(_) => PRINTED,
        }
    }

    /// Returns the error that it says nothing of what it was asked for.
    pub(super) fn silent(&self, job: &Job) -> VerifyError {
        let (Self::Python(program) | Self::TrecEval(program)) = self;
        let name = job.measures.first().map(|(_, name)| name.as_str()).unwrap_or_default();
        VerifyError::Answer { program: program.to_owned(), said: format!("nothing of `{name}` for any session") }
    }

    /// Returns the program's values for the files in `folder`.
    pub(super) fn ask(
        &self,
        folder: &Path,
        question: &Question,
        verification: &mut Verification,
    ) -> Result<Answers, VerifyError> {
        match self {
            Self::Python(python) => ask_python(python, folder, question, verification),
            Self::TrecEval(program) => ask_trec_eval(program, folder, question),
        }
    }
}

fn file_of(question: &Question, job: &Job) -> String {
    files::judgments(question.gains().iter().position(|gains| *gains == job.gains).unwrap_or_default())
}

fn ask_python(
    python: &Path,
    folder: &Path,
    question: &Question,
    verification: &mut Verification,
) -> Result<Answers, VerifyError> {
    let jobs = question.jobs.iter().map(|job| {
        serde_json::json!({
            "judgments": file_of(question, job),
            "depth": job.depth,
            "judged_only": job.judged_only,
            "by": match job.by { By::TrecEval => "pytrec_eval", By::IrMeasures => "ir_measures" },
            "measures": job.measures,
        })
    });
    let asked = serde_json::json!({ "run": RUN, "jobs": jobs.collect::<Vec<_>>() });
    std::fs::write(folder.join("question.json"), asked.to_string())?;
    let advice = "name a Python that has ir_measures with `--python`, or a trec_eval with `--trec-eval`";
    let mut command = command(python, folder)?;
    command.args(["-c", SCRIPT]);
    let output = run(python, advice, &mut command)?;
    if output.status.code() == Some(MISSING_MODULE) {
        return Err(VerifyError::NotInstalled { python: python.to_owned() });
    }
    let text = text_of(python, &output)?;
    let mut answers = Answers::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        match fields.as_slice() {
            ["version", version] => verification.program = (*version).to_owned(),
            ["skipped", place, reason] => {
                let place: usize = place.parse().map_err(|_| unexpected(python, line))?;
                verification.skip(question.name(place), reason);
            }
            _ => {
                let (place, session, value) = parsed(&fields).ok_or_else(|| unexpected(python, line))?;
                answers.insert((place, session), value);
            }
        }
    }
    Ok(answers)
}

fn parsed(fields: &[&str]) -> Option<(usize, usize, f64)> {
    let [place, session, value] = fields else { return None };
    Some((place.parse().ok()?, session.parse().ok()?, value.parse().ok()?))
}

fn ask_trec_eval(program: &Path, folder: &Path, question: &Question) -> Result<Answers, VerifyError> {
    let mut answers = Answers::new();
    for job in &question.jobs {
        let mut command = command(program, folder)?;
        command.args(["-q", "-n"]);
        if job.judged_only {
            command.arg("-J");
        }
        if let Some(depth) = job.depth {
            command.arg("-M").arg(depth.to_string());
        }
        for measure in families(job) {
            command.arg("-m").arg(measure);
        }
        command.arg(file_of(question, job)).arg(RUN);
        let output = run(program, "name a trec_eval with `--trec-eval`", &mut command)?;
        for line in text_of(program, &output)?.lines() {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [measure, session, value] = fields.as_slice() else { continue };
            let Some((place, _)) = job.measures.iter().find(|(_, name)| name == measure) else { continue };
            let (Ok(session), Ok(value)) = (session.parse(), value.parse()) else {
                return Err(unexpected(program, line));
            };
            answers.insert((*place, session), value);
        }
    }
    Ok(answers)
}

/// Returns the measures as trec_eval is asked for them: `ndcg_cut.5,10`, not `ndcg_cut_5` and `ndcg_cut_10`.
fn families(job: &Job) -> Vec<String> {
    let mut families: Vec<(&str, Vec<&str>)> = Vec::new();
    for (_, name) in &job.measures {
        let cut = name.rsplit_once('_').filter(|(_, cutoff)| cutoff.parse::<usize>().is_ok());
        let (family, cutoff) = cut.map_or((name.as_str(), None), |(family, cutoff)| (family, Some(cutoff)));
        match families.iter_mut().find(|(known, _)| *known == family) {
            Some((_, cutoffs)) => cutoffs.extend(cutoff),
            None => families.push((family, cutoff.into_iter().collect())),
        }
    }
    let asked = |(family, cutoffs): (&str, Vec<&str>)| {
        if cutoffs.is_empty() { family.to_owned() } else { format!("{family}.{}", cutoffs.join(",")) }
    };
    families.into_iter().map(asked).collect()
}

/// Returns a call of the program in the folder of its files; a path is relative to the folder that the user is in.
fn command(program: &Path, folder: &Path) -> std::io::Result<Command> {
    let is_name = program.components().count() == 1;
    let place = if is_name { program.to_owned() } else { std::path::absolute(program)? };
    let mut command = Command::new(place);
    command.current_dir(folder);
    Ok(command)
}

fn run(program: &Path, advice: &'static str, command: &mut Command) -> Result<Output, VerifyError> {
    let started = command.output();
    started.map_err(|source| VerifyError::Start { program: program.to_owned(), advice, source })
}

fn text_of(program: &Path, output: &Output) -> Result<String, VerifyError> {
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("nothing").trim().to_owned();
        return Err(VerifyError::Failed { program: program.to_owned(), said });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn unexpected(program: &Path, line: &str) -> VerifyError {
    let line: String = line.chars().take(200).collect();
    VerifyError::Answer { program: program.to_owned(), said: format!("`{line}`") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::gains::Gains;
    use rematch_metrics::GainFunction;

    #[test]
    fn cutoffs_of_one_measure_are_asked_in_one_word() {
        let measures = ["ndcg_cut_5", "ndcg", "ndcg_cut_10", "num_rel", "P_5"];
        let measures = measures.iter().enumerate().map(|(place, name)| (place, (*name).to_owned())).collect();
        let gains = Gains::Gain(GainFunction::Linear);
        let job = Job { gains, depth: None, judged_only: false, by: By::TrecEval, measures };
        assert_eq!(families(&job), ["ndcg_cut.5,10", "ndcg", "num_rel", "P.5"]);
    }

    #[test]
    fn a_program_that_is_not_there_is_named_with_what_to_do() {
        let missing = Path::new("/nowhere/trec_eval");
        let error = run(missing, "name another", &mut Command::new(missing)).unwrap_err();
        assert_eq!(error.to_string(), "cannot start `/nowhere/trec_eval`; name another");
    }
}
