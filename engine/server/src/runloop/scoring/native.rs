//! Scorers that are programs, where the operator allows them: a child process without network, in a folder of its own, with a
//! time limit.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::App;
use crate::jobs::{Worker, WorkerError};
use crate::platform::error::ApiError;
use crate::runloop::model::Texts;
use crate::worker::{NativeScorerOrder, Order};

/// Bytes of an environment variable that every kernel takes.
const VARIABLE_BYTES: usize = 96 << 10;

/// The file that holds the context, as large as it may be.
const CONTEXT_FILE: &str = "rl_scorer_context.json";

/// A program that scores.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::runloop) struct Program {
    program: Vec<String>,
    /// Files of its folder, by path.
    files: Vec<(String, String)>,
    verdict: Verdict,
    /// Further context.
    params: Option<Value>,
    /// Whether that is all of it.
    is_exact: bool,
}

/// How a program tells its score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    /// `score=` and a number, the last one on stdout, however it exits.
    ScoreLine,
    /// A number, the last word on stdout, when it exits with 0.
    LastNumber,
    /// 1 when it exits with 0, else 0.
    ExitCode,
}

impl Program {
    fn new(program: &[&str], files: Vec<(String, String)>, verdict: Verdict) -> Self {
        Self {
            program: program.iter().map(|&word| word.to_owned()).collect(),
            files,
            verdict,
            params: None,
            is_exact: false,
        }
    }

    pub(super) fn bash_script(script: &str) -> Self {
        let files = vec![("scorer.sh".to_owned(), script.to_owned())];
        Self::new(&["bash", "scorer.sh"], files, Verdict::ScoreLine)
    }

    pub(super) fn with_params(self, params: Option<&Value>) -> Self {
        Self { params: params.cloned(), ..self }
    }

    /// Returns a script that reads exactly that context.
    pub(in crate::runloop) fn of_context(script: &str, context: &Value) -> Self {
        Self { params: Some(context.clone()), is_exact: true, ..Self::bash_script(script) }
    }

    pub(super) fn command(command: &str, files: Vec<(String, String)>) -> Self {
        Self::new(&["bash", "-c", command], files, Verdict::ExitCode)
    }

    pub(super) fn python(script: &str) -> Self {
        let files = vec![("scorer.py".to_owned(), script.to_owned())];
        Self::new(&["python3", "scorer.py"], files, Verdict::LastNumber)
    }

    pub(super) fn ast_grep(pattern: &str, directory: &str, language: Option<&str>) -> Self {
        let mut words = vec!["ast-grep", "run", "--pattern", pattern];
        if let Some(language) = language {
            words.extend(["--lang", language]);
        }
        words.extend(["--", directory]);
        Self::new(&words, Vec::new(), Verdict::ExitCode)
    }
}

/// What a program is run on.
pub(super) struct Circumstances<'a> {
    pub(super) context: Value,
    pub(super) files: &'a [(String, String)],
    pub(super) environment: &'a Texts,
    pub(super) seconds: u64,
}

/// What came back.
#[derive(Debug, Deserialize)]
struct Answer {
    exit_code: Option<i32>,
    stdout: String,
    stderr: String,
    timed_out: bool,
}

/// Why a program has no score.
#[derive(Debug)]
pub(super) struct Scoreless {
    /// The reason, and what it said.
    pub(super) reason: String,
    /// Whether it took longer than it may.
    pub(super) timed_out: bool,
}

impl Scoreless {
    pub(super) fn because(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), timed_out: false }
    }
}

/// Runs a program, and returns its score and what it said; or why it has no score.
///
/// # Errors
///
/// Returns an error when the server is at fault.
pub(super) async fn run(
    app: &App,
    organisation: &str,
    program: &Program,
    circumstances: Circumstances<'_>,
) -> Result<Result<(f64, String), Scoreless>, ApiError> {
    let order = order(program, &circumstances);
    let answer = match Worker::of_job(app, organisation).answer(&order).await {
        Ok(answer) => serde_json::from_value::<Answer>(answer).map_err(ApiError::internal)?,
        Err(WorkerError::Server(error)) => return Err(error),
        Err(error) => {
            let timed_out = matches!(error, WorkerError::TooLong { .. });
            return Ok(Err(Scoreless { reason: error.to_string(), timed_out }));
        }
    };
    Ok(verdict(program.verdict, &answer, circumstances.seconds))
}

fn order(program: &Program, circumstances: &Circumstances<'_>) -> Order {
    let context = match &program.params {
        Some(exact) if program.is_exact => exact.to_string(),
        params => context(params.as_ref(), &circumstances.context).to_string(),
    };
    let mut environment: BTreeMap<String, String> = circumstances.environment.clone();
    environment.insert("RL_SCORER_CONTEXT_FILE".to_owned(), CONTEXT_FILE.to_owned());
    let mut files = circumstances.files.to_vec();
    files.extend(program.files.iter().cloned());
    files.push((CONTEXT_FILE.to_owned(), context.clone()));
    if context.len() <= VARIABLE_BYTES {
        environment.insert("RL_SCORER_CONTEXT".to_owned(), context);
    }
    Order::NativeScorer(NativeScorerOrder {
        program: program.program.clone(),
        files,
        environment,
        timeout_seconds: circumstances.seconds,
    })
}

/// The parameters' own words win over ours.
fn context(params: Option<&Value>, told: &Value) -> Value {
    let mut context: Map<String, Value> = told.as_object().cloned().unwrap_or_default();
    match params {
        Some(Value::Object(params)) => context.extend(params.clone()),
        Some(params) => {
            context.insert("scorer_params".to_owned(), params.clone());
        }
        None => {}
    }
    Value::Object(context)
}

fn verdict(verdict: Verdict, answer: &Answer, seconds: u64) -> Result<(f64, String), Scoreless> {
    let said = format!("{}{}", answer.stdout, answer.stderr);
    let scoreless = |reason: String| Scoreless::because(format!("{reason}\n{said}"));
    if answer.timed_out {
        return Err(Scoreless { timed_out: true, ..scoreless(format!("stopped after {seconds} s, the limit")) });
    }
    let Some(code) = answer.exit_code else { return Err(scoreless("ended by a signal".to_owned())) };
    let (printed, expected) = match verdict {
        Verdict::ExitCode => return Ok((if code == 0 { 1.0 } else { 0.0 }, said)),
        Verdict::ScoreLine => {
            let told = answer.stdout.rsplit_once("score=").map(|(_, told)| told);
            (told.and_then(|told| told.split_whitespace().next()), "`score=` and a number from 0 to 1")
        }
        Verdict::LastNumber if code != 0 => (None, ""),
        Verdict::LastNumber => (answer.stdout.split_whitespace().next_back(), "a number from 0 to 1 last"),
    };
    match printed.and_then(|printed| printed.parse::<f64>().ok()) {
        Some(score) if (0.0..=1.0).contains(&score) => Ok((score, said)),
        Some(score) => Err(scoreless(format!("printed {score}; expected {expected}"))),
        None if code != 0 => Err(scoreless(format!("exited with {code}"))),
        None => Err(scoreless(format!("printed no score; expected {expected}"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(stdout: &str, exit_code: Option<i32>) -> Answer {
        Answer { exit_code, stdout: stdout.to_owned(), stderr: String::new(), timed_out: false }
    }

    #[test]
    fn scores_are_read_as_each_kind_of_program_tells_them() {
        let score = |kind, text: &str, code| verdict(kind, &answer(text, Some(code)), 1).map(|(score, _)| score).ok();
        assert_eq!(score(Verdict::ScoreLine, "score=0.1\nthen score=0.75\nbye", 0), Some(0.75));
        assert_eq!(score(Verdict::ScoreLine, "0.75", 0), None);
        // Scripts under `set -e`, or whose last word is a `grep`, exit as that does.
        assert_eq!(score(Verdict::ScoreLine, "score=1", 1), Some(1.0));
        assert_eq!(score(Verdict::ScoreLine, "no luck", 1), None);
        assert_eq!(score(Verdict::LastNumber, "log 3\n0.5\n", 0), Some(0.5));
        assert_eq!(score(Verdict::LastNumber, "0.5", 1), None);
        assert_eq!(score(Verdict::LastNumber, "", 0), None);
        assert_eq!(score(Verdict::ExitCode, "", 3), Some(0.0));
        assert_eq!(score(Verdict::ExitCode, "", 0), Some(1.0));
        for hostile in ["score=1.5", "score=-0.1", "score=NaN", "score=inf", "score="] {
            assert_eq!(score(Verdict::ScoreLine, hostile, 0), None, "{hostile}");
        }
    }

    #[test]
    fn a_program_that_was_stopped_has_no_score() {
        let stopped = Answer { timed_out: true, ..answer("score=1", None) };
        let scoreless = verdict(Verdict::ScoreLine, &stopped, 7).unwrap_err();
        assert!(scoreless.timed_out && scoreless.reason.contains("7 s"));
        assert!(!verdict(Verdict::ScoreLine, &answer("score=1", None), 7).unwrap_err().timed_out);
        assert!(verdict(Verdict::ExitCode, &answer("", None), 7).is_err());
    }

    #[test]
    fn parameters_win_over_what_is_told() {
        let told = json!({ "hits": [], "x": 1 });
        assert_eq!(context(Some(&json!({ "x": 2 })), &told), json!({ "hits": [], "x": 2 }));
        assert_eq!(context(Some(&json!([7])), &json!({})), json!({ "scorer_params": [7] }));
    }
}
