//! The power goes at any moment: what is left is complete or absent, and the work can be finished.

use std::path::Path;

use super::failpoint_tests::{assert_nothing_half_written, fingerprints, work};
use super::power_cut::{Disk, Random};
use super::*;
use crate::storage::Location;
use crate::storage::recording::{Change, Recording};

const CUTS: u64 = 500;

/// Works, and returns what the file system was told.
fn recorded(folder: &Path, work: impl FnOnce(&Path) -> Result<(), StoreError>) -> Vec<Change> {
    let recording = Recording::of(folder);
    work(folder).unwrap();
    recording.end()
}

/// Returns a folder with what a disk holds.
fn restored(disk: &Disk) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    disk.write(folder.path());
    folder
}

#[test]
fn after_a_power_cut_at_any_moment_every_file_is_complete_or_absent_and_the_work_can_be_finished() {
    let whole = tempfile::tempdir().unwrap();
    let changes = recorded(whole.path(), work);
    let expected = fingerprints(whole.path());
    let mut finished = 0;
    for seed in 0..CUTS {
        let mut random = Random(seed);
        let end = random.below(changes.len() + 1);
        let mut disk = Disk::default().cut(whole.path(), &changes[..end], &mut random);
        let mut folder = restored(&disk);
        assert_nothing_half_written(folder.path(), format!("cut {seed} after {end} changes"));
        let goes_again = seed % 5 == 0;
        if goes_again {
            let again = recorded(folder.path(), work);
            let end = random.below(again.len() + 1);
            disk = disk.cut(folder.path(), &again[..end], &mut random);
            folder = restored(&disk);
            assert_nothing_half_written(folder.path(), format!("second cut {seed} after {end} changes"));
        } else if end == changes.len() {
            assert_eq!(fingerprints(folder.path()), expected, "what was said to be done is there, cut {seed}");
            finished += 1;
        }
        work(folder.path()).unwrap_or_else(|error| panic!("after cut {seed}: {error:?}"));
        assert_eq!(fingerprints(folder.path()), expected, "after cut {seed}");
    }
    assert!(finished > 0, "no cut was at the end of {} changes", changes.len());
}

#[test]
fn what_two_processes_did_is_there_after_a_power_cut_though_the_first_was_killed() {
    for seed in 0..CUTS / 5 {
        let mut random = Random(seed);
        let folder = tempfile::tempdir().unwrap();
        let mut changes = recorded(folder.path(), work);
        let expected = fingerprints(folder.path());
        changes.truncate(random.below(changes.len() + 1));
        // A process that is killed leaves all that it did to the next one, durable or not.
        let killed = Disk::default().seen(folder.path(), &changes);
        std::fs::remove_dir_all(folder.path()).unwrap();
        std::fs::create_dir(folder.path()).unwrap();
        killed.write(folder.path());
        changes.extend(recorded(folder.path(), work));
        let left = restored(&Disk::default().cut(folder.path(), &changes, &mut random));
        assert!(left.path().join("run").join(layout::REPORT_JSON).exists(), "cut {seed} loses a run that was finished");
        assert_eq!(fingerprints(left.path()), expected, "cut {seed}");
    }
}

/// Removes the run in a folder, if it is there.
fn remove(folder: &Path) -> Result<(), StoreError> {
    let failed = |error: crate::storage::LocationError| StoreError::io(folder, error.into());
    let run = Location::of(folder).map_err(failed)?.join("run");
    match remove_run(&run) {
        Err(StoreError::NoRun { .. }) => Ok(()),
        removed => removed,
    }
}

#[test]
fn after_a_power_cut_a_run_that_is_being_removed_is_found_and_never_finished_with_half_of_its_files() {
    let whole = tempfile::tempdir().unwrap();
    work(whole.path()).unwrap();
    let disk = Disk::of(whole.path());
    let changes = recorded(whole.path(), remove);
    for seed in 0..CUTS {
        let mut random = Random(seed);
        let end = random.below(changes.len() + 1);
        let folder = restored(&disk.cut(whole.path(), &changes[..end], &mut random));
        let found = find_runs(&Location::of(folder.path()).unwrap()).unwrap();
        let root = folder.path().join("run");
        match found.as_slice() {
            [] => {
                let left: Vec<_> = std::fs::read_dir(&root).into_iter().flatten().flatten().collect();
                let hidden = left.iter().all(|entry| entry.file_name().to_string_lossy().starts_with('.'));
                assert!(hidden, "cut {seed} leaves files that are no run: {left:?}");
            }
            [run] if run.state == FoundState::Finished => {
                assert_nothing_half_written(folder.path(), format!("cut {seed} after {end} changes"));
                for name in [layout::RANKINGS.into(), layout::part(0, 0), layout::part(0, 1)] {
                    assert!(root.join(&name).exists(), "cut {seed}: a finished run without `{}`", name.display());
                }
            }
            _ => {}
        }
        remove(folder.path()).unwrap();
        assert!(find_runs(&Location::of(folder.path()).unwrap()).unwrap().is_empty());
    }
}
