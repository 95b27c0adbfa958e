//! Runs the node in this process: as many partitions at a time as there are threads, until all are done or somebody says
//! stop.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::NonZeroUsize;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{Order, Task, UnitContext, UnitContexts, UnitDone, UnitError, UnitRange, WorkUnit, WorkUnitsExec};
use crate::replay::CHUNKS_SIDE_BY_SIDE;

/// How long units in flight may go on when a stop is asked for; then they are dropped, and done anew another time.
const GRACE: Duration = Duration::from_secs(2);

/// How often the stop flag is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// How a drive ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Every unit is done.
    Done,
    /// Somebody said stop; every part that is there is complete.
    Stopped,
}

/// Does units of one run in this process.
pub struct Driver {
    /// The run.
    pub context: Arc<UnitContext>,
    /// Units done at once.
    pub threads: NonZeroUsize,
}

impl Driver {
    /// Does `units`, telling of each as it is done.
    ///
    /// # Errors
    ///
    /// Returns the first error; units in flight are dropped then.
    pub async fn drive(
        &self,
        task: Task,
        units: &[WorkUnit],
        mut tell: impl FnMut(UnitDone),
    ) -> Result<Ended, UnitError> {
        // The process knows its run; the id tells runs apart that lie at one place one after the other.
        let order =
            Order { run: self.context.run.root().display().to_string(), id: String::new(), drive: String::new() };
        let contexts = Arc::new(UnitContexts::default());
        contexts.add(&order, Arc::clone(&self.context));
        let engine = SessionContext::new_with_config(SessionConfig::new().with_extension(contexts)).task_ctx();
        let shares =
            |pipeline: usize| self.context.pipelines.get(pipeline).is_some_and(|pipeline| pipeline.shares_stages());
        let ranges = ranges(units, self.threads, shares);
        let partitions = Arc::new(Mutex::new((0..ranges.len()).collect::<VecDeque<usize>>()));
        let node = Arc::new(WorkUnitsExec::over(order, task, &ranges).map_err(UnitError::from_engine)?);
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let mut workers = JoinSet::new();
        for _ in 0..self.threads.get() {
            let (node, engine, stop) = (Arc::clone(&node), Arc::clone(&engine), Arc::clone(&self.context.stop));
            let (partitions, sender) = (Arc::clone(&partitions), sender.clone());
            workers.spawn(async move {
                let next = || partitions.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                while let Some(partition) = next().filter(|_| !stop.load(Ordering::Relaxed)) {
                    let mut stream = node.execute(partition, Arc::clone(&engine)).map_err(UnitError::from_engine)?;
                    while let Some(batch) = stream.next().await {
                        let batch = batch.map_err(UnitError::from_engine)?;
                        for done in (0..batch.num_rows()).filter_map(|row| WorkUnitsExec::done(&batch, row)) {
                            // Nobody listens any more when the drive has failed.
                            let _ = sender.send(done);
                        }
                    }
                }
                Ok::<(), UnitError>(())
            });
        }
        drop(sender);
        let mut done = 0;
        let mut stopped_for = Duration::ZERO;
        loop {
            tokio::select! {
                biased;
                message = receiver.recv() => match message {
                    Some(message) => {
                        done += 1;
                        tell(message);
                    }
                    None => break,
                },
                Some(worker) = workers.join_next() => worker??,
                () = tokio::time::sleep(LOOK) => if self.context.stop.load(Ordering::Relaxed) {
                    stopped_for += LOOK;
                    if stopped_for >= GRACE {
                        workers.abort_all();
                        break;
                    }
                }
            }
        }
        while let Some(worker) = workers.join_next().await {
            match worker {
                Err(error) if error.is_cancelled() => {}
                worker => worker??,
            }
        }
        Ok(if done == units.len() { Ended::Done } else { Ended::Stopped })
    }
}

/// Splits the units into one range per pipeline and thread, neighbours together: whoever reads a recording goes through it
/// once. Pipelines that share stages go through the chunks side by side, so that shared answers are soon taken.
fn ranges(units: &[WorkUnit], threads: NonZeroUsize, shares: impl Fn(usize) -> bool) -> Vec<UnitRange> {
    let mut alone = BTreeMap::<usize, Vec<usize>>::new();
    let mut together = BTreeSet::<(usize, usize)>::new();
    for unit in units {
        if shares(unit.pipeline) {
            together.insert((unit.chunk, unit.pipeline));
        } else {
            alone.entry(unit.pipeline).or_default().push(unit.chunk);
        }
    }
    let chunks: Vec<usize> = together.iter().map(|(chunk, _)| *chunk).collect::<BTreeSet<_>>().into_iter().collect();
    let mut ranges = Vec::new();
    for block in chunks.chunks(threads.get().min(CHUNKS_SIDE_BY_SIDE)) {
        let (first, last) = (block.first().copied().unwrap_or(0), block.last().copied().unwrap_or(0));
        let in_block = together.range((first, 0)..=(last, usize::MAX));
        let mut units: Vec<(usize, usize)> = in_block.map(|(chunk, pipeline)| (*pipeline, *chunk)).collect();
        units.sort_unstable();
        ranges.extend(units.into_iter().map(|(pipeline, chunk)| UnitRange { pipeline, chunks: vec![chunk] }));
    }
    let mut alone_ranges = Vec::new();
    for (pipeline, mut chunks) in alone {
        chunks.sort_unstable();
        let size = chunks.len().div_ceil(threads.get()).max(1);
        alone_ranges.extend(chunks.chunks(size).map(|chunks| UnitRange { pipeline, chunks: chunks.to_vec() }));
    }
    // Threads that go through the same chunks side by side share what was read of the sample.
    alone_ranges.sort_by_key(|range| (range.chunks.first().copied(), range.pipeline));
    ranges.extend(alone_ranges);
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_stands_in_one_range_and_neighbours_stay_together() {
        let units: Vec<WorkUnit> =
            (0..2).flat_map(|pipeline| (0..5).map(move |chunk| WorkUnit { pipeline, chunk })).collect();
        let found = ranges(&units, NonZeroUsize::new(2).expect("two"), |_| false);
        let chunks: Vec<(usize, Vec<usize>)> = found.into_iter().map(|range| (range.pipeline, range.chunks)).collect();
        let expected = [(0, vec![0, 1, 2]), (1, vec![0, 1, 2]), (0, vec![3, 4]), (1, vec![3, 4])];
        assert_eq!(chunks, expected);
        assert!(ranges(&[], NonZeroUsize::MIN, |_| false).is_empty());
        let found = ranges(&units, NonZeroUsize::new(2).expect("two"), |_| true);
        let found: Vec<(usize, usize)> = found.into_iter().map(|range| (range.pipeline, range.chunks[0])).collect();
        let side_by_side = [(0, 0), (0, 1), (1, 0), (1, 1), (0, 2), (0, 3), (1, 2), (1, 3), (0, 4), (1, 4)];
        assert_eq!(found, side_by_side);
    }
}
