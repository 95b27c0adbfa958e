//! TREC-COVID round 1: recorded runs, loaded as they lie, give the official leaderboard to the printed digits.

use std::collections::BTreeMap;

use crate::shared::shared;
use crate::workbench::{Workbench, count, mean, result};

/// Columns of the leaderboard and the metrics that they print.
const COLUMNS: [(&str, &str); 5] =
    [("ndcg@10", "nDCG@10"), ("p@5", "P@5"), ("RBP(p=.5)", "RBP(p=0.5,max_rel=2)"), ("bpref", "Bpref"), ("MAP", "AP")];

const RUNS: usize = 27;

#[test]
fn every_recorded_run_gives_its_line_of_the_leaderboard() {
    let Some(data) = shared("data/trec-covid-round1") else { return };
    let leaderboard = leaderboard(&std::fs::read_to_string(data.join("leaderboard.csv")).expect("the leaderboard"));
    let mut runs: Vec<String> = std::fs::read_dir(data.join("runs"))
        .expect("the runs")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .map(|name| name.strip_suffix(".gz").expect("gzip").to_owned())
        .collect();
    runs.sort();
    assert_eq!(runs.len(), RUNS);
    let data = data.display();
    let mut benchmark = format!(
        r#"
        name = "trec-covid-round1"
        depth = 1000
        baseline = "{}"
        candidates = {:?}
        [sessions]
        path = {{ trec = {{ topics = "{data}/topics.xml", qrels = "{data}/qrels.txt" }} }}
        [metrics]
        k = [5, 10]
        extra = ["Bpref", "RBP(p=0.5,max_rel=2)"]
        compatibility = "trec-eval"
        "#,
        runs[0],
        &runs[1..],
    );
    for run in &runs {
        benchmark += &format!(
            "[[retriever]]\nid = \"{run}\"\nstages = [{{ kind = \"recorded\", path = \"{data}/runs/{run}.gz\" }}]\n"
        );
    }
    let report = Workbench::new(&benchmark).report();

    assert_eq!(report["run"]["selection"]["sampled"], 30);
    for run in &runs {
        assert_eq!(count(&result(&report, run)["failed_sessions"]), 0, "{run}");
        for (column, metric) in COLUMNS {
            let official = &leaderboard[run][column];
            assert_eq!(&format!("{:.4}", mean(&report, run, metric)), official, "{metric} of {run}");
        }
    }
}

/// The printed values by run and column.
fn leaderboard(csv: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut lines = csv.lines();
    let header: Vec<&str> = lines.next().expect("a header").split(',').collect();
    let row = |line: &str| {
        let fields = line.split(',').map(str::to_owned);
        let row: BTreeMap<String, String> = header.iter().map(|name| (*name).to_owned()).zip(fields).collect();
        (row["run"].clone(), row)
    };
    lines.filter(|line| !line.trim().is_empty()).map(row).collect()
}
