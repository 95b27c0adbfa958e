//! Judgments and behaviour logs as tables, which are more often met as text.
//!
//! Asserted: an undamaged table gives the sessions of the same rows as text; a damaged one gives the same twice, or an
//! error.

use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, Date64Array, Decimal128Array, DurationSecondArray, Float64Array, Int16Array, Int64Array,
    RecordBatch, StringArray, TimestampNanosecondArray, TimestampSecondArray, UInt8Array,
};
use datafusion::arrow::datatypes::{Field, Schema};
use rematch_engine::benchmark::spec::{SessionsPath, TrecSpec, UbiSpec};
use rematch_engine::load::{LoadError, SessionReader, inspect};
use rematch_engine::session::Session;
use serde_json::{Map, Value, json};

use crate::folder::Folder;
use crate::input::Choices;
use crate::make;

pub(super) fn judgments(folder: &Folder, data: &[u8]) {
    let mut choices = Choices::new(data);
    let whole = choices.yes();
    let rows = choices.few(12, |choices| {
        let grade = if whole { f64::from(choices.byte() as i8) } else { choices.float() };
        (choices.below(4), choices.below(8), grade)
    });
    let topics: ArrayRef = match choices.yes() {
        true => Arc::new(rows.iter().map(|row| Some(row.0 as u8)).collect::<UInt8Array>()),
        false => Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.0.to_string()))),
    };
    let documents: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|row| format!("d{}", row.1))));
    let grades: ArrayRef = match whole {
        true => Arc::new(rows.iter().map(|row| Some(row.2 as i16)).collect::<Int16Array>()),
        false => Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.2))),
    };
    let columns = [("q_id", topics, false), ("docno", documents, false), ("rel", grades, false)];
    let batch = RecordBatch::try_from_iter_with_nullable(columns).expect("a batch");
    let (table, is_damaged) = written(folder, "qrels.table", &batch, &mut choices);
    let path = |qrels: &Path| SessionsPath::Trec(TrecSpec { topics: None, qrels: qrels.display().to_string() });
    let found = read(&path(&table));
    let _ = inspect(&table);
    if is_damaged {
        assert_same(found, read(&path(&table)));
    } else if whole {
        let line = |row: &(usize, usize, f64)| format!("{} 0 d{} {}\n", row.0, row.1, row.2);
        let text = folder.write("qrels", rows.iter().map(line).collect::<String>().as_bytes());
        assert_eq!(found.expect("a table"), read(&path(&text)).expect("lines"));
    }
}

pub(super) fn behaviour(folder: &Folder, data: &[u8]) {
    let mut choices = Choices::new(data);
    let queries = choices.few(4, |choices| {
        json!({
            "query_id": format!("q{}", choices.below(3)),
            "user_query": choices.maybe(Choices::text),
            "client_id": choices.maybe(Choices::text),
            "timestamp": choices.maybe(Choices::time).map(|time| time.to_string()),
        })
    });
    let events = choices.few(8, |choices| {
        json!({
            "query_id": format!("q{}", choices.below(4)),
            "action_name": choices.pick(&["click", "impression", "Add To Cart", ""]),
            "session_id": choices.maybe(Choices::text),
            "event_attributes.object.object_id": choices.maybe(|choices| format!("i{}", choices.below(4))),
            "event_attributes.position.ordinal": choices.maybe(|choices| choices.below(5).to_string()),
        })
    });
    let (queries_table, queries_damaged) =
        written(folder, "queries.table", &text_columns(&queries, &mut choices), &mut choices);
    let (events_table, events_damaged) =
        written(folder, "events.table", &text_columns(&events, &mut choices), &mut choices);
    let path = |queries: &Path, events: &Path| {
        let [queries, events] = [queries, events].map(|path| path.display().to_string());
        SessionsPath::Ubi(UbiSpec { queries, events, application: None })
    };
    let found = read(&path(&queries_table, &events_table));
    let (_, _) = (inspect(&queries_table), inspect(&events_table));
    if queries_damaged || events_damaged {
        assert_same(found, read(&path(&queries_table, &events_table)));
        return;
    }
    let lines = |rows: &[Value]| rows.iter().map(|row| format!("{row}\n")).collect::<String>().into_bytes();
    let text = [folder.write("queries.ndjson", &lines(&queries)), folder.write("events.ndjson", &lines(&events))];
    match found {
        Ok(found) => assert_eq!(found, read(&path(&text[0], &text[1])).expect("lines")),
        // A column that nobody asks for may be of a type, or have a value, that has no text.
        Err(error) => assert!(matches!(error, LoadError::Damaged { .. }), "{error}"),
    }
}

/// Returns rows of texts as a table, perhaps with one more column.
fn text_columns(rows: &[Value], choices: &mut Choices<'_>) -> RecordBatch {
    let empty = Map::new();
    let names = rows.first().and_then(Value::as_object).unwrap_or(&empty).keys();
    let mut columns: Vec<(Field, ArrayRef)> = Vec::new();
    let mut add = |name: &str, array: ArrayRef| {
        columns.push((Field::new(name, array.data_type().clone(), true), array));
    };
    for name in names {
        add(name, Arc::new(rows.iter().map(|row| row[name].as_str()).collect::<StringArray>()));
    }
    if rows.is_empty() {
        add("query_id", Arc::new(StringArray::from(Vec::<&str>::new())));
    }
    let numbers: Vec<i64> = rows.iter().map(|_| choices.number() as i64).collect();
    let other: Option<ArrayRef> = match choices.below(7) {
        1 => Some(Arc::new(TimestampSecondArray::from(numbers))),
        2 => Some(Arc::new(TimestampNanosecondArray::from(numbers))),
        3 => Some(Arc::new(Date64Array::from(numbers))),
        4 => Some(Arc::new(DurationSecondArray::from(numbers))),
        5 => Some(Arc::new(Decimal128Array::from_iter_values(numbers.into_iter().map(i128::from)))),
        6 => Some(Arc::new(Int64Array::from(numbers))),
        _ => None,
    };
    if let Some(other) = other {
        add("other", other);
    }
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = columns.into_iter().unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("a batch")
}

/// Writes a table as Parquet or Arrow, and says whether it is damaged.
fn written(folder: &Folder, name: &str, batch: &RecordBatch, choices: &mut Choices<'_>) -> (std::path::PathBuf, bool) {
    let batch = make::disguised(batch, choices);
    let mut content = if choices.yes() { make::parquet(&batch, choices) } else { make::arrow(&batch, choices) };
    let is_damaged = choices.damage(&mut content) > 0;
    (folder.write(name, &content), is_damaged)
}

fn read(path: &SessionsPath) -> Result<Vec<Session>, LoadError> {
    SessionReader::open(path, None)?.collect()
}

#[track_caller]
fn assert_same(one: Result<Vec<Session>, LoadError>, other: Result<Vec<Session>, LoadError>) {
    let said = |result: Result<Vec<Session>, LoadError>| result.map_err(|error| error.to_string());
    assert_eq!(said(one), said(other));
}
