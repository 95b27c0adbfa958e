//! Tables in many types, and damaged ones.

use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, BooleanArray, DictionaryArray, FixedSizeListArray, Float64Array, Int32Array, Int64Array,
    LargeListArray, LargeStringArray, ListArray, RecordBatch, StringArray, StringViewArray, StructArray,
    TimestampMicrosecondArray, TimestampSecondArray,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{Field, Fields, Int32Type};

use super::normalise;
use crate::load::LoadError;
use crate::load::dirt::DirtKind;
use crate::load::fixture::{Fixture, arrow_file, arrow_stream, files, gzip, parquet, read_all};
use crate::rows::{sessions_from_batch, sessions_to_batch};
use crate::schema;
use crate::session::{Interaction, Judgment, Session, ShownItem};

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)))
        .expect("a batch")
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

fn structs(columns: Vec<(&str, ArrayRef)>) -> StructArray {
    let field = |(name, array): &(&str, ArrayRef)| Field::new(*name, array.data_type().clone(), true);
    let fields: Fields = columns.iter().map(field).collect();
    StructArray::try_new(fields, columns.into_iter().map(|(_, array)| array).collect(), None).expect("structs")
}

fn list(elements: ArrayRef, lengths: &[usize]) -> ArrayRef {
    let item = Arc::new(Field::new("element", elements.data_type().clone(), true));
    let offsets = OffsetBuffer::from_lengths(lengths.iter().copied());
    Arc::new(ListArray::try_new(item, offsets, elements, None).expect("a list"))
}

fn large_list(elements: ArrayRef, lengths: &[usize]) -> ArrayRef {
    let item = Arc::new(Field::new("item", elements.data_type().clone(), true));
    let offsets = OffsetBuffer::from_lengths(lengths.iter().copied());
    Arc::new(LargeListArray::try_new(item, offsets, elements, None).expect("a list"))
}

fn normalised(batch: &RecordBatch) -> Result<Vec<Session>, LoadError> {
    let normal = normalise(batch, Path::new("a.parquet"))?;
    assert_eq!(normal.schema_ref(), &*schema::SESSIONS);
    Ok(sessions_from_batch(&normal).expect("rows"))
}

fn error_of(columns: Vec<(&str, ArrayRef)>) -> String {
    normalised(&batch(columns)).expect_err("an error").to_string()
}

fn session() -> Session {
    Session {
        session_id: "s1".into(),
        timestamp: Some(1_767_225_600_000),
        query: Some("kettle".into()),
        query_vector: Some(vec![0.5, -1.0]),
        taxonomy: vec!["home/kitchen".into()],
        shown: vec![ShownItem { item_id: "a".into(), score: Some(1.5), propensity: Some(0.5) }],
        interactions: vec![Interaction {
            item_id: "a".into(),
            kind: "click".into(),
            position: Some(1),
            timestamp: Some(1_767_225_600_001),
            value: None,
        }],
        judgments: vec![Judgment { item_id: "a".into(), grade: 2.0 }],
        ..Session::default()
    }
}

#[test]
fn columns_of_compatible_types_are_cast() {
    let shown = structs(vec![
        ("score", Arc::new(Int32Array::from(vec![3, 2, 1]))),
        ("item_id", Arc::new(StringViewArray::from_iter_values(["a", "b", "c"]))),
        ("colour", texts(&["red", "red", "red"])),
    ]);
    let clicks = structs(vec![
        ("kind", Arc::new(DictionaryArray::<Int32Type>::from_iter(["click"]))),
        ("item_id", Arc::new(LargeStringArray::from_iter_values(["a"]))),
        ("position", Arc::new(Int64Array::from(vec![1]))),
        ("timestamp", Arc::new(TimestampSecondArray::from(vec![5]))),
    ]);
    let grades = structs(vec![("item_id", texts(&["a"])), ("grade", Arc::new(Int64Array::from(vec![-1])))]);
    let vector: ArrayRef = Arc::new(Float64Array::from(vec![0.5, 1.0, 2.0, 3.0]));
    let vector_item = Arc::new(Field::new("item", vector.data_type().clone(), true));
    let batch = batch(vec![
        ("extra", Arc::new(BooleanArray::from(vec![true, false]))),
        ("timestamp", Arc::new(TimestampMicrosecondArray::from(vec![1_500, -1]).with_timezone("+02:00"))),
        ("session_id", Arc::new(DictionaryArray::<Int32Type>::from_iter(["s1", "s2"]))),
        ("query", Arc::new(StringViewArray::from_iter_values(["kettle", "cup"]))),
        ("query_vector", Arc::new(FixedSizeListArray::try_new(vector_item, 2, vector, None).expect("a list"))),
        ("taxonomy", large_list(texts(&["home"]), &[0, 1])),
        ("shown", large_list(Arc::new(shown), &[2, 1])),
        ("interactions", list(Arc::new(clicks), &[1, 0])),
        ("judgments", list(Arc::new(grades), &[0, 1])),
    ]);
    let sessions = normalised(&batch).expect("sessions");
    assert_eq!((sessions[0].session_id.as_str(), sessions[0].timestamp), ("s1", Some(1)));
    assert_eq!(sessions[0].query_vector, Some(vec![0.5, 1.0]));
    assert_eq!(sessions[0].shown[1], ShownItem { item_id: "b".into(), score: Some(2.0), propensity: None });
    assert_eq!((sessions[0].interactions[0].position, sessions[0].interactions[0].timestamp), (Some(1), Some(5_000)));
    assert_eq!((sessions[1].taxonomy.as_slice(), sessions[1].shown.len()), (["home".to_owned()].as_slice(), 1));
    assert_eq!(sessions[1].judgments, [Judgment { item_id: "a".into(), grade: -1.0 }]);
    assert_eq!(super::unknown_columns(batch.schema_ref()), 2);
    assert_eq!(normalised(&batch.slice(1, 1)).expect("sessions"), sessions[1..]);
}

#[test]
fn missing_optional_columns_are_null_and_a_missing_id_is_an_error() {
    let sessions = normalised(&batch(vec![("session_id", texts(&["s1"]))])).expect("sessions");
    assert_eq!(sessions, [Session { session_id: "s1".into(), ..Session::default() }]);
    assert_eq!(
        error_of(vec![("sessionid", texts(&["s1"])), ("query", texts(&["q"]))]),
        "`a.parquet` has no column `session_id`; it has `sessionid`, `query`"
    );
}

#[test]
fn incompatible_columns_name_column_and_types() {
    let id = || ("session_id", texts(&["s1"]));
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    assert_eq!(
        error_of(vec![("session_id", numbers.clone())]),
        "`a.parquet`: column `session_id` has type Int64, expected Utf8"
    );
    for column in ["query", "timestamp", "shown", "taxonomy", "query_vector"] {
        let message = error_of(vec![id(), (column, numbers.clone())]);
        assert!(message.contains(&format!("column `{column}` has type Int64, expected ")), "{message}");
    }
    let positions = structs(vec![
        ("item_id", texts(&["a"])),
        ("kind", texts(&["click"])),
        ("position", Arc::new(Float64Array::from(vec![1.5]))),
    ]);
    let message = error_of(vec![id(), ("interactions", list(Arc::new(positions), &[1]))]);
    assert!(message.contains("`interactions.position` has type Float64, expected UInt32"), "{message}");
    let no_kind = structs(vec![("item_id", texts(&["a"]))]);
    let message = error_of(vec![id(), ("interactions", list(Arc::new(no_kind), &[1]))]);
    assert!(message.contains("no column `interactions.kind`; it has `item_id`"), "{message}");
    let message = error_of(vec![id(), ("shown", list(texts(&["a"]), &[1]))]);
    assert!(message.contains("column `shown` has type"), "{message}");
}

#[test]
fn bad_values_name_the_row() {
    let ids = || ("session_id", texts(&["s1", "s2", "s3"]));
    let null: ArrayRef = Arc::new(StringArray::from(vec![Some("s1"), None]));
    assert_eq!(error_of(vec![("session_id", null)]), "`a.parquet`, row 2: `session_id` is null, expected a value");
    assert_eq!(error_of(vec![("session_id", texts(&["s1", ""]))]), "`a.parquet`, row 2: `session_id` is empty");
    for (grades, lengths, row, part) in [
        ([1.0, f64::NAN], [1, 0, 1], 3, "`judgments.grade` is NaN"),
        ([f64::INFINITY, 1.0], [0, 2, 0], 2, "`judgments.grade` is inf"),
        ([1.0, 1e300], [2, 0, 0], 1, "`judgments.grade`"),
    ] {
        let grades =
            structs(vec![("item_id", texts(&["a", "b"])), ("grade", Arc::new(Float64Array::from(grades.to_vec())))]);
        let message = error_of(vec![ids(), ("judgments", list(Arc::new(grades), &lengths))]);
        assert!(message.contains(&format!("row {row}: ")) && message.contains(part), "{message}");
    }
    let acts = |position: i64| {
        structs(vec![
            ("item_id", texts(&["a"])),
            ("kind", texts(&["click"])),
            ("position", Arc::new(Int64Array::from(vec![position]))),
        ])
    };
    for position in [-1, i64::from(u32::MAX) + 1] {
        let message = error_of(vec![ids(), ("interactions", list(Arc::new(acts(position)), &[0, 1, 0]))]);
        assert!(message.contains("row 2: `interactions.position` is out of range"), "{message}");
    }
    let vectors: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.0), None]));
    let message = error_of(vec![ids(), ("query_vector", list(vectors, &[1, 0, 1]))]);
    assert!(message.contains("row 3: `query_vector` is null"), "{message}");
    let propensity: ArrayRef = Arc::new(Float64Array::from(vec![1.5]));
    let shown = structs(vec![("item_id", texts(&["a"])), ("propensity", propensity)]);
    let message = error_of(vec![ids(), ("shown", list(Arc::new(shown), &[0, 0, 1]))]);
    assert!(message.contains("row 3: `shown.propensity` is 1.5"), "{message}");
}

#[test]
fn two_columns_of_one_name_are_refused() {
    let schema = datafusion::arrow::datatypes::Schema::new(vec![
        Field::new("session_id", datafusion::arrow::datatypes::DataType::Utf8, false),
        Field::new("session_id", datafusion::arrow::datatypes::DataType::Utf8, false),
    ]);
    let batch = RecordBatch::try_new(Arc::new(schema), vec![texts(&["a"]), texts(&["b"])]).expect("a batch");
    assert!(normalised(&batch).expect_err("an error").to_string().contains("two columns are named `session_id`"));
}

#[test]
fn every_format_gives_the_same_sessions_whatever_the_ending() {
    let fixture = Fixture::new();
    let sessions =
        vec![session(), Session { session_id: "s2".into(), query: Some("cup".into()), ..Session::default() }];
    let batch = sessions_to_batch(&sessions).expect("a batch");
    let lines: String = sessions.iter().map(|session| serde_json::to_string(session).expect("JSON") + "\n").collect();
    for (name, content) in [
        ("a.parquet", parquet(&batch)),
        ("a.data", parquet(&batch)),
        ("b.arrow", arrow_file(&batch)),
        ("c.arrow", arrow_stream(&batch)),
        ("d.jsonl", lines.clone().into_bytes()),
        ("d.ndjson.gz", gzip(&lines)),
        ("lines", lines.into_bytes()),
    ] {
        let (read, dirt) = read_all(&files(&fixture.write(name, content)));
        assert_eq!(read.expect(name), sessions, "{name}");
        assert!(dirt.is_empty(), "{name}");
    }
}

#[test]
fn cut_tables_are_errors_at_every_length() {
    let fixture = Fixture::new();
    let sessions: Vec<Session> =
        (0..40).map(|number| Session { session_id: format!("s{number}"), ..session() }).collect();
    let batch = sessions_to_batch(&sessions).expect("a batch");
    for (name, content) in
        [("a.parquet", parquet(&batch)), ("a.arrow", arrow_file(&batch)), ("a.arrows", arrow_stream(&batch))]
    {
        let steps = (0..content.len()).step_by(content.len() / 150 + 1).chain(content.len() - 12..content.len());
        for length in steps {
            let (read, _) = read_all(&files(&fixture.write(name, &content[..length])));
            let error = read.expect_err(name);
            assert!(matches!(error, LoadError::Damaged { .. }), "{name} cut at {length}: {error}");
        }
    }
}

#[test]
fn tables_with_flipped_bytes_never_panic() {
    let fixture = Fixture::new();
    let batch = sessions_to_batch(&[session()]).expect("a batch");
    for (name, content) in [("a.parquet", parquet(&batch)), ("a.arrow", arrow_file(&batch))] {
        for position in (4..content.len()).step_by(11) {
            let mut flipped = content.clone();
            flipped[position] ^= 0x55;
            let (read, _) = read_all(&files(&fixture.write(name, flipped)));
            if let Err(error) = read {
                assert!(!error.to_string().is_empty());
            }
        }
    }
}

#[test]
fn dirt_of_tables_is_counted() {
    let fixture = Fixture::new();
    let acts = structs(vec![
        ("item_id", texts(&["a"])),
        ("kind", texts(&["click"])),
        ("position", Arc::new(Int32Array::from(vec![0]))),
    ]);
    let batch = batch(vec![
        ("session_id", texts(&["s1"])),
        ("country", texts(&["de"])),
        ("interactions", list(Arc::new(acts), &[1])),
    ]);
    let (read, dirt) = read_all(&files(&fixture.table("a.parquet", &batch)));
    assert_eq!(read.expect("sessions").len(), 1);
    let counts: Vec<_> = dirt.iter().collect();
    let expected = [(DirtKind::IgnoredColumn, 1), (DirtKind::EmptyQuery, 1), (DirtKind::PositionZero, 1)];
    assert_eq!(counts, expected);
}

#[test]
fn rows_are_counted_over_batches() {
    let fixture = Fixture::new();
    let mut ids: Vec<Option<String>> = (0..3000).map(|number| Some(format!("s{number}"))).collect();
    ids[2500] = None;
    let batch = batch(vec![("session_id", Arc::new(StringArray::from(ids)))]);
    for (name, content) in [("a.parquet", parquet(&batch)), ("a.arrow", arrow_file(&batch))] {
        let (read, _) = read_all(&files(&fixture.write(name, content)));
        let message = read.expect_err(name).to_string();
        assert!(message.contains("row 2501: `session_id` is null"), "{message}");
    }
}
