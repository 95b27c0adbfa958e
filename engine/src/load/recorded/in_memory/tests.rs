use std::io::Write as _;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Float32Array, Int64Array, RecordBatch, StringArray, StringViewArray};
use datafusion::parquet::arrow::ArrowWriter;
use tempfile::TempDir;

use super::*;
use crate::rows::rankings_to_batch;
use crate::session::Ranking;

const STRICT: HitOrder = HitOrder::Strict;
const TREC_EVAL: HitOrder = HitOrder::TrecEval;

fn read_bytes(
    content: impl AsRef<[u8]>,
    retriever_id: Option<&str>,
    order: HitOrder,
) -> Result<RecordedRankings, LoadError> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("run");
    std::fs::write(&path, content).unwrap();
    read(&path, retriever_id, order)
}

fn items(rankings: &RecordedRankings, session_id: &str) -> Vec<String> {
    rankings.get(session_id).unwrap().hits.iter().map(|hit| hit.item_id.clone()).collect()
}

fn message(result: Result<RecordedRankings, LoadError>) -> String {
    result.unwrap_err().to_string()
}

fn parquet(batch: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    bytes
}

fn flat(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    parquet(&RecordBatch::try_from_iter_with_nullable(columns).unwrap())
}

fn hit(item_id: &str, score: Option<f64>) -> Hit {
    Hit { item_id: item_id.into(), score }
}

fn ranking(session_id: &str, retriever_id: &str, hits: Vec<Hit>) -> Ranking {
    Ranking { session_id: session_id.into(), retriever_id: retriever_id.into(), hits, ..Ranking::default() }
}

/// Ties, a rank column against the scores, tabs, a line end of another system and a number with an exponent.
const RUN: &str =
    "1 Q0 b 1 2.5 tag\n1\tQ0\ta\t2\t2.5\ttag\r\n\n1  Q0 c 3 1e1 tag\n2 Q0 x 0 -3 other\n1 Q0 d 0 2.50000001 tag\n";

#[test]
fn strict_order_is_by_score_then_rank_then_item() {
    let rankings = read_bytes(RUN, None, STRICT).unwrap();
    assert_eq!(items(&rankings, "1"), ["c", "d", "b", "a"]);
    assert_eq!(rankings.get("2").unwrap().hits, [hit("x", Some(-3.0))]);
    assert_eq!(rankings.session_ids().collect::<Vec<_>>(), ["1", "2"]);
    assert!(rankings.get("3").is_none());
    let same_rank = read_bytes("1 Q0 b 1 0 t\n1 Q0 a 1 -0.0 t\n", None, STRICT).unwrap();
    assert_eq!(items(&same_rank, "1"), ["a", "b"]);
}

#[test]
fn trec_eval_order_is_by_single_precision_score_then_item_descending() {
    let rankings = read_bytes(RUN, None, TREC_EVAL).unwrap();
    assert_eq!(items(&rankings, "1"), ["c", "d", "b", "a"], "2.50000001 is 2.5 in single precision");
    assert_eq!(rankings.get("1").unwrap().hits[1].score, Some(2.5));
    assert_eq!(items(&read_bytes("1 Q0 a first 1 t\n", None, TREC_EVAL).unwrap(), "1"), ["a"], "ranks are ignored");
}

#[test]
fn a_tag_picks_lines_of_a_run() {
    assert_eq!(read_bytes(RUN, Some("other"), STRICT).unwrap().len(), 1);
    let error = message(read_bytes(RUN, Some("none"), STRICT));
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
        ("\n \n", "holds no rankings"),
        ("", "holds no rankings"),
    ] {
        let error = message(read_bytes(run, None, STRICT));
        assert!(error.contains("run`") && error.contains(expected), "{error}");
    }
    assert!(message(read_bytes(b"1 Q0 \xff 1 1 t\n", None, STRICT)).contains("row 1: not UTF-8 text"));
}

#[test]
fn gzip_runs_are_read_and_cut_ones_refused() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(RUN.as_bytes()).unwrap();
    let bytes = encoder.finish().unwrap();
    assert_eq!(read_bytes(&bytes, None, STRICT).unwrap().len(), 2);
    assert!(matches!(read_bytes(&bytes[..bytes.len() - 9], None, STRICT), Err(LoadError::Io { .. })));
}

#[test]
fn tables_of_rankings_keep_failures_and_empty_answers() {
    let mut failed = ranking("s3", "r", Vec::new());
    failed.error_kind = Some("timeout".into());
    failed.error = Some("after 5 s".into());
    let rankings = [
        ranking("s1", "r", vec![hit("b", Some(1.0)), hit("a", Some(1.0)), hit("c", Some(2.0))]),
        ranking("s2", "r", Vec::new()),
        failed,
        ranking("s4", "r", vec![hit("z", None), hit("y", None)]),
    ];
    let bytes = parquet(&rankings_to_batch(&rankings).unwrap());
    let strict = read_bytes(&bytes, None, STRICT).unwrap();
    assert_eq!(items(&strict, "s1"), ["c", "b", "a"]);
    assert_eq!(strict.get("s2"), Some(&RecordedRanking::default()));
    let failure = RecordedFailure { kind: "timeout".into(), message: "after 5 s".into() };
    assert_eq!(strict.get("s3"), Some(&RecordedRanking { hits: Vec::new(), failure: Some(failure) }));
    let trec_eval = read_bytes(&bytes, None, TREC_EVAL).unwrap();
    for rankings in [strict, trec_eval] {
        assert_eq!(items(&rankings, "s4"), ["z", "y"], "no scores, so the list's order counts");
    }
}

#[test]
fn several_retrievers_of_a_table_need_a_choice() {
    let rankings = [ranking("s", "new", vec![hit("a", None)]), ranking("s", "old", vec![hit("b", None)])];
    let bytes = parquet(&rankings_to_batch(&rankings).unwrap());
    assert_eq!(items(&read_bytes(&bytes, Some("old"), STRICT).unwrap(), "s"), ["b"]);
    let error = message(read_bytes(&bytes, None, STRICT));
    assert!(error.contains("several retrievers: `new`, `old`; pick one with `retriever-id`"), "{error}");
    let error = message(read_bytes(&bytes, Some("other"), STRICT));
    assert!(error.ends_with("no rankings of `other`; it has `new`, `old`"), "{error}");
}

#[test]
fn hostile_tables_are_refused() {
    for (rankings, expected) in [
        (vec![ranking("s", "r", vec![hit("a", None), hit("a", None)])], "duplicate session and item `s a`"),
        (vec![ranking("s", "r", Vec::new()), ranking("s", "r", Vec::new())], "row 2: a second ranking of session `s`"),
        (vec![ranking("s", "r", vec![hit("a", Some(f64::NAN))])], "row 1: score `NaN`"),
        (vec![ranking("s", "r", vec![hit("a", Some(1.0)), hit("b", None)])], "row 1: item `b` has no score"),
        (vec![], "holds no rankings"),
    ] {
        let error = message(read_bytes(parquet(&rankings_to_batch(&rankings).unwrap()), None, STRICT));
        assert!(error.contains(expected), "{error}");
    }
    let other = flat(vec![("query", Arc::new(StringArray::from(vec!["a"])))]);
    let error = message(read_bytes(other, None, STRICT));
    assert!(error.contains("not a table of rankings") && error.ends_with("it has `query`"), "{error}");
}

#[test]
fn flat_tables_have_one_row_per_hit() {
    let bytes = flat(vec![
        ("q_id", Arc::new(Int64Array::from(vec![1, 1, 2]))),
        ("doc_id", Arc::new(StringViewArray::from(vec!["a", "b", "c"]))),
        ("score", Arc::new(Float32Array::from(vec![0.5, 1.5, 1.0]))),
    ]);
    let rankings = read_bytes(bytes, None, STRICT).unwrap();
    assert_eq!(items(&rankings, "1"), ["b", "a"]);
    let bytes = flat(vec![
        ("session_id", Arc::new(StringArray::from(vec!["s", "s"]))),
        ("item_id", Arc::new(StringArray::from(vec!["a", "b"]))),
        ("rank", Arc::new(Int64Array::from(vec![Some(2), Some(1)]))),
    ]);
    assert_eq!(items(&read_bytes(bytes, None, STRICT).unwrap(), "s"), ["b", "a"]);
    let bytes = flat(vec![
        ("session_id", Arc::new(StringArray::from(vec!["s"]))),
        ("item_id", Arc::new(StringArray::from(vec!["a"]))),
        ("rank", Arc::new(Int64Array::from(vec![None::<i64>]))),
    ]);
    assert!(message(read_bytes(bytes, None, STRICT)).contains("row 1: no rank"));
}

#[test]
fn every_official_run_loads() {
    let Some(shared) = std::env::var_os("REMATCH_SHARED") else {
        eprintln!("skipped: REMATCH_SHARED is not set");
        return;
    };
    let folder = Path::new(&shared).join("data/trec-covid-round1/runs");
    let (mut runs, mut hits) = (0, 0);
    for file in std::fs::read_dir(folder).unwrap() {
        let rankings = read(&file.unwrap().path(), None, TREC_EVAL).unwrap();
        runs += 1;
        for session_id in rankings.session_ids() {
            let ranking = rankings.get(session_id).unwrap();
            hits += ranking.hits.len();
            assert!(ranking.hits.windows(2).all(|pair| {
                let tie = pair[0].score == pair[1].score && pair[0].item_id > pair[1].item_id;
                pair[0].score > pair[1].score || tie
            }));
        }
    }
    eprintln!("{runs} runs, {hits} hits");
    assert_eq!(runs, 27);
}
