//! A real log in OpenSearch's User Behavior Insights: what users saw against BM25 over the products, dirt and all.

use serde_json::Value;

use crate::rematch::rematch;
use crate::shared::shared;
use crate::workbench::{Workbench, count, result, text};

/// The benchmark over one application's part of the log, or over all of it.
fn bench(application: Option<&str>) -> Option<Workbench> {
    let data = shared("data/esci-ubi")?;
    let data = data.display();
    let application = application.map(|name| format!(", application = \"{name}\"")).unwrap_or_default();
    Some(Workbench::new(&format!(
        r#"
        name = "esci-ubi"
        depth = 50
        baseline = "shown"
        candidates = ["bm25"]
        [sessions]
        path = {{ ubi = {{ queries = "{data}/ubi_queries.jsonl.gz", events = "{data}/ubi_events.jsonl.gz"{application} }} }}
        [corpus.products]
        path = "{data}/products.jsonl.gz"
        id = "asin"
        [[retriever]]
        id = "shown"
        stages = [{{ kind = "shown" }}]
        [[retriever]]
        id = "bm25"
        stages = [{{ kind = "bm25", corpus = "products", k1 = 0.9, b = 0.4,
                    fields = {{ title = 1.0, brand = 1.0, color = 1.0, description = 1.0 }} }}]
        "#
    )))
}

fn dirt(report: &Value, kind: &str) -> u64 {
    report["run"]["selection"]["dirt"][kind].as_u64().unwrap_or(0)
}

/// Interactions of the run's sample by kind.
fn interactions(bench: &Workbench, kind: &str) -> usize {
    bench.sessions().iter().flat_map(|session| &session.interactions).filter(|act| act.kind == kind).count()
}

/// Every session of the sample is answered or failed, and failures are counted by kind.
fn nothing_is_lost(report: &Value, retriever: &str) {
    let result = result(report, retriever);
    let failed = count(&result["failed_sessions"]);
    assert_eq!(count(&result["answered_sessions"]) + failed, count(&report["run"]["selection"]["sampled"]));
    let by_kind: u64 = result["error_summary"].as_object().expect("kinds").values().map(count).sum();
    assert_eq!(by_kind, failed, "{retriever}");
}

#[test]
fn the_log_of_a_demo_shop_is_replayed_with_its_dirt_reported() {
    let Some(bench) = bench(Some("Chorus")) else { return };
    let report = bench.report();

    // The data's README: 273 query rows (of 84 ids), 1,004 impressions, 241 clicks, 227 add_to_cart and 506 events
    // without an object; 41 clicks have no impression. Of the events, 517 have no query row, 410 of them without an object.
    let sampled = count(&report["run"]["selection"]["sampled"]);
    assert_eq!(sampled, 84);
    assert_eq!(report["run"]["selection"]["loaded"], sampled);
    assert_eq!(sampled + dirt(&report, "duplicate_query_id"), 273);
    assert_eq!(dirt(&report, "event_without_query"), 517);
    let kept = ["impression", "click", "add_to_cart"].map(|kind| interactions(&bench, kind));
    assert_eq!(kept, [937, 221, 207]);
    assert_eq!(kept.iter().sum::<usize>() + 517 - 410, 1004 + 241 + 227);
    assert_eq!(dirt(&report, "event_without_object"), 506);
    assert_eq!(dirt(&report, "click_without_impression"), 41);
    assert_eq!(dirt(&report, "other_application"), (473 - 273) + (3555 - 1004 - 241 - 227 - 506));
    for kind in ["click_position_one_based", "click_position_zero_based", "message_type_contradicts_action"] {
        assert!(dirt(&report, kind) > 0, "{kind}");
    }

    nothing_is_lost(&report, "shown");
    nothing_is_lost(&report, "bm25");
    let listed = bench.sessions().iter().filter(|session| !session.shown.is_empty()).count() as u64;
    assert_eq!(count(&result(&report, "shown")["answered_sessions"]), listed);
    assert_eq!(result(&report, "shown")["error_summary"]["not_shown"], sampled - listed);
    let comparison = &report["comparison"]["comparisons"][0];
    let dropped: u64 = comparison["dropped"].as_object().expect("reasons").values().map(count).sum();
    assert_eq!(count(&comparison["metrics"]["nDCG@10"]["n"]) + dropped, sampled);
    // Most of what BM25 finds was never shown, which a reader of the verdict must know.
    assert!(comparison["exposure"]["candidate_support"].as_f64().expect("a share") < 0.5);
    let cautions = comparison["verdict"]["cautions"].to_string();
    assert!(cautions.contains("the naive nDCG@10") && cautions.contains("baseline_failed 6"), "{cautions}");
}

#[test]
fn a_simulated_log_with_positions_from_zero_is_replayed() {
    let Some(bench) = bench(Some("esci_ubi_sample")) else { return };
    let report = bench.report();
    // The data's README: 200 queries, 1,047 impressions and 101 clicks, 20 events without a query row.
    assert_eq!(report["run"]["selection"]["loaded"], 200);
    assert_eq!(dirt(&report, "event_without_query"), 20);
    assert_eq!(interactions(&bench, "impression") + interactions(&bench, "click") + 20, 1047 + 101);
    assert!(dirt(&report, "position_base_zero") > 0);
    let positions =
        bench.sessions().into_iter().flat_map(|session| session.interactions).filter_map(|act| act.position);
    assert_eq!(positions.min(), Some(1), "positions are 1-based whatever the log counts from");
    nothing_is_lost(&report, "shown");
    nothing_is_lost(&report, "bm25");
}

#[test]
fn the_logs_of_several_applications_are_not_mixed() {
    let Some(bench) = bench(None) else { return };
    let refused = bench.run().exits(3);
    refused.complains(&[
        "ubi_queries.jsonl.gz",
        "`Chorus`",
        "`esci_ubi_sample`",
        "`ubi-demo`",
        "choose one with `application`",
    ]);
}

#[test]
fn an_application_that_the_log_lacks_is_refused() {
    let Some(bench) = bench(Some("chorus")) else { return };
    bench.run().exits(3).complains(&["`chorus`", "`Chorus`"]);
}

#[test]
fn a_verdict_names_both_sides() {
    let Some(bench) = bench(Some("Chorus")) else { return };
    let report = bench.report();
    let sentence = text(&report["comparison"]["comparisons"][0]["verdict"]["sentence"]);
    assert!(sentence.contains("`bm25`") && sentence.contains("`shown`"), "{sentence}");
}

#[test]
fn items_that_the_products_lack_are_counted() {
    let Some(data) = shared("data/esci-ubi") else { return };
    let (events, products) = (data.join("ubi_events.jsonl.gz"), data.join("products.jsonl.gz"));
    let arguments =
        ["inspect".as_ref(), events.as_os_str(), "--json".as_ref(), "--corpus".as_ref(), products.as_os_str()];
    let inspected = rematch(arguments.into_iter().chain(["--id".as_ref(), "asin".as_ref()])).exits(0);
    let inspection: Value = serde_json::from_str(&inspected.stdout).expect("JSON");
    let mut findings = inspection["findings"].as_array().expect("findings").iter();
    let unknown = findings.find(|finding| finding["code"] == "unknown_item").expect("the finding");
    let joined = count(&inspection["counts"]["item mentions"]) - count(&unknown["count"]);
    assert_eq!(joined, 329 + 258, "events of the two logs that join a product");
}
