//! Every file-system call of a run fails once, in every way: the run says so, loses nothing, and goes on afterwards.

use std::path::Path;

use rematch_engine::storage::Call;
use rematch_engine::storage::failpoint::{Failpoint, Failure};

use crate::rematch::{Outcome, call, command, rematch};
use crate::reproducible::assert_same_run;
use crate::sample;
use crate::workbench::Workbench;

fn run_with(bench: &Workbench, name: &str, failpoint: Failpoint) -> Outcome {
    let mut run = command();
    run.env("REMATCH_FAILPOINT", failpoint.to_string());
    run.args(["run", "--quiet", "--threads", "1"]).arg(bench.path("bench.toml"));
    call(run.arg("--out").arg(bench.path(name)))
}

/// A crash may come before there is a directory.
fn clear(run: &Path) {
    if run.exists() {
        std::fs::remove_dir_all(run).expect("removed");
    }
}

/// Every so many reads fail: there are hundreds, at every place of the same few files.
const READS: usize = 17;

/// Lets the n-th call of a kind fail, for every n until a run has no such call any more. Returns the last n.
fn fail_each(bench: &Workbench, call: Call, failure: Failure) -> u64 {
    for number in (1..).step_by(if call == Call::Read { READS } else { 1 }) {
        let failpoint = Failpoint { call, number, failure };
        let outcome = run_with(bench, "broken", failpoint);
        let broken = bench.path("broken");
        let unharmed = outcome.code == 0;
        if !unharmed && failure == Failure::Error {
            assert!([3, 5].contains(&outcome.code), "{failpoint}: {outcome:?}");
            assert!(outcome.stderr.starts_with("error: "), "{failpoint}: {outcome:?}");
        }
        assert!(!outcome.stderr.contains("bug in rematch"), "{failpoint}: {outcome:?}");
        let mut again = vec!["run".into(), bench.path("bench.toml"), "--out".into(), broken.clone(), "--quiet".into()];
        if broken.join("plan.json").exists() {
            again = vec!["resume".into(), broken.clone(), "--quiet".into()];
        }
        let resumed = rematch(again);
        assert_eq!(resumed.code, 0, "after {failpoint}: {resumed:?}");
        assert_same_run(&bench.path("whole"), &broken);
        clear(&broken);
        if unharmed && !reached(bench, failpoint) {
            return number - 1;
        }
    }
    0
}

/// Whether a run makes the call that often. A failure may do no harm: a file that is cleared away, a read that is short.
fn reached(bench: &Workbench, failpoint: Failpoint) -> bool {
    let crash = Failpoint { failure: Failure::Crash, ..failpoint };
    let outcome = run_with(bench, "counted", crash);
    clear(&bench.path("counted"));
    outcome.code != 0
}

#[test]
fn every_call_of_a_run_may_fail_or_be_its_last() {
    let bench = sample::shop(&sample::sessions(20));
    bench.run_into("whole", &["--quiet"]).exits(0);
    for call in Call::ALL {
        for failure in Failure::ALL.into_iter().filter(|failure| failure.can_befall(call)) {
            let calls = fail_each(&bench, call, failure);
            eprintln!("{call:?}, {failure:?}: {calls} calls");
        }
    }
}

#[test]
fn a_failpoint_that_cannot_be_read_is_refused() {
    let bench = sample::shop(&sample::sessions(2));
    let mut run = command();
    run.env("REMATCH_FAILPOINT", "rename:x").arg("run").arg(bench.path("bench.toml"));
    call(&mut run).exits(2).complains(&["is not a failpoint", "rename:3:crash"]);
    assert!(!Path::new("runs").exists());
}
