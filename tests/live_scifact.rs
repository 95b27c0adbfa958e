//! SciFact (BEIR) through live engines, end to end: each stage of a run asks a server of another make.

use std::fmt::Write as _;

use rematch_engine::benchmark::CorpusPlan;
use rematch_engine::load::DocumentReader;

use crate::live_servers::{Document, start_anserini, start_datasette, start_groonga, start_postgres};
use crate::shared::shared;
use crate::workbench::{Workbench, count, mean, result};

/// One engine's stage, and between which values its nDCG@10 must lie.
struct Arm {
    id: &'static str,
    stage: String,
    plausible: std::ops::RangeInclusive<f64>,
}

fn corpus(path: &std::path::Path) -> Vec<Document> {
    let plan = CorpusPlan { name: "scifact".to_owned(), path: path.to_owned(), id: "_id".to_owned() };
    let reader = DocumentReader::open(&plan, &["title".to_owned(), "text".to_owned()]).expect("the corpus");
    reader
        .map(|document| {
            let document = document.expect("a document");
            let [title, text] = document.fields.as_slice() else { panic!("two fields") };
            Document::new(&document.id, title, text)
        })
        .collect()
}

#[test]
fn live_engines_are_compared_on_scifact() {
    let Some(data) = shared("data/scifact") else { return };
    let documents = corpus(&data.join("corpus.jsonl.gz"));
    let (Some(datasette), Some(groonga)) = (start_datasette(&documents), start_groonga(&documents)) else { return };
    let (anserini, postgres) = (start_anserini(&documents), start_postgres());
    let stage = |preset: &str, url: String, parameters: &str| {
        format!("{{ kind = \"http\", preset = \"{preset}\", url = \"{url}\", parameters = {{ {parameters} }} }}")
    };
    let mut arms = vec![
        Arm {
            id: "fts5",
            stage: stage("datasette", datasette.url(), "database = \"docs\", table = \"docs\""),
            plausible: 0.60..=0.75,
        },
        Arm {
            id: "tf-idf",
            stage: stage(
                "groonga",
                groonga.url(),
                "table = \"Docs\", match_columns = \"scorer_tf_idf(title) || scorer_tf_idf(text)\"",
            ),
            plausible: 0.25..=0.75,
        },
    ];
    if let Some(server) = &anserini {
        // Published for Lucene's BM25 over one field: 0.6789.
        arms.push(Arm {
            id: "lucene",
            stage: stage("anserini", server.url(), "index = \"docs\""),
            plausible: 0.67..=0.69,
        });
    }
    if let Some(server) = &postgres {
        server.load(&documents);
        arms.push(Arm { id: "ts_rank", stage: postgres_stage(&server.url()), plausible: 0.3..=0.75 });
    }
    let report = run(&data, &arms);
    for arm in &arms {
        let ndcg = mean(&report, arm.id, "nDCG@10");
        eprintln!("nDCG@10 of {}: {ndcg:.4}", arm.id);
        assert!(arm.plausible.contains(&ndcg), "nDCG@10 of {} is {ndcg}", arm.id);
        assert_eq!(count(&result(&report, arm.id)["failed_sessions"]), 0, "{}", arm.id);
    }
    let verdict = &report["comparison"]["comparisons"][0]["verdict"];
    eprintln!("{}", verdict["sentence"]);
    assert_eq!(report["run"]["selection"]["sampled"], 300);
}

/// Any of the words may match, as in the other engines.
fn postgres_stage(url: &str) -> String {
    let query = "SELECT id, ts_rank_cd(words, query, 1) AS score FROM docs, \
                 (SELECT replace(plainto_tsquery('english', $query)::text, '&', '|')::tsquery AS query) AS asked \
                 WHERE words @@ query ORDER BY score DESC, id LIMIT $depth";
    format!("{{ kind = \"postgres\", url = \"{url}\", sslmode = \"disable\", query = \"{query}\" }}")
}

fn run(data: &std::path::Path, arms: &[Arm]) -> serde_json::Value {
    let data = data.display();
    let candidates: Vec<&str> = arms.iter().skip(1).map(|arm| arm.id).collect();
    let mut benchmark = format!(
        "name = \"live\"\ndepth = 100\nbaseline = \"{}\"\ncandidates = {candidates:?}\n\
         [sessions]\npath = {{ trec = {{ topics = \"{data}/topics.test.tsv\", qrels = \"{data}/qrels.test.txt\" }} }}\n",
        arms.first().map(|arm| arm.id).unwrap_or_default()
    );
    for Arm { id, stage, .. } in arms {
        let _ = writeln!(benchmark, "[[retriever]]\nid = \"{id}\"\nconcurrency = 4\nstages = [{stage}]");
    }
    Workbench::new(&benchmark).report()
}
