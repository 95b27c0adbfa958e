//! The same sessions in every layout are the same sessions, and `inspect` says what each file is.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use datafusion::arrow::ipc::writer::{FileWriter, StreamWriter};
use rematch_engine::rows::sessions_to_batch;
use rematch_engine::session::{Interaction, Judgment, Session, ShownItem};
use serde_json::{Value, json};

use crate::rematch::rematch;
use crate::sample;
use crate::workbench::{Workbench, json as read_json, sessions as read_sessions};

/// Imports with the given arguments, and returns what lies in the file that was written.
fn import(bench: &Workbench, arguments: &[(&str, PathBuf)]) -> Vec<Session> {
    let mut all = vec![PathBuf::from("import")];
    for (flag, path) in arguments {
        all.extend([*flag].into_iter().filter(|flag| !flag.is_empty()).map(PathBuf::from));
        all.push(path.clone());
    }
    let out = bench.path("imported.parquet");
    all.extend(["--json".into(), "--force".into(), "--out".into(), out.clone()]);
    let summary: Value = serde_json::from_str(&rematch(all).exits(0).stdout).expect("JSON");
    let found = read_sessions(&out);
    assert_eq!(summary["sessions"], found.len());
    assert_eq!(summary["interactions"], found.iter().map(|session| session.interactions.len()).sum::<usize>());
    assert_eq!(summary["judgments"], found.iter().map(|session| session.judgments.len()).sum::<usize>());
    found
}

/// Runs the small shop's benchmark over `path` (TOML), and returns the bytes of the sample.
fn sampled(bench: &Workbench, path: &str) -> Vec<u8> {
    bench.write("bench.toml", sample::BENCHMARK.replace("path = \"sessions.jsonl\"", &format!("path = {path}")));
    bench.run_with(&["--quiet"]).exits(0);
    let bytes = std::fs::read(bench.path("out/sessions.parquet")).expect("the sample");
    std::fs::remove_dir_all(bench.path("out")).expect("deleted");
    bytes
}

fn inspect(path: &Path) -> Value {
    let outcome = rematch(["inspect".as_ref(), path.as_os_str(), "--json".as_ref()]).exits(0);
    serde_json::from_str(&outcome.stdout).expect("JSON")
}

/// Asserts what `inspect` says that a file is.
#[track_caller]
fn is(path: &Path, kind: &str, format: &str, rows: usize) -> Value {
    let found = inspect(path);
    assert_eq!(
        (&found["kind"], &found["format"], &found["rows"]),
        (&kind.into(), &format.into(), &rows.into()),
        "{found}"
    );
    let text = rematch(["inspect".as_ref(), path.as_os_str()]).exits(0).stdout;
    assert!(text.contains(&format!("{rows} rows")), "{text}");
    found
}

fn csv(sessions: &[Session]) -> String {
    let mut csv =
        "session_id,visit_id,user_id,timestamp,retriever_id,query,taxonomy,shown,item_id,kind,position\n".to_owned();
    for session in sessions {
        let of = |value: &Option<String>| value.clone().unwrap_or_default();
        let shown: Vec<&str> = session.shown.iter().map(|item| item.item_id.as_str()).collect();
        for act in &session.interactions {
            let fields = [
                session.session_id.clone(),
                of(&session.visit_id),
                of(&session.user_id),
                act.timestamp.expect("a time").to_string(),
                of(&session.retriever_id),
                of(&session.query),
                session.taxonomy.join("|"),
                shown.join("|"),
                act.item_id.clone(),
                act.kind.clone(),
                act.position.expect("a position").to_string(),
            ];
            csv += &(fields.join(",") + "\n");
        }
    }
    csv
}

#[test]
fn every_layout_of_the_session_schema_carries_the_same_sessions() {
    let sessions = sample::sessions(50);
    let bench = sample::shop(&sessions);
    let batch = sessions_to_batch(&sessions).expect("a batch");
    let mut file = FileWriter::try_new(Vec::new(), &batch.schema()).expect("a writer");
    file.write(&batch).expect("written");
    let mut stream = StreamWriter::try_new(Vec::new(), &batch.schema()).expect("a writer");
    stream.write(&batch).expect("written");
    let files = [
        (bench.path("sessions.jsonl"), "jsonl"),
        (bench.write("sessions.csv", csv(&sessions)), "csv"),
        (bench.write("sessions.arrow", file.into_inner().expect("closed")), "arrow_file"),
        (bench.write("sessions.arrows", stream.into_inner().expect("closed")), "arrow_stream"),
    ];
    let expected = {
        assert_eq!(import(&bench, &[("", files[0].0.clone())]), sessions);
        std::fs::copy(bench.path("imported.parquet"), bench.path("sessions.parquet")).expect("copied");
        sampled(&bench, "\"sessions.parquet\"")
    };
    is(&bench.path("sessions.parquet"), "sessions", "parquet", 50);
    for (path, format) in &files {
        assert_eq!(import(&bench, &[("", path.clone())]), sessions, "{format}");
        let found = is(path, "sessions", format, 50);
        assert_eq!(found["interactions"], json!({ "click": 50, "purchase": 13 }), "{format}");
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        assert!(sampled(&bench, &format!("{name:?}")) == expected, "the run over {format} has another sample");
    }
    // The parts of one input may lie in several files, of several layouts.
    bench.write("halves/a.jsonl", sample::jsonl(&sessions[..20]));
    bench.write("halves/b.csv", csv(&sessions[20..]));
    assert!(sampled(&bench, "\"halves/*\"") == expected, "a glob");
    assert!(sampled(&bench, "[\"halves/b.csv\", \"halves/a.jsonl\"]") == expected, "a list");
}

#[test]
fn a_click_log_carries_the_same_sessions_as_parquet() {
    // What UBI does not know: the retriever and the taxonomy.
    let strip = |session: Session| Session { retriever_id: None, taxonomy: vec![], ..session };
    let sessions: Vec<Session> = sample::sessions(50).into_iter().map(strip).collect();
    let bench = sample::shop(&sessions);
    let (mut queries, mut events) = (String::new(), String::new());
    for session in &sessions {
        let hits: Vec<&str> = session.shown.iter().map(|item| item.item_id.as_str()).collect();
        let query = json!({
            "application": "shop", "query_id": session.session_id, "client_id": session.user_id,
            "user_query": session.query, "timestamp": session.timestamp, "query_response_hit_ids": hits,
        });
        writeln!(queries, "{query}").expect("written");
        for act in &session.interactions {
            let event = json!({
                "application": "shop", "action_name": act.kind, "query_id": session.session_id,
                "session_id": session.visit_id, "client_id": session.user_id, "timestamp": act.timestamp,
                "event_attributes": {
                    "object": { "object_id": act.item_id }, "position": { "ordinal": act.position },
                },
            });
            writeln!(events, "{event}").expect("written");
        }
    }
    let queries = bench.write("ubi_queries.ndjson", queries);
    let events = bench.write("ubi_events.ndjson", events);
    assert_eq!(import(&bench, &[("--ubi-queries", queries.clone()), ("--ubi-events", events.clone())]), sessions);
    is(&queries, "ubi_queries", "jsonl", 50);
    let found = is(&events, "ubi_events", "jsonl", 63);
    assert_eq!(found["interactions"], json!({ "click": 50, "purchase": 13 }));
    let ubi = "{ ubi = { queries = \"ubi_queries.ndjson\", events = \"ubi_events.ndjson\" } }";
    assert!(sampled(&bench, ubi) == sampled(&bench, "\"sessions.jsonl\""), "the runs have different samples");
}

#[test]
fn judged_queries_carry_the_same_sessions_in_every_layout() {
    let judged = |index: usize| Session {
        session_id: format!("q{index:02}"),
        query: Some(format!("{index} red lamps")),
        judgments: (0..3)
            .map(|item| Judgment { item_id: format!("p{:02}", index + item), grade: [2.0, 0.0, 1.0][item] })
            .collect(),
        ..Session::default()
    };
    let sessions: Vec<Session> = (0..20).map(judged).collect();
    let bench = sample::shop(&sessions);
    let (mut queries, mut tsv, mut topics, mut qrels) = (String::new(), String::new(), String::new(), String::new());
    tsv += "query-id\tcorpus-id\tscore\n";
    for session in &sessions {
        let (id, text) = (&session.session_id, session.query.as_deref().expect("a text"));
        writeln!(queries, "{}", json!({ "_id": id, "text": text, "metadata": {} })).expect("written");
        writeln!(topics, "{id}\t{text}").expect("written");
        for judgment in &session.judgments {
            writeln!(tsv, "{id}\t{}\t{}", judgment.item_id, judgment.grade).expect("written");
            writeln!(qrels, "{id} 0 {} {}", judgment.item_id, judgment.grade).expect("written");
        }
    }
    let queries = bench.write("beir/queries.jsonl", queries);
    let tsv = bench.write("beir/qrels/test.tsv", tsv);
    let topics = bench.write("topics.tsv", topics);
    let qrels = bench.write("qrels.txt", qrels);
    assert_eq!(import(&bench, &[("", bench.path("sessions.jsonl"))]), sessions);
    assert_eq!(import(&bench, &[("--beir", bench.path("beir"))]), sessions);
    assert_eq!(import(&bench, &[("--trec-topics", topics.clone()), ("--trec-qrels", qrels.clone())]), sessions);
    is(&queries, "beir_queries", "jsonl", 20);
    is(&tsv, "beir_qrels", "text", 60);
    is(&topics, "trec_topics", "text", 20);
    let found = is(&qrels, "trec_qrels", "text", 60);
    assert_eq!(found["counts"]["topics"], 20);

    // None of these sessions was shown anything: both arms search.
    let benchmark = sample::BENCHMARK
        .replace("kind = \"shown\"", "kind = \"bm25\", corpus = \"products\", fields = { title = 2.0 }");
    let mut samples =
        ["\"sessions.jsonl\"", "{ beir = \"beir\" }", "{ trec = { topics = \"topics.tsv\", qrels = \"qrels.txt\" } }"]
            .into_iter()
            .map(|path| {
                bench.write("bench.toml", benchmark.replace("path = \"sessions.jsonl\"", &format!("path = {path}")));
                bench.run_with(&["--quiet"]).exits(0);
                let found = std::fs::read(bench.path("out/sessions.parquet")).expect("the sample");
                std::fs::remove_dir_all(bench.path("out")).expect("deleted");
                found
            });
    let first = samples.next().expect("a sample");
    assert!(samples.all(|sample| sample == first), "the runs have different samples");
}

#[test]
fn topics_are_recognised_whatever_their_words_are() {
    let bench = Workbench::empty();
    is(&bench.write("topics.tsv", "q1\ticd code 10\nq2\tred lamp\n"), "trec_topics", "text", 2);
}

#[test]
fn a_run_and_a_catalogue_are_recognised_too() {
    let bench = sample::recorded(&[(1, 2), (3, 4)], |_| None);
    is(&bench.path("old.run"), "trec_run", "text", 20);
    // trec_eval ignores what follows the tag.
    is(&bench.write("more.run", "q1 Q0 a 1 9.5 tag and more\nq1 Q0 b 2 9 tag\n"), "trec_run", "text", 2);
    is(&bench.write("products.jsonl", sample::products()), "documents", "jsonl", 40);
}

#[test]
fn dirt_is_counted_and_named() {
    let mut sessions = sample::sessions(5);
    sessions[1].interactions[0].position = Some(0);
    sessions[2].query = Some("  ".to_owned());
    let bench = sample::shop(&sessions);
    bench.write("sessions.jsonl", format!("{}\n\n", sample::jsonl(&sessions)));
    let found = inspect(&bench.path("sessions.jsonl"));
    let count = |code: &str| {
        let findings = found["findings"].as_array().expect("findings");
        findings
            .iter()
            .find(|finding| finding["code"] == code)
            .map_or(0, |finding| finding["count"].as_u64().expect("a count"))
    };
    assert_eq!((count("position_zero"), count("empty_query"), count("blank_line")), (1, 1, 2), "{found}");
    bench.run().exits(0);
    let dirt = read_json(&bench.path("out/selection.json"))["dirt"].clone();
    assert_eq!(dirt, json!({ "position_zero": 1, "empty_query": 1, "blank_line": 2 }));
}

#[test]
fn everything_that_a_session_can_hold_survives_an_import() {
    let full = Session {
        session_id: "all \"of\" it, ünïcode\n".to_owned(),
        visit_id: Some("v".to_owned()),
        user_id: Some("u".to_owned()),
        timestamp: Some(-1),
        retriever_id: Some("r".to_owned()),
        query: Some(String::new()),
        query_vector: Some(vec![0.1, -2.5]),
        inputs: Some("{\"page\":2}".to_owned()),
        taxonomy: vec!["a/b".to_owned(), "c".to_owned()],
        shown: vec![ShownItem { item_id: "x".to_owned(), score: Some(0.1 + 0.2), propensity: Some(0.5) }],
        interactions: vec![Interaction {
            item_id: "x".to_owned(),
            kind: "dwell".to_owned(),
            position: Some(1),
            timestamp: Some(5),
            value: Some(12.75),
        }],
        judgments: vec![Judgment { item_id: "x".to_owned(), grade: -1.0 }],
        expected: Some("\"yes\"".to_owned()),
    };
    let bench = sample::shop(std::slice::from_ref(&full));
    assert_eq!(import(&bench, &[("", bench.path("sessions.jsonl"))]), std::slice::from_ref(&full));
    std::fs::rename(bench.path("imported.parquet"), bench.path("first.parquet")).expect("renamed");
    assert_eq!(import(&bench, &[("", bench.path("first.parquet"))]), [full]);
}
