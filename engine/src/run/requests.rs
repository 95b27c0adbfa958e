//! What servers were asked, over all processes that worked on a run: no result, but what a reader of latencies wants to know.

use std::collections::BTreeMap;

use super::Run;
use crate::compare::outcome::BenchmarkResult;
use crate::replay::Pipeline;
use crate::replay::remote::RemoteCounts;
use crate::store::{RunDirectory, StoreError, layout};

/// By retriever and stage.
type Requests = BTreeMap<String, BTreeMap<String, RemoteCounts>>;

impl Run {
    /// Adds what the pipelines asked since they were built to what stands in the run's directory. What a process asked that
    /// was killed is not known.
    pub(super) fn note_requests<'a>(
        &self,
        pipelines: impl IntoIterator<Item = &'a Pipeline>,
    ) -> Result<(), StoreError> {
        let mut requests = Requests::new();
        for pipeline in pipelines {
            for (stage, counts) in pipeline.remote_counts() {
                requests.entry(pipeline.id().to_owned()).or_default().entry(stage).or_default().add(&counts);
            }
        }
        add(&self.directory, &requests)
    }
}

/// Adds what the servers of a shard were asked to what stands in the directory of the whole run.
pub(super) fn merge(target: &RunDirectory, shard: &RunDirectory) -> Result<(), StoreError> {
    let requests = if shard.holds(layout::REQUESTS)? { shard.read_json(layout::REQUESTS)? } else { Requests::new() };
    add(target, &requests)
}

fn add(directory: &RunDirectory, more: &Requests) -> Result<(), StoreError> {
    let asked = |requests: &Requests| requests.values().flat_map(BTreeMap::values).any(|counts| counts.requests > 0);
    if !asked(more) {
        return Ok(());
    }
    let mut requests: Requests =
        if directory.holds(layout::REQUESTS)? { directory.read_json(layout::REQUESTS)? } else { Requests::new() };
    for (retriever, stages) in more {
        let known = requests.entry(retriever.clone()).or_default();
        for (stage, counts) in stages {
            known.entry(stage.clone()).or_default().add(counts);
        }
    }
    directory.write_json(layout::REQUESTS, &requests)
}

/// Tells each stage of the results what its server was asked.
pub(super) fn tell(directory: &RunDirectory, results: &mut [BenchmarkResult]) -> Result<(), StoreError> {
    if !directory.holds(layout::REQUESTS)? {
        return Ok(());
    }
    let requests: Requests = directory.read_json(layout::REQUESTS)?;
    for result in results {
        let Some(of_stages) = requests.get(&result.retriever_id) else { continue };
        for stage in &mut result.stages {
            stage.requests = of_stages.get(&stage.name).copied();
        }
    }
    Ok(())
}
