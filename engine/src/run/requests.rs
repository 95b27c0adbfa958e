//! What servers were asked, over all processes that worked on a run: no result, but what a reader of latencies wants to know.

use std::collections::BTreeMap;
use std::path::Path;

use serde::de::DeserializeOwned;

use super::Run;
use crate::compare::outcome::BenchmarkResult;
use crate::replay::{Pipeline, Requests};
use crate::store::{RunDirectory, StoreError, layout};

/// By shard ([`layout::REQUESTS_OF_SHARDS`]).
type OfShards = BTreeMap<String, Requests>;

impl Run {
    /// Adds what the pipelines asked since they were built to what stands in the run's directory. What a process asked that
    /// was killed is not known.
    pub(super) fn note_requests<'a>(
        &self,
        pipelines: impl IntoIterator<Item = &'a Pipeline>,
    ) -> Result<(), StoreError> {
        add(&self.directory, &Requests::of(pipelines))
    }
}

/// Notes in the directory of the whole run what the servers of a shard were asked, in place of what was noted of that shard
/// before.
pub(super) fn merge(target: &RunDirectory, shard: &RunDirectory) -> Result<(), StoreError> {
    let (whole, name) = (name_of(target), name_of(shard));
    if whole == name {
        return Ok(());
    }
    let before: OfShards = read(target, layout::REQUESTS_OF_SHARDS)?;
    let mut known = before.clone();
    let own = of_processes(shard)?;
    if own.any() {
        known.insert(name, own);
    }
    // A shard may be a merge of others itself; what they say of themselves is newer.
    let of_others: OfShards = read(shard, layout::REQUESTS_OF_SHARDS)?;
    for (name, requests) in of_others {
        if name != whole {
            known.entry(name).or_insert(requests);
        }
    }
    if known == before { Ok(()) } else { target.write_json(layout::REQUESTS_OF_SHARDS, &known) }
}

/// Returns what tells a directory from others.
fn name_of(directory: &RunDirectory) -> String {
    let location = directory.location();
    let path = location.local().and_then(|path| std::path::absolute(path).ok());
    path.map_or_else(|| location.to_string(), |path| path.display().to_string())
}

fn add(directory: &RunDirectory, more: &Requests) -> Result<(), StoreError> {
    if !more.any() {
        return Ok(());
    }
    let mut requests: Requests = read(directory, layout::REQUESTS)?;
    requests.add(more);
    directory.write_json(layout::REQUESTS, &requests)
}

fn read<T: DeserializeOwned + Default>(directory: &RunDirectory, name: &str) -> Result<T, StoreError> {
    if directory.holds(name)? { directory.read_json(name) } else { Ok(T::default()) }
}

/// Returns what servers were asked by the processes that worked in the directory, here and on clusters.
fn of_processes(directory: &RunDirectory) -> Result<Requests, StoreError> {
    let mut requests: Requests = read(directory, layout::REQUESTS)?;
    for name in directory.names_in(layout::ASKED)? {
        if name.ends_with(".json") {
            requests.add(&directory.read_json(Path::new(layout::ASKED).join(name))?);
        }
    }
    Ok(requests)
}

/// Returns what servers were asked by the processes that worked in the directory and in the shards that were merged into it.
fn total(directory: &RunDirectory) -> Result<Requests, StoreError> {
    let mut requests = of_processes(directory)?;
    let of_shards: OfShards = read(directory, layout::REQUESTS_OF_SHARDS)?;
    of_shards.values().for_each(|shard| requests.add(shard));
    Ok(requests)
}

/// Tells each stage of the results what its server was asked.
pub(super) fn tell(directory: &RunDirectory, results: &mut [BenchmarkResult]) -> Result<(), StoreError> {
    let requests = total(directory)?;
    for result in results {
        for stage in &mut result.stages {
            stage.requests = requests.of_stage(&result.retriever_id, &stage.name);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::replay::remote::RemoteCounts;
    use crate::store::Manifest;

    fn directory(root: &Path) -> RunDirectory {
        let manifest = json!({
            "layout_version": 2, "engine_version": "0", "run_id": "a", "name": "n", "seed": 1, "plan": {}, "inputs": []
        });
        let manifest: Manifest = serde_json::from_value(manifest).unwrap();
        RunDirectory::open(root, &manifest).unwrap().0
    }

    fn requests(requests: u64) -> Requests {
        let mut all = Requests::default();
        all.note("new", "ask", &RemoteCounts { requests, ..RemoteCounts::default() });
        all
    }

    #[test]
    fn a_shard_that_is_merged_again_is_counted_once() {
        let folder = tempfile::tempdir().unwrap();
        let [target, one, two] = ["target", "one", "two"].map(|name| directory(&folder.path().join(name)));
        merge(&target, &one).unwrap();
        assert!(!target.has(layout::REQUESTS_OF_SHARDS), "nobody was asked");
        for (directory, count) in [(&target, 1), (&one, 20), (&two, 300)] {
            add(directory, &requests(count)).unwrap();
        }
        merge(&target, &one).unwrap();
        merge(&target, &one).unwrap();
        merge(&target, &target).unwrap();
        assert_eq!(total(&target).unwrap(), requests(21));
        // The first went on meanwhile, and the second is itself a merge.
        merge(&two, &one).unwrap();
        add(&one, &requests(4000)).unwrap();
        for shard in [&two, &one, &two] {
            merge(&target, shard).unwrap();
        }
        assert_eq!(total(&target).unwrap(), requests(4321));
    }
}
