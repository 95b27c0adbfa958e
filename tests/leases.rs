//! One process at a time works in a run directory in an object store: it is kept apart from others, followed when it is dead or
//! silent, and stops when it was followed.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::cloud_stores::CloudStore;
use crate::clouds::{assert_same_as_local, recordings_in, wait_for_a_part};
use crate::object_store::is_child;
use crate::rematch::{call, command};

/// Runs that are begun until one is stopped in the middle.
const ATTEMPTS: usize = 10;

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status().expect("kill");
    assert!(sent.success(), "kill {name}");
}

fn keeps_processes_apart(store: &CloudStore) {
    let bench = recordings_in(store, 12_000);
    let cache = tempfile::tempdir().expect("a folder");
    let begin = |arguments: &[&str], lease: &str| {
        let mut command = command();
        command.args(arguments).arg("--quiet").env("REMATCH_CACHE", cache.path()).env("REMATCH_LEASE", lease);
        command.envs(store.environment()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    let benchmark = bench.path("bench.toml").display().to_string();
    let local = bench.path("local");
    call(&mut begin(&["run", &benchmark, "--out", &local.to_string_lossy()], "60s")).exits(0);
    // One that was done before it could be stopped is none that was stopped.
    let (name, stopped) = (0..ATTEMPTS)
        .find_map(|attempt| {
            let name = format!("runs/{attempt}");
            let begun = begin(&["run", &benchmark, "--out", &store.url(&name)], "30s").spawn().expect("it runs");
            wait_for_a_part(store, &name);
            signal(&begun, "-STOP");
            store.get(&format!("{name}/report.json")).is_none().then_some((name, begun))
        })
        .expect("one that was stopped in the middle");
    let there = store.url(&name);
    let pid = stopped.id().to_string();
    let kept_out = call(&mut begin(&["resume", &there], "30s")).exits(2);
    kept_out.complains(&["another process works in", &there, &pid, "last heard of", "over 30 s after"]);
    // Nobody hears of it for longer than its lease lasts.
    std::thread::sleep(Duration::from_millis(32_500));
    call(&mut begin(&["resume", &there], "60s")).exits(0);
    assert_same_as_local(store, &name, &local);
    // It comes back to itself, and to somebody else's run.
    signal(&stopped, "-CONT");
    let output = stopped.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    // A request that was under way when it was stopped may be too old to be tried again; then that is what it says first.
    let gave_up = said.contains("however often it was tried");
    assert!(gave_up || said.contains("was taken over by process") && said.contains("rematch resume"), "{said}");
    assert!(if gave_up { !output.status.success() } else { output.status.code() == Some(5) }, "{said}");
    assert_same_as_local(store, &name, &local);
    let report = format!("{name}/report.json");
    let finished = store.get(&report).expect("the report");
    // The lock was given back: the next comes in at once, and finds the run finished.
    call(&mut begin(&["resume", &there], "60s")).exits(0);
    assert!(store.get(&report).expect("the report") == finished);
}

#[test]
fn on_s3_a_silent_process_is_followed_and_stops() {
    let Some(store) = CloudStore::s3().filter(|_| !is_child()) else { return };
    keeps_processes_apart(&store);
}

#[test]
fn on_azure_a_silent_process_is_followed_and_stops() {
    let Some(store) = CloudStore::azure().filter(|_| !is_child()) else { return };
    keeps_processes_apart(&store);
}

#[test]
fn on_google_a_silent_process_is_followed_and_stops() {
    let Some(store) = CloudStore::google().filter(|_| !is_child()) else { return };
    keeps_processes_apart(&store);
}

#[test]
fn a_lease_of_no_time_is_refused() {
    let mut command = command();
    call(command.args(["runs", "list", "."]).env("REMATCH_LEASE", "soon"))
        .exits(2)
        .complains(&["REMATCH_LEASE", "`60s`"]);
}
