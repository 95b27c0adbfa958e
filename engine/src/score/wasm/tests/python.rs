//! A real language runtime that imports WASI: Python, as componentize-py builds it without its own stubs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::super::{HostSettings, PluginHost, Provision, WasmScorer, inspect};
use super::guests::{Rows, in_full};
use crate::benchmark::spec::Wasi;
use crate::benchmark::{Limits, PluginPlan};
use crate::score::{Scorer, contract};

/// Scores a session by the number of its hits, and tries what a scorer should not.
const APP: &str = r#"
import os
import random
import time

from wit_world.exports import guest


class Guest:
    def describe(self):
        metric = guest.Metric("hits", "", True, None, None)
        return guest.Description("python", "1.0", "", "", guest.Columns.HITS, [metric], False)

    def score(self, batch, params):
        print("nobody hears this")
        offsets = batch.hits.offsets
        hits = [float(end - start) for start, end in zip(offsets, offsets[1:])]
        if time.time() != 1_700_000_000 or os.environ or not 0.0 <= random.random() < 1.0:
            raise RuntimeError("the world is not inert")
        try:
            open("/etc/passwd")
        except OSError:
            return guest.Scores(hits, [], [], guest.Texts([], b""))
        raise RuntimeError("a file was opened")
"#;

/// Builds the component in `folder`; the tool is installed there from PyPI.
fn build(folder: &Path) -> PathBuf {
    let succeeds = |command: &mut Command| assert!(command.status().unwrap().success(), "{command:?}");
    let tool = folder.join("tool");
    succeeds(
        Command::new("python3")
            .args(["-m", "pip", "install", "--quiet", "--target"])
            .arg(&tool)
            .arg("componentize-py==0.25.1"),
    );
    std::fs::write(folder.join("app.py"), APP).unwrap();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sdk-wit/wit");
    let built = folder.join("python.wasm");
    succeeds(
        Command::new(tool.join("bin/componentize-py"))
            .current_dir(folder)
            .env("PYTHONPATH", &tool)
            .arg("-d")
            .arg(wit)
            .args(["-w", "rematch:scoring/scorer", "componentize", "app", "-o"])
            .arg(&built),
    );
    built
}

fn plan(component: &Path, wasi: Wasi) -> PluginPlan {
    PluginPlan { wasi, ..PluginPlan::of(component.to_owned()) }
}

#[test]
fn a_python_component_finds_a_world_without_effect() {
    if std::env::var("REMATCH_GUEST_TOOLCHAIN").as_deref() != Ok("1") {
        eprintln!("skipped: REMATCH_GUEST_TOOLCHAIN is not 1");
        return;
    }
    let folder = TempDir::new().unwrap();
    let component = build(folder.path());
    let imports = inspect(&std::fs::read(&component).unwrap()).unwrap().imports;
    assert!(imports.iter().any(|import| import.name.starts_with("wasi:filesystem/types@0.2.")), "{imports:?}");
    assert!(imports.iter().all(|import| import.provision != Provision::Refused), "{imports:?}");
    let settings = HostSettings { cache: Some(folder.path().join("cache")), ..HostSettings::default() };
    let host = Arc::new(PluginHost::new(settings).unwrap());
    let error = in_full(&WasmScorer::load("python", &plan(&component, Wasi::Refuse), &host).unwrap_err());
    assert!(error.contains("set `wasi = \"inert\"`"), "{error}");
    let scorer = WasmScorer::load("python", &plan(&component, Wasi::Inert), &host).unwrap();
    let rows = Rows::with_hits(&[0, 1, 2, 3, 4, 5, 9, 100]);
    contract::check(&scorer, &rows.cases()).unwrap();
    assert_eq!(scorer.score(&rows.cases()).unwrap()[7].value, Some(100.0));
}

/// Times, for the components whose paths are in `REMATCH_COMPONENTS`, with a colon between two.
#[test]
#[ignore = "measures components that are named in an environment variable"]
fn the_cost_of_loading() {
    let paths = std::env::var("REMATCH_COMPONENTS").unwrap_or_default();
    let rows = Rows::with_hits(&[50; 2048]);
    for path in paths.split(':').filter(|path| !path.is_empty()) {
        let folder = TempDir::new().unwrap();
        let cache = folder.path().join("cache");
        for (name, cache) in [("cold cache", cache.clone()), ("warm cache", cache)] {
            let host =
                Arc::new(PluginHost::new(HostSettings { cache: Some(cache), ..HostSettings::default() }).unwrap());
            let started = Instant::now();
            let scorer = WasmScorer::load("timed", &plan(Path::new(path), Wasi::Inert), &host).unwrap();
            let loaded = started.elapsed();
            let first = scorer.measure(&rows.cases()).unwrap();
            let times: Vec<Duration> = (0..3).map(|_| scorer.measure(&rows.cases()).unwrap().call).collect();
            let best = times.into_iter().min().unwrap_or_default() / 2048;
            // More instances than the pool has room for.
            let limits = Limits { instances: 1_000, ..Limits::default() };
            let unpooled = PluginPlan { limits, ..plan(Path::new(path), Wasi::Inert) };
            let without = WasmScorer::load("timed", &unpooled, &host).unwrap().measure(&rows.cases()).unwrap();
            eprintln!(
                "{path}, {name}: loaded in {loaded:?}; {} calls, {:?} an instance ({:?} without the pool), {best:?} and {} fuel a session, \
                 {} fuel an empty call, {} KiB",
                first.calls,
                first.instantiate / u32::try_from(first.calls).unwrap(),
                without.instantiate / u32::try_from(without.calls).unwrap(),
                first.fuel / 2048,
                scorer.empty_call_fuel,
                first.peak_memory_bytes >> 10,
            );
        }
    }
}
