//! Recorded rankings: Parquet, nested and with a row per hit, and TREC runs.
//!
//! Asserted: the cursors agree with the reader that holds everything in memory, whatever sessions are asked for in whatever
//! steps, and on what cannot be read; a damaged file gives the same answers twice, or an error.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Float32Array, Float64Array, Int32Array, LargeStringArray, RecordBatch, StringArray,
};
use datafusion::arrow::datatypes::Float64Type;
use rematch_engine::benchmark::HitOrder;
use rematch_engine::load::recorded::{Recorded, RecordedCursor};
use rematch_engine::load::{LoadError, RecordedSettings, Recording, oracles};
use rematch_engine::rows::rankings_to_batch;
use rematch_engine::session::{Hit, Ranking};

use crate::folder::{Folder, gzip};
use crate::input::{Choices, files};
use crate::make;

/// Sorting takes this and no more.
const MEMORY_BYTES: usize = 0;

/// What is recorded of a session.
type Rankings = BTreeMap<String, Ranking>;

pub(super) fn table(folder: &Folder, data: &[u8]) {
    let mut choices = Choices::new(data);
    let order = choices.pick(&[HitOrder::Strict, HitOrder::TrecEval]);
    let batch = if choices.yes() { nested(&mut choices) } else { flat(&mut choices) };
    let mut content = make::parquet(&batch, &mut choices);
    let steps = 1 + choices.below(4);
    let is_damaged = choices.damage(&mut content) > 0;
    let path = folder.write("rankings.parquet", &content);
    if is_damaged {
        let first = asked(folder, &path, order, &ids(), steps);
        let second = asked(folder, &path, order, &ids(), steps);
        assert_eq!(first.map_err(said), second.map_err(said));
    } else {
        check(folder, &path, order, steps);
    }
}

pub(super) fn run(folder: &Folder, data: &[u8]) {
    let [settings, run] = files(data);
    let mut choices = Choices::new(settings);
    let order = choices.pick(&[HitOrder::Strict, HitOrder::TrecEval]);
    let steps = 1 + choices.below(4);
    let content = if choices.yes() { gzip(run) } else { run.to_vec() };
    if !run.starts_with(b"PAR1") {
        check(folder, &folder.write("run", &content), order, steps);
    }
}

/// Sessions are few, so that they repeat, and longer ids stand between shorter ones.
fn session_id(number: usize) -> String {
    format!("s{}", number * 7)
}

fn ids() -> Vec<String> {
    let mut ids: Vec<String> = (0..20).map(session_id).collect();
    ids.sort_unstable();
    ids
}

fn nested(choices: &mut Choices<'_>) -> RecordBatch {
    let mut rankings = choices.few(8, |choices| {
        let failed = choices.rarely(6);
        let with_scores = choices.yes();
        Ranking {
            session_id: session_id(choices.below(20)),
            retriever_id: if choices.rarely(32) { "other".into() } else { "r".into() },
            hits: choices.few(5, |choices| Hit {
                item_id: choices.text(),
                score: (with_scores != choices.rarely(16)).then(|| choices.float()),
            }),
            error_kind: failed.then(|| choices.text()),
            error: choices.maybe(Choices::text),
            ..Ranking::default()
        }
    });
    if choices.yes() {
        rankings.sort_by(|left, right| left.session_id.cmp(&right.session_id));
    }
    rankings_to_batch(&rankings).expect("a batch")
}

fn flat(choices: &mut Choices<'_>) -> RecordBatch {
    let mut rows = choices.few(16, |choices| {
        let item = if choices.yes() { choices.text() } else { format!("d{}", choices.byte()) };
        (session_id(choices.below(20)), item, choices.byte(), choices.float())
    });
    if choices.yes() {
        rows.sort_by(|left, right| left.0.cmp(&right.0));
    }
    let sessions = rows.iter().map(|row| row.0.as_str());
    let sessions: ArrayRef = match choices.yes() {
        true => Arc::new(StringArray::from_iter_values(sessions)),
        false => Arc::new(LargeStringArray::from_iter_values(sessions)),
    };
    let items: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.1.as_str())));
    let mut columns = vec![("query_id", sessions), ("doc_id", items)];
    let (with_rank, with_score) = (choices.yes(), choices.yes());
    if with_rank || !with_score {
        columns.push(("rank", Arc::new(rows.iter().map(|row| i32::from(row.2)).collect::<Int32Array>())));
    }
    if with_score && choices.yes() {
        columns.push(("score", Arc::new(rows.iter().map(|row| row.3).collect::<Float64Array>())));
    } else if with_score {
        columns.push(("score", Arc::new(rows.iter().map(|row| row.3 as f32).collect::<Float32Array>())));
    }
    RecordBatch::try_from_iter(columns).expect("a batch")
}

fn check(folder: &Folder, path: &Path, order: HitOrder, steps: usize) {
    let expected = match oracles::recorded_rankings(path, order) {
        Ok(rankings) => rankings,
        Err(refused) => {
            let mut ids = ids();
            ids.extend(["", "1", "q1"].map(str::to_owned));
            let found = asked(folder, path, order, &ids, steps);
            // A cursor tells of a session only when it is asked for it; a table has no other sessions than these.
            if path.extension().is_some() {
                assert!(found.is_err(), "only the reader in memory refuses it: {refused}");
            }
            return;
        }
    };
    let mut ids = ids();
    ids.extend(expected.iter().map(|ranking| ranking.session_id.clone()));
    ids.sort_unstable();
    ids.dedup();
    let expected: Rankings = expected.into_iter().map(|ranking| (ranking.session_id.clone(), ranking)).collect();
    let found = asked(folder, path, order, &ids, steps);
    assert_eq!(found.unwrap_or_else(|error| panic!("only the cursor refuses it: {error}")), expected);
    ids.reverse();
    assert_eq!(asked(folder, path, order, &ids, steps).expect("the same"), expected);
}

/// Asks a cursor for sessions, so many at a time.
fn asked(folder: &Folder, path: &Path, order: HitOrder, ids: &[String], steps: usize) -> Result<Rankings, LoadError> {
    let settings = RecordedSettings { order, ..RecordedSettings::default() };
    let mut cursor = Recording::open(path, &settings, folder.path(), MEMORY_BYTES)?.cursor();
    let mut rankings = Rankings::new();
    for ids in ids.chunks(steps) {
        add(&mut cursor, ids, &mut rankings)?;
    }
    Ok(rankings)
}

fn add(cursor: &mut RecordedCursor, ids: &[String], rankings: &mut Rankings) -> Result<(), LoadError> {
    let answers = cursor.answers(&StringArray::from_iter_values(ids), usize::MAX)?;
    assert_eq!((answers.hits.len(), answers.states.len()), (ids.len(), ids.len()));
    for (row, (id, state)) in ids.iter().zip(answers.states).enumerate() {
        let elements = answers.hits.value(row);
        let elements = elements.as_struct();
        let items = elements.column(0).as_string::<i32>().iter();
        let scores = elements.column(1).as_primitive::<Float64Type>();
        let hit = |(item, score): (Option<&str>, Option<f64>)| Hit { item_id: item.expect("an id").to_owned(), score };
        let hits: Vec<Hit> = items.zip(scores).map(hit).collect();
        let (error_kind, error) = match state {
            Recorded::Missing => {
                assert_eq!(hits, []);
                continue;
            }
            Recorded::Found => (None, None),
            Recorded::Failed { kind, message } => (Some(kind), Some(message)),
        };
        let ranking = Ranking { session_id: id.clone(), hits, error_kind, error, ..Ranking::default() };
        rankings.insert(id.clone(), ranking);
    }
    Ok(())
}

fn said(error: LoadError) -> String {
    error.to_string()
}
