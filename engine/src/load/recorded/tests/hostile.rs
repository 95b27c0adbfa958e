//! Orders, layouts and everything that is refused.

use std::io::Write as _;

use datafusion::arrow::array::{
    Float32Array, Float64Array, Int64Array, ListArray, ListBuilder, StringBuilder, StringViewArray, StructArray,
};
use datafusion::arrow::datatypes::{DataType, Field, Fields};

use super::*;
use crate::rows::rankings_to_batch;

/// Ties, a rank column against the scores, tabs, a line end of another system, a number with an exponent, and a topic that
/// comes again after another.
const RUN: &str =
    "1 Q0 b 1 2.5 tag\n1\tQ0\ta\t2\t2.5\ttag\r\n\n1  Q0 c 3 1e1 tag\n2 Q0 x 0 -3 other\n1 Q0 d 0 2.50000001 tag\n";

#[test]
fn strict_order_is_by_score_then_rank_then_item() {
    let strict = settings(None, STRICT);
    let rankings = read_sessions(RUN, &strict, &["1", "2", "3"]).unwrap();
    assert_eq!(items(&rankings, "1"), ["c", "d", "b", "a"]);
    assert_eq!(rankings.get("2").unwrap().hits, [hit("x", Some(-3.0))]);
    assert!(!rankings.contains_key("3"));
    let same_rank = read_sessions("1 Q0 b 1 0 t\n1 Q0 a 1 -0.0 t\n", &strict, &["1"]).unwrap();
    assert_eq!(items(&same_rank, "1"), ["a", "b"]);
}

#[test]
fn trec_eval_order_is_by_single_precision_score_then_item_descending() {
    let trec_eval = settings(None, TREC_EVAL);
    let rankings = read_sessions(RUN, &trec_eval, &["1"]).unwrap();
    assert_eq!(items(&rankings, "1"), ["c", "d", "b", "a"], "2.50000001 is 2.5 in single precision");
    assert_eq!(rankings.get("1").unwrap().hits[1].score, Some(2.5));
    let one = read_sessions("1 Q0 a first 1 t\n", &trec_eval, &["1"]).unwrap();
    assert_eq!(items(&one, "1"), ["a"], "ranks are ignored");
}

#[test]
fn a_tag_picks_lines_of_a_run() {
    let rankings = read_sessions(RUN, &settings(Some("other"), STRICT), &["1", "2"]).unwrap();
    assert_eq!(rankings.into_keys().collect::<Vec<_>>(), ["2"]);
    let error = message(read_sessions(RUN, &settings(Some("none"), STRICT), &["1"]));
    assert!(error.ends_with("no rankings of `none`; it has `other`, `tag`"), "{error}");
}

#[test]
fn hostile_runs_name_file_and_line() {
    for (run, expected) in [
        ("1 Q0 a 1 1 t\n1 Q0 b 2 1\n", "row 2: 5 columns, expected 6: `topic Q0 item rank score tag`"),
        ("1 Q0 a 1 high t\n", "row 1: score `high`, expected a number"),
        ("1 Q0 a one 1 t\n", "row 1: rank `one`, expected a number"),
        ("1 Q0 a 1 NaN t\n", "row 1: score `NaN`, expected a finite number"),
        ("1 Q0 a 1 -inf t\n", "row 1: score `-inf`, expected a finite number"),
        ("1 Q0 a 1 3 t\n2 Q0 a 1 3 t\n1 Q0 a 9 1 t\n", "row 3: duplicate session and item `1 a`, first seen in row 1"),
        (
            "\n1 Q0 b 1 3 t\n1 Q0 a 9 1 t\n\n1 Q0 a 9 1 t\n",
            "row 5: duplicate session and item `1 a`, first seen in row 3",
        ),
        ("2 Q0 a 1 1 t\n1 Q0 a 1 low t\n", "row 2: score `low`, expected a number"),
        ("\n \n", "holds no rankings"),
        ("", "holds no rankings"),
    ] {
        let error = message(read_sessions(run, &settings(None, STRICT), &["1", "2"]));
        assert!(error.contains("run`") && error.contains(expected), "{error}");
    }
    for run in [&b"1 Q0 \xff 1 1 t\n"[..], b"\xff Q0 a 1 1 t\n"] {
        assert!(message(read_sessions(run, &settings(None, STRICT), &["1"])).contains("row 1: not UTF-8 text"));
    }
    let error = message(read_sessions("1 Q0 a 1 1 t\n1 Q0 b 2 1\n", &settings(Some("t"), STRICT), &["1"]));
    assert!(error.contains("row 2: 5 columns"), "{error}");
}

#[test]
fn rows_of_sessions_that_nobody_asks_for_do_no_harm() {
    let run = b"1 Q0 a 1 1 t\n2 Q0 a 1 bad t\n3 Q0 a 1 1 t\n3 Q0 b 2 0 t\n4 Q0 \xff 1 1 t\n5 Q0 a 1\n";
    let rankings = read_sessions(run, &settings(None, STRICT), &["1", "3"]).unwrap();
    assert_eq!(items(&rankings, "1"), ["a"]);
    assert_eq!(items(&rankings, "3"), ["a", "b"]);
    for (session, expected) in [("2", "row 2: score `bad`"), ("4", "row 5: not UTF-8"), ("5", "row 6: 4 columns")] {
        let error = message(read_sessions(run, &settings(None, STRICT), &["1", session]));
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn gzip_runs_are_read_and_cut_ones_refused() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(RUN.as_bytes()).unwrap();
    let bytes = encoder.finish().unwrap();
    let strict = settings(None, STRICT);
    assert_eq!(read_sessions(&bytes, &strict, &["1", "2"]).unwrap().len(), 2);
    assert!(matches!(read_sessions(&bytes[..bytes.len() - 9], &strict, &["1"]), Err(LoadError::Io { .. })));
}

#[test]
fn copies_are_deleted_with_the_last_cursor() {
    let written = Written::new(RUN);
    let recording = written.open(&settings(None, STRICT)).unwrap();
    assert_eq!(left_over(written.folder.path()), 1, "the run is not sorted");
    let mut cursor = recording.cursor();
    drop(recording);
    assert_eq!(answers(&mut cursor, &["1"], 1).unwrap().len(), 1);
    drop(cursor);
    assert_eq!(left_over(written.folder.path()), 0);
}

#[test]
fn tables_of_rankings_keep_failures_latencies_and_empty_answers() {
    let mut failed = ranking("s3", "r", Vec::new());
    failed.error_kind = Some("timeout".into());
    failed.error = Some("after 5 s".into());
    failed.latency_ns = 7;
    let mut rankings = [
        ranking("s1", "r", vec![hit("b", Some(1.0)), hit("a", Some(1.0)), hit("c", Some(2.0))]),
        ranking("s2", "r", Vec::new()),
        failed,
        ranking("s4", "r", vec![hit("z", None), hit("y", None)]),
    ];
    for order in [STRICT, TREC_EVAL] {
        rankings.reverse();
        let bytes = parquet(&rankings_to_batch(&rankings).unwrap());
        let written = Written::new(&bytes);
        let mut cursor = written.open(&settings(None, order)).unwrap().cursor();
        let found = answers(&mut cursor, &["s1", "s2", "s3", "s4", "s5"], 100).unwrap();
        assert_eq!(items(&found, "s1"), ["c", "b", "a"]);
        assert_eq!(found.get("s2"), Some(&RecordedRanking::default()));
        let failure = RecordedFailure { kind: "timeout".into(), message: "after 5 s".into() };
        assert_eq!(found.get("s3"), Some(&RecordedRanking { hits: Vec::new(), failure: Some(failure) }));
        assert_eq!(items(&found, "s4"), ["z", "y"], "no scores, so the list's order counts");
        assert_eq!(found.len(), 4);
        let latencies = cursor.answers(&StringArray::from(vec!["s2", "s3", "s9"]), 1).unwrap().latencies_ns.unwrap();
        assert_eq!(latencies.iter().collect::<Vec<_>>(), [Some(0), Some(7), None]);
    }
}

#[test]
fn several_retrievers_of_a_table_need_a_choice() {
    let rankings = [
        ranking("s", "new", vec![hit("a", None)]),
        ranking("s", "old", vec![hit("b", None)]),
        ranking("t", "new", vec![hit("c", None), hit("d", None)]),
        ranking("t", "old", vec![hit("e", None)]),
    ];
    let bytes = parquet(&rankings_to_batch(&rankings).unwrap());
    let found = read_sessions(&bytes, &settings(Some("old"), STRICT), &["s", "t"]).unwrap();
    assert_eq!((items(&found, "s"), items(&found, "t")), (vec!["b".into()], vec!["e".into()]));
    let error = message(read_sessions(&bytes, &settings(None, STRICT), &["s"]));
    assert!(error.contains("several retrievers: `new`, `old`; pick one with `retriever-id`"), "{error}");
    let error = message(read_sessions(&bytes, &settings(Some("other"), STRICT), &["s"]));
    assert!(error.ends_with("no rankings of `other`; it has `new`, `old`"), "{error}");
}

#[test]
fn rows_of_a_picked_retriever_keep_their_numbers() {
    let bytes = flat(vec![
        ("session_id", texts(&["s", "s", "s", "s"])),
        ("retriever_id", texts(&["x", "y", "x", "y"])),
        ("item_id", texts(&["a", "a", "a", "b"])),
        ("score", Arc::new(Float64Array::from(vec![4.0, 3.0, 2.0, 1.0]))),
    ]);
    assert_eq!(items(&read_sessions(&bytes, &settings(Some("y"), STRICT), &["s"]).unwrap(), "s"), ["a", "b"]);
    let error = message(read_sessions(&bytes, &settings(Some("x"), STRICT), &["s"]));
    assert!(error.contains("row 3: duplicate session and item `s a`, first seen in row 1"), "{error}");
}

#[test]
fn hostile_tables_are_refused() {
    for (rankings, expected) in [
        (vec![ranking("s", "r", vec![hit("a", None), hit("a", None)])], "duplicate session and item `s a`"),
        (vec![ranking("s", "r", Vec::new()), ranking("s", "r", Vec::new())], "row 2: a second ranking of session `s`"),
        (
            ["t", "s", "u", "s", "t"].map(|id| ranking(id, "r", Vec::new())).to_vec(),
            "row 4: a second ranking of session `s`",
        ),
        (vec![ranking("s", "r", vec![hit("a", Some(f64::NAN))])], "row 1: score `NaN`"),
        (vec![ranking("s", "r", vec![hit("a", Some(1.0)), hit("b", None)])], "row 1: item `b` has no score"),
        (
            vec![ranking("t", "r", Vec::new()), ranking("s", "r", vec![hit("a", Some(f64::INFINITY))])],
            "row 2: score `inf`",
        ),
        (vec![], "holds no rankings"),
    ] {
        let batch = rankings_to_batch(&rankings).unwrap();
        let error = message(read_sessions(parquet(&batch), &settings(None, STRICT), &["s"]));
        assert!(error.contains(expected), "{error}");
    }
    let other = flat(vec![("query", texts(&["a"]))]);
    let error = message(read_sessions(other, &settings(None, STRICT), &["s"]));
    assert!(error.contains("not a table of rankings") && error.ends_with("it has `query`"), "{error}");
}

#[test]
fn flat_tables_have_one_row_per_hit() {
    let strict = settings(None, STRICT);
    let bytes = flat(vec![
        ("q_id", Arc::new(Int64Array::from(vec![1, 1, 2]))),
        ("doc_id", Arc::new(StringViewArray::from(vec!["a", "b", "c"]))),
        ("score", Arc::new(Float32Array::from(vec![0.5, 1.5, 1.0]))),
    ]);
    assert_eq!(items(&read_sessions(bytes, &strict, &["1"]).unwrap(), "1"), ["b", "a"]);
    let bytes = flat(vec![
        ("session_id", texts(&["s", "s"])),
        ("item_id", texts(&["a", "b"])),
        ("rank", Arc::new(Int64Array::from(vec![Some(2), Some(1)]))),
    ]);
    assert_eq!(items(&read_sessions(bytes, &strict, &["s"]).unwrap(), "s"), ["b", "a"]);
}

#[test]
fn nulls_and_numbers_that_are_none_are_refused() {
    let null = || Arc::new(StringArray::from(vec![Some("s"), None])) as ArrayRef;
    let scores = |values: [Option<f64>; 2]| Arc::new(Float64Array::from(values.to_vec())) as ArrayRef;
    let ids = || texts(&["s", "s"]);
    let sound = || scores([Some(2.0), Some(1.0)]);
    let ranks = |values: [Option<f64>; 2]| ("rank", Arc::new(Float64Array::from(values.to_vec())) as ArrayRef);
    for (columns, expected) in [
        (
            vec![("session_id", null()), ("item_id", texts(&["a", "b"])), ("score", sound())],
            "row 2: `session_id` is null",
        ),
        (
            vec![("qid", ids()), ("docno", Arc::new(StringArray::from(vec![Some("s"), None]))), ("score", sound())],
            "row 2: `docno` is null",
        ),
        (
            vec![("qid", ids()), ("pid", texts(&["a", "b"])), ("score", scores([Some(1.0), None]))],
            "row 2: item `b` has no score",
        ),
        (
            vec![("qid", ids()), ("pid", texts(&["a", "b"])), ("score", scores([Some(1.0), Some(f64::NAN)]))],
            "row 2: score `NaN`",
        ),
        (vec![("qid", ids()), ("pid", texts(&["a", "b"])), ranks([Some(1.0), None])], "row 2: no rank"),
        (vec![("qid", ids()), ("pid", texts(&["a", "b"])), ranks([Some(f64::NAN), Some(2.0)])], "row 1: no rank"),
        (
            vec![("qid", ids()), ("pid", texts(&["a", "b"])), ("score", sound()), ranks([Some(1.0), None])],
            "row 2: no rank",
        ),
        (vec![("qid", ids()), ("pid", sound()), ("score", sound())], "`pid` has type Float64, expected text or whole"),
        (vec![("qid", ids()), ("pid", ids()), ("score", ids())], "`score` has type Utf8, expected numbers"),
    ] {
        let error = message(read_sessions(flat(columns), &settings(None, STRICT), &["s"]));
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn hits_may_be_a_list_of_items_in_a_named_column() {
    let mut lists = ListBuilder::new(StringBuilder::new());
    for list in [&["z", "a"][..], &[], &["q"]] {
        lists.append_value(list.iter().map(Some));
    }
    let lists: ArrayRef = Arc::new(lists.finish());
    let bytes = flat(vec![
        ("session_id", texts(&["x", "x", "x"])),
        ("q_id", texts(&["q1", "q2", "q3"])),
        ("base", lists.clone()),
        ("cand", lists),
    ]);
    let mut named = settings(None, TREC_EVAL);
    named.columns.session_column = Some("q_id".into());
    named.columns.hits_column = Some("cand".into());
    let rankings = read_sessions(&bytes, &named, &["q1", "q2", "q3"]).unwrap();
    assert_eq!(items(&rankings, "q1"), ["z", "a"]);
    assert_eq!(items(&rankings, "q2"), [""; 0]);
    assert_eq!(rankings.get("q3").unwrap().hits, [hit("q", None)]);
    named.columns.session_column = None;
    assert!(message(read_sessions(&bytes, &named, &["x"])).contains("row 2: a second ranking of session `x`"));
    named.columns.hits_column = Some("other".into());
    let error = message(read_sessions(&bytes, &named, &["x"]));
    assert!(error.contains("has no column `other`; it has `session_id`, `q_id`, `base`, `cand`"), "{error}");
    named.columns.session_column = Some("q_id".into());
    named.columns.hits_column = Some("session_id".into());
    assert!(message(read_sessions(&bytes, &named, &["q1"])).contains("expected a list of `item_id` and `score`"));
}

#[test]
fn columns_of_one_row_per_hit_may_have_any_names() {
    let numbers = |values: &[f64]| Arc::new(Float64Array::from(values.to_vec())) as ArrayRef;
    let ranks = |values: &[i64]| Arc::new(Int64Array::from(values.to_vec())) as ArrayRef;
    let bytes = flat(vec![
        ("query", texts(&["q1", "q1", "q1"])),
        ("document", texts(&["a", "b", "c"])),
        ("similarity", numbers(&[0.1, 0.9, 0.5])),
        ("position", ranks(&[2, 3, 1])),
        ("hits", ranks(&[3, 3, 3])),
    ]);
    let mut named = settings(None, STRICT);
    named.columns.session_column = Some("query".into());
    named.columns.item_column = Some("document".into());
    named.columns.score_column = Some("similarity".into());
    let rankings = read_sessions(&bytes, &named, &["q1"]).unwrap();
    assert_eq!(rankings["q1"].hits, [hit("b", Some(0.9)), hit("c", Some(0.5)), hit("a", Some(0.1))]);
    named.columns.score_column = None;
    named.columns.rank_column = Some("position".into());
    for order in [STRICT, BY_RANK] {
        named.order = order;
        let rankings = read_sessions(&bytes, &named, &["q1"]).unwrap();
        assert_eq!(rankings["q1"].hits, [hit("c", None), hit("a", None), hit("b", None)]);
    }
    named.columns.rank_column = Some("place".into());
    let error = message(read_sessions(&bytes, &named, &["q1"]));
    assert!(error.contains("has no column `place`; it has `query`, `document`"), "{error}");
    named.columns.rank_column = None;
    let error = message(read_sessions(&bytes, &named, &["q1"]));
    assert!(error.contains("has no column `rank`"), "{error}");
    named.order = STRICT;
    let error = message(read_sessions(&bytes, &named, &["q1"]));
    assert!(error.contains("not a table of rankings") && error.contains("`session-column`, `item-column`"), "{error}");
}

#[test]
fn ranks_alone_order_hits_where_they_are_to_and_scores_are_gone() {
    let scores = |values: &[f64]| Arc::new(Float64Array::from(values.to_vec())) as ArrayRef;
    let ranks = |values: &[i64]| Arc::new(Int64Array::from(values.to_vec())) as ArrayRef;
    let session = || ("qid", texts(&["q", "q", "q"]));
    let item = || ("pid", texts(&["a", "b", "c"]));
    // What is not read cannot be wrong.
    let bytes = flat(vec![session(), item(), ("score", scores(&[f64::NAN, 2.0, 3.0])), ("rank", ranks(&[1, 2, 3]))]);
    let rankings = read_sessions(&bytes, &settings(None, BY_RANK), &["q"]).unwrap();
    assert_eq!(rankings["q"].hits, [hit("a", None), hit("b", None), hit("c", None)]);
    assert!(message(read_sessions(&bytes, &settings(None, STRICT), &["q"])).contains("row 1: score `NaN`"));
    // Equal ranks stay in the order of the file.
    let bytes = flat(vec![session(), item(), ("rank", ranks(&[2, 1, 1]))]);
    let rankings = read_sessions(&bytes, &settings(None, BY_RANK), &["q"]).unwrap();
    assert_eq!(items(&rankings, "q"), ["b", "c", "a"]);
    let run = "q Q0 a 3 9 t\nq Q0 b 1 none t\nq Q0 c 2 7 t\n";
    let rankings = read_sessions(run, &settings(None, BY_RANK), &["q"]).unwrap();
    assert_eq!(rankings["q"].hits, [hit("b", None), hit("c", None), hit("a", None)]);
    let error = message(read_sessions("q Q0 a x 9 t\n", &settings(None, BY_RANK), &["q"]));
    assert!(error.contains("rank `x`, expected a number"), "{error}");
    let twice = flat(vec![session(), ("pid", texts(&["a", "b", "a"])), ("rank", ranks(&[1, 2, 3]))]);
    assert!(message(read_sessions(&twice, &settings(None, BY_RANK), &["q"])).contains("q a"));
}

#[test]
fn fields_of_hits_in_lists_may_have_any_names() {
    let ranking = ranking("s", "r", vec![hit("a", Some(1.0)), hit("b", Some(2.0))]);
    let batch = rankings_to_batch(&[ranking]).unwrap();
    let lists = batch.column_by_name("hits").unwrap().as_list::<i32>();
    let elements = lists.values().as_struct();
    let fields =
        Fields::from(vec![Field::new("sku", DataType::Utf8, true), Field::new("weight", DataType::Float64, true)]);
    let renamed = StructArray::new(fields.clone(), elements.columns().to_vec(), None);
    let field = Arc::new(Field::new("item", DataType::Struct(fields), true));
    let lists = ListArray::new(field, lists.offsets().clone(), Arc::new(renamed), None);
    let bytes = flat(vec![("session_id", texts(&["s"])), ("hits", Arc::new(lists))]);
    let mut named = settings(None, STRICT);
    named.columns.item_column = Some("sku".into());
    assert_eq!(read_sessions(&bytes, &named, &["s"]).unwrap()["s"].hits, [hit("a", None), hit("b", None)]);
    named.columns.score_column = Some("weight".into());
    assert_eq!(read_sessions(&bytes, &named, &["s"]).unwrap()["s"].hits, [hit("b", Some(2.0)), hit("a", Some(1.0))]);
    named.columns.score_column = Some("score".into());
    let error = message(read_sessions(&bytes, &named, &["s"]));
    assert!(error.contains("has no column `hits.score`; it has `sku`, `weight`"), "{error}");
    named.columns.score_column = None;
    named.columns.hits_column = Some("hits".into());
    named.columns.rank_column = Some("rank".into());
    let error = message(read_sessions(&bytes, &named, &["s"]));
    assert!(error.contains("no rank `rank` in the lists `hits`: their order is the rank"), "{error}");
}

#[test]
fn every_official_run_loads() {
    let Some(shared) = std::env::var_os("REMATCH_SHARED") else {
        eprintln!("skipped: REMATCH_SHARED is not set");
        return;
    };
    let folder = Path::new(&shared).join("data/trec-covid-round1/runs");
    let scratch = TempDir::new().unwrap();
    let mut runs = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let oracle = read(&path, None, TREC_EVAL).unwrap();
        let mut ids: Vec<&str> = oracle.session_ids().collect();
        ids.sort_unstable();
        let recording = Recording::open(&path, &settings(None, TREC_EVAL), scratch.path(), MEMORY_BYTES).unwrap();
        let found = answers(&mut recording.cursor(), &ids, usize::MAX).unwrap();
        assert!(ids.iter().all(|id| found.get(*id) == oracle.get(id)), "{}", path.display());
        runs += 1;
    }
    assert_eq!(runs, 27);
}
