//! Inputs and runs in an object store, against a real S3 server: what users see, and what the engine's store promises.

use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use datafusion::arrow::array::{Int64Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use rematch_engine::storage::{Blob, Location, fetch_all, is_there, local};
use rematch_engine::store::{
    FoundState, Manifest, Opened, RunDirectory, find_runs, layout, remove_run, sha256_of_file,
};
use serde_json::json;

use crate::rematch::{Outcome, call, command};
use crate::s3_server::{S3Server, url};
use crate::sample;

/// Calls the test of that path, in a process of its own that has the server's environment.
pub(crate) fn in_a_process(test: &str, environment: &[(&'static str, String)]) {
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command.args(["--exact", test, "--nocapture", "--include-ignored"]).env("REMATCH_TEST_STORE", "1");
    let outcome = call(command.envs(environment.iter().cloned()));
    assert!(outcome.code == 0, "{}\n{}", outcome.stdout, outcome.stderr);
}

pub(crate) fn is_child() -> bool {
    std::env::var_os("REMATCH_TEST_STORE").is_some()
}

fn manifest(run_id: &str) -> Manifest {
    let value = json!({
        "layout_version": 2, "engine_version": "0", "run_id": run_id, "name": "n", "seed": 1, "plan": {}, "inputs": []
    });
    serde_json::from_value(value).expect("a manifest")
}

fn table(rows: i64) -> RecordBatch {
    let schema = Schema::new(vec![
        Field::new("session_id", DataType::Utf8, false),
        Field::new("number", DataType::Int64, false),
    ]);
    let ids = StringArray::from_iter_values((0..rows).map(|row| format!("s{}", row * 7919 % 1_000_003)));
    let numbers = Int64Array::from_iter_values((0..rows).map(|row| row * 31 % 65_537));
    RecordBatch::try_new(Arc::new(schema), vec![Arc::new(ids), Arc::new(numbers)]).expect("a batch")
}

#[test]
fn child_uses_a_run_directory() {
    if !is_child() {
        return;
    }
    let root = url("runs/first");
    let (run, opened) = RunDirectory::open(Path::new(&root), &manifest("a")).expect("opened");
    assert_eq!(opened, Opened::New);
    assert!(run.parts().expect("listed").is_empty());
    run.write_part(layout::part(0, 3), &table(10)).expect("written");
    run.write_part(layout::part(1, 0), &table(20)).expect("written");
    // Twice is as good as once, and the first stays.
    run.write_part(layout::part(1, 0), &table(21)).expect("written");
    assert_eq!(run.parts().expect("listed").into_iter().collect::<Vec<_>>(), [(0, 3), (1, 0)]);
    let part = run.table(layout::part(1, 0)).expect("a table");
    assert_eq!(part.group(0).expect("rows"), table(20));
    assert_eq!(part.group_columns(0, &["number"]).expect("rows").num_columns(), 1);
    let mut copies = vec![run.begin_copy(layout::RANKINGS, part.schema()).expect("begun")];
    for (place, part) in [layout::part(0, 3), layout::part(1, 0)].iter().enumerate() {
        run.copy_part(part, place, &mut copies).expect("copied");
    }
    let copied = copies.remove(0).finish().expect("finished");
    copied.sync().expect("synced");
    assert!(!run.has(layout::RANKINGS), "it has no name yet");
    run.publish(copied).expect("published");
    let copied = run.table(layout::RANKINGS).expect("a table");
    assert_eq!((copied.groups(), copied.rows()), (2, 30));
    assert_eq!(copied.group(1).expect("rows"), table(20));
    let another = |run: &str| RunDirectory::open(Path::new(&root), &manifest(run)).expect_err("an error").to_string();
    assert!(another("b").contains("another process works in"), "this one has it");
    drop(run);
    assert!(another("b").contains("holds run a"));
    let (run, _, opened) = RunDirectory::attach(Path::new(&root)).expect("attached");
    assert_eq!(opened, Opened::Unfinished);
    run.write_json(layout::REPORT_JSON, &1).expect("written");
    run.write_json(layout::REPORT_JSON, &2).expect("replaced");
    assert_eq!(run.read_json::<u8>(layout::REPORT_JSON).expect("read"), 2);
    assert_eq!(RunDirectory::view(Path::new(&root)).expect("viewed").2, Opened::Finished);
    let scratch = run.scratch().expect("a folder");
    assert!(scratch.is_dir());
    run.remove(layout::LOADED).expect("not there is no error");
    let folder: Location = url("runs").parse().expect("a location");
    let found = find_runs(&folder).expect("found");
    assert_eq!(
        found.iter().map(|run| (run.location.to_string(), run.state)).collect::<Vec<_>>(),
        [(root, FoundState::Finished)]
    );
    assert!(remove_run(&found[0].location).is_err(), "somebody works in it");
    drop(run);
    remove_run(&found[0].location).expect("removed");
    assert!(find_runs(&folder).expect("found").is_empty());
}

#[test]
fn child_writes_and_reads_much() {
    if !is_child() {
        return;
    }
    let (run, _) = RunDirectory::open(Path::new(&url("runs/big")), &manifest("a")).expect("opened");
    let rows = table(6_000_000);
    let slices = (0..6_000_000).step_by(1_000_000).map(|start| Ok(rows.slice(start, 1_000_000)));
    run.write_table("big.parquet", rows.schema(), slices).expect("written");
    let path = run.path("big.parquet");
    let blob = Blob::open(&path).expect("opened");
    assert!(blob.length() > 40 << 20, "{} bytes go up in pieces", blob.length());
    let fetched = local(&path).expect("fetched");
    assert_eq!(fetched.metadata().expect("a file").len(), blob.length());
    assert_eq!(sha256_of_file(&path).expect("streamed"), sha256_of_file(&fetched).expect("fetched"));
    let table = run.table("big.parquet").expect("a table");
    assert_eq!(table.rows(), 6_000_000);
    let last = table.groups() - 1;
    assert_eq!(table.group(last).expect("rows").slice(0, 1).num_rows(), 1);
}

#[test]
fn child_reads_inputs() {
    if !is_child() {
        return;
    }
    let found = fetch_all(&url("in/*.csv")).expect("listed").expect("a URL");
    let contents: Vec<Vec<u8>> = found.iter().map(|path| std::fs::read(path).expect("a file")).collect();
    assert_eq!(contents, [b"first".to_vec(), b"second".to_vec()]);
    assert!(fetch_all(&url("in/*.none")).expect("listed").expect("a URL").is_empty());
    assert!(is_there(Path::new(&url("in/[ab].csv"))).expect("told"));
    assert!(!is_there(Path::new(&url("in/[x].csv"))).expect("told"));
    let mut text = String::new();
    let blob = Blob::open(Path::new(&url("in/a b%20c.csv.x"))).expect("opened");
    blob.reader(2).read_to_string(&mut text).expect("read");
    assert_eq!(text, "ird");
}

#[test]
fn a_run_directory_lies_in_a_bucket() {
    let Some(server) = S3Server::start().filter(|_| !is_child()) else { return };
    in_a_process("object_store::child_uses_a_run_directory", &server.environment());
    in_a_process("object_store::child_uses_a_run_directory", &server.environment_of_bad_network());
}

#[test]
fn a_big_table_goes_up_in_pieces_and_is_read_back() {
    let Some(server) = S3Server::start().filter(|_| !is_child()) else { return };
    in_a_process("object_store::child_writes_and_reads_much", &server.environment());
}

#[test]
fn objects_are_listed_fetched_and_read() {
    let Some(server) = S3Server::start().filter(|_| !is_child()) else { return };
    for (key, content) in
        [("in/b.csv", "second"), ("in/a.csv", "first"), ("in/deeper/c.csv", "no"), ("in/a b%20c.csv.x", "third")]
    {
        server.put(key, content);
    }
    in_a_process("object_store::child_reads_inputs", &server.environment());
    in_a_process("object_store::child_reads_inputs", &server.environment_of_bad_network());
}

/// Runs the small shop with sessions and products in the bucket.
fn run_shop(server: &S3Server, out: &str, environment: &[(&'static str, String)]) -> Outcome {
    let sessions = server.put("shop/sessions.jsonl", sample::jsonl(&sample::sessions(40)));
    let products = server.put("shop/products.jsonl", sample::products());
    let bench = sample::shop(&[]);
    let benchmark = sample::BENCHMARK.replace("sessions.jsonl", &sessions).replace("products.jsonl", &products);
    let path = bench.write("bench.toml", benchmark);
    let mut command = command();
    // What another test fetched is none of this one's business.
    let cache = tempfile::tempdir().expect("a folder");
    command.args(["run", "--quiet", "--out", out]).arg(path).env("REMATCH_CACHE", cache.path());
    call(command.envs(environment.iter().cloned()))
}

#[test]
fn a_benchmark_runs_from_a_bucket_into_a_bucket_as_it_does_here() {
    let Some(server) = S3Server::start().filter(|_| !is_child()) else { return };
    let here = tempfile::tempdir().expect("a folder");
    let local = here.path().join("run");
    run_shop(&server, &local.to_string_lossy(), &server.environment()).exits(0);
    run_shop(&server, &url("runs/shop"), &server.environment()).exits(0);
    for name in [layout::SCENARIO_SCORES, layout::COMPARISONS, layout::TAXONOMY, layout::SESSIONS, layout::MANIFEST] {
        let (here, there) = (std::fs::read(local.join(name)), std::fs::read(server.path(&format!("runs/shop/{name}"))));
        assert!(here.expect("a file") == there.expect("an object"), "{name}");
    }
    assert!(server.path("runs/shop/report.html").is_file());
}

#[test]
fn recordings_in_a_bucket_are_replayed_through_a_bad_network_and_resumed() {
    let Some(server) = S3Server::start().filter(|_| !is_child()) else { return };
    let line = |session: usize, rank: usize, step: usize| {
        format!("q{session:04} Q0 d{:03} {} {} t\n", (session * 31 + rank * step) % 900, rank + 1, 100 - rank)
    };
    let run = |step: usize| -> String {
        (0..3000).flat_map(|session| (0..5).map(move |rank| line(session, rank, step))).collect()
    };
    let judgments: String =
        (0..3000).map(|session| format!("q{session:04} 0 d{:03} 1\n", session * 31 % 900)).collect();
    let (old, new) = (server.put("in/old.run", run(7)), server.put("in/new.run", run(14)));
    let qrels = server.put("in/qrels", judgments);
    let bench = crate::workbench::Workbench::new(&format!(
        r#"
name = "runs"
baseline = "old"
candidates = ["new"]
[sessions]
path = {{ trec = {{ qrels = "{qrels}" }} }}
[[retriever]]
id = "old"
stages = [{{ kind = "recorded", path = "{old}" }}]
[[retriever]]
id = "new"
stages = [{{ kind = "recorded", path = "{new}" }}]
"#
    ));
    let cache = tempfile::tempdir().expect("a folder");
    let work = |arguments: &[&str], environment: &[(&'static str, String)]| {
        let mut command = command();
        command.args(arguments).arg("--quiet").env("REMATCH_CACHE", cache.path());
        call(command.envs(environment.iter().cloned())).exits(0);
    };
    let benchmark = bench.path("bench.toml").display().to_string();
    let local = bench.path("local").display().to_string();
    work(&["run", &benchmark, "--out", &local], &server.environment());
    let there = url("runs/recorded");
    work(&["run", &benchmark, "--out", &there], &server.environment_of_bad_network());
    // Half of it again, by what stands in the bucket.
    for name in ["report.json", "parts/000-000001.parquet", "parts/001-000002.parquet"] {
        std::fs::remove_file(server.path(&format!("runs/recorded/{name}"))).expect(name);
    }
    work(&["resume", &there], &server.environment());
    for name in [layout::RANKINGS, layout::SCENARIO_SCORES, layout::COMPARISONS, layout::SESSIONS] {
        let here = std::fs::read(bench.path("local").join(name)).expect("a file");
        assert!(here == std::fs::read(server.path(&format!("runs/recorded/{name}"))).expect("an object"), "{name}");
    }
}

#[test]
fn what_is_wrong_with_a_bucket_is_said_with_its_url_and_the_fix() {
    let Some(server) = S3Server::start().filter(|_| !is_child()) else { return };
    let environment = server.environment();
    let run = |sessions: &str, changed: &[(&'static str, &str)]| {
        let bench = sample::shop(&[]);
        let path = bench.write("bench.toml", sample::BENCHMARK.replace("sessions.jsonl", sessions));
        let mut command = command();
        command.arg("run").arg(path).arg("--out").arg(bench.path("out")).envs(environment.iter().cloned());
        call(command.envs(changed.iter().copied())).exits(3)
    };
    run(&url("not/there.jsonl"), &[]).complains(&["s3://bucket/not/there.jsonl", "there is no such object"]);
    run("s3://no-bucket/x.jsonl", &[]).complains(&[
        "s3://no-bucket/x.jsonl",
        "no bucket `no-bucket`",
        "AWS_ENDPOINT_URL",
    ]);
    server.put("x.jsonl", "{}");
    run(&url("x.jsonl"), &[("AWS_SECRET_ACCESS_KEY", "wrong")]).complains(&[
        "s3://bucket/x.jsonl",
        "access is denied",
        "AWS_SECRET_ACCESS_KEY",
    ]);
    run(&url("x.jsonl"), &[("AWS_ALLOW_HTTP", "false")]).complains(&["AWS_ALLOW_HTTP=true"]);
    run(&url("none/*.jsonl"), &[]).complains(&["s3://bucket/none/*.jsonl"]);
}
