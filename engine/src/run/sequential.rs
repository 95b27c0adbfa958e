//! Replays chunk after chunk until every candidate is decided.

use super::{Run, RunError, Tally};
use crate::compare::sequential::Watch;
use crate::store::{RunDirectory, StoreError, TableReader, layout};
use crate::unit::{Driver, Ended, Task, WorkUnit};

impl Run {
    /// Does chunk after chunk with all retrievers and looks after each, until every candidate is decided or none is left. Units
    /// that are done are looked at alike, so that an interrupted run comes to the same end as one that was not. Retrievers are
    /// opened when there is something to do: that is dear.
    pub(super) async fn replay_until_decided(&self, sample: &TableReader, retrying: bool) -> Result<Ended, RunError> {
        let all = units(self.plan.pipelines.len(), 0..sample.groups());
        let present = self.directory.parts()?;
        let done: Vec<WorkUnit> =
            all.iter().copied().filter(|unit| present.contains(&(unit.pipeline, unit.chunk))).collect();
        let mut tally = Tally::new(self, sample, &all, &done);
        let mut driver: Option<Driver> = None;
        if retrying {
            self.directory.write_json(layout::RETRYING, &true)?;
            let ready = self.driver().await?;
            ready.context.pipelines.iter().for_each(|pipeline| pipeline.forget_shared());
            let ended = self.stopped(ready.drive(Task::RetryErrors, &done, |_| ()).await);
            if !matches!(ended, Ok(Ended::Done)) {
                self.note(&ready)?;
            }
            if ended? == Ended::Stopped {
                return Ok(Ended::Stopped);
            }
            driver = Some(ready);
        }
        let mut watch = Watch::new(&self.plan, &self.contract, &self.directory)?;
        let mut decided_after = None;
        let end = self.last_chunk(sample.groups())?;
        for chunk in 0..end {
            let mut missing = units(self.plan.pipelines.len(), chunk..chunk + 1);
            missing.retain(|unit| !present.contains(&(unit.pipeline, unit.chunk)));
            if !missing.is_empty() {
                let ready = match driver.take() {
                    Some(ready) => ready,
                    None => self.driver().await?,
                };
                let ended = self.stopped(ready.drive(Task::Do, &missing, |done| tally.add(self, done)).await);
                if !matches!(ended, Ok(Ended::Done)) {
                    self.note(&ready)?;
                }
                let ended = ended?;
                driver = Some(ready);
                if ended == Ended::Stopped {
                    return Ok(Ended::Stopped);
                }
            }
            if watch.look(chunk)? {
                decided_after = Some(chunk + 1);
                break;
            }
        }
        if let Some(driver) = &driver {
            self.note(driver)?;
        }
        match decided_after.or((end < sample.groups()).then_some(end)) {
            Some(chunks) => self.directory.write_json(layout::STOPPED, &chunks)?,
            None => self.directory.remove(layout::STOPPED)?,
        }
        self.directory.write_json(layout::LOOKS, &watch.finish())?;
        Ok(Ended::Done)
    }

    /// Returns the end of the chunks that can be looked at: a run that lends its rankings may have stopped early itself.
    fn last_chunk(&self, chunks: usize) -> Result<usize, RunError> {
        let mut end = chunks;
        for lender in self.plan.borrowed.iter().flat_map(|borrowed| &borrowed.runs) {
            end = end.min(RunDirectory::view(&lender.path)?.0.sample()?.groups());
        }
        Ok(end)
    }

    fn note(&self, driver: &Driver) -> Result<(), StoreError> {
        self.note_requests(driver.context.pipelines.iter().map(std::sync::Arc::as_ref))
    }

    async fn driver(&self) -> Result<Driver, RunError> {
        let context = self.build(self.directory.scratch()?).await?;
        Ok(Driver { context, threads: self.surroundings.workers() })
    }
}

fn units(pipelines: usize, chunks: std::ops::Range<usize>) -> Vec<WorkUnit> {
    (0..pipelines).flat_map(|pipeline| chunks.clone().map(move |chunk| WorkUnit { pipeline, chunk })).collect()
}
