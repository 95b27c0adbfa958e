//! The example scorer against its formula, its source and its checksum.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use proptest::prelude::*;

use super::super::WasmScorer;
use super::guests::{Rows, host, plan, relevance};
use crate::benchmark::{Limits, PluginPlan};
use crate::score::{Case, Relevance, ScoreError, ScoreOutcome, Scorer, contract};
use crate::session::{Hit, Judgment, Ranking, Session};
use crate::store::sha256_of_bytes;

fn plugins() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins")
}

pub(super) fn component() -> PathBuf {
    plugins().join("half-life-utility/half-life-utility.wasm")
}

fn load(params: &str) -> Result<WasmScorer, ScoreError> {
    let plugin = PluginPlan { params: params.to_owned(), ..plan(&component(), Limits::default()) };
    WasmScorer::load("half-life", &plugin, host())
}

fn default_scorer() -> &'static WasmScorer {
    static SCORER: OnceLock<WasmScorer> = OnceLock::new();
    SCORER.get_or_init(|| load("{}").unwrap())
}

/// The formula of Breese, Heckerman and Kadie (1998), written again.
fn native(case: &Case<'_>, half_life: f64, neutral: f64) -> Option<f64> {
    let utility =
        |rank: usize, grade: f64| (grade - neutral).max(0.0) * (-((rank - 1) as f64) / (half_life - 1.0)).exp2();
    let mut ideal: Vec<f64> = case.relevance.iter().map(|(_, grade)| grade).filter(|grade| *grade > 0.0).collect();
    ideal.sort_by(|left, right| right.total_cmp(left));
    let best: f64 = (1..).zip(&ideal).map(|(rank, grade)| utility(rank, *grade)).sum();
    let hits = case.ranking.hits.iter().map(|hit| case.relevance.grade(&hit.item_id));
    let found: f64 = (1..).zip(hits).filter_map(|(rank, grade)| Some(utility(rank, grade?))).sum();
    (best > 0.0).then(|| found / best)
}

/// Returns a session with the grades, and a ranking of the items named by number.
fn row(grades: &[f32], ranked: &[usize]) -> (Session, Ranking, Relevance) {
    let judged = |(item, grade): (usize, &f32)| Judgment { item_id: item.to_string(), grade: *grade };
    let session = Session { judgments: grades.iter().enumerate().map(judged).collect(), ..Session::default() };
    let hits = ranked.iter().map(|item| Hit { item_id: item.to_string(), score: None }).collect();
    let relevance = relevance(&session);
    (session, Ranking { hits, ..Ranking::default() }, relevance)
}

/// Returns sessions of many kinds, with 0 to 11 hits.
pub(super) fn sample(count: usize) -> Rows {
    let row = |index: usize| {
        let ranked: Vec<usize> = (0..index % 12).map(|rank| (index + rank * 5) % 12).collect();
        let (mut session, ranking, relevance) = row(&[(index % 4) as f32, 0.5, (index % 3) as f32 * 0.7], &ranked);
        session.session_id = format!("session-{index}");
        (session, ranking, relevance)
    };
    Rows((0..count).map(row).collect())
}

fn assert_native(scorer: &WasmScorer, rows: &Rows, half_life: f64, neutral: f64) {
    let cases = rows.cases();
    let outcomes = scorer.score(&cases).unwrap();
    assert_eq!(outcomes.len(), cases.len());
    for (case, outcome) in cases.iter().zip(outcomes) {
        match native(case, half_life, neutral) {
            None => assert_eq!(outcome, ScoreOutcome::unknown()),
            Some(expected) => {
                let value = outcome.value.unwrap();
                assert!((value - expected).abs() <= 1e-12, "{value} is not {expected}");
            }
        }
    }
}

#[test]
fn the_papers_discount_halves_at_the_half_life() {
    let rows = Rows(vec![row(&[1.0], &[9, 8, 7, 6, 0]), row(&[1.0], &[0]), row(&[1.0], &[]), row(&[], &[0])]);
    let outcomes = default_scorer().score(&rows.cases()).unwrap();
    let values: Vec<Option<f64>> = outcomes.iter().map(|outcome| outcome.value).collect();
    assert_eq!(values, [Some(0.5), Some(1.0), Some(0.0), None]);
}

#[test]
fn parameters_change_the_score_as_the_formula_says() {
    let rows = Rows(vec![
        row(&[3.0, 1.0, 0.5, -1.0], &[3, 1, 7, 0, 2]),
        row(&[0.5, 0.25], &[1, 0]),
        row(&[2.0, 2.0, 1.0], &[8, 2, 0, 1]),
    ]);
    for (params, half_life, neutral) in [
        ("{}", 5.0, 0.0),
        (r#"{"half_life":10}"#, 10.0, 0.0),
        (r#"{"half_life":1.5,"neutral":0.5}"#, 1.5, 0.5),
        (" { \"neutral\" : 1.25 , \"half_life\" : 2.0 } ", 2.0, 1.25),
    ] {
        assert_native(&load(params).unwrap(), &rows, half_life, neutral);
    }
}

#[test]
fn wrong_parameters_are_refused_with_the_reason() {
    for (params, reason) in [
        (r#"{"half_life":1}"#, "`half_life` must be a rank above 1"),
        (r#"{"neutral":-0.5}"#, "`neutral` must be a grade of at least 0"),
        (r#"{"half_life":"5"}"#, "`half_life` and `neutral` must be decimal numbers of at most 15 digits"),
        (r#"{"neutral":0.1234567890123456}"#, "`half_life` and `neutral` must be decimal numbers of at most 15 digits"),
        (r#"{"halflife":5}"#, "unknown parameter; expected `half_life` or `neutral`"),
        ("[]", "the parameters must be a JSON object"),
        (r#"{"half_life":5"#, "the parameters must be a JSON object"),
        ("", "the parameters must be a JSON object"),
    ] {
        let error = load(params).unwrap_err().to_string();
        let expected =
            format!("scorer `half-life` failed: plugin `half-life-utility 0.1.0`: refused its parameters: {reason}");
        assert_eq!(error, expected, "{params}");
    }
}

#[test]
fn the_example_keeps_the_contract() {
    let rows: Vec<_> = (0..12).map(|seed| row(&[1.0, 2.0, 0.5], &[seed % 5, 7, (seed + 1) % 5])).collect();
    contract::check(default_scorer(), &Rows(rows).cases()).unwrap();
}

#[test]
fn the_example_describes_itself() {
    let description = default_scorer().description();
    let metric = &description.metrics[0];
    assert_eq!((metric.name.as_str(), metric.low, metric.high), ("half-life-utility", Some(0.0), Some(1.0)));
    assert_eq!(description.needs, ["judged"]);
    serde_json::from_str::<serde_json::Value>(&description.params_schema).unwrap();
}

#[test]
fn the_checked_in_component_has_its_checksum() {
    let recorded = std::fs::read_to_string(plugins().join("half-life-utility/half-life-utility.wasm.sha256")).unwrap();
    let found = sha256_of_bytes(&std::fs::read(component()).unwrap());
    assert_eq!(recorded, format!("{found}  half-life-utility.wasm\n"));
}

proptest! {
    #[test]
    fn scores_equal_the_formula(
        sessions in prop::collection::vec(
            (
                prop::collection::vec(prop::sample::select(vec![-1.0_f32, 0.0, 0.1, 0.5, 1.0, 3.0]), 0..8),
                Just((0..12).collect::<Vec<usize>>()).prop_shuffle(),
                0..12_usize,
            ),
            0..8,
        )
    ) {
        let rows = sessions.iter().map(|(grades, order, depth)| row(grades, &order[..*depth])).collect();
        assert_native(default_scorer(), &Rows(rows), 5.0, 0.0);
    }
}
