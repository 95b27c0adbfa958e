//! Parts are copied into the published tables while units are done: what a part holds is in memory then, and no core waits for the
//! disk at the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use crate::report::PartTables;
use crate::store::StoreError;
use crate::unit::WorkUnit;

/// A thread that copies parts as they come. Where it is dropped before the end, nothing is left of the tables.
pub(super) struct Copying {
    parts: Option<Sender<WorkUnit>>,
    thread: Option<JoinHandle<Result<PartTables, StoreError>>>,
    dropped: Arc<AtomicBool>,
}

impl Copying {
    /// Begins with the parts of units that are done already.
    pub(super) fn begin(tables: PartTables, done: &[WorkUnit]) -> Self {
        let (sender, receiver) = channel();
        let dropped = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&dropped);
        let thread = std::thread::spawn(move || copy(tables, &receiver, &stop));
        let copying = Self { parts: Some(sender), thread: Some(thread), dropped };
        done.iter().for_each(|unit| copying.add(*unit));
        copying
    }

    /// Has the part of a unit copied, which is done.
    pub(super) fn add(&self, unit: WorkUnit) {
        if let Some(parts) = &self.parts {
            // Nobody listens any more where copying has failed.
            let _ = parts.send(unit);
        }
    }

    /// Returns the tables with the parts that came, all others being to be copied yet; `None` where copying has failed: whoever
    /// copies them from the beginning finds out whether that was for good.
    pub(super) fn end(mut self) -> Option<PartTables> {
        self.parts = None;
        let ended = self.thread.take()?.join();
        ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic)).ok()
    }
}

impl Drop for Copying {
    /// Waits for the thread: it removes what it has begun.
    fn drop(&mut self) {
        self.dropped.store(true, Ordering::Relaxed);
        self.parts = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn copy(mut tables: PartTables, parts: &Receiver<WorkUnit>, stop: &AtomicBool) -> Result<PartTables, StoreError> {
    for unit in parts {
        tables.note(unit.pipeline, unit.chunk);
        while !stop.load(Ordering::Relaxed) && tables.copy_next()? {}
    }
    Ok(tables)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::benchmark::Plan;
    use crate::report::{self, Report};
    use crate::rows::rankings_from_batch;
    use crate::run::power_loss_tests as sample;
    use crate::store::{RunDirectory, layout};

    /// A finished run of two retrievers with two chunks each.
    async fn finished(inputs: &Path, folder: &Path) -> (Plan, Report, RunDirectory) {
        sample::work(inputs, folder).await;
        let (run, ..) = RunDirectory::view(&folder.join("run")).unwrap();
        (sample::plan(inputs), run.read_json(layout::REPORT_JSON).unwrap(), run)
    }

    fn tables(plan: &Plan, report: &Report, run: &RunDirectory) -> PartTables {
        PartTables::begin(plan, report.run.metrics.iter().map(String::as_str), run).unwrap()
    }

    fn unit(pipeline: usize, chunk: usize) -> WorkUnit {
        WorkUnit { pipeline, chunk }
    }

    fn files_under_way(run: &RunDirectory) -> usize {
        let names = fs::read_dir(run.root()).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().ends_with(".tmp")).count()
    }

    #[tokio::test]
    async fn parts_that_come_in_any_order_give_the_same_bytes() {
        let (inputs, folder) = (sample::inputs(), tempfile::tempdir().unwrap());
        let (plan, report, run) = finished(inputs.path(), folder.path()).await;
        let names = [layout::RANKINGS, layout::SCENARIO_SCORES];
        let bytes = || names.map(|name| fs::read(run.path(name)).unwrap());
        let expected = bytes();
        for [done, then @ ..] in [
            [unit(0, 0), unit(1, 0), unit(0, 1), unit(1, 1)],
            [unit(1, 1), unit(0, 1), unit(1, 0), unit(0, 0)],
            [unit(0, 0), unit(0, 1), unit(1, 0), unit(1, 1)],
        ] {
            let copying = Copying::begin(tables(&plan, &report, &run), &[done]);
            then.into_iter().for_each(|unit| copying.add(unit));
            let copied = copying.end().expect("tables").finish().unwrap();
            names.iter().for_each(|name| fs::remove_file(run.path(name)).unwrap());
            report::publish(&plan, &report, copied, &run).unwrap();
            assert!(bytes() == expected);
        }
        let rankings = run.rows(layout::RANKINGS, rankings_from_batch).unwrap();
        let listed: Vec<(&str, &str)> =
            rankings.iter().map(|ranking| (ranking.retriever_id.as_str(), ranking.session_id.as_str())).collect();
        let mut expected_rows = listed.clone();
        expected_rows.sort_by_key(|(retriever, session)| (*retriever == "new", *session));
        assert_eq!(listed, expected_rows, "retriever by retriever, the baseline first");
        // What nobody told of is there at the end all the same.
        let copied =
            Copying::begin(tables(&plan, &report, &run), &[unit(1, 0)]).end().expect("tables").finish().unwrap();
        report::publish(&plan, &report, copied, &run).unwrap();
        assert!(bytes() == expected);
    }

    #[tokio::test]
    async fn nothing_is_left_of_tables_where_a_run_stops_or_a_part_cannot_be_read() {
        let (inputs, folder) = (sample::inputs(), tempfile::tempdir().unwrap());
        let (plan, report, run) = finished(inputs.path(), folder.path()).await;
        let copying = Copying::begin(tables(&plan, &report, &run), &[unit(0, 0), unit(1, 0)]);
        assert_eq!(files_under_way(&run), 2);
        drop(copying);
        assert_eq!(files_under_way(&run), 0);
        fs::remove_file(run.path(layout::part(1, 0))).unwrap();
        let copying = Copying::begin(tables(&plan, &report, &run), &[unit(0, 0), unit(1, 0)]);
        copying.add(unit(0, 1));
        assert!(copying.end().is_none());
        assert_eq!(files_under_way(&run), 0);
    }
}
