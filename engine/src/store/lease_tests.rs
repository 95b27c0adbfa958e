use std::path::Path;

use datafusion::arrow::array::{Int64Array, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use object_store::memory::InMemory;
use serde_json::json;

use super::*;
use crate::store::{FoundState, Manifest, Opened, RunDirectory, find_runs, remove_run};

/// Returns the location of a run directory in a store of its own.
fn directory(name: &str) -> Location {
    crate::storage::know(&format!("s3://{name}"), Arc::new(InMemory::new()));
    format!("s3://{name}/runs/a").parse().unwrap()
}

/// Somebody on another machine, who lasts for so long.
fn stranger(lasts: Duration) -> Holder {
    Holder::this_process(lasts).of_elsewhere()
}

fn minute() -> Duration {
    LeaseTime::DEFAULT.0
}

fn manifest() -> Manifest {
    let value = json!({
        "layout_version": 2, "engine_version": "0", "run_id": "a", "name": "n", "seed": 1, "plan": {}, "inputs": []
    });
    serde_json::from_value(value).unwrap()
}

fn rows() -> RecordBatch {
    let schema = Schema::new(vec![Field::new("number", DataType::Int64, false)]);
    RecordBatch::try_new(Arc::new(schema), vec![Arc::new(Int64Array::from(vec![1, 2, 3]))]).unwrap()
}

#[test]
fn one_at_a_time_has_it_and_the_next_once_it_is_given_back() {
    let directory = directory("lease-turns");
    for number in 1..4 {
        let lease = Lease::take(&directory).unwrap();
        assert_eq!(lease.shared.number, number);
        let error = Lease::take(&directory).unwrap_err().to_string();
        let pid = std::process::id().to_string();
        for fragment in ["s3://lease-turns/runs/a", &pid, "last heard of", "60 s after that", "--out"] {
            assert!(error.contains(fragment), "{error}");
        }
        lease.guard().check().unwrap();
        drop(lease);
        assert_eq!(numbers(&directory).unwrap(), [number], "those before are removed");
    }
}

#[test]
fn of_many_who_want_it_at_once_one_gets_it() {
    let directory = directory("lease-crowd");
    let won = std::thread::scope(|scope| {
        let takers: Vec<_> = (0..8).map(|_| scope.spawn(|| Lease::take(&directory))).collect();
        let taken: Vec<_> = takers.into_iter().map(|taker| taker.join().unwrap()).collect();
        assert!(
            taken.iter().filter_map(|taken| taken.as_ref().err()).all(|error| error.to_string().contains("another"))
        );
        taken.into_iter().flatten().count()
    });
    assert_eq!(won, 1);
}

#[test]
fn who_is_silent_for_too_long_or_dead_is_followed() {
    let directory = directory("lease-silent");
    // Of another machine and just heard of.
    assert!(create(&directory, 7, &stranger(minute())).unwrap());
    assert!(matches!(Lease::take(&directory), Err(StoreError::Locked { .. })));
    // The store's clock says when somebody was heard of, and the lease how long that lasts.
    assert!(create(&directory, 8, &stranger(Duration::ZERO)).unwrap());
    // A second is the clock's own error.
    std::thread::sleep(Duration::from_millis(1100));
    let lease = Lease::take(&directory).unwrap();
    assert_eq!((lease.shared.number, numbers(&directory).unwrap()), (9, vec![9]));
    drop(lease);
    // A process of this machine that is not there any more.
    let mut child = std::process::Command::new("true").spawn().unwrap();
    let dead = serde_json::to_value(Holder::this_process(minute())).unwrap();
    let mut dead = dead.as_object().cloned().unwrap();
    dead.insert("pid".to_owned(), child.id().into());
    child.wait().unwrap();
    let dead: Holder = serde_json::from_value(dead.into()).unwrap();
    assert!(create(&directory, 10, &dead).unwrap());
    assert_eq!(Lease::take(&directory).unwrap().shared.number, 11);
}

#[test]
fn who_was_followed_publishes_nothing_any_more_and_does_not_give_back_what_is_anothers() {
    let directory = directory("lease-lost");
    let path = directory.to_path();
    let (run, opened) = RunDirectory::open(&path, &manifest()).unwrap();
    assert_eq!(opened, Opened::New);
    run.write_part(layout::part(0, 0), &rows()).unwrap();
    let (viewed, ..) = RunDirectory::view(&path).unwrap();
    // Another process came while this one was stopped.
    let other = stranger(minute());
    assert!(create(&directory, 2, &other).unwrap());
    Guard::of(&directory).and_then(|guard| guard.0.upgrade()).unwrap().renew().unwrap();
    let part = |run: &RunDirectory| run.write_part(layout::part(0, 1), &rows());
    for error in [
        part(&run).unwrap_err(),
        part(&viewed).unwrap_err(),
        run.write_json(layout::REPORT_JSON, &1).unwrap_err(),
        run.remove(layout::MANIFEST).unwrap_err(),
        run.copy_part(layout::part(0, 0), 0, &mut []).unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::LeaseLost { .. }), "{error}");
        let said = error.to_string();
        for fragment in ["s3://lease-lost/runs/a", "taken over by process", "rematch resume"] {
            assert!(said.contains(fragment), "{said}");
        }
    }
    assert_eq!(run.parts().unwrap().into_iter().collect::<Vec<_>>(), [(0, 0)]);
    assert!(run.has(layout::MANIFEST) && !run.has(layout::REPORT_JSON));
    drop(run);
    let found = Found::read(&directory, 2).unwrap().unwrap();
    assert_eq!((found.holder, numbers(&directory).unwrap()), (other, vec![1, 2]));
}

#[test]
fn a_process_that_was_stopped_goes_on_where_nobody_followed_and_stops_where_its_lock_was_removed() {
    let directory = directory("lease-stopped");
    let lease = Lease::take(&directory).unwrap();
    let long_ago = Instant::now().checked_sub(Duration::from_secs(50)).unwrap();
    lease.shared.lock().renewed = long_ago;
    lease.guard().check().unwrap();
    assert!(lease.shared.lock().renewed > long_ago, "it was renewed when it was asked after");
    Remote::at(&directory.join("lock/000001.json")).unwrap().unwrap().remove().unwrap();
    lease.shared.lock().renewed = long_ago;
    let error = lease.guard().check().unwrap_err().to_string();
    assert!(error.contains("its lock was removed"), "{error}");
    drop(lease);
    assert!(numbers(&directory).unwrap().is_empty());
}

#[test]
fn signs_of_life_are_given_by_themselves() {
    let directory = directory("lease-beats");
    let holder = Holder::this_process(Duration::from_secs(30));
    assert!(create(&directory, 1, &holder).unwrap());
    let time = LeaseTime::new(Duration::from_secs(30)).unwrap();
    let lease = Lease::begin(directory.clone(), 1, holder, time, Instant::now());
    let first = Found::read(&directory, 1).unwrap().unwrap().modified_ms;
    let renewed = || Found::read(&directory, 1).unwrap().unwrap().modified_ms > first + 1500;
    let begun = Instant::now();
    while !renewed() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no sign of life");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(matches!(Lease::take(&directory), Err(StoreError::Locked { .. })));
    lease.guard().check().unwrap();
    assert!(LeaseTime::new(Duration::from_millis(999)).is_none());
}

#[test]
fn a_run_with_a_lock_is_found_resumed_and_removed_without_a_trace() {
    let directory = directory("lease-catalog");
    let path = directory.to_path();
    let folder: Location = "s3://lease-catalog/runs".parse().unwrap();
    let (run, _) = RunDirectory::open(&path, &manifest()).unwrap();
    assert!(matches!(RunDirectory::attach(&path), Err(StoreError::Locked { .. })));
    assert!(matches!(remove_run(&directory), Err(StoreError::Locked { .. })));
    assert!(matches!(RunDirectory::view(&path).unwrap().2, Opened::Unfinished));
    drop(run);
    assert!(RunDirectory::attach(Path::new("s3://lease-catalog/runs/a")).is_ok());
    let found = find_runs(&folder).unwrap();
    assert_eq!(found.iter().map(|run| run.state).collect::<Vec<_>>(), [FoundState::Unfinished { parts_done: 0 }]);
    remove_run(&directory).unwrap();
    let left = Remote::at(&folder).unwrap().unwrap().list().unwrap();
    assert!(left.is_empty(), "{left:?}");
    // A lock alone is nothing that a new run would have to keep away from.
    assert!(create(&directory, 3, &stranger(minute()).done()).unwrap());
    assert_eq!(RunDirectory::open(&path, &manifest()).unwrap().1, Opened::New);
}

#[test]
fn whose_number_another_wrote_has_lost_and_does_not_give_it_back() {
    let directory = directory("lease-same-number");
    let lease = Lease::take(&directory).unwrap();
    let other = stranger(minute());
    object(&directory, 1).unwrap().put(other.bytes().unwrap(), Put::Replace).unwrap();
    lease.shared.renew().unwrap();
    assert!(matches!(lease.guard().check(), Err(StoreError::LeaseLost { .. })));
    drop(lease);
    assert_eq!(Found::read(&directory, 1).unwrap().unwrap().holder, other);
}

#[test]
fn a_foreign_number_without_a_next_is_refused() {
    let directory = directory("lease-last-number");
    assert!(create(&directory, u64::MAX, &stranger(minute()).done()).unwrap());
    let StoreError::Io { source, .. } = Lease::take(&directory).unwrap_err() else { panic!("another error") };
    assert!(source.to_string().contains("no number for another lease"), "{source}");
}
