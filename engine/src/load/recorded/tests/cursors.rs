//! Cursors that start anywhere, go back, jump ahead, and meet sessions that are cut by the ends of blocks.

use std::fmt::Write as _;

use datafusion::arrow::array::{Float64Array, Int32Array, Int64Array};

use super::*;

/// A run of several megabytes, in which session 500 alone has more than one buffer full.
fn long_run() -> String {
    let mut run = String::from("\u{feff}");
    for session in 0..1000 {
        let hits = if session == 500 { 90_000 } else { 60 };
        for hit in 0..hits {
            writeln!(run, "q{session:05} Q0 d{hit:07} {} {} tag", hit + 1, f64::from(hits - hit) / 8.0).unwrap();
        }
        if session % 10 == 0 {
            run.push('\n');
        }
    }
    run
}

fn check_long(cursor: &mut RecordedCursor, session: usize, depth: usize) {
    let id = format!("q{session:05}");
    let found = answers(cursor, &[&id], depth).unwrap();
    let hits = if session == 500 { 90_000 } else { 60 };
    let expected: Vec<String> = (0..hits.min(depth)).map(|hit| format!("d{hit:07}")).collect();
    assert!(items(&found, &id) == expected, "{id}");
}

#[test]
fn a_cursor_may_go_anywhere() {
    let written = Written::new(long_run());
    let recording = written.open(&settings(None, STRICT)).unwrap();
    assert_eq!(left_over(written.folder.path()), 0, "a sorted run is not copied");
    let mut cursor = recording.cursor();
    for session in [0, 1, 999, 500, 499, 501, 500, 500, 3, 998] {
        check_long(&mut cursor, session, 7);
        check_long(&mut recording.cursor(), session, usize::MAX);
    }
    let ids: Vec<String> = (0..1000).map(|session| format!("q{session:05}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    assert_eq!(answers(&mut cursor, &ids, 2).unwrap().len(), 1000);
    assert_eq!(answers(&mut cursor, &["a", "q", "q00000", "q000001", "z"], 2).unwrap().len(), 1);
}

#[test]
fn rows_are_numbered_from_the_start_of_the_file_wherever_a_cursor_starts() {
    let run = long_run().replace("q00900 Q0 d0000059 60", "q00900 Q0 d0000000 60");
    let row = run.lines().position(|line| line.starts_with("q00900 Q0 d0000000 60")).unwrap() + 1;
    let written = Written::new(run);
    let error = message(answers(&mut written.open(&settings(None, STRICT)).unwrap().cursor(), &["q00900"], 1));
    assert!(error.contains(&format!("row {row}: duplicate session and item `q00900 d0000000`")), "{error}");
    assert!(error.contains(&format!("first seen in row {}", row - 59)), "{error}");
}

#[test]
fn ranks_that_were_left_decide_where_scores_do_not() {
    let ranked = |ranks: [Option<i32>; 6]| {
        RecordBatch::try_from_iter(vec![
            ("qid", texts(&["a", "b", "b", "b", "b", "c"])),
            ("docno", texts(&["1", "2", "3", "4", "5", "6"])),
            ("score", Arc::new(Float64Array::from(vec![1.0, 2.0, 1.0, 1.0, 1.0, 5.0])) as ArrayRef),
            ("rank", Arc::new(Int32Array::from(ranks.to_vec()))),
        ])
        .unwrap()
    };
    let all = ranked([1, 1, 4, 2, 3, 1].map(Some));
    for group_rows in 1..7 {
        let written = Written::new(parquet_in_groups(&all, group_rows));
        let recording = written.open(&settings(None, STRICT)).unwrap();
        let leaves_ranks = || matches!(&recording.opened.source, Source::Table(table) if table.may_leave_ranks());
        assert_eq!(answers(&mut recording.cursor(), &["a"], 9).unwrap().len(), 1);
        assert!(leaves_ranks(), "scores decide");
        let mut cursor = recording.cursor();
        for ids in [&["a", "b", "c"][..], &["b", "c"], &["b"]] {
            assert_eq!(items(&answers(&mut cursor, ids, 9).unwrap(), "b"), ["2", "4", "5", "3"], "{group_rows}");
            assert!(!leaves_ranks(), "what was asked for once is read at once");
        }
    }
    // Where the footer says that a rank is null, it is looked for though the scores decide.
    let written = Written::new(parquet_in_groups(&ranked([Some(1), Some(1), Some(4), Some(2), Some(3), None]), 6));
    let error = message(answers(&mut written.open(&settings(None, STRICT)).unwrap().cursor(), &["c"], 1));
    assert!(error.contains("row 6: no rank"), "{error}");
}

#[test]
fn a_session_may_span_row_groups() {
    let batch = RecordBatch::try_from_iter(vec![
        ("qid", texts(&["a", "b", "b", "b", "b", "c"])),
        ("docno", texts(&["1", "2", "3", "4", "5", "6"])),
        ("score", Arc::new(Float64Array::from(vec![1.0, 1.0, 2.0, 3.0, 4.0, 1.0])) as ArrayRef),
    ])
    .unwrap();
    for group_rows in 1..7 {
        let written = Written::new(parquet_in_groups(&batch, group_rows));
        let recording = written.open(&settings(None, STRICT)).unwrap();
        assert_eq!(left_over(written.folder.path()), 0);
        for ids in [&["a", "b", "c"][..], &["b"], &["c"], &["b", "c"]] {
            let found = answers(&mut recording.cursor(), ids, 3).unwrap();
            assert_eq!(found.len(), ids.len());
            if ids.contains(&"b") {
                assert_eq!(items(&found, "b"), ["5", "4", "3"]);
            }
        }
    }
}

#[test]
fn null_ids_and_no_ids_are_answered() {
    let written = Written::new("1 Q0 a 1 1 t\n");
    let mut cursor = written.open(&settings(None, STRICT)).unwrap().cursor();
    let asked = cursor.answers(&StringArray::from(vec![None, Some("1")]), 1).unwrap();
    assert_eq!(asked.states, [Recorded::Missing, Recorded::Found]);
    assert!(asked.latencies_ns.is_none());
    assert_eq!(cursor.answers(&StringArray::new_null(0), 1).unwrap().hits.len(), 0);
}

#[test]
fn sorting_spills_where_memory_is_short() {
    let rows = 1_500_000_i64;
    let ids: Vec<String> = (0..rows).map(|row| format!("session-{:07}", (row * 7919) % 300_007)).collect();
    let documents: Vec<String> = (0..rows).map(|row| format!("item-{row:012}")).collect();
    let batch = RecordBatch::try_from_iter(vec![
        ("qid", Arc::new(StringArray::from(ids)) as ArrayRef),
        ("docno", Arc::new(StringArray::from(documents))),
        ("rank", Arc::new(Int64Array::from_iter_values(0..rows))),
    ])
    .unwrap();
    let written = Written::new(parquet(&batch));
    let recording = written.open(&settings(None, STRICT)).unwrap();
    let found = answers(&mut recording.cursor(), &["session-0000000", "session-0300006"], 100).unwrap();
    assert_eq!(items(&found, "session-0000000").first().unwrap(), "item-000000000000");
    assert_eq!(found.len(), 2);
    drop(recording);
    assert_eq!(left_over(written.folder.path()), 0, "what was spilled is deleted");
}
