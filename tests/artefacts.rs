//! What a run leaves behind: tables with the documented columns, and JSON that fits its published schema.

use std::collections::BTreeSet;

use datafusion::arrow::datatypes::{DataType, Fields};
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use serde_json::{Value, json};

use crate::rematch::{rematch, workspace};
use crate::sample;
use crate::workbench::{Workbench, metrics};

/// A run with every part of a report: a component, a metric as a scorer, a gate, and a failed session.
fn finished() -> Workbench {
    let mut sessions = sample::sessions(60);
    sessions[7].shown.clear();
    let bench = sample::shop(&sessions);
    let plugin = workspace().join("plugins/half-life-utility/half-life-utility.wasm");
    let more = format!(
        "[[scorer]]\nname = \"utility\"\nplugin = {plugin:?}\n[[scorer]]\nname = \"first\"\nmetric = \"Success@1\"\n\
         [[gate]]\nmetric = \"nDCG@10\"\nmax-regression = 0.01\n"
    );
    bench.write("bench.toml", sample::BENCHMARK.to_owned() + &more);
    bench.run_with(&["--quiet"]).exits(0);
    bench
}

/// The columns of a table with their types in short: `hits: list<item_id: text, score: f64>`.
fn columns(fields: &Fields) -> Vec<String> {
    fields.iter().map(|field| format!("{}: {}", field.name(), short(field.data_type()))).collect()
}

fn short(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 | DataType::Utf8View => "text".to_owned(),
        DataType::Float64 => "f64".to_owned(),
        DataType::Float32 => "f32".to_owned(),
        DataType::Int64 => "i64".to_owned(),
        DataType::UInt32 => "u32".to_owned(),
        DataType::Timestamp(unit, zone) => format!("timestamp<{unit:?}, {}>", zone.as_deref().unwrap_or("none")),
        DataType::List(element) => format!("list<{}>", short(element.data_type())),
        DataType::Struct(fields) => columns(fields).join(", "),
        other => format!("{other:?}"),
    }
}

const TIME: &str = "timestamp: timestamp<Millisecond, UTC>";

#[tokio::test]
async fn the_tables_have_the_documented_columns() {
    let bench = finished();
    let report = bench.read_report();
    let mut scores: Vec<String> = ["session_id: text", "retriever_id: text"].map(str::to_owned).into();
    let measures = metrics(&report);
    let stored = measures.iter().filter(|measure| *measure != "scenario_score");
    scores.extend(stored.map(|measure| format!("{measure}: f64")));
    scores.push("scorers: list<name: text, value: f64, output: text, state: text>".to_owned());
    scores.push("scenario_score: f64".to_owned());
    let session = [
        "session_id: text",
        "visit_id: text",
        "user_id: text",
        TIME,
        "retriever_id: text",
        "query: text",
        "query_vector: list<f32>",
        "inputs: text",
        "taxonomy: list<text>",
        "shown: list<item_id: text, score: f64, propensity: f64>",
        "interactions: list<item_id: text, kind: text, position: u32, timestamp: timestamp<Millisecond, UTC>, value: f64>",
        "judgments: list<item_id: text, grade: f32>",
        "expected: text",
    ];
    let ranking = [
        "session_id: text",
        "retriever_id: text",
        "hits: list<item_id: text, score: f64>",
        "latency_ns: i64",
        "stages: list<name: text, kind: text, latency_ns: i64, hits: i64, attempts: i64, state: text, error: text, recall: f64>",
        "error_kind: text",
        "error: text",
    ];
    let comparison = [
        "baseline_id: text",
        "candidate_id: text",
        "metric: text",
        "baseline_mean: f64",
        "candidate_mean: f64",
        "delta: f64",
        "ci95_low: f64",
        "ci95_high: f64",
        "ci95_bootstrap_low: f64",
        "ci95_bootstrap_high: f64",
        "relative_change: f64",
        "relative_ci95_low: f64",
        "relative_ci95_high: f64",
        "t: f64",
        "df: f64",
        "p: f64",
        "p_adjusted: f64",
        "p_randomisation: f64",
        "p_max_t: f64",
        "resamples: i64",
        "p_mcnemar: f64",
        "d_z: f64",
        "g_z: f64",
        "detectable_delta: f64",
        "sessions_to_settle: i64",
        "n: i64",
        "clusters: i64",
        "win: i64",
        "tie: i64",
        "loss: i64",
        "cluster_by: text",
        "test: text",
        "correction: text",
    ];
    let node = [
        "node: text",
        "retriever_id: text",
        "metric: text",
        "mean: f64",
        "n: i64",
        "delta: f64",
        "ci95_low: f64",
        "ci95_high: f64",
        "p: f64",
        "p_adjusted: f64",
        "p_randomisation: f64",
        "p_max_t: f64",
        "share: f64",
        "contribution: f64",
        "clusters: i64",
        "win: i64",
        "tie: i64",
        "loss: i64",
        "test: text",
        "outcome: text",
    ];
    let context = SessionContext::new();
    for (name, expected) in [
        ("sessions", session.map(str::to_owned).to_vec()),
        ("rankings", ranking.map(str::to_owned).to_vec()),
        ("scenario_scores", scores),
        ("comparisons", comparison.map(str::to_owned).to_vec()),
        ("taxonomy", node.map(str::to_owned).to_vec()),
    ] {
        let path = bench.path(format!("out/{name}.parquet")).display().to_string();
        let table = context.read_parquet(path.as_str(), ParquetReadOptions::default()).await.expect("a table");
        assert_eq!(columns(table.schema().as_arrow().fields()), expected, "{name}");
        context.register_table(name, table.into_view()).expect("registered");
    }
    for (query, expected) in [
        ("SELECT count(*) FROM sessions", 60),
        ("SELECT count(*) FROM rankings", 120),
        ("SELECT count(*) FROM rankings WHERE error_kind = 'not_shown' AND cardinality(hits) = 0", 1),
        ("SELECT count(*) FROM scenario_scores", 120),
        ("SELECT count(*) FROM scenario_scores WHERE \"nDCG@10\" IS NULL AND scenario_score IS NULL", 1),
        (
            "SELECT count(*) FROM comparisons WHERE baseline_id = 'shown' AND candidate_id = 'search'",
            metrics(&report).len(),
        ),
        ("SELECT count(*) FROM taxonomy WHERE node = 'kitchen' AND retriever_id = 'shown' AND outcome IS NOT NULL", 0),
    ] {
        let batches = context.sql(query).await.expect(query).collect().await.expect(query);
        let counts = batches[0].column(0).as_any().downcast_ref::<datafusion::arrow::array::Int64Array>();
        assert_eq!(counts.expect("a count").value(0), i64::try_from(expected).expect("small"), "{query}");
    }
}

#[test]
fn the_tables_agree_with_the_report() {
    let bench = finished();
    let report = bench.read_report();
    let names = metrics(&report);
    let rows = bench.scores(&names);
    for retriever in ["shown", "search"] {
        for (column, metric) in names.iter().enumerate() {
            let of_retriever = rows.iter().filter(|row| row.retriever_id == retriever);
            let values: Vec<f64> = of_retriever.filter_map(|row| row.measures[column]).collect();
            let summary = &crate::workbench::result(&report, retriever)["scores"][metric];
            assert_eq!(summary["n"], values.len(), "{metric} of {retriever}");
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            assert!((summary["mean"].as_f64().expect("a mean") - mean).abs() < 1e-12, "{metric} of {retriever}");
        }
        // The scenario score is the mean of the two functions, which weigh the same.
        for row in rows.iter().filter(|row| row.retriever_id == retriever) {
            let values: Option<Vec<f64>> = row.scorers.iter().map(|scorer| scorer.value).collect();
            let expected = values.map(|values| values.iter().sum::<f64>() / 2.0);
            assert_eq!(row.scenario_score.is_some(), expected.is_some(), "{}", row.session_id);
            let difference = row.scenario_score.unwrap_or(0.0) - expected.unwrap_or(0.0);
            assert!(difference.abs() < 1e-12, "{}: {:?}", row.session_id, row.scenario_score);
        }
    }
}

#[test]
fn only_the_formats_that_are_asked_for_are_written() {
    let bench = sample::shop(&sample::sessions(20));
    bench.run_with(&["--quiet", "--set", "output.formats=[\"json\"]"]).exits(0);
    let there = |name: &str| bench.path("out").join(name).exists();
    assert!(there("report.json") && !there("report.html") && !there("rankings.parquet"));
    bench.run_into("all", &["--quiet"]).exits(0);
    let there = |name: &str| bench.path("all").join(name).exists();
    assert!(there("report.json") && there("report.html") && there("rankings.parquet"));
    let html = std::fs::read_to_string(bench.path("all/report.html")).expect("the page");
    assert!(
        html.contains("small-shop") && !html.contains("http://") && !html.contains("https://"),
        "not self-contained"
    );
}

fn schema(name: &str) -> Value {
    let printed = rematch(["schema", name]).exits(0);
    serde_json::from_str(&printed.stdout).expect("JSON")
}

#[test]
fn a_report_fits_its_published_schema() {
    let report = finished().read_report();
    let schema = schema("report");
    assert_eq!(report["schema_version"], 1);
    assert_eq!(faults(&schema, &report), Vec::<String>::new());

    // The checker itself: what is missing, of a wrong type or not among the values is found.
    let mut wrong = report.clone();
    wrong.as_object_mut().expect("an object").remove("schema_version");
    assert_eq!(faults(&schema, &wrong), ["$: `schema_version` is missing"]);
    let mut wrong = report.clone();
    wrong["results"][1]["answered_sessions"] = json!("many");
    assert_eq!(faults(&schema, &wrong), ["$.results[1].answered_sessions: \"many\" is no integer"]);
    let mut wrong = report.clone();
    wrong["comparison"]["comparisons"][0]["verdict"]["outcome"] = json!("perhaps");
    assert_eq!(faults(&schema, &wrong).len(), 1);
    let mut wrong = report;
    wrong["comparison"]["comparisons"][0]["metrics"]["RR"]["delta"] = json!("none");
    assert_eq!(faults(&schema, &wrong).len(), 1);
}

#[test]
fn every_key_of_a_report_is_in_its_schema() {
    let report = finished().read_report();
    assert_eq!(unknown_keys(&schema("report"), &report), Vec::<String>::new());
}

#[test]
fn the_sample_benchmark_fits_the_published_schema() {
    let text = std::fs::read_to_string(workspace().join("data/shop/bench.toml")).expect("the sample benchmark");
    let parse = |text: &str| -> Value { toml::from_str(text).expect("TOML") };
    let schema = schema("benchmark");
    assert_eq!(faults(&schema, &parse(&text)), Vec::<String>::new());
    assert_eq!(faults(&schema, &parse(sample::BENCHMARK)), Vec::<String>::new());
    let misspelt = faults(&schema, &parse(&text.replace("candidates", "candidate")));
    assert_eq!(misspelt, ["$: `candidate` is unknown", "$: `candidates` is missing"]);
    let negative = faults(&schema, &parse(&text.replace("seed = 42", "seed = \"42\"")));
    assert_eq!(negative, ["$.seed: \"42\" is no integer"]);
}

/// The ways in which `value` breaks `schema`, sorted; as much of JSON Schema as the published ones use.
fn faults(schema: &Value, value: &Value) -> Vec<String> {
    let mut found = BTreeSet::new();
    check(&Checked { root: schema, path: "$" }, schema, value, &mut found);
    found.into_iter().collect()
}

struct Checked<'a> {
    root: &'a Value,
    path: &'a str,
}

fn check(at: &Checked<'_>, schema: &Value, value: &Value, found: &mut BTreeSet<String>) {
    let Checked { root, path } = *at;
    let schema = resolved(root, schema);
    let within = |path: &str, schema: &Value, value: &Value, found: &mut BTreeSet<String>| {
        check(&Checked { root, path }, schema, value, found);
    };
    for branches in ["anyOf", "oneOf"].iter().filter_map(|key| schema[*key].as_array()) {
        let fits = |branch: &&Value| {
            let mut found = BTreeSet::new();
            within(path, branch, value, &mut found);
            found.is_empty()
        };
        if !branches.iter().any(|branch| fits(&branch)) {
            found.insert(format!("{path}: {value} fits none of {} shapes", branches.len()));
        }
    }
    if !schema["type"].is_null() && !has_type(&schema["type"], value) {
        found.insert(format!("{path}: {value} is no {}", schema["type"].as_str().unwrap_or("value of these types")));
    }
    let constant = schema.get("const").is_some_and(|constant| constant != value);
    if constant || schema["enum"].as_array().is_some_and(|known| !known.contains(value)) {
        found.insert(format!("{path}: {value} is not among the values"));
    }
    if let Some(object) = value.as_object() {
        for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !object.contains_key(key) {
                found.insert(format!("{path}: `{key}` is missing"));
            }
        }
        for (key, value) in object {
            match (schema["properties"].get(key), &schema["additionalProperties"]) {
                (Some(property), _) => within(&format!("{path}.{key}"), property, value, found),
                (None, Value::Bool(false)) => {
                    found.insert(format!("{path}: `{key}` is unknown"));
                }
                (None, more @ Value::Object(_)) => within(&format!("{path}.{key}"), more, value, found),
                (None, _) => {}
            }
        }
    }
    for (index, element) in value.as_array().into_iter().flatten().enumerate() {
        if schema["items"].is_object() {
            within(&format!("{path}[{index}]"), &schema["items"], element, found);
        }
    }
}

fn resolved<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => root.pointer(reference.trim_start_matches('#')).expect("a definition"),
        None => schema,
    }
}

fn has_type(names: &Value, value: &Value) -> bool {
    let is = |name: &str| match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("the checker does not know the type {other}"),
    };
    match names {
        Value::String(name) => is(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).any(is),
        other => panic!("{other} is no type"),
    }
}

/// Keys of `value` that `schema` does not describe, although it allows them.
fn unknown_keys(schema: &Value, value: &Value) -> Vec<String> {
    let closed = closed(schema.clone());
    faults(&closed, value)
}

/// The schema with every object closed.
fn closed(mut schema: Value) -> Value {
    if let Some(object) = schema.as_object_mut() {
        if object.contains_key("properties") && !object.contains_key("additionalProperties") {
            object.insert("additionalProperties".into(), false.into());
        }
        for value in object.values_mut() {
            *value = closed(value.take());
        }
    } else if let Some(elements) = schema.as_array_mut() {
        elements.iter_mut().for_each(|element| *element = closed(element.take()));
    }
    schema
}
