//! A search endpoint is replayed like any other retriever; its failures, its death and its secrets.

use std::path::Path;

use crate::rematch::{Outcome, call, command, rematch};
use crate::sample::{jsonl, products, sessions};
use crate::search_server::SearchServer;
use crate::workbench::{Workbench, mean, rankings_in, result};

const SECRET: &str = "correct-horse-battery-staple";

/// Returns a benchmark of the list that users saw against a search endpoint, which wants a token.
fn bench(server: &SearchServer, keys: &str) -> Workbench {
    let bench = Workbench::new(&format!(
        r#"
        name = "endpoint"
        baseline = "shown"
        candidates = ["live"]
        depth = 20
        sessions.path = "sessions.jsonl"

        [[retriever]]
        id = "shown"
        stages = [{{ kind = "shown" }}]

        [[retriever]]
        id = "live"
        concurrency = 4
        connect-timeout = "60s"
        read-timeout = "60s"
        timeout = "60s"
        {keys}
        [[retriever.stages]]
        kind = "http"
        url = "{}"
        auth = {{ bearer-env = "SHOP_TOKEN" }}
        body = '{{"query": {{{{ query }}}}, "depth": {{{{ depth }}}}}}'
        ids = "$.hits[*].id"
        scores = "$.hits[*].score"
        error = "$.error"
        timings = {{ took = {{ path = "$.took", unit = "ms" }} }}
        "#,
        server.url()
    ));
    bench.write("sessions.jsonl", jsonl(&sessions(60)));
    bench
}

fn run(bench: &Workbench, token: Option<&str>) -> Outcome {
    let mut command = command();
    command.arg("run").arg(bench.path("bench.toml")).arg("--out").arg(bench.path("out"));
    match token {
        Some(token) => command.env("SHOP_TOKEN", token),
        None => command.env_remove("SHOP_TOKEN"),
    };
    call(&mut command)
}

#[test]
fn an_endpoint_is_replayed_with_its_stages_and_its_failures() {
    let server = SearchServer::over(&products());
    let bench = bench(&server, "");
    let outcome = run(&bench, Some(SECRET)).exits(0);
    let report = bench.read_report();
    let asked = &result(&report, "live")["stages"][0]["requests"];
    assert_eq!(
        (asked["requests"].as_u64(), asked["failures"].as_u64(), asked["retries"].as_u64()),
        (Some(60), Some(12), Some(0))
    );
    assert!(asked["bytes"].as_u64() > Some(1000), "{asked}");
    assert!(result(&report, "shown")["stages"][0].get("requests").is_none());
    let page = std::fs::read_to_string(bench.path("out/report.html")).expect("the page");
    assert!(page.contains("server of stage") && page.contains("<td>http</td><td>60</td>"));
    assert!(
        outcome.stdout.contains("requests: live http 60 of ") && outcome.stdout.contains("12 failed"),
        "{}",
        outcome.stdout
    );
    assert!(mean(&report, "live", "nDCG@10") > mean(&report, "shown", "nDCG@10"));
    let rankings = rankings_in(&bench.path("out"));
    let (failed, found): (Vec<_>, Vec<_>) =
        rankings.iter().filter(|ranking| ranking.retriever_id == "live").partition(|ranking| ranking.failed());
    assert_eq!((failed.len(), found.len(), server.requests()), (12, 48, 60), "one request each, refused ones too");
    for ranking in &failed {
        assert_eq!(ranking.error_kind.as_deref(), Some("unauthorised"));
        assert!(ranking.hits.is_empty() && ranking.stages[0].attempts == 1);
    }
    for ranking in &found {
        let stages: Vec<&str> = ranking.stages.iter().map(|stage| stage.name.as_str()).collect();
        assert_eq!(stages, ["http", "http/recall", "http/took"]);
        assert!(ranking.stages[0].latency_ns >= 2_000_000 && ranking.stages[0].attempts == 1);
        assert_eq!((ranking.stages[1].latency_ns, ranking.stages[2].latency_ns), (1_500_000, 2_000_000));
        assert!(!ranking.hits.is_empty() && ranking.hits[0].score == Some(2.0));
    }
}

#[test]
fn a_secret_is_in_nothing_that_a_run_leaves_or_says() {
    let server = SearchServer::over(&products());
    let bench = bench(&server, "");
    let outcome = run(&bench, Some(SECRET)).exits(0);
    // The endpoint repeats what it was sent in every refusal; what stays of that is in the rankings' errors.
    let rankings = rankings_in(&bench.path("out"));
    let errors: Vec<String> = rankings.iter().filter_map(|ranking| ranking.error.clone()).collect();
    assert!(errors.iter().any(|error| error.contains("Bearer [redacted]")), "{errors:?}");
    let said = [outcome.stdout, outcome.stderr, format!("{rankings:?}")].concat();
    assert!(!said.contains(SECRET), "{said}");
    let mut files = 0;
    grep(&bench.path("out"), &mut files);
    assert!(files > 5, "{files} files were read");
    assert!(std::fs::read_to_string(bench.path("out/plan.json")).expect("a plan").contains("SHOP_TOKEN"));
}

#[test]
fn runs_of_one_endpoint_are_compared_with_one_another_and_nothing_is_asked() {
    let server = SearchServer::over(&products());
    let bench = bench(&server, "");
    for day in ["monday", "friday"] {
        run(&bench, Some(SECRET)).exits(0);
        std::fs::rename(bench.path("out"), bench.path(day)).expect("renamed");
    }
    let asked = server.requests();
    let mut compare = command();
    compare.arg("compare").args(["monday", "friday"].map(|day| bench.path(day))).arg("--out").arg(bench.path("out"));
    let outcome = call(compare.env_remove("SHOP_TOKEN")).exits(0);
    assert_eq!(server.requests(), asked);
    // The list that users saw is the same one; what a server says may have changed, though its pipeline has not.
    assert!(outcome.stderr.contains("`shown` of `friday` is the same pipeline"), "{}", outcome.stderr);
    let report = bench.read_report();
    let arms: Vec<&serde_json::Value> =
        report["results"].as_array().expect("results").iter().map(|result| &result["retriever_id"]).collect();
    assert_eq!(arms, ["shown", "monday:live", "friday:live"]);
    assert_eq!(mean(&report, "monday:live", "nDCG@10"), mean(&report, "friday:live", "nDCG@10"));
}

/// Asserts that no file below `folder` holds the secret.
fn grep(folder: &Path, files: &mut usize) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            grep(&path, files);
            continue;
        }
        *files += 1;
        let bytes = std::fs::read(&path).expect("a file");
        let holds = bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
        assert!(!holds, "{} holds the secret", path.display());
    }
}

#[test]
fn a_variable_that_is_not_set_is_named_before_anything_is_sent() {
    let server = SearchServer::over(&products());
    let outcome = run(&bench(&server, ""), None).exits(2);
    outcome.complains(&[
        "retriever `live` cannot be built: stage `http` cannot be asked",
        "`auth`: the environment variable `SHOP_TOKEN`, which holds credentials, is not set",
    ]);
    assert_eq!(server.requests(), 0);
}

#[test]
fn a_dead_endpoint_stops_the_run_which_goes_on_when_it_is_well_again() {
    let server = SearchServer::over(&products());
    let bench = bench(&server, "breaker = 5\nretry-backoff = \"1ms\"");
    server.break_down(true);
    run(&bench, Some(SECRET)).exits(5).complains(&[
        "retriever `live` is not asked any more",
        "given up after 5 failures in a row",
        "answered 503 Service Unavailable: the index is being rebuilt",
        "to go on: rematch resume",
    ]);
    assert!(server.requests() < 20, "{} requests to a dead server", server.requests());
    assert!(!bench.path("out/report.json").exists(), "a retriever that never answered is not compared");
    server.break_down(false);
    let mut command = command();
    command.arg("resume").arg(bench.path("out")).env("SHOP_TOKEN", SECRET);
    call(&mut command).exits(0);
    let rankings = rankings_in(&bench.path("out"));
    let report = bench.read_report();
    let asked = &result(&report, "live")["stages"][0]["requests"];
    assert_eq!(asked["breaker_openings"].as_u64(), Some(1), "of the process before: {asked}");
    assert!(asked["failures"].as_u64() >= Some(5) && asked["requests"].as_u64() > Some(60), "{asked}");
    let live = rankings.iter().filter(|ranking| ranking.retriever_id == "live");
    assert_eq!(live.filter(|ranking| ranking.error_kind.as_deref() == Some("server")).count(), 0);
    // Nothing is left to do, and nobody is asked.
    let requests = server.requests();
    rematch([Path::new("resume"), &bench.path("out")]).exits(0);
    assert_eq!(server.requests(), requests);
}

#[test]
fn how_a_server_is_asked_is_in_the_plan_and_changes_no_hash() {
    let server = SearchServer::over(&products());
    let hash = |keys: &str| {
        let bench = bench(&server, keys);
        run(&bench, Some(SECRET)).exits(0);
        let plan = std::fs::read_to_string(bench.path("out/plan.json")).expect("a plan");
        let report = bench.read_report();
        let result = result(&report, "live")["pipeline_hash"].clone();
        (plan, result)
    };
    let (plan, usual) = hash("");
    assert!(plan.contains(r#""retry-budget":0.1"#) || plan.contains(r#""retry-budget": 0.1"#), "{plan}");
    let (plan, other) = hash("rate = 2000.0\narrival = \"open\"\nretries = 7\nwarm-up = 3");
    assert!(plan.contains(r#""arrival":"open""#) || plan.contains(r#""arrival": "open""#), "{plan}");
    assert_eq!(usual, other);
    assert_ne!(usual, serde_json::Value::Null);
    assert_eq!(server.requests(), 60 + 63, "warm-up requests are sent, and forgotten");
}
