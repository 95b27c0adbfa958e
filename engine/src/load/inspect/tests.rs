//! Files of every kind, and the reference collections.

use super::{FileFormat, FileKind, Inspection, Severity, inspect};
use crate::load::LoadError;
use crate::load::fixture::{Fixture, gzip, parquet, shared};
use crate::rows::{rankings_to_batch, sessions_to_batch};
use crate::session::{Ranking, Session};

fn look(name: &str, content: impl AsRef<[u8]>) -> Inspection {
    let fixture = Fixture::new();
    inspect(&fixture.write(name, content)).expect(name)
}

fn shared_look(name: &str) -> Option<Inspection> {
    Some(inspect(&shared(name)?).expect(name))
}

fn column_names(inspection: &Inspection) -> Vec<&str> {
    inspection.columns.iter().map(|column| column.name.as_str()).collect()
}

#[test]
fn every_kind_is_told_from_its_content() {
    let batch = sessions_to_batch(&[Session { session_id: "s".into(), ..Session::default() }]).expect("a batch");
    let csv = "session_id,query\n1,a\n";
    for (name, content, kind, format) in [
        ("a", parquet(&batch), FileKind::Sessions, FileFormat::Parquet),
        ("a.csv", csv.into(), FileKind::Sessions, FileFormat::Csv),
        ("a.csv.gz", gzip(csv), FileKind::Sessions, FileFormat::Csv),
        ("a", "{\"session_id\":\"1\"}".into(), FileKind::Sessions, FileFormat::Jsonl),
        ("a", "1 Q0 d 1 0.5 tag\n".into(), FileKind::TrecRun, FileFormat::Text),
        ("a", "# note\n1 0.5  d -1\n".into(), FileKind::TrecQrels, FileFormat::Text),
        ("a.tsv", "1\tsome text here\n".into(), FileKind::TrecTopics, FileFormat::Text),
        (
            "a.xml",
            "<?xml?>\n<topics>\n<topic number=\"1\"><query>a</query></topic></topics>".into(),
            FileKind::TrecTopics,
            FileFormat::Markup,
        ),
        ("a", "<top>\n<num> 1\n<title> a\n</top>".into(), FileKind::TrecTopics, FileFormat::Markup),
        ("a", "{\"query_id\":\"1\",\"user_query\":\"a\"}".into(), FileKind::UbiQueries, FileFormat::Jsonl),
        (
            "a",
            "{\"query_id\":\"1\",\"action_name\":\"a\",\"session_id\":\"s\"}".into(),
            FileKind::UbiEvents,
            FileFormat::Jsonl,
        ),
        ("a", "{\"_id\":\"1\",\"text\":\"a\"}".into(), FileKind::BeirQueries, FileFormat::Jsonl),
        ("a", "{\"_id\":\"1\",\"title\":\"b\",\"text\":\"a\"}".into(), FileKind::Documents, FileFormat::Jsonl),
        ("a.tsv", "query-id\tcorpus-id\tscore\n1\td\t1\n".into(), FileKind::BeirQrels, FileFormat::Text),
        ("a.csv", "id,title\n1,a\n".into(), FileKind::Documents, FileFormat::Csv),
        ("a.csv", "text,category\na,b\n".into(), FileKind::Table, FileFormat::Csv),
        ("a", "{\"x\":1}".into(), FileKind::Table, FileFormat::Jsonl),
    ] {
        let found = look(name, content);
        assert_eq!((found.kind, found.format, found.rows), (kind, format, 1), "{name} {kind:?}");
    }
}

#[test]
fn rankings_are_counted_by_retriever_and_are_no_sessions() {
    let ranking = |session: &str, retriever: &str, error: Option<&str>| Ranking {
        session_id: session.to_owned(),
        retriever_id: retriever.to_owned(),
        error_kind: error.map(str::to_owned),
        ..Ranking::default()
    };
    let rows = [
        ranking("s1", "prod", None),
        ranking("s2", "prod", None),
        ranking("s1", "search", Some("timeout")),
        ranking("s2", "search", None),
    ];
    let found = look("rankings.parquet", parquet(&rankings_to_batch(&rows).expect("a batch")));
    assert_eq!((found.kind, found.rows, found.findings.len()), (FileKind::Rankings, 4, 0), "{found:?}");
    let counts = [("failures of search", 1), ("rankings of prod", 2), ("rankings of search", 2)];
    assert!(found.counts.iter().map(|(name, count)| (name.as_str(), *count)).eq(counts), "{found:?}");
    let twice = [rows[0].clone(), rows[1].clone(), rows[0].clone()];
    let found = look("rankings.parquet", parquet(&rankings_to_batch(&twice).expect("a batch")));
    assert_eq!(found.count("duplicate_ranking"), 1);
    assert_eq!(found.findings[0].example.as_deref(), Some("row 3: `s1` of `prod`"));
}

#[test]
fn what_cannot_be_told_is_an_error() {
    let fixture = Fixture::new();
    let error = |content: &[u8]| inspect(&fixture.write("a", content)).expect_err("an error");
    assert!(matches!(error(b""), LoadError::Empty { .. }));
    assert!(matches!(error(b"\n# note\n"), LoadError::Empty { .. }));
    assert!(error(b"[{\"session_id\":1}]").to_string().contains("JSON array"));
    assert!(error(b"just some words in a line").to_string().contains("cannot tell what the file is"));
    assert!(matches!(error(b"\xff\xfe\x00"), LoadError::Row { row: 1, .. }));
    assert!(matches!(error(b"PAR1 nothing"), LoadError::Damaged { .. }));
    assert!(matches!(inspect(&fixture.folder().join("missing")), Err(LoadError::Io { .. })));
}

#[test]
fn runs_are_searched_for_every_oddity() {
    let run = "\u{feff}# note\n1 Q0 a 0 3.5 x\n1 Q0 b 2 4e0 x\n1\tQ0\tc\t1\t3.5\tx\n2 Q0 a 5 -1 x\n1 Q0 a 3 1 y\n\n1 Q0 e one 1 x\n1 Q0 f 9 NaN x\n";
    let found = look("run", run);
    assert_eq!((found.rows, found.counts["topics"]), (5, 2));
    for (code, count) in [
        ("byte_order_mark", 1),
        ("comment_line", 1),
        ("blank_line", 1),
        ("malformed_line", 2),
        ("rank_contradicts_score", 1),
        ("tied_scores", 1),
        ("rank_zero", 1),
        ("rank_gap", 1),
        ("not_in_rank_order", 1),
        ("split_topic", 1),
        ("scientific_notation", 1),
        ("tab_separated", 1),
        ("several_tags", 1),
        ("duplicate_document", 1),
        ("negative_scores_only", 0),
    ] {
        assert_eq!(found.count(code), count, "{code}");
    }
    assert_eq!(found.findings[0].severity, Severity::Error);
    assert!(found.findings.is_sorted_by_key(|finding| finding.severity));
    assert_eq!(look("run", "1 Q0 a 1 -1 x\n").count("negative_scores_only"), 1);
}

#[test]
fn judgments_are_searched_for_every_oddity() {
    let found = look("qrels", "1 0 a -1\n1 0.5 b 1\n1 0 b 1\n1 0 b 2\n1 0 c 1.5\n#x\n");
    for (code, count) in [
        ("negative_grade", 1),
        ("non_integer_iteration", 1),
        ("duplicate_judgment", 1),
        ("contradicting_judgment", 1),
        ("malformed_line", 1),
        ("comment_line", 1),
    ] {
        assert_eq!(found.count(code), count, "{code}");
    }
    assert_eq!((found.counts["grade -1"], found.counts["grade 1"]), (1, 2));
}

#[test]
fn sessions_are_searched_for_every_oddity() {
    let line = |id: &str, acts: &str| {
        format!(
            "{{\"session_id\":\"{id}\",\"shown\":[{{\"item_id\":\"a\"}},{{\"item_id\":\"b\"}},{{\"item_id\":\"a\"}}],\"interactions\":[{acts}]}}\n"
        )
    };
    let act = |item: &str, kind: &str, position: u32| {
        format!("{{\"item_id\":\"{item}\",\"kind\":\"{kind}\",\"position\":{position}}}")
    };
    let zero_based = line("1", &[act("b", "click", 1), act("a", "impression", 0)].join(","));
    let found = look("a.jsonl", &zero_based);
    assert_eq!((found.count("position_base_zero"), found.count("position_zero")), (2, 1));
    assert_eq!((found.count("shown_twice"), found.count("click_without_impression")), (1, 1));
    let more = line("1", &[act("b", "click", 2), act("z", "click", 1), act("b", "click", 7)].join(","));
    let found = look("a.jsonl", zero_based + &more + "{\"session_id\":\"2\",\"query\":\"q\"}\n");
    assert_eq!((found.count("position_base_mixed"), found.count("position_base_zero")), (2, 0));
    assert_eq!((found.count("item_not_shown"), found.count("position_contradicts_shown")), (1, 1));
    assert_eq!((found.count("duplicate_id"), found.count("nothing_to_judge_by")), (1, 1));
    assert_eq!(found.interactions["click"], 4);
    assert_eq!((found.counts["interactions"], found.counts["sessions with shown items"]), (5, 2));
}

#[test]
fn documents_are_searched_for_ids_and_texts() {
    let found = look(
        "a.jsonl",
        "{\"_id\":\"1\",\"title\":\"t\",\"text\":\"\"}\n{\"_id\":1,\"title\":null}\n{\"title\":\"x\"}\n{\n\n[]\n",
    );
    assert_eq!((found.rows, found.count("duplicate_id"), found.count("missing_id")), (3, 1, 1));
    assert_eq!((found.count("empty_text"), found.count("malformed_line"), found.count("blank_line")), (1, 2, 1));
    assert_eq!(column_names(&found), ["_id", "text", "title"]);
    assert_eq!((found.columns[0].data_type.as_str(), found.columns[2].missing), ("number or string", Some(1)));
    let found = look("a.csv", "id,text\n1,\"a\nb\"\n1,\n2\n,x\n");
    assert_eq!((found.rows, found.count("duplicate_id"), found.count("missing_id")), (3, 1, 1));
    assert_eq!((found.count("quoted_newline"), found.count("empty_text"), found.count("malformed_line")), (1, 1, 1));
}

#[test]
fn an_inspection_serialises() {
    let json = serde_json::to_value(look("a", "1 Q0 d 0 1 t\n")).expect("JSON");
    assert_eq!((&json["kind"], &json["format"], &json["rows"]), (&"trec_run".into(), &"text".into(), &1.into()));
    assert_eq!((&json["findings"][0]["code"], &json["findings"][0]["severity"]), (&"rank_zero".into(), &"note".into()));
}

#[test]
fn the_event_log_of_esci_is_described() {
    let Some(found) = shared_look("esci-ubi/ubi_events.jsonl.gz") else { return };
    assert_eq!((found.kind, found.rows), (FileKind::UbiEvents, 3555));
    let applications: Vec<_> = found.applications.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    assert_eq!(applications, [("Chorus", 1978), ("esci_ubi_sample", 1148), ("ubi-demo", 429)]);
    assert_eq!((found.interactions["search"], found.interactions["purchase"]), (506, 6));
    assert_eq!((found.count("several_applications"), found.count("timestamp_shapes")), (2, 1));
    assert_eq!(found.count("event_without_object"), 506 + 86 + 62 + 56);
    assert!(found.count("position_zero") > 200);
    assert_eq!(found.count("message_type_contradicts_action"), 14);
    let Some(found) = shared_look("esci-ubi/ubi_queries.jsonl.gz") else { return };
    assert_eq!((found.kind, found.rows, found.counts["queries"]), (FileKind::UbiQueries, 473, 284));
    assert_eq!((found.applications["Chorus"], found.applications["esci_ubi_sample"]), (273, 200));
    assert_eq!((found.count("duplicate_query_id"), found.count("no_served_items")), (189, 473 - 81));
    assert_eq!((found.count("empty_text"), found.count("timestamp_shapes")), (6, 1));
}

#[test]
fn the_runs_of_trec_covid_are_described() {
    for (name, code, count) in [
        ("ixa-ir-filter-query", "tied_scores", 15_629),
        ("wistud_indri", "tied_scores", 8937),
        ("PL2c1.0", "tied_scores", 8458),
        ("ERST_PROSE", "rank_contradicts_score", 29_558),
        ("yn-r1-alltext", "rank_contradicts_score", 29_970),
        ("SFDC-23April-run2", "rank_contradicts_score", 29_061),
        ("smith.ql", "negative_scores_only", 30_000),
        ("Technion-MEDMM", "scientific_notation", 2617),
        ("BITEM_BL", "not_in_rank_order", 2946),
        ("BITEM_BL", "tab_separated", 30_000),
        ("bm25t5", "rank_contradicts_score", 0),
    ] {
        let Some(found) = shared_look(&format!("trec-covid-round1/runs/{name}.gz")) else { return };
        assert_eq!((found.kind, found.counts["topics"]), (FileKind::TrecRun, 30), "{name}");
        assert_eq!(found.count(code), count, "{name}: {code}");
    }
    let Some(found) = shared_look("trec-covid-round1/runs/sab20.1.meta.docs.gz") else { return };
    assert!(found.count("rank_zero") > 0);
}

#[test]
fn the_judgments_of_the_reference_collections_are_described() {
    let Some(found) = shared_look("trec-covid-round1/qrels.txt") else { return };
    assert_eq!((found.kind, found.rows, found.counts["topics"]), (FileKind::TrecQrels, 8691, 30));
    assert_eq!([found.counts["grade 0"], found.counts["grade 1"], found.counts["grade 2"]], [6339, 1115, 1237]);
    assert_eq!(found.count("non_integer_iteration"), 2627);
    let Some(found) = shared_look("cranfield/normalized/qrels.txt") else { return };
    assert_eq!((found.rows, found.count("negative_grade"), found.counts["grade 4"]), (1837, 225, 363));
    let Some(found) = shared_look("trec-eval-golden/qrels.test.with-comments") else { return };
    assert_eq!((found.rows, found.count("comment_line")), (3681, 3));
}

#[test]
fn the_documents_of_the_reference_collections_are_described() {
    for (name, kind, rows) in [
        ("esci-ubi/products.jsonl.gz", FileKind::Documents, 6764),
        ("cranfield/normalized/queries.jsonl", FileKind::Documents, 225),
        ("scifact/corpus.jsonl.gz", FileKind::Documents, 5183),
        ("scifact/topics.test.tsv", FileKind::TrecTopics, 300),
        ("trec-covid-round1/topics.xml", FileKind::TrecTopics, 30),
        ("cranfield/trec/cran.qry.xml", FileKind::TrecTopics, 225),
        ("banking77/train.csv", FileKind::Table, 10_003),
    ] {
        let Some(found) = shared_look(name) else { return };
        assert_eq!((found.kind, found.rows), (kind, rows), "{name}");
    }
    let Some(found) = shared_look("cranfield/normalized/docs.jsonl.gz") else { return };
    assert_eq!((found.rows, found.count("empty_text")), (1400, 2));
}
