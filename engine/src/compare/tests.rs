//! The sums against the comparison of whole lists, on random runs.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BinaryArray, ListArray, RecordBatch, UInt32Array, new_null_array};
use datafusion::arrow::datatypes::UInt32Type;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;

use super::aggregation::Kept;
use super::cluster_tests::Clustered;
use super::largest::MOST;
use super::outcome::{BootstrapInterval, MetricComparison, Resampling};
use super::question::Question;
use super::resampling::{MOST_BYTES, Resampled, Source};
use super::sums::ask_within;
use super::{Arm, CompareError, Comparison, Round, SumMaker, compare, compare_within, oracle, sum_up_chunks};
use crate::benchmark::{Plan, SpecSource};
use crate::rows::{rankings_to_batch, scores_to_batch, sessions_to_batch};
use crate::schema::{self, column};
use crate::score::ScoringContract;
use crate::score::wasm::{HostSettings, PluginHost};
use crate::session::{
    Hit, Interaction, Judgment, Ranking, ScoreRow, ScoreState, ScorerResult, Session, ShownItem, StageRecord,
    StageState,
};
use crate::store::{Manifest, RunDirectory, StoreError, TableWriter, layout};

const BENCHMARK: &str = r#"
name = "sums"
baseline = "a"
candidates = ["b", "c"]
depth = 6
[sessions]
path = "sessions.parquet"
[metrics]
k = [3]
primary = "nDCG@3"
extra = ["Success@1"]
[statistics]
resamples = 100
bootstrap = 30
also = ["sign", "wilcoxon"]
non-inferiority-margin = 0.05
power = 0.9
[[retriever]]
id = "a"
stages = [{ kind = "shown" }]
[[retriever]]
id = "b"
stages = [{ kind = "shown" }]
[[retriever]]
id = "c"
stages = [{ kind = "shown" }]
[[scorer]]
name = "one"
metric = "nDCG@3"
weight = 0.5
[[scorer]]
name = "two"
metric = "R@3"
weight = 0.5
[[gate]]
metric = "R@3"
max-regression = 0.01
"#;

struct Case {
    plan: Plan,
    contract: ScoringContract,
    arms: Vec<Arm>,
}

impl Case {
    fn new() -> Self {
        Self::of(BENCHMARK)
    }

    fn of(benchmark: &str) -> Self {
        let spec = SpecSource::of(Path::new("sums.toml"), benchmark, &[]).expect("a spec");
        let plan = Plan::resolve(&spec).expect("a plan");
        let plugins = Arc::new(PluginHost::new(HostSettings::default()).expect("a host"));
        let contract = ScoringContract::load(&plan, &plugins).expect("a contract");
        let arm = |id: &str| Arm { id: id.into(), name: id.into(), pipeline_hash: id.into() };
        Self { plan, contract, arms: ["a", "b", "c"].map(arm).into() }
    }

    fn write(&self, root: &Path, run: &Run, rows_per_chunk: usize) -> RunDirectory {
        let manifest = Manifest::of(&self.plan, Vec::new()).expect("a manifest");
        let (directory, _) = RunDirectory::open(root, &manifest).expect("a directory");
        let path = directory.path(layout::SESSIONS);
        let mut writer = TableWriter::create(&path, schema::SESSIONS.clone(), rows_per_chunk).expect("a table");
        writer.write(&sessions_to_batch(&run.sessions).expect("a batch")).expect("written");
        writer.finish().expect("finished");
        let columns = self.contract.columns();
        for arm in 0..3 {
            for (chunk, start) in (0..run.sessions.len()).step_by(rows_per_chunk).enumerate() {
                let rows = start..(start + rows_per_chunk).min(run.sessions.len());
                let batch = self.part(
                    &columns,
                    &run.sessions[rows.clone()],
                    &run.rankings[arm][rows.clone()],
                    &run.scores[arm][rows],
                );
                let batches = std::iter::once(Ok(batch));
                directory.write_table(layout::part(arm, chunk), schema::part(&columns), batches).expect("a part");
            }
        }
        directory
    }

    fn part(&self, columns: &[String], sessions: &[Session], rankings: &[Ranking], scores: &[ScoreRow]) -> RecordBatch {
        let (of_rankings, of_scores) =
            (rankings_to_batch(rankings).expect("a batch"), scores_to_batch(scores, columns).expect("a batch"));
        let facts: Vec<_> = sessions
            .iter()
            .zip(rankings)
            .map(|(session, ranking)| oracle::facts(&self.plan, session, ranking))
            .collect();
        let ranks = facts.iter().map(|facts| Some(facts.ranks.iter().copied().map(Some).collect::<Vec<_>>()));
        let exposed = facts.iter().map(|facts| Some(facts.exposed.iter().copied().map(Some).collect::<Vec<_>>()));
        let schema = schema::part(columns);
        let column = |name: &str| -> ArrayRef {
            match name {
                column::HIT_COUNT => Arc::new(facts.iter().map(|facts| facts.hits).collect::<UInt32Array>()),
                column::TIE_BOUNDS => {
                    new_null_array(schema.field_with_name(name).expect("a field").data_type(), facts.len())
                }
                column::TOP_JUDGED => Arc::new(facts.iter().map(|facts| facts.judged).collect::<UInt32Array>()),
                column::TOP_ITEMS => Arc::new(facts.iter().map(|facts| Some(&facts.keys)).collect::<BinaryArray>()),
                column::TOUCHED_RANKS => Arc::new(ListArray::from_iter_primitive::<UInt32Type, _, _>(ranks.clone())),
                column::EXPOSED_RANKS => Arc::new(ListArray::from_iter_primitive::<UInt32Type, _, _>(exposed.clone())),
                _ => Arc::clone(of_rankings.column_by_name(name).or(of_scores.column_by_name(name)).expect("a column")),
            }
        };
        let arrays = schema.fields().iter().map(|field| column(field.name())).collect();
        RecordBatch::try_new(schema, arrays).expect("a part")
    }

    fn compare(&self, run: &Run, rows_per_chunk: usize, threads: usize) -> Comparison {
        let folder = tempfile::tempdir().expect("a folder");
        let directory = self.write(folder.path(), run, rows_per_chunk);
        let threads = NonZeroUsize::new(threads).expect("threads");
        compare(&self.plan, &self.contract, &self.arms, &directory, threads).expect("a comparison")
    }
}

#[derive(Debug)]
struct Run {
    sessions: Vec<Session>,
    rankings: Vec<Vec<Ranking>>,
    scores: Vec<Vec<ScoreRow>>,
}

const ITEMS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

fn session(clusters: u32) -> impl Strategy<Value = Session> {
    let act = (select(&ITEMS[..]), select(&["click", "purchase", "skip", "odd"][..]), prop::option::of(0_u32..9));
    let acts = prop::collection::vec(act, 0..4);
    let grade = (select(&ITEMS[..]), -1_i8..3);
    let judgment = |(item, grade): (&str, i8)| Judgment { item_id: item.into(), grade: grade.into() };
    let judged = prop::collection::vec(grade.prop_map(judgment), 1..4);
    let judged = prop_oneof![3 => Just(Vec::new()), 1 => judged];
    let taxonomy = prop::collection::vec(select(&["x/y", "x/z", "w"][..]), 0..3);
    let shown = prop::collection::vec(select(&ITEMS[..]), 0..5);
    (acts, judged, taxonomy, shown, prop::option::of(0..clusters), prop::option::of(0..clusters)).prop_map(
        |(acts, judgments, taxonomy, shown, user, visit)| Session {
            user_id: user.map(|user| format!("u{user}")),
            visit_id: visit.map(|visit| format!("v{visit}")),
            taxonomy: taxonomy.into_iter().map(str::to_owned).collect(),
            shown: shown.into_iter().map(|item| ShownItem { item_id: item.into(), ..ShownItem::default() }).collect(),
            interactions: acts
                .into_iter()
                .map(|(item, kind, position)| Interaction {
                    item_id: item.into(),
                    kind: kind.into(),
                    position,
                    ..Interaction::default()
                })
                .collect(),
            judgments,
            ..Session::default()
        },
    )
}

/// What may become of a stage whose session goes on.
const STAGE_STATES: [StageState; 6] = [
    StageState::Ok,
    StageState::Skipped,
    StageState::Cached,
    StageState::Shared,
    StageState::Batched,
    StageState::Reported,
];

fn answer(measures: usize) -> impl Strategy<Value = (Ranking, ScoreRow)> {
    let hits = Just(ITEMS.to_vec()).prop_shuffle();
    let value = || prop_oneof![1 => Just(None), 5 => (0_u32..1000).prop_map(|value| Some(f64::from(value) / 999.0))];
    let values = prop::collection::vec(value(), measures);
    let states = prop::collection::vec(0_usize..9, 2);
    (hits, 0_usize..7, 0_usize..9, values, states, 0_i64..90_000_000, value()).prop_map(
        |(hits, depth, odd, values, states, latency_ns, scenario)| {
            let failed = odd == 0;
            let kind = if odd == 1 { "shown" } else { "bm25" };
            let state =
                if failed { StageState::Failed } else { STAGE_STATES[latency_ns as usize % STAGE_STATES.len()] };
            let stage = StageRecord {
                name: kind.into(),
                kind: kind.into(),
                latency_ns: latency_ns / 2,
                hits: 0,
                attempts: if kind == "shown" { 0 } else { 1 + i64::from(odd == 2) },
                state,
                error: matches!(state, StageState::Failed | StageState::Skipped).then(|| format!("because {odd}")),
                recall: (latency_ns % 3 == 0).then_some(latency_ns as f64 / 90e6),
            };
            let hits = hits.into_iter().take(if failed { 0 } else { depth });
            let ranking = Ranking {
                hits: hits.map(|item| Hit { item_id: item.into(), score: None }).collect(),
                latency_ns,
                stages: vec![stage],
                error_kind: failed.then(|| "timeout".to_owned()),
                ..Ranking::default()
            };
            let scorer = |(index, state): (usize, usize)| ScorerResult {
                name: ["one", "two"][index].into(),
                output: format!("o{state}"),
                state: match state {
                    _ if failed => ScoreState::Unknown,
                    0 => ScoreState::Error,
                    1 => ScoreState::Unknown,
                    _ => ScoreState::Complete,
                },
                ..ScorerResult::default()
            };
            let row = ScoreRow {
                measures: values.into_iter().map(|value| value.filter(|_| !failed)).collect(),
                scorers: states.into_iter().enumerate().map(scorer).collect(),
                scenario_score: scenario.filter(|_| !failed),
                ..ScoreRow::default()
            };
            (ranking, row)
        },
    )
}

fn run(measures: usize) -> impl Strategy<Value = Run> {
    run_of(1..70, measures)
}

fn run_of(rows: std::ops::Range<usize>, measures: usize) -> impl Strategy<Value = Run> {
    (rows, select(&[1_u32, 8, 1_000_000_000][..])).prop_flat_map(move |(rows, clusters)| {
        let sessions = prop::collection::vec(session(clusters), rows);
        let answers = prop::collection::vec(prop::collection::vec(answer(measures), rows), 3);
        (sessions, answers).prop_map(|(mut sessions, answers)| {
            let (mut rankings, mut scores) = (Vec::new(), Vec::new());
            for (arm, answers) in answers.into_iter().enumerate() {
                let (mut of_arm, mut scores_of_arm): (Vec<Ranking>, Vec<ScoreRow>) = answers.into_iter().unzip();
                for (row, session) in sessions.iter_mut().enumerate() {
                    session.session_id = format!("s{row:04}");
                    session.query = (row % 3 > 0).then(|| format!("query {}", row % 7));
                    of_arm[row].session_id.clone_from(&session.session_id);
                    scores_of_arm[row].session_id.clone_from(&session.session_id);
                    of_arm[row].retriever_id = ITEMS[arm].into();
                }
                rankings.push(of_arm);
                scores.push(scores_of_arm);
            }
            Run { sessions, rankings, scores }
        })
    })
}

/// Returns where two reports differ: numbers by more than 1e-12 of them, percentiles of latency by more than 0.1 %.
fn difference(path: &str, found: &Value, expected: &Value) -> Option<String> {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) if found.len() == expected.len() => {
            found.iter().find_map(|(key, value)| {
                difference(&format!("{path}.{key}"), value, expected.get(key).unwrap_or(&Value::Null))
            })
        }
        (Value::Array(found), Value::Array(expected)) if found.len() == expected.len() => {
            found.iter().zip(expected).find_map(|(found, expected)| difference(path, found, expected))
        }
        (Value::Number(one), Value::Number(other)) => {
            let (one, other) = (one.as_f64().unwrap_or(f64::NAN), other.as_f64().unwrap_or(f64::NAN));
            let is_percentile =
                path.contains("latency") && ["p50_ms", "p90_ms", "p99_ms"].iter().any(|name| path.ends_with(name));
            let share = match is_percentile {
                true => 1e-3,
                // Its variance is a difference of sums that are much larger.
                false if path.contains(".relative.") => 1e-8,
                false => 1e-12,
            };
            // A t, p or mean near 0 is a small difference of larger numbers: what they lost is measured by those.
            let close = (one - other).abs() <= share * one.abs().max(other.abs()).max(1e-3);
            (!close).then(|| format!("{path}: {one} {other}"))
        }
        _ => (found != expected).then(|| format!("{path}: {found} {expected}")),
    }
}

fn json(comparison: &Comparison) -> Value {
    serde_json::to_value(comparison).expect("JSON")
}

#[test]
fn sums_of_chunks_say_what_whole_lists_say() {
    let case = Case::new();
    let mut runner = TestRunner::deterministic();
    let checked = runner.run(&(run(case.contract.columns().len()), 1_usize..80), |(run, rows_per_chunk)| {
        let expected =
            oracle::compare(&case.plan, &case.contract, &case.arms, &run.sessions, &run.rankings, &run.scores);
        let found = case.compare(&run, rows_per_chunk, 1);
        prop_assert_eq!(difference("", &json(&found), &json(&expected)), None);
        let threaded = case.compare(&run, rows_per_chunk, 3);
        prop_assert_eq!(json(&threaded).to_string(), json(&found).to_string());
        for compared in &found.comparison.comparisons {
            let (changes, test) = (&compared.largest_changes, &compared.metrics[&case.plan.primary]);
            prop_assert_eq!(changes.losses.len() as u64, test.loss.min(MOST as u64));
            prop_assert_eq!(changes.gains.len() as u64, test.win.min(MOST as u64));
        }
        Ok(())
    });
    checked.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_part_of_several_row_groups_is_refused() {
    let case = Case::new();
    let runs = run_of(2..9, case.contract.columns().len());
    let checked = some_runs(2).run(&runs, |run| {
        let folder = tempfile::tempdir().expect("a folder");
        let directory = case.write(folder.path(), &run, 9);
        let part = directory.table(layout::part(1, 0)).expect("a part").group(0).expect("rows");
        let halves = [part.slice(0, 1), part.slice(1, part.num_rows() - 1)].map(Ok);
        directory.write_groups(layout::part(1, 0), part.schema(), halves.into_iter()).expect("written");
        let found = compare(&case.plan, &case.contract, &case.arms, &directory, NonZeroUsize::MIN);
        let Err(CompareError::Store(StoreError::Table { source, .. })) = found else {
            return Err(TestCaseError::fail("it was read"));
        };
        prop_assert_eq!(source.to_string(), "it has 2 row groups, a part has one");
        Ok(())
    });
    checked.unwrap_or_else(|error| panic!("{error}"));
}

/// Compares a run of which others make the sums, round by round, and returns what a single process finds: all find the same.
fn made_by_others(case: &Case, run: &Run, rows_per_chunk: usize, most_bytes: u64) -> Result<Comparison, TestCaseError> {
    let threads = NonZeroUsize::MIN;
    let folder = tempfile::tempdir().expect("a folder");
    let directory = case.write(folder.path(), run, rows_per_chunk);
    let compare = || compare_within(&case.plan, &case.contract, &case.arms, &directory, threads, most_bytes);
    let compared = || json(&compare().expect("compared")).to_string();
    let alone = compare().expect("compared");
    let expected = json(&alone).to_string();
    let sample = directory.table(layout::SESSIONS).expect("a sample");
    let ask = |round| {
        let arms = case.arms.len();
        ask_within(&case.plan, &case.contract, arms, &directory, threads, round, most_bytes).expect("asked")
    };
    let make = |round, piece| {
        let maker = SumMaker::of(&directory, round).expect("asked for");
        maker.make(&case.plan, &case.contract, &directory, &sample, piece).expect("made")
    };
    prop_assert!(matches!(SumMaker::of(&directory, Round::Chunks), Err(CompareError::NotAsked)));
    let chunks = ask(Round::Chunks);
    prop_assert_eq!(chunks, sample.groups());
    prop_assert!(matches!(SumMaker::of(&directory, Round::Deal), Err(CompareError::NotAsked)));
    // Some are made, and the others are not.
    let made = (0..chunks).filter(|chunk| chunk % 3 != 1);
    let sessions: u64 = made.clone().map(|chunk| make(Round::Chunks, chunk)).sum();
    prop_assert_eq!(sessions, made.map(|chunk| sample.group_rows(chunk)).sum::<u64>());
    prop_assert_eq!(compared(), expected.clone());
    for chunk in (0..chunks).filter(|chunk| chunk % 3 == 1) {
        make(Round::Chunks, chunk);
    }
    for round in [Round::Deal, Round::Clusters, Round::Resamples] {
        let pieces = ask(round);
        prop_assert!(pieces > 0, "{round:?}");
        let sessions: u64 = (0..pieces).rev().map(|piece| make(round, piece)).sum();
        prop_assert_eq!(sessions % sample.rows(), 0, "{:?}", round);
        prop_assert_eq!(compared(), expected.clone(), "{:?}", round);
    }
    // They are read, where they say anything: damaged ones end the comparison.
    let bounds = alone.comparison.comparisons.iter().filter_map(|one| one.judgment_bounds.as_ref());
    let any_bounds = bounds.filter(|bounds| bounds.max_grade.is_some()).count() > 0;
    let damaged = any_bounds.then(|| layout::sums(Round::Deal.number(), 0));
    for damaged in damaged.into_iter().chain([layout::sums(Round::Resamples.number(), 0)]) {
        let piece = directory.read_bytes(&damaged).expect("a piece");
        directory.write_bytes(&damaged, b"no sums").expect("written");
        prop_assert!(compare().is_err());
        directory.write_bytes(&damaged, &piece).expect("written");
    }
    directory.write_bytes(layout::SUMS_ASKED, b"no sums").expect("written");
    prop_assert!(compare().is_err());
    Ok(alone)
}

fn some_runs(cases: u32) -> TestRunner {
    TestRunner::new_with_rng(Config::with_cases(cases), TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

#[test]
fn sums_that_others_made_give_the_same_numbers_to_the_bit() {
    let case = Case::new();
    let checked = some_runs(24).run(&(run(case.contract.columns().len()), 1_usize..80), |(run, rows_per_chunk)| {
        made_by_others(&case, &run, rows_per_chunk, MOST_BYTES).map(drop)
    });
    checked.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn sums_of_weighted_clusters_that_others_made_give_the_same_numbers_to_the_bit() {
    let case = Case::new();
    let intervals = std::cell::Cell::new(0);
    let checked = some_runs(24).run(&(run(case.contract.columns().len()), 1_usize..80), |(run, rows_per_chunk)| {
        let found = made_by_others(&case, &run, rows_per_chunk, 0)?;
        let tests = found.comparison.comparisons.iter().flat_map(|comparison| comparison.metrics.values());
        for interval in tests.filter_map(|test| test.ci95_bootstrap.as_ref()) {
            prop_assert_eq!(interval.method.as_str(), "Poisson percentile");
            intervals.set(intervals.get() + 1);
        }
        Ok(())
    });
    checked.unwrap_or_else(|error| panic!("{error}"));
    assert!(intervals.get() > 0, "no run had ten clusters");
}

#[test]
fn sums_that_are_not_finite_come_back_from_others_as_they_are() {
    let case = Case::new();
    let refused = std::cell::Cell::new(0);
    let runs = (run(case.contract.columns().len()), 1_usize..80, select(&[1e200, -1e308][..]));
    let checked = some_runs(24).run(&runs, |(mut run, rows_per_chunk, large)| {
        // The square of one is infinite, and the difference of two of the other.
        for (of_arm, sign) in run.scores.iter_mut().zip([1.0, -1.0, 1.0]) {
            for value in of_arm.iter_mut().step_by(3).flat_map(|row| row.measures.iter_mut().flatten()) {
                *value = sign * large;
            }
        }
        let found = made_by_others(&case, &run, rows_per_chunk, MOST_BYTES)?;
        let tests = found.comparison.comparisons.iter().flat_map(|comparison| comparison.metrics.values());
        refused.set(refused.get() + tests.filter(|test| test.n > 1 && test.p.is_none()).count());
        Ok(())
    });
    checked.unwrap_or_else(|error| panic!("{error}"));
    assert!(refused.get() > 0, "every difference could be tested");
}

/// What resampling finds of every candidate and measure where no more than `most_bytes` may be held.
fn resample(case: &Case, run: &Run, rows_per_chunk: usize, most_bytes: u64) -> (Resampling, Vec<MetricComparison>) {
    let (folder, threads) = (tempfile::tempdir().expect("a folder"), NonZeroUsize::MIN);
    let directory = case.write(folder.path(), run, rows_per_chunk);
    let (question, sample) = (Question::new(&case.plan, &case.contract, 3), directory.sample().expect("a sample"));
    let made = (None, &mut Kept::default());
    let (tally, _) = sum_up_chunks(&question, &directory, &sample, threads, made).expect("sums");
    let clustered = Clustered::read(&question, &tally, &directory, &sample, threads).expect("clusters");
    let source = Source { question: &question, run: &directory, sample: &sample, threads };
    let found = Resampled::read(source, &tally, &clustered, most_bytes, |_, _| Ok(None)).expect("resampled");
    let places = (1..3).flat_map(|candidate| (0..question.measures.len()).map(move |measure| (candidate, measure)));
    let test = |(candidate, measure)| {
        let mut test = MetricComparison::default();
        found.fill(candidate, measure, &mut test);
        test
    };
    (found.done(), places.map(test).collect())
}

fn intervals(case: &Case, run: &Run, rows_per_chunk: usize, most_bytes: u64) -> Vec<Option<BootstrapInterval>> {
    let (done, tests) = resample(case, run, rows_per_chunk, most_bytes);
    assert_eq!(done.bootstrap.note.contains("Poisson"), most_bytes == 0, "{}", done.bootstrap.note);
    let interval = |test: MetricComparison| {
        let no_wilcoxon = test.other_tests.iter().all(|test| test.p.is_none());
        assert!(no_wilcoxon || most_bytes > 0, "{:?}", test.other_tests);
        test.ci95_bootstrap
    };
    tests.into_iter().map(interval).collect()
}

#[test]
fn another_test_that_is_asked_for_changes_no_bootstrap_whatever_fits_in_memory() {
    let asking = Case::new();
    let not_asking = Case::of(&BENCHMARK.replace(r#"also = ["sign", "wilcoxon"]"#, ""));
    let (drawn_alone, both) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    let runs = (run_of(50..70, asking.contract.columns().len()), prop::option::of(Just(12)));
    let checked = some_runs(4).run(&runs, |(mut run, users)| {
        for (row, session) in run.sessions.iter_mut().enumerate() {
            // Few users, or sessions that all stand alone.
            (session.visit_id, session.user_id) = (None, users.map(|users| format!("u{}", row % users)));
        }
        for most_bytes in (8..16).map(|power| 1 << power) {
            let (done, with) = resample(&asking, &run, 7, most_bytes);
            let (expected, without) = resample(&not_asking, &run, 7, most_bytes);
            prop_assert_eq!(&done.bootstrap.note, &expected.bootstrap.note);
            let drawn = !done.bootstrap.note.contains("Poisson");
            for (with, without) in with.iter().zip(&without) {
                prop_assert_eq!(&with.ci95_bootstrap, &without.ci95_bootstrap);
                prop_assert_eq!(without.other_tests.len(), 0);
                let [wilcoxon] = with.other_tests.as_slice() else {
                    return Err(TestCaseError::fail(format!("{:?}", with.other_tests)));
                };
                let refused = wilcoxon.note.contains("not done");
                let beside = format!("more than {} beside", super::verdict::thousands(most_bytes));
                prop_assert!(!wilcoxon.note.contains(&beside), "what drawing takes is not left: {}", wilcoxon.note);
                prop_assert_eq!(refused && drawn, wilcoxon.note.contains("beside the bootstrap's"));
                // Where no session shares a user, both tests are made of the same deltas.
                prop_assert!(users.is_some() || refused != drawn, "{} {}", wilcoxon.note, done.bootstrap.note);
                drawn_alone.set(drawn_alone.get() + u32::from(drawn && refused));
                both.set(both.get() + u32::from(drawn && !refused));
            }
        }
        Ok(())
    });
    checked.unwrap_or_else(|error| panic!("{error}"));
    assert!(drawn_alone.get() > 0 && both.get() > 0, "{} {}", drawn_alone.get(), both.get());
}

#[test]
fn a_bootstrap_that_does_not_fit_in_memory_weights_clusters_whatever_the_chunks() {
    let case = Case::new();
    let compared = std::cell::Cell::new(0);
    let checked = some_runs(8).run(&(run(case.contract.columns().len()), 1_usize..80), |(run, rows_per_chunk)| {
        let weighted = intervals(&case, &run, rows_per_chunk, 0);
        prop_assert_eq!(&weighted, &intervals(&case, &run, 7, 0));
        for (weighted, drawn) in weighted.iter().zip(intervals(&case, &run, rows_per_chunk, u64::MAX)) {
            let Some((weighted, drawn)) = weighted.as_ref().zip(drawn.filter(|drawn| drawn.clusters >= 20)) else {
                continue;
            };
            prop_assert_eq!(weighted.method.as_str(), "Poisson percentile");
            prop_assert_eq!((weighted.clusters, weighted.resamples), (drawn.clusters, drawn.resamples));
            // Thirty resamples tell a standard error to some 13 %.
            let ratio = weighted.standard_error / drawn.standard_error;
            prop_assert!((0.4..2.5).contains(&ratio), "{weighted:?} {drawn:?}");
            compared.set(compared.get() + 1);
        }
        Ok(())
    });
    checked.unwrap_or_else(|error| panic!("{error}"));
    assert!(compared.get() > 0, "no run had twenty clusters");
}

#[test]
fn randomisation_depends_neither_on_the_order_of_rows_nor_on_their_chunks() {
    let case = Case::new();
    let p_values = |comparison: &Comparison| -> Vec<Value> {
        let candidates = comparison.comparison.comparisons.iter();
        let tests = candidates.map(|one| {
            let measures: Vec<_> = one.metrics.iter().map(|(name, test)| (name, test.randomisation)).collect();
            let nodes: Vec<_> = one.taxonomy.iter().map(|(name, test)| (name, test.randomisation)).collect();
            serde_json::json!([measures, nodes])
        });
        tests.collect()
    };
    let checked =
        some_runs(12).run(&(run(case.contract.columns().len()), 1_usize..80, 0_usize..70), |(mut run, rows, turn)| {
            let found = p_values(&case.compare(&run, 7, 1));
            let turn = turn % run.sessions.len();
            run.sessions.rotate_left(turn);
            run.rankings.iter_mut().for_each(|rankings| rankings.rotate_left(turn));
            run.scores.iter_mut().for_each(|scores| scores.rotate_left(turn));
            prop_assert_eq!(p_values(&case.compare(&run, rows, 3)), found);
            Ok(())
        });
    checked.unwrap_or_else(|error| panic!("{error}"));
}
