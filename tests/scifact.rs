//! SciFact (BEIR): BM25 from the shared files reaches what Lucene does.

use crate::shared::shared;
use crate::workbench::{Workbench, count, mean, result};

#[test]
fn bm25_over_title_and_text_reaches_the_published_ndcg() {
    let Some(data) = shared("data/scifact") else { return };
    let data = data.display();
    let bench = Workbench::new(&format!(
        r#"
        name = "scifact"
        depth = 100
        baseline = "flat"
        candidates = ["defaults"]
        [sessions]
        path = {{ trec = {{ topics = "{data}/topics.test.tsv", qrels = "{data}/qrels.test.txt" }} }}
        [metrics]
        extra = ["R@100"]
        [corpus.abstracts]
        path = "{data}/corpus.jsonl.gz"
        id = "_id"
        [[retriever]]
        id = "flat"
        stages = [{{ kind = "bm25", corpus = "abstracts", fields = {{ title = 1.0, text = 1.0 }}, k1 = 0.9, b = 0.4 }}]
        [[retriever]]
        id = "defaults"
        stages = [{{ kind = "bm25", corpus = "abstracts", fields = {{ title = 1.0, text = 1.0 }} }}]
        "#
    ));
    let report = bench.report();
    assert_eq!(report["run"]["selection"]["sampled"], 300);
    for retriever in ["flat", "defaults"] {
        let ndcg = mean(&report, retriever, "nDCG@10");
        assert!((0.665..=0.685).contains(&ndcg), "nDCG@10 of {retriever} is {ndcg}");
        assert_eq!(count(&result(&report, retriever)["failed_sessions"]), 0);
    }
    // Anserini's flat index has 0.9253.
    let recall = mean(&report, "flat", "R@100");
    assert!((recall - 0.9253).abs() < 0.01, "R@100 is {recall}");
}
