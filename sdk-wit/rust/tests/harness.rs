//! The harness against scorers that break the contract, each in its own way.

use std::cell::Cell;

use rematch_scorer::prelude::*;
use rematch_scorer::testing::{Harness, Outcome, Sample};

fn samples() -> [Sample; 3] {
    let sample = |id: &str, grade| Sample::new(id).hits(["a", "b"]).grade("b", grade);
    [sample("s1", 1.0), sample("s2", 2.0), sample("s3", -1.0)]
}

fn describe(name: &str) -> Description {
    Description::new(name, "").needs(Columns::JUDGED).metric(Metric::new("best").low(0.0).high(2.0))
}

/// The best grade of the ranking; the parameter `mode` makes it misbehave.
struct Best {
    mode: String,
}

impl Scorer for Best {
    fn describe() -> Description {
        describe("best").metric(Metric::new("hits"))
    }

    fn new(params: &Params) -> Result<Self, String> {
        Ok(Self { mode: params.text_or("mode", "")?.to_owned() })
    }

    fn score(&self, session: &Session<'_>) -> Result<Score, String> {
        let best = session.judged().map(|hit| hit.grade).fold(0.0, f64::max);
        let score = Score::new((best > 0.0).then_some(best)).part("hits", session.judged().len() as f64);
        match self.mode.as_str() {
            "nan" => Ok(Score::new(f64::NAN)),
            "range" => Ok(Score::new(best + 1.5)),
            "part" => Ok(score.part("misses", 1.0)),
            "error" if best > 1.0 => Err("too good".to_owned()),
            "neighbours" => Ok(Score::new(session.index() as f64)),
            "columns" => Ok(Score::new(session.hits().len() as f64)),
            "text" => Ok(score.output(format!("best is {best}"))),
            _ => Ok(score),
        }
    }

    fn score_batch(&self, batch: &Batch, scores: &mut Scores) -> Result<(), String> {
        if self.mode == "batch" {
            return Err("the batch is too small".to_owned());
        }
        for session in batch.sessions() {
            let score = self.score(&session);
            scores.set(session.index(), if self.mode == "differs" { Ok(Score::new(0.5)) } else { score })?;
        }
        Ok(())
    }
}

fn run(mode: &str) -> Result<Vec<Outcome>, String> {
    Harness::<Best>::new().params(&format!(r#"{{"mode": "{mode}"}}"#)).score(samples())
}

#[test]
fn outcomes_have_values_sub_scores_texts_and_errors() {
    let outcomes = run("text").unwrap();
    assert_eq!(outcomes.iter().map(Outcome::value).collect::<Vec<_>>(), [Some(1.0), Some(2.0), None]);
    assert_eq!(outcomes[2].part("hits"), Some(1.0));
    assert_eq!(outcomes[1].output(), "best is 2");
    let outcomes = run("error").unwrap();
    assert_eq!((outcomes[1].value(), outcomes[1].part("hits"), outcomes[1].error()), (None, None, Some("too good")));
    assert_eq!((outcomes[0].value(), outcomes[0].error()), (Some(1.0), None));
}

#[test]
fn breaches_of_the_contract_are_refused() {
    for (mode, reason) in [
        ("nan", "`best` of session `s1` is NaN, expected one from 0 to 2"),
        ("range", "`best` of session `s1` is 2.5, expected one from 0 to 2"),
        ("part", "the batch is refused: the sub-score `misses` is not declared by the description"),
        ("batch", "the batch is refused: the batch is too small"),
    ] {
        assert_eq!(run(mode).unwrap_err(), reason);
    }
    assert!(run("neighbours").unwrap_err().starts_with("session `s1` gets other scores among other sessions"));
    assert!(run("differs").unwrap_err().starts_with("session `s1`: `score_batch` gives"));
    let unknown = Harness::<Best>::new().params(r#"{"moed": "nan"}"#).score(samples()).unwrap_err();
    assert_eq!(unknown, "the parameters are refused: unknown parameter `moed`; expected one of `mode`");
}

#[test]
#[should_panic(expected = "add `Columns::HITS` to `needs`")]
fn reading_a_column_that_was_not_asked_for_panics() {
    let _never = run("columns");
}

thread_local! {
    static CALLS: Cell<f64> = const { Cell::new(0.0) };
}

/// Counts calls, which is state.
struct Counter;

impl Scorer for Counter {
    fn describe() -> Description {
        Description::new("counter", "").stateful().metric(Metric::new("calls"))
    }

    fn new(_: &Params) -> Result<Self, String> {
        Ok(Self)
    }

    fn score(&self, _: &Session<'_>) -> Result<Score, String> {
        CALLS.set(CALLS.get() + 1.0);
        Ok(Score::new(CALLS.get()))
    }
}

impl Aggregate for Counter {
    fn aggregate(&self, metrics: &[Column]) -> Result<Option<f64>, String> {
        Ok(metrics.first().map(Column::sum))
    }
}

#[test]
fn scores_that_depend_on_earlier_calls_are_refused() {
    assert!(Harness::<Counter>::new().score(samples()).unwrap_err().contains("among other sessions"));
    assert_eq!(Harness::<Counter>::new().aggregate([]), Ok(Some(0.0)));
}

/// Has no metric, or a misnamed one.
struct Misnamed;

impl Scorer for Misnamed {
    fn describe() -> Description {
        Description::new("misnamed", "").metric(Metric::new("mean rank"))
    }

    fn new(_: &Params) -> Result<Self, String> {
        Ok(Self)
    }

    fn score(&self, _: &Session<'_>) -> Result<Score, String> {
        Ok(Score::undefined())
    }
}

#[test]
fn names_that_the_host_refuses_are_refused() {
    let error = Harness::<Misnamed>::new().score(samples()).unwrap_err();
    assert!(error.starts_with("`mean rank` is no name of a metric"), "{error}");
}
