//! Everything on Azure and on Google Cloud Storage, as [`crate::object_store`] has it on S3: what the engine's store promises, and
//! whole runs with their sessions, corpora, recordings, components and directories there.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rematch_engine::storage::{Location, Put};
use rematch_engine::store::{PendingFile, layout};

use crate::cloud_stores::CloudStore;
use crate::object_store::{in_a_process, is_child};
use crate::rematch::{call, command, workspace};
use crate::s3_server::{TEST_ROOT, url};
use crate::sample;
use crate::workbench::Workbench;

/// What needs no clock.
const SAME: [&str; 6] = [
    layout::MANIFEST,
    layout::SESSIONS,
    layout::RANKINGS,
    layout::SCENARIO_SCORES,
    layout::COMPARISONS,
    layout::TAXONOMY,
];

fn on(store: &CloudStore, environment: Vec<(&'static str, String)>) -> Vec<(&'static str, String)> {
    environment.into_iter().chain([(TEST_ROOT, store.root().to_owned())]).collect()
}

/// What [`crate::object_store`] asks of S3: a run directory, tables that go up in pieces and are read in ranges, listings.
fn keeps_the_promises(store: &CloudStore) {
    let good = on(store, store.environment());
    let bad = on(store, store.environment_of_bad_network());
    in_a_process("object_store::child_uses_a_run_directory", &good);
    in_a_process("object_store::child_uses_a_run_directory", &bad);
    in_a_process("object_store::child_writes_and_reads_much", &good);
    for (key, content) in
        [("in/b.csv", "second"), ("in/a.csv", "first"), ("in/deeper/c.csv", "no"), ("in/a b%20c.csv.x", "third")]
    {
        store.put(key, content);
    }
    in_a_process("object_store::child_reads_inputs", &good);
    in_a_process("object_store::child_reads_inputs", &bad);
    in_a_process("clouds::child_lists_many", &good);
}

#[test]
fn child_lists_many() {
    if !is_child() {
        return;
    }
    // More than a page of the emulator's listings.
    for number in 0..60 {
        let path = url(&format!("many/{number:03}.txt"));
        let pending = PendingFile::create(path.as_ref()).expect("begun");
        std::io::Write::write_all(&mut pending.writer(), b"x").expect("written");
        pending.publish().expect("published");
    }
    let found = rematch_engine::storage::fetch_all(&url("many/*.txt")).expect("listed").expect("a URL");
    assert_eq!(found.len(), 60);
}

/// Publishes what the environment says as one and the same object.
#[test]
fn child_publishes_a_part() {
    if !is_child() {
        return;
    }
    let content = std::env::var("REMATCH_TEST_CONTENT").expect("a content").repeat(1000);
    let location: Location = url("runs/x/parts/000-000000.parquet").parse().expect("a location");
    let pending = PendingFile::create(&location.to_path()).expect("begun");
    std::io::Write::write_all(&mut pending.writer(), content.as_bytes()).expect("written");
    pending.publish_as(Put::Once).expect("published, or there");
}

/// Of many processes that publish one part, the first is who wrote it, and nobody else writes over it.
fn publishes_a_part_once(store: &CloudStore) {
    let environment = |content: &str| {
        let mut all = on(store, store.environment());
        all.push(("REMATCH_TEST_CONTENT", content.to_owned()));
        all
    };
    let key = "runs/x/parts/000-000000.parquet";
    std::thread::scope(|scope| {
        for content in ["a", "b", "c", "d"] {
            let environment = environment(content);
            scope.spawn(move || in_a_process("clouds::child_publishes_a_part", &environment));
        }
    });
    let first = store.get(key).expect("it is there");
    assert!(first.len() == 1000 && first.iter().all(|byte| *byte == first[0]), "one of them, and whole");
    in_a_process("clouds::child_publishes_a_part", &environment("z"));
    assert!(store.get(key).expect("it is there") == first, "what is there stays");
}

/// The small shop with a component, all of it in the store.
fn shop_in(store: &CloudStore) -> Workbench {
    let sessions = store.put("shop/sessions.jsonl", sample::jsonl(&sample::sessions(300)));
    let products = store.put("shop/products.jsonl", sample::products());
    let component = std::fs::read(workspace().join("plugins/half-life-utility/half-life-utility.wasm"));
    let component = store.put("plugins/half-life-utility.wasm", component.expect("the component"));
    let scorer = format!("\n[[scorer]]\nname = \"utility\"\nplugin = \"{component}\"\nparams = {{ half_life = 5 }}\n");
    let benchmark = sample::BENCHMARK.replace("sessions.jsonl", &sessions).replace("products.jsonl", &products);
    Workbench::new(&(benchmark + &scorer))
}

fn runs_with_everything_there(store: &CloudStore) {
    let bench = shop_in(store);
    let run = |out: &str, environment: Vec<(&'static str, String)>| {
        let cache = tempfile::tempdir().expect("a folder");
        let mut run = command();
        run.arg("run").arg(bench.path("bench.toml")).args(["--quiet", "--out", out]);
        call(run.env("REMATCH_CACHE", cache.path()).envs(environment)).exits(0);
    };
    let local = bench.path("local");
    run(&local.to_string_lossy(), store.environment());
    run(&store.url("runs/shop"), store.environment());
    run(&store.url("runs/bad"), store.environment_of_bad_network());
    for name in SAME.into_iter().filter(|name| *name != layout::RANKINGS) {
        let here = std::fs::read(local.join(name)).expect("a file");
        for run in ["shop", "bad"] {
            assert!(store.get(&format!("runs/{run}/{name}")).expect("an object") == here, "{run}: {name}");
        }
    }
    let mut list = command();
    let listed = call(list.args(["runs", "list", &store.url("runs")]).envs(store.environment()));
    assert!(listed.exits(0).stdout.contains(&store.url("runs/shop")));
    let mut remove = command();
    call(remove.args(["runs", "rm", &store.url("runs/shop")]).envs(store.environment())).exits(0);
    assert!(store.keys("runs/shop").is_empty());
}

/// Two recordings and their judgments in the store.
pub(crate) fn recordings_in(store: &CloudStore, sessions: usize) -> Workbench {
    let hit = |session: usize, rank: usize, step: usize| {
        format!("q{session:05} Q0 d{:03} {} {} t\n", (session * 31 + rank * step) % 900, rank + 1, 100 - rank)
    };
    let run = |step: usize| -> String {
        (0..sessions).flat_map(|session| (0..5).map(move |rank| hit(session, rank, step))).collect()
    };
    let judgments: String =
        (0..sessions).map(|session| format!("q{session:05} 0 d{:03} 1\n", session * 31 % 900)).collect();
    let (old, new) = (store.put("in/old.run", run(7)), store.put("in/new.run", run(14)));
    let qrels = store.put("in/qrels", judgments);
    Workbench::new(&format!(
        "name = \"runs\"\nbaseline = \"old\"\ncandidates = [\"new\"]\n[sessions]\n\
         path = {{ trec = {{ qrels = \"{qrels}\" }} }}\n\
         [[retriever]]\nid = \"old\"\nstages = [{{ kind = \"recorded\", path = \"{old}\" }}]\n\
         [[retriever]]\nid = \"new\"\nstages = [{{ kind = \"recorded\", path = \"{new}\" }}]\n"
    ))
}

/// Waits until a run has published a part.
#[track_caller]
pub(crate) fn wait_for_a_part(store: &CloudStore, run: &str) {
    let begun = Instant::now();
    while store.keys(&format!("{run}/parts")).is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no part is published");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[track_caller]
pub(crate) fn assert_same_as_local(store: &CloudStore, run: &str, local: &std::path::Path) {
    for name in SAME {
        let here = std::fs::read(local.join(name)).expect("a file");
        assert!(store.get(&format!("{run}/{name}")).expect("an object") == here, "{name}");
    }
}

fn survives_a_kill(store: &CloudStore) {
    let bench = recordings_in(store, 12_000);
    let cache = tempfile::tempdir().expect("a folder");
    let begin = |arguments: &[&str]| {
        let mut command = command();
        command.args(arguments).arg("--quiet").env("REMATCH_CACHE", cache.path()).envs(store.environment());
        command
    };
    let benchmark = bench.path("bench.toml").display().to_string();
    let local = bench.path("local");
    call(&mut begin(&["run", &benchmark, "--out", &local.to_string_lossy()])).exits(0);
    // One that was done before it could be killed is none that was killed in the middle.
    let killed = (0..10).map(|attempt| format!("runs/killed-{attempt}")).find(|name| {
        let mut run = begin(&["run", &benchmark, "--out", &store.url(name)]);
        let mut child = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
        wait_for_a_part(store, name);
        child.kill().expect("killed");
        child.wait().expect("ended");
        store.get(&format!("{name}/report.json")).is_none()
    });
    let killed = killed.expect("one that was killed in the middle");
    // A process of this machine that is dead keeps nobody out.
    call(&mut begin(&["resume", &store.url(&killed)])).exits(0);
    assert_same_as_local(store, &killed, &local);
}

const BEIR: [(&str, &str); 3] = [
    (
        "corpus.jsonl",
        "{\"_id\":\"d1\",\"title\":\"red lamp\",\"text\":\"warm\"}\n{\"_id\":\"d2\",\"title\":\"kettle\",\"text\":\"red\"}\n",
    ),
    ("queries.jsonl", "{\"_id\":\"q1\",\"text\":\"lamp\"}\n{\"_id\":\"q2\",\"text\":\"red\"}\n"),
    ("qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1\td1\t2\nq2\td1\t1\nq2\td2\t1\n"),
];

/// A benchmark over a BEIR directory and its corpus.
fn beir_at(place: &str) -> Workbench {
    Workbench::new(&format!(
        "name = \"beir\"\nbaseline = \"flat\"\ncandidates = [\"titles\"]\nsessions.path = {{ beir = \"{place}\" }}\n\
         [corpus.docs]\npath = \"{place}/corpus.jsonl\"\nid = \"_id\"\n\
         [[retriever]]\nid = \"flat\"\nstages = [{{ kind = \"bm25\", corpus = \"docs\", fields = {{ title = 1.0, text = 1.0 }} }}]\n\
         [[retriever]]\nid = \"titles\"\nstages = [{{ kind = \"bm25\", corpus = \"docs\", fields = {{ title = 1.0 }} }}]\n"
    ))
}

fn run_beir(bench: &Workbench, environment: Vec<(&'static str, String)>) -> crate::rematch::Outcome {
    let cache = tempfile::tempdir().expect("a folder");
    let mut run = command();
    run.arg("run").arg(bench.path("bench.toml")).arg("--quiet").arg("--out").arg(bench.path("out"));
    call(run.env("REMATCH_CACHE", cache.path()).envs(environment))
}

/// Returns the scores of a run over the directory on this machine.
fn beir_here() -> Vec<u8> {
    let folder = Workbench::empty();
    for (name, content) in BEIR {
        folder.write(name, content);
    }
    let bench = beir_at(folder.path("").display().to_string().trim_end_matches('/'));
    run_beir(&bench, Vec::new()).exits(0);
    std::fs::read(bench.path("out/scenario_scores.parquet")).expect("scores")
}

#[test]
fn a_beir_directory_is_read_from_a_store_and_from_a_web_server() {
    if is_child() {
        return;
    }
    let here = beir_here();
    let Some(store) = CloudStore::s3() else { return };
    for (name, content) in BEIR {
        store.put(&format!("beir/{name}"), content);
    }
    let bench = beir_at(&store.url("beir"));
    run_beir(&bench, store.environment()).exits(0);
    assert!(std::fs::read(bench.path("out/scenario_scores.parquet")).expect("scores") == here);
    store.put("half/corpus.jsonl", BEIR[0].1);
    run_beir(&beir_at(&store.url("half")), store.environment()).exits(3).complains(&["s3://bucket/half/queries.jsonl"]);

    // A server that lists nothing for us, and knows no ranges.
    let folder = tempfile::tempdir().expect("a folder");
    for (name, content) in BEIR {
        let path = folder.path().join("beir").join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, content).expect("written");
    }
    let place = folder.path().display().to_string();
    let arguments = ["-m", "http.server", "{port}", "--bind", "127.0.0.1", "--directory", &place];
    let server = crate::live_servers::LiveServer::start(
        std::path::Path::new("python3"),
        &arguments,
        tempfile::tempdir().expect("a folder"),
        "TERM",
    );
    let bench = beir_at(&format!("{}/beir", server.url()));
    run_beir(&bench, Vec::new()).exits(0);
    assert!(std::fs::read(bench.path("out/scenario_scores.parquet")).expect("scores") == here);
    std::fs::remove_file(folder.path().join("beir/qrels/test.tsv")).expect("removed");
    let missing = run_beir(&bench, Vec::new()).exits(3);
    missing.complains(&["none of", &format!("{}/beir/qrels/test.tsv", server.url())]);
}

macro_rules! on_each_store {
    ($($module:ident, $start:ident;)*) => {$(
        mod $module {
            use super::*;

            #[test]
            fn a_store_keeps_what_the_engine_promises() {
                let Some(store) = CloudStore::$start().filter(|_| !is_child()) else { return };
                keeps_the_promises(&store);
            }

            #[test]
            fn of_two_processes_that_publish_one_part_the_first_wrote_it() {
                let Some(store) = CloudStore::$start().filter(|_| !is_child()) else { return };
                publishes_a_part_once(&store);
            }

            #[test]
            fn a_benchmark_runs_with_everything_in_the_store_as_it_does_here() {
                let Some(store) = CloudStore::$start().filter(|_| !is_child()) else { return };
                runs_with_everything_there(&store);
            }

            #[test]
            fn a_run_that_was_killed_in_the_middle_is_resumed_to_the_same_bytes() {
                let Some(store) = CloudStore::$start().filter(|_| !is_child()) else { return };
                survives_a_kill(&store);
            }
        }
    )*};
}

on_each_store! {
    on_azure, azure;
    on_google, google;
    on_s3, s3;
}

#[test]
fn what_is_wrong_with_a_container_or_an_account_is_said_with_the_fix() {
    let Some(store) = CloudStore::azure().filter(|_| !is_child()) else { return };
    let run = |sessions: &str, changed: (&'static str, &str)| {
        let bench = sample::shop(&[]);
        let path = bench.write("bench.toml", sample::BENCHMARK.replace("sessions.jsonl", sessions));
        let mut command = command();
        command.arg("run").arg(path).arg("--out").arg(bench.path("out")).envs(store.environment());
        call(command.env(changed.0, changed.1)).exits(3)
    };
    run("az://no-container/x.jsonl", ("X", "")).complains(&["az://no-container/x.jsonl", "no bucket `no-container`"]);
    let url = store.put("x.jsonl", "{}");
    run(&store.url("y.jsonl"), ("X", "")).complains(&["az://bucket/y.jsonl", "there is no such object"]);
    run(&url, ("AZURE_STORAGE_ACCOUNT_KEY", "d3Jvbmc=")).complains(&[
        &url,
        "access is denied",
        "AZURE_STORAGE_ACCOUNT_KEY",
    ]);
}
