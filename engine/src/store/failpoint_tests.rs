//! Every call of the file system fails, does half of its work, or is the last of a process; afterwards every file is
//! complete or absent, and the work can be finished. Each case is a process of its own: this test binary, called again.

use std::fmt::Display;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitStatus};

use datafusion::arrow::array::RecordBatch;

use super::tests::{manifest, part};
use super::*;
use crate::schema::{self, column};
use crate::storage::failpoint::{self, Failpoint, Failure};
use crate::storage::{Call, Location};

const FAILPOINT: &str = "REMATCH_TEST_FAILPOINT";
const FOLDER: &str = "REMATCH_TEST_FOLDER";

const PARTS: usize = 2;

fn rows(chunk: usize) -> RecordBatch {
    part(40, 8, chunk)
}

/// Does everything that is done in a run directory.
pub(super) fn work(folder: &Path) -> Result<(), StoreError> {
    let (run, _) = RunDirectory::open(&folder.join("run"), &manifest("a"))?;
    let scratch = run.scratch()?;
    PendingFile::create(&scratch.join("sorted"))
        .and_then(PendingFile::publish)
        .map_err(|error| StoreError::io(&scratch, error))?;
    let done = run.parts()?;
    for chunk in (0..PARTS).filter(|chunk| !done.contains(&(0, *chunk))) {
        run.write_part(layout::part(0, chunk), &rows(chunk))?;
    }
    for chunk in 0..PARTS {
        assert_eq!(run.table(layout::part(0, chunk))?.group(0)?, rows(chunk), "a part is what was written");
    }
    run.replace_part(layout::part(0, 0), &rows(0))?;
    let mut copies = vec![run.begin_copy(layout::RANKINGS, &schema::RANKINGS)?];
    for chunk in 0..PARTS {
        run.copy_part(layout::part(0, chunk), chunk, &mut copies)?.forget(column::HITS);
    }
    let copied = copies.remove(0).finish()?;
    copied.sync()?;
    run.publish(copied)?;
    run.remove_scratch()?;
    run.remove(layout::LOADED)?;
    run.write_json(layout::REPORT_JSON, &"report")?;
    let runs = find_runs(&Location::of(folder).map_err(|error| StoreError::io(folder, error.into()))?)?;
    assert_eq!(runs.len(), 1, "the run is found");
    Ok(())
}

/// The work in a process of its own; says on stdout what it counted, and how it ended.
#[test]
fn child() {
    let (Ok(failpoint), Ok(folder)) = (std::env::var(FAILPOINT), std::env::var(FOLDER)) else { return };
    failpoint::arm(failpoint.parse().expect("a failpoint"));
    let ended = work(Path::new(&folder));
    // The name of the test stands in the first line.
    println!();
    for (call, count) in failpoint::counts() {
        println!("counted {}:{count}", call.name());
    }
    println!("fired {}", failpoint::fired());
    println!("ended {}", ended.map_or_else(|error| format!("{error}"), |()| "well".to_owned()));
}

struct Ended {
    status: ExitStatus,
    stdout: String,
}

fn run_child(failpoint: Failpoint, folder: &Path) -> Ended {
    let output = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "store::failpoint_tests::child", "--nocapture", "--test-threads=1"])
        .env(FAILPOINT, failpoint.to_string())
        .env(FOLDER, folder)
        .output()
        .expect("the test runs");
    Ended { status: output.status, stdout: String::from_utf8_lossy(&output.stdout).into_owned() }
}

/// Asserts that what is there is complete, whatever happened.
pub(super) fn assert_nothing_half_written(folder: &Path, failpoint: impl Display) {
    let root = folder.join("run");
    for chunk in 0..PARTS {
        let path = root.join(layout::part(0, chunk));
        if path.exists() {
            let read = TableReader::open(&path)
                .and_then(|table| table.group(0))
                .unwrap_or_else(|error| panic!("{failpoint}: {error:?}"));
            assert_eq!(read, rows(chunk), "{failpoint}");
        }
    }
    for name in [layout::MANIFEST, layout::REPORT_JSON] {
        if let Ok(text) = fs::read(root.join(name)) {
            serde_json::from_slice::<serde_json::Value>(&text)
                .unwrap_or_else(|error| panic!("{failpoint}: {name}: {error}"));
        }
    }
    if root.join(layout::REPORT_JSON).exists() {
        assert!(root.join(layout::RANKINGS).exists(), "{failpoint}: the report comes last");
    }
}

pub(super) fn fingerprints(folder: &Path) -> Vec<(String, String)> {
    let root = folder.join("run");
    let names = [layout::MANIFEST.into(), layout::REPORT_JSON.into(), layout::RANKINGS.into()];
    let parts = (0..PARTS).map(|chunk| layout::part(0, chunk).display().to_string());
    names
        .into_iter()
        .chain(parts)
        .map(|name| (name.clone(), sha256_of_file(&root.join(&name)).expect("a file")))
        .collect()
}

#[test]
fn after_a_failure_of_any_call_every_file_is_complete_or_absent_and_the_work_can_be_finished() {
    let expected = tempfile::tempdir().unwrap();
    let counting = Failpoint { call: Call::Open, number: 0, failure: Failure::Error };
    let counted = run_child(counting, expected.path());
    assert!(counted.stdout.contains("ended well"), "{}", counted.stdout);
    let expected = fingerprints(expected.path());
    let mut cases = 0;
    for call in Call::ALL {
        let count = counted
            .stdout
            .lines()
            .find_map(|line| line.strip_prefix(&format!("counted {}:", call.name()))?.parse().ok());
        let count: u64 = count.expect("a count");
        assert!(count > 0, "`{}` is never called", call.name());
        // Reads are many and alike: the first, the last and some between stand for all.
        let step = count.div_ceil(12);
        let numbers = (1..=count).filter(|number| number % step == 0 || [1, count].contains(number));
        for (number, failure) in numbers.flat_map(|number| Failure::ALL.map(|failure| (number, failure))) {
            if !failure.can_befall(call) {
                continue;
            }
            let failpoint = Failpoint { call, number, failure };
            let folder = tempfile::tempdir().unwrap();
            let ended = run_child(failpoint, folder.path());
            match failure {
                Failure::Crash => {
                    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended.status), Some(9), "{failpoint}")
                }
                _ => assert!(ended.stdout.contains("fired true"), "{failpoint} was not reached: {}", ended.stdout),
            }
            assert!(!ended.stdout.contains("panicked"), "{failpoint}: {}", ended.stdout);
            assert_nothing_half_written(folder.path(), failpoint);
            work(folder.path()).unwrap_or_else(|error| panic!("after {failpoint}: {error:?}"));
            assert_eq!(fingerprints(folder.path()), expected, "after {failpoint}");
            cases += 1;
        }
    }
    assert!(cases >= 100, "{cases} cases");
}
