//! The power goes at any moment of a whole run: it goes on from what is left, and finds the same.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use serde_json::Value;
use tempfile::TempDir;

use super::{Surroundings, resume, run};
use crate::benchmark::{Plan, SpecSource};
use crate::event::Silent;
use crate::score::wasm::{HostSettings, PluginHost};
use crate::storage::recording::{Change, Recording};
use crate::store::power_cut::{Disk, Random};
use crate::store::{RunDirectory, layout};

const CUTS: u64 = 100;

const BENCHMARK: &str = r#"
name = "two-runs"
baseline = "old"
candidates = ["new"]
sessions = { path = { trec = { qrels = "qrels" } } }
[[retriever]]
id = "old"
stages = [{ kind = "recorded", path = "old.run" }]
[[retriever]]
id = "new"
stages = [{ kind = "recorded", path = "new.run" }]
"#;

/// Enough for two work units of each retriever.
const SESSIONS: usize = 1030;

const IDENTICAL: [&str; 6] = [
    layout::MANIFEST,
    layout::SELECTION,
    layout::SESSIONS,
    layout::SCENARIO_SCORES,
    layout::COMPARISONS,
    layout::TAXONOMY,
];

static PLUGINS: LazyLock<Arc<PluginHost>> =
    LazyLock::new(|| Arc::new(PluginHost::new(HostSettings::default()).expect("a host")));

pub(super) fn inputs() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).expect("written");
    let run_of = |step: usize| {
        let hit = |session: usize, rank: usize| {
            format!("q{session:04} Q0 d{} {rank} {} r\n", (session + rank * step) % 7, 9 - rank)
        };
        (0..SESSIONS).flat_map(|session| (1..4).map(move |rank| hit(session, rank))).collect()
    };
    write("old.run", run_of(1));
    write("new.run", run_of(2));
    write("qrels", (0..SESSIONS).map(|session| format!("q{session:04} 0 d{} 1\n", session % 5)).collect());
    write("bench.toml", BENCHMARK.to_owned());
    folder
}

pub(super) fn plan(inputs: &Path) -> Plan {
    Plan::resolve(&SpecSource::read(&inputs.join("bench.toml"), &[]).expect("a benchmark")).expect("a plan")
}

/// Runs, or goes on where a run says how, and returns what the file system was told.
pub(super) async fn work(inputs: &Path, folder: &Path) -> Vec<Change> {
    let root = folder.join("run");
    let surroundings = |out| Surroundings { out, ..Surroundings::new(Arc::new(Silent), Arc::clone(&PLUGINS)) };
    let recording = Recording::of(folder);
    let worked = match RunDirectory::view(&root).is_ok_and(|(run, ..)| run.has(layout::PLAN)) {
        true => resume(&root, surroundings(None)).await,
        false => run(plan(inputs), surroundings(Some(root.clone()))).await,
    };
    worked.unwrap_or_else(|error| panic!("{error}: {:?}", std::error::Error::source(&error)));
    recording.end()
}

/// What a run says that holds no time of a clock.
fn told(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let read =
        |name: &str| std::fs::read(folder.join("run").join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut report: Value = serde_json::from_slice(&read(layout::REPORT_JSON)).expect("a report");
    report["observed"] = Value::Null;
    for result in report["results"].as_array_mut().expect("results") {
        result["latency"] = Value::Null;
    }
    for comparison in report["comparison"]["comparisons"].as_array_mut().expect("comparisons") {
        comparison["latency_delta_ms"] = Value::Null;
        comparison["latency"] = Value::Null;
    }
    let mut told: Vec<(PathBuf, Vec<u8>)> = IDENTICAL.iter().map(|name| (name.into(), read(name))).collect();
    told.push((layout::REPORT_JSON.into(), report.to_string().into_bytes()));
    told
}

#[tokio::test]
async fn a_run_goes_on_from_whatever_a_power_cut_leaves_and_finds_the_same() {
    let inputs = inputs();
    let whole = tempfile::tempdir().expect("a folder");
    let changes = work(inputs.path(), whole.path()).await;
    let expected = told(whole.path());
    for seed in 0..CUTS {
        let mut random = Random(seed);
        let mut end = random.below(changes.len() + 1);
        if seed % 10 == 0 {
            end = changes.len();
        }
        let disk = Disk::default().cut(whole.path(), &changes[..end], &mut random);
        let folder = tempfile::tempdir().expect("a folder");
        disk.write(folder.path());
        if end == changes.len() {
            assert!(told(folder.path()) == expected, "cut {seed}: what was said to be done is not there");
        }
        work(inputs.path(), folder.path()).await;
        assert!(told(folder.path()) == expected, "cut {seed} after {end} of {} changes", changes.len());
    }
}
