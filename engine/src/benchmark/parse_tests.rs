//! Mistakes in benchmark files: each names its place and, where one is near, the fix.

use std::path::Path;

use super::*;
use crate::benchmark::Plan;

const VALID: &str = r#"name = "title-boost"
baseline = "prod"
candidates = ["boosted"]

[sessions]
path = "sessions.parquet"

[corpus.products]
path = "products.jsonl"
id = "item_id"

[[retriever]]
id = "prod"
stages = [{ kind = "shown" }]

[[retriever]]
id = "boosted"
stages = [{ kind = "bm25", corpus = "products", fields = { title = 3.0 } }]
"#;

const VALID_YAML: &str = r"name: title-boost
baseline: prod
candidates: [boosted]
sessions:
  path: sessions.parquet
corpus:
  products: { path: products.jsonl, id: item_id }
retriever:
  - id: prod
    stages: [{ kind: shown }]
  - id: boosted
    stages:
      - kind: bm25
        corpus: products
        fields: { title: 3.0 }
";

fn resolve(name: &str, text: &str, overrides: &[&str]) -> Result<Plan, Diagnostic> {
    let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
    Plan::resolve(&SpecSource::of(Path::new(name), text, &overrides)?)
}

fn mistake(name: &str, text: &str, overrides: &[&str]) -> String {
    resolve(name, text, overrides).map(|plan| plan.name).expect_err("a mistake").to_string()
}

#[test]
fn toml_and_yaml_of_one_benchmark_give_the_same_plan() {
    let plan = |name, text| serde_json::to_string(&resolve(name, text, &[]).expect("a plan")).expect("JSON");
    assert_eq!(plan("b.toml", VALID), plan("b.yaml", VALID_YAML));
}

#[test]
fn every_default_metric_parses_and_stands_in_the_order_of_the_report() {
    let plan = resolve("b.toml", VALID, &[]).expect("a plan");
    let names: Vec<String> = plan.metrics.iter().map(ToString::to_string).collect();
    let expected = "nDCG@5 nDCG@10 nDCG@20 R@5 R@10 R@20 P@5 P@10 P@20 RR AP";
    assert_eq!(names.join(" "), expected);
    assert_eq!(plan.primary.to_string(), "nDCG@10");
}

#[test]
fn paths_are_resolved_against_the_files_folder() {
    let plan = resolve("shop/b.toml", VALID, &[]).expect("a plan");
    assert_eq!(plan.sessions, crate::benchmark::spec::SessionsPath::Files(vec!["shop/sessions.parquet".into()]));
}

#[test]
fn an_unknown_key_names_its_place_and_the_nearest_key_in_both_syntaxes() {
    let toml = VALID.replace("[sessions]", "[sessions]\nfromat = \"csv\"");
    let found = mistake("b.toml", &toml, &[]);
    assert!(found.starts_with("b.toml:6:1: unknown key `fromat`"), "{found}");
    assert!(found.contains("did you mean `format`?"), "{found}");
    let yaml = VALID_YAML.replace("sessions:\n", "sessions:\n  fromat: csv\n");
    let found = mistake("b.yaml", &yaml, &[]);
    assert!(found.starts_with("b.yaml:5:3: unknown key `fromat`"), "{found}");
    assert!(found.contains("did you mean `format`?"), "{found}");
}

#[test]
fn a_wrong_value_is_shown_in_its_line() {
    let cases = [
        (
            "candidates = [\"boosted\"]",
            "candidates = [\"boostd\"]",
            "b.toml:3:15: unknown retriever `boostd`, expected one of `prod`, `boosted` (did you mean `boosted`?)",
        ),
        (
            "candidates = [\"boosted\"]",
            "candidates = [\"boosted\", \"prod\"]",
            "b.toml:3:26: the baseline `prod` is among the candidates",
        ),
        (
            "candidates = [\"boosted\"]",
            "candidates = [\"boosted\", \"boosted\"]",
            "b.toml:3:26: candidate `boosted` is listed twice",
        ),
        ("candidates = [\"boosted\"]", "candidates = []", "b.toml:3:14: no candidate is given"),
        (
            "corpus = \"products\"",
            "corpus = \"product\"",
            "unknown corpus `product`, expected one of `products` (did you mean `products`?)",
        ),
        ("{ title = 3.0 } }]", "{ title = 0.0 } }]", "boost 0 of `title` is not above 0"),
        ("{ kind = \"shown\" }", "{ kind = \"shwn\" }", "unknown variant `shwn`"),
        ("{ kind = \"shown\" }", "{ kind = \"shown\", k1 = 0.9 }", "a `shown` stage takes no key `k1`"),
        ("baseline = \"prod\"\n", "", "missing key `baseline`"),
        ("name = \"title-boost\"", "name = 3", "b.toml:1:8: invalid type: integer `3`, expected a string"),
    ];
    for (from, to, expected) in cases {
        let text = VALID.replacen(from, to, 1);
        assert_ne!(text, VALID, "case `{to}` changes nothing");
        let found = mistake("b.toml", &text, &[]);
        assert!(found.contains(expected), "`{to}`: {found}");
    }
}

#[test]
fn metrics_are_checked_with_their_place() {
    let with =
        |lines: &str| VALID.replacen("[corpus.products]", &format!("[metrics]\n{lines}\n\n[corpus.products]"), 1);
    let found = mistake("b.toml", &with("primary = \"nDGC@10\""), &[]);
    assert!(found.starts_with("b.toml:9:11: "), "{found}");
    assert!(found.contains("nDGC") && found.contains("nDCG"), "{found}");
    let found = mistake("b.toml", &with("k = [5, 0]"), &[]);
    assert!(found.starts_with("b.toml:9:9: "), "{found}");
    let found = mistake("b.toml", &with("k = [200]"), &[]);
    assert!(found.contains("looks deeper than the 100 hits that are kept"), "{found}");
    let found = mistake("b.toml", &with("extra = [\"P@0\"]"), &[]);
    assert!(found.contains("cutoff"), "{found}");
}

#[test]
fn an_override_replaces_a_value_and_its_mistakes_name_it() {
    assert_eq!(resolve("b.toml", VALID, &["depth=20", "seed=7"]).expect("a plan").depth.get(), 20);
    assert_eq!(resolve("b.yaml", VALID_YAML, &["depth=20"]).expect("a plan").depth.get(), 20);
    let plan = resolve("b.toml", VALID, &["sessions.sample.count=5", "retriever.1.name=New"]).expect("a plan");
    assert_eq!(plan.sample.map(|sample| sample.count), Some(5));
    let found = mistake("b.toml", VALID, &["baseline=nobody"]);
    assert!(found.contains("unknown retriever `nobody`") && found.contains("--set baseline=nobody"), "{found}");
    let found = mistake("b.toml", VALID, &["depht=20"]);
    assert!(found.contains("unknown key `depht`") && found.contains("did you mean `depth`?"), "{found}");
    let found = mistake("b.toml", VALID, &["depth"]);
    assert!(found.contains("is not of the form `key.path=value`"), "{found}");
    let found = mistake("b.toml", VALID, &["retriever.9.name=x"]);
    assert!(found.contains("has 2 elements"), "{found}");
}

#[test]
fn scorers_are_a_plugin_or_a_metric_and_their_weights_add_up_to_one() {
    let with = |lines: &str| format!("{VALID}\n[[scorer]]\nname = \"a\"\n{lines}\n");
    let plan = resolve(
        "b.toml",
        &format!("{}\n[[scorer]]\nname = \"b\"\nmetric = \"RR\"\nweight = 3.0\n", with("metric = \"AP\"")),
        &[],
    );
    let weights: Vec<f64> = plan.expect("a plan").scorers.iter().map(|scorer| scorer.weight).collect();
    assert_eq!(weights, [0.25, 0.75]);
    for (lines, expected) in [
        ("", "has neither `plugin` nor `metric`"),
        ("metric = \"AP\"\nplugin = \"a.wasm\"", "has both `plugin` and `metric`"),
        ("metric = \"AP\"\nweight = 0", "weight 0 is not above 0"),
        ("metric = \"AP\"\nparams = { a = 1 }", "`params` is for plugins only"),
        ("plugin = \"a.wasm\"\nsha256 = \"12\"", "is not a SHA-256"),
    ] {
        let found = mistake("b.toml", &with(lines), &[]);
        assert!(found.contains(expected), "`{lines}`: {found}");
    }
}

#[test]
fn sessions_come_from_files_or_from_one_named_layout() {
    let with = |path: &str| VALID.replacen("path = \"sessions.parquet\"", &format!("path = {path}"), 1);
    for good in [
        "[\"a.parquet\", \"b/*.parquet\"]",
        "{ trec = { qrels = \"q\" } }",
        "{ beir = \"d\" }",
        "{ ubi = { queries = \"q\", events = \"e\" } }",
    ] {
        resolve("b.toml", &with(good), &[]).unwrap_or_else(|error| panic!("{good}: {error}"));
    }
    for (bad, expected) in [
        ("[]", "no path is given"),
        ("{ beir = \"d\", trec = { qrels = \"q\" } }", "expected exactly one of the tables"),
        ("{ bier = \"d\" }", "did you mean `beir`?"),
        ("3", "expected a path, a list of paths, or one of the tables"),
        ("\"https://name:secret@example.org/a.parquet\"", "URL"),
    ] {
        let found = mistake("b.toml", &with(bad), &[]);
        assert!(found.contains(expected), "{bad}: {found}");
    }
}

#[test]
fn a_time_range_that_ends_before_it_starts_is_refused() {
    let filter =
        "\n[sessions.filter]\ntime-range = { start = \"2026-02-01T00:00:00Z\", end = \"2026-01-01T00:00:00Z\" }\n";
    let found = mistake("b.toml", &VALID.replacen("\n[corpus", &format!("{filter}\n[corpus"), 1), &[]);
    assert!(found.contains("before it starts"), "{found}");
    let found = mistake("b.toml", VALID, &["sessions.filter.time-range.start=yesterday"]);
    assert!(found.contains("expected RFC 3339 text"), "{found}");
}

#[test]
fn the_json_schema_knows_every_top_level_key() {
    let schema = json_schema();
    let properties = schema.pointer("/properties").and_then(serde_json::Value::as_object).expect("properties");
    for key in [
        "name",
        "seed",
        "baseline",
        "candidates",
        "depth",
        "sessions",
        "relevance",
        "metrics",
        "corpus",
        "retriever",
        "scorer",
        "gate",
        "output",
    ] {
        assert!(properties.contains_key(key), "{key}");
    }
    assert_eq!(schema.pointer("/additionalProperties"), Some(&serde_json::Value::Bool(false)));
}
