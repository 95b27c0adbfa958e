//! The units of a run on a cluster instead of in this process.

use std::str::FromStr;
#[cfg(feature = "cluster")]
use std::sync::Arc;

use super::{Run, RunError, Tally};
use crate::benchmark::{ClusterAddress, ClusterAddressError};
#[cfg(feature = "cluster")]
use crate::compare::Round;
use crate::store::layout;
#[cfg(feature = "cluster")]
use crate::unit::Task;
use crate::unit::{Ended, WorkUnit};

/// Where the units of a run are done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Place {
    /// Where the benchmark says: on its cluster, or in this process.
    #[default]
    Planned,
    /// In this process, whatever the benchmark says.
    Here,
    /// On that cluster.
    Cluster(ClusterAddress),
}

impl FromStr for Place {
    type Err = ClusterAddressError;

    /// Reads `here`, or the address of a cluster.
    fn from_str(text: &str) -> Result<Self, ClusterAddressError> {
        if text == "here" { Ok(Self::Here) } else { text.parse().map(Self::Cluster) }
    }
}

impl Run {
    /// Returns the cluster that does the units; `None` where this process does.
    pub(super) fn cluster(&self) -> Option<&ClusterAddress> {
        match &self.surroundings.place {
            // What is judged again lies where it was made, and asks nobody.
            Place::Planned => self.plan.cluster.as_ref().filter(|_| self.plan.borrowed.is_none()),
            Place::Here => None,
            Place::Cluster(address) => Some(address),
        }
    }

    /// Makes sure that the cluster can do what is asked for, before anything is made for it.
    #[cfg(feature = "cluster")]
    pub(super) async fn reach_cluster(&self) -> Result<(), RunError> {
        let Some(address) = self.cluster() else { return Ok(()) };
        if self.plan.statistics.stop_when_decided {
            return Err(RunError::ClusterStop);
        }
        Ok(crate::cluster::ClusterDriver::reach(address).await?)
    }

    /// Says that this build knows no clusters, where one is asked for.
    #[cfg(not(feature = "cluster"))]
    #[expect(clippy::unused_async, reason = "the other build waits here")]
    pub(super) async fn reach_cluster(&self) -> Result<(), RunError> {
        match self.cluster() {
            Some(address) => Err(crate::cluster::ClusterError::NotBuilt(address.clone()).into()),
            None => Ok(()),
        }
    }

    /// Does the missing units on a cluster, and, where there is a second tally, tries what failed in all of them again.
    #[cfg(feature = "cluster")]
    pub(super) async fn work_on_cluster(
        &self,
        address: &ClusterAddress,
        units: &[WorkUnit],
        missing: &[WorkUnit],
        mut tally: Tally,
        again: Option<Tally>,
    ) -> Result<Ended, RunError> {
        let driver = self.cluster_driver(address);
        let ended = driver.drive(Task::DoMissing, missing, |done| tally.add(self, done)).await?;
        let Some(mut again) = again.filter(|_| ended == Ended::Done) else { return Ok(ended) };
        Ok(driver.drive(Task::RetryErrors, units, |done| again.add(self, done)).await?)
    }

    /// Has a run whose parts are all there summed up where they were made, round by round, so that whoever compares reads sums.
    #[cfg(feature = "cluster")]
    pub(super) async fn sum_up_on_cluster(&self) -> Result<Ended, RunError> {
        let Some(address) = self.cluster() else { return Ok(Ended::Done) };
        for round in Round::ALL {
            let (plan, contract, run) = (Arc::clone(&self.plan), Arc::clone(&self.contract), self.directory.clone());
            let (arms, threads) = (plan.pipelines.len(), self.surroundings.workers());
            let ask = move || crate::compare::ask_for_sums(&plan, &contract, arms, &run, threads, round);
            let pieces = tokio::task::spawn_blocking(ask).await??;
            let units: Vec<WorkUnit> =
                (0..pieces).map(|piece| WorkUnit { pipeline: round.number(), chunk: piece }).collect();
            match self.cluster_driver(address).drive(Task::SumUp, &units, |_| ()).await? {
                Ended::Done => {}
                ended => return Ok(ended),
            }
        }
        Ok(Ended::Done)
    }

    /// Nobody else makes sums in this build.
    #[cfg(not(feature = "cluster"))]
    #[expect(clippy::unused_async, reason = "the other build waits here")]
    pub(super) async fn sum_up_on_cluster(&self) -> Result<Ended, RunError> {
        Ok(Ended::Done)
    }

    #[cfg(feature = "cluster")]
    fn cluster_driver(&self, address: &ClusterAddress) -> crate::cluster::ClusterDriver {
        let components = self
            .contract
            .scorers()
            .filter_map(|scorer| Some((scorer.name().to_owned(), scorer.content_hash()?.to_owned())));
        crate::cluster::ClusterDriver {
            address: address.clone(),
            run: self.directory.clone(),
            run_id: self.manifest.run_id.clone(),
            drive: self.drive.clone(),
            plan: Arc::clone(&self.plan),
            pipeline_hashes: self.hashes.clone(),
            component_hashes: components.collect(),
            outbound: self.surroundings.outbound.clone(),
            stop: Arc::clone(&self.surroundings.stop),
        }
    }

    /// Says that this build knows no clusters.
    #[cfg(not(feature = "cluster"))]
    #[expect(clippy::unused_async, reason = "the other build waits here")]
    pub(super) async fn work_on_cluster(
        &self,
        address: &ClusterAddress,
        _: &[WorkUnit],
        _: &[WorkUnit],
        _: Tally,
        _: Option<Tally>,
    ) -> Result<Ended, RunError> {
        Err(crate::cluster::ClusterError::NotBuilt(address.clone()).into())
    }

    /// Removes what was put into the run directory for executors.
    pub(super) fn tidy_after_cluster(&self) -> Result<(), RunError> {
        // First of all: whoever still works on it writes nothing more.
        self.directory.withdraw_orders()?;
        self.directory.remove_folder(layout::SUMS)?;
        Ok(self.directory.remove_folder(layout::INPUTS)?)
    }
}
